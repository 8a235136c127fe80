//! How long a frame may be, and what happens when one is longer.

/// The longest payload of a frame, and the policy for one that is longer.
///
/// The verdict depends on the bytes and never on how they were cut: a frame of exactly [`max`](Self::max) bytes is
/// within the limit however it arrives, and one byte of payload more passes it. A frame whose length is known
/// in advance passes it before its first byte. The terminator does not count.
///
/// `asynchat` had no limits; every server built on it had to add its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most bytes of payload that are delivered for one frame.
    pub max: u64,
    /// What happens to a longer frame.
    pub overflow: Overflow,
}

/// What happens to a frame that passes its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// An error; nothing is parsed after it.
    Refuse,
    /// What is over the limit is dropped up to the terminator, then
    /// [`Handler::oversized`](crate::Handler::oversized) is called in place of `found`, and the stream goes on.
    Skip,
    /// The first [`max`](Limit::max) bytes are the frame; `found` is told how many were dropped.
    Truncate,
}

impl Limit {
    /// 1 MiB, refused beyond: what a handler has that names no limit.
    pub const DEFAULT: Self = Self::refuse(1 << 20);

    /// No limit, for a handler that keeps nothing of what it collects.
    pub const NONE: Self = Self::refuse(u64::MAX);

    /// At most `max` bytes; a longer frame is an error.
    #[must_use]
    pub const fn refuse(max: u64) -> Self {
        Self { max, overflow: Overflow::Refuse }
    }

    /// At most `max` bytes; a longer frame is passed over and counted.
    #[must_use]
    pub const fn skip(max: u64) -> Self {
        Self { max, overflow: Overflow::Skip }
    }

    /// At most `max` bytes; of a longer frame the first `max` are delivered.
    #[must_use]
    pub const fn truncate(max: u64) -> Self {
        Self { max, overflow: Overflow::Truncate }
    }
}
