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

use crate::reassembly::backlog::BacklogState;
use crate::reassembly::clock::CaptureClock;
use crate::reassembly::context::StreamContext;
use crate::reassembly::hold::{Hold, HoldReason};
use crate::reassembly::progress::WINDOW_MAX;
use crate::reassembly::stream::{FAR, JOIN_MAX, Output, Stream};

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
            self.backlog.end_hold();
            return None;
        };
        let options = context.options;
        let (next, acked, acknowledged) = (self.next, self.acked, self.acknowledged);
        let BacklogState { held, hold, .. } = &mut *self.backlog;
        let hold = match hold {
            Some(hold) if hold.reason == reason && hold.at == next => hold,
            hold => hold.insert(Hold::new(reason, next, held.weight(), clock)),
        };
        let patience = match reason {
            HoldReason::Beginning if held.weight().saturating_sub(hold.weight) > JOIN_BYTES => JOIN_PACKETS / 2,
            HoldReason::Beginning => JOIN_PACKETS,
            HoldReason::Order | HoldReason::Fin => options.patience,
            HoldReason::Hole if acked > next => options.patience,
            HoldReason::Hole | HoldReason::Unacknowledged if !acknowledged => options.patience_one_sided,
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
        output: &mut Output<'_>,
    ) -> bool {
        match reason {
            HoldReason::Beginning => self.settle_beginning(output),
            HoldReason::Hole => return self.give_up_hole(context, output),
            HoldReason::Order => self.backlog.unordered_at = Some(context.other.next()),
            HoldReason::Fin => self.backlog.fin_confirmed = true,
            HoldReason::Unacknowledged => self.backlog.released = self.frontier(),
        }
        self.settle(context, output);
        true
    }

    /// Reports the first hole as a gap, or drops the data after it if that does not belong to the
    /// stream. Returns `false` if there is no hole.
    fn give_up_hole(&mut self, context: &StreamContext<'_>, output: &mut Output<'_>) -> bool {
        let Some(end) = self.hole_end().filter(|&end| end > self.next) else {
            return false;
        };
        let certain = self.acked.clamp(self.next, end);
        if end - certain > FAR && certain > self.next {
            // The rest of the hole may still come: the other side has not received it.
            self.backlog.held.lose(self.next, certain);
        } else if self.is_stray(end, context) {
            output.summary.stray_bytes += self.backlog.held.remove_from(end);
        } else {
            self.backlog.held.lose(self.next, end);
        }
        self.settle(context, output);
        true
    }

    /// Returns whether the data that is held from `start` on belongs to another stream: it is far
    /// ahead, the other side has acknowledged only bytes before it, and both sides went on without
    /// it.
    fn is_stray(&self, start: u64, context: &StreamContext<'_>) -> bool {
        let ahead = start - self.acked.clamp(self.next, start);
        let Some((_, piece)) = self.backlog.held.first().filter(|(first, _)| *first == start) else {
            return false;
        };
        let progress = self.last > piece.info.time;
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
        output: &mut Output<'_>,
    ) -> bool {
        let sent = self.hole_end().unwrap_or(self.sent).min(self.backlog.fin.unwrap_or(u64::MAX));
        let end = sent.min(self.acked);
        // One byte may be a FIN that was not captured.
        let is_fin = end == self.next + 1 && self.backlog.held.is_empty() && self.backlog.fin.is_none();
        let is_waiting = self.backlog.held.start().is_some_and(|start| start <= self.next);
        if !self.settled || end <= self.next || is_fin || is_waiting {
            return false;
        }
        self.backlog.held.lose(self.next, end);
        self.settle(context, output);
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
        output: &mut Output<'_>,
    ) {
        let offset = u64::try_from(offset.min(self.next as i64 + WINDOW_MAX)).unwrap_or(0);
        // Nothing is missing after the end of the stream.
        let offset = self.backlog.fin.map_or(offset, |fin| fin.min(offset));
        while self.settled && self.next < offset {
            if self.backlog.held.start().is_some_and(|start| start <= self.next) {
                // The next bytes are there or known to be lost, and wait for another reason.
                return self.lose_holes(offset);
            }
            let end = self.hole_end().map_or(offset, |end| end.min(offset));
            self.report_gap(end, context.now, output);
            self.settle(context, output);
        }
    }

    /// Returns the end of the hole at `next`: the first byte after it that was seen or is known to
    /// be lost, or the end of the stream.
    fn hole_end(&self) -> Option<u64> {
        let fin = self.backlog.fin.filter(|&fin| fin > self.next);
        [self.backlog.held.start(), fin].into_iter().flatten().min()
    }

    /// Marks everything from the first hole to `offset` as lost. Pieces that are held there stay.
    fn lose_holes(&mut self, offset: u64) {
        let end = self.frontier();
        if end < offset {
            self.backlog.held.lose(end, offset);
        }
    }
}
