//! `--jobs`: sessions on several threads, with the same output as on one.
//!
//! One thread reads packets and reassembles streams. That is by far the smaller part of the work,
//! and its limits cover all connections together, so its results must not depend on the number of
//! workers. An event for a tap is a *step*, and steps are numbered. Each step goes to the worker
//! that its connection belongs to. A worker has sessions, records and statistics of its own.
//!
//! Steps are handed out in *rounds* of a limited number of bytes, one batch for each worker. The
//! records of a round are written in the order of its steps, before the third round after it
//! begins. So the order is that of one thread, and the work in flight is bounded: three rounds and
//! their records.
//!
//! Statistics are merged at the end. Only a limited number of kinds are counted separately: the
//! first ones, by number of step. A worker therefore counts more kinds separately than the whole
//! does. The counts equal those of one thread unless one worker sees more than 4096 kinds.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use enjamb::{Batch, Connection, Event, Tap, Time};
use enjamb_monitor::{Output, Statistics, Watch};

use crate::records::piece::Piece;

/// The maximum number of payload bytes in a round. The last step may exceed it.
const ROUND_BYTES: usize = 512 << 10;

/// The maximum number of steps in a round.
const ROUND_STEPS: usize = 4096;

/// The maximum number of rounds in flight.
const ROUNDS_MAX: usize = 3;

/// The largest default number of threads. More would be idle, since one thread reads for all of
/// them.
const DEFAULT_MAX: usize = 8;

/// Returns the number of threads where `--jobs` is not given.
pub(crate) fn default_jobs() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.min(NonZeroUsize::new(DEFAULT_MAX).unwrap_or(NonZeroUsize::MIN))
}

/// The output of a worker, whose records are taken out after each part.
pub(crate) trait Drain: Output {
    /// Returns the size of the records that were not taken out yet: bytes, or rows.
    fn size(&self) -> usize;

    /// Takes the records out.
    fn drain(&mut self) -> Piece;
}

/// A worker's part of a round: events, and the number of each as a step.
#[derive(Default)]
struct Part {
    events: Batch,
    numbers: Vec<u64>,
}

/// The records of one part.
#[derive(Default)]
struct PartOutput {
    written: Piece,
    /// The steps that wrote something, and the size of the records up to the end of each.
    ends: Vec<(u64, usize)>,
    /// The part, emptied, to be filled again.
    part: Part,
}

struct Worker {
    part: Part,
    to: SyncSender<Part>,
    from: Receiver<PartOutput>,
    thread: JoinHandle<Statistics>,
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

/// A tap that distributes its events over threads, and gives their output to `output`.
pub(crate) struct Parallel<W> {
    workers: Vec<Worker>,
    next: u64,
    steps: usize,
    bytes: usize,
    in_flight: usize,
    /// The first steps of inputs whose records were not delivered yet.
    inputs: VecDeque<u64>,
    output: W,
}

impl<W: RoundOutput> Parallel<W> {
    /// Starts `jobs` threads. Each calls `make` for a watch of its own.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) fn new<O: Drain>(
        jobs: NonZeroUsize,
        make: impl Fn() -> Watch<O> + Clone + Send + 'static,
        output: W,
    ) -> io::Result<Self> {
        let worker = |_| -> io::Result<Worker> {
            let (to, parts) = sync_channel(ROUNDS_MAX);
            let (outputs, from) = sync_channel(ROUNDS_MAX);
            let make = make.clone();
            let named = std::thread::Builder::new().name("enjamb-session".to_owned());
            let thread = named.spawn(move || work(make().sharing(), &parts, &outputs))?;
            Ok(Worker { part: Part::default(), to, from, thread })
        };
        let workers = (0..jobs.get()).map(worker).collect::<io::Result<_>>()?;
        Ok(Self { workers, next: 0, steps: 0, bytes: 0, in_flight: 0, inputs: VecDeque::new(), output })
    }

    /// Notes that the events of another input follow.
    pub(crate) fn begin_input(&mut self) {
        self.inputs.push_back(self.next);
    }

    /// Hands out the round, and collects the oldest one if too many are in flight.
    fn hand_out(&mut self) {
        (self.steps, self.bytes) = (0, 0);
        for worker in 0..self.workers.len() {
            let part = std::mem::take(&mut self.workers[worker].part);
            if self.workers[worker].to.send(part).is_err() {
                self.fail(worker);
            }
        }
        self.in_flight += 1;
        if self.in_flight == ROUNDS_MAX {
            self.collect();
        }
    }

    /// Writes the records of the oldest round, in the order of its steps.
    fn collect(&mut self) {
        let mut round: Vec<(PartOutput, usize, usize)> = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            match self.workers[worker].from.recv() {
                Ok(output) => round.push((output, 0, 0)),
                Err(_) => self.fail(worker),
            }
        }
        self.in_flight -= 1;
        let next = |(_, (output, place, _)): &(usize, &(PartOutput, usize, usize))| {
            output.ends.get(*place).map(|(step, _)| *step)
        };
        while let Some((first, _)) = round.iter().enumerate().filter(|worker| next(worker).is_some()).min_by_key(next) {
            let (output, place, from) = &mut round[first];
            let (step, end) = output.ends[*place];
            while self.inputs.pop_front_if(|first| *first <= step).is_some() {
                self.output.begin_input();
            }
            self.output.write(&mut output.written, *from..end);
            (*place, *from) = (*place + 1, end);
        }
        for (worker, (output, ..)) in self.workers.iter_mut().zip(round) {
            if worker.part.events.is_empty() {
                worker.part = output.part;
            }
        }
    }

    /// Passes on the panic of a worker that has ended.
    fn fail(&mut self, worker: usize) -> ! {
        let Worker { to, thread, .. } = self.workers.swap_remove(worker);
        drop(to);
        match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("a worker ends only when its channel is closed"),
        }
    }

    /// Writes the remaining records, and returns the statistics.
    pub(crate) fn finish(mut self) -> Statistics {
        self.hand_out();
        while self.in_flight > 0 {
            self.collect();
        }
        let mut parts = Vec::with_capacity(self.workers.len());
        for Worker { to, thread, .. } in self.workers {
            drop(to);
            match thread.join() {
                Ok(statistics) => parts.push(statistics),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Statistics::of_parts(&parts)
    }
}

impl<W: RoundOutput> Tap for Parallel<W> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        // Connections next to each other often have the same kind of work, so they go to different
        // workers.
        let worker = (connection.number % self.workers.len() as u64) as usize;
        let part = &mut self.workers[worker].part;
        part.numbers.push(self.next);
        part.events.event(connection, time, event);
        self.next += 1;
        self.steps += 1;
        self.bytes += event.payload_len();
        if self.bytes >= ROUND_BYTES || self.steps >= ROUND_STEPS {
            self.hand_out();
        }
    }

    fn pause(&mut self) {
        if self.steps > 0 {
            self.hand_out();
        }
        while self.in_flight > 0 {
            self.collect();
        }
        self.output.pause();
    }
}

/// Runs a worker until its channel is closed.
fn work<O: Drain>(mut watch: Watch<O>, parts: &Receiver<Part>, outputs: &SyncSender<PartOutput>) -> Statistics {
    while let Ok(mut part) = parts.recv() {
        let (mut size, mut ends) = (0, Vec::new());
        for (&number, (connection, time, event)) in part.numbers.iter().zip(part.events.iter()) {
            watch.step(number);
            watch.event(connection, time, event);
            let before = std::mem::replace(&mut size, watch.output_mut().size());
            if size > before {
                ends.push((number, size));
            }
        }
        part.numbers.clear();
        part.events.clear();
        let written = watch.output_mut().drain();
        if outputs.send(PartOutput { written, ends, part }).is_err() {
            break;
        }
    }
    watch.finish().0
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

        fn drain(&mut self) -> Piece {
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
