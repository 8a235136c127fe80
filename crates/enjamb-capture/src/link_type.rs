//! The type of a packet's first header.

use std::fmt;

/// A link-layer header type, by its number in <https://www.tcpdump.org/linktypes.html>.
///
/// The constants are the types that are read.
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
    /// An IPv4 or IPv6 header. [`Recorder`](crate::Recorder) writes this type.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// Frame relay.
    pub const FRELAY: Self = Self(107);
    /// OpenBSD loopback: four bytes of address family in network order.
    pub const LOOP: Self = Self(108);
    /// The `enc` interface of BSD, which shows packets of `IPsec` without their encryption.
    pub const ENC: Self = Self(109);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// The log of BSD's packet filter.
    pub const PFLOG: Self = Self(117);
    /// 802.11 after a Prism header.
    pub const PRISM: Self = Self(119);
    /// 802.11 after a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// 802.11 after an AVS header.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// PPP of `pppd`, with the direction in place of the address field.
    pub const PPP_PPPD: Self = Self(166);
    /// Any link type after a "per-packet information" header.
    pub const PPI: Self = Self(192);
    /// PPP after a byte for the direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Cisco HDLC after a byte for the direction.
    pub const C_HDLC_WITH_DIR: Self = Self(205);
    /// Frame relay after a byte for the direction.
    pub const FRELAY_WITH_DIR: Self = Self(206);
    /// An IPv4 header.
    pub const IPV4: Self = Self(228);
    /// An IPv6 header.
    pub const IPV6: Self = Self(229);
    /// The log of Linux's packet filter.
    pub const NFLOG: Self = Self(239);
    /// Any link type after a header of macOS.
    pub const PKTAP: Self = Self(258);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link type {}", self.0)
    }
}
