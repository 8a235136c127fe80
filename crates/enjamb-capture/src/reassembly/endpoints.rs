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
    /// Returns a hash that is the same in every run.
    pub(super) fn hash_number(&self) -> u64 {
        // An odd number without pattern: the golden ratio's fraction, times 2^64.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let ports = u64::from(self.ports.0) << 16 | u64::from(self.ports.1);
        let parts = [self.low.1, self.high.1, self.low.0 ^ self.high.0.rotate_left(1) ^ ports];
        parts.into_iter().fold(0, |hash, part| {
            let mixed = (hash ^ part).wrapping_mul(FACTOR);
            mixed ^ mixed >> 32
        })
    }

    /// Returns whether `one` is the smaller endpoint of the two, or equal to the other.
    pub(super) fn is_low(one: SocketAddr, other: SocketAddr) -> bool {
        endpoint(one) <= endpoint(other)
    }

    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self::between(segment.source, segment.destination)
    }

    pub(super) fn between(one: SocketAddr, other: SocketAddr) -> Self {
        let (one, other) = (endpoint(one), endpoint(other));
        let ((low, low_port), (high, high_port)) = if one <= other { (one, other) } else { (other, one) };
        Self { low, high, ports: (low_port, high_port) }
    }
}

/// Returns a hash of two endpoints. It is the same for both directions of a connection, and in every
/// run of the program.
///
/// ```
/// let (client, server) = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 6379).into());
/// assert_eq!(enjamb_capture::endpoints_hash(client, server), enjamb_capture::endpoints_hash(server, client));
/// ```
#[must_use]
pub fn endpoints_hash(one: SocketAddr, other: SocketAddr) -> u64 {
    Endpoints::between(one, other).hash_number()
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
