//! The last bytes that a stream delivered. Retransmissions are compared with them.

/// The number of bytes that are kept. That is more than a segment has on most links, so an
/// immediate retransmission can be compared.
const RECENT: usize = 2048;

/// A ring: the byte at offset `n` is at `n % RECENT`. It is allocated with the first byte.
#[derive(Default)]
pub(super) struct RecentBytes {
    ring: Box<[u8]>,
    /// The offset of the first byte that is kept, and the offset after the last.
    from: u64,
    to: u64,
}

impl RecentBytes {
    /// Returns the size of the ring, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.ring.len()
    }

    /// Adds bytes that were delivered at `offset`. They are not kept if there is no `room` for a
    /// ring.
    pub(super) fn push(&mut self, offset: u64, bytes: &[u8], room: bool) {
        if self.ring.is_empty() {
            if !room {
                return;
            }
            self.ring = vec![0; RECENT].into();
        }
        if offset != self.to {
            self.from = offset;
        }
        self.to = offset + bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(RECENT)..];
        let at = ((self.to - last.len() as u64) % RECENT as u64) as usize;
        let (head, tail) = last.split_at(last.len().min(RECENT - at));
        self.ring[at..at + head.len()].copy_from_slice(head);
        self.ring[..tail.len()].copy_from_slice(tail);
        self.from = self.from.max(self.to.saturating_sub(RECENT as u64));
    }

    /// Returns the delivered bytes from `offset` on that are still kept: the offset of the first,
    /// and both parts of the ring.
    pub(super) fn range(&self, offset: u64, length: usize) -> (u64, &[u8], &[u8]) {
        let (start, end) = (offset.max(self.from), (offset + length as u64).min(self.to));
        if start >= end {
            return (offset, &[], &[]);
        }
        let at = (start % RECENT as u64) as usize;
        let length = (end - start) as usize;
        let head = length.min(RECENT - at);
        (start, &self.ring[at..at + head], &self.ring[..length - head])
    }
}

#[cfg(test)]
mod tests {
    use super::{RECENT, RecentBytes};

    #[test]
    fn the_last_bytes_delivered_are_kept() {
        let stream: Vec<u8> = (0..10 * RECENT).map(|place| (place * 7 + place / 256) as u8).collect();
        for sizes in [&[1, 2, 3][..], &[RECENT], &[RECENT + 1, 5], &[700, 3000], &[1448]] {
            let (mut recent, mut at) = (RecentBytes::default(), 0);
            for size in sizes.iter().cycle() {
                let Some(piece) = stream.get(at..at + size) else { break };
                recent.push(1000 + at as u64, piece, true);
                at += size;
                for (offset, length) in [(0, at), (at.saturating_sub(900), 500), (at, 10), (at.saturating_sub(1), 1)] {
                    let (start, head, tail) = recent.range(1000 + offset as u64, length);
                    let known = [head, tail].concat();
                    let first = offset.max(at.saturating_sub(RECENT));
                    let end = (offset + length).min(at);
                    if first < end {
                        assert_eq!((start, known), (1000 + first as u64, stream[first..end].to_vec()));
                    } else {
                        assert!(known.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn a_gap_drops_the_bytes_before_it_and_without_room_nothing_is_kept() {
        let mut recent = RecentBytes::default();
        recent.push(0, b"abc", false);
        assert_eq!((recent.weight(), recent.range(0, 3)), (0, (0, &b""[..], &b""[..])));
        recent.push(3, b"def", true);
        recent.push(9, b"jkl", true);
        assert_eq!(recent.range(0, 20), (9, &b"jkl"[..], &b""[..]));
    }
}
