//! The target `server`: a connection of the serving runtime on a simulated stream.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use enjamb::{Ending, FrameHandler, FrameInfo, Framer, Limit, Side, Step, Terminator, WholeFrames};
use enjamb_law::{Case, Event, Grammar, Script};
use enjamb_net::sim::{Log, Read, Stream, Write};
use enjamb_net::{FromIter, Options, Peer, Reason, Service, run};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};

/// The longest line, in bytes. Longer ones are cut.
const LINE_MAX: u64 = 40;

/// The maximum number of steps of the writes.
const WRITES_MAX: usize = 15;

/// The steps of a stream: what arrives, and what the peer takes.
pub(crate) struct Plan {
    reads: Vec<Read>,
    writes: Vec<Write>,
    /// The bytes that arrive before the stream ends or is reset.
    sent: Vec<u8>,
    /// Whether the peer resets the connection, in a read or a write.
    is_reset: bool,
}

impl Plan {
    /// Decodes a plan. The first byte is the number of steps of the writes, which follow: 0 blocks
    /// for a time, 255 resets, any other number of bytes is taken. A script follows: the client's
    /// chunks arrive, a gap is a pause.
    pub(crate) fn decode(data: &[u8]) -> Self {
        let count = data.first().map_or(0, |count| usize::from(*count) % (WRITES_MAX + 1));
        let (writes, script) = data.get(1..).unwrap_or_default().split_at(count.min(data.len().saturating_sub(1)));
        let writes: Vec<Write> = writes
            .iter()
            .map(|step| match step {
                0 => Write::Block(Duration::from_millis(20)),
                0xff => Write::Reset,
                bytes => Write::Take(usize::from(*bytes)),
            })
            .collect();
        let Case { input, cuts } = Script::read(script).case(&Grammar::default());
        let mut plan = Self { reads: Vec::new(), is_reset: writes.contains(&Write::Reset), writes, sent: Vec::new() };
        for (side, event) in input.cut(&cuts) {
            match event {
                _ if side == Side::Server => {}
                Event::Chunk(bytes) => {
                    plan.sent.extend_from_slice(bytes);
                    plan.reads.push(Read::bytes(bytes));
                }
                Event::Gap(length) => plan.reads.push(Read::Pause(Duration::from_millis(length % 64))),
                Event::Close(Ending::Reset) => {
                    plan.is_reset = true;
                    plan.reads.push(Read::Reset);
                    return plan;
                }
                Event::Close(_) => break,
                Event::Again => {}
            }
        }
        plan.reads.push(Read::End);
        plan
    }

    fn stream(&self) -> (Stream, Log) {
        Stream::new(self.reads.iter().cloned(), self.writes.iter().copied())
    }

    /// Returns the replies to all whole lines, and their number.
    fn replies(&self) -> (Vec<u8>, u64) {
        let mut replies = Vec::new();
        let mut lines = self.sent.split(|byte| *byte == b'\n');
        lines.next_back();
        let mut number = 0;
        for line in lines {
            let kept = &line[..line.len().min(LINE_MAX as usize)];
            replies.extend(reply(number, kept).concat());
            number += 1;
        }
        (replies, number)
    }
}

/// Returns the parts of the reply to line number `number`.
fn reply(number: u64, line: &[u8]) -> [Vec<u8>; 3] {
    [format!("{number} ").into_bytes(), line.to_ascii_uppercase(), b".\n".to_vec()]
}

struct Lines;

impl FrameHandler for Lines {
    type Event = Vec<u8>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn limit(&self) -> Limit {
        Limit::truncate(LINE_MAX)
    }
    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<Vec<u8>>, Infallible> {
        Ok(Step::event(line.to_vec()))
    }
}

/// Answers each line, with another means for each: bytes, shared bytes, a producer, a slot.
struct Replies {
    lines: Framer<WholeFrames<Lines>>,
    number: u64,
}

impl Service for Replies {
    type Machine = Framer<WholeFrames<Lines>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.lines
    }

    fn event(&mut self, line: Vec<u8>, peer: &mut Peer<'_>) {
        let parts = reply(self.number, &line);
        match self.number % 4 {
            0 => parts.iter().for_each(|part| peer.push(part)),
            1 => parts.into_iter().for_each(|part| peer.push_bytes(Bytes::from(part))),
            2 => peer.push_with(FromIter(parts.into_iter())),
            _ => {
                let slot = peer.reserve();
                let _ = slot.answer(parts.concat());
            }
        }
        self.number += 1;
    }
}

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap_or_else(|error| panic!("a runtime on this thread: {error}")),
    );
}

/// Runs a future on this thread's runtime, whose time passes as soon as nothing else can happen.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.with_borrow(|runtime| runtime.block_on(future))
}

/// Returns options with small buffers, so that short inputs fill them.
fn options() -> Options {
    let mut options = Options::default();
    options.write_buffer = const { std::num::NonZeroUsize::new(64).unwrap() };
    options.max_queued = 256;
    options
}

/// The target `server`: every reply is written once, whole and in order, however the reads and
/// writes are cut and delayed. When the peer resets, what was written is a beginning of it.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn server(data: &[u8]) {
    check_server(data, |stream| stream);
}

/// Checks a connection whose stream is wrapped by `wrap`.
pub(crate) fn check_server<I>(data: &[u8], wrap: impl FnOnce(Stream) -> I)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let plan = Plan::decode(data);
    let (stream, log) = plan.stream();
    let service = Replies { lines: Framer::whole(Lines), number: 0 };
    let (_, closed) = block_on(run(wrap(stream), service, &options()));
    let (expected, lines) = plan.replies();
    let written = log.written();
    let show = || format!("written: {}\n  expected: {}", written.escape_ascii(), expected.escape_ascii());
    assert!(expected.starts_with(&written), "the replies are wrong\n  {}", show());
    assert!(log.is_dropped(), "the stream is kept");
    assert_eq!(closed.sent, written.len() as u64, "the bytes written are counted");
    if plan.is_reset && matches!(closed.reason, Reason::Broken(_)) {
        return;
    }
    assert!(matches!(closed.reason, Reason::Done), "the connection did not end well: {closed:?}");
    assert!(written == expected, "replies are missing\n  {}", show());
    assert_eq!((closed.events, closed.received, closed.unsent), (lines, plan.sent.len() as u64, 0), "the counts");
    assert!(log.is_shut(), "the stream was not ended");
}
