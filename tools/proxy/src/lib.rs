//! `enjamb proxy`: relays between clients and a server, and logs framed traffic.
//!
//! The relay is [`enjamb_net`]'s: bytes first, then the taps. Each connection has up to two taps:
//!
//! * One parses it. A built-in protocol is parsed in place, on the relay's thread. A handler that a
//!   program registered runs on watched threads, behind a bounded queue, and is abandoned when a
//!   call does not return. The messages become records, which are counted, and reach the log
//!   through a bounded queue.
//! * One puts the traffic into a bounded queue to the recording, if there is one.
//!
//! Neither waits for anything. If a queue has no room, data is dropped and counted, and the log
//! shows where. No lock is held while a handler runs. A handler that fails, or a disk that is full
//! or slow, costs log lines, never a connection.
//!
//! A proxy has one or more [routes](Route), each with a relay of its own. They come from the
//! configuration, which may be read again, or over an HTTP API. A route may have faults, which
//! change its streams on purpose: then the taps see what is delivered.
//!
//! Records also go to `tracing`, as events of the target [`enjamb_monitor::trace::TARGET`], if a
//! subscriber wants them. The subscriber runs on the relay's threads and must not block.
//!
//! Messages about the proxy itself go to standard error. Standard output (or the file) contains
//! only the log. [`run`] is the command; [`Proxy`] offers the same to a program.

mod account;
mod api;
mod arguments;
mod authority;
mod clock;
mod config_file;
mod configuration;
mod conversation;
mod endpoints;
mod error;
mod event_queue;
mod fault_list;
mod handler;
mod handler_report;
mod inline;
mod journal;
mod lines;
mod listen_socket;
mod listening;
mod log;
mod losses;
mod messages;
mod metrics;
mod notices;
mod proxy;
mod recording;
mod rotation;
mod route_tls;
mod routes;
mod run;
mod settling;
mod shaping;
mod shared;
mod signals;
mod starttls;
mod taps;
mod tls_options;
mod tls_tap;
mod unit_writer;
mod worker;
mod workers;

pub use arguments::{Arguments, EXAMPLES, OutputFormat, ProxyVersion, TimeLimit};
pub use authority::ProxyCommand;
pub use configuration::{Configuration, LogTarget, Rotation, Route};
pub use error::StartError;
pub use handler_report::HandlerReport;
pub use losses::{LogLosses, RecordingLosses};
pub use proxy::{Proxy, Report, Shutdown, Status};
pub use route_tls::{ClientTls, RouteTls, RouteTlsError, ServerTls, TrustedAuthorities};
pub use run::run;
pub use starttls::StartTls;
pub use tls_options::TlsOptions;
