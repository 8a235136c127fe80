//! The taps of one connection, isolated so that they cannot harm it.
//!
//! A tap runs code that may be wrong, on bytes from unknown peers. One that panics is dropped and
//! reported, and the others continue. However the connection's task ends, finished or dropped with
//! its runtime, every remaining tap receives [`Event::Done`] once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::clock::Clock;
use crate::error::NetError;
use crate::guard::guarded;
use crate::scratch::LONGEST_READ;
use crate::taps::{Opening, Taps};
use crate::tls_parameters::TlsParameters;

/// Opens the observers of one connection after another.
pub(crate) struct Observatory {
    taps: Arc<dyn Taps>,
    numbering: Numbering,
    opened: AtomicU64,
    panics: AtomicU64,
}

/// The numbers of connections. Relays and servers that share one give no number twice.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// Held while a connection is opened, so that numbers, times and events are all in one order.
    opened: Arc<Mutex<Opened>>,
}

/// The number of connections that were opened, and the time of the last one.
#[derive(Debug, Default)]
struct Opened {
    count: u64,
    clock: Clock,
}

impl Observatory {
    pub(crate) fn new(taps: Arc<dyn Taps>) -> Self {
        Self::numbered(taps, Numbering::default())
    }

    pub(crate) fn numbered(taps: Arc<dyn Taps>, numbering: Numbering) -> Self {
        Self { taps, numbering, opened: AtomicU64::new(0), panics: AtomicU64::new(0) }
    }

    /// Returns the number of connections that were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Returns the number of taps that panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Reports an error that belongs to no open connection.
    pub(crate) fn error(&self, error: &NetError) {
        self.report(Clock::default().now(), None, error);
    }

    fn report(&self, time: Time, connection: Option<&Connection>, error: &NetError) {
        // A panic in this call cannot be reported to the same code again.
        let _ = guarded(|| self.taps.error(time, connection, error));
    }
}

/// The taps of one connection.
pub(crate) struct Observers {
    observatory: Arc<Observatory>,
    connection: Connection,
    clock: Clock,
    taps: Vec<Box<dyn Tap + Send>>,
    closed: [bool; 2],
}

impl Observers {
    /// Numbers the connection and opens its taps.
    pub(crate) fn open(
        observatory: &Arc<Observatory>,
        client: SocketAddr,
        server: SocketAddr,
        opening: &Opening,
    ) -> Self {
        observatory.opened.fetch_add(1, Ordering::Relaxed);
        let mut opened = observatory.numbering.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.count += 1;
        let time = opened.clock.now();
        let connection = Connection { number: opened.count, client, server };
        let mut observers = Self {
            observatory: Arc::clone(observatory),
            connection,
            clock: Clock::from(time),
            taps: Vec::new(),
            closed: [false; 2],
        };
        match guarded(|| observatory.taps.taps_on(&connection, opening)) {
            Ok(taps) => observers.taps = taps,
            Err(panic) => observers.report_panic(time, panic),
        }
        observers.send(time, Event::Open);
        observers
    }

    /// Returns the connection.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends bytes that passed now, if there is anybody to receive them.
    pub(crate) fn chunk_now(&mut self, side: Side, bytes: &[u8]) {
        if !self.taps.is_empty() {
            let time = self.clock.now();
            // A recording stores a chunk as one packet.
            bytes.chunks(LONGEST_READ).for_each(|bytes| self.chunk(time, side, bytes));
        }
    }

    /// Sends the end of a side's stream, which came now, once.
    pub(crate) fn close_now(&mut self, side: Side, ending: Ending) {
        let time = self.clock.now();
        self.close(time, side, ending);
    }

    /// Returns the time of the events that happen now.
    pub(crate) fn now(&mut self) -> Time {
        self.clock.now()
    }

    pub(crate) fn chunk(&mut self, time: Time, side: Side, bytes: &[u8]) {
        self.send(time, Event::Chunk { side, bytes });
    }

    /// Sends the end of a side's stream, once.
    pub(crate) fn close(&mut self, time: Time, side: Side, ending: Ending) {
        if !std::mem::replace(&mut self.closed[side.index()], true) {
            self.send(time, Event::Close { side, ending });
        }
    }

    /// Reports that the connection has changed to TLS.
    pub(crate) fn secured(&mut self, tls: &[Option<TlsParameters>; 2]) {
        let time = self.clock.now();
        let _ = guarded(|| self.observatory.taps.secured(time, &self.connection, tls));
    }

    /// Reports an error of this connection.
    pub(crate) fn error(&mut self, error: &NetError) {
        let time = self.clock.now();
        self.observatory.report(time, Some(&self.connection), error);
    }

    fn send(&mut self, time: Time, event: Event<'_>) {
        let mut at = 0;
        while let Some(tap) = self.taps.get_mut(at) {
            let Err(panic) = guarded(|| tap.event(&self.connection, time, event)) else {
                at += 1;
                continue;
            };
            let broken = self.taps.remove(at);
            let _ = guarded(|| drop(broken));
            self.report_panic(time, panic);
        }
    }

    fn report_panic(&mut self, time: Time, panic: String) {
        self.observatory.panics.fetch_add(1, Ordering::Relaxed);
        self.observatory.report(time, Some(&self.connection), &NetError::TapPanicked(panic));
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        // A connection that ended by itself was over when its second side ended.
        let time = if self.closed == [true; 2] { self.clock.last() } else { self.clock.now() };
        self.send(time, Event::Done);
        for tap in self.taps.drain(..) {
            let _ = guarded(|| drop(tap));
        }
    }
}
