//! A thread to run a law on, and an eye on it.
//!
//! A call that never returns cannot be stopped, only left behind: the law runs on a thread of its own, and when no run has begun for as long as is
//! [allowed](patience), the thread is given up and what it was fed is read off its [pulse](crate::pulse).

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::cutting::Cutting;
use crate::pulse::{self, Pulse};

/// How long one run may take: 20 seconds, or as many as `ENJAMB_LAW_PATIENCE` says.
pub(crate) fn patience() -> Duration {
    let told = std::env::var("ENJAMB_LAW_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(told.unwrap_or(20).max(1))
}

/// What a thread was fed when it was given up.
#[derive(Debug)]
pub(crate) struct Hung {
    pub(crate) input: Cutting,
    pub(crate) cuts: Vec<usize>,
}

/// Does `work` on another thread, and gives up on it when a run takes too long. A panic of the work goes on in the caller.
pub(crate) fn watched<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, Hung> {
    let pulse = Arc::new(Pulse::default());
    let (told, outcome) = mpsc::channel();
    let watched = Arc::clone(&pulse);
    let name = thread::current().name().unwrap_or("law").to_owned();
    let worker = thread::Builder::new().name(name).stack_size(STACK).spawn(move || {
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
        match outcome.recv_timeout(patience()) {
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
const STACK: usize = 16 << 20;
