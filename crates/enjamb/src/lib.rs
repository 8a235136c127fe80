//! A framing engine, and the types that every other enjamb crate shares.
//!
//! TCP keeps bytes in order, but it does not preserve where messages end. This crate finds the
//! ends. Its model is Python's `asynchat`: a terminator (a delimiter, a byte count or the end of
//! the stream) ends a frame, `collect_incoming_data` receives its pieces, and `found_terminator` is
//! called when it is whole. The crate does no I/O, reads no clock and keeps no copy of the stream.
//! Its one law is the **split law**: a stream gives the same messages however its bytes were cut.
//!
//! ```
//! use std::convert::Infallible;
//! use enjamb::{FrameHandler, FrameInfo, Framer, Machine, Step, Terminator};
//!
//! struct Lines;
//!
//! impl FrameHandler for Lines {
//!     type Event = String;
//!     type Error = Infallible;
//!
//!     fn start(&self) -> Terminator {
//!         Terminator::crlf()
//!     }
//!     fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<String>, Infallible> {
//!         Ok(Step::event(String::from_utf8_lossy(line).into_owned()))
//!     }
//! }
//!
//! let (mut framer, mut lines) = (Framer::whole(Lines), Vec::new());
//! for chunk in ["HELO exa", "mple\r", "\nQUIT\r\n"] {
//!     framer.feed(chunk.as_bytes(), &mut |line| lines.push(line)).unwrap();
//! }
//! assert_eq!(lines, ["HELO example", "QUIT"]);
//! ```
//!
//! # Components, from the inside out
//!
//! * [`Terminator`]: the end of the frame in progress.
//! * [`Scanner`]: the innermost loop. It cuts chunks at the terminator and stores only counters.
//! * [`Handler`]: one direction of a protocol, as callbacks. [`FrameHandler`] gets its frames
//!   whole.
//! * [`TextHandler`] and [`TextFrameHandler`]: the same for UTF-8 text, through the adapter
//!   [`Text`].
//! * [`Limit`]: the longest frame, and the policy for longer ones.
//! * [`Framer`]: scanner and handler together. It is a [`Machine`], the interface that drivers use.
//! * [`Session`]: both directions of a conversation. It emits [`Message`]s, which lend their
//!   [`Attributes`]. [`Lane`] implements one side of it.
//! * [`Tap`]: a consumer of the [`Event`]s of conversations, which a capture or a relay feeds.
//!   [`Batch`] stores them.
//! * [`Transcript`]: a recorded conversation with its times, sides and chunks.
//! * [`units`]: the syntax of sizes and durations on every command line.
//!
//! # Features
//!
//! | feature | default | effect |
//! |---|---|---|
//! | `std` | yes | The byte search selects its instructions at run time. Without it the crate is `no_std` and uses the instructions that the target guarantees. |

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod any_of;
mod attributes;
mod batch;
mod delimiter;
mod first_bytes;
mod flags;
mod frame;
mod frame_error;
mod frame_handler;
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
mod text_frame_handler;
mod time;
mod token;
pub mod transcript;
mod trie;
pub mod units;

pub use any_of::{AnyOf, IllegalSet};
pub use attributes::{
    ArgumentType, Attribute, AttributeArgument, AttributeSet, AttributeType, AttributeValue, Attributes,
};
pub use batch::Batch;
pub use delimiter::{Delimiter, EmptyDelimiter};
pub use flags::Flags;
pub use frame_error::FrameError;
pub use frame_handler::{FrameHandler, WholeFrames};
pub use framer::Framer;
pub use handler::{End, FrameInfo, Glance, Handler, Next, Refusal, Step};
pub use lane::{AFTER_MALFORMED, BYTES_MISSING, Lane, Rest};
pub use limit::{Limit, Overflow};
pub use machine::Machine;
pub use message::{ConstantKind, Message, Outcome, OwnedMessage, Span};
pub use scanner::{GapError, Scanner};
pub use session::{Ending, PAUSE_MIN, Session};
pub use side::Side;
pub use tap::{Connection, Event, Tap};
pub use terminator::Terminator;
pub use text::{InvalidUtf8, Text, TextError, TextHandler};
pub use text_frame_handler::{TextFrameHandler, WholeTextFrames};
pub use time::Time;
pub use token::Token;
pub use transcript::Transcript;

/// Runs the examples of the guide as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/handlers.md")]
struct GuideExamples;
