//! Packets in packets: MPLS labels, GRE and what goes through UDP.

use crate::decode::Ignored;
use crate::link::{Layer, Peeled, ether_type, ip_protocol, split};
use crate::network::{Network, Tag};

/// RFC 3032: labels of four bytes up to the one with the bottom bit; what follows them is nowhere said. It is IP when its first
/// four bits say so, and Ethernet behind a control word of zeros (RFC 4448) or at once.
pub(crate) fn peel_mpls(mut bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
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
        None => Err(Ignored::Cut),
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
const GENEVE: u16 = 6081;
const MPLS_IN_UDP: u16 = 6635;
/// What Linux took before VXLAN had a port, and many overlays still do.
const VXLAN_LINUX: u16 = 8472;
const TZSP: u16 = 37008;

/// What an IP protocol number says, from its header on.
pub(crate) fn peel_protocol<'a>(number: u8, bytes: &'a [u8], network: &mut Network) -> Result<Peeled<'a>, Ignored> {
    match number {
        ip_protocol::IPV4 | ip_protocol::IPV6 => Ok((Layer::Ip, bytes)),
        ip_protocol::GRE => peel_gre(bytes, network),
        ip_protocol::MPLS => Ok((Layer::Labels, bytes)),
        // RFC 3378, section 3.
        ip_protocol::ETHERNET => Ok((Layer::Ethernet, split::<2>(bytes)?.1)),
        ip_protocol::UDP => {
            let (header, rest) = split::<8>(bytes)?;
            let source = u16::from_be_bytes([header[0], header[1]]);
            peel_udp(source, u16::from_be_bytes([header[2], header[3]]), rest, network)
        }
        _ => Err(Ignored::NotTcp),
    }
}

fn peel_udp<'a>(source: u16, destination: u16, bytes: &'a [u8], network: &mut Network) -> Result<Peeled<'a>, Ignored> {
    match destination {
        L2TP => peel_l2tp(bytes),
        GTP_USER => peel_gtp(bytes),
        // RFC 9300, section 5.1.
        LISP => Ok((Layer::Ip, split::<8>(bytes)?.1)),
        // RFC 8086.
        GRE_IN_UDP => peel_gre(bytes, network),
        // RFC 7348, section 5: the flag that says that the network identifier is valid.
        VXLAN | VXLAN_LINUX if bytes.first().is_some_and(|flags| flags & 0x08 != 0) => {
            let (header, rest) = split::<8>(bytes)?;
            network.enter(Tag::Vxlan, identifier(header));
            Ok((Layer::Ethernet, rest))
        }
        // With a protocol in the last of the reserved bytes.
        VXLAN_GPE if bytes.first().is_some_and(|flags| flags & 0x0c == 0x0c) => {
            let (header, rest) = split::<8>(bytes)?;
            network.enter(Tag::Vxlan, identifier(header));
            match header[3] {
                1 | 2 => Ok((Layer::Ip, rest)),
                3 => Ok((Layer::Ethernet, rest)),
                4 => Ok((Layer::Type(ether_type::SERVICE_HEADER), rest)),
                5 => Ok((Layer::Labels, rest)),
                _ => Err(Ignored::NotTcp),
            }
        }
        // RFC 8926, section 3.4: version 0, then the length of the options in words.
        GENEVE if bytes.first().is_some_and(|first| first >> 6 == 0) => {
            let (header, rest) = split::<8>(bytes)?;
            network.enter(Tag::Geneve, identifier(header));
            let options = usize::from(header[0] & 0x3f) * 4;
            let inner = rest.get(options..).ok_or(Ignored::Cut)?;
            Ok((Layer::Type(u16::from_be_bytes([header[2], header[3]])), inner))
        }
        MPLS_IN_UDP => Ok((Layer::Labels, bytes)),
        TZSP => peel_tzsp(bytes),
        _ if source == TEREDO || destination == TEREDO => peel_teredo(bytes),
        _ => Err(Ignored::NotTcp),
    }
}

/// 24 bits, in the same place of VXLAN's header and of GENEVE's.
fn identifier(header: &[u8; 8]) -> u32 {
    u32::from_be_bytes([0, header[4], header[5], header[6]])
}

/// 3GPP TS 29.281, section 5: version 1, message 255 is a packet; with any of three flags there are four bytes more, of which the
/// last says whether extensions follow, each with its length in words first and the next type last.
fn peel_gtp(bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    let (header, mut rest) = split::<8>(bytes)?;
    if header[0] & 0xf0 != 0x30 || header[1] != 0xff {
        return Err(Ignored::NotTcp);
    }
    if header[0] & 0x07 != 0 {
        let (more, behind) = split::<4>(rest)?;
        rest = behind;
        let mut extension = more[3];
        while extension != 0 {
            let length = usize::from(*rest.first().ok_or(Ignored::Cut)?) * 4;
            if length == 0 {
                return Err(Ignored::Malformed);
            }
            extension = *rest.get(length - 1).ok_or(Ignored::Cut)?;
            rest = &rest[length..];
        }
    }
    Ok((Layer::Ip, rest))
}

/// RFC 4380, section 5.1.1: authentication and origin may come before the IPv6 header.
fn peel_teredo(mut bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    if let [0, 1, identifier, authentication, ..] = bytes {
        // A nonce of eight bytes and a confirmation of one.
        let length = 4 + usize::from(*identifier) + usize::from(*authentication) + 9;
        bytes = bytes.get(length..).ok_or(Ignored::Cut)?;
    }
    if let [0, 0, ..] = bytes {
        bytes = split::<8>(bytes)?.1;
    }
    match bytes.first().map(|first| first >> 4) {
        Some(6) => Ok((Layer::Ip, bytes)),
        Some(_) => Err(Ignored::NotTcp),
        None => Err(Ignored::Cut),
    }
}

/// What sniffing access points send: version, type, what is encapsulated, then tags up to the one that ends them.
fn peel_tzsp(bytes: &[u8]) -> Result<Peeled<'_>, Ignored> {
    let (header, mut rest) = split::<4>(bytes)?;
    let layer = match (header[0], u16::from_be_bytes([header[2], header[3]])) {
        (1, 1) => Layer::Ethernet,
        (1, 18) => Layer::Wireless { padded: false },
        _ => return Err(Ignored::NotTcp),
    };
    loop {
        rest = match rest {
            [0, behind @ ..] => behind,
            [1, inner @ ..] => return Ok((layer, inner)),
            [_, length, behind @ ..] => behind.get(usize::from(*length)..).ok_or(Ignored::Cut)?,
            _ => return Err(Ignored::Cut),
        };
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

/// What web caches are redirected (WCCP).
const REDIRECTED: u16 = 0x883e;
const ERSPAN_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

/// RFC 2784 and 2890, and version 1 of RFC 2637 (PPTP): optional fields of four bytes each, as the flags say.
fn peel_gre<'a>(bytes: &'a [u8], network: &mut Network) -> Result<Peeled<'a>, Ignored> {
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
    match u16::from_be_bytes([header[2], header[3]]) {
        ether_type::TRANSPARENT_BRIDGING => {
            // RFC 7637, section 3.2: the upper 24 bits of the key name a network.
            if let Some(id) = rest.get(checksum * 4..checksum * 4 + 3).filter(|_| key == 1) {
                network.enter(Tag::Nvgre, u32::from_be_bytes([0, id[0], id[1], id[2]]));
            }
            Ok((Layer::Ethernet, inner))
        }
        // Version 2 has four bytes before the datagram, which never look like its first one.
        REDIRECTED if inner.first().is_some_and(|first| first >> 4 == 4) => Ok((Layer::Ip, inner)),
        REDIRECTED => Ok((Layer::Ip, split::<4>(inner)?.1)),
        // What switches mirror: a header of their own only behind a sequence number.
        ERSPAN_2 if sequence == 0 => Ok((Layer::Ethernet, inner)),
        ERSPAN_2 => Ok((Layer::Ethernet, split::<8>(inner)?.1)),
        ERSPAN_3 => {
            let (erspan, rest) = split::<12>(inner)?;
            // The last bit says whether the platform has eight bytes more to say.
            let rest = if erspan[11] & 1 == 1 { split::<8>(rest)?.1 } else { rest };
            Ok((Layer::Ethernet, rest))
        }
        number => Ok((Layer::Type(number), inner)),
    }
}
