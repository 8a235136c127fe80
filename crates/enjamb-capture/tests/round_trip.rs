//! A recording that is read back gives the recorded events.

mod conversations;

use std::net::SocketAddr;

use conversations::{Conversation, Conversations, TapEvent};
use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{LONGEST_CHUNK, Options, Recorder, read};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Open { v6: bool, reuse: bool },
    Chunk(Side, Vec<u8>),
    Gap(Side, u64),
    Close(Side),
    Reset(Side),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (any::<bool>(), any::<bool>()).prop_map(|(v6, reuse)| Act::Open { v6, reuse }),
        12 => (side(), prop::collection::vec(any::<u8>(), 1..100)).prop_map(|(side, bytes)| Act::Chunk(side, bytes)),
        1 => (side(), any::<u8>(), 1..=LONGEST_CHUNK).prop_map(|(side, byte, size)| Act::Chunk(side, vec![byte; size])),
        2 => (side(), 1..=1u64 << 30).prop_map(|(side, missing)| Act::Gap(side, missing)),
        2 => side().prop_map(Act::Close),
        1 => side().prop_map(Act::Reset),
    ]
}

/// Conversations as a relay would report them, with everything that a capture can express.
#[derive(Default)]
struct Script {
    expected: Conversations,
    /// The events of all connections, in the order in which they happened.
    order: Vec<(u64, Time, TapEvent)>,
    now: u64,
}

impl Script {
    fn report(&mut self, number: u64, event: TapEvent) {
        let time = Time::from_nanos(self.now);
        self.order.push((number, time, event.clone()));
        self.expected.0.get_mut(&number).expect("opened").events.push((time, event));
    }

    fn live(&self) -> Vec<u64> {
        let live =
            |conversation: &&Conversation| conversation.events.last().is_none_or(|(_, event)| *event != TapEvent::Done);
        self.expected.0.values().filter(live).map(|conversation| conversation.connection.number).collect()
    }

    fn act(&mut self, which: prop::sample::Index, act: Act) {
        if let Act::Open { v6, reuse } = act {
            let number = self.expected.0.len() as u64 + 1;
            let live = self.live();
            let over = self.expected.0.values().find(|conversation| !live.contains(&conversation.connection.number));
            let (client, server) = match over {
                Some(over) if reuse => (over.connection.client, over.connection.server),
                _ if v6 => (
                    SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 20_000 + number as u16),
                    SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2].into(), 443),
                ),
                _ => (
                    SocketAddr::new([192, 0, 2, 1].into(), 20_000 + number as u16),
                    SocketAddr::new([192, 0, 2, 2].into(), 6379),
                ),
            };
            // Endpoints can be used again only when no open connection uses them.
            let in_use = live.iter().any(|number| self.expected.0[number].connection.client == client);
            if !in_use {
                let connection = Connection { number, client, server };
                self.expected.0.insert(number, Conversation { connection, events: Vec::new() });
                self.report(number, TapEvent::Open);
            }
            return;
        }
        let live = self.live();
        if live.is_empty() {
            return;
        }
        let number = live[which.index(live.len())];
        let open = |script: &Self, side: Side| script.expected.0[&number].ending(side).is_none();
        match act {
            Act::Chunk(side, bytes) if open(self, side) => self.report(number, TapEvent::Chunk(side, bytes)),
            Act::Gap(side, missing) if open(self, side) => self.report(number, TapEvent::Gap(side, missing)),
            Act::Close(side) if open(self, side) => {
                self.report(number, TapEvent::Close(side, Ending::Closed));
                if !open(self, !side) {
                    self.report(number, TapEvent::Done);
                }
            }
            Act::Reset(side) => {
                for side in [side, !side] {
                    if open(self, side) {
                        self.report(number, TapEvent::Close(side, Ending::Reset));
                    }
                }
                self.report(number, TapEvent::Done);
            }
            _ => {}
        }
    }

    /// Ends all open connections at the time of their last packet.
    fn finish(&mut self) {
        for number in self.live() {
            self.now = self.expected.0[&number].events.last().expect("opened").0.nanos();
            self.report(number, TapEvent::Done);
        }
    }

    fn record(&self) -> Vec<u8> {
        let mut recorder = Recorder::new(Vec::new());
        for (number, time, event) in &self.order {
            let connection = &self.expected.0[number].connection;
            match event {
                TapEvent::Open => recorder.event(connection, *time, Event::Open),
                TapEvent::Chunk(side, bytes) => recorder.event(connection, *time, Event::Chunk { side: *side, bytes }),
                TapEvent::Gap(side, missing) => {
                    recorder.event(connection, *time, Event::Gap { side: *side, missing: *missing });
                }
                TapEvent::Close(side, ending) => {
                    recorder.event(connection, *time, Event::Close { side: *side, ending: *ending });
                }
                TapEvent::Done => recorder.event(connection, *time, Event::Done),
            }
        }
        recorder.finish().expect("memory can be written")
    }
}

proptest! {
    #[test]
    fn a_recording_that_is_read_back_gives_what_was_recorded(
        acts in prop::collection::vec((any::<prop::sample::Index>(), act(), 0..3_000_000_000u64), 1..60),
    ) {
        let mut script = Script { now: 1_700_000_000_123_456_789, ..Script::default() };
        for (which, act, later) in acts {
            // Most steps are short. Some are far longer than a connection lingers after a reset.
            script.now += if later > 2_000_000_000 { later } else { later / 1000 };
            script.act(which, act);
        }
        script.finish();
        let mut found = Conversations::default();
        let report = read(&script.record()[..], &mut found, &Options::default());
        prop_assert!(report.error.is_none(), "{:?}", report.error);
        prop_assert_eq!(report.summary.ignored() + report.summary.bad_checksums + report.summary.conflicts, 0);
        prop_assert_eq!(found, script.expected);
    }
}

fn connection(number: u64, client: &str, server: &str) -> Connection {
    Connection { number, client: client.parse().expect("an address"), server: server.parse().expect("an address") }
}

#[test]
fn a_chunk_that_is_too_long_for_a_datagram_becomes_several() {
    let connection = connection(1, "192.0.2.1:1", "192.0.2.2:2");
    let mut recorder = Recorder::new(Vec::new());
    recorder.event(&connection, Time::from_nanos(1), Event::Open);
    recorder.event(
        &connection,
        Time::from_nanos(2),
        Event::Chunk { side: Side::Server, bytes: &vec![7; 2 * LONGEST_CHUNK + 1] },
    );
    let file = recorder.finish().expect("memory can be written");
    let mut found = Conversations::default();
    assert!(read(&file[..], &mut found, &Options::default()).error.is_none());
    let sizes: Vec<_> = found.only().chunks(Side::Server).iter().map(|chunk| chunk.len()).collect();
    assert_eq!(sizes, [LONGEST_CHUNK, LONGEST_CHUNK, 1]);
}

#[test]
fn endpoints_of_different_families_are_both_written_as_ipv6() {
    let connection = connection(1, "192.0.2.1:1000", "[2001:db8::2]:2");
    let mut recorder = Recorder::new(Vec::new());
    recorder.event(&connection, Time::from_nanos(1), Event::Open);
    recorder.event(&connection, Time::from_nanos(2), Event::Chunk { side: Side::Client, bytes: b"hello" });
    let file = recorder.finish().expect("memory can be written");
    let mut found = Conversations::default();
    assert_eq!(read(&file[..], &mut found, &Options::default()).summary.bad_checksums, 0);
    assert_eq!(found.only().connection.client, "[::ffff:192.0.2.1]:1000".parse().expect("an address"));
    assert_eq!(found.only().chunks(Side::Client), [b"hello"]);
}

#[test]
fn a_gap_longer_than_the_window_becomes_several_that_add_up() {
    let connection = connection(1, "192.0.2.1:1", "192.0.2.2:2");
    let missing = (5 << 30) + 17;
    let mut recorder = Recorder::new(Vec::new());
    recorder.event(&connection, Time::from_nanos(1), Event::Open);
    recorder.event(&connection, Time::from_nanos(2), Event::Gap { side: Side::Client, missing });
    recorder.event(&connection, Time::from_nanos(3), Event::Chunk { side: Side::Client, bytes: b"behind" });
    let file = recorder.finish().expect("memory can be written");
    let mut found = Conversations::default();
    let report = read(&file[..], &mut found, &Options::default());
    assert_eq!(report.summary.gap_bytes, missing);
    assert_eq!(found.only().chunks(Side::Client), [b"behind"]);
}

#[test]
fn a_write_error_is_reported_and_nothing_more_is_written() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            assert!(self.0 > 0, "written to again");
            self.0 = self.0.saturating_sub(bytes.len());
            if self.0 == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let connection = connection(1, "192.0.2.1:1", "192.0.2.2:2");
    let mut recorder = Recorder::new(Full(1000));
    recorder.event(&connection, Time::from_nanos(1), Event::Open);
    assert!(recorder.error().is_none());
    for _ in 0..3 {
        recorder.event(&connection, Time::from_nanos(2), Event::Chunk { side: Side::Client, bytes: &[0; 500] });
    }
    assert_eq!(recorder.error().map(std::io::Error::kind), Some(std::io::ErrorKind::StorageFull));
    assert_eq!(recorder.finish().err().map(|error| error.kind()), Some(std::io::ErrorKind::StorageFull));
}

#[test]
fn a_side_that_sends_nothing_acknowledges_every_sixteen_mebibytes() {
    let connection = connection(1, "192.0.2.1:1", "192.0.2.2:2");
    let mut recorder = Recorder::new(Vec::new());
    recorder.event(&connection, Time::from_nanos(1), Event::Open);
    let chunks = 3 * (16usize << 20).div_ceil(LONGEST_CHUNK);
    for _ in 0..chunks {
        recorder.event(
            &connection,
            Time::from_nanos(2),
            Event::Chunk { side: Side::Server, bytes: &[1; LONGEST_CHUNK] },
        );
    }
    let file = recorder.finish().expect("memory can be written");
    let report = read(&file[..], &mut Conversations::default(), &Options::default());
    let handshake = 3;
    assert_eq!(report.summary.packets, handshake + chunks as u64 + 3);
}

/// Connections with the same addresses, as a relay with several listeners reports them.
#[test]
fn connections_with_the_same_addresses_at_the_same_time_stay_apart() {
    let client: SocketAddr = "192.0.2.1:20000".parse().expect("an address");
    let server: SocketAddr = "192.0.2.2:6379".parse().expect("an address");
    let listeners: [Option<SocketAddr>; 4] =
        [None, "192.0.2.2:7000".parse().ok(), "192.0.2.2:7001".parse().ok(), "192.0.2.2:7001".parse().ok()];
    for ending in [Ending::Closed, Ending::Reset, Ending::Lost] {
        let mut recorder = Recorder::new(Vec::new());
        let mut now = 1_700_000_000_000_000_000;
        let mut tick = || {
            now += 1_000_000;
            Time::from_nanos(now)
        };
        let rounds = 5;
        for round in 0..rounds {
            let connections: Vec<_> = (0..listeners.len() as u64)
                .map(|at| Connection { number: round * listeners.len() as u64 + at + 1, client, server })
                .collect();
            for (connection, listener) in connections.iter().zip(listeners) {
                if let Some(listener) = listener {
                    recorder.set_listener(connection.number, listener);
                }
                recorder.event(connection, tick(), Event::Open);
            }
            for turn in 0..3 {
                for connection in &connections {
                    for side in [Side::Client, Side::Server] {
                        let bytes = format!("{} {turn} {side:?};", connection.number);
                        recorder.event(connection, tick(), Event::Chunk { side, bytes: bytes.as_bytes() });
                    }
                }
            }
            for connection in &connections {
                let time = tick();
                for side in [Side::Client, Side::Server] {
                    recorder.event(connection, time, Event::Close { side, ending });
                }
                recorder.event(connection, time, Event::Done);
            }
        }
        let file = recorder.finish().expect("memory can be written");
        let mut found = Conversations::default();
        assert!(read(&file[..], &mut found, &Options::default()).error.is_none());
        assert_eq!(found.0.len() as u64, rounds * listeners.len() as u64, "{ending:?}");
        for (number, conversation) in &found.0 {
            for side in [Side::Client, Side::Server] {
                let bytes: Vec<u8> = conversation
                    .events
                    .iter()
                    .filter_map(|(_, event)| match event {
                        TapEvent::Chunk(of, bytes) if *of == side => Some(bytes.clone()),
                        _ => None,
                    })
                    .flatten()
                    .collect();
                let expected: String = (0..3).map(|turn| format!("{number} {turn} {side:?};")).collect();
                assert_eq!(String::from_utf8_lossy(&bytes), expected, "{ending:?}");
            }
            if ending != Ending::Lost {
                assert_eq!(conversation.ending(Side::Client), Some(ending));
            }
        }
        let shown = String::from_utf8_lossy(&file);
        let comment = "accepted on 192.0.2.2:7000 from 192.0.2.1:20000, relayed to 192.0.2.2:6379";
        assert!(shown.contains(comment), "the listener is in the file");
    }
}
