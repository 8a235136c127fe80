//! TPKT (RFC 1006) with the transport protocol of ISO (X.224, COTP), and above it S7 communication,
//! the beginning of RDP, MMS and others.
//!
//! A message is a TPKT packet. That of S7 has the kind and the function of S7, and its answer has
//! the same reference. Behind an RDP connection confirm that chooses TLS both sides change to
//! `tls`. Without TLS, RDP sends packets of its own form, too (fast-path, MS-RDPBCGR, section
//! 2.2.9.1.2).

mod s7;

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::s7::S7;
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Tpkt::default)
        .alias("s7comm")
        .alias("cotp")
        .alias("rdp")
        .on_ports(&[102, 3389])
        .about("TPKT and COTP, with S7 communication and the beginning of RDP")
        .with_kinds("`CR`, `CC`, `DT` and others; of S7: `job`, `ack`, `ack_data`, `userdata`; of RDP: `fast-path`")
        .with_attributes(&[
            Attribute::new("reference", AttributeType::Number, "the reference of an S7 job and its answer"),
            Attribute::new("function", AttributeType::Text, "the function of a message of S7"),
        ])
        .sniffed_by(sniff)
}

/// The rules of TPKT.
#[derive(Debug, Default)]
struct Tpkt {
    /// Whether the client asked for RDP.
    is_rdp: bool,
}

/// The length of the header of a packet.
const HEADER: usize = 4;

/// The shortest packet: the header, and a header of COTP of three bytes.
const PACKET_MIN: u16 = 7;

/// The version of TPKT.
const VERSION: u8 = 3;

/// The types of COTP (X.224, section 13).
const CONNECTION_REQUEST: u8 = 0xe0;
const CONNECTION_CONFIRM: u8 = 0xd0;
const DISCONNECT_REQUEST: u8 = 0x80;
const DATA: u8 = 0xf0;

/// The number of a connection request: it is above all references of 16 bits.
const CONNECT_ID: u64 = 1 << 16;

/// The types of the negotiation of RDP (MS-RDPBCGR, sections 2.2.1.1.1 and 2.2.1.2.1).
const RDP_REQUEST: u8 = 1;
const RDP_RESPONSE: u8 = 2;
const RDP_FAILURE: u8 = 3;

impl Rules for Tpkt {
    const NAME: &'static str = "tpkt";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match *message.head {
            [] if self.is_rdp => Ok(Next::Bytes(2)),
            [] => Ok(Next::Bytes(HEADER as u64)),
            [first, second] if first & 3 == 0 && self.is_rdp => {
                if second & 0x80 != 0 {
                    return Ok(Next::Bytes(1));
                }
                fast_path(second.into(), 2)
            }
            [first, second, third] if first & 3 == 0 && self.is_rdp => {
                fast_path(u64::from(second & 0x7f) << 8 | u64::from(third), 3)
            }
            [_, _] => Ok(Next::Bytes(HEADER as u64 - 2)),
            [version, _, high, low, ..] if message.length == HEADER as u64 => {
                let length = u16::from_be_bytes([high, low]);
                if version != VERSION {
                    return Err(Fault("the version of TPKT is not 3"));
                }
                if length < PACKET_MIN {
                    return Err(Fault("the length of the packet is less than 7"));
                }
                Ok(Next::Last(u64::from(length) - HEADER as u64))
            }
            _ => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        if frame.head[0] != VERSION {
            return Ok(Report::new("fast-path"));
        }
        let mut fields = Cursor::new(&frame.head[HEADER..]);
        let length = usize::from(fields.u8()?);
        let Ok(transport) = fields.take(length) else {
            let report = Report::new(self.broken_kind(frame.side, frame.head));
            return Ok(if frame.is_kept() {
                report.malformed("the header of COTP is longer than the packet")
            } else {
                report
            });
        };
        let Some((&kind, rest)) = transport.split_first() else {
            return Ok(Report::new("packet").malformed("the header of COTP is empty"));
        };
        let report = Report::new(kind_name(kind));
        Ok(match kind & 0xf0 {
            CONNECTION_REQUEST => self.connection_request(report, rest),
            CONNECTION_CONFIRM => confirm(report.role(Role::AnswerWithId { id: CONNECT_ID, last: true }), rest),
            DISCONNECT_REQUEST => {
                let reason = rest.get(4).copied().ok_or(Fault::SHORT)?;
                report.role(Role::AnswerWithId { id: CONNECT_ID, last: true }).failed(reason.to_string())
            }
            DATA => self.data(report, rest, fields.rest(), frame.is_kept()),
            _ if kind_name(kind) == "packet" => report.malformed("the type of COTP is not known"),
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        begins(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        match head {
            [VERSION, _, _, _, _, DATA, _, 0x32, kind, ..] => s7::kind_name(*kind).unwrap_or("DT"),
            [VERSION, _, _, _, _, kind, ..] => kind_name(*kind),
            [first, ..] if first & 3 == 0 && self.is_rdp => "fast-path",
            _ => "packet",
        }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let s7 = S7::parse(frame.head.get(HEADER + 3..)?).filter(|_| s7::KINDS.contains(&report.kind))?;
        match name {
            "reference" => Some(AttributeValue::Number(s7.reference.into())),
            "function" if !report.subject.is_empty() => Some(AttributeValue::text(&report.subject)),
            _ => None,
        }
    }

    fn lost(&mut self, _: Side) {}
}

impl Tpkt {
    fn connection_request<'a>(&mut self, report: Report<'a>, rest: &'a [u8]) -> Report<'a> {
        let report = report.role(Role::RequestWithId(CONNECT_ID));
        let variable = rest.get(5..).unwrap_or_default();
        let cookie = variable.strip_prefix(b"Cookie: ").and_then(|text| {
            let end = text.windows(2).position(|pair| pair == b"\r\n")?;
            Some(text.split_at(end))
        });
        let (report, behind) = match cookie {
            Some((cookie, behind)) => (report.subject(cookie), behind.get(2..).unwrap_or_default()),
            None => (report, variable),
        };
        let asks = matches!(behind, [RDP_REQUEST, _, 8, 0, ..]);
        self.is_rdp |= asks || cookie.is_some();
        // The answer may choose TLS.
        if asks { report.then(Then::Await) } else { report }
    }

    fn data<'a>(&self, report: Report<'a>, rest: &[u8], payload: &'a [u8], is_kept: bool) -> Report<'a> {
        // A segment of a message that goes on has no bit of the end.
        if rest.first().is_none_or(|number| number & 0x80 == 0) {
            return report;
        }
        match payload {
            [s7::PROTOCOL, ..] => match S7::parse(payload) {
                Some(s7) => s7.report(is_kept),
                None => report.malformed("the header of S7 is not whole"),
            },
            [first, second, ..] if self.is_rdp => match mcs_name(*first, *second) {
                Some(name) => report.subject(name.as_bytes()),
                None => report,
            },
            _ => report,
        }
    }
}

/// Returns the rest of a packet of RDP that is not TPKT. Its length contains its header.
fn fast_path(length: u64, header: u64) -> Result<Next, Fault> {
    match length.checked_sub(header) {
        Some(0) => Ok(Next::End),
        Some(rest) => Ok(Next::SkipLast(rest)),
        None => Err(Fault("the length of a fast-path packet is too small")),
    }
}

/// Reads the answer to a connection request, with that of RDP.
fn confirm<'a>(report: Report<'a>, rest: &[u8]) -> Report<'a> {
    const FAILURES: [&str; 7] = [
        "0",
        "SSL_REQUIRED_BY_SERVER",
        "SSL_NOT_ALLOWED_BY_SERVER",
        "SSL_CERT_NOT_ON_SERVER",
        "INCONSISTENT_FLAGS",
        "HYBRID_REQUIRED_BY_SERVER",
        "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
    ];
    match *rest.get(5..).unwrap_or_default() {
        [RDP_RESPONSE, _, 8, 0, a, b, c, d, ..] => match u32::from_le_bytes([a, b, c, d]) {
            0 => report.subject(&b"RDP"[..]),
            // TLS, CredSSP in TLS, and two variants of those.
            1 | 2 | 8 | 16 => report.subject(&b"TLS"[..]).then(Then::Switch("tls")),
            _ => report,
        },
        [RDP_FAILURE, _, 8, 0, a, b, c, d, ..] => {
            let code = u32::from_le_bytes([a, b, c, d]);
            match FAILURES.get(code as usize) {
                Some(name) => report.failed(*name),
                None => report.failed(Cow::Owned(code.to_string())),
            }
        }
        _ => report,
    }
}

/// Returns the name of a type of COTP.
fn kind_name(kind: u8) -> &'static str {
    match kind & 0xf0 {
        CONNECTION_REQUEST => "CR",
        CONNECTION_CONFIRM => "CC",
        DISCONNECT_REQUEST => "DR",
        0xc0 => "DC",
        DATA => "DT",
        0x10 => "ED",
        0x60 => "AK",
        0x20 => "EA",
        0x50 => "RJ",
        0x70 => "ER",
        _ => "packet",
    }
}

/// Returns the name of a message of MCS (T.125), which RDP uses.
fn mcs_name(first: u8, second: u8) -> Option<&'static str> {
    Some(match (first, first >> 2) {
        (0x7f, _) if second == 0x65 => "MCS connect-initial",
        (0x7f, _) if second == 0x66 => "MCS connect-response",
        (_, 1) => "MCS erect-domain",
        (_, 8) => "MCS disconnect",
        (_, 10) => "MCS attach-user-request",
        (_, 11) => "MCS attach-user-confirm",
        (_, 14) => "MCS channel-join-request",
        (_, 15) => "MCS channel-join-confirm",
        (_, 25) => "MCS send-data-request",
        (_, 26) => "MCS send-data-indication",
        _ => return None,
    })
}

/// Returns whether a packet begins with these bytes.
fn begins(bytes: &[u8]) -> Sniff {
    match bytes {
        [] | [VERSION] | [VERSION, 0] | [VERSION, 0, _] | [VERSION, 0, _, _] => Sniff::More,
        [VERSION, 0, high, low, length, rest @ ..] => {
            let packet = u16::from_be_bytes([*high, *low]);
            if packet < PACKET_MIN || *length < 2 || u16::from(*length) + 5 > packet {
                return Sniff::No;
            }
            match *rest {
                [] => Sniff::More,
                // Data of class 0 has a header of two bytes.
                [DATA, ..] if *length == 2 => match rest.get(1) {
                    None => Sniff::More,
                    Some(number) if number & 0x7f == 0 => Sniff::Yes,
                    Some(_) => Sniff::No,
                },
                [CONNECTION_REQUEST | CONNECTION_CONFIRM | DISCONNECT_REQUEST, ..] if *length >= 6 => Sniff::Yes,
                _ => Sniff::No,
            }
        }
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a side are TPKT.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    begins(first)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines, lines_midstream};

    fn packet(transport: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(5 + transport.len() + payload.len()).unwrap().to_be_bytes();
        [&[3, 0], &length[..], &[transport.len() as u8], transport, payload].concat()
    }

    fn data(payload: &[u8]) -> Vec<u8> {
        packet(b"\xf0\x80", payload)
    }

    const CR: &[u8] = b"\xe0\0\0\0\x01\0\xc0\x01\x0a";
    const CC: &[u8] = b"\xd0\0\x01\0\x02\0\xc0\x01\x0a";
    const SETUP: &[u8] = b"\x32\x01\0\0\x02\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";
    const SETUP_DONE: &[u8] = b"\x32\x03\0\0\x02\0\0\x08\0\0\0\0\xf0\0\0\x01\0\x01\0\xf0";
    const READ: &[u8] = b"\x32\x01\0\0\x03\0\0\x0e\0\0\x04\x01\x12\x0a\x10\x02\0\x01\0\x01\x84\0\0\0";
    const READ_FAILED: &[u8] = b"\x32\x03\0\0\x03\0\0\x02\0\x04\0\0\x04\x01\x0a\0\0\0";
    const READ_DONE: &[u8] = b"\x32\x03\0\0\x03\0\0\x02\0\x05\0\0\x04\x01\xff\x04\0\x08\x07";

    #[test]
    fn jobs_of_s7_are_paired_by_their_reference() {
        let turns = [
            (C, packet(CR, b"")),
            (S, packet(CC, b"")),
            (C, [data(SETUP), data(READ)].concat()),
            (S, [data(SETUP_DONE), data(READ_FAILED)].concat()),
            (C, data(READ)),
            (S, data(READ_DONE)),
            (S, data(b"\x32\x02\0\0\x09\0\0\0\0\0\x81\x04")),
        ];
        let expected = [
            "client CR at 0+14 ok: CR",
            "server CC at 0+14 ok answers #0: CC",
            "client job at 14+25 ok: job setup-communication",
            "client job at 39+31 ok: job read",
            "server ack_data at 14+27 ok answers #1: ack_data setup-communication",
            "server ack_data at 41+25 failed 0x0a answers #2: ack_data 0x0a read",
            "client job at 70+31 ok: job read",
            "server ack_data at 66+26 ok answers #3: ack_data read",
            "server ack at 92+19 failed 0x8104: ack 0x8104",
        ];
        assert_eq!(lines("tpkt", &turns), expected);
        assert_eq!(lines("auto", &turns), expected);
    }

    #[test]
    fn rdp_changes_to_tls_where_the_server_chooses_it() {
        let ask = packet(b"\xe0\0\0\0\0\0Cookie: mstshash=a\r\n\x01\0\x08\0\x03\0\0\0", b"");
        let tls = b"\x15\x03\x03\0\x02\x01\0".to_vec();
        let turns = [
            (C, [ask.clone(), tls.clone()].concat()),
            (S, [packet(b"\xd0\0\0\0\0\0\x02\0\x08\0\x01\0\0\0", b""), tls].concat()),
        ];
        let seen = lines("auto", &turns);
        assert_eq!(seen[0], "client CR at 0+39 ok: CR mstshash=a");
        assert_eq!(seen[1], "server CC at 0+19 ok answers #0: CC TLS");
        assert!(seen[2].contains("alert") && seen[3].contains("alert"), "{seen:?}");
        let refused = packet(b"\xd0\0\0\0\0\0\x03\0\x08\0\x05\0\0\0", b"");
        let seen = lines("tpkt", &[(C, ask.clone()), (S, refused)]);
        assert_eq!(
            seen[1],
            "server CC at 0+19 failed HYBRID_REQUIRED_BY_SERVER answers #0: CC HYBRID_REQUIRED_BY_SERVER"
        );
        let plain = [
            packet(b"\xd0\0\0\0\0\0\x02\0\x08\0\0\0\0\0", b""),
            data(b"\x7f\x66x"),
            b"\x00\x05abc\x40\x80\x04x".to_vec(),
        ];
        let seen = lines("tpkt", &[(C, ask), (S, plain.concat())]);
        assert_eq!(seen[2], "server DT at 19+10 ok: DT MCS connect-response");
        assert_eq!(seen[3..], ["server fast-path at 29+5 ok: fast-path", "server fast-path at 34+4 ok: fast-path"]);
    }

    #[test]
    fn packets_that_break_the_rules_are_malformed() {
        for (bytes, reason) in [
            (b"\x03\0\0\x06\x02\xf0".to_vec(), "the length of the packet is less than 7"),
            (b"\x04\0\0\x07\x02\xf0\x80".to_vec(), "the version of TPKT is not 3"),
            (b"\x03\0\0\x07\x09\xf0\x80".to_vec(), "the header of COTP is longer than the packet"),
            (b"\x03\0\0\x07\0\xf0\x80".to_vec(), "the header of COTP is empty"),
            (packet(b"\x33\0", b""), "the type of COTP is not known"),
            (data(b"\x32\x01\0"), "the header of S7 is not whole"),
            (data(b"\x32\x01\0\0\0\x01\0\xff\0\0\x04"), "the parameters of S7 are longer than the packet"),
            (data(b"\x32\x0c\0\0\0\x01\0\0\0\0"), "the type of S7 is not known"),
        ] {
            let seen = lines("tpkt", &[(C, [bytes, data(SETUP)].concat())]);
            assert!(seen[0].contains(reason), "{reason}: {seen:?}");
            assert!(seen.last().unwrap().contains("job setup-communication"), "{seen:?}");
        }
    }

    #[test]
    fn a_capture_that_joined_in_the_middle_begins_at_a_packet() {
        let bytes = [&b"\x01\x02\x03\0"[..], &data(READ)].concat();
        assert!(lines_midstream("tpkt", C, &bytes)[1].contains("client job at 4+31 ok: job read"));
        assert!(lines_midstream("auto", C, &data(READ))[0].contains("client job at 0+31 ok: job read"));
    }
}
