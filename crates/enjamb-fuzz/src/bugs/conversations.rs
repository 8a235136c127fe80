//! Sessions that are easily written wrong: what a cut at the wrong place destroys.

use enjamb::{Ending, Message, Outcome, Session, Side, Span};

use super::{PlantedBug, bug};
use crate::sessions::{Family, check_split};

/// The mistakes.
#[derive(Clone, Copy)]
enum Mistake {
    /// A byte is lost if the stream is cut behind these bytes and goes on with this one.
    LostBehind(&'static [u8], u8),
    /// Digits are lost if the stream is cut inside a number that these bytes introduce.
    LostDigits(&'static [u8]),
    /// A byte is lost if a message of a side is cut behind its first bytes, this many.
    LostAt(u64),
    /// The same if the byte before the cut is at least this one.
    LostAtAfter(u64, u8),
    /// A chunk of one such byte is lost.
    LostAlone(u8),
    /// Messages of one chunk beyond this number are lost.
    TooMany(u64),
    /// Messages of one chunk beyond this number do not know their requests.
    Unpaired(u64),
    /// It panics over a message with this reason.
    Panics(&'static str),
    /// The span of a message is a byte short if its bytes contain these.
    Short(&'static [u8]),
    /// A gap behind a chunk of less than 4 bytes is counted one byte longer.
    GapAfterShort,
    /// A reset behind a chunk of one byte is taken for an end.
    ResetAfterByte,
    /// The code of a message is cut off if the message came in more than this number of chunks.
    CodeInChunks(u32),
}

macro_rules! session_bugs {
    ($($name:literal $target:literal $mistake:expr, $text:literal);* $(;)?) => {
        [$(bug!($name, $target, $text, |data| check(data, $target, const { $mistake }))),*]
    };
}

pub(super) const BUGS: &[PlantedBug] = &session_bugs![
    "http1-crlf" "split_http1" Mistake::LostBehind(b"\r", b'\n'), "the LF of a CRLF is lost if the stream is cut inside";
    "http1-length" "split_http1" Mistake::LostDigits(b"ength: "), "the digits of a Content-Length behind a cut are lost";
    "http1-last-chunk" "split_http1" Mistake::LostBehind(b"\r\n0\r\n", b'\r'), "the end of the trailers is lost if it comes alone";
    "http1-pipelined" "split_http1" Mistake::Unpaired(3), "from the fourth message of a chunk on, answers have no request";
    "http1-too-large" "split_http1" Mistake::Panics("chunk size is too large"), "a chunk size that does not fit into a number panics";
    "http1-lengths" "split_http1" Mistake::Panics("Content-Lengths differ"), "two lengths that differ panic";
    "http1-folded" "split_http1" Mistake::Short(b"\r\n "), "a message with a folded header is counted a byte short";
    "redis-crlf" "split_redis" Mistake::LostBehind(b"\r", b'\n'), "the LF behind a bulk is lost if the stream is cut before it";
    "redis-bulk-length" "split_redis" Mistake::LostDigits(b"$"), "the digits of a length of a bulk behind a cut are lost";
    "redis-type-byte" "split_redis" Mistake::LostAlone(b'*'), "a type byte that comes alone is lost";
    "redis-many" "split_redis" Mistake::TooMany(16), "from the seventeenth message of a chunk on, messages are lost";
    "redis-count" "split_redis" Mistake::Panics("invalid count of elements"), "a count that is no number panics";
    "redis-error-code" "split_redis" Mistake::CodeInChunks(2), "the code of an error is lost in the third chunk";
    "http2-length" "split_web" Mistake::LostAt(2), "the third byte of a length is lost if it comes in the next chunk";
    "websocket-gap" "split_web" Mistake::GapAfterShort, "a gap behind a short chunk is a byte too long";
    "postgres-type" "split_databases" Mistake::LostAt(1), "the length behind a type byte loses a byte if the type comes alone";
    "mysql-header" "split_databases" Mistake::LostAt(3), "the number of a packet is lost if the stream is cut before it";
    "smtp-reply" "split_mail" Mistake::Short(b"\r\n250 "), "a reply of several lines is counted a byte short";
    "smtp-dot" "split_mail" Mistake::LostBehind(b"\r\n", b'.'), "the dot that ends a mail is lost behind a cut";
    "ftp-reset" "split_mail" Mistake::ResetAfterByte, "a reset behind a single byte is taken for an end";
    "xmpp-close" "split_chat" Mistake::LostBehind(b"<", b'/'), "the slash of a closing tag is lost behind a cut";
    "mqtt-length" "split_messaging" Mistake::LostAtAfter(2, 0x80), "a length of several bytes loses one behind a cut";
    "kafka-length" "split_messaging" Mistake::LostAt(2), "a length loses its third byte behind a cut";
    "dns-length" "split_directory" Mistake::LostAt(1), "the second byte of a length is lost behind a cut";
    "ldap-length" "split_directory" Mistake::LostAt(2), "the byte behind a length is lost behind a cut";
    "modbus-length" "split_industry" Mistake::LostAt(5), "the second byte of a length is lost behind a cut";
    "thrift-many" "split_rpc" Mistake::TooMany(6), "from the seventh message of a chunk on, messages are lost";
    "tls-record" "split_tunnels" Mistake::LostAt(3), "a length of a TLS record loses a byte behind a cut";
    "socks-address" "split_tunnels" Mistake::LostAt(4), "the address of a SOCKS request loses a byte behind a cut";
];

fn check(data: &[u8], target: &str, mistake: Mistake) {
    let (protocol, script) = Family::named(target).split_input(data);
    check_split(script, &|| Box::new(Flawed { inner: protocol.session(None), mistake, sides: Default::default() }));
}

/// A side of a conversation.
#[derive(Default)]
struct State {
    /// The last bytes.
    tail: Vec<u8>,
    fed: u64,
    /// The offset behind the last message.
    behind: u64,
    last_chunk: usize,
    /// The number of chunks since the last message.
    chunks: u32,
    /// The bytes since the last message.
    bytes: Vec<u8>,
}

/// A session with a mistake.
struct Flawed {
    inner: Box<dyn Session>,
    mistake: Mistake,
    sides: [State; 2],
}

/// The number of last bytes that are kept.
const TAIL_MAX: usize = 32;

impl Flawed {
    /// Returns the chunk without what the mistake loses.
    fn lose<'c>(&self, side: Side, chunk: &'c [u8]) -> &'c [u8] {
        let state = &self.sides[side.index()];
        let lost = match self.mistake {
            Mistake::LostBehind(before, byte) => {
                usize::from(state.tail.ends_with(before) && chunk.first() == Some(&byte))
            }
            Mistake::LostDigits(before) => {
                let digits = state.tail.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
                if digits > 0 && state.tail[..state.tail.len() - digits].ends_with(before) {
                    chunk.iter().take_while(|byte| byte.is_ascii_digit()).count()
                } else {
                    0
                }
            }
            Mistake::LostAt(at) => usize::from(state.fed > 0 && state.fed - state.behind == at),
            Mistake::LostAtAfter(at, least) => {
                let is_there = state.fed > 0 && state.fed - state.behind == at;
                usize::from(is_there && state.tail.last().is_some_and(|last| *last >= least))
            }
            Mistake::LostAlone(byte) => usize::from(chunk == [byte]),
            _ => 0,
        };
        &chunk[lost.min(chunk.len())..]
    }
}

impl Session for Flawed {
    fn protocol(&self) -> &str {
        self.inner.protocol()
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let kept = self.lose(side, chunk);
        {
            let state = &mut self.sides[side.index()];
            state.fed += chunk.len() as u64;
            state.chunks += 1;
            state.last_chunk = chunk.len();
            state.bytes.extend_from_slice(chunk);
        }
        let mut number = 0u64;
        let Self { inner, mistake, sides } = self;
        inner.feed(side, kept, &mut |message| {
            number += 1;
            let state = &mut sides[message.side.index()];
            let begin = state.behind;
            state.behind = message.span.end();
            let chunks = std::mem::take(&mut state.chunks);
            let length = usize::try_from(message.span.end().saturating_sub(begin)).unwrap_or(0).min(state.bytes.len());
            let bytes: Vec<u8> = state.bytes.drain(..length).collect();
            match *mistake {
                Mistake::TooMany(most) if number > most => {}
                Mistake::Unpaired(most) if number > most => out(&Message { answers: None, ..*message }),
                Mistake::Panics(reason) if message.reason == Some(reason) => panic!("index out of bounds"),
                Mistake::Short(part) if contains(&bytes, part) && message.outcome != Outcome::Malformed => {
                    let span = Span { length: message.span.length.saturating_sub(1), ..message.span };
                    out(&Message { span, ..*message });
                }
                Mistake::CodeInChunks(most) if chunks > most && message.side == side => {
                    out(&Message { code: None, ..*message });
                }
                _ => out(message),
            }
        });
        let state = &mut self.sides[side.index()];
        state.tail.extend_from_slice(chunk);
        let surplus = state.tail.len().saturating_sub(TAIL_MAX);
        state.tail.drain(..surplus);
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        let state = &mut self.sides[side.index()];
        let is_short = (1..4).contains(&state.last_chunk);
        state.fed += missing;
        let extra = u64::from(matches!(self.mistake, Mistake::GapAfterShort) && is_short);
        self.inner.gap(side, missing + extra, out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let is_short = self.sides[side.index()].last_chunk == 1;
        let ending = if matches!(self.mistake, Mistake::ResetAfterByte) && is_short { Ending::Closed } else { ending };
        self.inner.close(side, ending, out);
    }

    fn held(&self) -> usize {
        self.inner.held()
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
