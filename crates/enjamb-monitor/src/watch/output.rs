//! The receiver of records.

use crate::record::Record;

/// Receives records.
///
/// A closure that takes a record is an output that wants all of them.
pub trait Output {
    /// Returns whether this record is wanted. A record that is not wanted is neither written nor
    /// counted. The payload of a message is not filled in yet.
    fn wants(&mut self, record: &Record<'_>) -> bool {
        let _ = record;
        true
    }

    /// Returns whether it wants all records to be counted, and receives none of them. Then no
    /// record is made of a message. It may change only while no message is reported.
    fn only_counts(&self) -> bool {
        false
    }

    /// Receives a record.
    fn record(&mut self, record: &Record<'_>);

    /// Writes what is buffered: no more records come for now. See
    /// [`Tap::pause`](enjamb::Tap::pause).
    fn pause(&mut self) {}
}

impl<F: FnMut(&Record<'_>)> Output for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}
