//! Records of the TLS of a connection.

use std::sync::Arc;

use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_monitor::Record;
use enjamb_net::relay::TlsParameters;

use crate::shared::Shared;

/// Writes the records when the connection is opened: behind the tap that writes the opening.
pub(crate) struct TlsTap {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tls: [Option<TlsParameters>; 2],
}

impl Tap for TlsTap {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if event == Event::Open {
            write_tls(&self.shared, connection, time, &self.tls);
        }
    }
}

/// Writes a record for each side that has TLS.
pub(crate) fn write_tls(shared: &Shared, connection: &Connection, time: Time, tls: &[Option<TlsParameters>; 2]) {
    for side in Side::BOTH {
        let Some(tls) = &tls[side.index()] else { continue };
        let (server_name, alpn) = (tls.server_name.as_deref(), tls.alpn.as_deref());
        let record = Record::Secured { connection, time, side, version: tls.version, server_name, alpn };
        shared.journal.write(connection, time, |_, out| out.record(&record));
    }
}
