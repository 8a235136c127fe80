//! pcapng: sections of blocks. Some blocks describe interfaces, others hold packets that refer to
//! an interface.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>
//!
//! Every section has its own byte order and interfaces. Every interface has its own link type and
//! clock. Blocks of other types are skipped without being held, so they may have any length.

use std::io::Read;

use enjamb::Time;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, OptionCode, parse_block_be, parse_block_le};

use crate::error::{CaptureError, CaptureErrorKind};
use crate::file::input::Input;
use crate::file::record::PacketRecord;
use crate::link_type::LinkType;

/// The limit for interfaces in one section.
const INTERFACES_MAX: usize = 65_536;

/// Type and length at the beginning, and the length again at the end.
const SMALLEST_BLOCK: usize = 12;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// The option that counts packets lost before this one, in 64 bits.
const EPB_DROPCOUNT: OptionCode = OptionCode(4);

/// The distance from the beginning of an obsolete packet block (section A.1 of the draft) to the
/// packet's bytes.
const OBSOLETE_HEADER: usize = 28;

/// The distance from the beginning of the block to the packet's bytes.
const ENHANCED_HEADER: usize = 28;
const SIMPLE_HEADER: usize = 12;

pub(crate) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

struct Interface {
    link: LinkType,
    /// The limit for captured bytes of a packet. 0 means no limit.
    snaplen: u32,
    clock: Clock,
}

impl Pcapng {
    pub(crate) fn new() -> Self {
        Self { big_endian: false, interfaces: Vec::new() }
    }

    pub(crate) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<PacketRecord>, CaptureError> {
        const HEADER: &str = "a block header";
        loop {
            if !input.fill(1, HEADER)? {
                return Ok(None);
            }
            input.require(SMALLEST_BLOCK, HEADER)?;
            // The type of a section header reads the same in both byte orders.
            if u32::from_le_bytes(word(input.bytes(), 0)) == SECTION_HEADER {
                let magic = word(input.bytes(), 8);
                self.big_endian = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
                    (BYTE_ORDER_MAGIC, _) => true,
                    (_, BYTE_ORDER_MAGIC) => false,
                    _ => return Err(input.error(CaptureErrorKind::Damaged("a section header has no byte-order magic"))),
                };
            }
            let kind = self.number(input.bytes(), 0);
            let length = self.number(input.bytes(), 4) as usize;
            if length < SMALLEST_BLOCK || !length.is_multiple_of(4) {
                return Err(input
                    .error(CaptureErrorKind::Damaged("the length of a block is below 12 or not a multiple of four")));
            }
            if !matches!(
                kind,
                SECTION_HEADER | INTERFACE_DESCRIPTION | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            ) {
                input.skip(length as u64, "a block")?;
                continue;
            }
            input.require(length, "a block")?;
            let record = self
                .block(kind, &input.bytes()[..length])
                .map_err(|reason| input.error(CaptureErrorKind::Damaged(reason)))?;
            if record.is_some() {
                return Ok(record);
            }
            input.consume(length);
        }
    }

    fn number(&self, bytes: &[u8], at: usize) -> u32 {
        let word = word(bytes, at);
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }

    /// Reads a whole block. Returns the packet in it, if it is a packet block.
    fn block(&mut self, kind: u32, block: &[u8]) -> Result<Option<PacketRecord>, &'static str> {
        if self.number(block, block.len() - 4) as usize != block.len() {
            return Err("the lengths at the beginning and the end of a block differ");
        }
        if kind == OBSOLETE_PACKET {
            return self.obsolete_packet(block).map(Some);
        }
        let parse = if self.big_endian { parse_block_be } else { parse_block_le };
        let Ok((_, parsed)) = parse(block) else {
            return Err("the content of a block does not fit into it");
        };
        match parsed {
            Block::SectionHeader(section) => {
                if section.major_version != 1 {
                    return Err("a section has an unknown version of pcapng");
                }
                self.interfaces.clear();
                Ok(None)
            }
            Block::InterfaceDescription(interface) => {
                if self.interfaces.len() == INTERFACES_MAX {
                    return Err("a section describes more than 65,536 interfaces");
                }
                // `pcap-parser` reads the offset as little-endian in every section.
                let offset = interface.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
                let offset = offset.and_then(|option| option.as_bytes().ok()?.try_into().ok());
                let offset = offset.map_or(0, |bytes| {
                    if self.big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) }
                });
                self.interfaces.push(Interface {
                    link: LinkType(interface.linktype.0 as u16),
                    snaplen: interface.snaplen,
                    clock: Clock { resolution: interface.if_tsresol, offset },
                });
                Ok(None)
            }
            Block::EnhancedPacket(packet) => {
                let interface = self.interface(packet.if_id)?;
                let bytes = packet.packet_data().len();
                let dropped = packet.options.iter().find(|option| option.code == EPB_DROPCOUNT);
                let dropped = dropped.and_then(|option| option.as_bytes().ok()?.try_into().ok());
                let dropped = dropped.map_or(0, |bytes| {
                    if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
                });
                Ok(Some(PacketRecord {
                    time: Some(interface.clock.time(packet.ts_high, packet.ts_low)),
                    link: interface.link,
                    bytes: ENHANCED_HEADER..ENHANCED_HEADER + bytes,
                    original: u64::from(packet.origlen).max(bytes as u64),
                    dropped,
                    length: block.len(),
                }))
            }
            Block::SimplePacket(packet) => {
                let interface = self.interface(0)?;
                let limit = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
                let bytes = packet.data.len().min(packet.origlen.min(limit) as usize);
                Ok(Some(PacketRecord {
                    time: None,
                    link: interface.link,
                    bytes: SIMPLE_HEADER..SIMPLE_HEADER + bytes,
                    original: u64::from(packet.origlen),
                    dropped: 0,
                    length: block.len(),
                }))
            }
            _ => Ok(None),
        }
    }

    /// Reads the packet block of the first version of pcapng, which `pcap-parser` does not parse.
    fn obsolete_packet(&self, block: &[u8]) -> Result<PacketRecord, &'static str> {
        if block.len() < OBSOLETE_HEADER + 4 {
            return Err("a packet block is too short for its header");
        }
        let (first, second) = ([block[8], block[9]], [block[10], block[11]]);
        let number = |bytes| if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let interface = self.interface(u32::from(number(first)))?;
        let dropped = match number(second) {
            u16::MAX => 0,
            known => u64::from(known),
        };
        let captured = self.number(block, 20) as usize;
        if captured > block.len() - OBSOLETE_HEADER - 4 {
            return Err("the content of a block does not fit into it");
        }
        Ok(PacketRecord {
            time: Some(interface.clock.time(self.number(block, 12), self.number(block, 16))),
            link: interface.link,
            bytes: OBSOLETE_HEADER..OBSOLETE_HEADER + captured,
            original: u64::from(self.number(block, 24)).max(captured as u64),
            dropped,
            length: block.len(),
        })
    }

    fn interface(&self, number: u32) -> Result<&Interface, &'static str> {
        self.interfaces.get(number as usize).ok_or("a packet refers to an interface that is not described")
    }
}

/// Four bytes at `at`. The caller has checked the length.
fn word(bytes: &[u8], at: usize) -> [u8; 4] {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    word
}

/// The clock of an interface.
#[derive(Clone, Copy)]
struct Clock {
    /// `if_tsresol`: units of 10^-n seconds, or of 2^-n with the highest bit set.
    resolution: u8,
    /// `if_tsoffset`: seconds to add.
    offset: i64,
}

impl Clock {
    /// Converts a time stamp. Times before 1970 become the first of 1970, and times after 2554
    /// become the last of 2554.
    fn time(self, high: u32, low: u32) -> Time {
        const NANOS: u128 = 1_000_000_000;
        let units = u128::from(high) << 32 | u128::from(low);
        let exponent = u32::from(self.resolution & 0x7f);
        // 64 bits times 30 bits fit into 128; a shift of up to 127 does too.
        let nanos = if self.resolution & 0x80 != 0 {
            (units * NANOS) >> exponent
        } else {
            10u128.checked_pow(exponent).map_or(0, |per_second| units * NANOS / per_second)
        };
        let offset = i128::from(self.offset) * NANOS as i128;
        let nanos = (nanos as i128).saturating_add(offset).clamp(0, i128::from(u64::MAX));
        Time::from_nanos(nanos as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_time_stamp_is_read_with_the_resolution_and_offset_of_its_interface() {
        for (resolution, offset, units, nanos) in [
            (6, 0, 1_500_000_000_000_001, 1_500_000_000_000_001_000),
            (9, 0, 1_500_000_000_000_000_001, 1_500_000_000_000_000_001),
            (0, 0, 7, 7_000_000_000),
            (3, -2, 5_001, 3_001_000_000),
            (12, 0, 1_234_567, 1_234),
            (0x80 | 10, 0, 1 << 9, 500_000_000),
            (0x80 | 10, 10, 3 << 10, 13_000_000_000),
            (0xff, 0, u64::MAX, 0),
            (127, 0, u64::MAX, 0),
            (0, 0, u64::MAX, u64::MAX),
            (0, i64::MIN, u64::MAX, 9_223_372_036_854_775_807u64.saturating_mul(1_000_000_000)),
            (6, i64::MIN, 1, 0),
            (6, i64::MAX, 1, u64::MAX),
        ] {
            let time = Clock { resolution, offset }.time((units >> 32) as u32, units as u32);
            assert_eq!(time.nanos(), nanos, "{units} units of {resolution:#x} and {offset} s");
        }
    }
}
