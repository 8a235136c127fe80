//! Cassandra's CQL binary protocol, versions 1 to 5 (`native_protocol_v3.spec` to `v5.spec`).
//!
//! An envelope is a header of nine bytes (eight before version 3) and a body. Answers find their
//! requests by the number of the stream. In version 5, envelopes are inside outer frames behind the
//! start of the connection; the checksum of their header tells them apart. An outer frame is one
//! message here: its kind is that of its envelope, or `frame` if it has several, a part of one, or
//! is compressed.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::sql::statement;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Cassandra)
        .alias("cql")
        .on_ports(&[9042])
        .about("Cassandra: CQL binary protocol, versions 1 to 5")
        .with_kinds("the operation, such as `QUERY` or `RESULT`, `frame`")
        .with_attributes(&[Attribute::new(
            "query",
            AttributeType::Text,
            "the beginning of the statement of a QUERY or PREPARE",
        )])
        .sniffed_by(sniff)
}

/// The rules of Cassandra.
#[derive(Debug)]
struct Cassandra;

/// The names of operations, by their number.
const OPERATIONS: [&str; 17] = [
    "ERROR",
    "STARTUP",
    "READY",
    "AUTHENTICATE",
    "CREDENTIALS",
    "OPTIONS",
    "SUPPORTED",
    "QUERY",
    "RESULT",
    "PREPARE",
    "EXECUTE",
    "REGISTER",
    "EVENT",
    "BATCH",
    "AUTH_CHALLENGE",
    "AUTH_RESPONSE",
    "AUTH_SUCCESS",
];

const ERROR: u8 = 0;
const QUERY: u8 = 7;
const PREPARE: u8 = 9;
const EVENT: u8 = 12;

/// The bit of the version that marks an answer.
const ANSWER: u8 = 0x80;

/// The flags of a header.
const COMPRESSED: u8 = 1;
const TRACING: u8 = 2;
const CUSTOM_PAYLOAD: u8 = 4;
const WARNING: u8 = 8;

/// The longest body (v4, section 2.5).
const BODY_MAX: u32 = 256 << 20;

/// The names of errors, by their number (v4, section 9; v5, section 8).
const ERRORS: &[(u32, &str)] = &[
    (0x0000, "ServerError"),
    (0x000a, "ProtocolError"),
    (0x0100, "BadCredentials"),
    (0x1000, "Unavailable"),
    (0x1001, "Overloaded"),
    (0x1002, "IsBootstrapping"),
    (0x1003, "TruncateError"),
    (0x1100, "WriteTimeout"),
    (0x1200, "ReadTimeout"),
    (0x1300, "ReadFailure"),
    (0x1400, "FunctionFailure"),
    (0x1500, "WriteFailure"),
    (0x1600, "CDCWriteFailure"),
    (0x1700, "CASWriteUnknown"),
    (0x2000, "SyntaxError"),
    (0x2100, "Unauthorized"),
    (0x2200, "Invalid"),
    (0x2300, "ConfigError"),
    (0x2400, "AlreadyExists"),
    (0x2500, "Unprepared"),
];

/// An outer frame of version 5 (section 2.2).
#[derive(Clone, Copy, Debug)]
struct Outer {
    header: usize,
    payload: u64,
    is_compressed: bool,
    is_self_contained: bool,
}

impl Outer {
    /// Reads the header of an outer frame from the first eight bytes, if its checksum is right.
    fn new(head: &[u8; 8]) -> Option<Self> {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        let plain = number(&head[..3]);
        if crc24(&head[..3]) == number(&head[3..6]) {
            let (payload, is_self_contained) = (plain & 0x1_ffff, plain >> 17 & 1 == 1);
            return Some(Self { header: 6, payload, is_compressed: false, is_self_contained });
        }
        let compressed = number(&head[..5]);
        (crc24(&head[..5]) == number(&head[5..])).then_some(Self {
            header: 8,
            payload: compressed & 0x1_ffff,
            is_compressed: compressed >> 17 & 0x1_ffff > 0,
            is_self_contained: compressed >> 34 & 1 == 1,
        })
    }
}

/// The checksum of a header of an outer frame (v5, section 2.2.3).
fn crc24(bytes: &[u8]) -> u64 {
    let mut crc: u64 = 0x87_5060;
    for byte in bytes {
        crc ^= u64::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x100_0000 != 0 {
                crc ^= 0x197_4f0b;
            }
        }
    }
    crc
}

/// The header of an envelope.
#[derive(Clone, Copy, Debug)]
struct Envelope {
    version: u8,
    flags: u8,
    stream: i16,
    operation: u8,
    length: u32,
}

impl Envelope {
    fn take(fields: &mut Cursor<'_>) -> Result<Self, Short> {
        let (version, flags) = (fields.u8()?, fields.u8()?);
        let stream = if version & !ANSWER < 3 { i8::from_be_bytes(fields.array()?).into() } else { fields.i16()? };
        Ok(Self { version, flags, stream, operation: fields.u8()?, length: fields.u32()? })
    }

    /// Returns whether a message of this side may have such a header.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn check(&self, side: Side) -> Result<(), Fault> {
        if !matches!(self.version & !ANSWER, 1..=6) || (self.version & ANSWER != 0) != (side == Side::Server) {
            return Err(Fault("the version is unknown, or that of the other side"));
        }
        if usize::from(self.operation) >= OPERATIONS.len() {
            return Err(Fault("the operation is unknown"));
        }
        if self.length > BODY_MAX {
            return Err(Fault("the length of a body is impossible"));
        }
        Ok(())
    }
}

impl Rules for Cassandra {
    const NAME: &'static str = "cassandra";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let Some(start) = message.head.first_chunk::<8>() else { return Ok(Next::Bytes(8)) };
        if let Some(outer) = Outer::new(start) {
            // A checksum of four bytes is behind the payload.
            return Ok(Next::Last(outer.header as u64 + outer.payload + 4 - 8));
        }
        let mut fields = Cursor::new(message.head);
        match Envelope::take(&mut fields) {
            Ok(envelope) => {
                envelope.check(message.side)?;
                Ok(Next::Last(envelope.length.into()))
            }
            Err(Short) if start[0] & !ANSWER <= 6 => Ok(Next::Bytes(1)),
            Err(Short) => Err(Fault("the version is unknown, or that of the other side")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let start = frame.head.first_chunk::<8>().ok_or(Fault::SHORT)?;
        let Some(outer) = Outer::new(start) else {
            let mut fields = Cursor::new(frame.head);
            return envelope(&Envelope::take(&mut fields)?, fields);
        };
        let end = frame.head.len().min(outer.header + usize::try_from(outer.payload).unwrap_or(usize::MAX));
        let mut fields = Cursor::new(&frame.head[outer.header.min(end)..end]);
        let frame = Report::new("frame");
        if outer.is_compressed || !outer.is_self_contained {
            return Ok(frame);
        }
        let inner = Envelope::take(&mut fields)?;
        inner.check(if inner.version & ANSWER == 0 { Side::Client } else { Side::Server })?;
        if u64::from(inner.length) + 9 == outer.payload { envelope(&inner, fields) } else { Ok(frame) }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let Some(start) = bytes.first_chunk::<8>() else { return Sniff::More };
        if Outer::new(start).is_some_and(|outer| outer.payload > 0) {
            return Sniff::Yes;
        }
        match Envelope::take(&mut Cursor::new(bytes)) {
            Ok(envelope) => {
                let is_sure = envelope.check(side).is_ok()
                    && envelope.version & !ANSWER >= 3
                    && envelope.flags < 0x20
                    && (-1..1 << 15).contains(&i32::from(envelope.stream))
                    && envelope.length < 1 << 24
                    && is_answer(envelope.operation) == (side == Side::Server);
                if is_sure { Sniff::Yes } else { Sniff::No }
            }
            Err(Short) => Sniff::More,
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let at = if head.first().is_some_and(|version| version & !ANSWER < 3) { 3 } else { 4 };
        head.get(at).and_then(|operation| OPERATIONS.get(usize::from(*operation))).copied().unwrap_or("envelope")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_query = matches!(report.kind, "QUERY" | "PREPARE");
        (name == "query" && has_query).then(|| AttributeValue::text(&report.subject))
    }
}

/// Returns whether servers send this operation.
fn is_answer(operation: u8) -> bool {
    matches!(operation, 0 | 2 | 3 | 6 | 8 | 12 | 14 | 16)
}

/// Reads an envelope.
fn envelope<'a>(header: &Envelope, fields: Cursor<'a>) -> Result<Report<'a>, Fault> {
    let report = Report::new(OPERATIONS.get(usize::from(header.operation)).copied().unwrap_or("envelope"));
    let id = u64::from(header.stream.cast_unsigned());
    let report = match header.version & ANSWER {
        0 => report.role(Role::RequestWithId(id)),
        // Events have a stream of their own.
        _ if header.operation == EVENT || header.stream < 0 => report,
        _ => report.role(Role::AnswerWithId { id, last: true }),
    };
    let length = usize::try_from(header.length).unwrap_or(usize::MAX);
    let body = Cursor::new(&fields.rest()[..length.min(fields.rest().len())]);
    match body_of(header, body, report.clone()) {
        Ok(report) => Ok(report),
        // It is cut off, or it is shorter than its fields.
        Err(Short) if body.rest().len() < length => Ok(report),
        Err(Short) if header.operation == ERROR => Ok(report.failed("unknown")),
        Err(Short) => Ok(report.malformed(Fault::SHORT.0)),
    }
}

/// Reads the body of an envelope.
fn body_of<'a>(header: &Envelope, mut body: Cursor<'a>, report: Report<'a>) -> Result<Report<'a>, Short> {
    if header.flags & COMPRESSED != 0 && header.version & !ANSWER < 5 {
        return Ok(if header.operation == ERROR { report.failed("unknown") } else { report });
    }
    let is_answer = header.version & ANSWER != 0;
    if is_answer && header.flags & TRACING != 0 {
        body.take(16)?;
    }
    if is_answer && header.flags & WARNING != 0 {
        for _ in 0..body.u16()? {
            let length = body.u16()?;
            body.take(length.into())?;
        }
    }
    if header.flags & CUSTOM_PAYLOAD != 0 {
        for _ in 0..body.u16()? {
            let length = body.u16()?;
            body.take(length.into())?;
            let length = body.i32()?;
            body.take(usize::try_from(length).unwrap_or(0))?;
        }
    }
    Ok(match header.operation {
        ERROR => {
            let code = body.u32()?;
            let length = body.u16()?;
            let text = body.rest();
            let report = report.subject(&text[..text.len().min(length.into())]);
            match ERRORS.iter().find(|(known, _)| *known == code) {
                Some((_, name)) => report.failed(*name),
                None => report.failed(Cow::Owned(format!("0x{code:04x}"))),
            }
        }
        QUERY | PREPARE => {
            let length = usize::try_from(body.u32()?).unwrap_or(usize::MAX);
            let text = body.rest();
            report.subject(statement(&text[..text.len().min(length)]))
        }
        EVENT => {
            let length = body.u16()?;
            report.subject(body.take(length.into())?)
        }
        _ => report,
    })
}

/// The code of STARTUP.
const STARTUP: u8 = 1;

/// Returns whether the first bytes of a connection are Cassandra.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    let version = match first {
        [] => return Sniff::More,
        [version, ..] => version & !ANSWER,
    };
    if !(3..=5).contains(&version) {
        return Sniff::No;
    }
    // A small stream, and a body of less than 64 KiB. TLS, RTMP and others share the first byte.
    match *first {
        [_, 0x20..=0xff, ..] => Sniff::No,
        // STARTUP contains a map of strings: the number of its pairs, and a name in capitals.
        [_, _, 0 | 0xff, _, STARTUP, 0, 0, _, _, ref map @ ..] if side == Side::Client => match *map {
            [0, 1..=16, 0, 1..=64, b'A'..=b'Z', ..] => Cassandra.begins(side, first),
            [0, 1..=16, 0, 1..=64] | [0, 1..=16, 0] | [0, 1..=16] | [0] | [] => Sniff::More,
            _ => Sniff::No,
        },
        [_, _, 0 | 0xff, _, _, 0, 0, _, _, ..] => Cassandra.begins(side, first),
        [_, _, 0 | 0xff, _, _, 0, 0, ..] | [_, _, 0 | 0xff, _, _, 0] | [_, _, 0 | 0xff, _, _] => Sniff::More,
        [_, _, 0 | 0xff, _] | [_, _, 0 | 0xff] | [_, _] | [_] => Sniff::More,
        _ => Sniff::No,
    }
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use super::{Cassandra, crc24};
    use crate::protocols::testing::summaries;

    /// Returns an outer frame.
    fn outer(payload: &[u8]) -> Vec<u8> {
        let header = (payload.len() as u32 | 1 << 17).to_le_bytes();
        let crc = crc24(&header[..3]).to_le_bytes();
        [&header[..3], &crc[..3], payload, &[0; 4]].concat()
    }

    const QUERY: &[u8] = b"\x04\0\0\x01\x07\0\0\0\x0f\0\0\0\x08SELECT 1\0\x01\0";

    #[test]
    fn answers_find_their_stream_and_errors_have_names() {
        let lines = summaries(
            Cassandra,
            &[
                (Side::Client, QUERY),
                (Side::Client, b"\x04\0\0\x02\x05\0\0\0\0"),
                (Side::Server, b"\x84\0\xff\xff\x0c\0\0\0\x05\0\x03abc"),
                (Side::Server, b"\x84\x08\0\x02\0\0\0\0\x0d\0\x01\0\x01w\0\0\x22\0\0\x02no"),
                (Side::Server, b"\x84\0\0\x01\x08\0\0\0\x04\0\0\0\x01"),
            ],
        );
        assert_eq!(lines, ["QUERY SELECT 1", "OPTIONS", "EVENT abc", "ERROR Invalid no #1", "RESULT #0"]);
    }

    #[test]
    fn outer_frames_of_version_5_are_recognised_by_their_checksum() {
        let mut query = QUERY.to_vec();
        query[0] = 5;
        let answer = b"\x85\0\0\x01\x08\0\0\0\x04\0\0\0\x01";
        let lines = summaries(
            Cassandra,
            &[
                (Side::Client, b"\x05\0\0\0\x01\0\0\0\x02\0\0"),
                (Side::Server, b"\x85\0\0\0\x02\0\0\0\0"),
                (Side::Client, &outer(&query)),
                (Side::Server, &outer(answer)),
                (Side::Server, &outer(&answer.repeat(2))),
            ],
        );
        assert_eq!(lines, ["STARTUP", "READY #0", "QUERY SELECT 1", "RESULT #1", "frame"]);
    }

    #[test]
    fn impossible_headers_are_malformed() {
        let lines = summaries(
            Cassandra,
            &[(Side::Client, b"\x04\0\0\x01\x07\xff\xff\xff\xff"), (Side::Server, b"\x04\0\0\x01\x07\0\0\0\0")],
        );
        assert_eq!(lines, ["QUERY", "QUERY"]);
    }
}
