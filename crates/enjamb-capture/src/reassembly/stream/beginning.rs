//! The beginning of a stream.
//!
//! A handshake states the first sequence number. If the capture joins later, the stream begins with
//! the lowest byte that arrives while the stream still waits for earlier ones.

use std::time::Duration;

use enjamb::Time;

use crate::reassembly::clock::later;
use crate::reassembly::context::StreamContext;
use crate::reassembly::progress::{ORIGIN, WINDOW_MAX};
use crate::reassembly::stream::{Delivery, JOIN_MAX, Output, Payload, Stream};

/// The shortest time without data after which systems send a keep-alive probe.
const IDLE: Duration = Duration::from_secs(1);

impl Stream {
    /// Returns the maximum distance of a byte that is captured now before the first byte seen. A
    /// byte that was sent before all bytes seen may be at any distance.
    fn join_max(&self, now: Time) -> u64 {
        if now < self.earliest { WINDOW_MAX.unsigned_abs() } else { JOIN_MAX }
    }

    /// Returns whether a handshake at `now`, with `sequence` as the first byte's number, belongs to
    /// another stream.
    pub(in crate::reassembly) fn is_opened_anew(&self, sequence: u32, now: Time) -> bool {
        let Some(base) = self.first_sequence() else {
            return false;
        };
        if self.synchronised { base != sequence } else { u64::from(base.wrapping_sub(sequence)) > self.join_max(now) }
    }

    /// Begins the stream at `sequence`, which a handshake states as the first byte's number. If
    /// there are several handshakes, the first counts.
    pub(in crate::reassembly) fn synchronise(&mut self, sequence: u32, now: Time) {
        if self.backlog.fin.is_some()
            && !self.backlog.fin_confirmed
            && self.backlog.fin_time < now
            && self.offset(sequence).is_none_or(|first| !self.could_end_after(first))
        {
            // RFC 9293, section 3.10.7.3: a FIN before the SYN is dropped.
            self.backlog.fin = None;
        }
        // If only acknowledgements of a side were seen, they may belong to an earlier connection
        // between the same endpoints (RFC 9293, section 3.5.1: the answer to an unexpected SYN).
        let is_empty =
            !self.synchronised && !self.begun() && self.backlog.held.is_empty() && self.backlog.fin.is_none();
        let offset = self.offset(sequence).filter(|&offset| !is_empty || offset == self.first as i64);
        let Some(offset) = offset else {
            (self.base, self.first, self.next) = (Some(sequence), ORIGIN, ORIGIN);
            (self.synchronised, self.settled, self.acked, self.sent) = (true, true, 0, 0);
            return;
        };
        let before = self.first as i64 - offset;
        let before = u64::try_from(before).ok().filter(|before| *before <= self.join_max(now));
        if !self.synchronised && !self.begun() && !self.ended() && before.is_some() {
            self.begin_at(offset as u64);
            (self.synchronised, self.settled) = (true, true);
        }
    }

    /// Returns whether the FIN may belong to a stream with its first byte at `first`.
    fn could_end_after(&self, first: i64) -> bool {
        let end = self.backlog.fin.map_or(0, |fin| fin as i64);
        (first..=first + JOIN_MAX as i64).contains(&end)
    }

    /// Continues a stream that had ended at `next`.
    pub(in crate::reassembly) fn resume(&mut self, next: Option<u32>) {
        if let Some(next) = next {
            (self.base, self.first, self.next) = (Some(next), ORIGIN, ORIGIN);
            (self.synchronised, self.settled) = (true, true);
        }
    }

    /// Notes a segment of this side. If nothing is known of the stream yet, the capture joins it
    /// here.
    pub(in crate::reassembly) fn join(&mut self, sequence: u32) {
        self.seen = true;
        if self.base.is_none() {
            (self.base, self.first, self.next) = (Some(sequence), ORIGIN, ORIGIN);
        }
        if let Some(acknowledged) = self.acked_early.take() {
            self.acknowledge(acknowledged);
        }
    }

    /// Returns whether a segment at `offset` is a keep-alive probe that repeats the byte before the
    /// first one seen. The other side has received that byte, and was silent for a second.
    pub(in crate::reassembly) fn is_probe_before_beginning(
        &self,
        offset: i64,
        length: u64,
        context: &StreamContext<'_>,
    ) -> bool {
        !self.settled
            && length == 1
            && offset + 1 == self.first as i64
            && self.acked >= self.first
            && context.now >= later(context.other_time, IDLE)
    }

    /// Returns whether a payload at `at` is a keep-alive probe in a stream whose beginning is not
    /// certain: it repeats the first byte after a second, or a byte that was acknowledged that long
    /// before.
    pub(super) fn is_first_probe(&mut self, at: u64, payload: &Payload<'_>, context: &StreamContext<'_>) -> bool {
        let length = payload.bytes.len() as u64;
        if self.settled || length != 1 || payload.missing > 0 || at > self.first {
            return false;
        }
        if at < self.first {
            return self.is_probe_before_beginning(at as i64, length, context);
        }
        match self.backlog.held.first() {
            Some((start, piece)) if start == at => {
                let again = piece.bytes.len() == 1 && context.now >= later(piece.info.time, IDLE);
                self.probed |= again;
                again
            }
            _ => self.acked > at && context.now >= later(context.other_time, IDLE),
        }
    }

    /// Notes the time stamp of a segment that was processed.
    #[inline]
    pub(in crate::reassembly) fn note_time(&mut self, now: Time) {
        if self.earliest == Time::default() || now < self.earliest {
            self.earliest = now;
        }
    }

    /// Moves the beginning back to `offset`, where something of the stream was seen, unless the
    /// beginning is certain.
    pub(in crate::reassembly) fn extend_back_to(&mut self, offset: i64, now: Time) {
        let Ok(at) = u64::try_from(offset) else {
            return;
        };
        if !self.settled && at < self.first && self.first - at <= self.join_max(now) {
            self.begin_at(at);
        }
    }

    /// Takes the lowest byte seen so far for the first byte of the stream.
    pub(super) fn settle_beginning(&mut self, output: &mut Output<'_>) {
        self.settled = true;
        // If the capture began with a keep-alive probe, its byte repeats one that was sent before.
        if self.begins_with_probe() {
            self.backlog.held.take(self.first);
            output.summary.keep_alives += 1;
            self.begin_at(self.first + 1);
        }
        if self.backlog.held.start() == Some(self.first + 1) {
            self.begin_at(self.first + 1);
        }
        // The number of bytes sent before is unknown. That is reported if any data follows.
        if let Some((_, piece)) = self.backlog.held.first() {
            (output.deliver)(piece.info.time, Delivery::Gap(0));
        }
    }

    /// Returns whether the first bytes that are held are a keep-alive probe with one byte (RFC
    /// 9293, section 3.8.4): it was sent again, or nothing follows for a second and then the next
    /// byte.
    fn begins_with_probe(&self) -> bool {
        let Some((start, piece)) = self.backlog.held.first() else {
            return false;
        };
        let is_idle = self
            .backlog
            .held
            .second()
            .is_some_and(|(next, after)| next == start + 1 && after.info.time >= later(piece.info.time, IDLE));
        start == self.first && piece.bytes.len() == 1 && (self.probed || is_idle)
    }

    fn begin_at(&mut self, offset: u64) {
        (self.first, self.next) = (offset, offset);
        if self.backlog.frontier > offset {
            self.backlog.frontier = offset;
        }
    }
}
