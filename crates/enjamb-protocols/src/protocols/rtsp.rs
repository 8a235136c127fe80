//! RTSP (RFC 2326, RFC 7826).
//!
//! Either side sends requests, which are numbered by `CSeq`. Binary data may go between messages:
//! `$`, a channel and a length of two bytes (RFC 2326, section 10.12).

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek};
use crate::message_head::{MessageHead, request, status};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, starts_with_any, trim_line};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Rtsp)
        .on_ports(&[554, 8554])
        .about("RTSP 1.0 and 2.0 (RFC 2326, RFC 7826), with interleaved data")
        .with_kinds("the method; `response`; `interleaved`")
        .with_attributes(&[
            Attribute::new("uri", AttributeType::Text, "the URI of a request"),
            Attribute::new("status", AttributeType::Number, "the status of a response"),
        ])
        .sniffed_by(|_, first| sniff(first))
}

/// The rules of RTSP.
#[derive(Debug)]
struct Rtsp;

/// The methods that exist, and their kinds.
const METHODS: &[&str] = &[
    "OPTIONS",
    "DESCRIBE",
    "ANNOUNCE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "REDIRECT",
    "RECORD",
    "PLAY_NOTIFY",
];

const VERSIONS: [&[u8]; 2] = [b"RTSP/1.0", b"RTSP/2.0"];

fn any_status(line: &[u8]) -> Option<(&str, &[u8])> {
    VERSIONS.iter().find_map(|version| status(line, version))
}

fn any_request(line: &[u8]) -> Option<(&[u8], &[u8])> {
    VERSIONS.iter().find_map(|version| request(line, version))
}

impl Rules for Rtsp {
    const NAME: &'static str = "rtsp";
    const SEEK: Seek = Seek::Lines;
    type Memo = MessageHead;

    fn next(&self, message: Progress<'_, MessageHead>) -> Result<Next, Fault> {
        match (message.parts, message.head) {
            (0, _) => Ok(Next::Bytes(1)),
            (1, [b'$']) => Ok(Next::Bytes(3)),
            (2, [b'$', _, high, low]) => Ok(Next::Last(u16::from_be_bytes([*high, *low]).into())),
            (1, [b'\n']) => Ok(Next::End),
            (1, _) => Ok(Next::Line),
            (2, head) if trim_line(head).is_empty() => Ok(Next::End),
            (2, head) if any_status(head).is_none() && any_request(head).is_none() => {
                Err(Fault("a start line is neither that of a request nor that of a response"))
            }
            (2, _) => Ok(Next::Line),
            _ => message.memo.add(message.last, message.length),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, MessageHead>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        if let [b'$', channel, ..] = frame.head {
            return Ok(Report::new("interleaved").subject(channel.to_string().into_bytes()));
        }
        let line = frame.head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        if let Some((code, reason)) = any_status(line) {
            let report = Report::new("response").subject(reason);
            let report = if code >= "400" { report.failed(code) } else { report.code(code) };
            return Ok(match frame.memo.transaction() {
                Some(id) => report.role(Role::AnswerWithId { id, last: code >= "200" }),
                None => report.malformed("it has no CSeq"),
            });
        }
        let Some((method, uri)) = any_request(line) else { return Ok(Report::new("blank")) };
        let kind = METHODS.iter().find(|known| known.as_bytes() == method).copied().unwrap_or("request");
        let report = Report::new(kind).subject(uri);
        Ok(match frame.memo.transaction() {
            Some(id) => report.role(Role::RequestWithId(id)),
            None => report.malformed("it has no CSeq"),
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        sniff(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let word = head.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        match METHODS.iter().find(|known| known.as_bytes() == word) {
            Some(kind) => kind,
            None if VERSIONS.contains(&word) => "response",
            None if head.first() == Some(&b'$') => "interleaved",
            None => "message",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, MessageHead>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let is_request = !matches!(report.kind, "response" | "interleaved");
        match name {
            "uri" if is_request && !report.subject.is_empty() => Some(AttributeValue::text(&report.subject)),
            "status" => Some(AttributeValue::Number(report.code.as_ref()?.parse().ok()?)),
            _ => None,
        }
    }
}

/// Returns whether these bytes begin a message. Interleaved data has too few free bytes to be sure.
fn sniff(first: &[u8]) -> Sniff {
    match Dialogue::begins_command(METHODS, first) {
        Sniff::Yes => {}
        Sniff::More => return Sniff::More,
        _ => return starts_with_any(first, &[b"RTSP/1.0 ", b"RTSP/2.0 "]),
    }
    let target = first.iter().position(|byte| *byte == b' ').map_or(&b"\n"[..], |at| &first[at + 1..]);
    starts_with_any(target, &[b"rtsp:", b"rtsps:", b"rtspu:", b"* RTSP/"])
}
