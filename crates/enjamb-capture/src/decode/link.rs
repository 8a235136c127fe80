//! Link-layer headers.

use crate::decode::layer::{Inner, Layer, split};
use crate::ignored::Ignored;

pub(super) fn strip_ethernet(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<14>(bytes)?;
    Ok((Layer::of_type_or_length([header[12], header[13]]), rest))
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>
pub(super) fn strip_linux_sll(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<16>(bytes)?;
    Ok((Layer::EtherType(u16::from_be_bytes([header[14], header[15]])), rest))
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>
pub(super) fn strip_linux_sll2(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<20>(bytes)?;
    Ok((Layer::EtherType(u16::from_be_bytes([header[0], header[1]])), rest))
}

pub(super) fn strip_loopback(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (family, rest) = split::<4>(bytes)?;
    // AF_INET is 2 everywhere, AF_INET6 differs by system. The file does not state the order of the
    // four bytes.
    match (u32::from_be_bytes(*family), u32::from_le_bytes(*family)) {
        (2 | 10 | 24 | 28 | 30, _) | (_, 2 | 10 | 24 | 28 | 30) => Ok((Layer::Ip, rest)),
        _ => Err(Ignored::NotIp),
    }
}

/// FDDI: frame control, two addresses, then 802.2. The upper bits of the control byte mark a frame
/// with data.
pub(super) fn strip_fddi(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<13>(bytes)?;
    if header[0] & 0xf0 == 0x50 { Ok((Layer::Llc, rest)) } else { Err(Ignored::NotIp) }
}

/// IEEE 802.5: access control, frame control, two addresses, perhaps a route, then 802.2. The first
/// bit of the source address announces a route, and five bits of the route are its length.
pub(super) fn strip_token_ring(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<14>(bytes)?;
    if header[1] & 0xc0 != 0x40 {
        return Err(Ignored::NotIp);
    }
    let route = if header[8] & 0x80 == 0 { 0 } else { usize::from(rest.first().ok_or(Ignored::Truncated)? & 0x1f) };
    Ok((Layer::Llc, rest.get(route..).ok_or(Ignored::Truncated)?))
}

/// Address, control, and an EtherType. Lines that may have either are captured with this link type
/// although they have PPP.
pub(super) fn strip_cisco_hdlc(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    if bytes.starts_with(&[0xff, 0x03]) {
        return Ok((Layer::Ppp, bytes));
    }
    let (header, rest) = split::<4>(bytes)?;
    Ok((Layer::EtherType(u16::from_be_bytes([header[2], header[3]])), rest))
}

/// RFC 2427, section 4: an address of two bytes, control, then the protocol.
pub(super) fn strip_frame_relay(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    match bytes {
        [_, _, 0x03, 0xcc | 0x8e, rest @ ..] => Ok((Layer::Ip, rest)),
        [_, _, 0x03, 0x00, 0x80, 0, 0, 0, high, low, rest @ ..] => {
            Ok((Layer::EtherType(u16::from_be_bytes([*high, *low])), rest))
        }
        [] | [_] | [_, _] | [_, _, _] => Err(Ignored::Truncated),
        _ => Err(Ignored::NotIp),
    }
}

pub(super) fn strip_llc(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (header, rest) = split::<8>(bytes)?;
    // SNAP (IEEE 802, section 9): organisation 0 means that an EtherType follows.
    match header {
        [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] => Ok((Layer::EtherType(u16::from_be_bytes([*high, *low])), rest)),
        // IP has a service access point of its own.
        [0x06, 0x06, 0x03, ..] => Ok((Layer::Ip, split::<3>(bytes)?.1)),
        _ => Err(Ignored::NotIp),
    }
}

/// RFC 1661, section 2, and RFC 1662, section 3.1: the address and control fields are optional, and
/// a protocol below 256 may have one byte.
pub(super) fn strip_ppp(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    if let [0x0f | 0x8f, 0x00, _, _, ..] = bytes {
        // Cisco HDLC, to one station or to all: PPP has no protocol with these numbers.
        return Ok((Layer::CiscoHdlc, bytes));
    }
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    match bytes {
        // RFC 3032, section 4.3.
        [0x02, 0x81 | 0x83, rest @ ..] => Ok((Layer::Mpls, rest)),
        [0x21 | 0x57, rest @ ..] | [0x00, 0x21 | 0x57, rest @ ..] => Ok((Layer::Ip, rest)),
        [] | [_] => Err(Ignored::Truncated),
        _ => Err(Ignored::NotIp),
    }
}
