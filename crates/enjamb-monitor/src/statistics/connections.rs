//! Counts of connections: their endings, their durations, and those that lasted longest.

use std::cmp::Reverse;

use enjamb::{Connection, Ending, Time};

use crate::record::{SideTotal, micros};
use crate::statistics::distribution::{DURATION, Spread};
use crate::statistics::summary::{EndingCount, LongConnection};

/// The connections that are kept of those that lasted longest.
const LONGEST_MAX: usize = 10;

const ENDINGS: [Ending; 3] = [Ending::Closed, Ending::Reset, Ending::Lost];

/// The counts of all connections.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) opened: u64,
    /// Connections that have ended.
    pub(super) over: u64,
    pub(super) panicked: u64,
    /// By the client's ending and the server's.
    endings: [[u64; 3]; 3],
    pub(super) duration: Spread,
    longest: Vec<Lasted>,
}

/// A connection that has ended.
#[derive(Clone, Debug)]
struct Lasted {
    connection: Connection,
    protocol: Box<str>,
    duration_us: u64,
    sides: [SideTotal; 2],
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            opened: 0,
            over: 0,
            panicked: 0,
            endings: [[0; 3]; 3],
            duration: Spread::new(DURATION),
            longest: Vec::new(),
        }
    }
}

impl Connections {
    pub(super) fn ended(
        &mut self,
        connection: &Connection,
        protocol: &str,
        opened: Time,
        time: Time,
        sides: &[SideTotal; 2],
    ) {
        self.over += 1;
        let [client, server] = sides.map(|side| index(side.ending()));
        self.endings[client][server] += 1;
        let duration_us = micros(time, opened);
        self.duration.record(duration_us);
        let rank = rank(duration_us, connection);
        if self.longest.len() < LONGEST_MAX || self.longest.last().is_some_and(|last| rank < last.rank()) {
            let lasted = Lasted { connection: *connection, protocol: protocol.into(), duration_us, sides: *sides };
            self.longest.push(lasted);
            self.keep_longest();
        }
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.opened += more.opened;
        self.over += more.over;
        self.panicked += more.panicked;
        for (to, more) in self.endings.iter_mut().flatten().zip(more.endings.iter().flatten()) {
            *to += more;
        }
        self.duration.add(&more.duration);
        self.longest.extend(more.longest.iter().cloned());
        self.keep_longest();
    }

    fn keep_longest(&mut self) {
        self.longest.sort_by_key(Lasted::rank);
        self.longest.truncate(LONGEST_MAX);
    }

    /// The ways in which connections ended, the most frequent first.
    pub(super) fn endings(&self) -> Vec<EndingCount> {
        let both = ENDINGS.iter().flat_map(|client| ENDINGS.map(|server| (*client, server)));
        let counted = both.map(|(client, server)| {
            let count = self.endings[index(client)][index(server)];
            EndingCount { client, server, count }
        });
        let mut endings: Vec<_> = counted.filter(|ending| ending.count > 0).collect();
        endings.sort_by_key(|ending| Reverse(ending.count));
        endings
    }

    /// The connections that lasted longest, the longest first.
    pub(super) fn longest(&self) -> Vec<LongConnection> {
        self.longest.iter().map(Lasted::summary).collect()
    }
}

/// The order of connections: those that lasted longest come first. Of two that lasted equally long,
/// the one that was opened first comes first, whichever ended first.
fn rank(duration_us: u64, connection: &Connection) -> (Reverse<u64>, u64) {
    (Reverse(duration_us), connection.number)
}

impl Lasted {
    fn rank(&self) -> (Reverse<u64>, u64) {
        rank(self.duration_us, &self.connection)
    }

    fn summary(&self) -> LongConnection {
        let [client, server] = &self.sides;
        LongConnection {
            conn: self.connection.number,
            client: self.connection.client.to_string(),
            server: self.connection.server.to_string(),
            protocol: self.protocol.to_string(),
            duration_us: self.duration_us,
            client_bytes: client.bytes,
            client_messages: client.messages,
            client_ending: client.ending(),
            server_bytes: server.bytes,
            server_messages: server.messages,
            server_ending: server.ending(),
        }
    }
}

fn index(ending: Ending) -> usize {
    match ending {
        Ending::Closed => 0,
        Ending::Reset => 1,
        Ending::Lost => 2,
    }
}
