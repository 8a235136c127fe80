//! The error of a stream that a framing spec cannot frame.

/// The reason why a stream cannot be framed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The length with its adjustment is negative or over 64 bits, or a gap is inside the prefix.
    #[error("the length in the prefix is impossible with its adjustment")]
    ImpossibleLength,
    /// The frame does not consist of digits, a colon, that many bytes and a comma.
    #[error("a netstring is its length in digits, a colon, that many bytes, and a comma")]
    NotANetstring,
    /// The last block of a frame lacks bytes.
    #[error("the frame ends inside a COBS block")]
    InsideABlock,
}

impl FramingError {
    /// Returns the phrase under which the error is counted.
    pub(crate) const fn phrase(self) -> &'static str {
        match self {
            Self::ImpossibleLength => "the length in the prefix is impossible",
            Self::NotANetstring => "not a netstring",
            Self::InsideABlock => "the frame ends inside a COBS block",
        }
    }
}
