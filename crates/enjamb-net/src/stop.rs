//! A handle that stops relays.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops the relays that hold a clone of it: gently, then at once.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Phase>>);

/// The phase of a relay. A phase is never followed by an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Over,
}

impl Stop {
    /// Creates a handle that has stopped nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    /// Stops gently: no connection is accepted any more. Those that are open may end within the
    /// relay's drain time.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Stops at once: like [`drain`](Self::drain), and connections that are open are reset now.
    pub fn now(&self) {
        self.advance(Phase::Over);
    }

    /// Returns whether it has been stopped, gently or at once.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() > Phase::Serving
    }

    /// Waits until it is stopped, gently or at once.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until it is stopped at once.
    pub async fn over(&self) {
        self.reached(Phase::Over).await;
    }

    fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let is_later = to > *phase;
            *phase = to.max(*phase);
            is_later
        });
    }

    /// Waits for `phase` or a later one.
    pub(crate) async fn reached(&self, phase: Phase) {
        // It cannot fail: the sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|now| *now >= phase).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
