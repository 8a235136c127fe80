//! MQTT 3.1, 3.1.1 and 5 (OASIS MQTT 5.0, section 2).
//!
//! A packet is a byte of type and flags, a length of one to four bytes, and the rest. Both sides
//! number the packets that are acknowledged, each in its own space: the answer to a packet is found
//! by its number. `CONNECT` and `PINGREQ` have none, so their type is their number.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Mqtt::default)
        .on_ports(&[1883])
        .about("MQTT 3.1, 3.1.1 and 5")
        .with_kinds("the type of packet, such as `PUBLISH`")
        .with_attributes(&[Attribute::new(
            "topic",
            AttributeType::Text,
            "the topic of a PUBLISH, or the first one of a SUBSCRIBE",
        )])
        .sniffed_by(sniff)
}

/// The rules of MQTT. The state is the version that `CONNECT` asked for, once it is known.
#[derive(Debug, Default)]
struct Mqtt {
    version: Option<u8>,
}

/// The names of the types, from 1 on (table 2-1).
const TYPES: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// The longest variable byte integer, in bytes (section 1.5.5).
const LENGTH_BYTES_MAX: usize = 4;

/// The names of the protocol in a `CONNECT`, with their lengths.
const NAMES: [&[u8]; 2] = [b"\0\x04MQTT", b"\0\x06MQIsdp"];

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;

/// The numbers of the packets that have none: they are above all of 16 bits.
const CONNECT_ID: u64 = 1 << 16;
const PING_ID: u64 = 2 << 16;

impl Rules for Mqtt {
    const NAME: &'static str = "mqtt";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match message.head {
            [] => Ok(Next::Bytes(2)),
            [first, length @ ..] => {
                let end = length.last().is_some_and(|byte| byte & 0x80 == 0);
                if first >> 4 == 0 {
                    return Err(Fault("the type of packet is 0"));
                }
                match (end, length.len()) {
                    (true, _) => Ok(Next::Last(variable(length))),
                    (false, LENGTH_BYTES_MAX..) => Err(Fault("the length has more than four bytes")),
                    (false, _) => Ok(Next::Bytes(1)),
                }
            }
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let first = frame.head[0];
        let kind = first >> 4;
        let name = self.broken_kind(frame.side, frame.head);
        check_flags(first)?;
        let mut fields = body(frame.head);
        let report = Report::new(name);
        let id = |fields: &mut Cursor<'a>| fields.u16().map(u64::from);
        let answer = |id| Role::AnswerWithId { id, last: true };
        Ok(match kind {
            CONNECT => {
                let protocol = string(&mut fields)?;
                let version = fields.u8()?;
                if !matches!(protocol, b"MQTT" | b"MQIsdp") {
                    return Err(Fault("the name of the protocol is not MQTT"));
                }
                self.version = Some(version & 0x7f);
                fields.take(3)?;
                if version & 0x7f >= 5 {
                    skip_properties(&mut fields)?;
                }
                report.role(Role::RequestWithId(CONNECT_ID)).subject(string(&mut fields)?).detail(version.into())
            }
            2 => {
                fields.u8()?;
                with_code(report.role(answer(CONNECT_ID)), fields.u8()?, self.version)
            }
            PUBLISH => {
                let topic = string(&mut fields)?;
                let quality = first >> 1 & 3;
                let role = match quality {
                    0 => Role::OneWay,
                    3 => return Err(Fault("the quality of service is 3")),
                    _ => Role::RequestWithId(id(&mut fields)?),
                };
                report.role(role).subject(topic).detail(quality.into())
            }
            // A PUBREC answers a PUBLISH, and a PUBCOMP the PUBREL that follows with the same
            // number.
            4 | 5 | 7 => {
                let id = id(&mut fields)?;
                with_code(report.role(answer(id)), fields.u8().unwrap_or(0), self.version)
            }
            6 => {
                let id = id(&mut fields)?;
                with_code(report.role(Role::RequestWithId(id)), fields.u8().unwrap_or(0), self.version)
            }
            SUBSCRIBE | UNSUBSCRIBE => {
                let id = id(&mut fields)?;
                if self.version >= Some(5) {
                    skip_properties(&mut fields)?;
                }
                report.role(Role::RequestWithId(id)).subject(string(&mut fields)?)
            }
            9 | 11 => {
                let id = id(&mut fields)?;
                if self.version >= Some(5) {
                    skip_properties(&mut fields)?;
                }
                let worst = fields.rest().iter().copied().max().unwrap_or(0);
                with_code(report.role(answer(id)), worst, self.version)
            }
            12 => report.role(Role::RequestWithId(PING_ID)),
            13 => report.role(answer(PING_ID)),
            14 => with_code(report, fields.u8().unwrap_or(0), self.version),
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        // Only a packet whose length agrees with its fields is sure.
        let (Some(&first), Some(&length)) = (bytes.first(), bytes.get(1)) else { return Sniff::More };
        if check_flags(first).is_err() {
            return Sniff::No;
        }
        if length >= 0x80 {
            return begins_long(first, &bytes[1..]);
        }
        let Some(body) = bytes[2..].get(..usize::from(length)) else { return Sniff::More };
        let topic = |bytes: &[u8]| match bytes {
            [high, low, rest @ ..] => {
                let topic = usize::from(u16::from_be_bytes([*high, *low]));
                topic > 0 && rest.get(..topic).is_some_and(is_text)
            }
            _ => false,
        };
        // Version 5 has properties, and reason codes in more packets.
        let behind_properties = |bytes| {
            let mut fields = Cursor::new(bytes);
            skip_properties(&mut fields).ok().map(|()| fields.rest())
        };
        let only_properties = |bytes| behind_properties(bytes) == Some(&[]);
        let are_codes = |bytes: &[u8]| bytes.iter().all(|code| matches!(code, 0..=2 | 0x11 | 0x80..=0xa2));
        let is_sure = match (first >> 4, body) {
            (CONNECT, body) => NAMES.iter().any(|name| body.starts_with(name)),
            (2, [0 | 1, code]) => *code <= 5,
            (2, [0 | 1, 0 | 0x80..=0x9f, rest @ ..]) => only_properties(rest),
            (PUBLISH, body) => topic(body),
            (4..=7 | 11, [_, _]) | (12..=14, []) => true,
            (4..=7, [_, _, 0 | 0x10 | 0x80..=0x99]) | (14, [0..=4 | 0x80..=0xa2]) => true,
            (4..=7, [_, _, 0 | 0x10 | 0x80..=0x99, rest @ ..]) => only_properties(rest),
            (14, [0..=4 | 0x80..=0xa2, rest @ ..]) | (15, [0 | 0x18 | 0x19, rest @ ..]) => only_properties(rest),
            (9 | 11, [_, _, codes @ ..]) => {
                first >> 4 == 9 && codes.iter().all(|code| matches!(code, 0..=2 | 0x80))
                    || behind_properties(codes).is_some_and(|codes| !codes.is_empty() && are_codes(codes))
            }
            (SUBSCRIBE | UNSUBSCRIBE, [_, _, rest @ ..]) => topic(rest) || behind_properties(rest).is_some_and(topic),
            _ => false,
        };
        if is_sure { Sniff::Yes } else { Sniff::No }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let kind = head.first().map_or(0, |first| first >> 4);
        TYPES.get(usize::from(kind).wrapping_sub(1)).copied().unwrap_or("packet")
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_topic = matches!(frame.head[0] >> 4, PUBLISH | SUBSCRIBE | UNSUBSCRIBE);
        (name == "topic" && has_topic).then(|| AttributeValue::text(&report.subject))
    }
}

/// Returns whether the first bytes of a connection are MQTT: a `CONNECT`.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Server {
        return Sniff::No;
    }
    let Some((&0x10, length)) = first.split_first() else {
        return if first.is_empty() { Sniff::More } else { Sniff::No };
    };
    let bytes = length.iter().take(LENGTH_BYTES_MAX).position(|byte| byte & 0x80 == 0);
    let name = match bytes {
        Some(at) => &length[at + 1..],
        None if length.len() < LENGTH_BYTES_MAX => return Sniff::More,
        None => return Sniff::No,
    };
    if NAMES.iter().any(|known| name.starts_with(known)) {
        Sniff::Yes
    } else if NAMES.iter().any(|known| known.starts_with(name)) {
        Sniff::More
    } else {
        Sniff::No
    }
}

/// Returns whether a packet of 128 bytes or more begins here: a `CONNECT`, or a `PUBLISH` with a
/// topic of at least four letters. `length` begins with the length.
fn begins_long(first: u8, length: &[u8]) -> Sniff {
    let Some(at) = length.iter().take(LENGTH_BYTES_MAX).position(|byte| byte & 0x80 == 0) else {
        return if length.len() < LENGTH_BYTES_MAX { Sniff::More } else { Sniff::No };
    };
    let (total, body) = (variable(&length[..=at]), &length[at + 1..]);
    let [high, low, topic @ ..] = body else { return Sniff::More };
    let topic_length = usize::from(u16::from_be_bytes([*high, *low]));
    match first >> 4 {
        CONNECT if NAMES.iter().any(|name| body.starts_with(name)) => Sniff::Yes,
        CONNECT if NAMES.iter().any(|name| name.starts_with(body)) => Sniff::More,
        PUBLISH if (4..=256).contains(&topic_length) && topic_length as u64 + 2 <= total => {
            let topic = &topic[..topic.len().min(topic_length)];
            if !topic.iter().all(u8::is_ascii_graphic) {
                Sniff::No
            } else if topic.len() == topic_length {
                Sniff::Yes
            } else {
                Sniff::More
            }
        }
        _ => Sniff::No,
    }
}

/// Returns whether a topic is text without control characters.
fn is_text(topic: &[u8]) -> bool {
    std::str::from_utf8(topic).is_ok_and(|topic| !topic.chars().any(char::is_control))
}

/// Checks the type and the flags of a packet (table 2-2).
fn check_flags(first: u8) -> Result<(), Fault> {
    match (first >> 4, first & 0xf) {
        (0, _) => Err(Fault("the type of packet is 0")),
        (PUBLISH, flags) if flags & 6 != 6 => Ok(()),
        // The version 3.1 had a flag for duplicates in them.
        (6 | SUBSCRIBE | UNSUBSCRIBE, 2 | 10) => Ok(()),
        (6 | SUBSCRIBE | UNSUBSCRIBE | PUBLISH, _) => Err(Fault("the flags do not fit the type of packet")),
        (_, 0) => Ok(()),
        _ => Err(Fault("the flags do not fit the type of packet")),
    }
}

/// Returns the value of a variable byte integer (section 1.5.5).
fn variable(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

/// Returns the fields of a packet, behind its length.
fn body(head: &[u8]) -> Cursor<'_> {
    let length = head[1..].iter().position(|byte| byte & 0x80 == 0).map_or(head.len(), |at| at + 2);
    Cursor::new(head.get(length..).unwrap_or_default())
}

/// Takes a string (section 1.5.4).
fn string<'a>(fields: &mut Cursor<'a>) -> Result<&'a [u8], Short> {
    let length = fields.u16()?;
    fields.take(length.into())
}

/// Takes the properties of version 5 (section 2.2.2).
fn skip_properties(fields: &mut Cursor<'_>) -> Result<(), Short> {
    let rest = fields.rest();
    let bytes = rest.iter().take(LENGTH_BYTES_MAX).position(|byte| byte & 0x80 == 0).ok_or(Short)? + 1;
    let length = variable(&rest[..bytes]);
    fields.take(bytes)?;
    fields.take(usize::try_from(length).map_err(|_| Short)?)?;
    Ok(())
}

/// Adds a reason code. From 0x80 on it is a failure (section 2.4); in a CONNACK before version 5,
/// from 1 on.
fn with_code(report: Report<'_>, code: u8, version: Option<u8>) -> Report<'_> {
    let failed = code >= 0x80 || (report.kind == "CONNACK" && version < Some(5) && code > 0);
    if failed { report.failed(Cow::Owned(format!("0x{code:02x}"))) } else { report }
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use crate::protocols::testing::{C, S, lines_midstream};
    use crate::registry::Registry;

    #[test]
    fn packets_of_version_5_are_found_where_a_capture_joined() {
        let packets: [(Side, &[u8], &str); 9] = [
            (S, b"\x20\x09\0\0\x06\x22\0\x0a\x21\0\x14", "CONNACK"),
            (S, b"\x40\x03\0\x01\x10", "PUBACK"),
            (S, b"\x40\x04\0\x01\0\0", "PUBACK"),
            (C, b"\x82\x07\0\x01\0\0\x01a\x02", "SUBSCRIBE"),
            (S, b"\x90\x04\0\x01\0\x02", "SUBACK"),
            (S, b"\xb0\x04\0\x01\0\x11", "UNSUBACK"),
            (C, b"\xe0\x02\x04\0", "DISCONNECT"),
            (C, b"\xc0\0", "PINGREQ"),
            (C, b"\x30\x85\x01\0\x04abcd", "PUBLISH"),
        ];
        for (side, packet, kind) in packets {
            let packet = if kind == "PUBLISH" { [packet, &[b'x'; 127]].concat() } else { packet.to_vec() };
            let found = lines_midstream("mqtt", side, &[&b"\0\x01\x02"[..], &packet].concat());
            assert!(found.last().unwrap().contains(&format!(" {kind} at 3")), "{kind}: {found:?}");
        }
    }

    #[test]
    fn version_31_repeats_a_subscription_with_a_flag() {
        let found = lines_midstream("mqtt", C, b"\x8a\x06\0\x01\0\x01a\0\x83\x06\0\x01\0\x01a\0\xc0\0");
        assert!(found[0].contains("SUBSCRIBE at 0+8 ok"), "{found:?}");
        assert!(found[1].contains("malformed (the flags do not fit the type of packet)"), "{found:?}");
        assert!(found[2].contains("PINGREQ"), "{found:?}");
    }

    #[test]
    fn the_port_and_a_packet_together_are_evidence() {
        let protocol = |port: u16| {
            let mut session = Registry::builtin().resolve("auto").unwrap().session(Some(port));
            session.feed(C, b"\xc0\0", &mut |_| {});
            session.feed(S, b"\xd0\0", &mut |_| {});
            for side in [C, S] {
                session.close(side, enjamb::Ending::Closed, &mut |_| {});
            }
            session.protocol().to_owned()
        };
        assert_eq!([protocol(1883), protocol(7)], ["mqtt", "opaque"]);
    }
}
