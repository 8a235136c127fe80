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
    /// Token Ring.
    pub const IEEE802_5: Self = Self(6);
    /// PPP, or Cisco HDLC.
    pub const PPP: Self = Self(9);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// PPP in HDLC framing, or Cisco HDLC.
    pub const PPP_HDLC: Self = Self(50);
    /// PPP over Ethernet, without the Ethernet header.
    pub const PPP_ETHERNET: Self = Self(51);
    /// An IPv4 or IPv6 header. [`Recorder`](crate::Recorder) writes this type.
    pub const RAW: Self = Self(101);
    /// ATM, with an 802.2 LLC header (RFC 2684).
    pub const ATM_RFC1483: Self = Self(100);
    /// Cisco HDLC, or PPP in HDLC framing.
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
    /// IP over Fibre Channel (RFC 2625).
    pub const IP_OVER_FC: Self = Self(122);
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
    /// IP over InfiniBand, after a global routing header.
    pub const IPOIB: Self = Self(242);
    /// InfiniBand, from the local routing header on.
    pub const INFINIBAND: Self = Self(247);
    /// Any link type after a header of macOS.
    pub const PKTAP: Self = Self(258);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

impl LinkType {
    /// Returns the name of a link type that is not read. `None` if it has none here.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            3 => "AX.25",
            7 => "ARCNET",
            8 => "SLIP",
            114 => "LocalTalk",
            129 => "ARCNET under Linux",
            138 => "IP over IEEE 1394",
            140..=142 => "SS7",
            143 => "DOCSIS",
            144 => "IrDA",
            165 => "BACnet MS/TP",
            177 => "LAPD",
            187 | 201 | 254 | 255 => "Bluetooth HCI",
            189 | 220 | 249 | 266 | 288 => "USB",
            190 | 227 => "CAN bus",
            195 | 230 | 283 => "IEEE 802.15.4",
            203 => "LAPD of a GSM network",
            224 | 225 => "Fibre Channel",
            226 => "IP over a Solaris interface",
            231 => "D-Bus",
            237 | 268 => "DVB",
            240 => "NetAnalyzer",
            251 | 256 => "Bluetooth Low Energy",
            253 => "netlink",
            257 => "PROFIBUS",
            264 => "ISO 14443",
            270 => "LoRaTap",
            271 => "vsock",
            272 => "Nordic BLE sniffer",
            274 => "Ethernet with a preamble",
            278 => "OpenVizsla USB",
            290 => "Z-Wave",
            292 => "FIRA ultra-wideband",
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link type {}", self.0)?;
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}
