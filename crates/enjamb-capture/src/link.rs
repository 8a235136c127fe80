//! What stands in front of the IP header: link layers, tags, labels and tunnels, peeled off one by one.
//!
//! A layer is a number that says what the bytes are (an EtherType, an IP protocol, a PPP protocol) and the bytes. Each step
//! reads one header and gives the layer below. Only the headers' lengths and the numbers of what follows matter here, so a
//! step is a few lines, and what `etherparse` has no type for costs no more than what it has. IP itself is its job.
//!
//! The IP header says how long the datagram is, so the lengths in the headers before it are not needed; PPPoE's is.

use std::fmt;

use crate::decode::Ignored;

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
    /// PPP over Ethernet, without the Ethernet header.
    pub const PPP_ETHERNET: Self = Self(51);
    /// An IPv4 or IPv6 header comes first. What [`Recorder`](crate::Recorder) writes.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: four bytes of address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// An IPv4 header comes first.
    pub const IPV4: Self = Self(228);
    /// An IPv6 header comes first.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    pub(crate) fn layer(self) -> Option<Layer> {
        Some(match self {
            Self::NULL | Self::LOOP => Layer::Loopback,
            Self::ETHERNET => Layer::Ethernet,
            Self::PPP => Layer::Ppp,
            Self::PPP_ETHERNET => Layer::Type(ether_type::PPPOE_SESSION),
            // 12 and 14 are what raw IP is on some systems whose files were not written portably.
            Self::RAW | Self::IPV4 | Self::IPV6 | Self(12 | 14) => Layer::Ip,
            Self::LINUX_SLL => Layer::LinuxSll,
            Self::LINUX_SLL2 => Layer::LinuxSll2,
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link type {}", self.0)
    }
}

mod ether_type {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const TRANSPARENT_BRIDGING: u16 = 0x6558;
    pub(super) const VLAN: u16 = 0x8100;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const PPP: u16 = 0x880b;
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_MULTICAST: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    pub(super) const PROVIDER_BRIDGING: u16 = 0x88a8;
    pub(super) const VLAN_OLD: u16 = 0x9100;
    pub(super) const VLAN_OLDER: u16 = 0x9200;
    /// Below this, the field of an Ethernet header is a length (IEEE 802.3, 3.2.6).
    pub(super) const SMALLEST: u16 = 0x0600;
    /// What Linux writes into a cooked header in front of 802.2 LLC.
    pub(super) const LINUX_LLC: u16 = 0x0004;
}

/// IP protocol numbers that hold more layers.
pub(crate) mod ip_protocol {
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const GRE: u8 = 47;
}

/// What a run of bytes begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Ethernet,
    LinuxSll,
    LinuxSll2,
    Loopback,
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

/// Takes one header off. Not for [`Layer::Ip`] and TCP, where peeling ends.
pub(crate) fn peel(layer: Layer, bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    match layer {
        Layer::Ethernet => {
            let (header, rest) = split::<14>(bytes)?;
            match u16::from_be_bytes([header[12], header[13]]) {
                length if length < ether_type::SMALLEST => Ok((Layer::Llc, rest)),
                number => Ok((Layer::Type(number), rest)),
            }
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
        Layer::Llc => {
            let (header, rest) = split::<8>(bytes)?;
            // SNAP (IEEE 802, section 9): organisation 0 means that an EtherType follows.
            match header {
                [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] => Ok((Layer::Type(u16::from_be_bytes([*high, *low])), rest)),
                _ => Err(Ignored::NotIp),
            }
        }
        Layer::Ppp => peel_ppp(bytes),
        Layer::Type(number) => peel_type(number, bytes),
        Layer::Protocol(number) => peel_protocol(number, bytes),
        Layer::Ip => Ok((layer, bytes)),
    }
}

fn peel_type(number: u16, bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    match number {
        ether_type::IPV4 | ether_type::IPV6 => Ok((Layer::Ip, bytes)),
        ether_type::VLAN | ether_type::PROVIDER_BRIDGING | ether_type::VLAN_OLD | ether_type::VLAN_OLDER => {
            let (tag, rest) = split::<4>(bytes)?;
            match u16::from_be_bytes([tag[2], tag[3]]) {
                length if length < ether_type::SMALLEST => Ok((Layer::Llc, rest)),
                number => Ok((Layer::Type(number), rest)),
            }
        }
        // RFC 2516, section 4: version and type, code, session, length. Behind that is padding, which a wrong length in the
        // IP header has been seen to include.
        ether_type::PPPOE_SESSION => {
            let (header, rest) = split::<6>(bytes)?;
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            Ok((Layer::Ppp, rest.get(..length).filter(|inner| !inner.is_empty()).unwrap_or(rest)))
        }
        ether_type::MPLS | ether_type::MPLS_MULTICAST => peel_mpls(bytes),
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

/// RFC 3032: labels of four bytes up to the one with the bottom bit; what follows them is nowhere said. It is IP when its first
/// four bits say so, and Ethernet behind a control word of zeros (RFC 4448).
fn peel_mpls(mut bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    loop {
        let (label, rest) = split::<4>(bytes)?;
        bytes = rest;
        if label[2] & 1 == 1 {
            break;
        }
    }
    match bytes.first().map(|first| first >> 4) {
        Some(4 | 6) => Ok((Layer::Ip, bytes)),
        Some(0) => Ok((Layer::Ethernet, split::<4>(bytes)?.1)),
        Some(_) => Err(Ignored::NotIp),
        None => Err(Ignored::Cut),
    }
}

/// Well-known UDP ports of tunnels.
const L2TP: u16 = 1701;
const GRE_IN_UDP: u16 = 4754;
const VXLAN: u16 = 4789;
const GENEVE: u16 = 6081;

fn peel_protocol(number: u8, bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    match number {
        ip_protocol::IPV4 | ip_protocol::IPV6 => Ok((Layer::Ip, bytes)),
        ip_protocol::GRE => peel_gre(bytes),
        ip_protocol::UDP => {
            let (header, rest) = split::<8>(bytes)?;
            match u16::from_be_bytes([header[2], header[3]]) {
                L2TP => peel_l2tp(rest),
                // RFC 8086.
                GRE_IN_UDP => peel_gre(rest),
                // RFC 7348, section 5: the flag that says that the network identifier is valid.
                VXLAN if rest.first().is_some_and(|flags| flags & 0x08 != 0) => {
                    Ok((Layer::Ethernet, split::<8>(rest)?.1))
                }
                // RFC 8926, section 3.4: version 0, then the length of the options in words.
                GENEVE if rest.first().is_some_and(|first| first >> 6 == 0) => {
                    let (header, rest) = split::<8>(rest)?;
                    let options = usize::from(header[0] & 0x3f) * 4;
                    let inner = rest.get(options..).ok_or(Ignored::Cut)?;
                    Ok((Layer::Type(u16::from_be_bytes([header[2], header[3]])), inner))
                }
                _ => Err(Ignored::NotTcp),
            }
        }
        _ => Err(Ignored::NotTcp),
    }
}

/// RFC 2661, section 3.1: tunnel and session, and as the flags say a length before them, sequence numbers and an offset behind.
fn peel_l2tp(bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    let (flags, _) = split::<2>(bytes)?;
    let flag = |mask: u8| flags[0] & mask != 0;
    if flag(0x80) || flags[1] & 0x0f != 2 {
        return Err(Ignored::NotTcp);
    }
    let mut header = 6 + if flag(0x40) { 2 } else { 0 } + if flag(0x08) { 4 } else { 0 };
    if flag(0x02) {
        let size = bytes.get(header..header + 2).ok_or(Ignored::Cut)?;
        header += 2 + usize::from(u16::from_be_bytes([size[0], size[1]]));
    }
    Ok((Layer::Ppp, bytes.get(header..).ok_or(Ignored::Cut)?))
}

/// RFC 2784 and 2890, and version 1 of RFC 2637 (PPTP): optional fields of four bytes each, as the flags say.
fn peel_gre(bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    let (header, rest) = split::<4>(bytes)?;
    let flag = |mask: u8| usize::from(header[0] & mask != 0);
    let (checksum, routing, key, sequence) = (flag(0x80), flag(0x40), flag(0x20), flag(0x10));
    let fields = match header[1] & 0x07 {
        // Source routing (RFC 1701) has no fixed length and was withdrawn.
        0 if routing == 0 => checksum + key + sequence,
        1 => key + sequence + usize::from(header[1] & 0x80 != 0),
        _ => return Err(Ignored::NotTcp),
    };
    let inner = rest.get(fields * 4..).ok_or(Ignored::Cut)?;
    Ok((Layer::Type(u16::from_be_bytes([header[2], header[3]])), inner))
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Ignored> {
    bytes.split_first_chunk::<N>().ok_or(Ignored::Cut)
}
