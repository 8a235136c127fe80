//! The innermost loop: it cuts a stream into pieces of payload and the ends of frames.
//!
//! The scanner owns no buffer. If the last bytes of a chunk may begin a delimiter, they are *held*:
//! they are not delivered yet, because they may not be payload. They need no copy, since they are
//! part of the delimiter; their place in it is the whole state. If they turn out to be payload, the
//! piece is borrowed from the delimiter. Three rules follow, and each is one of `asynchat`'s:
//!
//! * Everything that cannot be part of a delimiter is delivered at once (`asynchat` P2).
//! * The *longest* possible beginning of a delimiter is held, and no more (P5, P6).
//! * A terminator that is changed between two tokens applies to the next byte (P10), and held bytes
//!   are scanned again *at once* (`asynchat` waits for the next read: M5 to M7).
//!
//! Under several delimiters ([`AnyOf`](crate::AnyOf)) a whole delimiter may be held too, while a
//! longer one is still possible. The frame has not ended then: the next byte decides, or the end of
//! the stream, or a change of the terminator, which applies to all held bytes.
//!
//! Time is linear in the bytes for all delimiters and chunks: the substring search looks at a byte
//! at most once, and the failure table steps over it at most twice.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::Range;

use crate::any_of::SetPosition;
use crate::delimiter::Delimiter;
use crate::steps;
use crate::terminator::Terminator;
use crate::token::{Cut, FrameEnd, RawToken, Source, Token};

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
    /// The number of bytes of the delimiter in force at the end of the last chunk. It is less than
    /// the delimiter's length.
    held: usize,
    /// The position in the set of delimiters in force.
    reading: SetPosition,
    /// The number of bytes of a frame of known length that are still to come.
    remaining: u64,
    /// The index of the delimiter of a set that ended the last frame.
    delimiter: usize,
    /// Bytes held under an earlier terminator, to be scanned under the one in force before anything
    /// else is.
    rescan: Option<Rescan>,
}

/// The error of a gap that cannot be placed. Either the terminator in force does not determine how
/// many bytes the frame in progress still needs, or the frame needs fewer bytes than are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapError;

impl fmt::Display for GapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the missing bytes do not fit into the frame in progress")
    }
}

impl core::error::Error for GapError {}

/// Bytes of the stream, as a range of the text of a terminator.
#[derive(Clone, Debug)]
struct Rescan {
    terminator: Terminator,
    range: Range<usize>,
}

impl Scanner {
    /// Creates a scanner at the beginning of a stream.
    #[must_use]
    pub fn new(terminator: Terminator) -> Self {
        let mut scanner =
            Self { terminator, held: 0, reading: SetPosition::default(), remaining: 0, delimiter: 0, rescan: None };
        scanner.rearm();
        scanner
    }

    /// Takes bytes from the front of `chunk` up to the next token. `None` means that the chunk is
    /// used up, and its bytes were delivered or are held.
    ///
    /// After [`Token::Last`] the same terminator is in force again, in full, unless
    /// [`set`](Self::set) changes it.
    pub fn next<'s, 'c: 's>(&'s mut self, chunk: &mut &'c [u8]) -> Option<Token<'s>> {
        self.take(chunk).map(RawToken::token)
    }

    pub(crate) fn take<'s, 'c: 's>(&'s mut self, chunk: &mut &'c [u8]) -> Option<RawToken<'s>> {
        if self.rescan.is_some()
            && let Some((cut, range)) = self.scan_again()
        {
            return Some(self.taken_again(cut, range));
        }
        let bytes = *chunk;
        let cut = self.scan(chunk)?;
        Some(self.taken(cut, bytes))
    }

    /// Takes a token as [`take`](Self::take) does, in the common case: nothing is held and nothing
    /// is to be scanned again. It is small enough to be inlined into the caller's loop. `None`
    /// means that the case is another one, or that the chunk is used up.
    #[inline(always)]
    pub(crate) fn take_at_once<'c>(&mut self, chunk: &mut &'c [u8]) -> Option<RawToken<'c>> {
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

    /// Returns whether no byte of the frame in progress was read.
    #[inline(always)]
    pub(crate) fn is_at_a_beginning(&self) -> bool {
        let whole = match self.terminator {
            Terminator::Length(length) => self.remaining == length.get(),
            _ => self.held == 0 && !self.reading.holds(),
        };
        whole && self.rescan.is_none()
    }

    /// Returns whether `chunk` and the bytes before it give no more tokens.
    #[inline(always)]
    pub(crate) fn is_done_with(&self, chunk: &[u8]) -> bool {
        chunk.is_empty() && self.rescan.is_none() && !self.reading.reads_again()
    }

    /// Ends the stream. Held bytes are payload then (`asynchat` lost them: E1), or a delimiter that
    /// did not become a longer one. Call it until it returns `None`.
    pub fn finish(&mut self) -> Option<Token<'_>> {
        self.take_at_end().map(RawToken::token)
    }

    pub(crate) fn take_at_end(&mut self) -> Option<RawToken<'_>> {
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

    /// Changes the terminator of the frame in progress. The next call of [`next`](Self::next) scans
    /// held bytes again under the new one, even with an empty chunk. A held delimiter, which waited
    /// for a longer one, does not count as found.
    ///
    /// Setting the terminator in force changes nothing, except that a length begins again. Any
    /// other change costs a scan of the held bytes.
    #[inline]
    pub fn set(&mut self, terminator: Terminator) {
        match (&mut self.terminator, &terminator) {
            // Nothing is held under a length, and a rescan works under any terminator.
            (Terminator::Length(current), &Terminator::Length(next)) => {
                *current = next;
                self.remaining = next.get();
            }
            // A rescan would end in the same state, and one for each frame would be quadratic.
            (Terminator::Delimiter(current), Terminator::Delimiter(next)) if current == next => {}
            (Terminator::AnyOf(current), Terminator::AnyOf(next)) if current == next => {}
            _ => self.change(terminator),
        }
    }

    fn change(&mut self, terminator: Terminator) {
        let old = core::mem::replace(&mut self.terminator, terminator);
        if self.held > 0 || self.reading.holds() {
            let held = held(&old, self.held, self.reading);
            match &mut self.rescan {
                // During a rescan the held bytes are the last of the rescanned ones.
                Some(rescan) => rescan.range.start -= held.len(),
                None => self.rescan = Some(Rescan { terminator: old, range: held }),
            }
            self.held = 0;
            self.reading = SetPosition::default();
        }
        self.delimiter = 0;
        self.rearm();
    }

    /// Returns the terminator in force.
    #[must_use]
    pub fn terminator(&self) -> &Terminator {
        &self.terminator
    }

    /// Returns the index of the delimiter of a set that ended the last frame; 0 under other
    /// terminators.
    #[must_use]
    pub fn delimiter(&self) -> usize {
        self.delimiter
    }

    /// Returns the number of bytes that were read and not delivered, since they may be part of a
    /// delimiter or are to be scanned again.
    #[must_use]
    pub fn held(&self) -> usize {
        held(&self.terminator, self.held, self.reading).len()
            + self.rescan.as_ref().map_or(0, |again| again.range.len())
    }

    /// Returns the bytes that were read and not delivered.
    #[must_use]
    pub fn held_bytes(&self) -> &[u8] {
        let held = held(&self.terminator, self.held, self.reading);
        match &self.rescan {
            Some(Rescan { terminator, range }) => &text(terminator)[range.start - held.len()..range.end],
            None => &text(&self.terminator)[held],
        }
    }

    /// Returns the number of bytes that a frame of known length still needs; `None` for other
    /// terminators.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> Option<u64> {
        matches!(self.terminator, Terminator::Length(_)).then_some(self.remaining)
    }

    /// Passes a gap in the stream. A frame of known length with room for `missing` bytes counts
    /// them off; returns `true` if that completes the frame. A frame that ends with the stream has
    /// room for any number. Under other terminators the gap cannot be placed.
    ///
    /// # Errors
    /// [`GapError`] if the bytes cannot be counted off. Nothing has changed then.
    pub fn pass(&mut self, missing: u64) -> Result<bool, GapError> {
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
            _ => Err(GapError),
        }
    }

    #[inline]
    fn rearm(&mut self) {
        if let Terminator::Length(length) = self.terminator {
            self.remaining = length.get();
        }
    }

    /// Returns the next cut of the bytes held under an earlier terminator, and their range in its
    /// text.
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
                search(delimiter, &mut self.held, chunk).map(RawToken::cut)
            }
            Terminator::Delimiter(delimiter) => resume(delimiter, chunk, &mut self.held),
            Terminator::Length(length) => count_off(*length, &mut self.remaining, chunk).map(RawToken::cut),
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

    /// Returns the next cut of the held bytes, where nothing follows them.
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

    fn taken<'a>(&'a self, Cut { source, ended }: Cut, bytes: &'a [u8]) -> RawToken<'a> {
        let piece = match source {
            Source::Chunk(length) => &bytes[..length],
            Source::Held(range) => &text(&self.terminator)[range],
        };
        RawToken { piece, ended }
    }

    fn taken_again(&self, cut: Cut, range: Range<usize>) -> RawToken<'_> {
        let bytes = self.rescan.as_ref().map_or(&[][..], |again| &text(&again.terminator)[range]);
        self.taken(cut, bytes)
    }
}

/// Returns the text whose ranges are the held bytes.
fn text(terminator: &Terminator) -> &[u8] {
    match terminator {
        Terminator::Delimiter(delimiter) => delimiter.bytes(),
        Terminator::AnyOf(set) => set.text(),
        Terminator::Length(_) | Terminator::Close => &[],
    }
}

/// Returns the range of the text that is held.
fn held(terminator: &Terminator, held: usize, reading: SetPosition) -> Range<usize> {
    match terminator {
        Terminator::Delimiter(_) => 0..held,
        Terminator::AnyOf(set) => set.held(reading),
        Terminator::Length(_) | Terminator::Close => 0..0,
    }
}

/// Searches a chunk for the delimiter, or for its beginning at the end. Nothing is held before.
#[inline(always)]
fn search<'c>(delimiter: &Delimiter, held: &mut usize, chunk: &mut &'c [u8]) -> Option<RawToken<'c>> {
    if let Some(at) = delimiter.find(chunk) {
        let width = delimiter.bytes().len();
        let piece = &chunk[..at];
        *chunk = &chunk[at + width..];
        return Some(RawToken { piece, ended: Some(FrameEnd { delimiter: 0, width }) });
    }
    *held = delimiter.begun_at_end_of(chunk);
    let piece = &chunk[..chunk.len() - *held];
    *chunk = &[];
    (!piece.is_empty()).then_some(RawToken { piece, ended: None })
}

/// Takes the rest of a frame of known length, of which `remaining` bytes are still to come.
#[inline(always)]
fn count_off<'c>(length: NonZeroU64, remaining: &mut u64, chunk: &mut &'c [u8]) -> Option<RawToken<'c>> {
    if chunk.is_empty() {
        return None;
    }
    steps::count(1);
    let here = usize::try_from(*remaining).map_or(chunk.len(), |remaining| remaining.min(chunk.len()));
    let (piece, rest) = chunk.split_at(here);
    *chunk = rest;
    *remaining -= here as u64;
    let ended = (*remaining == 0).then_some(FrameEnd::NONE);
    if ended.is_some() {
        *remaining = length.get();
    }
    Some(RawToken { piece, ended })
}

/// Continues a delimiter that was begun in an earlier chunk: until it is whole, or a new possible
/// beginning lies inside this chunk (then the held bytes are payload and `search` does the rest),
/// or the chunk is used up.
fn resume(delimiter: &Delimiter, chunk: &mut &[u8], held: &mut usize) -> Option<Cut> {
    let before = *held;
    let mut matched = before;
    for (at, &byte) in chunk.iter().enumerate() {
        let seen = at + 1;
        matched = delimiter.advance(matched, byte);
        if matched == delimiter.bytes().len() {
            *held = 0;
            *chunk = &chunk[seen..];
            let ended = Some(FrameEnd { delimiter: 0, width: matched });
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
