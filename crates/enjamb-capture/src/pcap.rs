//! pcap, the format of libpcap: a file header, then packets with a header each.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>

use std::io::Read;

use enjamb::Time;
use pcap_parser::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header};

use crate::capture::Record;
use crate::fault::{Fault, Trouble};
use crate::input::Input;
use crate::link::LinkType;

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// The format of a patched libpcap of the nineties has eight bytes more about each packet.
const MODIFIED_PACKET_HEADER: usize = 24;

/// Offset of the captured length in a packet header.
const CAPTURED: usize = 8;

pub(crate) struct Pcap {
    link: LinkType,
    big_endian: bool,
    modified: bool,
    /// Nanoseconds in a unit of the second time field.
    unit: u64,
}

impl Pcap {
    pub(crate) fn is_magic(magic: [u8; 4]) -> bool {
        matches!(u32::from_le_bytes(magic), 0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 | 0xd4c3_b2a1 | 0x4d3c_b2a1)
    }

    /// Reads the file header.
    pub(crate) fn open<R: Read>(input: &mut Input<R>) -> Result<Self, Fault> {
        input.require(FILE_HEADER, "the file header")?;
        let Ok((_, header)) = parse_pcap_header(input.bytes()) else {
            return Err(input.fault(Trouble::Damaged("the file header makes no sense")));
        };
        input.consume(FILE_HEADER);
        Ok(Self {
            // The upper half of the field tells of frame check sequences; they lie behind the IP datagram and do no harm.
            link: LinkType(header.network.0 as u16),
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
            unit: if header.is_nanosecond_precision() { 1 } else { 1_000 },
        })
    }

    pub(crate) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Record>, Fault> {
        const HEADER: &str = "a packet header";
        let header = if self.modified { MODIFIED_PACKET_HEADER } else { PACKET_HEADER };
        if !input.fill(1, HEADER)? {
            return Ok(None);
        }
        input.require(header, HEADER)?;
        let mut captured = [0; 4];
        captured.copy_from_slice(&input.bytes()[CAPTURED..CAPTURED + 4]);
        let captured = if self.big_endian { u32::from_be_bytes(captured) } else { u32::from_le_bytes(captured) };
        let length = header.saturating_add(captured as usize);
        input.require(length, "a packet")?;

        let parse = match (self.modified, self.big_endian) {
            (true, _) => parse_pcap_frame_modified,
            (false, true) => parse_pcap_frame_be,
            (false, false) => parse_pcap_frame,
        };
        let Ok((_, packet)) = parse(&input.bytes()[..length]) else {
            return Err(input.fault(Trouble::Damaged("a packet header makes no sense")));
        };
        // Both fields have 32 bits: neither product nor sum can overflow.
        let nanos = u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_usec) * self.unit;
        Ok(Some(Record {
            time: Some(Time::from_nanos(nanos)),
            link: self.link,
            bytes: header..length,
            original: u64::from(packet.origlen.max(captured)),
            dropped: 0,
            length,
        }))
    }
}
