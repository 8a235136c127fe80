//! IMAP (RFC 9051), with `IDLE` (RFC 2177), `LITERAL+` (RFC 7888), `COMPRESS` (RFC 4978) and
//! `STARTTLS`.
//!
//! A command or a response is a line. A literal, `{5}` at the end of a line, belongs to it, and so
//! does the line that continues behind it. Commands and their responses are paired by the tag.
//!
//! A client sends a literal only when the server has asked for it with `+`, except `{5+}`. The
//! server may refuse instead. So the client's message ends at such a line, and the literal is a
//! message of its own. The same is true of the lines behind `AUTHENTICATE` and of the `DONE` behind
//! `IDLE`: the `+` answers the first message, and the tagged response the last one.

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Seek, Then};
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::text::{id_of, known_word, number, starts_with, starts_with_any, trim_line, words};

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Imap::default)
        .alias("imap4")
        .on_ports(&[143])
        .about("IMAP (RFC 9051), with literals, IDLE, AUTHENTICATE, STARTTLS and COMPRESS")
        .with_kinds("the command, `literal`, `authentication`, `DONE`; `greeting`, `response`, `continuation`, `status`, the untagged response")
        .with_attributes(&[Attribute::new("tag", AttributeType::Text, "the tag of a command or of a tagged response")])
        .sniffed_by(sniff)
}

/// The rules of IMAP.
#[derive(Debug, Default)]
struct Imap {
    /// Whether the server has sent its greeting.
    greeted: bool,
    client: Client,
    /// The tag of the command that waits for a `+`.
    waiting: Option<u64>,
}

/// The form of the client's next message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    #[default]
    Commands,
    /// A literal of the command with this tag.
    Literal { tag: u64, length: u64, is_secret: bool },
    /// A secret line.
    Authentication { tag: u64 },
    /// The line that ends an `IDLE`.
    Idle { tag: u64 },
}

/// The commands that exist, and their kinds.
const COMMANDS: &[&str] = &[
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "STARTTLS",
    "AUTHENTICATE",
    "LOGIN",
    "ENABLE",
    "SELECT",
    "EXAMINE",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "LIST",
    "LSUB",
    "XLIST",
    "NAMESPACE",
    "STATUS",
    "APPEND",
    "IDLE",
    "CLOSE",
    "UNSELECT",
    "EXPUNGE",
    "SEARCH",
    "FETCH",
    "STORE",
    "COPY",
    "MOVE",
    "UID",
    "CHECK",
    "ID",
    "COMPRESS",
    "GETQUOTA",
    "GETQUOTAROOT",
    "SETQUOTA",
    "GETACL",
    "SETACL",
    "DELETEACL",
    "LISTRIGHTS",
    "MYRIGHTS",
    "SORT",
    "THREAD",
    "GETMETADATA",
    "SETMETADATA",
    "NOTIFY",
    "CATENATE",
    "REPLACE",
    "UNAUTHENTICATE",
    "RLIST",
    "RLSUB",
    "PROXYAUTH",
    "LANGUAGE",
    "COMPARATOR",
    "CANCELUPDATE",
    "ESEARCH",
    "GENURLAUTH",
    "RESETKEY",
    "URLFETCH",
    "BURL",
];

/// The untagged responses that exist, and their kinds.
const RESPONSES: &[&str] = &[
    "CAPABILITY",
    "ENABLED",
    "LIST",
    "LSUB",
    "XLIST",
    "NAMESPACE",
    "STATUS",
    "SEARCH",
    "ESEARCH",
    "SORT",
    "THREAD",
    "FLAGS",
    "EXISTS",
    "RECENT",
    "EXPUNGE",
    "VANISHED",
    "FETCH",
    "ID",
    "QUOTA",
    "QUOTAROOT",
    "ACL",
    "LISTRIGHTS",
    "MYRIGHTS",
    "METADATA",
    "LANGUAGE",
    "COMPARATOR",
    "GENURLAUTH",
    "URLFETCH",
    "CONVERTED",
];

/// The words that begin a status response.
const STATUSES: &[&str] = &["OK", "NO", "BAD", "PREAUTH", "BYE"];

/// The details of requests: what the client sends next if the server asks for more.
const LITERAL: u64 = 1;
const AUTHENTICATE: u64 = 2;
const IDLE: u64 = 3;
const STARTTLS: u64 = 4;
const COMPRESS: u64 = 5;
/// A literal that may be a password.
const SECRET: u64 = 6;
/// Such a request has the length of its literal above these bits.
const DETAIL_BITS: u32 = 3;

/// The maximum length of a literal whose `+` is awaited, since the detail has it: 2^61 - 1 bytes.
const LITERAL_MAX: u64 = u64::MAX >> DETAIL_BITS;

/// The longest tag that is recognised.
const TAG_MAX: usize = 64;

/// The memory of `next`.
#[derive(Clone, Copy, Debug, Default)]
struct Progressing {
    /// Whether the last part was a literal.
    in_literal: bool,
    /// The length of the literal behind the message, whose `+` is awaited.
    awaited: Option<u64>,
}

impl Rules for Imap {
    const NAME: &'static str = "imap";
    const SEEK: Seek = Seek::Lines;
    /// A literal is announced at the end of a line, so all of the line is kept.
    const KEPT_MAX: usize = 64 << 10;
    /// The numbers of a `SEARCH` are one line.
    const LINE_MAX: u64 = 1 << 20;
    type Memo = Progressing;

    fn next(&self, message: Progress<'_, Progressing>) -> Result<Next, Fault> {
        let memo = message.memo;
        match (message.side, self.client, message.parts) {
            (Side::Client, Client::Literal { length, .. }, 0) if length > 0 => {
                memo.in_literal = true;
                return Ok(Next::Body(length));
            }
            (_, _, 0) => return Ok(Next::Line),
            (Side::Client, Client::Authentication { .. } | Client::Idle { .. }, _) => return Ok(Next::End),
            _ => {}
        }
        if std::mem::take(&mut memo.in_literal) {
            return Ok(Next::Line);
        }
        // Text for people has no literals.
        let is_text = message.side == Side::Server && message.parts == 1 && is_text(message.last);
        let Some(Literal { length, asks }) = Literal::at_end(message.last)?.filter(|_| !is_text) else {
            return Ok(Next::End);
        };
        if message.side == Side::Client && asks {
            memo.awaited = Some(length);
            return Ok(Next::End);
        }
        if length == 0 {
            return Ok(Next::Line);
        }
        memo.in_literal = true;
        Ok(Next::Body(length))
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Progressing>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        match frame.side {
            Side::Client => self.command(frame),
            Side::Server => self.response(frame.head, requests),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        if side == Side::Server {
            match starts_with_any(bytes, &[b"* ", b"+ "]) {
                Sniff::Yes => return Sniff::Yes,
                Sniff::More if bytes.len() < 2 => return Sniff::More,
                _ => {}
            }
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b' ') else {
            return if is_tag(bytes) || bytes.is_empty() { Sniff::More } else { Sniff::No };
        };
        if !is_tag(&bytes[..end]) {
            return Sniff::No;
        }
        let words = if side == Side::Client { COMMANDS } else { &STATUSES[..3] };
        crate::text::Dialogue::begins_command(words, &bytes[end + 1..])
    }

    fn broken_kind(&self, side: Side, _: &[u8]) -> &'static str {
        match (side, self.client) {
            (Side::Server, _) => "response",
            (_, Client::Commands) => "command",
            (_, Client::Literal { is_secret: false, .. }) => "literal",
            (_, Client::Literal { .. }) => "authentication",
            (_, Client::Authentication { .. }) => "authentication",
            (_, Client::Idle { .. }) => "DONE",
        }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Progressing>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let tag = words(frame.head).next()?;
        let has_tag = !matches!(report.kind, "literal" | "authentication" | "DONE" | "blank") && is_tag(tag);
        (name == "tag" && has_tag).then(|| AttributeValue::text(tag))
    }

    fn lost(&mut self, _: Side) {
        *self = Self { greeted: true, ..Self::default() };
    }
}

impl Imap {
    fn command<'a>(&mut self, frame: &Frame<'a, Progressing>) -> Result<Report<'a>, Fault> {
        let awaited = frame.memo.awaited;
        let of_tag = |kind, tag| Report::new(kind).role(Role::RequestWithId(tag));
        let (tag, report) = match std::mem::take(&mut self.client) {
            Client::Literal { tag, is_secret, .. } => {
                let report = of_tag(if is_secret { "authentication" } else { "literal" }, tag);
                (tag, if is_secret { report.detail(SECRET) } else { report })
            }
            Client::Authentication { tag } => {
                self.waiting = Some(tag);
                return Ok(of_tag("authentication", tag).detail(AUTHENTICATE).then(Then::Await));
            }
            Client::Idle { tag } => return Ok(of_tag("DONE", tag)),
            Client::Commands => {
                let line = trim_line(first_line(frame.head));
                if line.is_empty() {
                    return Ok(Report::new("blank"));
                }
                let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
                let (tag, rest) = (&line[..end], line.get(end + 1..).unwrap_or_default());
                // It ends an IDLE that was not captured.
                if line.eq_ignore_ascii_case(b"DONE") {
                    return Ok(Report::new("DONE"));
                }
                if !is_tag(tag) || rest.is_empty() {
                    return Err(Fault("a command does not begin with a tag and a word"));
                }
                (id_of(tag), command(rest).role(Role::RequestWithId(id_of(tag))))
            }
        };
        Ok(match (report.then, awaited) {
            (_, Some(length)) if length <= LITERAL_MAX => {
                self.waiting = Some(tag);
                let is_secret = report.kind == "LOGIN" || report.detail == SECRET;
                let form = if is_secret { SECRET } else { LITERAL };
                report.detail(length << DETAIL_BITS | form).then(Then::Await)
            }
            (_, Some(_)) => return Err(TOO_LONG),
            (Then::Await, None) => {
                self.waiting = Some(tag);
                report
            }
            _ => report,
        })
    }

    fn response<'a>(&mut self, head: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let line = trim_line(first_line(head));
        let first = !std::mem::replace(&mut self.greeted, true);
        if let Some(text) = line.strip_prefix(b"* ") {
            return Ok(untagged(text, first));
        }
        if line.strip_prefix(b"+").is_some_and(|text| matches!(text.first(), None | Some(b' '))) {
            return Ok(self.continuation(requests));
        }
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (tag, text) = (&line[..end], line.get(end + 1..).unwrap_or_default());
        let Some((status, text)) = known_word(&STATUSES[..3], text).filter(|_| is_tag(tag)) else {
            return Err(Fault("a response begins neither with *, nor +, nor a tag and a status"));
        };
        let id = id_of(tag);
        if self.waiting == Some(id) {
            self.waiting = None;
        }
        let report = Report::new("response").role(Role::AnswerWithId { id, last: true }).subject(text);
        let report = if status == "OK" { report.code(status) } else { report.failed(status) };
        Ok(match (requests.with_id(id), status) {
            (Some(STARTTLS), "OK") => report.then(Then::Switch("tls")),
            (Some(COMPRESS), "OK") => report.then(Then::BothOpaque),
            _ => report,
        })
    }

    /// Handles a `+`: the client continues its command.
    fn continuation<'a>(&mut self, requests: Requests<'_>) -> Report<'a> {
        let report = Report::new("continuation");
        let Some(tag) = self.waiting else { return report };
        let Some(detail) = requests.with_id(tag) else { return report };
        self.client = match detail & ((1 << DETAIL_BITS) - 1) {
            form @ (LITERAL | SECRET) => {
                Client::Literal { tag, length: detail >> DETAIL_BITS, is_secret: form == SECRET }
            }
            AUTHENTICATE => Client::Authentication { tag },
            IDLE => Client::Idle { tag },
            _ => return report,
        };
        self.waiting = None;
        report.role(Role::AnswerWithId { id: tag, last: true })
    }
}

const TOO_LONG: Fault = Fault("a literal is longer than 2^61 bytes");

/// Describes a command, behind its tag.
fn command(text: &[u8]) -> Report<'_> {
    let (kind, argument) = known_word(COMMANDS, text).unwrap_or(("command", text));
    let (kind, argument) = match kind {
        "UID" => known_word(COMMANDS, argument).unwrap_or((kind, argument)),
        _ => (kind, argument),
    };
    let first = words(argument).next().unwrap_or_default();
    let report = Report::new(kind);
    match kind {
        // The user or the mechanism; what follows is a secret.
        "LOGIN" => report.subject(first),
        "AUTHENTICATE" => report.subject(first).detail(AUTHENTICATE).then(Then::Await),
        "IDLE" => report.detail(IDLE).then(Then::Await),
        "STARTTLS" => report.detail(STARTTLS).then(Then::Await),
        "COMPRESS" => report.subject(first).detail(COMPRESS).then(Then::Await),
        "command" => report.subject(first),
        _ => report.subject(argument),
    }
}

/// Describes an untagged response, behind `* `.
fn untagged(text: &[u8], first: bool) -> Report<'_> {
    if let Some((status, rest)) = known_word(STATUSES, text) {
        let kind = match status {
            _ if first => "greeting",
            "BYE" => "BYE",
            _ => "status",
        };
        let report = Report::new(kind).subject(rest);
        // A NO is a warning, and a BAD belongs to a command without a tag (section 7.1). A BYE
        // refuses the connection, or ends it.
        return match status {
            "BAD" => report.failed(status),
            "BYE" if first => report.failed(status),
            _ => report.code(status),
        };
    }
    let mut parts = words(text);
    let word = parts.next().unwrap_or_default();
    // The number of a mail goes first: * 12 FETCH.
    let (word, subject) = match number(word) {
        Some(_) => (parts.next().unwrap_or_default(), word),
        None => (word, text.get(word.len() + 1..).unwrap_or_default()),
    };
    match known_word(RESPONSES, word) {
        Some((kind, _)) => Report::new(kind).subject(subject),
        None => Report::new("untagged").subject(text),
    }
}

/// A literal that a line announces: `{5}`, `{5+}`, `~{5}`.
struct Literal {
    length: u64,
    /// Whether the sender waits until the receiver asks for it.
    asks: bool,
}

impl Literal {
    /// Returns the literal that the end of a line announces.
    fn at_end(line: &[u8]) -> Result<Option<Self>, Fault> {
        let Some(text) = trim_line(line).strip_suffix(b"}") else { return Ok(None) };
        let asks = !text.ends_with(b"+");
        let text = text.strip_suffix(b"+").unwrap_or(text);
        // LITERAL- writes {5-} nowhere: it only limits the length (RFC 7888, section 5).
        let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (before, digits) = text.split_at(text.len() - digits);
        if digits.is_empty() || !before.ends_with(b"{") {
            return Ok(None);
        }
        let length = number(digits).ok_or(TOO_LONG)?;
        Ok(Some(Self { length, asks }))
    }
}

/// Returns whether a line of the server is text for people: a continuation or a status response.
fn is_text(line: &[u8]) -> bool {
    let mut words = words(line);
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    first == b"+" || STATUSES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(second))
}

/// Returns whether a word may be a tag (RFC 9051, section 9: any ASTRING-CHAR except `+`).
fn is_tag(word: &[u8]) -> bool {
    let is_tag_char = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(byte);
    !word.is_empty() && word.len() <= TAG_MAX && word.iter().all(is_tag_char)
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Returns whether the first bytes of a connection are IMAP.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Server {
        return starts_with_any(first, &[b"* OK ", b"* PREAUTH ", b"* BYE "]);
    }
    // A tag with a digit in it, as all clients write: `AUTH LOGIN` is SMTP.
    let Some(end) = first.iter().position(|byte| *byte == b' ') else {
        return if first.is_empty() || is_tag(first) { Sniff::More } else { Sniff::No };
    };
    let tag = &first[..end];
    if !is_tag(tag) || !tag.iter().any(u8::is_ascii_digit) {
        return Sniff::No;
    }
    match starts_with_any(&first[end + 1..], &[b"CAPABILITY\r\n", b"LOGIN ", b"AUTHENTICATE ", b"STARTTLS\r\n"]) {
        Sniff::No => starts_with(&first[end + 1..], b"ID (").or_maybe(Imap::default().begins(side, first)),
        found => found,
    }
}
