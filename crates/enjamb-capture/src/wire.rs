//! IP datagrams with TCP segments, and the pcapng blocks around them, as bytes.

use std::net::{IpAddr, SocketAddr};

use enjamb::Time;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TcpOptionElement};

/// IPv4 and TCP headers without options.
const HEADERS: usize = 40;

/// The most payload that fits into one IPv4 datagram with its headers: 65,495 bytes.
pub(crate) const PAYLOAD_MAX: usize = u16::MAX as usize - HEADERS;

/// How far packets may travel: nobody will forward these.
const HOPS: u8 = 64;

/// The window that every segment announces, scaled by [`WINDOW_SCALE`]: nearly 1 GiB, the most there is (RFC 7323), so that no
/// conversation is ever too much for it.
const WINDOW: u16 = u16::MAX;
const WINDOW_SCALE: u8 = 14;

/// What is in a segment.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: Option<u32>,
    pub(crate) flag: Flag,
    /// At most [`PAYLOAD_MAX`] bytes.
    pub(crate) payload: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    None,
    Syn,
    Push,
    Fin,
    Rst,
}

/// Appends a datagram.
pub(crate) fn datagram(segment: &Written<'_>, out: &mut Vec<u8>) {
    let (source, destination) = (segment.source, segment.destination);
    let mut tcp = TcpHeader::new(source.port(), destination.port(), segment.sequence, WINDOW);
    tcp.ack = segment.acknowledgement.is_some();
    tcp.acknowledgment_number = segment.acknowledgement.unwrap_or(0);
    match segment.flag {
        Flag::None => {}
        Flag::Syn => {
            tcp.syn = true;
            // Five of forty bytes of options, padded: they fit.
            let options =
                [TcpOptionElement::MaximumSegmentSize(PAYLOAD_MAX as u16), TcpOptionElement::WindowScale(WINDOW_SCALE)];
            let _ = tcp.set_options(&options);
        }
        Flag::Push => tcp.psh = true,
        Flag::Fin => tcp.fin = true,
        Flag::Rst => tcp.rst = true,
    }
    // `PAYLOAD_MAX` keeps every length within 16 bits: the lengths below cannot be refused.
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

/// An IPv4 address among IPv6 ones (RFC 4291, section 2.5.5.2).
fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Appends the header of a section, and its one interface: raw IP, times in nanoseconds.
pub(crate) fn section(out: &mut Vec<u8>) {
    const APPLICATION: &[u8] = b"enjamb";
    block(out, 0x0a0d_0d0a, |out| {
        out.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        // The section's length is not known.
        out.extend_from_slice(&u64::MAX.to_le_bytes());
        option(out, 4, APPLICATION);
        option(out, 0, &[]);
    });
    block(out, 1, |out| {
        out.extend_from_slice(&crate::link::LinkType::RAW.0.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        // Packets are not cut.
        out.extend_from_slice(&0_u32.to_le_bytes());
        option(out, 9, &[9]);
        option(out, 0, &[]);
    });
}

/// Appends an enhanced packet block. `lost`: packets were lost directly before this one.
pub(crate) fn packet(out: &mut Vec<u8>, time: Time, lost: bool, segment: &Written<'_>) {
    block(out, 6, |out| {
        let nanos = time.nanos();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&((nanos >> 32) as u32).to_le_bytes());
        out.extend_from_slice(&(nanos as u32).to_le_bytes());
        let lengths = out.len();
        out.extend_from_slice(&[0; 8]);
        let start = out.len();
        datagram(segment, out);
        let length = ((out.len() - start) as u32).to_le_bytes();
        out[lengths..lengths + 4].copy_from_slice(&length);
        out[lengths + 4..lengths + 8].copy_from_slice(&length);
        pad(out, start);
        if lost {
            option(out, 4, &1_u64.to_le_bytes());
            option(out, 0, &[]);
        }
    });
}

/// Appends a block of a type with a body whose length is a multiple of four.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = ((out.len() - start + 4) as u32).to_le_bytes();
    out.extend_from_slice(&length);
    out[start + 4..start + 8].copy_from_slice(&length);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    let start = out.len();
    out.extend_from_slice(value);
    pad(out, start);
}

/// Zeros up to a multiple of four bytes from `start`.
fn pad(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    out.resize(start + length.next_multiple_of(4), 0);
}
