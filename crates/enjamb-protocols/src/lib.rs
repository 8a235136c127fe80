//! The protocols built on the enjamb engine, the registry that names them, and the framing spec language.
//!
//! * [`redis`]: RESP2, RESP3 and inline commands.
//! * [`http1`]: HTTP/1.0 and HTTP/1.1.
//! * [`Framing`]: protocols that need no code, from a spec such as `u32be max=1M`; [`Pair`] is their session.
//! * [`Registry`]: all of them by name, and a user's own beside them.
//! * [`Detect`]: `auto`, whichever of them the first bytes turn out to be.

mod cobs;
mod detect;
mod framing;
pub mod http1;
mod line_feed;
mod opaque;
mod pair;
pub mod redis;
mod registry;
mod spec;

pub use detect::{Detect, KEPT_MAX, SNIFFED_MAX};
pub use framing::{Frame, Framed, FramingError, PREVIEW};
pub use opaque::Opaque;
pub use pair::Pair;
pub use registry::{Protocol, Registry, Sniff};
pub use spec::{Framing, Sides, SpecError};
