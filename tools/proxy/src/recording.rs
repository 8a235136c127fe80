//! The recording: a bounded queue of traffic, and a thread that writes it as a capture.
//!
//! The queue is a pair of buffers: taps append to one while the thread writes the other. So in the
//! long run nothing is allocated, and a chunk costs one copy under a lock. A chunk that does not
//! fit is dropped and counted, and the recording has a gap of its size in its place: everything
//! that is recorded stays true. The thread flushes the file after each buffer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::{Batch, Connection, Event, Tap, Time};
use enjamb_capture::Recorder;

use crate::event_queue::{EventQueue, Missing, QueueLimits, miss};
use crate::settling::Deadline;

/// The number of bytes of chunks that may wait to be written; as many again may be in writing.
const BYTES_WAITING_MAX: usize = 64 << 20;

/// The number of events up to which chunks are queued.
const EVENTS_WAITING_MAX: usize = 1 << 17;

/// The limits of the queue.
const LIMITS: QueueLimits =
    QueueLimits { events_max: EVENTS_WAITING_MAX, ends_max: 2 * EVENTS_WAITING_MAX, bytes_max: BYTES_WAITING_MAX };

/// The time that the thread lets a buffer fill before it writes it. A proxy that is killed loses
/// the events of that time.
const GATHER: Duration = Duration::from_millis(20);

/// The number of events, and of bytes, that are written without waiting for more.
const EVENTS_GATHERED: usize = EVENTS_WAITING_MAX / 8;
const BYTES_GATHERED: usize = BYTES_WAITING_MAX / 8;

/// The number of bytes that a buffer keeps in reserve.
const BYTES_RESERVED: usize = 1 << 20;

// One read is one packet.
const _: () = assert!(enjamb_net::relay::LONGEST_READ <= enjamb_capture::LONGEST_CHUNK);

/// A recording in progress.
pub(crate) struct Recording {
    shared: Arc<Shared>,
}

/// Counts of the losses of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordingLosses {
    /// Chunks that did not fit. They are gaps in the recording.
    pub(crate) chunks: u64,
    /// The bytes of those chunks.
    pub(crate) bytes: u64,
    /// Connections that are missing as a whole.
    pub(crate) connections: u64,
    /// Ends of streams and of connections.
    pub(crate) ends: u64,
}

impl Recording {
    /// Starts to write to `file`.
    pub(crate) fn start(file: File) -> io::Result<Self> {
        Self::write_to(BufWriter::with_capacity(1 << 16, file))
    }

    fn write_to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        std::thread::Builder::new().name("enjamb-record".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let result = shared.write_all(Recorder::new(out));
                shared.lock().result = Some(result);
            }
        })?;
        Ok(Self { shared })
    }

    /// Returns the queue, which makes taps.
    pub(crate) fn queue(&self) -> RecordingQueue {
        RecordingQueue(Arc::clone(&self.shared))
    }

    /// Waits until everything is written, at most until the deadline. Returns the losses of the
    /// recording, and the reason why the file could not be written.
    pub(crate) fn finish(self, deadline: &Deadline) -> (RecordingLosses, io::Result<()>) {
        self.shared.lock().ended = true;
        self.shared.wake.notify_one();
        deadline.wait_until(|| self.shared.lock().result.is_some());
        let mut state = self.shared.lock();
        let late = || Err(io::Error::new(io::ErrorKind::TimedOut, "its end was not written in time"));
        (state.losses, state.result.take().unwrap_or_else(late))
    }
}

/// Makes the taps that record.
pub(crate) struct RecordingQueue(Arc<Shared>);

impl RecordingQueue {
    /// A tap that records one connection.
    pub(crate) fn tap(&self) -> Box<dyn Tap + Send> {
        Box::new(RecordingTap { shared: Arc::clone(&self.0), missing: Missing::default(), is_open: false })
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    queue: EventQueue,
    losses: RecordingLosses,
    ended: bool,
    /// Whether the file cannot be written, so that nothing more is queued.
    broken: bool,
    /// The result of the thread, once it has ended.
    result: Option<io::Result<()>>,
}

impl Default for State {
    fn default() -> Self {
        let (queue, losses) = (EventQueue::new(LIMITS), RecordingLosses::default());
        Self { queue, losses, ended: false, broken: false, result: None }
    }
}

/// Returns whether there is so much to write that waiting for more gains nothing.
fn is_ripe(batch: &Batch) -> bool {
    batch.len() >= EVENTS_GATHERED || batch.payload_len() >= BYTES_GATHERED
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the buffers would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the thread that writes.
    fn write_all<W: Write>(&self, mut recorder: Recorder<W>) -> io::Result<()> {
        // The header first, so that the file is a capture from the beginning.
        recorder.flush();
        let mut batch = Batch::default();
        while recorder.error().is_none() && self.take(&mut batch) {
            batch.play(&mut recorder);
            recorder.flush();
            batch.clear();
            batch.shrink_to(EVENTS_GATHERED, BYTES_RESERVED);
        }
        self.lock().broken = true;
        recorder.finish().map(drop)
    }

    /// Waits for something to write. `false`: nothing is left, and nothing will be appended.
    fn take(&self, batch: &mut Batch) -> bool {
        let state = self.lock();
        let idle = |state: &mut State| state.queue.waiting.is_empty() && !state.ended;
        let state = self.wake.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let gathering = |state: &mut State| !is_ripe(&state.queue.waiting) && !state.ended;
        let (mut state, _) =
            self.wake.wait_timeout_while(state, GATHER, gathering).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(batch, &mut state.queue.waiting);
        !batch.is_empty()
    }

    /// Queues an event, and wakes the thread if that is useful: the thread sleeps without end when
    /// nothing is waiting, and for a moment when not much is. Returns whether there was room.
    fn push(&self, connection: &Connection, time: Time, event: Event<'_>, missing: &mut Missing) -> bool {
        let mut state = self.lock();
        let progress = |state: &State| (state.queue.waiting.is_empty(), is_ripe(&state.queue.waiting));
        let before = progress(&state);
        let is_queued = if state.broken {
            miss(event, missing);
            false
        } else {
            state.queue.push(connection, time, event, missing)
        };
        if !is_queued {
            state.losses.add(event);
        }
        let after = progress(&state);
        drop(state);
        if before != after {
            self.wake.notify_one();
        }
        is_queued
    }
}

impl RecordingLosses {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Open => self.connections += 1,
            Event::Chunk { bytes, .. } => {
                self.chunks += 1;
                self.bytes += bytes.len() as u64;
            }
            // It is queued with the next event of its side.
            Event::Gap { .. } => {}
            Event::Close { .. } | Event::Done => self.ends += 1,
        }
    }
}

/// Records one connection.
struct RecordingTap {
    shared: Arc<Shared>,
    missing: Missing,
    /// Whether its opening was queued. Without the opening no event is queued.
    is_open: bool,
}

impl Tap for RecordingTap {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if event == Event::Open || self.is_open {
            let is_queued = self.shared.push(connection, time, event, &mut self.missing);
            self.is_open |= is_queued;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use enjamb::transcript::{Content, Entry};
    use enjamb::{Ending, Side};
    use enjamb_capture::{Options, read};

    use super::*;
    use crate::settling::SETTLE_MAX;

    fn connection() -> Connection {
        Connection { number: 1, client: "127.0.0.1:40000".parse().unwrap(), server: "127.0.0.1:6379".parse().unwrap() }
    }

    /// A file that blocks until its channel is closed, and sends its bytes when it is dropped.
    struct BlockedFile(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>, Vec<u8>);

    impl Write for BlockedFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error is a closed channel.
            let _ = self.0.recv();
            self.2.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Drop for BlockedFile {
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
    fn a_chunk_without_room_is_counted_and_recorded_as_a_gap_of_its_size() {
        const CHUNK: usize = 60_000;
        let (go_on, waits) = mpsc::channel();
        let (file, files) = mpsc::channel();
        let recording = Recording::write_to(BlockedFile(waits, file, Vec::new())).unwrap();
        let mut tap = recording.queue().tap();
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
        let (losses, result) = recording.finish(&Deadline::after(10 * SETTLE_MAX));
        result.unwrap();
        assert!(losses.chunks > 0 && losses.bytes == losses.chunks * CHUNK as u64);
        assert_eq!((losses.connections, losses.ends), (0, 0));

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
        assert_eq!((bytes + missing, missing), ((chunks * CHUNK) as u64, losses.bytes));
        assert!(bytes >= BYTES_WAITING_MAX as u64 - CHUNK as u64);
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_the_recording_with_its_error() {
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
        let mut tap = recording.queue().tap();
        tap.event(&connection(), Time::from_nanos(1), Event::Open);
        for _ in 0..10 {
            tap.event(&connection(), Time::from_nanos(2), Event::Chunk { side: Side::Client, bytes: b"bytes" });
        }
        tap.event(&connection(), Time::from_nanos(3), Event::Done);
        let (_, result) = recording.finish(&Deadline::after(SETTLE_MAX));
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
