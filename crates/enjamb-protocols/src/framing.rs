//! The handler behind a framing spec.
//!
//! It streams: of a frame it keeps the first [`PREVIEW`] bytes, for a summary, and a count. The limit is the framer's.

use std::num::NonZeroU64;

use enjamb::{AnyOf, Delimiter, End, Found, Handler, Limit, Step, Terminator};

use crate::cobs;
use crate::line_feed::line_feed;
use crate::spec::Framing;

/// How many bytes of a frame are kept for its summary.
pub const PREVIEW: usize = 48;

/// How frames begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lines,
    Delimiter(Delimiter),
    AnyOf(AnyOf),
    Fixed(NonZeroU64),
    Prefix(Prefix),
    Varint,
    Netstring,
    Cobs,
}

impl Kind {
    /// What ends the first part of a frame.
    fn start(&self) -> Terminator {
        match self {
            Self::Lines => line_feed(),
            Self::Delimiter(delimiter) => Terminator::Delimiter(delimiter.clone()),
            Self::AnyOf(set) => Terminator::AnyOf(set.clone()),
            Self::Fixed(length) => Terminator::Length(*length),
            Self::Prefix(prefix) => Terminator::Length(prefix.width),
            Self::Varint => Terminator::Length(NonZeroU64::MIN),
            Self::Netstring => Terminator::Delimiter(Delimiter::from(b':')),
            Self::Cobs => Terminator::Delimiter(Delimiter::from(0)),
        }
    }

    /// The first part of a frame.
    fn first(&self) -> Part {
        match self {
            Self::Prefix(_) | Self::Varint | Self::Netstring => Part::Prefix,
            Self::Lines | Self::Delimiter(_) | Self::AnyOf(_) | Self::Fixed(_) | Self::Cobs => Part::Payload,
        }
    }

    /// The length that a prefix says. `None`: more of the prefix follows.
    fn length(&self, prefix: &[u8]) -> Result<Option<u64>, FramingError> {
        match self {
            Self::Varint => varint(prefix),
            Self::Netstring => digits(prefix).map(Some),
            Self::Prefix(fixed) => fixed.decode(prefix).map(Some),
            Self::Lines | Self::Delimiter(_) | Self::AnyOf(_) | Self::Fixed(_) | Self::Cobs => Ok(None),
        }
    }
}

/// The longest prefix: 20 digits, as 2^64 - 1 has.
const PREFIX_MAX: usize = 20;

/// Seven bits a byte, the lowest first; the eighth says that another byte follows. No more than 64 bits in ten bytes, as Protocol Buffers
/// have it, who write a length in front of a message so.
fn varint(bytes: &[u8]) -> Result<Option<u64>, FramingError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * u32::try_from(at).unwrap_or(u32::MAX);
        // The tenth byte has room for one bit.
        if shift > 63 || (bits << shift) >> shift != bits {
            return Err(FramingError::ImpossibleLength);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The length of a netstring (Bernstein, 1997): digits without a zero in front.
fn digits(bytes: &[u8]) -> Result<u64, FramingError> {
    let well = matches!(bytes, [b'0'] | [b'1'..=b'9', ..]) && bytes.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(bytes).ok().filter(|_| well);
    text.and_then(|text| text.parse().ok()).ok_or(FramingError::NotANetstring)
}

/// A length in front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) width: NonZeroU64,
    pub(crate) big_endian: bool,
    /// Added to the length that was read.
    pub(crate) adjust: i64,
}

impl Prefix {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let (width, big_endian) = match word {
            "u8" => (1, true),
            "u16be" => (2, true),
            "u16le" => (2, false),
            "u24be" => (3, true),
            "u24le" => (3, false),
            "u32be" => (4, true),
            "u32le" => (4, false),
            "u64be" => (8, true),
            "u64le" => (8, false),
            _ => return None,
        };
        Some(Self { width: NonZeroU64::new(width)?, big_endian, adjust: 0 })
    }

    /// The length of the frame behind the prefix.
    fn decode(self, bytes: &[u8]) -> Result<u64, FramingError> {
        let append = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = if self.big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) };
        value.checked_add_signed(self.adjust).ok_or(FramingError::ImpossibleLength)
    }
}

/// Why a stream cannot be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The length with its adjustment is less than nothing or over 2^64, or has more bits than that, or a hole in it.
    #[error("the length in the prefix is impossible with its adjustment")]
    ImpossibleLength,
    /// Not digits, a colon, as many bytes as they say, and a comma.
    #[error("a netstring is its length in digits, a colon, so many bytes, and a comma")]
    NotANetstring,
    /// The last block of a frame lacks bytes.
    #[error("the frame ends inside a COBS block")]
    InsideABlock,
}

/// One frame; what was kept of it is [`Framed::preview`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of payload, without prefix and delimiter.
    pub length: u64,
    /// Bytes of it that the stream lost.
    pub lost: u64,
}

/// Handles a stream that a [`Framing`] describes.
#[derive(Clone, Debug)]
pub struct Framed {
    kind: Kind,
    limit: Limit,
    part: Part,
    prefix: Vec<u8>,
    preview: Vec<u8>,
    /// The preview is that of a frame that was reported: the next piece begins another.
    reported: bool,
    /// The last byte of the payload so far, for the carriage return in front of a line feed; or the comma.
    last: Option<u8>,
    cobs: cobs::Decoder,
    /// The netstring whose comma is to come.
    netstring: Frame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prefix,
    Payload,
    /// The comma of a netstring.
    Comma,
}

impl Framed {
    pub(crate) fn new(framing: &Framing) -> Self {
        Self {
            kind: framing.kind.clone(),
            limit: framing.limit,
            part: framing.kind.first(),
            prefix: Vec::new(),
            preview: Vec::new(),
            reported: false,
            last: None,
            cobs: cobs::Decoder::default(),
            netstring: Frame { length: 0, lost: 0 },
        }
    }

    /// The first bytes of the frame that was reported last, or of the one in progress: at most [`PREVIEW`].
    #[must_use]
    pub fn preview(&self) -> &[u8] {
        &self.preview
    }

    /// What a frame is called: `line` or `frame`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.kind == Kind::Lines { "line" } else { "frame" }
    }

    fn begin_if_reported(&mut self) {
        if std::mem::take(&mut self.reported) {
            self.preview.clear();
            self.last = None;
        }
    }

    /// What is wrong with a frame that passes its limit, as a phrase.
    pub(crate) fn too_long(&self) -> &'static str {
        match self.part {
            // Only the digits of a netstring have a limit.
            Part::Prefix => FramingError::NotANetstring.phrase(),
            Part::Payload | Part::Comma => "the frame is longer than max",
        }
    }

    fn report(&mut self, length: u64, lost: u64) -> Step<Frame> {
        self.begin_if_reported();
        self.reported = true;
        self.part = self.kind.first();
        Step::event(Frame { length, lost })
    }

    /// A prefix is whole, or a byte of it is.
    fn prefix(&mut self, found: Found) -> Result<Step<Frame>, FramingError> {
        // A prefix with a hole in it says nothing.
        if found.lost > 0 {
            return Err(FramingError::ImpossibleLength);
        }
        let Some(length) = self.kind.length(&self.prefix)? else {
            return Ok(Step::quiet());
        };
        self.prefix.clear();
        match Terminator::length(length) {
            Some(payload) => {
                self.part = Part::Payload;
                Ok(Step::quiet().until(payload))
            }
            None if self.kind == Kind::Netstring => Ok(self.await_comma(Found { length: 0, ..found })),
            None => Ok(self.report(0, 0)),
        }
    }

    /// The payload is whole.
    fn payload(&mut self, found: Found) -> Result<Step<Frame>, FramingError> {
        let Found { length, lost, .. } = found;
        self.begin_if_reported();
        match self.kind {
            Kind::Lines if self.last == Some(b'\r') => {
                self.preview.truncate(usize::try_from(length - 1).unwrap_or(usize::MAX));
                Ok(self.report(length - 1, lost))
            }
            Kind::Netstring => Ok(self.await_comma(found)),
            Kind::Cobs => {
                let length = self.cobs.end().ok_or(FramingError::InsideABlock)?;
                Ok(self.report(length, lost))
            }
            Kind::Prefix(_) | Kind::Varint => Ok(self.report(length, lost).until(self.kind.start())),
            Kind::Lines | Kind::Delimiter(_) | Kind::AnyOf(_) | Kind::Fixed(_) => Ok(self.report(length, lost)),
        }
    }

    fn await_comma(&mut self, Found { length, lost, .. }: Found) -> Step<Frame> {
        self.begin_if_reported();
        self.netstring = Frame { length, lost };
        self.part = Part::Comma;
        Step::quiet().until(Terminator::Length(NonZeroU64::MIN))
    }

    fn comma(&mut self, found: Found) -> Result<Step<Frame>, FramingError> {
        // One that is lost may have been one.
        if found.lost == 0 && self.last != Some(b',') {
            return Err(FramingError::NotANetstring);
        }
        let Frame { length, lost } = self.netstring;
        Ok(self.report(length, lost).until(self.kind.start()))
    }
}

impl FramingError {
    /// The phrase that it is counted under.
    pub(crate) const fn phrase(self) -> &'static str {
        match self {
            Self::ImpossibleLength => "the length in the prefix is impossible",
            Self::NotANetstring => "not a netstring",
            Self::InsideABlock => "the frame ends inside a COBS block",
        }
    }
}

impl Handler for Framed {
    type Event = Frame;
    type Error = FramingError;

    fn start(&self) -> Terminator {
        self.kind.start()
    }

    fn limit(&self) -> Limit {
        match self.part {
            Part::Prefix if self.kind == Kind::Netstring => Limit::refuse(PREFIX_MAX as u64),
            Part::Prefix | Part::Comma => Limit::NONE,
            Part::Payload => self.limit,
        }
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), FramingError> {
        self.begin_if_reported();
        self.last = piece.last().copied().or(self.last);
        let (kept, most) = match self.part {
            Part::Prefix => (&mut self.prefix, PREFIX_MAX),
            Part::Payload => (&mut self.preview, PREVIEW),
            Part::Comma => return Ok(()),
        };
        let mut keep = |bytes: &[u8]| kept.extend_from_slice(&bytes[..bytes.len().min(most - kept.len())]);
        if self.kind == Kind::Cobs {
            self.cobs.piece(piece, &mut keep);
        } else {
            keep(piece);
        }
        Ok(())
    }

    fn found(&mut self, found: Found) -> Result<Step<Frame>, FramingError> {
        match self.part {
            Part::Prefix => self.prefix(found),
            Part::Payload => self.payload(found),
            Part::Comma => self.comma(found),
        }
    }

    fn at_boundary(&self) -> bool {
        self.part == self.kind.first() && self.prefix.is_empty()
    }

    fn close(&mut self, _: End) -> Result<Option<Frame>, FramingError> {
        self.begin_if_reported();
        Ok(None)
    }

    fn held(&self) -> usize {
        self.prefix.len() + if self.reported { 0 } else { self.preview.len() }
    }
}
