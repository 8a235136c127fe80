//! What a law is doing at this moment, for whoever watches over it.
//!
//! A subject may never return from a call. The thread it runs on is then lost, and only what it left here tells what it was given.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cutting::Cutting;
use crate::script::Script;

/// The runs of one law.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    runs: AtomicU64,
    /// What the run in progress was given.
    given: AtomicUsize,
    /// Where each input is written down before it is fed.
    journal: Option<PathBuf>,
    now: Mutex<(Cutting, Vec<usize>)>,
}

thread_local! {
    static PULSE: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

impl Pulse {
    pub(crate) fn with_journal(journal: Option<PathBuf>) -> Self {
        Self { journal, ..Self::default() }
    }

    /// Runs begun so far.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Events that the run in progress was given.
    pub(crate) fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }

    /// The input and cuts of the run in progress.
    pub(crate) fn now(&self) -> (Cutting, Vec<usize>) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// From here on this thread's runs are told to `pulse`.
pub(crate) fn install(pulse: Arc<Pulse>) {
    PULSE.set(Some(pulse));
}

fn with(tell: impl FnOnce(&Pulse)) {
    PULSE.with_borrow(|pulse| {
        if let Some(pulse) = pulse {
            tell(pulse);
        }
    });
}

/// A run begins.
pub(crate) fn beat() {
    with(|pulse| {
        pulse.runs.fetch_add(1, Ordering::Relaxed);
        pulse.given.store(0, Ordering::Relaxed);
        if let Some(journal) = &pulse.journal {
            let (input, cuts) = pulse.now();
            // A journal that cannot be written names an earlier input.
            let _ = std::fs::write(journal, Script::of(&input, &cuts).encode());
        }
    });
}

/// The run in progress is given one more event.
pub(crate) fn given() {
    with(|pulse| {
        pulse.given.fetch_add(1, Ordering::Relaxed);
    });
}

/// The runs that follow are of `input`.
pub(crate) fn input(input: &Cutting) {
    with(|pulse| {
        let mut now = pulse.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.0.clone_from(input);
        now.1.clear();
    });
}

/// The run that follows is cut so.
pub(crate) fn cuts(cuts: &[usize]) {
    with(|pulse| {
        let mut now = pulse.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.1.clear();
        now.1.extend_from_slice(cuts);
    });
}
