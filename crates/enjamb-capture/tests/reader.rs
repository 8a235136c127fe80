//! Files of every format, whole and damaged.

use std::io::{Read, Write as _};

use enjamb_capture::{Capture, CaptureErrorKind, LONGEST_BLOCK};
use proptest::prelude::*;

/// A packet: time in nanoseconds, link type, bytes, length on the wire, packets lost before it.
type Found = (u64, u16, Vec<u8>, u64, u64);

/// Returns all packets, and the offset and text of the error.
fn packets(source: impl Read) -> (Vec<Found>, Option<(u64, String)>) {
    let mut found = Vec::new();
    let mut capture = match Capture::from_read(source) {
        Ok(capture) => capture,
        Err(error) => return (found, Some((error.offset, error.to_string()))),
    };
    loop {
        match capture.next() {
            Ok(Some(packet)) => {
                found.push((
                    packet.time.nanos(),
                    packet.link.0,
                    packet.bytes.to_vec(),
                    packet.original,
                    packet.dropped,
                ));
            }
            Ok(None) => return (found, None),
            Err(error) => {
                assert!(matches!(capture.next(), Ok(None)), "nothing comes after an error");
                return (found, Some((error.offset, error.to_string())));
            }
        }
    }
}

/// Numbers in one byte order.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn u16(self, number: u16) -> Vec<u8> {
        if self.big { number.to_be_bytes().to_vec() } else { number.to_le_bytes().to_vec() }
    }

    fn u32(self, number: u32) -> Vec<u8> {
        if self.big { number.to_be_bytes().to_vec() } else { number.to_le_bytes().to_vec() }
    }

    fn u64(self, number: u64) -> Vec<u8> {
        if self.big { number.to_be_bytes().to_vec() } else { number.to_le_bytes().to_vec() }
    }

    fn pcap_header(self, magic: u32, link: u32) -> Vec<u8> {
        [self.u32(magic), self.u16(2), self.u16(4), self.u32(0), self.u32(0), self.u32(65_535), self.u32(link)].concat()
    }

    fn pcap_packet(self, seconds: u32, fraction: u32, bytes: &[u8], original: u32) -> Vec<u8> {
        let header = [seconds, fraction, bytes.len() as u32, original].map(|number| self.u32(number)).concat();
        [header, bytes.to_vec()].concat()
    }

    fn block(self, kind: u32, body: &[Vec<u8>]) -> Vec<u8> {
        let mut body = body.concat();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(body.len() as u32 + 12);
        [self.u32(kind), length.clone(), body, length].concat()
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut padded = value.to_vec();
        padded.resize(padded.len().next_multiple_of(4), 0);
        [self.u16(code), self.u16(value.len() as u16), padded].concat()
    }

    fn section(self) -> Vec<u8> {
        self.block(0x0a0d_0d0a, &[self.u32(0x1a2b_3c4d), self.u16(1), self.u16(0), self.u64(u64::MAX)])
    }

    fn interface(self, link: u16, snaplen: u32, options: &[Vec<u8>]) -> Vec<u8> {
        self.block(1, &[self.u16(link), self.u16(0), self.u32(snaplen), options.concat()])
    }

    fn enhanced(self, interface: u32, units: u64, bytes: &[u8], original: u32, options: &[Vec<u8>]) -> Vec<u8> {
        let mut padded = bytes.to_vec();
        padded.resize(padded.len().next_multiple_of(4), 0);
        let numbers = [interface, (units >> 32) as u32, units as u32, bytes.len() as u32, original];
        self.block(6, &[numbers.map(|number| self.u32(number)).concat(), padded, options.concat()])
    }
}

const LITTLE: Order = Order { big: false };
const BIG: Order = Order { big: true };

/// Returns a file with three packets, and where its blocks begin.
fn small_pcapng() -> (Vec<u8>, Vec<usize>) {
    let blocks = [
        LITTLE.section(),
        LITTLE.interface(101, 0, &[]),
        LITTLE.enhanced(0, 1_000_001, b"one", 3, &[]),
        LITTLE.block(0x0bad, &[vec![1; 40]]),
        LITTLE.enhanced(0, 1_000_002, b"three", 9, &[]),
        LITTLE.enhanced(0, 1_000_003, &[7; 100], 100, &[]),
    ];
    let mut starts = vec![0];
    for block in &blocks {
        starts.push(starts[starts.len() - 1] + block.len());
    }
    (blocks.concat(), starts)
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_with_both_clocks() {
    for (order, magic, nanos) in [
        (LITTLE, 0xa1b2_c3d4, 5_000_006_000),
        (BIG, 0xa1b2_c3d4, 5_000_006_000),
        (LITTLE, 0xa1b2_3c4d, 5_000_000_006),
        (BIG, 0xa1b2_3c4d, 5_000_000_006),
    ] {
        // The upper bits of the link type mean that frames have a check sequence of four bytes.
        let file = [order.pcap_header(magic, 0x4400_0001), order.pcap_packet(5, 6, b"abc", 60)].concat();
        assert_eq!(packets(&file[..]), (vec![(nanos, 1, b"abc".to_vec(), 60, 0)], None));
    }
    for order in [LITTLE, BIG] {
        let modified = [&order.pcap_header(0xa1b2_cd34, 1)[..], &order.pcap_packet(5, 6, b"", 3)[..8]].concat();
        let modified = [modified, order.u32(3), order.u32(3), vec![0; 8], b"abc".to_vec()].concat();
        assert_eq!(packets(&modified[..]), (vec![(5_000_006_000, 1, b"abc".to_vec(), 3, 0)], None));
    }
}

#[test]
fn pcapng_is_read_with_all_its_packet_blocks_in_sections_of_any_order() {
    let mut file = Vec::new();
    let mut expected = Vec::new();
    for order in [BIG, LITTLE, BIG] {
        file.extend(order.section());
        file.extend(order.interface(1, 4, &[]));
        let clock = [order.option(9, &[9]), order.option(14, &order.u64(100)), order.option(0, &[])];
        file.extend(order.interface(101, 0, &clock));
        // A block of an unknown type that does not fit into the window.
        file.extend(order.block(0x7777, &[vec![0xee; 1 << 20]]));
        let dropped = [order.option(2, &[0; 4]), order.option(4, &order.u64(3)), order.option(0, &[])];
        file.extend(order.enhanced(1, 7, b"enhanced", 8, &dropped));
        expected.push((100_000_000_007, 101, b"enhanced".to_vec(), 8, 3));
        // A simple packet has no time, and is truncated to the limit of its interface.
        file.extend(order.block(3, &[order.u32(10), b"simple".to_vec()]));
        expected.push((100_000_000_007, 1, b"simp".to_vec(), 10, 0));
        let obsolete = [order.u16(0), order.u16(2), order.u32(0), order.u32(9), order.u32(3), order.u32(3)];
        file.extend(order.block(2, &[obsolete.concat(), b"old".to_vec()]));
        expected.push((9_000, 1, b"old".to_vec(), 3, 2));
    }
    assert_eq!(packets(&file[..]), (expected, None));
}

/// A file that is read a number of bytes at a time.
struct Pipe<'a>(&'a [u8], usize);
impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = buffer.len().min(self.1).min(self.0.len());
        buffer[..size].copy_from_slice(&self.0[..size]);
        self.0 = &self.0[size..];
        Ok(size)
    }
}

#[test]
fn a_file_is_the_same_for_reads_of_any_length() {
    let (file, _) = small_pcapng();
    let pcap = [LITTLE.pcap_header(0xa1b2_c3d4, 1), LITTLE.pcap_packet(1, 2, &[3; 500], 500)].concat();
    for file in [file, pcap] {
        let whole = packets(&file[..]);
        assert!(whole.1.is_none() && !whole.0.is_empty());
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(packets(Pipe(&file, size)), whole, "{size} bytes at a time");
        }
    }
}

#[test]
fn a_cut_file_gives_its_whole_packets_and_the_byte_where_the_rest_begins() {
    let (file, starts) = small_pcapng();
    let (whole, _) = packets(&file[..]);
    for cut in 4..file.len() {
        let (found, error) = packets(&file[..cut]);
        // Packets are the blocks 2, 4 and 5.
        let expected = [2, 4, 5].iter().filter(|&&block| starts[block + 1] <= cut).count();
        assert_eq!(found, whole[..expected], "cut at {cut}");
        let begin = starts.iter().rev().find(|&&start| start <= cut).expect("the first is 0");
        match error {
            None => assert_eq!(*begin, cut, "cut between blocks"),
            Some((offset, text)) => {
                assert_eq!(offset, *begin as u64, "cut at {cut}: {text}");
                assert!(text.contains("ends inside"), "{text}");
            }
        }
    }
}

#[test]
fn a_damaged_block_is_an_error_at_its_first_byte() {
    let packet = |order: Order| order.enhanced(0, 1, b"good", 4, &[]);
    let start = [LITTLE.section(), LITTLE.interface(1, 0, &[]), packet(LITTLE)].concat();
    let mut longer = packet(LITTLE);
    let last = longer.len() - 4;
    longer[last] += 4;
    let mut overfull = packet(LITTLE);
    overfull[20] = 200;
    for (bad, says) in [
        (longer, "lengths at the beginning and the end"),
        (overfull, "does not fit"),
        (LITTLE.enhanced(1, 1, b"bad", 3, &[]), "not described"),
        ([LITTLE.u32(6), LITTLE.u32(8), LITTLE.u32(8)].concat(), "multiple of four"),
        ([LITTLE.u32(6), LITTLE.u32(u32::MAX - 3), vec![0; 50]].concat(), "a length of 4294967292 bytes"),
        (LITTLE.block(0x0a0d_0d0a, &[vec![0; 16]]), "no byte-order magic"),
        (LITTLE.block(0x0a0d_0d0a, &[LITTLE.u32(0x1a2b_3c4d), LITTLE.u16(2), vec![0; 10]]), "version"),
        (LITTLE.block(2, &[vec![0; 8]]), "too short"),
    ] {
        let file = [&start[..], &bad, &packet(LITTLE)].concat();
        let (found, error) = packets(&file[..]);
        let (offset, text) = error.expect(says);
        assert_eq!((found.len(), offset), (1, start.len() as u64), "{text}");
        assert!(text.contains(says), "{text:?} does not contain {says:?}");
        assert!(text.contains(&format!("byte {offset}")), "{text}");
    }
}

#[test]
fn a_section_has_no_interfaces_of_the_section_before_it() {
    let first = [LITTLE.section(), LITTLE.interface(1, 0, &[]), LITTLE.enhanced(0, 1, b"good", 4, &[])].concat();
    let start = first.len() + BIG.section().len();
    let file = [first, BIG.section(), BIG.enhanced(0, 1, b"bad", 3, &[])].concat();
    let (found, error) = packets(&file[..]);
    let (offset, text) = error.expect("an error");
    assert_eq!((found.len(), offset), (1, start as u64), "{text}");
    assert!(text.contains("not described"), "{text}");
}

#[test]
fn a_packet_of_the_greatest_length_is_read_and_a_longer_one_is_an_error() {
    for (size, fits) in [(LONGEST_BLOCK - 16, true), (LONGEST_BLOCK - 15, false)] {
        let file = [LITTLE.pcap_header(0xa1b2_c3d4, 1), LITTLE.pcap_packet(1, 2, &vec![5; size], 1)].concat();
        let mut capture = Capture::from_read(&file[..]).expect("the header is fine");
        match capture.next() {
            Ok(packet) => assert_eq!((packet.map(|packet| packet.bytes.len()), fits), (Some(size), true)),
            Err(error) => assert!(matches!(error.kind, CaptureErrorKind::TooLong { .. }) && !fits, "{error}"),
        }
    }
}

#[test]
fn a_gzip_capture_is_read_and_a_damaged_one_up_to_the_damage() {
    let (file, _) = small_pcapng();
    let whole = packets(&file[..]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&file).expect("memory");
    let gzip = gzip.finish().expect("memory");
    assert_eq!(packets(&gzip[..]), whole);
    let mut damaged = gzip.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    let (found, error) = packets(&damaged[..]);
    let (offset, text) = error.expect("the checksum is wrong");
    assert_eq!((found, offset), (whole.0, file.len() as u64));
    assert!(text.contains("damaged before byte") && text.contains("gzip"), "{text}");
}

#[test]
fn a_zstd_capture_with_frames_of_any_kind_is_read_and_a_damaged_one_up_to_the_damage() {
    let (file, starts) = small_pcapng();
    let whole = packets(&file[..]);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"skip!"].concat();
    let frame = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, level);
    let (one, other) = file.split_at(starts[3] + 10);
    for zstd in [frame(&file), [&skipped[..], &frame(one), &skipped, &frame(other), &skipped].concat()] {
        assert_eq!(packets(&zstd[..]), whole);
    }
    // The checksum of the second frame.
    let mut damaged = [frame(one), frame(other)].concat();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let (found, error) = packets(&damaged[..]);
    let (offset, text) = error.expect("the checksum is wrong");
    assert_eq!((found, offset), (whole.0, file.len() as u64));
    assert!(text.contains("damaged before byte") && text.contains("zstd"), "{text}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn padding_after_gzip_is_skipped_and_other_bytes_are_an_error() {
    let order = Order { big: false };
    let packet = order.pcap_packet(1, 2, &[3; 30], 30);
    let file = [order.pcap_header(0xa1b2_c3d4, 1), packet.clone(), packet].concat();
    let (one, other) = file.split_at(50);
    let whole = [gzip(one), vec![0; 5], gzip(other)].concat();
    for (behind, reason) in
        [(&b""[..], None), (&[0; 100_000], None), (b"\0\0more", Some("the bytes after a member are not gzip"))]
    {
        for piece in [1, usize::MAX] {
            let source = [&whole[..], behind].concat();
            let (found, error) = packets(Pipe(&source, piece));
            assert_eq!(found.len(), 2);
            assert_eq!(error.is_some(), reason.is_some());
            assert!(error.is_none_or(|(offset, text)| {
                offset == file.len() as u64 && text.contains(reason.expect("an error")) && text.contains("damaged")
            }));
        }
    }
    let (found, error) = packets(&whole[..whole.len() - 5]);
    assert_eq!(found.len(), 2, "the checksum alone is cut");
    assert!(error.expect("cut").1.contains("ends inside its gzip compression"));
}

#[test]
fn other_file_formats_are_named_with_the_command_that_converts_them() {
    for (file, name) in [
        (&b""[..], "an empty file"),
        (b"ab", "less than four bytes"),
        (b"BZh9....", "bunzip2"),
        (b"GET / HTTP/1.1\r\n", "text"),
        (b"\x7fELF\x02\x01", "a program"),
        (b"\x00\x01\x02\x03", "another kind: if Wireshark reads it, convert it with `editcap -F pcapng`"),
        (b"TRSNIFF data    \x1a", "a Sniffer capture: convert it with `editcap -F pcapng`"),
        (b"0000  00 01 02 03\n", "text2pcap"),
        (&[&b"a.pcap"[..], &[0; 251], b"ustar\x0000"].concat(), "a tar archive"),
        (&gzip(&gzip(b"whatever")), "gzip inside of another compression"),
    ] {
        let (_, error) = packets(file);
        let (offset, text) = error.expect("no capture");
        assert_eq!(offset, 0);
        assert!(text.starts_with("expected a capture (pcap or pcapng") && text.contains(name), "{text}");
    }
}

proptest! {
    #[test]
    fn damage_anywhere_is_at_most_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        big in any::<bool>(),
        pcap in any::<bool>(),
    ) {
        let order = Order { big };
        let mut file = if pcap {
            let packet = order.pcap_packet(1, 2, &[3; 30], 30);
            [order.pcap_header(0xa1b2_c3d4, 1), packet.clone(), packet].concat()
        } else {
            let dropped = [order.option(4, &[1; 8]), order.option(0, &[])];
            let clock = [order.option(9, &[0x8a]), order.option(14, &[9; 8]), order.option(0, &[])];
            let packet = order.enhanced(0, 99, b"abcde", 5, &dropped);
            [order.section(), order.interface(1, 0, &clock), packet.clone(), packet].concat()
        };
        for (index, byte) in changes {
            *index.get_mut(&mut file) = byte;
        }
        let (found, _) = packets(&file[..]);
        prop_assert!(found.iter().map(|(_, _, bytes, ..)| bytes.len()).sum::<usize>() <= file.len());
    }
}
