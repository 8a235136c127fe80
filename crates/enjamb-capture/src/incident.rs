//! What went wrong in the streams of a capture, where.
//!
//! The [`Summary`](crate::Summary) counts everything; this names the first of each kind, so that somebody can go and look.

use std::fmt;

use enjamb::{Connection, Side, Time};

/// How many of each kind are kept.
pub(crate) const INCIDENTS_MAX: usize = 16;

/// Something that was given up, or does not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// In which connection.
    pub connection: Connection,
    /// When the packet was captured that showed it.
    pub time: Time,
    /// What it is.
    pub what: What,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Two copies of the same bytes disagree.
    Conflict {
        /// Whose stream.
        side: Side,
        /// The first byte that differs, counted from the beginning of the stream, holes included.
        offset: u64,
        /// How many bytes differ.
        bytes: u64,
        /// The first bytes from there on that count, at most 16.
        kept: Vec<u8>,
        /// What the other copy had in their place.
        dropped: Vec<u8>,
    },
    /// A hole was given up only because too much was held behind it.
    GapForMemory {
        /// Whose stream.
        side: Side,
        /// Where the hole begins, counted like that of a conflict.
        offset: u64,
    },
    /// A side's bytes were delivered before those of the other side that it had acknowledged: these were not captured, or far too
    /// late.
    OrderGivenUp {
        /// Whose bytes came early.
        side: Side,
        /// Where they begin.
        offset: u64,
    },
    /// The connection was given up to make room for another one.
    ConnectionGivenUp,
}

impl What {
    fn kind(&self) -> usize {
        match self {
            Self::Conflict { .. } => 0,
            Self::GapForMemory { .. } => 1,
            Self::OrderGivenUp { .. } => 2,
            Self::ConnectionGivenUp => 3,
        }
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Connection { number, client, server } = self.connection;
        write!(f, "#{number} {client} -> {server}: ")?;
        match &self.what {
            What::Conflict { side, offset, bytes, kept, dropped } => write!(
                f,
                "{bytes} other bytes of the {} at @{offset}: \"{}\" was taken, \"{}\" was not",
                side.as_str(),
                kept.escape_ascii(),
                dropped.escape_ascii()
            ),
            What::GapForMemory { side, offset } => {
                write!(f, "a hole of the {} at @{offset} was given up for want of memory", side.as_str())
            }
            What::OrderGivenUp { side, offset } => write!(
                f,
                "bytes of the {} at @{offset} came before those they acknowledge, which were not captured",
                side.as_str()
            ),
            What::ConnectionGivenUp => f.write_str("given up to make room for other connections"),
        }
    }
}

/// The first incidents of each kind.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    list: Vec<Incident>,
    counts: [usize; 4],
}

impl Incidents {
    pub(crate) fn add(&mut self, connection: &Connection, time: Time, what: What) {
        let count = &mut self.counts[what.kind()];
        if *count < INCIDENTS_MAX {
            *count += 1;
            self.list.push(Incident { connection: *connection, time, what });
        }
    }

    pub(crate) fn list(&self) -> &[Incident] {
        &self.list
    }
}
