//! A TCP segment, from the packet decoder to the reassembler.

use std::net::SocketAddr;

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The sequence number: of the SYN if there is one, else of the first byte of payload.
    pub sequence: u32,
    /// The acknowledgement number. `None` if the ACK flag is not set.
    pub acknowledgement: Option<u32>,
    /// The SYN flag: the sender opens its stream.
    pub syn: bool,
    /// The FIN flag: the sender's stream ends after this payload.
    pub fin: bool,
    /// The RST flag: the sender aborts the connection.
    pub rst: bool,
    /// The URG flag: the segment has urgent data.
    pub urgent: bool,
    /// The network in which it was captured, since several networks may use the same addresses. The
    /// number is made from VLAN, VXLAN, GENEVE and similar identifiers, and is 0 if there are none.
    pub network: u64,
    /// The payload that was captured.
    pub payload: &'a [u8],
    /// The number of bytes of payload that were not captured.
    pub missing: u64,
    /// The number of packets that the capturing system reports as lost directly before this one.
    pub dropped: u64,
    /// Whether the checksum is wrong. That is common if packets are captured at their sender: its
    /// network card inserts the checksum later.
    pub bad_checksum: bool,
}

impl Segment<'_> {
    /// Returns a segment that differs only in its payload.
    #[must_use]
    #[inline]
    pub const fn with_payload<'b>(&self, payload: &'b [u8]) -> Segment<'b> {
        let Self { source, destination, sequence, acknowledgement, syn, fin, rst, .. } = *self;
        let Self { urgent, network, missing, dropped, bad_checksum, .. } = *self;
        Segment {
            source,
            destination,
            sequence,
            acknowledgement,
            syn,
            fin,
            rst,
            urgent,
            network,
            payload,
            missing,
            dropped,
            bad_checksum,
        }
    }
}
