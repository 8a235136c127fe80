//! A queue of events, bounded by their number and by their bytes.
//!
//! A chunk that does not fit is dropped. A gap of its size takes its place, before the next event
//! of its side. So the reader of the queue sees the place and the size of every loss.

use enjamb::{Batch, Connection, Event, Side, Tap, Time};

/// The limits of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    /// The number of events up to which chunks are taken.
    pub(crate) events_max: usize,
    /// The number of events up to which openings and ends are taken. They are small, and without
    /// one of them a whole connection or the end of a stream would be lost.
    pub(crate) ends_max: usize,
    /// The maximum number of bytes in all chunks.
    pub(crate) bytes_max: usize,
}

/// The bytes of each side that were dropped, and for which no gap has been queued yet.
pub(crate) type Missing = [u64; 2];

/// Events that wait.
#[derive(Debug)]
pub(crate) struct EventQueue {
    /// The events, oldest first.
    pub(crate) waiting: Batch,
    limits: QueueLimits,
}

impl EventQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { waiting: Batch::default(), limits }
    }

    /// Queues an event. Returns whether there was room for it; `missing` are the gaps of its
    /// connection.
    #[must_use]
    pub(crate) fn push(
        &mut self,
        connection: &Connection,
        time: Time,
        event: Event<'_>,
        missing: &mut Missing,
    ) -> bool {
        let fits = match event {
            Event::Chunk { bytes, .. } => {
                self.waiting.len() < self.limits.events_max
                    && self.waiting.payload_len() + bytes.len() <= self.limits.bytes_max
            }
            Event::Gap { .. } => false,
            Event::Open | Event::Close { .. } | Event::Done => self.waiting.len() < self.limits.ends_max,
        };
        if !fits {
            miss(event, missing);
            return false;
        }
        for side in Side::BOTH {
            // An end of the connection ends both sides.
            if event.side().is_none_or(|of| of == side) {
                match std::mem::take(&mut missing[side.index()]) {
                    0 => {}
                    missing => self.waiting.event(connection, time, Event::Gap { side, missing }),
                }
            }
        }
        self.waiting.event(connection, time, event);
        true
    }
}

/// Notes the bytes of an event that is dropped.
pub(crate) fn miss(event: Event<'_>, missing: &mut Missing) {
    let more = match event {
        Event::Chunk { bytes, .. } => bytes.len() as u64,
        Event::Gap { missing, .. } => missing,
        Event::Open | Event::Close { .. } | Event::Done => 0,
    };
    if let Some(side) = event.side() {
        missing[side.index()] = missing[side.index()].saturating_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_chunk_is_a_gap_before_the_next_event_of_its_side() {
        let limits = QueueLimits { events_max: 3, ends_max: 8, bytes_max: 10 };
        let end = ([127, 0, 0, 1], 7).into();
        let connection = Connection { number: 1, client: end, server: end };
        let mut queue = EventQueue::new(limits);
        let mut missing = Missing::default();
        let mut push = |event| queue.push(&connection, Time::default(), event, &mut missing);
        let chunk = |side, bytes| Event::Chunk { side, bytes };
        assert!(push(Event::Open));
        assert!(push(chunk(Side::Client, b"12345678")));
        assert!(!push(chunk(Side::Client, b"901")), "too many bytes");
        assert!(push(chunk(Side::Server, b"ab")));
        assert!(!push(chunk(Side::Server, b"")), "too many events");
        assert!(!push(chunk(Side::Client, b"2")));
        let closed = Event::Close { side: Side::Client, ending: enjamb::Ending::Closed };
        assert!(push(closed));
        let events: Vec<_> = queue.waiting.iter().map(|(_, _, event)| event).collect();
        let expected = [
            Event::Open,
            chunk(Side::Client, b"12345678"),
            chunk(Side::Server, b"ab"),
            Event::Gap { side: Side::Client, missing: 4 },
            closed,
        ];
        assert_eq!(events, expected);
    }
}
