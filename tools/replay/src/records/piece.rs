//! The records of a worker, on their way to the thread that writes.

use enjamb_monitor::Rows;

use crate::records::ordered_lines::Lines;

/// Records that a worker has made and another thread writes, piece by piece.
pub(crate) enum Piece {
    /// Formatted records, in the order in which they are written.
    Bytes(Vec<u8>),
    /// Lines, which are still to be sorted by time.
    Lines(Lines),
    /// Rows of a dataset.
    Rows(Box<Rows>),
}

impl Piece {
    /// Removes the records, and keeps the memory of bytes.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Bytes(bytes) => bytes.clear(),
            Self::Lines(_) | Self::Rows(_) => *self = Self::default(),
        }
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}
