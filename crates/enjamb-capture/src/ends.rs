//! Between whom a connection is: what it is found by.

use std::net::{IpAddr, SocketAddr};

use crate::decode::Segment;

/// Both ends, the smaller one first: the same for both directions. An address has 16 bytes and a port two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ends([u8; 36]);

/// Ends, and the network they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) ends: Ends,
    pub(crate) network: u64,
}

impl Ends {
    pub(crate) fn of(segment: &Segment<'_>) -> Self {
        let end = |address: SocketAddr| {
            // What stands for IPv4 is a multicast address otherwise, which no end of a connection has.
            let mut bytes = [0xff; 18];
            match address.ip() {
                IpAddr::V4(ip) => bytes[12..16].copy_from_slice(&ip.octets()),
                IpAddr::V6(ip) => bytes[..16].copy_from_slice(&ip.octets()),
            }
            bytes[16..].copy_from_slice(&address.port().to_be_bytes());
            bytes
        };
        let (one, other) = (end(segment.source), end(segment.destination));
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let mut ends = [0; 36];
        ends[..18].copy_from_slice(&low);
        ends[18..].copy_from_slice(&high);
        Self(ends)
    }
}
