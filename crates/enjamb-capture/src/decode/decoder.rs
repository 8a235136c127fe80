//! The walk from a packet's first header to its TCP segment.
//!
//! The IP header states the length of the datagram. Bytes after the datagram in an Ethernet frame
//! are padding or a frame check sequence, not data. If the capture truncated a packet, the segment
//! holds the bytes that are there and counts the others.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpSlice, LenSource};

use crate::decode::fragments::{DatagramKey, Fragments};
use crate::decode::layer::{Inner, Layer, ip_protocol, split};
use crate::decode::network::Network;
use crate::decode::unread::UnreadProtocol;
use crate::decode::{ether_type, infiniband, link, plain, tcp, tunnel, wireless, wrapper};
use crate::ignored::Ignored;
use crate::packet::Packet;
use crate::segment::Segment;

/// The maximum number of headers of a packet before its TCP header.
const LAYERS_MAX: usize = 32;

/// Finds TCP segments in packets. It keeps fragments of datagrams until they are complete.
#[derive(Default)]
pub struct Decoder {
    fragments: Fragments,
    /// The payload of the last datagram that was reassembled, and of the last one that was
    /// reassembled inside of it.
    outer: Vec<u8>,
    nested: Vec<u8>,
    /// The protocol of the last packet that gave no segment.
    unread: Option<UnreadProtocol>,
}

/// The findings of a walk besides its end.
#[derive(Default)]
struct Walk {
    network: Network,
    /// The protocol at which it ended, if that is not read.
    unread: Option<UnreadProtocol>,
}

impl Walk {
    /// Strips one header.
    #[inline]
    fn strip<'a>(&mut self, layer: Layer, bytes: &'a [u8]) -> Result<Inner<'a>, Ignored> {
        let stripped = strip(layer, bytes, &mut self.network);
        stripped.inspect_err(|reason| self.unread = UnreadProtocol::of(*reason, layer, bytes))
    }
}

/// The content of a packet, with all headers before it stripped.
enum Content<'a> {
    Segment(Segment<'a>),
    Fragment { datagram: DatagramKey, offset: etherparse::IpFragOffset, more: bool, payload: &'a [u8] },
}

impl Decoder {
    /// Creates a decoder that has seen no fragments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the segment in `packet`, or in the datagram that `packet` completes.
    ///
    /// # Errors
    /// The reason why there is no segment.
    #[inline]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Ignored> {
        if let Some(segment) = plain::segment(packet) {
            return Ok(segment);
        }
        self.walk(packet)
    }

    /// Returns the segment in `packet`, whatever it is wrapped in.
    fn walk<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Ignored> {
        let Self { fragments, outer, nested, unread } = self;
        let mut walk = Walk::default();
        let found = walk_to_segment(packet, fragments, [outer, nested], &mut walk);
        *unread = walk.unread;
        found
    }

    /// Returns the protocol of the last packet that gave no segment, if that is the reason.
    #[must_use]
    pub fn unread(&self) -> Option<UnreadProtocol> {
        self.unread
    }

    /// Returns the number of fragmented datagrams that gave nothing: their fragments contradicted
    /// each other, there were too many datagrams at a time, or some fragments did not arrive.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.fragments.given_up()
    }

    /// Returns the number of bytes that are held for fragmented datagrams, at most 16 MiB after a
    /// call.
    #[must_use]
    pub fn held(&self) -> usize {
        self.fragments.held()
    }
}

/// Returns the segment in `packet`. `whole` is room for datagrams that are put together.
fn walk_to_segment<'a>(
    packet: &Packet<'a>,
    fragments: &mut Fragments,
    whole: [&'a mut Vec<u8>; 2],
    walk: &mut Walk,
) -> Result<Segment<'a>, Ignored> {
    let layer = Layer::of(packet.link).ok_or(Ignored::UnknownLink)?;
    let truncated = packet.original.saturating_sub(packet.bytes.len() as u64);
    let mut content = packet_content(layer, packet.bytes, truncated, walk)?;
    // A tunnel's datagrams may be fragments, and may be carried in fragments.
    for whole in whole {
        let Content::Fragment { datagram, offset, more, payload } = content else {
            break;
        };
        let datagram = DatagramKey { network: walk.network, ..datagram };
        *whole = fragments.add(packet.time, datagram, offset, more, payload).ok_or(Ignored::Fragment)?;
        let addresses = (datagram.source, datagram.destination);
        content = datagram_content(datagram.protocol, addresses, whole, 0, 0, walk)?;
    }
    match content {
        Content::Segment(segment) => Ok(Segment { dropped: packet.dropped, network: walk.network.0, ..segment }),
        Content::Fragment { .. } => Err(Ignored::TooDeep),
    }
}

/// Strips one header, and notes the network that it names. IP and TCP are not stripped here: the
/// walk ends at them.
fn strip<'a>(layer: Layer, bytes: &'a [u8], network: &mut Network) -> Result<Inner<'a>, Ignored> {
    match layer {
        Layer::Ethernet => link::strip_ethernet(bytes),
        Layer::LinuxSll => link::strip_linux_sll(bytes),
        Layer::LinuxSll2 => link::strip_linux_sll2(bytes),
        Layer::Loopback => link::strip_loopback(bytes),
        Layer::CiscoHdlc => link::strip_cisco_hdlc(bytes),
        Layer::FrameRelay => link::strip_frame_relay(bytes),
        Layer::Fddi => link::strip_fddi(bytes),
        Layer::TokenRing => link::strip_token_ring(bytes),
        // RFC 2625, section 3: a network header with two addresses.
        Layer::FibreChannel => Ok((Layer::Llc, split::<16>(bytes)?.1)),
        Layer::Ipoib => infiniband::strip_ipoib(bytes),
        Layer::Infiniband => infiniband::strip_infiniband(bytes),
        Layer::Llc => link::strip_llc(bytes),
        Layer::Ppp => link::strip_ppp(bytes),
        Layer::Wrapper(kind) => wrapper::strip(kind, bytes),
        Layer::Radio(kind) => wireless::strip_radio(kind, bytes),
        Layer::Wireless { padded } => wireless::strip(padded, bytes),
        Layer::Mpls => tunnel::strip_mpls(bytes),
        Layer::EtherType(number) => ether_type::strip(number, bytes, network),
        Layer::IpProtocol(number) => tunnel::strip_ip_protocol(number, bytes, network),
        Layer::Ip => Ok((layer, bytes)),
    }
}

/// Strips headers up to a segment or a fragment. `truncated` is the number of bytes of the packet
/// that the capture lacks.
fn packet_content<'a>(
    mut layer: Layer,
    mut bytes: &'a [u8],
    truncated: u64,
    walk: &mut Walk,
) -> Result<Content<'a>, Ignored> {
    for _ in 0..LAYERS_MAX {
        (layer, bytes) = walk.strip(layer, bytes)?;
        if layer == Layer::Ip {
            return ip_content(bytes, truncated, 0, walk);
        }
    }
    Err(Ignored::TooDeep)
}

/// The content of a datagram that is carried in `depth` other datagrams.
fn ip_content<'a>(bytes: &'a [u8], truncated: u64, depth: usize, walk: &mut Walk) -> Result<Content<'a>, Ignored> {
    if depth == LAYERS_MAX {
        return Err(Ignored::TooDeep);
    }
    let (ip, stop) = match LaxIpSlice::from_slice(bytes) {
        Ok(sliced) => sliced,
        Err(etherparse::err::ip::LaxHeaderSliceError::Len(_)) => return Err(Ignored::Truncated),
        Err(_) => return Err(Ignored::Malformed),
    };
    let payload = ip.payload().clone();
    if stop.is_some() {
        return Err(if payload.incomplete { Ignored::Truncated } else { Ignored::Malformed });
    }
    let claimed = match &ip {
        LaxIpSlice::Ipv4(ip) => u64::from(ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => u64::from(ip.header().payload_length()) + 40,
    };
    let missing = if payload.incomplete {
        // If nothing was truncated, the header claims too much, and the payload is whole.
        claimed.saturating_sub(bytes.len() as u64).min(truncated)
    } else if payload.len_source == LenSource::Slice {
        // A length of zero: a jumbogram, or a packet captured before segmentation offload wrote its
        // length. The packet's own length applies.
        truncated
    } else {
        0
    };
    let addresses = (ip.source_addr(), ip.destination_addr());
    let IpNumber(protocol) = payload.ip_number;
    if payload.fragmented {
        if missing > 0 {
            return Err(Ignored::Truncated);
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
        let (source, destination) = addresses;
        let datagram = DatagramKey { source, destination, identification, protocol, network: walk.network };
        return Ok(Content::Fragment { datagram, offset, more, payload: payload.payload });
    }
    datagram_content(protocol, addresses, payload.payload, missing, depth, walk)
}

/// The content of a datagram's payload, of which `missing` bytes were not captured.
fn datagram_content<'a>(
    protocol: u8,
    addresses: (IpAddr, IpAddr),
    payload: &'a [u8],
    missing: u64,
    depth: usize,
    walk: &mut Walk,
) -> Result<Content<'a>, Ignored> {
    if protocol == ip_protocol::TCP {
        return tcp::segment(addresses, payload, missing).map(Content::Segment);
    }
    let (mut layer, mut bytes) = (Layer::IpProtocol(protocol), payload);
    for _ in 0..LAYERS_MAX {
        (layer, bytes) = walk.strip(layer, bytes)?;
        if layer == Layer::Ip {
            return ip_content(bytes, missing, depth + 1, walk);
        }
    }
    Err(Ignored::TooDeep)
}

#[cfg(test)]
mod tests {
    use enjamb::Time;

    use super::{Decoder, plain};
    use crate::link_type::LinkType;
    use crate::packet::Packet;

    /// A generator of numbers: the constants are those of Knuth's MMIX.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }
    }

    fn packets() -> Vec<(LinkType, Vec<u8>)> {
        let tcp = [0x9c, 0x40, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x60, 0x18, 0xff, 0xff, 0x12, 0x34, 0, 0, 2, 4, 5, 0xb4];
        let tcp = [&tcp[..], b"payload"].concat();
        let v4 = [&[0x45, 0, 0, 51, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], &tcp[..]].concat();
        let mut v6 = [&[0x60, 0, 0, 0, 0, 31, 6, 64][..], &[0x20; 16], &[0x30; 16], &tcp].concat();
        v6[8] = 0xfd;
        let ethernet = |number: u16, datagram: &[u8]| [&[2; 12][..], &number.to_be_bytes(), datagram].concat();
        vec![
            (LinkType::ETHERNET, ethernet(0x0800, &v4)),
            (LinkType::ETHERNET, ethernet(0x86dd, &v6)),
            (LinkType::RAW, v4),
            (LinkType::RAW, v6),
        ]
    }

    #[test]
    fn plain_packets_and_damaged_ones_decode_as_in_the_walk() {
        let mut random = Random(1);
        let (mut plain, mut not) = (0, 0);
        for (link, whole) in packets() {
            for round in 0..60_000 {
                let mut bytes = whole.clone();
                if round % 8 == 0 {
                    // Padding.
                    bytes.extend(vec![0; random.below(9)]);
                }
                for _ in 0..random.below(4) {
                    let at = random.below(bytes.len());
                    bytes[at] =
                        if random.below(2) == 0 { random.below(256) as u8 } else { bytes[at] ^ 1 << random.below(8) };
                }
                let original = bytes.len() as u64;
                if round % 4 == 0 {
                    bytes.truncate(random.below(bytes.len() + 1));
                }
                let packet = Packet { time: Time::default(), link, bytes: &bytes, original, dropped: 3 };
                match plain::segment(&packet) {
                    Some(segment) => {
                        plain += 1;
                        assert_eq!(Decoder::new().walk(&packet), Ok(segment), "{bytes:x?}");
                    }
                    None => not += 1,
                }
            }
        }
        assert!(plain > 50_000 && not > 50_000, "{plain} plain, {not} others");
    }
}
