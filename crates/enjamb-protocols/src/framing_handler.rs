//! The handler behind a framing spec.
//!
//! It streams: it keeps only a count and the first [`PREVIEW_MAX`] bytes of a frame, for a summary.
//! The framer applies the limit.

use std::num::NonZeroU64;

use enjamb::{End, FrameInfo, Handler, Limit, Step, Terminator};

use crate::cobs;
use crate::framing::{FrameForm, Framing, PREFIX_MAX, Part};
use crate::framing_error::FramingError;

/// The maximum number of bytes of a frame that are kept for its summary.
pub const PREVIEW_MAX: usize = 48;

/// A frame. [`FramingHandler::preview`] returns its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of payload, without prefix and delimiter.
    pub length: u64,
    /// Bytes of it that were lost to gaps.
    pub lost: u64,
}

impl Framing {
    /// Returns a handler for one stream.
    #[must_use]
    pub fn handler(&self) -> FramingHandler {
        FramingHandler::new(self)
    }
}

/// A handler for a stream that a [`Framing`] describes.
#[derive(Clone, Debug)]
pub struct FramingHandler {
    form: FrameForm,
    limit: Limit,
    part: Part,
    prefix: Vec<u8>,
    preview: Vec<u8>,
    /// Whether the preview belongs to a reported frame. The next piece begins another.
    reported: bool,
    /// The last byte so far: it shows the CR before an LF, and the comma.
    last: Option<u8>,
    cobs: cobs::Decoder,
    /// The netstring whose comma is still to come.
    netstring: Frame,
}

impl FramingHandler {
    pub(crate) fn new(framing: &Framing) -> Self {
        Self {
            form: framing.form.clone(),
            limit: framing.limit,
            part: framing.form.first(),
            prefix: Vec::new(),
            preview: Vec::new(),
            reported: false,
            last: None,
            cobs: cobs::Decoder::default(),
            netstring: Frame { length: 0, lost: 0 },
        }
    }

    /// Returns the first bytes of the frame that was reported last, or of the one in progress: at
    /// most [`PREVIEW_MAX`].
    #[must_use]
    pub fn preview(&self) -> &[u8] {
        &self.preview
    }

    /// Returns the kind of its messages: `line` or `frame`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.form == FrameForm::Lines { "line" } else { "frame" }
    }

    fn begin_if_reported(&mut self) {
        if std::mem::take(&mut self.reported) {
            self.preview.clear();
            self.last = None;
        }
    }

    /// Returns the phrase for a frame that exceeds its limit.
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
        self.part = self.form.first();
        Step::event(Frame { length, lost })
    }

    /// Handles a prefix that is whole, or one byte of a varint.
    fn prefix(&mut self, found: FrameInfo) -> Result<Step<Frame>, FramingError> {
        // A prefix with a gap in it has no value.
        if found.lost > 0 {
            return Err(FramingError::ImpossibleLength);
        }
        let Some(length) = self.form.length(&self.prefix)? else {
            return Ok(Step::quiet());
        };
        self.prefix.clear();
        match Terminator::length(length) {
            Some(payload) => {
                self.part = Part::Payload;
                Ok(Step::quiet().until(payload))
            }
            None if self.form == FrameForm::Netstring => Ok(self.await_comma(FrameInfo { length: 0, ..found })),
            None => Ok(self.report(0, 0)),
        }
    }

    /// Handles a payload that is whole.
    fn payload(&mut self, found: FrameInfo) -> Result<Step<Frame>, FramingError> {
        let FrameInfo { length, lost, .. } = found;
        self.begin_if_reported();
        match self.form {
            FrameForm::Lines if self.last == Some(b'\r') => {
                self.preview.truncate(usize::try_from(length - 1).unwrap_or(usize::MAX));
                Ok(self.report(length - 1, lost))
            }
            FrameForm::Netstring => Ok(self.await_comma(found)),
            FrameForm::Cobs => {
                let length = self.cobs.end().ok_or(FramingError::InsideABlock)?;
                Ok(self.report(length, lost))
            }
            FrameForm::Prefix(_) | FrameForm::Varint => Ok(self.report(length, lost).until(self.form.start())),
            FrameForm::Lines | FrameForm::Delimiter(_) | FrameForm::AnyOf(_) | FrameForm::Fixed(_) => {
                Ok(self.report(length, lost))
            }
        }
    }

    fn await_comma(&mut self, FrameInfo { length, lost, .. }: FrameInfo) -> Step<Frame> {
        self.begin_if_reported();
        self.netstring = Frame { length, lost };
        self.part = Part::Comma;
        Step::quiet().until(Terminator::Length(NonZeroU64::MIN))
    }

    fn comma(&mut self, found: FrameInfo) -> Result<Step<Frame>, FramingError> {
        // A lost byte may have been the comma.
        if found.lost == 0 && self.last != Some(b',') {
            return Err(FramingError::NotANetstring);
        }
        let Frame { length, lost } = self.netstring;
        Ok(self.report(length, lost).until(self.form.start()))
    }
}

impl Handler for FramingHandler {
    type Event = Frame;
    type Error = FramingError;

    fn start(&self) -> Terminator {
        self.form.start()
    }

    fn limit(&self) -> Limit {
        match self.part {
            Part::Prefix if self.form == FrameForm::Netstring => Limit::refuse(PREFIX_MAX as u64),
            Part::Prefix | Part::Comma => Limit::NONE,
            Part::Payload => self.limit,
        }
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), FramingError> {
        self.begin_if_reported();
        self.last = piece.last().copied().or(self.last);
        let (kept, most) = match self.part {
            Part::Prefix => (&mut self.prefix, PREFIX_MAX),
            Part::Payload => (&mut self.preview, PREVIEW_MAX),
            Part::Comma => return Ok(()),
        };
        let mut keep = |bytes: &[u8]| kept.extend_from_slice(&bytes[..bytes.len().min(most - kept.len())]);
        if self.form == FrameForm::Cobs {
            self.cobs.piece(piece, &mut keep);
        } else {
            keep(piece);
        }
        Ok(())
    }

    fn found(&mut self, found: FrameInfo) -> Result<Step<Frame>, FramingError> {
        match self.part {
            Part::Prefix => self.prefix(found),
            Part::Payload => self.payload(found),
            Part::Comma => self.comma(found),
        }
    }

    fn at_boundary(&self) -> bool {
        self.part == self.form.first() && self.prefix.is_empty()
    }

    fn close(&mut self, _: End) -> Result<Option<Frame>, FramingError> {
        self.begin_if_reported();
        Ok(None)
    }

    fn held(&self) -> usize {
        self.prefix.len() + if self.reported { 0 } else { self.preview.len() }
    }
}
