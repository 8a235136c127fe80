//! A conversation with its times, sides and chunks: the type that all tools exchange.
//!
//! A transcript comes from a capture, a recording, a live relay or a text file, and is replayed
//! through a [`Session`]. Its text form is for people, for diffs, and for `corpora/`:
//!
//! ```text
//! enjamb transcript 1
//! protocol redis
//! # A chunk is as many strings as read well; they belong together.
//! @0.000000000 client
//!   "*1\r\n$4\r\n"
//!   "PING\r\n"
//! @0.000120000 server
//!   "+PONG\r\n"
//! @0.000125000 server gap 1448
//! @0.000200000 client closed
//! ```

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::message::Message;
use crate::session::{Ending, Session};
use crate::side::Side;
use crate::tap::{Connection, Event, Tap};
use crate::time::Time;

/// The first line of the text form.
pub const HEADER: &str = "enjamb transcript 1";

/// A conversation as it was captured, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The name or framing spec of its protocol, if that is known.
    pub protocol: Option<String>,
    /// The entries, in order.
    pub entries: Vec<Entry>,
}

/// Something that happened on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The time of the entry.
    pub time: Time,
    /// The side on which it happened.
    pub side: Side,
    /// The event itself.
    pub content: Content,
}

/// The content of an entry: an event without its time and side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes arrived together.
    Chunk(Vec<u8>),
    /// This many bytes are missing.
    Gap(u64),
    /// The side's stream ended.
    Close(Ending),
}

impl Entry {
    /// Returns the entry for `event`, or `None` for an event of the whole connection.
    #[must_use]
    pub fn of_event(time: Time, event: Event<'_>) -> Option<Self> {
        let (side, content) = match event {
            Event::Open | Event::Done => return None,
            Event::Chunk { side, bytes } => (side, Content::Chunk(bytes.to_vec())),
            Event::Gap { side, missing } => (side, Content::Gap(missing)),
            Event::Close { side, ending } => (side, Content::Close(ending)),
        };
        Some(Self { time, side, content })
    }

    /// Returns the entry as an event, which borrows its bytes.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        let side = self.side;
        match &self.content {
            Content::Chunk(bytes) => Event::Chunk { side, bytes },
            Content::Gap(missing) => Event::Gap { side, missing: *missing },
            Content::Close(ending) => Event::Close { side, ending: *ending },
        }
    }
}

impl Content {
    /// Returns the number of payload bytes: 0 for every entry except chunks.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        if let Self::Chunk(bytes) = self { bytes.len() } else { 0 }
    }
}

impl Transcript {
    /// Feeds the whole transcript to `session`, and gives every message to `out`.
    pub fn play(&self, session: &mut dyn Session, out: &mut dyn FnMut(&Message<'_>)) {
        for Entry { side, content, .. } in &self.entries {
            match content {
                Content::Chunk(bytes) => session.feed(*side, bytes, out),
                Content::Gap(missing) => session.gap(*side, *missing, out),
                Content::Close(ending) => session.close(*side, *ending, out),
            }
        }
    }

    /// Returns the number of payload bytes in all entries.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.entries.iter().map(|entry| entry.content.payload_len()).sum()
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`ParseError`], with the line and column of the error.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut transcript = Self::default();
        let mut lines = text.lines().enumerate();
        match lines.next() {
            Some((_, HEADER)) => {}
            _ => return Err(ParseError::new(1, 1, format!("the first line is not \"{HEADER}\""))),
        }
        for (index, line) in lines {
            let content = line.trim_start();
            let column = line.len() - content.len() + 1;
            let fail = |at: usize, what: &str| ParseError::new(index + 1, column + at, what.to_owned());
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if content.starts_with('"') {
                let Some(Entry { content: Content::Chunk(bytes), .. }) = transcript.entries.last_mut() else {
                    return Err(fail(0, "a string needs a line \"@TIME SIDE\" before it"));
                };
                unescape(content, bytes).map_err(|(at, what)| fail(at, what))?;
            } else if let Some(entry) = content.strip_prefix('@') {
                let entry = parse_entry(entry).map_err(|what| fail(0, what))?;
                transcript.entries.push(entry);
            } else if let Some(name) = content.strip_prefix("protocol ") {
                transcript.protocol = Some(name.trim().to_owned());
            } else {
                return Err(fail(0, "expected \"protocol NAME\", \"@TIME SIDE ...\", a string or a comment"));
            }
        }
        Ok(transcript)
    }
}

/// A [`Tap`] that stores one transcript for each connection. For captures that fit into memory.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    transcripts: BTreeMap<u64, (Connection, Transcript)>,
}

impl Collector {
    /// Returns the connections and their transcripts, by number.
    pub fn finish(self) -> impl Iterator<Item = (Connection, Transcript)> {
        self.transcripts.into_values()
    }
}

impl Tap for Collector {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let (_, transcript) =
            self.transcripts.entry(connection.number).or_insert_with(|| (*connection, Transcript::default()));
        transcript.entries.extend(Entry::of_event(time, event));
    }
}

fn parse_entry(entry: &str) -> Result<Entry, &'static str> {
    let mut words = entry.split_whitespace();
    let time = words.next().and_then(parse_time).ok_or("the time is not SECONDS.NANOSECONDS")?;
    let side = match words.next() {
        Some("client") => Side::Client,
        Some("server") => Side::Server,
        _ => return Err("the side is not \"client\" or \"server\""),
    };
    let content = match (words.next(), words.next()) {
        (None, _) => Content::Chunk(Vec::new()),
        (Some("gap"), Some(missing)) => {
            Content::Gap(missing.parse().map_err(|_| "the size of the gap is not a number of bytes")?)
        }
        (Some("closed"), None) => Content::Close(Ending::Closed),
        (Some("reset"), None) => Content::Close(Ending::Reset),
        (Some("lost"), None) => Content::Close(Ending::Lost),
        _ => return Err("expected nothing, \"gap BYTES\", \"closed\", \"reset\" or \"lost\" after the side"),
    };
    if words.next().is_some() {
        return Err("there are words too many on this line");
    }
    Ok(Entry { time, side, content })
}

fn parse_time(text: &str) -> Option<Time> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 9 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{decimals:0<9}").parse::<u64>().ok()?;
    let seconds = seconds.parse::<u64>().ok()?;
    Some(Time::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

/// Appends the bytes that a quoted string represents. On failure, returns the offset of the wrong
/// byte in the text and the reason.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> Result<(), (usize, &'static str)> {
    let mut rest = text.char_indices().skip(1);
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => {
                let tail = text[at + 1..].trim();
                return if tail.is_empty() { Ok(()) } else { Err((at + 1, "there is more behind the string")) };
            }
            '\\' => bytes.push(match rest.next().map(|(_, c)| c) {
                Some('n') => b'\n',
                Some('r') => b'\r',
                Some('t') => b'\t',
                Some('0') => 0,
                Some('\\') => b'\\',
                Some('"') => b'"',
                Some('\'') => b'\'',
                Some('x') => {
                    let mut digit = || rest.next().and_then(|(_, c)| c.to_digit(16));
                    match (digit(), digit()) {
                        (Some(high), Some(low)) => (high << 4 | low) as u8,
                        _ => return Err((at, "\\x needs two hexadecimal digits")),
                    }
                }
                _ => return Err((at, "an escape is one of \\n \\r \\t \\0 \\\\ \\\" \\' \\xNN")),
            }),
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err((text.len(), "the string has no closing quote"))
}

/// The text form, which parses to an equal transcript.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(protocol) = &self.protocol {
            writeln!(f, "protocol {protocol}")?;
        }
        for Entry { time, side, content } in &self.entries {
            match content {
                Content::Chunk(bytes) => {
                    writeln!(f, "@{time} {side}")?;
                    for line in lines_for_reading(bytes) {
                        writeln!(f, "  {}", Quoted(line))?;
                    }
                }
                Content::Gap(missing) => writeln!(f, "@{time} {side} gap {missing}")?,
                Content::Close(ending) => writeln!(f, "@{time} {side} {}", ending.as_str())?,
            }
        }
        Ok(())
    }
}

/// Cuts a chunk behind its line feeds, and a long line every 64 bytes.
fn lines_for_reading(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').flat_map(|line| line.chunks(64))
}

/// Bytes, displayed as a quoted string of ASCII with every other byte escaped.
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for &byte in self.0 {
            match byte {
                b'\'' => f.write_char('\'')?,
                byte => write!(f, "{}", core::ascii::escape_default(byte))?,
            }
        }
        f.write_char('"')
    }
}

/// The reason why a text is not a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line with the error, counted from 1.
    pub line: usize,
    /// The byte of the line with the error, counted from 1.
    pub column: usize,
    /// The reason, as a phrase.
    pub what: String,
}

impl ParseError {
    fn new(line: usize, column: usize, what: String) -> Self {
        Self { line, column, what }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl core::error::Error for ParseError {}
