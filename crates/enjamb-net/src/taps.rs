//! The interface between a relay and its observers.

use std::net::SocketAddr;

use enjamb::{Connection, Tap, Time};

use crate::error::NetError;

/// Makes the taps of each connection, and receives the errors of the relay.
pub trait Taps: Send + Sync {
    /// Returns the taps of a connection that is about to be opened. They receive its events in this
    /// order, beginning with [`Event::Open`](enjamb::Event::Open), and each receives only the
    /// events of this connection. A tap that panics is dropped; the others, and the connection,
    /// continue.
    ///
    /// Called for one connection at a time, in the order of their numbers. The same is true of
    /// `Event::Open`.
    fn taps(&self, connection: &Connection) -> Vec<Box<dyn Tap + Send>>;

    /// Returns the taps of a connection that a relay or a server accepted on `listener`: this end's
    /// address of the client's connection. The default calls [`taps`](Self::taps).
    fn taps_on(&self, connection: &Connection, listener: SocketAddr) -> Vec<Box<dyn Tap + Send>> {
        let _ = listener;
        self.taps(connection)
    }

    /// Receives an error of the relay or of a tap. `connection` is the connection on which it
    /// happened, if that was open. The default is a warning through `tracing`.
    fn error(&self, time: Time, connection: Option<&Connection>, error: &NetError) {
        let number = connection.map(|connection| connection.number);
        tracing::warn!(%time, connection = number, "{error}");
    }
}

/// No taps. Errors are warnings through `tracing`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoTaps;

impl Taps for NoTaps {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        Vec::new()
    }
}
