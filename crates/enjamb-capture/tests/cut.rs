//! Files that end anywhere: the whole packets are read, then an error names the byte.

mod requirements;

use std::io::Write as _;
use std::path::Path;

use enjamb_capture::{Capture, CaptureError, CaptureErrorKind};
use requirements::{captures, trials};

/// Returns the packets of a file, and the error.
fn read(file: &[u8]) -> (Vec<Vec<u8>>, Option<CaptureError>) {
    let mut found = Vec::new();
    let mut capture = match Capture::from_read(file) {
        Ok(capture) => capture,
        Err(error) => return (found, Some(error)),
    };
    loop {
        match capture.next() {
            Ok(Some(packet)) => found.push(packet.bytes.to_vec()),
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

/// Returns the places where the blocks or packets of a file begin, and which of them are packets.
/// This reader is independent of the one under test.
fn starts(file: &[u8]) -> Vec<(usize, bool)> {
    let little = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let big = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let mut starts = vec![(0, false)];
    if little(0) == 0x0a0d_0d0a {
        let (mut at, mut is_big) = (0, false);
        while at < file.len() {
            if little(at) == 0x0a0d_0d0a {
                is_big = big(at + 8) == 0x1a2b_3c4d;
            }
            let number = |at| if is_big { big(at) } else { little(at) };
            let (kind, length) = (number(at), number(at + 4) as usize);
            let last = starts.len() - 1;
            starts[last].1 = matches!(kind, 2 | 3 | 6);
            at += length;
            starts.push((at, false));
        }
    } else {
        let is_big = matches!(big(0), 0xa1b2_c3d4 | 0xa1b2_3c4d);
        let mut at = 24;
        while at < file.len() {
            starts.push((at, true));
            at += 16 + if is_big { big(at + 8) } else { little(at + 8) } as usize;
        }
        starts.push((at, false));
    }
    starts
}

/// Returns a pcap file in the other byte order.
fn byte_swapped(file: &[u8]) -> Vec<u8> {
    let mut swapped = Vec::new();
    for (window, first) in starts(file).windows(2).zip(0..) {
        let block = &file[window[0].0..window[1].0];
        let sizes: &[usize] = if first == 0 { &[4, 2, 2, 4, 4, 4, 4] } else { &[4, 4, 4, 4] };
        let mut rest = block;
        for &size in sizes {
            let (number, behind) = rest.split_at(size);
            swapped.extend(number.iter().rev());
            rest = behind;
        }
        swapped.extend(rest);
    }
    swapped
}

fn corpus(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Captures of every format that is not compressed.
fn own_files() -> Vec<(String, Vec<u8>)> {
    let pcap = corpus("redis/errors.pcap");
    let ng = corpus("redis/strings-and-hashes.pcapng");
    vec![("big-endian".to_owned(), byte_swapped(&pcap)), ("pcap".to_owned(), pcap), ("pcapng".to_owned(), ng)]
}

/// Captures from other projects.
fn other_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = [
        "pcapng/test001.pcapng",
        "pcapng/test010.pcapng",
        "pcapng/test017.pcapng",
        "pcapng/test102.pcapng",
        "pcapng/test202.pcapng",
        "formats/decode-sll2-01.pcap",
        "formats/tcp-handshake-nano.pcap",
        "formats/epb.pcapng",
        "tcp-overlap.pcap",
        "mqtt.pcap",
    ];
    names.iter().map(|name| ((*name).to_owned(), std::fs::read(folder.join(name)).expect(name))).collect()
}

trials! {
    always: [
        a_file_cut_at_any_byte_gives_its_whole_packets_and_names_the_byte_where_the_rest_begins,
        a_gzip_file_cut_at_any_byte_gives_the_whole_packets_that_are_left,
        a_zstd_file_cut_at_any_byte_gives_the_whole_packets_of_the_blocks_that_are_left,
    ];
    requires captures: [
        a_file_of_others_cut_at_any_byte_gives_its_whole_packets_and_names_the_byte_where_the_rest_begins,
        a_gzip_file_of_others_cut_at_any_byte_gives_the_whole_packets_that_are_left,
        a_zstd_file_of_others_cut_at_any_byte_gives_the_whole_packets_of_the_blocks_that_are_left,
    ];
}

fn a_file_cut_at_any_byte_gives_its_whole_packets_and_names_the_byte_where_the_rest_begins() {
    cut_plain(own_files());
}

fn a_file_of_others_cut_at_any_byte_gives_its_whole_packets_and_names_the_byte_where_the_rest_begins(folder: &Path) {
    cut_plain(other_files(folder));
}

fn a_gzip_file_cut_at_any_byte_gives_the_whole_packets_that_are_left() {
    cut_gzip(own_files());
}

fn a_gzip_file_of_others_cut_at_any_byte_gives_the_whole_packets_that_are_left(folder: &Path) {
    cut_gzip(other_files(folder));
}

fn a_zstd_file_cut_at_any_byte_gives_the_whole_packets_of_the_blocks_that_are_left() {
    cut_zstd(own_files());
}

fn a_zstd_file_of_others_cut_at_any_byte_gives_the_whole_packets_of_the_blocks_that_are_left(folder: &Path) {
    cut_zstd(other_files(folder));
}

/// Returns the first packets of a capture, which is cut at every byte.
fn head(file: &[u8]) -> &[u8] {
    const SIZE: usize = 6_000;
    let starts = starts(file);
    let end = starts.iter().rev().find(|(at, _)| *at <= SIZE).map_or(0, |(at, _)| *at);
    &file[..end]
}

fn cut_plain(files: Vec<(String, Vec<u8>)>) {
    for (name, file) in files {
        let file = head(&file);
        let (starts, (whole, error)) = (starts(file), read(file));
        assert!(error.is_none(), "{name}: {error:?}");
        for cut in 0..file.len() {
            let (found, error) = read(&file[..cut]);
            let packets = starts.windows(2).filter(|pair| pair[0].1 && pair[1].0 <= cut).count();
            assert_eq!(found, whole[..packets], "{name} cut at {cut}");
            let begin = starts.iter().rev().find(|(at, _)| *at <= cut).map_or(0, |(at, _)| *at);
            match error {
                None => assert!(begin == cut && cut > 0, "{name} cut at {cut}"),
                Some(error) => {
                    assert_eq!(error.offset, begin as u64, "{name} cut at {cut}: {error}");
                    match error.kind {
                        CaptureErrorKind::NotACapture(what) => assert_eq!((cut, what), (0, "an empty file")),
                        CaptureErrorKind::Truncated { .. } => {
                            assert!(error.to_string().contains(&format!("at byte {begin}:")), "{error}");
                        }
                        _ => panic!("{name} cut at {cut}: {error}"),
                    }
                }
            }
        }
    }
}

/// Checks that a cut file gives the packets that are whole in its decompressed bytes.
fn compressed(name: &str, format: &str, plain: &[u8], file: &[u8], available: impl Fn(usize) -> usize) {
    let (starts, (whole, _)) = (starts(plain), read(plain));
    assert_eq!(read(file).0, whole, "{name}");
    assert!(read(file).1.is_none(), "{name}");
    for cut in 0..file.len() {
        let (found, error) = read(&file[..cut]);
        let there = available(cut);
        let packets = starts.windows(2).filter(|pair| pair[0].1 && pair[1].0 <= there).count();
        assert_eq!(found, whole[..packets], "{name} in {format} cut at {cut}");
        let error = error.unwrap_or_else(|| panic!("{name} in {format} cut at {cut} is whole"));
        if cut >= 4 {
            let text = error.to_string();
            assert!(matches!(error.kind, CaptureErrorKind::Compressed { truncated: true, .. }), "cut at {cut}: {text}");
            assert_eq!(error.offset, there as u64, "{name} in {format} cut at {cut}: {text}");
            assert!(text.contains(&format!("inside its {format} compression at byte {cut}:")), "cut at {cut}: {text}");
        }
    }
}

fn cut_gzip(files: Vec<(String, Vec<u8>)>) {
    for (name, file) in files {
        let plain = head(&file);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(plain).expect("memory");
        let gzip = gzip.finish().expect("memory");
        compressed(&name, "gzip", plain, &gzip, |cut| {
            // Ten bytes of header, then the bare stream.
            let mut out = Vec::with_capacity(plain.len() + 1);
            let stream = gzip.get(10..cut.min(gzip.len() - 8)).unwrap_or_default();
            let decoded =
                flate2::Decompress::new(false).decompress_vec(stream, &mut out, flate2::FlushDecompress::None);
            decoded.map_or(0, |_| out.len())
        });
    }
}

fn cut_zstd(files: Vec<(String, Vec<u8>)>) {
    for (name, file) in files {
        let plain = head(&file);
        // Frames of odd sizes, one after the other, so that there are many ends of blocks.
        let (mut zstd, mut ends) = (Vec::new(), Vec::new());
        for (piece, number) in plain.chunks(311).zip(0..) {
            let level = if number % 3 == 0 {
                ruzstd::encoding::CompressionLevel::Uncompressed
            } else {
                ruzstd::encoding::CompressionLevel::Fastest
            };
            zstd.extend(ruzstd::encoding::compress_to_vec(piece, level));
            // The block is there before the checksum of four bytes.
            ends.push((zstd.len() - 4, piece.len()));
        }
        let frames: Vec<usize> = ends.iter().map(|(end, _)| end + 4).collect();
        let available = |cut: usize| ends.iter().filter(|(end, _)| *end <= cut).map(|(_, length)| length).sum();
        // Between two frames nothing shows that there was another one.
        let (whole, plain_starts) = (read(plain).0, starts(plain));
        for cut in 4..zstd.len() {
            let there: usize = available(cut);
            let (found, error) = read(&zstd[..cut]);
            let packets = plain_starts.windows(2).filter(|pair| pair[0].1 && pair[1].0 <= there).count();
            assert_eq!(found, whole[..packets], "{name} cut at {cut}");
            if frames.contains(&cut) {
                continue;
            }
            let error = error.unwrap_or_else(|| panic!("{name} cut at {cut} is whole"));
            assert_eq!(error.offset, there as u64, "{name} cut at {cut}: {error}");
            assert!(error.to_string().contains(&format!("inside its zstd compression at byte {cut}:")), "{error}");
        }
        assert_eq!(read(&zstd).0, whole, "{name}");
    }
}
