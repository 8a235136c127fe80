//! RTMP ("Adobe's Real Time Messaging Protocol", 1.0).
//!
//! Each side sends a handshake of fixed lengths, then chunks. A message is a chunk, since the
//! chunks of several messages of RTMP may alternate: the first chunk has the kind of its message,
//! and the others are `chunk`. Commands are paired by their transaction.

mod amf;

use std::collections::BTreeMap;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::amf::Command;
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Rtmp::default)
        .on_ports(&[1935])
        .about("RTMP: the handshake, chunks and commands")
        .with_kinds("the type of message, such as `command` or `audio`; `chunk`; `C0+C1`, `C2`, `S0+S1`, `S2`")
        .with_attributes(&[Attribute::new("command", AttributeType::Text, "the name of a command")])
        .sniffed_by(sniff)
}

/// The rules of RTMP: the state of each side.
#[derive(Debug)]
struct Rtmp {
    sides: [State; 2],
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The maximum length of a chunk's payload, which the side announces itself.
    chunk_size: u32,
    streams: BTreeMap<u32, Stream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// `C0` and `C1`, or `S0` and `S1` (section 5.2.1).
    First,
    /// `C2` or `S2`.
    Second,
    Chunks,
}

/// A chunk stream: the message that its last chunk belongs to (section 5.3).
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    length: u32,
    kind: u8,
    /// The number of bytes of the message that are still to come.
    rest: u32,
    /// Whether its timestamp is too large for three bytes.
    is_extended: bool,
}

/// The message in progress: the header of a chunk.
#[derive(Debug, Default)]
struct Memo {
    step: Step,
    id: u32,
    format: u8,
    stream: Stream,
    is_first: bool,
    payload: u32,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Begin,
    Basic,
    Id,
    Header,
    Timestamp,
    Payload,
}

/// The length of each packet of the handshake, without the byte of the version.
const HANDSHAKE: u64 = 1536;

/// The version of the plain protocol.
const VERSION: u8 = 3;

/// The initial maximum length of a chunk's payload (section 5.4.1).
const CHUNK_SIZE: u32 = 128;

/// The maximum number of chunk streams that one side uses at once. Encoders use fewer than ten.
const STREAMS_MAX: usize = 256;

/// The lengths of the headers of the four formats (section 5.3.1.2).
const HEADERS: [u64; 4] = [11, 7, 3, 0];

const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;

impl Default for Rtmp {
    fn default() -> Self {
        let state = || State { phase: Phase::First, chunk_size: CHUNK_SIZE, streams: BTreeMap::new() };
        Self { sides: [state(), state()] }
    }
}

impl Rules for Rtmp {
    const NAME: &'static str = "rtmp";
    type Memo = Memo;

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        let state = &self.sides[message.side.index()];
        let memo = message.memo;
        match (state.phase, message.parts) {
            (Phase::First, 0) => return Ok(Next::Bytes(1)),
            (Phase::First, 1) if message.last != [VERSION] => return Err(Fault("the version of RTMP is not 3")),
            (Phase::First, 1) | (Phase::Second, 0) => return Ok(Next::SkipLast(HANDSHAKE)),
            _ => {}
        }
        match memo.step {
            Step::Begin => {
                memo.step = Step::Basic;
                Ok(Next::Bytes(1))
            }
            Step::Basic => {
                let first = *message.last.first().ok_or(Fault::SHORT)?;
                memo.format = first >> 6;
                memo.id = u32::from(first & 0x3f);
                if memo.id < 2 {
                    memo.step = Step::Id;
                    return Ok(Next::Bytes(u64::from(memo.id) + 1));
                }
                header(state, memo)
            }
            Step::Id => {
                // The number has one or two bytes, the lower one first (section 5.3.1.1).
                memo.id = match *message.last {
                    [low] => 64 + u32::from(low),
                    [low, high] => 64 + u32::from(low) + 256 * u32::from(high),
                    _ => return Err(Fault::SHORT),
                };
                header(state, memo)
            }
            Step::Header => {
                let mut fields = Cursor::new(message.last);
                let [a, b, c] = fields.array()?;
                memo.stream.is_extended = [a, b, c] == [0xff; 3];
                if memo.format < 2 {
                    let [a, b, c] = fields.array()?;
                    memo.stream.length = u32::from_be_bytes([0, a, b, c]);
                    memo.stream.kind = fields.u8()?;
                }
                begin_message(memo);
                behind_header(state, memo)
            }
            Step::Timestamp => payload(state, memo),
            Step::Payload => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let state = &mut self.sides[frame.side.index()];
        match state.phase {
            Phase::First => {
                state.phase = Phase::Second;
                return Ok(Report::new(if frame.side == Side::Client { "C0+C1" } else { "S0+S1" }));
            }
            Phase::Second => {
                state.phase = Phase::Chunks;
                return Ok(Report::new(if frame.side == Side::Client { "C2" } else { "S2" }));
            }
            Phase::Chunks => {}
        }
        let memo = frame.memo;
        let mut stream = memo.stream;
        stream.rest -= memo.payload;
        if !state.streams.contains_key(&memo.id) && state.streams.len() >= STREAMS_MAX {
            state.streams.clear();
        }
        state.streams.insert(memo.id, stream);
        if !memo.is_first {
            return Ok(Report::new("chunk"));
        }
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let begin = length.saturating_sub(memo.payload as usize);
        let payload = frame.head.get(begin..).unwrap_or_default();
        let report = Report::new(kind_name(stream.kind));
        Ok(match stream.kind {
            SET_CHUNK_SIZE => {
                // The highest bit is zero (section 5.4.1).
                let size = Cursor::new(payload).u32()?;
                if size == 0 || size >> 31 != 0 {
                    return Ok(report.malformed("the size of chunks is not possible"));
                }
                state.chunk_size = size;
                report
            }
            ABORT => {
                let id = Cursor::new(payload).u32()?;
                if let Some(stream) = state.streams.get_mut(&id) {
                    stream.rest = 0;
                }
                report
            }
            17 | 20 => command(report, stream.kind, payload),
            _ => report,
        })
    }

    fn broken_kind(&self, side: Side, _: &[u8]) -> &'static str {
        match (self.sides[side.index()].phase, side) {
            (Phase::First, Side::Client) => "C0+C1",
            (Phase::First, Side::Server) => "S0+S1",
            (Phase::Second, Side::Client) => "C2",
            (Phase::Second, Side::Server) => "S2",
            _ => "chunk",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, Memo>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "command" && report.kind == "command").then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, side: Side) {
        // Chunks have no sign of their beginning, so nothing behind a loss is sure.
        let state = &mut self.sides[side.index()];
        state.phase = Phase::Chunks;
        state.streams.clear();
    }
}

/// Asks for the header of a chunk.
fn header(state: &State, memo: &mut Memo) -> Result<Next, Fault> {
    let known = state.streams.get(&memo.id).copied();
    // The other formats continue an earlier chunk.
    if memo.format > 0 && known.is_none() {
        return Err(Fault("a chunk continues a stream that did not begin"));
    }
    memo.stream = known.unwrap_or_default();
    if memo.format == 3 {
        if memo.stream.rest == 0 {
            begin_message(memo);
        }
        return behind_header(state, memo);
    }
    memo.step = Step::Header;
    Ok(Next::Bytes(HEADERS[usize::from(memo.format)]))
}

fn begin_message(memo: &mut Memo) {
    memo.is_first = true;
    memo.stream.rest = memo.stream.length;
}

/// Asks for the timestamp, where there is one, or for the payload.
fn behind_header(state: &State, memo: &mut Memo) -> Result<Next, Fault> {
    if memo.stream.is_extended {
        memo.step = Step::Timestamp;
        return Ok(Next::Bytes(4));
    }
    payload(state, memo)
}

fn payload(state: &State, memo: &mut Memo) -> Result<Next, Fault> {
    memo.step = Step::Payload;
    memo.payload = memo.stream.rest.min(state.chunk_size);
    match memo.payload {
        0 => Ok(Next::End),
        length => Ok(Next::Last(length.into())),
    }
}

/// Returns the name of a type of message (sections 5.4, 6.2 and 7.1).
fn kind_name(kind: u8) -> &'static str {
    match kind {
        SET_CHUNK_SIZE => "set-chunk-size",
        ABORT => "abort",
        3 => "acknowledgement",
        4 => "user-control",
        5 => "window-acknowledgement-size",
        6 => "set-peer-bandwidth",
        8 => "audio",
        9 => "video",
        15 | 18 => "data",
        16 | 19 => "shared-object",
        17 | 20 => "command",
        22 => "aggregate",
        _ => "message",
    }
}

/// Describes a command: its name, its transaction, and the code of an error (section 7.2).
fn command<'a>(report: Report<'a>, kind: u8, payload: &'a [u8]) -> Report<'a> {
    // A command with AMF3 has a byte in front.
    let payload = if kind == 17 { payload.get(1..).unwrap_or_default() } else { payload };
    let Some(command) = Command::parse(payload) else { return report };
    let report = report.subject(command.name);
    let id = command.transaction;
    match command.name {
        b"_result" => report.role(Role::AnswerWithId { id, last: true }),
        b"_error" => {
            report.role(Role::AnswerWithId { id, last: true }).failed(command.code().unwrap_or("_error".into()))
        }
        b"onStatus" if command.is_error() => report.failed(command.code().unwrap_or("error".into())),
        b"onStatus" => report,
        // The number 0 asks for no answer.
        _ if id == 0 => report,
        _ => report.role(Role::RequestWithId(id)),
    }
}

/// Returns whether the first bytes may be RTMP: the version, a time, and four zeros. Other
/// protocols begin with the same byte.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    match (side, first) {
        (_, []) => Sniff::More,
        (Side::Server, [VERSION, ..]) => Sniff::Maybe,
        (Side::Client, [VERSION, _, _, _, _, rest @ ..]) if rest.iter().take(4).all(|byte| *byte == 0) => {
            if rest.len() < 4 { Sniff::More } else { Sniff::Maybe }
        }
        (Side::Client, [VERSION, rest @ ..]) if rest.len() < 4 => Sniff::More,
        _ => Sniff::No,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines};

    fn handshake() -> Vec<u8> {
        let mut bytes = vec![3, 0, 0x12, 0x34, 0x56, 0, 0, 0, 0];
        bytes.resize(1 + 2 * 1536, 7);
        bytes
    }

    fn chunk(id: u8, kind: u8, length: usize, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        [&[id, 0, 0, 0], &length[1..], &[kind, 0, 0, 0, 0], payload].concat()
    }

    fn command(name: &str, transaction: f64, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2];
        bytes.extend_from_slice(&u16::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&transaction.to_be_bytes());
        bytes.extend_from_slice(rest);
        bytes
    }

    const REJECTED: &[u8] =
        b"\x05\x03\0\x05level\x02\0\x05error\0\x04code\x02\0\x1eNetConnection.Connect.Rejected\0\0\x09";

    #[test]
    fn commands_are_paired_by_their_transaction() {
        let connect = command("connect", 1.0, b"\x03\0\0\x09");
        let refusal = command("_error", 1.0, REJECTED);
        let turns = [
            (C, [handshake(), chunk(3, 20, connect.len(), &connect)].concat()),
            (S, [handshake(), chunk(2, 5, 4, &[0, 1, 0, 0]), chunk(3, 20, refusal.len(), &refusal)].concat()),
        ];
        let expected = [
            "client C0+C1 at 0+1537 ok: C0+C1",
            "client C2 at 1537+1536 ok: C2",
            "client command at 3073+35 ok: command connect",
            "server S0+S1 at 0+1537 ok: S0+S1",
            "server S2 at 1537+1536 ok: S2",
            "server window-acknowledgement-size at 3073+16 ok: window-acknowledgement-size",
            "server command at 3089+89 failed NetConnection.Connect.Rejected answers #2: command NetConnection.Connect.Rejected _error",
        ];
        assert_eq!(lines("rtmp", &turns), expected);
        assert_eq!(lines("auto", &turns), expected);
    }

    #[test]
    fn chunks_of_several_messages_alternate_and_their_size_changes() {
        let bytes = [
            handshake(),
            chunk(4, 9, 300, &[1; 128]),
            chunk(6, 8, 130, &[2; 128]),
            [&[0xc4][..], &[1; 128]].concat(),
            [&[0xc6][..], &[2; 2]].concat(),
            chunk(2, 1, 4, &4096_u32.to_be_bytes()),
            [&[0xc4][..], &[1; 44]].concat(),
            // A new message with the same header.
            [&[0xc4][..], &[1; 300]].concat(),
            // A stream whose number has two bytes, and a timestamp of four.
            [&[0, 200, 0xff, 0xff, 0xff, 0, 0, 1, 8, 0, 0, 0, 0, 1, 0, 0, 0, 9][..], &[0xc0, 200, 1, 0, 0, 1, 9]]
                .concat(),
        ];
        let seen = lines("rtmp", &[(C, bytes.concat())]);
        let kinds: Vec<&str> = seen.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(
            kinds,
            ["C0+C1", "C2", "video", "audio", "chunk", "chunk", "set-chunk-size", "chunk", "video", "audio", "audio"]
        );
        assert!(seen.iter().all(|line| line.contains(" ok")), "{seen:?}");
    }

    #[test]
    fn what_cannot_be_is_malformed() {
        let wrong = lines("rtmp", &[(C, b"\x06abc")]);
        assert!(wrong[0].contains("malformed (the version of RTMP is not 3)"), "{wrong:?}");
        let continues = lines("rtmp", &[(C, [handshake(), vec![0xc5, 1]].concat())]);
        assert!(continues[2].contains("malformed (a chunk continues a stream that did not begin)"), "{continues:?}");
        let size = lines("rtmp", &[(C, [handshake(), chunk(2, 1, 4, &[0; 4])].concat())]);
        assert!(size[2].contains("malformed (the size of chunks is not possible)"), "{size:?}");
        let many: Vec<u8> = (0..=255_u8).flat_map(|id| [&[1, id, 9][..], &[0; 11]].concat()).collect();
        assert!(lines("rtmp", &[(C, [handshake(), many].concat())]).iter().all(|line| line.contains(" ok")));
    }
}
