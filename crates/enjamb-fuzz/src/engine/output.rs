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

/// Removes the payload of skipped frames: a handler that gets its frames whole does not get it.
pub(crate) fn without_skipped<P: Default>(mut outputs: Vec<Output<P>>) -> Vec<Output<P>> {
    for output in &mut outputs {
        if let Output::Frame { skipped: true, payload, .. } = output {
            *payload = P::default();
        }
    }
    outputs
}
