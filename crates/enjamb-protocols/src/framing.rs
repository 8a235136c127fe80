//! The handler behind a framing spec.
//!
//! It streams: of a frame it keeps the first [`PREVIEW`] bytes, for a summary, and a count. The limit is the framer's.

use std::num::NonZeroU64;

use enjamb::{AnyOf, Delimiter, End, Found, Handler, Limit, Step, Terminator};

use crate::spec::Framing;

/// How many bytes of a frame are kept for its summary.
pub const PREVIEW: usize = 48;

/// How frames end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lines,
    Delimiter(Delimiter),
    AnyOf(AnyOf),
    Fixed(NonZeroU64),
    Prefix(Prefix),
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
    /// The length with its adjustment is less than nothing, or over 2^64.
    #[error("the length in the prefix is impossible with its adjustment")]
    ImpossibleLength,
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
    /// The last byte of the payload so far, for the carriage return in front of a line feed.
    last: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prefix,
    Payload,
}

impl Framed {
    pub(crate) fn new(framing: &Framing) -> Self {
        let part = if matches!(framing.kind, Kind::Prefix(_)) { Part::Prefix } else { Part::Payload };
        Self {
            kind: framing.kind.clone(),
            limit: framing.limit,
            part,
            prefix: Vec::new(),
            preview: Vec::new(),
            reported: false,
            last: None,
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

    fn report(&mut self, found: Found) -> Step<Frame> {
        self.begin_if_reported();
        self.reported = true;
        let mut length = found.length;
        if self.kind == Kind::Lines && self.last == Some(b'\r') {
            length -= 1;
            self.preview.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        }
        Step::event(Frame { length, lost: found.lost })
    }
}

impl Handler for Framed {
    type Event = Frame;
    type Error = FramingError;

    fn start(&self) -> Terminator {
        match &self.kind {
            Kind::Lines => Terminator::lf(),
            Kind::Delimiter(delimiter) => Terminator::Delimiter(delimiter.clone()),
            Kind::AnyOf(set) => Terminator::AnyOf(set.clone()),
            Kind::Fixed(length) => Terminator::Length(*length),
            Kind::Prefix(prefix) => Terminator::Length(prefix.width),
        }
    }

    fn limit(&self) -> Limit {
        match self.part {
            Part::Prefix => Limit::NONE,
            Part::Payload => self.limit,
        }
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), FramingError> {
        self.begin_if_reported();
        let (kept, most) = match self.part {
            Part::Prefix => (&mut self.prefix, 8),
            Part::Payload => (&mut self.preview, PREVIEW),
        };
        kept.extend_from_slice(&piece[..piece.len().min(most - kept.len())]);
        self.last = piece.last().copied().or(self.last);
        Ok(())
    }

    fn found(&mut self, found: Found) -> Result<Step<Frame>, FramingError> {
        let Kind::Prefix(prefix) = self.kind else {
            return Ok(self.report(found));
        };
        match self.part {
            Part::Prefix => {
                // A prefix with a hole in it says nothing.
                if found.lost > 0 {
                    return Err(FramingError::ImpossibleLength);
                }
                let length = prefix.decode(&self.prefix);
                self.prefix.clear();
                match Terminator::length(length?) {
                    Some(payload) => {
                        self.part = Part::Payload;
                        Ok(Step::quiet().until(payload))
                    }
                    None => Ok(self.report(Found { length: 0, ..found })),
                }
            }
            Part::Payload => {
                self.part = Part::Prefix;
                Ok(self.report(found).until(Terminator::Length(prefix.width)))
            }
        }
    }

    fn at_boundary(&self) -> bool {
        self.part == Part::Prefix || !matches!(self.kind, Kind::Prefix(_))
    }

    fn close(&mut self, _: End) -> Result<Option<Frame>, FramingError> {
        self.begin_if_reported();
        Ok(None)
    }

    fn held(&self) -> usize {
        self.prefix.len() + if self.reported { 0 } else { self.preview.len() }
    }
}
