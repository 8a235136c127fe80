//! Memcached (doc/protocol.txt): text commands, meta commands and the binary protocol.
//!
//! A text message is a line, and for some commands a value behind it, whose length the line has. A
//! binary message is a header of 24 bytes and the rest. The first byte tells which one it is. Each
//! `VALUE` and each `STAT` of a reply is an answer of its own; `END` is the last one.
//!
//! Answers come in the order of commands. Meta commands with an opaque token and binary messages
//! are paired by their opaque. Quiet commands are answered only sometimes, so they and their
//! answers are not paired.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{id_of, number, starts_with_any, trim_line, words};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Memcached::default)
        .alias("memcache")
        .on_ports(&[11211])
        .about("memcached: text, meta and binary commands")
        .with_kinds("the command or operation; the first word of a reply, `number`")
        .with_attributes(&[Attribute::new("key", AttributeType::Text, "the first key of a command or a value")])
        .sniffed_by(sniff)
}

/// The rules of memcached.
#[derive(Debug, Default)]
struct Memcached {
    /// Whether the client sent quiet meta commands since its last one that is answered.
    quiet: bool,
}

/// The text commands that exist, and their kinds.
const COMMANDS: &[&str] = &[
    "set",
    "add",
    "replace",
    "append",
    "prepend",
    "cas",
    "get",
    "gets",
    "gat",
    "gats",
    "delete",
    "incr",
    "decr",
    "touch",
    "mg",
    "ms",
    "md",
    "ma",
    "mn",
    "me",
    "stats",
    "version",
    "verbosity",
    "flush_all",
    "quit",
    "watch",
    "cache_memlimit",
    "slabs",
    "lru",
    "lru_crawler",
    "shutdown",
    "refresh_certs",
    "extstore",
    "misbehave",
    "mop",
];

/// The commands with a value.
const STORES: [&str; 6] = ["set", "add", "replace", "append", "prepend", "cas"];

/// The meta commands that may be quiet.
const METAS: [&str; 5] = ["mg", "ms", "md", "ma", "me"];

/// The words with which a text reply begins, and their kinds.
const REPLIES: &[&str] = &[
    "STORED",
    "NOT_STORED",
    "EXISTS",
    "NOT_FOUND",
    "VALUE",
    "END",
    "DELETED",
    "TOUCHED",
    "OK",
    "VERSION",
    "STAT",
    "ITEM",
    "ERROR",
    "CLIENT_ERROR",
    "SERVER_ERROR",
    "HD",
    "VA",
    "EN",
    "NF",
    "NS",
    "EX",
    "MN",
    "ME",
    "RESET",
    "BUSY",
    "BADCLASS",
    "NOSPARE",
    "NOTFULL",
    "UNSAFE",
    "SAME",
];

/// The names of the binary operations, by their code.
const OPERATIONS: [&str; 0x25] = [
    "get",
    "set",
    "add",
    "replace",
    "delete",
    "increment",
    "decrement",
    "quit",
    "flush",
    "getq",
    "noop",
    "version",
    "getk",
    "getkq",
    "append",
    "prepend",
    "stat",
    "setq",
    "addq",
    "replaceq",
    "deleteq",
    "incrementq",
    "decrementq",
    "quitq",
    "flushq",
    "appendq",
    "prependq",
    "verbosity",
    "touch",
    "gat",
    "gatq",
    "sasl-list",
    "sasl-auth",
    "sasl-step",
    "",
    "gatk",
    "gatkq",
];

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;
const STAT: u8 = 0x10;
/// The header, in bytes.
const HEADER: u64 = 24;

/// The details of requests that are answered by order.
const META: u64 = 1;
const META_END: u64 = 2;

/// The part of a message that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    First,
    Value,
    End,
}

impl Rules for Memcached {
    const NAME: &'static str = "memcached";
    const SEEK: Seek = Seek::Lines;
    /// A `get` may have very many keys.
    const LINE_MAX: u64 = 1 << 20;
    type Memo = Stage;

    fn next(&self, message: Progress<'_, Stage>) -> Result<Next, Fault> {
        match (message.parts, message.head) {
            (0, _) => return Ok(Next::Bytes(1)),
            (1, [REQUEST | RESPONSE]) => return Ok(Next::Bytes(HEADER - 1)),
            (2, [REQUEST | RESPONSE, ..]) => {
                return Ok(Next::Last(Header::parse(message.head)?.check()?.body.into()));
            }
            (1, [b'\n']) => return Ok(Next::End),
            (1, _) => return Ok(Next::Line),
            _ => {}
        }
        match *message.memo {
            Stage::First => match value_length(message.side, message.head) {
                None => Ok(Next::End),
                Some(0) => {
                    *message.memo = Stage::End;
                    Ok(Next::Bytes(2))
                }
                Some(length) => {
                    *message.memo = Stage::Value;
                    Ok(Next::Skip(length))
                }
            },
            Stage::Value => {
                *message.memo = Stage::End;
                Ok(Next::Bytes(2))
            }
            Stage::End if message.last == b"\r\n" => Ok(Next::End),
            Stage::End => Err(Fault("a value does not end where its length says")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Stage>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        if let [REQUEST | RESPONSE, ..] = frame.head {
            return binary(frame.side, frame.head);
        }
        let line = first_line(frame.head);
        if line.is_empty() {
            return Ok(Report::new("blank"));
        }
        match frame.side {
            Side::Client => Ok(self.command(line)),
            Side::Server => reply(line, requests),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        match (side, bytes) {
            (_, []) => Sniff::More,
            (Side::Client, [REQUEST, ..]) | (Side::Server, [RESPONSE, ..]) => begins_binary(bytes),
            (Side::Client, _) => begins_word(COMMANDS, bytes),
            (Side::Server, _) => begins_word(REPLIES, bytes),
        }
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        match (side, head) {
            (_, [REQUEST | RESPONSE, operation, ..]) => operation_name(*operation),
            (_, [REQUEST | RESPONSE]) => "packet",
            (Side::Client, _) => known(COMMANDS, words(first_line(head)).next()).unwrap_or("command"),
            (Side::Server, _) => known(REPLIES, words(first_line(head)).next()).unwrap_or("reply"),
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, Stage>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_key = !matches!(report.kind, "STAT" | "stats" | "VERSION" | "CLIENT_ERROR" | "SERVER_ERROR");
        (name == "key" && has_key && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, _: Side) {
        self.quiet = false;
    }
}

impl Memcached {
    fn command<'a>(&mut self, line: &'a [u8]) -> Report<'a> {
        let mut parts = words(line);
        let Some(kind) = known(COMMANDS, parts.next()) else {
            self.quiet = false;
            return Report::new("command").role(Role::Request).subject(words(line).next().unwrap_or_default());
        };
        let mut subject = parts.next().unwrap_or_default();
        if matches!(kind, "gat" | "gats") {
            // The time goes first.
            subject = parts.next().unwrap_or_default();
        }
        let report = Report::new(kind).subject(subject);
        if METAS.contains(&kind) {
            let flags = || words(line).skip(if kind == "ms" { 3 } else { 2 });
            if flags().any(|flag| flag == b"q") {
                self.quiet |= opaque(flags()).is_none();
                return report;
            }
            return match opaque(flags()) {
                Some(id) => report.role(Role::RequestWithId(id)),
                // Behind a quiet command nobody knows whose answer comes.
                None if self.quiet => report,
                None => report.role(Role::Request).detail(META),
            };
        }
        if kind == "quit" || words(line).last() == Some(b"noreply") {
            return report;
        }
        self.quiet = false;
        report.role(Role::Request).detail(if kind == "mn" { META_END } else { 0 })
    }
}

fn reply<'a>(line: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
    let mut parts = words(line);
    let word = parts.next().unwrap_or_default();
    let subject = parts.next().unwrap_or_default();
    let last = Role::Answer { last: true };
    let more = Role::Answer { last: false };
    let Some(kind) = known(REPLIES, Some(word)) else {
        return match word {
            // The answer to `incr`.
            _ if number(word).is_some() => Ok(Report::new("number").role(last).subject(word)),
            // The lines of `lru_crawler metadump`, and those of `watch`.
            [b'k', b'e', b'y', b'=', ..] => Ok(Report::new("metadump").role(more)),
            [b't', b's', b'=', ..] => Ok(Report::new("log")),
            _ => Err(Fault("a reply begins with no known word")),
        };
    };
    let report = Report::new(kind);
    Ok(match kind {
        "VALUE" | "STAT" | "ITEM" => report.role(more).subject(subject),
        "HD" | "VA" | "EN" | "NF" | "NS" | "EX" | "ME" => {
            let flags = words(line).skip(if kind == "VA" { 2 } else { 1 });
            match opaque(flags) {
                Some(id) => report.role(Role::AnswerWithId { id, last: true }),
                None if requests.oldest() == Some(META) => report.role(last),
                None => report,
            }
        }
        "ERROR" => report.role(last).failed("ERROR"),
        "CLIENT_ERROR" | "SERVER_ERROR" => {
            let text = line.get(kind.len()..).unwrap_or_default();
            report.role(last).failed(kind).subject(text.trim_ascii())
        }
        "VERSION" => report.role(last).subject(subject),
        _ => report.role(last),
    })
}

/// Returns the length of the value behind the first line.
fn value_length(side: Side, head: &[u8]) -> Option<u64> {
    let mut parts = words(first_line(head));
    let word = parts.next()?;
    let at = match (side, word) {
        (Side::Client, word) if STORES.iter().any(|known| known.as_bytes() == word) => 3,
        (Side::Client, b"ms") => 1,
        (Side::Server, b"VALUE") => 2,
        (Side::Server, b"VA") => 0,
        _ => return None,
    };
    // Without a length the server refuses the command and reads the next line.
    number(parts.nth(at)?)
}

/// Returns the number of the opaque token among the flags of a meta command.
fn opaque<'a>(mut flags: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    flags.find_map(|flag| flag.strip_prefix(b"O")).map(|token| id_of(token) ^ 1 << 62)
}

fn known(list: &[&'static str], word: Option<&[u8]>) -> Option<&'static str> {
    list.iter().find(|known| Some(known.as_bytes()) == word).copied()
}

fn first_line(head: &[u8]) -> &[u8] {
    trim_line(head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default())
}

/// The header of a binary message.
struct Header {
    operation: u8,
    key: u16,
    extras: u8,
    data_type: u8,
    /// The status of a response, the virtual bucket of a request.
    status: u16,
    body: u32,
    opaque: u32,
}

impl Header {
    fn parse(head: &[u8]) -> Result<Self, Fault> {
        let mut fields = Cursor::new(head);
        fields.u8()?;
        Ok(Self {
            operation: fields.u8()?,
            key: fields.u16()?,
            extras: fields.u8()?,
            data_type: fields.u8()?,
            status: fields.u16()?,
            body: fields.u32()?,
            opaque: fields.u32()?,
        })
    }

    /// Checks that the lengths agree.
    fn check(self) -> Result<Self, Fault> {
        if u32::from(self.key) + u32::from(self.extras) > self.body {
            return Err(Fault("the key and the extras are longer than the body"));
        }
        Ok(self)
    }
}

/// Describes a binary message.
fn binary(side: Side, head: &[u8]) -> Result<Report<'_>, Fault> {
    let header = Header::parse(head)?;
    let expected = if side == Side::Client { REQUEST } else { RESPONSE };
    if head[0] != expected {
        return Err(Fault("a client sends a response, or a server a request"));
    }
    let from = 24 + usize::from(header.extras);
    let key = head.get(from..from + usize::from(header.key)).unwrap_or_default();
    let id = u64::from(header.opaque) << 8 | u64::from(header.operation) | 1 << 61;
    let report = Report::new(operation_name(header.operation)).subject(key);
    if is_quiet(header.operation) {
        return Ok(if side == Side::Client { report } else { with_status(report, header.status) });
    }
    Ok(match side {
        Side::Client => report.role(Role::RequestWithId(id)),
        Side::Server => {
            // The statistics end with an empty one.
            let last = header.operation != STAT || header.key == 0 || header.status != 0;
            with_status(report.role(Role::AnswerWithId { id, last }), header.status)
        }
    })
}

/// Adds the status of a response. Those that a client expects in normal use are no failures.
fn with_status(report: Report<'_>, status: u16) -> Report<'_> {
    let name = match status {
        0 => return report,
        1 => "KEY_NOT_FOUND",
        2 => "KEY_EXISTS",
        3 => "VALUE_TOO_LARGE",
        4 => "INVALID_ARGUMENTS",
        5 => "NOT_STORED",
        6 => "NON_NUMERIC",
        7 => "WRONG_VBUCKET",
        0x20 => "AUTH_ERROR",
        0x21 => "AUTH_CONTINUE",
        0x81 => "UNKNOWN_COMMAND",
        0x82 => "OUT_OF_MEMORY",
        0x83 => "NOT_SUPPORTED",
        0x84 => "INTERNAL_ERROR",
        0x85 => "BUSY",
        0x86 => "TEMPORARY_FAILURE",
        _ => return report.failed(Cow::Owned(format!("0x{status:04x}"))),
    };
    if matches!(status, 1 | 2 | 5 | 0x21) { report.code(name) } else { report.failed(name) }
}

fn operation_name(operation: u8) -> &'static str {
    OPERATIONS.get(usize::from(operation)).copied().filter(|name| !name.is_empty()).unwrap_or("operation")
}

/// Returns whether an operation is answered only if it fails, or only if it finds something.
fn is_quiet(operation: u8) -> bool {
    matches!(operation, 0x09 | 0x0d | 0x11..=0x1a | 0x1e | 0x24)
}

/// Returns whether a binary message begins with these bytes.
fn begins_binary(bytes: &[u8]) -> Sniff {
    let Ok(header) = Header::parse(bytes) else {
        return match bytes {
            [_, operation, ..] if operation_name(*operation) == "operation" => Sniff::No,
            [_, _, _, _, _, data_type, ..] if *data_type != 0 => Sniff::No,
            _ => Sniff::More,
        };
    };
    let is_sure = operation_name(header.operation) != "operation"
        && header.data_type == 0
        && header.body < 1 << 27
        && header.check().is_ok();
    if is_sure { Sniff::Yes } else { Sniff::No }
}

/// Returns whether a line begins with one of these words, and a blank or its end behind it.
fn begins_word(words: &[&str], bytes: &[u8]) -> Sniff {
    let end = bytes.iter().position(u8::is_ascii_whitespace);
    let word = &bytes[..end.unwrap_or(bytes.len())];
    match end {
        Some(_) if words.iter().any(|known| known.as_bytes() == word) => Sniff::Yes,
        None if words.iter().any(|known| known.as_bytes().starts_with(word)) => Sniff::More,
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a connection are memcached.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    let likely = Memcached::default().begins(side, first);
    if matches!(first, [REQUEST | RESPONSE, ..]) {
        return likely;
    }
    if side == Side::Server {
        return match starts_with_any(first, &[b"STORED\r\n", b"NOT_STORED\r\n", b"STAT ", b"VALUE "]) {
            // Other protocols do not write these words in small letters.
            Sniff::Yes if likely == Sniff::No => Sniff::No,
            sure => sure.or_maybe(likely),
        };
    }
    if likely != Sniff::Yes {
        return likely;
    }
    let sure: [&[u8]; 6] = [b"gets ", b"mg ", b"ms ", b"mn\r\n", b"stats\r\n", b"flush_all\r\n"];
    let is_sure = sure.iter().any(|start| first.starts_with(start));
    let could_be = sure.iter().any(|start| start.starts_with(first));
    let stores = STORES.iter().any(|store| first.starts_with(store.as_bytes()));
    match first.iter().position(|byte| *byte == b'\n') {
        _ if is_sure => Sniff::Yes,
        // set KEY FLAGS TIME LENGTH
        Some(end) if stores => {
            let numbers = words(&first[..end]).skip(2).take(3).filter(|word| number(word).is_some()).count();
            if numbers == 3 { Sniff::Yes } else { Sniff::Maybe }
        }
        None if stores || could_be => Sniff::More,
        _ => Sniff::Maybe,
    }
}
