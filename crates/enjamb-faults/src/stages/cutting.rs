//! Stages that change where the stream is cut: slicer, recut and coalesce.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use enjamb::Time;
use enjamb::units::format_duration;

use crate::effect::Cuts;
use crate::item::{Item, Piece};
use crate::stage::{Output, Stage, TimedQueue, after};

/// Cuts the stream into small segments, with a time between them.
pub(super) struct Slicer {
    average: u64,
    variation: u64,
    delay: Duration,
    random: fastrand::Rng,
    queue: TimedQueue,
    is_noted: bool,
}

impl Slicer {
    pub(super) fn new(average: u64, variation: u64, delay: Duration, random: fastrand::Rng) -> Self {
        Self { average, variation, delay, random, queue: TimedQueue::default(), is_noted: false }
    }

    fn size(&mut self) -> usize {
        let (least, most) = (self.average.saturating_sub(self.variation), self.average.saturating_add(self.variation));
        usize::try_from(self.random.u64(least..=most)).unwrap_or(usize::MAX).max(1)
    }
}

impl Stage for Slicer {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        let Item::Bytes(Piece { mut bytes, .. }) = item else {
            let due = self.queue.last(now);
            return if self.queue.is_empty() { out.push(item) } else { self.queue.push(due, item) };
        };
        if !std::mem::replace(&mut self.is_noted, true) {
            let delay = format_duration(self.delay);
            out.note(format!("from here on cut into segments of about {} bytes, {delay} apart", self.average));
        }
        while !bytes.is_empty() {
            let size = self.size().min(bytes.len());
            let piece = Item::Bytes(Piece::behind_cut(bytes.split_to(size)));
            if self.queue.is_empty() && self.delay.is_zero() {
                out.push(piece);
                continue;
            }
            let due = match self.queue.due() {
                // The first one waits for nothing but the one before it.
                None => now,
                Some(_) => after(self.queue.last(now), self.delay),
            };
            self.queue.push(due, piece);
        }
    }

    fn queue(&self) -> Option<&TimedQueue> {
        Some(&self.queue)
    }

    fn queue_mut(&mut self) -> Option<&mut TimedQueue> {
        Some(&mut self.queue)
    }
}

/// Cuts the stream, without a delay.
pub(super) struct Recut {
    cuts: Cuts,
    /// The largest segment of random cuts.
    size: u64,
    random: fastrand::Rng,
    is_noted: bool,
}

impl Recut {
    pub(super) fn new(cuts: Cuts, size: u64, random: fastrand::Rng) -> Self {
        Self { cuts, size, random, is_noted: false }
    }

    /// Passes on the bytes, cut behind the first `at` of them.
    fn cut(bytes: &mut Bytes, at: usize, out: &mut Output) {
        out.push(Item::Bytes(Piece::behind_cut(bytes.split_to(at.min(bytes.len())))));
    }
}

impl Stage for Recut {
    fn take(&mut self, _: Time, item: Item, out: &mut Output) {
        let Item::Bytes(Piece { mut bytes, message, .. }) = item else {
            return out.push(item);
        };
        if !std::mem::replace(&mut self.is_noted, true) {
            out.note(match self.cuts {
                Cuts::Bytes => "from here on cut behind every byte".to_owned(),
                Cuts::Edges => "from here on cut at the edges of messages".to_owned(),
                Cuts::Random => format!("from here on cut into segments of up to {} bytes", self.size),
            });
        }
        match self.cuts {
            Cuts::Bytes => {
                while !bytes.is_empty() {
                    Self::cut(&mut bytes, 1, out);
                }
            }
            Cuts::Random => {
                let most = usize::try_from(self.size).unwrap_or(usize::MAX).max(1);
                while !bytes.is_empty() {
                    let size = self.random.usize(1..=most);
                    Self::cut(&mut bytes, size, out);
                }
            }
            // Bytes that are no whole message have no edges that are known.
            Cuts::Edges if message.is_none() => out.push(Item::Bytes(Piece::plain(bytes))),
            Cuts::Edges => {
                Self::cut(&mut bytes, 1, out);
                if bytes.len() > 1 {
                    let body = bytes.len() - 1;
                    Self::cut(&mut bytes, body, out);
                }
                if !bytes.is_empty() {
                    Self::cut(&mut bytes, 1, out);
                }
            }
        }
    }
}

/// Holds bytes back, and passes them on together.
pub(super) struct Coalesce {
    time: Duration,
    bytes: usize,
    held: BytesMut,
    due: Option<Time>,
    is_noted: bool,
}

/// The most bytes that are passed on together: one write.
const TOGETHER_MAX: usize = 1 << 20;

impl Coalesce {
    pub(super) fn new(time: Duration, bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(TOGETHER_MAX).clamp(1, TOGETHER_MAX);
        Self { time, bytes, held: BytesMut::new(), due: None, is_noted: false }
    }
}

impl Stage for Coalesce {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        let Item::Bytes(Piece { bytes, .. }) = item else {
            // A note waits for nothing: it stands before the bytes that it is about.
            if !matches!(item, Item::Note(_)) {
                self.release(out);
            }
            return out.push(item);
        };
        if !std::mem::replace(&mut self.is_noted, true) {
            out.note(format!("bytes from here on are held together for up to {}", format_duration(self.time)));
        }
        self.held.extend_from_slice(&bytes);
        self.due.get_or_insert(after(now, self.time));
        while self.held.len() >= self.bytes {
            let together = self.held.split_to(self.bytes).freeze();
            out.push(Item::Bytes(Piece::behind_cut(together)));
            self.due = if self.held.is_empty() { None } else { Some(after(now, self.time)) };
        }
    }

    fn wake(&mut self, now: Time, out: &mut Output) {
        if self.due.is_some_and(|due| due <= now) {
            self.release(out);
        }
    }

    fn due(&self) -> Option<Time> {
        self.due
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn release(&mut self, out: &mut Output) {
        self.due = None;
        if !self.held.is_empty() {
            out.push(Item::Bytes(Piece::behind_cut(self.held.split().freeze())));
        }
    }
}
