//! Tunnels: MPLS labels, GRE, and tunnels through UDP.

use crate::decode::layer::{Inner, Layer, ether_type, ip_protocol, next_protocol, split};
use crate::decode::network::{Network, Tag};
use crate::ignored::Ignored;

/// RFC 3032: labels of four bytes, up to the one with the bottom bit. No field states the type of
/// the next header. It is IP if its first four bits are 4 or 6, and otherwise Ethernet, with or
/// without a control word of zeros before it (RFC 4448).
pub(super) fn strip_mpls(mut bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    loop {
        let (label, rest) = split::<4>(bytes)?;
        bytes = rest;
        if label[2] & 1 == 1 {
            break;
        }
    }
    let ethernet = |at: usize| matches!(bytes.get(at..at + 2), Some([0x08, 0x00] | [0x86, 0xdd] | [0x81, 0x00]));
    match bytes.first().map(|first| first >> 4) {
        Some(4 | 6) => Ok((Layer::Ip, bytes)),
        Some(_) if ethernet(12) && !ethernet(16) => Ok((Layer::Ethernet, bytes)),
        Some(0) => Ok((Layer::Ethernet, split::<4>(bytes)?.1)),
        Some(_) => Err(Ignored::NotIp),
        None => Err(Ignored::Truncated),
    }
}

/// Well-known UDP ports of tunnels.
const L2TP: u16 = 1701;
const GTP_USER: u16 = 2152;
const TEREDO: u16 = 3544;
const LISP: u16 = 4341;
const GRE_IN_UDP: u16 = 4754;
const VXLAN: u16 = 4789;
const VXLAN_GPE: u16 = 4790;
const AYIYA: u16 = 5072;
const GENEVE: u16 = 6081;
const MPLS_IN_UDP: u16 = 6635;
/// The port that Linux took before VXLAN had one. Many overlays still use it.
const VXLAN_LINUX: u16 = 8472;
const TZSP: u16 = 37008;

/// Strips the header that an IP protocol number announces, and notes the network that it names.
pub(super) fn strip_ip_protocol<'a>(number: u8, bytes: &'a [u8], network: &mut Network) -> Result<Inner<'a>, Ignored> {
    match number {
        ip_protocol::IPV4 | ip_protocol::IPV6 => Ok((Layer::Ip, bytes)),
        ip_protocol::GRE => strip_gre(bytes, network),
        ip_protocol::MPLS => Ok((Layer::Mpls, bytes)),
        // RFC 3378, section 3.
        ip_protocol::ETHERNET => Ok((Layer::Ethernet, split::<2>(bytes)?.1)),
        ip_protocol::UDP => {
            let (header, rest) = split::<8>(bytes)?;
            let source = u16::from_be_bytes([header[0], header[1]]);
            strip_udp(source, u16::from_be_bytes([header[2], header[3]]), rest, network)
        }
        _ => Err(Ignored::NotTcp),
    }
}

fn strip_udp<'a>(source: u16, destination: u16, bytes: &'a [u8], network: &mut Network) -> Result<Inner<'a>, Ignored> {
    match destination {
        L2TP => strip_l2tp(bytes),
        GTP_USER => strip_gtp(bytes),
        // RFC 9300, section 5.1.
        LISP => Ok((Layer::Ip, split::<8>(bytes)?.1)),
        // RFC 8086.
        GRE_IN_UDP => strip_gre(bytes, network),
        // RFC 7348, section 5: the flag marks a valid network identifier.
        VXLAN | VXLAN_LINUX if bytes.first().is_some_and(|flags| flags & 0x08 != 0) => {
            let (header, rest) = split::<8>(bytes)?;
            network.enter(Tag::Vxlan, identifier(header));
            Ok((Layer::Ethernet, rest))
        }
        // The last of VXLAN's reserved bytes is the next protocol.
        VXLAN_GPE if bytes.first().is_some_and(|flags| flags & 0x0c == 0x0c) => {
            let (header, rest) = split::<8>(bytes)?;
            network.enter(Tag::Vxlan, identifier(header));
            match header[3] {
                next_protocol::IPV4 | next_protocol::IPV6 => Ok((Layer::Ip, rest)),
                next_protocol::ETHERNET => Ok((Layer::Ethernet, rest)),
                next_protocol::SERVICE_HEADER => Ok((Layer::EtherType(ether_type::SERVICE_HEADER), rest)),
                next_protocol::MPLS => Ok((Layer::Mpls, rest)),
                _ => Err(Ignored::NotTcp),
            }
        }
        // RFC 8926, section 3.4: version 0, then the length of the options in words of four bytes.
        GENEVE if bytes.first().is_some_and(|first| first >> 6 == 0) => {
            let (header, rest) = split::<8>(bytes)?;
            network.enter(Tag::Geneve, identifier(header));
            let options = usize::from(header[0] & 0x3f) * 4;
            let inner = rest.get(options..).ok_or(Ignored::Truncated)?;
            Ok((Layer::EtherType(u16::from_be_bytes([header[2], header[3]])), inner))
        }
        AYIYA => strip_ayiya(bytes),
        MPLS_IN_UDP => Ok((Layer::Mpls, bytes)),
        TZSP => strip_tzsp(bytes),
        _ if source == AYIYA => strip_ayiya(bytes),
        _ if source == TEREDO || destination == TEREDO => strip_teredo(bytes),
        _ => Err(Ignored::NotTcp),
    }
}

/// The network identifier: 24 bits, in the same place in VXLAN and GENEVE.
fn identifier(header: &[u8; 8]) -> u32 {
    u32::from_be_bytes([0, header[4], header[5], header[6]])
}

/// 3GPP TS 29.281, section 5: version 1, and message 255 is a packet. With any of three flags there
/// are four more bytes. The last of them is the type of the first extension, or 0. An extension
/// begins with its length in words of four bytes and ends with the type of the next one.
fn strip_gtp(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, mut rest) = split::<8>(bytes)?;
    if header[0] & 0xf0 != 0x30 || header[1] != 0xff {
        return Err(Ignored::NotTcp);
    }
    if header[0] & 0x07 != 0 {
        let (more, after) = split::<4>(rest)?;
        rest = after;
        let mut extension = more[3];
        while extension != 0 {
            let length = usize::from(*rest.first().ok_or(Ignored::Truncated)?) * 4;
            if length == 0 {
                return Err(Ignored::Malformed);
            }
            extension = *rest.get(length - 1).ok_or(Ignored::Truncated)?;
            rest = &rest[length..];
        }
    }
    Ok((Layer::Ip, rest))
}

/// RFC 4380, section 5.1.1: authentication and origin may come before the IPv6 header.
fn strip_teredo(mut bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    if let [0, 1, identifier, authentication, ..] = bytes {
        // A nonce of eight bytes and a confirmation of one.
        let length = 4 + usize::from(*identifier) + usize::from(*authentication) + 9;
        bytes = bytes.get(length..).ok_or(Ignored::Truncated)?;
    }
    if let [0, 0, ..] = bytes {
        bytes = split::<8>(bytes)?.1;
    }
    match bytes.first().map(|first| first >> 4) {
        Some(6) => Ok((Layer::Ip, bytes)),
        Some(_) => Err(Ignored::NotTcp),
        None => Err(Ignored::Truncated),
    }
}

/// AYIYA (draft-massar-v6ops-ayiya-02, section 3): lengths of identity and signature, operation, next
/// header and time, then identity and signature. Operation 1 forwards a packet.
fn strip_ayiya(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<8>(bytes)?;
    const FORWARD: u8 = 1;
    let identity = 1_usize << (header[0] >> 4);
    let signature = usize::from(header[1] >> 4) * 4;
    if header[2] & 0x0f != FORWARD {
        return Err(Ignored::NotTcp);
    }
    let inner = rest.get(identity + signature..).ok_or(Ignored::Truncated)?;
    Ok((Layer::IpProtocol(header[3]), inner))
}

/// TZSP, which access points send to a sniffer: version, type, encapsulated protocol, then tags up
/// to an end tag.
fn strip_tzsp(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, mut rest) = split::<4>(bytes)?;
    const VERSION: u8 = 1;
    const ETHERNET: u16 = 1;
    const IEEE802_11: u16 = 18;
    let layer = match (header[0], u16::from_be_bytes([header[2], header[3]])) {
        (VERSION, ETHERNET) => Layer::Ethernet,
        (VERSION, IEEE802_11) => Layer::Wireless { padded: false },
        _ => return Err(Ignored::NotTcp),
    };
    loop {
        rest = match rest {
            [0, after @ ..] => after,
            [1, inner @ ..] => return Ok((layer, inner)),
            [_, length, after @ ..] => after.get(usize::from(*length)..).ok_or(Ignored::Truncated)?,
            _ => return Err(Ignored::Truncated),
        };
    }
}

/// RFC 2661, section 3.1: tunnel and session. Flags announce a length before them, and sequence
/// numbers and an offset after them.
fn strip_l2tp(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (flags, _) = split::<2>(bytes)?;
    let flag = |mask: u8| flags[0] & mask != 0;
    if flag(0x80) || flags[1] & 0x0f != 2 {
        return Err(Ignored::NotTcp);
    }
    let mut header = 6 + if flag(0x40) { 2 } else { 0 } + if flag(0x08) { 4 } else { 0 };
    if flag(0x02) {
        let size = bytes.get(header..header + 2).ok_or(Ignored::Truncated)?;
        header += 2 + usize::from(u16::from_be_bytes([size[0], size[1]]));
    }
    Ok((Layer::Ppp, bytes.get(header..).ok_or(Ignored::Truncated)?))
}

/// Packets that are redirected to web caches (WCCP).
const REDIRECTED: u16 = 0x883e;
/// 802.11 frames between Aruba's access points and controllers: a number for each access point.
const ARUBA: std::ops::RangeInclusive<u16> = 0x8200..=0x8370;
const ERSPAN_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

/// RFC 2784 and 2890, and version 1 of RFC 2637 (PPTP): flags announce optional fields of four
/// bytes each.
fn strip_gre<'a>(bytes: &'a [u8], network: &mut Network) -> Result<Inner<'a>, Ignored> {
    let (header, rest) = split::<4>(bytes)?;
    let flag = |mask: u8| usize::from(header[0] & mask != 0);
    let (checksum, routing, key, sequence) = (flag(0x80), flag(0x40), flag(0x20), flag(0x10));
    let fields = match header[1] & 0x07 {
        // Source routing (RFC 1701) has no fixed length and was withdrawn.
        0 if routing == 0 => checksum + key + sequence,
        1 => key + sequence + usize::from(header[1] & 0x80 != 0),
        _ => return Err(Ignored::NotTcp),
    };
    let inner = rest.get(fields * 4..).ok_or(Ignored::Truncated)?;
    match u16::from_be_bytes([header[2], header[3]]) {
        ether_type::TRANSPARENT_BRIDGING => {
            // RFC 7637, section 3.2: the upper 24 bits of the key identify a network.
            if let Some(id) = rest.get(checksum * 4..checksum * 4 + 3).filter(|_| key == 1) {
                network.enter(Tag::Nvgre, u32::from_be_bytes([0, id[0], id[1], id[2]]));
            }
            Ok((Layer::Ethernet, inner))
        }
        // Version 2 has four bytes before the datagram. They never look like an IPv4 header.
        REDIRECTED if inner.first().is_some_and(|first| first >> 4 == 4) => Ok((Layer::Ip, inner)),
        REDIRECTED => Ok((Layer::Ip, split::<4>(inner)?.1)),
        // Packets mirrored by switches (ERSPAN). Only version 1 has no sequence number, and no
        // header of its own.
        ERSPAN_2 if sequence == 0 => Ok((Layer::Ethernet, inner)),
        ERSPAN_2 => Ok((Layer::Ethernet, split::<8>(inner)?.1)),
        ERSPAN_3 => {
            let (erspan, rest) = split::<12>(inner)?;
            // The last bit announces eight bytes for the platform.
            let rest = if erspan[11] & 1 == 1 { split::<8>(rest)?.1 } else { rest };
            Ok((Layer::Ethernet, rest))
        }
        ether_type::FRAME_RELAY => Ok((Layer::FrameRelay, inner)),
        number if ARUBA.contains(&number) && number.is_multiple_of(16) => {
            Ok((Layer::Wireless { padded: false }, inner))
        }
        number => Ok((Layer::EtherType(number), inner)),
    }
}
