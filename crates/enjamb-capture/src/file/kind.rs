//! Descriptions of files that are not captures, or are captures of a format that is not read.

/// The number of a file's first bytes that describe it. A tar archive has its magic after its first
/// name, at byte 257.
pub(crate) const DESCRIBED_BYTES: usize = 264;

/// The first bytes of a kind of file, and its description with the command that converts it. The
/// capture formats are those that Wireshark recognises by their first bytes.
const KINDS: [(&[u8], &str); 32] = [
    (b"BZh", "bzip2 compression, which is not read: decompress it with `bunzip2`"),
    (b"\xfd7zXZ\0", "xz compression, which is not read: decompress it with `unxz`"),
    (b"\x04\x22\x4d\x18", "lz4 compression, which is not read: decompress it with `lz4 -d`"),
    (b"\x02\x21\x4c\x18", "lz4 compression, which is not read: decompress it with `lz4 -d`"),
    (b"\x5d\0\0", "lzma compression, which is not read: decompress it with `unlzma`"),
    (b"LZIP", "lzip compression, which is not read: decompress it with `lzip -d`"),
    (b"\x89LZO\0", "lzop compression, which is not read: decompress it with `lzop -d`"),
    (b"\x1f\x9d", "compression by `compress`, which is not read: decompress it with `uncompress`"),
    (b"\xff\x06\0\0sNaPpY", "snappy compression, which is not read: decompress it"),
    (b"\x1f\x8b", "gzip inside of another compression: decompress it once"),
    (b"\x28\xb5\x2f\xfd", "zstd inside of another compression: decompress it once"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a rar archive: unpack it"),
    (b"snoop\0", "a snoop capture: convert it with `editcap -F pcapng`"),
    (b"GMBU", "a Network Monitor capture: convert it with `editcap -F pcapng`"),
    (b"RTSS", "a Network Monitor capture: convert it with `editcap -F pcapng`"),
    (b"btsnoop\0", "a btsnoop capture, which holds Bluetooth and no TCP"),
    (b"TRSNIFF data", "a Sniffer capture: convert it with `editcap -F pcapng`"),
    (b"XCP\0", "a NetXRay or Sniffer capture: convert it with `editcap -F pcapng`"),
    (b"VL\0\0", "a NetXRay capture: convert it with `editcap -F pcapng`"),
    (b"ObserverPktBuffer", "a Network Instruments Observer capture: convert it with `editcap -F pcapng`"),
    (b"\x05VNF", "a Visual Networks capture: convert it with `editcap -F pcapng`"),
    (b"\xaa\xaa\xaa\xaa", "an InfoVista 5View capture: convert it with `editcap -F pcapng`"),
    (b"TR\0d", "an HP-UX nettl trace: convert it with `editcap -F pcapng`"),
    (b"iptrace 1.0", "an AIX iptrace: convert it with `editcap -F pcapng`"),
    (b"iptrace 2.0", "an AIX iptrace: convert it with `editcap -F pcapng`"),
    (b"\x7fver", "an EtherPeek or OmniPeek capture: convert it with `editcap -F pcapng`"),
    (b"\0\0\x02\0\x12\x05\0\x10", "a Tektronix K12 capture: convert it with `editcap -F pcapng`"),
    (b"+---------+---------------+", "a Tektronix K12 text capture: convert it with `editcap -F pcapng`"),
    (b"EyeSDN", "an EyeSDN trace: convert it with `editcap -F pcapng`"),
    (b"\x7fELF", "a program (ELF)"),
];

/// Describes a file by its first bytes.
pub(crate) fn describe(first: &[u8]) -> &'static str {
    if first.is_empty() {
        return "an empty file";
    }
    if first.len() < 4 {
        return "a file of less than four bytes";
    }
    if let Some((_, kind)) = KINDS.iter().find(|(start, _)| first.starts_with(start)) {
        return kind;
    }
    if first.get(257..262) == Some(b"ustar") {
        return "a tar archive: unpack it";
    }
    if first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return "text: if it is a hex dump of packets, convert it with `text2pcap`";
    }
    "a file of another kind: if Wireshark reads it, convert it with `editcap -F pcapng`"
}
