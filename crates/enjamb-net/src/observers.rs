//! The taps of one connection, kept from doing it harm.
//!
//! A tap parses what strangers send, often with code that somebody is just debugging. One that panics is dropped and reported, and
//! the others go on. However the connection's task ends, finished or dropped with its runtime, every tap that
//! is left is told [`done`](Tap::done), once.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::clock::Clock;
use crate::taps::{Taps, Trouble};

/// Opens the observers of one connection after another.
pub(crate) struct Observatory {
    taps: Arc<dyn Taps>,
    /// How many were opened, and when the last one was. Held while a connection is opened, so that numbers, times and
    /// what the taps are told are all in one order.
    opened: Mutex<(u64, Clock)>,
    panics: AtomicU64,
}

impl Observatory {
    pub(crate) fn new(taps: Arc<dyn Taps>) -> Self {
        Self { taps, opened: Mutex::default(), panics: AtomicU64::new(0) }
    }

    /// How many connections were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How many taps panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Trouble that is not of an open connection.
    pub(crate) fn trouble(&self, trouble: &Trouble) {
        self.report(Clock::default().now(), None, trouble);
    }

    fn report(&self, time: Time, connection: Option<&Connection>, trouble: &Trouble) {
        // What cannot be reported is at least counted.
        let _ = guarded(|| self.taps.trouble(time, connection, trouble));
    }
}

/// What is told of one connection.
pub(crate) struct Observers {
    observatory: Arc<Observatory>,
    connection: Connection,
    clock: Clock,
    taps: Vec<Box<dyn Tap + Send>>,
    closed: [bool; 2],
}

impl Observers {
    /// Numbers the connection, and tells its taps that it is open.
    pub(crate) fn open(
        observatory: &Arc<Observatory>,
        client: std::net::SocketAddr,
        server: std::net::SocketAddr,
    ) -> Self {
        let mut opened = observatory.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.0 += 1;
        let time = opened.1.now();
        let connection = Connection { number: opened.0, client, server };
        let mut observers = Self {
            observatory: Arc::clone(observatory),
            connection,
            clock: Clock::from(time),
            taps: Vec::new(),
            closed: [false; 2],
        };
        match guarded(|| observatory.taps.taps(&connection)) {
            Ok(taps) => observers.taps = taps,
            Err(panic) => observers.panicked(time, panic),
        }
        observers.tell(time, |tap, connection| tap.event(connection, time, Event::Open));
        observers
    }

    /// The time of what happens now.
    pub(crate) fn now(&mut self) -> Time {
        self.clock.now()
    }

    pub(crate) fn chunk(&mut self, time: Time, side: Side, bytes: &[u8]) {
        self.tell(time, |tap, connection| tap.event(connection, time, Event::Chunk { side, bytes }));
    }

    /// The end of a side's stream, once: what is said of a side that has ended is not told.
    pub(crate) fn close(&mut self, time: Time, side: Side, ending: Ending) {
        if !std::mem::replace(&mut self.closed[side.index()], true) {
            self.tell(time, |tap, connection| tap.event(connection, time, Event::Close { side, ending }));
        }
    }

    pub(crate) fn trouble(&mut self, trouble: &Trouble) {
        let time = self.clock.now();
        self.observatory.report(time, Some(&self.connection), trouble);
    }

    fn tell(&mut self, time: Time, mut what: impl FnMut(&mut dyn Tap, &Connection)) {
        let mut at = 0;
        while let Some(tap) = self.taps.get_mut(at) {
            let Err(panic) = guarded(|| what(tap.as_mut(), &self.connection)) else {
                at += 1;
                continue;
            };
            let broken = self.taps.remove(at);
            let _ = guarded(|| drop(broken));
            self.panicked(time, panic);
        }
    }

    fn panicked(&mut self, time: Time, panic: String) {
        self.observatory.panics.fetch_add(1, Ordering::Relaxed);
        self.observatory.report(time, Some(&self.connection), &Trouble::Panicked(panic));
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        // Of a connection that ended by itself, the end is when its second side did.
        let time = if self.closed == [true; 2] { self.clock.last() } else { self.clock.now() };
        self.tell(time, |tap, connection| tap.event(connection, time, Event::Done));
        for tap in self.taps.drain(..) {
            let _ = guarded(|| drop(tap));
        }
    }
}

/// Does `what`, and gives the message of its panic as an error. Whatever panicked is not used again, so that it does not matter
/// what state it is in.
fn guarded<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}
