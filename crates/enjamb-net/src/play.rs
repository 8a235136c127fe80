//! One side of a recorded conversation, played to a live peer.
//!
//! The side is a list of [`Step`]s, in the order of the recording: it sends bytes, ends its stream,
//! or waits for something from the peer. Steps are taken in order. So bytes that were sent after an
//! answer are sent after an answer again, and bytes that were sent without waiting are sent without
//! waiting. A [`PlayObserver`] receives everything that passes, and decides what counts as an
//! answer.
//!
//! Reading and writing go on at the same time: a peer that answers early never has to wait until
//! all is written. Every wait has a limit.

mod step_order;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use enjamb::units::format_duration;
use enjamb::{Ending, Side};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::step_order::StepOrder;
use crate::scratch::LONGEST_READ;

/// After this number of waits without an answer the conversation ends.
const SILENCES_MAX: usize = 3;

/// One action of the played side, with its place in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<C> {
    /// Its number among the steps of all connections, from 0.
    pub number: usize,
    /// The time since the beginning of the recording.
    pub at: Duration,
    /// The action.
    pub action: Action<C>,
}

/// An action of the played side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<C> {
    /// It opened the connection, or accepted it. The caller has done so before it plays.
    Open,
    /// It sent these bytes.
    Send(Vec<u8>),
    /// It ended its stream.
    Close,
    /// It reset the connection.
    Reset,
    /// It waited until the peer had sent this much.
    Await(C),
}

/// Receives a conversation while it is played, and reports how far the peer is.
pub trait PlayObserver {
    /// A point in the stream of the peer.
    type Cue;

    /// Returns the side that is played.
    fn side(&self) -> Side;

    /// Receives bytes that have been sent, or have arrived.
    fn chunk(&mut self, side: Side, bytes: &[u8]);

    /// Receives the end of a side's stream.
    fn close(&mut self, side: Side, ending: Ending);

    /// Returns whether the peer has reached `cue`.
    fn has_reached(&self, cue: &Self::Cue) -> bool;

    /// Notes that the peer will not reach `cue`: the steps that follow do not wait for it any more.
    fn give_up(&mut self, cue: &Self::Cue);
}

/// The limits and the pace at which a conversation is played.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlayOptions {
    /// The maximum time that the peer may be silent when it is awaited, and that it may take none
    /// of the sent bytes.
    pub timeout: Duration,
    /// The instant at which the recording begins again. `None`: every step is taken as early as
    /// possible.
    pub pace: Option<Instant>,
    /// The maximum number of bytes that are read from the peer.
    pub peer_bytes_max: u64,
    /// The order that is kept among connections. `None`: they do not wait for each other.
    pub order: Option<Arc<StepOrder>>,
}

impl PlayOptions {
    /// Creates limits without a pace and without an order among connections.
    #[must_use]
    pub fn new(timeout: Duration, peer_bytes_max: u64) -> Self {
        Self { timeout, pace: None, peer_bytes_max, order: None }
    }
}

/// The reason why a conversation was not played to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The peer's connection is broken.
    #[error("nothing more could be sent: {0}")]
    Broken(#[source] io::Error),
    /// The peer does not read.
    #[error("the peer took none of the sent bytes for {}", format_duration(*.0))]
    Stalled(Duration),
    /// The peer does not answer.
    #[error("the peer was silent for {} when it should have answered, {SILENCES_MAX} times", format_duration(*.0))]
    Silent(Duration),
    /// The peer sends without end.
    #[error("the peer sent more than {0} bytes")]
    TooMuch(u64),
}

/// Plays `steps` over `socket`, and then reads the peer's stream to its end.
///
/// # Errors
/// Some steps were not taken.
pub async fn play<P: PlayObserver>(
    mut socket: TcpStream,
    steps: &[Step<P::Cue>],
    observer: &mut P,
    options: &PlayOptions,
) -> Result<(), PlayError> {
    let side = observer.side();
    // It fails on a socket that is broken already, which shows soon enough.
    let _ = socket.set_nodelay(true);
    let (mut reader, mut writer) = socket.split();
    let mut peer = Peer { side: !side, ended: false, arrived: 0, most: options.peer_bytes_max };
    let mut buffer = vec![0; LONGEST_READ];
    let mut silences = 0;
    let mut quiet = Instant::now();
    let mut written = 0;
    let mut closed = false;
    let mut at = 0;
    let mut outcome = Ok(());

    while let Some(step) = steps.get(at) {
        let is_due = options.order.as_ref().is_none_or(|order| order.has_reached(step.number));
        let due = options.pace.map(|began| began + step.at);
        let due = due.filter(|due| *due > Instant::now() && !matches!(step.action, Action::Await(_)));
        let may_act = is_due && due.is_none();
        let mut rest: &[u8] = &[];
        let done = match &step.action {
            Action::Open => true,
            Action::Await(cue) if observer.has_reached(cue) => true,
            Action::Await(cue) if peer.ended => {
                observer.give_up(cue);
                true
            }
            Action::Send(bytes) if written == bytes.len() => true,
            Action::Close if may_act => {
                // It fails on a socket that is broken already, which reading shows.
                let _ = writer.shutdown().await;
                observer.close(side, Ending::Closed);
                closed = true;
                true
            }
            Action::Reset if may_act => {
                observer.close(side, Ending::Reset);
                // It fails on a socket that is broken already.
                let _ = socket.set_zero_linger();
                return Ok(());
            }
            Action::Send(bytes) if may_act => {
                rest = &bytes[written..];
                false
            }
            Action::Await(_) | Action::Send(_) | Action::Close | Action::Reset => false,
        };
        if done {
            options.mark_done(step.number);
            at += 1;
            written = 0;
            quiet = Instant::now();
            continue;
        }
        tokio::select! {
            read = reader.read(&mut buffer), if !peer.ended => {
                quiet = Instant::now();
                peer.read(read.ok().map(|length| &buffer[..length]), observer)?;
            }
            wrote = writer.write(rest), if !rest.is_empty() => match wrote {
                Ok(length) => {
                    observer.chunk(side, &rest[..length]);
                    written += length;
                    quiet = Instant::now();
                }
                Err(error) => {
                    outcome = Err(PlayError::Broken(error));
                    break;
                }
            },
            () = options.reached(step.number), if !is_due => quiet = Instant::now(),
            () = sleep_until(due.unwrap_or(quiet)), if is_due && due.is_some() => quiet = Instant::now(),
            () = sleep_until(quiet + options.timeout), if may_act => {
                let Action::Await(cue) = &step.action else {
                    return Err(PlayError::Stalled(options.timeout));
                };
                observer.give_up(cue);
                silences += 1;
                if silences == SILENCES_MAX {
                    return Err(PlayError::Silent(options.timeout));
                }
            }
        }
    }

    if !closed {
        let _ = writer.shutdown().await;
    }
    let mut last = Instant::now();
    while !peer.ended {
        let Ok(read) = timeout_at(last + options.timeout, reader.read(&mut buffer)).await else { break };
        last = Instant::now();
        peer.read(read.ok().map(|length| &buffer[..length]), observer)?;
    }
    outcome
}

/// The stream of the peer.
struct Peer {
    side: Side,
    ended: bool,
    arrived: u64,
    most: u64,
}

impl Peer {
    /// Passes on the result of a read: no bytes mean the end of the stream, and `None` means a
    /// broken connection.
    fn read(&mut self, read: Option<&[u8]>, observer: &mut impl PlayObserver) -> Result<(), PlayError> {
        match read {
            Some([]) => {
                self.ended = true;
                observer.close(self.side, Ending::Closed);
            }
            Some(bytes) => {
                self.arrived += bytes.len() as u64;
                observer.chunk(self.side, bytes);
                if self.arrived > self.most {
                    return Err(PlayError::TooMuch(self.most));
                }
            }
            None => {
                self.ended = true;
                observer.close(self.side, Ending::Reset);
            }
        }
        Ok(())
    }
}

impl PlayOptions {
    fn mark_done(&self, number: usize) {
        if let Some(order) = &self.order {
            order.mark_done(number);
        }
    }

    async fn reached(&self, number: usize) {
        if let Some(order) = &self.order {
            order.reached(number).await;
        }
    }
}
