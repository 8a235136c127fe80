//! A thread to run a law on, and an eye on it.
//!
//! A call that never returns cannot be stopped, only left behind: the law runs on a thread of its own, and when no run has begun for as long as is
//! allowed, the thread is given up and what it was fed is read off its [pulse](crate::pulse).

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cutting::Cutting;
use crate::panics;
use crate::pulse::{self, Pulse};
use crate::script::Case;
use crate::subject::Fault;
use crate::trying::died;
use crate::violation::Violation;

/// How long one run may take when nothing is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a thread was fed when it was given up.
#[derive(Debug)]
pub(crate) struct Hung {
    pub(crate) input: Cutting,
    pub(crate) cuts: Vec<usize>,
    /// How many events it had been given by then.
    pub(crate) given: usize,
}

impl Hung {
    /// The input up to the event in which it hung.
    fn begun(self) -> Case {
        let Self { input, cuts, given } = self;
        let fed = input.cut(&cuts).take(given).map(|(side, event)| (side, event.what()));
        let fed = Cutting::of(fed.filter_map(|(side, what)| Some((side, what?))));
        let cuts = cuts.iter().copied().filter(|cut| *cut < fed.len()).collect();
        Case { input: fed, cuts }
    }
}

/// Where and how long some work is done.
#[derive(Debug)]
pub(crate) struct Watch {
    /// What the thread is called; as the caller's where nothing is said. An overflow of its stack is told under this name.
    pub(crate) name: Option<String>,
    /// How long one run may take.
    pub(crate) patience: Duration,
    /// The stack of the thread, in bytes.
    pub(crate) stack: usize,
    /// Where each input is written down before it is fed.
    pub(crate) journal: Option<PathBuf>,
}

/// Does `work` on another thread, and gives up on it when a run takes too long. A panic of the work goes on in the caller.
pub(crate) fn watched<R: Send + 'static>(watch: Watch, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Hung> {
    let Watch { name, patience, stack, journal } = watch;
    let pulse = Arc::new(Pulse::with_journal(journal));
    let (told, outcome) = mpsc::channel();
    let watched = Arc::clone(&pulse);
    let name = name.unwrap_or_else(|| thread::current().name().unwrap_or("law").to_owned());
    let worker = thread::Builder::new().name(name).stack_size(stack).spawn(move || {
        pulse::install(watched);
        let outcome = work();
        // Whoever gave up does not listen any more.
        let _ = told.send(outcome);
    });
    let worker = match worker {
        Ok(worker) => worker,
        Err(error) => panic!("no thread to run a law on: {error}"),
    };
    let mut runs = pulse.runs();
    loop {
        match outcome.recv_timeout(patience) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => unreachable!("a thread that ends without a panic has sent its outcome"),
            },
            Err(RecvTimeoutError::Timeout) => {
                let now = pulse.runs();
                if now == runs {
                    let (input, cuts) = pulse.now();
                    return Err(Hung { input, cuts, given: pulse.given() });
                }
                runs = now;
            }
        }
    }
}

/// Why work did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No run was begun for too long. The violation holds what was fed up to there, where it was a law that was tried.
    Hung(Box<Violation>),
    /// It panicked, with this message.
    Panicked(String),
}

/// Does `work` on a thread of this name, and comes back whatever becomes of it: for tools that feed what others wrote, where one that hangs or panics costs its own
/// results and no others.
///
/// Laws may be tried in `work`; then `patience` is how long one run of a subject may take. Otherwise it is how long all of it may take.
///
/// A call that never returns cannot be stopped: its thread is left behind, and burns a processor until the process ends. A stack that overflows ends the process, with a
/// message that has the name of the thread.
///
/// ```
/// use std::time::Duration;
/// use enjamb_law::{Lost, survive};
///
/// let limit = Duration::from_millis(50);
/// assert_eq!(survive("one", limit, || 1 + 1), Ok(2));
/// assert!(matches!(survive("two", limit, || panic!("no")), Err::<(), _>(Lost::Panicked(why)) if why.starts_with("no")));
/// assert!(matches!(survive("three", limit, || std::thread::park()), Err(Lost::Hung(_))));
/// ```
///
/// # Errors
/// [`Lost`].
///
/// # Panics
/// There are no threads any more.
pub fn survive<R: Send + 'static>(
    name: &str,
    patience: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Lost> {
    // No name of a thread has a NUL in it.
    let name = name.replace('\0', " ");
    let watch = Watch { name: Some(name), patience, stack: ROOMY, journal: None };
    match watched(watch, move || panics::caught(AssertUnwindSafe(work))) {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(panic)) => Err(Lost::Panicked(panic.message)),
        Err(hung) => Err(Lost::Hung(Box::new(died(&Fault::Hung, hung.begun(), patience)))),
    }
}

/// Enough for whatever does not recurse without end.
pub(crate) const ROOMY: usize = 16 << 20;
