//! Bulks: the announced number of bytes, and CR LF. A bulk is one frame of known length, so that a
//! gap inside it can be counted off.

use enjamb::Terminator;

use super::excerpt::Excerpt;
use super::syntax_error::SyntaxError;

const END: &[u8; 2] = b"\r\n";

/// The bulk in progress. It keeps no bytes; the excerpt keeps the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Payload {
    length: u64,
    /// The number of bytes so far, including the CR LF and lost bytes.
    at: u64,
    lost: u64,
    end_differs: bool,
    /// The fourth byte, which is a colon in a verbatim string.
    fourth: Option<u8>,
}

impl Payload {
    /// Creates a bulk of `length` bytes, at most [`BULK_MAX`](super::limits::BULK_MAX). Returns it
    /// with the terminator of its frame.
    pub(super) fn begin(length: u64) -> (Self, Option<Terminator>) {
        (Self { length, ..Self::default() }, Terminator::length(length + END.len() as u64))
    }

    /// Returns the part of `piece`, the last one received, that is text of the bulk.
    pub(super) fn text_of<'p>(&self, piece: &'p [u8]) -> &'p [u8] {
        let beyond = self.at.saturating_sub(self.length);
        let end = usize::try_from(beyond).map_or(0, |beyond| piece.len().saturating_sub(beyond));
        &piece[..end]
    }

    pub(super) fn piece<const V: usize, const T: usize>(&mut self, piece: &[u8], excerpt: &mut Excerpt<V, T>) {
        let room = self.length.saturating_sub(self.at);
        let (text, end) = match usize::try_from(room) {
            Ok(room) if room < piece.len() => piece.split_at(room),
            _ => (piece, &[][..]),
        };
        if self.at <= 3 && !text.is_empty() {
            self.fourth = self.fourth.or(text.get(3 - self.at as usize).copied());
        }
        if !text.is_empty() {
            excerpt.text(text);
            self.at += text.len() as u64;
        }
        for &byte in end {
            let expected = usize::try_from(self.at - self.length).ok().and_then(|at| END.get(at));
            self.end_differs |= expected != Some(&byte);
            self.at += 1;
        }
    }

    /// Counts `missing` bytes as lost here.
    pub(super) fn lose<const V: usize, const T: usize>(&mut self, missing: u64, excerpt: &mut Excerpt<V, T>) {
        let text = missing.min(self.length.saturating_sub(self.at));
        if text > 0 {
            excerpt.lose(text);
        }
        self.at += missing;
        self.lost += missing;
    }

    /// Ends the frame. Checks that CR LF follows the bulk.
    pub(super) fn end(&self) -> Result<(), SyntaxError> {
        if self.end_differs { Err(SyntaxError::BulkEnd) } else { Ok(()) }
    }

    /// Returns whether it begins as a verbatim string: with three letters of format and a colon.
    pub(super) fn is_verbatim(&self) -> bool {
        self.lost > 0 || self.fourth == Some(b':')
    }
}
