//! One side's byte stream, put in order.
//!
//! Sequence numbers have 32 bits and wrap; offsets have 64 and do not. A segment's number is read as the offset nearest to
//! `next`, the one that is to be delivered next: right as long as segments are less than 2 GiB out of place (RFC 9293,
//! section 3.4). [`ORIGIN`] is the byte behind the SYN, or the first one seen where the capture joined later; what turns out to
//! stand before that has a smaller offset.
//!
//! ```text
//!         delivered          |   hole   |  held  |  hole  | held |
//!  ──┬───────────────────────┼──────────┼────────┼────────┼──────┼──
//!  first                    next                                fin?
//! ```
//!
//! What comes before `next` is a repetition: dropped, and compared with the last bytes delivered. What comes behind it
//! is held, in pieces that do not overlap. Whatever fills the hole is delivered, then the pieces behind it, each as it came.
//!
//! Besides holes there are other [`Obstacle`]s to delivery. None is given up because of an acknowledgement alone, for
//! captures do see those before the bytes they acknowledge. See [`Stream::wait`](crate::waiting).

use std::collections::VecDeque;

use enjamb::Time;

use crate::held::{Conflict, Held, Mark, differing};
use crate::options::{Options, Overlap};
use crate::reach::{ORIGIN, Reach, WINDOW_MAX, sequence_at};
use crate::recent::Recent;
use crate::summary::Summary;
use crate::waiting::Waiting;

/// Bytes this far before the first one seen are taken for an earlier part of the stream, captured late, whatever their time stamp says.
pub(crate) const JOIN_MAX: u64 = 1 << 20;

/// What a stream gives to its tap.
pub(crate) enum Delivery<'a> {
    Chunk(&'a [u8]),
    /// Of 0 bytes: there may be any number of them before the first one that was seen.
    Gap(u64),
    Conflict(Conflict),
}

pub(crate) type Deliver<'d> = &'d mut dyn FnMut(Time, Delivery<'_>);

/// The payload of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Payload<'a> {
    pub(crate) bytes: &'a [u8],
    /// How many more bytes behind them the capture has not.
    pub(crate) missing: u64,
    pub(crate) mark: Mark,
}

/// What a stream must know in order to deliver.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) options: &'a Options,
    /// How far the other side's stream has come.
    pub(crate) other: Reach,
    /// There is memory for a ring of bytes that were delivered.
    pub(crate) room: bool,
    /// When the packet was captured that makes something happen.
    pub(crate) now: Time,
}

/// Why what is held is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The capture joined late, and it is not certain that what was seen first is what was sent first.
    Beginning,
    /// Bytes before it are missing.
    Hole,
    /// Its sender had received bytes that were not delivered: a reply must not come before its request.
    Order,
    /// It may still be replaced by a later copy: [`Overlap::Last`].
    Unacknowledged,
}

#[derive(Default)]
pub(crate) struct Stream {
    /// The sequence number of [`ORIGIN`].
    base: Option<u32>,
    /// A handshake says so: not only the place where the capture joined.
    synchronised: bool,
    /// The first byte of the stream is known.
    settled: bool,
    /// A segment of this side was captured.
    seen: bool,
    /// The earliest time stamp of any.
    earliest: Option<Time>,
    /// Where the stream begins.
    first: u64,
    pub(crate) next: u64,
    pub(crate) held: Held,
    /// Kept by [`frontier`](Self::frontier), so that no piece is looked at twice.
    frontier: u64,
    /// Where the stream ends.
    fin: Option<u64>,
    /// The furthest that the other side acknowledged.
    pub(crate) acked: u64,
    /// The furthest that it acknowledged, when nothing of this side was known.
    acked_early: Option<u32>,
    /// The other side was seen to acknowledge anything.
    pub(crate) heard: bool,
    /// Up to here, delivery does not wait for an acknowledgement.
    pub(crate) released: u64,
    /// Nothing waits for the other side as long as its stream has come no further.
    pub(crate) unordered_at: Option<u64>,
    pub(crate) waiting: Option<Waiting>,
    /// When the last chunk came; `None` behind a gap.
    last: Option<Time>,
    recent: Recent,
    /// The last gaps that were told: from, to.
    gaps: VecDeque<(u64, u64)>,
}

/// How many gaps of a stream are remembered.
const GAPS_MAX: usize = 16;

/// What a tap was told of a stream: bytes and gaps.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    /// The sequence number of the first byte.
    pub(crate) first: u32,
    /// At most what a sequence number can say: there are many of these.
    length: u32,
}

impl Told {
    /// Are these bytes among them? Of a stream of 4 GiB all may be.
    pub(crate) fn holds(self, sequence: u32, length: u64) -> bool {
        let end = u64::from(sequence.wrapping_sub(self.first)) + length;
        self.length == u32::MAX || end <= u64::from(self.length)
    }
}

impl Stream {
    /// What was told of it.
    pub(crate) fn told(&self) -> Option<Told> {
        let length = u32::try_from(self.next - self.first).unwrap_or(u32::MAX);
        Some(Told { first: self.first_sequence()?, length })
    }

    /// The sequence number of the first byte.
    pub(crate) fn first_sequence(&self) -> Option<u32> {
        Some(sequence_at(self.base?, self.first))
    }

    pub(crate) fn synchronised(&self) -> bool {
        self.synchronised
    }

    /// Where it begins.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How far it was delivered, from its beginning.
    pub(crate) fn place(&self) -> u64 {
        self.next - self.first
    }

    /// What is held takes so many bytes.
    pub(crate) fn weight(&self) -> usize {
        self.held.weight()
    }

    /// What is kept for comparison takes so many bytes.
    pub(crate) fn recent_weight(&self) -> usize {
        self.recent.weight()
    }

    pub(crate) fn reach(&self) -> Reach {
        let begins = !self.settled && !self.held.is_empty();
        Reach::new(self.base.filter(|_| self.seen), self.next, self.fin, begins)
    }

    /// The FIN was seen, and all bytes before it were delivered or given up.
    pub(crate) fn ended(&self) -> bool {
        self.settled && self.fin.is_some_and(|fin| fin <= self.next)
    }

    /// How far before the first byte seen one can stand that is captured now. What was sent before all that was seen is in its place
    /// wherever that is.
    fn join_max(&self, now: Time) -> u64 {
        if self.earliest.is_some_and(|earliest| now < earliest) { WINDOW_MAX.unsigned_abs() } else { JOIN_MAX }
    }

    /// Is a handshake at `now`, which says that `sequence` is the first byte's number, one of another stream?
    pub(crate) fn is_opened_anew(&self, sequence: u32, now: Time) -> bool {
        let Some(base) = self.first_sequence() else {
            return false;
        };
        if self.synchronised { base != sequence } else { u64::from(base.wrapping_sub(sequence)) > self.join_max(now) }
    }

    /// A handshake says that `sequence` is the first byte's number. Of several, the first counts.
    pub(crate) fn synchronise(&mut self, sequence: u32, now: Time) {
        // What acknowledges only may belong to a connection before this one between the same ends (RFC 9293, section 3.5.1: the answer to
        // a SYN out of nowhere).
        let is_empty = !self.synchronised && !self.begun() && self.held.is_empty() && self.fin.is_none();
        let offset = self.offset(sequence).filter(|&offset| !is_empty || offset == self.first as i64);
        let Some(offset) = offset else {
            (self.base, self.first, self.next) = (Some(sequence), ORIGIN, ORIGIN);
            (self.synchronised, self.settled, self.acked) = (true, true, 0);
            return;
        };
        let before = self.first as i64 - offset;
        let before = u64::try_from(before).ok().filter(|before| *before <= self.join_max(now));
        if !self.synchronised && !self.begun() && !self.ended() && before.is_some() {
            self.begin_at(offset as u64);
            (self.synchronised, self.settled) = (true, true);
        }
    }

    /// A segment of this side: where nothing is known yet, the capture joins here.
    pub(crate) fn join(&mut self, sequence: u32) {
        self.seen = true;
        if self.base.is_none() {
            (self.base, self.first, self.next) = (Some(sequence), ORIGIN, ORIGIN);
        }
        if let Some(acknowledged) = self.acked_early.take() {
            self.acknowledge(acknowledged);
        }
    }

    /// A segment that was captured `now` has been looked at.
    pub(crate) fn pass(&mut self, now: Time) {
        self.earliest = Some(self.earliest.map_or(now, |earliest| earliest.min(now)));
    }

    /// Something of the stream was seen at `offset`: it begins there at the latest, unless its beginning is certain.
    pub(crate) fn reaches_back_to(&mut self, offset: i64, now: Time) {
        let Ok(at) = u64::try_from(offset) else {
            return;
        };
        if !self.settled && at < self.first && self.first - at <= self.join_max(now) {
            self.begin_at(at);
        }
    }

    /// The first byte is what is known to be the first one now.
    pub(crate) fn settle_beginning(&mut self, deliver: Deliver<'_>) {
        self.settled = true;
        // A keep-alive probe that the capture began with repeats a byte that was sent before.
        if self.held.start() == Some(self.first + 1) {
            self.begin_at(self.first + 1);
        }
        // Nobody knows how much was sent before. It is told where there is something that it matters to.
        if let Some((_, piece)) = self.held.first() {
            deliver(piece.mark.time, Delivery::Gap(0));
        }
    }

    fn begin_at(&mut self, offset: u64) {
        (self.first, self.next, self.frontier) = (offset, offset, offset);
    }

    /// Where the bytes end that were delivered or are held with no hole before them.
    pub(crate) fn frontier(&mut self) -> u64 {
        if !self.settled {
            // It begins somewhere else with every earlier segment: no piece could be passed over for good.
            return self.next;
        }
        self.frontier = self.held.contiguous(self.frontier.max(self.next));
        self.frontier
    }

    /// Something was delivered, or given up.
    fn begun(&self) -> bool {
        self.next > self.first
    }

    /// The offset that `sequence` stands for. `None` as long as nothing of the stream is known.
    pub(crate) fn offset(&self, sequence: u32) -> Option<i64> {
        let expected = sequence_at(self.base?, self.next);
        let ahead = sequence.wrapping_sub(expected) as i32;
        Some(self.next as i64 + i64::from(ahead))
    }

    /// The other side acknowledged everything before `sequence`.
    pub(crate) fn acknowledge(&mut self, sequence: u32) {
        self.heard = true;
        if self.base.is_none() && self.acked_early.is_none_or(|before| sequence.wrapping_sub(before) as i32 > 0) {
            self.acked_early = Some(sequence);
        }
        if let Some(offset) = self.offset(sequence)
            && offset <= self.next as i64 + WINDOW_MAX
            && let Ok(offset) = u64::try_from(offset)
        {
            self.acked = self.acked.max(offset);
        }
    }

    /// Payload at `offset`.
    pub(crate) fn receive(
        &mut self,
        offset: i64,
        payload: &Payload<'_>,
        scene: &Scene<'_>,
        summary: &mut Summary,
        deliver: Deliver<'_>,
    ) {
        let Payload { bytes, missing, mark } = *payload;
        if self.held.is_empty()
            && offset == self.next as i64
            && missing == 0
            && self.fin.is_none()
            && self.may_deliver(mark.acknowledgement, offset as u64 + bytes.len() as u64, scene)
        {
            // What nearly every segment of nearly every capture is.
            if !bytes.is_empty() {
                self.deliver(bytes, mark.time, scene, summary, deliver);
            }
            return;
        }
        if offset > self.next as i64 + WINDOW_MAX || offset < 0 {
            summary.stray_bytes += bytes.len() as u64;
            return;
        }
        let mut at = offset as u64;
        // A probe repeats the last byte, or sends anything in its place (RFC 9293, section 3.8.4).
        let probe = bytes.len() <= 1 && missing == 0;
        let frontier = self.frontier();
        if probe && (at + 1 == self.next || at + 1 == frontier) && (self.settled || at >= self.first) {
            summary.keep_alives += 1;
            return;
        }
        let mut rest = bytes;
        let before = rest.len().min(self.first.saturating_sub(at) as usize);
        summary.stray_bytes += before as u64;
        rest = &rest[before..];
        at = at.max(self.first);
        let behind = self.fin.map_or(0, |fin| (at + rest.len() as u64).saturating_sub(fin));
        let behind = rest.len().min(usize::try_from(behind).unwrap_or(usize::MAX));
        summary.stray_bytes += behind as u64;
        rest = &rest[..rest.len() - behind];

        let end = at + rest.len() as u64;
        if !rest.is_empty() && self.settled && at > frontier {
            summary.out_of_order += 1;
        }
        let mut conflict: Option<Conflict> = None;
        while !rest.is_empty() {
            let (mut length, again) = if at < self.next { (self.next - at, true) } else { self.held.run(at) };
            // What was acknowledged is not replaced any more, although it may still wait for what is before it.
            let accepted = self.acked.max(self.released);
            let overlap = if at < accepted { Overlap::First } else { scene.options.overlap };
            if again && at < accepted {
                length = length.min(accepted - at);
            }
            let length = rest.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            let (piece, behind) = rest.split_at(length);
            if again {
                let late = if at < self.next { self.passed_over(at, at + length as u64) } else { 0 };
                summary.late_bytes += late;
                summary.retransmitted += length as u64 - late;
                let found = if at < self.next {
                    let (start, head, tail) = self.recent.range(at, length);
                    let skipped = (start - at) as usize;
                    differing(start, head, tail, &piece[skipped..][..head.len() + tail.len()])
                } else {
                    self.held.overlap(at, piece, overlap)
                };
                conflict = match (conflict, found) {
                    (Some(one), Some(other)) => Some(Conflict { bytes: one.bytes + other.bytes, ..one }),
                    (one, other) => one.or(other),
                };
            } else if at == self.next && self.may_deliver(mark.acknowledgement, at + length as u64, scene) {
                // What is behind it waits until all of the segment was looked at: it may fill what is known to be lost.
                self.deliver(piece, mark.time, scene, summary, deliver);
            } else {
                self.held.insert(at, piece, mark);
            }
            at += length as u64;
            rest = behind;
        }
        if let Some(conflict) = conflict {
            summary.conflicts += 1;
            summary.conflicting_bytes += conflict.bytes;
            deliver(scene.now, Delivery::Conflict(Conflict { offset: conflict.offset - self.first, ..conflict }));
        }
        if missing > 0 && end + missing > self.next && self.fin.is_none_or(|fin| end + missing <= fin) {
            self.held.lose(end.max(self.next), end + missing);
        }
        self.settle(scene, summary, deliver);
    }

    /// The stream ends at `offset`. Of several ends, the first counts.
    pub(crate) fn finish(&mut self, offset: i64) {
        if self.fin.is_none()
            && offset <= self.next as i64 + WINDOW_MAX
            && let Ok(offset) = u64::try_from(offset)
            && offset >= self.next
            && self.held.end() <= offset
        {
            self.fin = Some(offset);
        }
    }

    /// What stands in the way of what is held, or of the end.
    pub(crate) fn obstacle(&self, scene: &Scene<'_>) -> Option<Obstacle> {
        if self.held.is_empty() && self.fin.is_none_or(|fin| fin <= self.next && self.settled) {
            return None;
        }
        if !self.settled {
            return Some(Obstacle::Beginning);
        }
        match self.held.first() {
            Some((start, piece)) if start == self.next => {
                Some(if self.is_in_order(piece.mark.acknowledgement, scene) {
                    Obstacle::Unacknowledged
                } else {
                    Obstacle::Order
                })
            }
            _ => Some(Obstacle::Hole),
        }
    }

    fn may_deliver(&self, acknowledgement: Option<u32>, end: u64, scene: &Scene<'_>) -> bool {
        self.settled
            && (scene.options.overlap == Overlap::First || end <= self.acked.max(self.released))
            && self.is_in_order(acknowledgement, scene)
    }

    fn is_in_order(&self, acknowledgement: Option<u32>, scene: &Scene<'_>) -> bool {
        scene.other.covers(acknowledgement) || self.unordered_at == Some(scene.other.next())
    }

    /// How many bytes of the other side were not delivered that the first held piece acknowledges.
    pub(crate) fn lacks(&self, scene: &Scene<'_>) -> u64 {
        self.held.first().map_or(0, |(_, piece)| scene.other.lacks(piece.mark.acknowledgement))
    }

    /// Delivers what follows at once: pieces, and gaps that are known to be for ever. `false`: nothing does.
    pub(crate) fn settle(&mut self, scene: &Scene<'_>, summary: &mut Summary, deliver: Deliver<'_>) -> bool {
        let mut delivered = false;
        while self.settled && !self.held.is_empty() {
            if let Some((start, piece)) = self.held.first()
                && start == self.next
            {
                let end = start + piece.bytes.len() as u64;
                if !self.may_deliver(piece.mark.acknowledgement, end, scene) {
                    break;
                }
                let Some(piece) = self.held.take(start) else {
                    break;
                };
                // What was behind a hole could not be used before the hole was filled.
                let time = self.last.map_or(piece.mark.time, |last| last.max(piece.mark.time));
                self.deliver(&piece.bytes, time, scene, summary, deliver);
            } else if let Some(end) = self.held.lost(self.next) {
                self.pass_over(end, scene, summary, deliver);
            } else {
                break;
            }
            delivered = true;
        }
        delivered
    }

    /// Where the hole at `next` ends: the first byte behind it that was seen or is known to be lost, or the end of the stream.
    fn hole_end(&self) -> Option<u64> {
        let fin = self.fin.filter(|&fin| fin > self.next);
        [self.held.start(), fin].into_iter().flatten().min()
    }

    /// The first hole is not going to be filled. `false`: there is none.
    pub(crate) fn give_up_hole(&mut self, scene: &Scene<'_>, summary: &mut Summary, deliver: Deliver<'_>) -> bool {
        match self.hole_end() {
            Some(end) if end > self.next => {
                self.pass_over(end, scene, summary, deliver);
                self.settle(scene, summary, deliver);
                true
            }
            _ => false,
        }
    }

    /// Nothing that is missing before `offset` is going to come.
    pub(crate) fn give_up_to(&mut self, offset: i64, scene: &Scene<'_>, summary: &mut Summary, deliver: Deliver<'_>) {
        let offset = u64::try_from(offset.min(self.next as i64 + WINDOW_MAX)).unwrap_or(0);
        // Behind its end nothing is missing.
        let offset = self.fin.map_or(offset, |fin| fin.min(offset));
        while self.settled && self.next < offset {
            if self.held.first().is_some_and(|(start, _)| start == self.next) {
                // It is there, but something else is in its way.
                return self.lose_holes(offset);
            }
            let end = self.hole_end().map_or(offset, |end| end.min(offset));
            self.pass_over(end, scene, summary, deliver);
            self.settle(scene, summary, deliver);
        }
    }

    /// Everything before `offset` that is not held is lost.
    fn lose_holes(&mut self, offset: u64) {
        let end = self.frontier();
        if end < offset {
            self.held.lose(end, offset);
        }
    }

    /// How many of the bytes from `start` to `end` were told to be missing.
    fn passed_over(&self, start: u64, end: u64) -> u64 {
        self.gaps.iter().map(|&(from, to)| to.min(end).saturating_sub(from.max(start))).sum()
    }

    /// Passes over what is missing up to `end`.
    fn pass_over(&mut self, end: u64, scene: &Scene<'_>, summary: &mut Summary, deliver: Deliver<'_>) {
        let missing = end - self.next;
        summary.gaps += 1;
        summary.gap_bytes += missing;
        if self.gaps.len() == GAPS_MAX {
            self.gaps.pop_front();
        }
        self.gaps.push_back((self.next, end));
        self.next = end;
        self.last = None;
        let time = match self.held.first() {
            Some((start, piece)) if start == end => piece.mark.time,
            _ => scene.now,
        };
        deliver(time, Delivery::Gap(missing));
    }

    fn deliver(&mut self, bytes: &[u8], time: Time, scene: &Scene<'_>, summary: &mut Summary, deliver: Deliver<'_>) {
        summary.payload += bytes.len() as u64;
        self.recent.push(self.next, bytes, scene.room);
        self.next += bytes.len() as u64;
        self.last = Some(time);
        deliver(time, Delivery::Chunk(bytes));
    }
}
