//! Scanner and handler together: the engine.

use core::fmt;

use crate::handler::{End, Found, Handler, Next, Refused, Step};
use crate::limit::{Limit, Overflow};
use crate::machine::Machine;
use crate::scanner::{Ended, Scanner, Taken, Unplaced};
use crate::terminator::Terminator;

/// Drives a [`Handler`] over a stream: `async_chat.handle_read` without the socket.
#[derive(Clone, Debug)]
pub struct Framer<H: Handler> {
    scanner: Scanner,
    handler: H,
    state: State<H::Error>,
    frame: Frame,
}

/// The frame in progress.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Where it begins in the stream.
    start: u64,
    /// Payload so far.
    length: u64,
    /// Payload so far that was over the limit.
    dropped: u64,
    /// Payload so far that the stream has lost.
    lost: u64,
    limit: Limit,
}

#[derive(Clone, Debug)]
enum State<E> {
    Framing,
    /// The handler stopped; bytes since.
    Stopped(u64),
    Failed(FrameError<E>),
}

/// Why a stream cannot be framed any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError<E> {
    /// A frame passed a limit whose policy is [`Overflow::Refuse`].
    TooLong {
        /// Where the frame begins in the stream.
        start: u64,
        /// How far it had come: `start` when its length was announced, or else `start` and the limit.
        end: u64,
        /// The limit, in bytes of payload.
        max: u64,
    },
    /// The handler refused a frame.
    Handler {
        /// Where the frame begins in the stream.
        start: u64,
        /// Behind the terminator when the handler refused the whole frame, `start` when it refused a piece of it.
        end: u64,
        /// The handler's reason.
        error: E,
    },
}

impl<E> FrameError<E> {
    /// Where the frame at fault begins in the stream, in bytes.
    pub fn start(&self) -> u64 {
        match self {
            Self::TooLong { start, .. } | Self::Handler { start, .. } => *start,
        }
    }

    /// Where the fault is certain: behind the last byte that is needed to see it.
    pub fn end(&self) -> u64 {
        match self {
            Self::TooLong { end, .. } | Self::Handler { end, .. } => *end,
        }
    }
}

impl<E: fmt::Display> fmt::Display for FrameError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { start, max, .. } => {
                write!(f, "the frame at offset {start} is longer than its limit of {max} bytes")
            }
            Self::Handler { start, error, .. } => write!(f, "the frame at offset {start}: {error}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for FrameError<E> {}

impl<H: Handler> Framer<H> {
    /// At the beginning of a stream.
    pub fn new(handler: H) -> Self {
        Self::at(handler, 0)
    }

    /// At `offset` of a stream, where a frame is known to begin: after a hole, or after another protocol.
    ///
    /// Offsets are exact up to 2^64 - 1. Behind it they stay there, and framing goes on all the same.
    pub fn at(handler: H, offset: u64) -> Self {
        let terminator = handler.start();
        let frame = Frame::new(offset, handler.limit());
        let mut framer = Self { scanner: Scanner::new(terminator), handler, state: State::Framing, frame };
        framer.refuse_announced();
        framer
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler. What it does here to what it has collected is its own affair; the terminator is changed
    /// by [`set_terminator`](Self::set_terminator).
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Gives the handler back.
    pub fn into_handler(self) -> H {
        self.handler
    }

    /// Changes what ends the frame in progress, from outside of `found`. Bytes held back as the possible
    /// beginning of the old terminator are scanned again under the new one by the next call of
    /// [`next`](Machine::next), even with an empty chunk. (In `asynchat` they waited for more to come: M5 to M7.)
    pub fn set_terminator(&mut self, terminator: Terminator) {
        self.scanner.set(terminator);
        self.refuse_announced();
    }

    /// Did the handler stop? What follows is left in the chunk by the call of [`next`](Machine::next) that
    /// stopped, but for the [held bytes](Self::held_bytes) before it; a driver that knows what it is may take it, and otherwise it is
    /// counted as leftover.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped(_))
    }

    /// Bytes that were fed and not delivered, since they may be part of a delimiter. When the stream ends they are payload; when the handler
    /// stopped they are the first of what follows, and there are none unless an [`AnyOf`](crate::AnyOf) had to read ahead.
    pub fn held_bytes(&self) -> &[u8] {
        self.scanner.held_bytes()
    }

    /// How many bytes the frame in progress still wants, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        self.scanner.remaining()
    }

    /// The next `bytes` of the stream were read by somebody else: whole frames, from where this one would have begun. Nothing of the frame in
    /// progress may have been fed.
    pub(crate) fn skip(&mut self, bytes: u64) {
        debug_assert!(self.frame.length == 0 && self.scanner.held() == 0, "a frame is in progress");
        self.frame.start = self.frame.start.saturating_add(bytes);
    }

    /// `missing` bytes of the stream are lost. In a frame of known length that has room for them they are
    /// counted as payload that was lost, and what the end of the frame brings is returned, if it is reached. Those of them that pass
    /// the frame's limit count as dropped.
    ///
    /// # Errors
    /// [`Unplaced`] where nothing can be known of the missing bytes, or the machine has failed or stopped; nothing has changed then. Inside of
    /// it, as for [`next`](Machine::next).
    pub fn pass(&mut self, missing: u64) -> Result<Said<H>, Unplaced> {
        if !matches!(self.state, State::Framing) {
            return Err(Unplaced);
        }
        let complete = self.scanner.pass(missing)?;
        if self.frame.lose(missing) {
            return Ok(Err(self.fail(self.frame.too_long())));
        }
        if !complete {
            return Ok(Ok(None));
        }
        let came = end_of_frame(&mut self.handler, &self.frame, &[], Ended::NONE);
        Ok(self.settle(came))
    }

    #[inline(always)]
    fn advance(&mut self, chunk: &mut &[u8]) -> Said<H> {
        while matches!(self.state, State::Framing) {
            let said = match self.scanner.take_at_once(chunk) {
                Some(Taken { piece, ended }) if self.frame.has_room_for(piece) => match ended {
                    Some(ended) => {
                        self.frame.length += piece.len() as u64;
                        let found = self.frame.found(ended);
                        match self.handler.found_with(piece, found) {
                            Ok(step) => self.step(step, found.end),
                            Err(refused) => return Err(self.refused(refused, found)),
                        }
                    }
                    None => {
                        let at = self.frame.start.saturating_add(self.frame.length);
                        self.frame.length += piece.len() as u64;
                        match self.handler.collect_at(piece, at) {
                            Ok(()) => None,
                            Err(error) => return Err(self.refused_piece(error)),
                        }
                    }
                },
                Some(taken) => self.deliver(taken)?,
                None if self.scanner.is_done_with(chunk) => return Ok(None),
                None => match self.take_and_deliver(chunk) {
                    Some(said) => said?,
                    None => return Ok(None),
                },
            };
            if said.is_some() {
                return Ok(said);
            }
        }
        self.after(chunk)
    }

    /// What a token comes to, whatever it is: nothing for a piece, an event for the end of a frame or none, or an error for good.
    #[inline(never)]
    fn deliver(&mut self, Taken { piece, ended }: Taken<'_>) -> Said<H> {
        let Self { handler, frame, .. } = self;
        let came = deliver(handler, frame, piece, ended);
        self.settle(came)
    }

    #[inline(never)]
    fn take_and_deliver(&mut self, chunk: &mut &[u8]) -> Option<Said<H>> {
        let Taken { piece, ended } = self.scanner.take(chunk)?;
        let came = deliver(&mut self.handler, &mut self.frame, piece, ended);
        Some(self.settle(came))
    }

    fn settle(&mut self, came: Came<H>) -> Said<H> {
        match came {
            Ok(Some((step, end))) => Ok(self.step(step, end)),
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The frame came to this: puts the next terminator in force.
    #[inline(always)]
    fn step(&mut self, Step { event, next }: Step<H::Event>, end: u64) -> Option<H::Event> {
        match next {
            Next::Same => {}
            Next::Until(terminator) => self.scanner.set(terminator),
            Next::Stop => self.state = State::Stopped(self.scanner.held() as u64),
        }
        self.frame = Frame::new(end, self.handler.limit());
        self.refuse_announced();
        event
    }

    /// The handler refused a frame, or a piece of it.
    #[cold]
    fn refused(&mut self, refused: Refused<H::Error>, Found { start, end, .. }: Found) -> FrameError<H::Error> {
        self.fail(match refused {
            Refused::Piece(error) => FrameError::Handler { start, end: start, error },
            Refused::Frame(error) => FrameError::Handler { start, end, error },
        })
    }

    /// A frame whose length is announced and over the limit is refused before its first byte.
    #[inline]
    fn refuse_announced(&mut self) {
        let Limit { max, overflow } = self.frame.limit;
        let start = self.frame.start;
        if overflow == Overflow::Refuse
            && let Some(remaining) = self.scanner.remaining()
            && self.frame.length.saturating_add(remaining) > max
            && matches!(self.state, State::Framing)
        {
            self.state =
                State::Failed(FrameError::TooLong { start, end: start.saturating_add(self.frame.length), max });
        }
    }

    /// The stream ended: the next frame that the end alone makes whole, among the bytes that were held. A driver that looks at the handler between
    /// two events asks until there is none, and then [closes](Machine::close); that gives them otherwise.
    ///
    /// # Errors
    /// As [`next`](Machine::next).
    pub fn next_at_end(&mut self) -> Result<Option<H::Event>, FrameError<H::Error>> {
        loop {
            match &self.state {
                State::Framing => {}
                State::Stopped(_) => return Ok(None),
                State::Failed(error) => return Err(error.clone()),
            }
            let Some(Taken { piece, ended }) = self.scanner.take_at_end() else {
                return Ok(None);
            };
            let came = deliver(&mut self.handler, &mut self.frame, piece, ended);
            if let Some(event) = self.settle(came)? {
                return Ok(Some(event));
            }
        }
    }

    /// How the end found the stream, when all that was held was delivered. A frame that ends with the stream is found.
    fn end(&mut self, out: &mut impl FnMut(H::Event)) -> Result<End, FrameError<H::Error>> {
        match self.state {
            State::Framing if *self.scanner.terminator() == Terminator::Close => {
                let came = end_of_frame(&mut self.handler, &self.frame, &[], Ended::NONE);
                self.settle(came)?.into_iter().for_each(out);
                Ok(End::Clean)
            }
            State::Framing if self.frame.length > 0 || !self.handler.at_boundary() => {
                Ok(End::Truncated { have: self.frame.length, missing: self.scanner.remaining() })
            }
            State::Framing | State::Stopped(0) => Ok(End::Clean),
            State::Stopped(leftover) => Ok(End::Leftover(leftover)),
            State::Failed(ref error) => Err(error.clone()),
        }
    }

    #[cold]
    fn refused_piece(&mut self, error: H::Error) -> FrameError<H::Error> {
        let Frame { start, .. } = self.frame;
        self.fail(FrameError::Handler { start, end: start, error })
    }

    /// What is said when nothing is framed any more.
    #[cold]
    fn after(&mut self, chunk: &mut &[u8]) -> Said<H> {
        match &mut self.state {
            State::Framing => Ok(None),
            State::Stopped(leftover) => {
                *leftover = leftover.saturating_add(core::mem::take(chunk).len() as u64);
                Ok(None)
            }
            State::Failed(error) => Err(error.clone()),
        }
    }

    #[cold]
    fn fail(&mut self, error: FrameError<H::Error>) -> FrameError<H::Error> {
        self.state = State::Failed(error.clone());
        error
    }
}

/// What a machine says: an event, nothing yet, or an error for good.
type Said<H> = Result<Option<<H as Handler>::Event>, FrameError<<H as Handler>::Error>>;

/// What came of a token: of a piece nothing, of the end of a frame a step, and where that end is.
type Came<H> = Result<Option<(Step<<H as Handler>::Event>, u64)>, FrameError<<H as Handler>::Error>>;

/// Gives a token to the handler, as much of it as is within the limit; where there is more and the policy says so, the
/// frame is refused. So what the handler saw before a refusal does not depend on the cuts.
fn deliver<H: Handler>(handler: &mut H, frame: &mut Frame, piece: &[u8], ended: Option<Ended>) -> Came<H> {
    let before = frame.length;
    let (kept, refused) = frame.admit(piece);
    match ended {
        Some(ended) if !refused => end_of_frame(handler, frame, kept, ended),
        _ => {
            collect(handler, frame, kept, frame.start.saturating_add(before))?;
            if refused { Err(frame.too_long()) } else { Ok(None) }
        }
    }
}

fn collect<H: Handler>(handler: &mut H, frame: &Frame, piece: &[u8], at: u64) -> Result<(), FrameError<H::Error>> {
    if piece.is_empty() {
        return Ok(());
    }
    handler.collect_at(piece, at).map_err(|error| FrameError::Handler { start: frame.start, end: frame.start, error })
}

fn end_of_frame<H: Handler>(handler: &mut H, frame: &Frame, last: &[u8], ended: Ended) -> Came<H> {
    let found = frame.found(ended);
    let step = if frame.is_skipped() {
        collect(handler, frame, last, found.last_at(last))?;
        handler.oversized(found).map_err(Refused::Frame)
    } else {
        handler.found_with(last, found)
    };
    let Found { start, end, .. } = found;
    match step {
        Ok(step) => Ok(Some((step, end))),
        Err(Refused::Piece(error)) => Err(FrameError::Handler { start, end: start, error }),
        Err(Refused::Frame(error)) => Err(FrameError::Handler { start, end, error }),
    }
}

impl Frame {
    fn new(start: u64, limit: Limit) -> Self {
        Self { start, length: 0, dropped: 0, lost: 0, limit }
    }

    /// Is this much more of it within the limit, and all that came before?
    #[inline(always)]
    fn has_room_for(&self, piece: &[u8]) -> bool {
        self.dropped == 0 && self.length <= self.limit.max && piece.len() as u64 <= self.limit.max - self.length
    }

    /// Counts `piece`, and gives back what of it is within the limit and whether the rest makes the frame one to refuse.
    fn admit<'p>(&mut self, piece: &'p [u8]) -> (&'p [u8], bool) {
        let kept = usize::try_from(self.room()).map_or(piece, |room| &piece[..room.min(piece.len())]);
        let over = (piece.len() - kept.len()) as u64;
        (kept, self.count(piece.len() as u64, over))
    }

    /// Counts payload that is lost. Does it make the frame one to refuse?
    fn lose(&mut self, missing: u64) -> bool {
        let within = missing.min(self.room());
        self.lost = self.lost.saturating_add(within);
        self.count(missing, missing - within)
    }

    /// How much more of the frame is within the limit.
    fn room(&self) -> u64 {
        self.limit.max.saturating_sub(self.length - self.dropped)
    }

    fn count(&mut self, length: u64, over: u64) -> bool {
        self.length = self.length.saturating_add(length);
        self.dropped = self.dropped.saturating_add(over);
        over > 0 && self.limit.overflow == Overflow::Refuse
    }

    fn too_long<E>(&self) -> FrameError<E> {
        let Self { start, limit: Limit { max, .. }, .. } = *self;
        FrameError::TooLong { start, end: start.saturating_add(max), max }
    }

    /// The frame, now that it has ended.
    #[inline(always)]
    fn found(&self, Ended { delimiter, width }: Ended) -> Found {
        let Self { start, length, dropped, lost, .. } = *self;
        let end = start.saturating_add(length).saturating_add(width as u64);
        Found { start, end, length, dropped, lost, delimiter }
    }

    fn is_skipped(&self) -> bool {
        self.dropped > 0 && self.limit.overflow == Overflow::Skip
    }
}

impl<H: Handler> Machine for Framer<H> {
    type Event = H::Event;
    type Error = FrameError<H::Error>;

    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<H::Event>, Self::Error> {
        self.advance(chunk)
    }

    /// The loop of [`next`](Self::next) is part of this one: so an event need not be put into memory and taken out again.
    fn feed(&mut self, mut chunk: &[u8], out: &mut impl FnMut(H::Event)) -> Result<(), Self::Error> {
        while let Some(event) = self.advance(&mut chunk)? {
            out(event);
        }
        Ok(())
    }

    fn close(&mut self, out: &mut impl FnMut(H::Event)) -> Result<End, Self::Error> {
        while let Some(event) = self.next_at_end()? {
            out(event);
        }
        let end = self.end(out)?;
        let start = self.frame.start;
        match self.handler.close(end) {
            Ok(event) => event.into_iter().for_each(out),
            Err(error) => return Err(self.fail(FrameError::Handler { start, end: start, error })),
        }
        Ok(end)
    }

    fn held(&self) -> usize {
        self.scanner.held() + self.handler.held()
    }

    fn awaits(&self) -> Option<&Terminator> {
        Some(self.scanner.terminator())
    }

    fn offset(&self) -> u64 {
        self.frame.start
    }
}
