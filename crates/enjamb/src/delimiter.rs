//! One delimiter, and how it is looked for.
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

use memchr::memmem::Finder;

use crate::steps;

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

    pub(crate) fn build(bytes: &[u8]) -> Self {
        Self(Arc::new(Tables { finder: Finder::new(bytes).into_owned(), failure: failure_table(bytes) }))
    }

    /// The delimiter itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.finder.needle()
    }

    /// Where the first whole occurrence in `chunk` begins.
    #[inline]
    pub(crate) fn find(&self, chunk: &[u8]) -> Option<usize> {
        let found = self.0.finder.find(chunk);
        steps::count(found.map_or(chunk.len(), |at| at + self.bytes().len()));
        found
    }

    /// With the first `matched` bytes of the delimiter seen, and now `byte`: how many are seen?
    /// Amortised over a stream this is constant, since every turn of the loop undoes an earlier step.
    #[inline]
    pub(crate) fn advance(&self, mut matched: usize, byte: u8) -> usize {
        let bytes = self.bytes();
        steps::count(1);
        while matched > 0 && bytes[matched] != byte {
            steps::count(1);
            matched = self.0.failure[matched - 1];
        }
        if bytes[matched] == byte { matched + 1 } else { 0 }
    }

    /// The length of the longest proper prefix of the delimiter that `chunk` ends in. `chunk` does not hold
    /// the whole delimiter.
    #[inline]
    pub(crate) fn begun_at_end_of(&self, chunk: &[u8]) -> usize {
        let longest = self.bytes().len() - 1;
        if longest == 1 {
            steps::count(1);
            return usize::from(chunk.last() == self.bytes().first());
        }
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

/// A delimiter of one byte.
impl From<u8> for Delimiter {
    fn from(byte: u8) -> Self {
        Self::build(&[byte])
    }
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
    fn the_longest_prefix_is_held_not_the_first() {
        let abab = Delimiter::new(b"abab").unwrap();
        assert_eq!(abab.begun_at_end_of(b"xxaba"), 3);
        assert_eq!(abab.begun_at_end_of(b"xxab"), 2);
        assert_eq!(abab.begun_at_end_of(b"a"), 1);
        assert_eq!(abab.begun_at_end_of(b"xx"), 0);
        assert_eq!(abab.begun_at_end_of(b""), 0);
    }
}
