//! Services: the protocols that connections run.

use std::fmt;

use enjamb::{End, Machine};

use crate::closed::Closed;
use crate::peer::Peer;

/// A protocol on a connection: a parser of the peer's bytes, and what happens for each of its
/// events. It is `asynchat.async_chat` without the socket.
///
/// The parser is the same [`Machine`] that the laws test, mostly a [`Framer`](enjamb::Framer) over
/// a handler. [`answer`] makes a service of a parser and a function.
///
/// Calls come one at a time. They must return soon: other connections need the thread. Work that
/// takes long belongs into a task, which answers through a [`Slot`](crate::Slot) or a
/// [`Handle`](crate::Handle). A call that panics costs this connection and no other.
pub trait Service: Send + 'static {
    /// The parser of the peer's bytes.
    type Machine: Machine;

    /// Returns the parser. It is called for every event, so a service may change its parser between
    /// two of them: the bytes that follow go to the new one.
    fn machine(&mut self) -> &mut Self::Machine;

    /// Handles the beginning of the connection (`handle_accept`, `handle_connect`). A server that
    /// greets its clients pushes its greeting here.
    fn open(&mut self, peer: &mut Peer<'_>) {
        let _ = peer;
    }

    /// Handles the next event (`found_terminator`).
    fn event(&mut self, event: <Self::Machine as Machine>::Event, peer: &mut Peer<'_>);

    /// Handles bytes that the parser refuses. Nothing more is parsed. The default closes the
    /// connection when the replies so far were written.
    fn malformed(&mut self, error: <Self::Machine as Machine>::Error, peer: &mut Peer<'_>) {
        let _ = error;
        peer.close_when_done();
    }

    /// Handles the end of the peer's stream, once all events before it were handled. The peer may
    /// still read. The default closes the connection when all replies were written.
    fn end(&mut self, end: End, peer: &mut Peer<'_>) {
        let _ = end;
        peer.close_when_done();
    }

    /// Handles that more bytes wait to be written than allowed, under
    /// [`QueuePolicy::Notify`](crate::QueuePolicy::Notify).
    fn full(&mut self, peer: &mut Peer<'_>) {
        let _ = peer;
    }

    /// Handles that the queue has room again, under
    /// [`QueuePolicy::Notify`](crate::QueuePolicy::Notify).
    fn drained(&mut self, peer: &mut Peer<'_>) {
        let _ = peer;
    }

    /// Handles that the server stops. The default closes the connection when all replies were
    /// written. Others may say goodbye, or finish what they began within
    /// [`Options::drain`](crate::Options::drain).
    fn stop(&mut self, peer: &mut Peer<'_>) {
        peer.close_when_done();
    }

    /// Handles the end of the connection (`handle_close`). Not called after a panic.
    fn closed(&mut self, closed: &Closed) {
        let _ = closed;
    }
}

/// Makes a service of a parser and a function that is called for each event.
pub fn answer<M, F>(machine: M, answer: F) -> Answer<M, F>
where
    M: Machine + Send + 'static,
    F: FnMut(M::Event, &mut Peer<'_>) + Send + 'static,
{
    Answer { machine, answer }
}

/// A parser, and a function that is called for each event. See [`answer`].
pub struct Answer<M, F> {
    machine: M,
    answer: F,
}

impl<M, F> Service for Answer<M, F>
where
    M: Machine + Send + 'static,
    F: FnMut(M::Event, &mut Peer<'_>) + Send + 'static,
{
    type Machine = M;

    fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    fn event(&mut self, event: M::Event, peer: &mut Peer<'_>) {
        (self.answer)(event, peer);
    }
}

impl<M: fmt::Debug, F> fmt::Debug for Answer<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("machine", &self.machine).finish_non_exhaustive()
    }
}
