//! Why a capture could not be read to its end, and at which byte.

use std::fmt;
use std::io;

/// Where and why reading stopped. Everything before it was read.
#[derive(Debug)]
pub struct Fault {
    /// The byte of the file (of what is inside, for a compressed one) where the block or packet at fault begins.
    pub offset: u64,
    /// What is wrong there.
    pub trouble: Trouble,
}

/// What is wrong with a capture.
#[derive(Debug)]
pub enum Trouble {
    /// The file could not be opened or read.
    Io(io::Error),
    /// What it was compressed with does not give any more.
    Compressed {
        /// By what.
        format: &'static str,
        /// How many bytes of the compressed file were read until then.
        at: u64,
        /// These are all it has: it was cut. Otherwise it is damaged somewhere before.
        cut: bool,
        /// What the decompressor says.
        error: io::Error,
    },
    /// It begins as no capture does; what it looks like instead.
    NotACapture(&'static str),
    /// It ends inside a block.
    Cut {
        /// What it ends in.
        what: &'static str,
        /// How many bytes of that there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A block is longer than [`LONGEST_BLOCK`](crate::LONGEST_BLOCK): the length is most likely damaged.
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length in bytes.
        length: u64,
    },
    /// A block contradicts itself or the ones before it.
    Damaged(&'static str),
}

impl Fault {
    pub(crate) fn new(offset: u64, trouble: Trouble) -> Self {
        Self { offset, trouble }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trouble {
            Trouble::Io(error) => write!(f, "cannot read the capture behind byte {}: {error}", self.offset),
            Trouble::Compressed { format, at, cut: true, .. } => write!(
                f,
                "the file ends inside its {format} compression at byte {at}: byte {} of the capture in it is missing",
                self.offset
            ),
            Trouble::Compressed { format, at, cut: false, error } => write!(
                f,
                "the file is damaged before byte {at}: its {format} compression gives nothing behind byte {} of the capture in it: {error}",
                self.offset
            ),
            Trouble::NotACapture(found) => {
                write!(f, "expected a capture (pcap or pcapng, plain or in gzip or zstd), found {found}")
            }
            Trouble::Cut { what, expected, found } => {
                let offset = self.offset;
                write!(f, "the capture ends inside {what} at byte {offset}: {found} of its {expected} bytes are there")
            }
            Trouble::TooLong { what, length } => {
                write!(f, "the capture is damaged at byte {}: {what} says it has {length} bytes", self.offset)
            }
            Trouble::Damaged(what) => write!(f, "the capture is damaged at byte {}: {what}", self.offset),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.trouble {
            Trouble::Io(error) | Trouble::Compressed { error, .. } => Some(error),
            _ => None,
        }
    }
}
