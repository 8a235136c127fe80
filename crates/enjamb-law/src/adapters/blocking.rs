//! Blocking readers: what reads from a `std::io::Read` or `BufRead`.
//!
//! A blocking reader calls for the next chunk from inside its own call, and cannot give control back there. So the chunks of a run are laid out before it
//! starts, and the reader's side notes when it is asked for each; before anything is said, those askings are told, in their order.

use std::fmt::Debug;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enjamb::End;

use crate::cutting::Event;
use crate::kind::Kind;
use crate::measure::uncounted;
use crate::output::{Breach, Output};
use crate::run::{self, Run};
use crate::subject::Subject;

/// A blocking reader, as a [`Subject`].
///
/// ```
/// use enjamb_law::{Blocking, Segmentations, split_everywhere, stream};
/// use std::io::{BufRead, BufReader};
///
/// let lines = Blocking::iterator(|incoming| BufReader::new(incoming).lines());
/// split_everywhere(&lines, &stream(b"one\r\ntwo\n\nthree"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// It is called until it returns `None` or an error. A reader that reads the end of the stream ten thousand times in one call is [`Hung`](Breach::Hung).
///
/// [Asked again](Event::Again), it sees nothing of it, since it cannot be asked before its call returns; with [`interrupted`](Self::interrupted) a
/// read fails then with `ErrorKind::Interrupted`.
#[derive(Clone, Copy, Debug)]
pub struct Blocking<M, F, N> {
    make: M,
    read: F,
    interrupted: bool,
    would_block: Option<N>,
    resumes: bool,
}

impl Blocking<(), (), ()> {
    /// A function that reads the next event off a connection.
    pub fn new<F, T, E>(read: F) -> Blocking<impl Fn(Incoming) -> Incoming + Clone, F, fn(&E) -> bool>
    where
        F: Fn(&mut Incoming) -> Result<Option<T>, E>,
    {
        Blocking::with(|incoming| incoming, read)
    }

    /// A reader that `make` puts around a connection, and a function that reads its next event.
    pub fn with<M, R, F, T, E>(make: M, read: F) -> Blocking<M, F, fn(&E) -> bool>
    where
        M: Fn(Incoming) -> R,
        F: Fn(&mut R) -> Result<Option<T>, E>,
    {
        Blocking { make, read, interrupted: false, would_block: None, resumes: false }
    }

    /// An iterator of events that `make` puts around a connection.
    pub fn iterator<M, I, T, E>(make: M) -> Blocking<M, impl Fn(&mut I) -> Result<Option<T>, E> + Clone, fn(&E) -> bool>
    where
        M: Fn(Incoming) -> I,
        I: Iterator<Item = Result<T, E>>,
    {
        Blocking::with(make, |events: &mut I| events.next().transpose())
    }
}

impl<M, F, N> Blocking<M, F, N> {
    /// A read fails with `ErrorKind::Interrupted` when the subject is [asked again](Event::Again), which a read may do whenever a signal
    /// arrives; whoever reads is to try again. The readers of the standard library do; many others return the error, and are then found by the law
    /// [`quiet`](crate::quiet).
    #[must_use]
    pub fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self
    }

    /// The connection does not block: a read with nothing there fails with `ErrorKind::WouldBlock`, once before each chunk and once before
    /// the end. `is_it` knows that error in what the function returns; then the function is called again. What it had read of a message by then
    /// must not be lost.
    #[must_use]
    pub fn would_block<R, T, E, P>(self, is_it: P) -> Blocking<M, F, P>
    where
        M: Fn(Incoming) -> R,
        F: Fn(&mut R) -> Result<Option<T>, E>,
        P: Fn(&E) -> bool,
    {
        let Self { make, read, interrupted, resumes, .. } = self;
        Blocking { make, read, interrupted, would_block: Some(is_it), resumes }
    }

    /// Calls the function again after an error, as a program does that logs it and goes on. An error after the end of the stream is the last.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }
}

impl<M, F, N, R, T, E> Subject for Blocking<M, F, N>
where
    M: Fn(Incoming) -> R,
    F: Fn(&mut R) -> Result<Option<T>, E>,
    N: Fn(&E) -> bool,
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn waits(&self) -> bool {
        self.would_block.is_some()
    }

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let incoming = uncounted(|| {
            let (mut bytes, mut pieces) = (Vec::new(), Vec::new());
            for (_, event) in run.rest() {
                match event {
                    Event::Chunk(chunk) if !chunk.is_empty() => {
                        bytes.extend_from_slice(chunk);
                        pieces.push(Piece::Chunk { end: bytes.len() });
                    }
                    Event::Again => pieces.push(Piece::Again),
                    Event::Chunk(_) | Event::Gap(_) | Event::Close(_) => {}
                }
            }
            let blocks = self.would_block.is_some();
            let state = State { pieces, interrupts: self.interrupted, blocks, ..State::default() };
            Incoming { bytes: Arc::new(bytes), state: Arc::new(Mutex::new(state)) }
        });
        self.read_all(run, &incoming);
        uncounted(|| drop(incoming));
    }
}

impl<M, F, N> Blocking<M, F, N> {
    fn read_all<R, T, E>(&self, run: &mut Run<'_, T, Kind>, incoming: &Incoming)
    where
        M: Fn(Incoming) -> R,
        F: Fn(&mut R) -> Result<Option<T>, E>,
        N: Fn(&E) -> bool,
        E: Debug,
    {
        let mut told = Told { incoming: incoming.clone(), pieces: 0, at: 0, end: false };
        let mut reader = (self.make)(incoming.clone());
        let mut calls_before = 0;
        loop {
            let said = (self.read)(&mut reader);
            let end_seen = told.tell(run);
            match said {
                Ok(Some(event)) => run.event(event),
                Ok(None) => {
                    if end_seen {
                        run.emit(Output::End(End::Clean));
                    }
                    return;
                }
                Err(error) if self.would_block.as_ref().is_some_and(|is_it| is_it(&error)) => {
                    // It says so for ever, and does not look whether it is still so.
                    let calls = incoming.state().calls;
                    if calls == calls_before {
                        run.breach(Breach::Asleep);
                        return;
                    }
                    calls_before = calls;
                }
                Err(error) => {
                    let goes_on = run.fail(Kind::of(&error));
                    if end_seen || !(self.resumes || goes_on && incoming.skip()) {
                        return;
                    }
                }
            }
        }
    }
}

/// A connection whose bytes arrive as the law cuts them: `Read`, and `BufRead` over its own chunks.
///
/// A read brings bytes of one chunk. It is a `Write` too, for what must answer in order to read; what is written is lost.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The whole stream.
    bytes: Arc<Vec<u8>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    pieces: Vec<Piece>,
    /// How many of the pieces were asked for.
    asked: usize,
    /// Where the bytes that are there and not read begin and end.
    at: usize,
    end: usize,
    /// The end of the stream was asked for.
    end_seen: bool,
    ends_read: usize,
    /// How many reads there were.
    calls: u64,
    interrupts: bool,
    blocks: bool,
    /// The last read failed because nothing was there.
    blocked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Piece {
    /// A chunk, from the end of the one before.
    Chunk {
        /// Where it ends in the stream.
        end: usize,
    },
    Again,
}

/// A reader that is told so often that the stream has ended will not stop by itself.
const MOST_ENDS: usize = 10_000;

impl Incoming {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the bytes that are there lie: nowhere when the stream has ended.
    fn fill(&self) -> io::Result<(usize, usize)> {
        let mut state = self.state();
        state.calls += 1;
        while state.at == state.end {
            if state.blocks && !state.blocked {
                state.blocked = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            state.blocked = false;
            match state.pieces.get(state.asked).copied() {
                Some(Piece::Chunk { end }) => {
                    state.asked += 1;
                    state.end = end;
                }
                Some(Piece::Again) => {
                    state.asked += 1;
                    if state.interrupts {
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                None => {
                    state.end_seen = true;
                    state.ends_read += 1;
                    if state.ends_read > MOST_ENDS {
                        drop(state);
                        run::stop(Breach::Hung);
                    }
                    break;
                }
            }
        }
        Ok((state.at, state.end))
    }

    /// Adds the next chunk to what is there, for a reader that failed and is called again. `false`: there is none.
    fn skip(&self) -> bool {
        let mut state = self.state();
        let next = state.pieces.get(state.asked).copied();
        if let Some(Piece::Chunk { end }) = next {
            state.end = end;
        }
        state.asked += 1;
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

/// How much of what was asked for was told to the run.
struct Told {
    incoming: Incoming,
    pieces: usize,
    /// Where the next chunk begins in the stream.
    at: usize,
    end: bool,
}

impl Told {
    /// Tells what was asked for since. Was the end of the stream?
    fn tell<E, F>(&mut self, run: &mut Run<'_, E, F>) -> bool {
        let state = self.incoming.state();
        let asked = state.asked.min(state.pieces.len());
        for piece in &state.pieces[self.pieces..asked] {
            run.asked();
            match *piece {
                Piece::Chunk { end } => {
                    run.given(Event::Chunk(&self.incoming.bytes[self.at..end]));
                    self.at = end;
                }
                Piece::Again => run.given(Event::Again),
            }
        }
        self.pieces = asked;
        if state.end_seen && !self.end {
            run.asked();
            self.end = true;
        }
        state.end_seen
    }
}
