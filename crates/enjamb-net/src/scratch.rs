//! One read buffer for all connections of a thread.
//!
//! A connection at rest needs no buffer, so that ten thousand of them cost little.

use std::cell::Cell;

/// The maximum number of bytes that one read takes. With headers such a read still fits into one IP
/// packet (65,535 bytes), so that a recording can store it as one.
pub const LONGEST_READ: usize = 61_440;

/// Calls `act` with the thread's buffer of [`LONGEST_READ`] bytes.
pub(crate) fn with_buffer<T>(act: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    }
    // Taken, not borrowed: should the code inside ever poll another connection on this thread, that
    // one makes its own buffer.
    let mut buffer = BUFFER.take().unwrap_or_else(|| vec![0; LONGEST_READ].into_boxed_slice());
    let result = act(&mut buffer);
    BUFFER.set(Some(buffer));
    result
}
