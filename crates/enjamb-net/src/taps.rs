//! The interface between a relay and whoever watches it.

use enjamb::{Connection, Tap, Time};

use crate::error::RelayError;

/// Makes the taps of each connection, and receives the errors of the relay.
pub trait Taps: Send + Sync {
    /// Returns the taps of a connection that is about to be opened. They receive its events in this
    /// order, beginning with [`Event::Open`](enjamb::Event::Open), and each receives the events of
    /// this connection alone. A tap that panics is dropped; the others, and the connection, go on.
    ///
    /// Called for one connection at a time, in the order of their numbers. The same is true of
    /// `Event::Open`.
    fn taps(&self, connection: &Connection) -> Vec<Box<dyn Tap + Send>>;

    /// Receives an error of the relay or of a tap. `connection` is the one it happened on, if that
    /// was open. The default is a warning through `tracing`.
    fn error(&self, time: Time, connection: Option<&Connection>, error: &RelayError) {
        let number = connection.map(|connection| connection.number);
        tracing::warn!(%time, connection = number, "{error}");
    }
}
