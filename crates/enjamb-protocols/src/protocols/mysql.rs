//! MySQL and MariaDB (MySQL Internals, "Client/Server Protocol").
//!
//! A packet is a length of three bytes, a number, and a payload. A payload of 2^24 - 1 bytes goes
//! on in the next packet; both are one message. A client sends one command and waits for its
//! answer, which may be many messages: columns, rows and an end. The command decides their form.
//!
//! The client's `SSLRequest` has no answer: TLS begins behind it. With compression, packets are in
//! others behind the login, and everything is opaque.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::sql::{begins_statement, statement};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(MySql::default)
        .alias("mariadb")
        .on_ports(&[3306])
        .about("MySQL and MariaDB: commands, prepared statements, result sets").with_kinds("the command, such as `COM_QUERY`, `login`, `authentication`, `file`; `greeting`, `OK`, `ERR`, `EOF`, `columns`, `column`, `row`")
        .with_attributes(&[Attribute::new(
            "query",
            AttributeType::Text,
            "the beginning of the statement of a COM_QUERY or COM_STMT_PREPARE",
        )])
        .sniffed_by(sniff)
}

/// The rules of MySQL.
#[derive(Debug, Default)]
struct MySql {
    client: Client,
    /// The number of the client's last packet. That of a long file begins again behind 255.
    number: u8,
    /// The next message of the server's answer.
    answer: Answer,
    /// Whether result sets end without an EOF between columns and rows. It is assumed until the
    /// login or a result set shows it.
    deprecates_eof: bool,
    compresses: bool,
}

/// The client's messages whose number is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    /// The next one is the login.
    #[default]
    Login,
    Authentication,
    /// They are the file of a `LOAD DATA LOCAL INFILE`.
    File,
    /// The capture joined here, or bytes are missing. A login may follow, or what follows a login.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    First,
    /// This many definitions of columns, and then rows.
    Columns(u64),
    /// The first message behind the definitions of columns.
    BehindColumns,
    Rows,
    /// The definitions of parameters and columns of a prepared statement, which are still to come.
    Prepared {
        parameters: u16,
        columns: u16,
        ends: bool,
    },
}

/// The names of commands, by their number.
const COMMANDS: [&str; 32] = [
    "COM_SLEEP",
    "COM_QUIT",
    "COM_INIT_DB",
    "COM_QUERY",
    "COM_FIELD_LIST",
    "COM_CREATE_DB",
    "COM_DROP_DB",
    "COM_REFRESH",
    "COM_SHUTDOWN",
    "COM_STATISTICS",
    "COM_PROCESS_INFO",
    "COM_CONNECT",
    "COM_PROCESS_KILL",
    "COM_DEBUG",
    "COM_PING",
    "COM_TIME",
    "COM_DELAYED_INSERT",
    "COM_CHANGE_USER",
    "COM_BINLOG_DUMP",
    "COM_TABLE_DUMP",
    "COM_CONNECT_OUT",
    "COM_REGISTER_SLAVE",
    "COM_STMT_PREPARE",
    "COM_STMT_EXECUTE",
    "COM_STMT_SEND_LONG_DATA",
    "COM_STMT_CLOSE",
    "COM_STMT_RESET",
    "COM_SET_OPTION",
    "COM_STMT_FETCH",
    "COM_DAEMON",
    "COM_BINLOG_DUMP_GTID",
    "COM_RESET_CONNECTION",
];

const COM_QUIT: u8 = 1;
const COM_INIT_DB: u8 = 2;
const COM_QUERY: u8 = 3;
const COM_FIELD_LIST: u8 = 4;
const COM_STATISTICS: u8 = 9;
const COM_PROCESS_INFO: u8 = 10;
const COM_CHANGE_USER: u8 = 17;
const COM_BINLOG_DUMP: u8 = 18;
const COM_STMT_PREPARE: u8 = 22;
const COM_STMT_EXECUTE: u8 = 23;
const COM_STMT_SEND_LONG_DATA: u8 = 24;
const COM_STMT_CLOSE: u8 = 25;
const COM_STMT_FETCH: u8 = 28;
const COM_BINLOG_DUMP_GTID: u8 = 30;
/// MariaDB's execution of a statement for many rows.
const COM_STMT_BULK_EXECUTE: u8 = 250;

/// The detail of a login and of what follows it. The details of commands are their numbers.
const LOGIN: u64 = 256;

/// The capabilities of a login.
const COMPRESS: u32 = 1 << 5;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const DEPRECATE_EOF: u32 = 1 << 24;
const ZSTD: u32 = 1 << 26;

/// The flags of a server's status.
const MORE_RESULTS: u16 = 8;
const CURSOR_EXISTS: u16 = 0x40;

/// The length of a payload that goes on in the next packet.
const FULL: u32 = 0xff_ffff;

/// The length of an `SSLRequest`.
const SSL_REQUEST_LENGTH: usize = 32;

impl Rules for MySql {
    const NAME: &'static str = "mysql";
    const ALTERNATES: bool = true;
    /// Whether the last part is a header.
    type Memo = bool;

    fn next(&self, message: Progress<'_, bool>) -> Result<Next, Fault> {
        let behind_header = std::mem::replace(message.memo, true);
        if !behind_header {
            return Ok(Next::Bytes(4));
        }
        let [a, b, c, number] = *message.last else { return Err(Fault::SHORT) };
        let length = u32::from_le_bytes([a, b, c, 0]);
        // Only the file that a client sends may end with an empty packet, and a payload that filled
        // its last packet.
        let continues = message.side == Side::Client && self.number == u8::MAX;
        if length == 0 && number == 0 && message.parts == 1 && !continues {
            return Err(Fault("a packet with the number 0 is empty"));
        }
        *message.memo = false;
        Ok(if length == FULL { Next::Body(length.into()) } else { Next::Last(length.into()) })
    }

    fn read<'a>(&mut self, frame: &Frame<'a, bool>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let Some(([.., number], payload)) = frame.head.split_first_chunk::<4>() else { return Err(Fault::SHORT) };
        let is_long = frame.length > u64::from(FULL);
        match frame.side {
            Side::Client if std::mem::replace(&mut self.number, *number) == u8::MAX => self.continuation(payload),
            Side::Client if *number == 0 => self.command(payload),
            Side::Client => self.continuation(payload),
            Side::Server => self.answer(payload, is_long, *number, requests.oldest()),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        begins(side, bytes)
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        match (side, head) {
            (Side::Client, [_, _, _, 0, command, ..]) => command_name(*command),
            (Side::Client, _) => "packet",
            _ => "response",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, bool>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let has_query = matches!(report.kind, "COM_QUERY" | "COM_STMT_PREPARE");
        (name == "query" && has_query).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, side: Side) {
        self.answer = Answer::First;
        if side == Side::Client {
            self.client = Client::Unknown;
            self.number = 0;
        }
    }
}

impl MySql {
    fn command<'a>(&mut self, payload: &'a [u8]) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(payload);
        let command = fields.u8()?;
        self.client = if command == COM_CHANGE_USER { Client::Authentication } else { Client::File };
        let report = Report::new(command_name(command)).detail(command.into());
        let report = match command {
            COM_QUIT | COM_STMT_CLOSE | COM_STMT_SEND_LONG_DATA => report,
            _ => report.role(Role::Request),
        };
        Ok(match command {
            COM_QUERY => report.subject(statement(query(fields.rest()))),
            COM_STMT_PREPARE => report.subject(statement(fields.rest())),
            COM_INIT_DB | 5 | 6 => report.subject(fields.rest()),
            COM_FIELD_LIST | COM_CHANGE_USER => report.subject(fields.until(0)?),
            COM_STMT_EXECUTE | COM_STMT_CLOSE | COM_STMT_SEND_LONG_DATA | COM_STMT_FETCH | 26 => {
                report.subject(fields.u32_le()?.to_string().into_bytes())
            }
            _ => report,
        })
    }

    /// Reads a message of the client whose number is not 0.
    fn continuation<'a>(&mut self, payload: &'a [u8]) -> Result<Report<'a>, Fault> {
        let client = match self.client {
            Client::Unknown if is_login(payload) => Client::Login,
            client => client,
        };
        match client {
            Client::Login => {
                let mut fields = Cursor::new(payload);
                let low = fields.u16_le()?;
                let capabilities = u32::from(low);
                let capabilities = if capabilities & PROTOCOL_41 == 0 {
                    fields.take(3)?;
                    capabilities
                } else {
                    let capabilities = capabilities | u32::from(fields.u16_le()?) << 16;
                    fields.take(28)?;
                    capabilities
                };
                if capabilities & SSL != 0 && payload.len() <= SSL_REQUEST_LENGTH {
                    return Ok(Report::new("SSLRequest").then(Then::Switch("tls")));
                }
                self.client = Client::Authentication;
                self.deprecates_eof = capabilities & DEPRECATE_EOF != 0;
                self.compresses = capabilities & (COMPRESS | ZSTD) != 0;
                let report = Report::new("login").role(Role::Request).detail(LOGIN).subject(fields.until(0)?);
                Ok(if self.compresses { report.then(Then::Await) } else { report })
            }
            // It continues the login, whose answer is still to come.
            Client::Authentication => Ok(Report::new("authentication")),
            Client::File | Client::Unknown => Ok(Report::new("file")),
        }
    }

    fn answer<'a>(
        &mut self,
        payload: &'a [u8],
        is_long: bool,
        number: u8,
        oldest: Option<u64>,
    ) -> Result<Report<'a>, Fault> {
        let first = payload.first().copied().ok_or(Fault("a packet of the server is empty"))?;
        let last = Role::Answer { last: true };
        let more = Role::Answer { last: false };
        if first == 0xff && !is_long {
            let report = error(payload)?;
            self.answer = Answer::First;
            return Ok(if oldest.is_none() { report } else { report.role(last) });
        }
        let Some(request) = oldest else {
            self.answer = Answer::First;
            return Ok(match first {
                10 if number == 0 => greeting(payload)?,
                0 if payload.len() >= 7 => Report::new("OK"),
                0xfe if payload.len() < 9 => Report::new("EOF"),
                _ => Report::new("response"),
            });
        };
        // The first byte of the last message behind rows: in a row it would be the length of a
        // value that fills the packet.
        let ends = first == 0xfe && !is_long;
        match self.answer {
            Answer::First => self.first(payload, first, request),
            Answer::Columns(left) => {
                self.answer = if left > 1 { Answer::Columns(left - 1) } else { Answer::BehindColumns };
                Ok(Report::new("column").role(more))
            }
            Answer::BehindColumns if ends && payload.len() == 5 => {
                self.deprecates_eof = false;
                self.answer = Answer::Rows;
                if status(payload, 3) & CURSOR_EXISTS != 0 {
                    self.answer = Answer::First;
                    return Ok(Report::new("EOF").role(last));
                }
                Ok(Report::new("EOF").role(more))
            }
            Answer::BehindColumns | Answer::Rows => {
                if !ends {
                    self.answer = Answer::Rows;
                    return Ok(Report::new("row").role(more));
                }
                let (kind, status) = match payload.len() {
                    ..=5 => ("EOF", status(payload, 3)),
                    _ => {
                        self.deprecates_eof = true;
                        ("OK", ok_status(payload))
                    }
                };
                self.answer = Answer::First;
                Ok(Report::new(kind).role(Role::Answer { last: status & MORE_RESULTS == 0 }))
            }
            Answer::Prepared { parameters, columns, ends: was_end } => {
                let is_end = ends && payload.len() == 5;
                let (kind, next) = match (parameters, columns, is_end) {
                    (0, 0, true) => ("EOF", (0, 0, true)),
                    (0, columns, true) if !was_end => ("EOF", (0, columns, true)),
                    (0, columns, _) => ("column", (0, columns.saturating_sub(1), false)),
                    (parameters, columns, _) => ("parameter", (parameters - 1, columns, false)),
                };
                let (parameters, columns, ends) = next;
                let whole = parameters == 0 && columns == 0 && (ends || self.deprecates_eof);
                self.answer = if whole { Answer::First } else { Answer::Prepared { parameters, columns, ends } };
                Ok(Report::new(kind).role(Role::Answer { last: whole }))
            }
        }
    }

    /// Reads the first message of the answer to a request.
    fn first<'a>(&mut self, payload: &'a [u8], first: u8, request: u64) -> Result<Report<'a>, Fault> {
        let last = Role::Answer { last: true };
        let more = Role::Answer { last: false };
        if request == LOGIN || request == u64::from(COM_CHANGE_USER) {
            let report = Report::new(match first {
                0 => "OK",
                1 => "AuthMoreData",
                0xfe => "AuthSwitchRequest",
                _ => "response",
            });
            return Ok(match first {
                0 if self.compresses && request == LOGIN => report.role(last).then(Then::BothOpaque),
                0 => report.role(last),
                _ => report.role(more),
            });
        }
        let command = u8::try_from(request).unwrap_or_default();
        Ok(match (command, first) {
            (COM_STATISTICS, _) => Report::new("statistics").role(last),
            (COM_BINLOG_DUMP | COM_BINLOG_DUMP_GTID, 0) => Report::new("binlog event").role(more),
            (COM_STMT_PREPARE, 0) => {
                let mut fields = Cursor::new(&payload[1..]);
                let number = fields.u32_le()?;
                let (columns, parameters) = (fields.u16_le()?, fields.u16_le()?);
                let whole = columns == 0 && parameters == 0;
                if !whole {
                    self.answer = Answer::Prepared { parameters, columns, ends: parameters == 0 };
                }
                Report::new("prepared").role(Role::Answer { last: whole }).subject(number.to_string().into_bytes())
            }
            (COM_FIELD_LIST | COM_STMT_FETCH, _) => {
                self.answer = Answer::Rows;
                match (first, command) {
                    (0xfe, _) => {
                        self.answer = Answer::First;
                        Report::new("EOF").role(last)
                    }
                    (_, COM_FIELD_LIST) => Report::new("column").role(more),
                    _ => Report::new("row").role(more),
                }
            }
            (_, 0) => Report::new("OK").role(Role::Answer { last: ok_status(payload) & MORE_RESULTS == 0 }),
            (COM_QUERY, 0xfb) => Report::new("LOCAL INFILE").role(more).subject(&payload[1..]),
            (_, 0xfe) => Report::new("EOF").role(last),
            (COM_QUERY | COM_PROCESS_INFO | COM_STMT_EXECUTE | COM_STMT_BULK_EXECUTE, _) => {
                let mut fields = Cursor::new(payload);
                let columns = length_encoded(&mut fields)?;
                if columns == 0 || columns > 4096 {
                    return Err(Fault("the number of columns is impossible"));
                }
                self.answer = Answer::Columns(columns);
                Report::new("columns").role(more).subject(columns.to_string().into_bytes())
            }
            _ => Report::new("response").role(last),
        })
    }
}

fn command_name(command: u8) -> &'static str {
    if command == COM_STMT_BULK_EXECUTE {
        return "COM_STMT_BULK_EXECUTE";
    }
    COMMANDS.get(usize::from(command)).copied().unwrap_or("command")
}

/// Returns the statement of a `COM_QUERY`: clients of MySQL 8 may put parameters before it.
fn query(text: &[u8]) -> &[u8] {
    match text {
        [0, 1, rest @ ..] => rest,
        _ => text,
    }
}

fn greeting(payload: &[u8]) -> Result<Report<'_>, Fault> {
    let mut fields = Cursor::new(&payload[1..]);
    Ok(Report::new("greeting").subject(fields.until(0)?))
}

/// Reads an ERR packet. Before the login it has no SQLSTATE.
fn error(payload: &[u8]) -> Result<Report<'_>, Fault> {
    let mut fields = Cursor::new(&payload[1..]);
    let code = fields.u16_le()?;
    let text = fields.rest();
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    Ok(Report::new("ERR").failed(Cow::Owned(code.to_string())).subject(text))
}

/// Returns the status in a packet at this place; 0 if it is not there.
fn status(payload: &[u8], at: usize) -> u16 {
    payload.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Returns the status in an OK packet: behind two numbers of variable length.
fn ok_status(payload: &[u8]) -> u16 {
    let mut fields = Cursor::new(payload.get(1..).unwrap_or_default());
    let numbers = length_encoded(&mut fields).and_then(|_| length_encoded(&mut fields));
    numbers.and_then(|_| Ok(fields.u16_le()?)).unwrap_or(0)
}

/// Takes an integer of variable length.
fn length_encoded(fields: &mut Cursor<'_>) -> Result<u64, Fault> {
    Ok(match fields.u8()? {
        0xfc => fields.u16_le()?.into(),
        0xfd => {
            let [a, b, c] = fields.array()?;
            u32::from_le_bytes([a, b, c, 0]).into()
        }
        0xfe => fields.u64_le()?,
        byte @ ..=0xfa => byte.into(),
        _ => return Err(Fault("a length begins with 0xfb or 0xff")),
    })
}

/// Returns whether this is a login, or the beginning of one: the protocol of version 4.1, and 19
/// bytes that are 0.
fn is_login(payload: &[u8]) -> bool {
    payload.get(..SSL_REQUEST_LENGTH).is_some_and(|fields| {
        let is_41 = u32::from(u16::from_le_bytes([fields[0], fields[1]])) & PROTOCOL_41 != 0;
        is_41 && fields[9..28].iter().all(|byte| *byte == 0)
    })
}

/// Returns whether a message begins here.
fn begins(side: Side, bytes: &[u8]) -> Sniff {
    let [a, b, c, number, body @ ..] = bytes else {
        return if matches!(bytes, [_, _, 1..=255, ..]) { Sniff::No } else { Sniff::More };
    };
    let length = usize::from(*a) | usize::from(*b) << 8;
    let sure = |sure: bool| if sure { Sniff::Yes } else { Sniff::No };
    if *c != 0 || length == 0 {
        return Sniff::No;
    }
    match (side, number, body) {
        (_, _, []) => Sniff::More,
        // A statement has no control characters.
        (Side::Client, 0, [COM_QUERY | 22, text @ ..]) => match begins_statement(query(text).trim_ascii_start()) {
            Some(begins) => sure(begins),
            None => Sniff::More,
        },
        (Side::Client, 0, [1 | 9 | 14 | 31, ..]) => sure(length == 1),
        (Side::Client, 0, [COM_STMT_CLOSE | 26, ..]) => sure(length == 5),
        // Statement, flags and the number of iterations, which is 1.
        (Side::Client, 0, [COM_STMT_EXECUTE, ..]) => match body.get(..10) {
            Some(body) => sure(matches!(body[5..], [0 | 1, 1, 0, 0, 0])),
            None => Sniff::More,
        },
        // The login, or the request for TLS.
        (Side::Client, 1 | 2, _) if length >= SSL_REQUEST_LENGTH => match body.get(..SSL_REQUEST_LENGTH) {
            Some(body) => sure(is_login(body)),
            None => Sniff::More,
        },
        // The greeting.
        (Side::Server, 0, [10, version @ ..]) => match version {
            [b'1'..=b'9', b'.' | b'0'..=b'9', ..] => Sniff::Yes,
            [b'1'..=b'9'] | [] => Sniff::More,
            _ => Sniff::No,
        },
        (Side::Server, _, [0xff, code @ ..]) => match code {
            // Errors of the server are numbered from 1000 to 1999, and from 3000 on.
            [_, 3..=7 | 11..=16, b'#' | b'A'..=b'Z', ..] => Sniff::Yes,
            [] | [_] | [_, 3..=7 | 11..=16] => Sniff::More,
            _ => Sniff::No,
        },
        // OK, behind a command or a login. A text may follow.
        (Side::Server, 1..=6, [0, rest @ ..]) if length >= 7 => match rest {
            [0..=0xfa, 0..=0xfa, _, 0 | 0x40 | 0x80 | 0xc0, _, 0, ..] => Sniff::Yes,
            [0..=0xfa, 0..=0xfa, _, 0 | 0x40 | 0x80 | 0xc0, ..] if rest.len() < 6 => Sniff::More,
            [] | [0..=0xfa] | [0..=0xfa, 0..=0xfa] | [0..=0xfa, 0..=0xfa, _] => Sniff::More,
            _ => Sniff::No,
        },
        // A number of columns, and the first definition: its catalog is `def`. MariaDB adds a byte
        // to the number.
        (Side::Server, 1, [1..=0xfa, next @ ..]) if length <= 2 => match next.get(length - 1..) {
            Some([_, _, 0, 2, 3, b'd', b'e', b'f', ..]) => Sniff::Yes,
            Some(next) if next.len() >= 8 => Sniff::No,
            _ => Sniff::More,
        },
        (Side::Server, _, [3, name @ ..]) if length > 20 => match name {
            [b'd', b'e', b'f', ..] => Sniff::Yes,
            [] | [b'd'] | [b'd', b'e'] => Sniff::More,
            _ => Sniff::No,
        },
        // The end of columns or rows, with few warnings.
        (Side::Server, 2.., [0xfe, rest @ ..]) if length == 5 => match rest {
            [_, 0, _, 0..=0x40, ..] => Sniff::Yes,
            [_, 0, _] | [_, 0] | [_] | [] => Sniff::More,
            _ => Sniff::No,
        },
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a connection are MySQL: the server begins. A capture may
/// begin at a command.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    match (side, first) {
        (_, []) => Sniff::More,
        (Side::Client, [_, _, 0, 0, COM_QUERY | COM_STMT_PREPARE, ..] | [_, _, 0, 0] | [_, _, 0] | [_, _] | [_])
        | (Side::Server, _) => begins(side, first),
        _ => Sniff::No,
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use crate::kit::Conversation;

    fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
        packet.push(number);
        packet.extend_from_slice(payload);
        packet
    }

    /// Returns kind, code and answered request of the messages.
    fn messages(packets: &[(Side, Vec<u8>)]) -> Vec<String> {
        let mut session = Conversation::new(super::MySql::default());
        let mut lines = Vec::new();
        for (side, packet) in packets {
            for chunk in packet.chunks(7) {
                session.feed(*side, chunk, &mut |message| {
                    let answers = message.answers.map_or(String::new(), |answers| format!(" #{answers}"));
                    lines.push(format!("{}{answers}", message.summary));
                });
            }
        }
        lines
    }

    const COLUMN: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn result_sets_end_with_either_form_of_end() {
        let lines = messages(&[
            (Side::Client, packet(0, b"\x03SELECT 1; SELECT 2")),
            (Side::Server, packet(1, b"\x01")),
            (Side::Server, packet(2, COLUMN)),
            (Side::Server, packet(3, b"\xfe\0\0\x02\0")),
            (Side::Server, packet(4, b"\x011")),
            (Side::Server, packet(5, b"\xfe\0\0\x08\0")),
            (Side::Server, packet(6, b"\x01")),
            (Side::Server, packet(7, COLUMN)),
            (Side::Server, packet(8, b"\xfe\0\0\x02\0\0\0")),
            (Side::Client, packet(0, b"\x0e")),
            (Side::Server, packet(1, b"\xff\x28\x04#42000no")),
        ]);
        let expected = [
            "COM_QUERY SELECT 1; SELECT 2",
            "columns 1 #0",
            "column #0",
            "EOF #0",
            "row #0",
            "EOF #0",
            "columns 1 #0",
            "column #0",
            "OK #0",
            "COM_PING",
            "ERR 1064 no #1",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_prepared_statement_is_answered_with_its_parameters_and_columns() {
        for deprecates in [false, true] {
            let mut packets = vec![
                (Side::Client, packet(0, b"\x16SELECT ?")),
                (Side::Server, packet(1, b"\0\x01\0\0\0\x01\0\x01\0\0\0\0")),
                (Side::Server, packet(2, COLUMN)),
                (Side::Server, packet(3, b"\xfe\0\0\x02\0")),
                (Side::Server, packet(4, COLUMN)),
                (Side::Server, packet(5, b"\xfe\0\0\x02\0")),
                (Side::Client, packet(0, b"\x17\x01\0\0\0\0\x01\0\0\0")),
                (Side::Server, packet(1, b"\0\0\0\x02\0\0\0")),
            ];
            if deprecates {
                packets.retain(|(_, packet)| packet[4] != 0xfe);
                let mut login = vec![0, 2, 0, 1];
                login.extend_from_slice(&[0; 28]);
                login.extend_from_slice(b"me\0\0");
                packets.insert(0, (Side::Client, packet(1, &login)));
                packets.insert(1, (Side::Server, packet(2, b"\0\0\0\x02\0\0\0")));
            }
            let lines = messages(&packets);
            let execute = lines.iter().position(|line| line == "COM_STMT_EXECUTE 1").unwrap();
            assert_eq!(lines[execute + 1], if deprecates { "OK #2" } else { "OK #1" }, "{lines:?}");
            assert!(lines[..execute].iter().any(|line| line.starts_with("parameter")), "{lines:?}");
        }
    }

    #[test]
    fn a_file_follows_a_query_and_an_empty_packet_ends_it() {
        let lines = messages(&[
            (Side::Client, packet(0, b"\x03LOAD DATA LOCAL INFILE 'a'")),
            (Side::Server, packet(1, b"\xfba")),
            (Side::Client, packet(2, b"1,2\n")),
            (Side::Client, packet(3, b"")),
            (Side::Server, packet(4, b"\0\x01\0\x02\0\0\0")),
        ]);
        assert_eq!(lines[1..], ["LOCAL INFILE a #0", "file", "file", "OK #0"]);
    }

    #[test]
    fn packets_of_a_long_file_are_numbered_from_0_again() {
        let mut packets = vec![(Side::Client, packet(0, b"\x03LOAD DATA LOCAL INFILE 'a'"))];
        packets.extend((2..=255).chain(0..2).map(|number| (Side::Client, packet(number, b"\x01"))));
        let lines = messages(&packets);
        assert_eq!(lines.len(), 257);
        assert!(lines[1..].iter().all(|line| line == "file"), "{lines:?}");
    }

    #[test]
    fn compressed_packets_are_opaque_even_in_front_of_the_answer() {
        let mut login = vec![0x20, 2, 0, 0];
        login.extend_from_slice(&[0; 28]);
        login.extend_from_slice(b"me\0\0");
        let mut session = Conversation::new(super::MySql::default());
        let mut kinds = Vec::new();
        let mut out = |message: &enjamb::Message<'_>| kinds.push((message.kind.to_owned(), message.span.length));
        session.feed(Side::Client, &packet(1, &login), &mut out);
        session.feed(Side::Client, b"\x05\0\0\0\0\0\0\x01\0\0\0\x0e", &mut out);
        session.feed(Side::Server, &packet(2, b"\0\0\0\x02\0\0\0"), &mut out);
        session.close(Side::Client, enjamb::Ending::Closed, &mut out);
        assert_eq!(kinds[2], ("opaque".to_owned(), 12));
    }

    #[test]
    fn a_payload_of_several_packets_is_one_message() {
        let mut session = Conversation::new(super::MySql::default());
        let mut spans = Vec::new();
        let mut bytes = b"\xff\xff\xff\0\x03SELECT ".to_vec();
        bytes.resize(4 + 0xff_ffff, b' ');
        bytes.extend_from_slice(b"\0\0\0\x01");
        for chunk in bytes.chunks(1 << 20) {
            session
                .feed(Side::Client, chunk, &mut |message| spans.push((message.kind.to_owned(), message.span.length)));
            assert!(session.held() < 16 << 10);
        }
        assert_eq!(spans, [("COM_QUERY".to_owned(), 0x100_0007)]);
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut login = vec![0x85, 0xa2, 0, 0];
        login.extend_from_slice(&[0; 28]);
        login.extend_from_slice(b"me\0\x06secret");
        let lines = messages(&[
            (Side::Server, packet(0, b"\x0a8.0.1\0")),
            (Side::Client, packet(1, &login)),
            (Side::Server, packet(2, b"\x01\x04")),
            (Side::Client, packet(3, b"secret\0")),
            (Side::Server, packet(4, b"\0\0\0\x02\0\0\0")),
            (Side::Client, packet(0, b"\x11you\0\x06secret")),
        ]);
        let expected =
            ["greeting 8.0.1", "login me", "AuthMoreData #0", "authentication", "OK #0", "COM_CHANGE_USER you"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_login_is_known_without_the_greeting() {
        let mut login = vec![5, 0xa2, 0, 1];
        login.extend_from_slice(&[0; 28]);
        login.extend_from_slice(b"me\0\x06secret");
        let mut session = Conversation::new(super::MySql::default());
        let mut lines = Vec::new();
        for side in Side::BOTH {
            session.gap(side, 0, &mut |_| {});
        }
        let turns = [
            (Side::Client, packet(1, &login)),
            (Side::Server, packet(2, b"\0\0\0\x02\0\0\0")),
            (Side::Client, packet(0, b"\x03SELECT 1")),
            (Side::Server, [packet(1, b"\x01\x01"), packet(2, COLUMN), packet(3, b"\xfe\0\0\x02\0")].concat()),
        ];
        for (side, bytes) in turns {
            session.feed(side, &bytes, &mut |message| lines.push(message.summary.to_string()));
        }
        assert_eq!(lines, ["login me", "OK", "COM_QUERY SELECT 1", "columns 1", "column", "EOF"]);
    }
}
