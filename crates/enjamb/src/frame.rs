//! The frame in progress: its length so far, and its limit.

use crate::frame_error::FrameError;
use crate::handler::FrameInfo;
use crate::limit::{Limit, Overflow};
use crate::token::FrameEnd;

/// The frame in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The offset at which it begins in the stream.
    pub(crate) start: u64,
    /// The number of payload bytes so far.
    pub(crate) length: u64,
    /// The number of payload bytes so far that are beyond the limit.
    pub(crate) dropped: u64,
    /// The number of payload bytes so far that were lost to gaps.
    pub(crate) lost: u64,
    pub(crate) limit: Limit,
}

impl Frame {
    pub(crate) fn new(start: u64, limit: Limit) -> Self {
        Self { start, length: 0, dropped: 0, lost: 0, limit }
    }

    /// Returns whether `piece`, and with it everything before, is within the limit.
    #[inline(always)]
    pub(crate) fn has_room_for(&self, piece: &[u8]) -> bool {
        self.length <= self.limit.max && piece.len() as u64 <= self.limit.max - self.length
    }

    /// Counts `piece`. Returns the part within the limit, and whether the frame must be refused.
    pub(crate) fn admit<'p>(&mut self, piece: &'p [u8]) -> (&'p [u8], bool) {
        let kept = usize::try_from(self.room()).map_or(piece, |room| &piece[..room.min(piece.len())]);
        let over = (piece.len() - kept.len()) as u64;
        (kept, self.count(piece.len() as u64, over))
    }

    /// Counts lost payload. Returns whether the frame must be refused.
    pub(crate) fn lose(&mut self, missing: u64) -> bool {
        let within = missing.min(self.room());
        self.lost = self.lost.saturating_add(within);
        self.count(missing, missing - within)
    }

    /// Returns how many more bytes are within the limit.
    fn room(&self) -> u64 {
        self.limit.max.saturating_sub(self.length - self.dropped)
    }

    fn count(&mut self, length: u64, over: u64) -> bool {
        self.length = self.length.saturating_add(length);
        self.dropped = self.dropped.saturating_add(over);
        over > 0 && self.limit.overflow == Overflow::Refuse
    }

    pub(crate) fn too_long<E>(&self) -> FrameError<E> {
        let Self { start, limit: Limit { max, .. }, .. } = *self;
        FrameError::TooLong { start, end: start.saturating_add(max), max }
    }

    /// Returns the description of the frame, which has ended.
    #[inline(always)]
    pub(crate) fn found(&self, FrameEnd { delimiter, width }: FrameEnd) -> FrameInfo {
        let Self { start, length, dropped, lost, .. } = *self;
        let end = start.saturating_add(length).saturating_add(width as u64);
        FrameInfo { start, end, length, dropped, lost, delimiter }
    }

    pub(crate) fn is_skipped(&self) -> bool {
        self.dropped > 0 && self.limit.overflow == Overflow::Skip
    }
}
