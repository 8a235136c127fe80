//! What a protocol author writes: `asynchat`'s two callbacks, and the two it lacked.

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::framer::Framer;
use crate::limit::Limit;
use crate::terminator::Terminator;

/// A protocol for one direction of a stream, as callbacks that the [`Framer`] calls.
///
/// ```
/// use std::convert::Infallible;
/// use enjamb::{Found, Framer, Handler, Machine, Step, Terminator};
///
/// /// Counts the bytes of every line, and keeps none of them.
/// struct LineLengths(u64);
///
/// impl Handler for LineLengths {
///     type Event = u64;
///     type Error = Infallible;
///
///     fn start(&self) -> Terminator {
///         Terminator::lf()
///     }
///     fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
///         self.0 += piece.len() as u64;
///         Ok(())
///     }
///     fn found(&mut self, _: Found) -> Result<Step<u64>, Infallible> {
///         Ok(Step::event(std::mem::take(&mut self.0)))
///     }
/// }
///
/// let mut lengths = Vec::new();
/// let mut framer = Framer::new(LineLengths(0));
/// for chunk in ["en", "jamb\n\nab"] {
///     framer.feed(chunk.as_bytes(), &mut |length| lengths.push(length)).unwrap();
/// }
/// assert_eq!(lengths, [6, 0]);
/// ```
pub trait Handler {
    /// What comes of the stream: a message, or whatever the handler makes of its frames.
    type Event;
    /// Why the stream cannot go on. Cloned, since a machine that failed says so again whenever it is asked.
    type Error: Clone;

    /// What ends the first frame.
    fn start(&self) -> Terminator;

    /// `collect_incoming_data`: the next piece of the frame in progress, never empty. Where pieces are cut
    /// says nothing: they follow the network.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further. Which piece brings it to light depends on the cuts, so the error is
    /// reported at the frame's start ([`Refused::Piece`]). One that should stand behind the frame is returned by [`found`](Self::found).
    fn collect(&mut self, piece: &[u8]) -> Result<(), Self::Error>;

    /// The same with the place of the piece: how far into the stream it begins, in bytes. The framer calls only this one; a handler overrides it to
    /// say where in the stream something is. Where a piece does not begin at the end of the one before it, bytes between them are lost.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    fn collect_at(&mut self, piece: &[u8], at: u64) -> Result<(), Self::Error> {
        let _ = at;
        self.collect(piece)
    }

    /// `found_terminator`: the frame is whole. Says what came of it and what ends the next one.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn found(&mut self, frame: Found) -> Result<Step<Self::Event>, Self::Error>;

    /// The frame's last piece, perhaps empty, and its end in one call. The framer calls only this one for the end of a
    /// frame; a handler overrides it to see a frame that was not split as one borrowed slice.
    ///
    /// # Errors
    /// The handler's own, and what it is about: an error that another cut would have brought to light in
    /// [`collect`](Self::collect) is one of a [piece](Refused::Piece). The stream is not parsed any further.
    fn found_with(&mut self, last: &[u8], frame: Found) -> Result<Step<Self::Event>, Refused<Self::Error>> {
        if !last.is_empty() {
            self.collect_at(last, frame.last_at(last)).map_err(Refused::Piece)?;
        }
        self.found(frame).map_err(Refused::Frame)
    }

    /// In place of `found` for a frame that passed a limit whose policy is [`Overflow::Skip`](crate::Overflow::Skip), when as much of it as is
    /// within the limit was collected: the handler forgets it. By default it is treated like any other.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn oversized(&mut self, frame: Found) -> Result<Step<Self::Event>, Self::Error> {
        self.found(frame)
    }

    /// A frame begins, and this is all of the chunk from there on. A handler that finds a whole message in front, of several frames perhaps, may take
    /// it in one go. By default it does not look.
    ///
    /// It may take only what it would have made the very same of frame by frame, for the same bytes may come in any chunks: the same step, and the same
    /// state behind it. Whatever is not all there, rare or wrong is left to the frames; so what a message is, is said in one place. It is asked
    /// at the beginning of every frame that nothing was seen of, so it must look at little where it takes nothing again and again.
    #[inline]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Self::Event>> {
        let _ = chunk;
        None
    }

    /// How long the frame that begins now may be. Asked once for each frame.
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }

    /// May the stream end here, between two frames? `false` when the frames so far promised another, as a
    /// length prefix does.
    fn at_boundary(&self) -> bool {
        true
    }

    /// The stream ended. What came of a frame in progress, where the protocol makes something of it.
    ///
    /// # Errors
    /// The handler's own.
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = end;
        Ok(None)
    }

    /// Bytes that the handler holds on to now. Bounded by its limits.
    fn held(&self) -> usize {
        0
    }
}

/// What a handler took at a [glance](Handler::glance).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance<E> {
    /// How many bytes of the chunk it took, terminators included: at least one.
    pub taken: NonZeroUsize,
    /// What came of them.
    pub step: Step<E>,
}

/// What a handler refused: it decides where the error is reported, which must not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused<E> {
    /// Payload, whatever ends it: reported at the frame's start.
    Piece(E),
    /// The whole frame: reported behind its terminator.
    Frame(E),
}

impl<E> Refused<E> {
    /// The same with another error.
    pub fn map<F>(self, into: impl FnOnce(E) -> F) -> Refused<F> {
        match self {
            Self::Piece(error) => Refused::Piece(into(error)),
            Self::Frame(error) => Refused::Frame(into(error)),
        }
    }
}

/// A frame is what is refused unless something else is said.
impl<E> From<E> for Refused<E> {
    fn from(error: E) -> Self {
        Self::Frame(error)
    }
}

/// A frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the frame begins in the stream, in bytes.
    pub start: u64,
    /// Where the next frame begins: behind the terminator.
    pub end: u64,
    /// Bytes of payload, with those that were dropped or lost.
    pub length: u64,
    /// Bytes of payload that were not delivered, since the frame passed its limit.
    pub dropped: u64,
    /// Bytes of payload that were not delivered, since the stream has a hole there.
    pub lost: u64,
    /// Which delimiter of an [`AnyOf`](crate::AnyOf) ended the frame, by its place in the set; 0 under the other terminators, and where the end of
    /// the stream did.
    pub delimiter: usize,
}

impl Found {
    /// Where in the stream the frame's last piece begins, that [`found_with`](Handler::found_with) is given.
    #[must_use]
    pub fn last_at(&self, last: &[u8]) -> u64 {
        let behind = self.start.saturating_add(self.length - self.dropped);
        behind.saturating_sub(last.len() as u64)
    }
}

/// What came of a frame, and what follows it.
///
/// Returning the next terminator, rather than setting it on the side, is what makes `asynchat`'s worst trap impossible:
/// there a count that was not set again meant "everything is data" for the rest of the stream (T7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<E> {
    /// What came of the frame, if anything did.
    pub event: Option<E>,
    /// What ends the next one.
    pub next: Next,
}

/// What ends the next frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same terminator, in full: for a length, as many bytes again.
    Same,
    /// Another one. It applies to the very next byte.
    Until(Terminator),
    /// There is no next frame: what follows is not parsed, and counted as leftover.
    /// (`asynchat` went on with what was left of the read, so how much depended on the cuts: E6.)
    Stop,
}

impl<E> Step<E> {
    /// Nothing to report; the same terminator again.
    #[must_use]
    pub fn quiet() -> Self {
        Self { event: None, next: Next::Same }
    }

    /// An event; the same terminator again.
    #[must_use]
    pub fn event(event: E) -> Self {
        Self { event: Some(event), next: Next::Same }
    }

    /// The next frame ends at `terminator`.
    #[must_use]
    pub fn until(self, terminator: Terminator) -> Self {
        Self { next: Next::Until(terminator), ..self }
    }

    /// Nothing more is parsed.
    #[must_use]
    pub fn stop(self) -> Self {
        Self { next: Next::Stop, ..self }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Between two frames.
    Clean,
    /// Inside a frame, or before one that was promised.
    Truncated {
        /// Bytes of it that had arrived.
        have: u64,
        /// Bytes of it that had not, where that is known.
        missing: Option<u64>,
    },
    /// After the handler had stopped, with this many bytes more.
    Leftover(u64),
}

/// A protocol whose frames are wanted whole. Make a [`Handler`] of one with [`Whole`], or a machine with
/// [`Framer::whole`].
pub trait FrameHandler {
    /// What comes of a frame.
    type Event;
    /// Why the stream cannot go on. Cloned, since a machine that failed says so again whenever it is asked.
    type Error: Clone;

    /// What ends the first frame.
    fn start(&self) -> Terminator;

    /// A whole frame, without its terminator: borrowed from the chunk when it was not split, from a bounded buffer
    /// when it was. Says what came of it and what ends the next one.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn frame(&mut self, frame: &[u8], found: Found) -> Result<Step<Self::Event>, Self::Error>;

    /// In place of `frame` for one that passed a limit whose policy is [`Overflow::Skip`](crate::Overflow::Skip). By
    /// default it is passed over in silence.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn oversized(&mut self, found: Found) -> Result<Step<Self::Event>, Self::Error> {
        let _ = found;
        Ok(Step::quiet())
    }

    /// How long the frame that begins now may be: also the most that is ever buffered.
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
    fn close(&mut self, partial: &[u8], end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = (partial, end);
        Ok(None)
    }
}

/// A [`Handler`] that gives a [`FrameHandler`] its frames whole.
#[derive(Clone, Debug)]
pub struct Whole<F> {
    handler: F,
    buffer: Vec<u8>,
}

impl<F> Whole<F> {
    /// Nothing is buffered until a frame is split.
    pub fn new(handler: F) -> Self {
        Self { handler, buffer: Vec::new() }
    }

    /// The handler inside.
    pub fn inner(&self) -> &F {
        &self.handler
    }

    /// The handler inside.
    pub fn inner_mut(&mut self) -> &mut F {
        &mut self.handler
    }

    /// Room for `piece`: doubled as a vector does, and never more than the limit.
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

impl<F: FrameHandler> Handler for Whole<F> {
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

    fn found(&mut self, frame: Found) -> Result<Step<F::Event>, F::Error> {
        let step = self.handler.frame(&self.buffer, frame);
        self.buffer.clear();
        step
    }

    fn found_with(&mut self, last: &[u8], frame: Found) -> Result<Step<F::Event>, Refused<F::Error>> {
        if self.buffer.is_empty() {
            return Ok(self.handler.frame(last, frame)?);
        }
        self.collect(last).map_err(Refused::Piece)?;
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
        self.buffer = Vec::new();
        event
    }

    fn held(&self) -> usize {
        self.buffer.len()
    }
}

impl<F: FrameHandler> Framer<Whole<F>> {
    /// A machine that gives `handler` its frames whole.
    pub fn whole(handler: F) -> Self {
        Self::new(Whole::new(handler))
    }
}
