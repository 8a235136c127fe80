//! SIP over TCP (RFC 3261, section 18.3).
//!
//! Either side sends requests. A response has the `Call-ID` and the `CSeq` of its request.
//! Responses below 200 are followed by others. Blank lines between messages keep the connection
//! alive (RFC 5626, section 3.5.1).

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek};
use crate::message_head::{MessageHead, request, status};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{starts_with, starts_with_any, trim_line};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Sip)
        .on_ports(&[5060, 5062])
        .about("SIP over TCP (RFC 3261)")
        .with_kinds("the method; `response`; `keep-alive`")
        .with_attributes(&[
            Attribute::new("uri", AttributeType::Text, "the URI of a request"),
            Attribute::new("status", AttributeType::Number, "the status of a response"),
        ])
        .sniffed_by(|_, first| sniff(first))
        .likely_by(|_, first| sniff(first.trim_ascii_start()))
}

/// The rules of SIP.
#[derive(Debug)]
struct Sip;

/// The methods that exist, and their kinds.
const METHODS: &[&str] = &[
    "INVITE",
    "ACK",
    "OPTIONS",
    "BYE",
    "CANCEL",
    "REGISTER",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
];

/// The longest method that is expected.
const METHOD_MAX: usize = 16;

const VERSION: &[u8] = b"SIP/2.0";

impl Rules for Sip {
    const NAME: &'static str = "sip";
    const SEEK: Seek = Seek::Lines;
    type Memo = MessageHead;

    fn next(&self, message: Progress<'_, MessageHead>) -> Result<Next, Fault> {
        match message.parts {
            0 => Ok(Next::Line),
            1 if trim_line(message.last).is_empty() => Ok(Next::End),
            1 if status(message.last, VERSION).is_none() && request(message.last, VERSION).is_none() => {
                Err(Fault("a start line is neither that of a request nor that of a response"))
            }
            1 => Ok(Next::Line),
            _ => message.memo.add(message.last, message.length),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, MessageHead>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let line = frame.head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        if let Some((code, reason)) = status(line, VERSION) {
            let last = code >= "200";
            let report = Report::new("response").subject(reason);
            let report = if code >= "400" { report.failed(code) } else { report.code(code) };
            return Ok(match frame.memo.transaction() {
                Some(id) => report.role(Role::AnswerWithId { id, last }),
                None => report.malformed("it has no CSeq"),
            });
        }
        let Some((method, uri)) = request(line, VERSION) else { return Ok(Report::new("keep-alive")) };
        let kind = METHODS.iter().find(|known| known.as_bytes() == method).copied().unwrap_or("request");
        let report = Report::new(kind).subject(uri);
        Ok(match frame.memo.transaction() {
            Some(_) if kind == "ACK" => report,
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
            None if word == VERSION => "response",
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
        let is_response = report.kind == "response";
        match name {
            "uri" if !is_response && !report.subject.is_empty() => Some(AttributeValue::text(&report.subject)),
            "status" => Some(AttributeValue::Number(report.code.as_ref()?.parse().ok()?)),
            _ => None,
        }
    }
}

/// Returns whether these bytes begin a message.
fn sniff(first: &[u8]) -> Sniff {
    if let known @ (Sniff::Yes | Sniff::More) = starts_with(first, b"SIP/2.0 ") {
        return known;
    }
    let begin = &first[..first.len().min(METHOD_MAX + 1)];
    // Methods that others define are in capitals, too.
    let Some(end) = begin.iter().position(|byte| !byte.is_ascii_uppercase()) else {
        return if begin.len() > METHOD_MAX { Sniff::No } else { Sniff::More };
    };
    if end == 0 || first[end] != b' ' {
        return Sniff::No;
    }
    starts_with_any(&first[end + 1..], &[b"sip:", b"sips:", b"tel:", b"urn:service:"])
}
