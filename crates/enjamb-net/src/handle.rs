//! A connection as other tasks see it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use enjamb::Connection;

use crate::item::Item;
use crate::producer::Producer;
use crate::shared::{Refused, Request, Shared};

/// A connection, for tasks other than its own: cheap to clone, and usable from any thread.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

/// The reason why bytes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The connection is over, or is being closed.
    #[error("the connection is closed")]
    Closed,
    /// So many bytes wait to be written that the connection takes no more
    /// ([`QueuePolicy::Wait`](crate::QueuePolicy::Wait)).
    #[error("too many bytes wait to be written")]
    Full,
}

impl From<Refused> for PushError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Over => Self::Closed,
            Refused::Full => Self::Full,
        }
    }
}

impl Handle {
    /// Returns the number and the addresses of the connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Queues bytes to be written. They are copied.
    ///
    /// # Errors
    /// See [`PushError`]; at once, never after a wait.
    pub fn push(&self, bytes: impl AsRef<[u8]>) -> Result<(), PushError> {
        Ok(self.0.push(Item::Copied(bytes.as_ref().to_vec()))?)
    }

    /// Queues bytes to be written, without a copy. One message for a thousand connections is stored
    /// once.
    ///
    /// # Errors
    /// See [`PushError`]; at once, never after a wait.
    pub fn push_bytes(&self, bytes: impl Into<Bytes>) -> Result<(), PushError> {
        Ok(self.0.push(Item::Kept(bytes.into()))?)
    }

    /// Queues data that is made while it is written.
    ///
    /// # Errors
    /// See [`PushError`]; at once, never after a wait.
    pub fn push_with(&self, producer: impl Producer + 'static) -> Result<(), PushError> {
        Ok(self.0.push(Item::Producer(Box::new(producer)))?)
    }

    /// Queues bytes as soon as there is room for them.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the connection is gone, or goes while this waits.
    pub async fn push_when_room(&self, bytes: impl Into<Bytes>) -> Result<(), PushError> {
        let bytes = bytes.into();
        loop {
            match self.push_bytes(bytes.clone()) {
                Err(PushError::Full) => {}
                done => return done,
            }
            let mut has_waited = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut has_waited, true) || !self.0.wait_for_room(cx, bytes.len()) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    /// Closes the connection when everything queued so far was written. Later pushes fail.
    pub fn close_when_done(&self) {
        self.0.request(Request::CloseWhenDone);
    }

    /// Resets the connection at once. Bytes that were not written are lost.
    pub fn abort(&self) {
        self.0.request(Request::Abort);
    }

    /// Returns the number of bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.waiting()
    }

    /// Returns whether the connection is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) {
        poll_fn(|cx| if self.0.wait_for_end(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.connection).finish()
    }
}
