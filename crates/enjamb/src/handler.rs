//! The interface of a protocol's author: the two callbacks of `asynchat`, and two more.

use core::num::NonZeroUsize;

use crate::limit::Limit;
use crate::terminator::Terminator;

/// A protocol for one direction of a stream, as callbacks that the [`Framer`](crate::Framer) calls.
///
/// ```
/// use std::convert::Infallible;
/// use enjamb::{FrameInfo, Framer, Handler, Machine, Step, Terminator};
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
///     fn found(&mut self, _: FrameInfo) -> Result<Step<u64>, Infallible> {
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
    /// The output: a message, or anything else that the handler makes of its frames.
    type Event;
    /// The reason why the stream cannot continue. `Clone`, since a failed machine returns its error
    /// again.
    type Error: Clone;

    /// Returns the terminator of the first frame.
    fn start(&self) -> Terminator;

    /// Receives the next piece of the frame in progress, never empty (`collect_incoming_data`). The
    /// network decides where pieces are cut.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further. The cuts decide which piece shows
    /// the error, so it is reported at the frame's start ([`Refusal::Piece`]). To report an error
    /// behind the frame, return it from [`found`](Self::found).
    fn collect(&mut self, piece: &[u8]) -> Result<(), Self::Error>;

    /// Receives a piece with its offset in the stream, in bytes. The framer calls only this method;
    /// override it to report where something is. If a piece does not begin where the last one
    /// ended, the bytes between were lost.
    ///
    /// # Errors
    /// The same as [`collect`](Self::collect).
    fn collect_at(&mut self, piece: &[u8], at: u64) -> Result<(), Self::Error> {
        let _ = at;
        self.collect(piece)
    }

    /// Handles a frame that is whole (`found_terminator`). Returns its event and the next
    /// terminator.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn found(&mut self, frame: FrameInfo) -> Result<Step<Self::Event>, Self::Error>;

    /// Handles the frame's last piece, which may be empty, and its end in one call. The framer
    /// calls only this method for the end of a frame; override it to see an unsplit frame as one
    /// borrowed slice.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further. If another cut would have shown the
    /// error in [`collect`](Self::collect), it must be a [`Refusal::Piece`].
    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<Self::Event>, Refusal<Self::Error>> {
        if !last.is_empty() {
            self.collect_at(last, frame.last_at(last)).map_err(Refusal::Piece)?;
        }
        self.found(frame).map_err(Refusal::Frame)
    }

    /// Replaces `found` for a frame that exceeded a limit with the policy
    /// [`Overflow::Skip`](crate::Overflow::Skip), once the bytes within the limit were collected.
    /// The handler should forget the frame. The default treats it like any other.
    ///
    /// # Errors
    /// The handler's own; the stream is not parsed any further.
    fn oversized(&mut self, frame: FrameInfo) -> Result<Step<Self::Event>, Self::Error> {
        self.found(frame)
    }

    /// Inspects the rest of the chunk where a frame begins. The handler may take a whole message
    /// from its front, even one of several frames. The default takes nothing.
    ///
    /// The result must be the same as if the frames had come one by one: the same step, the same
    /// state. The same bytes may come in any chunks. Leave everything that is cut off, rare or
    /// malformed to the frames, so that only one place decides what a message is. The framer calls
    /// this at the beginning of every frame, so a glance that takes nothing should look at few
    /// bytes.
    #[inline]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Self::Event>> {
        let _ = chunk;
        None
    }

    /// Returns the limit of the frame that begins now. Called once for each frame.
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }

    /// Returns whether the stream may end here, between two frames: `false` if the frames so far
    /// promised another, as a length prefix does.
    fn at_boundary(&self) -> bool {
        true
    }

    /// Handles the end of the stream. Returns an event if the protocol makes one of a partial
    /// frame.
    ///
    /// # Errors
    /// The handler's own.
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = end;
        Ok(None)
    }

    /// Returns how many bytes the handler stores now. Its limits bound this number.
    fn held(&self) -> usize {
        0
    }
}

/// The result of a [glance](Handler::glance).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance<E> {
    /// The number of bytes taken from the chunk, terminators included.
    pub taken: NonZeroUsize,
    /// Their event and the next terminator.
    pub step: Step<E>,
}

/// An error, and the piece or frame that it refuses. That decides the offset at which it is
/// reported, which must not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<E> {
    /// Some payload is wrong, whatever follows. The error is reported at the frame's start.
    Piece(E),
    /// The whole frame is wrong. The error is reported behind its terminator.
    Frame(E),
}

impl<E> Refusal<E> {
    /// Converts the error.
    pub fn map<F>(self, into: impl FnOnce(E) -> F) -> Refusal<F> {
        match self {
            Self::Piece(error) => Refusal::Piece(into(error)),
            Self::Frame(error) => Refusal::Frame(into(error)),
        }
    }
}

/// An error alone refuses the whole frame.
impl<E> From<E> for Refusal<E> {
    fn from(error: E) -> Self {
        Self::Frame(error)
    }
}

/// The place and the size of a frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// The offset at which the frame begins in the stream, in bytes.
    pub start: u64,
    /// The offset at which the next frame begins, behind the terminator.
    pub end: u64,
    /// The number of payload bytes, including dropped and lost ones.
    pub length: u64,
    /// The number of payload bytes beyond the limit, which were not delivered.
    pub dropped: u64,
    /// The number of payload bytes in a gap, which were not delivered.
    pub lost: u64,
    /// The index of the delimiter of an [`AnyOf`](crate::AnyOf) that ended the frame. 0 under other
    /// terminators, and if the end of the stream ended it.
    pub delimiter: usize,
}

impl FrameInfo {
    /// Returns the offset of the frame's last piece, which [`found_with`](Handler::found_with)
    /// receives.
    #[must_use]
    pub fn last_at(&self, last: &[u8]) -> u64 {
        let behind = self.start.saturating_add(self.length - self.dropped);
        behind.saturating_sub(last.len() as u64)
    }
}

/// The result of a frame: an event, and the terminator of the next frame.
///
/// The next terminator is a return value, so no handler can forget it. In `asynchat` a handler that
/// forgot to set a count again turned the rest of the stream into data (T7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<E> {
    /// The event, if the frame produced one.
    pub event: Option<E>,
    /// The terminator of the next frame.
    pub next: Next,
}

/// The terminator of the next frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same terminator. A length counts from its beginning again.
    Same,
    /// Another terminator. It applies to the next byte.
    Until(Terminator),
    /// Nothing. The bytes that follow are not parsed, and count as leftover. (`asynchat` parsed on
    /// to the end of the read, so the result depended on the cuts: E6.)
    Stop,
}

impl<E> Step<E> {
    /// A step without an event. The terminator stays the same.
    #[must_use]
    pub fn quiet() -> Self {
        Self { event: None, next: Next::Same }
    }

    /// A step with an event. The terminator stays the same.
    #[must_use]
    pub fn event(event: E) -> Self {
        Self { event: Some(event), next: Next::Same }
    }

    /// Ends the next frame at `terminator`.
    #[must_use]
    pub fn until(self, terminator: Terminator) -> Self {
        Self { next: Next::Until(terminator), ..self }
    }

    /// Stops the machine: nothing more is parsed.
    #[must_use]
    pub fn stop(self) -> Self {
        Self { next: Next::Stop, ..self }
    }
}

/// The state in which a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The stream ended between two frames.
    Clean,
    /// The stream ended inside a frame, or before one that was promised.
    Truncated {
        /// The number of bytes of the frame that had arrived.
        have: u64,
        /// The number of bytes of the frame that had not arrived, where that is known.
        missing: Option<u64>,
    },
    /// The stream ended this many bytes after the handler had stopped.
    Leftover(u64),
}
