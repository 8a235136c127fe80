//! One segment, in every kind of link, tag and tunnel.

use std::net::SocketAddr;

use enjamb::Time;
use enjamb_capture::{Decoder, Ignored, LinkType, Packet, Segment};
use etherparse::PacketBuilder;
use proptest::prelude::*;

const PAYLOAD: &[u8] = b"the payload of the segment";

fn v4() -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).tcp(1000, 80, 77, 1024).ack(5).psh();
    builder.write(&mut bytes, PAYLOAD).expect("memory");
    bytes
}

fn v6() -> Vec<u8> {
    let mut bytes = Vec::new();
    let (source, destination) = ([1; 16], [2; 16]);
    let builder = PacketBuilder::ipv6(source, destination, 64).tcp(1000, 80, 77, 1024).ack(5).psh();
    builder.write(&mut bytes, PAYLOAD).expect("memory");
    bytes
}

fn packet(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    Packet { time: Time::default(), link, bytes, original: bytes.len() as u64, dropped: 0 }
}

fn assert_is_the_segment(found: Result<Segment<'_>, Ignored>, how: &str) {
    let segment = found.unwrap_or_else(|reason| panic!("{how}: {}", reason.as_str()));
    let ends = (segment.source, segment.destination);
    let addresses = |source: &str, destination: &str| -> (SocketAddr, SocketAddr) {
        (source.parse().expect("an address"), destination.parse().expect("an address"))
    };
    let v4 = addresses("192.0.2.1:1000", "192.0.2.2:80");
    let v6 = addresses("[101:101:101:101:101:101:101:101]:1000", "[202:202:202:202:202:202:202:202]:80");
    assert!(ends == v4 || ends == v6, "{how}: {ends:?}");
    assert_eq!((segment.sequence, segment.acknowledgement, segment.payload), (77, Some(5), PAYLOAD), "{how}");
    assert_eq!((segment.syn, segment.fin, segment.rst, segment.missing), (false, false, false, 0), "{how}");
    assert!(!segment.bad_checksum, "{how}");
}

/// UDP to a port.
fn udp(port: u16, inner: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(9, port).write(&mut bytes, inner).expect("memory");
    bytes
}

/// IPv4 with a protocol number.
fn ip(protocol: u8, inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    bytes.extend_from_slice(inner);
    let length = (bytes.len() as u16).to_be_bytes();
    bytes[2..4].copy_from_slice(&length);
    bytes
}

const MACS: [u8; 12] = [2; 12];

/// A data frame with SNAP, from its frame control and the length of its header.
fn wifi(control: &[u8; 2], length: usize) -> Vec<u8> {
    let mut bytes = control.to_vec();
    bytes.resize(length, 0);
    [&bytes[..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4()].concat()
}

fn radio(header: &[u8], frame: &[u8]) -> Vec<u8> {
    [header, frame].concat()
}

/// A log entry: a prefix, then the packet.
fn nflog(number: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let attribute = |kind: u16, value: &[u8]| {
        let mut bytes = [&number(4 + value.len() as u16)[..], &number(kind), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    [&[2, 0, 0, 1][..], &attribute(10, b"in: \0"), &attribute(9, &v4())].concat()
}

/// IPv6 with extension headers of eight bytes, from their numbers.
fn extended(headers: &[u8]) -> Vec<u8> {
    let plain = v6();
    let (header, rest) = plain.split_at(40);
    let mut bytes = header.to_vec();
    bytes[6] = headers[0];
    let next = headers[1..].iter().copied().chain([6]);
    for next in next {
        bytes.extend_from_slice(&[next, 0, 1, 4, 0, 0, 0, 0]);
    }
    bytes.extend_from_slice(rest);
    let length = (bytes.len() as u16 - 40).to_be_bytes();
    bytes[4..6].copy_from_slice(&length);
    bytes
}

#[test]
fn a_segment_is_found_in_every_link_tag_and_tunnel() {
    let ethernet = |headers: &[u8], inner: &[u8]| [&MACS[..], headers, inner].concat();
    let plain = ethernet(&[8, 0], &v4());
    let cases: Vec<(&str, LinkType, Vec<u8>)> = vec![
        ("raw IPv4", LinkType::RAW, v4()),
        ("raw IPv6", LinkType::RAW, v6()),
        ("raw, by an old number", LinkType(12), v4()),
        ("IPv4 only", LinkType::IPV4, v4()),
        ("IPv6 only", LinkType::IPV6, v6()),
        ("Ethernet", LinkType::ETHERNET, plain.clone()),
        ("Ethernet with padding", LinkType::ETHERNET, [&plain[..], b"padding and FCS"].concat()),
        ("Ethernet, IPv6", LinkType::ETHERNET, ethernet(&[0x86, 0xdd], &v6())),
        ("VLAN", LinkType::ETHERNET, ethernet(&[0x81, 0, 0, 5, 8, 0], &v4())),
        ("QinQ", LinkType::ETHERNET, ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0], &v4())),
        ("LLC and SNAP", LinkType::ETHERNET, ethernet(&[0, 74, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4())),
        ("LLC", LinkType::ETHERNET, ethernet(&[0, 69, 6, 6, 3], &v4())),
        ("a security group", LinkType::ETHERNET, ethernet(&[0x89, 9, 1, 1, 0, 1, 0, 7, 8, 0], &v4())),
        ("PPP with a direction", LinkType::PPP_WITH_DIR, [&[1, 0xff, 3, 0, 0x21][..], &v4()].concat()),
        ("PPP of pppd", LinkType::PPP_PPPD, [&[1, 3, 0, 0x21][..], &v4()].concat()),
        ("HDLC with a direction", LinkType::C_HDLC_WITH_DIR, [&[0, 0x0f, 0, 8, 0][..], &v4()].concat()),
        ("frame relay with a direction", LinkType::FRELAY_WITH_DIR, [&[0, 0x18, 0x41, 3, 0xcc][..], &v4()].concat()),
        ("PPPoE", LinkType::ETHERNET, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 2 + v4().len() as u8, 0, 0x21], &v4())),
        ("MPLS", LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 0, 9, 0, 2, 1, 9], &v4())),
        ("Ethernet in MPLS", LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 2, 1, 9, 0, 0, 0, 0], &plain)),
        ("PPP", LinkType::PPP, [&[0xff, 3, 0, 0x57][..], &v6()].concat()),
        ("PPP, compressed", LinkType::PPP, [&[0x21][..], &v4()].concat()),
        ("loopback of BSD, little-endian", LinkType::NULL, [&[2, 0, 0, 0][..], &v4()].concat()),
        ("loopback of macOS, big-endian", LinkType::NULL, [&[0, 0, 0, 30][..], &v6()].concat()),
        ("loopback of OpenBSD", LinkType::LOOP, [&[0, 0, 0, 24][..], &v6()].concat()),
        ("cooked", LinkType::LINUX_SLL, [&[0; 14][..], &[8, 0], &v4()].concat()),
        ("cooked, version 2", LinkType::LINUX_SLL2, [&[0x86, 0xdd][..], &[0; 18], &v6()].concat()),
        ("IP in IP", LinkType::RAW, ip(4, &v4())),
        ("IPv6 in IPv4", LinkType::RAW, ip(41, &v6())),
        ("GRE", LinkType::RAW, ip(47, &[&[0, 0, 8, 0][..], &v4()].concat())),
        ("GRE with key and sequence", LinkType::RAW, ip(47, &[&[0x30, 0, 8, 0][..], &[1; 8], &v4()].concat())),
        (
            "PPTP",
            LinkType::RAW,
            ip(47, &[&[0x30, 0x81, 0x88, 0x0b][..], &[1; 12], &[0xff, 3, 0, 0x21], &v4()].concat()),
        ),
        ("WCCP", LinkType::RAW, ip(47, &[&[0, 0, 0x88, 0x3e][..], &v4()].concat())),
        ("WCCP, version 2", LinkType::RAW, ip(47, &[&[0, 0, 0x88, 0x3e, 0, 0, 0, 9][..], &v4()].concat())),
        ("LISP", LinkType::RAW, udp(4341, &[&[0x80, 0, 0, 0, 0, 0, 0, 0][..], &v4()].concat())),
        ("GRE in UDP", LinkType::RAW, udp(4754, &[&[0, 0, 8, 0][..], &v4()].concat())),
        ("VXLAN", LinkType::RAW, udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0][..], &plain].concat())),
        ("GENEVE", LinkType::RAW, udp(6081, &[&[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 1, 1, 1][..], &plain].concat())),
        ("HDLC of Cisco", LinkType::C_HDLC, [&[0x0f, 0, 8, 0][..], &v4()].concat()),
        ("PPP in HDLC", LinkType::PPP_HDLC, [&[0xff, 3, 0, 0x21][..], &v4()].concat()),
        ("frame relay", LinkType::FRELAY, [&[0x18, 0x41, 3, 0xcc][..], &v4()].concat()),
        ("frame relay, SNAP", LinkType::FRELAY, [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 0x86, 0xdd][..], &v6()].concat()),
        ("IPsec interface", LinkType::ENC, [&[0; 12][..], &v4()].concat()),
        ("log of a packet filter", LinkType::PFLOG, [&[61, 2][..], &[0; 62], &v4()].concat()),
        ("NFLOG", LinkType::NFLOG, nflog(u16::to_le_bytes)),
        ("NFLOG, big-endian", LinkType::NFLOG, nflog(u16::to_be_bytes)),
        ("PKTAP", LinkType::PKTAP, [&[108, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..], &[0; 96], &plain].concat()),
        ("PPI", LinkType::PPI, [&[0, 0, 8, 0, 105, 0, 0, 0][..], &wifi(&[0x08, 0x01], 24)].concat()),
        ("802.11 to an access point", LinkType::IEEE802_11, wifi(&[0x08, 0x01], 24)),
        ("802.11 between access points", LinkType::IEEE802_11, wifi(&[0x08, 0x03], 30)),
        ("802.11 with quality of service", LinkType::IEEE802_11, wifi(&[0x88, 0x02], 26)),
        ("802.11 with high throughput control", LinkType::IEEE802_11, wifi(&[0x88, 0x82], 30)),
        ("radiotap", LinkType::IEEE802_11_RADIOTAP, radio(&[0, 0, 8, 0, 0, 0, 0, 0], &wifi(&[0x08, 0x01], 24))),
        (
            "radiotap that says that the header is padded",
            LinkType::IEEE802_11_RADIOTAP,
            radio(
                &[&[0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0][..], &[0; 12], &[0x20]].concat(),
                &wifi(&[0x88, 0x02], 28),
            ),
        ),
        (
            "Prism",
            LinkType::PRISM,
            radio(&[&[0, 0, 0, 0x44, 144, 0, 0, 0][..], &[0; 136]].concat(), &wifi(&[0x08, 1], 24)),
        ),
        (
            "AVS",
            LinkType::IEEE802_11_AVS,
            radio(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56]].concat(), &wifi(&[8, 1], 24)),
        ),
        (
            "AVS as Prism",
            LinkType::PRISM,
            radio(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56]].concat(), &wifi(&[8, 1], 24)),
        ),
        ("802.1ah", LinkType::ETHERNET, ethernet(&[0x88, 0xe7, 0, 0, 0, 7], &plain)),
        ("VN-Tag", LinkType::ETHERNET, ethernet(&[0x89, 0x26, 0, 1, 0, 2, 8, 0], &v4())),
        ("E-Tag", LinkType::ETHERNET, ethernet(&[0x89, 0x3f, 0, 1, 0, 2, 0, 0, 8, 0], &v4())),
        ("HSR", LinkType::ETHERNET, ethernet(&[0x89, 0x2f, 0, 60, 0, 2, 8, 0], &v4())),
        ("NSH", LinkType::ETHERNET, ethernet(&[0x89, 0x4f, 0, 2, 2, 1, 0, 0, 1, 1], &v4())),
        ("Ethernet in MPLS without control word", LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 2, 1, 9], &plain)),
        ("MPLS in IP", LinkType::RAW, ip(137, &[&[0, 2, 1, 9][..], &v4()].concat())),
        ("MPLS in UDP", LinkType::RAW, udp(6635, &[&[0, 2, 1, 9][..], &v4()].concat())),
        ("Ethernet in IP", LinkType::RAW, ip(97, &[&[0x30, 0][..], &plain].concat())),
        ("authentication header", LinkType::RAW, ip(51, &[&[4, 4, 0, 0][..], &[0; 20], &v4()].concat())),
        ("VXLAN of Linux", LinkType::RAW, udp(8472, &[&[8, 0, 0, 0, 0, 0, 9, 0][..], &plain].concat())),
        ("VXLAN with a protocol", LinkType::RAW, udp(4790, &[&[0x0c, 0, 0, 1, 0, 0, 9, 0][..], &v4()].concat())),
        ("NVGRE", LinkType::RAW, ip(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 9, 1][..], &plain].concat())),
        ("ERSPAN 1", LinkType::RAW, ip(47, &[&[0, 0, 0x88, 0xbe][..], &plain].concat())),
        ("ERSPAN 2", LinkType::RAW, ip(47, &[&[0x10, 0, 0x88, 0xbe][..], &[0; 12], &plain].concat())),
        ("ERSPAN 3", LinkType::RAW, ip(47, &[&[0x10, 0, 0x22, 0xeb][..], &[0; 15], &[1], &[0; 8], &plain].concat())),
        ("GTP", LinkType::RAW, udp(2152, &[&[0x30, 255, 0, 0, 0, 0, 0, 1][..], &v4()].concat())),
        (
            "GTP with an extension",
            LinkType::RAW,
            udp(2152, &[&[0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0][..], &v4()].concat()),
        ),
        ("Teredo", LinkType::RAW, udp(3544, &v6())),
        ("Teredo with origin", LinkType::RAW, udp(3544, &[&[0; 8][..], &v6()].concat())),
        ("TZSP", LinkType::RAW, udp(37008, &[&[1, 0, 0, 1, 0, 10, 2, 7, 7, 1][..], &plain].concat())),
        ("IPv6 with extension headers", LinkType::RAW, extended(&[0, 60, 43])),
        ("HDLC of Cisco as PPP", LinkType::PPP, [&[0x0f, 0, 8, 0][..], &v4()].concat()),
        ("HDLC of Cisco as PPP in HDLC, to all", LinkType::PPP_HDLC, [&[0x8f, 0, 0x86, 0xdd][..], &v6()].concat()),
        ("PPP as HDLC of Cisco", LinkType::C_HDLC, [&[0xff, 3, 0, 0x57][..], &v6()].concat()),
        ("MPLS in HDLC of Cisco", LinkType::C_HDLC, [&[0x0f, 0, 0x88, 0x47, 0, 2, 1, 9][..], &v4()].concat()),
        ("MPLS in PPP", LinkType::PPP, [&[0xff, 3, 2, 0x81, 0, 2, 1, 9][..], &v4()].concat()),
        ("FDDI", LinkType::FDDI, [&[0x57][..], &MACS, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4()].concat()),
        (
            "Token Ring with a route",
            LinkType::IEEE802_5,
            [&[0x10, 0x40][..], &[2; 6], &[0x82; 6], &[6, 0, 0, 1, 0, 2, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4()].concat(),
        ),
        ("ATM", LinkType::ATM_RFC1483, [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &v4()].concat()),
        (
            "IP over Fibre Channel",
            LinkType::IP_OVER_FC,
            [&[0x10; 16][..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4()].concat(),
        ),
        ("IP over InfiniBand", LinkType::IPOIB, [&[8, 0, 0, 0][..], &v4()].concat()),
        ("IP over InfiniBand with a route", LinkType::IPOIB, [&[0; 40][..], &[0x86, 0xdd, 0, 0], &v6()].concat()),
        (
            "a datagram of InfiniBand",
            LinkType::INFINIBAND,
            [&[0, 2, 0, 1, 0, 9, 0, 2, 0x64][..], &[0; 19], &[8, 0, 0, 0], &v4()].concat(),
        ),
        (
            "a connected message of InfiniBand with a route",
            LinkType::INFINIBAND,
            [&[0, 3, 0, 1, 0, 9, 0, 2][..], &[0x60; 40], &[4], &[0; 11], &[8, 0, 0, 0], &v4()].concat(),
        ),
        (
            "802.11 in GRE of Aruba",
            LinkType::RAW,
            ip(47, &[&[0, 0, 0x82, 0x30][..], &wifi(&[0x88, 0x01], 26)].concat()),
        ),
        (
            "AYIYA",
            LinkType::RAW,
            udp(5072, &[&[0x41, 0x52, 0x11, 41, 0, 0, 0, 1][..], &[7; 16], &[9; 20], &v6()].concat()),
        ),
        ("L2TP", LinkType::RAW, udp(1701, &[&[0x48, 2, 0, 9, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0x21][..], &v4()].concat())),
    ];
    for (how, link, bytes) in &cases {
        assert_is_the_segment(Decoder::new().decode(&packet(*link, bytes)), how);
    }
}

#[test]
fn a_packet_without_a_segment_has_a_reason() {
    let ethernet = |headers: &[u8]| [&MACS[..], headers].concat();
    let nested = (0..40).fold(v4(), |inner, _| ip(4, &inner));
    let vlans = ethernet(&[0x81, 0, 0, 1].repeat(50));
    for (link, bytes, reason) in [
        (LinkType(9999), v4(), Ignored::UnknownLink),
        (LinkType::ETHERNET, ethernet(&[8, 6, 0, 1]), Ignored::NotIp),
        (LinkType::ETHERNET, ethernet(&[0, 20, 0x42, 0x42, 3, 0, 0, 0, 0, 0]), Ignored::NotIp),
        (LinkType::RAW, udp(53, b"what is it"), Ignored::NotTcp),
        (LinkType::RAW, ip(1, b"ping"), Ignored::NotTcp),
        (LinkType::ETHERNET, b"short".to_vec(), Ignored::Truncated),
        (LinkType::RAW, Vec::new(), Ignored::Truncated),
        (LinkType::RAW, vec![0x20; 40], Ignored::Malformed),
        (LinkType::RAW, ip(6, &[0; 20]), Ignored::Malformed),
        (LinkType::RAW, nested, Ignored::TooDeep),
        (LinkType::ETHERNET, vlans, Ignored::TooDeep),
        // Encrypted, a beacon, without a body, a fragment.
        (LinkType::IEEE802_11, wifi(&[0x08, 0x41], 24), Ignored::Encrypted),
        (LinkType::IEEE802_11, wifi(&[0x80, 0x00], 24), Ignored::NotIp),
        (LinkType::IEEE802_11, wifi(&[0x48, 0x01], 24), Ignored::NotIp),
        (LinkType::IEEE802_11, wifi(&[0x08, 0x05], 24), Ignored::Fragment),
        (LinkType::NFLOG, vec![2, 0, 0, 1, 0, 0, 9, 0], Ignored::Malformed),
        // FDDI's station management, an operation of AYIYA that forwards nothing, a part of a message.
        (LinkType::FDDI, vec![0x41; 40], Ignored::NotIp),
        (
            LinkType::RAW,
            udp(5072, &[&[0x41, 0x52, 0x10, 41, 0, 0, 0, 1][..], &[0; 36], &v6()].concat()),
            Ignored::NotTcp,
        ),
        (LinkType::RAW, udp(5072, &[0xf1, 0x52, 0x11, 41, 0, 0, 0, 1, 0]), Ignored::Truncated),
        (LinkType::INFINIBAND, [&[0, 2, 0, 1, 0, 9, 0, 2, 0x01][..], &[0; 60]].concat(), Ignored::NotIp),
        (LinkType::IPOIB, vec![8, 6, 0, 0, 1, 2], Ignored::Truncated),
        (LinkType::PPI, vec![0, 0, 8, 0, 0xff, 0xff, 0xff, 0xff], Ignored::UnknownLink),
        (LinkType::RAW, udp(2152, &[0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 0]), Ignored::Malformed),
    ] {
        assert_eq!(Decoder::new().decode(&packet(link, &bytes)).err(), Some(reason), "{bytes:x?}");
    }
}

#[test]
fn a_truncated_packet_gives_its_bytes_and_counts_the_missing_ones() {
    for bytes in [v4(), v6()] {
        let whole = bytes.len();
        for kept in 0..whole {
            let cut = Packet { original: whole as u64, ..packet(LinkType::RAW, &bytes[..kept]) };
            let headers = whole - PAYLOAD.len();
            match Decoder::new().decode(&cut) {
                Ok(segment) => {
                    assert!(kept >= headers);
                    assert_eq!(segment.payload, &PAYLOAD[..kept - headers]);
                    assert_eq!(segment.missing, (whole - kept) as u64);
                }
                Err(reason) => assert_eq!((reason, kept < headers), (Ignored::Truncated, true), "{kept} bytes"),
            }
        }
    }
}

#[test]
fn a_length_of_zero_means_the_length_of_the_packet() {
    let mut bytes = v4();
    bytes[2..4].fill(0);
    assert_is_the_segment(Decoder::new().decode(&packet(LinkType::RAW, &bytes)), "before segmentation offload");
}

#[test]
fn a_wrong_checksum_is_reported_and_changes_nothing_else() {
    let mut bytes = v4();
    bytes[20 + 16] ^= 0xff;
    let mut decoder = Decoder::new();
    let segment = decoder.decode(&packet(LinkType::RAW, &bytes)).expect("a segment");
    assert!(segment.bad_checksum);
    assert_eq!(segment.payload, PAYLOAD);
}

/// Returns the datagram in fragments of `size` bytes.
fn fragments(size: usize, identification: u8) -> Vec<Vec<u8>> {
    let whole = v4();
    let (header, payload) = whole.split_at(20);
    let last = payload.len().div_ceil(size) - 1;
    let fragment = |(index, piece): (usize, &[u8])| {
        let mut bytes = [header, piece].concat();
        let length = (bytes.len() as u16).to_be_bytes();
        bytes[2..4].copy_from_slice(&length);
        bytes[5] = identification;
        let offset = (index * size / 8) as u16 | if index < last { 0x2000 } else { 0 };
        bytes[6..8].copy_from_slice(&offset.to_be_bytes());
        bytes
    };
    payload.chunks(size).enumerate().map(fragment).collect()
}

#[test]
fn fragments_in_any_order_among_others_give_the_datagram() {
    let mut decoder = Decoder::new();
    let (one, other) = (fragments(8, 1), fragments(16, 2));
    let mixed: Vec<_> = one[1..].iter().rev().chain(&other[1..]).collect();
    for fragment in mixed {
        assert_eq!(decoder.decode(&packet(LinkType::RAW, fragment)).err(), Some(Ignored::Fragment));
    }
    assert_is_the_segment(decoder.decode(&packet(LinkType::RAW, &one[0])), "in fragments of 8");
    assert_is_the_segment(decoder.decode(&packet(LinkType::RAW, &other[0])), "in fragments of 16");
    assert_eq!(decoder.given_up(), 0);
}

#[test]
fn incomplete_datagrams_are_within_their_limit() {
    let mut decoder = Decoder::new();
    let mut first = fragments(8, 0).remove(0);
    for identification in 0..5000u16 {
        first[4..6].copy_from_slice(&identification.to_be_bytes());
        assert_eq!(decoder.decode(&packet(LinkType::RAW, &first)).err(), Some(Ignored::Fragment));
    }
    assert_eq!(decoder.given_up(), 5000, "no datagram became complete");
    // The last 4096 datagrams are kept.
    for (identification, whole) in [(4999u16, true), (903, false)] {
        let mut rest = fragments(8, 0);
        rest.remove(0);
        let found = rest.iter_mut().map(|fragment| {
            fragment[4..6].copy_from_slice(&identification.to_be_bytes());
            decoder.decode(&packet(LinkType::RAW, fragment)).is_ok()
        });
        assert_eq!(found.last(), Some(whole), "{identification}");
    }
}

#[test]
fn fragments_stay_within_their_memory_limit() {
    let mut decoder = Decoder::new();
    // The last fragment there can be: its datagram takes 64 KiB.
    let mut last = ip(6, &[7; 7]);
    last[6..8].copy_from_slice(&8191u16.to_be_bytes());
    for identification in 0..2000u16 {
        last[4..6].copy_from_slice(&identification.to_be_bytes());
        assert_eq!(decoder.decode(&packet(LinkType::RAW, &last)).err(), Some(Ignored::Fragment));
    }
    assert_eq!(decoder.given_up(), 2000);
    assert!(decoder.held() <= 16 << 20, "{} bytes", decoder.held());
}

#[test]
fn fragments_of_an_older_datagram_with_the_same_number_are_not_used() {
    for (seconds, found) in [(59, true), (61, false)] {
        let mut decoder = Decoder::new();
        let pieces = fragments(16, 5);
        for (index, piece) in pieces.iter().enumerate() {
            let time = Time::from_nanos(if index == 0 { 0 } else { seconds * 1_000_000_000 });
            let fragment = Packet { time, ..packet(LinkType::RAW, piece) };
            let whole = decoder.decode(&fragment).is_ok();
            assert_eq!(whole, found && index + 1 == pieces.len(), "{seconds} s, fragment {index}");
        }
    }
}

#[test]
fn a_fragmented_tunnel_may_carry_fragments() {
    let mut decoder = Decoder::new();
    let mut found = None;
    for (number, piece) in fragments(16, 7).iter().enumerate() {
        // Each inner fragment is in an outer datagram of two fragments.
        let outer = ip(4, piece);
        for (offset, range) in [(0x2000u16, 20..36), (2, 36..outer.len())] {
            let mut bytes = ip(4, &outer[range]);
            bytes[5] = number as u8;
            bytes[6..8].copy_from_slice(&offset.to_be_bytes());
            found = decoder.decode(&packet(LinkType::RAW, &bytes)).ok().map(|segment| segment.payload.to_vec());
        }
    }
    assert_eq!(found.as_deref(), Some(PAYLOAD));
}

#[test]
fn different_tags_are_different_networks() {
    let tagged = |tag: u8, inner: &[u8]| [&MACS[..], &[0x81, 0, 0, tag, 8, 0], inner].concat();
    let vxlan = |id: u8| udp(4789, &[&[8, 0, 0, 0, 0, 0, id, 0][..], &tagged(0, &v4())].concat());
    let network = |link, bytes: &[u8]| Decoder::new().decode(&packet(link, bytes)).expect("a segment").network;
    assert_eq!(network(LinkType::RAW, &v4()), 0);
    assert_eq!(network(LinkType::ETHERNET, &tagged(0, &v4())), 0, "a tag with only a priority");
    let all = [
        network(LinkType::ETHERNET, &tagged(5, &v4())),
        network(LinkType::ETHERNET, &tagged(6, &v4())),
        network(LinkType::RAW, &vxlan(5)),
        network(LinkType::RAW, &vxlan(6)),
        network(LinkType::ETHERNET, &tagged(5, &vxlan(6))),
    ];
    let different: std::collections::HashSet<_> = all.iter().chain([&0]).collect();
    assert_eq!(different.len(), 6, "{all:?}");
}

proptest! {
    #[test]
    fn any_packet_gives_a_segment_or_a_reason(
        link in prop_oneof![prop::sample::select(vec![
                0u16, 1, 9, 50, 51, 101, 104, 105, 107, 108, 109, 113, 117, 119, 127, 149, 163, 192, 228, 229, 239, 258, 276,
            ]), any::<u16>()],
        start in prop::sample::select(vec![v4(), v6(), udp(4789, &v4()), ip(47, &v6()), fragments(8, 3).remove(1), Vec::new()]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        tail in prop::collection::vec(any::<u8>(), 0..80),
        ethernet in any::<bool>(),
    ) {
        let head = if ethernet { [&MACS[..], &[8, 0]].concat() } else { Vec::new() };
        let mut bytes = [head, start, tail].concat();
        for (index, byte) in changes {
            if !bytes.is_empty() {
                *index.get_mut(&mut bytes) = byte;
            }
        }
        let mut decoder = Decoder::new();
        for _ in 0..2 {
            if let Ok(segment) = decoder.decode(&packet(LinkType(link), &bytes)) {
                prop_assert!(segment.payload.len() <= bytes.len());
            }
        }
    }
}
