//! The work of a round, on its way from the thread that reads to a worker and back.

use std::ops::Range;
use std::sync::Arc;

use enjamb::{Batch, Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{Segment, Shard, ShardLoad};
use enjamb_sources::SegmentSet;

use crate::records::piece::Piece;

/// A task of a worker.
pub(super) enum Task {
    /// Give events to their sessions. The answer is a [`PartOutput`].
    Events(EventPart),
    /// Begin a set of captures.
    BeginSet(Arc<SegmentSet>),
    /// Reassemble segments. The answer is a [`Reassembled`], and a [`PartOutput`] if no part waits
    /// for numbers.
    Segments(SegmentPart),
    /// Give the events of the oldest part that opened connections to their sessions, and those of
    /// later parts up to the next such one. These are the numbers of the connections. The answer is
    /// a [`PartOutput`] for each part.
    Numbers(Vec<u64>),
    /// Give the shard away. The answer is a [`Reassembled`].
    GiveShard,
}

/// A worker's part of a round of events.
#[derive(Default)]
pub(super) struct EventPart {
    pub(super) events: Batch,
    /// The step of each event.
    pub(super) steps: Vec<u64>,
    /// Memory for the records.
    pub(super) written: Piece,
}

/// A worker's part of a round of segments.
#[derive(Default)]
pub(super) struct SegmentPart {
    /// The times of all segments of the round, whichever worker they belong to.
    pub(super) times: Arc<Vec<Time>>,
    /// The step of the first segment. Each segment has two: one for what is due by its time, and
    /// one for itself.
    pub(super) first_step: u64,
    segments: Vec<StoredSegment>,
    payload: Vec<u8>,
    pub(super) end: PartEnd,
    /// Memory for the records.
    pub(super) written: Piece,
}

/// A tap whose events belong to steps.
pub(super) trait StepTap: Tap {
    /// Begins a step.
    fn begin(&mut self, step: u64);
}

/// The last step of a round of segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PartEnd {
    /// More segments follow.
    #[default]
    None,
    /// No segment follows for now.
    Pause,
    /// The set ends.
    Finish,
}

/// A segment of a part. Its payload is kept apart, together with that of the others.
struct StoredSegment {
    /// The place of the segment in its round.
    place: usize,
    segment: Segment<'static>,
    from: usize,
    length: usize,
}

impl SegmentPart {
    /// Completes the part with what all workers get.
    pub(super) fn of_round(self, times: Arc<Vec<Time>>, first_step: u64, end: PartEnd) -> Self {
        Self { times, first_step, end, ..self }
    }

    pub(super) fn push(&mut self, place: usize, segment: &Segment<'_>) {
        let (from, length) = (self.payload.len(), segment.payload.len());
        self.payload.extend_from_slice(segment.payload);
        self.segments.push(StoredSegment { place, segment: segment.with_payload(&[]), from, length });
    }

    /// Gives the segments to `shard`. Sets the step of `tap` before each call.
    pub(super) fn reassemble(&self, shard: &mut Shard, tap: &mut impl StepTap) {
        let mut next = 0;
        for StoredSegment { place, segment, from, length } in &self.segments {
            self.advance(shard, next..place + 1, tap);
            next = place + 1;
            tap.begin(self.first_step + 2 * *place as u64 + 1);
            let segment = segment.with_payload(&self.payload[*from..from + length]);
            shard.receive(self.times[*place], &segment, tap);
        }
        self.advance(shard, next..self.times.len(), tap);
        tap.begin(self.first_step + 2 * self.times.len() as u64);
        match self.end {
            PartEnd::None => {}
            PartEnd::Pause => shard.pause(tap),
            PartEnd::Finish => shard.finish(tap),
        }
    }

    /// Advances the clock of `shard` to the segments at `places`, one after the other.
    fn advance(&self, shard: &mut Shard, places: Range<usize>, tap: &mut impl StepTap) {
        for place in places {
            tap.begin(self.first_step + 2 * place as u64);
            shard.advance(self.times[place], tap);
        }
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the segments, and the place of each in its round.
    pub(super) fn segments(&self) -> impl Iterator<Item = (usize, Segment<'_>)> {
        self.segments.iter().map(|StoredSegment { place, segment, from, length }| {
            (*place, segment.with_payload(&self.payload[*from..from + length]))
        })
    }

    /// Adds memory for the records.
    pub(super) fn with_memory(self, written: Piece) -> Self {
        Self { written, ..self }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

/// The answer to a part of a round of segments.
pub(super) struct Reassembled {
    /// The connections that were opened, by the number of the segment that opened each.
    pub(super) opened: Vec<u64>,
    pub(super) load: ShardLoad,
    /// The shard, if the worker had to give it away.
    pub(super) shard: Option<Box<Shard>>,
}

/// The records of one part.
#[derive(Default)]
pub(super) struct PartOutput {
    pub(super) written: Piece,
    /// The places at which records end.
    pub(super) ends: Vec<RecordsEnd>,
    /// The part, emptied, to be filled again.
    pub(super) part: EmptyPart,
}

/// The end of the records of a connection in one step.
#[derive(Clone, Copy)]
pub(super) struct RecordsEnd {
    /// The step, and the number of the connection. They are the order of all records.
    pub(super) place: (u64, u64),
    /// The size of the records up to here.
    pub(super) size: usize,
}

/// A part without content, whose memory is used again.
pub(super) enum EmptyPart {
    Events(EventPart),
    Segments(SegmentPart),
}

impl Default for EmptyPart {
    fn default() -> Self {
        Self::Events(EventPart::default())
    }
}

/// The events that a part of a round of segments gave. Payload that was not held back stays in the
/// part.
#[derive(Default)]
pub(super) struct PartEvents {
    part: SegmentPart,
    store: EventStore,
}

/// Events, and their payload as far as it is not in a part.
#[derive(Default)]
pub(super) struct EventStore {
    entries: Vec<Entry>,
    held: Vec<u8>,
}

struct Entry {
    step: u64,
    connection: Connection,
    time: Time,
    content: Content,
}

enum Content {
    Open,
    Chunk { side: Side, store: Store, from: usize, length: usize },
    Gap(Side, u64),
    Close(Side, Ending),
    Done,
}

#[derive(Clone, Copy)]
enum Store {
    Part,
    Held,
}

impl PartEvents {
    pub(super) const fn new(part: SegmentPart, store: EventStore) -> Self {
        Self { part, store }
    }

    /// Removes everything, and returns the memory.
    pub(super) fn into_empty(self) -> (SegmentPart, EventStore) {
        let Self { mut part, mut store } = self;
        part.times = Arc::default();
        part.segments.clear();
        part.payload.clear();
        store.entries.clear();
        store.held.clear();
        (part, store)
    }

    /// Returns the steps, connections, times and events, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Connection, Time, Event<'_>)> {
        self.store.entries.iter().map(|Entry { step, connection, time, content }| {
            let event = match *content {
                Content::Open => Event::Open,
                Content::Chunk { side, store, from, length } => {
                    let store = match store {
                        Store::Part => &self.part.payload,
                        Store::Held => &self.store.held,
                    };
                    Event::Chunk { side, bytes: &store[from..from + length] }
                }
                Content::Gap(side, missing) => Event::Gap { side, missing },
                Content::Close(side, ending) => Event::Close { side, ending },
                Content::Done => Event::Done,
            };
            (*step, connection, *time, event)
        })
    }
}

impl EventStore {
    /// Stores an event. Its bytes are copied unless they are a piece of `payload`, which is that of
    /// the part.
    pub(super) fn push(&mut self, payload: &[u8], step: u64, connection: &Connection, time: Time, event: Event<'_>) {
        let content = match event {
            Event::Open => Content::Open,
            Event::Chunk { side, bytes } => {
                let (store, from) = self.keep(payload, bytes);
                Content::Chunk { side, store, from, length: bytes.len() }
            }
            Event::Gap { side, missing } => Content::Gap(side, missing),
            Event::Close { side, ending } => Content::Close(side, ending),
            Event::Done => Content::Done,
        };
        self.entries.push(Entry { step, connection: *connection, time, content });
    }

    fn keep(&mut self, payload: &[u8], bytes: &[u8]) -> (Store, usize) {
        let from = bytes.as_ptr().addr().wrapping_sub(payload.as_ptr().addr());
        if from.checked_add(bytes.len()).is_some_and(|end| end <= payload.len()) {
            return (Store::Part, from);
        }
        let from = self.held.len();
        self.held.extend_from_slice(bytes);
        (Store::Held, from)
    }
}
