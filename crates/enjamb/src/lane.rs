//! One side of a session: a framer and the bookkeeping that every session needs.

use crate::frame_error::FrameError;
use crate::framer::Framer;
use crate::handler::{End, Handler};
use crate::machine::Machine;
use crate::message::Span;
use crate::scanner::GapError;

/// One side of a session. It stores the offset at which the message in progress begins, so that
/// spans tile the stream, and the nature of the rest of the stream once it is not framed any more.
#[derive(Clone)]
pub struct Lane<H: Handler> {
    framer: Framer<H>,
    /// The offset at which the message in progress begins.
    start: u64,
    /// The number of bytes fed, gaps included.
    fed: u64,
    rest: Rest,
}

/// An event, or the error that ends framing.
type Next<H> = Result<<H as Handler>::Event, FrameError<<H as Handler>::Error>>;

/// The nature of the bytes that no message has claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// A message in progress.
    Message,
    /// Bytes of another protocol, which both sides agreed on.
    Opaque,
    /// Bytes behind a malformed message.
    Unparsed,
}

impl Rest {
    /// Returns the kind of the message that the rest makes: `opaque` or `unparsed`. `None` for a
    /// message in progress, whose kind its protocol determines.
    #[must_use]
    pub const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Message => None,
            Self::Opaque => Some("opaque"),
            Self::Unparsed => Some("unparsed"),
        }
    }
}

/// The last offset up to which gaps are counted.
const GAP_OFFSET_MAX: u64 = 1 << 62;

/// The reason of bytes that are not parsed because a malformed message precedes them.
pub const AFTER_MALFORMED: &str = "after a malformed message";

/// The reason of a message that is incomplete because of a gap.
pub const BYTES_MISSING: &str = "bytes of it are missing from the capture";

impl<H: Handler> Lane<H> {
    /// Creates a lane at the beginning of the side's stream.
    pub fn new(handler: H) -> Self {
        Self { framer: Framer::new(handler), start: 0, fed: 0, rest: Rest::Message }
    }

    /// Returns the handler.
    pub fn handler(&self) -> &H {
        self.framer.handler()
    }

    /// Returns the handler.
    pub fn handler_mut(&mut self) -> &mut H {
        self.framer.handler_mut()
    }

    /// Returns the framer.
    pub fn framer(&self) -> &Framer<H> {
        &self.framer
    }

    /// Returns the offset at which the message in progress begins in the side's stream.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Returns whether nothing was fed and nothing was missing so far.
    pub fn is_new(&self) -> bool {
        self.fed == 0
    }

    /// Returns the nature of the unclaimed bytes.
    pub fn rest(&self) -> Rest {
        self.rest
    }

    /// Takes bytes from the front of `chunk` up to the next event. `None` means that the chunk is
    /// used up. After an error, and after [`turn_opaque`](Self::turn_opaque), all bytes belong to
    /// the rest.
    // Inlined into the session's loop, so that small messages do not move through memory.
    #[inline(always)]
    pub fn next(&mut self, chunk: &mut &[u8]) -> Option<Next<H>> {
        if self.rest != Rest::Message {
            self.fed += core::mem::take(chunk).len() as u64;
            return None;
        }
        let before = chunk.len();
        let next = self.framer.next(chunk);
        self.fed += (before - chunk.len()) as u64;
        if next.is_err() {
            self.rest = Rest::Unparsed;
        }
        next.transpose()
    }

    /// Returns whether the lane is between two messages, so that the session may read a message by
    /// itself and [skip](Self::skip_message) it.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.rest == Rest::Message && self.framer.is_at_a_beginning() && self.framer.offset() == self.start
    }

    /// Skips a whole message of `length` bytes that the session has read without the framer.
    /// Returns its span. The lane must be [between two messages](Self::is_between_messages), and is
    /// between two messages afterwards. So a session may read plain messages in a loop of its own.
    #[inline(always)]
    pub fn skip_message(&mut self, length: usize) -> Span {
        let length = length as u64;
        let span = Span { offset: self.start, length };
        self.fed += length;
        self.start = self.start.saturating_add(length);
        self.framer.skip(length);
        span
    }

    /// Ends the message in progress at the last frame that was found. Returns its span. The next
    /// message begins there.
    pub fn claim(&mut self) -> Span {
        self.claim_to(self.framer.offset())
    }

    /// Ends the message in progress at `end`. Returns its span. The next message begins there.
    pub fn claim_to(&mut self, end: u64) -> Span {
        let span = Span::between(self.start, end.max(self.start));
        self.start = span.end();
        span
    }

    /// Claims all bytes that were fed and not claimed, once the stream has ended or has a gap.
    /// `None` means that there are none.
    pub fn claim_rest(&mut self) -> Option<Span> {
        let span = self.claim_to(self.fed);
        (span.length > 0).then_some(span)
    }

    /// Marks the bytes that follow as another protocol, which both sides agreed on.
    pub fn turn_opaque(&mut self) {
        self.rest = Rest::Opaque;
    }

    /// Marks the bytes that follow as not parsed.
    pub fn give_up(&mut self) {
        self.rest = Rest::Unparsed;
    }

    /// Passes a gap of `missing` bytes inside the frame in progress. If the gap reaches the end of
    /// the frame, returns its event as [`next`](Self::next) does.
    ///
    /// # Errors
    /// [`GapError`] if the gap does not fit into the frame. The session then [claims the
    /// rest](Self::claim_rest) and [resumes](Self::resume).
    pub fn pass(&mut self, missing: u64) -> Result<Option<Next<H>>, GapError> {
        let missing = self.countable(missing);
        if self.rest == Rest::Opaque {
            self.fed += missing;
            return Ok(None);
        }
        let ended = self.framer.pass(missing)?;
        self.fed += missing;
        if ended.is_err() {
            self.rest = Rest::Unparsed;
        }
        Ok(ended.transpose())
    }

    /// Continues behind a gap of `missing` bytes, with a handler that looks for the beginning of a
    /// message.
    pub fn resume(&mut self, missing: u64, handler: H) {
        self.fed += self.countable(missing);
        self.start = self.fed;
        self.framer = Framer::at(handler, self.fed);
        self.rest = Rest::Message;
    }

    /// Returns the number of bytes of a gap that are counted. The offsets of gaps end at 2^62,
    /// which no real stream reaches, so no sum of offsets overflows for any reported gap.
    pub fn countable(&self, missing: u64) -> u64 {
        missing.min(GAP_OFFSET_MAX.saturating_sub(self.fed))
    }

    /// Returns the next event that the end of the stream completes. Call it until it returns
    /// `None`, before [`close`](Self::close).
    pub fn next_at_end(&mut self) -> Option<Next<H>> {
        if self.rest != Rest::Message {
            return None;
        }
        let next = self.framer.next_at_end();
        if next.is_err() {
            self.rest = Rest::Unparsed;
        }
        next.transpose()
    }

    /// Ends the stream. Gives the events that the end completes to `out`. The rest consists of the
    /// bytes that they do not claim.
    ///
    /// # Errors
    /// The handler's own error, or the one that stopped parsing.
    pub fn close(&mut self, out: &mut impl FnMut(H::Event)) -> Result<End, FrameError<H::Error>> {
        if self.rest != Rest::Message {
            return Ok(End::Leftover(self.fed - self.start));
        }
        self.framer.close(out)
    }

    /// Returns how many bytes the lane stores now.
    pub fn held(&self) -> usize {
        self.framer.held()
    }
}
