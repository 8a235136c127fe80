//! Stages that deliver later: latency and bandwidth.

use std::time::Duration;

use enjamb::Time;
use enjamb::units::format_duration;

use crate::item::{Item, Piece};
use crate::stage::{Output, Stage, TimedQueue, after};

/// Delivers everything later.
pub(super) struct Latency {
    latency: Duration,
    jitter: Duration,
    random: fastrand::Rng,
    queue: TimedQueue,
    is_noted: bool,
}

impl Latency {
    pub(super) fn new(latency: Duration, jitter: Duration, random: fastrand::Rng) -> Self {
        Self { latency, jitter, random, queue: TimedQueue::default(), is_noted: false }
    }

    fn delay(&mut self) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
        let varied = if jitter == 0 { 0 } else { self.random.u64(0..=2 * jitter) };
        (self.latency + Duration::from_nanos(varied)).saturating_sub(Duration::from_nanos(jitter))
    }
}

impl Stage for Latency {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        let due = match &item {
            Item::Bytes(_) => after(now, self.delay()),
            // The end is late only because bytes before it are.
            _ => now,
        };
        if matches!(item, Item::Bytes(_)) && !std::mem::replace(&mut self.is_noted, true) {
            let jitter =
                if self.jitter.is_zero() { String::new() } else { format!(" ±{}", format_duration(self.jitter)) };
            out.note(format!("everything from here on is {}{jitter} late", format_duration(self.latency)));
        }
        if self.queue.is_empty() && due <= now {
            out.push(item);
        } else {
            self.queue.push(due, item);
        }
    }

    fn queue(&self) -> Option<&TimedQueue> {
        Some(&self.queue)
    }

    fn queue_mut(&mut self) -> Option<&mut TimedQueue> {
        Some(&mut self.queue)
    }
}

/// Limits the bandwidth: each piece takes the time that its bytes need at the rate.
pub(super) struct Bandwidth {
    /// Bytes a second. 0: no limit.
    rate: u64,
    queue: TimedQueue,
    /// The time at which the bytes so far have passed.
    free: Time,
    is_noted: bool,
}

/// The time in which a stream of limited bandwidth passes one portion.
const PORTION: Duration = Duration::from_millis(50);

impl Bandwidth {
    pub(super) fn new(rate: u64) -> Self {
        Self { rate, queue: TimedQueue::default(), free: Time::default(), is_noted: false }
    }

    fn portion(&self) -> usize {
        let bytes = u128::from(self.rate) * PORTION.as_millis() / 1000;
        usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Stage for Bandwidth {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        if self.rate == 0 {
            return out.push(item);
        }
        if matches!(item, Item::Bytes(_)) && !std::mem::replace(&mut self.is_noted, true) {
            out.note(format!("from here on at {} bytes a second", self.rate));
        }
        let Item::Bytes(piece) = item else {
            let due = self.queue.last(now);
            return if self.queue.is_empty() { out.push(item) } else { self.queue.push(due, item) };
        };
        let Piece { mut bytes, message, is_cut } = piece;
        let (portion, mut is_first) = (self.portion(), true);
        let is_whole = bytes.len() <= portion;
        while !bytes.is_empty() {
            let bytes = bytes.split_to(portion.min(bytes.len()));
            self.free = after(self.free.max(now), self.time_of(bytes.len()));
            // A message that is delivered in portions is no longer one piece.
            let message = if is_whole { message.clone() } else { None };
            let piece = Piece { bytes, message, is_cut: is_cut || !is_first };
            self.queue.push(self.free, Item::Bytes(piece));
            is_first = false;
        }
    }

    fn queue(&self) -> Option<&TimedQueue> {
        Some(&self.queue)
    }

    fn queue_mut(&mut self) -> Option<&mut TimedQueue> {
        Some(&mut self.queue)
    }
}
