//! The context that a flow and its streams get from the reassembler with each packet.

use enjamb::{Tap, Time};

use crate::incident::Incidents;
use crate::options::Options;
use crate::reassembly::clock::CaptureClock;
use crate::reassembly::progress::Progress;
use crate::reassembly::recent_log::RecentLogs;
use crate::summary::Summary;

/// The surroundings of a flow.
pub(super) struct FlowContext<'a> {
    pub(super) options: &'a Options,
    pub(super) summary: &'a mut Summary,
    pub(super) incidents: &'a mut Incidents,
    /// The bytes that were delivered last.
    pub(super) logs: &'a mut RecentLogs,
    pub(super) tap: &'a mut dyn Tap,
    /// The time at which the packet was captured.
    pub(super) now: Time,
    /// The time of the capture, which does not run backwards.
    pub(super) clock: CaptureClock,
}

/// The surroundings of a stream.
#[derive(Clone, Copy)]
pub(super) struct StreamContext<'a> {
    pub(super) options: &'a Options,
    /// The progress of the other side's stream.
    pub(super) other: Progress,
    /// The latest time stamp of the other side's packets.
    pub(super) other_time: Time,
    /// The first piece that the other side holds.
    pub(super) other_piece: Option<OtherPiece>,
    /// The time at which the packet was captured.
    pub(super) now: Time,
}

/// The first piece of data that the other side of a stream holds back.
#[derive(Clone, Copy)]
pub(super) struct OtherPiece {
    /// The time at which it was captured.
    pub(super) time: Time,
    /// The sequence number up to which its sender had received this side's bytes.
    pub(super) acknowledgement: u32,
    /// Whether it waits only for bytes of this side.
    pub(super) is_next: bool,
}
