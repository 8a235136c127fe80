//! `--jobs`: reassembly and sessions on several threads, with the same output as on one.
//!
//! The calling thread reads packets and finds the TCP segments in them. Each worker has a part of
//! the connections: a [`Shard`] that reassembles them, their sessions, records and statistics. The
//! endpoints of a connection choose its worker. The calling thread is a worker too: it does its own
//! part of a round after the others have got theirs, and has fewer connections, since it also
//! reads. So there are no more threads than `--jobs` says.
//!
//! Everything that may cause records is a *step*, and steps are numbered: an event of a transcript,
//! the deadlines that pass with a segment, the segment itself. Work is handed out in *rounds* of a
//! limited number of bytes, one part for each worker. The records of a round are written in the
//! order of its steps, and within a step in the order of the connections' numbers. So the order is
//! that of one thread, and the work in flight is bounded: [`ROUNDS_MAX`] rounds and their records.
//!
//! Connections are numbered in the order of their first segments, over all workers. So a round of
//! segments has two halves. A worker reassembles its part and reports the connections that it
//! opened. When all workers have done so, each gets the numbers of its connections, and its
//! sessions get their events. Meanwhile it reassembles the next part. A worker that opened none
//! goes on at once.
//!
//! Some limits of reassembly cover all connections together, and an order over all workers would
//! decide what is given up. So before such a limit can be reached, the shards are joined, and the
//! thread that reads reassembles the rest of the set. Small captures it reassembles too: their
//! events go to the workers.
//!
//! Statistics are merged at the end. Only a limited number of kinds are counted separately: the
//! first ones, by number of step. A worker therefore counts more kinds separately than the whole
//! does. The counts equal those of one thread unless one worker sees more than 4096 kinds.

mod round;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use enjamb::{Connection, Event, Tap, Time};
use enjamb_capture::{Block, Incident, Reassembler, Segment, Shard, ShardLoad, Summary, endpoints_hash};
use enjamb_monitor::{Statistics, Watch};
use enjamb_sources::{SegmentSet, SegmentTap};

use crate::records::parallel::round::{EmptyPart, EventPart, PartEnd, PartOutput, Reassembled, SegmentPart, Task};
pub(crate) use crate::records::parallel::worker::Drain;
use crate::records::parallel::worker::Work;
use crate::records::piece::Piece;

/// The maximum number of payload bytes in a round. The last step may exceed it.
const ROUND_BYTES: usize = 512 << 10;

/// The maximum number of events or segments in a round.
const ROUND_STEPS: usize = 4096;

/// The maximum number of blocks of the capture that a round keeps in memory. A slow source fills
/// only a small part of each.
const ROUND_BLOCKS: usize = 16;

/// The maximum number of rounds in flight.
const ROUNDS_MAX: usize = 4;

/// The maximum number of rounds whose connections have no numbers yet. It is less than
/// [`ROUNDS_MAX`]: a round is written after its connections got their numbers.
const UNCONFIRMED_MAX: usize = 2;

/// The largest default number of threads. More would be idle, since one thread reads for all of
/// them.
const DEFAULT_MAX: usize = 8;

/// The number of groups of connections, by their endpoints. A group belongs to one worker.
const GROUPS: usize = 4096;

/// The work of a segment besides that of its bytes, in bytes.
const SEGMENT_WORK: u64 = 256;

/// The work of reading a segment, in percent of all further work on it. With small messages of
/// Redis it is less, with large ones of HTTP more; of the shares that were tried, this one did best
/// over both.
const READING_PERCENT: u64 = 40;

/// Returns the number of threads where `--jobs` is not given.
pub(crate) fn default_jobs() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.min(NonZeroUsize::new(DEFAULT_MAX).unwrap_or(NonZeroUsize::MIN))
}

struct Worker {
    events: EventPart,
    segments: SegmentPart,
    place: WorkPlace,
    reassembled: Receiver<Reassembled>,
    outputs: Receiver<PartOutput>,
}

/// The place where a worker does its tasks.
enum WorkPlace {
    /// A thread of its own.
    Thread { tasks: Sender<Task>, thread: JoinHandle<Statistics> },
    /// The calling thread, at once.
    Here(Box<dyn TaskRunner>),
}

/// A worker of which only its tasks are known.
trait TaskRunner {
    /// Does a task. The answers are sent to the worker's channels.
    fn run(&mut self, task: Task);

    /// Returns the statistics of all tasks.
    fn finish(self: Box<Self>) -> Statistics;
}

impl<O: Drain> TaskRunner for Work<O> {
    fn run(&mut self, task: Task) {
        // The receivers of the answers are in the same `Worker`.
        let _ = self.task(task);
    }

    fn finish(self: Box<Self>) -> Statistics {
        (*self).into_statistics()
    }
}

/// Receives the records of all workers, in order.
pub(crate) trait RoundOutput {
    /// Receives a part of the records of a worker.
    fn write(&mut self, piece: &mut Piece, part: Range<usize>);

    /// Notes that the records of another input follow.
    fn begin_input(&mut self) {}

    /// Writes what is buffered: see [`Tap::pause`].
    fn pause(&mut self) {}
}

/// A tap that distributes events and segments over threads, and gives their output to `output`.
pub(crate) struct Parallel<W> {
    workers: Vec<Worker>,
    groups: Groups,
    /// The next step.
    next: u64,
    /// The number of events and of payload bytes of the round.
    events: usize,
    bytes: usize,
    in_flight: usize,
    /// The first steps of inputs whose records were not delivered yet.
    inputs: VecDeque<u64>,
    set: Option<Set>,
    output: W,
}

/// The worker of each group of connections. Each group goes to the worker that had the least work
/// when its first connection was seen.
struct Groups {
    workers: Box<[Option<usize>]>,
    work: Vec<u64>,
}

impl Groups {
    fn worker(&mut self, hash: u64, work: u64) -> usize {
        if let Some(reader) = self.work.last_mut() {
            *reader += work * READING_PERCENT / 100;
        }
        let group = &mut self.workers[hash as usize % GROUPS];
        let worker = *group.get_or_insert_with(|| {
            let least = self.work.iter().enumerate().min_by_key(|(_, work)| **work);
            least.map_or(0, |(worker, _)| worker)
        });
        self.work[worker] += work;
        worker
    }
}

/// A set of captures that is reassembled by the workers.
struct Set {
    options: Arc<SegmentSet>,
    /// The times of the segments of the round, and the number of their bytes.
    times: Vec<Time>,
    bytes: usize,
    /// The last block that the round keeps, and the number of its blocks.
    block: Option<Block>,
    blocks: usize,
    /// The connections, by the numbers of the segments that opened them. The place of a connection
    /// is its number in the set, less 1.
    opened: Vec<u64>,
    /// The load of all shards before the rounds that were not confirmed yet.
    load: ShardLoad,
    /// The number of segments and of bytes in each round that was not confirmed yet.
    unconfirmed: VecDeque<(usize, usize)>,
    /// The reassembler of the rest of the set, once the shards are joined.
    joined: Option<Reassembler>,
}

impl<W: RoundOutput> Parallel<W> {
    /// Starts one thread less than `jobs`, since the calling one works too. Each calls `make` for a
    /// watch of its own.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) fn new<O: Drain + 'static>(
        jobs: NonZeroUsize,
        make: impl Fn() -> Watch<O> + Clone + Send + 'static,
        output: W,
    ) -> io::Result<Self> {
        let worker = |number: usize| -> io::Result<Worker> {
            let (send_reassembled, reassembled) = channel();
            let (send_outputs, outputs) = channel();
            // The last one works here, when the others have got their parts.
            let place = if number == jobs.get() {
                WorkPlace::Here(Box::new(Work::new(make(), send_reassembled, send_outputs)))
            } else {
                let (tasks, to_do) = channel();
                let make = make.clone();
                let named = std::thread::Builder::new().name("enjamb-session".to_owned());
                let thread = named.spawn(move || Work::new(make(), send_reassembled, send_outputs).run(&to_do))?;
                WorkPlace::Thread { tasks, thread }
            };
            let (events, segments) = (EventPart::default(), SegmentPart::default());
            Ok(Worker { events, segments, place, reassembled, outputs })
        };
        let workers = (1..=jobs.get()).map(worker).collect::<io::Result<Vec<_>>>()?;
        let groups = Groups { workers: vec![None; GROUPS].into(), work: vec![0; workers.len()] };
        let (inputs, set) = (VecDeque::new(), None);
        Ok(Self { workers, groups, next: 0, events: 0, bytes: 0, in_flight: 0, inputs, set, output })
    }

    /// Notes that the events of another input follow.
    pub(crate) fn begin_input(&mut self) {
        self.inputs.push_back(self.next);
    }

    fn send(&mut self, worker: usize, task: Task) {
        let is_sent = match &mut self.workers[worker].place {
            WorkPlace::Thread { tasks, .. } => tasks.send(task).is_ok(),
            WorkPlace::Here(work) => {
                work.run(task);
                true
            }
        };
        if !is_sent {
            self.fail(worker);
        }
    }

    /// Hands out the round of events.
    fn hand_out_events(&mut self) {
        self.settle_numbers();
        (self.events, self.bytes) = (0, 0);
        for worker in 0..self.workers.len() {
            let part = std::mem::take(&mut self.workers[worker].events);
            self.send(worker, Task::Events(part));
        }
        self.begin_round();
    }

    /// Hands out the round of segments, which ends with `end`.
    fn hand_out_segments(&mut self, end: PartEnd) {
        let Some(set) = &mut self.set else { return };
        let (segments, bytes) = (set.times.len(), std::mem::take(&mut set.bytes));
        (set.block, set.blocks) = (None, 0);
        let more = set.unconfirmed.iter().map(|(segments, _)| segments).sum::<usize>();
        let more_bytes = set.unconfirmed.iter().map(|(_, bytes)| bytes).sum::<usize>();
        if set.joined.is_none() && !set.load.has_room_for(segments + more, bytes + more_bytes, &set.options.options) {
            self.join_shards();
        }
        if self.set.as_ref().is_some_and(|set| set.joined.is_some()) {
            return self.reassemble_round(end);
        }
        let Some(set) = &mut self.set else { return };
        let times = Arc::new(std::mem::take(&mut set.times));
        let first_step = self.next;
        self.next += 2 * segments as u64 + 1;
        for worker in 0..self.workers.len() {
            let part = std::mem::take(&mut self.workers[worker].segments);
            self.send(worker, Task::Segments(part.of_round(Arc::clone(&times), first_step, end)));
        }
        if let Some(set) = &mut self.set {
            set.unconfirmed.push_back((segments, bytes));
            // Waiting for a round that was just handed out would leave this thread idle.
            if set.unconfirmed.len() > UNCONFIRMED_MAX {
                self.settle_round();
            }
        }
        self.begin_round();
    }

    /// Counts a round that was handed out, and collects the oldest one if too many are in flight.
    fn begin_round(&mut self) {
        self.in_flight += 1;
        if self.in_flight == ROUNDS_MAX {
            self.collect();
        }
    }

    /// Waits until all rounds of segments are reassembled, and gives their connections their
    /// numbers. Returns the shards, if the workers gave them away.
    fn settle_numbers(&mut self) -> Vec<Shard> {
        let mut shards = Vec::new();
        while self.set.as_ref().is_some_and(|set| !set.unconfirmed.is_empty()) {
            shards = self.settle_round();
        }
        shards
    }

    /// Does so for the oldest round.
    fn settle_round(&mut self) -> Vec<Shard> {
        let Some(set) = &mut self.set else { return Vec::new() };
        set.unconfirmed.pop_front();
        let base = set.options.base + set.opened.len() as u64 + 1;
        let (mut opened, mut counts, mut load, mut shards) = (Vec::new(), Vec::new(), ShardLoad::default(), Vec::new());
        for worker in 0..self.workers.len() {
            let reassembled = self.receive(worker);
            load.connections += reassembled.load.connections;
            load.held += reassembled.load.held;
            counts.push(reassembled.opened.len());
            opened.extend(reassembled.opened.into_iter().map(|number| (number, worker)));
            shards.extend(reassembled.shard.map(|shard| *shard));
        }
        opened.sort_unstable();
        let mut numbers: Vec<Vec<u64>> = counts.into_iter().map(Vec::with_capacity).collect();
        for (number, (_, worker)) in (base..).zip(&opened) {
            numbers[*worker].push(number);
        }
        for (worker, numbers) in numbers.into_iter().enumerate() {
            if !numbers.is_empty() {
                self.send(worker, Task::Numbers(numbers));
            }
        }
        if let Some(set) = &mut self.set {
            set.opened.extend(opened.into_iter().map(|(number, _)| number));
            set.load = load;
        }
        shards
    }

    fn receive(&mut self, worker: usize) -> Reassembled {
        match self.workers[worker].reassembled.recv() {
            Ok(reassembled) => reassembled,
            Err(_) => self.fail(worker),
        }
    }

    /// Joins the shards, because a limit over all connections comes near.
    fn join_shards(&mut self) {
        self.settle_numbers();
        let mut shards = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            self.send(worker, Task::GiveShard);
            shards.extend(self.receive(worker).shard.map(|shard| *shard));
        }
        if let Some(set) = &mut self.set {
            set.joined = Some(set.join(shards));
        }
    }

    /// Reassembles the round of segments on this thread, with the joined shards.
    fn reassemble_round(&mut self, end: PartEnd) {
        // Taken out meanwhile: the events go to this tap.
        let Some(mut set) = self.set.take() else { return };
        let Some(mut reassembler) = set.joined.take() else { return };
        let parts: Vec<_> = self.workers.iter_mut().map(|worker| std::mem::take(&mut worker.segments)).collect();
        let mut segments: Vec<(usize, Segment<'_>)> = parts.iter().flat_map(SegmentPart::segments).collect();
        segments.sort_unstable_by_key(|(place, _)| *place);
        let mut tap = SetTap { options: &set.options, parallel: self };
        for (time, (_, segment)) in set.times.drain(..).zip(&segments) {
            reassembler.push(time, segment, &mut tap);
        }
        match end {
            PartEnd::None => {}
            PartEnd::Pause => reassembler.pause(&mut tap),
            PartEnd::Finish => reassembler.finish(&mut tap),
        }
        set.joined = Some(reassembler);
        self.set = Some(set);
    }

    /// Writes the records of the oldest round, in the order of its steps.
    fn collect(&mut self) {
        let mut round: Vec<(PartOutput, usize, usize)> = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            match self.workers[worker].outputs.recv() {
                Ok(output) => round.push((output, 0, 0)),
                Err(_) => self.fail(worker),
            }
        }
        self.in_flight -= 1;
        let next = |(output, place, _): &(PartOutput, usize, usize)| output.ends.get(*place).map(|end| end.place);
        while let Some((first, (step, _))) = round
            .iter()
            .enumerate()
            .filter_map(|(worker, part)| Some((worker, next(part)?)))
            .min_by_key(|(_, next)| *next)
        {
            while self.inputs.pop_front_if(|first| *first <= step).is_some() {
                self.output.begin_input();
            }
            // Records up to those of another worker, and of another input, are written at once.
            let others = round.iter().enumerate().filter(|(worker, _)| *worker != first);
            let limit = others.filter_map(|(_, part)| next(part)).min().unwrap_or((u64::MAX, u64::MAX));
            let limit = self.inputs.front().map_or(limit, |input| limit.min((*input, 0)));
            let (output, place, from) = &mut round[first];
            let count = output.ends[*place..].iter().take_while(|end| end.place < limit).count().max(1);
            let end = output.ends[*place + count - 1].size;
            self.output.write(&mut output.written, *from..end);
            (*place, *from) = (*place + count, end);
        }
        for (worker, (PartOutput { mut written, part, .. }, ..)) in self.workers.iter_mut().zip(round) {
            written.clear();
            match part {
                EmptyPart::Events(part) if worker.events.steps.is_empty() => {
                    worker.events = EventPart { written, ..part };
                }
                EmptyPart::Segments(part) if worker.segments.is_empty() => worker.segments = part.with_memory(written),
                _ => {}
            }
        }
    }

    fn collect_all(&mut self) {
        self.settle_numbers();
        while self.in_flight > 0 {
            self.collect();
        }
    }

    /// Passes on the panic of a worker that has ended.
    fn fail(&mut self, worker: usize) -> ! {
        if let WorkPlace::Thread { tasks, thread } = self.workers.swap_remove(worker).place {
            drop(tasks);
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        unreachable!("a worker ends only when its channel is closed")
    }

    /// Writes the remaining records, and returns the statistics.
    pub(crate) fn finish(mut self) -> Statistics {
        self.hand_out_events();
        self.collect_all();
        let mut parts = Vec::with_capacity(self.workers.len());
        for Worker { place, .. } in self.workers {
            parts.push(match place {
                WorkPlace::Here(work) => work.finish(),
                WorkPlace::Thread { tasks, thread } => {
                    drop(tasks);
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                }
            });
        }
        Statistics::of_parts(&parts)
    }
}

impl Set {
    /// Joins all shards of the set.
    fn join(&self, shards: Vec<Shard>) -> Reassembler {
        Shard::join(shards, self.options.options.clone(), |segment| {
            self.opened.binary_search(&segment).map_or(0, |place| place as u64 + 1)
        })
    }
}

impl<W: RoundOutput> Tap for Parallel<W> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let work = event.payload_len() as u64 + SEGMENT_WORK;
        let worker = self.groups.worker(endpoints_hash(connection.client, connection.server), work);
        let part = &mut self.workers[worker].events;
        part.steps.push(self.next);
        part.events.event(connection, time, event);
        self.next += 1;
        self.events += 1;
        self.bytes += event.payload_len();
        if self.bytes >= ROUND_BYTES || self.events >= ROUND_STEPS {
            self.hand_out_events();
        }
    }

    fn pause(&mut self) {
        if self.events > 0 {
            self.hand_out_events();
        }
        self.collect_all();
        self.output.pause();
    }
}

impl<W: RoundOutput> SegmentTap for Parallel<W> {
    fn begin_set(&mut self, set: SegmentSet) {
        if self.events > 0 {
            self.hand_out_events();
        }
        let options = Arc::new(set);
        for worker in 0..self.workers.len() {
            self.send(worker, Task::BeginSet(Arc::clone(&options)));
        }
        self.set = Some(Set {
            options,
            times: Vec::new(),
            bytes: 0,
            block: None,
            blocks: 0,
            opened: Vec::new(),
            load: ShardLoad::default(),
            unconfirmed: VecDeque::new(),
            joined: None,
        });
    }

    fn segment(&mut self, time: Time, segment: &Segment<'_>, block: &Block) {
        let Some(set) = &mut self.set else { return };
        let work = segment.payload.len() as u64 + SEGMENT_WORK;
        let worker = self.groups.worker(endpoints_hash(segment.source, segment.destination), work);
        self.workers[worker].segments.push(set.times.len(), segment, block);
        set.times.push(time);
        set.bytes += segment.payload.len();
        if !set.block.as_ref().is_some_and(|last| last.is(block)) {
            set.block = Some(block.clone());
            set.blocks += 1;
        }
        if set.bytes >= ROUND_BYTES || set.times.len() >= ROUND_STEPS || set.blocks > ROUND_BLOCKS {
            self.hand_out_segments(PartEnd::None);
        }
    }

    fn pause_segments(&mut self) {
        self.hand_out_segments(PartEnd::Pause);
        Tap::pause(self);
    }

    fn connections(&mut self) -> u64 {
        self.hand_out_segments(PartEnd::None);
        self.settle_numbers();
        let Some(set) = &self.set else { return 0 };
        set.joined.as_ref().map_or(set.opened.len() as u64, |reassembler| reassembler.summary().connections)
    }

    fn end_set(&mut self) -> (Summary, Vec<Incident>) {
        self.hand_out_segments(PartEnd::Finish);
        let shards = self.settle_numbers();
        let Some(mut set) = self.set.take() else { return Default::default() };
        let reassembler = set.joined.take().unwrap_or_else(|| set.join(shards));
        reassembler.into_counts()
    }
}

/// The tap of the reassembler of a set: it gives connections their numbers over all inputs.
struct SetTap<'a, W> {
    options: &'a SegmentSet,
    parallel: &'a mut Parallel<W>,
}

impl<W: RoundOutput> Tap for SetTap<'_, W> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let number = self.options.base + connection.number;
        if self.options.only.as_ref().is_none_or(|only| only.contains(number)) {
            self.parallel.event(&Connection { number, ..*connection }, time, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::ops::Range;
    use std::sync::Arc;

    use enjamb::{Connection, Event, Side, Tap, Time};
    use enjamb_monitor::{Opener, Output, Record, Watch};
    use enjamb_protocols::Registry;

    use super::{Drain, Parallel, RoundOutput};
    use crate::records::piece::Piece;

    /// An output that panics at a message.
    struct Fragile;

    impl Output for Fragile {
        fn record(&mut self, record: &Record<'_>) {
            assert!(!matches!(record, Record::Message { .. }), "a message");
        }
    }

    /// An output that drops everything.
    struct Nowhere;

    impl RoundOutput for Nowhere {
        fn write(&mut self, _: &mut Piece, _: Range<usize>) {}
    }

    impl Drain for Fragile {
        fn size(&self) -> usize {
            0
        }

        fn drain(&mut self, _: Piece) -> Piece {
            Piece::default()
        }
    }

    #[test]
    #[should_panic(expected = "a message")]
    fn a_panic_of_a_worker_s_output_is_passed_on() {
        let lines = Registry::builtin().resolve("lines").unwrap();
        let open: Opener = Arc::new(move |_| lines.session(None));
        let make = move || Watch::new(Arc::clone(&open), Fragile);
        let mut parallel = Parallel::new(NonZeroUsize::new(2).unwrap(), make, Nowhere).unwrap();
        let ends = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let connection = |number| Connection { number, client: ends.0, server: ends.1 };
        for number in 0..4 {
            parallel.event(&connection(number), Time::default(), Event::Open);
        }
        // Many rounds, so that the panic comes up before the end.
        for step in 0..200_u64 {
            let byte = if step == 50 { b'\n' } else { b' ' };
            let event = Event::Chunk { side: Side::Client, bytes: &[byte; 64 << 10] };
            parallel.event(&connection(step % 4), Time::default(), event);
        }
        parallel.finish();
    }
}
