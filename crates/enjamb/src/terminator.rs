//! Terminators: the ends of frames.

use core::num::NonZeroU64;

use crate::any_of::{AnyOf, IllegalSet};
use crate::delimiter::{Delimiter, EmptyDelimiter};

/// The end of a frame: `asynchat`'s terminator, without its misleading values.
///
/// In `asynchat` a count of 0, `None` and an empty delimiter all silently mean "everything is data,
/// nothing is ever found", and a count becomes 0 once it is used up. None of these can be built
/// here: a length is not zero, a delimiter is not empty, and "to the end of the stream" has its own
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// The frame ends at the first whole occurrence of these bytes, which are not part of it.
    Delimiter(Delimiter),
    /// The frame ends at the first whole occurrence of any of these: the leftmost one, and the
    /// longest of those that begin there.
    AnyOf(AnyOf),
    /// The frame is exactly this many bytes long.
    Length(NonZeroU64),
    /// The frame is everything up to the end of the stream.
    Close,
}

impl Terminator {
    /// Creates a terminator for frames that end at `bytes`.
    ///
    /// # Errors
    /// [`EmptyDelimiter`] if `bytes` is empty.
    pub fn delimiter(bytes: impl AsRef<[u8]>) -> Result<Self, EmptyDelimiter> {
        Delimiter::new(bytes).map(Self::Delimiter)
    }

    /// Creates a terminator for frames that end at any of `delimiters`.
    ///
    /// # Errors
    /// [`IllegalSet`] if there are none, or one of them is empty.
    pub fn any_of<B: AsRef<[u8]>>(delimiters: impl IntoIterator<Item = B>) -> Result<Self, IllegalSet> {
        AnyOf::new(delimiters).map(Self::AnyOf)
    }

    /// Creates a terminator for frames of `bytes` bytes. `None` for 0: a frame of no bytes is whole
    /// already, so its handler continues at once.
    #[must_use]
    pub fn length(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).map(Self::Length)
    }

    /// Creates a terminator for frames that end at LF. With the feature `std` its tables are built
    /// once for each thread, so a handler may call this for every frame.
    #[must_use]
    pub fn lf() -> Self {
        #[cfg(feature = "std")]
        return Self::Delimiter(common::LF.with(Clone::clone));
        #[cfg(not(feature = "std"))]
        Self::Delimiter(Delimiter::build(b"\n"))
    }

    /// Creates a terminator for frames that end at CR LF. With the feature `std` its tables are
    /// built once for each thread.
    #[must_use]
    pub fn crlf() -> Self {
        #[cfg(feature = "std")]
        return Self::Delimiter(common::CRLF.with(Clone::clone));
        #[cfg(not(feature = "std"))]
        Self::Delimiter(Delimiter::build(b"\r\n"))
    }
}

/// The delimiters of most protocols.
#[cfg(feature = "std")]
mod common {
    use crate::delimiter::Delimiter;

    std::thread_local! {
        pub(super) static LF: Delimiter = Delimiter::build(b"\n");
        pub(super) static CRLF: Delimiter = Delimiter::build(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn illegal_terminators_cannot_be_built() {
        assert_eq!(Terminator::delimiter(b""), Err(EmptyDelimiter));
        assert_eq!(Terminator::any_of([""; 0]), Err(IllegalSet::Empty));
        assert_eq!(Terminator::any_of(["\n", "", "\0"]), Err(IllegalSet::EmptyDelimiter { index: 1 }));
        assert_eq!(Terminator::length(0), None);
    }

    #[test]
    fn the_reason_is_written_out() {
        assert_eq!(IllegalSet::Empty.to_string(), "a set of delimiters needs at least one");
        let empty = IllegalSet::EmptyDelimiter { index: 1 };
        assert_eq!(empty.to_string(), "delimiter 1 of the set is empty, it needs at least one byte");
        assert_eq!(EmptyDelimiter.to_string(), "a delimiter needs at least one byte");
    }
}
