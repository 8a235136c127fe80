//! protolens: reassembly and parsers that call back. It has no opinion on captures: reading the file, taking headers apart and the table of
//! connections are its user's, and done here as its example does them, but without copies: a packet is a piece of the block that was read.

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

use crate::{Found, Result};

/// How much of the file is read at a time, in bytes: little enough to stay in the cache, and for the allocator to give the same memory again.
const BLOCK: usize = 64 << 10;

/// A segment, as protolens wants it: it owns what it holds, since it may have to wait for its turn.
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
    /// The TCP segment in an Ethernet frame that lies in `block`, if there is one.
    fn of(frame: &[u8], block: &Bytes) -> Option<Self> {
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

/// A connection: what protolens knows of it, and which sides have ended, the one with the lesser address first.
struct Flow {
    task: Task<Segment>,
    ended: [bool; 2],
}

/// Hands every segment of the capture to the task of its connection.
fn run(capture: &Path, protolens: &mut Prolens<Segment>, protocol: L7Proto) -> Result<()> {
    let mut flows: HashMap<_, Flow, ahash::RandomState> = HashMap::default();
    blocks(capture, |frame, block| {
        let Some(segment) = Segment::of(frame, block) else { return };
        let side = usize::from(segment.from > segment.to);
        let key = if side == 0 { (segment.from, segment.to) } else { (segment.to, segment.from) };
        let flow = flows.entry(key).or_insert_with(|| {
            let mut task = protolens.new_task(TransProto::Tcp);
            protolens.set_task_parser(&mut task, protocol);
            Flow { task, ended: [false; 2] }
        });
        flow.ended[side] |= segment.fin;
        protolens.run_task(&mut flow.task, segment);
        if flow.ended == [true; 2] {
            flows.remove(&key);
        }
    })
}

/// Every frame of the capture, and the block it lies in.
fn blocks(capture: &Path, mut frame: impl FnMut(&[u8], &Bytes)) -> Result<()> {
    let mut file = File::open(capture)?;
    let mut rest = Bytes::new();
    let mut begun = false;
    loop {
        let mut block = Vec::with_capacity(rest.len() + BLOCK);
        block.extend_from_slice(&rest);
        let read = file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        let block = Bytes::from(block);
        let mut at = &block[..];
        if !begun {
            (at, _) = parse_pcap_header(at).map_err(|error| format!("no header of a capture: {error}"))?;
            begun = true;
        }
        while let Ok((after, packet)) = parse_pcap_frame(at) {
            frame(packet.data, &block);
            at = after;
        }
        if read == 0 {
            return if at.is_empty() { Ok(()) } else { Err("the last packet is cut off".into()) };
        }
        rest = block.slice_ref(at);
    }
}

/// Counts start lines, which are called back in the order of the stream, each after the body of the message before it.
pub(crate) fn http(capture: &Path) -> Result<Found> {
    let counts = Rc::new((Cell::new(0), Cell::new(0)));
    let count = Rc::clone(&counts);
    let mut protolens = Prolens::default();
    protolens.set_cb_http_start_line(move |_: &[u8], _, _, direction| match direction {
        Direction::C2s => count.0.set(count.0.get() + 1),
        _ => count.1.set(count.1.get() + 1),
    });
    run(capture, &mut protolens, L7Proto::Http)?;
    Ok(Found::Http { requests: counts.0.get(), responses: counts.1.get() })
}

/// Adds up packets in the order of the stream, which is what protolens gives of a protocol that it does not know.
pub(crate) fn streams(capture: &Path) -> Result<Found> {
    let payload = Rc::new(Cell::new(0));
    let sum = Rc::clone(&payload);
    let mut protolens = Prolens::default();
    protolens.set_cb_ord_pkt(move |segment: Segment, _, _| sum.set(sum.get() + segment.payload.len() as u64));
    run(capture, &mut protolens, L7Proto::OrdPacket)?;
    Ok(Found::Streams { payload: payload.get() })
}
