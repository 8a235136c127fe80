//! Packets that were not captured: no latency differs from that of the whole capture, and most
//! latencies are still known.
//!
//! Each capture is made here: connections of several patterns, whose packets have times, sequence
//! numbers and honest acknowledgements. The whole capture is the oracle. Times are unique, so the
//! time of an answer names it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use enjamb::{Connection, Side, Time};
use enjamb_capture::{Options, Reassembler, Segment};
use enjamb_monitor::{Record, Watch};
use enjamb_protocols::Registry;

/// The payload of a full segment, in bytes.
const SEGMENT: usize = 1448;

/// A generator of pseudo-random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number from `low` up to `high`, which is included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + (self.next() >> 16) % (high - low + 1)
    }

    fn chance(&mut self, per_million: u64) -> bool {
        (self.next() >> 16) % 1_000_000 < per_million
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    Redis,
}

/// The order in which a client sends requests.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    /// The next request comes at once when the answer is there.
    Alternating,
    /// The client thinks for milliseconds between an answer and the next request.
    KeepAlive,
    /// Several requests in one go, then all answers.
    Batches,
    /// A number of requests is always under way.
    Window,
}

const PATTERNS: [Pattern; 4] = [Pattern::Alternating, Pattern::KeepAlive, Pattern::Batches, Pattern::Window];

/// A packet of the capture.
struct Packet {
    nanos: u64,
    client: SocketAddr,
    server: SocketAddr,
    side: Side,
    sequence: u32,
    acknowledgement: Option<u32>,
    syn: bool,
    fin: bool,
    payload: Vec<u8>,
}

/// A connection that writes its packets.
struct Talk<'a> {
    packets: &'a mut Vec<Packet>,
    random: &'a mut Random,
    protocol: Protocol,
    port: u16,
    nanos: u64,
    /// The initial sequence numbers, and the number of bytes that each side has sent.
    first: [u32; 2],
    sent: [u64; 2],
    /// The number of bytes that each side has acknowledged.
    received: [u64; 2],
}

impl Talk<'_> {
    fn packet(&mut self, side: Side, offset: i64, flags: (bool, bool), payload: &[u8]) {
        let (own, other) = (side.index(), (!side).index());
        let (syn, fin) = flags;
        let acknowledged = self.first[other].wrapping_add(1).wrapping_add(self.received[own] as u32);
        self.packets.push(Packet {
            nanos: self.nanos,
            client: ([10, 0, 0, 1], self.port).into(),
            server: ([10, 0, 0, 2], if self.protocol == Protocol::Http { 80 } else { 6379 }).into(),
            side,
            sequence: self.first[own].wrapping_add(1).wrapping_add(offset as u32),
            acknowledgement: (!syn || side == Side::Server).then_some(acknowledged),
            syn,
            fin,
            payload: payload.to_vec(),
        });
    }

    fn pass(&mut self, low: u64, high: u64) {
        self.nanos += self.random.between(low, high);
    }

    fn open(&mut self) {
        self.packet(Side::Client, -1, (true, false), b"");
        self.pass(50_000, 90_000);
        self.packet(Side::Server, -1, (true, false), b"");
        self.pass(10_000, 20_000);
        self.acknowledge(Side::Client);
    }

    /// Sends an acknowledgement of everything that the other side has sent.
    fn acknowledge(&mut self, side: Side) {
        self.received[side.index()] = self.sent[(!side).index()];
        self.packet(side, self.sent[side.index()] as i64, (false, false), b"");
    }

    /// Sends bytes in full segments. The other side acknowledges every second one.
    fn send(&mut self, side: Side, bytes: &[u8]) {
        self.received[side.index()] = self.sent[(!side).index()];
        for (number, piece) in bytes.chunks(SEGMENT).enumerate() {
            self.pass(2_000, 30_000);
            self.packet(side, self.sent[side.index()] as i64, (false, false), piece);
            self.sent[side.index()] += piece.len() as u64;
            if number % 2 == 1 {
                self.pass(1_000, 2_000);
                self.acknowledge(!side);
            }
        }
    }

    fn close(&mut self) {
        for side in Side::BOTH {
            self.pass(50_000, 90_000);
            self.received[side.index()] = self.sent[(!side).index()] + u64::from(side == Side::Server);
            self.packet(side, self.sent[side.index()] as i64, (false, true), b"");
        }
        self.pass(50_000, 90_000);
        self.received[0] = self.sent[1] + 1;
        self.packet(Side::Client, self.sent[0] as i64 + 1, (false, false), b"");
    }

    fn request(&mut self) -> Vec<u8> {
        let name = self.random.between(0, 1_000_000);
        match self.protocol {
            Protocol::Http if self.random.chance(100_000) => {
                let body = vec![b'b'; self.random.between(1, 4000) as usize];
                let head = format!("POST /{name} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
                [head.into_bytes(), body].concat()
            }
            Protocol::Http => format!("GET /{name} HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n").into_bytes(),
            Protocol::Redis if self.random.chance(400_000) => {
                let (key, value) = (format!("key:{name}"), "v".repeat(self.random.between(1, 300) as usize));
                format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len()).into_bytes()
            }
            Protocol::Redis => {
                let key = format!("key:{name}");
                format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into_bytes()
            }
        }
    }

    fn answer(&mut self, request: &[u8]) -> Vec<u8> {
        let length = self.random.between(0, 200) * self.random.between(1, 30);
        let body = "a".repeat(length as usize);
        match self.protocol {
            Protocol::Http if self.random.chance(200_000) => {
                let middle = body.len() / 2;
                let chunk = |body: &str| {
                    if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) }
                };
                let chunks = [chunk(&body[..middle]), chunk(&body[middle..])].concat();
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n").into_bytes()
            }
            Protocol::Http => format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes(),
            Protocol::Redis if request.starts_with(b"*3") => b"+OK\r\n".to_vec(),
            Protocol::Redis => format!("${length}\r\n{body}\r\n").into_bytes(),
        }
    }

    /// Sends the answers, each for itself or several together.
    fn answer_all(&mut self, requests: &[Vec<u8>]) {
        let mut together = Vec::new();
        for request in requests {
            together.extend(self.answer(request));
            if self.random.chance(600_000) {
                self.pass(200_000, 2_000_000);
                self.send(Side::Server, &std::mem::take(&mut together));
            }
        }
        self.pass(200_000, 2_000_000);
        self.send(Side::Server, &together);
    }

    fn run(&mut self, pattern: Pattern, exchanges: usize) {
        self.open();
        let mut under_way = Vec::new();
        for _ in 0..exchanges {
            self.pass(20_000, 200_000);
            match pattern {
                Pattern::Alternating | Pattern::KeepAlive => {
                    if matches!(pattern, Pattern::KeepAlive) {
                        self.acknowledge(Side::Client);
                        self.pass(2_000_000, 200_000_000);
                    }
                    let request = self.request();
                    self.send(Side::Client, &request);
                    self.pass(200_000, 2_000_000);
                    let answer = self.answer(&request);
                    self.send(Side::Server, &answer);
                }
                Pattern::Batches => {
                    let requests: Vec<_> = (0..self.random.between(2, 12)).map(|_| self.request()).collect();
                    self.send(Side::Client, &requests.concat());
                    self.answer_all(&requests);
                }
                Pattern::Window => {
                    let request = self.request();
                    self.send(Side::Client, &request);
                    under_way.push(request);
                    if under_way.len() > 4 {
                        let request = under_way.remove(0);
                        self.pass(20_000, 200_000);
                        let answer = self.answer(&request);
                        self.send(Side::Server, &answer);
                    }
                }
            }
        }
        self.answer_all(&under_way);
        self.close();
    }
}

/// Makes a capture of 8 connections with `exchanges` each.
fn capture(protocol: Protocol, pattern: Pattern, exchanges: usize, seed: u64) -> Vec<Packet> {
    let (mut packets, mut random) = (Vec::new(), Random::new(seed));
    for number in 0..8 {
        let first = [random.next() as u32, random.next() as u32];
        Talk {
            packets: &mut packets,
            port: 40_000 + number,
            nanos: 1_000_000_000 + random.between(0, 50_000_000),
            random: &mut random,
            protocol,
            first,
            sent: [0; 2],
            received: [0; 2],
        }
        .run(pattern, exchanges);
    }
    packets.sort_by_key(|packet| packet.nanos);
    packets
}

/// The latencies of a capture without the packets that are dropped: the port of the client, the
/// time and the length of the answer, and the latency in microseconds.
fn latencies(protocol: Protocol, packets: &[Packet], mut drops: impl FnMut() -> bool) -> HashMap<(u16, u64, u64), u64> {
    let name = if protocol == Protocol::Http { "http1" } else { "redis" };
    let protocol = Registry::builtin().resolve(name).expect("a built-in protocol");
    let mut latencies = HashMap::new();
    let open = Arc::new(move |_: &Connection| protocol.session(None));
    let mut watch = Watch::new(open, |record: &Record<'_>| {
        if let Record::Message { connection, time, message, latency_us: Some(latency_us), .. } = record {
            // Several answers may end in one packet.
            let answer = (connection.client.port(), time.nanos(), message.span.length);
            latencies.insert(answer, *latency_us);
        }
    });
    let mut reassembler = Reassembler::new(Options::default());
    for packet in packets {
        if drops() {
            continue;
        }
        let (source, destination) =
            if packet.side == Side::Client { (packet.client, packet.server) } else { (packet.server, packet.client) };
        let segment = Segment {
            source,
            destination,
            sequence: packet.sequence,
            acknowledgement: packet.acknowledgement,
            syn: packet.syn,
            fin: packet.fin,
            rst: false,
            urgent: false,
            network: 0,
            payload: &packet.payload,
            missing: 0,
            dropped: 0,
            bad_checksum: false,
        };
        reassembler.push(Time::from_nanos(packet.nanos), &segment, &mut watch);
    }
    reassembler.finish(&mut watch);
    drop(watch.finish());
    latencies
}

/// The latencies of the whole capture, those still known, and those that differ.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    all: usize,
    known: usize,
    wrong: usize,
}

/// Drops packets of captures, `per_million` of a million.
fn measure(protocol: Protocol, pattern: Pattern, per_million: u64, seeds: std::ops::Range<u64>) -> Outcome {
    let mut outcome = Outcome::default();
    for seed in seeds {
        let packets = capture(protocol, pattern, 400, seed);
        let whole = latencies(protocol, &packets, || false);
        let mut random = Random::new(seed + 1000);
        let rest = latencies(protocol, &packets, || random.chance(per_million));
        outcome.all += whole.len();
        for (answer, latency) in rest {
            if whole.get(&answer) == Some(&latency) {
                outcome.known += 1;
            } else {
                outcome.wrong += 1;
            }
        }
    }
    outcome
}

/// Checks all patterns. `known_min` has the shares, in percent, that must still be known.
fn check(protocol: Protocol, per_million: u64, known_min: [u32; 4]) {
    let mut failures = Vec::new();
    for (pattern, known_min) in PATTERNS.into_iter().zip(known_min) {
        let outcome = measure(protocol, pattern, per_million, 0..4);
        let percent = 100.0 * outcome.known as f64 / outcome.all as f64;
        let line = format!("{protocol:?} {pattern:?}, {per_million} per million lost: {percent:.1} % {outcome:?}");
        println!("{line}");
        if outcome.wrong > 0 || percent < f64::from(known_min) || outcome.all == 0 {
            failures.push(line);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn whole_captures_of_all_patterns_have_a_latency_for_every_answer() {
    for protocol in [Protocol::Http, Protocol::Redis] {
        for pattern in PATTERNS {
            let packets = capture(protocol, pattern, 50, 7);
            let answers = latencies(protocol, &packets, || false).len();
            assert!(answers >= 8 * 50 / 2, "{protocol:?} {pattern:?}: {answers}");
        }
    }
}

#[test]
fn http_latencies_are_right_or_absent_if_packets_are_lost() {
    check(Protocol::Http, 100, [99, 99, 99, 90]);
    check(Protocol::Http, 1_000, [99, 99, 99, 60]);
    check(Protocol::Http, 10_000, [95, 95, 75, 9]);
}

#[test]
fn redis_latencies_are_right_or_absent_if_packets_are_lost() {
    check(Protocol::Redis, 100, [99, 99, 99, 97]);
    check(Protocol::Redis, 1_000, [99, 99, 96, 72]);
    check(Protocol::Redis, 10_000, [97, 96, 85, 12]);
}
