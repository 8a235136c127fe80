//! The key by which a connection is found.

use std::net::{IpAddr, SocketAddr};

use crate::segment::Segment;

/// Both endpoints of a connection, the smaller one first, so that both directions give the same
/// value. They are stored as numbers because they are hashed and compared for every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoints {
    low: Address,
    high: Address,
    /// The port of the lower endpoint, then that of the higher one.
    ports: (u16, u16),
}

/// The 16 bytes of an address, in halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Address(u64, u64);

/// Endpoints, and the network they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    pub(super) endpoints: Endpoints,
    pub(super) network: u64,
}

impl Endpoints {
    /// Returns whether `one` is the smaller endpoint of the two, or equal to the other.
    pub(super) fn is_low(one: SocketAddr, other: SocketAddr) -> bool {
        endpoint(one) <= endpoint(other)
    }

    pub(super) fn of(segment: &Segment<'_>) -> Self {
        let (one, other) = (endpoint(segment.source), endpoint(segment.destination));
        let ((low, low_port), (high, high_port)) = if one <= other { (one, other) } else { (other, one) };
        Self { low, high, ports: (low_port, high_port) }
    }
}

fn endpoint(address: SocketAddr) -> (Address, u16) {
    (Address::of(address.ip()), address.port())
}

impl Address {
    fn of(ip: IpAddr) -> Self {
        match ip {
            // As IPv6 these would be multicast addresses, which no connection has.
            IpAddr::V4(ip) => Self(u64::MAX, u64::from(u32::MAX) << 32 | u64::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                Self((bits >> 64) as u64, bits as u64)
            }
        }
    }
}
