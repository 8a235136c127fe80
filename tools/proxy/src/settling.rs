//! The time that a proxy takes to end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest that handlers, the log and the recording together are waited for once the relay has
/// ended.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(2);

/// How often it is checked whether something has settled.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// The time until which an ending proxy waits. [`hurry`](Self::hurry) ends it early.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: OnceLock<Instant>,
    hurried: AtomicBool,
}

impl Deadline {
    /// A deadline that does not run yet.
    pub(crate) fn unset() -> Self {
        Self { at: OnceLock::new(), hurried: AtomicBool::new(false) }
    }

    /// A deadline `limit` from now.
    pub(crate) fn after(limit: Duration) -> Self {
        let deadline = Self::unset();
        deadline.set(limit);
        deadline
    }

    /// Starts the deadline: `limit` from now. It starts once.
    pub(crate) fn set(&self, limit: Duration) {
        self.at.get_or_init(|| Instant::now() + limit);
    }

    /// Waits for nothing more.
    pub(crate) fn hurry(&self) {
        self.hurried.store(true, Ordering::Relaxed);
    }

    /// Waits until `is_settled`, at most up to the deadline. Returns whether it is.
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
