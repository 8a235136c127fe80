//! Handlers that get their frames whole.

use alloc::vec::Vec;

use crate::framer::Framer;
use crate::handler::{End, FrameInfo, Glance, Handler, Refusal, Step};
use crate::limit::Limit;
use crate::terminator::Terminator;

/// A protocol for one direction that gets its frames whole. Make a [`Handler`] of one with
/// [`WholeFrames`], or a machine with [`Framer::whole`].
pub trait FrameHandler {
    /// The output of a frame.
    type Event;
    /// The reason why the stream cannot continue. `Clone`, since a failed machine returns its error
    /// again.
    type Error: Clone;

    /// Returns the terminator of the first frame.
    fn start(&self) -> Terminator;

    /// Handles a whole frame, without its terminator. An unsplit frame is borrowed from the chunk,
    /// a split one from a bounded buffer. Returns its event and the next terminator.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn frame(&mut self, frame: &[u8], found: FrameInfo) -> Result<Step<Self::Event>, Self::Error>;

    /// Replaces `frame` for a frame that exceeded a limit with the policy
    /// [`Overflow::Skip`](crate::Overflow::Skip). The default ignores the frame.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn oversized(&mut self, found: FrameInfo) -> Result<Step<Self::Event>, Self::Error> {
        let _ = found;
        Ok(Step::quiet())
    }

    /// Inspects the rest of the chunk where a frame begins, and may take a whole message of several
    /// frames from its front: see [`Handler::glance`]. The default takes nothing.
    #[inline]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Self::Event>> {
        let _ = chunk;
        None
    }

    /// Returns the limit of the frame that begins now. No more bytes than that are ever buffered.
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }

    /// Returns whether the stream may end here, between two frames.
    fn at_boundary(&self) -> bool {
        true
    }

    /// Handles the end of the stream, with the part of a frame in progress.
    ///
    /// # Errors
    /// The handler's own.
    fn close(&mut self, partial: &[u8], end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = (partial, end);
        Ok(None)
    }
}

/// A [`Handler`] that gives a [`FrameHandler`] its frames whole.
#[derive(Clone, Debug)]
pub struct WholeFrames<F> {
    handler: F,
    buffer: Vec<u8>,
}

impl<F> WholeFrames<F> {
    /// Wraps `handler`. Nothing is buffered until a frame is split.
    pub fn new(handler: F) -> Self {
        Self { handler, buffer: Vec::new() }
    }

    /// Returns the handler inside.
    pub fn inner(&self) -> &F {
        &self.handler
    }

    /// Returns the handler inside.
    pub fn inner_mut(&mut self) -> &mut F {
        &mut self.handler
    }

    /// Appends `piece`. The capacity doubles as a vector's does, but never passes the limit.
    fn keep(&mut self, piece: &[u8], limit: Limit) {
        let needed = self.buffer.len() + piece.len();
        if needed > self.buffer.capacity() {
            let most = usize::try_from(limit.max).unwrap_or(usize::MAX).max(needed);
            let wanted = needed.max(self.buffer.capacity() * 2).min(most);
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
        self.buffer.extend_from_slice(piece);
    }
}

impl<F: FrameHandler> Handler for WholeFrames<F> {
    type Event = F::Event;
    type Error = F::Error;

    fn start(&self) -> Terminator {
        self.handler.start()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), F::Error> {
        let limit = self.handler.limit();
        self.keep(piece, limit);
        Ok(())
    }

    fn found(&mut self, frame: FrameInfo) -> Result<Step<F::Event>, F::Error> {
        let step = self.handler.frame(&self.buffer, frame);
        self.buffer.clear();
        step
    }

    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<F::Event>, Refusal<F::Error>> {
        if self.buffer.is_empty() {
            return Ok(self.handler.frame(last, frame)?);
        }
        self.collect(last).map_err(Refusal::Piece)?;
        Ok(self.found(frame)?)
    }

    fn oversized(&mut self, frame: FrameInfo) -> Result<Step<F::Event>, F::Error> {
        self.buffer.clear();
        self.handler.oversized(frame)
    }

    #[inline]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<F::Event>> {
        self.handler.glance(chunk)
    }

    fn limit(&self) -> Limit {
        self.handler.limit()
    }

    fn at_boundary(&self) -> bool {
        self.handler.at_boundary()
    }

    fn close(&mut self, end: End) -> Result<Option<F::Event>, F::Error> {
        let event = self.handler.close(&self.buffer, end);
        self.buffer = Vec::new();
        event
    }

    fn held(&self) -> usize {
        self.buffer.len()
    }
}

impl<F: FrameHandler> Framer<WholeFrames<F>> {
    /// Creates a machine that gives `handler` its frames whole.
    pub fn whole(handler: F) -> Self {
        Self::new(WholeFrames::new(handler))
    }
}
