//! The end of a line, one for all sessions that a thread opens.
//!
//! Clones of a terminator share its tables. Were they made anew for each side of each connection, those of thousands of connections would push each other
//! and the state of the connections out of the processor's cache. One for each thread, not one for all, so that threads do not wait for each other where they
//! count its clones.

use enjamb::Terminator;

thread_local! {
    static LINE_FEED: Terminator = Terminator::lf();
}

/// A frame that ends at a line feed.
pub(crate) fn line_feed() -> Terminator {
    // A session may still be opened while its thread ends.
    LINE_FEED.try_with(Clone::clone).unwrap_or_else(|_| Terminator::lf())
}
