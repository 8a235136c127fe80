//! What was seen in framed traffic: records, statistics, latency, errors, and how they are written. No sockets.
//!
//! * [`Watch`] is the [`enjamb::Tap`] that opens a session for each connection, writes down what it says and counts it; [`Watched`] is one
//!   connection of it, for a source that keeps its connections apart.
//! * [`Record`] is what is written down: `docs/records.md` is the schema.
//! * [`Format`] writes records as JSON lines or as text; [`trace`] sends them through `tracing` to the same lines.
//! * [`Statistics`] counts.

mod format;
mod record;
mod statistics;
pub mod trace;
mod watch;

pub use format::{Format, LineWriter, Rfc3339};
pub use record::{Record, SideTotal, Value, Visitor};
pub use statistics::Statistics;
pub use watch::{Opener, Output, Watch, Watched};
