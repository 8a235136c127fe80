//! A watched thread for foreign code.
//!
//! A call that never returns cannot be stopped. The watchdog runs the work on a thread of its own,
//! and abandons that thread when it makes no progress for too long. The thread then occupies a
//! processor until the process ends, so a caller should limit how many it abandons.

use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::panics::{Panic, catch_panic};

/// The stack of a watched thread unless another is chosen, in bytes: enough for code that does not
/// recurse without end.
pub const STACK_BYTES: usize = 16 << 20;

/// A counter that the work advances, so that a watchdog sees that it is alive.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Counts one step.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The reason why the work on a watched thread did not return.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The work panicked.
    Panicked(Panic),
    /// The work made no progress for this long. Its thread still runs.
    Hung(Duration),
    /// The thread could not be started.
    NoThread(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "it panicked: {panic}"),
            Self::Hung(patience) => write!(f, "a call did not return within {} s", patience.as_secs_f32()),
            Self::NoThread(_) => f.write_str("no thread could be started"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Panicked(_) | Self::Hung(_) => None,
            Self::NoThread(error) => Some(error),
        }
    }
}

/// The settings of a watched thread.
#[derive(Clone, Debug)]
pub struct Watchdog {
    name: Option<String>,
    patience: Duration,
    stack: usize,
}

impl Watchdog {
    /// Creates a watchdog that abandons a thread after `patience` without progress.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { name: None, patience, stack: STACK_BYTES }
    }

    /// Names the thread. Without a name it has the name of the caller's thread. Rust reports an
    /// overflowed stack and a panic under this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        // The name of a thread cannot hold a NUL.
        self.name = Some(name.replace('\0', " "));
        self
    }

    /// Sets the stack of the thread, in bytes: [`STACK_BYTES`] by default.
    #[must_use]
    pub fn stack(mut self, bytes: usize) -> Self {
        self.stack = bytes;
        self
    }

    /// Runs `work`, which advances `progress`, on a thread of its own. A panic is printed as usual.
    ///
    /// # Errors
    /// Any [`Failure`]. After [`Hung`](Failure::Hung) the thread is left behind.
    pub fn run<R: Send + 'static>(
        self,
        progress: &Progress,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let (sender, receiver) = mpsc::channel();
        let name = self.name.unwrap_or_else(|| thread::current().name().unwrap_or("watched").to_owned());
        let worker = thread::Builder::new().name(name).stack_size(self.stack).spawn(move || {
            // Nobody receives any more if this thread was given up.
            let _ = sender.send(work());
        });
        let worker = worker.map_err(Failure::NoThread)?;
        let mut steps = progress.steps();
        loop {
            match receiver.recv_timeout(self.patience) {
                Ok(outcome) => return Ok(outcome),
                Err(RecvTimeoutError::Disconnected) => match worker.join() {
                    Err(payload) => return Err(Failure::Panicked(Panic::of(payload))),
                    Ok(()) => unreachable!("a thread that ends without a panic has sent its outcome"),
                },
                Err(RecvTimeoutError::Timeout) => {
                    let now = progress.steps();
                    if now == steps {
                        return Err(Failure::Hung(self.patience));
                    }
                    steps = now;
                }
            }
        }
    }
}

/// Runs `work` on a thread of this name and returns its result, or the way in which it failed,
/// within `patience`. Its panic is not printed.
///
/// ```
/// use std::time::Duration;
/// use enjamb_isolate::{Failure, supervise};
///
/// let patience = Duration::from_millis(50);
/// assert_eq!(supervise("one", patience, || 1 + 1).unwrap(), 2);
/// assert!(matches!(
///     supervise("two", patience, || -> () { panic!("no") }),
///     Err(Failure::Panicked(panic)) if panic.message().starts_with("no")
/// ));
/// assert!(matches!(supervise("three", patience, || std::thread::park()), Err(Failure::Hung(_))));
/// ```
///
/// # Errors
/// Any [`Failure`]. After [`Hung`](Failure::Hung) the thread is left behind.
pub fn supervise<R: Send + 'static>(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Failure> {
    let work = move || catch_panic(AssertUnwindSafe(work));
    Watchdog::new(patience).named(name).run(&Progress::default(), work)?.map_err(Failure::Panicked)
}
