//! The event of both handlers.

use std::num::NonZeroUsize;

use super::syntax_error::SyntaxError;

/// The end of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageEnd {
    /// The offset at which the message begins, if it was found by a search behind a gap or
    /// behind a malformed message.
    pub(super) found_at: Option<u64>,
    /// The length of the message, if it was read at a glance. The message is then the end of the
    /// bytes taken from the chunk, and its excerpt may be empty.
    pub(super) glanced: Option<NonZeroUsize>,
    /// The reason why the message is malformed. It ends here if its end is certain; otherwise the
    /// handler seeks the next one.
    pub(super) fault: Option<SyntaxError>,
}

impl MessageEnd {
    /// Returns the end of a message that was read at a glance.
    #[inline(always)]
    pub(super) fn glanced(length: NonZeroUsize) -> Self {
        Self { found_at: None, glanced: Some(length), fault: None }
    }
}
