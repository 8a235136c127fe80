//! XMPP (RFC 6120), from clients and between servers.
//!
//! Each side sends a document, which ends with the connection. Its start tag `stream:stream` is a
//! message, and so is each element in it. The scanner knows tags, quotes, comments and CDATA, and
//! checks that end tags fit; it does not check names, attributes and entities. White space between
//! elements keeps the connection alive, and each byte of it is a message.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side, Terminator};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{id_of, starts_with_any};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Xmpp)
        .alias("jabber")
        .on_ports(&[5222, 5269])
        .about("XMPP (RFC 6120): stanzas, with STARTTLS")
        .with_kinds("the element, such as `iq`; `stream`, `stream-end`, `whitespace`")
        .with_attributes(&[
            Attribute::new("id", AttributeType::Text, "the id of a stanza"),
            Attribute::new("to", AttributeType::Text, "the receiver of a stanza"),
        ])
        .sniffed_by(|_, first| sniff(first))
}

/// The rules of XMPP.
#[derive(Debug)]
struct Xmpp;

/// The names of elements, without their prefix, and their kinds.
const ELEMENTS: &[&str] = &[
    "iq",
    "message",
    "presence",
    "stream",
    "features",
    "error",
    "starttls",
    "proceed",
    "failure",
    "auth",
    "challenge",
    "response",
    "success",
    "abort",
    "compress",
    "compressed",
    "handshake",
    "result",
    "verify",
    "enable",
    "enabled",
    "resume",
    "resumed",
    "failed",
    "r",
    "a",
    "active",
    "inactive",
    "authenticate",
    "continue",
    "next",
];

/// The maximum number of elements inside each other.
const DEPTH_MAX: usize = 256;

/// The number of a stream among requests: above all texts of up to seven bytes, and no hash.
const STREAM_ID: u64 = 1 << 62;

/// The details of requests.
const STARTTLS: u64 = 1;
const COMPRESS: u64 = 2;

const TOO_LONG: Fault = Fault("a tag is longer than 64 KiB");

/// The place of the scanner in a message.
#[derive(Debug, Default)]
struct Scan {
    stage: Stage,
    tag: Tag,
    /// The names of the elements that are not closed.
    open: Vec<u64>,
    /// The length of the message without its last part.
    before: u64,
}

/// The part of a message that was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Nothing,
    First,
    /// The bytes up to a `<`.
    Text,
    /// The beginning of a tag, behind its `<`.
    Tag,
    /// More of a tag, behind a `>` in quotes.
    MoreTag,
    /// A comment, a processing instruction or CDATA, which are whole.
    Other,
}

/// The tag in progress.
#[derive(Clone, Copy, Debug, Default)]
struct Tag {
    name: u64,
    is_end: bool,
    is_stream: bool,
    quote: Option<u8>,
}

impl Scan {
    fn until(&mut self, stage: Stage, delimiter: &[u8]) -> Result<Next, Fault> {
        self.stage = stage;
        Terminator::delimiter(delimiter).map(Next::Until).map_err(|_| Fault("a delimiter is empty"))
    }

    fn text(&mut self) -> Result<Next, Fault> {
        self.until(Stage::Text, b"<")
    }

    /// Handles the first part of a tag.
    fn tag(&mut self, part: &[u8]) -> Result<Next, Fault> {
        let ends_with = |end: &[u8], shortest: usize| part.len() >= shortest && part.ends_with(end);
        if part.starts_with(b"!--") {
            return if ends_with(b"-->", 6) { self.text() } else { self.until(Stage::Other, b"-->") };
        }
        if part.starts_with(b"![CDATA[") && !self.open.is_empty() {
            return if ends_with(b"]]>", 11) { self.text() } else { self.until(Stage::Other, b"]]>") };
        }
        if part.starts_with(b"?") {
            return if ends_with(b"?>", 3) { self.text() } else { self.until(Stage::Other, b"?>") };
        }
        if part.starts_with(b"!") {
            return Err(Fault("a document type or other markup is not allowed"));
        }
        let is_end = part.starts_with(b"/");
        let name = name_of(&part[usize::from(is_end)..]);
        if name.is_empty() {
            return Err(Fault("a tag has no name"));
        }
        self.tag = Tag { name: id_of(name), is_end, is_stream: name == b"stream:stream", quote: None };
        self.tag_end(part)
    }

    /// Handles the last part of a tag, or one whose `>` is in quotes.
    fn tag_end(&mut self, part: &[u8]) -> Result<Next, Fault> {
        for byte in part {
            match (self.tag.quote, byte) {
                (None, b'"' | b'\'') => self.tag.quote = Some(*byte),
                (Some(quote), byte) if quote == *byte => self.tag.quote = None,
                _ => {}
            }
        }
        let Tag { name, is_end, is_stream, quote } = self.tag;
        if quote.is_some() {
            return self.until(Stage::MoreTag, b">");
        }
        if is_end {
            match self.open.pop() {
                None if is_stream => return Ok(Next::End),
                None => return Err(Fault("an end tag has no start tag")),
                Some(open) if open != name => return Err(Fault("an end tag does not fit its start tag")),
                Some(_) => {}
            }
        } else if is_stream && self.open.is_empty() {
            return Ok(Next::End);
        } else if !part.ends_with(b"/>") {
            if self.open.len() == DEPTH_MAX {
                return Err(Fault("more than 256 elements are inside each other"));
            }
            self.open.push(name);
        }
        if self.open.is_empty() { Ok(Next::End) } else { self.text() }
    }
}

impl Rules for Xmpp {
    const NAME: &'static str = "xmpp";
    const SEEK: Seek = Seek::Bytes;
    /// A tag is kept whole.
    const KEPT_MAX: usize = 64 << 10;
    /// The text of an element may be a picture.
    const LINE_MAX: u64 = 16 << 20;
    type Memo = Scan;

    fn next(&self, message: Progress<'_, Scan>) -> Result<Next, Fault> {
        let scan = message.memo;
        let length = message.length - scan.before;
        scan.before = message.length;
        let is_kept = message.last.len() as u64 == length;
        match scan.stage {
            Stage::Nothing => {
                scan.stage = Stage::First;
                Ok(Next::Bytes(1))
            }
            Stage::First => match message.last {
                b"<" => scan.until(Stage::Tag, b">"),
                [b' ' | b'\t' | b'\r' | b'\n'] => Ok(Next::End),
                _ => Err(Fault("text between stanzas is not allowed")),
            },
            Stage::Text => scan.until(Stage::Tag, b">"),
            Stage::Tag | Stage::MoreTag if !is_kept => Err(TOO_LONG),
            Stage::Tag => scan.tag(message.last),
            Stage::MoreTag => scan.tag_end(message.last),
            Stage::Other => scan.text(),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Scan>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let Some(tag) = first_tag(frame.head) else { return Ok(Report::new("whitespace")) };
        let kind = kind_of(tag);
        let report = Report::new(kind);
        let is_client = frame.side == Side::Client;
        let waits = requests.oldest();
        let answer = |report: Report<'a>| match waits {
            Some(_) if !is_client => report.role(Role::Answer { last: true }),
            _ => report,
        };
        Ok(match kind {
            "iq" => {
                let kind = attribute(tag, b"type").unwrap_or_default();
                let id = id_of(attribute(tag, b"id").unwrap_or_default());
                let report = report.subject(kind);
                match kind {
                    b"get" | b"set" => report.role(Role::RequestWithId(id)),
                    b"error" => with_error(report, frame.head).role(Role::AnswerWithId { id, last: true }),
                    _ => report.role(Role::AnswerWithId { id, last: true }),
                }
            }
            "message" | "presence" => {
                let report = report.subject(attribute(tag, b"to").unwrap_or_default());
                if attribute(tag, b"type") == Some(b"error") { with_error(report, frame.head) } else { report }
            }
            "stream" => {
                let report =
                    report.subject(attribute(tag, if is_client { b"to" } else { b"from" }).unwrap_or_default());
                report.role(if is_client {
                    Role::RequestWithId(STREAM_ID)
                } else {
                    Role::AnswerWithId { id: STREAM_ID, last: true }
                })
            }
            "error" => report.failed(child(frame.head).unwrap_or("error")),
            "starttls" if is_client => report.role(Role::Request).detail(STARTTLS).then(Then::Await),
            "compress" if is_client => report.role(Role::Request).detail(COMPRESS).then(Then::Await),
            "auth" | "authenticate" if is_client => {
                report.role(Role::Request).subject(attribute(tag, b"mechanism").unwrap_or_default())
            }
            "response" if is_client => report.role(Role::Request),
            "proceed" if waits == Some(STARTTLS) && !is_client => answer(report).then(Then::Switch("tls")),
            "compressed" if waits == Some(COMPRESS) && !is_client => answer(report).then(Then::BothOpaque),
            "failure" => answer(report).failed(child(frame.head).unwrap_or("failure")),
            "challenge" | "success" | "continue" => answer(report),
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        starts_with_any(
            bytes,
            &[
                b"<?xml ",
                b"<stream:",
                b"</stream:stream",
                b"<iq ",
                b"<iq\n",
                b"<message ",
                b"<presence ",
                b"<presence/>",
                b"<presence>",
            ],
        )
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        first_tag(head).map_or("element", kind_of)
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Scan>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let name: &[u8] = match name {
            "id" => b"id",
            "to" => b"to",
            _ => return None,
        };
        attribute(first_tag(frame.head)?, name).map(AttributeValue::text)
    }
}

/// Returns the name with which a tag begins.
fn name_of(tag: &[u8]) -> &[u8] {
    let end = tag.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    &tag[..end.unwrap_or(tag.len())]
}

/// Returns the kind of the element with this tag.
fn kind_of(tag: &[u8]) -> &'static str {
    if tag.starts_with(b"/") {
        return "stream-end";
    }
    let name = name_of(tag);
    let local = name.iter().position(|byte| *byte == b':').map_or(name, |at| &name[at + 1..]);
    ELEMENTS.iter().find(|known| known.as_bytes() == local).copied().unwrap_or("element")
}

/// Returns the first tag behind declarations and comments, without its `<`.
fn first_tag(head: &[u8]) -> Option<&[u8]> {
    let mut rest = head;
    loop {
        rest = &rest[rest.iter().position(|byte| *byte == b'<')? + 1..];
        let end: &[u8] = match rest {
            [b'?', ..] => b"?>",
            [b'!', ..] => b"-->",
            _ => return Some(rest),
        };
        rest = &rest[rest.windows(end.len()).position(|part| part == end)? + end.len()..];
    }
}

/// Returns the value of an attribute of a tag.
fn attribute<'a>(tag: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = &tag[name_of(tag).len()..];
    loop {
        rest = rest.trim_ascii_start();
        let equals = rest.iter().position(|byte| matches!(byte, b'=' | b'>'))?;
        if rest[equals] == b'>' {
            return None;
        }
        let name = rest[..equals].trim_ascii_end();
        let (quote, value) = rest[equals + 1..].trim_ascii_start().split_first()?;
        if !matches!(quote, b'"' | b'\'') {
            return None;
        }
        let end = value.iter().position(|byte| byte == quote)?;
        if name == wanted {
            return Some(&value[..end]);
        }
        rest = &value[end + 1..];
    }
}

/// Returns the name of the first element inside the first one.
fn child(head: &[u8]) -> Option<&str> {
    let tag = first_tag(head)?;
    let inside = &tag[tag.iter().position(|byte| *byte == b'>')? + 1..];
    std::str::from_utf8(name_of(first_tag(inside)?)).ok().filter(|name| !name.is_empty())
}

/// Adds the condition of a stanza's error (RFC 6120, section 8.3).
fn with_error<'a>(report: Report<'a>, head: &'a [u8]) -> Report<'a> {
    let error = head.windows(6).position(|part| part == b"<error").map(|at| &head[at..]);
    report.failed(error.and_then(child).unwrap_or("error"))
}

/// Returns whether the first bytes of a side are XMPP.
fn sniff(first: &[u8]) -> Sniff {
    const STREAM: &[u8] = b"<stream:stream";
    if !first.starts_with(b"<?xml") {
        return starts_with_any(first, &[STREAM, b"<?xml"]);
    }
    let Some(end) = first.windows(2).position(|part| part == b"?>") else { return Sniff::More };
    starts_with_any(first[end + 2..].trim_ascii_start(), &[STREAM])
}
