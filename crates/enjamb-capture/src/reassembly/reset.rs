//! Resets, and the rules for accepting them.
//!
//! On the wire, a reset ends a connection at once. In a capture it does not: bytes in flight are
//! captured after it, segments are out of order, and some resets are forged by a third party and
//! ignored by both ends. So after a reset that its receiver would accept (RFC 9293, section 3.5.3),
//! the connection *lingers*. Data that still arrives is delivered. Both sides are reported as reset
//! only when [`LINGER`] has passed in the capture. If a stream continues after its own sender's
//! reset, the reset was forged.

use std::time::Duration;

use enjamb::{Side, Time};

use crate::reassembly::clock::{Deadline, later};
use crate::reassembly::progress::WINDOW_MAX;
use crate::reassembly::stream::Stream;
use crate::segment::Segment;

/// The time for which a connection that was reset is kept for late packets, in capture time.
const LINGER: Duration = Duration::from_secs(1);

/// A reset that its receiver would accept.
pub(super) struct Reset {
    pub(super) by: Side,
    /// The offset in the stream of its sender, where that is known.
    pub(super) offset: Option<i64>,
    /// The latest time stamp of the capture when it came.
    pub(super) since: Time,
}

impl Reset {
    /// Returns when the connection ends.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline { time: later(self.since, LINGER), segments: 0 }
    }
}

/// Returns whether the receiver of a reset would accept it. `stream` is the stream of its sender.
pub(super) fn is_acceptable(segment: &Segment<'_>, stream: &Stream, other: &Stream) -> bool {
    match (stream.offset(segment.sequence), segment.acknowledgement) {
        (Some(offset), _) => {
            let next = stream.next;
            // The receiver may still have waited for bytes that were captured but did not reach it.
            let expected = stream.acked.clamp(stream.first(), next);
            // Before a SYN was answered nothing is in flight. A reset with other numbers belongs to
            // an earlier connection.
            let under_way = if stream.synchronised() && !other.synchronised() { 0 } else { WINDOW_MAX };
            (expected as i64..=next as i64 + under_way).contains(&offset)
        }
        // The answer to a SYN is recognised by the number that it acknowledges.
        (None, Some(acknowledged)) => other.offset(acknowledged).is_none_or(|offset| offset >= other.first() as i64),
        (None, None) => !other.synchronised(),
    }
}
