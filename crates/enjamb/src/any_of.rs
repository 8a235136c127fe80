//! Several delimiters at once, found leftmost and then longest, in a stream.
//!
//! What may be a delimiter that goes on in the next chunk is a path in the [trie](crate::trie) of the delimiters, so a node says all of
//! what is held, as a count does for one delimiter. Two things are more than that automaton does:
//!
//! * **A delimiter that is seen may have to wait.** While a longer one may still come of its beginning (`\r`, of `\r` and
//!   `\r\n`), or one that began before it (`b`, of `b` and `abc`), the frame has not ended: the next byte decides, or the end of the stream. Which
//!   delimiter waits needs no memory: it is the first one inside the node's path.
//! * **What was read ahead in vain is read again**, since more delimiters may lie in it: of `a` and `aaab` the stream `aaac` has three. Those
//!   bytes are part of a delimiter too, but reading them byte by byte once for every frame would be quadratic. So two tables know of
//!   every place in every delimiter which one begins there and where the next one does, and the failures of the trie lead to the node where
//!   reading would have arrived.
//!
//! So the state is three numbers, and a byte costs a few steps whatever the set: the trie is walked once or twice, and a failure undoes an
//! earlier step.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::scanner::{Cut, Ended, Source, Taken};
use crate::steps;
use crate::trie::{ROOT, Trie};

/// Delimiters any of which ends a frame, at least one of them and none empty, with the tables to look for them. A clone shares the tables.
///
/// The frame ends at the delimiter that begins first, and where several begin at the same byte at the longest. So where one is the beginning of
/// another it is found only when the next byte is known, or the end of the stream: until then its bytes are held. A terminator that is changed
/// in the meantime applies to them.
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
/// A delimiter that is given twice is found as the first of the two.
#[derive(Clone)]
pub struct AnyOf(Arc<Set>);

struct Set {
    trie: Trie,
    /// All delimiters, one behind the other.
    text: Box<[u8]>,
    /// Where in the text each begins, and where the last one ends.
    begins: Box<[usize]>,
    /// For each node the first delimiter inside its path, where there is one: leftmost, then longest.
    inside: Box<[Option<Inside>]>,
    /// For each place in the text, but the beginning of a delimiter: the longest delimiter that begins there and ends within the one the place is in.
    begun_at: Box<[Option<usize>]>,
    /// For each place in the text: the first one from there on, in the same delimiter, with something in `begun_at`.
    next_begun: Box<[Option<usize>]>,
    first: FirstBytes,
}

#[derive(Clone, Copy, Debug)]
struct Inside {
    /// How far into the path it begins.
    at: usize,
    delimiter: usize,
}

/// How to look for a byte that delimiters begin with.
enum FirstBytes {
    One(u8),
    Two(u8, u8),
    Three(u8, u8, u8),
    More(Box<[bool; 256]>),
}

/// A set of delimiters that would be found nowhere, or before every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IllegalSet {
    /// There are no delimiters.
    Empty,
    /// One of them is empty.
    EmptyDelimiter {
        /// Which.
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

/// How far a stream has come in a set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// The longest path that what was read ends in, since the frame began.
    node: usize,
    /// Bytes to be read again, as a range of the set's text. The node is that behind them, and no longer than they are.
    again: Option<(usize, usize)>,
}

impl Reading {
    /// Was anything seen and not delivered?
    pub(crate) fn holds(self) -> bool {
        self.node != ROOT || self.again.is_some()
    }

    /// Are there bytes to be read again?
    #[inline]
    pub(crate) fn reads_again(self) -> bool {
        self.again.is_some()
    }
}

impl AnyOf {
    /// Takes copies of `delimiters` and makes the tables, in time and space linear in their bytes.
    ///
    /// # Errors
    /// [`IllegalSet`] when there are none, or one of them is empty.
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
        let first = FirstBytes::of(&trie);
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

    /// The delimiters, as they were given.
    pub fn delimiters(&self) -> impl Iterator<Item = &[u8]> {
        self.0.begins.windows(2).map(|ends| &self.0.text[ends[0]..ends[1]])
    }

    /// All delimiters, one behind the other.
    pub(crate) fn text(&self) -> &[u8] {
        &self.0.text
    }

    /// Which bytes of the text are those that were seen and not delivered.
    pub(crate) fn held(&self, reading: Reading) -> Range<usize> {
        match reading.again {
            Some((at, end)) => at..end,
            None => self.0.path(reading.node),
        }
    }

    /// The next cut: of the bytes that are read again, then of the chunk.
    #[inline]
    pub(crate) fn scan(&self, reading: &mut Reading, chunk: &mut &[u8]) -> Option<Cut> {
        let set = &*self.0;
        if reading.again.is_some()
            && let Some(cut) = set.read_again(reading)
        {
            return Some(cut);
        }
        if reading.node == ROOT { self.search(reading, chunk).map(Taken::cut) } else { set.resume(reading, chunk) }
    }

    /// The next token, where nothing is held.
    #[inline(always)]
    pub(crate) fn search<'c>(&self, reading: &mut Reading, chunk: &mut &'c [u8]) -> Option<Taken<'c>> {
        self.0.search(reading, chunk)
    }

    /// The next cut of what is held at the end of the stream, where nothing is read again.
    pub(crate) fn finish(&self, reading: &mut Reading) -> Option<Cut> {
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

/// For each node the first delimiter inside of its path.
fn inside(trie: &Trie, length: impl Fn(usize) -> usize) -> Box<[Option<Inside>]> {
    let mut inside = vec![None::<Inside>; trie.nodes().count()];
    for node in trie.nodes() {
        for child in trie.children(node) {
            let ends =
                trie.ends_in(child).map(|delimiter| Inside { at: trie.depth(child) - length(delimiter), delimiter });
            // It ends later than what was there before, so it is the longer one where both begin at the same place.
            inside[child] = match (inside[node], ends) {
                (Some(before), Some(new)) if new.at > before.at => Some(before),
                (before, new) => new.or(before),
            };
        }
    }
    inside.into_boxed_slice()
}

impl Set {
    /// The node's path, as a place in the text.
    fn path(&self, node: usize) -> Range<usize> {
        let begin = self.begins[self.trie.through(node)];
        begin..begin + self.trie.depth(node)
    }

    fn length(&self, delimiter: usize) -> usize {
        self.begins[delimiter + 1] - self.begins[delimiter]
    }

    #[inline]
    fn ended(&self, delimiter: usize) -> Ended {
        Ended { delimiter, width: self.length(delimiter) }
    }

    /// The delimiter that waited inside the path of `node` ends the frame. What was read behind it is read again.
    fn settle(&self, reading: &mut Reading, node: usize, Inside { at, delimiter }: Inside) -> Ended {
        let path = self.path(node);
        self.leave(reading, node, path.start + at + self.length(delimiter), path.end);
        self.ended(delimiter)
    }

    /// The text from `at` to `end` is to be read again. `node` is one behind it that began earlier.
    fn leave(&self, reading: &mut Reading, mut node: usize, at: usize, end: usize) {
        while self.trie.depth(node) > end - at {
            steps::count(1);
            node = self.trie.failure(node);
        }
        *reading = Reading { node, again: (at < end).then_some((at, end)) };
    }

    /// The next cut of bytes that are read again. `None`: the rest of them is the node's path.
    #[cold]
    fn read_again(&self, reading: &mut Reading) -> Option<Cut> {
        let (at, end) = reading.again?;
        let begun = end - self.trie.depth(reading.node);
        steps::count(1);
        // One that begins before the node's path does cannot wait for anything.
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

    /// The path of `node` is a delimiter, and nothing longer is.
    #[inline]
    fn whole(&self, node: usize) -> Ended {
        let delimiter = self.inside[node].map_or(0, |itself| itself.delimiter);
        Ended { delimiter, width: self.trie.depth(node) }
    }

    /// Does the delimiter inside of the path of `node` end the frame, when the path goes on as that of `next`?
    fn settles(&self, node: usize, next: usize) -> Option<Inside> {
        self.inside[node].filter(|inside| self.trie.depth(node) - self.trie.depth(next) > inside.at)
    }

    /// Nothing is held.
    #[inline]
    fn search<'c>(&self, reading: &mut Reading, chunk: &mut &'c [u8]) -> Option<Taken<'c>> {
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
                    return Some(Taken { piece, ended: Some(self.settle(reading, node, inside)) });
                }
                node = next;
            }
            if self.trie.is_leaf(node) {
                let piece = &bytes[..at - self.trie.depth(node)];
                *chunk = &bytes[at..];
                return Some(Taken { piece, ended: Some(self.whole(node)) });
            }
        }
        reading.node = node;
        *chunk = &[];
        let piece = &bytes[..at - self.trie.depth(node)];
        (!piece.is_empty()).then_some(Taken { piece, ended: None })
    }

    /// The path of a node is held: goes on until that settles which of its bytes are payload. As soon as what may be a delimiter
    /// begins inside of the chunk they all are, and [`search`](Self::search) does the rest.
    fn resume(&self, reading: &mut Reading, chunk: &mut &[u8]) -> Option<Cut> {
        let bytes = *chunk;
        let held = self.path(reading.node);
        // How much of what was held lies before the path of a node.
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

impl FirstBytes {
    fn of(trie: &Trie) -> Self {
        let mut table = Box::new([false; 256]);
        let mut bytes = Vec::new();
        for byte in trie.first_bytes() {
            bytes.push(byte);
            table[usize::from(byte)] = true;
        }
        match *bytes {
            [a] => Self::One(a),
            [a, b] => Self::Two(a, b),
            [a, b, c] => Self::Three(a, b, c),
            _ => Self::More(table),
        }
    }

    #[inline]
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::One(a) => memchr::memchr(*a, bytes),
            Self::Two(a, b) => memchr::memchr2(*a, *b, bytes),
            Self::Three(a, b, c) => memchr::memchr3(*a, *b, *c, bytes),
            Self::More(table) => bytes.iter().position(|&byte| table[usize::from(byte)]),
        }
    }
}

impl PartialEq for AnyOf {
    fn eq(&self, other: &Self) -> bool {
        self.delimiters().eq(other.delimiters())
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
