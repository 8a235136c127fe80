//! `enjamb proxy`: stands between a client and a server, and logs framed traffic.
//!
//! The relay is [`enjamb_net`]'s: bytes first, then the taps. Up to two taps watch each connection:
//!
//! * one parses it. A built-in protocol is parsed in place, on the relay's thread. A handler that
//!   somebody registered runs on watched threads, behind a bounded queue, and is given up when a
//!   call does not return. The messages become records, which are counted, and reach the log
//!   through a bounded queue;
//! * one puts the traffic into a bounded queue to the recording, if there is one.
//!
//! Neither waits for anything. What a queue has no room for is dropped and counted, and the log
//! says where. No lock is held while a handler runs. A handler that fails, or a disk that is full
//! or slow, costs log lines, never a connection.
//!
//! Records also go to `tracing`, as events of the target [`enjamb_monitor::trace::TARGET`], if a
//! subscriber wants them. The subscriber runs on the relay's threads and must not block.
//!
//! Standard error has what concerns the proxy itself, standard output (or the file) only the log.
//! [`run`] is the command; [`Proxy`] is the same for a program.

mod account;
mod arguments;
mod clock;
mod configuration;
mod conversation;
mod event_queue;
mod handler;
mod handler_report;
mod inline;
mod journal;
mod log;
mod messages;
mod notices;
mod proxy;
mod recording;
mod run;
mod settling;
mod shared;
mod taps;
mod worker;
mod workers;

pub use arguments::{Arguments, HandlerTimeout, OutputFormat};
pub use configuration::{Configuration, LogTarget};
pub use handler_report::HandlerReport;
pub use proxy::{Proxy, Report, Shutdown, StartError, Status};
pub use run::run;
