//! One side of a recorded conversation, played to a live peer.
//!
//! What the side did is a list of [`Step`]s, in the order of the recording: it sent bytes, it ended its stream, and in between it awaited something of the
//! peer. A step is taken when those before it have been. So what was sent after an answer had come is sent after an answer has come, and what was sent without
//! waiting is sent without waiting; what counts as an answer, the [`Part`] knows, which is told everything that passes.
//!
//! Reading and writing go on at the same time: a peer that answers while it is still being written to never has to wait for the end of the
//! writing. Every wait has a limit.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::{Ending, Side};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::flow::LONGEST_READ;

/// After so many waits in vain nothing more is expected of a peer.
const MOST_SILENCES: usize = 3;

/// Something that the played side did, and its place among all that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<C> {
    /// Its number among the steps of all connections, from 0.
    pub number: usize,
    /// How long after the beginning of the recording.
    pub at: Duration,
    /// What it is.
    pub act: Act<C>,
}

/// What the played side did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act<C> {
    /// It opened the connection, or accepted it. This is done by whoever has the socket.
    Open,
    /// It sent these bytes.
    Send(Vec<u8>),
    /// It ended its stream.
    Close,
    /// It reset the connection.
    Reset,
    /// It had seen this much of the peer.
    Await(C),
}

/// Who hears a conversation that is played, and knows what has come of it.
pub trait Part {
    /// How much of the peer has been seen.
    type Cue;

    /// The side that is played.
    fn side(&self) -> Side;

    /// These bytes have been sent, or have arrived.
    fn chunk(&mut self, side: Side, bytes: &[u8]);

    /// The side has ended its stream.
    fn close(&mut self, side: Side, ending: Ending);

    /// Has this much of the peer been seen?
    fn has(&self, cue: &Self::Cue) -> bool;

    /// What is missing of this will not come: the steps that follow do not wait for it any more.
    fn give_up(&mut self, cue: &Self::Cue);
}

/// How a conversation is played.
#[derive(Clone, Debug)]
pub struct Playing {
    /// How long the peer may be silent when it is awaited, and how long it may refuse what is sent.
    pub timeout: Duration,
    /// When the recording began, as it is played. `None`: every step as early as may be.
    pub pace: Option<Instant>,
    /// How many bytes of the peer are read at most.
    pub most_bytes: u64,
    /// The order that is kept among connections. `None`: they do not wait for each other.
    pub turns: Option<Arc<Turns>>,
}

/// Why a conversation was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// The peer's connection is broken.
    #[error("nothing more could be sent: {0}")]
    Unwritten(io::Error),
    /// The peer does not read.
    #[error("the peer took nothing of what was sent for {} seconds", .0.as_secs_f64())]
    Stalled(Duration),
    /// The peer does not answer.
    #[error("the peer was silent for {} seconds when it should have answered, {MOST_SILENCES} times", .0.as_secs_f64())]
    Silent(Duration),
    /// The peer sends without end.
    #[error("the peer sent more than {0} bytes")]
    TooMuch(u64),
}

/// Plays `steps` over `socket`, and then hears the rest of what the peer has to say.
///
/// # Errors
/// Not all of the steps were taken.
pub async fn play<P: Part>(
    mut socket: TcpStream,
    steps: &[Step<P::Cue>],
    part: &mut P,
    playing: &Playing,
) -> Result<(), Interrupted> {
    let side = part.side();
    // Fails on a socket that is broken already, which shows soon enough.
    let _ = socket.set_nodelay(true);
    let (mut reader, mut writer) = socket.split();
    let mut peer = Peer { side: !side, ended: false, arrived: 0, most: playing.most_bytes };
    let mut buffer = vec![0; LONGEST_READ];
    let mut silences = 0;
    let mut quiet = Instant::now();
    let mut written = 0;
    let mut closed = false;
    let mut at = 0;
    let mut outcome = Ok(());

    while let Some(step) = steps.get(at) {
        let has_turn = playing.turns.as_ref().is_none_or(|turns| turns.has(step.number));
        let due = playing.pace.map(|began| began + step.at);
        let due = due.filter(|due| *due > Instant::now() && !matches!(step.act, Act::Await(_)));
        let may_act = has_turn && due.is_none();
        let mut rest: &[u8] = &[];
        let done = match &step.act {
            Act::Open => true,
            Act::Await(cue) if part.has(cue) => true,
            Act::Await(cue) if peer.ended => {
                part.give_up(cue);
                true
            }
            Act::Send(bytes) if written == bytes.len() => true,
            Act::Close if may_act => {
                // Fails on a socket that is broken already: reading tells.
                let _ = writer.shutdown().await;
                part.close(side, Ending::Closed);
                closed = true;
                true
            }
            Act::Reset if may_act => {
                part.close(side, Ending::Reset);
                // Fails on a socket that is broken already.
                let _ = socket.set_zero_linger();
                return Ok(());
            }
            Act::Send(bytes) if may_act => {
                rest = &bytes[written..];
                false
            }
            Act::Await(_) | Act::Send(_) | Act::Close | Act::Reset => false,
        };
        if done {
            playing.done(step.number);
            at += 1;
            written = 0;
            quiet = Instant::now();
            continue;
        }
        tokio::select! {
            read = reader.read(&mut buffer), if !peer.ended => {
                quiet = Instant::now();
                peer.read(read.ok().map(|length| &buffer[..length]), part)?;
            }
            wrote = writer.write(rest), if !rest.is_empty() => match wrote {
                Ok(length) => {
                    part.chunk(side, &rest[..length]);
                    written += length;
                    quiet = Instant::now();
                }
                Err(error) => {
                    outcome = Err(Interrupted::Unwritten(error));
                    break;
                }
            },
            () = playing.turn(step.number), if !has_turn => quiet = Instant::now(),
            () = sleep_until(due.unwrap_or(quiet)), if has_turn && due.is_some() => quiet = Instant::now(),
            () = sleep_until(quiet + playing.timeout), if may_act => {
                let Act::Await(cue) = &step.act else {
                    return Err(Interrupted::Stalled(playing.timeout));
                };
                part.give_up(cue);
                silences += 1;
                if silences == MOST_SILENCES {
                    return Err(Interrupted::Silent(playing.timeout));
                }
            }
        }
    }

    if !closed {
        let _ = writer.shutdown().await;
    }
    let mut last = Instant::now();
    while !peer.ended {
        let Ok(read) = timeout_at(last + playing.timeout, reader.read(&mut buffer)).await else { break };
        last = Instant::now();
        peer.read(read.ok().map(|length| &buffer[..length]), part)?;
    }
    outcome
}

/// What has come of the peer.
struct Peer {
    side: Side,
    ended: bool,
    arrived: u64,
    most: u64,
}

impl Peer {
    /// Tells of what was read of it: no bytes are the end of its stream, and `None` that it is broken.
    fn read(&mut self, read: Option<&[u8]>, part: &mut impl Part) -> Result<(), Interrupted> {
        match read {
            Some([]) => {
                self.ended = true;
                part.close(self.side, Ending::Closed);
            }
            Some(bytes) => {
                self.arrived += bytes.len() as u64;
                part.chunk(self.side, bytes);
                if self.arrived > self.most {
                    return Err(Interrupted::TooMuch(self.most));
                }
            }
            None => {
                self.ended = true;
                part.close(self.side, Ending::Reset);
            }
        }
        Ok(())
    }
}

impl Playing {
    fn done(&self, number: usize) {
        if let Some(turns) = &self.turns {
            turns.done(number);
        }
    }

    async fn turn(&self, number: usize) {
        if let Some(turns) = &self.turns {
            turns.reached(number).await;
        }
    }
}

/// The order of the steps of several connections: a step's turn has come when all with lower numbers are done.
#[derive(Debug)]
pub struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    done: Vec<bool>,
    /// All before this one are done.
    next: usize,
    waiting: BTreeMap<usize, oneshot::Sender<()>>,
}

impl Turns {
    /// The order of so many steps.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(Mutex::new(State { done: vec![false; count], next: 0, waiting: BTreeMap::new() }))
    }

    /// Has its turn come?
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        number <= self.state().next
    }

    /// A step has been taken, or will not be.
    pub fn done(&self, number: usize) {
        let state = &mut *self.state();
        if let Some(done) = state.done.get_mut(number) {
            *done = true;
        }
        while state.done.get(state.next).is_some_and(|done| *done) {
            state.next += 1;
        }
        while let Some(first) = state.waiting.first_entry().filter(|first| *first.key() <= state.next) {
            // Whoever waited may have found something else to do.
            let _ = first.remove().send(());
        }
    }

    /// Waits for a turn. One may wait for a step at a time.
    pub async fn reached(&self, number: usize) {
        loop {
            let woken = {
                let mut state = self.state();
                if number <= state.next {
                    return;
                }
                let (wake, woken) = oneshot::channel();
                state.waiting.insert(number, wake);
                woken
            };
            // An error is a waiter in place of this one, and the loop looks again.
            let _ = woken.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
