//! The services under test.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use enjamb::{End, FrameHandler, FrameInfo, Framer, Limit, Step, Terminator, WholeFrames};
use enjamb_net::{Closed, Peer, Service};

/// Lines of at most 100 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines;

impl FrameHandler for Lines {
    type Event = String;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<String>, Infallible> {
        Ok(Step::event(String::from_utf8_lossy(line).into_owned()))
    }
    fn limit(&self) -> Limit {
        Limit::refuse(100)
    }
}

/// The events of a service, one word each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }
    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Calls a function for each line, and keeps a diary of everything else.
pub(crate) struct Noted<F> {
    pub(crate) framer: Framer<WholeFrames<Lines>>,
    pub(crate) diary: Diary,
    pub(crate) answer: F,
}

pub(crate) fn noted<F: FnMut(String, &mut Peer<'_>) + Send + 'static>(diary: &Diary, answer: F) -> Noted<F> {
    Noted { framer: Framer::whole(Lines), diary: diary.clone(), answer }
}

impl<F: FnMut(String, &mut Peer<'_>) + Send + 'static> Service for Noted<F> {
    type Machine = Framer<WholeFrames<Lines>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.framer
    }
    fn open(&mut self, _: &mut Peer<'_>) {
        self.diary.note("open");
    }
    fn event(&mut self, line: String, peer: &mut Peer<'_>) {
        (self.answer)(line, peer);
    }
    fn malformed(&mut self, error: enjamb::FrameError<Infallible>, peer: &mut Peer<'_>) {
        self.diary.note(format!("malformed: {error}"));
        peer.push("too long\n");
        peer.close_when_done();
    }
    fn end(&mut self, end: End, peer: &mut Peer<'_>) {
        self.diary.note(format!("{end:?}"));
        if matches!(end, End::Truncated { .. }) {
            peer.push("incomplete\n");
        }
        peer.close_when_done();
    }
    fn full(&mut self, _: &mut Peer<'_>) {
        self.diary.note("full");
    }
    fn drained(&mut self, _: &mut Peer<'_>) {
        self.diary.note("drained");
    }
    fn stop(&mut self, peer: &mut Peer<'_>) {
        self.diary.note("stop");
        peer.push("bye\n");
        peer.close_when_done();
    }
    fn closed(&mut self, closed: &Closed) {
        self.diary.note(format!("closed: {:?}", closed.reason));
    }
}

/// Answers each line with itself.
pub(crate) fn echo(line: String, peer: &mut Peer<'_>) {
    peer.push(line + "\n");
}
