//! The innermost loop: cuts a stream into pieces of payload and the places where a frame ends.
//!
//! The scanner owns no buffer. When a chunk ends in what may be the beginning of a delimiter, those bytes are
//! *held*: not delivered yet, because they may not be payload. They need no copy, being a prefix of the
//! delimiter; their number is the whole state. When they turn out to be payload after all, the piece is
//! borrowed from the delimiter. Three rules follow, and each is one of `asynchat`'s:
//!
//! * everything that cannot be part of a delimiter is delivered at once (`asynchat` P2);
//! * the *longest* possible beginning of a delimiter is held, and no more (P5, P6);
//! * a terminator that is changed between two tokens applies to the very next byte (P10), and held bytes are
//!   looked at again under the new one *at once* (`asynchat` waited for the next read: M5 to M7).
//!
//! Time is linear in the bytes, whatever the delimiter and the chunks: a byte is searched at most once by the
//! substring search and stepped over at most twice by the failure table.

use core::ops::Range;

use crate::terminator::{Delimiter, Terminator};

/// What [`Scanner::next`] found. A piece is borrowed from the chunk, or from the delimiter where bytes that
/// were held turned out to be payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Payload of the frame in progress, never empty. More of the frame follows.
    Piece(&'a [u8]),
    /// The last payload of the frame, perhaps empty, and behind it the frame's end.
    Last(&'a [u8]),
}

/// Cuts the chunks of one stream at the terminator in force.
///
/// ```
/// use enjamb::{Scanner, Terminator, Token};
///
/// let mut scanner = Scanner::new(Terminator::crlf());
/// let mut chunk: &[u8] = b"one\r";
/// assert_eq!(scanner.next(&mut chunk), Some(Token::Piece(b"one")));
/// assert_eq!(scanner.next(&mut chunk), None); // the "\r" is held: it may begin the delimiter
/// assert_eq!(scanner.held(), 1);
/// let mut chunk: &[u8] = b"\ntwo\r\n";
/// assert_eq!(scanner.next(&mut chunk), Some(Token::Last(b"")));
/// assert_eq!(scanner.next(&mut chunk), Some(Token::Last(b"two")));
/// ```
#[derive(Clone, Debug)]
pub struct Scanner {
    terminator: Terminator,
    /// How many bytes of the delimiter in force were seen at the end of the last chunk. Less than its length.
    held: usize,
    /// How many bytes of a frame of known length are still to come.
    remaining: u64,
    /// Bytes held under an earlier delimiter, to be scanned under the terminator in force.
    /// Only while `held` is 0: bytes are held only at the end of everything there is.
    rescan: Option<(Delimiter, Range<usize>)>,
}

/// A token before it is borrowed: where its payload lies.
#[derive(Clone, Copy)]
struct Cut {
    source: Source,
    last: bool,
}

#[derive(Clone, Copy)]
enum Source {
    /// The first bytes of the delimiter in force.
    Delimiter(usize),
    /// The first bytes of the chunk.
    Chunk(usize),
}

impl Scanner {
    /// A scanner at the beginning of a stream.
    #[must_use]
    pub fn new(terminator: Terminator) -> Self {
        let mut scanner = Self { terminator: Terminator::Close, held: 0, remaining: 0, rescan: None };
        scanner.set(terminator);
        scanner
    }

    /// Takes bytes from the front of `chunk` up to the next token. `None`: the chunk is used up, and what was
    /// seen of it was delivered or is held.
    ///
    /// After [`Token::Last`] the same terminator is in force again, in full, unless [`set`](Self::set) changes it.
    pub fn next<'s, 'c: 's>(&'s mut self, chunk: &mut &'c [u8]) -> Option<Token<'s>> {
        if self.rescan.is_some() {
            if let Some((cut, bytes)) = self.rescan_held() {
                let bytes = self.rescan.as_ref().map_or(&[][..], |(d, _)| &d.bytes()[bytes]);
                return Some(token(cut, &self.terminator, bytes));
            }
            self.rescan = None;
        }
        let bytes = *chunk;
        let cut = self.scan(chunk)?;
        Some(token(cut, &self.terminator, bytes))
    }

    /// Changes what ends the frame in progress. Bytes that are held are scanned again under the new
    /// terminator by the next call of [`next`](Self::next), even with an empty chunk.
    pub fn set(&mut self, terminator: Terminator) {
        if self.held > 0
            && let Terminator::Delimiter(old) = &self.terminator
        {
            self.rescan = Some((old.clone(), 0..self.held));
            self.held = 0;
        }
        self.terminator = terminator;
        self.rearm();
    }

    /// The terminator in force.
    #[must_use]
    pub fn terminator(&self) -> &Terminator {
        &self.terminator
    }

    /// Bytes seen and not delivered, since they may begin a delimiter.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held + self.rescan.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    /// How many bytes a frame of known length still wants; `None` for the other terminators.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        matches!(self.terminator, Terminator::Length(_)).then_some(self.remaining)
    }

    /// The stream ended: what is held is payload after all. (`asynchat` E1 lost it.) Asked until it says `None`.
    pub fn finish(&mut self) -> Option<Token<'_>> {
        if self.rescan.is_some() {
            if let Some((cut, bytes)) = self.rescan_held() {
                let bytes = self.rescan.as_ref().map_or(&[][..], |(d, _)| &d.bytes()[bytes]);
                return Some(token(cut, &self.terminator, bytes));
            }
            self.rescan = None;
        }
        let held = core::mem::take(&mut self.held);
        let cut = (held > 0).then_some(Cut { source: Source::Delimiter(held), last: false })?;
        Some(token(cut, &self.terminator, &[]))
    }

    /// Bytes are missing from the stream here (a capture lost them). Inside a frame of known length that has room for them
    /// they are counted off, and `true` is returned where that completes the frame; a frame that ends with the stream has room for
    /// any number. Elsewhere nothing can be known of what they held.
    ///
    /// # Errors
    /// [`Unplaced`] when the bytes cannot be counted off; nothing has changed then.
    pub fn pass(&mut self, missing: u64) -> Result<bool, Unplaced> {
        match self.terminator {
            Terminator::Length(_) if missing <= self.remaining && self.rescan.is_none() => {
                self.remaining -= missing;
                let complete = self.remaining == 0;
                if complete {
                    self.rearm();
                }
                Ok(complete)
            }
            Terminator::Close if self.rescan.is_none() => Ok(false),
            _ => Err(Unplaced),
        }
    }

    fn rearm(&mut self) {
        self.remaining = match self.terminator {
            Terminator::Length(length) => length.get(),
            Terminator::Delimiter(_) | Terminator::Close => 0,
        };
    }

    /// The next token of the bytes held under an earlier delimiter, and where in that delimiter they lie.
    fn rescan_held(&mut self) -> Option<(Cut, Range<usize>)> {
        let (delimiter, bytes) = self.rescan.clone()?;
        let mut rest = &delimiter.bytes()[bytes.clone()];
        let cut = self.scan(&mut rest)?;
        if let Some((_, left)) = &mut self.rescan {
            left.start = left.end - rest.len();
        }
        Some((cut, bytes))
    }

    fn scan(&mut self, chunk: &mut &[u8]) -> Option<Cut> {
        if chunk.is_empty() {
            return None;
        }
        match &self.terminator {
            Terminator::Delimiter(delimiter) => {
                if self.held == 0 {
                    search(delimiter, chunk, &mut self.held)
                } else {
                    resume(delimiter, chunk, &mut self.held)
                }
            }
            Terminator::Length(_) => {
                let here = usize::try_from(self.remaining).map_or(chunk.len(), |n| n.min(chunk.len()));
                *chunk = &chunk[here..];
                self.remaining -= here as u64;
                let last = self.remaining == 0;
                if last {
                    self.rearm();
                }
                Some(Cut { source: Source::Chunk(here), last })
            }
            Terminator::Close => {
                let here = core::mem::take(chunk).len();
                Some(Cut { source: Source::Chunk(here), last: false })
            }
        }
    }
}

/// Bytes are missing where the terminator in force gives no way to know what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unplaced;

/// Nothing is held: the delimiter lies in the chunk, or begins at its end, or neither.
fn search(delimiter: &Delimiter, chunk: &mut &[u8], held: &mut usize) -> Option<Cut> {
    if let Some(at) = delimiter.find(chunk) {
        *chunk = &chunk[at + delimiter.bytes().len()..];
        return Some(Cut { source: Source::Chunk(at), last: true });
    }
    *held = delimiter.begun_at_end_of(chunk);
    let payload = chunk.len() - *held;
    *chunk = &[];
    (payload > 0).then_some(Cut { source: Source::Chunk(payload), last: false })
}

/// The delimiter was begun in an earlier chunk: goes on until it is whole, or until what may be one begins
/// inside this chunk (then the held bytes are payload and `search` does the rest), or the chunk is used up.
fn resume(delimiter: &Delimiter, chunk: &mut &[u8], held: &mut usize) -> Option<Cut> {
    let before = *held;
    let mut matched = before;
    for (at, &byte) in chunk.iter().enumerate() {
        let seen = at + 1;
        matched = delimiter.advance(matched, byte);
        if matched == delimiter.bytes().len() {
            *held = 0;
            *chunk = &chunk[seen..];
            return Some(Cut { source: Source::Delimiter(before + seen - matched), last: true });
        }
        if matched <= seen {
            *held = 0;
            return Some(Cut { source: Source::Delimiter(before), last: false });
        }
    }
    let payload = before + chunk.len() - matched;
    *held = matched;
    *chunk = &[];
    (payload > 0).then_some(Cut { source: Source::Delimiter(payload), last: false })
}

fn token<'a>(cut: Cut, terminator: &'a Terminator, bytes: &'a [u8]) -> Token<'a> {
    let piece = match (cut.source, terminator) {
        (Source::Chunk(length), _) => &bytes[..length],
        (Source::Delimiter(length), Terminator::Delimiter(delimiter)) => &delimiter.bytes()[..length],
        (Source::Delimiter(_), Terminator::Length(_) | Terminator::Close) => &[],
    };
    if cut.last { Token::Last(piece) } else { Token::Piece(piece) }
}
