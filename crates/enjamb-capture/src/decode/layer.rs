//! The types that all layers share: which header comes next, and the numbers that announce it.
//!
//! The IP header states the length of its datagram, so the length fields in headers before it are
//! not needed. The length field of PPPoE is an exception.

use crate::ignored::Ignored;
use crate::link_type::LinkType;

/// The kind of header that a run of bytes begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Ethernet,
    LinuxSll,
    LinuxSll2,
    Loopback,
    CiscoHdlc,
    FrameRelay,
    Fddi,
    TokenRing,
    /// IP over Fibre Channel.
    FibreChannel,
    /// IP over InfiniBand, with or without a global routing header.
    Ipoib,
    /// InfiniBand, from the local routing header on.
    Infiniband,
    /// A header that a capturing system added in front of another layer.
    Wrapper(Wrapper),
    /// A radio receiver's header in front of 802.11.
    Radio(Radio),
    /// 802.11. `padded`: its header is padded to a multiple of four bytes.
    Wireless {
        padded: bool,
    },
    /// MPLS labels.
    Mpls,
    /// The header that an EtherType announces.
    EtherType(u16),
    /// 802.2 logical link control.
    Llc,
    Ppp,
    /// IPv4 or IPv6, by its first four bits.
    Ip,
    /// The header that an IP protocol number announces.
    IpProtocol(u8),
}

/// A header that a capturing system adds. It states the layer behind it, or that layer is always
/// the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapper {
    /// BSD's `enc` interface.
    Enc,
    /// The log of BSD's packet filter.
    Pflog,
    /// The log of Linux's packet filter.
    Nflog,
    /// macOS.
    Pktap,
    /// Per-packet information.
    Ppi,
    /// PPP of `pppd`, with the direction in place of the address field.
    PppPppd,
    /// PPP after a byte for the direction.
    PppDirection,
    /// Cisco HDLC after a byte for the direction.
    CiscoHdlcDirection,
    /// Frame relay after a byte for the direction.
    FrameRelayDirection,
}

/// A header in which a radio receiver describes the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Radio {
    Prism,
    Radiotap,
    Avs,
}

/// The layer behind a header, and its bytes.
pub(super) type Inner<'a> = (Layer, &'a [u8]);

impl Layer {
    /// Returns the layer that packets of a link type begin with. `None` if the link type is not
    /// read.
    pub(super) fn of(link: LinkType) -> Option<Self> {
        Some(match link {
            LinkType::NULL | LinkType::LOOP => Self::Loopback,
            LinkType::ETHERNET => Self::Ethernet,
            LinkType::PPP | LinkType::PPP_HDLC => Self::Ppp,
            LinkType::PPP_ETHERNET => Self::EtherType(ether_type::PPPOE_SESSION),
            // Some systems write 12 or 14 for raw IP, in files that are not portable.
            LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => Self::Ip,
            LinkType::LINUX_SLL => Self::LinuxSll,
            LinkType::LINUX_SLL2 => Self::LinuxSll2,
            LinkType::C_HDLC => Self::CiscoHdlc,
            LinkType::FRELAY => Self::FrameRelay,
            LinkType::FDDI => Self::Fddi,
            LinkType::IEEE802_5 => Self::TokenRing,
            LinkType::ATM_RFC1483 => Self::Llc,
            LinkType::IP_OVER_FC => Self::FibreChannel,
            LinkType::IPOIB => Self::Ipoib,
            LinkType::INFINIBAND => Self::Infiniband,
            LinkType::ENC => Self::Wrapper(Wrapper::Enc),
            LinkType::PFLOG => Self::Wrapper(Wrapper::Pflog),
            LinkType::NFLOG => Self::Wrapper(Wrapper::Nflog),
            // macOS wrote 149 before PKTAP had a number.
            LinkType::PKTAP | LinkType(149) => Self::Wrapper(Wrapper::Pktap),
            LinkType::PPI => Self::Wrapper(Wrapper::Ppi),
            LinkType::PPP_PPPD => Self::Wrapper(Wrapper::PppPppd),
            LinkType::PPP_WITH_DIR => Self::Wrapper(Wrapper::PppDirection),
            LinkType::C_HDLC_WITH_DIR => Self::Wrapper(Wrapper::CiscoHdlcDirection),
            LinkType::FRELAY_WITH_DIR => Self::Wrapper(Wrapper::FrameRelayDirection),
            LinkType::IEEE802_11 => Self::Wireless { padded: false },
            LinkType::PRISM => Self::Radio(Radio::Prism),
            LinkType::IEEE802_11_RADIOTAP => Self::Radio(Radio::Radiotap),
            LinkType::IEEE802_11_AVS => Self::Radio(Radio::Avs),
            _ => return None,
        })
    }

    /// Returns the layer for a field that is either an EtherType or a length (IEEE 802.3, 3.2.6).
    pub(super) fn of_type_or_length(field: [u8; 2]) -> Self {
        match u16::from_be_bytes(field) {
            length if length < ether_type::SMALLEST => Self::Llc,
            number => Self::EtherType(number),
        }
    }
}

/// Numbers that announce the next header after Ethernet and similar ones.
pub(super) mod ether_type {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const TRANSPARENT_BRIDGING: u16 = 0x6558;
    pub(crate) const FRAME_RELAY: u16 = 0x6559;
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
    /// Below this number, the field of an Ethernet header is a length (IEEE 802.3, 3.2.6).
    pub(crate) const SMALLEST: u16 = 0x0600;
    /// The number that Linux writes into a cooked header in front of 802.2 LLC.
    pub(crate) const LINUX_LLC: u16 = 0x0004;
}

/// IP protocol numbers of TCP and of the protocols that carry other layers.
pub(super) mod ip_protocol {
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ETHERNET: u8 = 97;
    pub(crate) const MPLS: u8 = 137;
}

/// "Next protocol" numbers, which VXLAN-GPE and the network service header share (RFC 8300, section
/// 2.2).
pub(super) mod next_protocol {
    pub(crate) const IPV4: u8 = 1;
    pub(crate) const IPV6: u8 = 2;
    pub(crate) const ETHERNET: u8 = 3;
    pub(crate) const SERVICE_HEADER: u8 = 4;
    pub(crate) const MPLS: u8 = 5;
}

/// Splits a header of `N` bytes off.
pub(super) fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Ignored> {
    bytes.split_first_chunk::<N>().ok_or(Ignored::Truncated)
}
