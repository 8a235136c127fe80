//! Plain packets: a link header, an IP header and a TCP header, with nothing between them.
//!
//! Nearly all packets are plain. They are decoded here without the walk through the layers.
//! Whatever is not certain is left to the walk, so both give the same for every packet. A test
//! compares them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::layer::{ether_type, ip_protocol};
use crate::decode::tcp;
use crate::link_type::LinkType;
use crate::packet::Packet;
use crate::segment::Segment;

/// The length of an IPv6 header.
const IPV6_HEADER: usize = 40;

/// Returns the segment of a plain packet. `None` if the packet is not plain.
#[inline]
pub(super) fn segment<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    let datagram = match packet.link {
        LinkType::ETHERNET => after_ethernet(packet.bytes)?,
        LinkType::RAW => packet.bytes,
        _ => return None,
    };
    let (addresses, payload) = match datagram.first()? >> 4 {
        4 => ipv4(datagram)?,
        6 => ipv6(datagram)?,
        _ => return None,
    };
    let segment = tcp::segment(addresses, payload, 0).ok()?;
    Some(Segment { dropped: packet.dropped, ..segment })
}

fn after_ethernet(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_first_chunk::<14>()?;
    let number = u16::from_be_bytes([header[12], header[13]]);
    (number == ether_type::IPV4 || number == ether_type::IPV6).then_some(rest)
}

/// The addresses and the payload of a datagram, if it has TCP, is no fragment, and was captured as
/// a whole.
type Plain<'a> = ((IpAddr, IpAddr), &'a [u8]);

fn ipv4(bytes: &[u8]) -> Option<Plain<'_>> {
    let header = bytes.first_chunk::<20>()?;
    let &[version, _, l0, l1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = header;
    let start = usize::from(version & 0x0f) * 4;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    // All bits but "don't fragment" and the reserved one.
    let is_fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
    if protocol != ip_protocol::TCP || is_fragment || start < 20 {
        return None;
    }
    let addresses = (Ipv4Addr::new(s0, s1, s2, s3).into(), Ipv4Addr::new(d0, d1, d2, d3).into());
    Some((addresses, bytes.get(start..length)?))
}

fn ipv6(bytes: &[u8]) -> Option<Plain<'_>> {
    let header = bytes.first_chunk::<IPV6_HEADER>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // A length of zero has a meaning of its own.
    if header[6] != ip_protocol::TCP || length == 0 {
        return None;
    }
    let address = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map(Ipv6Addr::from).ok();
    let addresses = (address(&header[8..24])?.into(), address(&header[24..40])?.into());
    Some((addresses, bytes.get(IPV6_HEADER..IPV6_HEADER + length)?))
}
