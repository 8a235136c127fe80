//! enjamb: a handler that counts frames.

use std::convert::Infallible;
use std::rc::Rc;

use enjamb::{FrameInfo, Framer, Handler, InvalidUtf8, Limit, Machine, Step, Terminator, TextFrameHandler};

use crate::measure::{Contestant, Input, Tally};

/// Frames of one kind.
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

/// Frames behind a length of four bytes, big-endian.
#[derive(Default)]
struct Prefixed {
    prefix: [u8; 4],
    seen: usize,
    in_payload: bool,
}

fn four() -> Terminator {
    Terminator::length(4).unwrap_or(Terminator::Close)
}

impl Handler for Prefixed {
    type Event = u64;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        four()
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
            return Ok(Step::event(frame.length).until(four()));
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

/// Lines as text, whole.
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

/// Both ways to read: from where the bytes lie, and from a buffer that each read is copied to first, as one from a socket is.
fn both<H: Handler<Event = u64, Error = Infallible> + 'static>(
    input: &Rc<Input>,
    read: usize,
    handler: impl Fn() -> H + Clone + 'static,
) -> [Contestant; 2] {
    let borrowed = handler.clone();
    [
        Contestant::new("enjamb", "a handler counts; the reads are borrowed", input, move |bytes| {
            feed(Framer::new(borrowed()), bytes.chunks(read))
        }),
        Contestant::new(
            "enjamb, copied reads",
            "the same; each read is copied to a buffer first",
            input,
            move |bytes| {
                let mut buffer = vec![0; read];
                let mut framer = Framer::new(handler());
                let mut tally = Tally::default();
                for chunk in bytes.chunks(read) {
                    let buffer = &mut buffer[..chunk.len()];
                    buffer.copy_from_slice(chunk);
                    let Ok(()) = framer.feed(buffer, &mut |length| tally.count(length)) else { break };
                }
                tally
            },
        ),
    ]
}

fn feed<'c, H: Handler<Event = u64, Error = Infallible>>(
    mut framer: Framer<H>,
    chunks: impl Iterator<Item = &'c [u8]>,
) -> Tally {
    let mut tally = Tally::default();
    for chunk in chunks {
        let Ok(()) = framer.feed(chunk, &mut |length| tally.count(length)) else { break };
    }
    tally
}

/// Frames that end at `terminator`.
pub(crate) fn frames(input: &Rc<Input>, read: usize, terminator: &Terminator) -> [Contestant; 2] {
    let terminator = terminator.clone();
    both(input, read, move || Frames(terminator.clone()))
}

/// Frames behind a length.
pub(crate) fn prefixed(input: &Rc<Input>, read: usize) -> [Contestant; 2] {
    both(input, read, Prefixed::default)
}

/// Lines that end at CR LF, as text.
pub(crate) fn text(input: &Rc<Input>, read: usize) -> Contestant {
    Contestant::new("enjamb, text", "a &str for each line; copied reads", input, move |bytes| {
        let mut buffer = vec![0; read];
        let mut framer = Framer::text(Lines, InvalidUtf8::Refuse);
        let mut tally = Tally::default();
        for chunk in bytes.chunks(read) {
            let buffer = &mut buffer[..chunk.len()];
            buffer.copy_from_slice(chunk);
            let Ok(()) = framer.feed(buffer, &mut |length| tally.count(length)) else { break };
        }
        tally
    })
}
