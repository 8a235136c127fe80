//! The records of a worker, on their way to the thread that writes.

use enjamb_monitor::Rows;

/// Records that a worker has made and another thread writes, piece by piece.
pub(crate) enum Piece {
    /// Formatted records.
    Bytes(Vec<u8>),
    /// Rows of a dataset.
    Rows(Box<Rows>),
}

impl Default for Piece {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}
