//! A handle with which a tap ends its connection.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Ends one connection of a relay.
#[derive(Clone, Debug, Default)]
pub struct Closer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reason: OnceLock<String>,
    closed: Notify,
}

impl Closer {
    /// Resets both sides of the connection. The error record has the reason that came first.
    pub fn close(&self, reason: impl Into<String>) {
        // An error: there is a reason already.
        let _ = self.0.reason.set(reason.into());
        self.0.closed.notify_one();
    }

    /// Returns the reason, if it was closed.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.reason.get().map(String::as_str)
    }

    /// Waits until it is closed.
    pub(crate) async fn closed(&self) {
        while self.reason().is_none() {
            self.0.closed.notified().await;
        }
    }
}
