//! The target `faults`: faults on purpose, and the relay's shaper, without sockets and a clock.

use std::sync::Arc;
use std::time::Duration;

use enjamb::{Connection, Ending, Side, Time};
use enjamb_faults::{ConnectionFaults, Delivery, Fault, Plan};
use enjamb_law::{Case, Event, Grammar, Script};
use enjamb_protocols::Registry;

/// Faults that change times and cuts, and no bytes. The first byte of an input chooses some.
const HARMLESS: [&str; 8] = [
    "latency,latency=5ms,jitter=3ms",
    "bandwidth,rate=1k",
    "slicer,average_size=3,size_variation=2,delay=1ms",
    "recut,cuts=bytes",
    "coalesce,time=4ms,bytes=16",
    "slow_close,delay=2ms",
    "delay,delay=3ms,every=2",
    "latency,side=server,latency=1ms",
];

/// The longest time that a conversation with faults may take.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// The target `faults`: faults that change no bytes deliver all of them, once and in order, and
/// then the end of the stream. The first byte is a bit for each fault. A script follows.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn faults(data: &[u8]) {
    check_faults(data, Some);
}

/// Checks the deliveries, each changed by `change`.
pub(crate) fn check_faults(data: &[u8], mut change: impl FnMut(Delivery) -> Option<Delivery>) {
    let Some((&choice, script)) = data.split_first() else { return };
    let plan = Arc::new(Plan::new(7, |_| Err("there are no expressions here".to_owned())));
    for text in HARMLESS.iter().enumerate().filter(|(at, _)| choice >> at & 1 != 0).map(|(_, text)| text) {
        for (number, mut fault) in
            Fault::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).into_iter().enumerate()
        {
            fault.name = format!("{text} {number}");
            plan.add(fault).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
    let connection =
        Connection { number: 1, client: ([192, 0, 2, 1], 4).into(), server: ([192, 0, 2, 2], 6379).into() };
    let session = Registry::builtin().get("redis").map(|redis| redis.session(None));
    let mut now = Time::from_nanos(0);
    let session = session.unwrap_or_else(|| unreachable!("redis is built in"));
    let mut relay = Relay {
        faults: ConnectionFaults::new(plan, connection, session, now),
        fed: Default::default(),
        got: Default::default(),
        ended: [false; 2],
        change: &mut change,
    };
    let Case { input, cuts } = Script::read(script).case(&Grammar::default());
    let mut open = [true; 2];
    for (side, event) in input.cut(&cuts) {
        if !open[side.index()] {
            continue;
        }
        match event {
            Event::Chunk(bytes) => {
                relay.fed[side.index()].extend_from_slice(bytes);
                relay.faults.feed(now, side, bytes);
            }
            // A pause.
            Event::Gap(length) => now = later(now, Duration::from_millis(length % 64)),
            Event::Close(Ending::Lost) | Event::Again => {}
            Event::Close(_) => {
                open[side.index()] = false;
                relay.faults.end(now, side);
            }
        }
        let _ = relay.deliver(now);
    }
    for side in Side::BOTH.into_iter().filter(|side| open[side.index()]) {
        relay.faults.end(now, side);
    }
    while let Some(due) = relay.deliver(now) {
        assert!(due > now, "a delivery waits for a time that has passed");
        now = due;
        assert!(now < later(Time::from_nanos(0), TIME_MAX), "the faults deliver for hours");
    }
    for side in Side::BOTH {
        let (fed, got) = (&relay.fed[side.index()], &relay.got[side.index()]);
        assert!(
            fed == got,
            "{side}: what is delivered differs\n  sent: {}\n  delivered: {}",
            fed.escape_ascii(),
            got.escape_ascii()
        );
        assert!(relay.ended[side.index()], "{side}: the stream does not end");
    }
}

fn later(time: Time, by: Duration) -> Time {
    Time::from_nanos(time.nanos() + u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}

struct Relay<'c> {
    faults: ConnectionFaults,
    fed: [Vec<u8>; 2],
    got: [Vec<u8>; 2],
    ended: [bool; 2],
    change: &'c mut dyn FnMut(Delivery) -> Option<Delivery>,
}

impl Relay<'_> {
    /// Delivers everything that is due. Returns when the next delivery is.
    fn deliver(&mut self, now: Time) -> Option<Time> {
        let mut next: Option<Time> = None;
        for side in Side::BOTH {
            loop {
                let delivery = self.faults.next(now, side);
                if let Delivery::Wait(due) = delivery {
                    next = [next, due].into_iter().flatten().min();
                    break;
                }
                match (self.change)(delivery) {
                    Some(Delivery::Bytes(bytes)) => {
                        assert!(!bytes.is_empty(), "an empty delivery");
                        assert!(!self.ended[side.index()], "{side}: bytes behind the end");
                        self.got[side.index()].extend_from_slice(&bytes);
                    }
                    Some(Delivery::End) => {
                        assert!(!self.ended[side.index()], "{side}: the stream ends twice");
                        self.ended[side.index()] = true;
                    }
                    Some(other) => panic!("{side}: no fault does this: {other:?}"),
                    None => {}
                }
            }
        }
        next
    }
}
