//! The current run of a law, for the code that watches its thread.
//!
//! A subject may never return from a call. Its thread is then abandoned, and only the data here
//! shows which input the subject received.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use enjamb_isolate::{Progress, Task};

use crate::cutting::Cutting;
use crate::script::{Case, Script};

/// The runs on one thread.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Advances with each run, and with each event of a run.
    runs: Progress,
    /// The number of events that the current run has received.
    given: AtomicUsize,
    /// The task by which each case is marked before it is fed.
    marks: Option<Task>,
    case: Mutex<Case>,
}

thread_local! {
    static PULSE: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

impl Pulse {
    /// Creates a pulse that marks each case with `task` before it is fed.
    #[cfg(feature = "proptest")]
    pub(crate) fn marking(task: Option<Task>) -> Self {
        Self { marks: task, ..Self::default() }
    }

    /// Returns the counter of runs begun.
    pub(crate) fn runs(&self) -> &Progress {
        &self.runs
    }

    /// Returns the input and cuts of the current run.
    pub(crate) fn case(&self) -> Case {
        self.case.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the part of the current run that the subject received.
    pub(crate) fn fed(&self) -> Case {
        let Case { input, cuts } = self.case();
        let fed = input.cut(&cuts).take(self.given.load(Ordering::Relaxed));
        let fed = Cutting::of(fed.filter_map(|(side, event)| Some((side, event.what()?))));
        let cuts = cuts.iter().copied().filter(|cut| *cut < fed.len()).collect();
        Case { input: fed, cuts }
    }
}

/// Reports the runs of this thread to `pulse` from now on.
pub(crate) fn install(pulse: Arc<Pulse>) {
    PULSE.set(Some(pulse));
}

fn with(report: impl FnOnce(&Pulse)) {
    PULSE.with_borrow(|pulse| {
        if let Some(pulse) = pulse {
            report(pulse);
        }
    });
}

/// Notes that a run begins.
pub(crate) fn beat() {
    with(|pulse| {
        pulse.runs.advance();
        pulse.given.store(0, Ordering::Relaxed);
        if let Some(task) = &pulse.marks {
            let Case { input, cuts } = pulse.case();
            task.mark(&Script::of(&input, &cuts).encode());
        }
    });
}

/// Notes that the current run receives one more event.
pub(crate) fn given() {
    with(|pulse| {
        pulse.given.fetch_add(1, Ordering::Relaxed);
        // Each call has its own time.
        pulse.runs.advance();
    });
}

/// Sets the input of the runs that follow.
pub(crate) fn input(input: &Cutting) {
    with(|pulse| {
        let mut case = pulse.case.lock().unwrap_or_else(PoisonError::into_inner);
        case.input.clone_from(input);
        case.cuts.clear();
    });
}

/// Sets the cuts of the run that follows.
pub(crate) fn cuts(cuts: &[usize]) {
    with(|pulse| {
        let mut case = pulse.case.lock().unwrap_or_else(PoisonError::into_inner);
        case.cuts.clear();
        case.cuts.extend_from_slice(cuts);
    });
}
