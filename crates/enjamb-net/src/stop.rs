//! How a relay ends.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops the relays that it was given to: gently, then at once. A clone stops the same ones.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Phase>>);

/// Only ever moves on to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Over,
}

impl Stop {
    /// Nothing is stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    /// No connection is accepted any more; those that are open may end, within [`Options::drain`](crate::Options::drain).
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// As [`drain`](Self::drain), and connections that are open are reset now.
    pub fn now(&self) {
        self.advance(Phase::Over);
    }

    fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let later = to > *phase;
            *phase = to.max(*phase);
            later
        });
    }

    /// Waits for `phase` or a later one.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender lives as long as `self`, so that this fails never.
        let _ = self.0.subscribe().wait_for(|now| *now >= phase).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
