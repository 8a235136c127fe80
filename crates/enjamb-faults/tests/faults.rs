//! Each fault, on bytes and times that are given.

use std::sync::Arc;
use std::time::Duration;

use enjamb::{Connection, Side, Time};
use enjamb_faults::{ConnectionFaults, Delivery, EFFECT_TYPES, Fault, HELD_MAX, MESSAGE_TIME, Plan};
use enjamb_protocols::Registry;

/// The faults of one connection, and the clock.
struct World {
    plan: Arc<Plan>,
    faults: ConnectionFaults,
    now: Duration,
}

/// The end of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// More may come.
    Open,
    End,
    Close,
    Reset,
}

/// Returns one character for each byte.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl World {
    fn new(faults: &[&str]) -> Self {
        Self::numbered(faults, 1, 7)
    }

    fn numbered(faults: &[&str], number: u64, seed: u64) -> Self {
        let test = |text: &str| {
            let kind = text.strip_prefix("kind ").ok_or("not a kind")?.to_owned();
            let test: enjamb_faults::MessageTest = Arc::new(move |_, message| message.kind == kind);
            Ok(test)
        };
        let plan = Arc::new(Plan::new(seed, test));
        for fault in faults.iter().flat_map(|text| Fault::parse(text).unwrap()) {
            plan.add(fault).unwrap();
        }
        let (client, server) = ("127.0.0.1:40000".parse().unwrap(), "127.0.0.1:6379".parse().unwrap());
        let session = Registry::builtin().resolve("redis").unwrap().session(Some(6379));
        let connection = Connection { number, client, server };
        let faults = ConnectionFaults::new(Arc::clone(&plan), connection, session, Time::default());
        Self { plan, faults, now: Duration::ZERO }
    }

    fn time(&self) -> Time {
        Time::from_nanos(self.now.as_nanos() as u64)
    }

    fn feed(&mut self, bytes: &str) {
        self.faults.feed(self.time(), Side::Client, bytes.as_bytes());
    }

    /// Takes everything that is due now.
    fn segments(&mut self) -> (Vec<String>, Last) {
        let mut segments = Vec::new();
        loop {
            match self.faults.next(self.time(), Side::Client) {
                Delivery::Bytes(bytes) => segments.push(text(&bytes)),
                Delivery::End => return (segments, Last::End),
                Delivery::Close => return (segments, Last::Close),
                Delivery::Reset => return (segments, Last::Reset),
                Delivery::Wait(_) => return (segments, Last::Open),
            }
        }
    }

    /// Moves the clock to whatever is due, until nothing is or the side has ended. Returns the
    /// segments with their times.
    fn run(&mut self) -> (Vec<(Duration, String)>, Last) {
        let mut all = Vec::new();
        loop {
            match self.faults.next(self.time(), Side::Client) {
                Delivery::Bytes(bytes) => all.push((self.now, text(&bytes))),
                Delivery::End => return (all, Last::End),
                Delivery::Close => return (all, Last::Close),
                Delivery::Reset => return (all, Last::Reset),
                Delivery::Wait(None) => return (all, Last::Open),
                Delivery::Wait(Some(due)) => {
                    let due = Duration::from_nanos(due.nanos());
                    assert!(due > self.now, "something is due at {due:?} and was not delivered");
                    self.now = due;
                }
            }
        }
    }

    fn notes(&mut self) -> Vec<String> {
        let notes = self.faults.take_notes();
        notes.into_iter().map(|note| format!("{}@{} {}", note.fault, note.offset, note.text)).collect()
    }
}

const SET: &str = "SET a 1\r\n";
const GET: &str = "GET a\r\n";

#[test]
fn without_faults_bytes_pass_as_they_come_even_inside_a_message() {
    let mut world = World::new(&[]);
    world.feed("SE");
    assert_eq!(world.segments(), (vec!["SE".to_owned()], Last::Open));
    world.feed("T a 1\r\nGET a\r\n");
    assert_eq!(world.segments(), (vec!["T a 1\r\nGET a\r\n".to_owned()], Last::Open));
    world.faults.end(world.time(), Side::Client);
    assert_eq!(world.segments(), (vec![], Last::End));
    assert_eq!(world.notes(), [""; 0]);
}

#[test]
fn latency_delays_everything_in_order_and_bandwidth_takes_its_time() {
    let mut world = World::new(&["latency,latency=100ms,jitter=50ms"]);
    for step in 0..20 {
        world.now = millis(step);
        world.feed(&format!("PING {step:02}\r\n"));
    }
    world.faults.end(world.time(), Side::Client);
    let (segments, last) = world.run();
    let text: String = segments.iter().map(|(_, text)| text.as_str()).collect();
    assert!((0..20).all(|step| text[step * 9..].starts_with(&format!("PING {step:02}"))), "{text}");
    assert!(segments[0].0 >= millis(50) && world.now <= millis(170) && last == Last::End);
    assert_eq!(world.notes(), ["latency_upstream@0 everything from here on is 100ms ±50ms late"]);

    let mut world = World::new(&["bandwidth,rate=10k"]);
    world.feed(&"x".repeat(22_000));
    let (segments, _) = world.run();
    assert_eq!(segments.iter().map(|(_, text)| text.len()).sum::<usize>(), 22_000);
    // 10k is 10,240 bytes, rounded up to whole thousands.
    assert_eq!(segments.last().unwrap().0, millis(2000));
    assert!(segments.iter().all(|(_, text)| text.len() <= 550));
}

#[test]
fn cuts_are_where_they_should_be_and_nothing_is_lost() {
    let cut = |fault: &str, bytes: &str| {
        let mut world = World::new(&[fault]);
        world.feed(bytes);
        world.run().0.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    assert_eq!(cut("recut", "PING\r\n"), ["P", "I", "N", "G", "\r", "\n"]);
    assert_eq!(cut("recut,cuts=edges", "PING\r\nGET a\r\n"), ["P", "ING\r", "\n", "G", "ET a\r", "\n"]);
    let random = cut("recut,cuts=random,size=3", &SET.repeat(30));
    assert_eq!(random.concat(), SET.repeat(30));
    assert!(random.iter().all(|text| (1..=3).contains(&text.len())) && random.len() > 90);
    assert_eq!(random, cut("recut,cuts=random,size=3", &SET.repeat(30)), "not repeatable");

    let mut world = World::new(&["slicer,average_size=4,size_variation=2,delay=3ms"]);
    world.feed(&SET.repeat(4));
    let (segments, _) = world.run();
    assert_eq!(segments.iter().map(|(_, text)| text.as_str()).collect::<String>(), SET.repeat(4));
    for (at, (time, text)) in segments.iter().enumerate() {
        assert_eq!(*time, millis(3 * at as u64));
        assert!((1..=6).contains(&text.len()));
    }

    let mut world = World::new(&["coalesce,time=30ms,bytes=20"]);
    for (at, bytes) in ["abc", "def", "ghi"].into_iter().enumerate() {
        world.now = millis(at as u64 * 10);
        world.feed(bytes);
        assert_eq!(world.segments().0.len(), 0);
    }
    assert_eq!(world.run().0, [(millis(30), "abcdefghi".to_owned())]);
    world.feed(&"x".repeat(45));
    let lengths: Vec<_> = world.run().0.iter().map(|(_, text)| text.len()).collect();
    assert_eq!(lengths, [20, 20, 5]);
}

#[test]
fn faults_end_the_connection_as_they_say() {
    let mut world = World::new(&["limit_data,bytes=10"]);
    world.feed(SET);
    assert_eq!(world.segments(), (vec![SET.to_owned()], Last::Open));
    world.feed(SET);
    assert_eq!(world.segments(), (vec!["S".to_owned()], Last::Close));

    let mut world = World::new(&["reset_peer,timeout=20ms"]);
    world.now = millis(5);
    world.feed(SET);
    assert_eq!(world.run(), (vec![], Last::Reset));
    assert_eq!(world.now, millis(25));

    let mut world = World::new(&["timeout,timeout=50ms"]);
    world.now = millis(40);
    world.feed(SET);
    assert_eq!(world.run(), (vec![], Last::Close));
    assert_eq!(world.now, millis(90));
    let notes = world.notes();
    assert!(notes[1].contains("9 bytes were dropped"), "{notes:?}");

    let mut world = World::new(&["slow_close,delay=1s"]);
    world.feed(SET);
    world.faults.end(world.time(), Side::Client);
    assert_eq!(world.run(), (vec![(Duration::ZERO, SET.to_owned())], Last::End));
    assert_eq!(world.now, millis(1000));
}

#[test]
fn messages_are_dropped_doubled_delayed_and_cut_however_they_arrive() {
    let whole = [SET, GET, SET, GET, SET].concat();
    for size in [1, 2, 5, 9, 1000] {
        let deliver = |fault: &str| {
            let mut world = World::new(&[fault]);
            let mut all = String::new();
            let mut last = Last::Open;
            let mut chunks = whole.as_bytes().chunks(size).peekable();
            while let Some(chunk) = chunks.next().filter(|_| last == Last::Open) {
                world.faults.feed(world.time(), Side::Client, chunk);
                if chunks.peek().is_some() {
                    let (segments, end) = world.segments();
                    (all, last) = (all + &segments.concat(), end);
                } else {
                    let (segments, end) = world.run();
                    all.extend(segments.into_iter().map(|(_, text)| text));
                    last = end;
                }
            }
            (all, last, world)
        };
        let (text, _, mut world) = deliver("drop,side=client,message=2");
        assert_eq!(text, [SET, SET, GET, SET].concat(), "size {size}");
        assert_eq!(world.notes(), ["drop_upstream@9 dropped message 2 (GET), 7 bytes"]);
        assert_eq!(deliver("drop,side=client,every=2,match=kind SET").0, [SET, GET, GET, SET].concat());
        assert_eq!(deliver("drop,side=client,match=kind SET").0, GET.repeat(2));
        assert_eq!(deliver("drop,side=server").0, whole);
        assert_eq!(deliver("duplicate,side=client,match=kind GET").0, [SET, GET, GET, SET, GET, GET, SET].concat());
        let (text, _, world) = deliver("delay,side=client,delay=1s,message=4");
        assert_eq!((text.as_str(), world.now), (whole.as_str(), millis(1000)));
        let (text, last, mut world) = deliver("cut,side=client,message=3");
        assert!(text.len() > 16 && text.len() < 25 && whole.starts_with(&text) && last == Last::Reset, "{text}");
        assert!(world.notes()[0].contains("of message 3 (SET), which has 9"));
        let (text, last, _) = deliver("cut,side=client,message=1,at=3,ending=close");
        assert_eq!((text.as_str(), last), ("SET", Last::Close));
        let (text, _, mut world) = deliver("corrupt,side=client,message=1,part=terminator");
        assert_eq!(text.chars().zip(whole.chars()).filter(|(a, b)| a != b).count(), 1);
        assert!(world.notes()[0].starts_with("corrupt_upstream@0 changed terminator at byte 8 from 0x0a"));
    }
}

#[test]
fn a_message_that_takes_too_long_passes_without_the_fault_and_the_next_one_has_it() {
    let mut world = World::new(&["drop,side=client,message=1", "duplicate,side=client,message=2"]);
    world.feed("SET a");
    assert_eq!(world.segments().0, [""; 0]);
    let (segments, _) = world.run();
    assert_eq!(segments, [(MESSAGE_TIME, "SET a".to_owned())]);
    world.feed(" 1\r\nGET a\r\n");
    assert_eq!(world.run().0.into_iter().map(|(_, text)| text).collect::<String>(), " 1\r\nGET a\r\nGET a\r\n");
}

#[test]
fn a_plan_that_changes_reaches_open_connections_and_loses_nothing() {
    let mut world = World::new(&["latency,latency=10s", "recut,name=cuts"]);
    world.feed(SET);
    assert_eq!(world.segments().0, [""; 0]);
    assert!(world.plan.remove("latency_upstream"));
    // What the removed fault held is still cut by the next one.
    assert_eq!(world.segments().0.len(), SET.len());
    world.plan.set(Fault::parse("drop").unwrap()).unwrap();
    world.feed(&[SET, GET].concat());
    assert_eq!(world.segments().0, [""; 0]);
    world.plan.set(Vec::new()).unwrap();
    world.feed(GET);
    assert_eq!(world.segments().0, [GET]);
    assert!(!world.plan.remove("latency_upstream"));

    world.plan.add(Fault::parse("timeout,side=client").unwrap().remove(0)).unwrap();
    world.feed(GET);
    assert_eq!(world.segments(), (vec![], Last::Open));
    assert!(world.plan.remove("timeout_upstream"));
    assert_eq!(world.segments(), (vec![], Last::Close), "bytes are missing");
}

#[test]
fn a_fault_that_needs_messages_finds_them_in_the_middle_of_a_connection() {
    let mut world = World::new(&[]);
    world.feed(&SET.repeat(3));
    assert_eq!(world.segments().0.concat(), SET.repeat(3));
    world.plan.set(Fault::parse("drop,side=client,match=kind GET").unwrap()).unwrap();
    world.feed(&[SET, GET, SET].concat());
    assert_eq!(world.segments().0.concat(), SET.repeat(2));
    assert_eq!(world.notes(), ["drop_upstream@36 dropped message 5 (GET), 7 bytes"]);
}

#[test]
fn a_plan_refuses_what_makes_no_sense_and_keeps_what_it_has() {
    let world = World::new(&["latency"]);
    let fault = |text| Fault::parse(text).unwrap().remove(0);
    assert!(world.plan.add(fault("latency")).unwrap_err().to_string().contains("already"));
    assert!(world.plan.add(fault("drop,match=what")).unwrap_err().to_string().contains("not a kind"));
    assert!(world.plan.replace(fault("drop")).unwrap_err().to_string().contains("there is no fault"));
    assert!(world.plan.set(vec![fault("drop"), fault("drop,message=1")]).is_err());
    assert_eq!(world.plan.faults().len(), 2);
    world.plan.replace(fault("latency,latency=1s")).unwrap();
    assert_eq!(world.plan.get("latency_upstream").unwrap(), fault("latency,latency=1s"));
}

#[test]
fn a_probability_hits_that_share_of_the_connections_and_always_the_same_ones() {
    let hit = |seed| {
        let is_hit = |number: &u64| {
            let mut world = World::numbered(&["drop,side=client,probability=0.25"], *number, seed);
            world.feed(SET);
            world.segments().0.is_empty()
        };
        (1..=1000).filter(is_hit).collect::<Vec<_>>()
    };
    let hits = hit(1);
    assert!((200..300).contains(&hits.len()), "{}", hits.len());
    assert_eq!(hits, hit(1));
    assert_ne!(hits, hit(2));
}

/// Whatever faults there are and however bytes come: time goes forward, nothing hangs, and faults
/// that only delay or cut deliver the same bytes.
#[test]
fn any_chain_of_faults_comes_to_an_end() {
    let harmless = ["latency", "bandwidth", "slow_close", "slicer", "recut", "coalesce", "delay"];
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..400 {
        let mut texts = Vec::new();
        let mut is_harmless = true;
        for at in 0..random.usize(0..5) {
            let effect = EFFECT_TYPES[random.usize(0..EFFECT_TYPES.len())].name;
            is_harmless &= harmless.contains(&effect);
            let attributes = match effect {
                "latency" => ",latency=7ms,jitter=9ms",
                "bandwidth" => ",rate=2k",
                "slow_close" | "delay" => ",delay=11ms",
                "slicer" => ",average_size=5,size_variation=9,delay=20us",
                "recut" => [",cuts=edges", ",cuts=random", ""][random.usize(0..3)],
                "corrupt" => [",part=byte", ",part=length", ",part=terminator,every=3"][random.usize(0..3)],
                "limit_data" => ",bytes=40",
                "timeout" | "reset_peer" => ",timeout=30ms",
                "coalesce" => ",time=3ms,bytes=30",
                _ => ",percent=50",
            };
            texts.push(format!("{effect},side=client,name=fault{at}{attributes}"));
        }
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let mut world = World::numbered(&texts, round, 11);
        let bytes = [SET, GET, "*1\r\n$4\r\nPING\r\n", "*2\r\n$3\r\nGET\r\n$2\r\nab\r\n"].concat().repeat(5);
        let (mut rest, mut all, mut end) = (bytes.as_bytes(), String::new(), Last::Open);
        while !rest.is_empty() && end == Last::Open {
            let chunk = &rest[..random.usize(1..=rest.len().min(50))];
            rest = &rest[chunk.len()..];
            world.faults.feed(world.time(), Side::Client, chunk);
            let (segments, last) = if random.bool() {
                world.run()
            } else {
                let (segments, last) = world.segments();
                (segments.into_iter().map(|text| (world.now, text)).collect(), last)
            };
            all.extend(segments.into_iter().map(|(_, text)| text));
            end = last;
            world.now += Duration::from_micros(random.u64(0..5000));
        }
        if end == Last::Open {
            world.faults.end(world.time(), Side::Client);
            let (segments, last) = world.run();
            all.extend(segments.into_iter().map(|(_, text)| text));
            end = last;
            assert_eq!(world.faults.held(Side::Client), 0, "{texts:?}");
        }
        if is_harmless {
            assert_eq!((all.as_str(), end), (bytes.as_str(), Last::End), "{texts:?}");
        }
    }
}

#[test]
fn no_more_is_taken_than_may_be_held() {
    let mut world = World::new(&["latency,latency=10s"]);
    let mut taken = 0;
    while world.faults.has_room(Side::Client) {
        world.feed(&"x".repeat(10_000));
        taken += 10_000;
    }
    assert!((HELD_MAX..HELD_MAX + 10_000).contains(&taken));
    assert!(world.faults.has_room(Side::Server));
    world.now = millis(10_000);
    assert_eq!(world.segments().0.concat().len(), taken);
    assert!(world.faults.has_room(Side::Client));
}
