//! A packet as it was captured.

use enjamb::Time;

use crate::link_type::LinkType;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The time at which it was captured. A simple packet block of pcapng has no time stamp: it
    /// gets the time of the packet before it.
    pub time: Time,
    /// The type of its first header.
    pub link: LinkType,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// Its length on the wire, in bytes. It is greater than the length of `bytes` if the packet was
    /// truncated.
    pub original: u64,
    /// The number of packets that the capturing system reports as lost directly before this one
    /// (pcapng's `epb_dropcount`).
    pub dropped: u64,
}
