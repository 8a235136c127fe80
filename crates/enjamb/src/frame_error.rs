//! The error of a machine that frames a stream.

use core::fmt;

/// The reason why a stream cannot be framed any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError<E> {
    /// A frame exceeded a limit whose policy is [`Overflow::Refuse`](crate::Overflow::Refuse).
    TooLong {
        /// The offset at which the frame begins in the stream.
        start: u64,
        /// The offset at which the error is certain: `start` if the length was announced, otherwise
        /// `start` plus the limit.
        end: u64,
        /// The limit, in bytes of payload.
        max: u64,
    },
    /// The handler refused a frame.
    Handler {
        /// The offset at which the frame begins in the stream.
        start: u64,
        /// The offset behind the terminator if the handler refused the whole frame, `start` if it
        /// refused a piece.
        end: u64,
        /// The handler's reason.
        error: E,
    },
}

impl<E> FrameError<E> {
    /// Returns where the refused frame begins in the stream, in bytes.
    pub fn start(&self) -> u64 {
        match self {
            Self::TooLong { start, .. } | Self::Handler { start, .. } => *start,
        }
    }

    /// Returns where the error is certain: behind the last byte that shows it.
    pub fn end(&self) -> u64 {
        match self {
            Self::TooLong { end, .. } | Self::Handler { end, .. } => *end,
        }
    }
}

impl<E: fmt::Display> fmt::Display for FrameError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { start, max, .. } => {
                write!(f, "the frame at offset {start} is longer than its limit of {max} bytes")
            }
            Self::Handler { start, error, .. } => write!(f, "the frame at offset {start}: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for FrameError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::TooLong { .. } => None,
            Self::Handler { error, .. } => Some(error),
        }
    }
}
