//! The key by which a connection is found.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use crate::segment::Segment;

/// Both endpoints of a connection, the smaller one first, so that both directions give the same
/// value. They are stored as numbers because that is fast to hash and to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoints {
    low: Address,
    high: Address,
    /// The port of the lower endpoint, then that of the higher one.
    ports: (u16, u16),
}

/// The 16 bytes of an address, in halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Address(u64, u64);

/// The first half of an IPv4 address. In IPv6 it would begin a multicast address, which no connection
/// has.
const IPV4: u64 = u64::MAX;

/// Endpoints, and the network they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    pub(super) endpoints: Endpoints,
    pub(super) network: u64,
}

impl FlowKey {
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self { endpoints: Endpoints::between(segment.source, segment.destination), network: segment.network }
    }
}

impl Hash for Endpoints {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { low, high, ports } = self;
        // The upper halves of IPv4 addresses are all equal.
        if (low.0, high.0) != (IPV4, IPV4) {
            state.write_u64(low.0);
            state.write_u64(high.0);
        }
        state.write_u64(low.1);
        state.write_u64(high.1);
        state.write_u32(u32::from(ports.0) << 16 | u32::from(ports.1));
    }
}

impl Endpoints {
    /// Returns whether `one` is the smaller endpoint of the two, or equal to the other.
    pub(super) fn is_low(one: SocketAddr, other: SocketAddr) -> bool {
        endpoint(one) <= endpoint(other)
    }

    pub(super) fn between(one: SocketAddr, other: SocketAddr) -> Self {
        let (one, other) = (endpoint(one), endpoint(other));
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
            IpAddr::V4(ip) => Self(IPV4, u64::from(u32::MAX) << 32 | u64::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                Self((bits >> 64) as u64, bits as u64)
            }
        }
    }
}
