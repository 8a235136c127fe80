//! IRC (RFC 1459, RFC 2812), with tags and capabilities (`IRCv3`).
//!
//! A message is a line: tags, a prefix, a command or a numeric, and parameters. Most messages
//! answer nothing that can be named; a `PONG` answers the `PING` with the same text.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, id_of, starts_with_any, trim_line};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(|| Irc)
        .on_ports(&[6667, 6666, 6668, 6669, 7000, 194])
        .about("IRC (RFC 2812), with the tags of IRCv3")
        .with_kinds("the command; `numeric`")
        .with_attributes(&[
            Attribute::new("prefix", AttributeType::Text, "the sender of a message, as the server writes it"),
            Attribute::new("target", AttributeType::Text, "the first parameter: a channel, a nickname or a text"),
        ])
        .sniffed_by(sniff)
}

/// The rules of IRC.
#[derive(Debug)]
struct Irc;

/// The commands that exist, and their kinds.
const COMMANDS: &[&str] = &[
    "PASS",
    "NICK",
    "USER",
    "SERVER",
    "OPER",
    "QUIT",
    "SQUIT",
    "JOIN",
    "PART",
    "MODE",
    "TOPIC",
    "NAMES",
    "LIST",
    "INVITE",
    "KICK",
    "VERSION",
    "STATS",
    "LINKS",
    "TIME",
    "CONNECT",
    "TRACE",
    "ADMIN",
    "INFO",
    "PRIVMSG",
    "NOTICE",
    "WHO",
    "WHOIS",
    "WHOWAS",
    "KILL",
    "PING",
    "PONG",
    "ERROR",
    "AWAY",
    "REHASH",
    "RESTART",
    "SUMMON",
    "USERS",
    "WALLOPS",
    "USERHOST",
    "ISON",
    "SERVICE",
    "SERVLIST",
    "SQUERY",
    "MOTD",
    "LUSERS",
    "DIE",
    "NJOIN",
    "CAP",
    "AUTHENTICATE",
    "ACCOUNT",
    "BATCH",
    "CHGHOST",
    "SETNAME",
    "TAGMSG",
    "STARTTLS",
    "MONITOR",
    "METADATA",
    "FAIL",
    "WARN",
    "NOTE",
    "KNOCK",
    "WATCH",
    "PROTOCTL",
    "NICKSERV",
    "CHANSERV",
    "NS",
    "CS",
    "HELP",
    "MAP",
    "ACK",
    "REDACT",
];

/// The number of a `STARTTLS` among requests: above all texts of up to seven bytes, and no hash.
const STARTTLS_ID: u64 = 1 << 62;

/// The longest line that is whole in `begins`.
const PREFIX_MAX: usize = 256;

/// The parts of a line.
#[derive(Debug, Default)]
struct Line<'a> {
    prefix: &'a [u8],
    command: &'a [u8],
    /// The parameters, with the last one's colon.
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Self {
        let mut rest = trim_line(line).trim_ascii_start();
        if rest.first() == Some(&b'@') {
            rest = take_word(rest).1;
        }
        let mut prefix = &rest[..0];
        if rest.first() == Some(&b':') {
            (prefix, rest) = take_word(&rest[1..]);
        }
        let (command, rest) = take_word(rest);
        Self { prefix, command, rest }
    }

    fn parameters(&self) -> Parameters<'a> {
        Parameters { rest: self.rest }
    }

    fn numeric(&self) -> Option<&'a str> {
        let is_numeric = matches!(self.command, [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_digit()));
        std::str::from_utf8(self.command).ok().filter(|_| is_numeric)
    }
}

/// The parameters of a line, without the colon.
#[derive(Debug)]
struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parameters<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let [b':', last @ ..] = self.rest {
            self.rest = &[];
            return Some(last);
        }
        let (word, rest) = take_word(self.rest);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// Returns the first word, and what follows its blanks.
fn take_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let rest = &text[end..];
    (&text[..end], &rest[rest.iter().take_while(|byte| **byte == b' ').count()..])
}

impl Rules for Irc {
    const NAME: &'static str = "irc";
    const SEEK: Seek = Seek::Lines;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        Ok(if message.parts == 0 { Next::Line } else { Next::End })
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let line = Line::parse(frame.head);
        if line.command.is_empty() {
            return if trim_line(frame.head).is_empty() {
                Ok(Report::new("blank"))
            } else {
                Err(Fault("a line has no command"))
            };
        }
        let first = line.parameters().next().unwrap_or_default();
        if let Some(code) = line.numeric() {
            return Ok(numeric(code, &line, requests));
        }
        let kind = kind(line.command);
        let report = Report::new(kind).subject(first);
        Ok(match kind {
            // Passwords, and what a client tells a service, may be secrets.
            "PASS" | "AUTHENTICATE" | "NICKSERV" | "CHANSERV" | "NS" | "CS" => report.subject(&b""[..]),
            "PING" => report.role(Role::RequestWithId(id_of(first))),
            // A server names itself first.
            "PONG" => {
                let text = line.parameters().last().unwrap_or_default();
                report.role(Role::AnswerWithId { id: id_of(text), last: true })
            }
            "STARTTLS" if frame.side == Side::Client => report.role(Role::RequestWithId(STARTTLS_ID)).then(Then::Await),
            "ERROR" => report.failed("ERROR"),
            _ => report,
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        let mut rest = bytes;
        for mark in [b'@', b':'] {
            if rest.first() == Some(&mark) {
                let Some(end) = rest.iter().position(|byte| *byte == b' ') else {
                    return if rest.contains(&b'\n') || rest.len() > PREFIX_MAX { Sniff::No } else { Sniff::More };
                };
                rest = &rest[end + 1..];
            }
        }
        let has_prefix = rest.len() < bytes.len();
        match rest {
            [a, b, c, b' ', ..] if has_prefix && [a, b, c].iter().all(|byte| byte.is_ascii_digit()) => Sniff::Yes,
            [] => Sniff::More,
            digits if has_prefix && digits.len() < 4 && digits.iter().all(u8::is_ascii_digit) => Sniff::More,
            rest => Dialogue::begins_command(COMMANDS, rest),
        }
    }

    fn broken_kind(&self, _: Side, head: &[u8]) -> &'static str {
        let line = Line::parse(head);
        if line.numeric().is_some() { "numeric" } else { kind(line.command) }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let value = match name {
            "prefix" => Line::parse(frame.head).prefix,
            "target" => &report.subject,
            _ => return None,
        };
        (!value.is_empty()).then(|| AttributeValue::text(value))
    }
}

/// Describes a numeric (RFC 2812, section 5). From 400 to 599 it is an error.
fn numeric<'a>(code: &'a str, line: &Line<'a>, requests: Requests<'_>) -> Report<'a> {
    let subject = line.parameters().nth(1).unwrap_or_default();
    let report = Report::new("numeric").subject(subject);
    let is_error =
        matches!(code.as_bytes(), [b'4' | b'5', ..]) || matches!(code, "691" | "902" | "904" | "905" | "906");
    let report = if is_error { report.failed(code) } else { report.code(code) };
    let answers_starttls = match code {
        "670" | "691" => true,
        "421" | "451" => requests.with_id(STARTTLS_ID).is_some(),
        _ => false,
    };
    if !answers_starttls {
        return report;
    }
    let report = report.role(Role::AnswerWithId { id: STARTTLS_ID, last: true });
    if code == "670" && requests.with_id(STARTTLS_ID).is_some() { report.then(Then::Switch("tls")) } else { report }
}

/// Returns the kind of a command.
fn kind(command: &[u8]) -> &'static str {
    COMMANDS.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(command)).copied().unwrap_or("command")
}

/// Returns whether the first bytes of a connection are IRC.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Client {
        let sure = starts_with_any(first, &[b"NICK ", b"CAP LS", b"CAP REQ", b"PRIVMSG ", b"JOIN #", b"JOIN :#"]);
        return sure.or_maybe(Dialogue::begins_command(&["PASS", "USER", "CAP", "SERVER"], first));
    }
    let notice = starts_with_any(first, &[b"NOTICE AUTH :", b"NOTICE * :", b"ERROR :"]);
    let Some(rest) = first.strip_prefix(b":") else { return notice };
    let Some(end) = rest.iter().position(|byte| *byte == b' ') else {
        return if rest.iter().any(u8::is_ascii_whitespace) { Sniff::No } else { Sniff::More };
    };
    let commands: &[&[u8]] =
        &[b"NOTICE ", b"PRIVMSG ", b"001 ", b"020 ", b"CAP ", b"451 ", b"433 ", b"JOIN ", b"PING "];
    starts_with_any(&rest[end + 1..], commands).or_maybe(Irc.begins(side, first))
}
