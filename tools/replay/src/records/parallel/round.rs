//! The work of a round, on its way from the thread that reads to a worker and back.

use std::ops::Range;
use std::sync::Arc;

use enjamb::{Batch, Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{Block, Segment, Shard, ShardLoad, place_within};
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
    /// The blocks of the round that have its payload, and the payload that is in none of them.
    blocks: Vec<Block>,
    copied: Vec<u8>,
    pub(super) end: PartEnd,
    /// Memory for the records.
    pub(super) written: Piece,
}

/// A tap whose events belong to steps.
pub(super) trait StepTap<'a>: Tap {
    /// Begins a step: that of a segment, with its payload and where that is stored, or another one.
    fn begin(&mut self, step: u64, payload: Option<(&'a [u8], StoredBytes)>);
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

/// A segment of a part, without its payload.
struct StoredSegment {
    /// The place of the segment in its round.
    place: usize,
    segment: Segment<'static>,
    payload: StoredBytes,
}

/// The place of bytes of a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredBytes {
    store: Store,
    from: usize,
    length: usize,
}

#[derive(Clone, Copy, Debug)]
enum Store {
    /// A block of the part.
    Block(u32),
    /// The payload that the part copied.
    Copied,
    /// Bytes that the reassembler held.
    Held,
}

impl SegmentPart {
    /// Completes the part with what all workers get.
    pub(super) fn of_round(self, times: Arc<Vec<Time>>, first_step: u64, end: PartEnd) -> Self {
        Self { times, first_step, end, ..self }
    }

    /// Adds a segment, whose payload is in `block` or is copied.
    pub(super) fn push(&mut self, place: usize, segment: &Segment<'_>, block: &Block) {
        let payload = match block.find(segment.payload) {
            Some(range) => {
                if !self.blocks.last().is_some_and(|last| last.is(block)) {
                    self.blocks.push(block.clone());
                }
                let store = Store::Block(self.blocks.len() as u32 - 1);
                StoredBytes { store, from: range.start, length: range.len() }
            }
            None => {
                let from = self.copied.len();
                self.copied.extend_from_slice(segment.payload);
                StoredBytes { store: Store::Copied, from, length: segment.payload.len() }
            }
        };
        self.segments.push(StoredSegment { place, segment: segment.with_payload(&[]), payload });
    }

    /// Returns bytes of the part. Those that were held are in `held`.
    fn bytes<'a>(&'a self, place: StoredBytes, held: &'a [u8]) -> &'a [u8] {
        let StoredBytes { store, from, length } = place;
        let store = match store {
            Store::Block(block) => self.blocks[block as usize].bytes(),
            Store::Copied => &self.copied,
            Store::Held => held,
        };
        &store[from..from + length]
    }

    /// Gives the segments to `shard`. Sets the step of `tap` before each call.
    pub(super) fn reassemble<'a>(&'a self, shard: &mut Shard, tap: &mut impl StepTap<'a>) {
        let mut next = 0;
        for StoredSegment { place, segment, payload } in &self.segments {
            self.advance(shard, next..place + 1, tap);
            next = place + 1;
            let segment = segment.with_payload(self.bytes(*payload, &[]));
            tap.begin(self.first_step + 2 * *place as u64 + 1, Some((segment.payload, *payload)));
            shard.receive(self.times[*place], &segment, tap);
        }
        self.advance(shard, next..self.times.len(), tap);
        tap.begin(self.first_step + 2 * self.times.len() as u64, None);
        match self.end {
            PartEnd::None => {}
            PartEnd::Pause => shard.pause(tap),
            PartEnd::Finish => shard.finish(tap),
        }
    }

    /// Advances the clock of `shard` to the segments at `places`, one after the other.
    fn advance<'a>(&'a self, shard: &mut Shard, places: Range<usize>, tap: &mut impl StepTap<'a>) {
        for place in places {
            tap.begin(self.first_step + 2 * place as u64, None);
            shard.advance(self.times[place], tap);
        }
    }

    /// Returns the segments, and the place of each in its round.
    pub(super) fn segments(&self) -> impl Iterator<Item = (usize, Segment<'_>)> {
        self.segments
            .iter()
            .map(|StoredSegment { place, segment, payload }| (*place, segment.with_payload(self.bytes(*payload, &[]))))
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
/// part's blocks.
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
    Chunk(Side, StoredBytes),
    Gap(Side, u64),
    Close(Side, Ending),
    Done,
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
        part.blocks.clear();
        part.copied.clear();
        store.entries.clear();
        store.held.clear();
        (part, store)
    }

    /// Returns the steps, connections, times and events, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Connection, Time, Event<'_>)> {
        self.store.entries.iter().map(|Entry { step, connection, time, content }| {
            let event = match *content {
                Content::Open => Event::Open,
                Content::Chunk(side, place) => Event::Chunk { side, bytes: self.part.bytes(place, &self.store.held) },
                Content::Gap(side, missing) => Event::Gap { side, missing },
                Content::Close(side, ending) => Event::Close { side, ending },
                Content::Done => Event::Done,
            };
            (*step, connection, *time, event)
        })
    }
}

impl EventStore {
    /// Stores an event of a step. Its bytes are copied unless they are a piece of the payload of
    /// the step's segment.
    pub(super) fn push(
        &mut self,
        step: u64,
        payload: Option<(&[u8], StoredBytes)>,
        connection: &Connection,
        time: Time,
        event: Event<'_>,
    ) {
        let content = match event {
            Event::Open => Content::Open,
            Event::Chunk { side, bytes } => Content::Chunk(side, self.keep(payload, bytes)),
            Event::Gap { side, missing } => Content::Gap(side, missing),
            Event::Close { side, ending } => Content::Close(side, ending),
            Event::Done => Content::Done,
        };
        self.entries.push(Entry { step, connection: *connection, time, content });
    }

    fn keep(&mut self, payload: Option<(&[u8], StoredBytes)>, bytes: &[u8]) -> StoredBytes {
        let length = bytes.len();
        if let Some((payload, place)) = payload
            && let Some(within) = place_within(payload, bytes)
        {
            return StoredBytes { store: place.store, from: place.from + within.start, length };
        }
        let from = self.held.len();
        self.held.extend_from_slice(bytes);
        StoredBytes { store: Store::Held, from, length }
    }
}
