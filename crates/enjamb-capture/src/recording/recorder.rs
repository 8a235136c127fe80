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

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::recording::packets::{self, Flag, SyntheticSegment};

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

/// A tap that writes pcapng.
///
/// Every packet is written with one `write_all`. So a file that a killed process leaves behind is
/// readable up to the packet that was being written. Put a buffer around a file to save calls, and
/// [`flush`](Self::flush) it from time to time. After a write error, nothing more is written, and
/// [`finish`](Self::finish) and [`error`](Self::error) return the error.
///
/// A file has no mark for a side that is not closed when its connection is done, or that ended as
/// [`Ending::Lost`]. When the file is read back, such a connection is done at the end of the file.
/// A RST is written when both sides have ended.
pub struct Recorder<W: Write> {
    out: W,
    connections: HashMap<u64, ConnectionState>,
    block: Vec<u8>,
    error: Option<io::Error>,
}

/// The state of a connection in the file.
struct ConnectionState {
    connection: Connection,
    first: [u32; 2],
    /// The number of bytes that each side has sent, with its gaps, its SYN and its FIN.
    sent: [u64; 2],
    /// The number of them that the other side has acknowledged.
    acknowledged: [u64; 2],
    ended: [Option<Ending>; 2],
    /// The side that sends a RST when the other side has ended.
    resets: Option<Side>,
}

impl<W: Write> Recorder<W> {
    /// Begins a file.
    pub fn new(out: W) -> Self {
        let mut recorder = Self { out, connections: HashMap::new(), block: Vec::new(), error: None };
        packets::write_section(&mut recorder.block);
        recorder.write();
        recorder
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
        let (this, other) = (side.index(), (!side).index());
        state.sent[this] += jump;
        let Connection { client, server, .. } = state.connection;
        let (source, destination) = if side == Side::Client { (client, server) } else { (server, client) };
        let number = |side: usize| state.first[side].wrapping_add(state.sent[side] as u32);
        let segment = SyntheticSegment {
            source,
            destination,
            sequence: number(this),
            acknowledgement: (state.sent[other] > 0).then(|| number(other)),
            flag,
            payload,
        };
        packets::write_packet(&mut self.block, time, jump > 0, &segment);
        state.sent[this] += payload.len() as u64 + u64::from(matches!(flag, Flag::Syn | Flag::Fin));
        state.acknowledged[other] = state.sent[other];
        self.write();
    }

    /// Writes an acknowledgement of the other side if `side` has sent many bytes without one.
    fn acknowledge(&mut self, number: u64, time: Time, side: Side) {
        let this = side.index();
        if self
            .connections
            .get(&number)
            .is_some_and(|state| state.sent[this] - state.acknowledged[this] >= UNACKNOWLEDGED_MAX)
        {
            self.segment(number, time, !side, Flag::None, &[], 0);
        }
    }

    fn has_ended(&self, connection: &Connection, side: Side) -> bool {
        self.connections.get(&connection.number).is_none_or(|state| state.ended[side.index()].is_some())
    }

    fn open(&mut self, connection: &Connection, time: Time) {
        let number = connection.number;
        // Far apart, to distinguish two connections between the same endpoints.
        let first = (number as u32).wrapping_mul(0x9e37_79b1);
        let state = ConnectionState {
            connection: *connection,
            first: [first, first.rotate_left(16) ^ 0x5555_5555],
            sent: [0; 2],
            acknowledged: [0; 2],
            ended: [None; 2],
            resets: None,
        };
        self.connections.insert(number, state);
        self.segment(number, time, Side::Client, Flag::Syn, &[], 0);
        self.segment(number, time, Side::Server, Flag::Syn, &[], 0);
        self.segment(number, time, Side::Client, Flag::None, &[], 0);
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
        let Some(state) = self.connections.get_mut(&number) else {
            return;
        };
        state.ended[side.index()] = Some(ending);
        if ending == Ending::Reset {
            state.resets.get_or_insert(side);
        }
        if state.ended == [Some(Ending::Closed); 2] {
            self.segment(number, time, !side, Flag::None, &[], 0);
        } else if state.ended[(!side).index()].is_some()
            && let Some(side) = state.resets.take()
        {
            self.segment(number, time, side, Flag::Rst, &[], 0);
        }
    }

    fn done(&mut self, number: u64, time: Time) {
        let resets = self.connections.get_mut(&number).and_then(|state| state.resets.take());
        if let Some(side) = resets {
            self.segment(number, time, side, Flag::Rst, &[], 0);
        }
        self.connections.remove(&number);
    }
}

impl<W: Write> Tap for Recorder<W> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if event.side().is_some_and(|side| self.has_ended(connection, side)) {
            return;
        }
        let number = connection.number;
        match event {
            Event::Open => self.open(connection, time),
            Event::Chunk { side, bytes } => self.chunk(number, time, side, bytes),
            Event::Gap { side, missing } => self.gap(number, time, side, missing),
            Event::Close { side, ending } => self.close(number, time, side, ending),
            Event::Done => self.done(number, time),
        }
    }
}
