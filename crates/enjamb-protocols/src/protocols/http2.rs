//! HTTP/2 (RFC 9113), with gRPC on it.
//!
//! A message is a frame. `HEADERS` or `PUSH_PROMISE` and the `CONTINUATION` frames behind it are
//! one message, since only all of them can be decoded. The request of a stream is answered by the
//! messages of the server on that stream: the responses, and the frame that ends the stream.
//!
//! Each side compresses its headers with a table of earlier ones. A missed frame leaves holes in
//! the table; see [`hpack`].

mod hpack;
mod names;

use std::borrow::Cow;
use std::fmt;

use enjamb::{ArgumentType, Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::hpack::{Decoder, Field};
use self::names::{error_name, frame_name, grpc_status_name};
use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Http2::default)
        .alias("h2")
        .alias("grpc")
        .about("HTTP/2 (RFC 9113) and gRPC")
        .with_kinds("the type of frame, such as `HEADERS`; `preface`")
        .with_attributes(&[
            Attribute::new("stream", AttributeType::Number, "the number of the stream"),
            Attribute::new("method", AttributeType::Text, "the method of a request"),
            Attribute::new("path", AttributeType::Text, "the path and the query of a request; the method of gRPC"),
            Attribute::new("authority", AttributeType::Text, "the host and the port of a request"),
            Attribute::new("status", AttributeType::Number, "the status of a response"),
            Attribute::new("grpc_status", AttributeType::Number, "the status of a call of gRPC"),
            Attribute::new(
                "header",
                AttributeType::Text,
                "the value of a header. Several values are joined by a comma",
            )
            .with(ArgumentType::Text),
        ])
        .sniffed_by(sniff)
}

/// The rules of HTTP/2.
#[derive(Debug, Default)]
struct Http2 {
    decoders: [Decoder; 2],
    /// Whether the preface of the client came, or was missed.
    is_open: bool,
    /// The headers of the message that was read last.
    fields: Vec<Field>,
}

/// The message in progress.
#[derive(Debug, Default)]
struct Memo {
    frames: u64,
    /// Whether the last part was the header of a frame.
    is_header: bool,
    stream: u32,
    has_all_headers: bool,
    /// Whether another frame came inside the headers.
    is_interrupted: bool,
}

/// The length of the header of a frame.
const HEADER: usize = 9;

/// The first bytes of a client (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The maximum length of compressed headers that are decoded, with the headers of their frames.
const HEADERS_MAX: usize = 64 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

/// The numbers of requests that belong to no stream: they are above all of 31 bits.
const SETTINGS_ID: u64 = 1 << 32;
const PING_ID: u64 = 1 << 63;

/// The header of a frame (section 4.1).
#[derive(Clone, Copy, Debug)]
struct FrameHeader {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl FrameHeader {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s0, s1, s2, s3, ..] = bytes else { return None };
        let stream = u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff;
        Some(Self { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream })
    }

    /// Returns the rule that the header breaks (section 6).
    fn fault(self) -> Option<&'static str> {
        let is_length_right = match self.kind {
            HEADERS if self.flags & HAS_PRIORITY != 0 => self.length >= 5,
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            SETTINGS if self.flags & ACK != 0 => self.length == 0,
            SETTINGS => self.length.is_multiple_of(6),
            PUSH_PROMISE => self.length >= 4,
            PING => self.length == 8,
            GOAWAY => self.length >= 8,
            _ => true,
        };
        if !is_length_right {
            return Some("the length of the frame does not fit its type");
        }
        match self.kind {
            DATA | HEADERS | PRIORITY | RST_STREAM | PUSH_PROMISE | CONTINUATION if self.stream == 0 => {
                Some("a frame of this type belongs to a stream")
            }
            SETTINGS | PING | GOAWAY if self.stream != 0 => Some("a frame of this type belongs to no stream"),
            _ => None,
        }
    }

    fn has_headers(self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE)
    }
}

impl Rules for Http2 {
    const NAME: &'static str = "http2";
    const KEPT_MAX: usize = HEADERS_MAX;
    type Memo = Memo;

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        let memo = message.memo;
        if message.parts == 0 {
            memo.is_header = true;
            return Ok(Next::Bytes(HEADER as u64));
        }
        if !memo.is_header {
            if memo.has_all_headers {
                return Ok(Next::End);
            }
            memo.is_header = true;
            return Ok(Next::Bytes(HEADER as u64));
        }
        memo.is_header = false;
        if message.side == Side::Client && !self.is_open && message.parts == 1 {
            if message.last == &PREFACE[..HEADER] {
                return Ok(Next::Last((PREFACE.len() - HEADER) as u64));
            }
            return Err(Fault("the connection does not begin with the preface"));
        }
        let header = FrameHeader::parse(message.last).ok_or(Fault::SHORT)?;
        let length = u64::from(header.length);
        memo.frames += 1;
        if memo.frames == 1 {
            memo.stream = header.stream;
            memo.has_all_headers = header.flags & END_HEADERS != 0;
            return Ok(match header.kind {
                _ if header.has_headers() && !memo.has_all_headers && length == 0 => {
                    memo.is_header = true;
                    Next::Bytes(HEADER as u64)
                }
                _ if header.has_headers() && !memo.has_all_headers => Next::Body(length),
                DATA => Next::SkipLast(length),
                _ => Next::Last(length),
            });
        }
        if header.kind != CONTINUATION || header.stream != memo.stream {
            memo.is_interrupted = true;
            return Ok(Next::Last(length));
        }
        memo.has_all_headers = header.flags & END_HEADERS != 0;
        if memo.has_all_headers {
            return Ok(Next::Last(length));
        }
        if length == 0 {
            memo.is_header = true;
            return Ok(Next::Bytes(HEADER as u64));
        }
        Ok(Next::Body(length))
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        self.fields.clear();
        if frame.memo.frames == 0 {
            self.is_open = true;
            let report = Report::new("preface");
            let is_right = frame.head == PREFACE || !frame.is_kept();
            return Ok(if is_right { report } else { report.malformed("the preface is wrong") });
        }
        if frame.side == Side::Client {
            self.is_open = true;
        }
        let header = FrameHeader::parse(frame.head).ok_or(Fault::SHORT)?;
        let name = frame_name(header.kind);
        let report = Report::new(name).detail(header.stream.into());
        if let Some(fault) = header.fault() {
            return Ok(report.malformed(fault));
        }
        let mut body = Cursor::new(&frame.head[HEADER..]);
        let stream = u64::from(header.stream);
        let ends = header.flags & END_STREAM != 0;
        Ok(match header.kind {
            HEADERS | PUSH_PROMISE => self.read_headers(frame, header, report),
            DATA if frame.side == Side::Server && ends => report.role(Role::AnswerWithId { id: stream, last: true }),
            RST_STREAM => {
                let report = with_error(report, body.u32()?);
                match frame.side {
                    Side::Client => report,
                    Side::Server => report.role(Role::AnswerWithId { id: stream, last: true }),
                }
            }
            GOAWAY => {
                body.u32()?;
                let report = with_error(report, body.u32()?);
                report.subject(body.rest())
            }
            SETTINGS if header.flags & ACK != 0 => report.role(Role::AnswerWithId { id: SETTINGS_ID, last: true }),
            SETTINGS => report.role(Role::RequestWithId(SETTINGS_ID)),
            PING => {
                let id = PING_ID | body.u64()? >> 1;
                match header.flags & ACK {
                    0 => report.role(Role::RequestWithId(id)),
                    _ => report.role(Role::AnswerWithId { id, last: true }),
                }
            }
            CONTINUATION => report.malformed("CONTINUATION does not follow headers"),
            _ => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        if side == Side::Client && !bytes.is_empty() && bytes.len() < PREFACE.len() && PREFACE.starts_with(bytes) {
            return Sniff::More;
        }
        if side == Side::Client && bytes.starts_with(PREFACE) {
            return Sniff::Yes;
        }
        begins_frame(bytes)
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        if head.starts_with(b"PRI") { "preface" } else { head.get(3).map_or("frame", |kind| frame_name(*kind)) }
    }

    fn summarize(&self, frame: &Frame<'_, Memo>, report: &Report<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(report, f)?;
        if frame.memo.stream > 0 {
            write!(f, ", stream {}", frame.memo.stream)?;
        }
        if frame.memo.frames > 1 {
            write!(f, ", {} frames", frame.memo.frames)?;
        }
        Ok(())
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Memo>,
        _: &'s Report<'_>,
        name: &str,
        argument: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let text = |name: &str| self.header(name.as_bytes()).map(AttributeValue::text);
        let number = |name: &str| {
            std::str::from_utf8(self.header(name.as_bytes())?).ok()?.parse().ok().map(AttributeValue::Number)
        };
        match (name, argument) {
            ("stream", _) if frame.memo.frames > 0 => Some(AttributeValue::Number(frame.memo.stream.into())),
            ("method", _) => text(":method"),
            ("path", _) => text(":path"),
            ("authority", _) => text(":authority"),
            ("status", _) => number(":status"),
            ("grpc_status", _) => number("grpc-status"),
            ("header", AttributeArgument::Text(name)) => {
                let name = name.to_ascii_lowercase();
                let mut values = self.fields.iter().filter(|field| field.name() == Some(name.as_bytes()));
                let first = String::from_utf8_lossy(values.next()?.value()?);
                let joined = values
                    .filter_map(Field::value)
                    .fold(first, |joined, value| Cow::Owned(format!("{joined}, {}", String::from_utf8_lossy(value))));
                Some(AttributeValue::Text(joined))
            }
            _ => None,
        }
    }

    fn lost(&mut self, side: Side) {
        self.decoders[side.index()].lose();
        if side == Side::Client {
            self.is_open = true;
        }
    }
}

impl Http2 {
    /// Returns the value of a header of the last message.
    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.name() == Some(name)).and_then(Field::value)
    }

    fn read_headers<'a>(&mut self, frame: &Frame<'a, Memo>, header: FrameHeader, report: Report<'a>) -> Report<'a> {
        let decoder = &mut self.decoders[frame.side.index()];
        if frame.memo.is_interrupted {
            decoder.lose();
            return report.malformed("another frame is inside the headers");
        }
        if !frame.is_kept() {
            decoder.lose();
            let report = report.role(role(frame.side, header, None));
            return if frame.lost > 0 { report } else { report.malformed("the headers are longer than 64 KiB") };
        }
        let Some(block) = block(frame.head) else {
            decoder.lose();
            return report.malformed("the padding is longer than the frame");
        };
        let decoded = decoder.decode(&block, &mut self.fields);
        let status = self.header(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse::<u16>().ok());
        let mut report = report.role(role(frame.side, header, status));
        if let Some(method) = self.header(b":method") {
            let path = self.header(b":path").or_else(|| self.header(b":authority")).unwrap_or_default();
            report = report.subject([method, b" ", path].concat());
            if header.kind == HEADERS && frame.side == Side::Client {
                report = report.role(Role::RequestWithId(header.stream.into()));
            }
        }
        if let Some(status) = status {
            report = if status >= 400 { report.failed(status.to_string()) } else { report.code(status.to_string()) };
        }
        let grpc = self.header(b"grpc-status").and_then(|status| std::str::from_utf8(status).ok()?.parse::<u32>().ok());
        if let Some(grpc) = grpc {
            let name = grpc_status_name(grpc);
            report = if grpc > 0 { report.failed(name) } else { report.code(name) };
        }
        match decoded {
            Ok(()) => report,
            Err(fault) => report.malformed(fault.0),
        }
    }
}

/// Returns the part of headers in the conversation. Trailers of a client are no request.
fn role(side: Side, header: FrameHeader, status: Option<u16>) -> Role {
    let id = u64::from(header.stream);
    let ends = header.flags & END_STREAM != 0;
    match (side, header.kind) {
        (Side::Server, HEADERS) => {
            Role::AnswerWithId { id, last: ends && status.is_none_or(|status| !(100..200).contains(&status)) }
        }
        _ => Role::OneWay,
    }
}

/// Returns the compressed headers in some frames, without padding and other fields. `None` if those
/// do not fit.
fn block(frames: &[u8]) -> Option<Cow<'_, [u8]>> {
    let first = FrameHeader::parse(frames)?;
    let (body, mut rest) = frames.get(HEADER..)?.split_at_checked(first.length as usize)?;
    let mut fields = Cursor::new(body);
    let padding = if first.flags & PADDED != 0 { usize::from(fields.u8().ok()?) } else { 0 };
    if first.kind == PUSH_PROMISE {
        fields.u32().ok()?;
    } else if first.flags & HAS_PRIORITY != 0 {
        fields.take(5).ok()?;
    }
    let length = fields.rest().len().checked_sub(padding)?;
    let mut block = Cow::Borrowed(fields.take(length).ok()?);
    while let Some(header) = FrameHeader::parse(rest) {
        let (body, behind) = rest.get(HEADER..)?.split_at_checked(header.length as usize)?;
        block.to_mut().extend_from_slice(body);
        rest = behind;
    }
    Some(block)
}

/// Adds an error code (section 7). `NO_ERROR` is none.
fn with_error(report: Report<'_>, code: u32) -> Report<'_> {
    let name = error_name(code);
    if code == 0 { report.code(name) } else { report.failed(name) }
}

/// The flags that each type of frame has.
const FLAGS: [u8; 10] = [
    END_STREAM | PADDED,
    END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY,
    0,
    0,
    ACK,
    END_HEADERS | PADDED,
    ACK,
    0,
    0,
    END_HEADERS,
];

/// The length of a frame up to which it is sure to be one: the initial value of
/// `SETTINGS_MAX_FRAME_SIZE`.
const SURE_LENGTH_MAX: u32 = 1 << 14;

/// Returns whether these bytes are the header of a frame, without doubt.
fn begins_frame(bytes: &[u8]) -> Sniff {
    let is_possible = bytes.first().is_none_or(|high| *high == 0)
        && bytes.get(1).is_none_or(|middle| *middle <= 0x40)
        && bytes.get(3).is_none_or(|kind| *kind <= CONTINUATION)
        && bytes.get(4).is_none_or(|flags| flags & !FLAGS[usize::from(bytes[3])] == 0)
        && bytes.get(5).is_none_or(|high| *high == 0);
    let Some(header) = FrameHeader::parse(bytes) else {
        return if is_possible { Sniff::More } else { Sniff::No };
    };
    let is_sure = is_possible
        && header.length <= SURE_LENGTH_MAX
        && header.fault().is_none()
        && (header.kind != WINDOW_UPDATE || header.length == 4)
        // An empty frame of data is mostly zeros, which prove nothing.
        && (header.kind != DATA || header.length > 0 || header.flags & END_STREAM != 0);
    if is_sure { Sniff::Yes } else { Sniff::No }
}

/// Returns whether the first bytes of a side are HTTP/2: the client's preface, the server's
/// `SETTINGS` (RFC 9113, section 3.4), or headers, where a capture joined in the middle.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    match side {
        Side::Client if first.starts_with(PREFACE) => Sniff::Yes,
        Side::Client if PREFACE.starts_with(first) => Sniff::More,
        // All headers in one frame: the flags make it sure.
        _ if matches!(first.get(3..5), Some(&[HEADERS, flags]) if flags & END_HEADERS != 0) => begins_frame(first),
        _ if matches!(first, [0] | [0, _] | [0, _, _] | [0, _, _, HEADERS]) => Sniff::More,
        Side::Client => Sniff::No,
        Side::Server => {
            let is_settings = first.get(3).is_none_or(|kind| *kind == SETTINGS)
                && first.get(4).is_none_or(|flags| *flags == 0)
                && first.iter().skip(5).take(4).all(|byte| *byte == 0)
                && first.first().is_none_or(|high| *high == 0)
                && first.get(1).is_none_or(|middle| *middle == 0)
                && first.get(2).is_none_or(|low| low % 6 == 0);
            match first.len() {
                _ if !is_settings => Sniff::No,
                HEADER.. => Sniff::Yes,
                _ => Sniff::More,
            }
        }
    }
}

#[cfg(test)]
mod tests;
