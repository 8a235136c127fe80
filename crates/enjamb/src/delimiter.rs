//! One delimiter, and the search for it.
//!
//! A delimiter carries its two search tables, which all clones share: a substring searcher for the
//! inside of a chunk, and the Knuth-Morris-Pratt failure table for a delimiter that is split
//! between chunks. Because of the second, the scanner needs no copy of the bytes it holds back:
//! they are a prefix of the delimiter, so their number is enough.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::fmt;

use memchr::memmem::Finder;

use crate::steps;

/// One or more bytes that end a frame, with the tables to search for them. A clone shares the
/// tables.
#[derive(Clone)]
pub struct Delimiter(Arc<Tables>);

struct Tables {
    finder: Finder<'static>,
    /// `failure[i]`: the length of the longest proper prefix of the delimiter at the end of
    /// `delimiter[..=i]`.
    failure: Box<[usize]>,
}

/// The error of an empty delimiter, which would be found before every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyDelimiter;

impl fmt::Display for EmptyDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delimiter needs at least one byte")
    }
}

impl core::error::Error for EmptyDelimiter {}

impl Delimiter {
    /// Copies `bytes` and builds the tables, in linear time and space.
    ///
    /// # Errors
    /// [`EmptyDelimiter`] if `bytes` is empty.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, EmptyDelimiter> {
        match bytes.as_ref() {
            [] => Err(EmptyDelimiter),
            bytes => Ok(Self::build(bytes)),
        }
    }

    pub(crate) fn build(bytes: &[u8]) -> Self {
        Self(Arc::new(Tables { finder: Finder::new(bytes).into_owned(), failure: failure_table(bytes) }))
    }

    /// Returns the delimiter itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.finder.needle()
    }

    /// Returns where the first whole occurrence in `chunk` begins.
    #[inline]
    pub(crate) fn find(&self, chunk: &[u8]) -> Option<usize> {
        let found = self.0.finder.find(chunk);
        steps::count(found.map_or(chunk.len(), |at| at + self.bytes().len()));
        found
    }

    /// Returns the number of bytes of the delimiter that are matched after `byte`, if `matched`
    /// were matched before it. Constant time on average over a stream, since every turn of the loop
    /// undoes an earlier step.
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

    /// Returns the length of the longest proper prefix of the delimiter at the end of `chunk`,
    /// which does not contain the whole delimiter.
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
        Arc::ptr_eq(&self.0, &other.0) || self.bytes() == other.bytes()
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
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_longest_prefix_is_held_not_the_first_one() {
        let abab = Delimiter::new(b"abab").unwrap();
        assert_eq!(abab.begun_at_end_of(b"xxaba"), 3);
        assert_eq!(abab.begun_at_end_of(b"xxab"), 2);
        assert_eq!(abab.begun_at_end_of(b"a"), 1);
        assert_eq!(abab.begun_at_end_of(b"xx"), 0);
        assert_eq!(abab.begun_at_end_of(b""), 0);
    }

    /// Returns all texts of up to `longest` bytes, each `a` or `b`.
    fn texts(longest: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..=longest).flat_map(|length| {
            (0_usize..1 << length).map(move |bits| (0..length).map(|at| b'a' + (bits >> at & 1) as u8).collect())
        })
    }

    #[test]
    fn every_short_delimiter_is_begun_as_in_a_naive_search() {
        for bytes in texts(7).skip(1) {
            let delimiter = Delimiter::new(&bytes).unwrap();
            for chunk in texts(8).filter(|chunk| !chunk.windows(bytes.len()).any(|window| window == bytes)) {
                let begun = (0..bytes.len()).rfind(|length| chunk.ends_with(&bytes[..*length]));
                assert_eq!(Some(delimiter.begun_at_end_of(&chunk)), begun, "{delimiter:?} in {}", chunk.escape_ascii());
            }
        }
    }

    #[test]
    fn a_delimiter_is_shown_as_text() {
        assert_eq!(format!("{:?}", Delimiter::new(b"\r\n\"").unwrap()), "\"\\r\\n\\\"\"");
    }
}
