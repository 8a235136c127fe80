//! STOMP 1.0 to 1.2 (stomp.github.io).
//!
//! A frame is a command, headers, a blank line, and a body that ends at a NUL, or that has the
//! length of the header `content-length` and a NUL behind it. Line ends between frames are
//! heart-beats. A `RECEIPT` answers the frame that asked for it with the header `receipt`.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side, Terminator};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, id_of, number, starts_with_any, trim_line};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Stomp)
        .on_ports(&[61613])
        .about("STOMP 1.0 to 1.2")
        .with_kinds("the command, such as `SEND`; `heart-beat`")
        .with_attributes(&[Attribute::new("destination", AttributeType::Text, "the destination of a frame")])
        .sniffed_by(sniff)
}

/// The rules of STOMP.
#[derive(Debug)]
struct Stomp;

const CLIENT: &[&str] =
    &["CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"];
const SERVER: &[&str] = &["CONNECTED", "MESSAGE", "RECEIPT", "ERROR"];

/// The maximum length of a command and its headers, in bytes.
const HEAD_MAX: u64 = 64 << 10;

/// The number of a `CONNECT` among requests: above all texts of up to seven bytes, and no hash.
const CONNECT_ID: u64 = 1 << 62;

/// The fields of a frame so far.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    length: Option<u64>,
    receipt: Option<u64>,
    stage: Stage,
}

/// The part of a frame that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Counted,
    Nul,
    Whole,
}

impl Rules for Stomp {
    const NAME: &'static str = "stomp";
    const SEEK: Seek = Seek::Bytes;
    /// A body without a length ends at a NUL.
    const LINE_MAX: u64 = 16 << 20;
    type Memo = Fields;

    fn next(&self, message: Progress<'_, Fields>) -> Result<Next, Fault> {
        let memo = message.memo;
        let line = trim_line(message.last);
        match (message.parts, memo.stage) {
            (0, _) => Ok(Next::Line),
            (1, _) if line.is_empty() => Ok(Next::End),
            (1, _) if !line.iter().all(u8::is_ascii_uppercase) => Err(Fault("a frame does not begin with a command")),
            (1, _) => Ok(Next::Line),
            (_, Stage::Head) if line.is_empty() => match memo.length {
                Some(length @ 1..) => {
                    memo.stage = Stage::Counted;
                    Ok(Next::Skip(length))
                }
                Some(0) => {
                    memo.stage = Stage::Nul;
                    Ok(Next::Bytes(1))
                }
                None => {
                    memo.stage = Stage::Whole;
                    Ok(Next::Until(Terminator::delimiter(b"\0").unwrap_or(Terminator::Close)))
                }
            },
            (_, Stage::Head) if message.length > HEAD_MAX => Err(Fault("a head is longer than 64 KiB")),
            (_, Stage::Head) => {
                memo.add(line)?;
                Ok(Next::Line)
            }
            (_, Stage::Counted) => {
                memo.stage = Stage::Nul;
                Ok(Next::Bytes(1))
            }
            (_, Stage::Nul) if message.last != b"\0" => Err(Fault("a body does not end where its length says")),
            (_, Stage::Nul | Stage::Whole) => Ok(Next::End),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Fields>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let command = trim_line(frame.head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default());
        if command.is_empty() {
            return Ok(Report::new("heart-beat"));
        }
        let known = if frame.side == Side::Client { CLIENT } else { SERVER };
        let kind = known.iter().find(|known| known.as_bytes() == command).copied().unwrap_or("frame");
        let report = Report::new(kind);
        let receipt = frame.memo.receipt;
        Ok(match kind {
            "CONNECT" | "STOMP" => report.role(Role::RequestWithId(CONNECT_ID)),
            "CONNECTED" => report.role(Role::AnswerWithId { id: CONNECT_ID, last: true }),
            "RECEIPT" => match header(frame.head, b"receipt-id") {
                Some(id) => report.role(Role::AnswerWithId { id: id_of(id), last: true }),
                None => report.malformed("it has no receipt-id"),
            },
            "ERROR" => {
                let report = report.failed("ERROR").subject(header(frame.head, b"message").unwrap_or_default());
                match header(frame.head, b"receipt-id") {
                    Some(id) => report.role(Role::AnswerWithId { id: id_of(id), last: true }),
                    // The server closes the connection behind it.
                    None => report,
                }
            }
            _ => {
                let report = report.subject(header(frame.head, b"destination").unwrap_or_default());
                match receipt.filter(|_| frame.side == Side::Client) {
                    Some(id) => report.role(Role::RequestWithId(id)),
                    None => report,
                }
            }
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let known = if side == Side::Client { CLIENT } else { SERVER };
        // The command has its line for itself.
        match (end, bytes.iter().position(|byte| *byte == b' ')) {
            (Some(end), Some(blank)) if blank < end => Sniff::No,
            (None, Some(_)) => Sniff::No,
            _ => Dialogue::begins_command(known, bytes),
        }
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        let command = head.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let known = if side == Side::Client { CLIENT } else { SERVER };
        known.iter().find(|known| known.as_bytes() == command).copied().unwrap_or("frame")
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Fields>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "destination").then(|| header(frame.head, b"destination").map(AttributeValue::text))?
    }
}

impl Fields {
    fn add(&mut self, line: &[u8]) -> Result<(), Fault> {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(Fault("a header has no colon"));
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        // The first one counts if there are several.
        if name == b"content-length" && self.length.is_none() {
            self.length = Some(number(value.trim_ascii()).ok_or(Fault("the length of the body is no number"))?);
        } else if name == b"receipt" && self.receipt.is_none() {
            self.receipt = Some(id_of(value));
        }
        Ok(())
    }
}

/// Returns the value of the first header of this name.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let lines = head.split(|byte| *byte == b'\n').skip(1).map(trim_line).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.strip_prefix(name)).find_map(|rest| rest.strip_prefix(b":"))
}

/// Returns whether the first bytes of a connection are STOMP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Server {
        return starts_with_any(first, &[b"CONNECTED\n", b"CONNECTED\r\n"]);
    }
    starts_with_any(first, &[b"CONNECT\n", b"CONNECT\r\n", b"STOMP\n", b"STOMP\r\n"])
}
