//! The protocols that are not read, by the numbers that announce them.

use std::fmt;

use crate::decode::layer::Layer;
use crate::ignored::Ignored;

/// The protocol of a packet without TCP. Its `Display` is the protocol's own name, such as `ARP`,
/// or the number that announced it, such as `EtherType 0x88b5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnreadProtocol(Announced);

/// The field that announced a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Announced {
    /// IEEE 802: the EtherType.
    EtherType(u16),
    /// IEEE 802, section 9: the organisation and its number.
    Snap([u8; 3], u16),
    /// IEEE 802.2: the destination's service access point.
    ServiceAccessPoint(u8),
    /// RFC 1661, section 2.
    Ppp(u16),
    /// The protocol field of IPv4, or the next header of IPv6.
    Ip(u8),
    /// A header that announces nothing, by the name of the protocol.
    Named(&'static str),
}

impl UnreadProtocol {
    /// Returns the protocol of `bytes`, of which `layer` is not read because of `reason`. `None`:
    /// the reason is not the protocol.
    #[cold]
    pub(super) fn of(reason: Ignored, layer: Layer, bytes: &[u8]) -> Option<Self> {
        if !matches!(reason, Ignored::NotIp | Ignored::NotTcp) {
            return None;
        }
        let named = |name| Some(Announced::Named(name));
        let announced = match layer {
            Layer::EtherType(number) => Some(Announced::EtherType(number)),
            Layer::IpProtocol(number) => Some(Announced::Ip(number)),
            Layer::Llc => match *bytes {
                [0xaa, 0xaa, 0x03, a, b, c, high, low, ..] => {
                    Some(Announced::Snap([a, b, c], u16::from_be_bytes([high, low])))
                }
                [point, ..] => Some(Announced::ServiceAccessPoint(point)),
                [] => None,
            },
            Layer::Ppp => match *bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes) {
                // A protocol below 256 may have one byte, which is odd.
                [number, ..] if number & 1 == 1 => Some(Announced::Ppp(number.into())),
                [high, low, ..] => Some(Announced::Ppp(u16::from_be_bytes([high, low]))),
                _ => None,
            },
            Layer::Wireless { .. } => named("802.11 management or control"),
            Layer::Loopback => named("another address family on the loopback interface"),
            Layer::Fddi => named("FDDI management"),
            Layer::TokenRing => named("token ring management"),
            Layer::FrameRelay => named("another protocol in frame relay"),
            Layer::Mpls => named("another protocol in MPLS"),
            Layer::Infiniband | Layer::Ipoib => named("InfiniBand without IP"),
            _ => None,
        };
        announced.map(Self)
    }
}

impl fmt::Display for UnreadProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Announced::EtherType(number) => match name(number, ETHER_TYPES) {
                Some(name) => f.write_str(name),
                None => write!(f, "EtherType 0x{number:04x}"),
            },
            Announced::Snap(CISCO, number) if let Some(name) = name(number, CISCO_PROTOCOLS) => f.write_str(name),
            Announced::Snap([a, b, c], number) => write!(f, "SNAP {a:02x}{b:02x}{c:02x}:{number:04x}"),
            Announced::ServiceAccessPoint(number) => match name(number.into(), SERVICE_ACCESS_POINTS) {
                Some(name) => f.write_str(name),
                None => write!(f, "LLC 0x{number:02x}"),
            },
            Announced::Ppp(number) => match name(number, PPP_PROTOCOLS) {
                Some(name) => f.write_str(name),
                None => write!(f, "PPP protocol 0x{number:04x}"),
            },
            Announced::Ip(number) => match name(number.into(), IP_PROTOCOLS) {
                Some(name) => f.write_str(name),
                None => write!(f, "IP protocol {number}"),
            },
            Announced::Named(name) => f.write_str(name),
        }
    }
}

type Names = &'static [(u16, &'static str)];

fn name(number: u16, names: Names) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// <https://www.iana.org/assignments/ieee-802-numbers>
const ETHER_TYPES: Names = &[
    (0x0805, "X.25"),
    (0x0806, "ARP"),
    (0x0842, "Wake-on-LAN"),
    (0x0bad, "VINES"),
    (0x2000, "CDP"),
    (0x2001, "NHRP"),
    (0x22f0, "AVTP"),
    (0x6001, "DEC MOP"),
    (0x6002, "DEC MOP"),
    (0x6003, "DECnet"),
    (0x6004, "DEC LAT"),
    (0x8035, "RARP"),
    (0x809b, "AppleTalk"),
    (0x80f3, "AppleTalk ARP"),
    (0x8137, "IPX"),
    (0x8138, "IPX"),
    (0x814c, "SNMP"),
    (0x8808, "Ethernet flow control"),
    (0x8809, "Ethernet slow protocols (LACP)"),
    (0x8863, "PPPoE discovery"),
    (0x886c, "Broadcom link layer"),
    (0x886d, "Intel teaming"),
    (0x887b, "HomePlug"),
    (0x888e, "802.1X"),
    (0x8892, "PROFINET"),
    (0x8899, "Realtek link layer"),
    (0x889a, "HyperSCSI"),
    (0x88a2, "ATA over Ethernet"),
    (0x88a4, "EtherCAT"),
    (0x88ab, "POWERLINK"),
    (0x88b5, "EtherType 0x88b5 (local experiment)"),
    (0x88b6, "EtherType 0x88b6 (local experiment)"),
    (0x88b8, "GOOSE"),
    (0x88b9, "GSE management"),
    (0x88ba, "sampled values"),
    (0x88c7, "802.11 pre-authentication"),
    (0x88ca, "TIPC"),
    (0x88cc, "LLDP"),
    (0x88cd, "SERCOS"),
    (0x88dc, "WSMP"),
    (0x88e1, "HomePlug AV"),
    (0x88e3, "MRP"),
    (0x88e5, "MACsec"),
    (0x88f5, "MVRP"),
    (0x88f6, "MMRP"),
    (0x88f7, "PTP"),
    (0x88f8, "NCSI"),
    (0x88fb, "PRP supervision"),
    (0x8902, "Ethernet OAM"),
    (0x8906, "Fibre Channel over Ethernet"),
    (0x890d, "802.11 over Ethernet"),
    (0x8914, "FCoE initialisation"),
    (0x8915, "RoCE"),
    (0x891d, "TTEthernet"),
    (0x893a, "IEEE 1905"),
    (0x894f, "another protocol in a network service header"),
    (0x8940, "edge control protocol"),
    (0x8946, "TRILL"),
    (0x9000, "Ethernet loopback test"),
    (0xfefe, "IS-IS"),
];

/// The organisation of Cisco, and its protocols.
const CISCO: [u8; 3] = [0, 0, 0x0c];
const CISCO_PROTOCOLS: Names = &[
    (0x0104, "port aggregation"),
    (0x010b, "spanning tree (PVST)"),
    (0x0111, "UDLD"),
    (0x2000, "CDP"),
    (0x2003, "VTP"),
    (0x2004, "DTP"),
];

/// <https://www.iana.org/assignments/ieee-802-numbers>, and numbers in common use.
const SERVICE_ACCESS_POINTS: Names = &[
    (0x00, "LLC test"),
    (0x42, "spanning tree"),
    (0x98, "ARP"),
    (0xe0, "IPX"),
    (0xf0, "NetBEUI"),
    (0xfc, "remote program load"),
    (0xfe, "IS-IS"),
    (0xff, "IPX"),
];

/// <https://www.iana.org/assignments/ppp-numbers>
const PPP_PROTOCOLS: Names = &[
    (0x0023, "IS-IS"),
    (0x0029, "AppleTalk"),
    (0x002b, "IPX"),
    (0x002d, "compressed TCP (Van Jacobson)"),
    (0x002f, "uncompressed TCP (Van Jacobson)"),
    (0x0031, "PPP bridging"),
    (0x003d, "PPP multilink"),
    (0x0053, "encrypted PPP"),
    (0x00fd, "compressed PPP"),
    (0x0207, "CDP"),
    (0x8021, "PPP IPCP"),
    (0x8023, "PPP OSINLCP"),
    (0x802b, "PPP IPXCP"),
    (0x8053, "PPP ECP"),
    (0x8057, "PPP IPv6CP"),
    (0x80fd, "PPP CCP"),
    (0x8281, "PPP MPLSCP"),
    (0xc021, "PPP LCP"),
    (0xc023, "PPP PAP"),
    (0xc025, "PPP LQR"),
    (0xc223, "PPP CHAP"),
    (0xc227, "PPP EAP"),
];

/// <https://www.iana.org/assignments/protocol-numbers>
const IP_PROTOCOLS: Names = &[
    (0, "IPv6 hop-by-hop options"),
    (1, "ICMP"),
    (2, "IGMP"),
    (3, "GGP"),
    (8, "EGP"),
    (9, "IGP"),
    (17, "UDP"),
    (27, "RDP"),
    (33, "DCCP"),
    (46, "RSVP"),
    (47, "another protocol in GRE"),
    (50, "ESP (encrypted)"),
    (51, "AH"),
    (54, "NHRP"),
    (58, "ICMPv6"),
    (59, "no next header"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (94, "IPIP"),
    (103, "PIM"),
    (108, "IPComp"),
    (112, "VRRP"),
    (113, "PGM"),
    (115, "L2TPv3"),
    (124, "IS-IS"),
    (132, "SCTP"),
    (133, "Fibre Channel"),
    (135, "IPv6 mobility"),
    (136, "UDP-Lite"),
    (139, "HIP"),
    (140, "shim6"),
];

#[cfg(test)]
mod tests {
    use super::UnreadProtocol;
    use crate::decode::layer::Layer;
    use crate::ignored::Ignored;

    #[test]
    fn a_protocol_has_its_own_name_or_its_number() {
        let of = |layer, bytes: &[u8]| UnreadProtocol::of(Ignored::NotIp, layer, bytes).map(|it| it.to_string());
        for (layer, bytes, name) in [
            (Layer::EtherType(0x88cc), &b""[..], "LLDP"),
            (Layer::EtherType(0x1234), b"", "EtherType 0x1234"),
            (Layer::IpProtocol(17), b"", "UDP"),
            (Layer::IpProtocol(253), b"", "IP protocol 253"),
            (Layer::Llc, b"\x42\x42\x03\0\0\0\0\0", "spanning tree"),
            (Layer::Llc, b"\xaa\xaa\x03\x00\x00\x0c\x20\x00", "CDP"),
            (Layer::Llc, b"\xaa\xaa\x03\x00\xe0\x2b\x00\xbb", "SNAP 00e02b:00bb"),
            (Layer::Llc, b"\x7e\x7e\x03\0\0\0\0\0", "LLC 0x7e"),
            (Layer::Ppp, b"\xff\x03\xc0\x21\x01", "PPP LCP"),
            (Layer::Ppp, b"\xfd\x01", "compressed PPP"),
            (Layer::Ppp, b"\x40\x03", "PPP protocol 0x4003"),
        ] {
            assert_eq!(of(layer, bytes).as_deref(), Some(name));
        }
        assert_eq!(of(Layer::Llc, b""), None);
        assert_eq!(UnreadProtocol::of(Ignored::Truncated, Layer::EtherType(0x88cc), b""), None);
    }
}
