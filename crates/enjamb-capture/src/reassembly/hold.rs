//! The reasons to hold data back, and the waits of a stream.

use std::time::Duration;

use enjamb::Time;

use crate::reassembly::clock::{CaptureClock, Deadline, SEGMENTS_MIN, later};

/// The reason why held data is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoldReason {
    /// The capture joined the stream late, and it is not certain that the first bytes seen are the
    /// first ones sent.
    Beginning,
    /// There is a hole before it.
    Hole,
    /// Its sender had received bytes that were not delivered yet: a reply must not come before its
    /// request.
    Order,
    /// A FIN was seen that the other side has not acknowledged. It may be forged.
    Fin,
    /// A later copy may still replace it: [`Overlap::Last`](crate::Overlap::Last).
    Unacknowledged,
}

/// A wait of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) reason: HoldReason,
    /// The offset of the next byte to deliver.
    pub(super) at: u64,
    /// The number of packets since it began.
    pub(super) packets: u32,
    /// The number of bytes held when it began.
    pub(super) weight: usize,
    /// The latest time stamp of the capture when it began.
    since: Time,
    /// The number of segments of the capture before it began.
    after_segments: u64,
}

impl Hold {
    pub(super) fn new(reason: HoldReason, at: u64, weight: usize, clock: &CaptureClock) -> Self {
        Self { reason, at, packets: 0, weight, since: clock.latest, after_segments: clock.segments }
    }

    /// Returns the deadline after a wait of `patience`.
    pub(super) fn deadline(&self, patience: Duration) -> Deadline {
        Deadline { time: later(self.since, patience), segments: self.after_segments + SEGMENTS_MIN }
    }
}
