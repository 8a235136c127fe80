//! Where a capture is in time.
//!
//! Time is that of the capture, and where it runs backwards, the latest that there was. A file may be in another order than that of
//! time, from packets of several queues that overtake each other by microseconds to files that were sorted by something else. So nothing
//! is over because of one late time stamp: what time stamps were behind the latest of late, others may be too.

use std::time::Duration;

use enjamb::Time;

/// Time has not passed for anything before so many more segments came: the first time stamps of a file that was shuffled leap
/// ahead, and until one comes that is as early as the first nothing shows it.
pub(crate) const SEGMENTS_MIN: u64 = 1024;

/// How many packets in order it takes until disorder is forgotten, nearly.
const FORGET: u64 = 64;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// The latest time stamp.
    pub(crate) latest: Time,
    /// How far others were behind it of late, in nanoseconds.
    behind: u64,
    /// How many segments there were.
    pub(crate) segments: u64,
}

impl Moment {
    /// Another segment came, captured at `time`.
    pub(crate) fn pass(&mut self, time: Time) {
        self.segments += 1;
        if time >= self.latest {
            self.latest = time;
            self.behind -= self.behind.div_ceil(FORGET);
        } else {
            self.behind = self.behind.max(self.latest.nanos() - time.nanos());
        }
    }

    /// All packets up to here have come, as far as time stamps can tell.
    pub(crate) fn settled(&self) -> Time {
        Time::from_nanos(self.latest.nanos().saturating_sub(self.behind))
    }
}

/// When something is over: both must have been passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) time: Time,
    pub(crate) segments: u64,
}

impl Deadline {
    pub(crate) fn has_passed(&self, moment: &Moment) -> bool {
        self.time <= moment.settled() && self.segments <= moment.segments
    }
}

pub(crate) fn later(time: Time, by: Duration) -> Time {
    let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    Time::from_nanos(time.nanos().saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Deadline, Moment, Time, later};

    #[test]
    fn nothing_is_over_while_time_stamps_run_backwards_and_that_is_forgotten() {
        let mut moment = Moment::default();
        let deadline = Deadline { time: later(Time::from_nanos(1_000_000_000), Duration::from_secs(60)), segments: 2 };
        let after = |moment: &Moment| deadline.has_passed(moment);
        for (seconds, over) in [(1, false), (60, false), (61, true), (31, false), (80, false), (100, true), (2, false)]
        {
            moment.pass(Time::from_nanos(seconds * 1_000_000_000));
            assert_eq!(after(&moment), over, "{seconds} s");
        }
        for _ in 0..1000 {
            moment.pass(Time::from_nanos(100_000_000_000));
        }
        assert!(after(&moment));
    }
}
