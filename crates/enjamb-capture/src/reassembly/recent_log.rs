//! The bytes that were delivered last. Retransmissions are compared with them.
//!
//! The streams of many connections share a log. A ring for each stream cost a miss of the
//! processor's cache for nearly every segment, and a page of memory for every connection. The log
//! is written from its beginning to its end, and then from its beginning again. A record leads to
//! the one before it of the same stream:
//!
//! ```text
//! ──┬──────────────┬───────────────────┬──────────────┬───────────┬──
//!   │ stream A, 0  │ stream B, 0       │ stream A, 9  │ stream A, │
//!   │ ∅            │ ∅                 │ ◄── A, 0     │ ◄── A, 9  │
//! ──┴──────────────┴───────────────────┴──────────────┴───────────┴──
//! ```
//!
//! Each [part](Part) of the connections has a log of its own. With one log for all, the bytes that
//! are still there would depend on the number of threads.

use crate::reassembly::endpoints::{PARTS, Part};

/// The size of a log, in bytes: a power of two. All logs together have 4 MiB.
const SIZE: usize = 64 << 10;

/// The maximum number of bytes of a chunk that are kept: its last ones.
const CHUNK_MAX: usize = 2048;

/// The maximum number of records that a search visits.
const VISITS_MAX: usize = 2048;

/// The place of the record before, the offset in the stream, and the length.
const HEADER: usize = 8 + 8 + 4;

/// The place of a record: the number of bytes that were logged before it. The default is the place
/// of no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordPlace(u64);

/// The logs of all parts.
pub(super) struct RecentLogs(Box<[RecentLog]>);

impl Default for RecentLogs {
    fn default() -> Self {
        Self((0..PARTS).map(|_| RecentLog::default()).collect())
    }
}

impl RecentLogs {
    #[inline]
    pub(super) fn of(&mut self, part: Part) -> &mut RecentLog {
        &mut self.0[part.index() % PARTS]
    }

    /// Takes over the logs of another reassembler, which follows other parts.
    pub(super) fn absorb(&mut self, other: Self) {
        for (log, other) in self.0.iter_mut().zip(other.0) {
            if log.bytes.is_empty() {
                *log = other;
            }
        }
    }
}

pub(super) struct RecentLog {
    /// The byte at place `n` is at `n % SIZE`. Allocated with the first byte, and as long as what
    /// was written.
    bytes: Vec<u8>,
    /// The place of the next record.
    next: u64,
}

struct LogRecord<'a> {
    before: RecordPlace,
    offset: u64,
    bytes: &'a [u8],
}

impl Default for RecentLog {
    fn default() -> Self {
        // Place 0 is that of no record: it is too far back from the beginning.
        Self { bytes: Vec::new(), next: 2 * SIZE as u64 }
    }
}

impl RecentLog {
    /// Adds bytes that a stream delivered at `offset`. `last` is the place of the stream's last
    /// record, which this one replaces.
    #[inline]
    pub(super) fn push(&mut self, last: &mut RecordPlace, offset: u64, bytes: &[u8]) {
        let dropped = bytes.len().saturating_sub(CHUNK_MAX);
        let (offset, bytes) = (offset + dropped as u64, &bytes[dropped..]);
        let length = HEADER + bytes.len();
        let mut at = self.next as usize % SIZE;
        if at + length > SIZE {
            // A record is not split.
            self.next += (SIZE - at) as u64;
            at = 0;
        }
        if self.bytes.len() < at + length {
            self.bytes.reserve_exact(SIZE - self.bytes.len());
            self.bytes.resize(at + length, 0);
        }
        let record = &mut self.bytes[at..at + length];
        record[..8].copy_from_slice(&last.0.to_le_bytes());
        record[8..16].copy_from_slice(&offset.to_le_bytes());
        record[16..HEADER].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        record[HEADER..].copy_from_slice(bytes);
        *last = RecordPlace(self.next);
        self.next += length as u64;
    }

    /// Returns bytes of a stream that are still kept, in the range of `length` bytes from `offset`
    /// on: the offset of the first one, and the last run without a hole. `last` is the place of the
    /// stream's last record.
    pub(super) fn range(&self, last: RecordPlace, offset: u64, length: usize) -> (u64, Vec<u8>) {
        let end = offset + length as u64;
        let mut parts = Vec::new();
        // The offset of the first byte found.
        let mut from = end;
        let mut place = last;
        for _ in 0..VISITS_MAX {
            let Some(record) = self.record(place) else {
                break;
            };
            place = record.before;
            let (start, stop) = (record.offset.max(offset), (record.offset + record.bytes.len() as u64).min(end));
            if start >= stop {
                if record.offset < offset {
                    break;
                }
                continue;
            }
            if stop != from && !parts.is_empty() {
                break;
            }
            parts.push(&record.bytes[(start - record.offset) as usize..(stop - record.offset) as usize]);
            from = start;
            if start == offset {
                break;
            }
        }
        parts.reverse();
        (from, parts.concat())
    }

    /// Returns the record at a place, unless it was overwritten.
    fn record(&self, place: RecordPlace) -> Option<LogRecord<'_>> {
        if self.next - place.0 > SIZE as u64 {
            return None;
        }
        let record = self.bytes.get(place.0 as usize % SIZE..)?;
        let (header, rest) = record.split_first_chunk::<HEADER>()?;
        let ([before, offset], length) = (header.first_chunk::<16>()?.as_chunks::<8>().0, header.last_chunk::<4>()?)
        else {
            return None;
        };
        Some(LogRecord {
            before: RecordPlace(u64::from_le_bytes(*before)),
            offset: u64::from_le_bytes(*offset),
            bytes: rest.get(..u32::from_le_bytes(*length) as usize)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_MAX, RecentLog, RecordPlace, SIZE};

    fn byte(stream: usize, at: u64) -> u8 {
        (at as usize * 7 + at as usize / 256 + stream * 131) as u8
    }

    #[test]
    fn the_last_bytes_of_each_stream_are_kept() {
        let mut log = RecentLog::default();
        let (mut last, mut next) = ([RecordPlace::default(); 3], [1000_u64; 3]);
        let sizes = [1, 5, 700, 1448, CHUNK_MAX, 3];
        for round in 0..30_000 {
            let stream = round * 5 % 7 % 3;
            let size = sizes[round % sizes.len()];
            let bytes: Vec<u8> = (0..size as u64).map(|at| byte(stream, next[stream] + at)).collect();
            log.push(&mut last[stream], next[stream], &bytes);
            next[stream] += size as u64;
            for (back, length) in [(1, 1), (5, 3), (900, 500), (2000, 2000), (10, 100)] {
                let offset = next[stream].saturating_sub(back).max(1000);
                let (start, found) = log.range(last[stream], offset, length);
                let expected: Vec<u8> =
                    (offset..(offset + length as u64).min(next[stream])).map(|at| byte(stream, at)).collect();
                assert_eq!((start, found), (offset, expected), "{round}");
            }
        }
        assert!(log.next > 3 * SIZE as u64, "the log was overwritten");
        assert_eq!(log.range(last[0], 1000, 10).1, b"", "the first bytes are gone");
    }

    #[test]
    fn a_gap_and_dropped_bytes_end_a_run() {
        let (mut log, mut last) = (RecentLog::default(), RecordPlace::default());
        assert_eq!(log.range(last, 0, 3).1, b"");
        log.push(&mut last, 0, b"abc");
        log.push(&mut last, 3, b"def");
        log.push(&mut last, 9, b"jkl");
        assert_eq!(log.range(last, 0, 20), (9, b"jkl".to_vec()));
        assert_eq!(log.range(last, 1, 4), (1, b"bcde".to_vec()));
        assert_eq!(log.range(last, 6, 3).1, b"");
        log.push(&mut last, 12, &[7; CHUNK_MAX + 5]);
        assert_eq!(log.range(last, 9, CHUNK_MAX + 8), (17, vec![7; CHUNK_MAX]));
    }

    #[test]
    fn one_record_that_was_overwritten_hides_nothing_else() {
        let mut log = RecentLog::default();
        let (mut quiet, mut busy) = (RecordPlace::default(), RecordPlace::default());
        log.push(&mut quiet, 0, b"early");
        let mut offset = 0;
        while log.next < 3 * SIZE as u64 - 4096 {
            log.push(&mut busy, offset, &[9; 1000]);
            offset += 1000;
        }
        assert_eq!(log.range(quiet, 0, 5).1, b"early");
        for _ in 0..8 {
            log.push(&mut busy, offset, &[9; 1000]);
            offset += 1000;
        }
        assert_eq!(log.range(quiet, 0, 5).1, b"");
        log.push(&mut quiet, 5, b"late");
        assert_eq!(log.range(quiet, 0, 9), (5, b"late".to_vec()));
    }
}
