//! Parsers that read a rule of their protocol wrong. No cut shows that: another parser does.

use enjamb::{Ending, Message, Outcome, Session, Side, Span};

use super::{PlantedBug, bug};
use crate::peers::{check_http1, check_redis};

/// Tells whether the rule applies to the bytes of a message.
type Applies = fn(&[u8]) -> bool;

/// The wrong result.
#[derive(Clone, Copy)]
enum Wrong {
    /// The message ends this many bytes later, or earlier.
    End(i64),
    Malformed,
    Accepted,
}

macro_rules! peer_bugs {
    ($check:ident, $target:literal: $($name:literal $wrong:expr, $applies:expr, $text:literal);* $(;)?) => {
        [$(bug!($name, $target, $text, |data| {
            $check(data, &|| flawed($target, $wrong, $applies));
        })),*]
    };
}

pub(super) const BUGS: &[PlantedBug] = &{
    let http1 = peer_bugs![check_http1, "http1_peer":
        "http1-octal" Wrong::End(-1), |bytes| has(bytes, b"ength: 0"), "a length with a zero before it is read as octal";
        "http1-hex-case" Wrong::End(-1), |bytes| chunked(bytes) && upper_hex(bytes), "capital digits of a chunk size are not read";
        "http1-extension" Wrong::Malformed, |bytes| chunked(bytes) && has(bytes, b";"), "an extension of a chunk is refused";
        "http1-both" Wrong::End(1), |bytes| chunked(bytes) && has(bytes, b"ontent-Length"), "Content-Length counts beside a transfer coding";
        "http1-trailers" Wrong::End(-2), |bytes| chunked(bytes) && trailers(bytes), "trailers are not part of the message";
        "http1-list" Wrong::Malformed, list, "a list of equal lengths is refused";
        "http1-bare-lf" Wrong::Malformed, |bytes| bytes.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'), "a bare LF is refused";
    ];
    let redis = peer_bugs![check_redis, "redis_peer":
        "redis-map" Wrong::End(-4), |bytes| bytes.first() == Some(&b'%'), "a map counts its keys and values";
        "redis-null" Wrong::End(2), |bytes| has(bytes, b"$-1\r\n"), "a null has a CRLF for its data";
        "redis-verbatim" Wrong::Malformed, |bytes| bytes.first() == Some(&b'='), "a verbatim string is not known";
        "redis-nested" Wrong::End(-1), |bytes| has(bytes, b"*1\r\n*"), "an array in an array ends early";
        "redis-attribute" Wrong::Malformed, |bytes| bytes.first() == Some(&b'|'), "an attribute is a reply of its own";
        "redis-negative" Wrong::Accepted, |bytes| has(bytes, b"$-2"), "any negative length of a bulk is null";
    ];
    concat(http1, redis)
};

const fn concat(one: [PlantedBug; 7], other: [PlantedBug; 6]) -> [PlantedBug; 13] {
    let mut all = [one[0]; 13];
    let mut at = 0;
    while at < 7 {
        all[at] = one[at];
        at += 1;
    }
    while at < 13 {
        all[at] = other[at - 7];
        at += 1;
    }
    all
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn chunked(bytes: &[u8]) -> bool {
    has(bytes, b"chunked") || has(bytes, b"Chunked")
}

/// Returns whether a line begins with hexadecimal digits, of which one is a capital, and nothing
/// else up to an extension.
fn upper_hex(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| {
        let size = line.split(|byte| matches!(byte, b';' | b'\r')).next().unwrap_or_default();
        !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit) && size.iter().any(u8::is_ascii_uppercase)
    })
}

/// Returns whether something is between the last chunk and the end.
fn trailers(bytes: &[u8]) -> bool {
    let last = bytes.windows(5).rposition(|window| window == b"\r\n0\r\n");
    last.is_some_and(|at| bytes.len() > at + 7)
}

/// Returns whether a length is a list.
fn list(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| {
        line.get(..15).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length:")) && line.contains(&b',')
    })
}

fn flawed(target: &str, wrong: Wrong, applies: Applies) -> Box<dyn Session> {
    let inner =
        if target == "http1_peer" { enjamb_protocols::http1::session() } else { enjamb_protocols::redis::session() };
    Box::new(Flawed { inner, wrong, applies, fed: Default::default() })
}

/// A session that reads a rule wrong.
struct Flawed {
    inner: Box<dyn Session>,
    wrong: Wrong,
    applies: Applies,
    fed: [Vec<u8>; 2],
}

impl Flawed {
    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>)),
        out: &mut dyn FnMut(&Message<'_>),
    ) {
        let Self { inner, wrong, applies, fed } = self;
        call(inner.as_mut(), &mut |message| {
            let stream = &fed[message.side.index()];
            let (from, to) = (message.span.offset as usize, message.span.end() as usize);
            if !stream.get(from..to.min(stream.len())).is_some_and(&*applies) {
                return out(message);
            }
            let is_whole = matches!(message.outcome, Outcome::Ok | Outcome::Failed);
            match *wrong {
                Wrong::End(by) if is_whole => {
                    let length = message.span.length.saturating_add_signed(by).max(1);
                    out(&Message { span: Span { length, ..message.span }, ..*message });
                }
                Wrong::Malformed if is_whole => {
                    out(&Message { outcome: Outcome::Malformed, reason: Some("a rule that is none"), ..*message });
                }
                Wrong::Accepted => out(&Message { outcome: Outcome::Ok, reason: None, ..*message }),
                _ => out(message),
            }
        });
    }
}

impl Session for Flawed {
    fn protocol(&self) -> &str {
        "flawed"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.fed[side.index()].extend_from_slice(chunk);
        self.call(|inner, out| inner.feed(side, chunk, out), out);
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.call(|inner, out| inner.gap(side, missing, out), out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.call(|inner, out| inner.close(side, ending, out), out);
    }

    fn held(&self) -> usize {
        self.inner.held()
    }
}
