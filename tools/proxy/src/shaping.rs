//! The faults of one route, as its relay applies them.

use std::sync::Arc;
use std::task::Waker;

use enjamb::{Connection, Ending, Message, Session, Side, Time};
use enjamb_faults::{ConnectionFaults, Delivery, MessageTest, Plan};
use enjamb_isolate::catch_panic;
use enjamb_monitor::{Filter, Record};
use enjamb_net::relay::{Shaped, Shaper, Shapers};
use enjamb_protocols::Protocol;

use crate::recording::RecordingQueue;
use crate::shared::Shared;

/// Makes the shapers of the connections of a route.
pub(crate) struct FaultShapers {
    pub(crate) plan: Arc<Plan>,
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) recording: Option<RecordingQueue>,
}

impl Shapers for FaultShapers {
    fn shaper(&self, connection: &Connection, time: Time) -> Option<Box<dyn Shaper>> {
        let session = Box::new(Guarded::open(&self.protocol, connection.server.port()));
        Some(Box::new(FaultShaper {
            faults: ConnectionFaults::new(Arc::clone(&self.plan), *connection, session, time),
            connection: *connection,
            shared: Arc::clone(&self.shared),
            recording: self.recording.clone(),
        }))
    }
}

/// Compiles a filter expression into a test of messages.
pub(crate) fn compile(protocols: &enjamb_protocols::Registry, text: &str) -> Result<MessageTest, String> {
    let sets: Vec<_> = protocols.attributes();
    let filter = Filter::parse_with(text, &sets).map_err(|error| error.to_string())?;
    Ok(Arc::new(move |connection, message| {
        let (time, cuts) = (Time::default(), 0);
        filter.matches(&Record::Message { connection, time, message, latency_us: None, cuts, payload: None })
    }))
}

/// Applies the faults of one connection, and writes what it applies to the log and the recording.
struct FaultShaper {
    faults: ConnectionFaults,
    connection: Connection,
    shared: Arc<Shared>,
    recording: Option<RecordingQueue>,
}

impl Shaper for FaultShaper {
    fn feed(&mut self, time: Time, side: Side, bytes: &[u8]) {
        self.faults.feed(time, side, bytes);
    }

    fn end(&mut self, time: Time, side: Side) {
        self.faults.end(time, side);
    }

    fn next(&mut self, time: Time, side: Side) -> Shaped {
        let delivery = self.faults.next(time, side);
        for note in self.faults.take_notes() {
            self.shared.count_fault();
            self.shared.journal.fault(time, &self.connection, &note);
            if let Some(recording) = &self.recording {
                recording.comment(self.connection.number, format!("fault {}: {}", note.fault, note.text));
            }
        }
        match delivery {
            Delivery::Bytes(bytes) => Shaped::Bytes(bytes),
            Delivery::End => Shaped::End,
            Delivery::Close => {
                self.shared.journal.end_by_proxy(self.connection.number);
                Shaped::Close
            }
            Delivery::Reset => {
                self.shared.journal.end_by_proxy(self.connection.number);
                Shaped::Reset
            }
            Delivery::Wait(until) => Shaped::Wait(until),
        }
    }

    fn has_room(&self, side: Side) -> bool {
        self.faults.has_room(side)
    }

    fn held(&self, side: Side) -> usize {
        self.faults.held(side)
    }

    fn watch(&mut self, waker: &Waker) -> bool {
        self.faults.watch(waker)
    }
}

/// A session that stops when it panics: no message has an end then, and bytes pass unchanged.
struct Guarded {
    /// `None`: it has panicked.
    session: Option<Box<dyn Session>>,
}

impl Guarded {
    fn open(protocol: &Protocol, port: u16) -> Self {
        let opened = catch_panic(std::panic::AssertUnwindSafe(|| {
            let mut session = protocol.session(Some(port));
            // Expressions may name attributes.
            session.keep_attributes();
            session
        }));
        Self { session: opened.map_err(std::mem::forget).ok() }
    }

    fn call(&mut self, act: impl FnOnce(&mut dyn Session)) {
        let Some(session) = &mut self.session else { return };
        let result = catch_panic(std::panic::AssertUnwindSafe(|| act(&mut **session)));
        if let Err(panic) = result {
            // The destructors of the payload and of the session are foreign code too.
            std::mem::forget(panic);
            std::mem::forget(self.session.take());
        }
    }
}

impl Session for Guarded {
    fn protocol(&self) -> &str {
        ""
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.call(|session| session.feed(side, chunk, out));
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.call(|session| session.gap(side, missing, out));
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.call(|session| session.close(side, ending, out));
    }

    fn held(&self) -> usize {
        0
    }
}
