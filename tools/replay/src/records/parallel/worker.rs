//! A worker: a shard of the connections, their sessions, and the records of these.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use enjamb::{Connection, Event, Tap, Time};
use enjamb_capture::{Shard, ShardLoad};
use enjamb_monitor::{Output, Statistics, Watch};
use enjamb_sources::{ConnectionNumbers, SegmentSet};

use crate::records::parallel::round::{
    EmptyPart, EventPart, EventStore, PartEnd, PartEvents, PartOutput, Reassembled, RecordsEnd, SegmentPart, StepTap,
    StoredBytes, Task,
};
use crate::records::piece::Piece;

/// The output of a worker, whose records are taken out after each part.
pub(crate) trait Drain: Output {
    /// Returns the size of the records that were not taken out yet: bytes, or rows.
    fn size(&self) -> usize;

    /// Takes the records out. `empty` is memory to use for the next ones.
    fn drain(&mut self, empty: Piece) -> Piece;
}

/// The state of a worker.
pub(super) struct Work<O> {
    watch: Watch<O>,
    set: Option<Set>,
    reassembled: Sender<Reassembled>,
    outputs: Sender<PartOutput>,
}

/// The state of a set of captures.
struct Set {
    shard: Option<Box<Shard>>,
    connections: Connections,
    /// Parts that were reassembled, in order. The first one waits for the numbers of its
    /// connections.
    waiting: VecDeque<WaitingPart>,
    /// Memory that is used again.
    spare: EventStore,
}

/// A part of which some events are not parsed yet.
struct WaitingPart {
    events: PartEvents,
    /// The records of the events that were parsed.
    records: RecordEnds,
    /// Whether it opened connections.
    opened: bool,
}

/// The open connections of a set.
struct Connections {
    only: Option<ConnectionNumbers>,
    /// From the number of its first segment to the real number of each open connection.
    numbers: HashMap<u64, u64, BuildHasherDefault<NumberHasher>>,
}

/// Hashes the numbers of segments. No two connections have the same one, and nobody chooses them,
/// so one multiplication spreads them well enough.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        // The golden ratio's fraction, times 2^64. The table uses the highest bits and the lowest.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<O: Drain> Work<O> {
    pub(super) fn new(watch: Watch<O>, reassembled: Sender<Reassembled>, outputs: Sender<PartOutput>) -> Self {
        Self { watch: watch.sharing(), set: None, reassembled, outputs }
    }

    /// Does all tasks until there are no more, or nobody waits for the answers. Returns the
    /// statistics.
    pub(super) fn run(mut self, tasks: &Receiver<Task>) -> Statistics {
        while let Ok(task) = tasks.recv() {
            if !self.task(task) {
                break;
            }
        }
        self.into_statistics()
    }

    /// Does a task. Returns `false` if nobody waits for the answer.
    pub(super) fn task(&mut self, task: Task) -> bool {
        match task {
            Task::Events(part) => self.events(part),
            Task::BeginSet(set) => {
                self.begin_set(&set);
                true
            }
            Task::Segments(part) => self.reassemble(part),
            Task::Numbers(numbers) => self.parse_waiting(numbers),
            Task::GiveShard => self.give_shard(),
        }
    }

    pub(super) fn into_statistics(self) -> Statistics {
        self.watch.finish().0
    }

    fn begin_set(&mut self, set: &Arc<SegmentSet>) {
        self.set = Some(Set {
            shard: Some(Box::new(Shard::new(set.options.clone()))),
            connections: Connections { only: set.only.clone(), numbers: HashMap::default() },
            waiting: VecDeque::new(),
            spare: EventStore::default(),
        });
    }

    fn events(&mut self, mut part: EventPart) -> bool {
        let mut records = RecordEnds::default();
        for (&step, (connection, time, event)) in part.steps.iter().zip(part.events.iter()) {
            records.event(&mut self.watch, step, connection, time, event);
        }
        part.steps.clear();
        part.events.clear();
        let output = records.finish(&mut self.watch, EmptyPart::Events(part));
        self.outputs.send(output).is_ok()
    }

    /// Reassembles a part. Its events go to their sessions at once, up to the first one of a
    /// connection whose number is not known yet.
    fn reassemble(&mut self, part: SegmentPart) -> bool {
        let Some(set) = &mut self.set else { return false };
        let Some(shard) = &mut set.shard else { return false };
        let mut tap = PartTap {
            watch: &mut self.watch,
            connections: &mut set.connections,
            step: 0,
            payload: None,
            stores: !set.waiting.is_empty(),
            store: std::mem::take(&mut set.spare),
            opened: Vec::new(),
            records: RecordEnds::default(),
        };
        part.reassemble(shard, &mut tap);
        let PartTap { store, opened, records, stores, .. } = tap;
        let load = shard.load();
        let shard = if part.end == PartEnd::Finish { set.shard.take() } else { None };
        let has_opened = !opened.is_empty();
        let events = PartEvents::new(part, store);
        let is_sent = if stores {
            set.waiting.push_back(WaitingPart { events, records, opened: has_opened });
            true
        } else {
            let (part, store) = events.into_empty();
            set.spare = store;
            self.outputs.send(records.finish(&mut self.watch, EmptyPart::Segments(part))).is_ok()
        };
        is_sent && self.reassembled.send(Reassembled { opened, load, shard }).is_ok()
    }

    fn give_shard(&mut self) -> bool {
        let shard = self.set.as_mut().and_then(|set| set.shard.take());
        self.reassembled.send(Reassembled { opened: Vec::new(), load: ShardLoad::default(), shard }).is_ok()
    }

    /// Gives the events of waiting parts to their sessions. `opened` are the numbers of the
    /// connections that the oldest one opened.
    fn parse_waiting(&mut self, opened: Vec<u64>) -> bool {
        let Some(set) = &mut self.set else { return false };
        let mut opened = Some(opened.into_iter());
        while let Some(part) = set.waiting.pop_front_if(|part| !part.opened || opened.is_some()) {
            let WaitingPart { events, mut records, opened: has_opened } = part;
            let mut numbers = if has_opened { opened.take() } else { None };
            for (step, connection, time, event) in events.iter() {
                if let Event::Open = event
                    && let Some(number) = numbers.as_mut().and_then(Iterator::next)
                {
                    set.connections.numbers.insert(connection.number, number);
                }
                if let Some(connection) = set.connections.numbered(connection, event) {
                    records.event(&mut self.watch, step, &connection, time, event);
                }
            }
            let (part, store) = events.into_empty();
            set.spare = store;
            if self.outputs.send(records.finish(&mut self.watch, EmptyPart::Segments(part))).is_err() {
                return false;
            }
        }
        true
    }
}

impl Connections {
    /// Returns the connection with its real number. `None` if the connection is not selected.
    fn numbered(&mut self, connection: &Connection, event: Event<'_>) -> Option<Connection> {
        let number = match event {
            Event::Done => self.numbers.remove(&connection.number),
            _ => self.numbers.get(&connection.number).copied(),
        };
        let is_selected = |number: &u64| self.only.as_ref().is_none_or(|only| only.contains(*number));
        number.filter(is_selected).map(|number| Connection { number, ..*connection })
    }
}

/// The tap of a shard. It gives events to their sessions, until one has no number.
struct PartTap<'a, O> {
    watch: &'a mut Watch<O>,
    connections: &'a mut Connections,
    step: u64,
    /// The payload of the step's segment, and where it is stored.
    payload: Option<(&'a [u8], StoredBytes)>,
    /// Whether events are stored from now on.
    stores: bool,
    store: EventStore,
    opened: Vec<u64>,
    records: RecordEnds,
}

impl<O: Drain> Tap for PartTap<'_, O> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if let Event::Open = event {
            self.opened.push(connection.number);
            self.stores = true;
        }
        if self.stores {
            self.store.push(self.step, self.payload, connection, time, event);
        } else if let Some(connection) = self.connections.numbered(connection, event) {
            self.records.event(self.watch, self.step, &connection, time, event);
        }
    }
}

impl<'a, O: Drain> StepTap<'a> for PartTap<'a, O> {
    fn begin(&mut self, step: u64, payload: Option<(&'a [u8], StoredBytes)>) {
        (self.step, self.payload) = (step, payload);
    }
}

/// The places at which the records of a part end, while they are made.
#[derive(Default)]
struct RecordEnds {
    size: usize,
    ends: Vec<RecordsEnd>,
}

impl RecordEnds {
    #[inline]
    fn event<O: Drain>(
        &mut self,
        watch: &mut Watch<O>,
        step: u64,
        connection: &Connection,
        time: Time,
        event: Event<'_>,
    ) {
        watch.step(step);
        watch.event(connection, time, event);
        let size = watch.output_mut().size();
        if size > self.size {
            self.size = size;
            self.ends.push(RecordsEnd { place: (step, connection.number), size });
        }
    }

    fn finish<O: Drain>(self, watch: &mut Watch<O>, mut part: EmptyPart) -> PartOutput {
        let empty = match &mut part {
            EmptyPart::Events(part) => std::mem::take(&mut part.written),
            EmptyPart::Segments(part) => std::mem::take(&mut part.written),
        };
        PartOutput { written: watch.output_mut().drain(empty), ends: self.ends, part }
    }
}
