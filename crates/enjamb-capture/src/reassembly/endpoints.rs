//! The key by which a connection is found.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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

/// The first half of an IPv4 address. In IPv6 it would begin a multicast address, which no
/// connection has.
const IPV4: u64 = u64::MAX;

/// The number of parts of a capture's connections.
pub(super) const PARTS: usize = 64;

/// One of [`PARTS`] parts of a capture's connections, by a hash of their endpoints.
///
/// Beyond the limits for all, connections share state only with those of their part. So it does not
/// matter whether one reassembler follows all connections, or each of several follows some parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part(u8);

impl Part {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

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

/// A key in little memory, for the records of many flows.
pub(super) enum CompactKey {
    /// IPv4 addresses and ports, in a network without a number.
    V4 {
        low: u32,
        high: u32,
        ports: (u16, u16),
    },
    Other(Box<FlowKey>),
}

impl From<FlowKey> for CompactKey {
    fn from(key: FlowKey) -> Self {
        let FlowKey { endpoints: Endpoints { low, high, ports }, network } = key;
        if (low.0, high.0, network) == (IPV4, IPV4, 0) {
            Self::V4 { low: low.1 as u32, high: high.1 as u32, ports }
        } else {
            Self::Other(Box::new(key))
        }
    }
}

impl From<&CompactKey> for FlowKey {
    fn from(key: &CompactKey) -> Self {
        match key {
            CompactKey::V4 { low, high, ports } => {
                let [low, high] = [*low, *high].map(Address::of_v4);
                Self { endpoints: Endpoints { low, high, ports: *ports }, network: 0 }
            }
            CompactKey::Other(key) => **key,
        }
    }
}

/// The endpoints of the client and of the server, in little memory: a capture has very many.
pub(super) enum Ends {
    V4 { client: u32, server: u32, ports: (u16, u16) },
    V6(Box<(SocketAddr, SocketAddr)>),
}

impl Ends {
    pub(super) fn new(client: SocketAddr, server: SocketAddr) -> Self {
        match (client, server) {
            (SocketAddr::V4(client), SocketAddr::V4(server)) => Self::V4 {
                client: client.ip().to_bits(),
                server: server.ip().to_bits(),
                ports: (client.port(), server.port()),
            },
            _ => Self::V6(Box::new((client, server))),
        }
    }

    /// Returns the client, then the server.
    #[inline]
    pub(super) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        match self {
            Self::V4 { client, server, ports } => {
                let address = |bits, port| SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(bits)), port);
                (address(*client, ports.0), address(*server, ports.1))
            }
            Self::V6(ends) => **ends,
        }
    }

    #[inline]
    pub(super) fn is_client(&self, address: SocketAddr) -> bool {
        match (self, address) {
            (Self::V4 { client, ports, .. }, SocketAddr::V4(address)) => {
                (*client, ports.0) == (address.ip().to_bits(), address.port())
            }
            (Self::V4 { .. }, SocketAddr::V6(_)) => false,
            (Self::V6(ends), _) => ends.0 == address,
        }
    }

    /// Returns whether these are the two endpoints, in either order.
    #[inline]
    pub(super) fn has(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let (client, server) = self.addresses();
        if self.is_client(one) && server == other { true } else { (other, one) == (client, server) }
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
    /// Returns the part that connections between these endpoints belong to. It is the same in every
    /// run.
    #[inline]
    pub(super) fn part(&self) -> Part {
        // An odd number without pattern: the golden ratio's fraction, times 2^64.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let ports = u64::from(self.ports.0) << 16 | u64::from(self.ports.1);
        let parts = [self.low.1, self.high.1, self.low.0 ^ self.high.0.rotate_left(1) ^ ports];
        let hash = parts.into_iter().fold(0, |hash, part| {
            let mixed = (hash ^ part).wrapping_mul(FACTOR);
            mixed ^ mixed >> 32
        });
        Part((hash % PARTS as u64) as u8)
    }

    /// Returns whether `one` is the smaller endpoint of the two, or equal to the other.
    pub(super) fn is_low(one: SocketAddr, other: SocketAddr) -> bool {
        endpoint(one) <= endpoint(other)
    }

    #[inline]
    pub(super) fn between(one: SocketAddr, other: SocketAddr) -> Self {
        let (one, other) = (endpoint(one), endpoint(other));
        let ((low, low_port), (high, high_port)) = if one <= other { (one, other) } else { (other, one) };
        Self { low, high, ports: (low_port, high_port) }
    }
}

/// Returns a hash of two endpoints, below 64. It is the same for both directions of a connection,
/// and in every run of the program. Connections with the same hash must be in the same
/// [`Shard`](crate::Shard).
///
/// ```
/// let (client, server) = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 6379).into());
/// assert_eq!(enjamb_capture::endpoints_hash(client, server), enjamb_capture::endpoints_hash(server, client));
/// assert!(enjamb_capture::endpoints_hash(client, server) < 64);
/// ```
#[must_use]
#[inline]
pub fn endpoints_hash(one: SocketAddr, other: SocketAddr) -> u64 {
    Endpoints::between(one, other).part().index() as u64
}

#[inline]
fn endpoint(address: SocketAddr) -> (Address, u16) {
    (Address::of(address.ip()), address.port())
}

impl Address {
    fn of_v4(bits: u32) -> Self {
        Self(IPV4, u64::from(u32::MAX) << 32 | u64::from(bits))
    }

    #[inline]
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip.to_bits()),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                Self((bits >> 64) as u64, bits as u64)
            }
        }
    }
}
