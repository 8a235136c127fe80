//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use enjamb::Time;

/// Returns nanoseconds since 1970; 0 before that.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
