//! What ends the frame in progress.

use core::num::NonZeroU64;

use crate::any_of::{AnyOf, IllegalSet};
use crate::delimiter::{Delimiter, EmptyDelimiter};

/// What ends a frame: `asynchat`'s terminator, without the values that mean something else than they say.
///
/// In `asynchat` a count of 0, `None` and an empty delimiter all silently meant "everything is data and
/// nothing is ever found", and a count became 0 once it was used up. None of these can be built here:
/// a length is not zero, a delimiter is not empty, and "to the end of the stream" has a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// The frame ends at the first whole occurrence of these bytes, which are not part of it.
    Delimiter(Delimiter),
    /// The frame ends at the first whole occurrence of any of these: the leftmost, and where several begin there the
    /// longest.
    AnyOf(AnyOf),
    /// The frame is exactly this many bytes long.
    Length(NonZeroU64),
    /// The frame is everything up to the end of the stream.
    Close,
}

impl Terminator {
    /// A frame that ends at `bytes`.
    ///
    /// # Errors
    /// [`EmptyDelimiter`] when `bytes` is empty.
    pub fn delimiter(bytes: impl AsRef<[u8]>) -> Result<Self, EmptyDelimiter> {
        Delimiter::new(bytes).map(Self::Delimiter)
    }

    /// A frame that ends at any of `delimiters`.
    ///
    /// # Errors
    /// [`IllegalSet`] when there are none, or one of them is empty.
    pub fn any_of<B: AsRef<[u8]>>(delimiters: impl IntoIterator<Item = B>) -> Result<Self, IllegalSet> {
        AnyOf::new(delimiters).map(Self::AnyOf)
    }

    /// A frame of `bytes` bytes, or `None` for a length of 0: a frame of no bytes is whole already,
    /// so there is nothing to wait for and its handler goes on at once.
    #[must_use]
    pub fn length(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).map(Self::Length)
    }

    /// A frame that ends at a line feed.
    #[must_use]
    pub fn lf() -> Self {
        Self::Delimiter(Delimiter::build(b"\n"))
    }

    /// A frame that ends at carriage return, line feed.
    #[must_use]
    pub fn crlf() -> Self {
        Self::Delimiter(Delimiter::build(b"\r\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_illegal_cannot_be_built() {
        assert_eq!(Terminator::delimiter(b""), Err(EmptyDelimiter));
        assert_eq!(Terminator::any_of([""; 0]), Err(IllegalSet::Empty));
        assert_eq!(Terminator::any_of(["\n", "", "\0"]), Err(IllegalSet::EmptyDelimiter { index: 1 }));
        assert_eq!(Terminator::length(0), None);
    }
}
