//! The output of the engine, which is compared with that of the reference.

use enjamb::{End, FrameInfo};

/// An output of the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output<P> {
    /// A frame with its delivered payload. `skipped`: it exceeded a limit with the policy skip.
    Frame { info: FrameInfo, skipped: bool, payload: P },
    /// A frame exceeded a limit with the policy refuse.
    TooLong { start: u64, end: u64, max: u64 },
    /// Bytes are not text.
    Invalid { start: u64, end: u64, at: u64, length: usize },
    /// The stream ended, and this was delivered of the last frame.
    End { end: End, payload: P },
}
