//! Replies that come later than their turn.

use std::fmt;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::NetError;
use crate::handle::PushError;
use crate::item::{Item, Reply};
use crate::producer::Producer;
use crate::shared::Shared;

/// The place of a reply in a connection's queue, for an answer that comes later, from any task.
///
/// In order ([`Peer::reserve`](crate::Peer::reserve)): what was pushed behind the place is written
/// behind the reply. In any order ([`Peer::reserve_unordered`](crate::Peer::reserve_unordered)):
/// the reply is written when it is finished.
///
/// A slot that is dropped before it was [finished](Self::finish) aborts the connection: the replies
/// behind it would be taken for answers to other requests.
pub struct Slot {
    shared: Arc<Shared>,
    /// The place; `None` in any order.
    place: Option<Arc<Reply>>,
    /// The pushed items of a reply in any order.
    items: Vec<Item>,
    finished: bool,
}

impl Slot {
    pub(crate) fn new(shared: &Arc<Shared>, place: Option<Arc<Reply>>) -> Self {
        shared.reserve();
        Self { shared: Arc::clone(shared), place, items: Vec::new(), finished: false }
    }

    /// Adds bytes to the reply. They are copied.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the connection is gone.
    pub fn push(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), PushError> {
        self.add(Item::Copied(bytes.as_ref().to_vec()))
    }

    /// Adds bytes to the reply, without a copy.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the connection is gone.
    pub fn push_bytes(&mut self, bytes: impl Into<Bytes>) -> Result<(), PushError> {
        self.add(Item::Kept(bytes.into()))
    }

    /// Adds data that is made while it is written.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the connection is gone.
    pub fn push_with(&mut self, producer: impl Producer + 'static) -> Result<(), PushError> {
        self.add(Item::Producer(Box::new(producer)))
    }

    /// Adds bytes, and finishes the reply.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the connection is gone.
    pub fn answer(mut self, bytes: impl Into<Bytes>) -> Result<(), PushError> {
        self.push_bytes(bytes)?;
        self.finish()
    }

    /// Ends the reply. What was pushed behind it may be written now.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the connection is gone.
    pub fn finish(mut self) -> Result<(), PushError> {
        self.finished = true;
        let mut result = if self.shared.is_over() { Err(PushError::Closed) } else { Ok(()) };
        match &self.place {
            Some(place) => place.state().is_whole = true,
            None => {
                for item in mem::take(&mut self.items) {
                    // Counted already when it came.
                    self.shared.push_reserved(item);
                }
            }
        }
        self.shared.release();
        if self.shared.is_over() {
            result = Err(PushError::Closed);
        }
        result
    }

    fn add(&mut self, item: Item) -> Result<(), PushError> {
        if self.shared.is_over() {
            return Err(PushError::Closed);
        }
        match &self.place {
            Some(place) => {
                let mut state = place.state();
                if state.is_abandoned {
                    return Ok(());
                }
                self.shared.add_waiting(item.len());
                state.items.push(item);
                drop(state);
                self.shared.slots_changed();
            }
            None => {
                self.shared.add_waiting(item.len());
                self.items.push(item);
            }
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.fail(NetError::Unanswered);
            self.shared.release();
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("connection", &self.shared.connection.number).finish_non_exhaustive()
    }
}
