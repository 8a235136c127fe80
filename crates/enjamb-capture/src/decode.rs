//! From a packet to the TCP segment in it.
//!
//! The lengths that count are those of the IP header: what an Ethernet frame has behind the datagram is padding or a frame
//! check sequence, not data. A packet that was cut when it was captured gives what is there, and says how much is not.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpSlice, LenSource, TcpSlice};

use crate::capture::Packet;
use crate::fragments::{Datagram, Fragments};
use crate::link::{Layer, ip_protocol, peel};
use crate::network::Network;

/// The most headers that are peeled off a packet before its TCP header.
const LAYERS_MAX: usize = 32;

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// Sequence number: of the SYN, if it has one, else of the first byte of payload.
    pub sequence: u32,
    /// Acknowledgement number, where the ACK flag says that there is one.
    pub acknowledgement: Option<u32>,
    /// The sender opens its stream.
    pub syn: bool,
    /// The sender's stream ends behind the payload.
    pub fin: bool,
    /// The sender gives the connection up.
    pub rst: bool,
    /// It has urgent data.
    pub urgent: bool,
    /// Which of several networks it was captured in that may use the same addresses: a number made of VLAN, VXLAN and GENEVE
    /// identifiers, and 0 where there are none.
    pub network: u64,
    /// The payload that was captured.
    pub payload: &'a [u8],
    /// How many more bytes of payload it had on the wire.
    pub missing: u64,
    /// How many packets the capturing system knows it lost directly before this one.
    pub dropped: u64,
    /// The checksum is not right. Common for packets captured where they were sent, before the network card put it in.
    pub bad_checksum: bool,
}

/// Why a packet gave no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// Its link type is not known.
    UnknownLink,
    /// ARP, a spanning tree, a routing protocol: not IP.
    NotIp,
    /// IP, but UDP, ICMP or another protocol.
    NotTcp,
    /// A fragment of a datagram that is not whole yet.
    Fragment,
    /// So little of it was captured that a header is cut.
    Cut,
    /// A header makes no sense.
    Malformed,
    /// More headers than anybody needs.
    TooDeep,
}

impl Ignored {
    /// All of them: `Ignored::ALL[reason.index()] == reason`.
    pub const ALL: [Self; 7] =
        [Self::UnknownLink, Self::NotIp, Self::NotTcp, Self::Fragment, Self::Cut, Self::Malformed, Self::TooDeep];

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// In a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownLink => "unknown link type",
            Self::NotIp => "not IP",
            Self::NotTcp => "not TCP",
            Self::Fragment => "fragment",
            Self::Cut => "header cut off",
            Self::Malformed => "malformed header",
            Self::TooDeep => "too many headers",
        }
    }
}

/// Finds TCP segments in packets. Keeps fragments of datagrams until they are whole.
#[derive(Default)]
pub struct Decoder {
    fragments: Fragments,
    /// The payload of the last datagram that became whole, and of the last one inside of it that did.
    whole: Vec<u8>,
    whole_inside: Vec<u8>,
}

/// Where peeling ended.
enum Core<'a> {
    Segment(Segment<'a>),
    Fragment { datagram: Datagram, offset: etherparse::IpFragOffset, more: bool, payload: &'a [u8] },
}

impl Decoder {
    /// No fragments yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The segment in `packet`, or in the datagram that it completes.
    ///
    /// # Errors
    /// There is none, for this reason.
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Ignored> {
        let layer = packet.link.layer().ok_or(Ignored::UnknownLink)?;
        let cut = packet.original.saturating_sub(packet.bytes.len() as u64);
        let mut network = Network::default();
        let mut core = core(layer, packet.bytes, cut, &mut network)?;
        // Fragments may be of a tunnel whose datagrams are in fragments themselves.
        for whole in [&mut self.whole, &mut self.whole_inside] {
            let Core::Fragment { datagram, offset, more, payload } = core else {
                break;
            };
            let datagram = Datagram { network, ..datagram };
            *whole = self.fragments.add(packet.time, datagram, offset, more, payload).ok_or(Ignored::Fragment)?;
            core = inside(datagram.protocol, (datagram.source, datagram.destination), whole, 0, 0, &mut network)?;
        }
        match core {
            Core::Segment(segment) => Ok(Segment { dropped: packet.dropped, network: network.0, ..segment }),
            Core::Fragment { .. } => Err(Ignored::TooDeep),
        }
    }

    /// Fragmented datagrams that were given up: their fragments contradicted each other, there were too many, or some never came.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.fragments.given_up()
    }

    /// Bytes held for fragmented datagrams. Never more than 16 MiB after a call.
    #[must_use]
    pub fn held(&self) -> usize {
        self.fragments.held()
    }
}

/// Peels until there is a segment or a fragment. `cut` bytes of the packet were not captured.
fn core<'a>(mut layer: Layer, mut bytes: &'a [u8], cut: u64, network: &mut Network) -> Result<Core<'a>, Ignored> {
    for _ in 0..LAYERS_MAX {
        (layer, bytes) = peel(layer, bytes, network)?;
        if layer == Layer::Ip {
            return ip(bytes, cut, 0, network);
        }
    }
    Err(Ignored::TooDeep)
}

/// A datagram that `depth` others are around.
fn ip<'a>(bytes: &'a [u8], cut: u64, depth: usize, network: &mut Network) -> Result<Core<'a>, Ignored> {
    if depth == LAYERS_MAX {
        return Err(Ignored::TooDeep);
    }
    let (ip, stop) = match LaxIpSlice::from_slice(bytes) {
        Ok(sliced) => sliced,
        Err(etherparse::err::ip::LaxHeaderSliceError::Len(_)) => return Err(Ignored::Cut),
        Err(_) => return Err(Ignored::Malformed),
    };
    let content = ip.payload().clone();
    if stop.is_some() {
        return Err(if content.incomplete { Ignored::Cut } else { Ignored::Malformed });
    }
    let claimed = match &ip {
        LaxIpSlice::Ipv4(ip) => u64::from(ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => u64::from(ip.header().payload_length()) + 40,
    };
    let missing = if content.incomplete {
        // When nothing was cut off, the header claims too much: what is there is all there was.
        claimed.saturating_sub(bytes.len() as u64).min(cut)
    } else if content.len_source == LenSource::Slice {
        // A length of zero: a jumbogram, or a packet captured before segmentation offload wrote it. The packet's own says it.
        cut
    } else {
        0
    };
    let ends = (ip.source_addr(), ip.destination_addr());
    let IpNumber(protocol) = content.ip_number;
    if content.fragmented {
        if missing > 0 {
            return Err(Ignored::Cut);
        }
        let (identification, offset, more) = match &ip {
            LaxIpSlice::Ipv4(ip) => {
                let header = ip.header();
                (u32::from(header.identification()), header.fragments_offset(), header.more_fragments())
            }
            LaxIpSlice::Ipv6(ip) => {
                let fragment = ip.extensions().clone().into_iter().find_map(|extension| match extension {
                    Ipv6ExtensionSlice::Fragment(fragment) => Some(fragment),
                    _ => None,
                });
                let fragment = fragment.ok_or(Ignored::Malformed)?;
                (fragment.identification(), fragment.fragment_offset(), fragment.more_fragments())
            }
        };
        let datagram = Datagram { source: ends.0, destination: ends.1, identification, protocol, network: *network };
        return Ok(Core::Fragment { datagram, offset, more, payload: content.payload });
    }
    inside(protocol, ends, content.payload, missing, depth, network)
}

/// What is in a datagram from and to `ends`, of whose payload `missing` bytes were not captured.
fn inside<'a>(
    protocol: u8,
    ends: (IpAddr, IpAddr),
    payload: &'a [u8],
    missing: u64,
    depth: usize,
    network: &mut Network,
) -> Result<Core<'a>, Ignored> {
    if protocol == ip_protocol::TCP {
        return tcp(ends, payload, missing).map(Core::Segment);
    }
    let (mut layer, mut bytes) = (Layer::Protocol(protocol), payload);
    for _ in 0..LAYERS_MAX {
        (layer, bytes) = peel(layer, bytes, network)?;
        if layer == Layer::Ip {
            return ip(bytes, missing, depth + 1, network);
        }
    }
    Err(Ignored::TooDeep)
}

fn tcp((source, destination): (IpAddr, IpAddr), bytes: &[u8], missing: u64) -> Result<Segment<'_>, Ignored> {
    let tcp = match TcpSlice::from_slice(bytes) {
        Ok(tcp) => tcp,
        Err(etherparse::err::tcp::HeaderSliceError::Len(_)) if missing > 0 => return Err(Ignored::Cut),
        Err(_) => return Err(Ignored::Malformed),
    };
    let checksum = match (source, destination) {
        _ if missing > 0 => None,
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            tcp.calc_checksum_ipv4(source.octets(), destination.octets()).ok()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            tcp.calc_checksum_ipv6(source.octets(), destination.octets()).ok()
        }
        _ => None,
    };
    Ok(Segment {
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledgement: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        urgent: tcp.urg(),
        network: 0,
        payload: tcp.payload(),
        missing,
        dropped: 0,
        bad_checksum: checksum.is_some_and(|checksum| checksum != tcp.checksum()),
    })
}
