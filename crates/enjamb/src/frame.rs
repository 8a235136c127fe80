//! The frame in progress: how much of it has come, and what its limit says to that.

use crate::framer::FrameError;
use crate::handler::Found;
use crate::limit::{Limit, Overflow};
use crate::scanner::Ended;

/// The frame in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Where it begins in the stream.
    pub(crate) start: u64,
    /// Payload so far.
    pub(crate) length: u64,
    /// Payload so far that was over the limit.
    pub(crate) dropped: u64,
    /// Payload so far that the stream has lost.
    pub(crate) lost: u64,
    pub(crate) limit: Limit,
}

impl Frame {
    pub(crate) fn new(start: u64, limit: Limit) -> Self {
        Self { start, length: 0, dropped: 0, lost: 0, limit }
    }

    /// Is this much more of it within the limit, and so all that came before?
    #[inline(always)]
    pub(crate) fn has_room_for(&self, piece: &[u8]) -> bool {
        self.length <= self.limit.max && piece.len() as u64 <= self.limit.max - self.length
    }

    /// Counts `piece`, and gives back what of it is within the limit and whether the rest makes the frame one to refuse.
    pub(crate) fn admit<'p>(&mut self, piece: &'p [u8]) -> (&'p [u8], bool) {
        let kept = usize::try_from(self.room()).map_or(piece, |room| &piece[..room.min(piece.len())]);
        let over = (piece.len() - kept.len()) as u64;
        (kept, self.count(piece.len() as u64, over))
    }

    /// Counts payload that is lost. Does it make the frame one to refuse?
    pub(crate) fn lose(&mut self, missing: u64) -> bool {
        let within = missing.min(self.room());
        self.lost = self.lost.saturating_add(within);
        self.count(missing, missing - within)
    }

    /// How much more of the frame is within the limit.
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

    /// The frame, now that it has ended.
    #[inline(always)]
    pub(crate) fn found(&self, Ended { delimiter, width }: Ended) -> Found {
        let Self { start, length, dropped, lost, .. } = *self;
        let end = start.saturating_add(length).saturating_add(width as u64);
        Found { start, end, length, dropped, lost, delimiter }
    }

    pub(crate) fn is_skipped(&self) -> bool {
        self.dropped > 0 && self.limit.overflow == Overflow::Skip
    }
}
