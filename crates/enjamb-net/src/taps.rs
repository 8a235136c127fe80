//! What a relay is watched by.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use enjamb::{Connection, Tap, Time};

/// Makes the taps of each connection, and hears of what goes wrong.
pub trait Taps: Send + Sync {
    /// The taps of a connection that is about to be opened. They are told of it in this order, beginning with [`Tap::open`], and each is told of
    /// this connection alone. One that panics is dropped; the others, and the connection, go on.
    ///
    /// Called for one connection at a time, in the order of their numbers; so is [`Tap::open`].
    fn taps(&self, connection: &Connection) -> Vec<Box<dyn Tap + Send>>;

    /// Something went wrong with the relaying or the watching, on `connection` if it was on one that is open. Without an
    /// implementation it is a warning to `tracing`.
    fn trouble(&self, time: Time, connection: Option<&Connection>, trouble: &Trouble) {
        let number = connection.map(|connection| connection.number);
        tracing::warn!(%time, connection = number, "{trouble}");
    }
}

/// What went wrong with the relaying or the watching.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The server could not be reached. The client was reset; no tap was told of it.
    #[error("cannot connect to {upstream} for client {client}: {error}")]
    Connect {
        /// The client.
        client: SocketAddr,
        /// The server, as it was given.
        upstream: String,
        /// Why not. [`io::ErrorKind::TimedOut`] when it took longer than it may.
        error: io::Error,
    },
    /// A client could not be accepted. The relay tries again, after a pause where that can help.
    #[error("cannot accept a connection: {0}")]
    Accept(io::Error),
    /// A tap panicked, with this message. It was dropped.
    #[error("the watching of this connection failed and has ended: {0}")]
    Panicked(String),
    /// Neither side sent anything for as long as it may. The connection was reset.
    #[error("reset after {} seconds without a byte", .0.as_secs_f64())]
    Idle(Duration),
    /// The relay stopped before the connection had ended. It was reset.
    #[error("reset, since the relay stops")]
    Stopped,
}
