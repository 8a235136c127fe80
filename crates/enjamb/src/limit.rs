//! Limits of frames, and the policy for longer ones.

/// The longest payload of a frame, and the policy for one that is longer.
///
/// The verdict depends on the bytes and never on the cuts: a frame of exactly [`max`](Self::max)
/// bytes is within the limit however it arrives, and one more byte exceeds it. A frame of known
/// length exceeds it before its first byte. The terminator does not count.
///
/// `asynchat` has no limits; every server on it had to add its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The maximum number of payload bytes that are delivered for one frame.
    pub max: u64,
    /// The policy for a longer frame.
    pub overflow: Overflow,
}

/// The policy for a frame that exceeds its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Return an error; nothing is parsed after it.
    Refuse,
    /// Drop the rest up to the terminator, call [`Handler::oversized`](crate::Handler::oversized)
    /// instead of `found`, and continue.
    Skip,
    /// Deliver the first [`max`](Limit::max) bytes as the frame. `found` receives the number of
    /// dropped bytes.
    Truncate,
}

impl Limit {
    /// 1 MiB. A longer frame is an error. This is the default of every handler.
    pub const DEFAULT: Self = Self::refuse(1 << 20);

    /// No limit, for a handler that stores no payload.
    pub const NONE: Self = Self::refuse(u64::MAX);

    /// At most `max` bytes; a longer frame is an error.
    #[must_use]
    pub const fn refuse(max: u64) -> Self {
        Self { max, overflow: Overflow::Refuse }
    }

    /// At most `max` bytes; a longer frame is skipped and counted.
    #[must_use]
    pub const fn skip(max: u64) -> Self {
        Self { max, overflow: Overflow::Skip }
    }

    /// At most `max` bytes; a longer frame is cut to its first `max`.
    #[must_use]
    pub const fn truncate(max: u64) -> Self {
        Self { max, overflow: Overflow::Truncate }
    }
}
