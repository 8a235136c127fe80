//! The TCP header.

use std::net::{IpAddr, SocketAddr};

use crate::decode::checksum;
use crate::ignored::Ignored;
use crate::segment::Segment;

/// The length of a header without options, in bytes (RFC 9293, section 3.1).
const HEADER: usize = 20;

/// Returns the segment that `bytes` begin with. `missing` bytes after them were not captured.
#[inline]
pub(super) fn segment(
    (source, destination): (IpAddr, IpAddr),
    bytes: &[u8],
    missing: u64,
) -> Result<Segment<'_>, Ignored> {
    // A header that the datagram cuts off is malformed, one that the capture cuts off is not.
    let cut_off = if missing > 0 { Ignored::Truncated } else { Ignored::Malformed };
    let header = bytes.first_chunk::<HEADER>().ok_or(cut_off)?;
    let &[s0, s1, d0, d1, n0, n1, n2, n3, a0, a1, a2, a3, offset, flags, ..] = header;
    let length = usize::from(offset >> 4) * 4;
    if length < HEADER {
        return Err(Ignored::Malformed);
    }
    let payload = bytes.get(length..).ok_or(cut_off)?;
    let has = |flag: u8| flags & flag != 0;
    Ok(Segment {
        source: SocketAddr::new(source, u16::from_be_bytes([s0, s1])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([d0, d1])),
        sequence: u32::from_be_bytes([n0, n1, n2, n3]),
        acknowledgement: has(0x10).then_some(u32::from_be_bytes([a0, a1, a2, a3])),
        syn: has(0x02),
        fin: has(0x01),
        rst: has(0x04),
        urgent: has(0x20),
        network: 0,
        payload,
        missing,
        dropped: 0,
        bad_checksum: missing == 0 && !checksum::is_right(source, destination, bytes),
    })
}
