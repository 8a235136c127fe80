//! `enjamb proxy`: between a client and a server, logging framed traffic.
//!
//! The relay is [`enjamb_net`]'s: bytes first, then the taps. Two taps watch each connection:
//!
//! * one feeds a session of the protocol, and what it says goes, as records, through `tracing` and a bounded queue to the log, and is counted;
//! * one puts what passed into a bounded queue to the recording, if there is to be one.
//!
//! Neither waits for anything: what a queue has no room for is dropped and counted, and the count stands in the log itself. A disk that is full or slow
//! costs log lines, never a connection.
//!
//! Standard error has what concerns the proxy itself, standard output (or the file) nothing but the log. [`run`] is the
//! command; [`Proxy`] is the same thing for a program.

mod arguments;
mod log;
mod notices;
mod proxy;
mod recording;
mod run;
mod watching;

pub use arguments::{Arguments, OutputFormat};
pub use proxy::{Configuration, LogTo, Proxy, Report, StartError};
pub use run::run;
