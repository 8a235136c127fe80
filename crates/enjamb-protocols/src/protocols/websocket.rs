//! WebSocket (RFC 6455), behind the handshake of HTTP.
//!
//! A message is a frame, since control frames may come between the fragments of one text. Payloads
//! with `permessage-deflate` (RFC 7692) stay compressed. A text that is one frame may contain a
//! message of JSON-RPC: then the method is shown, and the answer is paired by its id.

use std::borrow::Cow;

use enjamb::Side;

use super::jsonrpc::call::{Call, CallKind};
use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(WebSocket::default)
        .alias("ws")
        .about("WebSocket (RFC 6455), behind its handshake")
        .with_kinds("`text`, `binary`, `continuation`, `close`, `ping`, `pong`")
}

/// The rules of WebSocket: the state of the fragments of each side.
#[derive(Debug, Default)]
struct WebSocket {
    fragments: [Fragments; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fragments {
    /// The next frame of data begins a text or a binary.
    #[default]
    None,
    /// A continuation follows.
    Open,
    /// A frame was missed.
    Unknown,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The names of the opcodes (section 5.2).
const NAMES: [&str; 11] = ["continuation", "text", "binary", "", "", "", "", "", "close", "ping", "pong"];

/// The longest payload of a control frame (section 5.5).
const CONTROL_MAX: u64 = 125;

/// The numbers of pings: their highest bit is set.
const PING_ID: u64 = 1 << 63;

/// The header of a frame (section 5.2).
#[derive(Clone, Copy, Debug)]
struct Header {
    is_final: bool,
    reserved: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: u64,
    /// Whether a shorter form of the length exists.
    is_too_wide: bool,
    length: usize,
}

impl Header {
    /// Returns the length of the header that begins with these bytes.
    fn length(second: u8) -> usize {
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + if second & 0x80 != 0 { 4 } else { 0 }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else { return None };
        let length = Self::length(second);
        let header = bytes.get(..length)?;
        let (payload, is_too_wide) = match second & 0x7f {
            126 => {
                let payload = u64::from(u16::from_be_bytes([header[2], header[3]]));
                (payload, payload < 126)
            }
            127 => {
                let payload = u64::from_be_bytes(*header[2..].first_chunk()?);
                (payload, payload <= 0xffff)
            }
            payload => (payload.into(), false),
        };
        let mask = if second & 0x80 != 0 { header.last_chunk().copied() } else { None };
        Some(Self {
            is_final: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 0xf,
            mask,
            payload,
            is_too_wide,
            length,
        })
    }

    fn is_control(self) -> bool {
        self.opcode >= CLOSE
    }

    fn name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.opcode)).copied().filter(|name| !name.is_empty())
    }

    /// Returns the rule that a frame of this side breaks, without those on fragments.
    fn fault(self, side: Side) -> Option<&'static str> {
        match side {
            Side::Client if self.mask.is_none() => return Some("a frame of a client has no mask"),
            Side::Server if self.mask.is_some() => return Some("a frame of a server has a mask"),
            _ => {}
        }
        if self.name().is_none() {
            return Some("the opcode is reserved");
        }
        // Only permessage-deflate uses a reserved bit, on the first frame of data.
        if self.reserved & 3 != 0 || (self.reserved != 0 && (self.is_control() || self.opcode == CONTINUATION)) {
            return Some("a reserved bit is set");
        }
        if self.is_too_wide {
            return Some("the length has a shorter form");
        }
        match self.is_control() {
            true if !self.is_final => Some("a control frame is a fragment"),
            true if self.payload > CONTROL_MAX => Some("a control frame is longer than 125 bytes"),
            _ => None,
        }
    }
}

impl Rules for WebSocket {
    const NAME: &'static str = "websocket";
    const KEPT_MAX: usize = 64 << 10;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match (message.parts, message.head) {
            (0, _) => Ok(Next::Bytes(2)),
            (1, &[_, second]) if Header::length(second) > 2 => Ok(Next::Bytes(Header::length(second) as u64 - 2)),
            (_, head) => {
                let header = Header::parse(head).ok_or(Fault::SHORT)?;
                if head.len() > header.length || message.length > header.length as u64 {
                    return Ok(Next::End);
                }
                if header.payload >> 63 != 0 {
                    return Err(Fault("the highest bit of the length is set"));
                }
                let is_kept = header.payload <= Self::KEPT_MAX as u64 && (header.is_control() || header.opcode == TEXT);
                Ok(if is_kept { Next::Last(header.payload) } else { Next::SkipLast(header.payload) })
            }
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let header = Header::parse(frame.head).ok_or(Fault::SHORT)?;
        let report = Report::new(header.name().unwrap_or("frame"));
        let fault = header.fault(frame.side).or_else(|| self.fragment(frame.side, header));
        let report = if header.reserved == 4 && !header.is_control() { report.flags("compressed") } else { report };
        if let Some(fault) = fault {
            return Ok(report.malformed(fault));
        }
        let payload =
            if frame.is_kept() { unmasked(&frame.head[header.length..], header.mask) } else { Cow::Borrowed(&[][..]) };
        Ok(match header.opcode {
            PING => report.role(Role::RequestWithId(ping_id(&payload))),
            PONG => report.role(Role::AnswerWithId { id: ping_id(&payload), last: true }),
            CLOSE if frame.is_kept() => close(report, &payload),
            TEXT if header.is_final && header.reserved == 0 && frame.is_kept() => text(report, &payload),
            _ => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let &[first, ..] = bytes else { return Sniff::More };
        if !matches!(first, 0x01 | 0x02 | 0x41 | 0x42 | 0x81 | 0x82 | 0xc1 | 0xc2 | 0x88..=0x8a) {
            return Sniff::No;
        }
        let Some(second) = bytes.get(1) else { return Sniff::More };
        if (second & 0x80 != 0) != (side == Side::Client) {
            return Sniff::No;
        }
        let Some(header) = Header::parse(bytes) else { return Sniff::More };
        if header.fault(side).is_some() || header.payload >> 32 != 0 {
            return Sniff::No;
        }
        let behind = &bytes[header.length..];
        // The first bytes of a text decide, or the length, or the beginning of the next frame.
        if header.opcode == TEXT && header.reserved == 0 && header.payload >= SURE_TEXT as u64 {
            let Some(text) = behind.get(..SURE_TEXT) else { return Sniff::More };
            let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
            return if unmasked(text, header.mask).iter().all(is_text) { Sniff::Yes } else { Sniff::No };
        }
        if header.payload >= SURE_LENGTH {
            return Sniff::Yes;
        }
        match behind.get(header.payload as usize) {
            None => Sniff::More,
            Some(0x00..=0x02 | 0x41 | 0x42 | 0x80..=0x82 | 0xc1 | 0xc2 | 0x88..=0x8a) => Sniff::Yes,
            Some(_) => Sniff::No,
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let opcode = head.first().map_or(3, |first| first & 0xf);
        NAMES.get(usize::from(opcode)).copied().filter(|name| !name.is_empty()).unwrap_or("frame")
    }

    fn lost(&mut self, side: Side) {
        self.fragments[side.index()] = Fragments::Unknown;
    }
}

/// The number of bytes of a text that make a beginning sure.
const SURE_TEXT: usize = 8;

/// The length of a payload that makes a beginning sure: it has a form of its own.
const SURE_LENGTH: u64 = 256;

impl WebSocket {
    /// Passes a frame of data. Returns the rule on fragments that it breaks (section 5.4).
    fn fragment(&mut self, side: Side, header: Header) -> Option<&'static str> {
        if header.is_control() {
            return None;
        }
        let fragments = &mut self.fragments[side.index()];
        let before = std::mem::replace(fragments, if header.is_final { Fragments::None } else { Fragments::Open });
        match (before, header.opcode) {
            (Fragments::None, CONTINUATION) => Some("a continuation continues nothing"),
            (Fragments::Open, 1..) => Some("another message begins before the last fragment"),
            _ => None,
        }
    }
}

/// Returns a payload without its mask.
fn unmasked(payload: &[u8], mask: Option<[u8; 4]>) -> Cow<'_, [u8]> {
    match mask {
        None => Cow::Borrowed(payload),
        Some(mask) => Cow::Owned(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()),
    }
}

/// Returns the number of a ping: a hash of its payload (FNV-1a), which the pong repeats.
fn ping_id(payload: &[u8]) -> u64 {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    PING_ID | payload.iter().fold(0xcbf2_9ce4_8422_2325, hash)
}

/// Adds the code and the reason of a close (section 7.4).
fn close<'a>(report: Report<'a>, payload: &[u8]) -> Report<'a> {
    let (code, reason) = match *payload {
        [] => return report,
        [_] => return report.malformed("the code of a close has one byte"),
        [high, low, ref reason @ ..] => (u16::from_be_bytes([high, low]), reason),
    };
    let report = report.subject(reason.to_vec());
    match code {
        1000 | 1001 => report.code(code.to_string()),
        0..1000 | 1004..=1006 | 1015 | 5000.. => {
            report.failed(code.to_string()).malformed("the code of a close is reserved")
        }
        _ if std::str::from_utf8(reason).is_err() => {
            report.failed(code.to_string()).malformed("the reason of a close is not UTF-8")
        }
        _ => report.failed(code.to_string()),
    }
}

/// Describes a text that is one frame.
fn text<'a>(report: Report<'a>, payload: &[u8]) -> Report<'a> {
    if std::str::from_utf8(payload).is_err() {
        return report.malformed("a text is not UTF-8");
    }
    if !matches!(payload.first(), Some(b'{' | b'[')) {
        return report;
    }
    let Ok(call) = Call::parse(payload, true) else { return report };
    let role = match (call.kind, call.id.map(|id| id & !PING_ID)) {
        (CallKind::Request | CallKind::Batch { asks: true }, Some(id)) => Role::RequestWithId(id),
        (CallKind::Response | CallKind::Error | CallKind::Batch { asks: false }, Some(id)) => {
            Role::AnswerWithId { id, last: true }
        }
        _ => Role::OneWay,
    };
    let report = report.role(role).subject(call.method.to_vec());
    match call.error {
        Some(code) => report.failed(code),
        None => report,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, S, lines, lines_midstream};

    /// Returns a frame of a client, with a mask.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let mut frame = head(first, 0x80, payload.len());
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
        [&head(first, 0, payload.len())[..], payload].concat()
    }

    fn head(first: u8, bit: u8, length: usize) -> Vec<u8> {
        match u16::try_from(length) {
            Ok(length @ 0..126) => vec![first, bit | length as u8],
            Ok(length) => [&[first, bit | 126][..], &length.to_be_bytes()].concat(),
            Err(_) => [&[first, bit | 127][..], &(length as u64).to_be_bytes()].concat(),
        }
    }

    const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";

    #[test]
    fn frames_follow_the_101_in_the_same_segment() {
        let turns = [
            (C, [UPGRADE, &masked(0x81, b"hi")].concat()),
            (S, [ANSWER, &plain(0x81, b"hello"), &plain(0x89, b"p")].concat()),
            (C, [masked(0x8a, b"p"), masked(0x88, b"\x03\xe8")].concat()),
            (S, plain(0x88, b"\x03\xf3oops")),
        ];
        assert_eq!(
            lines("auto", &turns),
            [
                "client GET at 0+70 ok: GET /ws HTTP/1.1, host a",
                "server response at 0+61 ok 101 answers #0: 101 Yes",
                "client text at 70+8 ok: text",
                "server text at 61+7 ok: text",
                "server ping at 68+3 ok: ping",
                "client pong at 78+7 ok answers #2: pong",
                "client close at 85+8 ok 1000: close 1000",
                "server close at 71+8 failed 1011: close 1011 oops",
            ]
        );
    }

    #[test]
    fn control_frames_may_come_between_fragments() {
        let bytes =
            [masked(0x01, b"a"), masked(0x89, b""), masked(0x00, b"b"), masked(0x80, b"c"), masked(0x82, &[0; 70000])];
        let kinds: Vec<String> = lines("websocket", &[(C, bytes.concat())]);
        let kinds: Vec<&str> = kinds.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(kinds, ["text", "ping", "continuation", "continuation", "binary"]);
    }

    #[test]
    fn what_the_rfc_forbids_is_malformed_and_the_next_frame_follows() {
        for (bytes, reason) in [
            (plain(0x81, b"a"), "a frame of a client has no mask"),
            (masked(0x83, b"a"), "the opcode is reserved"),
            (masked(0x91, b"a"), "a reserved bit is set"),
            (masked(0xc9, b"a"), "a reserved bit is set"),
            (masked(0x09, b"a"), "a control frame is a fragment"),
            (masked(0x89, &[0; 126]), "a control frame is longer than 125 bytes"),
            (masked(0x80, b"a"), "a continuation continues nothing"),
            ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), "another message begins before the last fragment"),
            (masked(0x88, b"a"), "the code of a close has one byte"),
            (masked(0x88, b"\x03\xed"), "the code of a close is reserved"),
            (masked(0x81, b"\xff"), "a text is not UTF-8"),
            (b"\x81\xfe\0\x01\0\0\0\0a".to_vec(), "the length has a shorter form"),
        ] {
            let lines = lines("websocket", &[(C, [bytes, masked(0x89, b"x")].concat())]);
            assert!(lines.iter().any(|line| line.contains(reason)), "{reason}: {lines:?}");
            assert!(lines.last().unwrap().contains("client ping"), "{lines:?}");
        }
        let huge = lines("websocket", &[(S, b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff")]);
        assert!(huge[0].contains("malformed (the highest bit of the length is set)"), "{huge:?}");
        let long = lines("websocket", &[(S, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx")]);
        assert!(long[0].contains("incomplete"), "{long:?}");
        let masked_by_server = lines("websocket", &[(S, masked(0x81, b"a"))]);
        assert!(masked_by_server[0].contains("a frame of a server has a mask"));
    }

    #[test]
    fn compressed_payloads_are_flagged_and_calls_of_json_rpc_are_paired() {
        let deflated = lines("websocket", &[(S, plain(0xc1, b"\xaa\x00"))]);
        assert_eq!(deflated, ["server text at 0+4 ok [compressed]: text"]);
        let turns = [
            (C, masked(0x81, br#"{"id":1,"method":"eth_call"}"#)),
            (S, plain(0x81, br#"{"id":1,"error":{"code":-32000}}"#)),
        ];
        let calls = lines("websocket", &turns);
        assert_eq!(calls[0], "client text at 0+34 ok: text eth_call");
        assert_eq!(calls[1], "server text at 0+34 failed -32000 answers #0: text -32000");
    }

    #[test]
    fn a_capture_that_joined_in_the_middle_begins_at_a_frame() {
        let bytes = [&b"rest"[..], &masked(0x81, b"hello"), &masked(0x8a, b"")].concat();
        let seen = lines_midstream("websocket", C, &bytes);
        assert!(seen.last().unwrap().contains("client pong"), "{seen:?}");
        assert!(seen.iter().any(|line| line.contains("client text at 4+11 ok")), "{seen:?}");
    }
}
