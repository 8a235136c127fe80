//! The result of reading a capture.

use enjamb::Time;

use crate::decode::unread::UnreadProtocol;
use crate::error::CaptureError;
use crate::incident::Incident;
use crate::link_type::LinkType;
use crate::summary::Summary;

/// The result of reading a capture.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The counts of everything that was read.
    pub summary: Summary,
    /// The error that ended reading before the end of the capture. `None` if all of it was read.
    pub error: Option<CaptureError>,
    /// The first 16 incidents of each kind: things that were given up or are contradictory.
    pub incidents: Vec<Incident>,
    /// The link types of packets that could not be read: the first 16.
    pub unknown_links: Vec<LinkType>,
    /// The protocols of packets without TCP, and the number of packets of each: the first 64.
    pub unread: Vec<(UnreadProtocol, u64)>,
    /// The time of the first packet, and the latest time of all packets. `None` if there are no
    /// packets.
    pub span: Option<(Time, Time)>,
}
