//! The time of a capture.
//!
//! The time of a capture is the time stamp of the current packet. If time stamps run backwards, it
//! is the latest one so far. A file need not be in the order of time: packets of several queues
//! overtake each other by microseconds, and some files are sorted by something else. So no deadline
//! passes because of one late time stamp: if time stamps were recently behind the latest one, more
//! of them may follow.

use std::time::Duration;

use enjamb::Time;

/// A deadline passes only after this many more segments. The first time stamps of a shuffled file
/// jump ahead, and the disorder shows only when a time stamp comes that is as early as the first.
pub(super) const SEGMENTS_MIN: u64 = 1024;

/// The number of packets in order after which disorder is nearly forgotten.
const FORGET: u64 = 64;

/// The clock of a capture, which its segments advance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CaptureClock {
    /// The latest time stamp.
    pub(super) latest: Time,
    /// The distance of recent time stamps from the latest one, in nanoseconds.
    behind: u64,
    /// The number of segments so far.
    pub(super) segments: u64,
}

impl CaptureClock {
    /// Counts a segment that was captured at `time`.
    pub(super) fn advance(&mut self, time: Time) {
        self.segments += 1;
        if time >= self.latest {
            self.latest = time;
            self.behind -= self.behind.div_ceil(FORGET);
        } else {
            self.behind = self.behind.max(self.latest.nanos() - time.nanos());
        }
    }

    /// Returns the time up to which all packets have arrived, as far as time stamps show it.
    pub(super) fn settled(&self) -> Time {
        Time::from_nanos(self.latest.nanos().saturating_sub(self.behind))
    }
}

/// A time and a number of segments. The deadline has passed when both have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    pub(super) time: Time,
    pub(super) segments: u64,
}

impl Deadline {
    pub(super) fn has_passed(&self, clock: &CaptureClock) -> bool {
        self.time <= clock.settled() && self.segments <= clock.segments
    }
}

pub(super) fn later(time: Time, by: Duration) -> Time {
    let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    Time::from_nanos(time.nanos().saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CaptureClock, Deadline, Time, later};

    #[test]
    fn no_deadline_passes_while_time_stamps_run_backwards_until_that_is_forgotten() {
        let mut clock = CaptureClock::default();
        let deadline = Deadline { time: later(Time::from_nanos(1_000_000_000), Duration::from_secs(60)), segments: 2 };
        for (seconds, passed) in
            [(1, false), (60, false), (61, true), (31, false), (80, false), (100, true), (2, false)]
        {
            clock.advance(Time::from_nanos(seconds * 1_000_000_000));
            assert_eq!(deadline.has_passed(&clock), passed, "{seconds} s");
        }
        for _ in 0..1000 {
            clock.advance(Time::from_nanos(100_000_000_000));
        }
        assert!(deadline.has_passed(&clock));
    }
}
