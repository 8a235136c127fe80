//! The engine: a scanner and a handler together.

use crate::frame::Frame;
use crate::frame_error::FrameError;
use crate::handler::{End, FrameInfo, Glance, Handler, Next, Refusal, Step};
use crate::limit::{Limit, Overflow};
use crate::machine::Machine;
use crate::scanner::{GapError, Scanner};
use crate::terminator::Terminator;
use crate::token::{FrameEnd, RawToken};

/// Drives a [`Handler`] over a stream: `async_chat.handle_read` without the socket.
#[derive(Clone, Debug)]
pub struct Framer<H: Handler> {
    scanner: Scanner,
    handler: H,
    state: State<H::Error>,
    frame: Frame,
}

#[derive(Clone, Debug)]
enum State<E> {
    Framing,
    /// The handler stopped. Contains the number of bytes since then.
    Stopped(u64),
    Failed(FrameError<E>),
}

impl<H: Handler> Framer<H> {
    /// Creates a framer at the beginning of a stream.
    pub fn new(handler: H) -> Self {
        Self::at(handler, 0)
    }

    /// Creates a framer at `offset` of a stream, where a frame is known to begin: behind a gap, or
    /// behind another protocol.
    ///
    /// Offsets are exact up to 2^64 - 1. Beyond it they stay at that value, and framing continues.
    pub fn at(handler: H, offset: u64) -> Self {
        let terminator = handler.start();
        let frame = Frame::new(offset, handler.limit());
        let mut framer = Self { scanner: Scanner::new(terminator), handler, state: State::Framing, frame };
        framer.refuse_announced();
        framer
    }

    /// Returns the handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Returns the handler, to change its collected data. [`set_terminator`](Self::set_terminator)
    /// changes the terminator.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Returns the handler and drops the rest.
    pub fn into_handler(self) -> H {
        self.handler
    }

    /// Changes the terminator of the frame in progress, from outside of `found`. Bytes that were
    /// held back as the possible beginning of the old terminator are scanned again under the new
    /// one by the next call of [`next`](Machine::next), even with an empty chunk. (`asynchat` waits
    /// for the next read: M5 to M7.)
    pub fn set_terminator(&mut self, terminator: Terminator) {
        self.scanner.set(terminator);
        self.refuse_announced();
    }

    /// Returns whether the handler stopped. The call of [`next`](Machine::next) that stopped leaves
    /// the bytes that follow in the chunk, except the [held bytes](Self::held_bytes) before them. A
    /// driver may take them; otherwise they count as leftover.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped(_))
    }

    /// Returns the bytes that were fed and not delivered, since they may be part of a delimiter.
    /// When the stream ends they are payload. When the handler stopped they are the first bytes of
    /// the leftover, and there are some only if an [`AnyOf`](crate::AnyOf) had to read ahead.
    pub fn held_bytes(&self) -> &[u8] {
        self.scanner.held_bytes()
    }

    /// Returns how many bytes the frame in progress still wants, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        self.scanner.remaining()
    }

    /// Returns whether the stream is framed, and no byte of the frame in progress was read.
    #[inline]
    pub(crate) fn is_at_a_beginning(&self) -> bool {
        matches!(self.state, State::Framing) && self.frame.length == 0 && self.scanner.is_at_a_beginning()
    }

    /// Moves the beginning of the frame in progress behind `length` bytes that its owner has read,
    /// where the framer [is at a beginning](Self::is_at_a_beginning).
    #[inline(always)]
    pub(crate) fn skip(&mut self, length: u64) {
        self.frame.start = self.frame.start.saturating_add(length);
    }

    /// Passes a gap of `missing` bytes. A frame of known length with room for them counts them as
    /// lost payload; those beyond its limit count as dropped. Returns the event of the frame's end,
    /// if the gap reaches it.
    ///
    /// # Errors
    /// [`GapError`] where the gap cannot be placed, and after the machine has failed or stopped.
    /// The machine is unchanged then. The inner error is that of [`next`](Machine::next).
    pub fn pass(&mut self, missing: u64) -> Result<NextEvent<H>, GapError> {
        if !matches!(self.state, State::Framing) {
            return Err(GapError);
        }
        let complete = self.scanner.pass(missing)?;
        if self.frame.lose(missing) {
            return Ok(Err(self.fail(self.frame.too_long())));
        }
        if !complete {
            return Ok(Ok(None));
        }
        let result = end_of_frame(&mut self.handler, &self.frame, &[], FrameEnd::NONE);
        Ok(self.settle(result))
    }

    /// The loop of [`next`](Machine::next). Only the common case is written out here: a frame or a
    /// piece that lies in the chunk and is within its limit. Everything else is a call, so that the
    /// common case stays in registers.
    #[inline(always)]
    fn advance(&mut self, chunk: &mut &[u8]) -> NextEvent<H> {
        while matches!(self.state, State::Framing) {
            if self.frame.length == 0
                && !chunk.is_empty()
                && self.scanner.is_at_a_beginning()
                && let Some(Glance { taken, step }) = self.handler.glance(chunk)
                && let Some((taken, rest)) = chunk.split_at_checked(taken.get())
            {
                *chunk = rest;
                let event = self.step(step, self.frame.start.saturating_add(taken.len() as u64));
                if event.is_some() {
                    return Ok(event);
                }
                continue;
            }
            let event = match self.scanner.take_at_once(chunk) {
                Some(RawToken { piece, ended }) if self.frame.has_room_for(piece) => match ended {
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
                    Some(event) => event?,
                    None => return Ok(None),
                },
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        self.after(chunk)
    }

    /// Delivers any token. Returns nothing for a piece, an event or nothing for the end of a frame,
    /// or an error for good.
    #[inline(never)]
    fn deliver(&mut self, RawToken { piece, ended }: RawToken<'_>) -> NextEvent<H> {
        let Self { handler, frame, .. } = self;
        let result = deliver(handler, frame, piece, ended);
        self.settle(result)
    }

    #[inline(never)]
    fn take_and_deliver(&mut self, chunk: &mut &[u8]) -> Option<NextEvent<H>> {
        let RawToken { piece, ended } = self.scanner.take(chunk)?;
        let result = deliver(&mut self.handler, &mut self.frame, piece, ended);
        Some(self.settle(result))
    }

    fn settle(&mut self, result: FrameResult<H>) -> NextEvent<H> {
        match result {
            Ok(Some((step, end))) => Ok(self.step(step, end)),
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Ends the frame and puts the next terminator in force.
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

    /// Fails because the handler refused a frame, or a piece of it.
    #[cold]
    fn refused(&mut self, refused: Refusal<H::Error>, FrameInfo { start, end, .. }: FrameInfo) -> FrameError<H::Error> {
        self.fail(match refused {
            Refusal::Piece(error) => FrameError::Handler { start, end: start, error },
            Refusal::Frame(error) => FrameError::Handler { start, end, error },
        })
    }

    /// Refuses a frame whose announced length is over the limit, before its first byte.
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

    /// Returns the next event that the end of the stream completes, from bytes that were held. A
    /// driver that looks at the handler between two events calls this until it returns `None`, then
    /// [closes](Machine::close). Other drivers only close.
    ///
    /// # Errors
    /// The same as [`next`](Machine::next).
    pub fn next_at_end(&mut self) -> Result<Option<H::Event>, FrameError<H::Error>> {
        loop {
            match &self.state {
                State::Framing => {}
                State::Stopped(_) => return Ok(None),
                State::Failed(error) => return Err(error.clone()),
            }
            let Some(RawToken { piece, ended }) = self.scanner.take_at_end() else {
                return Ok(None);
            };
            let result = deliver(&mut self.handler, &mut self.frame, piece, ended);
            if let Some(event) = self.settle(result)? {
                return Ok(Some(event));
            }
        }
    }

    /// Returns the state in which the stream ended, once all held bytes were delivered. A frame
    /// that ends with the stream is found here.
    fn end(&mut self, out: &mut impl FnMut(H::Event)) -> Result<End, FrameError<H::Error>> {
        match self.state {
            State::Framing if *self.scanner.terminator() == Terminator::Close => {
                let result = end_of_frame(&mut self.handler, &self.frame, &[], FrameEnd::NONE);
                self.settle(result)?.into_iter().for_each(out);
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

    /// Returns the result of a machine that no longer frames.
    #[cold]
    fn after(&mut self, chunk: &mut &[u8]) -> NextEvent<H> {
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

/// An event, nothing yet, or the final error.
type NextEvent<H> = Result<Option<<H as Handler>::Event>, FrameError<<H as Handler>::Error>>;

/// The result of a token: nothing for a piece; a step and the offset of its end for the end of a
/// frame.
type FrameResult<H> = Result<Option<(Step<<H as Handler>::Event>, u64)>, FrameError<<H as Handler>::Error>>;

/// Gives a token to the handler, up to the limit. Refuses the frame if the token passes the limit
/// and the policy requires that. The handler gets the bytes within the limit first, so its input
/// does not depend on the cuts.
fn deliver<H: Handler>(handler: &mut H, frame: &mut Frame, piece: &[u8], ended: Option<FrameEnd>) -> FrameResult<H> {
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

fn end_of_frame<H: Handler>(handler: &mut H, frame: &Frame, last: &[u8], ended: FrameEnd) -> FrameResult<H> {
    let found = frame.found(ended);
    let step = if frame.is_skipped() {
        collect(handler, frame, last, found.last_at(last))?;
        handler.oversized(found).map_err(Refusal::Frame)
    } else {
        handler.found_with(last, found)
    };
    let FrameInfo { start, end, .. } = found;
    match step {
        Ok(step) => Ok(Some((step, end))),
        Err(Refusal::Piece(error)) => Err(FrameError::Handler { start, end: start, error }),
        Err(Refusal::Frame(error)) => Err(FrameError::Handler { start, end, error }),
    }
}

impl<H: Handler> Machine for Framer<H> {
    type Event = H::Event;
    type Error = FrameError<H::Error>;

    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<H::Event>, Self::Error> {
        self.advance(chunk)
    }

    /// Contains the loop of [`next`](Self::next), so that an event does not pass through memory.
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
