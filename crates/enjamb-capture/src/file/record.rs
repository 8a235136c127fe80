//! A packet in the input's window, before it is given out as a [`Packet`](crate::Packet).

use std::ops::Range;

use enjamb::Time;

use crate::link_type::LinkType;

/// A packet that a format found, and the place of its bytes.
pub(super) struct PacketRecord {
    /// The time stamp. `None` for a simple packet block, which has none.
    pub(super) time: Option<Time>,
    pub(super) link: LinkType,
    /// The packet's bytes, as a range of the window.
    pub(super) bytes: Range<usize>,
    pub(super) original: u64,
    pub(super) dropped: u64,
    /// The length of the packet with its header in the file.
    pub(super) length: usize,
}
