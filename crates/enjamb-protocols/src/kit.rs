//! The kit: a session from the rules of a protocol.
//!
//! Most protocols need the same things around their messages: a reader for each side that works
//! under all cuts, limits, gaps, streams that a capture joined in the middle, the search for the
//! next sure beginning, answers that find their requests, and a change to another protocol. All
//! that is here, once. A protocol implements [`Rules`]:
//!
//! * [`next`](Rules::next): what ends the next part of a message. The parts are the engine's
//!   frames, and what ends them is its terminators: a number of bytes, or a delimiter.
//! * [`read`](Rules::read): what a whole message is: its kind, whether it asks or answers, what
//!   failed, and whether another protocol begins behind it.
//! * [`begins`](Rules::begins): whether a message may begin with these bytes. Behind a gap or a
//!   broken message the session looks for such a place.
//!
//! [`Conversation`] is the session of these rules. See `docs/sessions.md` for a protocol
//! that is built step by step.
//!
//! ```
//! use enjamb::{Session, Side};
//! use enjamb_protocols::kit::{Conversation, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
//!
//! /// A byte of type, a length of two bytes, and a body.
//! struct Meter;
//!
//! impl Rules for Meter {
//!     const NAME: &'static str = "meter";
//!     type Memo = ();
//!
//!     fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
//!         match *message.head {
//!             [_, high, low] => Ok(Next::Last(u16::from_be_bytes([high, low]).into())),
//!             _ => Ok(Next::Bytes(3)),
//!         }
//!     }
//!
//!     fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
//!         match frame.head[0] {
//!             1 => Ok(Report::new("READ").role(Role::Request)),
//!             2 => Ok(Report::new("value").role(Role::Answer { last: true }).subject(&frame.head[3..])),
//!             _ => Err(Fault("the type is neither 1 nor 2")),
//!         }
//!     }
//! }
//!
//! let mut session = Conversation::new(Meter);
//! let mut lines = Vec::new();
//! for (side, chunk) in [(Side::Client, &b"\x01\0"[..]), (Side::Client, b"\0"), (Side::Server, b"\x02\0\x0217")] {
//!     session.feed(side, chunk, &mut |message| lines.push(message.to_owned().to_string()));
//! }
//! assert_eq!(lines, ["client READ at 0+3 ok: READ", "server value at 0+5 ok answers #0: value 17"]);
//! ```

mod conversation;
mod cursor;
mod pairing;
mod reader;
mod report;
mod rules;
mod seek;

pub use conversation::Conversation;
pub use cursor::{Cursor, Short};
pub use pairing::{OUTSTANDING_MAX, Requests};
pub use report::{Report, Role, Then};
pub use rules::{Fault, Frame, Next, Progress, Rules, Seek};
