//! PostgreSQL, version 3 of the protocol (PostgreSQL manual, chapter "Frontend/Backend Protocol").
//!
//! A message is a byte of type, a length that counts itself, and a body. The first messages of a
//! client have no type. A server answers `SSLRequest` and `GSSENCRequest` with a single byte.
//!
//! Requests are answered in order. Behind an error in the extended query protocol the server drops
//! all requests up to the next `Sync`, so `ReadyForQuery` answers that one, and those between stay
//! without an answer.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::sql::{begins_statement, statement};
use crate::text::starts_with_any;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Postgres::default)
        .alias("postgresql")
        .alias("pgsql")
        .on_ports(&[5432])
        .about("PostgreSQL: protocol version 3, with COPY and the extended query protocol")
        .with_kinds("the type of message, such as `Query` or `DataRow`; `SSLRequest`, `encryption`")
        .with_attributes(&[Attribute::new(
            "query",
            AttributeType::Text,
            "the beginning of the statement of a Query or Parse",
        )])
        .sniffed_by(sniff)
}

/// The rules of PostgreSQL. The state begins with whether the server drops requests behind an
/// error.
#[derive(Debug, Default)]
struct Postgres {
    skipping: bool,
    /// Whether the client has begun a SASL authentication.
    sasl: bool,
}

/// The types of a client's messages (section "Message Formats").
const CLIENT: &[(u8, &str)] = &[
    (b'Q', "Query"),
    (b'P', "Parse"),
    (b'B', "Bind"),
    (b'D', "Describe"),
    (b'E', "Execute"),
    (b'C', "Close"),
    (b'S', "Sync"),
    (b'H', "Flush"),
    (b'F', "FunctionCall"),
    (b'X', "Terminate"),
    (b'd', "CopyData"),
    (b'c', "CopyDone"),
    (b'f', "CopyFail"),
    (b'p', "PasswordMessage"),
];

/// The types of a server's messages.
const SERVER: &[(u8, &str)] = &[
    (b'D', "DataRow"),
    (b'C', "CommandComplete"),
    (b'Z', "ReadyForQuery"),
    (b'T', "RowDescription"),
    (b'1', "ParseComplete"),
    (b'2', "BindComplete"),
    (b'3', "CloseComplete"),
    (b'd', "CopyData"),
    (b'c', "CopyDone"),
    (b'E', "ErrorResponse"),
    (b'N', "NoticeResponse"),
    (b'A', "NotificationResponse"),
    (b'S', "ParameterStatus"),
    (b'K', "BackendKeyData"),
    (b'R', "Authentication"),
    (b'n', "NoData"),
    (b't', "ParameterDescription"),
    (b's', "PortalSuspended"),
    (b'I', "EmptyQueryResponse"),
    (b'G', "CopyInResponse"),
    (b'H', "CopyOutResponse"),
    (b'W', "CopyBothResponse"),
    (b'V', "FunctionCallResponse"),
    (b'v', "NegotiateProtocolVersion"),
];

/// The longest message: a server allocates no more (`MaxAllocSize`).
const LENGTH_MAX: u32 = 0x3fff_ffff;

/// The longest message without a type (`MAX_STARTUP_PACKET_LENGTH`).
const STARTUP_MAX: u32 = 10_000;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// The mechanisms of SASL that servers offer.
const MECHANISMS: [&[u8]; 3] = [b"SCRAM-SHA-256", b"SCRAM-SHA-256-PLUS", b"OAUTHBEARER"];

/// The details of requests.
const STARTUP: u64 = 1;
const ENCRYPTION: u64 = 2;
const PARSE: u64 = 3;
const BIND: u64 = 4;
const CLOSE: u64 = 5;
const DESCRIBE: u64 = 6;
const EXECUTE: u64 = 7;
const QUERY: u64 = 8;
const SYNC: u64 = 9;

impl Rules for Postgres {
    const NAME: &'static str = "postgres";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let encrypts = message.side == Side::Server && message.requests.oldest() == Some(ENCRYPTION);
        match *message.head {
            [] if encrypts => Ok(Next::Bytes(1)),
            [] => Ok(Next::Bytes(5)),
            [b'S' | b'N' | b'G'] => Ok(Next::End),
            // Servers before version 7.4 do not know the request.
            [b'E'] => Ok(Next::Bytes(4)),
            [_] => Err(Fault("the answer to an encryption request is neither S, G nor N")),
            [0, a, b, c, _] if message.side == Side::Client => match u32::from_be_bytes([0, a, b, c]) {
                length @ 8..=STARTUP_MAX => Ok(Next::Last(u64::from(length) - 5)),
                _ => Err(Fault("the length of a startup message is impossible")),
            },
            [kind, a, b, c, d, ..] => {
                if name(message.side, kind).is_none() {
                    return Err(Fault("the type of message is unknown"));
                }
                match u32::from_be_bytes([a, b, c, d]) {
                    length @ 4..=LENGTH_MAX => Ok(Next::Last(u64::from(length) - 4)),
                    _ => Err(Fault("the length of a message is impossible")),
                }
            }
            _ => Err(Fault::SHORT),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        match frame.side {
            Side::Client if frame.head[0] == 0 => startup(frame.head),
            Side::Client => self.request(frame.head),
            Side::Server => self.answer(frame.head, requests.oldest()),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let [kind, length @ ..] = bytes else { return Sniff::More };
        if side == Side::Client && *kind == 0 {
            return begins_startup(bytes);
        }
        if name(side, *kind).is_none() {
            return Sniff::No;
        }
        // Longer ones exist, but are not sure.
        match *length {
            [] | [0] => return Sniff::More,
            [0, 0] | [0, 0, _] => return Sniff::More,
            [0, 0, ..] => {}
            _ => return Sniff::No,
        }
        let (length, body) = length.split_at(4);
        let length = usize::from(length[2]) << 8 | usize::from(length[3]);
        if length < 4 {
            return Sniff::No;
        }
        let length = length - 4;
        let (body, whole) = (&body[..body.len().min(length)], body.len() >= length);
        match begins_body(side, *kind, body, length) {
            Some(true) => Sniff::Yes,
            Some(false) => Sniff::No,
            None if whole => Sniff::No,
            None => Sniff::More,
        }
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        match (side, head) {
            (Side::Client, [0, ..]) => "StartupMessage",
            (_, [kind, ..]) => name(side, *kind).unwrap_or("message"),
            _ => "message",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_query = matches!(report.kind, "Query" | "Parse");
        (name == "query" && has_query).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, _: Side) {
        self.skipping = false;
    }
}

impl Postgres {
    /// Reads a message of a client.
    fn request<'a>(&mut self, head: &'a [u8]) -> Result<Report<'a>, Fault> {
        let kind = head[0];
        let mut fields = Cursor::new(&head[5..]);
        let report = Report::new(name(Side::Client, kind).unwrap_or("message"));
        let asks = |detail| report.clone().role(Role::Request).detail(detail);
        Ok(match kind {
            b'Q' => asks(QUERY).subject(statement(fields.until(0).unwrap_or_else(|_| fields.rest()))),
            b'P' => {
                fields.until(0)?;
                asks(PARSE).subject(statement(fields.until(0).unwrap_or_else(|_| fields.rest())))
            }
            b'B' => {
                let _portal = fields.until(0)?;
                asks(BIND).subject(fields.until(0)?)
            }
            b'D' | b'C' => {
                if !matches!(fields.u8()?, b'S' | b'P') {
                    return Err(Fault("neither a statement nor a portal is named"));
                }
                asks(if kind == b'D' { DESCRIBE } else { CLOSE }).subject(fields.until(0)?)
            }
            b'E' => asks(EXECUTE).subject(fields.until(0)?),
            b'S' => asks(SYNC),
            b'F' => asks(QUERY),
            // One type has three forms. The first message of SASL begins with the name of a
            // mechanism.
            b'p' if self.sasl => Report::new("SASLResponse"),
            b'p' => match fields.until(0) {
                Ok(mechanism) if MECHANISMS.contains(&mechanism) => {
                    self.sasl = true;
                    Report::new("SASLInitialResponse").subject(mechanism)
                }
                _ => report,
            },
            _ => report,
        })
    }

    fn answer<'a>(&mut self, head: &'a [u8], oldest: Option<u64>) -> Result<Report<'a>, Fault> {
        if let [answer] = head {
            let report = Report::new("encryption").role(Role::Answer { last: true });
            return Ok(match answer {
                b'S' => report.subject(b"S").then(Then::Switch("tls")),
                b'G' => report.subject(b"G").then(Then::BothOpaque),
                _ => report.subject(b"N"),
            });
        }
        let kind = head[0];
        let mut fields = Cursor::new(&head[5..]);
        let report = Report::new(name(Side::Server, kind).unwrap_or("message"));
        let role = self.role(kind, oldest);
        let report = report.role(role);
        Ok(match kind {
            b'C' => report.subject(fields.until(0)?),
            b'S' => {
                let name = fields.until(0)?;
                let value = fields.until(0)?;
                report.subject([name, b"=", value].concat())
            }
            b'R' => match fields.u32()? {
                0 => report.subject(b"ok"),
                2 => report.subject(b"Kerberos"),
                3 => report.subject(b"cleartext password"),
                5 => report.subject(b"MD5 password"),
                7 => report.subject(b"GSSAPI"),
                8 => report.subject(b"GSSAPI continues"),
                9 => report.subject(b"SSPI"),
                10 => report.subject(b"SASL"),
                11 => report.subject(b"SASL continues"),
                12 => report.subject(b"SASL final"),
                _ => report,
            },
            b'A' => {
                fields.u32()?;
                report.subject(fields.until(0)?)
            }
            b'E' | b'N' => {
                let (mut code, mut text) = (None, &[][..]);
                // Fields of a byte of type and a string, up to a zero (section "Error and Notice
                // Message Fields").
                while let Ok(field @ 1..) = fields.u8() {
                    let Ok(value) = fields.until(0) else { break };
                    match field {
                        b'C' => code = Some(String::from_utf8_lossy(value)),
                        b'M' => text = value,
                        _ => {}
                    }
                }
                let code = code.unwrap_or(Cow::Borrowed("unknown"));
                let report = report.subject(text);
                if kind == b'E' { report.failed(code) } else { report.code(code) }
            }
            b'Z' => {
                self.skipping = false;
                fields.u8()?;
                report
            }
            _ => report,
        })
    }

    /// Returns the request that a message answers.
    fn role(&mut self, kind: u8, oldest: Option<u64>) -> Role {
        let answer = |last| Role::Answer { last };
        let to = |fits: bool| if fits { answer(true) } else { Role::OneWay };
        // A server that drops requests answers nothing.
        self.skipping &= matches!(kind, b'N' | b'A' | b'S' | b'Z');
        match kind {
            b'N' | b'A' | b'S' => Role::OneWay,
            b'Z' if self.skipping => Role::AnswerTo { detail: SYNC, last: true },
            b'Z' => to(matches!(oldest, Some(STARTUP | QUERY | SYNC)) || oldest.is_none()),
            b'1' => to(oldest == Some(PARSE)),
            b'2' => to(oldest == Some(BIND)),
            b'3' => to(oldest == Some(CLOSE)),
            b'T' | b'n' if oldest == Some(DESCRIBE) => answer(true),
            b's' | b'C' | b'I' if oldest == Some(EXECUTE) => answer(true),
            // A server that ends the session reports it without a request.
            b'E' if oldest.is_none() => Role::OneWay,
            b'E' => {
                let extended = !matches!(oldest, Some(STARTUP | QUERY | ENCRYPTION));
                self.skipping |= extended && oldest != Some(SYNC);
                answer(extended && oldest != Some(SYNC) || oldest == Some(ENCRYPTION))
            }
            _ if oldest.is_none() => Role::OneWay,
            _ => answer(false),
        }
    }
}

/// Returns the name of a type.
fn name(side: Side, kind: u8) -> Option<&'static str> {
    let names = if side == Side::Client { CLIENT } else { SERVER };
    names.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

/// Reads a message without a type.
fn startup(head: &[u8]) -> Result<Report<'_>, Fault> {
    let mut fields = Cursor::new(&head[4..]);
    let encryption = |kind| Report::new(kind).role(Role::Request).detail(ENCRYPTION).then(Then::Await);
    Ok(match fields.u32()? {
        SSL_REQUEST => encryption("SSLRequest"),
        GSSENC_REQUEST => encryption("GSSENCRequest"),
        CANCEL_REQUEST => Report::new("CancelRequest"),
        version if version >> 16 == 3 => {
            let (mut user, mut database) = (&[][..], &[][..]);
            while let Ok(name @ [_, ..]) = fields.until(0) {
                let Ok(value) = fields.until(0) else { break };
                match name {
                    b"user" => user = value,
                    b"database" => database = value,
                    _ => {}
                }
            }
            let report = Report::new("StartupMessage").role(Role::Request).detail(STARTUP);
            if database.is_empty() { report.subject(user) } else { report.subject([user, b"@", database].concat()) }
        }
        // The messages of version 2 have no length.
        version if version >> 16 == 2 => Report::new("StartupMessage").then(Then::BothOpaque),
        _ => return Err(Fault("the version of the protocol is not 3")),
    })
}

/// Returns whether these bytes begin a message without a type.
fn begins_startup(bytes: &[u8]) -> Sniff {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else {
        let possible = bytes.get(1).is_none_or(|byte| *byte == 0);
        return if possible { Sniff::More } else { Sniff::No };
    };
    let [length, code] = [&head[..4], &head[4..]].map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap_or_default()));
    match (length, code, rest) {
        (8, SSL_REQUEST | GSSENC_REQUEST, _) | (16.., CANCEL_REQUEST, _) if length <= 300 => Sniff::Yes,
        (9..=STARTUP_MAX, 0x3_0000..=0x3_0009, []) => Sniff::More,
        // The name of a parameter. A request of Kafka has zeros here.
        (9..=STARTUP_MAX, 0x3_0000..=0x3_0009, [first, ..]) if first.is_ascii_alphabetic() => Sniff::Yes,
        _ => Sniff::No,
    }
}

/// Returns whether a message of this type and length of body has such a body. `None` if more bytes
/// are needed.
fn begins_body(side: Side, kind: u8, body: &[u8], length: usize) -> Option<bool> {
    let is_text = |text: &[u8]| text.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
    // A string, and whether it may end at the last byte of the message.
    let string = |text: &[u8], ends: bool| match text.iter().position(|byte| *byte == 0) {
        Some(at) => Some(is_text(&text[..at]) && (!ends || at + 1 == text.len() && body.len() == length)),
        None if !is_text(text) => Some(false),
        None => None,
    };
    match (side, kind) {
        (Side::Client, b'S' | b'H' | b'X' | b'c') | (Side::Server, b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c') => {
            Some(length == 0)
        }
        (Side::Client, b'Q') if body.is_empty() && length > 0 => None,
        (Side::Client, b'Q') => match begins_statement(body.trim_ascii_start()) {
            Some(false) => string(body, true),
            verb => verb,
        },
        (Side::Client, b'P') => {
            let name = string(body, false)?;
            let at = body.iter().position(|byte| *byte == 0)? + 1;
            Some(name && begins_statement(body[at..].trim_ascii_start())?)
        }
        (Side::Client, b'D' | b'C') => match body {
            [] => None,
            [b'S' | b'P', name @ ..] => string(name, true),
            _ => Some(false),
        },
        (Side::Client, b'B') => {
            let portal = string(body, false)?;
            let at = body.iter().position(|byte| *byte == 0)? + 1;
            let statement = string(&body[at..], false)?;
            let at = at + body[at..].iter().position(|byte| *byte == 0)? + 1;
            let [high, low, ..] = body[at..] else { return None };
            let formats = usize::from(high) << 8 | usize::from(low);
            // Then the values and the formats of the result are counted, too.
            Some(portal && statement && at + 2 + formats * 2 + 4 <= length)
        }
        (Side::Client, b'E') => {
            let at = body.iter().position(|byte| *byte == 0);
            at.map(|at| is_text(&body[..at]) && at + 5 == length).or_else(|| (!is_text(body)).then_some(false))
        }
        (Side::Server, b'Z') if length == 1 => body.first().map(|status| matches!(status, b'I' | b'T' | b'E')),
        (Side::Server, b'C') if length < 64 => match body {
            [] => None,
            [first, ..] if !first.is_ascii_uppercase() => Some(false),
            _ => string(body, true),
        },
        (Side::Server, b'R') => {
            let code = u32::from_be_bytes(*body.first_chunk()?);
            Some(code <= 12 && (length == 4 || length == 8 && code == 5 || length < 2048 && matches!(code, 7..=12)))
        }
        (Side::Server, b'E' | b'N') => match body {
            [] | [b'S'] => None,
            [b'S', first, ..] => Some(first.is_ascii_uppercase()),
            _ => Some(false),
        },
        (Side::Server, b'S') => {
            let at = body.iter().position(|byte| *byte == 0)?;
            let name = &body[..at];
            Some(at > 3 && name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_') && length < 256)
        }
        (Side::Server, b'K') if length == 8 => Some(true),
        // The start of a copy: a format, and that of each column.
        (Side::Server, b'G' | b'H' | b'W') => {
            let [format, high, low, ..] = *body else { return None };
            let columns = usize::from(high) << 8 | usize::from(low);
            Some(format <= 1 && columns <= 1664 && 3 + columns * 2 == length)
        }
        (Side::Server, b't') => {
            let [high, low, ..] = *body else { return None };
            Some(2 + (usize::from(high) << 8 | usize::from(low)) * 4 == length)
        }
        // A process, and two strings.
        (Side::Server, b'A') => {
            let name = body.get(4..)?;
            match name.first()? {
                first if first.is_ascii_alphabetic() || *first == b'_' => string(name, false),
                _ => Some(false),
            }
        }
        (Side::Server, b'T') => {
            let [high, low, rest @ ..] = body else { return None };
            let count = usize::from(*high) << 8 | usize::from(*low);
            if count == 0 || count > 1664 || length < 2 + count * 19 {
                return Some(false);
            }
            let at = rest.iter().position(|byte| *byte == 0);
            at.map(|at| at > 0 && is_text(&rest[..at])).or_else(|| (!is_text(rest)).then_some(false))
        }
        (Side::Server, b'D') => {
            let [high, low, a, b, c, d, ..] = *body else { return None };
            let count = usize::from(high) << 8 | usize::from(low);
            let first = i32::from_be_bytes([a, b, c, d]);
            let fits = usize::try_from(first).map_or(first == -1, |first| first + count * 4 + 2 <= length);
            Some((1..=1664).contains(&count) && fits && count * 4 + 2 <= length)
        }
        _ => Some(false),
    }
}

/// Returns whether the first bytes of a connection are PostgreSQL, or those of a message that most
/// sessions contain.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    let telling: &[u8] = if side == Side::Client { b"\0QP" } else { b"RZT1" };
    match first {
        [] => Sniff::More,
        // The server refuses the client, whatever that has sent.
        [b'E', length @ ..] if side == Side::Server => match *length {
            [0, 0, _, _, ref fields @ ..] => starts_with_any(fields, &[b"SFATAL\0", b"SERROR\0", b"SPANIC\0"]),
            [] | [0] | [0, 0] | [0, 0, _] => Sniff::More,
            _ => Sniff::No,
        },
        [kind, ..] if telling.contains(kind) => Postgres::default().begins(side, first),
        _ => Sniff::No,
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use crate::kit::Conversation;

    /// Returns the messages of chunks.
    fn messages(chunks: &[(Side, &[u8])]) -> Vec<String> {
        let mut session = Conversation::new(super::Postgres::default());
        let mut lines = Vec::new();
        for (side, chunk) in chunks {
            session.feed(*side, chunk, &mut |message| lines.push(message.to_owned().to_string()));
        }
        lines
    }

    #[test]
    fn an_encryption_request_is_answered_with_a_byte_and_tls_follows() {
        let lines = messages(&[
            (Side::Client, b"\0\0\0"),
            (Side::Client, b"\x08\x04\xd2\x16\x2f"),
            (Side::Server, b"N"),
            (Side::Client, b"\0\0\0\x10\0\x03\0\0us"),
            (Side::Client, b"er\0a\0\0"),
            (Side::Server, b"R\0\0\0\x08\0\0\0\0S\0\0\0\x08a\0b\0Z\0\0\0\x05I"),
        ]);
        let expected = [
            "client SSLRequest at 0+8 ok: SSLRequest",
            "server encryption at 0+1 ok answers #0: encryption N",
            "client StartupMessage at 8+16 ok: StartupMessage a",
            "server Authentication at 1+9 ok answers #1: Authentication ok",
            "server ParameterStatus at 10+9 ok: ParameterStatus a=b",
            "server ReadyForQuery at 19+6 ok answers #1: ReadyForQuery",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn requests_behind_an_error_are_dropped_up_to_the_next_sync() {
        let lines = messages(&[
            (Side::Client, b"P\0\0\0\x10\0SELECT 1\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"),
            (Side::Client, b"Q\0\0\0\x0dSELECT 2\0"),
            (Side::Server, b"E\0\0\0\x0cC42601\0\0"),
            (Side::Server, b"Z\0\0\0\x05IC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"),
        ]);
        let answers: Vec<_> = lines.iter().filter(|line| line.starts_with("server")).collect();
        assert!(answers[0].contains("answers #0") && answers[0].contains("42601"), "{answers:?}");
        assert!(answers[1].contains("answers #3"), "{answers:?}");
        assert!(answers[2].contains("answers #4") && answers[3].contains("answers #4"), "{answers:?}");
    }

    #[test]
    fn many_pipelined_statements_are_paired() {
        let count = 1 << 16;
        let mut session = Conversation::new(super::Postgres::default());
        let mut answers = 0;
        let requests = b"P\0\0\0\x08\0\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0".repeat(count / 16);
        session.feed(Side::Client, &requests, &mut |_| {});
        let replies = b"1\0\0\0\x042\0\0\0\x04C\0\0\0\x06a\0".repeat(count / 16);
        session.feed(Side::Server, &replies, &mut |message| {
            assert_eq!(message.answers, Some(answers));
            answers += 1;
        });
        assert_eq!(answers, 3 * count as u64 / 16);
        let queries = b"Q\0\0\0\x06;\0".repeat(count);
        session.feed(Side::Client, &queries, &mut |_| {});
        session.feed(Side::Server, &b"Z\0\0\0\x05I".repeat(count), &mut |message| {
            assert_eq!(message.answers, Some(answers));
            answers += 1;
        });
    }

    #[test]
    fn impossible_lengths_are_malformed_and_huge_ones_are_counted() {
        let lines = messages(&[(Side::Client, b"Q\xff\xff\xff\xff"), (Side::Client, b"Q\0\0\0\x0dSELECT 1\0")]);
        assert!(lines[0].contains("malformed") && lines[1].contains("SELECT 1"), "{lines:?}");
        let mut session = Conversation::new(super::Postgres::default());
        session.feed(Side::Client, b"d\x3f\xff\xff\xff", &mut |_| {});
        session.feed(Side::Client, &[0; 1 << 16], &mut |_| {});
        assert!(session.held() < 5000);
    }
}
