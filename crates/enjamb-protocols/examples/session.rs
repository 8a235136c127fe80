//! A protocol of your own: that of a meter which is read over TCP, and reports alarms by itself.
//!
//! ```text
//! magic "MT" (2 bytes) | type (1) | number of the request (2) | length of the body (2) | body
//!
//! 1 LOGIN   name, NUL, password      answered by 4 or 5
//! 2 READ    name of a register       answered by 3 for each value, the last one empty, or by 5
//! 3 VALUE   text
//! 4 OK
//! 5 ERROR   code (1), text
//! 6 ALARM   text                     sent by the meter at any time
//! ```
//!
//! `docs/sessions.md` explains it, block by block.

use std::fmt;

use enjamb::{Session, Side, Transcript};
use enjamb_protocols::kit::{Conversation, Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules};
use enjamb_protocols::{Protocol, Registry, Sniff};

/// The rules of the meter. Nothing is remembered between two messages.
struct Meter;

/// The length of the header, in bytes.
const HEADER: u64 = 7;

/// The longest body that a meter sends.
const BODY_MAX: u16 = 1024;

/// The types, from 1 on.
const TYPES: [&str; 6] = ["LOGIN", "READ", "VALUE", "OK", "ERROR", "ALARM"];

impl Rules for Meter {
    const NAME: &'static str = "meter";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        if message.head.is_empty() {
            return Ok(Next::Bytes(HEADER));
        }
        let mut header = Cursor::new(message.head);
        if header.take(2)? != b"MT" {
            return Err(Fault("it does not begin with MT"));
        }
        header.take(3)?;
        match header.u16()? {
            length @ 0..=BODY_MAX => Ok(Next::Last(length.into())),
            _ => Err(Fault("the length is more than 1024")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(&frame.head[2..]);
        let kind = TYPES.get(usize::from(fields.u8()?).wrapping_sub(1)).ok_or(Fault("unknown type"))?;
        let id = fields.u16()?.into();
        let _length = fields.u16()?;
        let report = Report::new(kind);
        Ok(match *kind {
            "LOGIN" => report.role(Role::RequestWithId(id)).subject(fields.until(0)?),
            "READ" => report.role(Role::RequestWithId(id)).subject(fields.rest()),
            "VALUE" => {
                let last = fields.is_empty();
                report.role(Role::AnswerWithId { id, last }).subject(fields.rest())
            }
            "OK" => report.role(Role::AnswerWithId { id, last: true }),
            "ERROR" => {
                let code = fields.u8()?;
                report.role(Role::AnswerWithId { id, last: true }).failed(code.to_string()).subject(fields.rest())
            }
            _ => report.subject(fields.rest()),
        })
    }

    fn begins(&self, _: Side, bytes: &[u8]) -> Sniff {
        match *bytes {
            [b'M', b'T', kind, _, _, high, low, ..] => {
                let is_known = (1..=6).contains(&kind) && u16::from_be_bytes([high, low]) <= BODY_MAX;
                if is_known { Sniff::Yes } else { Sniff::No }
            }
            [] | [b'M'] | [b'M', b'T', ..] => Sniff::More,
            _ => Sniff::No,
        }
    }

    fn summarize(&self, frame: &Frame<'_, ()>, report: &Report<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match report.kind {
            "LOGIN" => write!(f, "{report}, with a password"),
            "VALUE" if frame.length == HEADER => f.write_str("end of values"),
            _ => write!(f, "{report}"),
        }
    }
}

/// Opens a session.
fn session() -> Box<dyn Session> {
    Box::new(Conversation::new(Meter))
}

/// Returns the first bytes of a connection that are a meter's: its magic.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    Meter.begins(side, first)
}

fn registry() -> Registry {
    Registry::builtin().with(Protocol::new("meter", session).port(7070).sniffed_by(sniff).about("Meters, over TCP"))
}

fn main() {
    // A real program calls `enjamb_cli::Program::new("meter", "0.1.0").registry(registry()).run()`.
    let conversation = "enjamb transcript 1\n\
        @0 client\n \"MT\\x01\\x00\\x01\\x00\\x06ann\\x00pw\"\n\
        @1 server\n \"MT\\x04\\x00\\x01\\x00\\x00\"\n\
        @2 client\n \"MT\\x02\\x00\\x02\\x00\\x03kWh\"\n\
        @3 server\n \"MT\\x03\\x00\\x02\\x00\\x0217MT\\x06\\x00\\x00\\x00\\x04heat\"\n\
        @4 server\n \"MT\\x03\\x00\\x02\\x00\\x00\"\n";
    let mut session = registry().auto().session(None);
    let transcript = Transcript::parse(conversation).expect("a transcript");
    transcript.play(&mut *session, &mut |message| println!("{message:?}"));
}

#[cfg(test)]
mod tests {
    use enjamb::{Message, Outcome};
    use enjamb_law::{Sessions, laws};

    use super::*;

    laws! {
        mod requests {
            subject: Sessions(session),
            messages: [
                b"MT\x01\0\x01\0\x06ann\0pw",
                b"MT\x02\0\x02\0\x03kWh",
                b"MT\x02\0\x03\0\x01?",
            ],
            answers: [b"MT\x04\0\x01\0\0", b"MT\x03\0\x02\0\x0217MT\x03\0\x02\0\0", b"MT\x05\0\x03\0\x03\x09no"],
            tokens: ["MT", "\x06\0\0\0\0"],
            limit: 1031,
        }
    }

    #[test]
    fn main_runs() {
        main();
    }

    /// Returns the kind, the outcome and the answered request of each message.
    fn messages(turns: &[(Side, Result<&[u8], u64>)]) -> Vec<(String, Outcome, Option<u64>)> {
        let mut session = session();
        let mut seen = Vec::new();
        let mut out = |message: &Message<'_>| seen.push((message.kind.to_owned(), message.outcome, message.answers));
        for (side, bytes) in turns {
            match bytes {
                Ok(bytes) => session.feed(*side, bytes, &mut out),
                Err(missing) => session.gap(*side, *missing, &mut out),
            }
        }
        seen
    }

    #[test]
    fn values_answer_their_request_until_the_empty_one() {
        let seen = messages(&[
            (Side::Client, Ok(b"MT\x02\0\x07\0\x03kWh")),
            (Side::Server, Ok(b"MT\x03\0\x07\0\x011MT\x03\0\x07\0\0MT\x03\0\x07\0\x012")),
        ]);
        let answers: Vec<_> = seen.iter().map(|(kind, _, answers)| (kind.as_str(), *answers)).collect();
        assert_eq!(answers, [("READ", None), ("VALUE", Some(0)), ("VALUE", Some(0)), ("VALUE", None)]);
    }

    #[test]
    fn behind_a_gap_the_next_magic_begins_a_message() {
        let seen = messages(&[
            (Side::Server, Ok(b"MT\x06\0\0\0\x04he")),
            (Side::Server, Err(9)),
            (Side::Server, Ok(b"4tMT\x06\0\0\0\x01x")),
        ]);
        let seen: Vec<_> = seen.iter().map(|(kind, outcome, _)| (kind.as_str(), *outcome)).collect();
        let expected = [("message", Outcome::Incomplete), ("unparsed", Outcome::Incomplete), ("ALARM", Outcome::Ok)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_message_of_unknown_type_is_malformed_and_the_next_one_follows() {
        let seen = messages(&[(Side::Client, Ok(b"MT\x09\0\0\0\0MT\x02\0\x01\0\x01a"))]);
        let seen: Vec<_> = seen.iter().map(|(kind, outcome, _)| (kind.as_str(), *outcome)).collect();
        assert_eq!(seen, [("message", Outcome::Malformed), ("READ", Outcome::Ok)]);
    }
}
