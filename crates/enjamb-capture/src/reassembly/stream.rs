//! The byte stream of one side, put in order.
//!
//! Sequence numbers have 32 bits and wrap. Offsets have 64 bits and do not. A sequence number is
//! read as the offset nearest to `next`, the offset of the next byte to deliver. That is right if
//! segments are less than 2 GiB out of place (RFC 9293, section 3.4). `ORIGIN` is the offset of the
//! byte after the SYN, or of the first byte seen if the capture joined later. Bytes that turn out
//! to come before it have a smaller offset.
//!
//! ```text
//!         delivered          |   hole   |  held  |  hole  | held |
//!  ──┬───────────────────────┼──────────┼────────┼────────┼──────┼──
//!  first                    next                                fin?
//! ```
//!
//! A byte before `next` is a repetition. It is dropped, and compared with the last bytes delivered.
//! A byte after `next` is held, in pieces that do not overlap. The bytes that fill the first hole
//! are delivered, then the pieces after it, each as it arrived.
//!
//! Holes are not the only [reason](HoldReason) to hold data. No hole is given up because of an
//! acknowledgement alone: captures do contain acknowledgements before the bytes that they
//! acknowledge. See [`Stream::wait`].
//!
//! This file has the state of a stream, and the delivery of its data. The rest is in [`beginning`],
//! which finds the first byte, [`receive`], which takes payload in, and [`patience`], which decides
//! how long to wait.

mod beginning;
mod patience;
mod receive;

use enjamb::Time;

use crate::options::Overlap;
use crate::reassembly::backlog::Backlog;
use crate::reassembly::context::{OtherPiece, StreamContext};
use crate::reassembly::held_data::{Conflict, SegmentInfo};
use crate::reassembly::hold::HoldReason;
use crate::reassembly::progress::{Progress, WINDOW_MAX, sequence_at};
use crate::reassembly::recent_log::{RecentLog, RecordPlace};
use crate::summary::Summary;

/// The distance before the first byte seen at which a byte still counts as an earlier part of the
/// stream that was captured late, whatever its time stamp.
pub(super) const JOIN_MAX: u64 = 1 << 20;

/// The distance behind everything that was acknowledged from which on bytes are suspected to
/// belong to another stream: the largest window without scaling (RFC 9293, section 3.1).
pub(super) const FAR: u64 = 1 << 16;

/// Something that a stream gives to its flow.
pub(super) enum Delivery<'a> {
    Chunk(&'a [u8]),
    /// A gap of 0 bytes: any number of bytes may be missing before the first one that was seen.
    Gap(u64),
    Conflict(Conflict),
}

/// The place that a stream's data and counts go to.
pub(super) struct Output<'a> {
    pub(super) summary: &'a mut Summary,
    pub(super) log: &'a mut RecentLog,
    pub(super) deliver: &'a mut dyn FnMut(Time, Delivery<'_>),
}

/// The payload of a segment.
#[derive(Clone, Copy)]
pub(super) struct Payload<'a> {
    pub(super) bytes: &'a [u8],
    /// The number of bytes after them that were not captured.
    pub(super) missing: u64,
    pub(super) info: SegmentInfo,
}

/// The fields that every segment needs come first. What most streams never need is in the backlog.
#[derive(Default)]
pub(super) struct Stream {
    /// The sequence number of offset `ORIGIN`.
    base: Option<u32>,
    /// Whether a handshake defines the beginning, and not the place where the capture joined.
    synchronised: bool,
    /// Whether the first byte of the stream is known.
    settled: bool,
    /// Whether a segment of this side was captured.
    seen: bool,
    /// Whether any acknowledgement of the other side was captured.
    acknowledged: bool,
    /// Whether the first byte was sent again as a keep-alive probe.
    probed: bool,
    pub(super) next: u64,
    /// The greatest offset that the other side acknowledged.
    pub(super) acked: u64,
    /// The greatest offset at which a segment without payload of this side was seen. Its sender had
    /// sent everything before that offset.
    sent: u64,
    pub(super) backlog: Backlog,
    /// The time at which the last chunk was captured. 0 before the first one and after a gap.
    last: Time,
    /// The place of the last record in the log of recent bytes.
    last_record: RecordPlace,
    /// The earliest time stamp of this side's segments. 0 before the first one.
    earliest: Time,
    /// The offset of the first byte.
    first: u64,
    /// The greatest sequence number that it acknowledged before anything of this side was known.
    acked_early: Option<u32>,
}

/// The maximum number of remembered gaps of a stream.
const GAPS_MAX: usize = 16;

/// The range of a stream's sequence numbers that were delivered or reported as gaps.
#[derive(Clone, Copy)]
pub(super) struct DeliveredRange {
    /// The sequence number of the first byte.
    pub(super) first: u32,
    /// Capped to 32 bits, since many of these are kept.
    length: u32,
}

impl DeliveredRange {
    /// Returns whether the range has no bytes.
    pub(super) fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Returns the sequence number of the byte after the range.
    pub(super) fn next(self) -> u32 {
        self.first.wrapping_add(self.length)
    }

    /// Returns whether all of these bytes are in the range. In a stream of 4 GiB, any byte may be.
    pub(super) fn contains(self, sequence: u32, length: u64) -> bool {
        let end = u64::from(sequence.wrapping_sub(self.first)) + length;
        self.length == u32::MAX || end <= u64::from(self.length)
    }
}

impl Stream {
    pub(super) fn delivered_range(&self) -> Option<DeliveredRange> {
        let length = u32::try_from(self.next - self.first).unwrap_or(u32::MAX);
        Some(DeliveredRange { first: self.first_sequence()?, length })
    }

    /// Returns the sequence number of the first byte.
    fn first_sequence(&self) -> Option<u32> {
        Some(sequence_at(self.base?, self.first))
    }

    pub(super) fn synchronised(&self) -> bool {
        self.synchronised
    }

    /// Returns the offset of the first byte.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number of bytes that were delivered or reported as gaps.
    pub(super) fn position(&self) -> u64 {
        self.next - self.first
    }

    /// Returns the memory that held data takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.backlog.held.weight()
    }

    pub(super) fn progress(&self) -> Progress {
        let beginning_unknown = !self.settled && !self.backlog.held.is_empty();
        Progress::new(self.base.filter(|_| self.seen), self.next, self.backlog.fin, beginning_unknown)
    }

    /// Returns whether the FIN is certain: the other side has acknowledged it or ended too, or only
    /// this direction was captured. Until then it may be forged, and bytes from behind it are held.
    pub(super) fn fin_is_certain(&self, context: &StreamContext<'_>) -> bool {
        let is_one_sided = !self.acknowledged && !context.other.is_seen();
        self.backlog.fin.is_some() && (self.backlog.fin_confirmed || is_one_sided || context.other.has_ended())
    }

    /// Keeps the FIN, whatever comes later, and drops everything after it.
    pub(super) fn confirm_fin(&mut self, summary: &mut Summary) {
        self.backlog.fin_confirmed = true;
        if let Some(fin) = self.backlog.fin
            && self.backlog.held.end() > fin
        {
            summary.stray_bytes += self.backlog.held.truncate(fin);
        }
    }

    /// Returns whether the FIN was seen, and all bytes before it were delivered or given up.
    pub(super) fn ended(&self) -> bool {
        self.settled && self.backlog.fin.is_some_and(|fin| fin <= self.next)
    }

    /// Returns whether a byte was delivered or given up.
    fn begun(&self) -> bool {
        self.next > self.first
    }

    /// Returns the offset of a sequence number. `None` as long as nothing of the stream is known.
    pub(super) fn offset(&self, sequence: u32) -> Option<i64> {
        let expected = sequence_at(self.base?, self.next);
        let ahead = sequence.wrapping_sub(expected) as i32;
        Some(self.next as i64 + i64::from(ahead))
    }

    /// Returns the offset at which the bytes end that were delivered, or are held with no hole
    /// before them.
    fn frontier(&mut self) -> u64 {
        if !self.settled {
            // The beginning moves with every earlier segment, so no piece can be skipped for good.
            return self.next;
        }
        let frontier = self.backlog.frontier.max(self.next);
        if self.backlog.held.is_empty() {
            return frontier;
        }
        self.backlog.frontier = self.backlog.held.contiguous(frontier);
        self.backlog.frontier
    }

    /// Notes that the other side acknowledged everything before `sequence`.
    pub(super) fn acknowledge(&mut self, sequence: u32) {
        self.acknowledged = true;
        if self.base.is_none() && self.acked_early.is_none_or(|before| sequence.wrapping_sub(before) as i32 > 0) {
            self.acked_early = Some(sequence);
        }
        if let Some(offset) = self.offset(sequence)
            && offset <= self.next as i64 + WINDOW_MAX
            && let Ok(offset) = u64::try_from(offset)
        {
            self.acked = self.acked.max(offset);
            if let Some(fin) = self.backlog.fin
                && !self.backlog.fin_confirmed
                && offset > fin
            {
                if offset == fin + 1 {
                    self.backlog.fin_confirmed = true;
                } else {
                    // The other side has received bytes from behind the FIN: it was forged.
                    self.backlog.fin = None;
                }
            }
        }
    }

    /// Ends the stream at `offset`. If there are several ends, the first counts, until it is
    /// disproved.
    pub(super) fn finish(&mut self, offset: i64, now: Time, summary: &mut Summary) {
        // A forged FIN may be ahead of the real one.
        let is_better = |fin: u64| !self.backlog.fin_confirmed && fin > self.next && offset < fin as i64;
        if self.backlog.fin.is_none_or(is_better)
            && offset <= self.next as i64 + WINDOW_MAX
            && let Ok(offset) = u64::try_from(offset)
            && offset >= self.next
        {
            // Bytes far behind the end that were never acknowledged do not belong to the stream.
            let far = self.acked.max(offset + FAR);
            if self.backlog.held.end() > far && self.backlog.held.end_before(far) <= offset {
                summary.stray_bytes += self.backlog.held.remove_from(far);
            }
            if self.backlog.held.end() <= offset {
                (self.backlog.fin, self.backlog.fin_time) = (Some(offset), now);
                self.backlog.fin_confirmed = self.acked == offset + 1;
            }
        }
    }

    pub(super) fn has_fin(&self) -> bool {
        self.backlog.fin.is_some()
    }

    /// Returns whether there is neither held data nor a FIN, so that nothing is held back.
    pub(super) fn holds_nothing(&self) -> bool {
        self.backlog.held.is_empty() && self.backlog.fin.is_none()
    }

    /// Returns the reason why held data, or the end of the stream, is held back. `None` if nothing
    /// is.
    pub(super) fn hold_reason(&self, context: &StreamContext<'_>) -> Option<HoldReason> {
        if self.backlog.held.is_empty() && self.backlog.fin.is_none_or(|fin| fin <= self.next && self.settled) {
            let waits = self.backlog.fin.is_some() && !self.backlog.fin_confirmed && !self.fin_is_certain(context);
            return waits.then_some(HoldReason::Fin);
        }
        if !self.settled {
            return Some(HoldReason::Beginning);
        }
        if self.ended() {
            return Some(HoldReason::Fin);
        }
        match self.backlog.held.first() {
            Some((start, piece)) if start == self.next => {
                let end = start + piece.bytes.len() as u64;
                if self.backlog.fin.is_some_and(|fin| end > fin) {
                    return Some(HoldReason::Fin);
                }
                Some(if self.is_in_order(piece.info.acknowledgement, context) {
                    HoldReason::Unacknowledged
                } else {
                    HoldReason::Order
                })
            }
            _ => Some(HoldReason::Hole),
        }
    }

    /// Returns whether bytes up to `end` may be delivered now.
    fn may_deliver(&self, acknowledgement: Option<u32>, end: u64, context: &StreamContext<'_>) -> bool {
        self.settled
            && self.backlog.fin.is_none_or(|fin| end <= fin)
            && (context.options.overlap == Overlap::First || end <= self.acked.max(self.backlog.released))
            && self.is_in_order(acknowledgement, context)
    }

    fn is_in_order(&self, acknowledgement: Option<u32>, context: &StreamContext<'_>) -> bool {
        context.other.covers(acknowledgement) || self.backlog.unordered_at == Some(context.other.next())
    }

    /// Returns the number of undelivered bytes of the other side that the first held piece
    /// acknowledges.
    pub(super) fn undelivered_before(&self, context: &StreamContext<'_>) -> u64 {
        self.backlog.held.first().map_or(0, |(_, piece)| context.other.undelivered(piece.info.acknowledgement))
    }

    /// Delivers all held data that may be delivered now: pieces, and gaps where bytes are known to
    /// be lost. Returns `false` if there is none.
    pub(super) fn settle(&mut self, context: &StreamContext<'_>, output: &mut Output<'_>) -> bool {
        let mut delivered = false;
        if self.fin_is_certain(context) {
            self.confirm_fin(output.summary);
        }
        while self.settled && !self.backlog.held.is_empty() {
            if let Some((start, piece)) = self.backlog.held.first()
                && start == self.next
            {
                let end = start + piece.bytes.len() as u64;
                if !self.may_deliver(piece.info.acknowledgement, end, context) {
                    break;
                }
                let Some(piece) = self.backlog.held.take(start) else {
                    break;
                };
                // Bytes after a hole were not usable before the hole was filled.
                let time = self.last.max(piece.info.time);
                self.deliver(&piece.bytes, time, output);
            } else if let Some(mut end) = self.backlog.held.lost(self.next) {
                if let Some(fin) = self.backlog.fin.filter(|&fin| fin < end) {
                    // Bytes after the FIN wait until it is certain.
                    self.backlog.held.lose(fin.max(self.next), end);
                    end = fin;
                }
                if end <= self.next {
                    break;
                }
                if !self.settle_gap(end, context, output) {
                    break;
                }
            } else {
                break;
            }
            delivered = true;
        }
        delivered
    }

    /// Reports lost bytes up to `end`, but only as far as the other side had received them when it
    /// sent the first piece that it holds: that piece comes before the rest of the gap. So the
    /// events of both sides stay in the order of cause and effect. Returns `false` if the piece of
    /// the other side comes first.
    fn settle_gap(&mut self, end: u64, context: &StreamContext<'_>, output: &mut Output<'_>) -> bool {
        let received = context.other_piece.and_then(|piece| {
            let offset = u64::try_from(self.offset(piece.acknowledgement)?).ok()?;
            Some((offset, piece)).filter(|_| offset < end)
        });
        match received {
            Some((offset, piece)) if offset > self.next => {
                self.backlog.held.lose(offset, end);
                self.report_gap(offset, piece.time, output);
            }
            Some((_, piece)) if piece.is_next => {
                self.backlog.held.lose(self.next, end);
                return false;
            }
            _ => {
                let time = match self.backlog.held.first() {
                    Some((start, piece)) if start == end => piece.info.time,
                    _ => context.now,
                };
                self.report_gap(end, time, output);
            }
        }
        true
    }

    /// Returns the first piece that is held, for the other side's context.
    pub(super) fn first_piece(&self, overlap: Overlap) -> Option<OtherPiece> {
        if self.backlog.held.is_empty() {
            return None;
        }
        let (start, piece) = self.backlog.held.first()?;
        let end = start + piece.bytes.len() as u64;
        let is_final = overlap == Overlap::First || end <= self.acked.max(self.backlog.released);
        let is_final = is_final && self.backlog.fin.is_none_or(|fin| end <= fin);
        Some(OtherPiece {
            time: piece.info.time,
            acknowledgement: piece.info.acknowledgement?,
            is_next: self.settled && start == self.next && is_final,
        })
    }

    /// Returns whether a segment with this sequence number brings the next bytes, and nothing is
    /// held back or known to end.
    #[inline]
    pub(super) fn is_next(&self, sequence: u32) -> bool {
        let next = self.base.map(|base| sequence_at(base, self.next));
        next == Some(sequence) && self.settled && self.acked_early.is_none() && self.backlog.is_quiet()
    }

    /// Returns whether all bytes before an acknowledgement of the other side were delivered, and
    /// nothing of this stream is held back or known to end.
    #[inline]
    pub(super) fn has_delivered(&self, acknowledged: u32) -> bool {
        let Some(base) = self.base else { return false };
        self.seen && acknowledged.wrapping_sub(sequence_at(base, self.next)) as i32 <= 0 && self.backlog.is_quiet()
    }

    /// Takes the payload of a segment that [`is_next`](Self::is_next).
    #[inline]
    pub(super) fn receive_next(&mut self, bytes: &[u8], now: Time, log: &mut RecentLog) {
        self.seen = true;
        self.note_time(now);
        if bytes.is_empty() {
            self.sent = self.sent.max(self.next);
        } else {
            log.push(&mut self.last_record, self.next, bytes);
            self.next += bytes.len() as u64;
            self.last = now;
        }
    }

    fn deliver(&mut self, bytes: &[u8], time: Time, output: &mut Output<'_>) {
        output.summary.payload += bytes.len() as u64;
        output.log.push(&mut self.last_record, self.next, bytes);
        self.next += bytes.len() as u64;
        self.last = time;
        (output.deliver)(time, Delivery::Chunk(bytes));
    }

    /// Reports the bytes up to `end` as a gap.
    fn report_gap(&mut self, end: u64, time: Time, output: &mut Output<'_>) {
        let missing = end - self.next;
        output.summary.gap_bytes += missing;
        match self.backlog.gaps.back_mut() {
            // Another part of the same gap.
            Some((_, to)) if *to == self.next => *to = end,
            _ => {
                output.summary.gaps += 1;
                if self.backlog.gaps.len() == GAPS_MAX {
                    self.backlog.gaps.pop_front();
                }
                self.backlog.gaps.push_back((self.next, end));
            }
        }
        self.next = end;
        self.last = Time::default();
        (output.deliver)(time, Delivery::Gap(missing));
    }

    /// Returns the number of bytes from `start` to `end` that were reported as missing.
    fn reported_missing(&self, start: u64, end: u64) -> u64 {
        self.backlog.gaps.iter().map(|&(from, to)| to.min(end).saturating_sub(from.max(start))).sum()
    }
}
