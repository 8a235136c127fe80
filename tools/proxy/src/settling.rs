//! The time that a proxy takes to end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The maximum time that the proxy waits for handlers, the log and the recording together, after
/// the relay has ended.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(2);

/// The interval at which the proxy checks whether something has settled.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// The time until which an ending proxy waits. [`hurry`](Self::hurry) ends it early.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: OnceLock<Instant>,
    hurried: AtomicBool,
}

impl Deadline {
    /// Creates a deadline that does not run yet.
    pub(crate) fn unset() -> Self {
        Self { at: OnceLock::new(), hurried: AtomicBool::new(false) }
    }

    /// Creates a deadline `limit` from now.
    pub(crate) fn after(limit: Duration) -> Self {
        let deadline = Self::unset();
        deadline.set(limit);
        deadline
    }

    /// Starts the deadline: `limit` from now. It starts once.
    pub(crate) fn set(&self, limit: Duration) {
        self.at.get_or_init(|| Instant::now() + limit);
    }

    /// Ends all waiting.
    pub(crate) fn hurry(&self) {
        self.hurried.store(true, Ordering::Relaxed);
    }

    /// Waits until `is_settled`, at most until the deadline. Returns whether it is.
    pub(crate) fn wait_until(&self, mut is_settled: impl FnMut() -> bool) -> bool {
        loop {
            if is_settled() {
                return true;
            }
            if self.hurried.load(Ordering::Relaxed) || self.at.get().is_some_and(|at| Instant::now() >= *at) {
                return false;
            }
            std::thread::sleep(CHECK_INTERVAL);
        }
    }
}
