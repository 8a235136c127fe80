//! AMQP 0-9-1 (amqp.org, "Advanced Message Queuing Protocol", 0-9-1).
//!
//! A client sends a header of eight bytes. Then both sides send frames: a type, a channel, a
//! length, a payload and an end (section 4.2.3). Methods ask and answer in each channel. The other
//! versions are opaque behind their header.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Amqp)
        .on_ports(&[5672])
        .about("AMQP 0-9-1: methods, content and heartbeats of each channel")
        .with_kinds(
            "the method, such as `basic.publish`, `protocol-header`, `content-header`, `content-body`, `heartbeat`",
        )
        .with_attributes(&[Attribute::new("channel", AttributeType::Number, "the channel of a frame")])
        .sniffed_by(sniff)
}

/// The rules of AMQP.
#[derive(Debug)]
struct Amqp;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// The byte behind the payload of a frame.
const FRAME_END: u8 = 0xce;

/// Class and method by number, and by name. A method whose name ends in `-ok`, and `get-empty`,
/// answers.
const METHODS: &[(u16, u16, &str)] = &[
    (10, 10, "connection.start"),
    (10, 11, "connection.start-ok"),
    (10, 20, "connection.secure"),
    (10, 21, "connection.secure-ok"),
    (10, 30, "connection.tune"),
    (10, 31, "connection.tune-ok"),
    (10, 40, "connection.open"),
    (10, 41, "connection.open-ok"),
    (10, 50, "connection.close"),
    (10, 51, "connection.close-ok"),
    (10, 60, "connection.blocked"),
    (10, 61, "connection.unblocked"),
    (10, 70, "connection.update-secret"),
    (10, 71, "connection.update-secret-ok"),
    (20, 10, "channel.open"),
    (20, 11, "channel.open-ok"),
    (20, 20, "channel.flow"),
    (20, 21, "channel.flow-ok"),
    (20, 40, "channel.close"),
    (20, 41, "channel.close-ok"),
    (30, 10, "access.request"),
    (30, 11, "access.request-ok"),
    (40, 10, "exchange.declare"),
    (40, 11, "exchange.declare-ok"),
    (40, 20, "exchange.delete"),
    (40, 21, "exchange.delete-ok"),
    (40, 30, "exchange.bind"),
    (40, 31, "exchange.bind-ok"),
    (40, 40, "exchange.unbind"),
    (40, 51, "exchange.unbind-ok"),
    (50, 10, "queue.declare"),
    (50, 11, "queue.declare-ok"),
    (50, 20, "queue.bind"),
    (50, 21, "queue.bind-ok"),
    (50, 30, "queue.purge"),
    (50, 31, "queue.purge-ok"),
    (50, 40, "queue.delete"),
    (50, 41, "queue.delete-ok"),
    (50, 50, "queue.unbind"),
    (50, 51, "queue.unbind-ok"),
    (60, 10, "basic.qos"),
    (60, 11, "basic.qos-ok"),
    (60, 20, "basic.consume"),
    (60, 21, "basic.consume-ok"),
    (60, 30, "basic.cancel"),
    (60, 31, "basic.cancel-ok"),
    (60, 40, "basic.publish"),
    (60, 50, "basic.return"),
    (60, 60, "basic.deliver"),
    (60, 70, "basic.get"),
    (60, 71, "basic.get-ok"),
    (60, 72, "basic.get-empty"),
    (60, 80, "basic.ack"),
    (60, 90, "basic.reject"),
    (60, 100, "basic.recover-async"),
    (60, 110, "basic.recover"),
    (60, 111, "basic.recover-ok"),
    (60, 120, "basic.nack"),
    (85, 10, "confirm.select"),
    (85, 11, "confirm.select-ok"),
    (90, 10, "tx.select"),
    (90, 11, "tx.select-ok"),
    (90, 20, "tx.commit"),
    (90, 21, "tx.commit-ok"),
    (90, 30, "tx.rollback"),
    (90, 31, "tx.rollback-ok"),
];

/// The methods that neither ask nor answer.
const ONE_WAY: &[(u16, u16)] =
    &[(10, 60), (10, 61), (60, 40), (60, 50), (60, 60), (60, 80), (60, 90), (60, 100), (60, 120)];

/// The code of a close that is no error.
const REPLY_SUCCESS: u16 = 200;

impl Rules for Amqp {
    const NAME: &'static str = "amqp";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let [kind, _, _, a, b, c, d, ..] = *message.head else { return Ok(Next::Bytes(7)) };
        if kind == b'A' {
            return match (message.head, message.length) {
                (head, _) if !head.starts_with(b"AMQP") => Err(Fault("the header does not begin with AMQP")),
                (_, 7) => Ok(Next::Bytes(1)),
                _ => Ok(Next::End),
            };
        }
        if !matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) {
            return Err(Fault("the type of frame is unknown"));
        }
        let size = u64::from(u32::from_be_bytes([a, b, c, d]));
        match message.length {
            7 if size > 0 => Ok(Next::Body(size)),
            length if length == 7 + size => Ok(Next::Bytes(1)),
            _ if message.last == [FRAME_END] => Ok(Next::End),
            _ => Err(Fault("a frame does not end with 0xce")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        match frame.head {
            [b'A', _, _, _, 0 | 1, 0 | 1, 0, 9] | [b'A', _, _, _, 0, 0, 9, 1] | [b'A', _, _, _, 1, 1, 8 | 9, _] => {
                Ok(Report::new("protocol-header").subject(version(frame.head)))
            }
            [b'A', ..] => Ok(Report::new("protocol-header").subject(version(frame.head)).then(Then::BothOpaque)),
            [METHOD, ..] => method(frame.head),
            [HEADER, ..] => Ok(Report::new("content-header")),
            [BODY, ..] => Ok(Report::new("content-body")),
            _ => Ok(Report::new("heartbeat")),
        }
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        begins(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        match head {
            [b'A', ..] => "protocol-header",
            [METHOD, ..] => "method",
            [HEADER, ..] => "content-header",
            [BODY, ..] => "content-body",
            _ => "frame",
        }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        match *frame.head {
            [METHOD | HEADER | BODY | HEARTBEAT, high, low, ..] if name == "channel" => {
                Some(AttributeValue::Number(u16::from_be_bytes([high, low]).into()))
            }
            _ => None,
        }
    }
}

/// Returns the version of a protocol header.
fn version(head: &[u8]) -> Vec<u8> {
    match head {
        [_, _, _, _, 0, rest @ ..] => format!("{}-{}-{}", rest[0], rest[1], rest[2]).into_bytes(),
        [_, _, _, _, id, rest @ ..] => format!("{}.{}.{} (id {id})", rest[0], rest[1], rest[2]).into_bytes(),
        _ => Vec::new(),
    }
}

/// Reads a frame with a method.
fn method(head: &[u8]) -> Result<Report<'_>, Fault> {
    let mut fields = Cursor::new(&head[1..]);
    let channel = fields.u16()?;
    fields.u32()?;
    let (class, number) = (fields.u16()?, fields.u16()?);
    let Some((_, _, name)) = METHODS.iter().find(|method| (method.0, method.1) == (class, number)) else {
        return Ok(Report::new("method").subject(format!("{class}.{number}").into_bytes()));
    };
    // A request and its answers have the number of the request.
    let id = |number: u16| u64::from(channel) << 32 | u64::from(class) << 16 | u64::from(number);
    let report = Report::new(name);
    let role = match (class, number) {
        (40, 51) => Role::AnswerWithId { id: id(40), last: true },
        method if ONE_WAY.contains(&method) => Role::OneWay,
        _ if number % 10 != 0 => Role::AnswerWithId { id: id(number / 10 * 10), last: true },
        _ if needs_no_answer(class, number, fields) => Role::OneWay,
        _ => Role::RequestWithId(id(number)),
    };
    let report = report.role(role);
    Ok(match (class, number) {
        (10 | 20, 50 | 40) if name.ends_with("close") => {
            let code = fields.u16()?;
            let report = report.subject(short_string(&mut fields)?);
            if code == REPLY_SUCCESS { report.code("200") } else { report.failed(Cow::Owned(code.to_string())) }
        }
        (60, 50) => {
            let code = fields.u16()?;
            report.failed(Cow::Owned(code.to_string())).subject(short_string(&mut fields)?)
        }
        // The names of a virtual host, an exchange or a queue. A number or a ticket may be before
        // them.
        (10, 40) => report.subject(short_string(&mut fields)?),
        (60, 40) => {
            fields.u16()?;
            let exchange = short_string(&mut fields)?;
            let key = short_string(&mut fields)?;
            report
                .subject([exchange, if exchange.is_empty() || key.is_empty() { &b""[..] } else { b"/" }, key].concat())
        }
        (40 | 50, _) | (60, 20 | 70) if number % 10 == 0 => {
            fields.u16()?;
            report.subject(short_string(&mut fields)?)
        }
        (50, 11) | (60, 21 | 30 | 31 | 60) => report.subject(short_string(&mut fields)?),
        _ => report,
    })
}

/// Returns whether a request has the flag `no-wait`.
fn needs_no_answer(class: u16, method: u16, fields: Cursor<'_>) -> bool {
    let mut fields = fields;
    let mut flag = |ticket: bool, strings: u8, bit: u8| -> Result<bool, Short> {
        if ticket {
            fields.u16()?;
        }
        for _ in 0..strings {
            short_string(&mut fields)?;
        }
        Ok(fields.u8()? >> bit & 1 == 1)
    };
    let found = match (class, method) {
        (40, 10) => flag(true, 2, 4),
        (40, 20) => flag(true, 1, 1),
        (40, 30 | 40) => flag(true, 3, 0),
        (50, 10) => flag(true, 1, 4),
        (50, 20) => flag(true, 3, 0),
        (50, 30) => flag(true, 1, 0),
        (50, 40) => flag(true, 1, 2),
        (60, 20) => flag(true, 2, 3),
        (60, 30) => flag(false, 1, 0),
        (85, 10) => flag(false, 0, 0),
        _ => Ok(false),
    };
    found.unwrap_or(false)
}

/// Takes a string with a length of one byte.
fn short_string<'a>(fields: &mut Cursor<'a>) -> Result<&'a [u8], Short> {
    let length = fields.u8()?;
    fields.take(length.into())
}

/// Returns whether a header or a frame begins here. The method, or the class of a content header,
/// must be known; a body is not sure.
fn begins(bytes: &[u8]) -> Sniff {
    let more = |sure: bool| if sure { Sniff::More } else { Sniff::No };
    match *bytes {
        [b'A', ..] => {
            let length = bytes.len().min(4);
            if bytes.starts_with(b"AMQP") { Sniff::Yes } else { more(b"AMQP".starts_with(&bytes[..length])) }
        }
        [METHOD, _, _, 0, _, _, _, 0, class, 0, method, ..] => {
            let known = METHODS.iter().any(|known| (known.0, known.1) == (class.into(), method.into()));
            if known { Sniff::Yes } else { Sniff::No }
        }
        // The class, a weight of 0, and a length of less than 2^32.
        [HEADER, _, _, 0, 0, _, _, 0, 60, 0, 0, 0, 0, 0, 0, ..] => Sniff::Yes,
        [HEADER, _, _, 0, 0, _, _, 0, 60, 0, 0, ..] => more(bytes[11..].iter().all(|byte| *byte == 0)),
        [HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END, ..] => Sniff::Yes,
        [HEARTBEAT, ref rest @ ..] if rest.len() < 7 => more(rest.iter().take(6).all(|byte| *byte == 0)),
        [METHOD | HEADER, _, _, 0, _, _, _, 0, _, 0] | [METHOD | HEADER, _, _, 0, _, _, _, 0, _] => Sniff::More,
        [METHOD | HEADER, _, _, 0, _, _, _, 0] => Sniff::More,
        [METHOD | HEADER, _, _, 0, ..] if bytes.len() < 8 => Sniff::More,
        [METHOD | HEADER] | [METHOD | HEADER, _] | [METHOD | HEADER, _, _] | [] => Sniff::More,
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a connection are AMQP.
fn sniff(_: Side, first: &[u8]) -> Sniff {
    begins(first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Amqp;
    use crate::kit::Conversation;
    use crate::protocols::testing::summaries;

    #[test]
    fn methods_are_paired_in_their_channel() {
        let lines = summaries(
            Amqp,
            &[
                (Side::Client, b"AMQP\0\0\x09\x01"),
                (Side::Client, b"\x01\0\x01\0\0\0\x08\0\x3c\0\x46\0\0\x01q\xce\x01\0\x02\0\0\0\x05\0\x14\0\x0a\0\xce"),
                (Side::Server, b"\x01\0\x02\0\0\0\x04\0\x14\0\x0b\xce\x01\0\x01\0\0\0\x05\0\x3c\0\x48\0\xce"),
                (Side::Server, b"\x08\0\0\0\0\0\0\xce"),
                (Side::Server, b"\x01\0\x01\0\0\0\x0d\0\x14\0\x28\x01\x94\x02no\0\0\0\0\xce"),
                (Side::Client, b"\x01\0\x01\0\0\0\x04\0\x14\0\x29\xce"),
            ],
        );
        let expected = [
            "protocol-header 0-9-1",
            "basic.get q",
            "channel.open",
            "channel.open-ok #2",
            "basic.get-empty #1",
            "heartbeat",
            "channel.close 404 no",
            "channel.close-ok #3",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_declaration_without_wait_has_no_answer() {
        let lines = summaries(
            Amqp,
            &[
                (Side::Client, b"\x01\0\x01\0\0\0\x0d\0\x32\0\x0a\0\0\x01q\x10\0\0\0\0\xce"),
                (Side::Client, b"\x01\0\x01\0\0\0\x0d\0\x32\0\x0a\0\0\x01r\0\0\0\0\0\xce"),
                (Side::Server, b"\x01\0\x01\0\0\0\x0e\0\x32\0\x0b\x01r\0\0\0\0\0\0\0\0\xce"),
            ],
        );
        assert_eq!(lines, ["queue.declare q", "queue.declare r", "queue.declare-ok r #1"]);
    }

    #[test]
    fn a_wrong_end_is_malformed_and_the_next_frame_is_found() {
        let lines = summaries(Amqp, &[(Side::Server, b"\x03\0\x01\0\0\0\x01a\x01\x08\0\0\0\0\0\0\xce")]);
        assert_eq!(lines, ["content-body", "heartbeat"]);
        let mut session = Conversation::new(Amqp);
        session.feed(Side::Server, b"\x03\0\x01\xff\xff\xff\xff", &mut |_| {});
        session.feed(Side::Server, &[0; 1 << 16], &mut |_| {});
        assert!(session.held() < 5000);
    }

    #[test]
    fn another_version_is_opaque_behind_its_header() {
        let mut session = Conversation::new(Amqp);
        let mut kinds = Vec::new();
        session.feed(Side::Client, b"AMQP\0\x01\0\0\0\0\0\x10\x02\0\0\0", &mut |message| {
            kinds.push(message.kind.to_owned());
        });
        session.close(Side::Client, enjamb::Ending::Closed, &mut |message| kinds.push(message.kind.to_owned()));
        assert_eq!(kinds, ["protocol-header", "opaque"]);
    }
}
