//! A store of events: the owned form of a tap's input.
//!
//! A batch holds the payload of all its events in one buffer, so that a batch that is used again
//! allocates nothing. The parallel replay hands batches to its workers; the recording fills one
//! while its thread writes another.

use alloc::vec::Vec;

use crate::session::Ending;
use crate::side::Side;
use crate::tap::{Connection, Event, Tap};
use crate::time::Time;

/// Events of any number of connections, in the order in which they came. It is a [`Tap`] that keeps
/// events, and plays them into another tap.
///
/// ```
/// use enjamb::transcript::Collector;
/// use enjamb::{Batch, Connection, Event, Side, Tap, Time};
///
/// let end = ([127, 0, 0, 1], 7).into();
/// let connection = Connection { number: 1, client: end, server: end };
/// let mut batch = Batch::default();
/// batch.event(&connection, Time::default(), Event::Open);
/// batch.event(&connection, Time::default(), Event::Chunk { side: Side::Client, bytes: b"hello" });
///
/// let mut collector = Collector::default();
/// batch.play(&mut collector);
/// assert_eq!(collector.finish().next().unwrap().1.payload_len(), 5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    /// The payload of all chunks, one after the other.
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    connection: Connection,
    time: Time,
    content: Content,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Open,
    /// A chunk of this side. Its bytes are the next ones of the payload, this many.
    Chunk(Side, usize),
    Gap(Side, u64),
    Close(Side, Ending),
    Done,
}

impl Batch {
    /// Returns the number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of payload bytes in all events.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Returns the events with their connections and times, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Connection, Time, Event<'_>)> {
        let mut payload = self.payload.as_slice();
        self.entries.iter().map(move |Entry { connection, time, content }| {
            let event = match *content {
                Content::Open => Event::Open,
                Content::Chunk(side, length) => {
                    let (bytes, rest) = payload.split_at(length);
                    payload = rest;
                    Event::Chunk { side, bytes }
                }
                Content::Gap(side, missing) => Event::Gap { side, missing },
                Content::Close(side, ending) => Event::Close { side, ending },
                Content::Done => Event::Done,
            };
            (connection, *time, event)
        })
    }

    /// Gives every event to `tap`, in order.
    pub fn play(&self, tap: &mut (impl Tap + ?Sized)) {
        self.iter().for_each(|(connection, time, event)| tap.event(connection, time, event));
    }

    /// Removes all events and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.payload.clear();
    }

    /// Releases memory, except for this many events and payload bytes.
    pub fn shrink_to(&mut self, events: usize, payload: usize) {
        self.entries.shrink_to(events);
        self.payload.shrink_to(payload);
    }
}

impl Tap for Batch {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let content = match event {
            Event::Open => Content::Open,
            Event::Chunk { side, bytes } => {
                self.payload.extend_from_slice(bytes);
                Content::Chunk(side, bytes.len())
            }
            Event::Gap { side, missing } => Content::Gap(side, missing),
            Event::Close { side, ending } => Content::Close(side, ending),
            Event::Done => Content::Done,
        };
        self.entries.push(Entry { connection: *connection, time, content });
    }
}
