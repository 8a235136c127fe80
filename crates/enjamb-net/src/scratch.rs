//! One read buffer for all connections of a thread.
//!
//! A connection at rest needs no buffer, so that ten thousand of them cost little.

use std::cell::Cell;

/// The maximum number of bytes that one read of a relay takes, and of one chunk for a tap. With
/// headers such a read still fits into one IP packet (65,535 bytes), so that a recording can store
/// it as one.
pub const LONGEST_READ: usize = 61_440;

/// The maximum number of bytes that one read of a relay takes of a TLS connection. With a record
/// that was incomplete before, the text of them has at most [`LONGEST_READ`] bytes.
pub(crate) const CIPHER_READ: usize = LONGEST_READ - 20 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static CIPHER_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `act` with `length` bytes of the thread's buffer.
#[inline]
pub(crate) fn with_buffer<T>(length: usize, act: impl FnOnce(&mut [u8]) -> T) -> T {
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

/// Calls `act` with `length` bytes of the thread's buffer for encrypted bytes.
pub(crate) fn with_cipher_buffer<T>(length: usize, act: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = CIPHER_BUFFER.take();
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let result = act(&mut buffer[..length]);
    CIPHER_BUFFER.set(buffer);
    result
}
