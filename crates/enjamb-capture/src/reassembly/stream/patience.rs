//! The patience of a stream: the limits of its waits.
//!
//! | reason | waits for | until |
//! |---|---|---|
//! | the beginning | bytes sent before the first ones that were captured | some packets of the connection, or some bytes held |
//! | a hole, acknowledged | the bytes: acknowledgements are captured early, packets out of order | `patience` packets |
//! | a hole, not acknowledged | a retransmission | `patience_time` |
//! | a hole, other side not captured | the bytes or a retransmission | `patience_one_sided` packets |
//! | a FIN | its acknowledgement: a forged one is never acknowledged | `patience` packets |
//! | order | the other side's bytes: they were acknowledged, so they had been sent before | `patience` packets |
//! | a later copy | the acknowledgement | `patience_one_sided` packets, if no acknowledgement is ever captured |
//!
//! Every wait ends when `patience_time` has passed in the capture, when too much is held, and at
//! the end of the capture.
//!
//! A packet is evidence that earlier packets were not captured only if the file is in the order of
//! time. So a packet whose time stamp is before another one of its side counts against the packets
//! that are in order. Most files have no such packet. In a shuffled file, nearly all are.

use crate::reassembly::clock::CaptureClock;
use crate::reassembly::context::StreamContext;
use crate::reassembly::hold::{Hold, HoldReason};
use crate::reassembly::progress::WINDOW_MAX;
use crate::reassembly::stream::{Deliver, FAR, JOIN_MAX, Stream};
use crate::summary::Summary;

/// The number of packets of its connection for which a stream that the capture joined late waits
/// for earlier bytes. Each time some arrive, the wait begins again, since a file may be in any
/// order.
const JOIN_PACKETS: u32 = 64;

/// The maximum number of additional held bytes during that wait, after half of the packets have
/// come.
const JOIN_BYTES: usize = 32 << 10;

impl Stream {
    /// Counts another packet of the connection. `in_order` states whether it came in order with
    /// those of its side. Returns the reason to hold data back if the wait for it has lasted long
    /// enough.
    pub(in crate::reassembly) fn wait(
        &mut self,
        context: &StreamContext<'_>,
        clock: &CaptureClock,
        in_order: bool,
    ) -> Option<HoldReason> {
        let Some(reason) = self.hold_reason(context) else {
            self.hold = None;
            return None;
        };
        let hold = match &mut self.hold {
            Some(hold) if hold.reason == reason && hold.at == self.next => hold,
            hold => hold.insert(Hold::new(reason, self.next, self.held.weight(), clock)),
        };
        let options = context.options;
        let patience = match reason {
            HoldReason::Beginning if self.held.weight().saturating_sub(hold.weight) > JOIN_BYTES => JOIN_PACKETS / 2,
            HoldReason::Beginning => JOIN_PACKETS,
            HoldReason::Order | HoldReason::Fin => options.patience,
            HoldReason::Hole if self.acked > self.next => options.patience,
            HoldReason::Hole | HoldReason::Unacknowledged if !self.acknowledged => options.patience_one_sided,
            HoldReason::Hole | HoldReason::Unacknowledged => return None,
        };
        hold.packets = if in_order { hold.packets.saturating_add(1) } else { hold.packets.saturating_sub(1) };
        (hold.packets > patience).then_some(reason)
    }

    /// Stops waiting, and delivers all data that may be delivered then. Returns `false` if nothing
    /// is held back.
    pub(in crate::reassembly) fn give_up(
        &mut self,
        reason: HoldReason,
        context: &StreamContext<'_>,
        summary: &mut Summary,
        deliver: Deliver<'_>,
    ) -> bool {
        match reason {
            HoldReason::Beginning => self.settle_beginning(summary, deliver),
            HoldReason::Hole => return self.give_up_hole(context, summary, deliver),
            HoldReason::Order => self.unordered_at = Some(context.other.next()),
            HoldReason::Fin => self.fin_confirmed = true,
            HoldReason::Unacknowledged => self.released = self.frontier(),
        }
        self.settle(context, summary, deliver);
        true
    }

    /// Reports the first hole as a gap, or drops the data after it if that does not belong to the
    /// stream. Returns `false` if there is no hole.
    fn give_up_hole(&mut self, context: &StreamContext<'_>, summary: &mut Summary, deliver: Deliver<'_>) -> bool {
        let Some(end) = self.hole_end().filter(|&end| end > self.next) else {
            return false;
        };
        let certain = self.acked.clamp(self.next, end);
        if end - certain > FAR && certain > self.next {
            // The rest of the hole may still come: the other side has not received it.
            self.held.lose(self.next, certain);
        } else if self.is_stray(end, context) {
            summary.stray_bytes += self.held.remove_from(end);
        } else {
            self.held.lose(self.next, end);
        }
        self.settle(context, summary, deliver);
        true
    }

    /// Returns whether the data that is held from `start` on belongs to another stream: it is far
    /// ahead, the other side has acknowledged only bytes before it, and both sides went on without
    /// it.
    fn is_stray(&self, start: u64, context: &StreamContext<'_>) -> bool {
        let ahead = start - self.acked.clamp(self.next, start);
        let Some((_, piece)) = self.held.first().filter(|(first, _)| *first == start) else {
            return false;
        };
        let progress = self.last.is_some_and(|last| last > piece.info.time);
        let ignored = self.acknowledged && context.other_time > piece.info.time;
        ahead > JOIN_MAX && (progress || ignored) || ahead > FAR && progress && ignored
    }

    /// Gives up the missing bytes that the other side had received when it sent its first held
    /// piece, if this side is known to have sent them: it holds data after them, or a later segment
    /// without payload was seen. Returns `false` if there are none. Then the missing bytes may come
    /// in another part of the file.
    pub(in crate::reassembly) fn give_up_acknowledged(
        &mut self,
        context: &StreamContext<'_>,
        summary: &mut Summary,
        deliver: Deliver<'_>,
    ) -> bool {
        let sent = self.hole_end().unwrap_or(self.sent).min(self.fin.unwrap_or(u64::MAX));
        let end = sent.min(self.acked);
        // One byte may be a FIN that was not captured.
        let is_fin = end == self.next + 1 && self.held.is_empty() && self.fin.is_none();
        let is_waiting = self.held.start().is_some_and(|start| start <= self.next);
        if !self.settled || end <= self.next || is_fin || is_waiting {
            return false;
        }
        self.held.lose(self.next, end);
        self.settle(context, summary, deliver);
        true
    }

    /// Notes a segment of this side at `offset` that has no payload.
    pub(in crate::reassembly) fn note_sent(&mut self, offset: i64) {
        if offset <= self.next as i64 + WINDOW_MAX {
            self.sent = self.sent.max(u64::try_from(offset).unwrap_or(0));
        }
    }

    /// Reports all holes before `offset` as gaps: the capturing system has lost the packets that
    /// would have filled them.
    pub(in crate::reassembly) fn give_up_to(
        &mut self,
        offset: i64,
        context: &StreamContext<'_>,
        summary: &mut Summary,
        deliver: Deliver<'_>,
    ) {
        let offset = u64::try_from(offset.min(self.next as i64 + WINDOW_MAX)).unwrap_or(0);
        // Nothing is missing after the end of the stream.
        let offset = self.fin.map_or(offset, |fin| fin.min(offset));
        while self.settled && self.next < offset {
            if self.held.start().is_some_and(|start| start <= self.next) {
                // The next bytes are there or known to be lost, and wait for another reason.
                return self.lose_holes(offset);
            }
            let end = self.hole_end().map_or(offset, |end| end.min(offset));
            self.report_gap(end, context.now, summary, deliver);
            self.settle(context, summary, deliver);
        }
    }

    /// Returns the end of the hole at `next`: the first byte after it that was seen or is known to
    /// be lost, or the end of the stream.
    fn hole_end(&self) -> Option<u64> {
        let fin = self.fin.filter(|&fin| fin > self.next);
        [self.held.start(), fin].into_iter().flatten().min()
    }

    /// Marks everything from the first hole to `offset` as lost. Pieces that are held there stay.
    fn lose_holes(&mut self, offset: u64) {
        let end = self.frontier();
        if end < offset {
            self.held.lose(end, offset);
        }
    }
}
