//! The relay under the enjamb proxy: bytes first, then the tap.
//!
//! A relay stands between clients and one server. What one side sends reaches the other byte for byte and in order, an
//! end of stream as an end of stream, a reset as a reset; and every [`Tap`](enjamb::Tap) is told of all of it. No protocol is known here,
//! and nothing that a tap does or fails to do changes what is relayed.
//!
//! * [`serve`] accepts connections and relays each to an [upstream server](Upstream), within the limits of its [`Options`].
//! * [`Taps`] makes the taps of a connection, and hears of [`Trouble`].
//! * [`Stop`] ends a relay: gently, or at once.
//!
//! Beside the relay there is [`play`]: one side of a recorded conversation, played to a live peer.
//!
//! # What a tap may rely on
//!
//! Both directions of a connection are one task. For each read that task makes one attempt to write the bytes to the other side, without
//! waiting; then it tells the taps, still without waiting; and only then, if the other side did not take all of them, does it wait until it does.
//! Two things follow:
//!
//! * **Bytes first.** Nothing is parsed before the kernel has been offered the bytes. A tap costs the next read its time, never this one.
//! * **Cause before effect.** A tap is told of a request before it is told of any answer to it, however fast the server is: an answer is read by this same task, which comes to
//!   read again only when the taps have returned. Had it waited for the rest of a long request to be written before it told them, a server that
//!   answers from the beginning of a request would be heard first.
//!
//! The times that a tap is told are those of the reads. They never run backwards within a connection, and connections are numbered from 1 in the order, and
//! by the time, of their [`open`](enjamb::Tap::open).

mod clock;
mod duplex;
mod flow;
mod observers;
mod play;
mod serve;
mod stop;
mod taps;

pub use flow::LONGEST_READ;
pub use play::{Act, Interrupted, Part, Playing, Step, Turns, play};
pub use serve::{Options, Served, Upstream, serve};
pub use stop::Stop;
pub use taps::{Taps, Trouble};
