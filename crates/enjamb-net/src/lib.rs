//! The relay under `enjamb proxy`: bytes first, then the taps.
//!
//! A relay connects clients with one server. Bytes of one side reach the other unchanged and in
//! order; the end of a stream arrives as the end of a stream, and a reset as a reset. Every
//! [`Tap`](enjamb::Tap) receives all of it. The relay does not depend on any protocol, and no
//! failure of a tap changes the relayed bytes.
//!
//! * [`serve`] accepts connections and relays each to an [upstream server](Upstream), within the
//!   limits of its [`Options`].
//! * [`Taps`] makes the taps of a connection, and receives each [`RelayError`].
//! * [`Stop`] ends a relay: gently, or at once.
//!
//! Besides the relay there is [`play`]: it plays one side of a recorded conversation to a live
//! peer.
//!
//! # Guarantees to taps
//!
//! Both directions of a connection are one task. For each read that task makes one attempt to write
//! the bytes to the other side, without waiting. Then it gives them to the taps, still without
//! waiting. Only then, if the other side did not take all of them, does it wait. Two things follow:
//!
//! * **Bytes first.** Nothing is parsed before the bytes were offered to the kernel. The time that
//!   a tap takes delays the next read, never this one. So a tap must return soon: other connections
//!   need its thread too.
//! * **Cause before effect.** A tap receives a request before it receives any answer to it, however
//!   fast the server is: an answer is read by the same task, which reads again only when the taps
//!   have returned. If the task waited for the rest of a long request to be written first, the
//!   answer of a server that replies early would come before its request.
//!
//! The times of events are those of the reads. They never run backwards within a connection.
//! Connections are numbered from 1, in the order and by the time of their
//! [opening](enjamb::Event::Open).

mod clock;
mod duplex;
mod error;
mod flow;
mod observers;
mod play;
mod serve;
mod step_order;
mod stop;
mod taps;

pub use error::RelayError;
pub use flow::LONGEST_READ;
pub use play::{Action, PlayError, PlayObserver, PlayOptions, Step, play};
pub use serve::{Options, RelayReport, Upstream, serve};
pub use step_order::StepOrder;
pub use stop::Stop;
pub use taps::Taps;
