//! Shards of a capture report what one reassembler reports, segment by segment.
//!
//! The segments are generated: a few connections at the same time, with losses, repetitions,
//! disorder, resets, forged FINs, networks, endpoints that are used again, and clocks that run
//! backwards.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_capture::{Incident, Options, Overlap, Reassembler, Segment, Shard, Summary, endpoints_hash};
use proptest::prelude::*;

/// An event, with the number of its connection, as text.
type Reported = (u64, String);

#[derive(Default)]
struct Events(Vec<Reported>);

impl Tap for Events {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let Connection { number, client, server } = connection;
        self.0.push((*number, format!("{client} {server} {time:?} {event:?}")));
    }
}

/// A packet of a generated capture.
#[derive(Clone, Debug)]
struct Packet {
    /// The endpoints, and the side that sends.
    pair: u8,
    side: Side,
    /// Flags: SYN, ACK, FIN, RST, in the lowest bits.
    flags: u8,
    /// The place in the stream, and that of the acknowledgement.
    place: u32,
    acknowledged: u32,
    length: u8,
    missing: u8,
    network: u8,
    dropped: bool,
    /// Milliseconds since the packet before it.
    step: i64,
}

fn packet() -> impl Strategy<Value = Packet> {
    let side = prop_oneof![Just(Side::Client), Just(Side::Server)];
    // Mostly data with an acknowledgement.
    let flags = prop_oneof![8 => Just(2_u8), 2 => Just(1_u8), 2 => Just(3_u8), 1 => Just(6_u8), 1 => Just(10_u8), 1 => 0..16_u8];
    let step = prop_oneof![6 => 0..20_i64, 2 => 900..2_000_i64, 1 => 30_000..70_000_i64, 1 => -3_000..0_i64];
    let place = prop_oneof![4 => 0..6_u32, 1 => 0..40_u32];
    let acknowledged = prop_oneof![4 => 0..6_u32, 1 => 0..40_u32];
    let network = prop_oneof![6 => Just(0_u8), 1 => 0..3_u8];
    let parts = (0..6_u8, side, flags, place, acknowledged, 0..24_u8, prop_oneof![9 => Just(0_u8), 1 => 0..9_u8]);
    (parts, network, any::<u8>(), step).prop_map(
        |((pair, side, flags, place, acknowledged, length, missing), network, dropped, step)| Packet {
            pair,
            side,
            flags,
            place,
            acknowledged,
            length,
            missing,
            network,
            dropped: dropped == 0,
            step,
        },
    )
}

const BYTES: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-";

impl Packet {
    fn segment(&self) -> Segment<'static> {
        let ends: [SocketAddr; 2] = [([10, 0, 0, 1 + self.pair], 40_000).into(), ([10, 0, 1, 1], 80).into()];
        let [source, destination] = if self.side == Side::Client { ends } else { [ends[1], ends[0]] };
        let syn = self.flags & 1 != 0;
        let start = if self.side == Side::Client { 1_000_u32 } else { 70_000 };
        let other = if self.side == Side::Client { 70_000 } else { 1_000_u32 };
        let at = if syn { 0 } else { self.place * 8 };
        Segment {
            source,
            destination,
            sequence: start + at + u32::from(!syn),
            acknowledgement: (self.flags & 2 != 0).then(|| other + 1 + if syn { 0 } else { self.acknowledged * 8 }),
            syn,
            fin: self.flags & 4 != 0,
            rst: self.flags & 8 != 0,
            urgent: false,
            network: u64::from(self.network),
            payload: if syn { b"" } else { &BYTES[at as usize % 32..][..usize::from(self.length)] },
            missing: u64::from(self.missing),
            dropped: u64::from(self.dropped),
            bad_checksum: self.length == 1,
        }
    }
}

/// The packets with their times.
fn timed(packets: &[Packet]) -> Vec<(Time, Segment<'static>)> {
    let mut now = 1_700_000_000_000_i64;
    let timed = packets.iter().map(|packet| {
        now += packet.step;
        (Time::from_nanos(now.cast_unsigned() * 1_000_000), packet.segment())
    });
    timed.collect()
}

type Report = (Vec<Reported>, Summary, Vec<Incident>);

fn with_one_reassembler(packets: &[(Time, Segment<'_>)], pause: usize, options: &Options) -> Report {
    let (mut reassembler, mut events) = (Reassembler::new(options.clone()), Events::default());
    for (place, (time, segment)) in packets.iter().enumerate() {
        if place == pause {
            reassembler.pause(&mut events);
        }
        reassembler.push(*time, segment, &mut events);
    }
    reassembler.finish(&mut events);
    let (summary, incidents) = reassembler.into_counts();
    (events.0, summary, incidents)
}

/// Returns everything that all shards report in `act`.
fn each(shards: &mut [Shard], act: impl Fn(&mut Shard, &mut Events)) -> Vec<Reported> {
    let mut events = Events::default();
    shards.iter_mut().for_each(|shard| act(shard, &mut events));
    events.0
}

/// Gives the packets to shards, which are joined before packet `join`.
fn with_shards(packets: &[(Time, Segment<'_>)], pause: usize, count: usize, join: usize, options: &Options) -> Report {
    let mut shards: Vec<_> = (0..count).map(|_| Shard::new(options.clone())).collect();
    let mut numbers = BTreeMap::new();
    let mut all = Vec::new();
    // Adds what the shards reported for one step.
    let mut add = |mut reported: Vec<Reported>, numbers: &mut BTreeMap<u64, u64>| {
        reported.sort_by_key(|(number, _)| *number);
        for (number, event) in reported {
            let next = numbers.len() as u64 + 1;
            all.push((*numbers.entry(number).or_insert(next), event));
        }
    };
    let join = join.min(packets.len());
    for (place, (time, segment)) in packets[..join].iter().enumerate() {
        if place == pause {
            add(each(&mut shards, |shard, events| shard.pause(events)), &mut numbers);
        }
        add(each(&mut shards, |shard, events| shard.advance(*time, events)), &mut numbers);
        let shard = endpoints_hash(segment.source, segment.destination) as usize % count;
        let mut events = Events::default();
        shards[shard].receive(*time, segment, &mut events);
        // One segment concerns one connection, or one that ends and one that opens.
        add(events.0, &mut numbers);
    }
    if join == packets.len() {
        add(each(&mut shards, |shard, events| shard.finish(events)), &mut numbers);
    }
    let mut rest = Events::default();
    let mut reassembler = Shard::join(shards, options.clone(), |number| numbers[&number]);
    for (place, (time, segment)) in packets.iter().enumerate().skip(join) {
        if place == pause {
            reassembler.pause(&mut rest);
        }
        reassembler.push(*time, segment, &mut rest);
    }
    reassembler.finish(&mut rest);
    all.extend(rest.0);
    let (summary, incidents) = reassembler.into_counts();
    (all, summary, incidents)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn shards_report_what_one_reassembler_reports(
        packets in prop::collection::vec(packet(), 0..120),
        count in 1..5_usize,
        join in 0..200_usize,
        pause in 0..200_usize,
        last in any::<bool>(),
        patience in 1..12_u32,
        seconds in 0..90_u64,
    ) {
        let overlap = if last { Overlap::Last } else { Overlap::First };
        let patience_time = Duration::from_secs(seconds);
        let options = Options { overlap, patience, patience_one_sided: patience, patience_time, ..Options::default() };
        let packets = timed(&packets);
        // Deadlines also need a number of segments. So the packets come after as many that belong
        // to nothing.
        let quiet = Packet { pair: 200, side: Side::Client, flags: 2, place: 0, acknowledged: 0, length: 0, missing: 0,
            network: 0, dropped: false, step: 0 };
        let pad = |count: usize| packets.first().map(|(time, _)| (*time, quiet.segment())).into_iter().cycle().take(count);
        let half = packets.len() / 2;
        let packets: Vec<_> = packets[..half].iter().copied().chain(pad(1_100)).chain(packets[half..].iter().copied()).collect();
        let (join, pause) = (join * 7, pause * 7);
        let expected = with_one_reassembler(&packets, pause, &options);
        let found = with_shards(&packets, pause, count, join, &options);
        prop_assert_eq!(&found.0, &expected.0);
        prop_assert_eq!(&found.1, &expected.1);
        prop_assert_eq!(&found.2, &expected.2);
    }
}
