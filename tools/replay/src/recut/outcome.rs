//! The result of replaying all conversations under other cuts.

use std::sync::Arc;

use enjamb::Connection;
use enjamb_law::Violation;

use crate::recut::cuts::Cuts;

/// The number of different differences that are minimised and shown. After that many no connection
/// is tried.
pub(crate) const DIFFERENCES_MAX: usize = 8;

/// The number of hanging sessions after which no connection is tried: each of them keeps a
/// processor busy for as long as this process lives.
pub(crate) const HUNG_MAX: usize = 3;

/// The result of all trials.
#[derive(Default)]
pub(crate) struct RecutOutcome {
    pub(crate) connections: u64,
    /// The number of connections that are the same to the byte as an earlier one.
    pub(crate) copies: u64,
    /// The number of connections without a byte, under which nothing can be tried.
    pub(crate) silent: u64,
    pub(crate) segmentations: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// The connections that were too long for the requested cuts.
    pub(crate) weaker: Vec<WeakerTrial>,
    /// The connections of which only the beginning was kept.
    pub(crate) short: Vec<ShortTrial>,
    pub(crate) differences: Vec<Difference>,
    /// The number of connections that were not tried, since [`DIFFERENCES_MAX`] or [`HUNG_MAX`] was
    /// reached.
    pub(crate) not_tried: u64,
    /// The number of sessions that hang.
    pub(crate) hung: usize,
}

/// A connection that was too long for the requested cuts.
pub(crate) struct WeakerTrial {
    pub(crate) connection: u64,
    /// The length of the conversation in bytes.
    pub(crate) bytes: usize,
    /// The cuts under which it was tried, and for each the number of bytes from the beginning.
    pub(crate) under: Vec<(Cuts, usize)>,
}

/// A connection of which only the beginning was kept.
pub(crate) struct ShortTrial {
    pub(crate) connection: Connection,
    /// The number of payload bytes that were tried.
    pub(crate) tried: usize,
    /// The number of payload bytes that were not tried.
    pub(crate) left: u64,
}

/// A defect of a session, and the conversation that shows it.
pub(crate) struct Difference {
    pub(crate) source: Arc<str>,
    pub(crate) connection: Connection,
    pub(crate) protocol: String,
    pub(crate) defect: Defect,
    pub(crate) violation: Box<Violation>,
    /// Other connections with the same difference.
    pub(crate) also: Vec<u64>,
}

/// The kinds of defects of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The session emits other messages under other cuts.
    Differs,
    /// The session panics, or emits messages without end, however the stream is cut.
    Fails,
    /// A call does not return.
    Hangs,
    /// The session ends the process.
    Dies,
}

impl Defect {
    /// All defects, in the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Differs, Self::Fails, Self::Hangs, Self::Dies];

    /// Returns the name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Fails => "fails",
            Self::Hangs => "hangs",
            Self::Dies => "dies",
        }
    }
}

impl RecutOutcome {
    /// Adds a difference, or notes its connection where the same difference is known.
    pub(crate) fn add(&mut self, difference: Difference) {
        let violation = &difference.violation;
        let same = self.differences.iter_mut().find(|known| {
            (known.defect, &known.violation.call, &known.violation.traces)
                == (difference.defect, &violation.call, &violation.traces)
        });
        match same {
            Some(same) => same.also.push(difference.connection.number),
            None => self.differences.push(difference),
        }
    }

    /// Returns the number of connections that have this defect.
    pub(crate) fn count(&self, defect: Defect) -> usize {
        let such = self.differences.iter().filter(|difference| difference.defect == defect);
        such.map(|difference| 1 + difference.also.len()).sum()
    }

    /// Returns whether no more connections are tried.
    pub(crate) fn is_full(&self) -> bool {
        self.differences.len() >= DIFFERENCES_MAX || self.hung >= HUNG_MAX
    }
}
