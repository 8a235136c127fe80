//! Captures by chance, the same in every run: many connections of a protocol at a time, in Ethernet, IPv4 and TCP with all of their checksums.

use std::io::{self, Write};

use crate::captures::talk::Talk;

/// The most payload of a segment: what an Ethernet frame has room for.
const SEGMENT_MAX: usize = 1460;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Numbers by chance (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % most
    }
}

/// What is in a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// How long the file is.
    pub(crate) bytes: u64,
    /// Messages of both sides.
    pub(crate) messages: u64,
    /// Bytes of payload of both sides.
    pub(crate) payload: u64,
}

struct Connection {
    client: ([u8; 4], u16),
    /// The next sequence number of the client, and of the server.
    next: [u32; 2],
}

struct Pcap<W: Write> {
    out: W,
    port: u16,
    micros: u64,
    bytes: u64,
    payload: u64,
    packet: Vec<u8>,
}

const SERVER: [u8; 4] = [10, 0, 0, 1];

/// Writes a capture of about `bytes` bytes in which `connections` connections talk at the same time.
pub(crate) fn generate(talk: &mut dyn Talk, bytes: u64, connections: usize, out: impl Write) -> io::Result<Truth> {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut pcap =
        Pcap { out, port: talk.port(), micros: 1_700_000_000_000_000, bytes: 0, payload: 0, packet: Vec::new() };
    pcap.header()?;
    let mut open: Vec<Connection> = (0..connections)
        .map(|number| {
            let [.., high, low] = (number as u32).to_be_bytes();
            Connection { client: ([10, 1, high, low], 40_000 + (number % 20_000) as u16), next: [0; 2] }
        })
        .collect();
    for connection in &mut open {
        connection.next = [random.below(1 << 31) as u32, random.below(1 << 31) as u32];
        pcap.segment(connection, 0, SYN, &[])?;
        pcap.segment(connection, 1, SYN | ACK, &[])?;
        pcap.segment(connection, 0, ACK, &[])?;
    }
    let mut messages = 0;
    let mut sides = [Vec::new(), Vec::new()];
    while pcap.bytes < bytes {
        let connection = random.below(open.len());
        let connection = &mut open[connection];
        sides.iter_mut().for_each(Vec::clear);
        messages += talk.exchange(&mut random, &mut sides);
        for (side, said) in sides.iter().enumerate() {
            for (count, piece) in said.chunks(SEGMENT_MAX).enumerate() {
                pcap.segment(connection, side, PSH | ACK, piece)?;
                // Every second segment is acknowledged (RFC 9293, section 3.8.6.3).
                if count % 2 == 1 {
                    pcap.segment(connection, 1 - side, ACK, &[])?;
                }
            }
        }
    }
    for connection in &mut open {
        pcap.segment(connection, 0, FIN | ACK, &[])?;
        pcap.segment(connection, 1, FIN | ACK, &[])?;
        pcap.segment(connection, 0, ACK, &[])?;
    }
    pcap.out.flush()?;
    Ok(Truth { bytes: pcap.bytes, messages, payload: pcap.payload })
}

impl<W: Write> Pcap<W> {
    /// Little-endian, microseconds, Ethernet.
    fn header(&mut self) -> io::Result<()> {
        self.write(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1u32].map(u32::to_le_bytes).concat())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// A segment of `side` of the connection: 0 is the client.
    fn segment(&mut self, connection: &mut Connection, side: usize, flags: u8, payload: &[u8]) -> io::Result<()> {
        self.micros += 7;
        let (client, port) = connection.client;
        let server = (SERVER, self.port);
        let [(from, from_port), (to, to_port)] =
            if side == 0 { [(client, port), server] } else { [server, (client, port)] };
        let acknowledged = if flags & ACK == 0 { 0 } else { connection.next[1 - side] };
        let length = 40 + payload.len() as u16;

        let mut packet = std::mem::take(&mut self.packet);
        packet.clear();
        packet.extend_from_slice(&[2, 0, 0, 0, 0, 1 + side as u8, 2, 0, 0, 0, 0, 2 - side as u8, 0x08, 0x00]);
        packet.extend_from_slice(&[0x45, 0]);
        packet.extend_from_slice(&length.to_be_bytes());
        // No identification, "don't fragment", 64 hops, TCP.
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend_from_slice(&from);
        packet.extend_from_slice(&to);
        let checksum = checksum(0, &packet[14..34]);
        packet[24..26].copy_from_slice(&checksum.to_be_bytes());
        packet.extend_from_slice(&from_port.to_be_bytes());
        packet.extend_from_slice(&to_port.to_be_bytes());
        packet.extend_from_slice(&connection.next[side].to_be_bytes());
        packet.extend_from_slice(&acknowledged.to_be_bytes());
        packet.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(payload);
        // The pseudo header: both addresses, which lie in front, the protocol, the length.
        let pseudo = u32::from(length - 20) + 6;
        let checksum = self::checksum(pseudo, &packet[26..]);
        packet[50..52].copy_from_slice(&checksum.to_be_bytes());

        let captured = packet.len() as u32;
        let [seconds, micros] = [self.micros / 1_000_000, self.micros % 1_000_000].map(|time| time as u32);
        self.write(&[seconds, micros, captured, captured].map(u32::to_le_bytes).concat())?;
        self.write(&packet)?;
        self.packet = packet;
        self.payload += payload.len() as u64;
        let counted = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        connection.next[side] = connection.next[side].wrapping_add(counted);
        Ok(())
    }
}

/// RFC 1071.
fn checksum(begin: u32, bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)));
    let mut sum = words.fold(begin, |sum, word| sum + word);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
