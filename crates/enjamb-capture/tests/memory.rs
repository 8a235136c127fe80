//! Memory stays inside its limits, whatever is sent. The allocator counts it, not the code under
//! test.

mod conversations;
mod wire;

use std::alloc::System;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Mutex;

use cap::Cap;
use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_capture::{IncidentKind, Options, Reassembler, Segment, read};
use wire::{Wire, patient};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Held by each test, because the allocator counts for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Counts events, and keeps nothing.
#[derive(Default)]
struct Counter {
    bytes: [u64; 2],
    gaps: u64,
    done: u64,
}

impl Tap for Counter {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { side, bytes } => self.bytes[side.index()] += bytes.len() as u64,
            Event::Gap { .. } => self.gaps += 1,
            Event::Done => self.done += 1,
            Event::Open | Event::Close { .. } => {}
        }
    }
}

/// Calls `act` several times. Returns the peak memory between the calls, in bytes, less the memory
/// before.
fn peak(count: u64, mut act: impl FnMut(u64)) -> usize {
    let before = ALLOCATOR.allocated();
    let mut peak = 0;
    for number in 0..count {
        act(number);
        peak = peak.max(ALLOCATOR.allocated().saturating_sub(before));
    }
    peak
}

#[test]
fn a_flood_of_small_pieces_out_of_order_stays_within_the_limit_of_its_stream() {
    let _alone = ALONE.lock();
    let held_per_stream = 8 << 20;
    for size in [1, 7, 40, 100] {
        let mut wire = Wire::new(1000, Options { held_per_stream, ..patient() });
        wire.handshake();
        let (mut tap, mut time) = (Counter::default(), 0);
        // Every other piece is missing.
        let peak = peak(400_000, |number| {
            let payload = [7; 100];
            let segment = wire.segment(Side::Client, (1 + 2 * number as i64) * size as i64, &payload[..size]);
            time += 1;
            wire.reassembler.push(Time::from_nanos(time), &segment, &mut tap);
            assert!(wire.reassembler.held() <= held_per_stream);
        });
        assert!(peak <= held_per_stream * 5 / 4, "{peak} bytes for pieces of {size}");
        assert!(peak >= held_per_stream / 2, "{peak} bytes for pieces of {size}: the limit is used");
        let summary = wire.reassembler.summary();
        assert!(summary.gaps_for_memory > 300_000, "{summary:?}");
        let named = wire.reassembler.incidents();
        assert_eq!(named.len(), 16);
        assert_eq!(named[1].kind, IncidentKind::GapForMemory { side: Side::Client, offset: 2 * size as u64 });
        wire.reassembler.finish(&mut tap);
        assert_eq!((tap.bytes[0], tap.gaps), (400_000 * size as u64, 400_000));
    }
}

#[test]
fn a_flood_over_many_connections_stays_within_the_limit_for_all() {
    let _alone = ALONE.lock();
    let held_in_all = 8 << 20;
    let wire = Wire::new(1000, patient());
    let (mut reassembler, mut tap) =
        (Reassembler::new(Options { held_in_all, connections: 1000, ..patient() }), Counter::default());
    let peak = peak(600_000, |number| {
        let source = SocketAddr::new([192, 0, 2, 5].into(), (number % 1000) as u16);
        let at = (1 + 2 * (number / 1000) as i64) * 50;
        let segment = Segment { source, syn: number < 1000, ..wire.segment(Side::Client, at, &[7; 50]) };
        reassembler.push(Time::from_nanos(number), &segment, &mut tap);
        assert!(reassembler.held() <= held_in_all);
    });
    // The connections themselves take memory too.
    assert!(peak <= held_in_all + 1000 * 4096, "{peak} bytes");
    let summary = reassembler.summary();
    assert!(summary.gaps_for_memory > 400_000 && summary.connections == 1000, "{summary:?}");
}

#[test]
fn a_million_half_open_connections_stay_within_the_limit_of_connections() {
    let _alone = ALONE.lock();
    let wire = Wire::new(1000, patient());
    let (mut reassembler, mut tap) = (Reassembler::new(Options::default()), Counter::default());
    let source = |number: u64| {
        let [.., a, b, c, d] = (number as u32).to_be_bytes();
        SocketAddr::new([10, a, b, c].into(), 1024 + u16::from(d))
    };
    let peak = peak(1_000_000, |number| {
        let syn = Segment { source: source(number), syn: true, ..wire.segment(Side::Client, -1, b"") };
        reassembler.push(Time::from_nanos(number), &syn, &mut tap);
    });
    assert!(peak <= 48 << 20, "{peak} bytes");
    let summary = reassembler.summary();
    assert_eq!((summary.connections, summary.connections_given_up), (1_000_000, 1_000_000 - 65_536));
    let first = &reassembler.incidents()[0];
    assert_eq!((first.connection.client, &first.kind), (source(0), &IncidentKind::ConnectionGivenUp));
    assert_eq!(tap.done, 1_000_000 - 65_536);
}

/// The bytes that an open connection may cost: the flow itself, its place in the table, and its
/// entry in the order of use. A slab and a table may be half empty when they have just grown.
const FLOW_MAX: usize = 2 * (288 + 8 + 1) + 64;

/// The bytes that the record of a connection that has ended may cost.
const RECORD_MAX: usize = 2 * (80 + 8 + 1) + 16;

/// An open connection that has exchanged data and waits for nothing is small: what only disorder
/// needs is not allocated for it.
#[test]
fn connections_at_rest_are_small() {
    let _alone = ALONE.lock();
    let wire = Wire::new(1000, patient());
    let (mut reassembler, mut tap) = (Reassembler::new(Options::default()), Counter::default());
    let flows: usize = 40_000;
    let before = ALLOCATOR.allocated();
    let mut time = 0;
    let mut push = |reassembler: &mut Reassembler, number: usize, segment: Segment<'_>| {
        let [.., a, b] = (number as u32).to_be_bytes();
        time += 1;
        let client = SocketAddr::new([10, 0, a, b].into(), 40_000);
        let segment = match segment.source.port() {
            port if port == wire.segment(Side::Client, 0, b"").source.port() => Segment { source: client, ..segment },
            _ => Segment { destination: client, ..segment },
        };
        reassembler.push(Time::from_nanos(time), &segment, &mut tap);
    };
    for number in 0..flows {
        let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
        push(&mut reassembler, number, syn);
        let answer = |at, payload, received: u32| {
            let acknowledgement = Some(wire.first.wrapping_add(1 + received));
            Segment { acknowledgement, ..wire.segment(Side::Server, at, payload) }
        };
        push(&mut reassembler, number, Segment { syn: true, ..answer(-1, b"", 0) });
        let acknowledgement = Some(wire.server_first.wrapping_add(1));
        push(&mut reassembler, number, Segment { acknowledgement, ..wire.segment(Side::Client, 0, b"a request") });
        // Two segments of the answer are out of order, so something was held back for a while.
        push(&mut reassembler, number, answer(3, b"wer", 9));
        assert!(reassembler.held() > 0);
        push(&mut reassembler, number, answer(0, b"ans", 9));
        assert_eq!(reassembler.held(), 0);
    }
    let log = 4 << 20;
    let taken = ALLOCATOR.allocated() - before;
    assert!(taken <= log + flows * FLOW_MAX, "{} bytes for each connection", (taken - log) / flows);
    // Each ends with a reset, and leaves a record.
    for number in 0..flows {
        push(&mut reassembler, number, Segment { rst: true, ..wire.segment(Side::Client, 9, b"") });
    }
    reassembler.finish(&mut tap);
    assert_eq!((tap.bytes, tap.gaps, tap.done), ([9 * flows as u64, 6 * flows as u64], 0, flows as u64));
    let taken = ALLOCATOR.allocated() - before;
    let most = log + flows * (FLOW_MAX + RECORD_MAX + 48);
    assert!(taken <= most, "{} bytes for each connection that has ended", taken / flows);
}

/// Many connections are reset or wait for something, and end before their deadline. Their entries
/// in the queues must go too.
#[test]
fn the_memory_for_ended_connections_is_bounded() {
    let _alone = ALONE.lock();
    let wire = Wire::new(1000, patient());
    let options = Options { connections: 100, ..Options::default() };
    let (mut reassembler, mut tap) = (Reassembler::new(options), Counter::default());
    let peak = peak(300_000, |number| {
        let ends = number / 3;
        let source =
            SocketAddr::new([10, 0, (ends >> 16) as u8, (ends >> 8) as u8].into(), 1024 + (ends & 0xff) as u16);
        let segment = match number % 3 {
            0 => Segment { syn: true, ..wire.segment(Side::Client, -1, b"") },
            1 => wire.segment(Side::Client, 5, b"behind a hole"),
            _ => Segment { rst: true, ..wire.segment(Side::Client, 0, b"") },
        };
        let segment = Segment { source, network: number % 2, ..segment };
        reassembler.push(Time::from_nanos(number), &segment, &mut tap);
    });
    assert!(peak <= 48 << 20, "{peak} bytes");
}

/// A capture of one connection in which the client sends many bytes. It is generated while it is
/// read.
struct Endless {
    block: Vec<u8>,
    read: usize,
    left: u64,
    sequence: u32,
}

const PIECE: usize = 65_000;

impl Endless {
    fn new(bytes: u64) -> Self {
        let mut block = [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 1 << 18, 101].map(u32::to_le_bytes).concat();
        let mut packet = Self::packet(0, 0x02, 0);
        block.append(&mut packet);
        Self { block, read: 0, left: bytes, sequence: 1 }
    }

    fn packet(sequence: u32, flags: u8, payload: usize) -> Vec<u8> {
        let length = 40 + payload;
        let mut bytes = [0, 0, length as u32, length as u32].map(u32::to_le_bytes).concat();
        bytes.extend([
            0x45,
            0,
            (length >> 8) as u8,
            length as u8,
            0,
            0,
            0x40,
            0,
            64,
            6,
            0,
            0,
            10,
            0,
            0,
            1,
            10,
            0,
            0,
            2,
        ]);
        bytes.extend([0x9c, 0x40, 0, 80]);
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.resize(bytes.len() + payload, b'.');
        bytes
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.block.len() {
            let payload = self.left.min(PIECE as u64);
            if payload == 0 {
                return Ok(0);
            }
            self.left -= payload;
            if payload == PIECE as u64 && self.block.len() == 16 + 40 + PIECE {
                self.block[16 + 24..16 + 28].copy_from_slice(&self.sequence.to_be_bytes());
            } else {
                self.block = Self::packet(self.sequence, 0x10, payload as usize);
            }
            self.sequence = self.sequence.wrapping_add(payload as u32);
            self.read = 0;
        }
        let size = buffer.len().min(self.block.len() - self.read);
        buffer[..size].copy_from_slice(&self.block[self.read..self.read + size]);
        self.read += size;
        Ok(size)
    }
}

#[test]
fn ten_gigabytes_on_one_connection_take_one_megabyte_of_memory() {
    let _alone = ALONE.lock();
    /// Measures the memory at every chunk.
    struct Watching(Counter, usize, usize);
    impl Tap for Watching {
        fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
            match event {
                Event::Chunk { side, bytes } => {
                    self.0.event(connection, time, Event::Chunk { side, bytes });
                    self.2 = self.2.max(ALLOCATOR.allocated().saturating_sub(self.1));
                }
                Event::Gap { .. } => self.0.gaps += 1,
                Event::Open | Event::Close { .. } | Event::Done => {}
            }
        }
    }
    let size = 10_000_000_000;
    let mut tap = Watching(Counter::default(), ALLOCATOR.allocated(), 0);
    let report = read(Endless::new(size), &mut tap, &Options::default());
    assert!(report.error.is_none());
    assert_eq!((tap.0.bytes[0], tap.0.gaps, report.summary.payload), (size, 0, size));
    assert!(tap.2 <= 1 << 20, "{} bytes", tap.2);
}
