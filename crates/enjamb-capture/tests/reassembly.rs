//! Segments in any order, compared with a map of bytes that ignores order.

mod conversations;
mod wire;

use conversations::{Conversations, TapEvent};
use enjamb::{Connection, Ending, Event, Side, Time};
use enjamb_capture::{Options, Overlap, Reassembler, Segment};
use proptest::prelude::*;
use wire::{Wire, patient, play};

/// A segment of the client's side, by its place in the stream.
#[derive(Clone, Debug)]
enum Sent {
    Data {
        at: usize,
        bytes: Vec<u8>,
    },
    /// The server acknowledges this many bytes, whether or not they were captured yet.
    Ack(usize),
    Fin,
}

fn apply(wire: &mut Wire, event: &Sent, end: usize) {
    match event {
        Sent::Data { at, bytes } => {
            let data = wire.segment(Side::Client, *at as i64, bytes);
            wire.push(&data);
        }
        Sent::Ack(offset) => {
            let acknowledgement = Some(wire.first.wrapping_add(1).wrapping_add(*offset as u32));
            let ack = Segment { acknowledgement, ..wire.segment(Side::Server, 0, b"") };
            wire.push(&ack);
        }
        Sent::Fin => {
            let fin = Segment { fin: true, ..wire.segment(Side::Client, end as i64, b"") };
            wire.push(&fin);
        }
    }
}

/// Initial sequence numbers: some that wrap soon, and any others.
fn first() -> impl Strategy<Value = u32> {
    prop_oneof![(0..3000u32).prop_map(|before| u32::MAX - before), any::<u32>()]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..1500)
}

/// Cuts a stream into segments.
fn segmentation(stream: Vec<u8>) -> impl Strategy<Value = (Vec<u8>, Vec<(usize, usize)>)> {
    let length = stream.len();
    prop::collection::btree_set(1..length.max(2), 0..12).prop_map(move |cuts| {
        let mut segments = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().filter(|cut| *cut < length).chain([length]) {
            segments.push((start, cut));
            start = cut;
        }
        (stream.clone(), segments)
    })
}

/// Every segment once, some ranges again, acknowledgements: in any order.
fn events() -> impl Strategy<Value = (Vec<u8>, Vec<Sent>)> {
    stream().prop_flat_map(segmentation).prop_flat_map(|(stream, segments)| {
        let length = stream.len();
        let again = prop::collection::vec((0..length, 1..400usize), 0..6);
        let acks = prop::collection::vec(0..=length, 0..6);
        (Just(stream), Just(segments), again, acks).prop_flat_map(|(stream, mut segments, again, acks)| {
            segments.extend(again.into_iter().map(|(at, size)| (at, (at + size).min(stream.len()))));
            let data = |(at, end): (usize, usize)| Sent::Data { at, bytes: stream[at..end].to_vec() };
            let mut events: Vec<Sent> = segments.into_iter().map(data).collect();
            events.extend(acks.into_iter().map(Sent::Ack));
            events.push(Sent::Fin);
            (Just(stream), Just(events).prop_shuffle())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_is_the_same_in_any_order_of_its_segments((stream, events) in events(), first in first()) {
        let mut wire = Wire::new(first, patient());
        wire.handshake();
        for event in &events {
            apply(&mut wire, event, stream.len());
        }
        let (tap, summary) = wire.finish();
        let conversation = tap.only();
        prop_assert_eq!(conversation.chunks(Side::Client).concat(), stream.clone());
        prop_assert_eq!(conversation.ending(Side::Client), Some(Ending::Closed));
        prop_assert_eq!((summary.gaps, summary.conflicts, summary.stray_bytes), (0, 0, 0));
        prop_assert_eq!(summary.payload, stream.len() as u64);
    }

    #[test]
    fn each_segment_is_one_chunk_in_any_order(
        (stream, segments) in stream().prop_flat_map(segmentation),
        seed in any::<prop::sample::Index>(),
        first in first(),
    ) {
        let mut wire = Wire::new(first, patient());
        wire.handshake();
        let mut order: Vec<_> = segments.clone();
        let turn = seed.index(order.len());
        order.rotate_left(turn);
        for (at, end) in order {
            apply(&mut wire, &Sent::Data { at, bytes: stream[at..end].to_vec() }, stream.len());
        }
        let (tap, _) = wire.finish();
        let chunks: Vec<_> = segments.iter().map(|&(at, end)| &stream[at..end]).collect();
        prop_assert_eq!(tap.only().chunks(Side::Client), chunks);
    }

    /// Some segments are lost, and some copies differ.
    #[test]
    fn the_first_copy_of_a_byte_counts_and_a_missing_one_is_a_gap(
        (stream, mut events) in events(),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        other in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        first in first(),
    ) {
        for index in other {
            if let Sent::Data { bytes, .. } = index.get_mut(&mut events[..]) {
                bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
            }
        }
        for index in lost {
            if events.len() > 1 {
                events.remove(index.index(events.len()));
            }
        }
        let mut map: Vec<Option<u8>> = vec![None; stream.len()];
        for event in &events {
            if let Sent::Data { at, bytes } = event {
                for (place, &byte) in map[*at..].iter_mut().zip(bytes) {
                    place.get_or_insert(byte);
                }
            }
        }
        let ended = events.iter().any(|event| matches!(event, Sent::Fin));
        if !ended {
            // Without a FIN, the stream ends with the last byte seen.
            map.truncate(map.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        }

        let mut wire = Wire::new(first, patient());
        wire.handshake();
        for event in &events {
            apply(&mut wire, event, stream.len());
        }
        let (tap, summary) = wire.finish();
        prop_assert_eq!(tap.only().ending(Side::Client), ended.then_some(Ending::Closed));
        prop_assert_eq!(summary.gap_bytes, map.iter().filter(|byte| byte.is_none()).count() as u64);
        prop_assert_eq!(tap.only().stream(Side::Client), map);
    }

    /// Even if holes are given up too early, delivered bytes are in their place.
    #[test]
    fn short_patience_loses_bytes_but_never_misplaces_one(
        (stream, events) in events(),
        patience in 0..4u32,
        held in prop_oneof![Just(usize::MAX), 0..2000usize],
        first in first(),
    ) {
        let options = Options { patience, patience_one_sided: patience, held_per_stream: held, ..Options::default() };
        let mut wire = Wire::new(first, options);
        wire.handshake();
        for event in &events {
            apply(&mut wire, event, stream.len());
            prop_assert!(wire.reassembler.held() <= held);
        }
        let (tap, summary) = wire.finish();
        let found = tap.only().stream(Side::Client);
        prop_assert!(found.len() <= stream.len());
        for (at, byte) in found.iter().enumerate() {
            prop_assert!(byte.is_none_or(|byte| byte == stream[at]), "byte {at}");
        }
        prop_assert_eq!(summary.payload, found.iter().flatten().count() as u64);
    }

    /// Any numbers, any flags, any payload: no panic, and the order of events is right.
    #[test]
    fn any_segments_give_events_in_the_right_order(
        segments in prop::collection::vec(
            (any::<bool>(), prop_oneof![0..40u32, any::<u32>()], prop::option::of(0..40u32), any::<[bool; 4]>(),
             prop::collection::vec(any::<u8>(), 0..8), 0..3u64, 0..2u64, (0..3u64, 0..3u64)),
            0..60,
        ),
        last in any::<bool>(),
    ) {
        let options = Options { patience: 3, patience_one_sided: 5, held_in_all: 400, connections: 2, ..Options::default() };
        let options = Options { overlap: if last { Overlap::Last } else { Overlap::First }, ..options };
        let mut wire = Wire::new(0, options);
        for (client, sequence, acknowledgement, [syn, fin, rst, rare], payload, missing, dropped, (seconds, network)) in segments {
            let side = if client { Side::Client } else { Side::Server };
            wire.now += seconds * 700_000_000 * if network == 2 { 60 } else { 1 };
            let segment = Segment {
                sequence, acknowledgement, missing, dropped, network,
                syn: syn && rare, fin: fin && rare, rst: rst && rare,
                ..wire.segment(side, 0, &payload)
            };
            wire.push(&segment);
            prop_assert!(wire.reassembler.held() <= 400);
        }
        let (tap, summary) = wire.finish();
        prop_assert_eq!(tap.0.len() as u64, summary.connections);
        for conversation in tap.0.values() {
            prop_assert_eq!(conversation.events.last().map(|(_, event)| event), Some(&TapEvent::Done));
        }
    }
}

#[test]
fn bytes_that_are_captured_after_their_acknowledgement_are_delivered() {
    let tap = play(Options { patience: 2, ..Options::default() }, |wire| {
        let client = |at, bytes| wire.segment(Side::Client, at, bytes);
        let ack = Segment { acknowledgement: Some(1007), ..wire.segment(Side::Server, 0, b"") };
        vec![client(3, b"def"), ack, client(0, b"abc")]
    });
    assert_eq!(tap.only().chunks(Side::Client), [b"abc", b"def"]);
}

#[test]
fn an_acknowledged_hole_is_given_up_after_the_patience() {
    let options = Options { patience: 2, ..Options::default() };
    let tap = play(options, |wire| {
        let ack = Segment { acknowledgement: Some(1007), ..wire.segment(Side::Server, 0, b"") };
        vec![wire.segment(Side::Client, 3, b"def"), ack, ack, ack, wire.segment(Side::Client, 6, b"ghi")]
    });
    let events: Vec<_> = tap.only().events.iter().map(|(time, event)| (time.nanos(), event.clone())).collect();
    let chunk = |bytes: &[u8]| TapEvent::Chunk(Side::Client, bytes.to_vec());
    assert_eq!(events[1..3], [(3_000, TapEvent::Gap(Side::Client, 3)), (3_000, chunk(b"def"))]);
    assert_eq!(events[3], (7_000, chunk(b"ghi")));
}

#[test]
fn a_hole_that_was_not_acknowledged_is_kept() {
    let options = Options { patience: 0, patience_one_sided: 0, ..Options::default() };
    let tap = play(options, |wire| {
        let ack = Segment { acknowledgement: Some(1001), ..wire.segment(Side::Server, 0, b"") };
        vec![wire.segment(Side::Client, 3, b"def"), ack, ack, ack, wire.segment(Side::Client, 0, b"abc")]
    });
    assert_eq!(tap.only().chunks(Side::Client), [b"abc", b"def"]);
}

#[test]
fn bytes_that_come_after_a_reset_are_delivered_before_it() {
    let tap = play(Options::default(), |wire| {
        let reset = Segment { rst: true, ..wire.segment(Side::Server, 0, b"") };
        vec![wire.segment(Side::Client, 0, b"abc"), reset, wire.segment(Side::Client, 3, b"def")]
    });
    let conversation = tap.only();
    assert_eq!(conversation.chunks(Side::Client), [b"abc", b"def"]);
    let closes: Vec<_> = conversation.events[3..].iter().map(|(_, event)| event.clone()).collect();
    let reset = |side| TapEvent::Close(side, Ending::Reset);
    assert_eq!(closes, [reset(Side::Server), reset(Side::Client), TapEvent::Done]);
}

#[test]
fn a_reset_outside_of_the_window_or_before_more_of_its_stream_is_forged() {
    let tap = play(Options::default(), |wire| {
        let blind = Segment { rst: true, ..wire.segment(Side::Server, -70_000, b"") };
        let exact = Segment { rst: true, ..wire.segment(Side::Server, 3, b"") };
        let server = |at, bytes| wire.segment(Side::Server, at, bytes);
        vec![server(0, b"abc"), blind, exact, server(3, b"def"), server(6, b"ghi")]
    });
    assert_eq!(tap.only().chunks(Side::Server), [b"abc", b"def", b"ghi"]);
    assert_eq!(tap.only().ending(Side::Server), None);
}

#[test]
fn a_side_that_is_reset_after_its_end_stays_closed() {
    let tap = play(Options::default(), |wire| {
        let fin = Segment { fin: true, ..wire.segment(Side::Client, 0, b"abc") };
        let reset = Segment { rst: true, ..wire.segment(Side::Server, 0, b"") };
        vec![fin, reset]
    });
    assert_eq!(tap.only().ending(Side::Client), Some(Ending::Closed));
    assert_eq!(tap.only().ending(Side::Server), Some(Ending::Reset));
}

#[test]
fn a_keep_alive_probe_is_neither_data_nor_a_conflict() {
    let mut wire = Wire::new(5, patient());
    wire.handshake();
    for (at, bytes) in [(0, &b"abc"[..]), (2, b"\0"), (2, b""), (3, b"def")] {
        let segment = wire.segment(Side::Client, at, bytes);
        wire.push(&segment);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().chunks(Side::Client), [b"abc", b"def"]);
    assert_eq!((summary.keep_alives, summary.conflicts, summary.retransmitted), (2, 0, 0));
}

#[test]
fn bytes_of_a_fast_open_are_the_first_ones() {
    let mut wire = Wire::new(u32::MAX, patient());
    let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"GET") };
    wire.push(&syn);
    let syn_ack = Segment { syn: true, acknowledgement: Some(3), ..wire.segment(Side::Server, -1, b"") };
    wire.push(&syn_ack);
    let rest = wire.segment(Side::Client, 3, b" /");
    wire.push(&rest);
    assert_eq!(wire.finish().0.only().chunks(Side::Client).concat(), b"GET /");
}

#[test]
fn a_truncated_packet_gives_its_bytes_and_a_gap_at_once() {
    let tap = play(patient(), |wire| {
        let cut = Segment { missing: 7, ..wire.segment(Side::Client, 0, b"abc") };
        vec![cut, wire.segment(Side::Client, 10, b"klm")]
    });
    let events: Vec<_> = tap.only().events.iter().map(|(_, event)| event.clone()).collect();
    let chunk = |bytes: &[u8]| TapEvent::Chunk(Side::Client, bytes.to_vec());
    assert_eq!(events[1..4], [chunk(b"abc"), TapEvent::Gap(Side::Client, 7), chunk(b"klm")]);
}

#[test]
fn a_new_handshake_between_the_same_endpoints_opens_another_connection() {
    let mut wire = Wire::new(1000, patient());
    wire.handshake();
    let data = wire.segment(Side::Client, 0, b"first");
    wire.push(&data);
    // Its SYN again is not another one.
    let again = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
    wire.push(&again);
    (wire.first, wire.server_first) = (777_777, 888_888);
    wire.handshake();
    let data = wire.segment(Side::Client, 0, b"second");
    wire.push(&data);
    let (tap, _) = wire.finish();
    let chunks: Vec<_> = tap.0.values().map(|conversation| conversation.chunks(Side::Client).concat()).collect();
    assert_eq!(chunks, [&b"first"[..], b"second"]);
}

#[test]
fn a_client_that_is_answered_with_old_numbers_after_a_crash_opens_another_connection() {
    for jump in [1_000_000, 3_000_000_000] {
        let mut wire = Wire::new(jump, patient());
        wire.handshake();
        let data = wire.segment(Side::Client, 0, b"first");
        wire.push(&data);
        let (old, old_server) = (wire.first, wire.server_first);
        (wire.first, wire.server_first) = (777, 99);
        let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
        wire.push(&syn);
        let acknowledgement = Some(old.wrapping_add(6));
        let sequence = old_server.wrapping_add(1);
        let challenge = Segment { sequence, acknowledgement, ..wire.segment(Side::Server, 0, b"") };
        wire.push(&challenge);
        let reset = Segment { rst: true, sequence: old.wrapping_add(6), ..wire.segment(Side::Client, 0, b"") };
        wire.push(&reset);
        wire.now += 2_000_000_000;
        wire.handshake();
        for (side, bytes) in [(Side::Client, b"ask!"), (Side::Server, b"tell")] {
            let data = wire.segment(side, 0, bytes);
            wire.push(&data);
        }
        let (tap, summary) = wire.finish();
        let said = |number, side| tap.0[&number].chunks(side).concat();
        assert_eq!((tap.0.len(), summary.stray_bytes), (2, 0));
        assert_eq!(
            [said(1, Side::Client), said(2, Side::Client), said(2, Side::Server)],
            [&b"first"[..], b"ask!", b"tell"]
        );
    }
}

#[test]
fn segments_after_both_ends_open_no_connection() {
    let mut wire = Wire::new(1000, patient());
    wire.handshake();
    for side in [Side::Client, Side::Server] {
        let fin = Segment { fin: true, ..wire.segment(side, 0, b"bye") };
        wire.push(&fin);
    }
    let last = Segment { acknowledgement: Some(9), ..wire.segment(Side::Client, 4, b"") };
    wire.push(&last);
    let fin = Segment { fin: true, ..wire.segment(Side::Server, 0, b"bye") };
    wire.push(&fin);
    let more = wire.segment(Side::Server, 1, b"yes");
    wire.push(&more);
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().events.last().map(|(time, event)| (time.nanos(), event)), Some((4_000, &TapEvent::Done)));
    assert_eq!((summary.retransmitted, summary.late_segments, summary.stray_bytes), (3, 1, 3));
}

#[test]
fn a_capture_that_joins_late_finds_the_client_by_the_port() {
    let mut wire = Wire::new(1000, patient());
    for (side, at, bytes) in [(Side::Server, 500, &b"abc"[..]), (Side::Client, 70, b"x"), (Side::Server, 503, b"def")] {
        let segment = wire.segment(side, at, bytes);
        wire.push(&segment);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().connection.server.port(), 80);
    assert_eq!(tap.only().chunks(Side::Server), [b"abc", b"def"]);
    assert_eq!(tap.only().chunks(Side::Client), [b"x"]);
    assert_eq!(summary.gaps, 0);
}

#[test]
fn the_connection_that_was_silent_for_longest_is_given_up_for_another() {
    let options = Options { connections: 2, ..Options::default() };
    let mut wire = Wire::new(1000, options);
    for port in [1, 2, 1, 3, 1, 4] {
        let segment = Segment {
            source: format!("192.0.2.9:{}", 1000 + port).parse().expect("an address"),
            ..wire.segment(Side::Client, 0, b"")
        };
        wire.push(&segment);
    }
    let (tap, summary) = wire.finish();
    assert_eq!((summary.connections, summary.connections_given_up), (4, 2));
    let done = |number: u64| tap.0[&number].events.last().map(|(time, _)| time.nanos());
    // The first one was used again and again, so it lasts to the end.
    assert_eq!([done(1), done(2), done(3)], [Some(5_000), Some(2_000), Some(4_000)]);
}

#[test]
fn bytes_outside_the_stream_are_counted_and_not_delivered() {
    let mut wire = Wire::new(1000, patient());
    wire.handshake();
    // Two bytes before the first one, bytes further ahead than any window, bytes after the FIN.
    for (at, bytes) in [(-2, &b"??abc"[..]), ((1 << 30) + 9, b"far")] {
        let segment = wire.segment(Side::Client, at, bytes);
        wire.push(&segment);
    }
    let fin = Segment { fin: true, ..wire.segment(Side::Client, 6, b"") };
    wire.push(&fin);
    let behind = wire.segment(Side::Client, 3, b"defghi");
    wire.push(&behind);
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().chunks(Side::Client), [b"abc", b"def"]);
    assert_eq!((summary.stray_bytes, summary.gaps), (2 + 3 + 3, 0));
    assert_eq!(tap.only().ending(Side::Client), Some(Ending::Closed));
}

#[test]
fn a_fin_before_held_bytes_is_ignored() {
    let tap = play(patient(), |wire| {
        let fin = Segment { fin: true, ..wire.segment(Side::Client, 1, b"") };
        vec![wire.segment(Side::Client, 3, b"def"), fin, wire.segment(Side::Client, 0, b"abc")]
    });
    assert_eq!(tap.only().chunks(Side::Client), [b"abc", b"def"]);
    assert_eq!(tap.only().ending(Side::Client), None);
}

#[test]
fn copies_that_differ_are_counted_whether_the_first_is_held_or_delivered() {
    let mut wire = Wire::new(1000, patient());
    wire.handshake();
    for (at, bytes) in [(3, &b"def"[..]), (3, b"dXf"), (0, b"abc"), (0, b"abY"), (1, b"bcdZf"), (6, b"ghi")] {
        let segment = wire.segment(Side::Client, at, bytes);
        wire.push(&segment);
    }
    let (tap, summary) = wire.finish();
    assert_eq!(tap.only().chunks(Side::Client), [b"abc", b"def", b"ghi"]);
    assert_eq!((summary.conflicts, summary.conflicting_bytes, summary.retransmitted), (3, 3, 11));
}

#[test]
fn a_hole_in_a_capture_of_one_direction_is_given_up_after_the_one_sided_patience() {
    let options = Options { patience: u32::MAX, patience_one_sided: 2, ..Options::default() };
    let mut wire = Wire::new(1000, options);
    let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
    wire.push(&syn);
    let mut gaps = Vec::new();
    for (at, bytes) in [(0, &b"abc"[..]), (6, b"g"), (7, b"h"), (8, b"i"), (9, b"j")] {
        let segment = wire.segment(Side::Client, at, bytes);
        wire.push(&segment);
        gaps.push(wire.reassembler.summary().gaps);
    }
    assert_eq!(gaps, [0, 0, 0, 1, 1], "given up with the third packet that has the hole");
    assert_eq!(wire.finish().0.only().chunks(Side::Client).concat(), b"abcghij");
}

#[test]
fn bytes_that_come_after_their_gap_are_late_and_not_retransmitted() {
    let mut wire = Wire::new(1000, Options { patience: 1, ..Options::default() });
    wire.handshake();
    let ack = Segment { acknowledgement: Some(1010), ..wire.segment(Side::Server, 0, b"") };
    for segment in [wire.segment(Side::Client, 0, b"abc"), wire.segment(Side::Client, 6, b"ghi"), ack, ack, ack] {
        wire.push(&segment);
    }
    for (at, bytes) in [(1, &b"bcdef"[..]), (3, b"def")] {
        let data = wire.segment(Side::Client, at, bytes);
        wire.push(&data);
    }
    let (_, summary) = wire.finish();
    assert_eq!((summary.gap_bytes, summary.late_bytes, summary.retransmitted), (3, 6, 2));
}

#[test]
fn every_hole_has_the_same_patience() {
    let options = Options { patience: 2, ..Options::default() };
    let tap = play(options, |wire| {
        let client = |at, bytes: &'static [u8]| wire.segment(Side::Client, at, bytes);
        let ack = Segment { acknowledgement: Some(1021), ..wire.segment(Side::Server, 0, b"") };
        // The first hole is filled after two packets, the second one after two more.
        vec![client(3, b"def"), ack, ack, client(9, b"jkl"), client(0, b"abc"), ack, ack, client(6, b"ghi")]
    });
    let events = &tap.only().events;
    assert!(
        events.iter().any(|(_, event)| matches!(event, TapEvent::Gap(Side::Client, 3))),
        "three packets are too many"
    );
    let tap = play(Options { patience: 3, ..Options::default() }, |wire| {
        let client = |at, bytes: &'static [u8]| wire.segment(Side::Client, at, bytes);
        let ack = Segment { acknowledgement: Some(1021), ..wire.segment(Side::Server, 0, b"") };
        vec![client(3, b"def"), ack, ack, client(9, b"jkl"), client(0, b"abc"), ack, ack, client(6, b"ghi")]
    });
    assert_eq!(tap.only().chunks(Side::Client).concat(), b"abcdefghijkl");
}

#[test]
fn packets_truncated_to_their_headers_give_gaps_and_hold_nothing() {
    let mut wire = Wire::new(1000, Options { patience: 2, ..Options::default() });
    wire.handshake();
    let ack = Segment { acknowledgement: Some(1000 + 900), ..wire.segment(Side::Server, 0, b"") };
    // The first packet is not captured at all.
    for at in 1..6 {
        let cut = Segment { missing: 100, ..wire.segment(Side::Client, at * 100, b"") };
        wire.push(&cut);
        wire.push(&ack);
    }
    assert_eq!(wire.reassembler.held(), 0);
    let (_, summary) = wire.finish();
    assert_eq!(summary.gap_bytes, 600);
}

#[test]
fn a_whole_copy_inside_a_truncated_one_is_delivered() {
    let tap = play(patient(), |wire| {
        let cut = Segment { missing: 6, ..wire.segment(Side::Client, 3, b"") };
        vec![cut, wire.segment(Side::Client, 5, b"fg"), wire.segment(Side::Client, 0, b"abc")]
    });
    let events: Vec<_> = tap.only().events.iter().map(|(_, event)| event.clone()).collect();
    let chunk = |bytes: &[u8]| TapEvent::Chunk(Side::Client, bytes.to_vec());
    let gap = |missing| TapEvent::Gap(Side::Client, missing);
    assert_eq!(events[1..5], [chunk(b"abc"), gap(2), chunk(b"fg"), gap(2)]);
}

#[test]
fn a_syn_that_is_captured_late_opens_no_connection_and_a_distant_one_does() {
    for (before, connections) in [(300, 1), (1 << 24, 2)] {
        let mut wire = Wire::new(5_000_000, patient());
        let data = wire.segment(Side::Client, 0, b"abc");
        wire.push(&data);
        let syn = Segment { syn: true, ..wire.segment(Side::Client, -before, b"") };
        wire.push(&syn);
        assert_eq!(wire.finish().1.connections, connections, "{before} bytes before");
    }
}

#[test]
fn a_reset_that_answers_a_syn_must_acknowledge_it() {
    for (acknowledged, ending) in [(1001, Some(Ending::Reset)), (1000, None)] {
        let mut wire = Wire::new(1000, patient());
        let syn = Segment { syn: true, ..wire.segment(Side::Client, -1, b"") };
        wire.push(&syn);
        let refused = Segment { rst: true, acknowledgement: Some(acknowledged), ..wire.segment(Side::Server, -5, b"") };
        wire.push(&refused);
        assert_eq!(wire.finish().0.only().ending(Side::Client), ending, "{acknowledged}");
    }
}

#[test]
fn a_reset_is_accepted_from_the_acknowledged_bytes_on_although_more_were_captured() {
    let tap = play(patient(), |wire| {
        let server_first = wire.server_first.wrapping_add(1);
        let ack = Segment { acknowledgement: Some(server_first.wrapping_add(3)), ..wire.segment(Side::Client, 0, b"") };
        let reset = Segment { rst: true, ..wire.segment(Side::Server, 3, b"") };
        vec![wire.segment(Side::Server, 0, b"abc"), ack, wire.segment(Side::Server, 3, b"def"), reset]
    });
    assert_eq!(tap.only().ending(Side::Server), Some(Ending::Reset));
}

#[test]
fn a_reset_connection_ends_one_second_of_capture_time_later() {
    let mut wire = Wire::new(1000, patient());
    wire.handshake();
    let reset = Segment { rst: true, ..wire.segment(Side::Client, 0, b"") };
    wire.push(&reset);
    let other = Segment { source: "192.0.2.7:7".parse().expect("an address"), ..wire.segment(Side::Client, 0, b"") };
    let done = |wire: &Wire| wire.tap.0[&1].events.last().map(|(time, event)| (time.nanos(), event.clone()));
    wire.now += 900_000_000;
    wire.push(&other);
    assert_ne!(done(&wire).map(|(_, event)| event), Some(TapEvent::Done));
    wire.now += 200_000_000;
    wire.push(&other);
    assert_eq!(done(&wire), Some((3_000, TapEvent::Done)), "at the time of the reset");
}

#[test]
fn a_segment_without_syn_opens_another_connection_only_after_the_time_wait() {
    for (seconds, connections) in [(50, 1), (70, 2)] {
        let mut wire = Wire::new(1000, patient());
        wire.handshake();
        for side in Side::BOTH {
            let fin = Segment { fin: true, ..wire.segment(side, 0, b"") };
            wire.push(&fin);
        }
        wire.now += seconds * 1_000_000_000;
        let data = wire.segment(Side::Client, 70_000, b"more");
        wire.push(&data);
        assert_eq!(wire.finish().1.connections, connections, "{seconds} seconds later");
    }
}

#[test]
fn at_the_end_of_the_capture_connections_are_done_in_the_order_of_their_numbers() {
    struct Order(Vec<u64>);
    impl enjamb::Tap for Order {
        fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
            if event == Event::Done {
                self.0.push(connection.number);
            }
        }
    }
    let wire = Wire::new(1000, patient());
    let (mut reassembler, mut order) = (Reassembler::new(patient()), Order(Vec::new()));
    for port in 0..50u16 {
        let source = std::net::SocketAddr::new([192, 0, 2, 5].into(), 9000 + port);
        let segment = Segment { source, ..wire.segment(Side::Client, 0, b"") };
        reassembler.push(Time::default(), &segment, &mut order);
    }
    reassembler.finish(&mut order);
    assert!(order.0.into_iter().eq(1..=50));
}

#[test]
fn a_hole_left_by_packets_that_the_capturing_system_lost_is_given_up_at_once() {
    let tap = play(patient(), |wire| {
        let behind = Segment { dropped: 1, ..wire.segment(Side::Client, 3, b"def") };
        vec![behind, wire.segment(Side::Client, 6, b"ghi")]
    });
    let events: Vec<_> = tap.only().events.iter().map(|(time, event)| (time.nanos(), event.clone())).collect();
    assert_eq!(events[1], (3_000, TapEvent::Gap(Side::Client, 3)));
    assert_eq!(events[2], (3_000, TapEvent::Chunk(Side::Client, b"def".to_vec())));
}

#[test]
fn the_held_data_of_all_connections_is_within_its_limit() {
    let held_in_all = 2_000;
    let wire = Wire::new(1000, patient());
    let mut tap = Conversations::default();
    let mut reassembler = Reassembler::new(Options { held_in_all, ..patient() });
    for port in 0..40u16 {
        let source = std::net::SocketAddr::new([192, 0, 2, 5].into(), 9000 + port);
        for (at, payload) in [(-1, &[][..]), (0, &[7; 200]), (500, &[7; 200])] {
            let segment = Segment { source, syn: at < 0, ..wire.segment(Side::Client, at, payload) };
            reassembler.push(Time::default(), &segment, &mut tap);
            assert!(reassembler.held() <= held_in_all, "{} bytes", reassembler.held());
        }
    }
    assert!(reassembler.held() > held_in_all / 2, "the limit is used");
    reassembler.finish(&mut tap);
    let summary = reassembler.summary();
    assert_eq!((summary.gaps, summary.payload, reassembler.held()), (40, 40 * 400, 0));
    // Six pieces of 200 bytes fit, with their overhead.
    assert_eq!(summary.gaps_for_memory, 34);
}
