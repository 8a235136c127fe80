//! The bytes of a capture that were read at once.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a capture that stay in memory as long as anyone needs them.
///
/// The payloads of [segments](crate::Segment) are parts of a block, except where they were put
/// together from fragments. So a program that passes segments to other threads need not copy them:
/// it clones the block, which copies nothing, and [finds](Self::find) the place of the payload.
#[derive(Clone, Debug, Default)]
pub struct Block(Arc<Vec<u8>>);

impl Block {
    /// Returns the place of `bytes` in this block, by their address. `None` if they are somewhere
    /// else, even if the block has a copy of them.
    #[must_use]
    #[inline]
    pub fn find(&self, bytes: &[u8]) -> Option<Range<usize>> {
        place_within(&self.0, bytes)
    }

    /// Returns all bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether both are the same block in memory.
    #[must_use]
    #[inline]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the bytes to write to, unless somebody shares the block.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        Arc::get_mut(&mut self.0)
    }
}

/// Returns the place of `part` in `whole`, by their addresses. `None` if it is not a part of it.
#[must_use]
#[inline]
pub fn place_within(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let from = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    let to = from.checked_add(part.len())?;
    (to <= whole.len()).then_some(from..to)
}

/// Blocks that were shared, to be used again.
#[derive(Default)]
pub(crate) struct SpareBlocks(VecDeque<Block>);

impl SpareBlocks {
    /// Keeps `block`, and returns one of `size` bytes that begins with `start`. Nobody shares it.
    pub(crate) fn exchange(&mut self, block: Block, start: Range<usize>, size: usize) -> Block {
        // Blocks are given back in about the order in which they were shared.
        let mut next = self.0.pop_front().unwrap_or_default();
        if next.bytes_mut().is_none_or(|bytes| bytes.len() < size) {
            if next.bytes_mut().is_none() {
                self.0.push_front(next);
            }
            next = Block(Arc::new(vec![0; size]));
        }
        if let Some(bytes) = next.bytes_mut() {
            bytes[..start.len()].copy_from_slice(&block.0[start]);
        }
        // A block that grew for one long packet is not kept.
        if block.0.len() <= size {
            self.0.push_back(block);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, SpareBlocks};

    #[test]
    fn bytes_are_found_by_address() {
        let block = SpareBlocks::default().exchange(Block::default(), 0..0, 8);
        assert_eq!(block.find(&block.bytes()[2..5]), Some(2..5));
        assert_eq!(block.find(&block.bytes()[8..]), Some(8..8));
        assert_eq!(block.find(&[0; 3]), None);
    }

    #[test]
    fn a_block_is_used_again_once_nobody_shares_it() {
        let mut spare = SpareBlocks::default();
        let mut block = spare.exchange(Block::default(), 0..0, 8);
        if let Some(bytes) = block.bytes_mut() {
            bytes.copy_from_slice(b"abcdefgh");
        }
        let (first, shared) = (block.bytes().as_ptr(), block.clone());
        let block = spare.exchange(block, 5..8, 8);
        assert_eq!(&block.bytes()[..3], b"fgh");
        assert_ne!(block.bytes().as_ptr(), first);
        // Its bytes stay as long as it is shared.
        let second = block.bytes().as_ptr();
        let block = spare.exchange(block, 0..0, 8);
        assert_eq!(shared.bytes(), b"abcdefgh");
        assert_ne!(block.bytes().as_ptr(), first);
        drop(shared);
        let block = spare.exchange(block, 0..0, 8);
        assert_eq!(block.bytes().as_ptr(), first);
        assert_eq!(spare.exchange(block, 0..0, 8).bytes().as_ptr(), second);
    }
}
