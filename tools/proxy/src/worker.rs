//! A thread that runs handlers, and its current call.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::handler::Call;

/// The state of a worker thread. Another thread may abandon it while it is in a call, and only
/// then.
pub(crate) struct Worker<C>(Mutex<State<C>>);

enum State<C> {
    Idle,
    Calling {
        conversation: C,
        call: Call,
        since: Instant,
    },
    /// Nobody waits for the call any more.
    Abandoned,
}

/// The result of a call.
pub(crate) enum Returned<T> {
    /// The call returned in time.
    InTime(T),
    /// The thread was abandoned during the call. It must not touch the conversation again.
    Late(T),
}

impl<C: Clone> Worker<C> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Idle))
    }

    /// Runs a call of a conversation's handler.
    pub(crate) fn call<T>(&self, conversation: &C, call: Call, run: impl FnOnce() -> T) -> Returned<T> {
        *self.lock() = State::Calling { conversation: conversation.clone(), call, since: Instant::now() };
        let result = run();
        let mut state = self.lock();
        if matches!(*state, State::Abandoned) {
            return Returned::Late(result);
        }
        *state = State::Idle;
        Returned::InTime(result)
    }

    /// Abandons the thread if it has been in a call for longer than `limit`. Returns the
    /// conversation and the call.
    pub(crate) fn abandon_after(&self, limit: Duration) -> Option<(C, Call)> {
        let mut state = self.lock();
        match &*state {
            State::Calling { conversation, call, since } if since.elapsed() >= limit => {
                let abandoned = (conversation.clone(), *call);
                *state = State::Abandoned;
                Some(abandoned)
            }
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
