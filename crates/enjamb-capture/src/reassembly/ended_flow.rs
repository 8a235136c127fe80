//! The record of a flow that has ended. It decides whether a later segment between the same
//! endpoints belongs to that flow, opens another one, or continues it.

use enjamb::{Side, Time};

use crate::reassembly::clock::{CaptureClock, later};
use crate::reassembly::endpoints::{CompactKey, Endpoints};
use crate::reassembly::stream::{DeliveredRange, JOIN_MAX};
use crate::segment::Segment;
use std::time::Duration;

/// The time after the end of a connection in which a segment without SYN cannot open another one
/// between the same endpoints, in capture time. Most systems use this time for TIME-WAIT (RFC 9293,
/// section 3.6.1 requires twice the lifetime of a segment).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// The record of a flow that has ended.
pub(super) struct EndedFlow {
    pub(super) number: u64,
    pub(super) key: CompactKey,
    pub(super) delivered: [Option<DeliveredRange>; 2],
    /// Whether the client has the lower endpoint.
    pub(super) client_is_low: bool,
    /// Whether both sides were closed, not reset.
    pub(super) closed: bool,
    /// Whether a reset ended it.
    pub(super) reset: bool,
    /// Whether its SYN was seen once more after it was closed.
    pub(super) reopens: bool,
    /// The latest time stamp of its packets.
    pub(super) last_packet: Time,
    /// The latest time stamp of the capture when it ended.
    pub(super) since: Time,
}

/// The meaning of a segment between the endpoints of a flow that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuation {
    /// It opens another flow.
    Opens,
    /// The flow goes on: the reset that ended it was ignored.
    Resumes,
    /// It repeats bytes that were delivered.
    Repeats,
    /// It belongs to the flow, and is too late.
    TooLate,
}

impl EndedFlow {
    /// Returns the meaning of a segment that was captured at `time`.
    pub(super) fn continuation(&mut self, segment: &Segment<'_>, time: Time, clock: &CaptureClock) -> Continuation {
        let first = Some(segment.sequence.wrapping_add(1));
        let again = self.delivered.iter().any(|range| range.map(|range| range.first) == first);
        let is_later = time > self.last_packet;
        let opens = match segment.acknowledgement {
            // A client whose connection was refused tries again with the same number. A SYN that
            // was captured twice comes before the refusal.
            None => segment.syn && (!again || self.was_refused() && is_later),
            // An answer to a SYN with the numbers of the last connection shows that this SYN was
            // not captured late.
            Some(_) => segment.syn && self.reopens,
        };
        // A SYN that was captured twice, perhaps on two interfaces, comes after the end in the
        // file, but not in time.
        self.reopens |= self.closed && segment.syn && again && segment.acknowledgement.is_none() && is_later;
        if opens || clock.settled() >= later(self.since, TIME_WAIT) && !self.goes_on_with(segment) {
            return Continuation::Opens;
        }
        if is_later && self.goes_on_with(segment) {
            return Continuation::Resumes;
        }
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        let length = segment.payload.len() as u64;
        if self.delivered.iter().flatten().any(|range| range.contains(sequence, length)) {
            Continuation::Repeats
        } else {
            Continuation::TooLate
        }
    }

    /// Returns whether a reset ended it before a byte was sent.
    fn was_refused(&self) -> bool {
        self.reset && self.delivered.iter().flatten().all(|range| range.is_empty())
    }

    /// Returns whether a segment with payload continues the streams where a reset ended them: both
    /// sides may have ignored it.
    fn goes_on_with(&self, segment: &Segment<'_>) -> bool {
        let from_client = Endpoints::is_low(segment.source, segment.destination) == self.client_is_low;
        let side = if from_client { Side::Client } else { Side::Server };
        let near = |side: Side, sequence: u32| {
            self.delivered[side.index()].is_some_and(|range| {
                let ahead = sequence.wrapping_sub(range.next());
                u64::from(ahead) <= JOIN_MAX
            })
        };
        let is_data = !(segment.payload.is_empty() || segment.syn || segment.rst);
        let was_cut_off = self.reset && !self.was_refused();
        was_cut_off
            && is_data
            && near(side, segment.sequence)
            && segment.acknowledgement.is_some_and(|acknowledged| near(!side, acknowledged))
    }
}
