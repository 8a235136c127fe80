//! An input with its chunks glued together, and all ways to cut it again.
//!
//! Neighbouring chunks of one side are glued. The result is a list of *turns*: between two turns
//! the other side sent something, or a gap or an end came. The edges of turns are cause and effect
//! and stay where they are. Inside a turn every cut is legal.

use enjamb::transcript::{Content, Entry};
use enjamb::{Ending, Side, Time, Transcript};

/// A [`Transcript`] without its cuts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cutting {
    turns: Vec<(Side, Content)>,
    len: usize,
}

/// A part of the input of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes that arrive together.
    Chunk(&'a [u8]),
    /// Bytes that are missing.
    Gap(u64),
    /// Nothing: the subject is called again without new input. Only the [quiet](crate::Law::Quiet)
    /// law does this.
    Again,
    /// The side's stream ends.
    Close(Ending),
}

impl Event<'_> {
    /// Returns the event in the form of a transcript; `None` for `Again`.
    pub(crate) fn what(self) -> Option<Content> {
        match self {
            Self::Chunk(bytes) => Some(Content::Chunk(bytes.to_vec())),
            Self::Gap(missing) => Some(Content::Gap(missing)),
            Self::Close(ending) => Some(Content::Close(ending)),
            Self::Again => None,
        }
    }
}

/// The side of a subject that reads only one stream.
pub(crate) const ONLY: Side = Side::Client;

/// Makes an input of one side's stream. The stream ends where the input ends.
#[must_use]
pub fn stream(bytes: &[u8]) -> Cutting {
    Cutting::of([(Side::Client, Content::Chunk(bytes.to_vec()))])
}

impl Cutting {
    /// Makes an input of turns, and glues adjacent chunks of one side.
    #[must_use]
    pub fn of(turns: impl IntoIterator<Item = (Side, Content)>) -> Self {
        let mut glued: Vec<(Side, Content)> = Vec::new();
        for (side, what) in turns {
            match (glued.last_mut(), what) {
                (Some((last, Content::Chunk(bytes))), Content::Chunk(more)) if *last == side => {
                    bytes.extend_from_slice(&more);
                }
                (_, Content::Chunk(bytes)) if bytes.is_empty() => {}
                (_, what) => glued.push((side, what)),
            }
        }
        let len = glued.iter().map(|(_, what)| payload(what).len()).sum();
        Self { turns: glued, len }
    }

    /// Returns the turns, in order.
    #[must_use]
    pub fn turns(&self) -> &[(Side, Content)] {
        &self.turns
    }

    /// Returns the number of payload bytes in all turns together. A cut is a number between 1 and
    /// one less than this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the payload of all turns together. Where there is only one stream, this is the
    /// stream.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.turns.iter().flat_map(|(_, what)| payload(what)).copied().collect()
    }

    /// Returns the beginning of the input, with `bytes` bytes of payload, or all of it if it has no
    /// more. Events after the last of these bytes are left out.
    #[must_use]
    pub fn beginning(&self, bytes: usize) -> Self {
        if self.len <= bytes {
            return self.clone();
        }
        let mut left = bytes;
        Self::of(self.turns.iter().map_while(|(side, what)| {
            let Content::Chunk(turn) = what else { return (left > 0).then(|| (*side, what.clone())) };
            let taken = &turn[..turn.len().min(left)];
            left -= taken.len();
            (!taken.is_empty()).then(|| (*side, Content::Chunk(taken.to_vec())))
        }))
    }

    /// Returns the edges of the turns within the payload. A cut there changes nothing.
    pub(crate) fn edges(&self) -> Vec<usize> {
        let ends = self.turns.iter().scan(0, |at, (_, what)| {
            *at += payload(what).len();
            Some(*at)
        });
        ends.filter(|at| (1..self.len).contains(at)).collect()
    }

    /// Returns whether there is no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the events in order, with the payload cut before each byte whose number is in
    /// `cuts`. The cuts are in ascending order. A cut at the edge of a turn changes nothing.
    pub fn cut<'a>(&'a self, cuts: &'a [usize]) -> impl Iterator<Item = (Side, Event<'a>)> {
        let mut offset = 0;
        let mut next = 0;
        self.turns.iter().flat_map(move |(side, what)| {
            let start = offset;
            let bytes = payload(what);
            offset += bytes.len();
            while next < cuts.len() && cuts[next] <= start {
                next += 1;
            }
            let first = next;
            while next < cuts.len() && cuts[next] < offset {
                next += 1;
            }
            Pieces { side: *side, what, start, from: 0, cuts: &cuts[first..next], done: false }
        })
    }

    /// Returns a transcript, cut at `cuts`, without times.
    #[must_use]
    pub fn transcript(&self, cuts: &[usize]) -> Transcript {
        let entries = self
            .cut(cuts)
            .filter_map(|(side, event)| Some(Entry { time: Time::default(), side, content: event.what()? }));
        Transcript { protocol: None, entries: entries.collect() }
    }
}

/// Drops times and cuts.
impl From<&Transcript> for Cutting {
    fn from(transcript: &Transcript) -> Self {
        Self::of(transcript.entries.iter().map(|entry| (entry.side, entry.content.clone())))
    }
}

pub(crate) fn payload(what: &Content) -> &[u8] {
    match what {
        Content::Chunk(bytes) => bytes,
        Content::Gap(_) | Content::Close(_) => &[],
    }
}

/// One turn, cut.
struct Pieces<'a> {
    side: Side,
    what: &'a Content,
    /// The offset at which the turn begins in the payload of all turns.
    start: usize,
    /// The offset at which the next piece begins in the turn.
    from: usize,
    cuts: &'a [usize],
    done: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (Side, Event<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let event = match self.what {
            Content::Chunk(bytes) => {
                let to = match self.cuts {
                    [cut, rest @ ..] => {
                        self.cuts = rest;
                        cut - self.start
                    }
                    [] => {
                        self.done = true;
                        bytes.len()
                    }
                };
                let piece = &bytes[self.from..to];
                self.from = to;
                Event::Chunk(piece)
            }
            Content::Gap(missing) => {
                self.done = true;
                Event::Gap(*missing)
            }
            Content::Close(ending) => {
                self.done = true;
                Event::Close(*ending)
            }
        };
        Some((self.side, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_keep_their_edges_and_lose_their_cuts() {
        let chunk = |bytes: &[u8]| Content::Chunk(bytes.to_vec());
        let cutting = Cutting::of([
            (Side::Client, chunk(b"ab")),
            (Side::Client, chunk(b"c")),
            (Side::Server, chunk(b"de")),
            (Side::Client, Content::Close(Ending::Closed)),
        ]);
        assert_eq!(cutting.len(), 5);
        let pieces: Vec<_> = cutting.cut(&[1, 3, 4]).collect();
        assert_eq!(
            pieces,
            [
                (Side::Client, Event::Chunk(b"a")),
                (Side::Client, Event::Chunk(b"bc")),
                (Side::Server, Event::Chunk(b"d")),
                (Side::Server, Event::Chunk(b"e")),
                (Side::Client, Event::Close(Ending::Closed)),
            ]
        );
        assert_eq!(Cutting::from(&cutting.transcript(&[1, 3, 4])), cutting);
        let lengths =
            [0, 1, 3, 4, 5].map(|bytes| (cutting.beginning(bytes).len(), cutting.beginning(bytes).turns.len()));
        assert_eq!(lengths, [(0, 0), (1, 1), (3, 1), (4, 2), (5, 3)]);
    }
}
