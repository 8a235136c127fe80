//! Apache Thrift: the binary and the compact protocol, framed and unframed (`thrift-rpc.md`,
//! `thrift-binary-protocol.md`, `thrift-compact-protocol.md` of Apache Thrift).
//!
//! A framed message has its length in front. An unframed one ends where its fields end, so its
//! fields are walked: strings and sets are skipped by their length, and nesting is limited. A reply
//! has the sequence number of its call.

mod walk;

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::walk::Walk;
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Thrift)
        .on_ports(&[9090])
        .about("Apache Thrift: binary and compact, framed and unframed")
        .with_kinds("`call`, `reply`, `exception`, `oneway`")
        .with_attributes(&[Attribute::new("method", AttributeType::Text, "the name of the method")])
        .sniffed_by(sniff)
}

/// The rules of Thrift.
#[derive(Debug)]
struct Thrift;

/// The message in progress.
#[derive(Debug, Default)]
struct Memo {
    walk: Option<Walk>,
}

/// The maximum length of a frame (`DEFAULT_MAX_LENGTH` of the Java library).
const FRAME_MAX: u32 = 16_384_000;

/// The maximum length of the name of a method.
const NAME_MAX: u32 = 1024;

/// The first byte of a message of the binary protocol, with its version.
const BINARY: [u8; 2] = [0x80, 0x01];

/// The first byte of a message of the compact protocol.
const COMPACT: u8 = 0x82;

const CALL: u8 = 1;
const EXCEPTION: u8 = 3;
const ONEWAY: u8 = 4;

/// The names of the types of messages.
const KINDS: [&str; 5] = ["message", "call", "reply", "exception", "oneway"];

/// The names of the types of a `TApplicationException`.
const EXCEPTIONS: [&str; 11] = [
    "UNKNOWN",
    "UNKNOWN_METHOD",
    "INVALID_MESSAGE_TYPE",
    "WRONG_METHOD_NAME",
    "BAD_SEQUENCE_ID",
    "MISSING_RESULT",
    "INTERNAL_ERROR",
    "PROTOCOL_ERROR",
    "INVALID_TRANSFORM",
    "INVALID_PROTOCOL",
    "UNSUPPORTED_CLIENT_TYPE",
];

impl Rules for Thrift {
    const NAME: &'static str = "thrift";
    type Memo = Memo;

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        if let Some(walk) = &mut message.memo.walk {
            return walk.next(message.last);
        }
        match *message.head {
            [] => Ok(Next::Bytes(4)),
            [COMPACT, ..] => {
                // Four bytes are there: the version, and the beginning of the sequence number.
                let walk = message.memo.walk.insert(Walk::compact(message.last));
                walk.begin()
            }
            [0x80, ..] if message.head.starts_with(&BINARY) => {
                let walk = message.memo.walk.insert(Walk::binary());
                walk.begin()
            }
            [a, b, c, d, ..] => {
                let length = u32::from_be_bytes([a, b, c, d]);
                match (message.parts, length) {
                    (2.., _) => Ok(Next::End),
                    (_, 0..6) => Err(Fault("the length of the frame is too small")),
                    (_, FRAME_MAX..) => Err(Fault("the frame is longer than 16384000 bytes")),
                    _ => Ok(Next::Last(length.into())),
                }
            }
            _ => Err(Fault::SHORT),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let is_framed = frame.memo.walk.is_none();
        let message = if is_framed { frame.head.get(4..).unwrap_or_default() } else { frame.head };
        let Some(header) = Header::parse(message) else {
            return Ok(Report::new("message").malformed("the frame contains no message"));
        };
        let header = header?;
        let id = u64::from(header.sequence as u32);
        let report = Report::new(KINDS[usize::from(header.kind)]).subject(header.name);
        Ok(match header.kind {
            CALL => report.role(Role::RequestWithId(id)),
            ONEWAY => report,
            _ => {
                let report = report.role(Role::AnswerWithId { id, last: true });
                match (header.kind, header.first_field()) {
                    (EXCEPTION, _) => report.failed(header.exception()),
                    // The result has the number 0, and the exceptions that a method declares have
                    // others.
                    (_, Some(field)) if field != 0 => report.failed(Cow::Owned(format!("exception {field}"))),
                    _ => report,
                }
            }
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        begins(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let kind = match head {
            [0x80, 1, 0, kind, ..] | [0, _, _, _, 0x80, 1, 0, kind, ..] => *kind,
            [COMPACT, kind, ..] | [0, _, _, _, COMPACT, kind, ..] => kind >> 5,
            _ => 0,
        };
        KINDS.get(usize::from(kind)).copied().unwrap_or("message")
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, Memo>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "method" && report.kind != "message").then(|| AttributeValue::text(&report.subject))
    }
}

/// The header of a message, and its fields.
#[derive(Debug)]
struct Header<'a> {
    kind: u8,
    name: &'a [u8],
    sequence: i32,
    fields: Cursor<'a>,
    is_compact: bool,
}

impl<'a> Header<'a> {
    /// Parses a message. `None` if it is none.
    fn parse(message: &'a [u8]) -> Option<Result<Self, Fault>> {
        let mut fields = Cursor::new(message);
        match *message {
            [0x80, 1, _, kind, ..] => Some(Self::binary(&mut fields, kind)),
            [COMPACT, version, ..] if version & 0x1f == 1 => Some(Self::compact(&mut fields, version >> 5)),
            // The binary protocol without a version: the name comes first.
            [0, 0, high, low, ..] if u16::from_be_bytes([high, low]) > 0 => Some(Self::old(&mut fields)),
            _ => None,
        }
    }

    fn binary(fields: &mut Cursor<'a>, kind: u8) -> Result<Self, Fault> {
        fields.u32()?;
        let length = name_length(fields.u32()?)?;
        let name = fields.take(length)?;
        Self::new(kind, name, fields.i32()?, *fields, false)
    }

    fn old(fields: &mut Cursor<'a>) -> Result<Self, Fault> {
        let length = name_length(fields.u32()?)?;
        let name = fields.take(length)?;
        let kind = fields.u8()?;
        Self::new(kind, name, fields.i32()?, *fields, false)
    }

    fn compact(fields: &mut Cursor<'a>, kind: u8) -> Result<Self, Fault> {
        fields.u16()?;
        let sequence = walk::varint(fields)? as i32;
        let length = name_length(u32::try_from(walk::varint(fields)?).unwrap_or(u32::MAX))?;
        let name = fields.take(length)?;
        Self::new(kind, name, sequence, *fields, true)
    }

    fn new(kind: u8, name: &'a [u8], sequence: i32, fields: Cursor<'a>, is_compact: bool) -> Result<Self, Fault> {
        if (CALL..=ONEWAY).contains(&kind) {
            Ok(Self { kind, name, sequence, fields, is_compact })
        } else {
            Err(Fault("the type of the message is not known"))
        }
    }

    /// Returns the number of the first field.
    fn first_field(&self) -> Option<i16> {
        match (self.fields.rest(), self.is_compact) {
            ([0, ..] | [], _) => None,
            ([_, high, low, ..], false) => Some(i16::from_be_bytes([*high, *low])),
            ([field, rest @ ..], true) if field >> 4 == 0 => {
                let number = walk::varint(&mut Cursor::new(rest)).ok()?;
                i16::try_from((number >> 1) as i64 ^ -((number & 1) as i64)).ok()
            }
            ([field, ..], true) => Some(i16::from(field >> 4)),
            _ => None,
        }
    }

    /// Returns the name of the type of a `TApplicationException`: its field 2, behind its text.
    fn exception(&self) -> Cow<'static, str> {
        let number = if self.is_compact { self.compact_exception() } else { self.binary_exception() };
        let number = number.unwrap_or(0);
        match usize::try_from(number).ok().and_then(|number| EXCEPTIONS.get(number)) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(number.to_string()),
        }
    }

    fn binary_exception(&self) -> Option<i32> {
        let mut fields = self.fields;
        loop {
            match (fields.u8().ok()?, fields.u16().ok()?) {
                (11, _) => {
                    let length = fields.u32().ok()?;
                    fields.take(length as usize).ok()?;
                }
                (8, 2) => return fields.i32().ok(),
                _ => return None,
            }
        }
    }

    fn compact_exception(&self) -> Option<i32> {
        let mut fields = self.fields;
        let mut number = 0;
        loop {
            let field = fields.u8().ok()?;
            number += field >> 4;
            match field & 0xf {
                8 => {
                    let length = walk::varint(&mut fields).ok()?;
                    fields.take(usize::try_from(length).ok()?).ok()?;
                }
                5 if number == 2 => {
                    let value = walk::varint(&mut fields).ok()? as u32;
                    return Some((value >> 1) as i32 ^ -((value & 1) as i32));
                }
                _ => return None,
            }
        }
    }
}

/// Checks the length of a name.
fn name_length(length: u32) -> Result<usize, Fault> {
    if length <= NAME_MAX {
        Ok(length as usize)
    } else {
        Err(Fault("the name of the method is longer than 1024 bytes"))
    }
}

/// Returns whether a message begins with these bytes.
fn begins(bytes: &[u8]) -> Sniff {
    match bytes {
        [] => Sniff::More,
        [0x80, rest @ ..] => begins_binary(rest),
        [COMPACT, rest @ ..] => begins_compact(rest),
        [0] | [0, _] | [0, _, _] | [0, _, _, _] => Sniff::More,
        [0, _, _, _, 0x80, rest @ ..] => begins_binary(rest),
        [0, _, _, _, COMPACT, rest @ ..] => begins_compact(rest),
        _ => Sniff::No,
    }
}

/// Compares the bytes behind 0x80: the version, the type, and the length of a name.
fn begins_binary(rest: &[u8]) -> Sniff {
    match rest {
        [] | [1] | [1, 0] | [1, 0, 1..=4] | [1, 0, 1..=4, 0] | [1, 0, 1..=4, 0, 0] | [1, 0, 1..=4, 0, 0, 0..=4] => {
            Sniff::More
        }
        [1, 0, 1..=4, 0, 0, 0..=4, _, name @ ..] => begins_name(name),
        _ => Sniff::No,
    }
}

/// Compares the bytes behind 0x82: the type and the version, the sequence number, and a name.
fn begins_compact(rest: &[u8]) -> Sniff {
    match rest {
        [] => Sniff::More,
        [0x21 | 0x41 | 0x61 | 0x81, rest @ ..] => {
            let Some(number) = rest.iter().take(5).position(|byte| byte & 0x80 == 0) else {
                return if rest.len() < 5 { Sniff::More } else { Sniff::No };
            };
            match &rest[number + 1..] {
                [] => Sniff::More,
                [1..=0x7f, name @ ..] => begins_name(name),
                _ => Sniff::No,
            }
        }
        _ => Sniff::No,
    }
}

/// Returns whether the name of a method begins with these bytes. Multiplexed names have a colon.
fn begins_name(name: &[u8]) -> Sniff {
    match name.first() {
        None => Sniff::More,
        Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => Sniff::Yes,
        Some(_) => Sniff::No,
    }
}

/// Returns whether the first bytes of a side are Thrift.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    begins(first)
}

#[cfg(test)]
mod tests;
