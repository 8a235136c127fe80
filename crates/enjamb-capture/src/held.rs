//! What a stream has seen and cannot deliver yet.
//!
//! Pieces of payload that do not overlap, each with what its segment said; and ranges that are known to be lost, because
//! a packet was cut when it was captured. Both by offset.

use std::collections::BTreeMap;

use enjamb::Time;

use crate::options::Overlap;

/// What a held piece costs besides its bytes: its place in the tree and the allocator's share.
pub(crate) const PIECE: usize = 128;

/// What the payload of a segment came with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// When it was captured.
    pub(crate) time: Time,
    /// What its sender had received by then, as a sequence number.
    pub(crate) acknowledgement: Option<u32>,
}

pub(crate) struct Piece {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) mark: Mark,
}

#[derive(Default)]
pub(crate) struct Held {
    pieces: BTreeMap<u64, Piece>,
    /// From, to.
    lost: BTreeMap<u64, u64>,
    /// Where the last of them ends, or ended.
    lost_to: u64,
    weight: usize,
}

/// Copies of a byte that disagree.
pub(crate) struct Conflict {
    pub(crate) offset: u64,
    pub(crate) kept: Vec<u8>,
    pub(crate) dropped: Vec<u8>,
    /// How many bytes differ.
    pub(crate) bytes: u64,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        // Each of them weighs something. Asked for every segment, which looks at nothing else here.
        self.weight == 0
    }

    /// What it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Where the first piece or lost range begins.
    pub(crate) fn start(&self) -> Option<u64> {
        let piece = self.pieces.first_key_value().map(|(&start, _)| start);
        let lost = self.lost.first_key_value().map(|(&start, _)| start);
        [piece, lost].into_iter().flatten().min()
    }

    /// The first piece, and where it begins.
    pub(crate) fn first(&self) -> Option<(u64, &Piece)> {
        self.pieces.first_key_value().map(|(&start, piece)| (start, piece))
    }

    /// Nothing that was seen, or is known to be lost, is behind this.
    pub(crate) fn end(&self) -> u64 {
        let piece = self.pieces.last_key_value().map(|(start, piece)| start + piece.bytes.len() as u64);
        self.lost_to.max(piece.unwrap_or(0))
    }

    /// Where the pieces end that follow each other from `offset` on.
    pub(crate) fn contiguous(&self, mut offset: u64) -> u64 {
        for (&start, piece) in self.pieces.range(offset..) {
            if start != offset {
                break;
            }
            offset += piece.bytes.len() as u64;
        }
        offset
    }

    /// How many bytes from `offset` on are in one piece already (`true`) or are in none.
    pub(crate) fn run(&self, offset: u64) -> (u64, bool) {
        if let Some((&start, piece)) = self.pieces.range(..=offset).next_back()
            && start + piece.bytes.len() as u64 > offset
        {
            return (start + piece.bytes.len() as u64 - offset, true);
        }
        (self.pieces.range(offset..).next().map_or(u64::MAX, |(&start, _)| start - offset), false)
    }

    /// Holds `bytes`, where nothing is held.
    pub(crate) fn insert(&mut self, offset: u64, bytes: &[u8], mark: Mark) {
        self.weight += PIECE + bytes.len();
        self.pieces.insert(offset, Piece { bytes: bytes.into(), mark });
    }

    /// Another copy of bytes that are all in the piece around `offset`.
    pub(crate) fn overlap(&mut self, offset: u64, bytes: &[u8], overlap: Overlap) -> Option<Conflict> {
        let (&start, piece) = self.pieces.range_mut(..=offset).next_back()?;
        let place = (offset - start) as usize;
        let before = piece.bytes.get_mut(place..place + bytes.len())?;
        let conflict = differing(offset, before, &[], bytes);
        if conflict.is_some() && overlap == Overlap::Last {
            let conflict = conflict.map(|Conflict { offset, kept, dropped, bytes }| Conflict {
                offset,
                kept: dropped,
                dropped: kept,
                bytes,
            });
            before.copy_from_slice(bytes);
            return conflict;
        }
        conflict
    }

    /// The piece at `offset`, which is held no longer.
    pub(crate) fn take(&mut self, offset: u64) -> Option<Piece> {
        let piece = self.pieces.remove(&offset)?;
        self.weight -= PIECE + piece.bytes.len();
        Some(piece)
    }

    /// A range is lost for ever.
    pub(crate) fn lose(&mut self, start: u64, end: u64) {
        self.lost_to = self.lost_to.max(end);
        match self.lost.get_mut(&start) {
            Some(known) => *known = end.max(*known),
            None => {
                self.lost.insert(start, end);
                self.weight += PIECE;
            }
        }
    }

    /// How far from `offset` on everything is lost for ever. `None`: not even the byte there is known to be.
    pub(crate) fn lost(&mut self, offset: u64) -> Option<u64> {
        loop {
            let entry = self.lost.first_entry()?;
            let (&start, &end) = (entry.key(), entry.get());
            if start > offset {
                return None;
            }
            // It may be needed again behind a piece in its midst, which came from another copy.
            let piece = self.pieces.first_key_value().map_or(u64::MAX, |(&start, _)| start);
            if end <= piece {
                entry.remove();
                self.weight -= PIECE;
            }
            let end = end.min(piece);
            if end > offset {
                return Some(end);
            }
            if end == piece {
                return None;
            }
        }
    }
}

/// How many bytes of a conflict are kept to be shown.
const SHOWN: usize = 16;

/// Where `bytes` at `offset` differ from what is there, which is in two halves.
pub(crate) fn differing(offset: u64, head: &[u8], tail: &[u8], bytes: &[u8]) -> Option<Conflict> {
    let split = head.len().min(bytes.len());
    let (one, other) = bytes.split_at(split);
    if head[..split] == *one && tail.iter().zip(other).all(|(a, b)| a == b) {
        return None;
    }
    let pairs = || head.iter().chain(tail).zip(bytes);
    let first = pairs().position(|(a, b)| a != b)?;
    Some(Conflict {
        offset: offset + first as u64,
        kept: pairs().skip(first).take(SHOWN).map(|(a, _)| *a).collect(),
        dropped: pairs().skip(first).take(SHOWN).map(|(_, b)| *b).collect(),
        bytes: pairs().filter(|(a, b)| a != b).count() as u64,
    })
}
