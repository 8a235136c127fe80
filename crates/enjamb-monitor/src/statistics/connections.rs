//! What is counted of connections: how they ended, how long they lasted, which lasted longest.

use std::cmp::Reverse;

use enjamb::{Connection, Ending, Side, Time};
use serde_json::{Value, json};

use crate::record::{SideTotal, micros};
use crate::statistics::distribution::{DURATION, Spread};

/// How many of those that lasted longest are kept.
const LONGEST_MAX: usize = 10;

const ENDINGS: [Ending; 3] = [Ending::Closed, Ending::Reset, Ending::Lost];

/// The connections that are over, and those that are not.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) opened: u64,
    pub(crate) over: u64,
    /// By the client's ending and the server's.
    endings: [[u64; 3]; 3],
    pub(crate) duration: Spread,
    pub(crate) longest: Vec<Lasted>,
}

/// A connection that is over.
#[derive(Clone, Debug)]
pub(crate) struct Lasted {
    pub(crate) connection: Connection,
    pub(crate) protocol: Box<str>,
    pub(crate) duration_us: u64,
    pub(crate) sides: [SideTotal; 2],
}

impl Default for Connections {
    fn default() -> Self {
        Self { opened: 0, over: 0, endings: [[0; 3]; 3], duration: Spread::new(DURATION), longest: Vec::new() }
    }
}

impl Connections {
    pub(crate) fn ended(
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

    pub(crate) fn add(&mut self, more: &Self) {
        self.opened += more.opened;
        self.over += more.over;
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

    /// How the client's stream ended, how the server's, and of how many connections; the most frequent first.
    pub(crate) fn endings(&self) -> Vec<(Ending, Ending, u64)> {
        let both = ENDINGS.iter().flat_map(|client| ENDINGS.map(|server| (*client, server)));
        let counted = both.map(|(client, server)| (client, server, self.endings[index(client)][index(server)]));
        let mut endings: Vec<_> = counted.filter(|(.., count)| *count > 0).collect();
        endings.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
        endings
    }

    /// The fields of the summary that are about connections.
    pub(crate) fn to_json(&self, record: &mut Value, histograms: bool) {
        record["connections"] = self.opened.into();
        record["open"] = self.opened.saturating_sub(self.over).into();
        let endings = self.endings().into_iter();
        record["endings"] = endings
            .map(|(client, server, count)| json!({ "client": client.as_str(), "server": server.as_str(), "count": count }))
            .collect();
        if !self.duration.is_empty() {
            record["duration_us"] = self.duration.to_json_with(histograms);
        }
        record["longest"] = self.longest.iter().map(Lasted::to_json).collect();
    }
}

/// Those that lasted longest come first, and of two that lasted as long the one that was opened first, whichever was over first.
fn rank(duration_us: u64, connection: &Connection) -> (Reverse<u64>, u64) {
    (Reverse(duration_us), connection.number)
}

impl Lasted {
    fn rank(&self) -> (Reverse<u64>, u64) {
        rank(self.duration_us, &self.connection)
    }

    fn to_json(&self) -> Value {
        let mut value = json!({
            "conn": self.connection.number,
            "client": self.connection.client.to_string(),
            "server": self.connection.server.to_string(),
            "protocol": self.protocol,
            "duration_us": self.duration_us,
        });
        for side in Side::BOTH {
            let total = &self.sides[side.index()];
            value[format!("{side}_bytes")] = total.bytes.into();
            value[format!("{side}_messages")] = total.messages.into();
            value[format!("{side}_ending")] = total.ending().as_str().into();
        }
        value
    }
}

fn index(ending: Ending) -> usize {
    match ending {
        Ending::Closed => 0,
        Ending::Reset => 1,
        Ending::Lost => 2,
    }
}
