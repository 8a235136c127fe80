//! Connections of several inputs, numbered one after the other.

use enjamb::{Connection, Event, Tap, Time};

use crate::connection_numbers::ConnectionNumbers;

/// Numbers the connections of one input after those of the inputs before it, and drops the events
/// of connections that were not selected.
pub(crate) struct Numbering<'a, T> {
    /// The highest number that the inputs before this one have.
    pub(crate) base: u64,
    /// The highest number so far.
    pub(crate) highest: u64,
    /// The connections to keep. `None`: all.
    pub(crate) only: Option<&'a ConnectionNumbers>,
    pub(crate) tap: &'a mut T,
}

impl<T: Tap> Tap for Numbering<'_, T> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let number = self.base + connection.number;
        self.highest = self.highest.max(number);
        if self.only.is_some_and(|only| !only.contains(number)) {
            return;
        }
        if self.base == 0 {
            self.tap.event(connection, time, event);
        } else {
            self.tap.event(&Connection { number, ..*connection }, time, event);
        }
    }

    fn pause(&mut self) {
        self.tap.pause();
    }
}
