//! The recording: a bounded queue of traffic, and a thread that writes it as a capture.
//!
//! The queue is a pair of buffers: taps append to one while the thread writes the other. So in the
//! long run nothing is allocated, and a chunk costs one copy under a lock. A chunk that does not
//! fit is dropped and counted, and the recording has a gap of its size in its place: everything
//! that is recorded stays true.
//!
//! The thread writes whole blocks, a piece at a time. A piece that the file does not take, because
//! the disk is full, is lost as a whole: its chunks are counted and become gaps, too. With the next
//! piece the thread tries again.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::{Batch, Connection, Event, Tap, Time};
use enjamb_capture::{Recorder, RecorderLosses};

use crate::clock::now;
use crate::event_queue::{EventQueue, Missing, QueueLimits};
use crate::losses::{Cause, RecordingLosses};
use crate::notices::Notices;
use crate::settling::Deadline;
use crate::unit_writer::{FileTarget, Target, UnitWriter};

/// The number of bytes of chunks that may wait to be written; as many again may be in writing.
const BYTES_WAITING_MAX: usize = 64 << 20;

/// The number of events up to which chunks are queued.
const EVENTS_WAITING_MAX: usize = 1 << 17;

/// The limits of the queue.
const LIMITS: QueueLimits =
    QueueLimits { events_max: EVENTS_WAITING_MAX, ends_max: 2 * EVENTS_WAITING_MAX, bytes_max: BYTES_WAITING_MAX };

/// The number of comments that may wait to be written. The log has all of them.
const COMMENTS_WAITING_MAX: usize = 1 << 14;

/// The time that the thread lets a buffer fill before it writes it. A proxy that is killed loses
/// the events of that time.
const GATHER: Duration = Duration::from_millis(20);

/// The number of events, and of bytes, that are written without waiting for more.
const EVENTS_GATHERED: usize = EVENTS_WAITING_MAX / 8;
const BYTES_GATHERED: usize = BYTES_WAITING_MAX / 8;

/// The number of bytes that a buffer keeps in reserve.
const BYTES_RESERVED: usize = 1 << 20;

/// The number of bytes that are written, or lost, together.
const PIECE: usize = 1 << 18;

// One read is one packet.
const _: () = assert!(enjamb_net::relay::LONGEST_READ <= enjamb_capture::LONGEST_CHUNK);

/// A recording in progress.
pub(crate) struct Recording {
    shared: Arc<Shared>,
}

impl Recording {
    /// Starts to write to `file`, which is empty.
    pub(crate) fn start(file: File, notices: Notices) -> io::Result<Self> {
        Self::write_to(FileTarget::own(file), notices)
    }

    fn write_to(target: impl Target, notices: Notices) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), notices });
        let writer = Writer {
            recorder: Recorder::resumable(),
            out: UnitWriter::new(target),
            piece: RecordingLosses::default(),
            shared: Arc::clone(&shared),
        };
        std::thread::Builder::new().name("enjamb-record".to_owned()).spawn(move || writer.run())?;
        Ok(Self { shared })
    }

    /// Returns the queue, which makes taps.
    pub(crate) fn queue(&self) -> RecordingQueue {
        RecordingQueue(Arc::clone(&self.shared))
    }

    /// Waits until everything is written, at most until the deadline. Returns the losses of the
    /// recording, and whether the file has its end.
    pub(crate) fn finish(self, deadline: &Deadline) -> (RecordingLosses, bool) {
        self.shared.lock().ended = true;
        self.shared.wake.notify_one();
        deadline.wait_until(|| self.shared.lock().has_finished);
        let state = self.shared.lock();
        let mut losses = state.losses;
        if !state.has_finished {
            losses.add(state.in_writing);
            state.queue.waiting.iter().for_each(|(_, _, event)| losses.count(event));
        }
        (losses, state.has_finished)
    }
}

/// Makes the taps that record. Clones belong to the same recording.
#[derive(Clone)]
pub(crate) struct RecordingQueue(Arc<Shared>);

impl RecordingQueue {
    /// A tap that records one connection, which was accepted on `listener`.
    pub(crate) fn tap(&self, listener: Option<SocketAddr>) -> Box<dyn Tap + Send> {
        Box::new(RecordingTap { shared: Arc::clone(&self.0), listener, missing: Missing::default(), is_open: false })
    }

    /// Continues the recording in another file, behind its content.
    pub(crate) fn continue_in(&self, file: File) {
        self.0.lock().next_file = Some(file);
        self.0.wake.notify_one();
    }

    /// Puts a comment on the packet that comes next on a connection.
    pub(crate) fn comment(&self, number: u64, text: String) {
        let mut state = self.0.lock();
        if state.comments.len() < COMMENTS_WAITING_MAX {
            let place = state.queue.waiting.len();
            state.comments.push(Comment { place, number, text });
        }
    }

    /// Returns the losses so far.
    pub(crate) fn losses(&self) -> RecordingLosses {
        self.0.lock().losses
    }
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    notices: Notices,
}

struct State {
    queue: EventQueue,
    /// The numbers and the listeners of the connections that are opened in the queue.
    listeners: Vec<(u64, SocketAddr)>,
    comments: Vec<Comment>,
    losses: RecordingLosses,
    /// The traffic that the thread has taken and not yet written.
    in_writing: RecordingLosses,
    /// The file in which the recording continues.
    next_file: Option<File>,
    ended: bool,
    has_finished: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            queue: EventQueue::new(LIMITS),
            listeners: Vec::new(),
            comments: Vec::new(),
            losses: RecordingLosses::default(),
            in_writing: RecordingLosses::default(),
            next_file: None,
            ended: false,
            has_finished: false,
        }
    }
}

/// A comment on the packet that comes next on a connection.
struct Comment {
    /// The number of events in the queue before it.
    place: usize,
    /// The number of the connection.
    number: u64,
    text: String,
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

    /// Waits for something to write, or for another file, to be used after that. `None`: nothing is
    /// left, and nothing will be appended.
    fn take(
        &self,
        batch: &mut Batch,
        listeners: &mut Vec<(u64, SocketAddr)>,
        comments: &mut Vec<Comment>,
    ) -> Option<Option<File>> {
        let state = self.lock();
        let idle = |state: &mut State| state.queue.waiting.is_empty() && !state.ended && state.next_file.is_none();
        let state = self.wake.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let gathering = |state: &mut State| !is_ripe(&state.queue.waiting) && !state.ended && state.next_file.is_none();
        let (mut state, _) =
            self.wake.wait_timeout_while(state, GATHER, gathering).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(batch, &mut state.queue.waiting);
        std::mem::swap(listeners, &mut state.listeners);
        std::mem::swap(comments, &mut state.comments);
        state.in_writing = RecordingLosses::default();
        batch.iter().for_each(|(_, _, event)| state.in_writing.count(event));
        let next_file = state.next_file.take();
        (!batch.is_empty() || next_file.is_some()).then_some(next_file)
    }

    /// Counts an event of a connection whose opening was not queued.
    fn lose(&self, event: Event<'_>) {
        let mut losses = RecordingLosses::default();
        losses.count(event);
        let losses = losses.of_chunks();
        if !losses.is_empty() {
            self.lock().losses.add(losses);
            self.notices.recording_loss(losses, Cause::Slow);
        }
    }

    /// Queues an event, and wakes the thread if that is useful: the thread sleeps without end when
    /// nothing is waiting, and for a moment when not much is. Returns whether there was room.
    fn push(
        &self,
        connection: &Connection,
        time: Time,
        event: Event<'_>,
        listener: Option<SocketAddr>,
        missing: &mut Missing,
    ) -> bool {
        let mut state = self.lock();
        let progress = |state: &State| (state.queue.waiting.is_empty(), is_ripe(&state.queue.waiting));
        let before = progress(&state);
        let is_queued = state.queue.push(connection, time, event, missing);
        let mut lost = RecordingLosses::default();
        if !is_queued {
            lost.count(event);
            state.losses.add(lost);
        } else if event == Event::Open {
            state.listeners.extend(listener.map(|listener| (connection.number, listener)));
        }
        let after = progress(&state);
        drop(state);
        if before != after {
            self.wake.notify_one();
        }
        if !lost.is_empty() {
            self.notices.recording_loss(lost, Cause::Slow);
        }
        is_queued
    }
}

impl RecordingLosses {
    /// Counts an event.
    fn count(&mut self, event: Event<'_>) {
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

    /// Returns only the chunks and their bytes.
    fn of_chunks(self) -> Self {
        Self { connections: 0, ends: 0, ..self }
    }

    /// Returns these losses without `other`.
    fn without(self, other: Self) -> Self {
        Self {
            chunks: self.chunks.saturating_sub(other.chunks),
            bytes: self.bytes.saturating_sub(other.bytes),
            connections: self.connections.saturating_sub(other.connections),
            ends: self.ends.saturating_sub(other.ends),
        }
    }
}

impl From<RecorderLosses> for RecordingLosses {
    fn from(losses: RecorderLosses) -> Self {
        Self { connections: losses.connections, ends: losses.ends, ..Self::default() }
    }
}

/// The thread that writes.
struct Writer<T> {
    recorder: Recorder<Vec<u8>>,
    out: UnitWriter<T>,
    /// The traffic in the current piece.
    piece: RecordingLosses,
    shared: Arc<Shared>,
}

impl<T: Target> Writer<T> {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let (mut batch, mut listeners, mut comments) = (Batch::default(), Vec::new(), Vec::new());
        // The header first, so that the file is a capture from the beginning.
        self.write_piece();
        while let Some(next_file) = shared.take(&mut batch, &mut listeners, &mut comments) {
            let mut accepted = listeners.drain(..).peekable();
            let mut comments = comments.drain(..).peekable();
            for (place, (connection, time, event)) in batch.iter().enumerate() {
                while let Some(comment) = comments.next_if(|comment| comment.place <= place) {
                    self.recorder.comment(comment.number, &comment.text);
                }
                if self.recorder.is_lagging() && self.recorder.uncommitted().is_empty() {
                    self.recorder.recover(time);
                }
                if event == Event::Open
                    && let Some((number, listener)) = accepted.next_if(|(number, _)| *number == connection.number)
                {
                    self.recorder.set_listener(number, listener);
                }
                self.recorder.event(connection, time, event);
                self.piece.count(event);
                if self.recorder.uncommitted().len() >= PIECE {
                    self.write_piece();
                }
            }
            for comment in comments {
                self.recorder.comment(comment.number, &comment.text);
            }
            drop(accepted);
            self.write_piece();
            if let Some(file) = next_file {
                self.out.continue_in(file);
                self.recorder.restart();
                self.recorder.recover(now());
                self.write_piece();
            }
            batch.clear();
            batch.shrink_to(EVENTS_GATHERED, BYTES_RESERVED);
        }
        if self.recorder.is_lagging() {
            self.recorder.recover(now());
            self.write_piece();
        }
        let lacking = self.recorder.lacking().into();
        let mut state = shared.lock();
        state.losses.add(lacking);
        state.has_finished = self.out.rest_len() == 0;
        drop(state);
        if !RecordingLosses::is_empty(&lacking) {
            shared.notices.recording_loss(lacking, Cause::Slow);
        }
    }

    /// Writes everything since the last piece.
    fn write_piece(&mut self) {
        let Self { recorder, out, piece, shared } = self;
        let piece = std::mem::take(piece);
        let bytes = recorder.uncommitted();
        if bytes.is_empty() {
            // The ends of connections may have no packets.
            if !recorder.is_lagging() {
                recorder.commit();
            }
            return;
        }
        // A pipe takes a few bytes at a time. If it took a part, the rest follows before anything
        // else.
        let whole = |at: usize| (0, if at == 0 { 0 } else { bytes.len() });
        let result = out.write(bytes, whole);
        match result {
            Err(failed) if failed.kept == 0 => {
                let mut losses = piece.of_chunks();
                losses.add(recorder.roll_back().into());
                let mut state = shared.lock();
                state.losses.add(losses);
                state.in_writing = state.in_writing.without(piece);
                drop(state);
                // The header alone is no loss: it is written with the next piece.
                if !losses.is_empty() {
                    shared.notices.recording_loss(losses, Cause::Refused(failed.error.to_string()));
                }
            }
            _ => {
                recorder.commit();
                let mut state = shared.lock();
                state.in_writing = state.in_writing.without(piece);
            }
        }
    }
}

/// Records one connection.
struct RecordingTap {
    shared: Arc<Shared>,
    listener: Option<SocketAddr>,
    missing: Missing,
    /// Whether its opening was queued. Without the opening no event is queued.
    is_open: bool,
}

impl Tap for RecordingTap {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if event == Event::Open || self.is_open {
            let is_queued = self.shared.push(connection, time, event, self.listener, &mut self.missing);
            self.is_open |= is_queued;
        } else {
            self.shared.lose(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;

    use enjamb::transcript::{Content, Entry};
    use enjamb::{Ending, Side};
    use enjamb_capture::{Options, read};

    use super::*;
    use crate::settling::SETTLE_MAX;
    use crate::unit_writer::tests::Disk;

    fn connection() -> Connection {
        Connection { number: 1, client: "127.0.0.1:40000".parse().unwrap(), server: "127.0.0.1:6379".parse().unwrap() }
    }

    fn notices() -> Notices {
        Notices::new("test").silent(true)
    }

    /// A file that blocks until its channel is closed, and sends its bytes when it is dropped.
    struct BlockedFile(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>, Vec<u8>);

    impl io::Write for BlockedFile {
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

    impl Target for BlockedFile {}

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
        let recording = Recording::write_to(BlockedFile(waits, file, Vec::new()), notices()).unwrap();
        let mut tap = recording.queue().tap(None);
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
        let (losses, is_whole) = recording.finish(&Deadline::after(10 * SETTLE_MAX));
        assert!(is_whole);
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

    /// The bytes, the missing bytes and the ending of each side of each connection, by the port of
    /// the client. The bytes are compared with what `byte_at` says.
    #[derive(Default)]
    struct Streams(BTreeMap<u16, [(u64, u64, Option<Ending>); 2]>);

    /// The byte at an offset of a stream. So bytes at a wrong offset are found.
    fn byte_at(port: u16, side: Side, offset: u64) -> u8 {
        (offset.wrapping_mul(31) >> 3) as u8 ^ port as u8 ^ side.index() as u8
    }

    impl Tap for Streams {
        fn event(&mut self, found: &Connection, _: Time, event: Event<'_>) {
            let port = found.client.port();
            let streams = self.0.entry(port).or_default();
            match event {
                Event::Chunk { side, bytes } => {
                    let (present, missing, _) = &mut streams[side.index()];
                    for (at, byte) in bytes.iter().enumerate() {
                        let offset = *present + *missing + at as u64;
                        assert_eq!(*byte, byte_at(port, side, offset), "{port} {side:?} at {offset}");
                    }
                    *present += bytes.len() as u64;
                }
                Event::Gap { side, missing } => streams[side.index()].1 += missing,
                Event::Close { side, ending } => streams[side.index()].2 = Some(ending),
                Event::Open | Event::Done => {}
            }
        }
    }

    /// A connection with its tap, the bytes that each side has sent, and whether it has ended.
    struct OpenConnection(Connection, Box<dyn Tap + Send>, [u64; 2], [bool; 2]);

    #[test]
    fn traffic_that_a_full_disk_costs_is_counted_and_every_recorded_byte_has_its_place() {
        for seed in 0..24_u64 {
            let mut random = seed * 2 + 1;
            let mut next = move |below: u64| {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                (random >> 33) % below
            };
            let can_cut = seed % 3 > 0;
            let disk = Disk::new(next(3_000) as usize, can_cut);
            let recording = Recording::write_to(disk.clone(), notices()).unwrap();
            let queue = recording.queue();
            let mut open: Vec<OpenConnection> = Vec::new();
            let mut expected = BTreeMap::new();
            let (mut chunks, mut time) = (0, 0);
            for step in 0..400_u16 {
                time += 1_000;
                let time = Time::from_nanos(time);
                match next(12) {
                    0 | 1 => {
                        let mut connection = connection();
                        connection.number = u64::from(step) + 1;
                        connection.client.set_port(20_000 + step);
                        let mut tap = queue.tap(Some(([127, 0, 0, 1], 7000).into()));
                        tap.event(&connection, time, Event::Open);
                        open.push(OpenConnection(connection, tap, [0; 2], [false; 2]));
                    }
                    2 if !open.is_empty() => {
                        let OpenConnection(connection, mut tap, sent, closed) =
                            open.swap_remove(next(open.len() as u64) as usize);
                        let ending = [Ending::Closed, Ending::Reset][next(2) as usize];
                        for side in Side::BOTH {
                            if !closed[side.index()] {
                                tap.event(&connection, time, Event::Close { side, ending });
                            }
                        }
                        tap.event(&connection, time, Event::Done);
                        expected.insert(connection.client.port(), sent);
                    }
                    3 if !open.is_empty() => {
                        let at = next(open.len() as u64) as usize;
                        let OpenConnection(connection, tap, _, closed) = &mut open[at];
                        let side = Side::BOTH[next(2) as usize];
                        if !std::mem::replace(&mut closed[side.index()], true) {
                            tap.event(connection, time, Event::Close { side, ending: Ending::Closed });
                        }
                    }
                    4 if next(4) == 0 => disk.set_room(next(6_000) as usize),
                    5 if next(4) == 0 => std::thread::sleep(2 * GATHER),
                    _ if !open.is_empty() => {
                        let at = next(open.len() as u64) as usize;
                        let OpenConnection(connection, tap, sent, closed) = &mut open[at];
                        let side = Side::BOTH[next(2) as usize];
                        if !closed[side.index()] {
                            let (port, from) = (connection.client.port(), sent[side.index()]);
                            let bytes: Vec<u8> = (0..1 + next(300)).map(|at| byte_at(port, side, from + at)).collect();
                            tap.event(connection, time, Event::Chunk { side, bytes: &bytes });
                            sent[side.index()] += bytes.len() as u64;
                            chunks += 1;
                        }
                    }
                    _ => {}
                }
            }
            std::thread::sleep(2 * GATHER);
            disk.set_room(1 << 30);
            for OpenConnection(connection, mut tap, sent, closed) in open {
                for side in Side::BOTH {
                    if !closed[side.index()] {
                        tap.event(&connection, Time::from_nanos(time), Event::Close { side, ending: Ending::Closed });
                    }
                }
                tap.event(&connection, Time::from_nanos(time), Event::Done);
                expected.insert(connection.client.port(), sent);
            }
            let (losses, is_whole) = recording.finish(&Deadline::after(10 * SETTLE_MAX));
            assert!(is_whole && losses.ends == 0 && losses.chunks <= chunks);

            let mut streams = Streams::default();
            let report = read(&disk.content()[..], &mut streams, &Options::default());
            assert!(report.error.is_none(), "seed {seed}: {:?}", report.error);
            assert_eq!(streams.0.len() as u64 + losses.connections, expected.len() as u64, "seed {seed}");
            let (mut present_total, mut sent_total) = (0, 0);
            for (port, sent) in &expected {
                sent_total += sent[0] + sent[1];
                let Some(found) = streams.0.get(port) else { continue };
                for side in 0..2 {
                    let (present, missing, ending) = found[side];
                    assert_eq!(present + missing, sent[side], "seed {seed}, {port}, side {side}");
                    assert!(ending.is_some(), "seed {seed}, {port}, side {side} has no end");
                    present_total += present;
                }
            }
            assert_eq!(sent_total - present_total, losses.bytes, "seed {seed}");
        }
    }

    #[test]
    fn a_file_that_never_takes_anything_costs_everything_and_all_of_it_is_counted() {
        let recording = Recording::write_to(Disk::new(0, true), notices()).unwrap();
        let mut tap = recording.queue().tap(None);
        tap.event(&connection(), Time::from_nanos(1), Event::Open);
        for _ in 0..10 {
            tap.event(&connection(), Time::from_nanos(2), Event::Chunk { side: Side::Client, bytes: b"bytes" });
        }
        tap.event(&connection(), Time::from_nanos(3), Event::Done);
        let (losses, _) = recording.finish(&Deadline::after(SETTLE_MAX));
        assert_eq!((losses.chunks, losses.bytes, losses.connections), (10, 50, 1));
    }
}
