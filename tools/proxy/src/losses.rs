//! The counts of lines and traffic that an output lacks.

use std::fmt;

/// The lines that a log lacks: it was not written as fast as they came, or it could not be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLosses {
    /// The number of records.
    pub lines: u64,
    /// The number of bytes of their lines.
    pub bytes: u64,
}

/// The traffic that a recording lacks: it was not written as fast as bytes came, or it could not be
/// written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordingLosses {
    /// The number of chunks. They are gaps in the recording.
    pub chunks: u64,
    /// The number of bytes in those chunks.
    pub bytes: u64,
    /// The number of connections that are missing as a whole.
    pub connections: u64,
    /// The number of ends of streams and of connections.
    pub ends: u64,
}

impl LogLosses {
    /// Returns whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds other losses.
    pub(crate) fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

impl RecordingLosses {
    /// Returns whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds other losses.
    pub(crate) fn add(&mut self, other: Self) {
        self.chunks += other.chunks;
        self.bytes += other.bytes;
        self.connections += other.connections;
        self.ends += other.ends;
    }
}

impl fmt::Display for LogLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, bytes } = self;
        write!(f, "{lines} records of {bytes} bytes")
    }
}

impl fmt::Display for RecordingLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chunks, bytes, connections, ends } = self;
        write!(f, "{chunks} chunks of {bytes} bytes, {connections} connections and {ends} ends")
    }
}

/// The reason for a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The output was not written as fast as its content came.
    Slow,
    /// The system refused to write, with this error.
    Refused(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow => f.write_str("it is not written as fast as they come"),
            Self::Refused(error) => write!(f, "it cannot be written: {error}"),
        }
    }
}
