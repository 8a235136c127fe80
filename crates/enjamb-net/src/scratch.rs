//! One read buffer for all connections of a thread.
//!
//! A connection at rest needs no buffer, so that ten thousand of them cost little.

use std::cell::Cell;

/// The maximum number of bytes that one read of a relay takes, and of one chunk for a tap. With
/// headers such a read still fits into one IP packet (65,535 bytes), so that a recording can store
/// it as one.
pub const LONGEST_READ: usize = 61_440;

/// Calls `act` with `length` bytes of the thread's buffer.
pub(crate) fn with_buffer<T>(length: usize, act: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken, not borrowed: should the code inside ever poll another connection on this thread, that
    // one makes its own buffer.
    let mut buffer = BUFFER.take();
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let result = act(&mut buffer[..length]);
    BUFFER.set(buffer);
    result
}
