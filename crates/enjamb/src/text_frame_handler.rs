//! Handlers that get their frames whole and as text.

use alloc::string::String;

use crate::framer::Framer;
use crate::handler::{End, FrameInfo, Refusal, Step};
use crate::limit::Limit;
use crate::terminator::Terminator;
use crate::text::{InvalidUtf8, Text, TextHandler};

/// A protocol for one direction that gets its frames whole and as `&str`. Make a machine of one
/// with [`Framer::text`].
pub trait TextFrameHandler {
    /// The output of a frame.
    type Event;
    /// The reason why a stream of valid text cannot continue.
    type Error: Clone;

    /// Returns the terminator of the first frame.
    fn start(&self) -> Terminator;

    /// Handles a whole frame, without its terminator. A valid, unsplit frame is borrowed from the
    /// chunk, any other from a bounded buffer. Returns its event and the next terminator.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn frame(&mut self, frame: &str, found: FrameInfo) -> Result<Step<Self::Event>, Self::Error>;

    /// Replaces `frame` for a frame that exceeded its limit, as
    /// [`FrameHandler::oversized`](crate::FrameHandler::oversized) does.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn oversized(&mut self, found: FrameInfo) -> Result<Step<Self::Event>, Self::Error> {
        let _ = found;
        Ok(Step::quiet())
    }

    /// Returns the limit of the frame that begins now, in bytes of the stream. No more bytes than
    /// that are ever buffered, with one exception: a replacement character takes up to three times
    /// as many bytes as it replaces.
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
    fn close(&mut self, partial: &str, end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = (partial, end);
        Ok(None)
    }
}

/// A [`TextHandler`] that gives a [`TextFrameHandler`] its frames whole.
#[derive(Clone, Debug)]
pub struct WholeTextFrames<F> {
    handler: F,
    buffer: String,
}

impl<F> WholeTextFrames<F> {
    /// Wraps `handler`. Nothing is buffered until a frame is split.
    pub fn new(handler: F) -> Self {
        Self { handler, buffer: String::new() }
    }

    /// Returns the handler inside.
    pub fn inner(&self) -> &F {
        &self.handler
    }

    /// Returns the handler inside.
    pub fn inner_mut(&mut self) -> &mut F {
        &mut self.handler
    }
}

impl<F: TextFrameHandler> TextHandler for WholeTextFrames<F> {
    type Event = F::Event;
    type Error = F::Error;

    fn start(&self) -> Terminator {
        self.handler.start()
    }

    #[inline]
    fn collect(&mut self, piece: &str) -> Result<(), F::Error> {
        self.buffer.push_str(piece);
        Ok(())
    }

    fn found(&mut self, frame: FrameInfo) -> Result<Step<F::Event>, F::Error> {
        let step = self.handler.frame(&self.buffer, frame);
        self.buffer.clear();
        step
    }

    #[inline]
    fn found_with(&mut self, last: &str, frame: FrameInfo) -> Result<Step<F::Event>, Refusal<F::Error>> {
        if self.buffer.is_empty() {
            return Ok(self.handler.frame(last, frame)?);
        }
        self.buffer.push_str(last);
        Ok(self.found(frame)?)
    }

    fn oversized(&mut self, frame: FrameInfo) -> Result<Step<F::Event>, F::Error> {
        self.buffer.clear();
        self.handler.oversized(frame)
    }

    fn limit(&self) -> Limit {
        self.handler.limit()
    }

    fn at_boundary(&self) -> bool {
        self.handler.at_boundary()
    }

    fn close(&mut self, end: End) -> Result<Option<F::Event>, F::Error> {
        let event = self.handler.close(&self.buffer, end);
        self.buffer = String::new();
        event
    }

    fn held(&self) -> usize {
        self.buffer.len()
    }
}

impl<F: TextFrameHandler> Framer<Text<WholeTextFrames<F>>> {
    /// Creates a machine that gives `handler` its frames whole and as text.
    pub fn text(handler: F, invalid: InvalidUtf8) -> Self {
        Self::new(Text::new(WholeTextFrames::new(handler), invalid))
    }
}
