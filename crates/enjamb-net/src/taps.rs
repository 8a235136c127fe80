//! The interface between a relay and its observers.

use std::net::SocketAddr;

use enjamb::{Connection, Tap, Time};

use crate::closer::Closer;
use crate::error::NetError;
use crate::tls_parameters::TlsParameters;

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

    /// Returns the taps of a connection that a relay or a server accepted, with the circumstances.
    /// The default calls [`taps`](Self::taps).
    fn taps_on(&self, connection: &Connection, opening: &Opening) -> Vec<Box<dyn Tap + Send>> {
        let _ = opening;
        self.taps(connection)
    }

    /// Receives the parameters of the TLS of the client and of the server, in this order, when an
    /// open connection has changed to it. The default ignores them.
    fn secured(&self, time: Time, connection: &Connection, tls: &[Option<TlsParameters>; 2]) {
        let _ = (time, connection, tls);
    }

    /// Receives an error of the relay or of a tap. `connection` is the connection on which it
    /// happened, if that was open. The default is a warning through `tracing`.
    fn error(&self, time: Time, connection: Option<&Connection>, error: &NetError) {
        let number = connection.map(|connection| connection.number);
        tracing::warn!(%time, connection = number, "{error}");
    }
}

/// The circumstances in which a connection is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opening {
    /// This end's address of the client's connection.
    pub listener: SocketAddr,
    /// The TLS of the client and of the server, in this order, if a relay ends it.
    pub tls: [Option<TlsParameters>; 2],
    /// Ends the connection, if the taps of the relay may do that
    /// ([`taps_may_close`](crate::relay::Options::taps_may_close)).
    pub closer: Option<Closer>,
}

impl Opening {
    pub(crate) fn new(listener: SocketAddr) -> Self {
        Self { listener, tls: [None, None], closer: None }
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
