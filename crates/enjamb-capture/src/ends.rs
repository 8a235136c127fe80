//! Between whom a connection is: what it is found by.

use std::net::{IpAddr, SocketAddr};

use crate::decode::Segment;

/// Both ends, the smaller one first: the same for both directions. As numbers, since they are hashed and compared for every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    low: Address,
    high: Address,
    /// The port of the lower end, then that of the higher one.
    ports: (u16, u16),
}

/// The 16 bytes of an address, in halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Address(u64, u64);

/// Ends, and the network they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) ends: Ends,
    pub(crate) network: u64,
}

impl Ends {
    pub(crate) fn of(segment: &Segment<'_>) -> Self {
        let end = |end: SocketAddr| (Address::of(end.ip()), end.port());
        let (one, other) = (end(segment.source), end(segment.destination));
        let ((low, low_port), (high, high_port)) = if one <= other { (one, other) } else { (other, one) };
        Self { low, high, ports: (low_port, high_port) }
    }
}

impl Address {
    fn of(ip: IpAddr) -> Self {
        match ip {
            // What stands for IPv4 is a multicast address otherwise, which no end of a connection has.
            IpAddr::V4(ip) => Self(u64::MAX, u64::from(u32::MAX) << 32 | u64::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                Self((bits >> 64) as u64, bits as u64)
            }
        }
    }
}
