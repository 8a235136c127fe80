//! Protocols on the enjamb engine, and the registry that names them.
//!
//! ```
//! use enjamb::Side;
//! use enjamb_protocols::Registry;
//!
//! let mut session = Registry::builtin().resolve("http1").unwrap().session(None);
//! let mut kinds = Vec::new();
//! for chunk in ["GET /index", ".html HTTP/1.1\r\n\r\nHEAD / HT", "TP/1.1\r\n\r\n"] {
//!     session.feed(Side::Client, chunk.as_bytes(), &mut |message| kinds.push(message.kind.to_owned()));
//! }
//! assert_eq!(kinds, ["GET", "HEAD"]);
//! ```
//!
//! # Components
//!
//! * [`redis`]: RESP2, RESP3 and inline commands.
//! * [`http1`]: HTTP/1.0 and HTTP/1.1.
//! * SOCKS and the protocol inside its tunnel, or inside that of HTTP `CONNECT`.
//! * [`Framing`]: a protocol that needs no code, from a spec such as `u32be max=1M`. [`Pair`] is
//!   its session.
//! * [`SpecFile`]: a binary protocol that needs no code, from a TOML file.
//! * [`OpaqueSession`]: a session that counts bytes and parses nothing.
//! * [`Detector`]: a session that recognises its protocol by the first bytes (`auto`).
//! * [`redact`] overwrites secrets in the bytes of a message, and [`redact_transcript`] those in a
//!   transcript.
//! * [`http1::ATTRIBUTES`] and [`redis::ATTRIBUTES`]: the parts of messages that filters name.
//! * [`Registry`]: every [`Protocol`] by its name, both those of this crate and those of a program.
//!
//! # Features
//!
//! The crate has no features.

mod ber;
mod cobs;
mod detect;
mod framing;
mod framing_error;
mod framing_handler;
pub mod http1;
mod json;
pub mod kit;
mod line_feed;
mod masks;
mod message_head;
mod opaque;
mod pair;
mod protocol;
mod protocols;
mod redacted_transcript;
pub mod redis;
mod registry;
mod secrets;
mod sniff;
mod socks;
mod spec;
mod spec_file;
mod sql;
mod text;
mod text_secrets;
mod tunnel;

pub use detect::{Detector, KEPT_MAX, SNIFFED_MAX};
pub use framing::Framing;
pub use framing_error::FramingError;
pub use framing_handler::{Frame, FramingHandler, PREVIEW_MAX};
pub use opaque::OpaqueSession;
pub use pair::Pair;
pub use protocol::Protocol;
pub use redacted_transcript::redact_transcript;
pub use registry::Registry;
pub use secrets::redact;
pub use sniff::Sniff;
pub use spec::{Sides, SpecError};
pub use spec_file::{SpecFile, SpecFileError};
