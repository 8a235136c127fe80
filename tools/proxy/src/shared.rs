//! The state that all connections share: the journal, and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use enjamb::Connection;
use enjamb_protocols::Protocol;

use crate::handler::{Handler, HandlerError};
use crate::handler_report::HandlerCounts;
use crate::journal::Journal;
use crate::notices::Notices;

/// The number of bytes of all connections together that may wait for handlers on worker threads, or
/// be parsed by them.
const BYTES_IN_HANDLING_MAX: usize = 256 << 20;

/// The state that all connections share.
pub(crate) struct Shared {
    pub(crate) journal: Journal,
    pub(crate) counts: HandlerCounts,
    pub(crate) notices: Notices,
    bytes_in_handling: AtomicUsize,
    /// The number of clients for which the server could not be reached.
    unconnected: AtomicU64,
    /// The number of connections of which a TLS handshake failed.
    handshake_failures: AtomicU64,
    /// The number of times that a fault was applied.
    faults: AtomicU64,
}

impl Shared {
    pub(crate) fn new(journal: Journal, notices: Notices) -> Arc<Self> {
        let counts = HandlerCounts::default();
        Arc::new(Self {
            journal,
            counts,
            notices,
            bytes_in_handling: AtomicUsize::new(0),
            unconnected: AtomicU64::new(0),
            handshake_failures: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        })
    }

    /// Opens the session of a connection.
    pub(crate) fn open_handler(&self, protocol: &Protocol, connection: &Connection) -> Result<Handler, HandlerError> {
        Handler::open(protocol, connection.server.port(), self.journal.wants_summaries())
    }

    /// Counts a handler that failed, and writes a notice.
    pub(crate) fn failed(&self, connection: &Connection, error: &HandlerError) {
        self.counts.failed(error);
        // These two concern all connections, and are reported once for all of them.
        if !matches!(error, HandlerError::NotRun(_) | HandlerError::Unfinished) {
            self.notices.limited(&format_args!("connection #{}: {error}", connection.number));
        }
    }

    /// Counts a client for which the server could not be reached.
    pub(crate) fn count_unconnected(&self) {
        self.unconnected.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of clients for which the server could not be reached.
    pub(crate) fn unconnected(&self) -> u64 {
        self.unconnected.load(Ordering::Relaxed)
    }

    /// Counts a connection of which a TLS handshake failed.
    pub(crate) fn count_handshake_failure(&self) {
        self.handshake_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of connections of which a TLS handshake failed.
    pub(crate) fn handshake_failures(&self) -> u64 {
        self.handshake_failures.load(Ordering::Relaxed)
    }

    /// Counts a fault that was applied.
    pub(crate) fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of times that a fault was applied.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Reserves room for bytes that wait for a handler. Returns whether there was room.
    #[must_use]
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        let before = self.bytes_in_handling.fetch_add(bytes, Ordering::Relaxed);
        let fits = bytes == 0 || before + bytes <= BYTES_IN_HANDLING_MAX;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    /// Releases reserved room.
    pub(crate) fn release(&self, bytes: usize) {
        self.bytes_in_handling.fetch_sub(bytes, Ordering::Relaxed);
    }
}
