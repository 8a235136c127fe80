//! Tokens: the output of the scanner.

use core::ops::Range;

/// The result of [`Scanner::next`](crate::Scanner::next). Its payload is borrowed from the chunk,
/// or from the delimiter if held bytes turned out to be payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Payload of the frame in progress, never empty. More of the frame follows.
    Piece(&'a [u8]),
    /// The last payload of the frame, which may be empty. The frame ends behind it.
    Last(&'a [u8]),
}

/// A token before its payload is borrowed.
pub(crate) struct Cut {
    pub(crate) source: Source,
    pub(crate) ended: Option<FrameEnd>,
}

pub(crate) enum Source {
    /// This range of the text of the terminator in force.
    Held(Range<usize>),
    /// The first bytes of the chunk.
    Chunk(usize),
}

/// The end of a frame: the index of its delimiter in a set, and the number of bytes that the
/// delimiter takes.
#[derive(Clone, Copy)]
pub(crate) struct FrameEnd {
    pub(crate) delimiter: usize,
    pub(crate) width: usize,
}

impl FrameEnd {
    /// An end without a delimiter.
    pub(crate) const NONE: Self = Self { delimiter: 0, width: 0 };
}

/// A token, with the end of the frame if it has one.
#[derive(Clone, Copy)]
pub(crate) struct RawToken<'a> {
    pub(crate) piece: &'a [u8],
    pub(crate) ended: Option<FrameEnd>,
}

impl<'a> RawToken<'a> {
    /// Returns the same token before it is borrowed, as the first bytes of a chunk.
    pub(crate) fn cut(self) -> Cut {
        Cut { source: Source::Chunk(self.piece.len()), ended: self.ended }
    }

    pub(crate) fn token(self) -> Token<'a> {
        if self.ended.is_some() { Token::Last(self.piece) } else { Token::Piece(self.piece) }
    }
}
