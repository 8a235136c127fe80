//! Stages that end the connection, or delay its end.

use std::time::Duration;

use enjamb::Time;
use enjamb::units::format_duration;

use crate::item::{Item, Piece};
use crate::stage::{Output, Stage, TimedQueue, after};

/// Delays the end of the stream.
pub(super) struct SlowClose {
    delay: Duration,
    queue: TimedQueue,
}

impl SlowClose {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, queue: TimedQueue::default() }
    }
}

impl Stage for SlowClose {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        if matches!(item, Item::End) {
            out.note(format!("the end of the stream is {} late", format_duration(self.delay)));
            self.queue.push(after(now, self.delay), item);
        } else {
            out.push(item);
        }
    }

    fn queue(&self) -> Option<&TimedQueue> {
        Some(&self.queue)
    }

    fn queue_mut(&mut self) -> Option<&mut TimedQueue> {
        Some(&mut self.queue)
    }
}

/// Drops everything, and closes the connection after a time without a byte.
pub(super) struct Timeout {
    /// Zero: never.
    timeout: Duration,
    due: Option<Time>,
    dropped: u64,
    is_noted: bool,
    is_closed: bool,
}

impl Timeout {
    pub(super) fn new(timeout: Duration, now: Time) -> Self {
        let due = (!timeout.is_zero()).then(|| after(now, timeout));
        Self { timeout, due, dropped: 0, is_noted: false, is_closed: false }
    }

    fn close(&mut self, out: &mut Output) {
        if !std::mem::replace(&mut self.is_closed, true) {
            out.note(format!("the connection is closed; {} bytes were dropped", self.dropped));
            out.push(Item::Close);
        }
    }
}

impl Stage for Timeout {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        match item {
            Item::Bytes(piece) => {
                if !std::mem::replace(&mut self.is_noted, true) {
                    out.note("everything from here on is dropped".to_owned());
                }
                self.dropped += piece.bytes.len() as u64;
                if !self.timeout.is_zero() {
                    self.due = Some(after(now, self.timeout));
                }
            }
            // The end is dropped, too.
            Item::End => {}
            Item::Note(_) | Item::Close | Item::Reset => out.push(item),
        }
    }

    fn wake(&mut self, now: Time, out: &mut Output) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.close(out);
        }
    }

    fn due(&self) -> Option<Time> {
        self.due
    }

    fn release(&mut self, out: &mut Output) {
        // Bytes are missing, so the rest of the stream is worth nothing.
        if self.dropped > 0 {
            self.close(out);
        }
    }
}

/// Drops everything, and resets the connection after the first bytes.
pub(super) struct ResetPeer {
    timeout: Duration,
    due: Option<Time>,
    is_reset: bool,
}

impl ResetPeer {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, due: None, is_reset: false }
    }

    fn reset(&mut self, out: &mut Output) {
        if !std::mem::replace(&mut self.is_reset, true) {
            out.note("the connection is reset".to_owned());
            out.push(Item::Reset);
        }
    }
}

impl Stage for ResetPeer {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        match item {
            Item::Bytes(_) | Item::End => {
                if self.timeout.is_zero() {
                    self.reset(out);
                } else {
                    self.due.get_or_insert(after(now, self.timeout));
                }
            }
            Item::Note(_) | Item::Close | Item::Reset => out.push(item),
        }
    }

    fn wake(&mut self, now: Time, out: &mut Output) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.reset(out);
        }
    }

    fn due(&self) -> Option<Time> {
        self.due
    }

    fn release(&mut self, out: &mut Output) {
        // Bytes are missing.
        if self.due.take().is_some() {
            self.reset(out);
        }
    }
}

/// Closes the connection after a number of bytes.
pub(super) struct LimitData {
    rest: u64,
    limit: u64,
    is_closed: bool,
}

impl LimitData {
    pub(super) fn new(limit: u64) -> Self {
        Self { rest: limit, limit, is_closed: false }
    }
}

impl Stage for LimitData {
    fn take(&mut self, _: Time, item: Item, out: &mut Output) {
        let Item::Bytes(mut piece) = item else {
            return out.push(item);
        };
        if self.is_closed {
            return;
        }
        if (piece.bytes.len() as u64) < self.rest {
            self.rest -= piece.bytes.len() as u64;
            return out.push(Item::Bytes(piece));
        }
        let taken = piece.bytes.split_to(self.rest as usize);
        let message = if piece.bytes.is_empty() { piece.message } else { None };
        self.rest = 0;
        self.is_closed = true;
        if !taken.is_empty() {
            out.push(Item::Bytes(Piece { bytes: taken, message, is_cut: piece.is_cut }));
        }
        out.note(format!("the connection is closed after {} bytes", self.limit));
        out.push(Item::Close);
    }
}
