//! Parsers with a planted bug are caught, and the printed violation is minimal.

use enjamb::{End, Machine};
use enjamb_law::{Machines, Segmentations, split, split_everywhere, stream};

/// A common line splitter: it splits each chunk at CRLF and keeps the rest. The bug: it searches
/// for the delimiter in the new chunk only, and misses a CR that ends one chunk with the LF that
/// begins the next.
#[derive(Default)]
struct NaiveSplitter {
    line: Vec<u8>,
    offset: u64,
}

impl Machine for NaiveSplitter {
    type Event = String;
    type Error = std::convert::Infallible;

    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<String>, Self::Error> {
        let Some(at) = chunk.windows(2).position(|pair| pair == b"\r\n") else {
            self.line.extend_from_slice(chunk);
            *chunk = &[];
            return Ok(None);
        };
        self.line.extend_from_slice(&chunk[..at]);
        *chunk = &chunk[at + 2..];
        self.offset += self.line.len() as u64 + 2;
        Ok(Some(String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned()))
    }

    fn close(&mut self, _: &mut impl FnMut(String)) -> Result<End, Self::Error> {
        Ok(if self.line.is_empty() {
            End::Clean
        } else {
            End::Truncated { have: self.line.len() as u64, missing: None }
        })
    }

    fn held(&self) -> usize {
        self.line.len()
    }

    fn offset(&self) -> u64 {
        self.offset
    }
}

/// A matcher that restarts at the first byte of the delimiter after a mismatch, without the
/// fallback of Knuth, Morris and Pratt: it misses `aab` in `aaab` when a chunk ends after the
/// second `a`.
#[derive(Default)]
struct NoFallbackMatcher {
    matched: usize,
    offset: u64,
    seen: u64,
}

impl Machine for NoFallbackMatcher {
    type Event = ();
    type Error = std::convert::Infallible;

    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<()>, Self::Error> {
        const DELIMITER: &[u8] = b"aab";
        if self.matched == 0
            && let Some(at) = chunk.windows(3).position(|window| window == DELIMITER)
        {
            *chunk = &chunk[at + 3..];
            self.seen += at as u64 + 3;
            self.offset = self.seen;
            return Ok(Some(()));
        }
        while let Some((&byte, rest)) = chunk.split_first() {
            *chunk = rest;
            self.seen += 1;
            self.matched = if DELIMITER[self.matched] == byte { self.matched + 1 } else { 0 };
            if self.matched == 3 {
                self.matched = 0;
                self.offset = self.seen;
                return Ok(Some(()));
            }
        }
        Ok(None)
    }

    fn close(&mut self, _: &mut impl FnMut(())) -> Result<End, Self::Error> {
        Ok(End::Clean)
    }

    fn held(&self) -> usize {
        0
    }

    fn offset(&self) -> u64 {
        self.offset
    }
}

#[test]
fn a_naive_line_splitter_is_caught_and_the_cut_is_minimal() {
    let naive = Machines(NaiveSplitter::default);
    let input = stream(b"GET / HTTP/1.1\r\nHost: example.test\r\nAccept: */*\r\n\r\n");
    let violation = split_everywhere(&naive, &input, &Segmentations::up_to_one_cut()).unwrap_err();
    assert_eq!(violation.input, stream(b"\r\n"));
    assert_eq!(violation.cuts, [1]);
    // The README and the guide show the printed text.
    for shown in [include_str!("../../../README.md"), include_str!("../../../docs/laws.md")] {
        assert!(shown.contains(&violation.to_string()), "{violation}");
    }
}

#[test]
fn a_violation_found_under_many_cuts_is_shrunk_to_one() {
    let naive = Machines(NaiveSplitter::default);
    let bytes = b"one\r\ntwo\r\nthree\r\n".repeat(20);
    let every_byte: Vec<usize> = (1..bytes.len()).collect();
    let violation = split(&naive, &stream(&bytes), &every_byte).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"\r\n"), vec![1]));
}

#[test]
fn a_matcher_without_fallback_is_caught() {
    let matcher = Machines(NoFallbackMatcher::default);
    let violation = split_everywhere(&matcher, &stream(b"xxaaabxx"), &Segmentations::up_to_two_cuts()).unwrap_err();
    assert!(violation.input.len() <= 4, "{violation}");
    assert!(violation.cuts.len() <= 2, "{violation}");
}
