//! Connections of several captures, numbered one after the other.

use enjamb::{Connection, Event, Tap, Time};

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
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if let Some(connection) = self.numbered(connection) {
            self.tap.event(&connection, time, event);
        }
    }
}
