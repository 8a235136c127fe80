//! What ends the frame in progress.
//!
//! A delimiter carries its two search tables, made once and shared by every clone:
//! a substring searcher for the inside of a chunk, and the Knuth-Morris-Pratt failure table
//! for the places where a delimiter is split between chunks. The second is why the scanner needs no copy
//! of the bytes it holds back: what was seen of a delimiter *is* a prefix of that delimiter, so its
//! length says everything.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::fmt;
use core::num::NonZeroU64;

use memchr::memmem::Finder;

/// What ends a frame: `asynchat`'s terminator, without the values that mean something else than they say.
///
/// In `asynchat` a count of 0, `None` and an empty delimiter all silently meant "everything is data and
/// nothing is ever found", and a count became 0 once it was used up. None of these can be built here:
/// a length is not zero, a delimiter is not empty, and "to the end of the stream" has a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// The frame ends at the first whole occurrence of these bytes, which are not part of it.
    Delimiter(Delimiter),
    /// The frame is exactly this many bytes long.
    Length(NonZeroU64),
    /// The frame is everything up to the end of the stream.
    Close,
}

impl Terminator {
    /// A frame that ends at `bytes`.
    ///
    /// # Errors
    /// [`EmptyDelimiter`] when `bytes` is empty.
    pub fn delimiter(bytes: impl AsRef<[u8]>) -> Result<Self, EmptyDelimiter> {
        Delimiter::new(bytes).map(Self::Delimiter)
    }

    /// A frame of `bytes` bytes, or `None` for a length of 0: a frame of no bytes is whole already,
    /// so there is nothing to wait for and its handler goes on at once.
    #[must_use]
    pub fn length(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).map(Self::Length)
    }

    /// How many bytes of the stream the terminator itself takes up.
    pub(crate) fn width(&self) -> u64 {
        match self {
            Self::Delimiter(delimiter) => delimiter.bytes().len() as u64,
            Self::Length(_) | Self::Close => 0,
        }
    }

    /// A frame that ends at a line feed.
    #[must_use]
    pub fn lf() -> Self {
        Self::Delimiter(Delimiter::build(b"\n"))
    }

    /// A frame that ends at carriage return, line feed.
    #[must_use]
    pub fn crlf() -> Self {
        Self::Delimiter(Delimiter::build(b"\r\n"))
    }
}

/// The bytes that end a frame, at least one of them, with the tables to look for them.
/// A clone shares the tables.
#[derive(Clone)]
pub struct Delimiter(Arc<Tables>);

struct Tables {
    finder: Finder<'static>,
    /// `failure[i]`: the length of the longest proper prefix of the delimiter that `delimiter[..=i]` ends in.
    failure: Box<[usize]>,
}

/// A delimiter was empty: it would be found before every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyDelimiter;

impl fmt::Display for EmptyDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delimiter needs at least one byte")
    }
}

impl core::error::Error for EmptyDelimiter {}

impl Delimiter {
    /// Takes a copy of `bytes` and makes the tables, in time and space linear in their number.
    ///
    /// # Errors
    /// [`EmptyDelimiter`] when `bytes` is empty.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, EmptyDelimiter> {
        match bytes.as_ref() {
            [] => Err(EmptyDelimiter),
            bytes => Ok(Self::build(bytes)),
        }
    }

    fn build(bytes: &[u8]) -> Self {
        Self(Arc::new(Tables { finder: Finder::new(bytes).into_owned(), failure: failure_table(bytes) }))
    }

    /// The delimiter itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.finder.needle()
    }

    /// Where the first whole occurrence in `chunk` begins.
    pub(crate) fn find(&self, chunk: &[u8]) -> Option<usize> {
        self.0.finder.find(chunk)
    }

    /// With the first `matched` bytes of the delimiter seen, and now `byte`: how many are seen?
    /// Amortised over a stream this is constant, since every turn of the loop undoes an earlier step.
    pub(crate) fn advance(&self, mut matched: usize, byte: u8) -> usize {
        let bytes = self.bytes();
        while matched > 0 && bytes[matched] != byte {
            matched = self.0.failure[matched - 1];
        }
        if bytes[matched] == byte { matched + 1 } else { 0 }
    }

    /// The length of the longest proper prefix of the delimiter that `chunk` ends in. `chunk` does not hold
    /// the whole delimiter.
    pub(crate) fn begun_at_end_of(&self, chunk: &[u8]) -> usize {
        let longest = self.bytes().len() - 1;
        let tail = &chunk[chunk.len() - longest.min(chunk.len())..];
        tail.iter().fold(0, |matched, &byte| self.advance(matched, byte))
    }
}

fn failure_table(bytes: &[u8]) -> Box<[usize]> {
    let mut failure = vec![0; bytes.len()];
    let mut matched = 0;
    for at in 1..bytes.len() {
        while matched > 0 && bytes[matched] != bytes[at] {
            matched = failure[matched - 1];
        }
        if bytes[matched] == bytes[at] {
            matched += 1;
        }
        failure[at] = matched;
    }
    failure.into_boxed_slice()
}

impl PartialEq for Delimiter {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Delimiter {}

impl fmt::Debug for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_illegal_cannot_be_built() {
        assert_eq!(Terminator::delimiter(b""), Err(EmptyDelimiter));
        assert_eq!(Terminator::length(0), None);
    }

    #[test]
    fn the_longest_prefix_is_held_not_the_first() {
        let abab = Delimiter::new(b"abab").unwrap();
        assert_eq!(abab.begun_at_end_of(b"xxaba"), 3);
        assert_eq!(abab.begun_at_end_of(b"xxab"), 2);
        assert_eq!(abab.begun_at_end_of(b"a"), 1);
        assert_eq!(abab.begun_at_end_of(b"xx"), 0);
        assert_eq!(abab.begun_at_end_of(b""), 0);
    }
}
