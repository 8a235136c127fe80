//! Frames of text whose characters may be split anywhere.
//!
//! `asynchat` handed its pieces to code that took each of them for text, and TCP cuts a character in two as readily as anything else (E18; in
//! `smtpd` it was a bug of its own, B14). Here the bytes of a character that is not whole yet are kept, three at most, until the rest of it has come.
//!
//! What is wrong with a text does not depend on the cuts either: the invalid sequence is the longest beginning of a character that nothing can
//! follow up, or else one byte, as [`core::str::Utf8Error`] counts it and as `String::from_utf8_lossy` replaces it.

use core::fmt;
use core::str;

use crate::handler::{End, Found, Handler, Refused, Step};
use crate::limit::Limit;
use crate::terminator::Terminator;

/// What a protocol of UTF-8 text is written as: a [`Handler`] whose pieces are `&str`. Make a handler of one with [`Text`].
///
/// ```
/// use std::convert::Infallible;
/// use enjamb::{Found, Framer, Invalid, Machine, Step, Terminator, Text, TextHandler};
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
///     fn found(&mut self, _: Found) -> Result<Step<usize>, Infallible> {
///         Ok(Step::event(std::mem::take(&mut self.0)))
///     }
/// }
///
/// let mut counts = Vec::new();
/// let mut framer = Framer::new(Text::new(Characters(0), Invalid::Refuse));
/// for chunk in [&b"gr\xc3"[..], b"\xbc\xc3\x9f\nja\n"] {
///     framer.feed(chunk, &mut |count| counts.push(count)).unwrap();
/// }
/// assert_eq!(counts, [4, 2]);
/// ```
pub trait TextHandler {
    /// What comes of the stream.
    type Event;
    /// Why the stream cannot go on, when its text is valid.
    type Error: Clone;

    /// What ends the first frame. Delimiters are bytes: one that may lie inside a character cuts it in two, and both halves are invalid.
    fn start(&self) -> Terminator;

    /// The next piece of the frame in progress, of one character at least.
    ///
    /// # Errors
    /// As for [`Handler::collect`].
    fn collect(&mut self, piece: &str) -> Result<(), Self::Error>;

    /// The frame is whole. Its lengths and offsets are those of the stream, in bytes.
    ///
    /// # Errors
    /// As for [`Handler::found`].
    fn found(&mut self, frame: Found) -> Result<Step<Self::Event>, Self::Error>;

    /// The frame's last piece, perhaps empty, and its end in one call; all of the frame when it was not split.
    ///
    /// # Errors
    /// As for [`Handler::found_with`].
    fn found_with(&mut self, last: &str, frame: Found) -> Result<Step<Self::Event>, Refused<Self::Error>> {
        if !last.is_empty() {
            self.collect(last).map_err(Refused::Piece)?;
        }
        self.found(frame).map_err(Refused::Frame)
    }

    /// As [`Handler::oversized`].
    ///
    /// # Errors
    /// As for [`Handler::oversized`].
    fn oversized(&mut self, frame: Found) -> Result<Step<Self::Event>, Self::Error> {
        self.found(frame)
    }

    /// How long the frame that begins now may be, in bytes of the stream. A character that a policy of
    /// [`Truncate`](crate::Overflow::Truncate) would cut in two is left out.
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }

    /// As [`Handler::at_boundary`].
    fn at_boundary(&self) -> bool {
        true
    }

    /// As [`Handler::close`]. A character that the end cut off was left out, or replaced.
    ///
    /// # Errors
    /// The handler's own.
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Self::Error> {
        let _ = end;
        Ok(None)
    }

    /// Bytes that the handler holds on to now.
    fn held(&self) -> usize {
        0
    }
}

/// What happens to bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// An error, with their place in the stream.
    Refuse,
    /// U+FFFD stands for each invalid sequence.
    Replace,
}

/// Why a stream of text cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError<E> {
    /// Bytes that are not UTF-8.
    Invalid {
        /// Where in the stream the first of them is.
        at: u64,
        /// How many they are, 1 to 3.
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

impl<E: core::error::Error> core::error::Error for TextError<E> {}

/// A [`Handler`] that gives a [`TextHandler`] its frames as text.
#[derive(Clone, Debug)]
pub struct Text<H> {
    handler: H,
    invalid: Invalid,
    begun: Begun,
}

/// The bytes of a character that is not whole yet.
#[derive(Clone, Copy, Debug, Default)]
struct Begun {
    bytes: [u8; 4],
    length: usize,
    /// Where in the stream the first of them is.
    at: u64,
}

const REPLACEMENT: &str = "\u{fffd}";

impl<H: TextHandler> Text<H> {
    /// Text for `handler`, and what becomes of bytes that are none.
    pub fn new(handler: H, invalid: Invalid) -> Self {
        Self { handler, invalid, begun: Begun::default() }
    }

    /// The handler inside.
    pub fn inner(&self) -> &H {
        &self.handler
    }

    /// The handler inside.
    pub fn inner_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Bytes that are no text and never will be.
    fn invalid(&mut self, at: u64, length: usize) -> Result<(), TextError<H::Error>> {
        match self.invalid {
            Invalid::Refuse => Err(TextError::Invalid { at, length }),
            Invalid::Replace => self.handler.collect(REPLACEMENT).map_err(TextError::Handler),
        }
    }

    /// Nothing follows a character that was begun.
    fn break_off(&mut self) -> Result<(), TextError<H::Error>> {
        let Begun { length, at, .. } = core::mem::take(&mut self.begun);
        if length > 0 { self.invalid(at, length) } else { Ok(()) }
    }

    /// A frame whose last piece is not text from end to end.
    #[inline(never)]
    fn end_with(&mut self, last: &[u8], frame: Found) -> Result<Step<H::Event>, Refused<TextError<H::Error>>> {
        if !last.is_empty() {
            self.collect_at(last, frame.last_at(last)).map_err(Refused::Piece)?;
        }
        if frame.dropped > 0 {
            // The limit cut it in two, and not whoever wrote it.
            self.begun = Begun::default();
        }
        self.break_off().map_err(|error| match error {
            TextError::Invalid { .. } => Refused::Frame(error),
            TextError::Handler(_) => Refused::Piece(error),
        })?;
        Ok(self.found(frame)?)
    }

    /// A piece that is not text from end to end.
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

    /// Goes on with the character that was begun, and gives back what follows it.
    fn resume<'p>(&mut self, mut piece: &'p [u8]) -> Result<&'p [u8], TextError<H::Error>> {
        while self.begun.length > 0
            && let Some((&byte, rest)) = piece.split_first()
        {
            let Begun { mut bytes, length, at } = self.begun;
            bytes[length] = byte;
            match str::from_utf8(&bytes[..=length]) {
                Ok(character) => {
                    self.begun.length = 0;
                    self.handler.collect(character).map_err(TextError::Handler)?;
                }
                Err(error) if error.error_len().is_none() => self.begun = Begun { bytes, length: length + 1, at },
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

    /// The framer says where a piece lies; without that it is taken to follow what was collected.
    fn collect(&mut self, piece: &[u8]) -> Result<(), Self::Error> {
        self.collect_at(piece, self.begun.at.saturating_add(self.begun.length as u64))
    }

    fn collect_at(&mut self, piece: &[u8], at: u64) -> Result<(), Self::Error> {
        if at != self.begun.at.saturating_add(self.begun.length as u64) {
            self.break_off()?;
        }
        // Most pieces are text from end to end, which is seen faster than where it is not.
        if self.begun.length == 0
            && let Ok(text) = str::from_utf8(piece)
        {
            self.begun.at = at.saturating_add(piece.len() as u64);
            return self.handler.collect(text).map_err(TextError::Handler);
        }
        self.decode(piece, at)
    }

    fn found(&mut self, frame: Found) -> Result<Step<H::Event>, Self::Error> {
        self.handler.found(frame).map_err(TextError::Handler)
    }

    #[inline]
    fn found_with(&mut self, last: &[u8], frame: Found) -> Result<Step<H::Event>, Refused<Self::Error>> {
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

    fn oversized(&mut self, frame: Found) -> Result<Step<H::Event>, Self::Error> {
        self.begun = Begun::default();
        self.handler.oversized(frame).map_err(TextError::Handler)
    }

    fn limit(&self) -> Limit {
        self.handler.limit()
    }

    fn at_boundary(&self) -> bool {
        self.handler.at_boundary()
    }

    /// A character that the end cut off is replaced where the policy is to replace; where it is to refuse, the end says that its frame was cut off.
    fn close(&mut self, end: End) -> Result<Option<H::Event>, Self::Error> {
        match self.invalid {
            Invalid::Refuse => self.begun = Begun::default(),
            Invalid::Replace => self.break_off()?,
        }
        self.handler.close(end).map_err(TextError::Handler)
    }

    fn held(&self) -> usize {
        self.begun.length + self.handler.held()
    }
}

/// Is this a character without its end?
fn is_begun(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
