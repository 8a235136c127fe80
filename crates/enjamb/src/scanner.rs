//! The innermost loop: cuts a stream into pieces of payload and the places where a frame ends.
//!
//! The scanner owns no buffer. When a chunk ends in what may be the beginning of a delimiter, those bytes are
//! *held*: not delivered yet, because they may not be payload. They need no copy, being part of a
//! delimiter; where in it they lie is the whole state. When they turn out to be payload after all, the piece is
//! borrowed from the delimiter. Three rules follow, and each is one of `asynchat`'s:
//!
//! * everything that cannot be part of a delimiter is delivered at once (`asynchat` P2);
//! * the *longest* possible beginning of a delimiter is held, and no more (P5, P6);
//! * a terminator that is changed between two tokens applies to the very next byte (P10), and held bytes are
//!   looked at again under the new one *at once* (`asynchat` waited for the next read: M5 to M7).
//!
//! Of several delimiters ([`AnyOf`](crate::AnyOf)) one that is whole may be held too, while a longer one may still come of it. Then the frame has
//! not ended yet: the next byte decides, the end of the stream, or a change of the terminator, which applies to all that is held.
//!
//! Time is linear in the bytes, whatever the delimiters and the chunks: a byte is searched at most once by the
//! substring search and stepped over at most twice by the failure table.

use core::num::NonZeroU64;
use core::ops::Range;

use crate::any_of::Reading;
use crate::delimiter::Delimiter;
use crate::steps;
use crate::terminator::Terminator;

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
    /// Where the stream stands in the set of delimiters in force.
    reading: Reading,
    /// How many bytes of a frame of known length are still to come.
    remaining: u64,
    /// Which delimiter of a set ended the last frame.
    delimiter: usize,
    /// Bytes held under an earlier terminator, to be scanned under the one in force before anything else is.
    rescan: Option<Rescan>,
}

/// Bytes of the stream that lie in the text of a terminator.
#[derive(Clone, Debug)]
struct Rescan {
    terminator: Terminator,
    range: Range<usize>,
}

/// A token before it is borrowed: where its payload lies.
pub(crate) struct Cut {
    pub(crate) source: Source,
    pub(crate) ended: Option<Ended>,
}

pub(crate) enum Source {
    /// This range of the text of the terminator in force.
    Held(Range<usize>),
    /// The first bytes of the chunk.
    Chunk(usize),
}

/// A frame ends: by which delimiter of a set, and how many bytes that takes up.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) delimiter: usize,
    pub(crate) width: usize,
}

impl Ended {
    /// By no delimiter.
    pub(crate) const NONE: Self = Self { delimiter: 0, width: 0 };
}

/// A token, and what ended the frame.
#[derive(Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) piece: &'a [u8],
    pub(crate) ended: Option<Ended>,
}

impl Scanner {
    /// A scanner at the beginning of a stream.
    #[must_use]
    pub fn new(terminator: Terminator) -> Self {
        let mut scanner =
            Self { terminator, held: 0, reading: Reading::default(), remaining: 0, delimiter: 0, rescan: None };
        scanner.rearm();
        scanner
    }

    /// Takes bytes from the front of `chunk` up to the next token. `None`: the chunk is used up, and what was
    /// seen of it was delivered or is held.
    ///
    /// After [`Token::Last`] the same terminator is in force again, in full, unless [`set`](Self::set) changes it.
    pub fn next<'s, 'c: 's>(&'s mut self, chunk: &mut &'c [u8]) -> Option<Token<'s>> {
        self.take(chunk).map(Taken::token)
    }

    pub(crate) fn take<'s, 'c: 's>(&'s mut self, chunk: &mut &'c [u8]) -> Option<Taken<'s>> {
        if self.rescan.is_some()
            && let Some((cut, range)) = self.scan_again()
        {
            return Some(self.taken_again(cut, range));
        }
        let bytes = *chunk;
        let cut = self.scan(chunk)?;
        Some(self.taken(cut, bytes))
    }

    /// What [`take`](Self::take) takes in the common case, that nothing is held and nothing is to be scanned again: small enough to be part of the
    /// loop that asks. `None`: the case is not the common one, or the chunk is used up.
    #[inline(always)]
    pub(crate) fn take_at_once<'c>(&mut self, chunk: &mut &'c [u8]) -> Option<Taken<'c>> {
        match &self.terminator {
            Terminator::Length(length) if self.rescan.is_none() => count_off(*length, &mut self.remaining, chunk),
            Terminator::Delimiter(delimiter) if self.held == 0 && self.rescan.is_none() => {
                search(delimiter, &mut self.held, chunk)
            }
            Terminator::AnyOf(set) if self.rescan.is_none() && !self.reading.holds() => {
                let taken = set.search(&mut self.reading, chunk)?;
                self.delimiter = taken.ended.map_or(self.delimiter, |ended| ended.delimiter);
                Some(taken)
            }
            _ => None,
        }
    }

    /// Is there nothing left to say of `chunk` and of what came before it?
    #[inline(always)]
    pub(crate) fn is_done_with(&self, chunk: &[u8]) -> bool {
        chunk.is_empty() && self.rescan.is_none() && !self.reading.reads_again()
    }

    /// The stream ended: what is held is payload after all (`asynchat` E1 lost it), or a delimiter that nothing longer came of. Asked
    /// until it says `None`.
    pub fn finish(&mut self) -> Option<Token<'_>> {
        self.take_at_end().map(Taken::token)
    }

    pub(crate) fn take_at_end(&mut self) -> Option<Taken<'_>> {
        if self.rescan.is_some()
            && let Some((cut, range)) = self.scan_again()
        {
            return Some(self.taken_again(cut, range));
        }
        let cut = match self.scan(&mut &[][..]) {
            Some(cut) => cut,
            None => self.cut_at_end()?,
        };
        Some(self.taken(cut, &[]))
    }

    /// Changes what ends the frame in progress. Bytes that are held are scanned again under the new
    /// terminator by the next call of [`next`](Self::next), even with an empty chunk. A delimiter that is among them, because a longer one
    /// might have come of it, has not been found.
    #[inline]
    pub fn set(&mut self, terminator: Terminator) {
        if let (Terminator::Length(current), &Terminator::Length(next)) = (&mut self.terminator, &terminator) {
            // Nothing is held under a length, and what is to be scanned again is so under any.
            *current = next;
            self.remaining = next.get();
            return;
        }
        let old = core::mem::replace(&mut self.terminator, terminator);
        if self.held > 0 || self.reading.holds() {
            let held = held(&old, self.held, self.reading);
            match &mut self.rescan {
                // While earlier bytes are scanned again, what is held are the last of them.
                Some(rescan) => rescan.range.start -= held.len(),
                None => self.rescan = Some(Rescan { terminator: old, range: held }),
            }
            self.held = 0;
            self.reading = Reading::default();
        }
        self.delimiter = 0;
        self.rearm();
    }

    /// The terminator in force.
    #[must_use]
    pub fn terminator(&self) -> &Terminator {
        &self.terminator
    }

    /// Which delimiter of a set ended the last frame, by its place in the set; 0 under the other terminators.
    #[must_use]
    pub fn delimiter(&self) -> usize {
        self.delimiter
    }

    /// How many bytes were seen and not delivered, since they may be part of a delimiter or are to be scanned again.
    #[must_use]
    pub fn held(&self) -> usize {
        held(&self.terminator, self.held, self.reading).len()
            + self.rescan.as_ref().map_or(0, |again| again.range.len())
    }

    /// The bytes that were seen and not delivered.
    #[must_use]
    pub fn held_bytes(&self) -> &[u8] {
        let held = held(&self.terminator, self.held, self.reading);
        match &self.rescan {
            Some(Rescan { terminator, range }) => &text(terminator)[range.start - held.len()..range.end],
            None => &text(&self.terminator)[held],
        }
    }

    /// How many bytes a frame of known length still wants; `None` for the other terminators.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> Option<u64> {
        matches!(self.terminator, Terminator::Length(_)).then_some(self.remaining)
    }

    /// Bytes are missing from the stream here (a capture lost them). Inside a frame of known length that has room for them
    /// they are counted off, and `true` is returned where that completes the frame; a frame that ends with the stream has room for
    /// any number. Elsewhere nothing can be known of what they held.
    ///
    /// # Errors
    /// [`Unplaced`] when the bytes cannot be counted off; nothing has changed then.
    pub fn pass(&mut self, missing: u64) -> Result<bool, Unplaced> {
        match self.terminator {
            Terminator::Length(_) if missing <= self.remaining && self.held() == 0 => {
                self.remaining -= missing;
                let complete = self.remaining == 0;
                if complete {
                    self.rearm();
                }
                Ok(complete)
            }
            Terminator::Close if self.held() == 0 => Ok(false),
            _ => Err(Unplaced),
        }
    }

    #[inline]
    fn rearm(&mut self) {
        if let Terminator::Length(length) = self.terminator {
            self.remaining = length.get();
        }
    }

    /// The next cut of the bytes held under an earlier terminator, and where in its text they lie.
    #[cold]
    fn scan_again(&mut self) -> Option<(Cut, Range<usize>)> {
        let Rescan { terminator, range } = self.rescan.take()?;
        let mut rest = &text(&terminator)[range.clone()];
        let cut = self.scan(&mut rest)?;
        let left = range.end - rest.len()..range.end;
        self.rescan = Some(Rescan { terminator, range: left });
        Some((cut, range))
    }

    fn scan(&mut self, chunk: &mut &[u8]) -> Option<Cut> {
        match &self.terminator {
            Terminator::Delimiter(delimiter) if self.held == 0 => {
                search(delimiter, &mut self.held, chunk).map(Taken::cut)
            }
            Terminator::Delimiter(delimiter) => resume(delimiter, chunk, &mut self.held),
            Terminator::Length(length) => count_off(*length, &mut self.remaining, chunk).map(Taken::cut),
            Terminator::AnyOf(set) => {
                let cut = set.scan(&mut self.reading, chunk)?;
                self.delimiter = cut.ended.map_or(self.delimiter, |ended| ended.delimiter);
                Some(cut)
            }
            Terminator::Close => {
                let here = core::mem::take(chunk).len();
                (here > 0).then_some(Cut { source: Source::Chunk(here), ended: None })
            }
        }
    }

    /// The next cut of what is held, where nothing follows.
    fn cut_at_end(&mut self) -> Option<Cut> {
        match &self.terminator {
            Terminator::Delimiter(_) => {
                let held = core::mem::take(&mut self.held);
                (held > 0).then_some(Cut { source: Source::Held(0..held), ended: None })
            }
            Terminator::AnyOf(set) => {
                let cut = set.finish(&mut self.reading)?;
                self.delimiter = cut.ended.map_or(self.delimiter, |ended| ended.delimiter);
                Some(cut)
            }
            Terminator::Length(_) | Terminator::Close => None,
        }
    }

    fn taken<'a>(&'a self, Cut { source, ended }: Cut, bytes: &'a [u8]) -> Taken<'a> {
        let piece = match source {
            Source::Chunk(length) => &bytes[..length],
            Source::Held(range) => &text(&self.terminator)[range],
        };
        Taken { piece, ended }
    }

    fn taken_again(&self, cut: Cut, range: Range<usize>) -> Taken<'_> {
        let bytes = self.rescan.as_ref().map_or(&[][..], |again| &text(&again.terminator)[range]);
        self.taken(cut, bytes)
    }
}

impl<'a> Taken<'a> {
    /// What was taken from the front of a chunk, before it is borrowed.
    pub(crate) fn cut(self) -> Cut {
        Cut { source: Source::Chunk(self.piece.len()), ended: self.ended }
    }

    fn token(self) -> Token<'a> {
        if self.ended.is_some() { Token::Last(self.piece) } else { Token::Piece(self.piece) }
    }
}

/// The bytes that a terminator holds on to by their places.
fn text(terminator: &Terminator) -> &[u8] {
    match terminator {
        Terminator::Delimiter(delimiter) => delimiter.bytes(),
        Terminator::AnyOf(set) => set.text(),
        Terminator::Length(_) | Terminator::Close => &[],
    }
}

/// Which bytes of its text are held.
fn held(terminator: &Terminator, held: usize, reading: Reading) -> Range<usize> {
    match terminator {
        Terminator::Delimiter(_) => 0..held,
        Terminator::AnyOf(set) => set.held(reading),
        Terminator::Length(_) | Terminator::Close => 0..0,
    }
}

/// Bytes are missing where the terminator in force gives no way to know what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unplaced;

/// Nothing is held: the delimiter lies in the chunk, or begins at its end, or neither.
#[inline(always)]
fn search<'c>(delimiter: &Delimiter, held: &mut usize, chunk: &mut &'c [u8]) -> Option<Taken<'c>> {
    if let Some(at) = delimiter.find(chunk) {
        let width = delimiter.bytes().len();
        let piece = &chunk[..at];
        *chunk = &chunk[at + width..];
        return Some(Taken { piece, ended: Some(Ended { delimiter: 0, width }) });
    }
    *held = delimiter.begun_at_end_of(chunk);
    let piece = &chunk[..chunk.len() - *held];
    *chunk = &[];
    (!piece.is_empty()).then_some(Taken { piece, ended: None })
}

/// A frame of this length, of which `remaining` bytes are still to come.
#[inline(always)]
fn count_off<'c>(length: NonZeroU64, remaining: &mut u64, chunk: &mut &'c [u8]) -> Option<Taken<'c>> {
    if chunk.is_empty() {
        return None;
    }
    steps::count(1);
    let here = usize::try_from(*remaining).map_or(chunk.len(), |remaining| remaining.min(chunk.len()));
    let (piece, rest) = chunk.split_at(here);
    *chunk = rest;
    *remaining -= here as u64;
    let ended = (*remaining == 0).then_some(Ended::NONE);
    if ended.is_some() {
        *remaining = length.get();
    }
    Some(Taken { piece, ended })
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
            let ended = Some(Ended { delimiter: 0, width: matched });
            return Some(Cut { source: Source::Held(0..before + seen - matched), ended });
        }
        if matched <= seen {
            *held = 0;
            return Some(Cut { source: Source::Held(0..before), ended: None });
        }
    }
    let payload = before + chunk.len() - matched;
    *held = matched;
    *chunk = &[];
    (payload > 0).then_some(Cut { source: Source::Held(0..payload), ended: None })
}
