//! The connection that blocking subjects read from.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cutting::Event;
use crate::output::Breach;
use crate::run::{self, Run};

/// A connection whose bytes arrive as the law cuts them: a `Read`, and a `BufRead` over its own
/// chunks.
///
/// A read returns bytes of one chunk. It is a `Write` too, for code that must answer in order to
/// read; written bytes are dropped.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The whole stream.
    bytes: Arc<Vec<u8>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<InputEvent>,
    /// The number of events that were requested.
    requested: usize,
    /// The range of the bytes that have arrived and were not read.
    at: usize,
    end: usize,
    /// Whether the end of the stream was requested.
    end_seen: bool,
    ends_read: usize,
    /// The number of reads.
    calls: u64,
    interrupts: bool,
    blocks: bool,
    /// Whether the last read failed because no bytes were there.
    blocked: bool,
}

/// An event of the input, with its bytes in [`Incoming::bytes`].
#[derive(Clone, Copy, Debug)]
enum InputEvent {
    /// A chunk that begins where the previous one ends.
    Chunk {
        /// The offset of its end in the stream.
        end: usize,
    },
    Again,
}

/// The number of reads of the stream's end after which a reader will not stop by itself.
const ENDS_READ_MAX: usize = 10_000;

impl Incoming {
    pub(super) fn new<'i>(input: impl Iterator<Item = Event<'i>>, interrupts: bool, blocks: bool) -> Self {
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        for event in input {
            match event {
                Event::Chunk(chunk) if !chunk.is_empty() => {
                    bytes.extend_from_slice(chunk);
                    events.push(InputEvent::Chunk { end: bytes.len() });
                }
                Event::Again => events.push(InputEvent::Again),
                Event::Chunk(_) | Event::Gap(_) | Event::Close(_) => {}
            }
        }
        let state = State { events, interrupts, blocks, ..State::default() };
        Self { bytes: Arc::new(bytes), state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the number of reads so far.
    pub(super) fn calls(&self) -> u64 {
        self.state().calls
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the range of the bytes that have arrived; an empty range when the stream has ended.
    fn fill(&self) -> io::Result<(usize, usize)> {
        let mut state = self.state();
        state.calls += 1;
        while state.at == state.end {
            if state.blocks && !state.blocked {
                state.blocked = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            state.blocked = false;
            match state.events.get(state.requested).copied() {
                Some(InputEvent::Chunk { end }) => {
                    state.requested += 1;
                    state.end = end;
                }
                Some(InputEvent::Again) => {
                    state.requested += 1;
                    if state.interrupts {
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                None => {
                    state.end_seen = true;
                    state.ends_read += 1;
                    if state.ends_read > ENDS_READ_MAX {
                        drop(state);
                        run::stop(Breach::Hung);
                    }
                    break;
                }
            }
        }
        Ok((state.at, state.end))
    }

    /// Adds the next chunk to the bytes that have arrived, for a reader that failed and is called
    /// again. Returns whether there was one.
    pub(super) fn skip(&self) -> bool {
        let mut state = self.state();
        let next = state.events.get(state.requested).copied();
        if let Some(InputEvent::Chunk { end }) = next {
            state.end = end;
        }
        state.requested += 1;
        next.is_some()
    }
}

impl Read for Incoming {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let (at, end) = self.fill()?;
        let read = (end - at).min(buf.len());
        buf[..read].copy_from_slice(&self.bytes[at..at + read]);
        self.state().at += read;
        Ok(read)
    }
}

impl BufRead for Incoming {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (at, end) = self.fill()?;
        Ok(&self.bytes[at..end])
    }
    fn consume(&mut self, amount: usize) {
        let mut state = self.state();
        state.at = state.end.min(state.at + amount);
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reports to a run the events that its reader has requested.
pub(super) struct RequestReporter {
    incoming: Incoming,
    /// The number of events that were reported.
    reported: usize,
    /// The start of the next chunk in the stream.
    at: usize,
    end_reported: bool,
}

impl RequestReporter {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { incoming, reported: 0, at: 0, end_reported: false }
    }

    /// Reports the requests since the last call. Returns whether the end of the stream was
    /// requested.
    pub(super) fn report<E, F>(&mut self, run: &mut Run<'_, E, F>) -> bool {
        let state = self.incoming.state();
        let requested = state.requested.min(state.events.len());
        for event in &state.events[self.reported..requested] {
            run.asked();
            match *event {
                InputEvent::Chunk { end } => {
                    run.given(Event::Chunk(&self.incoming.bytes[self.at..end]));
                    self.at = end;
                }
                InputEvent::Again => run.given(Event::Again),
            }
        }
        self.reported = requested;
        if state.end_seen && !self.end_reported {
            run.asked();
            self.end_reported = true;
        }
        state.end_seen
    }
}
