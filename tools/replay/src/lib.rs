//! `enjamb replay`: feeds captures to protocol sessions.
//!
//! The tool has four modes, which share [`Arguments`], the way inputs are read
//! ([`enjamb_sources`]) and the exit codes:
//!
//! * `records` (the default) feeds each connection to a session and writes one record per message,
//!   then the statistics.
//! * `recut` (`--recut`) feeds each connection under other cuts, and compares the messages.
//! * `live` (`--against`, `--serve`) plays one side of each connection to a live peer, and compares
//!   the messages of the peer.
//! * `--list` only lists the inputs.
//!
//! `enjamb watch` is the first mode with a capturing program as its input.

mod arguments;
mod live;
mod output_arguments;
mod records;
mod recut;
mod run;
mod setup;
mod watch;

pub use crate::arguments::{Arguments, EXAMPLES};
pub use crate::run::run;
pub use crate::watch::{WatchArguments, watch};
