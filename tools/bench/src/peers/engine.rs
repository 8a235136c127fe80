//! enjamb's engine, with handlers that count frames.

use std::convert::Infallible;
use std::rc::Rc;

use enjamb::{FrameInfo, Framer, Handler, InvalidUtf8, Limit, Machine, Step, Terminator, TextFrameHandler};

use crate::measure::{Contestant, Input, Tally};

/// A handler for frames that all end at one terminator.
struct Frames(Terminator);

impl Handler for Frames {
    type Event = u64;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.0.clone()
    }
    fn limit(&self) -> Limit {
        Limit::DEFAULT
    }
    fn collect(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }
    fn found(&mut self, frame: FrameInfo) -> Result<Step<u64>, Infallible> {
        Ok(Step::event(frame.length))
    }
}

/// A handler for frames behind a big-endian length of four bytes.
#[derive(Default)]
struct Prefixed {
    prefix: [u8; 4],
    seen: usize,
    in_payload: bool,
}

/// The terminator of a length prefix.
fn prefix_end() -> Terminator {
    Terminator::length(4).unwrap_or(Terminator::Close)
}

impl Handler for Prefixed {
    type Event = u64;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        prefix_end()
    }
    fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        if !self.in_payload {
            self.prefix[self.seen..self.seen + piece.len()].copy_from_slice(piece);
            self.seen += piece.len();
        }
        Ok(())
    }
    fn found(&mut self, frame: FrameInfo) -> Result<Step<u64>, Infallible> {
        self.seen = 0;
        if self.in_payload {
            self.in_payload = false;
            return Ok(Step::event(frame.length).until(prefix_end()));
        }
        Ok(match Terminator::length(u64::from(u32::from_be_bytes(self.prefix))) {
            Some(payload) => {
                self.in_payload = true;
                Step::quiet().until(payload)
            }
            None => Step::event(0),
        })
    }
}

/// A handler that gets whole lines as text.
struct Lines;

impl TextFrameHandler for Lines {
    type Event = u64;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::crlf()
    }
    fn frame(&mut self, line: &str, _: FrameInfo) -> Result<Step<u64>, Infallible> {
        Ok(Step::event(line.len() as u64))
    }
}

/// Makes the contestants for both ways to read: from the input itself, and from a buffer to which
/// each read is copied first, as a read from a socket is.
fn contestants<H: Handler<Event = u64, Error = Infallible> + 'static>(
    input: &Rc<Input>,
    read: usize,
    handler: impl Fn() -> H + Clone + 'static,
) -> [Contestant; 2] {
    let borrowed = handler.clone();
    [
        Contestant::new("enjamb", "a handler counts frames; reads are borrowed", input, move |bytes| {
            feed(Framer::new(borrowed()), bytes.chunks(read))
        }),
        Contestant::new(
            "enjamb, copied reads",
            "the same; each read is copied to a buffer first",
            input,
            move |bytes| feed_copied(Framer::new(handler()), bytes, read),
        ),
    ]
}

/// Feeds chunks as they are.
fn feed<'c>(mut framer: impl Machine<Event = u64>, chunks: impl Iterator<Item = &'c [u8]>) -> Tally {
    let mut tally = Tally::default();
    for chunk in chunks {
        let Ok(()) = framer.feed(chunk, &mut |length| tally.count(length)) else { break };
    }
    tally
}

/// Feeds reads of `read` bytes, each copied to one buffer first.
fn feed_copied(mut framer: impl Machine<Event = u64>, bytes: &[u8], read: usize) -> Tally {
    let mut buffer = vec![0; read];
    let mut tally = Tally::default();
    for chunk in bytes.chunks(read) {
        let buffer = &mut buffer[..chunk.len()];
        buffer.copy_from_slice(chunk);
        let Ok(()) = framer.feed(buffer, &mut |length| tally.count(length)) else { break };
    }
    tally
}

/// Makes the contestants for frames that end at `terminator`.
pub(crate) fn frames(input: &Rc<Input>, read: usize, terminator: &Terminator) -> [Contestant; 2] {
    let terminator = terminator.clone();
    contestants(input, read, move || Frames(terminator.clone()))
}

/// Makes the contestants for frames behind a length.
pub(crate) fn prefixed(input: &Rc<Input>, read: usize) -> [Contestant; 2] {
    contestants(input, read, Prefixed::default)
}

/// Makes the contestant for lines that end at CR LF, as text.
pub(crate) fn text(input: &Rc<Input>, read: usize) -> Contestant {
    Contestant::new("enjamb, text", "a &str per line; copied reads", input, move |bytes| {
        feed_copied(Framer::text(Lines, InvalidUtf8::Refuse), bytes, read)
    })
}
