//! One side's byte stream, put in order.
//!
//! Sequence numbers have 32 bits and wrap; offsets have 64 and do not. Offset 0 is the first byte behind the SYN, or the
//! first byte seen where the capture joined later. A segment's number is read as the offset nearest to `next`, the one
//! that is to be delivered next: right as long as segments are less than 2 GiB out of place (RFC 9293, section 3.4).
//!
//! ```text
//!         delivered          |   hole   |  held  |  hole  | held |
//!  ──────────────────────────┼──────────┼────────┼────────┼──────┼──
//!                          next                                 fin?
//! ```
//!
//! What comes before `next` is a repetition: dropped, and compared with the last bytes delivered. What comes behind it
//! is held, in pieces that do not overlap: the first copy of a byte stays. Whatever fills the hole is delivered, then the
//! pieces behind it, each as it came.
//!
//! A hole is never given up because of an acknowledgement alone, for captures do see those before the bytes they
//! acknowledge. See [`Stream::wait`].

use std::collections::BTreeMap;

use crate::reassembler::Options;
use crate::summary::Summary;

/// How many delivered bytes are kept, to be compared with repetitions.
const RECENT: usize = 2048;

/// What a held piece costs besides its bytes.
const PIECE: usize = 64;

/// The largest window that TCP has (RFC 7323, section 2.3): nothing honest is further ahead.
pub(crate) const WINDOW_MAX: i64 = 1 << 30;

/// What a stream gives to its tap.
pub(crate) enum Delivery<'a> {
    Chunk(&'a [u8]),
    Gap(u64),
}

pub(crate) type Deliver<'d> = &'d mut dyn FnMut(Delivery<'_>);

#[derive(Default)]
pub(crate) struct Stream {
    /// The sequence number of offset 0.
    base: Option<u32>,
    /// A handshake says so: not only the place where the capture joined.
    synchronised: bool,
    next: u64,
    /// What is behind `next`, by offset. Pieces do not overlap.
    held: BTreeMap<u64, Box<[u8]>>,
    /// From, to: bytes that segments had and the capture has not.
    lost: BTreeMap<u64, u64>,
    /// What `held` and `lost` cost.
    weight: usize,
    /// Where the stream ends.
    fin: Option<u64>,
    /// The furthest that the other side acknowledged.
    acked: u64,
    /// The other side was seen to acknowledge anything.
    heard: bool,
    /// How many packets the hole at `waiting_at` was waited for.
    waited: u32,
    waiting_at: u64,
    recent: Vec<u8>,
}

impl Stream {
    pub(crate) fn base(&self) -> Option<u32> {
        self.base
    }

    pub(crate) fn synchronised(&self) -> bool {
        self.synchronised
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn acked(&self) -> u64 {
        self.acked
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The FIN was seen, and all bytes before it were delivered or given up.
    pub(crate) fn ended(&self) -> bool {
        self.fin.is_some_and(|fin| fin <= self.next)
    }

    /// A handshake says that `sequence` is the first byte's number. Of several, the first counts.
    pub(crate) fn synchronise(&mut self, sequence: u32) {
        if self.base.is_none() {
            self.base = Some(sequence);
            self.synchronised = true;
        }
    }

    /// The capture joins here.
    pub(crate) fn join(&mut self, sequence: u32) {
        self.base.get_or_insert(sequence);
    }

    /// The offset that `sequence` stands for. `None` as long as nothing of the stream is known.
    pub(crate) fn offset(&self, sequence: u32) -> Option<i64> {
        let expected = self.base?.wrapping_add(self.next as u32);
        let ahead = sequence.wrapping_sub(expected) as i32;
        Some(self.next as i64 + i64::from(ahead))
    }

    /// The other side acknowledged everything before `sequence`.
    pub(crate) fn acknowledge(&mut self, sequence: u32) {
        self.heard = true;
        if let Some(offset) = self.offset(sequence)
            && offset <= self.next as i64 + WINDOW_MAX
            && let Ok(offset) = u64::try_from(offset)
        {
            self.acked = self.acked.max(offset);
        }
    }

    /// `bytes` at `offset`, and `missing` more behind them that the capture has not.
    pub(crate) fn receive(
        &mut self,
        offset: i64,
        bytes: &[u8],
        missing: u64,
        summary: &mut Summary,
        deliver: Deliver<'_>,
    ) {
        if offset > self.next as i64 + WINDOW_MAX {
            summary.stray_bytes += bytes.len() as u64;
            return;
        }
        // A probe repeats the last byte, or sends anything in its place (RFC 9293, section 3.8.4).
        if bytes.len() <= 1 && missing == 0 && offset + 1 == self.next as i64 {
            summary.keep_alives += 1;
            return;
        }
        let before = bytes.len().min(offset.min(0).unsigned_abs() as usize);
        summary.stray_bytes += before as u64;
        let mut rest = &bytes[before..];
        let mut at = offset.max(0) as u64;
        let behind = self.fin.map_or(0, |fin| (at + rest.len() as u64).saturating_sub(fin));
        let behind = rest.len().min(behind as usize);
        summary.stray_bytes += behind as u64;
        rest = &rest[..rest.len() - behind];

        let end = at + rest.len() as u64;
        if !rest.is_empty() && at > self.next {
            summary.out_of_order += 1;
        }
        let mut differing = 0;
        while !rest.is_empty() {
            let (length, fresh) = if at < self.next {
                let length = rest.len().min((self.next - at) as usize);
                differing += self.differing_from_delivered(at, &rest[..length]);
                (length, false)
            } else if let Some((&start, piece)) = self.held.range(..=at).next_back()
                && start + piece.len() as u64 > at
            {
                let piece = &piece[(at - start) as usize..];
                let length = rest.len().min(piece.len());
                differing += differing_bytes(&piece[..length], &rest[..length]);
                (length, false)
            } else {
                let room = self.held.range(at..).next().map_or(u64::MAX, |(&start, _)| start - at);
                (rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)), true)
            };
            let (piece, behind) = rest.split_at(length);
            if !fresh {
                summary.retransmitted += length as u64;
            } else if at == self.next {
                self.deliver(piece, summary, deliver);
                self.settle(summary, deliver);
            } else {
                self.weight += PIECE + piece.len();
                self.held.insert(at, piece.into());
            }
            at += length as u64;
            rest = behind;
        }
        if differing > 0 {
            summary.conflicts += 1;
            summary.conflicting_bytes += differing;
        }
        if missing > 0 && end + missing > self.next && self.fin.is_none_or(|fin| end + missing <= fin) {
            self.lose(end.max(self.next), end + missing);
            self.settle(summary, deliver);
        }
    }

    /// The stream ends at `offset`. Of several ends, the first counts.
    pub(crate) fn finish(&mut self, offset: i64) {
        if self.fin.is_none()
            && offset <= self.next as i64 + WINDOW_MAX
            && let Ok(offset) = u64::try_from(offset)
            && offset >= self.next
            && self.held.last_key_value().is_none_or(|(start, piece)| start + piece.len() as u64 <= offset)
        {
            self.fin = Some(offset);
        }
    }

    /// Another packet of the connection has come. `true`: there is a hole, and no reason to wait for it any longer.
    ///
    /// * The other side acknowledged what is missing: it was not lost, only not captured, and will not be sent again.
    ///   It may still come, since acknowledgements are captured early and packets out of order.
    /// * Nothing of the other side is captured: nobody will ever say. The same, with more patience.
    /// * The other side has not acknowledged it: it will be sent again.
    pub(crate) fn wait(&mut self, options: &Options) -> bool {
        if self.known().is_none() {
            return false;
        }
        if self.waiting_at != self.next {
            self.waiting_at = self.next;
            self.waited = 0;
        }
        if self.acked > self.next {
            self.waited += 1;
            self.waited > options.patience
        } else if !self.heard {
            self.waited += 1;
            self.waited > options.patience_one_sided
        } else {
            false
        }
    }

    /// The first hole is not going to be filled. `false`: there is none.
    pub(crate) fn give_up(&mut self, summary: &mut Summary, deliver: Deliver<'_>) -> bool {
        let Some(known) = self.known() else {
            return false;
        };
        self.pass(known, summary, deliver);
        self.settle(summary, deliver);
        true
    }

    /// Nothing that is missing before `offset` is going to come.
    pub(crate) fn give_up_to(&mut self, offset: i64, summary: &mut Summary, deliver: Deliver<'_>) {
        let offset = u64::try_from(offset.min(self.next as i64 + WINDOW_MAX)).unwrap_or(0);
        while self.next < offset {
            let known = self.known().map_or(offset, |known| known.min(offset));
            self.pass(known, summary, deliver);
            self.settle(summary, deliver);
        }
    }

    /// Where the hole at `next` ends: the first byte behind it that was seen or is known to be lost, or the end of the stream.
    fn known(&self) -> Option<u64> {
        let piece = self.held.first_key_value().map(|(&start, _)| start);
        let lost = self.lost.first_key_value().map(|(&start, _)| start);
        let fin = self.fin.filter(|&fin| fin > self.next);
        [piece, lost, fin].into_iter().flatten().min()
    }

    /// Passes over what is missing up to `end`.
    fn pass(&mut self, end: u64, summary: &mut Summary, deliver: Deliver<'_>) {
        let missing = end - self.next;
        summary.gaps += 1;
        summary.gap_bytes += missing;
        self.next = end;
        self.recent.clear();
        deliver(Delivery::Gap(missing));
    }

    fn deliver(&mut self, bytes: &[u8], summary: &mut Summary, deliver: Deliver<'_>) {
        summary.payload += bytes.len() as u64;
        self.next += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(RECENT)..];
        if last.len() == RECENT {
            self.recent.clear();
        } else if self.recent.len() + last.len() > 2 * RECENT {
            self.recent.drain(..self.recent.len() - RECENT);
        }
        self.recent.extend_from_slice(last);
        deliver(Delivery::Chunk(bytes));
    }

    /// Delivers what follows at once: pieces, and gaps that are known to be for ever.
    fn settle(&mut self, summary: &mut Summary, deliver: Deliver<'_>) {
        loop {
            if let Some(piece) = self.held.remove(&self.next) {
                self.weight -= PIECE + piece.len();
                self.deliver(&piece, summary, deliver);
                continue;
            }
            let Some(entry) = self.lost.first_entry() else {
                return;
            };
            let (&start, &end) = (entry.key(), entry.get());
            if start > self.next {
                return;
            }
            // It may be needed again behind a piece in its midst, which came from another copy.
            let piece = self.held.first_key_value().map_or(u64::MAX, |(&start, _)| start);
            if end <= piece {
                entry.remove();
                self.weight -= PIECE;
            }
            let end = end.min(piece);
            if end > self.next {
                self.pass(end, summary, deliver);
            }
        }
    }

    fn lose(&mut self, start: u64, end: u64) {
        match self.lost.get_mut(&start) {
            Some(known) => *known = end.max(*known),
            None => {
                self.lost.insert(start, end);
                self.weight += PIECE;
            }
        }
    }

    /// How many of `bytes`, all before `next`, are not the ones that were delivered.
    fn differing_from_delivered(&self, at: u64, bytes: &[u8]) -> u64 {
        let from = self.next - self.recent.len() as u64;
        let skipped = from.saturating_sub(at) as usize;
        let Some(bytes) = bytes.get(skipped..) else {
            return 0;
        };
        let recent = &self.recent[(at.max(from) - from) as usize..];
        differing_bytes(recent, bytes)
    }
}

fn differing_bytes(one: &[u8], other: &[u8]) -> u64 {
    one.iter().zip(other).filter(|(a, b)| a != b).count() as u64
}
