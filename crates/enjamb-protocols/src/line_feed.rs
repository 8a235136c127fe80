//! The terminator LF, one for all sessions that a thread opens.
//!
//! Clones of a terminator share its tables. If each side of each connection built its own tables,
//! those of thousands of connections would displace each other and the state of the connections
//! from the processor's cache. There is one terminator for each thread, so that threads do not
//! contend for its reference count.

use enjamb::Terminator;

thread_local! {
    static LINE_FEED: Terminator = Terminator::lf();
}

/// Returns a terminator for frames that end at LF.
pub(crate) fn line_feed() -> Terminator {
    // A session may still be opened while its thread ends.
    LINE_FEED.try_with(Clone::clone).unwrap_or_else(|_| Terminator::lf())
}
