//! From segments to the two byte streams of each connection.
//!
//! A [`Reassembler`](reassembler::Reassembler) follows all connections. A [`Flow`](flow::Flow) is
//! one connection, with a [`Stream`](stream::Stream) for each side.
//!
//! | word | meaning |
//! |---|---|
//! | hole | bytes of a stream that have not been captured yet, before bytes that have |
//! | gap | a hole that was given up: its bytes are reported to the tap as missing |
//! | held | captured, and not delivered yet |
//! | delivered | passed to the tap |
//! | lost | known to be missing from the capture, because a packet was truncated or dropped |

mod backlog;
mod clock;
mod context;
mod deadlines;
mod ended_flow;
pub(crate) mod endpoints;
mod flow;
mod flow_table;
mod held_data;
mod hold;
mod progress;
pub(crate) mod reassembler;
mod recent_log;
mod reset;
mod role;
pub(crate) mod shard;
mod stream;
