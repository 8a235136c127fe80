//! The event of both handlers.

use std::num::NonZeroUsize;

/// The end of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageEnd {
    /// Where the message begins, if it was found by a search behind a gap.
    pub(super) found_at: Option<u64>,
    /// How long the message is, if it was read at a glance. It is then the end of what was taken
    /// from the chunk, and its excerpt may be empty.
    pub(super) glanced: Option<NonZeroUsize>,
}
