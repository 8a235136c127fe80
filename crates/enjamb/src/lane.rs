//! One side of a session: a framer, and the bookkeeping that every session needs.

use crate::framer::{FrameError, Framer};
use crate::handler::{End, Handler};
use crate::machine::Machine;
use crate::message::Span;
use crate::scanner::Unplaced;

/// One side of a session. Keeps where the message in progress begins, so that spans tile the stream, and
/// what the rest of the stream is once it is not framed any more.
#[derive(Clone)]
pub struct Lane<H: Handler> {
    framer: Framer<H>,
    /// Where the message in progress begins.
    start: u64,
    /// Bytes fed, holes included.
    fed: u64,
    rest: Rest,
}

/// An event, or the error that ends all framing.
type Next<H> = Result<<H as Handler>::Event, FrameError<<H as Handler>::Error>>;

/// What the bytes are that no message has claimed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// A message in progress.
    Message,
    /// Bytes of something else, as both sides agreed.
    Opaque,
    /// Whatever follows malformed bytes.
    Unparsed,
}

impl Rest {
    /// The kind of a message that is all of the rest: `opaque` or `unparsed`. `None` for a message in progress, whose
    /// kind its protocol knows.
    #[must_use]
    pub const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Message => None,
            Self::Opaque => Some("opaque"),
            Self::Unparsed => Some("unparsed"),
        }
    }
}

/// Holes are counted up to this offset.
const HOLES_MAX: u64 = 1 << 62;

/// Why bytes after a malformed message are not parsed.
pub const AFTER_MALFORMED: &str = "after a malformed message";

/// Why a message with a hole in it is incomplete.
pub const HOLE: &str = "bytes of it are missing from the capture";

impl<H: Handler> Lane<H> {
    /// At the beginning of the side's stream.
    pub fn new(handler: H) -> Self {
        Self { framer: Framer::new(handler), start: 0, fed: 0, rest: Rest::Message }
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        self.framer.handler()
    }

    /// The handler.
    pub fn handler_mut(&mut self) -> &mut H {
        self.framer.handler_mut()
    }

    /// The framer.
    pub fn framer(&self) -> &Framer<H> {
        &self.framer
    }

    /// Where the message in progress begins in the side's stream.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Nothing was fed yet, nor missing.
    pub fn is_new(&self) -> bool {
        self.fed == 0
    }

    /// What the bytes are that no message has claimed.
    pub fn rest(&self) -> Rest {
        self.rest
    }

    /// Takes bytes from the front of `chunk` up to the next event. `None`: the chunk is used up. After an error, and after
    /// [`turn_opaque`](Self::turn_opaque), all bytes belong to the rest.
    // Part of the session's loop, so that small messages are not moved through memory between the two.
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

    /// The message in progress ends at the last frame that was found: its span. The next one begins there.
    pub fn claim(&mut self) -> Span {
        self.claim_to(self.framer.offset())
    }

    /// The message in progress ends at `end`: its span. The next one begins there.
    pub fn claim_to(&mut self, end: u64) -> Span {
        let span = Span::between(self.start, end.max(self.start));
        self.start = span.end();
        span
    }

    /// All bytes that were fed and not claimed: the span of the rest, once the stream has ended or has a hole.
    /// `None` when there are none.
    pub fn claim_rest(&mut self) -> Option<Span> {
        let span = self.claim_to(self.fed);
        (span.length > 0).then_some(span)
    }

    /// What follows is not this protocol any more, as both sides agreed.
    pub fn turn_opaque(&mut self) {
        self.rest = Rest::Opaque;
    }

    /// What follows is not parsed.
    pub fn give_up(&mut self) {
        self.rest = Rest::Unparsed;
    }

    /// `missing` bytes are lost. `Ok`: the frame in progress had room for them; with what its end brings, if it
    /// was reached, as [`next`](Self::next) gives it. `Err`: nothing can be known of them. The session then [claims the rest](Self::claim_rest)
    /// and [resumes](Self::resume).
    ///
    /// # Errors
    /// The bytes cannot be placed.
    pub fn pass(&mut self, missing: u64) -> Result<Option<Next<H>>, Unplaced> {
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

    /// Goes on behind a hole of `missing` bytes, with a handler that looks for the beginning of a message.
    pub fn resume(&mut self, missing: u64, handler: H) {
        self.fed += self.countable(missing);
        self.start = self.fed;
        self.framer = Framer::at(handler, self.fed);
        self.rest = Rest::Message;
    }

    /// As much of a hole of `missing` bytes as is counted. Offsets of holes end at 2^62, which no real stream reaches: so that no sum of offsets
    /// overflows, whatever sizes of holes a session is told.
    pub fn countable(&self, missing: u64) -> u64 {
        missing.min(HOLES_MAX.saturating_sub(self.fed))
    }

    /// The stream ended: the next event that the end alone makes whole, of bytes that waited for more. Asked until there is none, before
    /// [`close`](Self::close).
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

    /// The stream ended. Gives to `out` the events that the end brings; what they do not claim is the rest.
    ///
    /// # Errors
    /// The handler's own, or the error that parsing stopped at.
    pub fn close(&mut self, out: &mut impl FnMut(H::Event)) -> Result<End, FrameError<H::Error>> {
        if self.rest != Rest::Message {
            return Ok(End::Leftover(self.fed - self.start));
        }
        self.framer.close(out)
    }

    /// Bytes held on to.
    pub fn held(&self) -> usize {
        self.framer.held()
    }
}
