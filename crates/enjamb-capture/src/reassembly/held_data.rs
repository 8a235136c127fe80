//! The captured data that a stream cannot deliver yet.
//!
//! There are pieces of payload, which do not overlap, and ranges that are lost because the capture
//! truncated a packet. Both are ordered by offset.

use std::collections::BTreeMap;

use enjamb::Time;

use crate::options::Overlap;

/// The bytes that a held piece costs besides its payload, for its place in the tree and the
/// allocator's overhead.
const PIECE: usize = 128;

/// The time and the acknowledgement of the segment that a payload came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentInfo {
    /// The time at which it was captured.
    pub(super) time: Time,
    /// The sequence number up to which its sender had received the bytes of the other side.
    pub(super) acknowledgement: Option<u32>,
}

pub(super) struct Piece {
    pub(super) bytes: Box<[u8]>,
    pub(super) info: SegmentInfo,
}

#[derive(Default)]
pub(super) struct HeldData {
    pieces: BTreeMap<u64, Piece>,
    /// From the key to the value.
    lost: BTreeMap<u64, u64>,
    /// The greatest end of all ranges so far.
    lost_to: u64,
    weight: usize,
}

/// Two copies of the same bytes that differ.
pub(super) struct Conflict {
    pub(super) offset: u64,
    pub(super) kept: Vec<u8>,
    pub(super) dropped: Vec<u8>,
    /// The number of bytes that differ.
    pub(super) bytes: u64,
}

impl HeldData {
    pub(super) const fn new() -> Self {
        Self { pieces: BTreeMap::new(), lost: BTreeMap::new(), lost_to: 0, weight: 0 }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        // Every piece and range has a weight. This is called for every segment, so it reads one
        // field only.
        self.weight == 0
    }

    /// Returns the memory that it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Returns where the first piece or lost range begins.
    pub(super) fn start(&self) -> Option<u64> {
        let piece = self.pieces.first_key_value().map(|(&start, _)| start);
        let lost = self.lost.first_key_value().map(|(&start, _)| start);
        [piece, lost].into_iter().flatten().min()
    }

    /// Returns the first piece and its offset.
    pub(super) fn first(&self) -> Option<(u64, &Piece)> {
        self.pieces.first_key_value().map(|(&start, piece)| (start, piece))
    }

    /// Returns the second piece and its offset.
    pub(super) fn second(&self) -> Option<(u64, &Piece)> {
        self.pieces.iter().nth(1).map(|(&start, piece)| (start, piece))
    }

    /// Removes all pieces and lost ranges from `offset` on. Returns the number of bytes in pieces.
    pub(super) fn remove_from(&mut self, offset: u64) -> u64 {
        let pieces = self.pieces.split_off(&offset);
        let lost = self.lost.split_off(&offset);
        let bytes = pieces.values().map(|piece| piece.bytes.len()).sum::<usize>();
        self.weight -= PIECE * (pieces.len() + lost.len()) + bytes;
        self.lost_to = self.lost.last_key_value().map_or(0, |(_, &end)| end);
        bytes as u64
    }

    /// Returns where the last piece or lost range ends.
    pub(super) fn end(&self) -> u64 {
        let piece = self.pieces.last_key_value().map(|(start, piece)| start + piece.bytes.len() as u64);
        self.lost_to.max(piece.unwrap_or(0))
    }

    /// Removes everything from `offset` on, also parts of pieces. Returns the number of bytes in
    /// pieces.
    pub(super) fn truncate(&mut self, offset: u64) -> u64 {
        let mut bytes = self.remove_from(offset);
        if let Some(mut last) = self.pieces.last_entry() {
            let kept = (offset - last.key()) as usize;
            let piece = last.get_mut();
            if kept < piece.bytes.len() {
                let removed = piece.bytes.len() - kept;
                piece.bytes = piece.bytes[..kept].into();
                self.weight -= removed;
                bytes += removed as u64;
            }
        }
        if let Some(mut last) = self.lost.last_entry() {
            let end = offset.min(*last.get());
            *last.get_mut() = end;
            self.lost_to = end;
        }
        bytes
    }

    /// Returns where the last piece or lost range ends that begins before `offset`.
    pub(super) fn end_before(&self, offset: u64) -> u64 {
        let piece = self.pieces.range(..offset).next_back().map(|(start, piece)| start + piece.bytes.len() as u64);
        let lost = self.lost.range(..offset).map(|(_, &end)| end).max();
        piece.max(lost).unwrap_or(0)
    }

    /// Returns the end of the pieces that follow each other without a hole from `offset` on.
    pub(super) fn contiguous(&self, mut offset: u64) -> u64 {
        for (&start, piece) in self.pieces.range(offset..) {
            if start != offset {
                break;
            }
            offset += piece.bytes.len() as u64;
        }
        offset
    }

    /// Returns how many bytes from `offset` on are in one piece (`true`), or in no piece (`false`).
    pub(super) fn run(&self, offset: u64) -> (u64, bool) {
        if let Some((&start, piece)) = self.pieces.range(..=offset).next_back()
            && start + piece.bytes.len() as u64 > offset
        {
            return (start + piece.bytes.len() as u64 - offset, true);
        }
        (self.pieces.range(offset..).next().map_or(u64::MAX, |(&start, _)| start - offset), false)
    }

    /// Holds `bytes`. Nothing may be held in their place.
    pub(super) fn insert(&mut self, offset: u64, bytes: &[u8], info: SegmentInfo) {
        self.weight += PIECE + bytes.len();
        self.pieces.insert(offset, Piece { bytes: bytes.into(), info });
    }

    /// Compares another copy of bytes with the piece that holds all of them. With
    /// [`Overlap::Last`], the new copy replaces the old one.
    pub(super) fn overlap(&mut self, offset: u64, bytes: &[u8], overlap: Overlap) -> Option<Conflict> {
        let (&start, piece) = self.pieces.range_mut(..=offset).next_back()?;
        let place = (offset - start) as usize;
        let before = piece.bytes.get_mut(place..place + bytes.len())?;
        let conflict = differing(offset, before, bytes);
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

    /// Removes the piece at `offset` and returns it.
    pub(super) fn take(&mut self, offset: u64) -> Option<Piece> {
        let piece = self.pieces.remove(&offset)?;
        self.weight -= PIECE + piece.bytes.len();
        Some(piece)
    }

    /// Marks a range as lost.
    pub(super) fn lose(&mut self, start: u64, end: u64) {
        self.lost_to = self.lost_to.max(end);
        match self.lost.get_mut(&start) {
            Some(known) => *known = end.max(*known),
            None => {
                self.lost.insert(start, end);
                self.weight += PIECE;
            }
        }
    }

    /// Returns where the lost range around `offset` ends. `None` if the byte at `offset` is not
    /// known to be lost.
    pub(super) fn lost(&mut self, offset: u64) -> Option<u64> {
        loop {
            let entry = self.lost.first_entry()?;
            let (&start, &end) = (entry.key(), entry.get());
            if start > offset {
                return None;
            }
            // If a piece from another copy lies inside the range, the range is needed again after
            // that piece.
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

/// The number of bytes of a conflict that are reported.
const SHOWN: usize = 16;

/// Returns how `bytes` at `offset` differ from the bytes that are there, which are as many.
pub(super) fn differing(offset: u64, kept: &[u8], bytes: &[u8]) -> Option<Conflict> {
    if kept == bytes {
        return None;
    }
    let pairs = || kept.iter().zip(bytes);
    let first = pairs().position(|(a, b)| a != b)?;
    Some(Conflict {
        offset: offset + first as u64,
        kept: kept.iter().skip(first).take(SHOWN).copied().collect(),
        dropped: bytes.iter().skip(first).take(SHOWN).copied().collect(),
        bytes: pairs().filter(|(a, b)| a != b).count() as u64,
    })
}
