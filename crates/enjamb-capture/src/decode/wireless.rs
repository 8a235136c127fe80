//! 802.11 data frames, and the headers in which receivers describe the signal.
//!
//! If several datagrams are aggregated in one frame, only the
//! first is read.

use crate::decode::layer::{Inner, Layer, Radio, split};
use crate::ignored::Ignored;

/// Strips the receiver's header.
pub(super) fn strip_radio(radio: Radio, bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (start, _) = split::<8>(bytes)?;
    let second = [start[4], start[5], start[6], start[7]];
    let (length, padded) = match radio {
        Radio::Avs => (u32::from_be_bytes(second) as usize, false),
        // The AVS header was introduced as a new version of Prism's, and is also found under
        // Prism's link type.
        Radio::Prism if start[..4] == [0x80, 0x21, 0x10, 0x01] => (u32::from_be_bytes(second) as usize, false),
        Radio::Prism => (u32::from_le_bytes(second) as usize, false),
        Radio::Radiotap => (usize::from(u16::from_le_bytes([start[2], start[3]])), radiotap_pads(bytes)),
    };
    Ok((Layer::Wireless { padded }, bytes.get(length..).ok_or(Ignored::Truncated)?))
}

/// Returns whether the 802.11 header is padded to a multiple of four bytes
/// (<https://www.radiotap.org/fields/Flags>).
fn radiotap_pads(bytes: &[u8]) -> bool {
    const FLAGS: u32 = 1 << 1;
    const TSFT: u32 = 1;
    const MORE: u32 = 1 << 31;
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let Some(present) = word(4) else {
        return false;
    };
    let mut at = 4;
    while word(at).is_some_and(|word| word & MORE != 0) {
        at += 4;
    }
    at += 4;
    if present & TSFT != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    present & FLAGS != 0 && bytes.get(at).is_some_and(|flags| flags & 0x20 != 0)
}

/// IEEE 802.11, section 9.2: the frame control field states which other fields the header has.
pub(super) fn strip(padded: bool, bytes: &[u8]) -> Result<Inner<'_>, Ignored> {
    let (control, _) = split::<2>(bytes)?;
    let has = |byte: usize, mask: u8| control[byte] & mask == mask;
    // Version 0, type 2: data, with a body.
    if control[0] & 0x0f != 0x08 || has(0, 0x40) {
        return Err(Ignored::NotIp);
    }
    if has(1, 0x40) {
        return Err(Ignored::Encrypted);
    }
    let quality = has(0, 0x80);
    let addresses = 24 + if has(1, 0x03) { 6 } else { 0 };
    let length = addresses + if quality { 2 } else { 0 } + if quality && has(1, 0x80) { 4 } else { 0 };
    // A fragment: more follow, or it is not the first.
    if has(1, 0x04) || bytes.get(22).ok_or(Ignored::Truncated)? & 0x0f != 0 {
        return Err(Ignored::Fragment);
    }
    let aggregated = quality && bytes.get(addresses).ok_or(Ignored::Truncated)? & 0x80 != 0;
    let length = if padded { length.next_multiple_of(4) } else { length };
    let body = bytes.get(length..).ok_or(Ignored::Truncated)?;
    // Each datagram of an aggregate has addresses and a length of its own.
    Ok((Layer::Llc, if aggregated { split::<14>(body)?.1 } else { body }))
}
