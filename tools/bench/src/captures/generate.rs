//! Generates captures: many interleaved connections of one protocol.
//!
//! Packets are random, but the same in every run. They have Ethernet, IPv4 and TCP headers with
//! correct checksums.

use std::io::{self, Write};

use crate::captures::traffic::Traffic;
use crate::random::Random;

/// The largest payload of a segment, in bytes: the maximum in an Ethernet frame.
const SEGMENT_MAX: usize = 1460;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The contents of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Size of the file.
    pub(crate) bytes: u64,
    /// Messages of both sides.
    pub(crate) messages: u64,
    /// Bytes of payload of both sides.
    pub(crate) payload: u64,
}

struct Connection {
    client: ([u8; 4], u16),
    /// The next sequence number of the client, then that of the server.
    next_sequence: [u32; 2],
}

/// A capture that is being written.
struct PcapWriter<W: Write> {
    out: W,
    port: u16,
    micros: u64,
    bytes: u64,
    payload: u64,
    packet: Vec<u8>,
}

const SERVER: [u8; 4] = [10, 0, 0, 1];

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Writes a capture of about `bytes` bytes with `connections` connections that are open at the same
/// time.
pub(crate) fn generate(
    traffic: &mut dyn Traffic,
    bytes: u64,
    connections: usize,
    out: impl Write,
) -> io::Result<Contents> {
    let mut random = Random::new(SEED);
    let mut pcap = PcapWriter::new(traffic.port(), out)?;
    let mut open: Vec<Connection> = (0..connections)
        .map(|number| {
            let [.., high, low] = (number as u32).to_be_bytes();
            Connection { client: ([10, 1, high, low], 40_000 + (number % 20_000) as u16), next_sequence: [0; 2] }
        })
        .collect();
    for connection in &mut open {
        pcap.write_handshake(connection, &mut random)?;
    }
    let mut messages = 0;
    let mut sides = [Vec::new(), Vec::new()];
    while pcap.bytes < bytes {
        let connection = random.below(open.len());
        let connection = &mut open[connection];
        sides.iter_mut().for_each(Vec::clear);
        messages += traffic.exchange(&mut random, &mut sides);
        for (side, stream) in sides.iter().enumerate() {
            pcap.write_stream(connection, side, stream)?;
        }
    }
    for connection in &mut open {
        pcap.write_segment(connection, 0, FIN | ACK, &[])?;
        pcap.write_segment(connection, 1, FIN | ACK, &[])?;
        pcap.write_segment(connection, 0, ACK, &[])?;
    }
    pcap.out.flush()?;
    Ok(Contents { bytes: pcap.bytes, messages, payload: pcap.payload })
}

/// Writes a capture of `connections` connections that are opened one after the other, exchange
/// messages once, and are never closed.
pub(crate) fn generate_open(traffic: &mut dyn Traffic, connections: u64, out: impl Write) -> io::Result<Contents> {
    let mut random = Random::new(SEED);
    let mut pcap = PcapWriter::new(traffic.port(), out)?;
    let mut messages = 0;
    let mut sides = [Vec::new(), Vec::new()];
    for number in 0..connections {
        let mut connection = Connection::numbered(number);
        pcap.write_handshake(&mut connection, &mut random)?;
        sides.iter_mut().for_each(Vec::clear);
        messages += traffic.exchange(&mut random, &mut sides);
        for (side, stream) in sides.iter().enumerate() {
            pcap.write_stream(&mut connection, side, stream)?;
        }
    }
    pcap.out.flush()?;
    Ok(Contents { bytes: pcap.bytes, messages, payload: pcap.payload })
}

/// Writes a capture of `connections` SYNs that nobody answers, as a port scan or a flood leaves
/// them.
pub(crate) fn generate_syns(connections: u64, out: impl Write) -> io::Result<Contents> {
    let mut random = Random::new(SEED);
    let mut pcap = PcapWriter::new(80, out)?;
    for number in 0..connections {
        let mut connection = Connection::numbered(number);
        connection.next_sequence[0] = random.below(1 << 31) as u32;
        pcap.write_segment(&mut connection, 0, SYN, &[])?;
    }
    pcap.out.flush()?;
    Ok(Contents { bytes: pcap.bytes, messages: 0, payload: 0 })
}

impl Connection {
    /// Returns one of many connections, each from another client.
    fn numbered(number: u64) -> Self {
        let [.., high, middle, low] = number.to_be_bytes();
        Self { client: ([10, high + 1, middle, low], 40_000 + (number % 20_000) as u16), next_sequence: [0; 2] }
    }
}

impl<W: Write> PcapWriter<W> {
    /// Begins a capture of connections to a port of one server.
    fn new(port: u16, out: W) -> io::Result<Self> {
        let mut pcap = Self { out, port, micros: 1_700_000_000_000_000, bytes: 0, payload: 0, packet: Vec::new() };
        pcap.write_header()?;
        Ok(pcap)
    }

    fn write_handshake(&mut self, connection: &mut Connection, random: &mut Random) -> io::Result<()> {
        connection.next_sequence = [random.below(1 << 31) as u32, random.below(1 << 31) as u32];
        self.write_segment(connection, 0, SYN, &[])?;
        self.write_segment(connection, 1, SYN | ACK, &[])?;
        self.write_segment(connection, 0, ACK, &[])
    }

    /// Writes the segments of `stream`. Every second one is acknowledged (RFC 9293, section
    /// 3.8.6.3).
    fn write_stream(&mut self, connection: &mut Connection, side: usize, stream: &[u8]) -> io::Result<()> {
        for (index, piece) in stream.chunks(SEGMENT_MAX).enumerate() {
            self.write_segment(connection, side, PSH | ACK, piece)?;
            if index % 2 == 1 {
                self.write_segment(connection, 1 - side, ACK, &[])?;
            }
        }
        Ok(())
    }

    /// Writes the file header: little-endian, microseconds, Ethernet.
    fn write_header(&mut self) -> io::Result<()> {
        self.write(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1u32].map(u32::to_le_bytes).concat())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Writes a segment that `side` of the connection sends: 0 is the client.
    fn write_segment(&mut self, connection: &mut Connection, side: usize, flags: u8, payload: &[u8]) -> io::Result<()> {
        self.micros += 7;
        let (client, port) = connection.client;
        let server = (SERVER, self.port);
        let [(from, from_port), (to, to_port)] =
            if side == 0 { [(client, port), server] } else { [server, (client, port)] };
        let acknowledged = if flags & ACK == 0 { 0 } else { connection.next_sequence[1 - side] };
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
        packet.extend_from_slice(&connection.next_sequence[side].to_be_bytes());
        packet.extend_from_slice(&acknowledged.to_be_bytes());
        packet.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(payload);
        // The pseudo header: the protocol and the length here, and the addresses in front of the
        // segment.
        let pseudo = u32::from(length - 20) + 6;
        let checksum = self::checksum(pseudo, &packet[26..]);
        packet[50..52].copy_from_slice(&checksum.to_be_bytes());

        let captured = packet.len() as u32;
        let [seconds, micros] = [self.micros / 1_000_000, self.micros % 1_000_000].map(|time| time as u32);
        self.write(&[seconds, micros, captured, captured].map(u32::to_le_bytes).concat())?;
        self.write(&packet)?;
        self.packet = packet;
        self.payload += payload.len() as u64;
        let sequence_length = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        connection.next_sequence[side] = connection.next_sequence[side].wrapping_add(sequence_length);
        Ok(())
    }
}

/// Computes the Internet checksum (RFC 1071), starting from the sum `start`.
fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)));
    let mut sum = words.fold(start, |sum, word| sum + word);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
