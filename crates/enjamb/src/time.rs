//! Points in time, as data. The engine has no clock.

use core::fmt;
use core::time::Duration;

/// A point in time: nanoseconds since the beginning of 1970, UTC. It reaches to the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(u64);

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl Time {
    /// Creates the time `nanos` nanoseconds after the beginning of 1970.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the beginning of 1970.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Returns how long after `earlier` this is; zero if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Writes seconds with nine decimals.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / NANOS_PER_SECOND, self.0 % NANOS_PER_SECOND)
    }
}
