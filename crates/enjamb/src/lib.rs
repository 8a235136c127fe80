//! A framing engine, and the nouns of everything that is built on it.
//!
//! TCP keeps bytes in order and forgets where messages end. This crate finds the ends: the model is that of Python's
//! `asynchat` (a terminator that is a delimiter, a byte count or the end of the stream; `collect_incoming_data`;
//! `found_terminator`), without its faults. It does no I/O, has no clock and keeps no copy of the stream.
//!
//! One law holds everything together, the **split law**: *one trace of messages, however the bytes were cut*.
//!
//! From the inside out:
//!
//! * [`Terminator`]: what ends the frame in progress. Illegal ones cannot be built.
//! * [`Scanner`]: the innermost loop; cuts chunks at the terminator, holds nothing but counts.
//! * [`Handler`]: what a protocol author writes: `collect`, `found`, `close`. [`FrameHandler`] gets its frames whole.
//! * [`Text`]: pieces and frames as `&str`, with characters that may be split anywhere: [`TextHandler`], [`TextFrameHandler`].
//! * [`Limit`]: how long a frame may be, and what happens when one is longer.
//! * [`Framer`]: scanner and handler together. It is a [`Machine`], the one shape that drivers drive.
//! * [`Session`]: both directions of a conversation, which emits [`Message`]s; [`Lane`] is one of its sides.
//! * [`Tap`]: what takes the [`Event`]s of conversations in, from a capture or a relay; [`Batch`] keeps them.
//! * [`Transcript`]: what was said, by whom, when, and in which chunks.

#![no_std]

extern crate alloc;

mod any_of;
mod batch;
mod delimiter;
mod first_bytes;
mod frame;
mod framer;
mod handler;
mod lane;
mod limit;
mod machine;
mod message;
mod scanner;
mod session;
mod side;
mod steps;
mod tap;
mod terminator;
mod text;
mod text_frame;
mod time;
pub mod transcript;
mod trie;
pub mod units;

pub use any_of::{AnyOf, IllegalSet};
pub use batch::Batch;
pub use delimiter::{Delimiter, EmptyDelimiter};
pub use framer::{FrameError, Framer};
pub use handler::{End, Found, FrameHandler, Glance, Handler, Next, Refused, Step, Whole};
pub use lane::{AFTER_MALFORMED, HOLE, Lane, Rest};
pub use limit::{Limit, Overflow};
pub use machine::Machine;
pub use message::{Message, Outcome, OwnedMessage, Span};
pub use scanner::{Scanner, Token, Unplaced};
pub use session::{Ending, Session};
pub use side::Side;
pub use tap::{Connection, Event, Tap};
pub use terminator::Terminator;
pub use text::{Invalid, Text, TextError, TextHandler};
pub use text_frame::{TextFrameHandler, WholeText};
pub use time::Time;
pub use transcript::Transcript;

/// The guide's examples are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/handlers.md")]
struct GuideExamples;
