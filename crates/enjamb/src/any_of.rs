//! Several delimiters at once, found leftmost and then longest, in a stream.
//!
//! A delimiter that may continue in the next chunk is a path in the [trie](crate::trie) of the
//! delimiters, so a node describes all held bytes, as a count does for one delimiter. Two things go
//! beyond that automaton:
//!
//! * **A delimiter may have to wait.** While a longer one with the same beginning is possible
//!   (`\r`, of `\r` and `\r\n`), or one that began before it (`b`, of `b` and `abc`), the frame has
//!   not ended: the next byte decides, or the end of the stream. The waiting delimiter needs no
//! * **Bytes that were read ahead without a match are read again**, since more delimiters may lie
//!   in them:
//!   with `a` and `aaab`, the stream `aaac` has three. Reading them again byte by byte for every
//!   frame would be quadratic. They are part of a delimiter too, so two tables list, for every
//!   place in every delimiter, the delimiter that begins there and the next place where one does.
//!   The failures of the trie lead to the node where reading would have arrived.
//!
//! So the state is three numbers, and a byte costs a few steps for any set: the trie is walked once
//! or twice, and a failure undoes an earlier step.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::first_bytes::FirstBytes;
use crate::steps;
use crate::token::{Cut, FrameEnd, RawToken, Source};
use crate::trie::{ROOT, Trie};

/// One or more delimiters, none of them empty, any of which ends a frame, with the tables to search
/// for them. A clone shares the tables.
///
/// The frame ends at the delimiter that begins first, and at the longest of those that begin at the
/// same byte. A delimiter that is the beginning of another is found only when the next byte is
/// known, or the stream has ended. Until then its bytes are held, and a change of the terminator
/// applies to them.
///
/// ```
/// use enjamb::{Scanner, Terminator, Token};
///
/// let mut scanner = Scanner::new(Terminator::any_of(["\r", "\r\n"]).unwrap());
/// let mut chunk: &[u8] = b"one\r";
/// assert_eq!(scanner.next(&mut chunk), Some(Token::Piece(b"one")));
/// assert_eq!(scanner.next(&mut chunk), None); // is the delimiter "\r", or "\r\n"?
/// let mut chunk: &[u8] = b"\ntwo\rthree";
/// assert_eq!(scanner.next(&mut chunk), Some(Token::Last(b"")));
/// assert_eq!(scanner.delimiter(), 1);
/// assert_eq!(scanner.next(&mut chunk), Some(Token::Last(b"two")));
/// assert_eq!(scanner.delimiter(), 0);
/// ```
///
/// The error reports a duplicate as the first of its copies.
#[derive(Clone)]
pub struct AnyOf(Arc<Set>);

struct Set {
    trie: Trie,
    /// All delimiters, concatenated.
    text: Box<[u8]>,
    /// The offset at which each begins in the text, and the offset at which the last one ends.
    begins: Box<[usize]>,
    /// For each node, the first delimiter inside its path, if there is one: leftmost, then longest.
    inside: Box<[Option<InnerDelimiter>]>,
    /// For each place in the text except the beginning of a delimiter: the longest delimiter that
    /// begins there and ends within the one that contains the place.
    begun_at: Box<[Option<usize>]>,
    /// For each place in the text: the first place from there on, in the same delimiter, with an
    /// entry in `begun_at`.
    next_begun: Box<[Option<usize>]>,
    first: FirstBytes,
}

#[derive(Clone, Copy, Debug)]
struct InnerDelimiter {
    /// Its offset in the path.
    at: usize,
    delimiter: usize,
}

/// The error of a set of delimiters that would be found nowhere, or before every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IllegalSet {
    /// There are no delimiters.
    Empty,
    /// One of them is empty.
    EmptyDelimiter {
        /// Its index.
        index: usize,
    },
}

impl fmt::Display for IllegalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a set of delimiters needs at least one"),
            Self::EmptyDelimiter { index } => {
                write!(f, "delimiter {index} of the set is empty, it needs at least one byte")
            }
        }
    }
}

impl core::error::Error for IllegalSet {}

/// The position of a stream in a set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SetPosition {
    /// The node of the longest path at the end of the bytes read since the frame began.
    node: usize,
    /// Bytes to be read again, as a range of the set's text. The node is the one behind them, and
    /// its path is not longer than they are.
    again: Option<(usize, usize)>,
}

impl SetPosition {
    /// Returns whether anything was seen and not delivered.
    pub(crate) fn holds(self) -> bool {
        self.node != ROOT || self.again.is_some()
    }

    /// Returns whether there are bytes to be read again.
    #[inline]
    pub(crate) fn reads_again(self) -> bool {
        self.again.is_some()
    }
}

impl AnyOf {
    /// Copies `delimiters` and builds the tables, in linear time and space: some 150 bytes for each
    /// byte of them.
    ///
    /// # Errors
    /// [`IllegalSet`] if there are none, or one of them is empty.
    pub fn new<B: AsRef<[u8]>>(delimiters: impl IntoIterator<Item = B>) -> Result<Self, IllegalSet> {
        let (mut text, mut begins) = (Vec::new(), vec![0]);
        for (index, delimiter) in delimiters.into_iter().enumerate() {
            if delimiter.as_ref().is_empty() {
                return Err(IllegalSet::EmptyDelimiter { index });
            }
            text.extend_from_slice(delimiter.as_ref());
            begins.push(text.len());
        }
        if text.is_empty() {
            return Err(IllegalSet::Empty);
        }
        let delimiters = || begins.windows(2).map(|ends| ends[0]..ends[1]);
        let trie = Trie::new(delimiters().map(|range| text[range].iter().copied()));
        let reversed = Trie::new(delimiters().map(|range| text[range].iter().rev().copied()));
        let mut begun_at = vec![None; text.len()];
        let mut next_begun = vec![None; text.len()];
        for range in delimiters() {
            let (mut node, mut next) = (ROOT, None);
            for at in range.skip(1).rev() {
                node = reversed.advance(node, text[at]);
                begun_at[at] = reversed.ends_in(node);
                next = begun_at[at].map(|_| at).or(next);
                next_begun[at] = next;
            }
        }
        let first = FirstBytes::new(trie.first_bytes());
        let length = |delimiter: usize| begins[delimiter + 1] - begins[delimiter];
        let inside = inside(&trie, length);
        Ok(Self(Arc::new(Set {
            trie,
            text: text.into_boxed_slice(),
            begins: begins.into_boxed_slice(),
            inside,
            begun_at: begun_at.into_boxed_slice(),
            next_begun: next_begun.into_boxed_slice(),
            first,
        })))
    }

    /// Returns the delimiters, as they were given.
    pub fn delimiters(&self) -> impl Iterator<Item = &[u8]> {
        self.0.begins.windows(2).map(|ends| &self.0.text[ends[0]..ends[1]])
    }

    /// Returns all delimiters, concatenated.
    pub(crate) fn text(&self) -> &[u8] {
        &self.0.text
    }

    /// Returns the range of the text that was read and is not delivered yet.
    pub(crate) fn held(&self, reading: SetPosition) -> Range<usize> {
        match reading.again {
            Some((at, end)) => at..end,
            None => self.0.path(reading.node),
        }
    }

    /// Returns the next cut, of the bytes that are read again, then of the chunk.
    #[inline]
    pub(crate) fn scan(&self, reading: &mut SetPosition, chunk: &mut &[u8]) -> Option<Cut> {
        let set = &*self.0;
        if reading.again.is_some()
            && let Some(cut) = set.read_again(reading)
        {
            return Some(cut);
        }
        if reading.node == ROOT { self.search(reading, chunk).map(RawToken::cut) } else { set.resume(reading, chunk) }
    }

    /// Returns the next token, where nothing is held.
    #[inline(always)]
    pub(crate) fn search<'c>(&self, reading: &mut SetPosition, chunk: &mut &'c [u8]) -> Option<RawToken<'c>> {
        self.0.search(reading, chunk)
    }

    /// Returns the next cut of the held bytes at the end of the stream, where nothing is read
    /// again.
    pub(crate) fn finish(&self, reading: &mut SetPosition) -> Option<Cut> {
        let set = &*self.0;
        let path = set.path(reading.node);
        match set.inside[reading.node] {
            Some(inside) => {
                let source = Source::Held(path.start..path.start + inside.at);
                Some(Cut { source, ended: Some(set.settle(reading, reading.node, inside)) })
            }
            None => {
                reading.node = ROOT;
                (!path.is_empty()).then_some(Cut { source: Source::Held(path), ended: None })
            }
        }
    }
}

/// Returns for each node the first delimiter inside its path.
fn inside(trie: &Trie, length: impl Fn(usize) -> usize) -> Box<[Option<InnerDelimiter>]> {
    let mut inside = vec![None::<InnerDelimiter>; trie.nodes().count()];
    for node in trie.nodes() {
        for child in trie.children(node) {
            let ends = trie
                .ends_in(child)
                .map(|delimiter| InnerDelimiter { at: trie.depth(child) - length(delimiter), delimiter });
            // The new one ends later, so it is the longer one if both begin at the same place.
            inside[child] = match (inside[node], ends) {
                (Some(before), Some(new)) if new.at > before.at => Some(before),
                (before, new) => new.or(before),
            };
        }
    }
    inside.into_boxed_slice()
}

impl Set {
    /// Returns the node's path, as a range of the text.
    fn path(&self, node: usize) -> Range<usize> {
        let begin = self.begins[self.trie.through(node)];
        begin..begin + self.trie.depth(node)
    }

    fn length(&self, delimiter: usize) -> usize {
        self.begins[delimiter + 1] - self.begins[delimiter]
    }

    #[inline]
    fn ended(&self, delimiter: usize) -> FrameEnd {
        FrameEnd { delimiter, width: self.length(delimiter) }
    }

    /// Ends the frame at the delimiter that waited inside the path of `node`. The bytes behind it
    /// are read again.
    fn settle(
        &self,
        reading: &mut SetPosition,
        node: usize,
        InnerDelimiter { at, delimiter }: InnerDelimiter,
    ) -> FrameEnd {
        let path = self.path(node);
        self.leave(reading, node, path.start + at + self.length(delimiter), path.end);
        self.ended(delimiter)
    }

    /// Marks the text from `at` to `end` to be read again. `node` is a node behind it that began
    /// earlier.
    fn leave(&self, reading: &mut SetPosition, mut node: usize, at: usize, end: usize) {
        while self.trie.depth(node) > end - at {
            steps::count(1);
            node = self.trie.failure(node);
        }
        *reading = SetPosition { node, again: (at < end).then_some((at, end)) };
    }

    /// Returns the next cut of bytes that are read again. `None`: the rest of them is the node's
    /// path.
    #[cold]
    fn read_again(&self, reading: &mut SetPosition) -> Option<Cut> {
        let (at, end) = reading.again?;
        let begun = end - self.trie.depth(reading.node);
        steps::count(1);
        // A delimiter that begins before the node's path cannot wait for anything.
        if let Some(first) = self.next_begun[at].filter(|&first| first < begun)
            && let Some(delimiter) = self.begun_at[first]
        {
            self.leave(reading, reading.node, first + self.length(delimiter), end);
            return Some(Cut { source: Source::Held(at..first), ended: Some(self.ended(delimiter)) });
        }
        reading.again = None;
        if self.trie.is_leaf(reading.node) {
            let ended = self.whole(reading.node);
            reading.node = ROOT;
            return Some(Cut { source: Source::Held(at..begun), ended: Some(ended) });
        }
        (at < begun).then_some(Cut { source: Source::Held(at..begun), ended: None })
    }

    /// Returns the end of a frame at the path of `node`, which is a delimiter that no other one
    /// continues.
    #[inline]
    fn whole(&self, node: usize) -> FrameEnd {
        let delimiter = self.inside[node].map_or(0, |itself| itself.delimiter);
        FrameEnd { delimiter, width: self.trie.depth(node) }
    }

    /// Returns the delimiter inside the path of `node` if it ends the frame, when the path
    /// continues as that of `next`.
    fn settles(&self, node: usize, next: usize) -> Option<InnerDelimiter> {
        self.inside[node].filter(|inside| self.trie.depth(node) - self.trie.depth(next) > inside.at)
    }

    /// Searches a chunk. Nothing is held before.
    #[inline]
    fn search<'c>(&self, reading: &mut SetPosition, chunk: &mut &'c [u8]) -> Option<RawToken<'c>> {
        let bytes = *chunk;
        let (mut node, mut at) = (ROOT, 0);
        loop {
            if node == ROOT {
                let begun = self.first.find(&bytes[at..]);
                steps::count(begun.unwrap_or(bytes.len() - at));
                at = begun.map_or(bytes.len(), |begun| at + begun);
            }
            let Some(&byte) = bytes.get(at) else { break };
            steps::count(1);
            if let Some(child) = self.trie.child(node, byte) {
                node = child;
                at += 1;
            } else {
                let next = self.trie.failure(node);
                if let Some(inside) = self.settles(node, next) {
                    let piece = &bytes[..at - self.trie.depth(node) + inside.at];
                    *chunk = &bytes[at..];
                    return Some(RawToken { piece, ended: Some(self.settle(reading, node, inside)) });
                }
                node = next;
            }
            if self.trie.is_leaf(node) {
                let piece = &bytes[..at - self.trie.depth(node)];
                *chunk = &bytes[at..];
                return Some(RawToken { piece, ended: Some(self.whole(node)) });
            }
        }
        reading.node = node;
        *chunk = &[];
        let piece = &bytes[..at - self.trie.depth(node)];
        (!piece.is_empty()).then_some(RawToken { piece, ended: None })
    }

    /// Continues a held path until it is certain which of its bytes are payload. All of them are
    /// once a possible delimiter begins inside the chunk; [`search`](Self::search) does the rest.
    fn resume(&self, reading: &mut SetPosition, chunk: &mut &[u8]) -> Option<Cut> {
        let bytes = *chunk;
        let held = self.path(reading.node);
        // The held bytes before the path of a node.
        let before = |node: usize, at: usize| held.start..held.end + at - self.trie.depth(node);
        let (mut node, mut at) = (reading.node, 0);
        while self.trie.depth(node) > at {
            let Some(&byte) = bytes.get(at) else {
                reading.node = node;
                *chunk = &[];
                let payload = before(node, at);
                return (!payload.is_empty()).then_some(Cut { source: Source::Held(payload), ended: None });
            };
            steps::count(1);
            if let Some(child) = self.trie.child(node, byte) {
                node = child;
                at += 1;
            } else {
                let next = self.trie.failure(node);
                if let Some(inside) = self.settles(node, next) {
                    let mut payload = before(node, at);
                    payload.end += inside.at;
                    if payload.end > held.end {
                        break;
                    }
                    *chunk = &bytes[at..];
                    return Some(Cut {
                        source: Source::Held(payload),
                        ended: Some(self.settle(reading, node, inside)),
                    });
                }
                node = next;
            }
            if self.trie.is_leaf(node) && self.trie.depth(node) > at {
                *chunk = &bytes[at..];
                reading.node = ROOT;
                return Some(Cut { source: Source::Held(before(node, at)), ended: Some(self.whole(node)) });
            }
        }
        reading.node = ROOT;
        Some(Cut { source: Source::Held(held), ended: None })
    }
}

impl PartialEq for AnyOf {
    fn eq(&self, other: &Self) -> bool {
        let same = || self.0.begins == other.0.begins && self.0.text == other.0.text;
        Arc::ptr_eq(&self.0, &other.0) || same()
    }
}

impl Eq for AnyOf {}

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.delimiters().map(Quoted)).finish()
    }
}

struct Quoted<'a>(&'a [u8]);

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
