//! Headers that capturing systems add in front of a packet.

use crate::decode::layer::{Inner, Layer, Wrapper, split};
use crate::ignored::Ignored;
use crate::link_type::LinkType;

pub(super) fn strip(wrapper: Wrapper, bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    match wrapper {
        Wrapper::Enc => Ok((Layer::Ip, split::<12>(bytes)?.1)),
        Wrapper::PppDirection | Wrapper::PppPppd => {
            let (_, rest) = split::<1>(bytes)?;
            // Where the direction replaces the address, the control field is left.
            Ok((Layer::Ppp, rest.strip_prefix(&[0x03]).unwrap_or(rest)))
        }
        Wrapper::CiscoHdlcDirection => Ok((Layer::CiscoHdlc, split::<1>(bytes)?.1)),
        Wrapper::FrameRelayDirection => Ok((Layer::FrameRelay, split::<1>(bytes)?.1)),
        Wrapper::Pflog => {
            // The first byte is the header's length without the padding that follows it.
            let length = usize::from(*bytes.first().ok_or(Ignored::Truncated)?).next_multiple_of(4);
            Ok((Layer::Ip, bytes.get(length..).ok_or(Ignored::Truncated)?))
        }
        Wrapper::Ppi => {
            let (header, _) = split::<8>(bytes)?;
            let link = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            inner(bytes, usize::from(u16::from_le_bytes([header[2], header[3]])), link)
        }
        Wrapper::Pktap => {
            let (header, _) = split::<12>(bytes)?;
            let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            inner(bytes, word(0) as usize, word(8))
        }
        Wrapper::Nflog => strip_nflog(bytes),
    }
}

/// The packet behind a header of `length` bytes that states the link type.
fn inner(bytes: &[u8], length: usize, link: u32) -> Result<Inner<'_>, Ignored> {
    let link = u16::try_from(link).map_err(|_| Ignored::UnknownLink)?;
    let layer = Layer::of(LinkType(link)).ok_or(Ignored::UnknownLink)?;
    Ok((layer, bytes.get(length..).ok_or(Ignored::Truncated)?))
}

/// Attributes of length, type and value, padded to four bytes, in the byte order of the machine.
/// One of them is the packet.
fn strip_nflog(bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    const PAYLOAD: u16 = 9;
    let (_, mut rest) = split::<4>(bytes)?;
    loop {
        let (header, _) = split::<4>(rest)?;
        let (length, kind) = ([header[0], header[1]], [header[2], header[3]]);
        // The upper two bits of the type are flags. All types are below 256, so the order of the
        // two bytes shows.
        let big_endian = kind[0] & 0x3f == 0 && kind[1] != 0;
        let number = |bytes| if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let (length, kind) = (usize::from(number(length)), number(kind) & 0x3fff);
        if length < 4 {
            return Err(Ignored::Malformed);
        }
        if kind == PAYLOAD {
            return Ok((Layer::Ip, rest.get(4..length).unwrap_or(&rest[4..])));
        }
        rest = rest.get(length.next_multiple_of(4)..).ok_or(Ignored::Truncated)?;
    }
}
