//! The runtime around async subjects that start tasks or set timers.
//!
//! The [executor](super::executor) polls one task. A subject that calls `tokio::spawn` or
//! `tokio::time::sleep` needs a runtime too. This one has a paused clock: time passes only when the
//! subject waits for nothing but its timers. So a run takes no real time, and gives the same output
//! each time.

use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Runtime};

/// The number of turns that the other tasks get before they count as idle. A turn polls each task
/// that is ready, so that a message between two tasks takes one.
const TURNS_MAX: usize = 64;

/// The longest time, on the paused clock, for which a task may wait for its timers.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A runtime of tokio with one thread and a paused clock.
#[derive(Debug)]
pub(super) struct PausedRuntime(Runtime);

impl PausedRuntime {
    /// # Panics
    /// If the system refuses a runtime, which needs no more than memory.
    pub(super) fn new() -> Self {
        match Builder::new_current_thread().enable_time().start_paused(true).build() {
            Ok(runtime) => Self(runtime),
            Err(error) => panic!("no runtime for the subject: {error}"),
        }
    }

    /// Makes the runtime the current one of this thread.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.0.enter()
    }

    /// Runs the spawned tasks until `done`, or until they are idle. The clock stands still. Returns
    /// the last value of `done`.
    pub(super) fn settle(&self, done: impl Fn() -> bool) -> bool {
        if self.0.metrics().num_alive_tasks() == 0 {
            return done();
        }
        self.0.block_on(async {
            for _ in 0..TURNS_MAX {
                tokio::task::yield_now().await;
                if done() {
                    return true;
                }
            }
            false
        })
    }

    /// Runs the spawned tasks and lets the clock pass until `done`, for a day at most. Returns the
    /// last value of `done`.
    pub(super) fn wait(&self, done: impl Fn() -> bool) -> bool {
        self.0.block_on(async {
            let mut step = Duration::from_millis(1);
            let mut waited = Duration::ZERO;
            while waited < WAIT_MAX {
                tokio::time::sleep(step).await;
                if done() {
                    return true;
                }
                waited += step;
                step *= 2;
            }
            false
        })
    }
}
