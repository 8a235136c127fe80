//! The recording: what passed, by way of a bounded queue, to a thread that writes it as a capture.
//!
//! The queue is a pair of buffers: taps append to one while the thread writes the other, so that in the long run nothing is allocated, and a
//! chunk costs one copy under a lock. A chunk that there is no room for is dropped and counted, and stands in the recording
//! as a gap of its size where it was: what is recorded stays true. The thread flushes the file after each buffer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use enjamb::{Batch, Connection, Event, Side, Tap, Time};
use enjamb_capture::Recorder;

/// How many bytes of chunks may wait to be written, and as many may be being written.
const BYTES_WAITING_MAX: usize = 64 << 20;

/// How many events may wait for chunks to be taken still.
const EVENTS_WAITING_MAX: usize = 1 << 17;

/// And how many for anything else: with it goes a connection, or an end.
const ENDS_WAITING_MAX: usize = 2 * EVENTS_WAITING_MAX;

/// How long the thread lets a buffer fill before it writes it: what a proxy that is killed may owe its recording.
const GATHER: Duration = Duration::from_millis(20);

/// How many events, and how many bytes, are not left to gather.
const EVENTS_GATHERED: usize = EVENTS_WAITING_MAX / 8;
const BYTES_GATHERED: usize = BYTES_WAITING_MAX / 8;

/// How many bytes a buffer keeps in reserve.
const BYTES_KEPT: usize = 1 << 20;

// One read is one packet.
const _: () = assert!(enjamb_net::LONGEST_READ <= enjamb_capture::LONGEST_CHUNK);

/// A recording in progress.
pub(crate) struct Recording {
    queue: Arc<Queue>,
    thread: JoinHandle<io::Result<()>>,
}

/// What the recording lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Chunks there was no room for; they stand in the recording as gaps.
    pub(crate) chunks: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Connections that are missing as a whole.
    pub(crate) connections: u64,
    /// Ends of streams and of connections.
    pub(crate) ends: u64,
}

impl Recording {
    /// Begins to write to `file`.
    pub(crate) fn begin(file: File) -> io::Result<Self> {
        Self::write_to(BufWriter::with_capacity(1 << 16, file))
    }

    fn write_to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let thread = std::thread::Builder::new().name("enjamb-record".to_owned()).spawn({
            let queue = Arc::clone(&queue);
            move || queue.write_all(Recorder::new(out))
        })?;
        Ok(Self { queue, thread })
    }

    /// What makes taps for it.
    pub(crate) fn recorders(&self) -> Recorders {
        Recorders(Arc::clone(&self.queue))
    }

    /// Writes what is waiting. What is lacking, and why the file could not be written.
    pub(crate) fn finish(self) -> (Lacking, io::Result<()>) {
        self.queue.lock().ended = true;
        self.queue.wake.notify_one();
        let result = self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the recorder panicked")));
        (self.queue.lock().lacking, result)
    }
}

/// Makes the taps that record.
pub(crate) struct Recorders(Arc<Queue>);

impl Recorders {
    /// A tap that records one connection.
    pub(crate) fn tap(&self) -> Box<dyn Tap + Send> {
        Box::new(Recorded { queue: Arc::clone(&self.0), missing: [0; 2], is_open: false })
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    lacking: Lacking,
    ended: bool,
    /// The file cannot be written: nothing is taken any more.
    broken: bool,
}

/// Is there enough to write that waiting for more gains nothing?
fn is_ripe(batch: &Batch) -> bool {
    batch.len() >= EVENTS_GATHERED || batch.payload_len() >= BYTES_GATHERED
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the buffers would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn write_all<W: Write>(&self, mut recorder: Recorder<W>) -> io::Result<()> {
        // The beginning of the file, so that it is one from the beginning.
        recorder.flush();
        let mut batch = Batch::default();
        while recorder.error().is_none() && self.take(&mut batch) {
            batch.play(&mut recorder);
            recorder.flush();
            batch.clear();
            batch.shrink_to(EVENTS_GATHERED, BYTES_KEPT);
        }
        self.lock().broken = true;
        recorder.finish().map(drop)
    }

    /// Waits for something to write. `false`: nothing is left, and nothing comes any more.
    fn take(&self, batch: &mut Batch) -> bool {
        let state = self.lock();
        let idle = |state: &mut State| state.waiting.is_empty() && !state.ended;
        let state = self.wake.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let gathering = |state: &mut State| !is_ripe(&state.waiting) && !state.ended;
        let (mut state, _) =
            self.wake.wait_timeout_while(state, GATHER, gathering).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(batch, &mut state.waiting);
        !batch.is_empty()
    }

    /// Lets something be appended, and wakes the thread where that makes a difference to it: it sleeps without end when nothing is
    /// waiting, and for a moment when not much is.
    fn append<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = (state.waiting.is_empty(), is_ripe(&state.waiting));
        let result = what(&mut state);
        let after = (state.waiting.is_empty(), is_ripe(&state.waiting));
        drop(state);
        if before != after {
            self.wake.notify_one();
        }
        result
    }
}

impl State {
    fn open(&mut self, connection: &Connection, time: Time) -> bool {
        let room = self.has_room_for_ends();
        if room {
            self.waiting.event(connection, time, Event::Open);
        } else {
            self.lacking.connections += 1;
        }
        room
    }

    fn chunk(&mut self, connection: &Connection, time: Time, side: Side, bytes: &[u8], missing: &mut u64) {
        let fits =
            self.waiting.len() < EVENTS_WAITING_MAX && self.waiting.payload_len() + bytes.len() <= BYTES_WAITING_MAX;
        if fits && !self.broken {
            self.gap(connection, time, side, missing);
            self.waiting.event(connection, time, Event::Chunk { side, bytes });
        } else {
            *missing += bytes.len() as u64;
            self.lacking.chunks += 1;
            self.lacking.bytes += bytes.len() as u64;
        }
    }

    /// What is missing of a side goes in before anything else of it.
    fn gap(&mut self, connection: &Connection, time: Time, side: Side, missing: &mut u64) {
        match std::mem::take(missing) {
            0 => {}
            missing => self.waiting.event(connection, time, Event::Gap { side, missing }),
        }
    }

    /// The end of a side, or of the connection: what is missing up to there is recorded before it.
    fn end(&mut self, connection: &Connection, time: Time, end: Event<'_>, missing: &mut [u64; 2]) {
        if self.has_room_for_ends() {
            for side in Side::BOTH {
                self.gap(connection, time, side, &mut missing[side.index()]);
            }
            self.waiting.event(connection, time, end);
        } else {
            self.lacking.ends += 1;
        }
    }

    fn has_room_for_ends(&self) -> bool {
        self.waiting.len() < ENDS_WAITING_MAX && !self.broken
    }
}

/// The tap of one connection.
struct Recorded {
    queue: Arc<Queue>,
    /// Bytes of each side that were dropped, and for which no gap has been recorded yet.
    missing: [u64; 2],
    /// Its beginning was recorded: without one nothing is.
    is_open: bool,
}

impl Tap for Recorded {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let missing = &mut self.missing;
        match event {
            Event::Open => self.is_open = self.queue.append(|state| state.open(connection, time)),
            _ if !self.is_open => {}
            Event::Chunk { side, bytes } => {
                let missing = &mut missing[side.index()];
                self.queue.append(|state| state.chunk(connection, time, side, bytes, missing));
            }
            Event::Gap { side, missing: more } => missing[side.index()] += more,
            Event::Close { .. } | Event::Done => self.queue.append(|state| state.end(connection, time, event, missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use enjamb::Ending;
    use enjamb::transcript::{Content, Entry};
    use enjamb_capture::{Options, read};

    use super::*;

    fn connection() -> Connection {
        Connection { number: 1, client: "127.0.0.1:40000".parse().unwrap(), server: "127.0.0.1:6379".parse().unwrap() }
    }

    /// A file that stands still until it is told to go on.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>, Vec<u8>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A closed channel is one that goes on for ever.
            let _ = self.0.recv();
            self.2.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Drop for Stuck {
        fn drop(&mut self) {
            self.1.send(std::mem::take(&mut self.2)).unwrap();
        }
    }

    #[derive(Default)]
    struct Entries(Vec<Entry>);

    impl Tap for Entries {
        fn event(&mut self, found: &Connection, time: Time, event: Event<'_>) {
            if event == Event::Open {
                assert_eq!((found, time), (&connection(), Time::from_nanos(1)));
            }
            self.0.extend(Entry::of_event(time, event));
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_and_is_a_gap_of_its_size() {
        const CHUNK: usize = 60_000;
        let (go_on, waits) = mpsc::channel();
        let (file, files) = mpsc::channel();
        let recording = Recording::write_to(Stuck(waits, file, Vec::new())).unwrap();
        let mut tap = recording.recorders().tap();
        tap.event(&connection(), Time::from_nanos(1), Event::Open);
        let chunks = 2 * BYTES_WAITING_MAX / CHUNK + 100;
        for at in 0..chunks {
            tap.event(
                &connection(),
                Time::from_nanos(2 + at as u64),
                Event::Chunk { side: Side::Client, bytes: &[at as u8; CHUNK] },
            );
        }
        let closed = Event::Close { side: Side::Client, ending: Ending::Closed };
        tap.event(&connection(), Time::from_nanos(1 << 40), closed);
        tap.event(&connection(), Time::from_nanos(1 << 40), Event::Done);
        drop(go_on);
        let (lacking, result) = recording.finish();
        result.unwrap();
        assert!(lacking.chunks > 0 && lacking.bytes == lacking.chunks * CHUNK as u64);
        assert_eq!((lacking.connections, lacking.ends), (0, 0));

        let file = files.recv().unwrap();
        let mut entries = Entries::default();
        let report = read(&file[..], &mut entries, &Options::default());
        assert!(report.error.is_none());
        let (mut bytes, mut missing) = (0, 0);
        for Entry { content, .. } in &entries.0 {
            match content {
                Content::Chunk(chunk) => {
                    assert_eq!(*chunk, [((bytes + missing) / CHUNK as u64) as u8; CHUNK], "each where it was");
                    bytes += chunk.len() as u64;
                }
                Content::Gap(gap) => missing += gap,
                Content::Close(ending) => assert_eq!(*ending, Ending::Closed),
            }
        }
        assert_eq!((bytes + missing, missing), ((chunks * CHUNK) as u64, lacking.bytes));
        assert!(bytes >= BYTES_WAITING_MAX as u64 - CHUNK as u64);
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_the_recording_and_nothing_else() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let recording = Recording::write_to(Full).unwrap();
        let mut tap = recording.recorders().tap();
        tap.event(&connection(), Time::from_nanos(1), Event::Open);
        for _ in 0..10 {
            tap.event(&connection(), Time::from_nanos(2), Event::Chunk { side: Side::Client, bytes: b"bytes" });
        }
        tap.event(&connection(), Time::from_nanos(3), Event::Done);
        let (_, result) = recording.finish();
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
