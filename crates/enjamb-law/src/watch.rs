//! Laws on a watched thread.

use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use enjamb_isolate::{Failure, Watchdog, catch_panic};
#[cfg(feature = "proptest")]
use enjamb_isolate::{Panic, Task};

use crate::output::Breach;
use crate::pulse::{self, Pulse};
use crate::script::Case;
use crate::violation::Violation;

/// The stack of a thread on which a law is tried in a child, in bytes: half of the default of a
/// thread in Rust, since the caller of a subject needs some of it too.
pub(crate) const CHILD_STACK_BYTES: usize = 1 << 20;

/// The reason why work on a watched thread did not return.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchError {
    /// No run began for too long. The violation contains the input that was fed until then, if a
    /// law was tried.
    Hung(Box<Violation>),
    /// The work panicked, with this message.
    Panicked(String),
    /// The thread could not be started.
    NoThread(io::Error),
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hung(violation) => f.write_str(&violation.verdict),
            Self::Panicked(message) => write!(f, "it panicked: {message}"),
            Self::NoThread(_) => f.write_str("no thread could be started"),
        }
    }
}

impl std::error::Error for WatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Hung(violation) => Some(violation),
            Self::Panicked(_) => None,
            Self::NoThread(error) => Some(error),
        }
    }
}

/// Runs `work`, which tries laws, on a thread of this name, and returns its result or its failure.
/// One run of a subject may take as long as `patience`.
///
/// A call that never returns cannot be stopped: its thread is left behind and keeps a processor
/// busy until the process ends. An overflowed stack ends the process; the message has the name of
/// the thread.
///
/// ```
/// use std::time::Duration;
/// use enjamb_law::{WatchError, watch};
///
/// let patience = Duration::from_millis(50);
/// assert_eq!(watch("one", patience, || 1 + 1).unwrap(), 2);
/// assert!(matches!(watch("two", patience, || std::thread::park()), Err(WatchError::Hung(_))));
/// ```
///
/// # Errors
/// Any [`WatchError`].
pub fn watch<R: Send + 'static>(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, WatchError> {
    let pulse = Arc::new(Pulse::default());
    let work = move || catch_panic(AssertUnwindSafe(work));
    match run(Watchdog::new(patience).named(name), &pulse, work) {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(panic)) | Err(Failure::Panicked(panic)) => Err(WatchError::Panicked(panic.message().to_owned())),
        Err(Failure::NoThread(error)) => Err(WatchError::NoThread(error)),
        Err(_) => Err(WatchError::Hung(Box::new(fatal(&Breach::Hung, pulse.fed(), patience)))),
    }
}

/// The reason why a law on a watched thread came to no verdict.
#[cfg(feature = "proptest")]
pub(crate) enum LawFailure {
    /// A call of the subject did not return, in this run.
    Hung(Case),
    /// Something other than the subject panicked.
    Panicked(Panic),
    NoThread(io::Error),
}

/// Tries a law on a thread with this stack, in bytes. With `marks` each case is marked before it is
/// fed.
#[cfg(feature = "proptest")]
pub(crate) fn try_law<R: Send + 'static>(
    patience: Duration,
    stack: usize,
    marks: Option<Task>,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, LawFailure> {
    let pulse = Arc::new(Pulse::marking(marks));
    run(Watchdog::new(patience).stack(stack), &pulse, work).map_err(|failure| match failure {
        Failure::Panicked(panic) => LawFailure::Panicked(panic),
        Failure::NoThread(error) => LawFailure::NoThread(error),
        _ => LawFailure::Hung(pulse.case()),
    })
}

fn run<R: Send + 'static>(
    watchdog: Watchdog,
    pulse: &Arc<Pulse>,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Failure> {
    let installed = Arc::clone(pulse);
    watchdog.run(pulse.runs(), move || {
        pulse::install(installed);
        work()
    })
}

/// Returns the violation of a subject that ended its process or its thread.
pub(crate) fn fatal(breach: &Breach, Case { input, cuts }: Case, patience: Duration) -> Violation {
    let verdict = match breach {
        Breach::StackOverflow => format!("{breach}, of {} KiB", CHILD_STACK_BYTES >> 10),
        Breach::Hung => format!("{breach} within {} s", patience.as_secs_f32()),
        breach => breach.to_string(),
    };
    Violation::total(verdict, input, cuts)
}
