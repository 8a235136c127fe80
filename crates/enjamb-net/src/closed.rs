//! How a connection ended.

use std::io;

use crate::error::NetError;

/// The end of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// The reason.
    pub reason: Reason,
    /// The number of bytes that the peer sent, and this end read.
    pub received: u64,
    /// The number of bytes that were written.
    pub sent: u64,
    /// The number of bytes that were to be written, and were not.
    pub unsent: u64,
    /// The number of events that the service handled.
    pub events: u64,
}

/// The reason why a connection ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// It was closed: all that was queued was written.
    Done,
    /// The peer reset it, or it broke in another way.
    Broken(io::Error),
    /// The service or the holder of a handle aborted it.
    Aborted,
    /// It was reset because of this error.
    Failed(NetError),
}
