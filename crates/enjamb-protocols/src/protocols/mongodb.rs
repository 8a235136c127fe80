//! MongoDB wire protocol.
//!
//! A message is a header of 16 bytes, the least significant byte first: its length, its number, the
//! number of the message that it answers, and the code of an operation. A command is the first
//! field of a BSON document in an `OP_MSG`, or in an `OP_QUERY` to a collection `$cmd`.

use std::borrow::Cow;
use std::collections::HashMap;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(MongoDb::default)
        .alias("mongo")
        .on_ports(&[27017])
        .about("MongoDB: OP_MSG, the legacy operations, and the header of OP_COMPRESSED")
        .with_kinds("the command, such as `find`, or the operation, such as `OP_QUERY`; `reply`")
        .with_attributes(&[Attribute::new(
            "collection",
            AttributeType::Text,
            "the collection that a command or an operation uses",
        )])
        .sniffed_by(sniff)
}

/// The rules of MongoDB. The state is the requests whose answers go on: the number of the last
/// answer, and the number of the request.
#[derive(Debug, Default)]
struct MongoDb {
    exhaust: HashMap<u32, u32>,
}

/// The maximum number of requests whose answers go on.
const EXHAUST_MAX: usize = 64;

/// The longest message: servers accept 48,000,000 bytes.
const LENGTH_MAX: u32 = 48_000_000;

const HEADER_LENGTH: u32 = 16;

/// The operations and their names. The kinds of most messages are names of commands.
const OPERATIONS: &[(u32, &str)] = &[
    (1, "OP_REPLY"),
    (1000, "OP_MSG_OLD"),
    (2001, "OP_UPDATE"),
    (2002, "OP_INSERT"),
    (2003, "RESERVED"),
    (2004, "OP_QUERY"),
    (2005, "OP_GET_MORE"),
    (2006, "OP_DELETE"),
    (2007, "OP_KILL_CURSORS"),
    (2010, "OP_COMMAND"),
    (2011, "OP_COMMANDREPLY"),
    (2012, "OP_COMPRESSED"),
    (2013, "OP_MSG"),
];

const OP_REPLY: u32 = 1;
const OP_UPDATE: u32 = 2001;
const OP_INSERT: u32 = 2002;
const OP_QUERY: u32 = 2004;
const OP_GET_MORE: u32 = 2005;
const OP_DELETE: u32 = 2006;
const OP_KILL_CURSORS: u32 = 2007;
const OP_MSG: u32 = 2013;

/// The flags of an `OP_MSG`.
const CHECKSUM_PRESENT: u32 = 1;
const MORE_TO_COME: u32 = 2;

/// The flags of an `OP_REPLY`: the cursor was not found, or the query failed.
const REPLY_FAILURES: u32 = 3;

/// The commands that have a kind of their own.
const COMMANDS: &[&str] = &[
    "abortTransaction",
    "aggregate",
    "authenticate",
    "autoSplitVector",
    "buildInfo",
    "buildinfo",
    "bulkWrite",
    "collMod",
    "collStats",
    "collstats",
    "commitTransaction",
    "configureFailPoint",
    "connectionStatus",
    "count",
    "create",
    "createIndexes",
    "createUser",
    "currentOp",
    "dbStats",
    "dbstats",
    "delete",
    "distinct",
    "drop",
    "dropDatabase",
    "dropIndexes",
    "endSessions",
    "explain",
    "find",
    "findAndModify",
    "findandmodify",
    "fsync",
    "getCmdLineOpts",
    "getLog",
    "getMore",
    "getParameter",
    "getlasterror",
    "getLastError",
    "getnonce",
    "hello",
    "hostInfo",
    "insert",
    "isMaster",
    "ismaster",
    "isdbgrid",
    "killCursors",
    "killOp",
    "killSessions",
    "listCollections",
    "listCommands",
    "listDatabases",
    "listIndexes",
    "logout",
    "mapReduce",
    "mapreduce",
    "ping",
    "profile",
    "refreshSessions",
    "renameCollection",
    "replSetGetConfig",
    "replSetGetRBID",
    "replSetGetStatus",
    "replSetHeartbeat",
    "replSetUpdatePosition",
    "saslContinue",
    "saslStart",
    "serverStatus",
    "setParameter",
    "shutdown",
    "startSession",
    "top",
    "update",
    "usersInfo",
    "validate",
    "whatsmyuri",
];

impl Rules for MongoDb {
    const NAME: &'static str = "mongodb";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        if message.head.is_empty() {
            return Ok(Next::Bytes(HEADER_LENGTH.into()));
        }
        let mut fields = Cursor::new(message.head);
        let length = fields.u32_le()?;
        fields.take(8)?;
        if operation(fields.u32_le()?).is_none() {
            return Err(Fault("the code of the operation is unknown"));
        }
        match length {
            HEADER_LENGTH..=LENGTH_MAX => Ok(Next::Last((length - HEADER_LENGTH).into())),
            _ => Err(Fault("the length of a message is impossible")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(frame.head);
        fields.take(4)?;
        let (number, answered, code) = (fields.u32_le()?, fields.u32_le()?, fields.u32_le()?);
        let report = Report::new(operation(code).unwrap_or("message"));
        let mut more_to_come = false;
        let is_answer = answered != 0;
        let report = match code {
            OP_MSG => {
                let flags = fields.u32_le()?;
                more_to_come = flags & MORE_TO_COME != 0;
                if flags & 0xffff & !(CHECKSUM_PRESENT | MORE_TO_COME) != 0 {
                    return Err(Fault("a required flag is unknown"));
                }
                message(fields, is_answer)
            }
            OP_REPLY => {
                let failed = fields.u32_le()? & REPLY_FAILURES;
                fields.take(16)?;
                let report = if fields.is_empty() { Report::new("reply") } else { reply(fields.rest()) };
                match failed {
                    0 => report,
                    1 => report.failed("CursorNotFound"),
                    _ if report.failed => report,
                    _ => report.failed("QueryFailure"),
                }
            }
            OP_QUERY => {
                fields.u32_le()?;
                let collection = fields.until(0)?;
                fields.take(8)?;
                match collection.strip_suffix(b".$cmd") {
                    Some(database) => command(fields.rest(), Some(database)),
                    None => report.subject(collection),
                }
            }
            OP_UPDATE | OP_INSERT | OP_GET_MORE | OP_DELETE => {
                fields.u32_le()?;
                report.subject(fields.until(0)?)
            }
            _ => report,
        };
        let role = match (is_answer, code) {
            (true, _) => {
                let request = self.exhaust.remove(&answered).unwrap_or(answered);
                if more_to_come && self.exhaust.len() < EXHAUST_MAX {
                    self.exhaust.insert(number, request);
                }
                Role::AnswerWithId { id: request.into(), last: !more_to_come }
            }
            (false, OP_UPDATE | OP_INSERT | OP_DELETE | OP_KILL_CURSORS | OP_REPLY) => Role::OneWay,
            // The client wants no answer.
            (false, OP_MSG) if more_to_come => Role::OneWay,
            (false, _) => Role::RequestWithId(number.into()),
        };
        Ok(report.role(role))
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let Some((&[a, b, c, d], rest)) = bytes.split_first_chunk::<4>() else { return Sniff::More };
        if !(HEADER_LENGTH..=LENGTH_MAX).contains(&u32::from_le_bytes([a, b, c, d])) {
            return Sniff::No;
        }
        let Some(code) = rest.get(8..12).and_then(|code| code.first_chunk()) else { return Sniff::More };
        let code = u32::from_le_bytes(*code);
        let body = &rest[12..];
        match code {
            // Flags, and then a document or a section.
            OP_MSG => match body {
                [0..=3, 0, 0 | 1, 0, 0 | 1, ..] => Sniff::Yes,
                [0..=3, 0, 0 | 1, 0] | [_, _, _] | [_, _] | [_] | [] => Sniff::More,
                _ => Sniff::No,
            },
            OP_REPLY if side == Side::Client || rest[4..8] == [0; 4] => Sniff::No,
            OP_REPLY => match body {
                [flags, 0, 0, 0, ..] if *flags < 16 => Sniff::Yes,
                _ if body.len() < 4 => Sniff::More,
                _ => Sniff::No,
            },
            2001..=2011 => Sniff::Yes,
            // The operation inside.
            2012 => match body {
                [inner, 7, 0, 0, ..] if *inner >= 0xd1 => Sniff::Yes,
                [1, 0, 0, 0, ..] => Sniff::Yes,
                _ if body.len() < 4 => Sniff::More,
                _ => Sniff::No,
            },
            _ => Sniff::No,
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_collection = !report.subject.is_empty() && report.kind != "reply";
        (name == "collection" && has_collection).then(|| AttributeValue::text(&report.subject))
    }
}

fn operation(code: u32) -> Option<&'static str> {
    OPERATIONS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// Reads the sections of an `OP_MSG`: one of them has the kind 0 and is a document.
fn message(mut fields: Cursor<'_>, is_answer: bool) -> Report<'_> {
    let other = Report::new(if is_answer { "reply" } else { "command" });
    loop {
        match fields.u8() {
            Ok(0) if is_answer => return reply(fields.rest()),
            Ok(0) => return command(fields.rest(), None),
            Ok(1) => {
                let Ok(length) = Cursor::new(fields.rest()).u32_le() else { return other };
                if length < 4 {
                    return other.malformed("the length of a section is impossible");
                }
                if usize::try_from(length).is_ok_and(|length| fields.take(length).is_ok()) {
                    continue;
                }
                return other;
            }
            Ok(_) => return other.malformed("the kind of a section is unknown"),
            Err(_) => return other,
        }
    }
}

/// Reads the document of a command.
fn command<'a>(document: &'a [u8], database: Option<&'a [u8]>) -> Report<'a> {
    let mut elements = Elements::new(document);
    // The command may be inside `$query`, with options beside it.
    let mut first = elements.next();
    if let Some(Element { name: b"$query" | b"query", kind: 3, value }) = first {
        first = Elements::new(value).next();
    }
    let Some(Element { name, kind, value }) = first else { return Report::new("command") };
    let known = COMMANDS.iter().find(|known| known.as_bytes() == name).copied();
    let collection = if kind == 2 { string(value) } else { b"" };
    let database = database.or_else(|| {
        let element = elements.find(|element| element.name == b"$db" && element.kind == 2)?;
        Some(string(element.value))
    });
    let database = database.unwrap_or_default();
    let mut subject = Vec::new();
    if known.is_none() {
        subject.extend_from_slice(name);
        subject.extend_from_slice(if database.is_empty() && collection.is_empty() { b"" } else { b" " });
    }
    subject.extend_from_slice(database);
    if !collection.is_empty() {
        subject.extend_from_slice(if database.is_empty() { b"" } else { b"." });
        subject.extend_from_slice(collection);
    }
    Report::new(known.unwrap_or("command")).subject(subject)
}

/// Reads the document of a reply.
fn reply(document: &[u8]) -> Report<'_> {
    let (mut ok, mut code, mut name, mut text) = (true, None, None, &[][..]);
    let mut write_error = None;
    for Element { name: field, kind, value } in Elements::new(document) {
        match (field, kind, value) {
            (b"ok", 1, bytes) => ok = bytes.iter().any(|byte| *byte != 0),
            (b"ok", 8 | 16 | 18, [first, ..]) => ok = *first != 0,
            (b"code", 16, [a, b, c, d]) => code = Some(i32::from_le_bytes([*a, *b, *c, *d])),
            (b"codeName", 2, value) => name = Some(string(value)),
            (b"errmsg" | b"$err", 2, value) => text = string(value),
            // The first of the writes that failed.
            (b"writeErrors", 4, value) => {
                let first = Elements::new(value).next().filter(|element| element.kind == 3);
                let code = first.and_then(|first| Elements::new(first.value).find(|element| element.name == b"code"));
                if let Some(Element { kind: 16, value: [a, b, c, d], .. }) = code {
                    write_error = Some(i32::from_le_bytes([*a, *b, *c, *d]));
                }
            }
            _ => {}
        }
    }
    let report = Report::new("reply").subject(text);
    match (ok, name, code, write_error) {
        (true, _, _, None) if text.is_empty() => report,
        (_, Some(name), ..) if !name.is_empty() => report.failed(String::from_utf8_lossy(name)),
        (_, _, Some(code), _) | (_, _, None, Some(code)) => report.failed(Cow::Owned(code.to_string())),
        (true, ..) => report,
        (false, ..) => report.failed("unknown"),
    }
}

/// A field of a BSON document (bsonspec.org, version 1.1).
#[derive(Clone, Copy, Debug)]
struct Element<'a> {
    kind: u8,
    name: &'a [u8],
    value: &'a [u8],
}

/// The fields of a document, up to the first that is cut off or unknown.
struct Elements<'a> {
    fields: Cursor<'a>,
}

impl<'a> Elements<'a> {
    fn new(document: &'a [u8]) -> Self {
        Self { fields: Cursor::new(document.get(4..).unwrap_or_default()) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let kind = self.fields.u8().ok().filter(|kind| *kind != 0)?;
        let name = self.fields.until(0).ok()?;
        let length = || Cursor::new(self.fields.rest()).u32_le().ok().map(u64::from);
        let length = match kind {
            1 | 9 | 17 | 18 => 8,
            2 | 13 | 14 => 4 + length()?,
            3 | 4 | 15 => length().filter(|length| *length >= 5)?,
            5 => 5 + length()?,
            6 | 10 | 127 | 255 => 0,
            7 => 12,
            8 => 1,
            16 => 4,
            19 => 16,
            _ => return None,
        };
        let value = self.fields.take(usize::try_from(length).ok()?).ok()?;
        Some(Element { kind, name, value })
    }
}

/// Returns the text of a string, without its length and its end.
fn string(value: &[u8]) -> &[u8] {
    value.get(4..value.len().saturating_sub(1)).unwrap_or_default()
}

/// Returns whether the first bytes of a connection are MongoDB.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    MongoDb::default().begins(side, first)
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use crate::kit::Conversation;

    fn message(number: u32, answered: u32, code: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + body.len() as u32).to_le_bytes().to_vec();
        for field in [number, answered, code] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(body);
        bytes
    }

    fn messages(chunks: &[(Side, Vec<u8>)]) -> Vec<String> {
        let mut session = Conversation::new(super::MongoDb::default());
        let mut lines = Vec::new();
        for (side, bytes) in chunks {
            for chunk in bytes.chunks(5) {
                session.feed(*side, chunk, &mut |message| lines.push(message.to_owned().to_string()));
            }
        }
        lines
    }

    const FIND: &[u8] = b"\0\0\0\0\0\x1e\0\0\0\x02find\0\x02\0\0\0a\0\x02$db\0\x03\0\0\0xy\0\0";

    #[test]
    fn replies_find_their_requests_by_number_and_errors_have_codes() {
        let failure = b"\0\0\0\0\0\x2f\0\0\0\x01ok\0\0\0\0\0\0\0\0\0\x10code\0\x0b\0\0\0\x02codeName\0\x02\0\0\0N\0\0";
        let lines = messages(&[
            (Side::Client, message(7, 0, 2013, FIND)),
            (Side::Client, message(8, 0, 2013, FIND)),
            (Side::Server, message(1, 8, 2013, b"\0\0\0\0\0\x11\0\0\0\x01ok\0\0\0\0\0\0\0\xf0\x3f\0")),
            (Side::Server, message(2, 7, 2013, failure)),
        ]);
        assert!(lines[0].ends_with("ok: find xy.a"), "{lines:?}");
        assert!(lines[2].contains("ok answers #1: reply"), "{lines:?}");
        assert!(lines[3].contains("answers #0") && lines[3].contains("reply N"), "{lines:?}");
    }

    #[test]
    fn answers_that_go_on_belong_to_the_first_request() {
        let ok = |flags: u8| [&[flags, 0, 0, 0, 0], &b"\x11\0\0\0\x01ok\0\0\0\0\0\0\0\xf0\x3f\0"[..]].concat();
        let lines = messages(&[
            (Side::Client, message(7, 0, 2013, FIND)),
            (Side::Server, message(20, 7, 2013, &ok(2))),
            (Side::Server, message(21, 20, 2013, &ok(2))),
            (Side::Server, message(22, 21, 2013, &ok(0))),
            (Side::Server, message(23, 22, 2013, &ok(0))),
        ]);
        assert!(lines[1..4].iter().all(|line| line.contains("answers #0")), "{lines:?}");
        assert!(!lines[4].contains("answers"), "{lines:?}");
    }

    #[test]
    fn hostile_documents_end_quickly() {
        let mut nested = vec![0, 0, 0, 0, 0];
        for _ in 0..1000 {
            nested.extend_from_slice(b"\xff\xff\xff\x7f\x03a\0");
        }
        let lines = messages(&[
            (Side::Client, message(1, 0, 2013, &nested)),
            (Side::Client, message(2, 0, 2013, b"\0\0\0\0\x01\xff\xff\xff\xff")),
            (Side::Client, b"\xff\xff\xff\x7f\x01\0\0\0\0\0\0\0\xdd\x07\0\0".to_vec()),
        ]);
        assert!(lines[0].contains(" ok") && lines[1].contains(" ok") && lines[2].contains("impossible"), "{lines:?}");
    }
}
