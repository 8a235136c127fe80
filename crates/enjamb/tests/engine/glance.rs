//! Glances: a handler may take a whole message from the front of a chunk, and gives the same events
//! as without.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use enjamb::{End, FrameInfo, Framer, Glance, Handler, Machine, Step, Terminator};

use crate::trace::{TraceEntry, trace, under_every_cut};

/// A protocol of couplets: the second line is the message.
struct Couplets {
    second: bool,
    line: Vec<u8>,
    /// Whether the handler takes whole couplets at a glance, and how many it took.
    glances: bool,
    taken: usize,
    /// The chunks that `glance` was called with.
    shown: Vec<Vec<u8>>,
}

impl Couplets {
    fn new(glances: bool) -> Self {
        Self { second: false, line: Vec::new(), glances, taken: 0, shown: Vec::new() }
    }
}

impl Handler for Couplets {
    type Event = Vec<u8>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::crlf()
    }
    fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        self.line.extend_from_slice(piece);
        Ok(())
    }
    fn found(&mut self, _: FrameInfo) -> Result<Step<Vec<u8>>, Infallible> {
        let line = std::mem::take(&mut self.line);
        self.second = !self.second;
        Ok(if self.second { Step::quiet() } else { Step::event(line) })
    }
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Vec<u8>>> {
        self.shown.push(chunk.to_vec());
        if self.second || !self.glances {
            return None;
        }
        let mut lines = chunk.windows(2).enumerate().filter(|(_, two)| two == b"\r\n").map(|(at, _)| at);
        let (first, second) = (lines.next()?, lines.next()?);
        self.taken += 1;
        let line = chunk[first + 2..second].to_vec();
        Some(Glance { taken: NonZeroUsize::new(second + 2)?, step: Step::event(line) })
    }
    fn at_boundary(&self) -> bool {
        !self.second
    }
}

#[test]
fn a_glance_gives_the_events_of_the_frames() {
    let stream = b"one\r\ntwo\r\n\r\n\r\nthree\r\nfour\r\nfive\r\n";
    let entries = under_every_cut(|| Framer::new(Couplets::new(true)), stream);
    assert_eq!(entries, trace(Framer::new(Couplets::new(false)), [&stream[..]]));
    assert_eq!(entries.last(), Some(&TraceEntry::End(End::Truncated { have: 0, missing: None })));

    let mut framer = Framer::new(Couplets::new(true));
    framer.feed(stream, &mut |_| {}).unwrap();
    assert_eq!(framer.handler().taken, 3);
}

#[test]
fn glance_is_called_only_where_a_frame_begins() {
    let mut framer = Framer::new(Couplets::new(false));
    for chunk in [&b"a\r"[..], b"\nb", b"c\r\n\r", b"\n", b""] {
        framer.feed(chunk, &mut |_| {}).unwrap();
    }
    assert_eq!(framer.handler().shown, [&b"a\r"[..], b"b", b"\r"]);
}

/// A wrong handler, which takes more than there is.
struct Greedy;

impl Handler for Greedy {
    type Event = u64;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn collect(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }
    fn found(&mut self, found: FrameInfo) -> Result<Step<u64>, Infallible> {
        Ok(Step::event(found.length))
    }
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<u64>> {
        Some(Glance { taken: NonZeroUsize::new(chunk.len() + 1)?, step: Step::quiet() })
    }
}

#[test]
fn a_glance_that_takes_more_than_the_chunk_is_ignored() {
    assert_eq!(
        trace(Framer::new(Greedy), [&b"ab\ncd"[..]]),
        [TraceEntry::Event(2, 3), TraceEntry::End(End::Truncated { have: 2, missing: None })]
    );
}
