//! The faults of one connection.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use enjamb::{Connection, Ending, Message, Session, Side, Time};

use crate::chain::Chain;
use crate::delivery::Delivery;
use crate::item::{Item, MessageMark, Note, Piece};
use crate::plan::Plan;
use crate::stage::after;

/// The number of bytes that one side may have on their way before no more are taken from it.
pub const HELD_MAX: usize = 1 << 20;

/// The number of bytes of one message that are held back until it is whole. The bytes of a longer
/// message are delivered as they come, and no fault that concerns messages applies to it.
pub const MESSAGE_MAX: usize = 1 << 20;

/// The time for which bytes of a message are held back until it is whole.
pub const MESSAGE_TIME: Duration = Duration::from_secs(2);

/// Applies the faults of a [`Plan`] to one connection.
///
/// Bytes that a side sends are [fed](Self::feed), and those that the other side shall receive are
/// taken from [`next`](Self::next). The times that are passed never decrease.
pub struct ConnectionFaults {
    plan: Arc<Plan>,
    /// The version of the plan that the chains have.
    version: u64,
    is_watched: bool,
    connection: Connection,
    /// It parses both sides from the beginning, since a fault that must know where messages end may
    /// be added at any time.
    session: Box<dyn Session>,
    streams: [Stream; 2],
    chains: [Chain; 2],
    notes: Vec<Note>,
}

/// A side's stream before the faults.
#[derive(Default)]
struct Stream {
    /// Bytes whose message is not whole yet.
    pending: BytesMut,
    /// The number of bytes before those.
    start: u64,
    /// The number of messages.
    messages: u64,
    /// The time since which the pending bytes have been held back.
    since: Option<Time>,
    /// Whether a part of the current message has passed already.
    is_passing: bool,
}

/// A message that the session has emitted.
struct Emitted {
    side: Side,
    end: u64,
    kind: String,
    selected: Vec<u64>,
}

impl ConnectionFaults {
    /// Creates the faults of a connection that begins now. `session` parses both sides, so that
    /// faults know where messages end.
    #[must_use]
    pub fn new(plan: Arc<Plan>, connection: Connection, session: Box<dyn Session>, now: Time) -> Self {
        let mut faults = Self {
            plan,
            version: 0,
            is_watched: false,
            connection,
            session,
            streams: Default::default(),
            chains: Side::BOTH.map(Chain::new),
            notes: Vec::new(),
        };
        faults.update(now);
        faults
    }

    /// Takes bytes that a side has sent.
    pub fn feed(&mut self, now: Time, side: Side, bytes: &[u8]) {
        self.update(now);
        self.streams[side.index()].pending.extend_from_slice(bytes);
        self.parse(now, |session, out| session.feed(side, bytes, out));
        self.pass_unframed(now, side);
    }

    /// Takes the end of a side's stream.
    pub fn end(&mut self, now: Time, side: Side) {
        self.update(now);
        self.parse(now, |session, out| session.close(side, Ending::Closed, out));
        self.pass_pending(now, side);
        self.chains[side.index()].take(now, Item::End);
    }

    /// Returns the next thing to deliver of what a side sent.
    pub fn next(&mut self, now: Time, side: Side) -> Delivery {
        self.update(now);
        self.pass_unframed(now, side);
        let delivery = self.chains[side.index()].next(now, &mut self.notes);
        let Delivery::Wait(due) = delivery else { return delivery };
        let unframed = self.streams[side.index()].since.map(|since| after(since, MESSAGE_TIME));
        Delivery::Wait([due, unframed].into_iter().flatten().min())
    }

    /// Returns the faults that were applied since the last call, in order. Each stands before what
    /// was last returned by [`next`](Self::next).
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Returns whether more bytes of a side can be taken.
    #[must_use]
    pub fn has_room(&self, side: Side) -> bool {
        self.held(side) < HELD_MAX
    }

    /// Returns the number of bytes of a side that were taken and not delivered.
    #[must_use]
    pub fn held(&self, side: Side) -> usize {
        self.streams[side.index()].pending.len() + self.chains[side.index()].held()
    }

    /// Wakes a task when the plan changes. Returns whether it has changed already.
    pub fn watch(&mut self, waker: &Waker) -> bool {
        if self.is_watched && self.version == self.plan.version() {
            return false;
        }
        self.is_watched = true;
        self.plan.watch(self.connection.number, self.version, waker)
    }

    /// Takes over a plan that has changed.
    fn update(&mut self, now: Time) {
        if self.version == self.plan.version() {
            return;
        }
        self.is_watched = false;
        // Read first: a change that comes in between is seen the next time.
        self.version = self.plan.version();
        let faults = self.plan.planned();
        for side in Side::BOTH {
            self.chains[side.index()].update(&self.plan, &faults, &self.connection, now);
        }
    }

    /// Lets the session parse something, and passes on the messages that are whole.
    fn parse(&mut self, now: Time, act: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>))) {
        let (chains, connection) = (&mut self.chains, &self.connection);
        let mut emitted = Vec::new();
        act(&mut *self.session, &mut |message| {
            let chain = &mut chains[message.side.index()];
            let (needs_messages, end) = (chain.needs_messages(), message.span.end());
            emitted.push(Emitted {
                side: message.side,
                end,
                kind: if needs_messages { message.kind.to_owned() } else { String::new() },
                selected: if needs_messages { chain.select(connection, message) } else { Vec::new() },
            });
        });
        for message in emitted {
            self.pass_message(now, message);
        }
    }

    fn pass_message(&mut self, now: Time, message: Emitted) {
        let Emitted { side, end, kind, selected } = message;
        let stream = &mut self.streams[side.index()];
        stream.messages += 1;
        let was_passing = std::mem::replace(&mut stream.is_passing, false);
        let length = usize::try_from(end.saturating_sub(stream.start)).unwrap_or(usize::MAX).min(stream.pending.len());
        stream.since = None;
        if length == 0 {
            return;
        }
        let bytes = stream.pending.split_to(length).freeze();
        stream.start += length as u64;
        if !stream.pending.is_empty() {
            stream.since = Some(now);
        }
        let mark = MessageMark { number: stream.messages, kind, selected };
        let message = (!was_passing).then_some(mark);
        self.chains[side.index()].take(now, Item::Bytes(Piece { bytes, message, is_cut: false }));
    }

    /// Passes on bytes that must not wait for the end of their message.
    fn pass_unframed(&mut self, now: Time, side: Side) {
        let stream = &mut self.streams[side.index()];
        if stream.pending.is_empty() {
            return;
        }
        let since = *stream.since.get_or_insert(now);
        let waits = self.chains[side.index()].needs_messages();
        if waits && !stream.is_passing && stream.pending.len() <= MESSAGE_MAX && now < after(since, MESSAGE_TIME) {
            return;
        }
        stream.is_passing = true;
        self.pass_pending(now, side);
    }

    fn pass_pending(&mut self, now: Time, side: Side) {
        let stream = &mut self.streams[side.index()];
        stream.since = None;
        if stream.pending.is_empty() {
            return;
        }
        let bytes = stream.pending.split().freeze();
        stream.start += bytes.len() as u64;
        self.chains[side.index()].take(now, Item::Bytes(Piece::plain(bytes)));
    }
}

impl Drop for ConnectionFaults {
    fn drop(&mut self) {
        self.plan.unwatch(self.connection.number);
    }
}
