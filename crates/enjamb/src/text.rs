//! Frames of text whose characters may be split anywhere.
//!
//! `asynchat` passes its pieces to code that treats each of them as text, and TCP can split a
//! character as it can split anything else (E18; in `smtpd` it was a bug of its own, B14). Here the
//! bytes of an incomplete character are kept, three at most, until the rest arrives.
//!
//! Errors do not depend on the cuts either. An invalid sequence is the longest beginning of a
//! character that cannot continue, or otherwise one byte. [`core::str::Utf8Error`] counts it in the
//! same way, and `String::from_utf8_lossy` replaces it in the same way.

use core::fmt;
use core::str;

use crate::handler::{End, FrameInfo, Handler, Refusal, Step};
use crate::limit::Limit;
use crate::terminator::Terminator;

/// A protocol of UTF-8 text for one direction: a [`Handler`] whose pieces are `&str`. Make a
/// handler of one with [`Text`].
///
/// ```
/// use std::convert::Infallible;
/// use enjamb::{FrameInfo, Framer, InvalidUtf8, Machine, Step, Terminator, Text, TextHandler};
///
/// /// Counts the characters of every line.
/// struct Characters(usize);
///
/// impl TextHandler for Characters {
///     type Event = usize;
///     type Error = Infallible;
///
///     fn start(&self) -> Terminator {
///         Terminator::lf()
///     }
///     fn collect(&mut self, piece: &str) -> Result<(), Infallible> {
///         self.0 += piece.chars().count();
///         Ok(())
///     }
///     fn found(&mut self, _: FrameInfo) -> Result<Step<usize>, Infallible> {
///         Ok(Step::event(std::mem::take(&mut self.0)))
///     }
/// }
///
/// let mut counts = Vec::new();
/// let mut framer = Framer::new(Text::new(Characters(0), InvalidUtf8::Refuse));
/// for chunk in [&b"gr\xc3"[..], b"\xbc\xc3\x9f\nja\n"] {
///     framer.feed(chunk, &mut |count| counts.push(count)).unwrap();
/// }
/// assert_eq!(counts, [4, 2]);
/// ```
pub trait TextHandler {
    /// The output of the stream.
    type Event;
    /// The reason why a stream of valid text cannot continue.
    type Error: Clone;

    /// Returns the terminator of the first frame. Delimiters are bytes: one inside a character cuts
    /// it in two, and both halves are invalid.
    fn start(&self) -> Terminator;

    /// Receives the next piece of the frame in progress, at least one character.
    ///
    /// # Errors
    /// The same as [`Handler::collect`].
    fn collect(&mut self, piece: &str) -> Result<(), Self::Error>;

    /// Handles a frame that is whole. Its lengths and offsets count bytes of the stream.
    ///
    /// # Errors
    /// The same as [`Handler::found`].
    fn found(&mut self, frame: FrameInfo) -> Result<Step<Self::Event>, Self::Error>;

    /// Handles the frame's last piece, which may be empty, and its end in one call. An unsplit
    /// frame comes as one piece.
    ///
    /// # Errors
    /// The same as [`Handler::found_with`].
    fn found_with(&mut self, last: &str, frame: FrameInfo) -> Result<Step<Self::Event>, Refusal<Self::Error>> {
        if !last.is_empty() {
            self.collect(last).map_err(Refusal::Piece)?;
        }
        self.found(frame).map_err(Refusal::Frame)
    }

    /// Replaces `found` for a frame that exceeded its limit, as [`Handler::oversized`] does.
    ///
    /// # Errors
    /// The same as [`Handler::oversized`].
    fn oversized(&mut self, frame: FrameInfo) -> Result<Step<Self::Event>, Self::Error> {
        self.found(frame)
    }

    /// Returns the limit of the frame that begins now, in bytes of the stream. The policy
    /// [`Truncate`](crate::Overflow::Truncate) leaves out a character that it would cut in two.
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }

    /// Returns whether the stream may end here, as [`Handler::at_boundary`] does.
    fn at_boundary(&self) -> bool {
        true
    }

    /// Handles the end of the stream, as [`Handler::close`] does. A character that the end cut off
    /// was left out or replaced.
    ///
    /// # Errors
    /// The handler's own.
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = end;
        Ok(None)
    }

    /// Returns how many bytes the handler stores now.
    fn held(&self) -> usize {
        0
    }
}

/// The policy for bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// Return an error with their offset.
    Refuse,
    /// Replace each invalid sequence by U+FFFD.
    Replace,
}

/// The reason why a stream of text cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError<E> {
    /// Bytes that are not UTF-8.
    Invalid {
        /// The offset of the first of them in the stream.
        at: u64,
        /// Their number, 1 to 3.
        length: usize,
    },
    /// The handler's reason.
    Handler(E),
}

impl<E: fmt::Display> fmt::Display for TextError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { at, length: 1 } => write!(f, "the byte at offset {at} is not UTF-8"),
            Self::Invalid { at, length } => write!(f, "the {length} bytes at offset {at} are not UTF-8"),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for TextError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Invalid { .. } => None,
            Self::Handler(error) => error.source(),
        }
    }
}

/// A [`Handler`] that gives a [`TextHandler`] its frames as text.
#[derive(Clone, Debug)]
pub struct Text<H> {
    handler: H,
    invalid: InvalidUtf8,
    begun: PartialChar,
}

/// The bytes of an incomplete character.
#[derive(Clone, Copy, Debug, Default)]
struct PartialChar {
    bytes: [u8; 4],
    length: usize,
    /// The offset of the first of them in the stream.
    at: u64,
}

const REPLACEMENT: &str = "\u{fffd}";

impl<H: TextHandler> Text<H> {
    /// Wraps `handler`, with a policy for bytes that are not UTF-8.
    pub fn new(handler: H, invalid: InvalidUtf8) -> Self {
        Self { handler, invalid, begun: PartialChar::default() }
    }

    /// Returns the handler inside.
    pub fn inner(&self) -> &H {
        &self.handler
    }

    /// Returns the handler inside.
    pub fn inner_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Applies the policy to an invalid sequence.
    fn invalid(&mut self, at: u64, length: usize) -> Result<(), TextError<H::Error>> {
        match self.invalid {
            InvalidUtf8::Refuse => Err(TextError::Invalid { at, length }),
            InvalidUtf8::Replace => self.handler.collect(REPLACEMENT).map_err(TextError::Handler),
        }
    }

    /// Treats the incomplete character as invalid.
    fn break_off(&mut self) -> Result<(), TextError<H::Error>> {
        let PartialChar { length, at, .. } = core::mem::take(&mut self.begun);
        if length > 0 { self.invalid(at, length) } else { Ok(()) }
    }

    /// Ends a frame whose last piece is not valid text as a whole.
    #[inline(never)]
    fn end_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<H::Event>, Refusal<TextError<H::Error>>> {
        if !last.is_empty() {
            self.collect_at(last, frame.last_at(last)).map_err(Refusal::Piece)?;
        }
        if frame.dropped > 0 {
            // The limit cut the character in two, not the sender.
            self.begun = PartialChar::default();
        }
        self.break_off().map_err(|error| match error {
            TextError::Invalid { .. } => Refusal::Frame(error),
            TextError::Handler(_) => Refusal::Piece(error),
        })?;
        Ok(self.found(frame)?)
    }

    /// Decodes a piece that is not valid text as a whole.
    #[inline(never)]
    fn decode(&mut self, piece: &[u8], at: u64) -> Result<(), TextError<H::Error>> {
        let rest = self.resume(piece)?;
        let mut behind = at.saturating_add((piece.len() - rest.len()) as u64);
        let mut left = rest.len();
        for chunk in rest.utf8_chunks() {
            let (text, invalid) = (chunk.valid(), chunk.invalid());
            if !text.is_empty() {
                self.handler.collect(text).map_err(TextError::Handler)?;
            }
            behind = behind.saturating_add(text.len() as u64);
            left -= text.len() + invalid.len();
            if left == 0 && is_begun(invalid) {
                self.begun.bytes[..invalid.len()].copy_from_slice(invalid);
                self.begun.length = invalid.len();
                self.begun.at = behind;
                return Ok(());
            }
            if !invalid.is_empty() {
                self.invalid(behind, invalid.len())?;
                behind = behind.saturating_add(invalid.len() as u64);
            }
        }
        if self.begun.length == 0 {
            self.begun.at = behind;
        }
        Ok(())
    }

    /// Completes the incomplete character. Returns the bytes behind it.
    fn resume<'p>(&mut self, mut piece: &'p [u8]) -> Result<&'p [u8], TextError<H::Error>> {
        while self.begun.length > 0
            && let Some((&byte, rest)) = piece.split_first()
        {
            let PartialChar { mut bytes, length, at } = self.begun;
            bytes[length] = byte;
            match str::from_utf8(&bytes[..=length]) {
                Ok(character) => {
                    self.begun.length = 0;
                    self.handler.collect(character).map_err(TextError::Handler)?;
                }
                Err(error) if error.error_len().is_none() => self.begun = PartialChar { bytes, length: length + 1, at },
                // The byte may begin another character.
                Err(_) => {
                    self.break_off()?;
                    break;
                }
            }
            piece = rest;
        }
        Ok(piece)
    }
}

impl<H: TextHandler> Handler for Text<H> {
    type Event = H::Event;
    type Error = TextError<H::Error>;

    fn start(&self) -> Terminator {
        self.handler.start()
    }

    /// Treats a piece without an offset as one that follows the last piece.
    fn collect(&mut self, piece: &[u8]) -> Result<(), Self::Error> {
        self.collect_at(piece, self.begun.at.saturating_add(self.begun.length as u64))
    }

    fn collect_at(&mut self, piece: &[u8], at: u64) -> Result<(), Self::Error> {
        if at != self.begun.at.saturating_add(self.begun.length as u64) {
            self.break_off()?;
        }
        // Most pieces are valid text as a whole. Checking that is faster than finding an error.
        if self.begun.length == 0
            && let Ok(text) = str::from_utf8(piece)
        {
            self.begun.at = at.saturating_add(piece.len() as u64);
            return self.handler.collect(text).map_err(TextError::Handler);
        }
        self.decode(piece, at)
    }

    fn found(&mut self, frame: FrameInfo) -> Result<Step<H::Event>, Self::Error> {
        self.handler.found(frame).map_err(TextError::Handler)
    }

    #[inline]
    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<H::Event>, Refusal<Self::Error>> {
        if self.begun.length == 0
            && let Ok(text) = str::from_utf8(last)
        {
            return match self.handler.found_with(text, frame) {
                Ok(step) => Ok(step),
                Err(refused) => Err(refused.map(TextError::Handler)),
            };
        }
        self.end_with(last, frame)
    }

    fn oversized(&mut self, frame: FrameInfo) -> Result<Step<H::Event>, Self::Error> {
        self.begun = PartialChar::default();
        self.handler.oversized(frame).map_err(TextError::Handler)
    }

    fn limit(&self) -> Limit {
        self.handler.limit()
    }

    fn at_boundary(&self) -> bool {
        self.handler.at_boundary()
    }

    /// Replaces a character that the end cut off, or drops it: under [`InvalidUtf8::Refuse`] the
    /// end itself reports that the frame was cut off. A character that the limit cut off is left
    /// out, as in a frame that ended.
    fn close(&mut self, end: End) -> Result<Option<H::Event>, Self::Error> {
        let is_over = matches!(end, End::Truncated { have, .. } if have > self.handler.limit().max);
        match self.invalid {
            _ if is_over => self.begun = PartialChar::default(),
            InvalidUtf8::Refuse => self.begun = PartialChar::default(),
            InvalidUtf8::Replace => self.break_off()?,
        }
        self.handler.close(end).map_err(TextError::Handler)
    }

    fn held(&self) -> usize {
        self.begun.length + self.handler.held()
    }
}

/// Returns whether `bytes` are a character without its end.
fn is_begun(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
