//! The time of day, except that it does not run backwards.

use std::time::{SystemTime, UNIX_EPOCH};

use enjamb::Time;

/// The clock of one connection. When the system's clock is set back, this one stands still.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Time,
}

impl Clock {
    /// Creates a clock that shows at least `time`.
    pub(crate) fn from(time: Time) -> Self {
        Self { last: time }
    }

    pub(crate) fn now(&mut self) -> Time {
        self.last = self.last.max(system_time());
        self.last
    }

    /// Returns the time that it showed last.
    pub(crate) fn last(&self) -> Time {
        self.last
    }
}

/// Returns nanoseconds since 1970; 0 before that, and the largest number from the year 2554.
fn system_time() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_ahead_stands_still() {
        let ahead = Time::from_nanos(u64::MAX - 1);
        assert_eq!(Clock::from(ahead).now(), ahead);
        let mut clock = Clock::default();
        let first = clock.now();
        assert!(first > Time::from_nanos(0) && clock.now() >= first);
    }
}
