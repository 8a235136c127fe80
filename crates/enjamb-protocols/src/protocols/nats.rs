//! NATS (docs.nats.io, "NATS Protocol").
//!
//! A message is a line, and a payload behind it for `PUB`, `HPUB`, `MSG` and `HMSG`, whose length
//! the line ends with. A `PONG` answers a `PING`. With `verbose` the server answers each message. A
//! message to a subject `_INBOX` answers the one that named this subject for its reply.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, id_of, known_word, number, starts_with_any, trim_line, words};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Nats::default)
        .on_ports(&[4222])
        .about("NATS, with headers")
        .with_kinds("the name of the message, such as `PUB`")
        .with_attributes(&[Attribute::new(
            "subject",
            AttributeType::Text,
            "the subject of a message or a subscription",
        )])
        .sniffed_by(sniff)
}

/// The rules of NATS.
#[derive(Debug, Default)]
struct Nats {
    /// Whether the client asked for an answer to each message.
    verbose: bool,
}

const CLIENT: &[&str] = &["CONNECT", "PUB", "HPUB", "SUB", "UNSUB", "PING", "PONG"];
const SERVER: &[&str] = &["INFO", "MSG", "HMSG", "PING", "PONG", "+OK", "-ERR"];

/// The beginning of subjects that are made for one reply.
const INBOX: &[u8] = b"_INBOX.";

/// The details of requests.
const PING: u64 = 1;

/// The part of a message that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    First,
    Payload,
    End,
}

impl Rules for Nats {
    const NAME: &'static str = "nats";
    const SEEK: Seek = Seek::Lines;
    type Memo = Stage;

    fn next(&self, message: Progress<'_, Stage>) -> Result<Next, Fault> {
        if message.parts == 0 {
            return Ok(Next::Line);
        }
        match *message.memo {
            Stage::First => match payload_length(message.side, message.head)? {
                None => Ok(Next::End),
                Some(0) => {
                    *message.memo = Stage::End;
                    Ok(Next::Bytes(2))
                }
                Some(length) => {
                    *message.memo = Stage::Payload;
                    Ok(Next::Body(length))
                }
            },
            Stage::Payload => {
                *message.memo = Stage::End;
                Ok(Next::Bytes(2))
            }
            Stage::End if message.last == b"\r\n" => Ok(Next::End),
            Stage::End => Err(Fault("a payload does not end where its length says")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Stage>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let line = first_line(frame.head);
        let known = if frame.side == Side::Client { CLIENT } else { SERVER };
        let Some((kind, rest)) = known_word(known, &with_blanks(line)).map(|(kind, _)| (kind, arguments(line))) else {
            return if line.is_empty() { Ok(Report::new("blank")) } else { Err(Fault("no message of NATS begins so")) };
        };
        let mut parts = words(rest);
        let subject = parts.next().unwrap_or_default();
        let report = Report::new(kind);
        // The answer to each message of a verbose client.
        let answered = |report: Report<'a>| if self.verbose { report.role(Role::Request) } else { report };
        Ok(match kind {
            "CONNECT" => {
                self.verbose = has_true(rest, b"\"verbose\"");
                if self.verbose { report.role(Role::Request) } else { report }
            }
            "PUB" | "HPUB" | "MSG" | "HMSG" => {
                let report = report.subject(subject);
                let report = if subject.starts_with(INBOX) {
                    report.role(Role::AnswerWithId { id: id_of(subject), last: true })
                } else {
                    match reply_subject(kind, rest) {
                        _ if self.verbose && frame.side == Side::Client => report.role(Role::Request),
                        Some(reply) => report.role(Role::RequestWithId(id_of(reply))),
                        None => report,
                    }
                };
                with_status(kind, frame.head, report)
            }
            "SUB" | "UNSUB" => answered(report.subject(subject)),
            "PING" => report.role(Role::Request).detail(PING),
            "PONG" if requests.oldest().is_some() => report.role(Role::Answer { last: true }),
            "INFO" if has_true(rest, b"\"tls_required\"") => report.then(Then::Switch("tls")),
            "+OK" => report.role(Role::Answer { last: true }),
            "-ERR" => {
                let report = report.failed(String::from_utf8_lossy(rest.trim_ascii()).trim_matches('\'').to_owned());
                match requests.oldest() {
                    Some(detail) if detail != PING => report.role(Role::Answer { last: true }),
                    _ => report,
                }
            }
            _ => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        Dialogue::begins_command(if side == Side::Client { CLIENT } else { SERVER }, bytes)
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        let known = if side == Side::Client { CLIENT } else { SERVER };
        known_word(known, &with_blanks(first_line(head))).map_or("message", |(kind, _)| kind)
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, Stage>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "subject" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }
}

/// Returns the length of the payload behind the first line.
fn payload_length(side: Side, head: &[u8]) -> Result<Option<u64>, Fault> {
    let line = first_line(head);
    let word = words(&line[..line.len().min(WORD_MAX)]).next().unwrap_or_default();
    let names: [&[u8]; 2] = if side == Side::Client { [b"PUB", b"HPUB"] } else { [b"MSG", b"HMSG"] };
    if !names.iter().any(|name| name.eq_ignore_ascii_case(word)) {
        return Ok(None);
    }
    let last = words(line).last().unwrap_or_default();
    number(last).map(Some).ok_or(Fault("a message does not end with the length of its payload"))
}

/// The longest name of a message is shorter.
const WORD_MAX: usize = 16;

/// Returns the subject for replies: `PUB subject [reply] length`, `MSG subject sid [reply] length`,
/// and one more length with headers.
fn reply_subject<'a>(kind: &str, rest: &'a [u8]) -> Option<&'a [u8]> {
    let count = words(rest).count();
    let (with_reply, at) = match kind {
        "PUB" => (3, 1),
        "HPUB" => (4, 1),
        "MSG" => (4, 2),
        _ => (5, 2),
    };
    if count == with_reply { words(rest).nth(at) } else { None }
}

/// Adds the status of a message without a receiver: `NATS/1.0 503`.
fn with_status<'a>(kind: &str, head: &'a [u8], report: Report<'a>) -> Report<'a> {
    let headers = head.splitn(2, |byte| *byte == b'\n').nth(1).filter(|_| kind == "HMSG");
    let status = headers.and_then(|headers| headers.strip_prefix(b"NATS/1.0 ")).and_then(|rest| rest.get(..3));
    match status.and_then(|status| std::str::from_utf8(status).ok()) {
        Some(status) if status.starts_with(['4', '5']) => report.failed(status),
        Some(status) if status.bytes().all(|byte| byte.is_ascii_digit()) => report.code(status),
        _ => report,
    }
}

/// Returns whether an object of JSON has this field with the value `true`. Strings are not parsed:
/// no other field of `INFO` and `CONNECT` contains these names.
fn has_true(json: &[u8], name: &[u8]) -> bool {
    let at = json.windows(name.len()).position(|part| part == name);
    let rest = at.map(|at| json[at + name.len()..].trim_ascii_start()).unwrap_or_default();
    rest.strip_prefix(b":").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"true"))
}

fn first_line(head: &[u8]) -> &[u8] {
    trim_line(head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default())
}

/// Returns the beginning of a line with blanks for tabs: both go between words.
fn with_blanks(line: &[u8]) -> Vec<u8> {
    line.iter().take(WORD_MAX).map(|byte| if *byte == b'\t' { b' ' } else { *byte }).collect()
}

/// Returns what follows the first word.
fn arguments(line: &[u8]) -> &[u8] {
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    line[end..].trim_ascii()
}

/// Returns whether the first bytes of a connection are NATS.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    let sure: &[&[u8]] = if side == Side::Client { &[b"CONNECT {", b"PUB ", b"HPUB "] } else { &[b"INFO {", b"MSG "] };
    starts_with_any(first, sure)
}
