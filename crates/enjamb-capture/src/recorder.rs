//! Conversations written as a capture: what a relay saw, for Wireshark and for [`read`](crate::read).
//!
//! A relay sees bytes, not packets, so packets are made up around them: a handshake where a connection was opened, a segment for
//! each chunk, a FIN or a RST where a side ended. Sequence and acknowledgement numbers and checksums are right: every
//! segment acknowledges all that was recorded of the other side. Read back, a recording gives the chunks, gaps,
//! endings and times that were recorded.
//!
//! A gap is a jump in the sequence numbers, on an empty segment whose block says that packets were lost before it
//! (`epb_dropcount`): so a reader needs not wait for what is missing.

use std::collections::HashMap;
use std::io::{self, Write};

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::wire::{self, Flag, Written};

/// The longest chunk that is recorded as one packet, in bytes: 65,495. A longer one becomes several, and is as many chunks when
/// it is read back.
pub const LONGEST_CHUNK: usize = wire::PAYLOAD_MAX;

/// How much one side may say before the other acknowledges it in a segment of its own, if it has nothing to say.
const UNACKNOWLEDGED_MAX: u64 = 16 << 20;

/// How far sequence numbers jump at once; a longer gap is several.
const JUMP_MAX: u64 = 1 << 30;

/// How many jumps a gap may be. What is more than 1 TiB is not recorded.
const JUMPS_MAX: u64 = 1 << 10;

/// A tap that writes pcapng.
///
/// Every packet is given to the writer in one `write_all`, so what a killed process leaves behind is readable up to the packet it
/// was writing; put a buffer around a file to save calls, and [`flush`](Self::flush) it now and then. When writing
/// fails, nothing more is written, and [`finish`](Self::finish) and [`error`](Self::error) say why.
///
/// A connection that is done with a side that was not closed, or is [`Ending::Lost`], has nothing in the file that
/// says so: read back, it is done at the end. A RST is written when both sides have ended.
pub struct Recorder<W: Write> {
    out: W,
    connections: HashMap<u64, Recorded>,
    block: Vec<u8>,
    error: Option<io::Error>,
}

/// What was written of a connection.
struct Recorded {
    connection: Connection,
    first: [u32; 2],
    /// Bytes sent by each side, gaps included, and its SYN and FIN.
    sent: [u64; 2],
    /// What the other side has acknowledged of it.
    acknowledged: [u64; 2],
    ended: [Option<Ending>; 2],
    /// A RST that waits for the other side to end.
    resets: Option<Side>,
}

impl<W: Write> Recorder<W> {
    /// Begins a file.
    pub fn new(out: W) -> Self {
        let mut recorder = Self { out, connections: HashMap::new(), block: Vec::new(), error: None };
        wire::section(&mut recorder.block);
        recorder.write();
        recorder
    }

    /// Why nothing is written any more.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Passes on what the writer holds.
    pub fn flush(&mut self) {
        if self.error.is_none()
            && let Err(error) = self.out.flush()
        {
            self.error = Some(error);
        }
    }

    /// Ends the file and gives the writer back.
    ///
    /// # Errors
    /// Something was not written.
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
        let Some(recorded) = self.connections.get_mut(&number) else {
            return;
        };
        let (this, other) = (side.index(), (!side).index());
        recorded.sent[this] += jump;
        let Connection { client, server, .. } = recorded.connection;
        let (source, destination) = if side == Side::Client { (client, server) } else { (server, client) };
        let number = |side: usize| recorded.first[side].wrapping_add(recorded.sent[side] as u32);
        let segment = Written {
            source,
            destination,
            sequence: number(this),
            acknowledgement: (recorded.sent[other] > 0).then(|| number(other)),
            flag,
            payload,
        };
        wire::packet(&mut self.block, time, jump > 0, &segment);
        recorded.sent[this] += payload.len() as u64 + u64::from(matches!(flag, Flag::Syn | Flag::Fin));
        recorded.acknowledged[other] = recorded.sent[other];
        self.write();
    }

    /// The side that sends is not waited for: the other one acknowledges now and then.
    fn acknowledge(&mut self, number: u64, time: Time, side: Side) {
        let this = side.index();
        if self
            .connections
            .get(&number)
            .is_some_and(|recorded| recorded.sent[this] - recorded.acknowledged[this] >= UNACKNOWLEDGED_MAX)
        {
            self.segment(number, time, !side, Flag::None, &[], 0);
        }
    }

    fn has_ended(&self, connection: &Connection, side: Side) -> bool {
        self.connections.get(&connection.number).is_none_or(|recorded| recorded.ended[side.index()].is_some())
    }

    fn open(&mut self, connection: &Connection, time: Time) {
        let number = connection.number;
        // Far enough apart that two connections between the same ends are told apart.
        let first = (number as u32).wrapping_mul(0x9e37_79b1);
        let recorded = Recorded {
            connection: *connection,
            first: [first, first.rotate_left(16) ^ 0x5555_5555],
            sent: [0; 2],
            acknowledged: [0; 2],
            ended: [None; 2],
            resets: None,
        };
        self.connections.insert(number, recorded);
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
        let Some(recorded) = self.connections.get_mut(&number) else {
            return;
        };
        recorded.ended[side.index()] = Some(ending);
        if ending == Ending::Reset {
            recorded.resets.get_or_insert(side);
        }
        if recorded.ended == [Some(Ending::Closed); 2] {
            self.segment(number, time, !side, Flag::None, &[], 0);
        } else if recorded.ended[(!side).index()].is_some()
            && let Some(side) = recorded.resets.take()
        {
            self.segment(number, time, side, Flag::Rst, &[], 0);
        }
    }

    fn done(&mut self, number: u64, time: Time) {
        let resets = self.connections.get_mut(&number).and_then(|recorded| recorded.resets.take());
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
