//! The event of both handlers.

use std::num::NonZeroUsize;

/// The end of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageEnd {
    /// The offset at which the message begins, if it was found by a search behind a gap.
    pub(super) found_at: Option<u64>,
    /// The length of the message, if it was read at a glance. The message is then the end of the
    /// bytes taken from the chunk, and its excerpt may be empty.
    pub(super) glanced: Option<NonZeroUsize>,
}
