//! The records and counts of one connection.
//!
//! [`Watched`] turns events and the messages of a session into records, and counts them. Here its
//! session is a [`Replayed`] one: the real session has run before, without a lock, and its messages
//! are replayed. Once the real session has failed, the rest of each side is one message of kind
//! `unparsed`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enjamb::{Connection, Ending, Event, Message, Outcome, Session, Side, Span, Time};
use enjamb_monitor::{Output, Record, Watched};

use crate::handler::{Handler, HandlerError};
use crate::journal::Journal;
use crate::messages::MessageBuffer;

/// The answer of a handler to one event.
#[derive(Default)]
struct Answer {
    messages: MessageBuffer,
    /// The name of the protocol, if it is new.
    protocol: Option<String>,
    /// The reason why the handler has stopped parsing.
    failure: Option<&'static str>,
}

/// The records and counts of one connection, from its opening to its end.
pub(crate) struct Account {
    connection: Connection,
    /// The watched connection. `None` after the end.
    watched: Option<Watched>,
    answer: Arc<Mutex<Answer>>,
    /// The name of the protocol as it was last known.
    protocol: String,
    closed: [bool; 2],
}

impl Account {
    /// Counts a connection and writes the record of its opening.
    pub(crate) fn open(connection: &Connection, protocol: &str, time: Time, journal: &Journal) -> Self {
        let answer = Arc::new(Mutex::new(Answer::default()));
        let session = Replayed {
            answer: Arc::clone(&answer),
            protocol: protocol.to_owned(),
            sides: Default::default(),
            failure: None,
        };
        let watched = journal.write(connection, time, |statistics, out| {
            Watched::open(connection, Box::new(session), time, statistics, out).reporting_progress()
        });
        Self {
            connection: *connection,
            watched: Some(watched),
            answer,
            protocol: protocol.to_owned(),
            closed: [false; 2],
        }
    }

    /// Returns the connection.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the sides whose streams have not ended.
    pub(crate) fn open_sides(&self) -> impl Iterator<Item = Side> + use<> {
        let closed = self.closed;
        Side::BOTH.into_iter().filter(move |side| !closed[side.index()])
    }

    /// Counts an event with the messages that the handler emitted, and writes their records.
    pub(crate) fn record(
        &mut self,
        time: Time,
        event: Event<'_>,
        handler: Option<&Handler>,
        messages: &mut MessageBuffer,
        journal: &Journal,
    ) {
        {
            let mut answer = lock(&self.answer);
            std::mem::swap(&mut answer.messages, messages);
            if let Some(handler) = handler.filter(|handler| handler.protocol() != self.protocol) {
                handler.protocol().clone_into(&mut self.protocol);
                answer.protocol = Some(self.protocol.clone());
            }
        }
        self.write(time, event, journal);
        std::mem::swap(&mut lock(&self.answer).messages, messages);
        messages.clear();
    }

    /// Counts an event that no handler parses, and writes its records.
    pub(crate) fn record_unparsed(&mut self, time: Time, event: Event<'_>, journal: &Journal) {
        self.write(time, event, journal);
    }

    fn write(&mut self, time: Time, event: Event<'_>, journal: &Journal) {
        if let Event::Close { side, .. } = event {
            self.closed[side.index()] = true;
        }
        if let Some(watched) = &mut self.watched {
            if event == Event::Done && journal.was_ended_by_proxy(self.connection.number) {
                watched.end_by_proxy();
            }
            journal.write(&self.connection, time, |statistics, out| watched.event(time, event, statistics, out));
        }
        if event == Event::Done {
            self.watched = None;
        }
    }

    /// Notes that no later event is parsed. The record of the error is written
    /// [separately](Self::report).
    pub(crate) fn fail(&mut self, error: &HandlerError) {
        lock(&self.answer).failure = Some(error.phrase());
    }

    /// Writes an error record.
    pub(crate) fn report(&self, time: Time, reason: &str, journal: &Journal) {
        let record = Record::Error { connection: Some(&self.connection), time, reason };
        journal.write(&self.connection, time, |_, out: &mut dyn Output| out.record(&record));
    }
}

/// The session of [`Watched`]: it emits the messages that the handler has emitted before.
struct Replayed {
    answer: Arc<Mutex<Answer>>,
    protocol: String,
    sides: [Stream; 2],
    failure: Option<&'static str>,
}

/// The progress in the stream of a side.
#[derive(Clone, Copy, Default)]
struct Stream {
    /// The end of the last message.
    claimed: u64,
    /// The end of the bytes, gaps included.
    fed: u64,
}

fn lock(answer: &Mutex<Answer>) -> MutexGuard<'_, Answer> {
    // Nothing panics while it holds the lock.
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replayed {
    fn emit(&mut self, out: &mut dyn FnMut(&Message<'_>)) {
        let mut answer = lock(&self.answer);
        if let Some(protocol) = answer.protocol.take() {
            self.protocol = protocol;
        }
        self.failure = answer.failure;
        let sides = &mut self.sides;
        answer.messages.replay(&mut |message| {
            sides[message.side.index()].claimed = message.span.end();
            out(message);
        });
    }

    /// Emits the bytes that no handler has parsed.
    fn emit_rest(&mut self, side: Side, out: &mut dyn FnMut(&Message<'_>)) {
        let stream = &mut self.sides[side.index()];
        let span = Span::between(stream.claimed, stream.fed);
        if self.failure.is_none() || span.length == 0 {
            return;
        }
        stream.claimed = span.end();
        out(&Message {
            outcome: Outcome::Incomplete,
            reason: self.failure,
            summary: &"not parsed",
            ..Message::new(&self.protocol, side, "unparsed", span)
        });
    }
}

impl Session for Replayed {
    fn protocol(&self) -> &str {
        &self.protocol
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let fed = &mut self.sides[side.index()].fed;
        *fed = fed.saturating_add(chunk.len() as u64);
        self.emit(out);
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.emit(out);
        self.emit_rest(side, out);
        let stream = &mut self.sides[side.index()];
        stream.fed = stream.fed.saturating_add(missing);
        if self.failure.is_some() {
            stream.claimed = stream.fed;
        }
    }

    fn close(&mut self, side: Side, _: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.emit(out);
        self.emit_rest(side, out);
    }

    fn held(&self) -> usize {
        0
    }
}
