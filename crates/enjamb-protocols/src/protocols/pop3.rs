//! POP3 (RFC 1939), with `CAPA` (RFC 2449), `AUTH` (RFC 5034) and `STLS` (RFC 2595).
//!
//! A command is a line. A reply is a line, or, if its command asks for more and it is not an error,
//! lines up to one with a dot alone. So the reply's end depends on its command. If the command was
//! not captured, the reply is its first line, and the lines up to the dot are a message of their
//! own of kind `data`.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, known_word, starts_with, starts_with_any, trim_line, words};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Pop3::default)
        .alias("pop")
        .on_ports(&[110])
        .about("POP3 (RFC 1939), with AUTH and STLS")
        .with_kinds("the command, `authentication`; `greeting`, `reply`, `data`")
        .with_attributes(&[Attribute::new(
            "argument",
            AttributeType::Text,
            "the argument of a command, or the text of a reply",
        )])
        .sniffed_by(sniff)
}

/// The rules of POP3.
#[derive(Debug, Default)]
struct Pop3 {
    /// Whether the server has sent its greeting.
    greeted: bool,
    /// Whether the server has sent a reply.
    replied: bool,
    /// Whether the client's next line is part of an authentication.
    authenticating: bool,
}

/// The commands that exist, and their kinds.
const COMMANDS: &[&str] = &[
    "USER", "PASS", "APOP", "AUTH", "CAPA", "STLS", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET",
    "LAST", "QUIT", "UTF8", "LANG", "XTND",
];

/// The details of requests.
const LINES: u64 = 1;
const AUTH: u64 = 2;
const STLS: u64 = 3;

impl Rules for Pop3 {
    const NAME: &'static str = "pop3";
    const SEEK: Seek = Seek::Lines;
    /// Whether the message has several lines.
    type Memo = bool;

    fn next(&self, message: Progress<'_, bool>) -> Result<Next, Fault> {
        match (message.side, message.parts) {
            (_, 0) => return Ok(Next::Line),
            (Side::Client, _) => return Ok(Next::End),
            (Side::Server, 1) => {
                let request = message.requests.oldest();
                *message.memo = match indicator(message.last) {
                    Some("+OK") => request == Some(LINES),
                    Some(_) => false,
                    None if request.is_none() && self.greeted => true,
                    None => return Err(NO_INDICATOR),
                };
            }
            (Side::Server, _) => {}
        }
        let ends = !*message.memo || matches!(message.last, b".\r\n" | b".\n");
        Ok(if ends { Next::End } else { Next::Line })
    }

    fn read<'a>(&mut self, frame: &Frame<'a, bool>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        match frame.side {
            Side::Client => Ok(self.command(frame.head)),
            Side::Server => self.reply(frame.head, requests),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        match side {
            Side::Client => Dialogue::begins_command(COMMANDS, bytes),
            Side::Server => starts_with_any(bytes, &[b"+OK ", b"+OK\r\n", b"-ERR ", b"-ERR\r\n"]),
        }
    }

    fn broken_kind(&self, side: Side, _: &[u8]) -> &'static str {
        match side {
            Side::Client if self.authenticating => "authentication",
            Side::Client => "command",
            Side::Server => "reply",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, bool>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "argument" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, _: Side) {
        self.greeted = true;
        self.authenticating = false;
    }
}

/// The fault of a reply that begins with no status indicator (RFC 1939, section 3).
const NO_INDICATOR: Fault = Fault("a reply begins neither with +OK nor with -ERR");

impl Pop3 {
    fn command<'a>(&self, head: &'a [u8]) -> Report<'a> {
        if self.authenticating {
            return Report::new("authentication").role(Role::Request).detail(AUTH).then(Then::Await);
        }
        let line = trim_line(head);
        let (kind, argument) = known_word(COMMANDS, line).unwrap_or(("command", line));
        let first = words(argument).next().unwrap_or_default();
        let report = Report::new(kind).role(Role::Request).subject(argument);
        match kind {
            "PASS" => report.subject(&b""[..]),
            // The name; a digest behind it proves who the client is.
            "APOP" => report.subject(first),
            "AUTH" if !first.is_empty() => report.subject(first).detail(AUTH).then(Then::Await),
            "STLS" => report.detail(STLS).then(Then::Await),
            "RETR" | "TOP" | "CAPA" | "AUTH" => report.detail(LINES),
            "LIST" | "UIDL" | "LANG" if first.is_empty() => report.detail(LINES),
            _ => report,
        }
    }

    fn reply<'a>(&mut self, head: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let line = trim_line(head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default());
        let request = requests.oldest();
        let first = !std::mem::replace(&mut self.greeted, true);
        let Some(indicator) = indicator(line) else {
            return if request.is_none() && !first { Ok(Report::new("data")) } else { Err(NO_INDICATOR) };
        };
        let text = line.get(indicator.len()..).unwrap_or_default().trim_ascii();
        let replied = std::mem::replace(&mut self.replied, true);
        let (kind, role) = match (first && request.is_none(), indicator) {
            (true, _) => ("greeting", Role::Greeting),
            // The capture may show all of the conversation but the opening of the connection.
            (false, "+OK") if !replied && request.is_none() && is_greeting(line) => ("greeting", Role::Greeting),
            (false, _) => ("reply", Role::Answer { last: true }),
        };
        let report = Report::new(kind).role(role).subject(text);
        let report = match indicator {
            "-ERR" => report.failed(response_code(text).unwrap_or("-ERR")),
            _ => report.code(indicator),
        };
        Ok(match (request, indicator) {
            (Some(AUTH), _) => {
                self.authenticating = indicator == "+";
                // A challenge of the server.
                if indicator == "+" { report.subject(&b""[..]) } else { report }
            }
            (Some(STLS), "+OK") => report.then(Then::Switch("tls")),
            _ => report,
        })
    }
}

/// Returns the status indicator of a reply.
fn indicator(line: &[u8]) -> Option<&'static str> {
    let word = trim_line(line).split(|byte| *byte == b' ').next()?;
    ["+OK", "-ERR", "+"].into_iter().find(|known| known.as_bytes() == word)
}

/// Returns the extended response code of an error (RFC 2449, section 8).
fn response_code(text: &[u8]) -> Option<&str> {
    let rest = text.strip_prefix(b"[")?;
    let end = rest.iter().position(|byte| *byte == b']')?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// Returns whether a line that begins with `+OK ` is surely a greeting.
fn is_greeting(line: &[u8]) -> bool {
    // The time stamp for APOP is a message identifier: <1896.697170952@dbc.mtview.ca.us>.
    let has_stamp = line.iter().position(|byte| *byte == b'<').is_some_and(|at| line[at..].contains(&b'@'));
    has_stamp || line.windows(3).any(|part| part.eq_ignore_ascii_case(b"POP"))
}

/// Returns whether the first bytes of a connection are POP3.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Client {
        let likely = Dialogue::begins_command(&["USER", "AUTH", "NOOP", "QUIT"], first);
        return starts_with_any(first, &[b"CAPA\r\n", b"APOP ", b"STLS\r\n", b"UIDL\r\n"]).or_maybe(likely);
    }
    let likely = Pop3::default().begins(side, first);
    match starts_with(first, b"+OK ") {
        Sniff::Yes => {}
        other => return other.or_maybe(likely),
    }
    let end = first.iter().position(|byte| *byte == b'\n');
    let line = &first[..end.unwrap_or(first.len())];
    if is_greeting(line) {
        Sniff::Yes
    } else if end.is_some() {
        Sniff::Maybe
    } else {
        Sniff::More
    }
}

#[cfg(test)]
mod tests {
    use crate::protocols::testing::{C, S};
    use crate::registry::Registry;

    #[test]
    fn replies_on_its_port_are_not_taken_for_redis() {
        let mut session = Registry::builtin().resolve("auto").unwrap().session(Some(110));
        let mut lines = Vec::new();
        for side in [C, S] {
            session.gap(side, 0, &mut |_| {});
        }
        for (side, text) in [(S, "+OK\r\n"), (C, "STAT\r\n"), (S, "+OK 2 320\r\n")] {
            session.feed(side, text.as_bytes(), &mut |message| lines.push(message.summary.to_string()));
        }
        assert_eq!(lines, ["reply +OK", "STAT", "reply +OK 2 320"]);
    }
}
