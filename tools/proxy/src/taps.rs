//! The taps of the proxy's connections.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use enjamb::{Connection, Tap, Time};
use enjamb_monitor::UNNUMBERED;
use enjamb_net::relay::TlsParameters;
use enjamb_net::{Closer, NetError, Opening, Taps};
use enjamb_protocols::Protocol;

use crate::inline::InlineTap;
use crate::recording::RecordingQueue;
use crate::shared::Shared;
use crate::tls_tap::{TlsTap, write_tls};
use crate::workers::Workers;

/// Makes the taps of each connection: one that records it, and one that parses it.
pub(crate) struct ProxyTaps {
    protocol: Arc<Protocol>,
    shared: Arc<Shared>,
    /// The threads that run the handlers of a protocol that is not built in.
    workers: Option<Arc<Workers>>,
    recording: Option<RecordingQueue>,
    /// One of so many connections is parsed and recorded.
    sample: u64,
}

impl ProxyTaps {
    pub(crate) fn new(
        protocol: Arc<Protocol>,
        shared: Arc<Shared>,
        workers: Option<Arc<Workers>>,
        recording: Option<RecordingQueue>,
        sample: NonZeroU64,
    ) -> Self {
        // Built-in protocols are parsed in place.
        let workers = workers.filter(|_| !protocol.is_builtin());
        Self { protocol, shared, workers, recording, sample: sample.get() }
    }

    /// Returns whether a connection is parsed and recorded.
    fn is_sampled(&self, connection: &Connection) -> bool {
        connection.number.saturating_sub(1).is_multiple_of(self.sample)
    }

    fn make(&self, listener: Option<SocketAddr>, closer: Option<Closer>) -> Vec<Box<dyn Tap + Send>> {
        let mut taps: Vec<Box<dyn Tap + Send>> = Vec::with_capacity(2);
        taps.extend(self.recording.as_ref().map(|recording| recording.tap(listener)));
        taps.push(match &self.workers {
            Some(workers) => workers.tap(Arc::clone(&self.protocol)),
            None => Box::new(InlineTap::new(Arc::clone(&self.protocol), Arc::clone(&self.shared), closer)),
        });
        taps
    }
}

impl Taps for ProxyTaps {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        self.make(None, None)
    }

    fn taps_on(&self, connection: &Connection, opening: &Opening) -> Vec<Box<dyn Tap + Send>> {
        if !self.is_sampled(connection) {
            return Vec::new();
        }
        let mut taps = self.make(Some(opening.listener), opening.closer.clone());
        if opening.tls.iter().any(Option::is_some) {
            taps.push(Box::new(TlsTap { shared: Arc::clone(&self.shared), tls: opening.tls.clone() }));
        }
        taps
    }

    fn secured(&self, time: Time, connection: &Connection, tls: &[Option<TlsParameters>; 2]) {
        if self.is_sampled(connection) {
            write_tls(&self.shared, connection, time, tls);
        }
    }

    fn error(&self, time: Time, connection: Option<&Connection>, error: &NetError) {
        let unopened = match error {
            NetError::Connect { client, address, .. } => {
                self.shared.count_unconnected();
                Some((*client, *address))
            }
            NetError::TlsHandshake { client, server, .. } => {
                self.shared.count_handshake_failure();
                Some((*client, *server))
            }
            _ => None,
        };
        if let (Some((client, server)), None) = (unopened, connection) {
            // It was not opened, so it has no number.
            let unopened = Connection { number: UNNUMBERED, client, server };
            self.shared.journal.error(time, Some(&unopened), &error.to_string());
            return self.shared.notices.limited(error);
        }
        if let (Some(connection), NetError::Idle(_) | NetError::Stopped | NetError::ClosedByTap(_)) =
            (connection, error)
        {
            self.shared.journal.end_by_proxy(connection.number);
        }
        match (&self.workers, connection) {
            (Some(workers), Some(connection)) => workers.report(connection, time, error.to_string()),
            _ => self.shared.journal.error(time, connection, &error.to_string()),
        }
        match connection {
            None => self.shared.notices.limited(error),
            Some(Connection { number, .. }) => {
                self.shared.notices.limited(&format_args!("connection #{number}: {error}"));
            }
        }
    }
}
