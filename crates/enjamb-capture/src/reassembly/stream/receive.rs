//! The payload that a stream receives: new bytes, repetitions, overlaps, pieces out of order.

use crate::options::Overlap;
use crate::reassembly::context::StreamContext;
use crate::reassembly::held_data::{Conflict, differing};
use crate::reassembly::progress::WINDOW_MAX;
use crate::reassembly::stream::{Delivery, Output, Payload, Stream};

impl Stream {
    /// Takes payload at `offset`, and delivers all data that may be delivered then.
    pub(in crate::reassembly) fn receive(
        &mut self,
        offset: i64,
        payload: &Payload<'_>,
        context: &StreamContext<'_>,
        output: &mut Output<'_>,
    ) {
        let Payload { bytes, missing, info } = *payload;
        if self.backlog.held.is_empty()
            && offset == self.next as i64
            && missing == 0
            && self.backlog.fin.is_none()
            && self.may_deliver(info.acknowledgement, offset as u64 + bytes.len() as u64, context)
        {
            // The usual case: the next bytes, and nothing else to do.
            if !bytes.is_empty() {
                self.deliver(bytes, info.time, output);
            }
            return;
        }
        if offset > self.next as i64 + WINDOW_MAX || offset < 0 {
            output.summary.stray_bytes += bytes.len() as u64;
            return;
        }
        let mut at = offset as u64;
        // A keep-alive probe repeats the last byte, or sends any byte in its place (RFC 9293,
        // section 3.8.4).
        let probe = bytes.len() <= 1 && missing == 0;
        let frontier = self.frontier();
        if probe && (at + 1 == self.next || at + 1 == frontier) && (self.settled || at >= self.first) {
            output.summary.keep_alives += 1;
            return;
        }
        if self.is_first_probe(at, payload, context) {
            output.summary.keep_alives += 1;
            return;
        }
        let mut rest = bytes;
        let before = rest.len().min(self.first.saturating_sub(at) as usize);
        output.summary.stray_bytes += before as u64;
        rest = &rest[before..];
        at = at.max(self.first);
        let fin = self.backlog.fin.filter(|_| self.fin_is_certain(context));
        let after = fin.map_or(0, |fin| (at + rest.len() as u64).saturating_sub(fin));
        let after = rest.len().min(usize::try_from(after).unwrap_or(usize::MAX));
        output.summary.stray_bytes += after as u64;
        rest = &rest[..rest.len() - after];

        let end = at + rest.len() as u64;
        let ahead = self.backlog.held.end();
        let mut is_new = false;
        let mut conflict: Option<Conflict> = None;
        while !rest.is_empty() {
            let (mut length, again) = if at < self.next { (self.next - at, true) } else { self.backlog.held.run(at) };
            // Acknowledged bytes are not replaced any more, although they may still wait behind a
            // hole.
            let accepted = self.acked.max(self.backlog.released);
            let overlap = if at < accepted { Overlap::First } else { context.options.overlap };
            if again && at < accepted {
                length = length.min(accepted - at);
            }
            let length = rest.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            let (piece, remainder) = rest.split_at(length);
            if again {
                let late = if at < self.next { self.reported_missing(at, at + length as u64) } else { 0 };
                output.summary.late_bytes += late;
                output.summary.retransmitted += length as u64 - late;
                let found = if at < self.next {
                    let (start, kept) = output.log.range(self.last_record, at, length);
                    let skipped = (start - at) as usize;
                    differing(start, &kept, &piece[skipped..][..kept.len()])
                } else {
                    self.backlog.held.overlap(at, piece, overlap)
                };
                conflict = match (conflict, found) {
                    (Some(one), Some(other)) => Some(Conflict { bytes: one.bytes + other.bytes, ..one }),
                    (one, other) => one.or(other),
                };
            } else if at == self.next && self.may_deliver(info.acknowledgement, at + length as u64, context) {
                // Held data after it waits until the whole segment was processed: the segment may
                // fill a lost range.
                self.deliver(piece, info.time, output);
            } else {
                self.backlog.held.insert(at, piece, info);
            }
            is_new |= !again;
            at += length as u64;
            rest = remainder;
        }
        // Its bytes are new, and bytes after them came before.
        output.summary.out_of_order += u64::from(is_new && end < ahead);
        if let Some(conflict) = conflict {
            output.summary.conflicts += 1;
            output.summary.conflicting_bytes += conflict.bytes;
            (output.deliver)(
                context.now,
                Delivery::Conflict(Conflict { offset: conflict.offset - self.first, ..conflict }),
            );
        }
        if missing > 0 && end + missing > self.next && fin.is_none_or(|fin| end + missing <= fin) {
            self.backlog.held.lose(end.max(self.next), end + missing);
        }
        self.settle(context, output);
    }
}
