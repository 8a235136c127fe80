//! The control connection of FTP (RFC 959), with `AUTH TLS` (RFC 4217).
//!
//! A command is a line. A reply begins with a code; several lines of it end at a line that begins
//! with the same code and a blank (section 4.2). A reply below 200 is followed by another one to
//! the same command.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{Dialogue, known_word, reply_code, trim_line, words};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Ftp::default)
        .on_ports(&[21])
        .about("the control connection of FTP (RFC 959), with AUTH TLS")
        .with_kinds("the command; `greeting`, `reply`")
        .with_attributes(&[Attribute::new(
            "argument",
            AttributeType::Text,
            "the argument of a command, or the text of a reply",
        )])
        .sniffed_by(sniff)
}

/// The rules of FTP.
#[derive(Debug, Default)]
struct Ftp {
    /// Whether the server has sent its greeting.
    greeted: bool,
}

/// The commands that exist (RFC 959, RFC 2228, RFC 2389, RFC 2428, RFC 2640, RFC 3659, RFC 7151),
/// and their kinds.
const COMMANDS: &[&str] = &[
    "USER", "PASS", "ACCT", "CWD", "CDUP", "SMNT", "QUIT", "REIN", "PORT", "PASV", "TYPE", "STRU", "MODE", "RETR",
    "STOR", "STOU", "APPE", "ALLO", "REST", "RNFR", "RNTO", "ABOR", "DELE", "RMD", "MKD", "PWD", "LIST", "NLST",
    "SITE", "SYST", "STAT", "HELP", "NOOP", "AUTH", "ADAT", "PROT", "PBSZ", "CCC", "MIC", "CONF", "ENC", "FEAT",
    "OPTS", "EPRT", "EPSV", "LPRT", "LPSV", "LANG", "MDTM", "MLSD", "MLST", "SIZE", "HOST", "XCUP", "XCWD", "XMKD",
    "XPWD", "XRMD", "CLNT", "MFMT", "MFF", "MFCT", "XCRC", "XMD5", "XSHA1", "XSHA256", "HASH", "AVBL", "CSID",
];

/// The detail of a request to protect the connection.
const AUTH: u64 = 1;

/// The byte with which a command of Telnet begins (RFC 854). One may go before `ABOR`.
const IAC: u8 = 0xff;

impl Rules for Ftp {
    const NAME: &'static str = "ftp";
    const SEEK: Seek = Seek::Lines;
    const ALTERNATES: bool = true;
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        match (message.side, message.parts) {
            (_, 0) => Ok(Next::Line),
            (Side::Client, _) => Ok(Next::End),
            (Side::Server, 1) => Dialogue::next(message.last),
            (Side::Server, _) => {
                let [a, b, c] = [0, 1, 2].map(|at| message.head.get(at).copied().unwrap_or_default());
                let ends = matches!(message.last, [x, y, z, b' ' | b'\r' | b'\n', ..] if [*x, *y, *z] == [a, b, c]);
                Ok(if ends { Next::End } else { Next::Line })
            }
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        match frame.side {
            Side::Client => Ok(command(frame.head)),
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
        if side == Side::Client { "command" } else { "reply" }
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
        self.greeted = true;
    }
}

fn command(head: &[u8]) -> Report<'_> {
    let line = without_telnet(trim_line(head));
    let (kind, argument) = known_word(COMMANDS, line).unwrap_or(("command", line));
    let report = Report::new(kind).role(Role::Request).subject(argument);
    match kind {
        "PASS" | "ACCT" | "ADAT" => report.subject(&b""[..]),
        // The new password of SITE PSWD is a secret, and so are others.
        "SITE" => report.subject(words(argument).next().unwrap_or_default()),
        "AUTH" => report.detail(AUTH).then(Then::Await),
        _ => report,
    }
}

impl Ftp {
    fn reply<'a>(&mut self, head: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let request = requests.oldest();
        let first = !std::mem::replace(&mut self.greeted, true) && request.is_none();
        let (code, text) = reply_code(head).ok_or(Fault("a reply does not begin with a code of three digits"))?;
        let last = code.as_bytes() >= b"200".as_slice();
        let report = match (first, code) {
            // A 120 announces that the greeting comes later (section 5.4).
            (true, "120") => {
                self.greeted = false;
                Report::new("greeting")
            }
            (true, _) => Report::new("greeting"),
            (false, "421") if request.is_none() => Report::new("reply"),
            _ => Report::new("reply").role(Role::Answer { last }),
        };
        let report = report.subject(text);
        let report = if code.as_bytes() >= b"400".as_slice() { report.failed(code) } else { report.code(code) };
        Ok(if (request, code) == (Some(AUTH), "234") { report.then(Then::Switch("tls")) } else { report })
    }
}

/// Returns a line without the commands of Telnet before it.
fn without_telnet(mut line: &[u8]) -> &[u8] {
    while let [IAC, _, rest @ ..] = line {
        line = rest;
    }
    line
}

/// Returns whether the first bytes of a connection are FTP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Client {
        // Other commands do not begin a connection, and text that is no FTP may begin with their
        // words.
        return Sniff::No.or_maybe(Dialogue::begins_command(&["USER", "AUTH", "FEAT", "HOST", "NOOP", "QUIT"], first));
    }
    let likely = Dialogue::likely_greeting(first);
    let Some(end) = first.iter().position(|byte| *byte == b'\n') else {
        return Dialogue::greeting(first, "220", &[]);
    };
    // The host of a mail server may be called ftp.
    match Dialogue::greeting(&first[..=end], "220", &["SMTP", "LMTP"]) {
        Sniff::Yes => Sniff::No,
        _ => Dialogue::greeting(&first[..=end], "220", &["FTP", "FileZilla"]).or_maybe(likely),
    }
}
