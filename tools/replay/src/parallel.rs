//! `-j`: sessions on several threads, and the same bytes written as by one.
//!
//! One thread reads packets and puts streams together, which is by far the smaller part of the work, and whose bounds are of all connections at a time; so what it
//! makes of a capture cannot depend on how many there are to help it. What it has to tell a tap is a *step*, and steps have numbers. Each goes to the
//! worker that the connection belongs to, which has sessions, records and statistics of its own.
//!
//! Steps are handed out in *rounds* of so many bytes, a batch for each worker, and what comes of a round is written in the order of its steps before the third one
//! after it begins. So the order is that of one thread, and what is under way is bounded: three rounds, and their records.
//!
//! Statistics are merged at the end. Where there are more kinds than are told apart, those that are depend on which came first, by the numbers of steps;
//! so a worker tells more of them apart than the whole does, and the counts are those of one thread unless it sees more than 4096.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use enjamb::{Batch, Connection, Event, Tap, Time};
use enjamb_monitor::{Output, Statistics, Watch};

/// How many bytes of payload a round has at most, but for its last step.
const ROUND_BYTES: usize = 512 << 10;

/// How many steps.
const ROUND_STEPS: usize = 4096;

/// How many rounds may be under way.
const ROUNDS_MAX: usize = 3;

/// The most threads by default: more have nothing to do, since one has to read for all of them.
const DEFAULT_MAX: usize = 8;

/// How many threads there are to be, if nothing is said.
pub(crate) fn default_jobs() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.min(NonZeroUsize::new(DEFAULT_MAX).unwrap_or(NonZeroUsize::MIN))
}

/// An output of a worker, which gives what it has written when it is asked for it.
pub(crate) trait Written: Output {
    /// Appends to `to` what was written since it was asked last.
    fn take(&mut self, to: &mut Vec<u8>);
}

/// A worker's part of a round: events, and the number of each.
#[derive(Default)]
struct Part {
    events: Batch,
    numbers: Vec<u64>,
}

/// What came of it.
#[derive(Default)]
struct Came {
    written: Vec<u8>,
    /// Which steps wrote anything, and where that ends.
    ends: Vec<(u64, usize)>,
    /// The part, to be filled again.
    part: Part,
}

struct Worker {
    part: Part,
    to: SyncSender<Part>,
    from: Receiver<Came>,
    thread: JoinHandle<Statistics>,
}

/// A tap that shares its work out among threads, and gives `write` what they write.
pub(crate) struct Parallel<F> {
    workers: Vec<Worker>,
    next: u64,
    steps: usize,
    bytes: usize,
    under_way: usize,
    write: F,
}

impl<F: FnMut(&[u8])> Parallel<F> {
    /// `jobs` threads, each with a watch that `make` makes there.
    pub(crate) fn new<O: Written>(
        jobs: NonZeroUsize,
        make: impl Fn() -> Watch<O> + Clone + Send + 'static,
        write: F,
    ) -> Self {
        let worker = |_| {
            let (to, parts) = sync_channel(ROUNDS_MAX);
            let (came, from) = sync_channel(ROUNDS_MAX);
            let make = make.clone();
            let thread = std::thread::spawn(move || work(make().sharing(), &parts, &came));
            Worker { part: Part::default(), to, from, thread }
        };
        let workers = (0..jobs.get()).map(worker).collect();
        Self { workers, next: 0, steps: 0, bytes: 0, under_way: 0, write }
    }

    /// Begins a round, and writes down what came of one if there are too many.
    fn hand_out(&mut self) {
        (self.steps, self.bytes) = (0, 0);
        for worker in 0..self.workers.len() {
            let part = std::mem::take(&mut self.workers[worker].part);
            if self.workers[worker].to.send(part).is_err() {
                self.fail(worker);
            }
        }
        self.under_way += 1;
        if self.under_way == ROUNDS_MAX {
            self.collect();
        }
    }

    /// Writes down what came of the oldest round, in the order of its steps.
    fn collect(&mut self) {
        let mut round: Vec<(Came, usize, usize)> = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            match self.workers[worker].from.recv() {
                Ok(came) => round.push((came, 0, 0)),
                Err(_) => self.fail(worker),
            }
        }
        self.under_way -= 1;
        let next =
            |(_, (came, place, _)): &(usize, &(Came, usize, usize))| came.ends.get(*place).map(|(step, _)| *step);
        while let Some((first, _)) = round.iter().enumerate().filter(|worker| next(worker).is_some()).min_by_key(next) {
            let (came, place, from) = &mut round[first];
            let (_, end) = came.ends[*place];
            (self.write)(&came.written[*from..end]);
            (*place, *from) = (*place + 1, end);
        }
        for (worker, (came, ..)) in self.workers.iter_mut().zip(round) {
            if worker.part.events.is_empty() {
                worker.part = came.part;
            }
        }
    }

    /// A worker is no more: it has panicked, and so does who waits for it.
    fn fail(&mut self, worker: usize) -> ! {
        let Worker { to, thread, .. } = self.workers.swap_remove(worker);
        drop(to);
        match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("a worker ends when it is told nothing more"),
        }
    }

    /// Writes down the rest: what was counted.
    pub(crate) fn finish(mut self) -> Statistics {
        self.hand_out();
        while self.under_way > 0 {
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

impl<F: FnMut(&[u8])> Tap for Parallel<F> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        // Neighbours are often of a kind, so they go to different workers.
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
}

/// Runs a worker until there is nothing more for it.
fn work<O: Written>(mut watch: Watch<O>, parts: &Receiver<Part>, came: &SyncSender<Came>) -> Statistics {
    while let Ok(mut part) = parts.recv() {
        let (mut written, mut ends) = (Vec::new(), Vec::new());
        for (&number, (connection, time, event)) in part.numbers.iter().zip(part.events.iter()) {
            watch.step(number);
            watch.event(connection, time, event);
            let before = written.len();
            watch.output_mut().take(&mut written);
            if written.len() > before {
                ends.push((number, written.len()));
            }
        }
        part.numbers.clear();
        part.events.clear();
        if came.send(Came { written, ends, part }).is_err() {
            break;
        }
    }
    watch.finish().0
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use enjamb::{Connection, Ending, Event, Message, Session, Side, Tap, Time};
    use enjamb_monitor::{Output, Record, Watch};

    use super::{Parallel, Written};

    /// Writes nothing.
    struct Silent;

    impl Output for Silent {
        fn record(&mut self, _: &Record<'_>) {}
    }

    impl Written for Silent {
        fn take(&mut self, _: &mut Vec<u8>) {}
    }

    /// Panics at a zero.
    struct Fragile;

    impl Session for Fragile {
        fn protocol(&self) -> &str {
            "fragile"
        }
        fn feed(&mut self, _: Side, chunk: &[u8], _: &mut dyn FnMut(&Message<'_>)) {
            assert!(!chunk.contains(&0), "a zero");
        }
        fn gap(&mut self, _: Side, _: u64, _: &mut dyn FnMut(&Message<'_>)) {}
        fn close(&mut self, _: Side, _: Ending, _: &mut dyn FnMut(&Message<'_>)) {}
        fn held(&self) -> usize {
            0
        }
    }

    #[test]
    #[should_panic(expected = "a zero")]
    fn what_panics_in_a_worker_panics_where_it_is_waited_for() {
        let make = || Watch::new(Arc::new(|_: &Connection| Box::new(Fragile) as Box<dyn Session>), Silent);
        let mut parallel = Parallel::new(NonZeroUsize::new(2).unwrap(), make, |_| {});
        let ends = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let connection = |number| Connection { number, client: ends.0, server: ends.1 };
        for number in 0..4 {
            parallel.event(&connection(number), Time::default(), Event::Open);
        }
        // Many rounds, so that it is found out on the way.
        for step in 0..200_u64 {
            parallel.event(
                &connection(step % 4),
                Time::default(),
                Event::Chunk { side: Side::Client, bytes: &[u8::from(step != 50); 64 << 10] },
            );
        }
        parallel.finish();
    }
}
