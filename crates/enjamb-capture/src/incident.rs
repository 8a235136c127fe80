//! Incidents: errors in the streams of a capture, and their places.
//!
//! The [`Summary`](crate::Summary) counts everything. This list has the first incidents of each
//! kind with their places, so that a user can look at them.

use std::fmt;

use enjamb::{Connection, Side, Time};

/// The limit for incidents of each kind.
const INCIDENTS_MAX: usize = 16;

/// Something that was given up, or that is contradictory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incident {
    /// The connection it happened in.
    pub connection: Connection,
    /// The time of the packet that showed it.
    pub time: Time,
    /// The kind, with its details.
    pub kind: IncidentKind,
}

/// A kind of incident, with its details.
///
/// An `offset` is the number of bytes of the side's stream before that place. Gaps count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncidentKind {
    /// Two copies of the same bytes differ.
    Conflict {
        /// The sender of the bytes.
        side: Side,
        /// The offset of the first byte that differs.
        offset: u64,
        /// The number of bytes that differ.
        bytes: u64,
        /// The copy that was kept, from that byte on: at most 16 bytes.
        kept: Vec<u8>,
        /// The same bytes of the copy that was dropped.
        dropped: Vec<u8>,
    },
    /// A hole was given up because too much data was held after it.
    GapForMemory {
        /// The sender of the missing bytes.
        side: Side,
        /// The offset of the hole.
        offset: u64,
    },
    /// Bytes were delivered before the bytes of the other side that they acknowledge. Those were
    /// not captured, or far too late.
    OrderGivenUp {
        /// The sender of the bytes that came early.
        side: Side,
        /// Their offset.
        offset: u64,
    },
    /// The connection was given up to make room for another one.
    ConnectionGivenUp,
}

impl IncidentKind {
    /// The number of kinds.
    const COUNT: usize = 4;

    /// Returns the name of the kind, as it is written in records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::GapForMemory { .. } => "gap_for_memory",
            Self::OrderGivenUp { .. } => "order_given_up",
            Self::ConnectionGivenUp => "connection_given_up",
        }
    }

    /// Returns the side and the offset of the incident. `None` if it concerns the whole connection.
    #[must_use]
    pub const fn place(&self) -> Option<(Side, u64)> {
        match *self {
            Self::Conflict { side, offset, .. }
            | Self::GapForMemory { side, offset }
            | Self::OrderGivenUp { side, offset } => Some((side, offset)),
            Self::ConnectionGivenUp => None,
        }
    }

    fn index(&self) -> usize {
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
        match &self.kind {
            IncidentKind::Conflict { side, offset, bytes, kept, dropped } => write!(
                f,
                "two copies of the {}'s bytes differ in {bytes} {} from @{offset} on: kept \"{}\", dropped \"{}\"",
                side.as_str(),
                if *bytes == 1 { "byte" } else { "bytes" },
                kept.escape_ascii(),
                dropped.escape_ascii()
            ),
            IncidentKind::GapForMemory { side, offset } => write!(
                f,
                "missing bytes of the {} at @{offset} were given up because too much data was held after them",
                side.as_str()
            ),
            IncidentKind::OrderGivenUp { side, offset } => write!(
                f,
                "bytes of the {} at @{offset} acknowledge bytes of the other side that were not captured",
                side.as_str()
            ),
            IncidentKind::ConnectionGivenUp => f.write_str("the connection was given up to make room for others"),
        }
    }
}

/// The first incidents of each kind.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    list: Vec<Incident>,
    /// The step in which each incident was seen.
    steps: Vec<u64>,
    counts: [usize; IncidentKind::COUNT],
    /// The current step of the reassembly. Steps of several parts of a capture have the same
    /// numbers.
    pub(crate) step: u64,
}

impl Incidents {
    pub(crate) fn add(&mut self, connection: &Connection, time: Time, kind: IncidentKind) {
        let count = &mut self.counts[kind.index()];
        if *count < INCIDENTS_MAX {
            *count += 1;
            self.list.push(Incident { connection: *connection, time, kind });
            self.steps.push(self.step);
        }
    }

    /// Returns the first incidents of each kind of several lists, whose connections belong to one
    /// capture and have different numbers.
    pub(crate) fn of_parts(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<(u64, Incident)> = Vec::new();
        let mut last = 0;
        for part in parts {
            last = part.step.max(last);
            all.extend(part.steps.into_iter().zip(part.list));
        }
        // Stable, so the incidents of one connection stay in order.
        all.sort_by_key(|(step, incident)| (*step, incident.connection.number));
        let mut first = Self::default();
        for (step, Incident { connection, time, kind }) in all {
            first.step = step;
            first.add(&connection, time, kind);
        }
        Self { step: last, ..first }
    }

    pub(crate) fn into_list(self) -> Vec<Incident> {
        self.list
    }

    pub(crate) fn list_mut(&mut self) -> &mut [Incident] {
        &mut self.list
    }

    pub(crate) fn list(&self) -> &[Incident] {
        &self.list
    }
}
