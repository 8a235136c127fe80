//! Connections of several captures, numbered one after the other.

use enjamb::{Connection, Ending, Side, Tap, Time};

use crate::arguments::Numbers;

/// Numbers the connections of one capture after those of the ones before it, and passes over those that nobody asked for.
pub(crate) struct Numbered<'a, T> {
    pub(crate) base: u64,
    pub(crate) highest: u64,
    pub(crate) only: Option<&'a Numbers>,
    pub(crate) tap: &'a mut T,
}

impl<T> Numbered<'_, T> {
    fn numbered(&mut self, connection: &Connection) -> Option<Connection> {
        let number = self.base + connection.number;
        self.highest = self.highest.max(number);
        self.only.is_none_or(|only| only.contain(number)).then_some(Connection { number, ..*connection })
    }
}

impl<T: Tap> Tap for Numbered<'_, T> {
    fn open(&mut self, connection: &Connection, time: Time) {
        if let Some(connection) = self.numbered(connection) {
            self.tap.open(&connection, time);
        }
    }

    fn chunk(&mut self, connection: &Connection, time: Time, side: Side, bytes: &[u8]) {
        if let Some(connection) = self.numbered(connection) {
            self.tap.chunk(&connection, time, side, bytes);
        }
    }

    fn gap(&mut self, connection: &Connection, time: Time, side: Side, missing: u64) {
        if let Some(connection) = self.numbered(connection) {
            self.tap.gap(&connection, time, side, missing);
        }
    }

    fn close(&mut self, connection: &Connection, time: Time, side: Side, ending: Ending) {
        if let Some(connection) = self.numbered(connection) {
            self.tap.close(&connection, time, side, ending);
        }
    }

    fn done(&mut self, connection: &Connection, time: Time) {
        if let Some(connection) = self.numbered(connection) {
            self.tap.done(&connection, time);
        }
    }
}
