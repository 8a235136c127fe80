//! Adapters: a subject out of somebody else's decoder, reader, parser, in a line.
//!
//! Each is the driver that its kind of code is written for, with the law in the place of the socket.

#![allow(
    clippy::new_ret_no_self,
    clippy::type_complexity,
    reason = "a constructor returns its adapter with closures in it, whose types only their signatures tell"
)]

mod accumulating;
mod blocking;
#[cfg(feature = "futures")]
mod body;
mod chunks;
mod decoded;
mod encoded;
mod executor;
mod feed;
mod outgoing;
mod parsed;
mod parsing;
mod pushing;
mod reading;
#[cfg(feature = "futures")]
mod streaming;
mod writing;

pub use accumulating::Accumulating;
pub use blocking::{Blocking, Incoming};
#[cfg(feature = "futures")]
pub use body::Body;
pub use chunks::Chunks;
#[cfg(feature = "asynchronous-codec")]
pub use decoded::AsynchronousCodec;
#[cfg(feature = "tokio-util")]
pub use decoded::TokioUtil;
pub use decoded::{ByHand, Decoded, Driver};
#[cfg(feature = "tokio-util")]
pub use encoded::encoded;
pub use encoded::reads_back;
pub use feed::Feed;
pub use outgoing::Outgoing;
pub use parsed::Parsed;
pub use parsing::Parsing;
pub use pushing::Pushing;
pub use reading::Reading;
#[cfg(feature = "futures")]
pub use streaming::Streaming;
pub use writing::{Writing, Written};
