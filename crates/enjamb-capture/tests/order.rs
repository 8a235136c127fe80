//! Packets that are in the file in another order than on the wire. Sequence numbers and
//! acknowledgements restore the order.

mod conversations;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use conversations::{Conversation, Conversations, TapEvent};
use enjamb::{Ending, Side, Time};
use enjamb_capture::{IncidentKind, Options, Overlap, Reassembler, Segment};
use proptest::prelude::*;
use wire::{Wire, patient, play};

/// Returns all chunks, in the order in which they were delivered.
fn chunks(conversation: &Conversation) -> Vec<(Side, String)> {
    let chunk = |(_, event): &(Time, TapEvent)| match event {
        TapEvent::Chunk(side, bytes) => Some((*side, String::from_utf8_lossy(bytes).into_owned())),
        _ => None,
    };
    conversation.events.iter().filter_map(chunk).collect()
}

/// A segment that acknowledges the first `acknowledged` bytes of the other side.
fn segment<'a>(wire: &Wire, side: Side, at: i64, payload: &'a [u8], acknowledged: u32) -> Segment<'a> {
    let other = if side == Side::Client { wire.server_first } else { wire.first };
    let acknowledgement = Some(other.wrapping_add(1).wrapping_add(acknowledged));
    Segment { acknowledgement, ..wire.segment(side, at, payload) }
}

#[test]
fn a_reply_that_was_captured_before_its_request_is_delivered_after_it() {
    let tap = play(Options::default(), |wire| {
        vec![
            segment(wire, Side::Server, 0, b"PONG", 4),
            segment(wire, Side::Server, 4, b"AGAIN", 8),
            segment(wire, Side::Client, 0, b"PING", 0),
            segment(wire, Side::Client, 4, b"GAIN", 4),
        ]
    });
    let expected = [(Side::Client, "PING"), (Side::Server, "PONG"), (Side::Client, "GAIN"), (Side::Server, "AGAIN")];
    assert_eq!(chunks(tap.only()), expected.map(|(side, text)| (side, text.to_owned())));
    let times: Vec<u64> = tap.only().events[1..5].iter().map(|(time, _)| time.nanos()).collect();
    assert_eq!(times, [5_000, 3_000, 6_000, 4_000], "each chunk keeps the time when it was captured");
}

#[test]
fn a_reply_whose_request_was_never_captured_is_delivered_after_the_patience() {
    let mut wire = Wire::new(1000, Options { patience: 3, ..Options::default() });
    wire.handshake();
    let mut delivered = Vec::new();
    for (at, text) in [(0, b"one"), (3, b"two"), (6, b"thr"), (9, b"fou"), (12, b"fiv")] {
        let reply = segment(&wire, Side::Server, at, text, 10 + at as u32);
        wire.push(&reply);
        delivered.push(chunks(wire.tap.only()).len());
    }
    assert_eq!(delivered, [0, 0, 0, 4, 5], "then nothing waits, as long as nothing of the other side comes");
    assert_eq!(wire.reassembler.incidents()[0].kind, IncidentKind::OrderGivenUp { side: Side::Server, offset: 0 });
    let (_, summary) = wire.finish();
    assert_eq!((summary.order_given_up, summary.gaps), (1, 0));
}

#[test]
fn a_direction_that_was_not_captured_is_not_waited_for() {
    let mut wire = Wire::new(1000, Options::default());
    let syn_ack = Segment { syn: true, ..segment(&wire, Side::Server, -1, b"", 0) };
    wire.push(&syn_ack);
    let reply = segment(&wire, Side::Server, 0, b"one", 500);
    wire.push(&reply);
    assert_eq!(wire.tap.only().chunks(Side::Server), [b"one"]);
    assert_eq!(wire.finish().1.order_given_up, 0);
}

#[test]
fn if_both_sides_wait_for_each_other_the_client_is_delivered_first() {
    let tap = play(Options::default(), |wire| {
        vec![
            segment(wire, Side::Server, 0, b"answer", 8),
            // The request was only captured when it was sent again, with a later acknowledgement.
            segment(wire, Side::Client, 0, b"question", 6),
        ]
    });
    assert_eq!(chunks(tap.only()), [(Side::Client, "question".to_owned()), (Side::Server, "answer".to_owned())]);
}

#[test]
fn data_that_waits_for_the_other_side_is_within_the_limit_for_held_data() {
    let options = Options { held_per_stream: 2_000, ..patient() };
    let mut wire = Wire::new(1000, options);
    wire.handshake();
    for at in 0..100 {
        let reply = segment(&wire, Side::Server, at * 100, &[7; 100], 50);
        wire.push(&reply);
        assert!(wire.reassembler.held() <= 2_000);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().chunks(Side::Server).len(), 100);
    assert_eq!((summary.order_given_up, summary.gaps), (1, 0));
}

#[test]
fn an_acknowledged_fin_is_not_a_missing_byte() {
    let mut wire = Wire::new(1000, Options::default());
    wire.handshake();
    let fin = Segment { fin: true, ..segment(&wire, Side::Client, 0, b"bye", 0) };
    wire.push(&fin);
    let reply = segment(&wire, Side::Server, 0, b"goodbye", 4);
    wire.push(&reply);
    assert_eq!(wire.tap.only().chunks(Side::Server), [b"goodbye"]);
}

#[test]
fn a_file_in_reverse_order_gives_the_same_streams() {
    let mut wire = Wire::new(u32::MAX - 5, Options::default());
    let client_syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
    let server_syn = Segment { syn: true, ..segment(&wire, Side::Server, -1, b"", 0) };
    let last = segment(&wire, Side::Client, 9, b"", 9);
    let mut segments = vec![
        client_syn,
        server_syn,
        segment(&wire, Side::Client, 0, b"GET /", 0),
        segment(&wire, Side::Server, 0, b"200", 5),
        segment(&wire, Side::Client, 5, b"BYE", 3),
        segment(&wire, Side::Server, 3, b"UNTIL", 8),
        Segment { fin: true, ..segment(&wire, Side::Client, 8, b"", 8) },
        Segment { fin: true, ..segment(&wire, Side::Server, 8, b"", 9) },
        last,
    ];
    let expected: Vec<_> =
        [(Side::Client, "GET /"), (Side::Server, "200"), (Side::Client, "BYE"), (Side::Server, "UNTIL")]
            .map(|(side, text)| (side, text.to_owned()))
            .into();
    segments.reverse();
    for segment in &segments {
        wire.push(segment);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(chunks(tap.only()), expected);
    assert_eq!(Side::BOTH.map(|side| tap.only().ending(side)), [Some(Ending::Closed); 2]);
    assert_eq!((summary.gaps, summary.stray_bytes, summary.late_segments), (0, 0, 0));
}

#[test]
fn a_capture_that_joins_among_packets_out_of_order_begins_with_the_lowest_bytes() {
    let mut wire = Wire::new(1000, Options::default());
    for (at, bytes) in [(300, &b"def"[..]), (303, b"ghi"), (297, b"abc"), (306, b"jkl")] {
        let data = wire.segment(Side::Client, at, bytes);
        wire.push(&data);
        // Acknowledged at once, before the first bytes were captured.
        let ack = segment(&wire, Side::Server, 90, b"", (at + 3) as u32);
        wire.push(&ack);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().chunks(Side::Client).concat(), b"abcdefghijkl");
    assert_eq!((summary.gaps, summary.stray_bytes), (0, 0));
}

#[test]
fn a_stream_that_is_joined_late_begins_after_enough_packets_or_bytes() {
    let mut wire = Wire::new(1000, Options::default());
    let data = wire.segment(Side::Client, 300, b"abc");
    wire.push(&data);
    for packets in 1..=64 {
        assert_eq!(wire.tap.only().chunks(Side::Client).len(), 0, "{packets} packets");
        let ack = segment(&wire, Side::Server, 70, b"", 303);
        wire.push(&ack);
    }
    assert_eq!(wire.tap.only().chunks(Side::Client), [b"abc"]);

    let mut wire = Wire::new(1000, Options::default());
    for at in 0..40 {
        let data = wire.segment(Side::Client, 300 + at * 1000, &[7; 1000]);
        wire.push(&data);
        assert!(wire.reassembler.held() <= 38 << 10);
    }
    assert_eq!(wire.tap.only().chunks(Side::Client).len(), 40);
}

#[test]
fn a_long_stream_in_reverse_order_is_put_in_order_up_to_its_syn() {
    let mut wire = Wire::new(u32::MAX - 700_000, Options::default());
    for at in (0..1000).rev() {
        // Every pair of packets is swapped.
        let data = wire.segment(Side::Client, (at ^ 1) * 1000, &[7; 1000]);
        wire.push(&data);
    }
    let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
    wire.push(&syn);
    assert_eq!(wire.tap.only().chunks(Side::Client).len(), 1000);
    assert_eq!(wire.reassembler.held(), 0);
    let (_, summary) = wire.finish();
    assert_eq!((summary.stray_bytes, summary.gaps), (0, 0));
}

#[test]
fn a_stream_that_was_joined_late_begins_with_a_gap_of_0_bytes_and_a_whole_one_does_not() {
    for handshake in [false, true] {
        let mut wire = Wire::new(1000, Options::default());
        if handshake {
            wire.handshake();
        }
        for side in Side::BOTH {
            let data = segment(&wire, side, 0, b"data", 0);
            wire.push(&data);
        }
        let (tap, summary) = wire.finish();
        let joined = |side| tap.only().events.iter().any(|(_, event)| *event == TapEvent::Gap(side, 0));
        assert_eq!(Side::BOTH.map(joined), [!handshake; 2]);
        assert_eq!((summary.gaps, tap.only().chunks(Side::Server).len()), (0, 1));
    }
}

#[test]
fn a_keep_alive_probe_makes_no_gap_where_the_capture_joins() {
    let mut wire = Wire::new(1000, Options::default());
    for (at, bytes) in [(299, &b""[..]), (300, b"abc"), (303, b"def")] {
        let data = wire.segment(Side::Client, at, bytes);
        wire.push(&data);
    }
    let (tap, summary) = wire.finish();
    assert_eq!((tap.only().chunks(Side::Client).concat(), summary.gaps), (b"abcdef".to_vec(), 0));
}

#[test]
fn a_hole_in_a_connection_that_falls_silent_is_given_up_after_the_patience_time() {
    let patience_time = Duration::from_secs(60);
    let mut wire = Wire::new(1000, Options { patience_time, ..patient() });
    wire.handshake();
    for (at, bytes) in [(0, &b"abc"[..]), (6, b"ghi")] {
        let data = wire.segment(Side::Client, at, bytes);
        wire.push(&data);
    }
    let other = Segment { source: "192.0.2.7:7".parse().expect("an address"), ..wire.segment(Side::Client, 0, b"") };
    for (seconds, chunks) in [(59, 1), (2, 2)] {
        wire.now += seconds * 1_000_000_000;
        // A few late time stamps alone may come from a file without order.
        for _ in 0..1024 {
            wire.push(&other);
        }
        assert_eq!(wire.tap.0[&1].chunks(Side::Client).len(), chunks, "{seconds} s later");
    }
    // The events have the time at which the hole was seen, a minute ago.
    assert!(wire.tap.0[&1].events.iter().all(|(time, _)| time.nanos() < 10_000));
    assert_eq!(wire.finish().1.waits_timed_out, 1);
}

/// Shuffles reproducibly.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for at in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, (state >> 33) as usize % (at + 1));
    }
}

#[test]
fn a_shuffled_file_is_put_in_order_by_its_time_stamps_and_sequence_numbers() {
    const PACKETS: usize = 1200;
    for (seed, seconds_apart) in (1..=40).map(|seed| (seed, [0, 1, 60][seed as usize % 3])) {
        let mut wire = Wire::new(u32::MAX - 70_000, Options::default());
        let syn_ack = Segment { syn: true, ..segment(&wire, Side::Server, -1, b"", 0) };
        let mut segments = vec![Segment { syn: true, ..wire.segment(Side::Client, -1, b"") }, syn_ack];
        // Longer than the distance at which a late segment still counts as before the first one.
        for at in 0..PACKETS {
            let (asked, answered) = ((at * 4) as u32, at as i64 * 1000);
            segments.push(segment(&wire, Side::Client, i64::from(asked), b"ask!", answered as u32));
            segments.push(segment(&wire, Side::Server, answered, &[7; 1000], asked + 4));
        }
        let all = (4 * PACKETS as i64, 1000 * PACKETS as i64);
        segments.push(Segment { fin: true, ..segment(&wire, Side::Client, all.0, b"", all.1 as u32) });
        segments.push(Segment { fin: true, ..segment(&wire, Side::Server, all.1, b"", all.0 as u32 + 1) });
        let mut packets: Vec<_> = segments.iter().enumerate().collect();
        shuffle(&mut packets, seed);
        for (at, segment) in packets {
            let time = Time::from_nanos(at as u64 * (seconds_apart * 1_000_000_000 + 1000));
            wire.reassembler.push(time, segment, &mut wire.tap);
        }
        let (tap, summary) = wire.finish();
        let one = tap.only();
        assert_eq!((summary.gaps, summary.stray_bytes, summary.late_segments, summary.order_given_up), (0, 0, 0, 0));
        assert_eq!(one.chunks(Side::Client).len() + one.chunks(Side::Server).len(), 2 * PACKETS, "seed {seed}");
        assert_eq!(Side::BOTH.map(|side| one.ending(side)), [Some(Ending::Closed); 2]);
        let expected = [(Side::Client, 4), (Side::Server, 1000)];
        let found = one.events.iter().filter_map(|(_, event)| match event {
            TapEvent::Chunk(side, bytes) => Some((*side, bytes.len())),
            _ => None,
        });
        assert!(found.eq(expected.iter().copied().cycle().take(2 * PACKETS)), "each answer after its question");
    }
}

#[test]
fn a_clock_that_jumps_back_ends_no_wait() {
    let mut wire = Wire::new(1000, Options::default());
    wire.now = 1_000_000_000_000;
    wire.handshake();
    let behind = wire.segment(Side::Client, 3, b"def");
    wire.push(&behind);
    wire.now = 500_000_000_000;
    let other = Segment { source: "192.0.2.7:7".parse().expect("an address"), ..wire.segment(Side::Client, 0, b"") };
    wire.push(&other);
    wire.now = 900_000_000_000;
    let data = wire.segment(Side::Client, 0, b"abc");
    wire.push(&data);
    let (tap, summary) = wire.finish();
    assert_eq!(tap.0[&1].chunks(Side::Client), [b"abc", b"def"]);
    assert_eq!((summary.gaps, summary.waits_timed_out), (0, 0));
}

#[test]
fn with_overlap_last_the_last_copy_before_its_acknowledgement_counts() {
    let script = |wire: &Wire| {
        vec![
            wire.segment(Side::Client, 0, b"abc"),
            wire.segment(Side::Client, 1, b"XYZ"),
            wire.segment(Side::Client, 2, b"!"),
            segment(wire, Side::Server, 0, b"", 4),
            // Too late.
            wire.segment(Side::Client, 0, b"????"),
            wire.segment(Side::Client, 4, b"efg"),
        ]
    };
    for (overlap, stream) in [(Overlap::First, b"abcZefg"), (Overlap::Last, b"aX!Zefg")] {
        let tap = play(Options { overlap, ..Options::default() }, script);
        assert_eq!(tap.only().chunks(Side::Client).concat(), stream, "{overlap:?}");
    }
}

#[test]
fn conflicts_are_listed_with_their_offset_and_both_copies() {
    let mut wire = Wire::new(1000, Options::default());
    wire.handshake();
    for (at, bytes) in [(0, &b"GET /index"[..]), (4, b"/INDeX"), (20, b"later"), (20, b"Later")] {
        let data = wire.segment(Side::Client, at, bytes);
        wire.push(&data);
    }
    let found: Vec<String> = wire.reassembler.incidents().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            r#"#1 192.0.2.1:40000 -> 192.0.2.2:80: two copies of the client's bytes differ in 4 bytes from @5 on: kept "index", dropped "INDeX""#,
            r#"#1 192.0.2.1:40000 -> 192.0.2.2:80: two copies of the client's bytes differ in 1 byte from @20 on: kept "later", dropped "Later""#,
        ]
    );
}

#[test]
fn the_byte_of_a_window_probe_is_delivered_once() {
    let mut wire = Wire::new(1000, Options::default());
    wire.handshake();
    for (at, bytes) in [(0, &b"abc"[..]), (3, b"d"), (3, b"d"), (3, b"def")] {
        let data = wire.segment(Side::Client, at, bytes);
        wire.push(&data);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().chunks(Side::Client), [&b"abc"[..], b"d", b"ef"]);
    assert_eq!(summary.conflicts, 0);
}

#[test]
fn urgent_data_is_delivered_in_its_place_and_counted() {
    let mut wire = Wire::new(1000, Options::default());
    wire.handshake();
    let urgent = Segment { urgent: true, ..wire.segment(Side::Client, 0, b"ab!") };
    wire.push(&urgent);
    let (tap, summary) = wire.finish();
    assert_eq!((tap.only().chunks(Side::Client), summary.urgent), (vec![&b"ab!"[..]], 1));
}

#[test]
fn two_sides_that_open_at_the_same_time_are_one_connection() {
    let mut wire = Wire::new(1000, Options::default());
    for side in Side::BOTH {
        let syn = Segment { syn: true, ..wire.segment(side, -1, b"") };
        wire.push(&syn);
    }
    for side in Side::BOTH {
        let syn_ack = Segment { syn: true, ..segment(&wire, side, -1, b"", 0) };
        wire.push(&syn_ack);
    }
    for side in Side::BOTH {
        let data = segment(&wire, side, 0, b"hello", 0);
        wire.push(&data);
    }
    let (tap, _) = wire.finish();
    assert_eq!(tap.only().connection.server.port(), 80, "the first sender is the client");
    assert_eq!(Side::BOTH.map(|side| tap.only().chunks(side).concat()), [b"hello", b"hello"]);
}

#[test]
fn the_same_endpoints_and_numbers_after_the_end_are_another_connection() {
    let mut wire = Wire::new(1000, Options::default());
    for text in [b"one", b"two"] {
        wire.handshake();
        for side in Side::BOTH {
            let data = Segment { fin: true, ..wire.segment(side, 0, text) };
            wire.push(&data);
        }
    }
    // Only a SYN that is answered opens another one.
    let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
    wire.push(&syn);
    let (tap, _) = wire.finish();
    let all: Vec<_> = tap.0.values().map(|one| one.chunks(Side::Client).concat()).collect();
    assert_eq!(all, [b"one", b"two"]);
}

#[test]
fn a_connection_whose_packets_come_again_after_its_end_is_one_connection() {
    let mut wire = Wire::new(1000, Options::default());
    let ack = segment(&wire, Side::Client, 5, b"", 4);
    let segments = [
        Segment { syn: true, ..wire.segment(Side::Client, -1, b"") },
        Segment { syn: true, ..segment(&wire, Side::Server, -1, b"", 0) },
        Segment { fin: true, ..segment(&wire, Side::Client, 0, b"ask!", 0) },
        Segment { fin: true, ..segment(&wire, Side::Server, 0, b"tell", 5) },
        ack,
    ];
    // Captured on two interfaces, and written one batch after the other.
    for delay in [0, 3] {
        for (at, segment) in segments.iter().enumerate() {
            let time = Time::from_nanos(1_000_000 + at as u64 * 1_000 + delay);
            wire.reassembler.push(time, segment, &mut wire.tap);
        }
    }
    let (tap, summary) = wire.finish();
    assert_eq!(chunks(tap.only()).len(), 2);
    assert_eq!((summary.retransmitted, summary.late_segments, summary.stray_bytes), (8, 0, 0));
}

#[test]
fn the_same_endpoints_in_two_networks_are_two_connections() {
    let mut wire = Wire::new(1000, Options::default());
    // The same sequence numbers in both, and different bytes.
    for (network, text) in [(5, &b"five"[..]), (6, b"six!")] {
        let segments = [
            Segment { syn: true, network, ..wire.segment(Side::Client, -1, b"") },
            Segment { syn: true, network, ..segment(&wire, Side::Server, -1, b"", 0) },
        ];
        segments.iter().for_each(|segment| wire.push(segment));
        let data = Segment { network, ..segment(&wire, Side::Client, 0, text, 0) };
        wire.push(&data);
    }
    for (network, text) in [(5, b"FIVE"), (6, b"SIX!")] {
        let data = Segment { network, ..segment(&wire, Side::Server, 0, text, 4) };
        wire.push(&data);
    }
    let (tap, summary) = wire.finish();
    let all: Vec<_> = tap.0.values().map(|one| Side::BOTH.map(|side| one.chunks(side).concat())).collect();
    assert_eq!(all, [[b"five", b"FIVE"], [b"six!", b"SIX!"]]);
    assert_eq!(summary.conflicts, 0);
}

#[test]
fn a_connection_with_another_tag_in_each_direction_is_one_connection() {
    for (client, server) in [(5, 6), (0, 6), (5, 0)] {
        let mut wire = Wire::new(1000, Options::default());
        let segments = [
            Segment { syn: true, network: client, ..wire.segment(Side::Client, -1, b"") },
            Segment { syn: true, network: server, ..segment(&wire, Side::Server, -1, b"", 0) },
            Segment { network: client, ..segment(&wire, Side::Client, 0, b"ask", 0) },
            Segment { network: server, ..segment(&wire, Side::Server, 0, b"tell", 3) },
        ];
        segments.iter().for_each(|segment| wire.push(segment));
        let (tap, _) = wire.finish();
        assert_eq!(chunks(tap.only()).len(), 2, "{client} and {server}");
    }
}

#[test]
fn packets_captured_with_and_without_their_tag_are_one_connection() {
    let mut wire = Wire::new(1000, Options::default());
    let segments = [
        Segment { syn: true, ..wire.segment(Side::Client, -1, b"") },
        Segment { syn: true, ..segment(&wire, Side::Server, -1, b"", 0) },
        segment(&wire, Side::Client, 0, b"ask", 0),
        segment(&wire, Side::Server, 0, b"tell", 3),
    ];
    for segment in segments {
        for network in [0, 9] {
            wire.push(&Segment { network, ..segment });
        }
    }
    let (tap, summary) = wire.finish();
    assert_eq!(chunks(tap.only()).len(), 2);
    assert_eq!(summary.retransmitted, 7);
}

/// A conversation: for each message whether the client sends it, and its length.
fn conversation() -> impl Strategy<Value = Vec<(bool, usize)>> {
    prop::collection::vec((any::<bool>(), 1..40usize), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    /// In a conversation with reordered packets, every byte is delivered, and none before the bytes
    /// its sender had received.
    #[test]
    fn no_reply_is_delivered_before_its_request_however_packets_are_reordered(
        exchanges in conversation(),
        moves in prop::collection::vec(0..30u32, 40),
        midstream in any::<bool>(),
        first in any::<u32>(),
    ) {
        let mut wire = Wire::new(first, Options::default());
        let text: Vec<u8> = (0..40 * 40).map(|place| (place % 251) as u8).collect();
        let (mut sent, mut packets) = ([0usize; 2], Vec::new());
        for (&(client, length), moved) in exchanges.iter().zip(moves) {
            let side = if client { Side::Client } else { Side::Server };
            let (this, other) = (side.index(), (!side).index());
            let payload = &text[sent[this]..sent[this] + length];
            let data = segment(&wire, side, sent[this] as i64, payload, sent[other] as u32);
            packets.push((packets.len() as u32 + moved, data, sent));
            sent[this] += length;
        }
        packets.sort_by_key(|(place, ..)| *place);
        if !midstream {
            wire.handshake();
        }
        let known: Vec<_> = packets.iter().map(|(_, segment, sent)| (segment.sequence, segment.source, *sent)).collect();
        for (_, segment, _) in &packets {
            wire.push(segment);
        }
        let ends = ["192.0.2.1:40000", "192.0.2.2:80"].map(|end| end.parse::<SocketAddr>().expect("an address"));
        let firsts = [wire.first, wire.server_first];
        let (tap, summary) = wire.finish();
        prop_assert_eq!((summary.gaps, summary.order_given_up, summary.stray_bytes), (0, 0, 0));
        let conversation = tap.only();
        let mut delivered = [0usize; 2];
        for (_, event) in &conversation.events {
            if let TapEvent::Chunk(side, bytes) = event {
                let side = if conversation.connection.client == ends[0] { *side } else { !*side };
                let this = side.index();
                prop_assert_eq!(&bytes[..], &text[delivered[this]..delivered[this] + bytes.len()]);
                let sequence = firsts[this].wrapping_add(1).wrapping_add(delivered[this] as u32);
                let (.., received) = known.iter().find(|(at, source, _)| *at == sequence && *source == ends[this]).expect("sent");
                prop_assert!(delivered[(!side).index()] >= received[(!side).index()], "{:?} at {} came early", side, delivered[this]);
                delivered[this] += bytes.len();
            }
        }
        prop_assert_eq!(delivered, sent);
    }
}

#[test]
fn connections_in_many_networks_that_end_hold_nothing() {
    let wire = Wire::new(1000, patient());
    let (mut reassembler, mut tap) = (Reassembler::new(patient()), Conversations::default());
    for network in 0..200 {
        for side in Side::BOTH {
            let syn = Segment { syn: true, network, ..segment(&wire, side, -1, b"", 0) };
            let syn = if side == Side::Client { Segment { acknowledgement: None, ..syn } } else { syn };
            reassembler.push(Time::default(), &syn, &mut tap);
        }
        for side in Side::BOTH {
            let fin = Segment { fin: true, network, ..wire.segment(side, 0, b"x") };
            reassembler.push(Time::default(), &fin, &mut tap);
        }
    }
    reassembler.finish(&mut tap);
    assert_eq!((tap.0.len(), reassembler.held()), (200, 0));
    assert!(tap.0.values().all(|one| one.ending(Side::Client) == Some(Ending::Closed)));
}

/// An alias leads from the key of a segment to its connection if their networks differ. Ended
/// connections leave aliases behind, and when there are too many, all of them are removed.
#[test]
fn a_connection_with_another_tag_in_each_direction_stays_one_when_its_alias_is_removed() {
    const CONNECTIONS: u16 = 5000;
    let wire = Wire::new(1000, patient());
    let (mut reassembler, mut tap) = (Reassembler::new(patient()), Conversations::default());
    let networks = [5, 6];
    let mut push = |client: SocketAddr, side: Side, segment: Segment<'_>| {
        let (source, destination) = match side {
            Side::Client => (client, segment.destination),
            Side::Server => (segment.source, client),
        };
        let segment = Segment { source, destination, network: networks[side.index()], ..segment };
        reassembler.push(Time::default(), &segment, &mut tap);
    };
    let open = |push: &mut dyn FnMut(SocketAddr, Side, Segment<'_>), client: SocketAddr| {
        push(client, Side::Client, Segment { syn: true, ..wire.segment(Side::Client, -1, b"") });
        push(client, Side::Server, Segment { syn: true, ..segment(&wire, Side::Server, -1, b"", 0) });
    };
    let long: SocketAddr = "192.0.2.9:7".parse().expect("an address");
    open(&mut push, long);
    for port in 0..CONNECTIONS {
        let client = SocketAddr::new([192, 0, 2, 5].into(), 1024 + port);
        open(&mut push, client);
        for side in Side::BOTH {
            push(client, side, Segment { fin: true, ..wire.segment(side, 0, b"") });
        }
    }
    push(long, Side::Client, segment(&wire, Side::Client, 0, b"ask", 0));
    push(long, Side::Server, segment(&wire, Side::Server, 0, b"tell", 3));
    reassembler.finish(&mut tap);
    assert_eq!(tap.0.len(), 1 + usize::from(CONNECTIONS));
    assert_eq!(chunks(&tap.0[&1]).len(), 2);
}
