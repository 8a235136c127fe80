//! The error of a capture that could not be read to its end.

use std::fmt;
use std::io;

/// The place and the reason at which reading stopped. Everything before that place was read.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaptureError {
    /// The beginning of the block or packet that could not be read: a byte offset in the file, or
    /// in the decompressed bytes if the file is compressed.
    pub offset: u64,
    /// The reason.
    pub kind: CaptureErrorKind,
}

/// The reason why a capture could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum CaptureErrorKind {
    /// The file could not be opened or read.
    Io(io::Error),
    /// The compressed data could not be decompressed any further.
    Compressed {
        /// The compression: `gzip` or `zstd`.
        format: &'static str,
        /// The number of bytes of the compressed file that had been read.
        at: u64,
        /// Whether the compressed file ends there, which means that it was truncated. Otherwise it
        /// is damaged somewhere before.
        truncated: bool,
        /// The error of the decompressor.
        error: io::Error,
    },
    /// The file does not begin like a capture. The text names the kind of file it seems to be, and
    /// how to convert it.
    NotACapture(&'static str),
    /// The file ends inside a header, block or packet.
    Truncated {
        /// The part it ends in.
        part: &'static str,
        /// The length of that part, in bytes.
        expected: u64,
        /// The number of those bytes that the file has.
        found: u64,
    },
    /// A block is longer than [`LONGEST_BLOCK`](crate::LONGEST_BLOCK). Most likely its length field
    /// is damaged.
    TooLong {
        /// The part that is too long.
        part: &'static str,
        /// The length that the file states, in bytes.
        length: u64,
    },
    /// A block contradicts itself or the blocks before it.
    Damaged(&'static str),
}

impl CaptureError {
    /// Returns whether the source only had no whole packet for now, and reading can go on.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        matches!(&self.kind, CaptureErrorKind::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    pub(crate) fn new(offset: u64, kind: CaptureErrorKind) -> Self {
        Self { offset, kind }
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match &self.kind {
            CaptureErrorKind::Io(error) => write!(f, "cannot read the capture after byte {offset}: {error}"),
            CaptureErrorKind::Compressed { format, at, truncated: true, .. } => write!(
                f,
                "the file ends inside its {format} compression at byte {at}: the capture in it ends at byte {offset}"
            ),
            CaptureErrorKind::Compressed { format, at, truncated: false, error } => write!(
                f,
                "the file is damaged before byte {at}: its {format} compression gives nothing after byte {offset} of the \
                 capture in it: {error}"
            ),
            CaptureErrorKind::NotACapture(found) => {
                write!(f, "expected a capture (pcap or pcapng, plain or in gzip or zstd), found {found}")
            }
            CaptureErrorKind::Truncated { part, expected, found } => {
                write!(f, "the capture ends inside {part} at byte {offset}: it has {found} of {expected} bytes")
            }
            CaptureErrorKind::TooLong { part, length } => write!(
                f,
                "the capture is damaged at byte {offset}: {part} has a length of {length} bytes, and the limit is {}",
                crate::LONGEST_BLOCK
            ),
            CaptureErrorKind::Damaged(reason) => write!(f, "the capture is damaged at byte {offset}: {reason}"),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            CaptureErrorKind::Io(error) | CaptureErrorKind::Compressed { error, .. } => Some(error),
            _ => None,
        }
    }
}
