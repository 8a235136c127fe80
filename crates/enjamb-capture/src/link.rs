//! What stands in front of the IP header: link layers, tags, labels and tunnels, peeled off one by one.
//!
//! A layer is a number that says what the bytes are (an EtherType, an IP protocol, a PPP protocol) and the bytes. Each step
//! reads one header and gives the layer below. Only the headers' lengths and the numbers of what follows matter here, so a
//! step is a few lines, and what `etherparse` has no type for costs no more than what it has. IP itself is its job.
//!
//! The IP header says how long the datagram is, so the lengths in the headers before it are not needed; PPPoE's is.

use std::fmt;

use crate::decode::Ignored;
use crate::network::{Network, Tag};
use crate::tunnel::{peel_mpls, peel_protocol};
use crate::wireless;

/// A link type number of <https://www.tcpdump.org/linktypes.html>: what the first header of a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family in the byte order of the machine.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC framing.
    pub const PPP_HDLC: Self = Self(50);
    /// PPP over Ethernet, without the Ethernet header.
    pub const PPP_ETHERNET: Self = Self(51);
    /// An IPv4 or IPv6 header comes first. What [`Recorder`](crate::Recorder) writes.
    pub const RAW: Self = Self(101);
    /// Cisco's HDLC.
    pub const C_HDLC: Self = Self(104);
    /// 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// Frame relay.
    pub const FRELAY: Self = Self(107);
    /// OpenBSD loopback: four bytes of address family in network order.
    pub const LOOP: Self = Self(108);
    /// The `enc` interface of BSD, where packets are not encrypted any more.
    pub const ENC: Self = Self(109);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// The log of BSD's packet filter.
    pub const PFLOG: Self = Self(117);
    /// 802.11 behind a Prism header.
    pub const PRISM: Self = Self(119);
    /// 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// 802.11 behind an AVS header.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// PPP of `pppd`: which way it went stands in the place of the address.
    pub const PPP_PPPD: Self = Self(166);
    /// Any link type behind a "per-packet information" header.
    pub const PPI: Self = Self(192);
    /// PPP behind a byte that says which way it went.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Cisco's HDLC behind such a byte.
    pub const C_HDLC_WITH_DIR: Self = Self(205);
    /// Frame relay behind such a byte.
    pub const FRELAY_WITH_DIR: Self = Self(206);
    /// An IPv4 header comes first.
    pub const IPV4: Self = Self(228);
    /// An IPv6 header comes first.
    pub const IPV6: Self = Self(229);
    /// The log of Linux's packet filter.
    pub const NFLOG: Self = Self(239);
    /// Any link type behind a header of macOS.
    pub const PKTAP: Self = Self(258);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    pub(crate) fn layer(self) -> Option<Layer> {
        Some(match self {
            Self::NULL | Self::LOOP => Layer::Loopback,
            Self::ETHERNET => Layer::Ethernet,
            Self::PPP | Self::PPP_HDLC => Layer::Ppp,
            Self::PPP_ETHERNET => Layer::Type(ether_type::PPPOE_SESSION),
            // 12 and 14 are what raw IP is on some systems whose files were not written portably.
            Self::RAW | Self::IPV4 | Self::IPV6 | Self(12 | 14) => Layer::Ip,
            Self::LINUX_SLL => Layer::LinuxSll,
            Self::LINUX_SLL2 => Layer::LinuxSll2,
            Self::C_HDLC => Layer::CiscoHdlc,
            Self::FRELAY => Layer::FrameRelay,
            Self::ENC | Self::PFLOG | Self::NFLOG | Self::PKTAP | Self::PPI => Layer::Wrapped(self),
            Self::PPP_PPPD | Self::PPP_WITH_DIR | Self::C_HDLC_WITH_DIR | Self::FRELAY_WITH_DIR => Layer::Wrapped(self),
            // 149 is what macOS wrote before there was a number.
            Self(149) => Layer::Wrapped(Self::PKTAP),
            Self::IEEE802_11 => Layer::Wireless { padded: false },
            Self::PRISM | Self::IEEE802_11_RADIOTAP | Self::IEEE802_11_AVS => Layer::Radio(self),
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link type {}", self.0)
    }
}

pub(crate) mod ether_type {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const TRANSPARENT_BRIDGING: u16 = 0x6558;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const PPP: u16 = 0x880b;
    pub(crate) const MPLS: u16 = 0x8847;
    pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
    pub(crate) const PROVIDER_BRIDGING: u16 = 0x88a8;
    pub(crate) const BACKBONE_SERVICE: u16 = 0x88e7;
    pub(crate) const SECURITY_GROUP: u16 = 0x8909;
    pub(crate) const VN_TAG: u16 = 0x8926;
    pub(crate) const REDUNDANCY: u16 = 0x892f;
    pub(crate) const E_TAG: u16 = 0x893f;
    pub(crate) const SERVICE_HEADER: u16 = 0x894f;
    pub(crate) const VLAN_OLD: u16 = 0x9100;
    pub(crate) const VLAN_OLDER: u16 = 0x9200;
    /// Below this, the field of an Ethernet header is a length (IEEE 802.3, 3.2.6).
    pub(crate) const SMALLEST: u16 = 0x0600;
    /// What Linux writes into a cooked header in front of 802.2 LLC.
    pub(crate) const LINUX_LLC: u16 = 0x0004;
}

/// IP protocol numbers that hold more layers.
pub(crate) mod ip_protocol {
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ETHERNET: u8 = 97;
    pub(crate) const MPLS: u8 = 137;
}

/// What a run of bytes begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Ethernet,
    LinuxSll,
    LinuxSll2,
    Loopback,
    CiscoHdlc,
    FrameRelay,
    /// Another layer behind a header that says which.
    Wrapped(LinkType),
    /// 802.11 behind what the receiver says of the signal.
    Radio(LinkType),
    /// 802.11. `padded`: its header is, to a multiple of four bytes.
    Wireless {
        padded: bool,
    },
    /// MPLS labels.
    Labels,
    /// What an EtherType says.
    Type(u16),
    /// 802.2 logical link control.
    Llc,
    Ppp,
    /// IPv4 or IPv6: the first four bits tell.
    Ip,
    /// What an IP protocol number says.
    Protocol(u8),
}

/// A layer, and its bytes.
pub(crate) type Peeled<'a> = (Layer, &'a [u8]);

/// Takes one header off, and notes the networks it names. Not for [`Layer::Ip`] and TCP, where peeling ends.
pub(crate) fn peel<'a>(layer: Layer, bytes: &'a [u8], network: &mut Network) -> Result<Peeled<'a>, Ignored> {
    match layer {
        Layer::Ethernet => {
            let (header, rest) = split::<14>(bytes)?;
            Ok((type_or_length([header[12], header[13]]), rest))
        }
        Layer::LinuxSll => {
            let (header, rest) = split::<16>(bytes)?;
            Ok((Layer::Type(u16::from_be_bytes([header[14], header[15]])), rest))
        }
        Layer::LinuxSll2 => {
            let (header, rest) = split::<20>(bytes)?;
            Ok((Layer::Type(u16::from_be_bytes([header[0], header[1]])), rest))
        }
        Layer::Loopback => {
            let (family, rest) = split::<4>(bytes)?;
            // AF_INET is 2 everywhere, AF_INET6 is not; the file does not say in which order the four bytes are.
            match (u32::from_be_bytes(*family), u32::from_le_bytes(*family)) {
                (2 | 10 | 24 | 28 | 30, _) | (_, 2 | 10 | 24 | 28 | 30) => Ok((Layer::Ip, rest)),
                _ => Err(Ignored::NotIp),
            }
        }
        Layer::CiscoHdlc => {
            let (header, rest) = split::<4>(bytes)?;
            Ok((Layer::Type(u16::from_be_bytes([header[2], header[3]])), rest))
        }
        // RFC 2427, section 4: an address of two bytes, control, then which protocol.
        Layer::FrameRelay => match bytes {
            [_, _, 0x03, 0xcc | 0x8e, rest @ ..] => Ok((Layer::Ip, rest)),
            [_, _, 0x03, 0x00, 0x80, 0, 0, 0, high, low, rest @ ..] => {
                Ok((Layer::Type(u16::from_be_bytes([*high, *low])), rest))
            }
            [] | [_] | [_, _] | [_, _, _] => Err(Ignored::Cut),
            _ => Err(Ignored::NotIp),
        },
        Layer::Wrapped(kind) => peel_wrapped(kind, bytes),
        Layer::Radio(kind) => wireless::peel_radio(kind, bytes),
        Layer::Wireless { padded } => wireless::peel(padded, bytes),
        Layer::Labels => peel_mpls(bytes),
        Layer::Llc => {
            let (header, rest) = split::<8>(bytes)?;
            // SNAP (IEEE 802, section 9): organisation 0 means that an EtherType follows.
            match header {
                [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] => Ok((Layer::Type(u16::from_be_bytes([*high, *low])), rest)),
                // IP has a service access point of its own.
                [0x06, 0x06, 0x03, ..] => Ok((Layer::Ip, split::<3>(bytes)?.1)),
                _ => Err(Ignored::NotIp),
            }
        }
        Layer::Ppp => peel_ppp(bytes),
        Layer::Type(number) => peel_type(number, bytes, network),
        Layer::Protocol(number) => peel_protocol(number, bytes, network),
        Layer::Ip => Ok((layer, bytes)),
    }
}

/// IEEE 802.3, 3.2.6: the field is a type or a length.
fn type_or_length(field: [u8; 2]) -> Layer {
    match u16::from_be_bytes(field) {
        length if length < ether_type::SMALLEST => Layer::Llc,
        number => Layer::Type(number),
    }
}

fn peel_type<'a>(number: u16, bytes: &'a [u8], network: &mut Network) -> Result<Peeled<'a>, Ignored> {
    match number {
        ether_type::IPV4 | ether_type::IPV6 => Ok((Layer::Ip, bytes)),
        ether_type::VLAN | ether_type::PROVIDER_BRIDGING | ether_type::VLAN_OLD | ether_type::VLAN_OLDER => {
            let (tag, rest) = split::<4>(bytes)?;
            // The upper four bits are a priority (IEEE 802.1Q, 9.6).
            network.enter(Tag::Vlan, u32::from(u16::from_be_bytes([tag[0] & 0x0f, tag[1]])));
            Ok((type_or_length([tag[2], tag[3]]), rest))
        }
        // A tag of a switch's port, and its type.
        ether_type::VN_TAG | ether_type::REDUNDANCY => {
            let (tag, rest) = split::<6>(bytes)?;
            Ok((type_or_length([tag[4], tag[5]]), rest))
        }
        ether_type::E_TAG => {
            let (tag, rest) = split::<8>(bytes)?;
            Ok((type_or_length([tag[6], tag[7]]), rest))
        }
        // Cisco's tag of a security group: version, length, option, group, and the type of what follows.
        ether_type::SECURITY_GROUP => {
            let (tag, rest) = split::<8>(bytes)?;
            Ok((type_or_length([tag[6], tag[7]]), rest))
        }
        // IEEE 802.1Q, 9.7: 24 bits of service, then the customer's own Ethernet header.
        ether_type::BACKBONE_SERVICE => {
            let (tag, rest) = split::<4>(bytes)?;
            network.enter(Tag::Service, u32::from_be_bytes([0, tag[1], tag[2], tag[3]]));
            Ok((Layer::Ethernet, rest))
        }
        // RFC 8300, section 2.2: length in words, then what follows.
        ether_type::SERVICE_HEADER => {
            let (header, _) = split::<8>(bytes)?;
            let rest = bytes.get(usize::from(header[1] & 0x3f) * 4..).ok_or(Ignored::Cut)?;
            match header[3] {
                1 | 2 => Ok((Layer::Ip, rest)),
                3 => Ok((Layer::Ethernet, rest)),
                5 => Ok((Layer::Labels, rest)),
                _ => Err(Ignored::NotIp),
            }
        }
        // RFC 2516, section 4: version and type, code, session, length. Behind that is padding, which a wrong length in the
        // IP header has been seen to include.
        ether_type::PPPOE_SESSION => {
            let (header, rest) = split::<6>(bytes)?;
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            network.enter(Tag::PppoeSession, u32::from(u16::from_be_bytes([header[2], header[3]])));
            Ok((Layer::Ppp, rest.get(..length).filter(|inner| !inner.is_empty()).unwrap_or(rest)))
        }
        ether_type::MPLS | ether_type::MPLS_MULTICAST => Ok((Layer::Labels, bytes)),
        ether_type::TRANSPARENT_BRIDGING => Ok((Layer::Ethernet, bytes)),
        ether_type::PPP => Ok((Layer::Ppp, bytes)),
        ether_type::LINUX_LLC => Ok((Layer::Llc, bytes)),
        _ => Err(Ignored::NotIp),
    }
}

/// RFC 1661, section 2, and RFC 1662, section 3.1: address and control may be there or not, a protocol below 256 may have one byte.
fn peel_ppp(bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    match bytes {
        [0x21 | 0x57, rest @ ..] | [0x00, 0x21 | 0x57, rest @ ..] => Ok((Layer::Ip, rest)),
        [] | [_] => Err(Ignored::Cut),
        _ => Err(Ignored::NotIp),
    }
}

/// Headers of capturing systems.
fn peel_wrapped(kind: LinkType, bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    let inner = |link: u32, length: usize| {
        let link = u16::try_from(link).map_err(|_| Ignored::UnknownLink)?;
        let layer = LinkType(link).layer().ok_or(Ignored::UnknownLink)?;
        Ok((layer, bytes.get(length..).ok_or(Ignored::Cut)?))
    };
    match kind {
        LinkType::ENC => Ok((Layer::Ip, split::<12>(bytes)?.1)),
        LinkType::PPP_WITH_DIR | LinkType::PPP_PPPD => {
            let (_, rest) = split::<1>(bytes)?;
            // The control field of what began with an address.
            Ok((Layer::Ppp, rest.strip_prefix(&[0x03]).unwrap_or(rest)))
        }
        LinkType::C_HDLC_WITH_DIR => Ok((Layer::CiscoHdlc, split::<1>(bytes)?.1)),
        LinkType::FRELAY_WITH_DIR => Ok((Layer::FrameRelay, split::<1>(bytes)?.1)),
        // Its length, without the padding that follows it.
        LinkType::PFLOG => {
            let length = usize::from(*bytes.first().ok_or(Ignored::Cut)?).next_multiple_of(4);
            Ok((Layer::Ip, bytes.get(length..).ok_or(Ignored::Cut)?))
        }
        LinkType::PPI => {
            let (header, _) = split::<8>(bytes)?;
            let link = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            inner(link, usize::from(u16::from_le_bytes([header[2], header[3]])))
        }
        LinkType::PKTAP => {
            let (header, _) = split::<12>(bytes)?;
            let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            inner(word(8), word(0) as usize)
        }
        _ => peel_nflog(bytes),
    }
}

/// Attributes of length, type and value, padded to four bytes, in the byte order of the machine. One is the packet.
fn peel_nflog(bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    const PAYLOAD: u16 = 9;
    let (_, mut rest) = split::<4>(bytes)?;
    loop {
        let (header, _) = split::<4>(rest)?;
        let (length, kind) = ([header[0], header[1]], [header[2], header[3]]);
        // The upper bits of the type are flags. No type reads as another one in the wrong order.
        let big = kind[0] & 0x3f == 0 && kind[1] != 0;
        let number = |bytes| if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let (length, kind) = (usize::from(number(length)), number(kind) & 0x3fff);
        if length < 4 {
            return Err(Ignored::Malformed);
        }
        if kind == PAYLOAD {
            return Ok((Layer::Ip, rest.get(4..length).unwrap_or(&rest[4..])));
        }
        rest = rest.get(length.next_multiple_of(4)..).ok_or(Ignored::Cut)?;
    }
}

pub(crate) fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Ignored> {
    bytes.split_first_chunk::<N>().ok_or(Ignored::Cut)
}
