//! TLS 1.0 to 1.3 (RFC 8446, RFC 5246) and SSL 3.0: the records.
//!
//! A message is a record. A handshake message that is longer than a record makes one message with
//! all of its records. Behind `ChangeCipherSpec` the records of a side are encrypted, and only
//! their types are known. In TLS 1.3 the encrypted records have the type of application data.
//!
//! A `ClientHello` is answered by a `ServerHello`. The first record of a client, and of a server,
//! may have the form of SSL 2.0 (RFC 5246, appendix E.2).

mod hello;
mod names;

use std::fmt;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use self::hello::{Hello, handshake_bytes};
use self::names::{alert_name, handshake_name, version_name};
use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Tls::default)
        .alias("ssl")
        .on_ports(&[443, 465, 636, 853, 990, 993, 995, 8443])
        .about("TLS and SSL: records, the hellos and the alerts")
        .with_kinds("the handshake message, such as `ClientHello`; `ChangeCipherSpec`, `alert`, `application_data`, `heartbeat`; `encrypted-handshake`, `encrypted-alert`")
        .with_attributes(&[
            Attribute::new("sni", AttributeType::Text, "the name of the server that a ClientHello asks for"),
            Attribute::new("alpn", AttributeType::Text, "the first application protocol of a hello"),
            Attribute::new("version", AttributeType::Text, "the version of a hello: the highest or the chosen one"),
            Attribute::new("cipher", AttributeType::Number, "the number of the cipher suite of a ServerHello"),
        ])
        .sniffed_by(sniff)
}

/// The rules of TLS: the state of each side.
#[derive(Debug, Default)]
struct Tls {
    sides: [State; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    begun: bool,
    encryption: Encryption,
    /// Whether all its records have the form of SSL 2.0.
    is_sslv2: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Encryption {
    #[default]
    Off,
    On,
    /// A record was missed.
    Unknown,
}

/// The message in progress.
#[derive(Debug, Default)]
struct Memo {
    /// The number of records.
    records: u64,
    /// Whether the last part was the header of a record.
    is_header: bool,
    /// The length of the record in progress.
    record_length: usize,
    handshake: Walk,
    /// Whether a record of another type follows before the handshake message ends.
    is_interrupted: bool,
}

/// The handshake messages of some records.
#[derive(Clone, Debug, Default)]
struct Walk {
    /// Their first types.
    types: [u8; TYPES_MAX],
    count: usize,
    /// The number of bytes of the message in progress that are still to come.
    rest: u32,
    /// The bytes of a header that the end of a record cut.
    header: [u8; HANDSHAKE_HEADER],
    header_length: usize,
    /// Whether the bytes are no handshake messages.
    is_unknown: bool,
}

/// The number of types of handshake messages that are kept for one message.
const TYPES_MAX: usize = 16;

/// The length of the header of a record.
const HEADER: u64 = 5;

/// The length of the header of a handshake message.
const HANDSHAKE_HEADER: usize = 4;

/// The maximum length of a record: 2^14 bytes, and 2048 of encryption (RFC 5246, section 6.2.3).
const RECORD_MAX: u16 = (1 << 14) + 2048;

/// The maximum length of a handshake message. The protocol allows 2^24 bytes; only lists of
/// certificates come near.
const HANDSHAKE_MAX: u32 = 1 << 18;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// The types of messages of SSL 2.0 that are not encrypted.
const SSLV2_CLIENT_HELLO: u8 = 1;
const SSLV2_SERVER_HELLO: u8 = 4;

impl Rules for Tls {
    const NAME: &'static str = "tls";
    const KEPT_MAX: usize = RECORD_MAX as usize + HEADER as usize;
    type Memo = Memo;

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        let state = self.sides[message.side.index()];
        let memo = message.memo;
        if message.parts == 0 {
            memo.is_header = true;
            return Ok(Next::Bytes(HEADER));
        }
        if memo.is_header {
            memo.is_header = false;
            if memo.records == 0
                && (!state.begun || state.is_sslv2)
                && let Some(length) = sslv2_length(message.side, message.last, state.is_sslv2)
            {
                return length.checked_sub(HEADER).map(Next::Last).ok_or(Fault("a record of SSL 2.0 is too short"));
            }
            let (content, length) = header(message.last)?;
            memo.records += 1;
            memo.record_length = length.into();
            let length = u64::from(length);
            return Ok(match content {
                HANDSHAKE if length == 0 => Next::End,
                HANDSHAKE if state.encryption != Encryption::On || memo.records > 1 => Next::Body(length),
                APPLICATION_DATA if memo.records == 1 => Next::SkipLast(length),
                _ => {
                    memo.is_interrupted = memo.records > 1;
                    Next::Last(length)
                }
            });
        }
        // The bytes of a record of the handshake.
        let is_whole = message.last.len() == memo.record_length;
        if !is_whole {
            memo.handshake.is_unknown = true;
            return Ok(Next::End);
        }
        memo.handshake.walk(message.last);
        if memo.handshake.is_whole() {
            return Ok(Next::End);
        }
        memo.is_header = true;
        Ok(Next::Bytes(HEADER))
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let waits = requests.oldest().is_some();
        let state = &mut self.sides[frame.side.index()];
        let is_first = !std::mem::replace(&mut state.begun, true);
        if frame.memo.records == 0 {
            return read_sslv2(state, frame, is_first);
        }
        let body = frame.head.get(HEADER as usize..).unwrap_or_default();
        let is_kept = frame.is_kept();
        let report = match frame.head[0] {
            CHANGE_CIPHER_SPEC => {
                state.encryption = Encryption::On;
                let report = Report::new("ChangeCipherSpec");
                if is_kept && body != [1] { report.malformed("ChangeCipherSpec is not the byte 1") } else { report }
            }
            ALERT => match *body {
                [1 | 2, code] => {
                    let report = alert(code);
                    if frame.side == Side::Server && waits { report.role(Role::Answer { last: true }) } else { report }
                }
                [_, _] => Report::new("alert").malformed("the level of the alert is neither 1 nor 2"),
                _ if state.encryption != Encryption::Off || !is_kept => Report::new("encrypted-alert"),
                // Several alerts in one record (RFC 5246, section 6.2.1).
                [1 | 2, code, ..] if body.len() % 2 == 0 => alert(code),
                _ => Report::new("alert").malformed("the alert is not two bytes long"),
            },
            HANDSHAKE => return Ok(read_handshake(state, frame)),
            HEARTBEAT => match *body {
                // RFC 6520, section 4: the length of the payload, and at least 16 bytes of padding.
                [kind @ 1..=2, high, low, ..] if state.encryption == Encryption::Off => {
                    let payload = usize::from(u16::from_be_bytes([high, low]));
                    let report = Report::new(if kind == 1 { "heartbeat" } else { "heartbeat-response" });
                    let length = frame.length - HEADER;
                    if payload as u64 + 3 > length {
                        report.malformed("the payload of the heartbeat is longer than its record")
                    } else {
                        report
                    }
                }
                _ => Report::new("heartbeat"),
            },
            _ => {
                if state.encryption == Encryption::Unknown {
                    state.encryption = Encryption::On;
                }
                Report::new("application_data")
            }
        };
        Ok(report)
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        // The header, and as much of the content as its type fixes.
        let [content, rest @ ..] = bytes else { return Sniff::More };
        let is_possible = (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(content)
            && rest.first().is_none_or(|major| *major == 3)
            && rest.get(1).is_none_or(|minor| *minor <= 4);
        if !is_possible {
            return Sniff::No;
        }
        let [_, _, high, low, body @ ..] = rest else { return Sniff::More };
        let length = u16::from_be_bytes([*high, *low]);
        let is_sure = match *content {
            CHANGE_CIPHER_SPEC => match body.first() {
                Some(byte) => *byte == 1 && length == 1,
                None if length == 1 => return Sniff::More,
                None => false,
            },
            ALERT => length == 2 || (16..=320).contains(&length),
            // Encrypted ones have at least 16 bytes.
            HANDSHAKE => (4..=RECORD_MAX).contains(&length),
            HEARTBEAT => (19..=RECORD_MAX).contains(&length),
            _ => (1..=RECORD_MAX).contains(&length),
        };
        if is_sure { Sniff::Yes } else { Sniff::No }
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        match head {
            [CHANGE_CIPHER_SPEC, 3, ..] => "ChangeCipherSpec",
            [ALERT, 3, ..] => "alert",
            [HANDSHAKE, 3, _, _, _, kind, ..] if self.sides[side.index()].encryption == Encryption::Off => {
                handshake_name(*kind).unwrap_or("handshake")
            }
            [HANDSHAKE, 3, ..] => "handshake",
            [APPLICATION_DATA, 3, ..] => "application_data",
            [HEARTBEAT, 3, ..] => "heartbeat",
            _ => "record",
        }
    }

    fn summarize(&self, frame: &Frame<'_, Memo>, report: &Report<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(report, f)?;
        let walk = &frame.memo.handshake;
        for kind in walk.types().iter().skip(1) {
            write!(f, ", {}", handshake_name(*kind).unwrap_or("handshake"))?;
        }
        if let Some(bytes) = hello_bytes(frame)
            && let Some(hello) = Hello::parse(&bytes)
        {
            write!(f, ", {}", version_name(hello.version))?;
            if let Some(protocol) = hello.alpn {
                write!(f, ", {}", String::from_utf8_lossy(protocol))?;
            }
        }
        if frame.memo.records > 1 {
            write!(f, ", {} records", frame.memo.records)?;
        }
        Ok(())
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Memo>,
        _: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let bytes = hello_bytes(frame)?;
        let hello = Hello::parse(&bytes)?;
        match name {
            "sni" => hello.name.map(|name| AttributeValue::text(name).into_owned()),
            "alpn" => hello.alpn.map(|protocol| AttributeValue::text(protocol).into_owned()),
            "version" => Some(AttributeValue::Text(version_name(hello.version))),
            "cipher" => hello.cipher.map(|suite| AttributeValue::Number(suite.into())),
            _ => None,
        }
    }

    fn lost(&mut self, side: Side) {
        let state = &mut self.sides[side.index()];
        state.begun = true;
        if state.encryption == Encryption::Off {
            state.encryption = Encryption::Unknown;
        }
    }
}

/// Returns the content type and the length of a record.
fn header(bytes: &[u8]) -> Result<(u8, u16), Fault> {
    let &[content, major, _, high, low] = bytes else { return Err(Fault::SHORT) };
    let length = u16::from_be_bytes([high, low]);
    match (content, major) {
        (..CHANGE_CIPHER_SPEC | HEARTBEAT.., _) if content != HEARTBEAT => {
            Err(Fault("the content type of the record is not known"))
        }
        (_, 3) if length > RECORD_MAX => Err(Fault("the record is longer than 2^14 + 2048 bytes")),
        (_, 3) => Ok((content, length)),
        _ => Err(Fault("the version of the record is not 3")),
    }
}

/// Reads a record of the handshake.
fn read_handshake<'a>(state: &mut State, frame: &Frame<'a, Memo>) -> Report<'a> {
    let walk = &frame.memo.handshake;
    let body = frame.head.get(HEADER as usize..).unwrap_or_default();
    if state.encryption == Encryption::On && !is_plain_hello(body) {
        return Report::new("encrypted-handshake");
    }
    if frame.memo.is_interrupted {
        return Report::new(handshake_name(walk.types[0]).unwrap_or("handshake"))
            .malformed("another record is inside a handshake message");
    }
    let first = walk.types().first().copied().or_else(|| body.first().copied());
    let Some(first) = first else {
        return Report::new("handshake").malformed("a record of the handshake is empty");
    };
    if walk.is_unknown && frame.lost == 0 && state.encryption == Encryption::Off {
        let report = Report::new(handshake_name(first).unwrap_or("handshake"));
        return report.malformed("the type or the length of a handshake message is not possible");
    }
    if walk.is_unknown && state.encryption == Encryption::Unknown {
        return Report::new("encrypted-handshake");
    }
    let report = Report::new(handshake_name(first).unwrap_or("handshake"));
    let report = match (first, frame.side) {
        (CLIENT_HELLO, Side::Client) => report.role(Role::Request),
        (SERVER_HELLO, Side::Server) => report.role(Role::Answer { last: true }),
        _ => report,
    };
    if first != CLIENT_HELLO && first != SERVER_HELLO {
        return report;
    }
    let bytes = handshake_bytes(frame.head, frame.memo.records);
    match Hello::parse(&bytes) {
        Some(hello) => match hello.name {
            Some(name) => report.subject(name.to_vec()),
            None => report,
        },
        None if frame.is_kept() => report.malformed("a field of the hello is longer than the hello"),
        None => report,
    }
}

/// Returns whether a record behind `ChangeCipherSpec` is a hello all the same: a client of TLS 1.3
/// sends it before its second `ClientHello` (RFC 8446, appendix D.4).
fn is_plain_hello(body: &[u8]) -> bool {
    match *body {
        [CLIENT_HELLO | SERVER_HELLO, 0, high, low, 3, 1..=3, ..] => {
            usize::from(u16::from_be_bytes([high, low])) + HANDSHAKE_HEADER == body.len()
        }
        _ => false,
    }
}

/// Returns the bytes of the handshake messages of a record that begins with a hello.
fn hello_bytes<'f>(frame: &Frame<'f, Memo>) -> Option<std::borrow::Cow<'f, [u8]>> {
    let is_hello = frame.memo.records > 0
        && frame.head.first() == Some(&HANDSHAKE)
        && matches!(frame.head.get(5), Some(&(CLIENT_HELLO | SERVER_HELLO)))
        && (frame.memo.handshake.count > 0 || is_plain_hello(&frame.head[HEADER as usize..]));
    is_hello.then(|| handshake_bytes(frame.head, frame.memo.records))
}

/// Returns an alert. `close_notify` and `user_canceled` are no errors (RFC 8446, section 6.1).
fn alert(code: u8) -> Report<'static> {
    let name = alert_name(code);
    let report = Report::new("alert");
    if matches!(code, 0 | 90) { report.code(name) } else { report.failed(name) }
}

/// Returns the length of a record in the form of SSL 2.0, with its header, if it has that form.
fn sslv2_length(side: Side, bytes: &[u8], is_sslv2: bool) -> Option<u64> {
    let &[high, low, kind, ..] = bytes else { return None };
    let length = u64::from(u16::from_be_bytes([high, low]) & 0x7fff);
    let first = if side == Side::Client { SSLV2_CLIENT_HELLO } else { SSLV2_SERVER_HELLO };
    match high & 0x80 != 0 {
        true if is_sslv2 || kind == first => Some(length + 2),
        // A header of three bytes: the length has 14 bits, and the third byte is that of the
        // padding.
        false if is_sslv2 => Some((length & 0x3fff) + 3),
        _ => None,
    }
}

/// Reads a record in the form of SSL 2.0.
fn read_sslv2<'a>(state: &mut State, frame: &Frame<'a, Memo>, is_first: bool) -> Result<Report<'a>, Fault> {
    if !is_first {
        return Ok(Report::new("record"));
    }
    let version = frame.head.get(3..5).ok_or(Fault::SHORT)?;
    match frame.side {
        Side::Client => {
            // A client that offers a later version continues with records of that.
            state.is_sslv2 = version[0] < 3;
            Ok(Report::new("ClientHello").role(Role::Request).flags("sslv2"))
        }
        Side::Server => {
            state.is_sslv2 = true;
            Ok(Report::new("ServerHello").role(Role::Answer { last: true }).flags("sslv2"))
        }
    }
}

impl Walk {
    /// Passes the bytes of a record.
    fn walk(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_unknown {
            if self.rest > 0 {
                let taken = bytes.len().min(self.rest as usize);
                self.rest -= taken as u32;
                bytes = &bytes[taken..];
                continue;
            }
            let taken = bytes.len().min(HANDSHAKE_HEADER - self.header_length);
            self.header[self.header_length..self.header_length + taken].copy_from_slice(&bytes[..taken]);
            self.header_length += taken;
            bytes = &bytes[taken..];
            if self.header_length < HANDSHAKE_HEADER {
                self.is_unknown |= handshake_name(self.header[0]).is_none();
                return;
            }
            let [kind, length @ ..] = self.header;
            self.rest = u32::from_be_bytes([0, length[0], length[1], length[2]]);
            self.header_length = 0;
            if handshake_name(kind).is_none() || (self.rest > HANDSHAKE_MAX && kind != CERTIFICATE) {
                self.is_unknown = true;
                return;
            }
            if let Some(place) = self.types.get_mut(self.count) {
                *place = kind;
                self.count += 1;
            }
        }
    }

    fn types(&self) -> &[u8] {
        &self.types[..self.count]
    }

    /// Returns whether no other record belongs to the messages.
    fn is_whole(&self) -> bool {
        self.is_unknown || (self.rest == 0 && self.header_length == 0)
    }
}

/// Returns whether the first bytes of a connection are TLS: a handshake message, or another record
/// whose header and first bytes agree, for captures that joined in the middle.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    let [content, rest @ ..] = first else { return Sniff::More };
    match (*content, rest) {
        (0x80.., _) => sniff_sslv2(side, first),
        (CHANGE_CIPHER_SPEC..=APPLICATION_DATA, [] | [3] | [3, 0..=4]) => Sniff::More,
        (CHANGE_CIPHER_SPEC..=APPLICATION_DATA, [3, 0..=4, high, ..]) if u16::from(*high) > RECORD_MAX >> 8 => {
            Sniff::No
        }
        (CHANGE_CIPHER_SPEC..=APPLICATION_DATA, [3, 0..=4, _]) => Sniff::More,
        (CHANGE_CIPHER_SPEC, [3, 0..=4, 0, 1, body @ ..]) => agree(body.first(), |byte| byte == 1),
        (ALERT, [3, 0..=4, 0, 2, body @ ..]) => match body {
            [] | [1 | 2] => Sniff::More,
            [1 | 2, ..] => Sniff::Yes,
            _ => Sniff::No,
        },
        (HANDSHAKE, [3, 0..=4, 0, 0, ..]) => Sniff::No,
        (HANDSHAKE, [3, 0..=4, _, _, body @ ..]) => {
            agree(body.first(), |kind| handshake_name(kind).is_some() && kind != 0)
        }
        // The shortest encrypted record has a tag of 16 bytes and a byte of type.
        (APPLICATION_DATA, [3, 0..=4, high, low, ..]) if u16::from_be_bytes([*high, *low]) >= 17 => Sniff::Yes,
        _ => Sniff::No,
    }
}

/// Returns whether a byte has a property, if it is there.
fn agree(byte: Option<&u8>, has: impl Fn(u8) -> bool) -> Sniff {
    match byte {
        None => Sniff::More,
        Some(byte) if has(*byte) => Sniff::Yes,
        Some(_) => Sniff::No,
    }
}

/// Returns whether these bytes are a `CLIENT-HELLO` in the form of SSL 2.0: its type, its version,
/// and three lengths of which the first is a multiple of 3 (RFC 5246, appendix E.2).
fn sniff_sslv2(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Server {
        return Sniff::No;
    }
    match first {
        [_] | [_, _] | [_, _, 1] | [_, _, 1, 0 | 3] => Sniff::More,
        [_, _, 1, 0, 2] | [_, _, 1, 3, 0..=3] => Sniff::More,
        [_, _, 1, 0, 2, rest @ ..] | [_, _, 1, 3, 0..=3, rest @ ..] => {
            let Some((lengths, _)) = rest.split_first_chunk::<6>() else { return Sniff::More };
            let number = |at: usize| u32::from(u16::from_be_bytes([lengths[at], lengths[at + 1]]));
            let (suites, session, challenge) = (number(0), number(2), number(4));
            let length = u32::from(u16::from_be_bytes([first[0], first[1]]) & 0x7fff);
            let is_sure = suites > 0 && suites % 3 == 0 && 9 + suites + session + challenge == length;
            if is_sure { Sniff::Yes } else { Sniff::No }
        }
        _ => Sniff::No,
    }
}

#[cfg(test)]
mod tests;
