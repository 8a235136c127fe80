//! protolens: reassembly, and parsers with callbacks.
//!
//! It leaves capture files, packet headers and the table of connections to its user. This file does
//! that work as protolens's example does, but without copies: a packet is a slice of the block that
//! was read.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::{parse_pcap_frame, parse_pcap_header};
use protolens::{Direction, L7Proto, Packet, Prolens, Task, TransProto};

use crate::{Counts, Result};

/// Size of a read from the file, in bytes. A block of this size stays in the processor's cache, and
/// the allocator reuses its memory.
const BLOCK_BYTES: usize = 64 << 10;

/// A segment in the form that protolens takes: it owns its bytes, since it may wait for earlier
/// ones.
#[derive(Clone, Debug)]
struct Segment {
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    sequence: u32,
    syn: bool,
    fin: bool,
    payload: Bytes,
}

impl Packet for Segment {
    fn trans_proto(&self) -> TransProto {
        TransProto::Tcp
    }

    fn sip(&self) -> IpAddr {
        self.from.0
    }

    fn dip(&self) -> IpAddr {
        self.to.0
    }

    fn tu_sport(&self) -> u16 {
        self.from.1
    }

    fn tu_dport(&self) -> u16 {
        self.to.1
    }

    fn seq(&self) -> u32 {
        self.sequence
    }

    fn syn(&self) -> bool {
        self.syn
    }

    fn fin(&self) -> bool {
        self.fin
    }

    fn payload_len(&self) -> usize {
        self.payload.len()
    }

    fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl Segment {
    /// Finds the TCP segment in an Ethernet frame, which is a slice of `block`.
    fn decode(frame: &[u8], block: &Bytes) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let (source, destination): (IpAddr, IpAddr) = match packet.net? {
            NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        };
        let TransportSlice::Tcp(tcp) = packet.transport? else { return None };
        Some(Self {
            from: (source, tcp.source_port()),
            to: (destination, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            syn: tcp.syn(),
            fin: tcp.fin(),
            payload: block.slice_ref(tcp.payload()),
        })
    }
}

/// A connection: protolens's task, and which sides have sent FIN, the one with the lower address
/// first.
struct Flow {
    task: Task<Segment>,
    finished: [bool; 2],
}

/// Passes every segment of the capture to the task of its connection.
fn run(capture: &Path, protolens: &mut Prolens<Segment>, protocol: L7Proto) -> Result<()> {
    let mut flows: HashMap<_, Flow, ahash::RandomState> = HashMap::default();
    read_frames(capture, |frame, block| {
        let Some(segment) = Segment::decode(frame, block) else { return };
        let side = usize::from(segment.from > segment.to);
        let key = if side == 0 { (segment.from, segment.to) } else { (segment.to, segment.from) };
        let flow = flows.entry(key).or_insert_with(|| {
            let mut task = protolens.new_task(TransProto::Tcp);
            protolens.set_task_parser(&mut task, protocol);
            Flow { task, finished: [false; 2] }
        });
        flow.finished[side] |= segment.fin;
        protolens.run_task(&mut flow.task, segment);
        if flow.finished == [true; 2] {
            flows.remove(&key);
        }
    })
}

/// Calls `visit` with every frame of the capture and the block that contains it.
fn read_frames(capture: &Path, mut visit: impl FnMut(&[u8], &Bytes)) -> Result<()> {
    let mut file = File::open(capture)?;
    let mut rest = Bytes::new();
    let mut header_read = false;
    loop {
        let mut block = Vec::with_capacity(rest.len() + BLOCK_BYTES);
        block.extend_from_slice(&rest);
        let read = file.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        let block = Bytes::from(block);
        let mut at = &block[..];
        if !header_read {
            (at, _) = parse_pcap_header(at).map_err(|error| format!("not a pcap file: {error}"))?;
            header_read = true;
        }
        while let Ok((after, packet)) = parse_pcap_frame(at) {
            visit(packet.data, &block);
            at = after;
        }
        if read == 0 {
            return if at.is_empty() { Ok(()) } else { Err("the file ends inside a packet".into()) };
        }
        rest = block.slice_ref(at);
    }
}

/// Counts start lines. protolens calls back in stream order, for each start line after the body of
/// the previous message.
pub(crate) fn http(capture: &Path) -> Result<Counts> {
    let counts = Rc::new((Cell::new(0), Cell::new(0)));
    let count = Rc::clone(&counts);
    let mut protolens = Prolens::default();
    protolens.set_cb_http_start_line(move |_: &[u8], _, _, direction| match direction {
        Direction::C2s => count.0.set(count.0.get() + 1),
        _ => count.1.set(count.1.get() + 1),
    });
    run(capture, &mut protolens, L7Proto::Http)?;
    Ok(Counts::Http { requests: counts.0.get(), responses: counts.1.get() })
}

/// Adds up packets in stream order, which protolens provides for protocols without a parser.
pub(crate) fn streams(capture: &Path) -> Result<Counts> {
    let payload = Rc::new(Cell::new(0));
    let sum = Rc::clone(&payload);
    let mut protolens = Prolens::default();
    protolens.set_cb_ord_pkt(move |segment: Segment, _, _| sum.set(sum.get() + segment.payload.len() as u64));
    run(capture, &mut protolens, L7Proto::OrdPacket)?;
    Ok(Counts::Streams { payload: payload.get() })
}
