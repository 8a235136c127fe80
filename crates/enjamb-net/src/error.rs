//! The errors of a relay.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use enjamb::units::format_duration;

/// An error of a relay or of one of its taps. The relay continues.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The server could not be reached. The client was reset, and no tap received anything.
    #[error("cannot connect to {upstream} for client {client}: {source}")]
    Connect {
        /// The address of the client.
        client: SocketAddr,
        /// The server, as it was given.
        upstream: String,
        /// The reason. [`io::ErrorKind::TimedOut`] when it took longer than allowed.
        source: io::Error,
    },
    /// A client could not be accepted. The relay tries again after a pause.
    #[error("cannot accept a connection: {0}")]
    Accept(#[source] io::Error),
    /// A tap panicked, with this message. It was dropped.
    #[error("an observer of this connection failed and was dropped: {0}")]
    TapPanicked(String),
    /// Neither side sent anything for this time. The connection was reset.
    #[error("reset after {} without a byte", format_duration(*.0))]
    Idle(Duration),
    /// The relay stopped before the connection had ended. The connection was reset.
    #[error("reset, since the relay stops")]
    Stopped,
}
