//! Captures that are easily read wrongly: refusals, forged resets and FINs, stray segments,
//! keep-alive probes, and answers that were captured first.
//!
//! The files of `corpora/faults/` are each a kind. The other tests are more captures of the same
//! kinds.

use std::path::PathBuf;
use std::sync::Arc;

use enjamb::{Connection, Ending, Outcome, Side, Time};
use enjamb_capture::{Options, Reassembler, Segment, Summary, open};
use enjamb_monitor::{Record, Watch};
use enjamb_protocols::Registry;

/// Everything that was read of a capture.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    /// Whole messages of the client and of the server.
    messages: [usize; 2],
    /// Messages that are malformed or incomplete.
    broken: usize,
    /// The latencies of answers, in microseconds. `None` if one is not known.
    latencies: Vec<Option<u64>>,
    connections: usize,
    gaps: u64,
    endings: Vec<[Option<Ending>; 2]>,
}

impl Reading {
    fn add(&mut self, record: &Record<'_>) {
        match record {
            Record::Message { message, latency_us, .. } => {
                if matches!(message.outcome, Outcome::Ok | Outcome::Failed) {
                    self.messages[message.side.index()] += 1;
                } else {
                    self.broken += 1;
                }
                if message.side == Side::Server {
                    self.latencies.push(*latency_us);
                }
            }
            Record::Opened { .. } => self.connections += 1,
            Record::Gap { missing, .. } => self.gaps += missing,
            Record::Ended { sides, .. } => self.endings.push([sides[0].ending, sides[1].ending]),
            _ => {}
        }
    }
}

fn watch<'r>(protocol: &str, reading: &'r mut Reading) -> Watch<impl FnMut(&Record<'_>) + use<'r>> {
    let protocol = Registry::builtin().resolve(protocol).expect("a built-in protocol");
    Watch::new(Arc::new(move |_: &Connection| protocol.session(None)), |record: &Record<'_>| reading.add(record))
}

/// Reads a file of the corpus.
fn read(name: &str, protocol: &str) -> (Reading, Summary) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../corpora/faults").join(name);
    let mut reading = Reading::default();
    let mut watch = watch(protocol, &mut reading);
    let report = open(&path, &mut watch, &Options::default());
    assert!(report.error.is_none(), "{}: {:?}", path.display(), report.error);
    drop(watch.finish());
    (reading, report.summary)
}

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A packet: its time in milliseconds, its sender, its flags (of `SFRA`), the offset of its first
/// byte in its stream (the SYN is at -1), the number of bytes that it acknowledges, and its payload.
type Packet<'a> = (u64, Side, &'a str, i64, i64, &'a str);

/// Reads packets as a capture of HTTP.
fn play(packets: &[Packet<'_>]) -> (Reading, Summary) {
    let mut reading = Reading::default();
    let mut watch = watch("http1", &mut reading);
    let mut reassembler = Reassembler::new(Options::default());
    for &(milliseconds, side, flags, offset, acknowledged, payload) in packets {
        let (client, server) = (([10, 0, 0, 1], 40_000).into(), ([10, 0, 0, 2], 80).into());
        let first = [1_000_u32, 0xffff_fff0];
        let number = |side: Side, offset: i64| first[side.index()].wrapping_add(offset as u32);
        let (source, destination) = if side == Side::Client { (client, server) } else { (server, client) };
        let segment = Segment {
            source,
            destination,
            sequence: number(side, offset),
            acknowledgement: flags.contains('A').then(|| number(!side, acknowledged)),
            syn: flags.contains('S'),
            fin: flags.contains('F'),
            rst: flags.contains('R'),
            urgent: false,
            network: 0,
            payload: payload.as_bytes(),
            missing: 0,
            dropped: 0,
            bad_checksum: false,
        };
        reassembler.push(Time::from_nanos(milliseconds * 1_000_000), &segment, &mut watch);
    }
    reassembler.finish(&mut watch);
    let summary = reassembler.summary().clone();
    drop(watch.finish());
    (reading, summary)
}

use Side::{Client as C, Server as S};

const R: i64 = REQUEST.len() as i64;
const A: i64 = ANSWER.len() as i64;

fn handshake(at: u64) -> Vec<Packet<'static>> {
    vec![(at, C, "S", -1, 0, ""), (at + 1, S, "SA", -1, 0, ""), (at + 2, C, "A", 0, 0, "")]
}

/// The exchange number `number`, counted from 0.
fn exchange(at: u64, number: i64) -> Vec<Packet<'static>> {
    vec![
        (at, C, "A", number * R, number * A, REQUEST),
        (at + 1, S, "A", number * A, (number + 1) * R, ANSWER),
        (at + 2, C, "A", (number + 1) * R, (number + 1) * A, ""),
    ]
}

/// The ends of both sides after `exchanges`.
fn ends(at: u64, exchanges: i64) -> Vec<Packet<'static>> {
    let (r, a) = (exchanges * R, exchanges * A);
    vec![(at, C, "FA", r, a, ""), (at + 1, S, "FA", a, r + 1, ""), (at + 2, C, "A", r + 1, a + 1, "")]
}

/// Checks that `exchanges` requests and answers were read, each with its latency of 1 ms, and that
/// nothing else was there.
#[track_caller]
fn assert_whole(packets: &[Vec<Packet<'_>>], exchanges: usize) -> (Reading, Summary) {
    let (reading, summary) = play(&packets.concat());
    let details = format!("{reading:#?} {summary:#?}");
    assert_eq!(reading.messages, [exchanges; 2], "{details}");
    assert_eq!((reading.broken, reading.gaps), (0, 0), "{details}");
    assert!(reading.latencies.iter().all(|latency| *latency == Some(1000)), "{details}");
    (reading, summary)
}

#[test]
fn a_refused_connection_that_is_tried_again_with_the_same_number_is_read() {
    for name in ["A-refused-then-accepted.pcap", "B-refused-then-accepted-3s.pcap"] {
        let (reading, summary) = read(name, "http1");
        assert_eq!((reading.messages, summary.stray_bytes), ([2, 2], 0), "{name}");
    }
    let refusal = |at: u64| vec![(at, C, "S", -1, 0, ""), (at + 1, S, "RA", 5, 0, "")];
    for later in [100, 900, 1_100, 3_000, 30_000, 70_000] {
        let whole = [handshake(later), exchange(later + 10, 0), exchange(later + 4_000, 1), ends(later + 8_000, 2)];
        for refusals in [vec![refusal(0)], vec![refusal(0), refusal(later / 2)]] {
            let (_, summary) = assert_whole(&[refusals, whole.to_vec()].concat(), 2);
            assert_eq!((summary.stray_bytes, summary.late_segments), (0, 0));
        }
    }
}

#[test]
fn a_refused_connection_that_is_not_tried_again_is_reset() {
    let (reading, _) = play(&[(0, C, "S", -1, 0, ""), (1, S, "RA", 5, 0, ""), (500, C, "S", -1, 0, "")]);
    assert_eq!(reading.endings, [[Some(Ending::Reset); 2]]);
}

#[test]
fn a_connection_that_goes_on_after_a_reset_is_read() {
    let (reading, summary) = read("G-forged-rst.pcap", "http1");
    assert_eq!((reading.messages, summary.stray_bytes), ([2, 2], 0));
    assert_eq!(reading.latencies, [Some(10_000), Some(10_000)]);
    for ahead in [0, 1, 500] {
        for pause in [20, 400, 900, 1_500, 5_000, 50_000] {
            for (side, at) in [(S, A), (C, R)] {
                let packets = [
                    handshake(0),
                    exchange(10, 0),
                    vec![(20, side, "R", at + ahead, 0, "")],
                    exchange(20 + pause, 1),
                    exchange(40 + pause * 2, 2),
                    exchange(6_000 + pause * 2, 3),
                ];
                let (reading, summary) = assert_whole(&packets, 4);
                assert_eq!(summary.stray_bytes, 0, "{side} {ahead} {pause}");
                assert!(reading.connections <= 3);
            }
        }
    }
}

#[test]
fn a_reset_that_is_obeyed_ends_the_connection() {
    let (reading, summary) = play(
        &[handshake(0), exchange(10, 0), vec![(20, S, "R", A, 0, "")], vec![(30, C, "A", 0, 0, REQUEST)]].concat(),
    );
    assert_eq!(reading.endings, [[Some(Ending::Reset); 2]]);
    assert_eq!((reading.messages, summary.connections), ([1, 1], 1));
}

#[test]
fn a_fin_before_the_answer_to_the_syn_is_dropped() {
    let (reading, summary) = read("N-fin-before-synack.pcap", "http1");
    assert_eq!((reading.messages, reading.latencies), ([1, 1], vec![Some(1000)]));
    assert_eq!(summary.stray_bytes, 0);
    for at in [0, -1, 1, 700, 3_000_000, -5_000_000, 1_000_000_000] {
        let packets = [
            vec![(0, C, "S", -1, 0, ""), (1, S, "FA", at, 0, "")],
            handshake(2)[1..].to_vec(),
            exchange(10, 0),
            exchange(20, 1),
            ends(30, 2),
        ];
        let (reading, _) = assert_whole(&packets, 2);
        assert_eq!(reading.endings, [[Some(Ending::Closed); 2]], "{at}");
    }
}

#[test]
fn a_fin_that_both_sides_ignore_ends_nothing() {
    for (side, next) in [(S, A), (C, R)] {
        for ahead in [0, 1, 10, 3_000] {
            let packets = [
                handshake(0),
                exchange(10, 0),
                vec![(20, side, "F", next + ahead, 0, "")],
                exchange(30, 1),
                exchange(40, 2),
                (3..100).flat_map(|number| exchange(20 * number as u64, number)).collect(),
                ends(4_000, 100),
            ];
            let (reading, summary) = assert_whole(&packets, 100);
            assert_eq!(reading.endings, [[Some(Ending::Closed); 2]], "{side} {ahead}");
            assert_eq!((summary.connections, summary.stray_bytes), (1, 0));
        }
    }
}

#[test]
fn a_fin_without_an_acknowledgement_ends_its_stream_at_its_time() {
    let packets = [handshake(0), exchange(10, 0), vec![(20, S, "FA", A, R, "")]];
    let (reading, _) = assert_whole(&packets, 1);
    assert_eq!(reading.endings, [[Some(Ending::Lost), Some(Ending::Closed)]]);
}

#[test]
fn a_segment_far_ahead_that_nobody_acknowledges_is_dropped() {
    for (side, ahead) in [(S, 500_000_000), (C, 500_000_000), (S, 2_000_000), (S, 100_000), (C, 1_000_000_000)] {
        for seconds in [0, 1, 100] {
            let packets = [
                handshake(0),
                exchange(10, 0),
                vec![(20, side, "A", ahead, 0, "stray")],
                (1..600).flat_map(|number| exchange(20 * number as u64 + seconds * 1000, number)).collect(),
                ends(400_000, 600),
            ];
            let (reading, summary) = assert_whole(&packets, 600);
            assert_eq!(reading.endings, [[Some(Ending::Closed); 2]], "{side} {ahead} {seconds}");
            assert_eq!((summary.stray_bytes, summary.gaps), (5, 0), "{side} {ahead} {seconds}");
        }
        // Without ends, and with a lost segment while the stray one is held.
        let lost = exchange(30, 1)[..1].to_vec();
        let rest = (2..600).flat_map(|number| exchange(20 * number as u64, number)).collect();
        let stray = vec![(20, side, "A", ahead, 0, "stray")];
        let (reading, summary) = play(&[handshake(0), exchange(10, 0), stray, lost, rest].concat());
        assert_eq!((reading.messages, reading.gaps), ([600, 599], A as u64), "{side} {ahead}");
        assert_eq!(summary.stray_bytes, 5);
    }
}

#[test]
fn a_keep_alive_byte_where_the_stream_was_joined_is_not_data() {
    for byte in ["\0", "G", "\n"] {
        let probe = |at: u64| vec![(at, C, "A", R - 1, A, byte), (at + 1, S, "A", A, R, "")];
        for probes in [vec![probe(0)], vec![probe(0), probe(2_000)]] {
            let packets = [probes, vec![exchange(9_000, 1), exchange(9_100, 2)]].concat();
            let (_, summary) = assert_whole(&packets, 2);
            assert!(summary.keep_alives >= 1);
        }
    }
    // The capture begins between two exchanges, with an acknowledgement of the last bytes.
    let packets =
        [vec![(0, S, "A", A, R, ""), (1_000, C, "A", R - 1, A, "\n"), (1_001, S, "A", A, R, "")], exchange(1_100, 1)];
    assert_whole(&packets, 1);
    let (reading, _) = play(&[
        (0, C, "A", 100, 100, "x"),
        (1, S, "A", 100, 101, ""),
        (5_000, C, "A", 100, 100, "x"),
        (5_001, S, "A", 100, 101, ""),
    ]);
    assert_eq!((reading.messages, reading.broken), ([0, 0], 0), "an idle connection");
}

#[test]
fn one_lost_request_or_answer_leaves_the_other_latencies_right() {
    for (name, protocol) in [("D2-redis-request-lost.pcap", "redis"), ("E2-http-request-lost.pcap", "http1")] {
        let (reading, _) = read(name, protocol);
        assert_eq!(reading.messages, [199, 200], "{name}");
        assert!(reading.latencies.iter().flatten().all(|latency| *latency == 500), "{name}: {:?}", reading.latencies);
    }
}

#[test]
fn an_answer_that_was_captured_before_its_request_has_no_latency() {
    let (reading, _) = read("P-replies-captured-first.pcap", "http1");
    assert!(reading.messages[1] > 10);
    assert!(reading.latencies.iter().all(Option::is_none), "{:?}", reading.latencies);
    // The capture has only the second copy of a request, which came after the beginning of the
    // answer.
    let (head, body) = ANSWER.split_at(20);
    let packets: Vec<Packet<'_>> = vec![
        (10, S, "A", 0, R, head),
        (300, C, "A", 0, 0, REQUEST),
        (301, S, "A", 20, R, body),
        (302, C, "A", R, A, ""),
    ];
    let (reading, _) = play(&[handshake(0), packets, exchange(400, 1)].concat());
    assert_eq!((reading.messages, reading.latencies), ([2, 2], vec![None, Some(1000)]));
}

#[test]
fn no_latency_behind_a_hole_that_swallows_answers_is_made_up() {
    let (reading, _) = read("R-hole-over-messages.pcap", "http1");
    assert!(reading.latencies.iter().flatten().all(|latency| *latency == 500), "{:?}", reading.latencies);
}

#[test]
fn only_segments_that_come_out_of_order_are_counted() {
    // A hole that is never filled, and 50 segments after it.
    let rest = (2..52).flat_map(|number| exchange(20 * number as u64, number)).collect();
    let (_, summary) = play(&[handshake(0), exchange(10, 0), exchange(20, 1)[..1].to_vec(), rest].concat());
    assert_eq!((summary.out_of_order, summary.gaps), (0, 1));
    // One segment is late.
    let mut packets = [handshake(0), exchange(10, 0), exchange(20, 1)].concat();
    let (head, body) = ANSWER.split_at(20);
    packets.pop();
    packets.pop();
    packets.extend([(21, S, "A", A + 20, 2 * R, body), (22, S, "A", A, 2 * R, head)]);
    let (reading, summary) = play(&packets);
    assert_eq!((reading.messages, summary.out_of_order), ([2, 2], 1));
}
