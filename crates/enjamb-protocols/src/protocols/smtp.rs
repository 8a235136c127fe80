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
use crate::text::{Dialogue, known_word, reply_code, starts_with, trim_line};

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
    /// Whether the client's last command is STARTTLS.
    asks_tls: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    #[default]
    Commands,
    /// `DATA` was sent. The reply is not known, or not captured: a line that is no command begins
    /// the mail.
    AfterData,
    Mail,
    /// `AUTH` was sent, likewise.
    AfterAuth,
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
            (Side::Client, parts) if self.is_mail(message.last, parts) => {
                // Some servers accept a bare LF, too.
                let ends = matches!(message.last, b".\r\n" | b".\n");
                Ok(if ends { Next::End } else { Next::Line })
            }
            (Side::Client, 1) if self.client != Client::Authentication => {
                Ok(Next::SkipLast(chunk_length(message.last)?))
            }
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
            Side::Client => begins_command(bytes),
            Side::Server => Dialogue::begins_reply(bytes),
        }
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        match (side, self.client) {
            (Side::Server, _) => "reply",
            (_, Client::Mail) => "mail",
            (_, Client::Authentication) => "authentication",
            (_, Client::AfterData) if head.contains(&b'\n') => "mail",
            _ => "command",
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

    fn lost(&mut self, side: Side) {
        self.client = match self.client {
            _ if side == Side::Client => Client::Commands,
            Client::Authentication => Client::AfterAuth,
            client => client,
        };
    }
}

impl Smtp {
    /// Returns whether a line of the client, the last one of `parts`, is one of a mail.
    fn is_mail(&self, line: &[u8], parts: u64) -> bool {
        match self.client {
            Client::Mail => true,
            Client::AfterData => parts > 1 || known_word(COMMANDS, trim_line(line)).is_none(),
            _ => false,
        }
    }

    fn command<'a>(&mut self, head: &'a [u8]) -> Report<'a> {
        let line = trim_line(head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default());
        if self.is_mail(line, 1) {
            self.client = Client::Commands;
            return Report::new("mail").role(Role::Request);
        }
        let known = known_word(COMMANDS, line);
        if self.client == Client::Authentication || (self.client == Client::AfterAuth && known.is_none()) {
            return Report::new("authentication").role(Role::Request).detail(AUTH).then(Then::Await);
        }
        let (kind, argument) = known.unwrap_or(("command", line));
        self.client = match kind {
            "DATA" => Client::AfterData,
            "AUTH" => Client::AfterAuth,
            _ => Client::Commands,
        };
        self.asks_tls = kind == "STARTTLS";
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
            (true, "220") => Report::new("greeting").role(Role::Greeting),
            (true, "421" | "554") => Report::new("greeting"),
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
            // If the command was lost, its mail is skipped.
            (None, "354") if self.client == Client::AfterData => {
                self.client = Client::Mail;
                report
            }
            (Some(AUTH), "334") => {
                self.client = Client::Authentication;
                report
            }
            (None, "334") => {
                self.client = Client::AfterAuth;
                report
            }
            (Some(AUTH), _) | (None, "235" | "535") => {
                self.client = Client::Commands;
                report
            }
            (Some(DATA), _) if self.client == Client::AfterData => {
                self.client = Client::Commands;
                report
            }
            (Some(STARTTLS), "220") => report.then(Then::Switch("tls")),
            (None, "220") if self.asks_tls && !first => report.then(Then::Switch("tls")),
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

/// Returns whether a line is a command with its argument: a line of a mail may begin with the word
/// of one.
fn begins_command(bytes: &[u8]) -> Sniff {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let line = trim_line(&bytes[..end.map_or(bytes.len(), |at| at + 1)]);
    let word = match Dialogue::begins_command(COMMANDS, bytes) {
        Sniff::Yes => line.split(|byte| *byte == b' ').next().unwrap_or_default().to_ascii_uppercase(),
        other => return other,
    };
    let argument = line.get(word.len() + 1..).unwrap_or_default();
    let sure = |fits: bool| match (fits, end) {
        (false, _) => Sniff::No,
        (true, Some(_)) => Sniff::Yes,
        (true, None) if bytes.len() > 128 => Sniff::No,
        (true, None) => Sniff::More,
    };
    match &word[..] {
        b"MAIL" => starts_with(argument, b"FROM:"),
        b"RCPT" => starts_with(argument, b"TO:"),
        b"EHLO" | b"HELO" | b"LHLO" | b"AUTH" | b"VRFY" | b"EXPN" => {
            sure(end.is_none() || !argument.is_empty() && (word[..] == *b"AUTH" || !argument.contains(&b' ')))
        }
        b"BDAT" => match argument.first() {
            None if end.is_none() => Sniff::More,
            first => {
                if first.is_some_and(u8::is_ascii_digit) {
                    Sniff::Yes
                } else {
                    Sniff::No
                }
            }
        },
        b"DATA" | b"RSET" | b"QUIT" | b"NOOP" | b"STARTTLS" | b"HELP" => sure(argument.is_empty()),
        _ => Sniff::No,
    }
}

/// Returns whether the first bytes of a connection are SMTP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    match side {
        Side::Client => Dialogue::begins_command(&["EHLO", "LHLO", "HELO"], first)
            .or_maybe(Dialogue::begins_command(&["NOOP", "HELP", "QUIT"], first)),
        Side::Server => Dialogue::greeting(first, "220", &["SMTP", "LMTP"]).or_maybe(Dialogue::likely_greeting(first)),
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use super::Smtp;
    use crate::kit::Conversation;
    use crate::protocols::testing::{C, S};

    /// Returns kinds and subjects of a conversation whose beginning is not in the capture.
    fn joined(turns: &[(Side, &str)]) -> Vec<String> {
        let mut session = Conversation::new(Smtp::default());
        let mut lines = Vec::new();
        for side in Side::BOTH {
            session.gap(side, 0, &mut |_| {});
        }
        for (side, text) in turns {
            for chunk in text.as_bytes().chunks(5) {
                session.feed(*side, chunk, &mut |message| lines.push(message.summary.to_string()));
            }
        }
        lines
    }

    #[test]
    fn a_mail_is_known_by_its_reply_and_by_its_lines() {
        let mail = "Subject: Data\r\n\r\nQuit reading.\r\n.\r\n";
        let with_reply = joined(&[
            (C, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
            (S, "250 OK\r\n250 OK\r\n354 Go on\r\n"),
            (C, mail),
            (C, "QUIT\r\n"),
        ]);
        assert_eq!(with_reply[6..], ["mail", "QUIT"], "{with_reply:?}");
        let one_side = joined(&[(C, "DATA\r\n"), (C, mail), (C, "RSET\r\nDATA\r\nQUIT\r\n")]);
        assert_eq!(one_side, ["DATA", "mail", "RSET", "DATA", "QUIT"]);
    }

    #[test]
    fn secrets_of_an_authentication_stay_hidden_if_its_replies_are_not_known() {
        let lines = joined(&[(C, "AUTH LOGIN\r\n"), (C, "YWxpY2U=\r\naG9yc2U=\r\n"), (C, "MAIL FROM:<a@b>\r\n")]);
        assert_eq!(lines, ["AUTH LOGIN", "authentication", "authentication", "MAIL FROM:<a@b>"]);
    }

    #[test]
    fn a_line_of_a_mail_begins_no_conversation() {
        let lines = joined(&[(C, "Data that was\r\nhelp me\r\n.\r\nmail from:<a@b>\r\n")]);
        assert_eq!(lines, ["not parsed", "MAIL from:<a@b>"]);
    }

    #[test]
    fn behind_a_greeting_replies_find_their_commands() {
        let lines = joined(&[(S, "220 mail.example\r\n"), (C, "EHLO me\r\nSTARTTLS\r\n"), (S, "250 OK\r\n220 Go\r\n")]);
        assert_eq!(lines, ["greeting 220 mail.example", "EHLO me", "STARTTLS", "reply 250 OK", "reply 220 Go"]);
    }
}
