//! Adapters: each makes a subject of a decoder, reader or parser from another crate.
//!
//! An adapter is the driver that its kind of code is written for. The law replaces the socket.

#![allow(
    clippy::new_ret_no_self,
    clippy::type_complexity,
    reason = "a constructor returns its adapter with closures in it, whose types only their signatures name"
)]

mod accumulating;
mod blocking;
#[cfg(feature = "futures")]
mod body;
mod chunks;
mod decoded;
mod driver;
mod encoded;
mod executor;
mod feed;
#[cfg(any(feature = "tokio-util", feature = "asynchronous-codec"))]
mod framed_read;
mod incoming;
mod outgoing;
mod parsed;
mod parsing;
mod pushing;
mod reading;
mod repetition;
#[cfg(feature = "tokio-runtime")]
mod runtime;
#[cfg(feature = "tokio")]
mod serving;
#[cfg(feature = "futures")]
mod streaming;
mod writing;

pub use accumulating::{Accumulating, AtEnd};
pub use blocking::Blocking;
#[cfg(feature = "futures")]
pub use body::Body;
pub use chunks::Chunks;
pub use decoded::Decoded;
pub use driver::{ByHand, Driver};
#[cfg(feature = "tokio-util")]
pub use encoded::encoded;
pub use encoded::reads_back;
pub use feed::Feed;
#[cfg(feature = "asynchronous-codec")]
pub use framed_read::AsynchronousCodec;
#[cfg(feature = "tokio-util")]
pub use framed_read::TokioUtil;
pub use incoming::Incoming;
pub use outgoing::Outgoing;
pub use parsed::Parsed;
pub use parsing::Parsing;
pub use pushing::Pushing;
pub use reading::Reading;
#[cfg(feature = "tokio")]
pub use serving::{Exchange, Serving};
#[cfg(feature = "futures")]
pub use streaming::Streaming;
pub use writing::{Writing, WrittenBytes};
