//! A batch of rows that one thread makes and another writes.

use crate::dataset::columns::{Cursor, Table};
use crate::record::Record;

/// Records as rows, by column, to be [written](super::DatasetWriter::write) in order.
///
/// A worker fills a batch; the thread that has the dataset takes rows from its front.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    table: Table,
    /// For each row, the number of its connection and the end of its protocol's name in
    /// `protocols`.
    heads: Vec<(Option<u64>, usize)>,
    protocols: String,
    next: Cursor,
}

/// The data of a row that the writer needs before it writes the row.
pub(super) struct Head<'a> {
    pub(super) connection: Option<u64>,
    /// The name of the protocol. It is empty for a record without one.
    pub(super) protocol: &'a str,
}

impl Rows {
    /// Appends a row.
    pub fn push(&mut self, record: &Record<'_>) {
        self.table.push(record, None);
        self.protocols.push_str(record.protocol().unwrap_or_default());
        self.heads.push((record.connection().map(|connection| connection.number), self.protocols.len()));
    }

    /// Returns the number of rows that were pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Returns whether no row was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Returns the head of the next row.
    pub(super) fn head(&self) -> Option<Head<'_>> {
        let at = self.next.row;
        let &(connection, end) = self.heads.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.heads[before].1);
        Some(Head { connection, protocol: &self.protocols[start..end] })
    }

    /// Moves the next row to the end of `to`. There must be one.
    pub(super) fn take(&mut self, to: &mut Table, capture: Option<&str>) {
        to.push_row(&self.table, &mut self.next, capture);
    }
}
