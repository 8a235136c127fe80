//! Writes IP datagrams with TCP segments, and the pcapng blocks around them.

use std::net::{IpAddr, SocketAddr};

use enjamb::Time;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TcpOptionElement};

use crate::link_type::LinkType;

/// IPv4 and TCP headers without options.
const HEADERS: usize = 40;

/// The maximum payload of one IPv4 datagram with its headers: 65,495 bytes.
pub(super) const PAYLOAD_MAX: usize = u16::MAX as usize - HEADERS;

/// The time to live of a datagram.
const HOPS: u8 = 64;

/// The window that every segment announces, scaled by [`WINDOW_SCALE`]: nearly 1 GiB, the largest
/// window of TCP (RFC 7323), so no conversation exceeds it.
const WINDOW: u16 = u16::MAX;
const WINDOW_SCALE: u8 = 14;

/// A segment that is constructed for bytes that a relay received.
#[derive(Clone, Copy)]
pub(super) struct SyntheticSegment<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledgement: Option<u32>,
    pub(super) flag: Flag,
    /// At most [`PAYLOAD_MAX`] bytes.
    pub(super) payload: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    None,
    Syn,
    Push,
    Fin,
    Rst,
}

/// Appends a datagram.
fn write_datagram(segment: &SyntheticSegment<'_>, out: &mut Vec<u8>) {
    let (source, destination) = (segment.source, segment.destination);
    let mut tcp = TcpHeader::new(source.port(), destination.port(), segment.sequence, WINDOW);
    tcp.ack = segment.acknowledgement.is_some();
    tcp.acknowledgment_number = segment.acknowledgement.unwrap_or(0);
    match segment.flag {
        Flag::None => {}
        Flag::Syn => {
            tcp.syn = true;
            // Options may have forty bytes, so these fit.
            let options =
                [TcpOptionElement::MaximumSegmentSize(PAYLOAD_MAX as u16), TcpOptionElement::WindowScale(WINDOW_SCALE)];
            let _ = tcp.set_options(&options);
        }
        Flag::Push => tcp.psh = true,
        Flag::Fin => tcp.fin = true,
        Flag::Rst => tcp.rst = true,
    }
    // `PAYLOAD_MAX` keeps every length within 16 bits, so the checksums below cannot fail.
    let length = (tcp.header_len() + segment.payload.len()) as u16;
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let (source, destination) = (source.octets(), destination.octets());
            let mut ip = Ipv4Header {
                total_len: length + Ipv4Header::MIN_LEN_U16,
                dont_fragment: true,
                time_to_live: HOPS,
                protocol: IpNumber::TCP,
                source,
                destination,
                ..Ipv4Header::default()
            };
            ip.header_checksum = ip.calc_header_checksum();
            out.extend_from_slice(&ip.to_bytes());
            tcp.checksum = tcp.calc_checksum_ipv4_raw(source, destination, segment.payload).unwrap_or(0);
        }
        (source, destination) => {
            let (source, destination) = (mapped(source), mapped(destination));
            let ip = Ipv6Header {
                payload_length: length,
                next_header: IpNumber::TCP,
                hop_limit: HOPS,
                source,
                destination,
                ..Ipv6Header::default()
            };
            out.extend_from_slice(&ip.to_bytes());
            tcp.checksum = tcp.calc_checksum_ipv6_raw(source, destination, segment.payload).unwrap_or(0);
        }
    }
    out.extend_from_slice(&tcp.to_bytes());
    out.extend_from_slice(segment.payload);
}

/// Returns the bytes of an IPv6 address, or of the IPv6 address mapped to an IPv4 one (RFC 4291,
/// section 2.5.5.2).
fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Appends a section header, and the section's only interface: raw IP, times in nanoseconds.
pub(super) fn write_section(out: &mut Vec<u8>) {
    const APPLICATION: &[u8] = b"enjamb";
    write_block(out, 0x0a0d_0d0a, |out| {
        out.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        // The length of the section is not known.
        out.extend_from_slice(&u64::MAX.to_le_bytes());
        write_option(out, 4, APPLICATION);
        write_option(out, 0, &[]);
    });
    write_block(out, 1, |out| {
        out.extend_from_slice(&LinkType::RAW.0.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        // No limit for the length of packets.
        out.extend_from_slice(&0_u32.to_le_bytes());
        write_option(out, 9, &[9]);
        write_option(out, 0, &[]);
    });
}

/// Appends an enhanced packet block. `lost` states that packets were lost directly before this one.
pub(super) fn write_packet(
    out: &mut Vec<u8>,
    time: Time,
    lost: bool,
    comment: Option<&str>,
    segment: &SyntheticSegment<'_>,
) {
    write_block(out, 6, |out| {
        let nanos = time.nanos();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&((nanos >> 32) as u32).to_le_bytes());
        out.extend_from_slice(&(nanos as u32).to_le_bytes());
        let lengths = out.len();
        out.extend_from_slice(&[0; 8]);
        let start = out.len();
        write_datagram(segment, out);
        let length = ((out.len() - start) as u32).to_le_bytes();
        out[lengths..lengths + 4].copy_from_slice(&length);
        out[lengths + 4..lengths + 8].copy_from_slice(&length);
        pad(out, start);
        if let Some(comment) = comment {
            write_option(out, 1, comment.as_bytes());
        }
        if lost {
            write_option(out, 4, &1_u64.to_le_bytes());
        }
        if lost || comment.is_some() {
            write_option(out, 0, &[]);
        }
    });
}

/// Appends a block. The length of its body must be a multiple of four.
fn write_block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = ((out.len() - start + 4) as u32).to_le_bytes();
    out.extend_from_slice(&length);
    out[start + 4..start + 8].copy_from_slice(&length);
}

fn write_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    let start = out.len();
    out.extend_from_slice(value);
    pad(out, start);
}

/// Appends zeros up to a multiple of four bytes from `start`.
fn pad(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    out.resize(start + length.next_multiple_of(4), 0);
}
