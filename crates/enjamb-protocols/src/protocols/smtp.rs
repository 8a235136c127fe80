//! SMTP (RFC 5321), with pipelining (RFC 2920), `BDAT` (RFC 3030), `AUTH` (RFC 4954) and `STARTTLS`
//! (RFC 3207).
//!
//! A command is a line, and a reply is one line or several. Behind the 354 to `DATA` the client
//! sends a mail, which ends at a line with a dot alone and is a message of its own. The bytes of a
//! `BDAT` belong to it. Behind the answer to `AUTH` the client sends lines that are secret.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, known_word, reply_code, trim_line};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Smtp::default)
        .on_ports(&[25, 587])
        .about("SMTP (RFC 5321), with BDAT, AUTH and STARTTLS")
        .with_kinds("the command, `mail`, `authentication`; `greeting`, `reply`")
        .with_attributes(&[Attribute::new(
            "argument",
            AttributeType::Text,
            "the argument of a command, or the text of a reply",
        )])
        .sniffed_by(sniff)
}

/// The rules of SMTP. The state is the form of the client's next message.
#[derive(Debug, Default)]
struct Smtp {
    client: Client,
    /// Whether the server has sent its greeting.
    greeted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    #[default]
    Commands,
    Mail,
    Authentication,
}

/// The commands that exist, and their kinds.
const COMMANDS: &[&str] = &[
    "EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "VRFY", "EXPN", "HELP", "NOOP", "QUIT", "AUTH", "STARTTLS",
    "ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "XCLIENT", "XFORWARD", "LHLO",
];

/// The details of requests.
const DATA: u64 = 1;
const AUTH: u64 = 2;
const STARTTLS: u64 = 3;

impl Rules for Smtp {
    const NAME: &'static str = "smtp";
    const SEEK: Seek = Seek::Lines;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match (message.side, message.parts) {
            (_, 0) => Ok(Next::Line),
            (Side::Client, _) if self.client == Client::Mail => {
                // Some servers accept a bare LF, too.
                let ends = matches!(message.last, b".\r\n" | b".\n");
                Ok(if ends { Next::End } else { Next::Line })
            }
            (Side::Client, 1) if self.client == Client::Commands => Ok(Next::SkipLast(chunk_length(message.last)?)),
            (Side::Client, _) => Ok(Next::End),
            (Side::Server, _) => Dialogue::next(message.last),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        match frame.side {
            Side::Client => Ok(self.command(frame.head)),
            Side::Server => self.reply(frame.head, requests),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        match side {
            Side::Client => Dialogue::begins_command(COMMANDS, bytes),
            Side::Server => Dialogue::begins_reply(bytes),
        }
    }

    fn broken_kind(&self, side: Side, _: &[u8]) -> &'static str {
        match (side, self.client) {
            (Side::Server, _) => "reply",
            (_, Client::Commands) => "command",
            (_, Client::Mail) => "mail",
            (_, Client::Authentication) => "authentication",
        }
    }

    fn attribute<'s>(
        &'s self,
        _: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        (name == "argument" && !report.subject.is_empty()).then(|| AttributeValue::text(&report.subject))
    }

    fn lost(&mut self, _: Side) {
        self.client = Client::Commands;
    }
}

impl Smtp {
    fn command<'a>(&mut self, head: &'a [u8]) -> Report<'a> {
        match self.client {
            Client::Mail => {
                self.client = Client::Commands;
                return Report::new("mail").role(Role::Request);
            }
            Client::Authentication => {
                return Report::new("authentication").role(Role::Request).detail(AUTH).then(Then::Await);
            }
            Client::Commands => {}
        }
        let line = trim_line(head);
        let (kind, argument) = known_word(COMMANDS, line).unwrap_or(("command", line));
        let report = Report::new(kind).role(Role::Request).subject(argument);
        match kind {
            "DATA" => report.detail(DATA).then(Then::Await),
            "STARTTLS" => report.detail(STARTTLS).then(Then::Await),
            // The mechanism; a response behind it is a secret.
            "AUTH" => {
                let mechanism = argument.split(|byte| *byte == b' ').next().unwrap_or_default();
                report.subject(mechanism).detail(AUTH).then(Then::Await)
            }
            _ => report,
        }
    }

    fn reply<'a>(&mut self, head: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let (code, text) = reply_code(head).ok_or(Fault("a reply does not begin with a code of three digits"))?;
        let first = !std::mem::replace(&mut self.greeted, true);
        let request = requests.oldest();
        let report = match (first && request.is_none(), code) {
            (true, _) => Report::new("greeting"),
            // A server may close the connection at any time (RFC 5321, section 3.8).
            (false, "421") if request.is_none() => Report::new("reply"),
            _ => Report::new("reply").role(Role::Answer { last: true }),
        };
        let report = report.subject(text);
        let report = if code.as_bytes() >= b"400".as_slice() { report.failed(code) } else { report.code(code) };
        Ok(match (request, code) {
            (Some(DATA), "354") => {
                self.client = Client::Mail;
                report
            }
            (Some(AUTH), "334") => {
                self.client = Client::Authentication;
                report
            }
            (Some(AUTH), _) => {
                self.client = Client::Commands;
                report
            }
            (Some(STARTTLS), "220") => report.then(Then::Switch("tls")),
            _ => report,
        })
    }
}

/// Returns the length of the chunk behind a `BDAT` line (RFC 3030, section 2); 0 for other lines.
fn chunk_length(line: &[u8]) -> Result<u64, Fault> {
    let mut words = trim_line(line).split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"BDAT")) {
        return Ok(0);
    }
    let length =
        words.next().and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
    // The server refuses it and reads a command next.
    Ok(length.unwrap_or(0))
}

/// Returns whether the first bytes of a connection are SMTP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    match side {
        Side::Client => Dialogue::begins_command(&["EHLO", "LHLO", "HELO"], first)
            .or_maybe(Dialogue::begins_command(&["NOOP", "HELP", "QUIT"], first)),
        Side::Server => Dialogue::greeting(first, "220", &["SMTP", "LMTP"]).or_maybe(Dialogue::likely_greeting(first)),
    }
}
