//! The target `relay`: a connection of the relay between two simulated streams.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_law::{Case, Event as Part, Grammar, Script};
use enjamb_net::relay::{Options, Relay, Upstream};
use enjamb_net::sim::{Log, Read, Stream, Write, listener};
use enjamb_net::{NetError, Stop, Taps};

use super::server::block_on;

/// The maximum number of steps of the writes of both streams.
const WRITES_MAX: usize = 15;

/// The steps of both streams.
#[derive(Debug)]
pub(crate) struct Plan {
    reads: [Vec<Read>; 2],
    writes: [Vec<Write>; 2],
    /// The bytes that each side sends before its stream ends or is reset.
    sent: [Vec<u8>; 2],
    /// Whether a side resets the connection.
    is_reset: bool,
}

impl Plan {
    /// Decodes a plan. The first byte is the number of steps of the writes, which follow, to the
    /// client and to the server in turn: 0 blocks for a time, 255 resets, any other number of bytes
    /// is taken. A script follows: the chunks of both sides arrive, a gap is a pause.
    fn decode(data: &[u8]) -> Self {
        let count = data.first().map_or(0, |count| usize::from(*count) % (WRITES_MAX + 1));
        let (steps, script) = data.get(1..).unwrap_or_default().split_at(count.min(data.len().saturating_sub(1)));
        let mut plan =
            Self { reads: Default::default(), writes: Default::default(), sent: Default::default(), is_reset: false };
        for (at, step) in steps.iter().enumerate() {
            plan.is_reset |= *step == 0xff;
            plan.writes[at % 2].push(match step {
                0 => Write::Block(Duration::from_millis(20)),
                0xff => Write::Reset,
                bytes => Write::Take(usize::from(*bytes)),
            });
        }
        let Case { input, cuts } = Script::read(script).case(&Grammar::default());
        let mut open = [true; 2];
        for (side, part) in input.cut(&cuts) {
            let at = side.index();
            if !open[at] {
                continue;
            }
            match part {
                Part::Chunk(bytes) => {
                    plan.sent[at].extend_from_slice(bytes);
                    plan.reads[at].push(Read::bytes(bytes));
                }
                Part::Gap(length) => plan.reads[at].push(Read::Pause(Duration::from_millis(length % 64))),
                Part::Close(ending) => {
                    open[at] = false;
                    let is_reset = ending == Ending::Reset;
                    plan.is_reset |= is_reset;
                    plan.reads[at].push(if is_reset { Read::Reset } else { Read::End });
                }
                Part::Again => {}
            }
        }
        for side in Side::BOTH.into_iter().filter(|side| open[side.index()]) {
            plan.reads[side.index()].push(Read::End);
        }
        plan
    }

    /// Returns the streams of the client and of the server.
    fn streams(&self) -> [(Stream, Log); 2] {
        [0, 1].map(|at| Stream::new(self.reads[at].iter().cloned(), self.writes[at].iter().copied()))
    }
}

/// The bytes and ends that a tap received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tapped {
    bytes: [Vec<u8>; 2],
    ends: [u32; 2],
    is_done: bool,
}

/// A tap that keeps everything.
#[derive(Clone, Default)]
pub(crate) struct Keeper(Arc<Mutex<Tapped>>);

impl Keeper {
    fn tapped(&self) -> MutexGuard<'_, Tapped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event.
    pub(crate) fn keep(&self, event: &Event<'_>) {
        let mut tapped = self.tapped();
        assert!(!tapped.is_done, "an event behind the last one: {event:?}");
        match *event {
            Event::Chunk { side, bytes } => {
                assert_eq!(tapped.ends[side.index()], 0, "{side}: a tap receives bytes behind the end");
                tapped.bytes[side.index()].extend_from_slice(bytes);
            }
            Event::Close { side, .. } => tapped.ends[side.index()] += 1,
            Event::Done => tapped.is_done = true,
            _ => {}
        }
    }
}

impl Tap for Keeper {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        self.keep(&event);
    }
}

impl Taps for Keeper {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        vec![Box::new(self.clone())]
    }

    // The streams show what was lost.
    fn error(&self, _: Time, _: Option<&Connection>, _: &NetError) {}
}

/// Relays a connection by the relay of `enjamb-net`.
async fn relay_one(client: Stream, server: Stream, log: Log, keeper: Keeper) {
    let (listener, connector) = listener();
    connector.connect(client);
    let mut options = Options::default();
    // No connection is cut off: it ends by itself.
    options.drain = Duration::from_secs(1 << 20);
    let relay = Relay::new([listener], Upstream::simulated([server])).with_options(options).with_taps(Arc::new(keeper));
    let stop = Stop::new();
    let ((), report) = tokio::join!(
        async {
            log.wait_for(|_| false).await;
            stop.drain();
        },
        relay.serve(&stop)
    );
    assert_eq!((report.connections, report.panics, report.stopped), (1, 0, 0), "the counts of the relay");
}

/// The target `relay`: the bytes of each side arrive at the other side and at the tap, once and in
/// order, and then the end of the stream, however reads and writes are cut and delayed. When a side
/// resets, the other side receives a beginning of the bytes, and a reset.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn relay(data: &[u8]) {
    check_relay(data, |client, server, log, keeper| block_on(relay_one(client, server, log, keeper)));
}

/// Checks a relay between two streams, which gives a tap what it reads. The log is that of the
/// client's stream.
pub(crate) fn check_relay(data: &[u8], relay: impl FnOnce(Stream, Stream, Log, Keeper)) {
    let plan = Plan::decode(data);
    let [(client, client_log), (server, server_log)] = plan.streams();
    let keeper = Keeper::default();
    relay(client, server, client_log.clone(), keeper.clone());
    let tapped = keeper.tapped().clone();
    assert!(tapped.is_done, "the tap does not receive the end");
    let logs = [client_log, server_log];
    for side in Side::BOTH {
        let (from, to) = (&logs[side.index()], &logs[(!side).index()]);
        let (sent, tapped_bytes, arrived) = (&plan.sent[side.index()], &tapped.bytes[side.index()], to.written());
        let show = || {
            let [sent, tapped, arrived] = [sent, tapped_bytes, &arrived].map(|bytes| bytes.escape_ascii().to_string());
            format!("{side}: sent: {sent}\n  tap: {tapped}\n  arrived: {arrived}")
        };
        assert!(sent.starts_with(&arrived), "what arrives was not sent\n  {}", show());
        assert!(sent.starts_with(tapped_bytes), "the tap receives what was not sent\n  {}", show());
        assert!(tapped_bytes.starts_with(&arrived), "bytes arrive that the tap does not receive\n  {}", show());
        assert!(from.is_dropped(), "{side}: the stream is kept");
        assert!(tapped.ends[side.index()] <= 1, "{side}: the tap receives two ends");
        if !plan.is_reset {
            assert!(arrived == *sent, "bytes are missing\n  {}", show());
            assert_eq!(tapped.ends[side.index()], 1, "{side}: the tap does not receive the end of the stream");
            assert!(to.is_shut(), "{side}: the end of the stream does not arrive");
            assert!(!to.is_reset(), "{side}: a connection that ended well is reset");
        }
    }
    // A stream that is reset never ends. A write that would be reset may never be made.
    let must_be_reset = plan.reads.iter().flatten().any(|read| *read == Read::Reset);
    let is_ended = !must_be_reset && logs.iter().all(Log::is_shut);
    assert!(is_ended || logs.iter().all(Log::is_reset), "a connection that a side reset is neither ended nor reset");
}
