//! The other end of a connection, as the service's own calls see it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use enjamb::Connection;

use crate::handle::Handle;
use crate::item::{Item, Reply};
use crate::output::Output;
use crate::producer::Producer;
use crate::shared::Shared;
use crate::slot::Slot;

/// The other end of a connection, during a call of the [`Service`](crate::Service). All pushes of
/// the calls for one read are one write, if the peer takes it.
pub struct Peer<'a> {
    pub(crate) output: &'a mut Output,
    pub(crate) control: &'a mut Control,
    pub(crate) shared: &'a Arc<Shared>,
}

/// The requests of a service to its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Control {
    pub(crate) close_when_done: bool,
    pub(crate) abort: bool,
    pub(crate) paused: bool,
}

impl Peer<'_> {
    /// Returns the number and the addresses of the connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// Returns a handle, for other tasks.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(self.shared))
    }

    /// Queues bytes to be written (`push`). They are copied. Ignored once the connection is being
    /// closed.
    #[inline]
    pub fn push(&mut self, bytes: impl AsRef<[u8]>) {
        if !self.control.close_when_done {
            self.output.copy(bytes.as_ref());
        }
    }

    /// Queues bytes to be written. More than 4 KiB are not copied. Ignored once the connection is
    /// being closed.
    pub fn push_bytes(&mut self, bytes: impl Into<Bytes>) {
        if !self.control.close_when_done {
            self.output.keep(bytes.into());
        }
    }

    /// Queues data that is made while it is written (`push_with_producer`). Ignored once the
    /// connection is being closed.
    pub fn push_with(&mut self, producer: impl Producer + 'static) {
        if !self.control.close_when_done {
            self.output.push(Item::Producer(Box::new(producer)));
        }
    }

    /// Reserves the next place in the queue for a reply that comes later. What is pushed from now
    /// on is written behind it.
    #[must_use = "a slot that is dropped aborts the connection"]
    pub fn reserve(&mut self) -> Slot {
        let place = Arc::new(Reply::default());
        let slot = Slot::new(self.shared, Some(Arc::clone(&place)));
        self.output.push(Item::Reply(place));
        slot
    }

    /// Reserves a reply that comes later, and is written when it is finished: for protocols whose
    /// answers name their request.
    #[must_use = "a slot that is dropped aborts the connection"]
    pub fn reserve_unordered(&mut self) -> Slot {
        Slot::new(self.shared, None)
    }

    /// Runs `work` as a task and writes the bytes that it returns, in the place of the reply that
    /// is due now. Must be called inside a tokio runtime. If the task panics, the connection is
    /// aborted. The task is not cancelled when the connection ends.
    pub fn push_later<F>(&mut self, work: F)
    where
        F: Future<Output: Into<Bytes>> + Send + 'static,
    {
        let slot = self.reserve();
        tokio::spawn(async move {
            let bytes = work.await;
            // Fails if the connection has gone, and then nobody wants the reply.
            let _ = slot.answer(bytes);
        });
    }

    /// Closes the connection when everything queued so far was written, replies that were reserved
    /// included (`close_when_done`). Nothing more is parsed.
    pub fn close_when_done(&mut self) {
        self.control.close_when_done = true;
    }

    /// Resets the connection at once. Bytes that were not written are lost.
    pub fn abort(&mut self) {
        self.control.abort = true;
    }

    /// Stops reading and parsing, or continues. A connection that is paused still writes.
    pub fn pause(&mut self, paused: bool) {
        self.control.paused = paused;
    }

    /// Drops everything that waits to be written (`discard_buffers`). Replies that were reserved
    /// are dropped too when they come.
    pub fn discard_queued(&mut self) {
        self.output.clear();
    }

    /// Returns the number of bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.output.len()
    }
}

impl fmt::Debug for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.shared.connection).finish()
    }
}
