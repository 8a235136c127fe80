//! A thread to run a law on, and an eye on it.
//!
//! A call that never returns cannot be stopped, only left behind: the law runs on a thread of its own, and when no run has begun for as long as is
//! allowed, the thread is given up and what it was fed is read off its [pulse](crate::pulse).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cutting::Cutting;
use crate::pulse::{self, Pulse};

/// How long one run may take when nothing is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a thread was fed when it was given up.
#[derive(Debug)]
pub(crate) struct Hung {
    pub(crate) input: Cutting,
    pub(crate) cuts: Vec<usize>,
}

/// Where and how long some work is done.
#[derive(Debug)]
pub(crate) struct Watch {
    /// How long one run may take.
    pub(crate) patience: Duration,
    /// The stack of the thread, in bytes.
    pub(crate) stack: usize,
    /// Where each input is written down before it is fed.
    pub(crate) journal: Option<PathBuf>,
}

/// Does `work` on another thread, and gives up on it when a run takes too long. A panic of the work goes on in the caller.
pub(crate) fn watched<R: Send + 'static>(watch: Watch, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Hung> {
    let Watch { patience, stack, journal } = watch;
    let pulse = Arc::new(Pulse::with_journal(journal));
    let (told, outcome) = mpsc::channel();
    let watched = Arc::clone(&pulse);
    let name = thread::current().name().unwrap_or("law").to_owned();
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
                    return Err(Hung { input, cuts });
                }
                runs = now;
            }
        }
    }
}

/// Enough for whatever does not recurse without end.
pub(crate) const ROOMY: usize = 16 << 20;
