//! The order of steps among connections that are played at the same time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The order of the steps of several connections: a step is reached when all steps with lower
/// numbers are done.
#[derive(Debug)]
pub struct StepOrder(Mutex<State>);

#[derive(Debug)]
struct State {
    done: Vec<bool>,
    /// All steps before this one are done.
    next: usize,
    waiting: BTreeMap<usize, oneshot::Sender<()>>,
}

impl StepOrder {
    /// Creates the order of `count` steps.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(Mutex::new(State { done: vec![false; count], next: 0, waiting: BTreeMap::new() }))
    }

    /// Returns whether the step is reached.
    #[must_use]
    pub fn has_reached(&self, number: usize) -> bool {
        number <= self.state().next
    }

    /// Marks a step as done: it was taken, or will never be.
    pub fn mark_done(&self, number: usize) {
        let state = &mut *self.state();
        if let Some(done) = state.done.get_mut(number) {
            *done = true;
        }
        while state.done.get(state.next).is_some_and(|done| *done) {
            state.next += 1;
        }
        while let Some(first) = state.waiting.first_entry().filter(|first| *first.key() <= state.next) {
            // It fails if the waiter no longer waits.
            let _ = first.remove().send(());
        }
    }

    /// Waits until the step is reached. Only one task may wait for each step.
    pub async fn reached(&self, number: usize) {
        loop {
            let woken = {
                let mut state = self.state();
                if number <= state.next {
                    return;
                }
                let (wake, woken) = oneshot::channel();
                state.waiting.insert(number, wake);
                woken
            };
            // An error means that another task waits in place of this one. The loop checks again.
            let _ = woken.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
