//! IP over InfiniBand (RFC 4391): a header of four bytes with the EtherType, inside the frames of
//! InfiniBand.

use crate::decode::layer::{Inner, Layer, ether_type, split};
use crate::ignored::Ignored;

/// The length of the global routing header, in bytes.
const GLOBAL: usize = 40;

/// <https://www.tcpdump.org/linktypes.html>: most systems write a global routing header of 40 bytes
/// first, which is zero if the frame had none.
pub(super) fn strip_ipoib(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    match strip_header(bytes) {
        Ok(inner @ (Layer::EtherType(ether_type::IPV4 | ether_type::IPV6), _)) => Ok(inner),
        _ => strip_header(bytes.get(GLOBAL..).ok_or(Ignored::Truncated)?),
    }
}

/// RFC 4391, section 6: the EtherType and two reserved bytes.
fn strip_header(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    match split::<4>(bytes)? {
        ([high, low, 0, 0], rest) => Ok((Layer::EtherType(u16::from_be_bytes([*high, *low])), rest)),
        _ => Err(Ignored::NotIp),
    }
}

/// InfiniBand Architecture Specification, volume 1, chapters 5 and 9: local routing header, perhaps
/// a global one, base transport header, and for datagrams an extended header of 8 bytes.
pub(super) fn strip_infiniband(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (local, rest) = split::<8>(bytes)?;
    // The lower two bits name the next header.
    let transport = match local[1] & 0x03 {
        2 => rest,
        3 => rest.get(GLOBAL..).ok_or(Ignored::Truncated)?,
        _ => return Err(Ignored::NotIp),
    };
    let (base, rest) = split::<12>(transport)?;
    match base[0] {
        // A message in one packet: reliable connection, unreliable connection, datagram, each also
        // with four bytes of immediate data.
        0x04 | 0x24 => strip_header(rest),
        0x05 | 0x25 => strip_header(split::<4>(rest)?.1),
        0x64 => strip_header(split::<8>(rest)?.1),
        0x65 => strip_header(split::<12>(rest)?.1),
        _ => Err(Ignored::NotIp),
    }
}
