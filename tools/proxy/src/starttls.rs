//! The place where a protocol changes from plain text to TLS.
//!
//! Each protocol is followed only as far as a change can come: behind a login or a message there is
//! none, and the rest of the connection passes as plain text. That also keeps a line of a message
//! that happens to be `STARTTLS` from being taken for the command.

use std::collections::VecDeque;

use clap::ValueEnum;
use enjamb::Side;
use enjamb_net::relay::{Decision, Upgrade};
use serde::Deserialize;

/// The number of bytes of a line that are kept. Commands and the beginnings of replies are shorter.
const LINE_KEPT: usize = 256;

/// The maximum number of commands of POP3 that wait for their reply.
const COMMANDS_MAX: usize = 64;

/// A protocol that changes to TLS in the midst of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StartTls {
    /// SMTP and LMTP: STARTTLS (RFC 3207).
    Smtp,
    /// IMAP: STARTTLS (RFC 9051, section 6.2.1).
    Imap,
    /// POP3: STLS (RFC 2595, section 4).
    Pop3,
    /// PostgreSQL: `SSLRequest`.
    Postgres,
    /// MySQL: `SSLRequest`.
    Mysql,
}

impl StartTls {
    pub(crate) fn upgrade(self) -> Box<dyn Upgrade> {
        match self {
            Self::Smtp => Box::new(ByLine::new(Smtp { waiting: 1, answer: None })),
            Self::Imap => Box::new(ByLine::new(Imap { tag: None })),
            Self::Pop3 => Box::new(ByLine::new(Pop3 { waiting: VecDeque::from([Pop3Command::Other]), in_body: false })),
            Self::Postgres => Box::new(Postgres { head: Vec::new(), asked: None }),
            Self::Mysql => Box::new(Mysql { head: Vec::new(), taken: 0 }),
        }
    }
}

/// The meaning of a line.
enum Line {
    /// Nothing about TLS.
    Other,
    /// The client asks for TLS.
    Asks,
    /// The server agrees.
    Agrees,
    /// The server does not agree.
    Refuses,
    /// No TLS can follow.
    Never,
}

/// A protocol of lines.
trait Lines: Send {
    /// Takes a line without its end, cut to [`LINE_KEPT`] bytes.
    fn line(&mut self, side: Side, line: &[u8]) -> Line;
}

/// Cuts streams into lines.
struct ByLine<L> {
    lines: L,
    /// The beginning of the line in progress of each side.
    begun: [Vec<u8>; 2],
    /// Whether the client has asked for TLS and the server has not answered.
    is_asking: bool,
}

impl<L> ByLine<L> {
    fn new(lines: L) -> Self {
        Self { lines, begun: Default::default(), is_asking: false }
    }
}

impl<L: Lines> Upgrade for ByLine<L> {
    fn feed(&mut self, side: Side, bytes: &[u8]) -> Decision {
        if self.is_asking && side == Side::Client {
            return Decision::Hold(0);
        }
        let begun = &mut self.begun[side.index()];
        let mut at = 0;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            at += part.len();
            let kept = part.len().min(LINE_KEPT.saturating_sub(begun.len()));
            begun.extend_from_slice(&part[..kept]);
            if !part.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(begun);
            match self.lines.line(side, line.trim_ascii_end()) {
                Line::Other => {}
                Line::Asks => {
                    self.is_asking = true;
                    return Decision::Hold(at);
                }
                Line::Refuses => self.is_asking = false,
                Line::Agrees => return Decision::Upgrade(at),
                Line::Never => return Decision::Never,
            }
        }
        Decision::Pass
    }
}

/// Returns the first word of a line, in upper case.
fn command(line: &[u8]) -> Vec<u8> {
    line.split(|byte| *byte == b' ').next().unwrap_or_default().to_ascii_uppercase()
}

struct Smtp {
    /// The replies that are expected, the greeting first. Commands may be pipelined.
    waiting: u64,
    /// The number of the replies before the one to `STARTTLS`, with it.
    answer: Option<u64>,
}

impl Lines for Smtp {
    fn line(&mut self, side: Side, line: &[u8]) -> Line {
        if side == Side::Client {
            self.waiting += 1;
            return match &command(line)[..] {
                b"STARTTLS" => {
                    self.answer = Some(self.waiting);
                    Line::Asks
                }
                // Lines of a message follow.
                b"DATA" | b"BDAT" => Line::Never,
                _ => Line::Other,
            };
        }
        if line.get(3) == Some(&b'-') {
            return Line::Other;
        }
        self.waiting = self.waiting.saturating_sub(1);
        let Some(before) = &mut self.answer else { return Line::Other };
        *before = before.saturating_sub(1);
        if *before > 0 {
            return Line::Other;
        }
        self.answer = None;
        if line.starts_with(b"220") { Line::Agrees } else { Line::Refuses }
    }
}

struct Imap {
    /// The tag of the client's `STARTTLS`.
    tag: Option<Vec<u8>>,
}

impl Lines for Imap {
    fn line(&mut self, side: Side, line: &[u8]) -> Line {
        let mut words = line.split(|byte| *byte == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_ascii_uppercase());
        if side == Side::Client {
            return match &second[..] {
                b"STARTTLS" => {
                    self.tag = Some(first.to_vec());
                    Line::Asks
                }
                b"CAPABILITY" | b"NOOP" | b"ID" | b"LOGOUT" => Line::Other,
                _ => Line::Never,
            };
        }
        match &self.tag {
            Some(tag) if tag == first => {
                self.tag = None;
                if second == b"OK" { Line::Agrees } else { Line::Refuses }
            }
            _ => Line::Other,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pop3Command {
    Stls,
    /// It is answered with several lines.
    Capa,
    Other,
}

struct Pop3 {
    /// The commands that wait for their reply. The greeting is a reply, too.
    waiting: VecDeque<Pop3Command>,
    /// Whether the server's lines are those of a list.
    in_body: bool,
}

impl Lines for Pop3 {
    fn line(&mut self, side: Side, line: &[u8]) -> Line {
        if side == Side::Client {
            let command = match &command(line)[..] {
                b"STLS" => Pop3Command::Stls,
                b"CAPA" => Pop3Command::Capa,
                b"QUIT" | b"NOOP" => Pop3Command::Other,
                _ => return Line::Never,
            };
            if self.waiting.len() == COMMANDS_MAX {
                return Line::Never;
            }
            self.waiting.push_back(command);
            return if command == Pop3Command::Stls { Line::Asks } else { Line::Other };
        }
        if self.in_body {
            self.in_body = line != b".";
            return Line::Other;
        }
        let is_ok = line.starts_with(b"+OK");
        match self.waiting.pop_front() {
            Some(Pop3Command::Stls) => return if is_ok { Line::Agrees } else { Line::Refuses },
            Some(Pop3Command::Capa) => self.in_body = is_ok,
            _ => {}
        }
        Line::Other
    }
}

/// The requests of a client that a server of PostgreSQL answers with one byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Tls,
    Gss,
}

struct Postgres {
    /// The first bytes of a request.
    head: Vec<u8>,
    asked: Option<Encryption>,
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

impl Upgrade for Postgres {
    fn feed(&mut self, side: Side, bytes: &[u8]) -> Decision {
        if side == Side::Client {
            if self.asked.is_some() {
                return Decision::Hold(0);
            }
            let missing = bytes.len().min(SSL_REQUEST.len() - self.head.len());
            self.head.extend_from_slice(&bytes[..missing]);
            if self.head.len() < SSL_REQUEST.len() {
                return Decision::Pass;
            }
            let head = std::mem::take(&mut self.head);
            self.asked = match head {
                head if head == SSL_REQUEST => Some(Encryption::Tls),
                head if head == GSS_REQUEST => Some(Encryption::Gss),
                // The session begins in plain text.
                _ => return Decision::Never,
            };
            return Decision::Hold(missing);
        }
        match (bytes.first(), self.asked.take()) {
            (None, asked) => {
                self.asked = asked;
                Decision::Pass
            }
            (Some(b'S'), Some(Encryption::Tls)) => Decision::Upgrade(1),
            (Some(b'N'), Some(_)) => Decision::Pass,
            _ => Decision::Never,
        }
    }
}

/// The flag of a client of MySQL that continues with TLS, and the length of the packet that says
/// so.
const MYSQL_SSL: u8 = 1 << 3;
const MYSQL_SSL_REQUEST: usize = 32;

struct Mysql {
    /// The header of the client's first packet, and the two lower bytes of its capabilities.
    head: Vec<u8>,
    /// The bytes of the packet so far.
    taken: usize,
}

impl Upgrade for Mysql {
    fn feed(&mut self, side: Side, bytes: &[u8]) -> Decision {
        const HEAD: usize = 6;
        const PACKET: usize = 4 + MYSQL_SSL_REQUEST;
        if side == Side::Server {
            return Decision::Pass;
        }
        let missing = bytes.len().min(HEAD - self.head.len());
        self.head.extend_from_slice(&bytes[..missing]);
        let Some(&[a, b, c, _, _, upper]) = self.head.first_chunk() else {
            self.taken += bytes.len();
            return Decision::Pass;
        };
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        if length != MYSQL_SSL_REQUEST || upper & MYSQL_SSL == 0 {
            return Decision::Never;
        }
        let rest = PACKET - self.taken;
        if bytes.len() < rest {
            self.taken += bytes.len();
            return Decision::Pass;
        }
        Decision::Upgrade(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: Side = Side::Client;
    const S: Side = Side::Server;

    /// The number of bytes of each side before the change, if it is found. The script is fed under
    /// every cut of one of its pieces. Held bytes are fed again when the other side has sent
    /// something, as the relay does it.
    fn change(protocol: StartTls, script: &[(Side, &[u8])]) -> Option<[usize; 2]> {
        let mut results = Vec::new();
        for (cut_piece, (_, piece)) in script.iter().enumerate() {
            for at in 0..piece.len() {
                let mut upgrade = protocol.upgrade();
                let (mut passed, mut held) = ([0; 2], [Vec::new(), Vec::new()]);
                let mut found = None;
                let mut never = false;
                let mut feed = |side: Side, bytes: &[u8]| {
                    if found.is_some() || never || bytes.is_empty() {
                        return;
                    }
                    let mut queue = VecDeque::from([(side, bytes.to_vec())]);
                    while let Some((side, bytes)) = queue.pop_front() {
                        let bytes = [std::mem::take(&mut held[side.index()]), bytes].concat();
                        match upgrade.feed(side, &bytes) {
                            Decision::Pass => passed[side.index()] += bytes.len(),
                            Decision::Hold(length) => {
                                passed[side.index()] += length;
                                held[side.index()] = bytes[length..].to_vec();
                            }
                            Decision::Upgrade(length) => {
                                passed[side.index()] += length;
                                found = Some(passed);
                                return;
                            }
                            _ => {
                                never = true;
                                return;
                            }
                        }
                        if !held[(!side).index()].is_empty() {
                            queue.push_back((!side, Vec::new()));
                        }
                    }
                };
                for (number, (side, piece)) in script.iter().enumerate() {
                    if number == cut_piece {
                        feed(*side, &piece[..at]);
                        feed(*side, &piece[at..]);
                    } else {
                        feed(*side, piece);
                    }
                }
                results.push(found);
            }
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "it depends on the cuts: {results:?}");
        results[0]
    }

    #[test]
    fn smtp_changes_behind_the_reply_to_its_command() {
        let greeting: (Side, &[u8]) = (S, b"220 mail.test\r\n");
        let change = |script: &[(Side, &[u8])]| change(StartTls::Smtp, &[&[greeting], script].concat());
        let ehlo: (Side, &[u8]) = (S, b"250-mail.test\r\n250 STARTTLS\r\n");
        assert_eq!(
            change(&[(C, b"EHLO me\r\n"), ehlo, (C, b"starttls\r\n"), (S, b"220 go\r\n"), (C, b"\x16\x03")]),
            Some([19, 15 + 29 + 8])
        );
        // Pipelined: the first 250 is the reply to EHLO.
        assert_eq!(
            change(&[(C, b"EHLO me\r\nSTARTTLS\r\nMAIL FROM:<evil>\r\n"), ehlo, (S, b"220 go\r\n")]),
            Some([19, 15 + 29 + 8])
        );
        // Refused, and asked for again.
        assert_eq!(
            change(&[(C, b"STARTTLS\r\n"), (S, b"454 later\r\n"), (C, b"STARTTLS\r\n"), (S, b"220 go\r\n")]),
            Some([20, 15 + 11 + 8])
        );
        // A line of a message is no command.
        assert_eq!(
            change(&[(C, b"DATA\r\n"), (S, b"354 go\r\n"), (C, b"STARTTLS\r\n.\r\n"), (S, b"220 what\r\n")]),
            None
        );
    }

    #[test]
    fn imap_and_pop3_change_behind_ok() {
        let imap = |script: &[(Side, &[u8])]| change(StartTls::Imap, script);
        let hello: (Side, &[u8]) = (S, b"* OK hello\r\n");
        assert_eq!(
            imap(&[hello, (C, b"a STARTTLS\r\n"), (S, b"* CAPABILITY X\r\na OK go\r\n"), (C, b"\x16")]),
            Some([12, 12 + 16 + 9])
        );
        assert_eq!(imap(&[hello, (C, b"a STARTTLS\r\n"), (S, b"a NO\r\n"), (C, b"b LOGIN x y\r\n")]), None);
        let pop3 = |script: &[(Side, &[u8])]| change(StartTls::Pop3, script);
        assert_eq!(
            pop3(&[
                (S, b"+OK hello\r\n"),
                (C, b"CAPA\r\n"),
                (S, b"+OK\r\nSTLS\r\n+OK a trap\r\n.\r\n"),
                (C, b"STLS\r\n"),
                (S, b"+OK go\r\n"),
            ]),
            Some([12, 11 + 5 + 6 + 12 + 3 + 8])
        );
        assert_eq!(pop3(&[(S, b"+OK\r\n"), (C, b"STLS\r\n"), (S, b"-ERR no\r\n"), (C, b"USER a\r\n")]), None);
    }

    #[test]
    fn databases_change_behind_their_ssl_request() {
        let postgres = |script: &[(Side, &[u8])]| change(StartTls::Postgres, script);
        assert_eq!(postgres(&[(C, &SSL_REQUEST), (S, b"S"), (C, b"\x16\x03")]), Some([8, 1]));
        assert_eq!(
            postgres(&[(C, &GSS_REQUEST), (S, b"N"), (C, &SSL_REQUEST), (S, b"S"), (C, b"\x16\x03")]),
            Some([16, 2])
        );
        let startup: (Side, &[u8]) = (C, b"\0\0\0\x0c\0\x03\0\0xx\0\0");
        assert_eq!(postgres(&[(C, &SSL_REQUEST), (S, b"N"), startup]), None);
        assert_eq!(postgres(&[startup, (S, b"R\0\0\0\x08\0\0\0\0")]), None);

        let mysql = |script: &[(Side, &[u8])]| change(StartTls::Mysql, script);
        let mut request = vec![32, 0, 0, 1, 0x85, 0xae];
        request.resize(36, 0);
        let greeting: (Side, &[u8]) = (S, b"\x04\0\0\0\x0a8.0");
        let hello = [&request[..], b"\x16\x03\x01"].concat();
        assert_eq!(mysql(&[greeting, (C, &hello)]), Some([36, 8]));
        request[5] = 0xa6;
        assert_eq!(mysql(&[greeting, (C, &request)]), None);
    }
}
