//! DCE/RPC over TCP (C706 "DCE 1.1: Remote Procedure Call", chapter 12; MS-RPCE).
//!
//! A message is a PDU. A call of several fragments is several PDUs with the same number: the first
//! one is the request, and all fragments of the response answer it.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| DceRpc)
        .alias("msrpc")
        .on_ports(&[135])
        .about("DCE/RPC over TCP, with Microsoft's extensions")
        .with_kinds("the type of PDU, such as `bind`, `request`, `fault`")
        .with_attributes(&[
            Attribute::new("operation", AttributeType::Number, "the number of the operation of a request"),
            Attribute::new("interface", AttributeType::Text, "the UUID of the first interface of a bind"),
        ])
        .sniffed_by(sniff)
}

/// The rules of DCE/RPC.
#[derive(Debug)]
struct DceRpc;

/// The length of the header that all PDUs have.
const HEADER: usize = 16;

const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;
const ALTER_CONTEXT: u8 = 14;
const ALTER_CONTEXT_RESP: u8 = 15;

const FIRST_FRAGMENT: u8 = 1;
const LAST_FRAGMENT: u8 = 2;
const HAS_OBJECT: u8 = 0x80;

/// The names of the types of PDUs of connections (section 12.1).
const KINDS: [&str; 20] = [
    "request",
    "",
    "response",
    "fault",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "bind",
    "bind_ack",
    "bind_nak",
    "alter_context",
    "alter_context_resp",
    "auth3",
    "shutdown",
    "co_cancel",
    "orphaned",
];

fn kind_name(kind: u8) -> Option<&'static str> {
    KINDS.get(usize::from(kind)).copied().filter(|name| !name.is_empty())
}

/// The header of a PDU.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: u8,
    flags: u8,
    is_little: bool,
    length: u16,
    call: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        // The upper half of the first byte of the data representation is the order of bytes.
        let is_little = header[4] >> 4 == 1;
        let mut fields = Cursor::new(&header[8..]);
        let length = number16(&mut fields, is_little).ok()?;
        number16(&mut fields, is_little).ok()?;
        let call = number32(&mut fields, is_little).ok()?;
        Some(Self { kind: header[2], flags: header[3], is_little, length, call })
    }
}

fn number16(fields: &mut Cursor<'_>, is_little: bool) -> Result<u16, Short> {
    if is_little { fields.u16_le() } else { fields.u16() }
}

fn number32(fields: &mut Cursor<'_>, is_little: bool) -> Result<u32, Short> {
    if is_little { fields.u32_le() } else { fields.u32() }
}

impl Rules for DceRpc {
    const NAME: &'static str = "dcerpc";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match message.parts {
            0 => Ok(Next::Bytes(HEADER as u64)),
            1 => {
                if !matches!(message.head, [5, 0 | 1, ..]) {
                    return Err(Fault("the version of DCE/RPC is not 5"));
                }
                let header = Header::parse(message.head).ok_or(Fault::SHORT)?;
                match usize::from(header.length).checked_sub(HEADER) {
                    None => Err(Fault("the length of the PDU is less than 16")),
                    Some(0) => Ok(Next::End),
                    Some(rest) => Ok(Next::Last(rest as u64)),
                }
            }
            _ => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let header = Header::parse(frame.head).ok_or(Fault::SHORT)?;
        let Some(name) = kind_name(header.kind) else {
            return Ok(Report::new("pdu").malformed("the type of the PDU is not known"));
        };
        let report = Report::new(name);
        let mut fields = Cursor::new(&frame.head[HEADER..]);
        let id = u64::from(header.call);
        let answer = |last| Role::AnswerWithId { id, last };
        Ok(match header.kind {
            REQUEST => {
                let operation = operation(&mut fields, header)?;
                let report = report.subject(format!("operation {operation}").into_bytes());
                if header.flags & FIRST_FRAGMENT != 0 { report.role(Role::RequestWithId(id)) } else { report }
            }
            RESPONSE => report.role(answer(header.flags & LAST_FRAGMENT != 0)),
            FAULT => {
                fields.take(8)?;
                let status = number32(&mut fields, header.is_little)?;
                report.role(answer(true)).failed(fault_name(status))
            }
            BIND | ALTER_CONTEXT => {
                let report = report.role(Role::RequestWithId(id));
                match interface(&mut fields, header.is_little) {
                    Ok(Some(interface)) => report.subject(interface.into_bytes()),
                    Ok(None) => report,
                    Err(Short) => return Err(Fault::SHORT),
                }
            }
            BIND_ACK | ALTER_CONTEXT_RESP => report.role(answer(true)),
            BIND_NAK => {
                let reason = number16(&mut fields, header.is_little)?;
                report.role(answer(true)).failed(refusal_name(reason))
            }
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        begins(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        head.get(2).and_then(|kind| kind_name(*kind)).unwrap_or("pdu")
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let header = Header::parse(frame.head)?;
        match (name, header.kind) {
            ("operation", REQUEST) => {
                let operation = operation(&mut Cursor::new(&frame.head[HEADER..]), header).ok()?;
                Some(AttributeValue::Number(operation.into()))
            }
            ("interface", BIND | ALTER_CONTEXT) if !report.subject.is_empty() => {
                Some(AttributeValue::text(&report.subject))
            }
            _ => None,
        }
    }
}

/// Takes the hint of the length, the context, and the number of the operation of a request.
fn operation(fields: &mut Cursor<'_>, header: Header) -> Result<u16, Short> {
    fields.take(6)?;
    let operation = number16(fields, header.is_little)?;
    if header.flags & HAS_OBJECT != 0 {
        fields.take(16)?;
    }
    Ok(operation)
}

/// Returns the UUID of the first interface of a bind, if it has one.
fn interface(fields: &mut Cursor<'_>, is_little: bool) -> Result<Option<String>, Short> {
    // The sizes of fragments, the group, the number of contexts; of the first one its number and
    // the number of its syntaxes.
    fields.take(8)?;
    let contexts = fields.u8()?;
    fields.take(3)?;
    if contexts == 0 {
        return Ok(None);
    }
    fields.take(4)?;
    let (first, second, third) =
        (number32(fields, is_little)?, number16(fields, is_little)?, number16(fields, is_little)?);
    let rest: [u8; 8] = fields.array()?;
    let tail = rest.iter().skip(2).map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(Some(format!("{first:08x}-{second:04x}-{third:04x}-{:02x}{:02x}-{tail}", rest[0], rest[1])))
}

/// Returns the name of the status of a fault (C706, appendix E; MS-ERREF, section 2.2).
fn fault_name(status: u32) -> Cow<'static, str> {
    Cow::Borrowed(match status {
        0x0000_0005 => "ERROR_ACCESS_DENIED",
        0x0000_06f7 => "RPC_X_BAD_STUB_DATA",
        0x1c00_0001 => "nca_s_fault_int_div_by_zero",
        0x1c00_0002 => "nca_s_fault_addr_error",
        0x1c00_0009 => "nca_s_fault_cancel",
        0x1c01_0002 => "nca_op_rng_error",
        0x1c01_0003 => "nca_unk_if",
        0x1c01_000b => "nca_proto_error",
        0x1c01_0014 => "nca_server_too_busy",
        0x1c00_001a => "nca_s_fault_context_mismatch",
        _ => return Cow::Owned(format!("0x{status:08x}")),
    })
}

/// Returns the name of the reason of a `bind_nak` (C706, section 12.6.3.1; MS-RPCE, section
/// 2.2.2.5).
fn refusal_name(reason: u16) -> Cow<'static, str> {
    Cow::Borrowed(match reason {
        0 => "reason_not_specified",
        1 => "temporary_congestion",
        2 => "local_limit_exceeded",
        4 => "protocol_version_not_supported",
        8 => "authentication_type_not_recognized",
        9 => "invalid_checksum",
        _ => return Cow::Owned(reason.to_string()),
    })
}

/// Returns whether a PDU begins with these bytes: its version, its type, and the representation of
/// integers, characters and floats, which is the same everywhere but for the order of bytes.
fn begins(bytes: &[u8]) -> Sniff {
    let is_possible = bytes.first().is_none_or(|version| *version == 5)
        && bytes.get(1).is_none_or(|minor| *minor == 0)
        && bytes.get(2).is_none_or(|kind| kind_name(*kind).is_some())
        && bytes.get(4).is_none_or(|order| matches!(order, 0x10 | 0x00))
        && bytes.iter().skip(5).take(3).all(|byte| *byte == 0);
    match Header::parse(bytes) {
        _ if !is_possible => Sniff::No,
        None => Sniff::More,
        Some(header) if usize::from(header.length) >= HEADER => Sniff::Yes,
        Some(_) => Sniff::No,
    }
}

/// Returns whether the first bytes of a side are DCE/RPC.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    begins(first)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines, lines_midstream};

    fn pdu(kind: u8, flags: u8, call: u32, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(16 + body.len()).unwrap().to_le_bytes();
        [&[5, 0, kind, flags, 0x10, 0, 0, 0], &length[..], &[0, 0], &call.to_le_bytes(), body].concat()
    }

    /// A bind to the endpoint mapper.
    const BIND: &[u8] = b"\xd0\x16\xd0\x16\0\0\0\0\x01\0\0\0\0\0\x01\0\x08\x83\xaf\xe1\x1f\x5d\xc9\x11\x91\xa4\x08\0\x2b\x14\xa0\xfa\x03\0\0\0";

    #[test]
    fn calls_are_paired_by_their_number_and_fragments_belong_to_them() {
        let ask = b"\0\0\0\0\0\0\x03\0";
        let turns = [
            (C, pdu(11, 3, 1, BIND)),
            (S, pdu(12, 3, 1, &[0; 8])),
            (C, [pdu(0, 1, 2, ask), pdu(0, 2, 2, ask), pdu(0, 3, 3, ask)].concat()),
            (S, [pdu(2, 1, 2, &[0; 8]), pdu(2, 2, 2, &[0; 8])].concat()),
            (S, pdu(3, 3, 3, b"\0\0\0\0\0\0\0\0\x02\0\x01\x1c\0\0\0\0")),
            (S, pdu(13, 3, 9, b"\x08\0")),
        ];
        let expected = [
            "client bind at 0+52 ok: bind e1af8308-5d1f-11c9-91a4-08002b14a0fa",
            "server bind_ack at 0+24 ok answers #0: bind_ack",
            "client request at 52+24 ok: request operation 3",
            "client request at 76+24 ok: request operation 3",
            "client request at 100+24 ok: request operation 3",
            "server response at 24+24 ok answers #1: response",
            "server response at 48+24 ok answers #1: response",
            "server fault at 72+32 failed nca_op_rng_error answers #3: fault nca_op_rng_error",
            "server bind_nak at 104+18 failed authentication_type_not_recognized: bind_nak authentication_type_not_recognized",
        ];
        assert_eq!(lines("dcerpc", &turns), expected);
        assert_eq!(lines("auto", &turns), expected);
    }

    #[test]
    fn the_representation_decides_the_order_of_bytes() {
        let big = b"\x05\0\0\x03\0\0\0\0\0\x18\0\0\0\0\0\x07\0\0\0\0\0\0\0\x04";
        assert_eq!(lines("auto", &[(C, big)]), ["client request at 0+24 ok: request operation 4"]);
    }

    #[test]
    fn pdus_that_break_the_rules_are_malformed() {
        for (bytes, reason) in [
            (pdu(1, 3, 1, b"x"), "the type of the PDU is not known"),
            (pdu(0, 3, 1, b"short"), "it ends inside a field"),
            (pdu(11, 3, 1, &BIND[..20]), "it ends inside a field"),
            (b"\x05\0\0\x03\x10\0\0\0\x0f\0\0\0\x01\0\0\0".to_vec(), "the length of the PDU is less than 16"),
            (b"\x04\0\0\x03\x10\0\0\0\x10\0\0\0\x01\0\0\0".to_vec(), "the version of DCE/RPC is not 5"),
        ] {
            let seen = lines("dcerpc", &[(C, [bytes, pdu(11, 3, 4, BIND)].concat())]);
            assert!(seen[0].contains(reason), "{seen:?}");
            assert!(seen.last().unwrap().contains("client bind"), "{seen:?}");
        }
        let bytes = [&b"lost"[..], &pdu(11, 3, 4, BIND)].concat();
        assert!(lines_midstream("dcerpc", C, &bytes)[1].contains("client bind at 4+52 ok"));
    }
}
