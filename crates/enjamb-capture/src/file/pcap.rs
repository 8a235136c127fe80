//! pcap, the format of libpcap: a file header, then packets, each after a header of its own.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>

use std::io::Read;

use enjamb::Time;

use crate::error::{CaptureError, CaptureErrorKind};
use crate::file::input::{Input, LONGEST_BLOCK};
use crate::file::record::PacketRecord;
use crate::link_type::LinkType;

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// The "modified" format, written by a patched libpcap of the nineties, has eight more bytes for
/// each packet.
const MODIFIED_PACKET_HEADER: usize = 24;

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

pub(crate) struct Pcap {
    link: LinkType,
    big_endian: bool,
    modified: bool,
    /// The number of nanoseconds in a unit of the second time field.
    unit: u64,
}

impl Pcap {
    /// The magic number and whether it is big-endian. `None` if it is no magic number in either
    /// byte order.
    fn magic(bytes: [u8; 4]) -> Option<(u32, bool)> {
        let known = |number: &u32| matches!(*number, MICROSECONDS | NANOSECONDS | MODIFIED);
        let little = Some(u32::from_le_bytes(bytes)).filter(known).map(|number| (number, false));
        little.or(Some(u32::from_be_bytes(bytes)).filter(known).map(|number| (number, true)))
    }

    pub(crate) fn is_magic(bytes: [u8; 4]) -> bool {
        Self::magic(bytes).is_some()
    }

    /// Reads the file header.
    pub(crate) fn open<R: Read>(input: &mut Input<R>) -> Result<Self, CaptureError> {
        input.require(FILE_HEADER, "the file header")?;
        let header = input.bytes();
        let Some((magic, big_endian)) = Self::magic(word(header, 0)) else {
            return Err(input.error(CaptureErrorKind::Damaged("the file header has no magic number")));
        };
        let link = number(word(header, 20), big_endian);
        input.consume(FILE_HEADER);
        Ok(Self {
            // The upper half of the field describes frame check sequences. They come after the IP
            // datagram, so they are not read.
            link: LinkType(link as u16),
            big_endian,
            modified: magic == MODIFIED,
            unit: if magic == NANOSECONDS { 1 } else { 1_000 },
        })
    }

    pub(crate) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<PacketRecord>, CaptureError> {
        const HEADER: &str = "a packet header";
        if let Some(record) = self.record(input.bytes()) {
            return Ok(Some(record));
        }
        let header = self.packet_header();
        if !input.fill(1, HEADER)? {
            return Ok(None);
        }
        input.require(header, HEADER)?;
        let captured = number(word(input.bytes(), 8), self.big_endian);
        input.require(header.saturating_add(captured as usize), "a packet")?;
        Ok(self.record(input.bytes()))
    }

    fn packet_header(&self) -> usize {
        if self.modified { MODIFIED_PACKET_HEADER } else { PACKET_HEADER }
    }

    /// Returns the packet that `bytes` begin with, if all of it is there.
    #[inline]
    fn record(&self, bytes: &[u8]) -> Option<PacketRecord> {
        let header = self.packet_header();
        let (words, _) = bytes.first_chunk::<PACKET_HEADER>()?.as_chunks::<4>();
        // Seconds, fraction of a second, captured length, original length.
        let &[seconds, fraction, captured, original] = words else { return None };
        let [seconds, fraction] = [seconds, fraction].map(|word| u64::from(number(word, self.big_endian)));
        let [captured, original] = [captured, original].map(|word| number(word, self.big_endian));
        let length = header.saturating_add(captured as usize);
        if bytes.len() < length || length > LONGEST_BLOCK {
            return None;
        }
        Some(PacketRecord {
            // All fields have 32 bits: neither product nor sum can overflow.
            time: Some(Time::from_nanos(seconds * 1_000_000_000 + fraction * self.unit)),
            link: self.link,
            bytes: header..length,
            original: u64::from(original.max(captured)),
            dropped: 0,
            length,
        })
    }
}

/// Four bytes at `at`. The caller has checked the length.
fn word(bytes: &[u8], at: usize) -> [u8; 4] {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    word
}

fn number(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
