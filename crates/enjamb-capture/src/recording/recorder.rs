//! Writes conversations as a capture, for Wireshark and for [`read`](crate::read()).
//!
//! A relay receives bytes, not packets. So the recorder constructs packets around the bytes: a
//! handshake where a connection was opened, a segment for each chunk, a FIN or a RST where a side
//! ended. Sequence numbers, acknowledgement numbers and checksums are right: every segment
//! acknowledges everything that was recorded of the other side. A recording that is read back gives
//! the same chunks, gaps, endings and times.
//!
//! A gap is a jump in the sequence numbers, on an empty segment whose block states that packets
//! were lost before it (`epb_dropcount`). So a reader does not wait for the missing bytes.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::recording::packets::{self, Flag, SyntheticSegment};
use crate::recording::progress::{ConnectionState, Progress, Tuple};

/// The longest chunk that is recorded as one packet: 65,495 bytes. A longer chunk becomes several
/// packets, and that many chunks when it is read back.
pub const LONGEST_CHUNK: usize = packets::PAYLOAD_MAX;

/// The maximum number of bytes of one side that the other side has not acknowledged. Beyond it the
/// other side acknowledges them in a segment of its own.
const UNACKNOWLEDGED_MAX: u64 = 16 << 20;

/// The longest jump of sequence numbers. A longer gap becomes several jumps.
const JUMP_MAX: u64 = 1 << 30;

/// The maximum number of jumps of a gap. The part of a gap beyond 1 TiB is not recorded.
const JUMPS_MAX: u64 = 1 << 10;

/// The maximum number of connections that are done, and whose ends are still to be written after a
/// [`roll_back`](Recorder::roll_back).
const LAGGING_MAX: usize = 1 << 16;

/// The maximum length of the comment on a packet, in characters.
const NOTE_MAX: usize = 1 << 12;

/// A tap that writes pcapng.
///
/// Every packet is written with one `write_all`. So a file that a killed process leaves behind is
/// readable up to the packet that was being written. Put a buffer around a file to save calls, and
/// [`flush`](Self::flush) it from time to time. After a write error, nothing more is written, and
/// [`finish`](Self::finish) and [`error`](Self::error) return the error.
///
/// No two connections that are open at a time have the same addresses in the file. If the relay
/// listens on several addresses, one client may use one port for two connections. Then the second
/// one is recorded with the address of its [listener](Self::set_listener) as the server's, or with
/// another port of the client. A comment on its first packet has the real addresses.
///
/// A file has no mark for a side that is not closed when its connection is done, or that ended as
/// [`Ending::Lost`]. When the file is read back, such a connection is done at the end of the file.
/// A RST is written when both sides have ended.
///
/// # Disks that fill up
///
/// A [resumable](Self::resumable) recorder writes to memory. Its user moves the bytes to a file,
/// and [commits](Self::commit) them. If the file does not take them, the user drops them and calls
/// [`roll_back`](Self::roll_back). The recording then has gaps in their place, as soon as
/// [`recover`](Self::recover) is called and committed. The openings and ends of connections that
/// were lost are written then, too.
pub struct Recorder<W: Write> {
    out: W,
    connections: HashMap<u64, ConnectionState>,
    /// The connections that have these addresses in the file.
    tuples: HashMap<Tuple, u64>,
    /// The listener of the connection that is opened next, and the number of that connection.
    listener: Option<(u64, SocketAddr)>,
    block: Vec<u8>,
    error: Option<io::Error>,
    is_resumable: bool,
    /// Whether the header of the file was committed.
    has_section: bool,
    /// The connections that changed since the last commit.
    touched: Vec<u64>,
    /// The connections of which something was lost that is still to be noted in the file.
    lagging: Vec<u64>,
}

/// Parts of connections that a recording lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderLosses {
    /// The number of connections that are missing as a whole.
    pub connections: u64,
    /// The number of other connections whose end is missing.
    pub ends: u64,
}

impl<W: Write> Recorder<W> {
    /// Begins a file.
    pub fn new(out: W) -> Self {
        let mut recorder = Self {
            out,
            connections: HashMap::new(),
            tuples: HashMap::new(),
            listener: None,
            block: Vec::new(),
            error: None,
            is_resumable: false,
            has_section: false,
            touched: Vec::new(),
            lagging: Vec::new(),
        };
        packets::write_section(&mut recorder.block);
        recorder.write();
        recorder
    }

    /// Sets the address on which connection `number` was accepted. Call it before the connection is
    /// opened.
    pub fn set_listener(&mut self, number: u64, listener: SocketAddr) {
        self.listener = Some((number, listener));
    }

    /// Sets a comment for the next packet of connection `number`. Several comments are lines of
    /// one. Nothing happens if the connection is not open.
    pub fn comment(&mut self, number: u64, text: &str) {
        let Some(state) = self.connections.get_mut(&number) else { return };
        match &mut state.note {
            Some(note) if note.len() + text.len() < NOTE_MAX => {
                note.push('\n');
                note.push_str(text);
            }
            Some(_) => {}
            note => *note = Some(text.chars().take(NOTE_MAX).collect()),
        }
    }

    /// Returns the error after which nothing more was written.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Flushes the writer.
    pub fn flush(&mut self) {
        if self.error.is_none()
            && let Err(error) = self.out.flush()
        {
            self.error = Some(error);
        }
    }

    /// Ends the file and returns the writer.
    ///
    /// # Errors
    /// Something could not be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush();
        match self.error {
            None => Ok(self.out),
            Some(error) => Err(error),
        }
    }

    fn write(&mut self) {
        if self.error.is_none()
            && let Err(error) = self.out.write_all(&self.block)
        {
            self.error = Some(error);
        }
        self.block.clear();
    }

    /// Writes a segment of `side`, after `jump` bytes that are missing.
    fn segment(&mut self, number: u64, time: Time, side: Side, flag: Flag, payload: &[u8], jump: u64) {
        let Some(state) = self.connections.get_mut(&number) else {
            return;
        };
        if self.is_resumable && !std::mem::replace(&mut state.is_touched, true) {
            self.touched.push(number);
        }
        let (this, other) = (side.index(), (!side).index());
        let (client, server) = state.tuple;
        let (first, progress) = (state.first, &mut state.progress);
        progress.sent[this] += jump;
        let (source, destination) = if side == Side::Client { (client, server) } else { (server, client) };
        let place = |side: usize| first[side].wrapping_add(progress.sent[side] as u32);
        let segment = SyntheticSegment {
            source,
            destination,
            sequence: place(this),
            acknowledgement: (progress.sent[other] > 0).then(|| place(other)),
            flag,
            payload,
        };
        let is_first = flag == Flag::Syn && side == Side::Client;
        let note = if is_first { None } else { state.note.take() };
        let comment = if is_first { state.comment.as_deref() } else { note.as_deref() };
        packets::write_packet(&mut self.block, time, jump > 0, comment, &segment);
        progress.sent[this] += payload.len() as u64 + u64::from(matches!(flag, Flag::Syn | Flag::Fin));
        progress.acknowledged[other] = progress.sent[other];
        self.write();
    }

    /// Writes an acknowledgement of the other side if `side` has sent many bytes without one.
    fn acknowledge(&mut self, number: u64, time: Time, side: Side) {
        let this = side.index();
        if self.connections.get(&number).is_some_and(|ConnectionState { progress, .. }| {
            progress.sent[this] - progress.acknowledged[this] >= UNACKNOWLEDGED_MAX
        }) {
            self.segment(number, time, !side, Flag::None, &[], 0);
        }
    }

    fn open(&mut self, connection: &Connection, time: Time) {
        let number = connection.number;
        let listener = self.listener.take().filter(|(of, _)| *of == number).map(|(_, listener)| listener);
        let tuple = self.free_tuple(connection, listener);
        self.tuples.insert(tuple, number);
        // Far apart, to distinguish two connections between the same endpoints.
        let first = (number as u32).wrapping_mul(0x9e37_79b1);
        let state = ConnectionState {
            tuple,
            first: [first, first.rotate_left(16) ^ 0x5555_5555],
            comment: comment(connection, listener, tuple),
            note: None,
            progress: Progress::default(),
            committed: Progress::default(),
            missing: [0; 2],
            endings: [None; 2],
            is_done: false,
            is_touched: false,
            is_lagging: false,
        };
        self.connections.insert(number, state);
        self.write_opening(number, time);
    }

    /// Returns the addresses under which a connection is recorded: its own, if no open connection
    /// has the same.
    fn free_tuple(&self, connection: &Connection, listener: Option<SocketAddr>) -> Tuple {
        let Connection { client, server, .. } = *connection;
        let wanted = std::iter::once(server).chain(listener).map(|server| (client, server));
        // So many connections cannot be open at a time between two hosts.
        let other_ports = (1..=u16::MAX).map(|step| {
            let mut client = client;
            client.set_port(client.port().wrapping_add(step));
            (client, server)
        });
        let mut tuples = wanted.chain(other_ports);
        let is_free = |(client, server): &Tuple| {
            !self.tuples.contains_key(&(*client, *server)) && !self.tuples.contains_key(&(*server, *client))
        };
        tuples.find(is_free).unwrap_or((client, server))
    }

    fn write_opening(&mut self, number: u64, time: Time) {
        self.segment(number, time, Side::Client, Flag::Syn, &[], 0);
        self.segment(number, time, Side::Server, Flag::Syn, &[], 0);
        self.segment(number, time, Side::Client, Flag::None, &[], 0);
        if let Some(state) = self.connections.get_mut(&number) {
            state.progress.is_open = true;
        }
    }

    fn chunk(&mut self, number: u64, time: Time, side: Side, bytes: &[u8]) {
        for piece in bytes.chunks(LONGEST_CHUNK) {
            self.segment(number, time, side, Flag::Push, piece, 0);
            self.acknowledge(number, time, side);
        }
    }

    fn gap(&mut self, number: u64, time: Time, side: Side, missing: u64) {
        let mut missing = missing.min(JUMP_MAX * JUMPS_MAX);
        while missing > 0 {
            let jump = missing.min(JUMP_MAX);
            self.segment(number, time, side, Flag::None, &[], jump);
            self.acknowledge(number, time, side);
            missing -= jump;
        }
    }

    fn close(&mut self, number: u64, time: Time, side: Side, ending: Ending) {
        if ending == Ending::Closed {
            self.segment(number, time, side, Flag::Fin, &[], 0);
        }
        let Some(ConnectionState { progress, .. }) = self.connections.get_mut(&number) else {
            return;
        };
        progress.ended[side.index()] = Some(ending);
        if ending == Ending::Reset {
            progress.resets.get_or_insert(side);
        }
        if progress.ended == [Some(Ending::Closed); 2] {
            self.segment(number, time, !side, Flag::None, &[], 0);
        } else if progress.ended[(!side).index()].is_some()
            && let Some(side) = progress.resets.take()
        {
            self.segment(number, time, side, Flag::Rst, &[], 0);
        }
    }

    fn done(&mut self, number: u64, time: Time) {
        let resets = self.connections.get_mut(&number).and_then(|state| state.progress.resets.take());
        if let Some(side) = resets {
            self.segment(number, time, side, Flag::Rst, &[], 0);
        }
        if !self.is_resumable {
            self.remove(number);
        } else if let Some(state) = self.connections.get_mut(&number) {
            state.is_done = true;
            if !std::mem::replace(&mut state.is_touched, true) {
                self.touched.push(number);
            }
        }
    }

    fn remove(&mut self, number: u64) {
        if let Some(state) = self.connections.remove(&number)
            && self.tuples.get(&state.tuple) == Some(&number)
        {
            self.tuples.remove(&state.tuple);
        }
    }

    /// Writes everything of a connection that was lost, or a gap in its place.
    fn catch_up(&mut self, number: u64, time: Time) {
        let Some(state) = self.connections.get_mut(&number) else { return };
        let (is_open, is_done) = (state.progress.is_open, state.is_done);
        let missing = std::mem::take(&mut state.missing);
        let endings = std::mem::take(&mut state.endings);
        if !is_open {
            self.write_opening(number, time);
        }
        for side in Side::BOTH {
            self.gap(number, time, side, missing[side.index()]);
        }
        for side in Side::BOTH {
            if let Some(ending) = endings[side.index()] {
                self.close(number, time, side, ending);
            }
        }
        if is_done {
            self.done(number, time);
        }
    }
}

/// A recorder to memory, whose bytes are moved to a file that may fail for some time.
impl Recorder<Vec<u8>> {
    /// Begins a file that survives failed writes.
    #[must_use]
    pub fn resumable() -> Self {
        Self { is_resumable: true, ..Self::new(Vec::new()) }
    }

    /// Returns the bytes since the last [commit](Self::commit) or [roll-back](Self::roll_back).
    /// They are whole blocks.
    #[must_use]
    pub fn uncommitted(&self) -> &[u8] {
        &self.out
    }

    /// Notes that the [uncommitted](Self::uncommitted) bytes are in the file, and drops them.
    pub fn commit(&mut self) {
        self.out.clear();
        self.has_section = true;
        let mut touched = std::mem::take(&mut self.touched);
        for number in touched.drain(..) {
            let Some(state) = self.connections.get_mut(&number) else { continue };
            state.is_touched = false;
            state.committed = state.progress;
            if state.is_done && !state.is_lagging {
                self.remove(number);
            }
        }
        self.touched = touched;
    }

    /// Notes that the [uncommitted](Self::uncommitted) bytes are not in the file, and drops them.
    /// Returns what will be missing for good. The bytes of chunks are not in this count.
    pub fn roll_back(&mut self) -> RecorderLosses {
        self.out.clear();
        let mut losses = RecorderLosses::default();
        let mut touched = std::mem::take(&mut self.touched);
        for number in touched.drain(..) {
            let Some(state) = self.connections.get_mut(&number) else { continue };
            state.is_touched = false;
            state.roll_back();
            if state.is_done && !state.progress.is_open {
                losses.connections += 1;
                self.remove(number);
            } else if state.is_done && self.lagging.len() >= LAGGING_MAX && !state.is_lagging {
                losses.ends += 1;
                self.remove(number);
            } else if !std::mem::replace(&mut state.is_lagging, true) {
                self.lagging.push(number);
            }
        }
        self.touched = touched;
        losses
    }

    /// Returns whether something was lost that [`recover`](Self::recover) would note.
    #[must_use]
    pub fn is_lagging(&self) -> bool {
        !self.has_section || !self.lagging.is_empty()
    }

    /// Writes gaps in the place of chunks that were lost, and the openings and ends that were lost,
    /// with the time `time`. Call it before the next event when the recorder
    /// [lags](Self::is_lagging) and there may be room again.
    pub fn recover(&mut self, time: Time) {
        if !self.has_section && self.out.is_empty() {
            packets::write_section(&mut self.block);
            self.write();
        }
        let mut lagging = std::mem::take(&mut self.lagging);
        for number in lagging.drain(..) {
            if let Some(state) = self.connections.get_mut(&number) {
                state.is_lagging = false;
                self.catch_up(number, time);
            }
        }
        self.lagging = lagging;
    }

    /// Begins another file, in which the connections that are open continue. They have a gap there
    /// in the place of what the file before has, so all bytes keep their offsets. Call it after a
    /// [commit](Self::commit), and [`recover`](Self::recover) after it.
    pub fn restart(&mut self) {
        self.out.clear();
        self.has_section = false;
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            let Some(state) = self.connections.get_mut(&number) else { continue };
            state.committed = Progress::default();
            state.roll_back();
            if state.is_done {
                self.remove(number);
            } else if !std::mem::replace(&mut state.is_lagging, true) {
                self.lagging.push(number);
            }
        }
    }

    /// Returns what a file lacks that ends here.
    #[must_use]
    pub fn lacking(&self) -> RecorderLosses {
        let mut losses = RecorderLosses::default();
        for state in self.lagging.iter().filter_map(|number| self.connections.get(number)) {
            if !state.progress.is_open {
                losses.connections += 1;
            } else if state.is_done || state.endings != [None; 2] {
                losses.ends += 1;
            }
        }
        losses
    }
}

/// Returns a note on the addresses of a connection that its packets do not show.
fn comment(connection: &Connection, listener: Option<SocketAddr>, (client, server): Tuple) -> Option<String> {
    let Connection { client: real_client, server: real_server, .. } = connection;
    let accepted =
        listener.map(|listener| format!("accepted on {listener} from {real_client}, relayed to {real_server}"));
    let changed = (client, server) != (*real_client, *real_server);
    match (accepted, changed) {
        (accepted, false) => accepted,
        (Some(accepted), true) => {
            Some(format!("{accepted}; another connection with these addresses was open, so this one has others"))
        }
        (None, true) => Some(format!(
            "from {real_client} to {real_server}; another connection with these addresses was open, so this one has others"
        )),
    }
}

impl<W: Write> Tap for Recorder<W> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let number = connection.number;
        if event == Event::Open {
            return self.open(connection, time);
        }
        let Some(state) = self.connections.get(&number) else { return };
        if event.side().is_some_and(|side| state.has_ended(side)) {
            return;
        }
        if state.is_lagging {
            self.catch_up(number, time);
        }
        match event {
            Event::Open => {}
            Event::Chunk { side, bytes } => self.chunk(number, time, side, bytes),
            Event::Gap { side, missing } => self.gap(number, time, side, missing),
            Event::Close { side, ending } => self.close(number, time, side, ending),
            Event::Done => self.done(number, time),
        }
    }
}
