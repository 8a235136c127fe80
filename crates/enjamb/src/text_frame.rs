//! Frames of text, whole.

use alloc::string::String;

use crate::framer::Framer;
use crate::handler::{End, Found, Refused, Step};
use crate::limit::Limit;
use crate::terminator::Terminator;
use crate::text::{Invalid, Text, TextHandler};

/// A protocol whose frames are text and are wanted whole. Make a machine of one with [`Framer::text`].
pub trait TextFrameHandler {
    /// What comes of a frame.
    type Event;
    /// Why the stream cannot go on, when its text is valid.
    type Error: Clone;

    /// What ends the first frame.
    fn start(&self) -> Terminator;

    /// A whole frame, without its terminator: borrowed from the chunk when it was valid and not split, from a bounded buffer otherwise. Says what
    /// came of it and what ends the next one.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn frame(&mut self, frame: &str, found: Found) -> Result<Step<Self::Event>, Self::Error>;

    /// As [`FrameHandler::oversized`](crate::FrameHandler::oversized).
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn oversized(&mut self, found: Found) -> Result<Step<Self::Event>, Self::Error> {
        let _ = found;
        Ok(Step::quiet())
    }

    /// How long the frame that begins now may be, in bytes of the stream: also the most that is ever buffered, but for what stands for
    /// invalid bytes, which is three times as long as they are.
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }

    /// May the stream end here, between two frames?
    fn at_boundary(&self) -> bool {
        true
    }

    /// The stream ended, with `partial` of a frame in progress.
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
pub struct WholeText<F> {
    handler: F,
    buffer: String,
}

impl<F> WholeText<F> {
    /// Nothing is buffered until a frame is split.
    pub fn new(handler: F) -> Self {
        Self { handler, buffer: String::new() }
    }

    /// The handler inside.
    pub fn inner(&self) -> &F {
        &self.handler
    }

    /// The handler inside.
    pub fn inner_mut(&mut self) -> &mut F {
        &mut self.handler
    }
}

impl<F: TextFrameHandler> TextHandler for WholeText<F> {
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

    fn found(&mut self, frame: Found) -> Result<Step<F::Event>, F::Error> {
        let step = self.handler.frame(&self.buffer, frame);
        self.buffer.clear();
        step
    }

    #[inline]
    fn found_with(&mut self, last: &str, frame: Found) -> Result<Step<F::Event>, Refused<F::Error>> {
        if self.buffer.is_empty() {
            return Ok(self.handler.frame(last, frame)?);
        }
        self.buffer.push_str(last);
        Ok(self.found(frame)?)
    }

    fn oversized(&mut self, frame: Found) -> Result<Step<F::Event>, F::Error> {
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

impl<F: TextFrameHandler> Framer<Text<WholeText<F>>> {
    /// A machine that gives `handler` its frames whole and as text.
    pub fn text(handler: F, invalid: Invalid) -> Self {
        Self::new(Text::new(WholeText::new(handler), invalid))
    }
}
