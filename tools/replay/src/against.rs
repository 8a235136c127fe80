//! `--against`: the client's side of every connection, played to a live server.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use enjamb::Side;
use enjamb_net::{PlayError, PlayOptions, StepOrder, play};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::comparison::{Comparison, Difference};
use crate::conversations::read_conversations;
use crate::inputs::Inputs;
use crate::listening::Heard;
use crate::live::LiveArguments;
use crate::masks::Masks;
use crate::recorded::{Player, Recorded, began, opened_after};
use crate::sources::Spoken;
use crate::verdicts::Verdicts;
use crate::{Arguments, NOTHING_READ, OutputFormat};

/// The longest conversation that is played, in bytes of payload: it is kept in memory, and what comes of it too.
pub(crate) const LONGEST: usize = 256 << 20;

/// How much longer than it was recorded to be a side may be, beside as long again.
const MUCH_MORE: u64 = 16 << 20;

/// How many connections may wait for their next step at a time, in the order of the capture.
const MOST_OPEN: usize = 1000;

/// How playing a conversation went.
pub(crate) enum Played {
    /// It was played, as far as that went.
    Heard { heard: Box<Heard>, interrupted: Option<PlayError>, silences: usize },
    /// There is no connection.
    NotConnected(io::Error),
    /// Its session panicked.
    Panicked,
}

/// All the conversations that can be played, in the order in which they were opened, and why the others cannot. `None`: nothing could be read.
pub(crate) fn recorded(arguments: &Arguments, spoken: &Spoken, side: Side) -> Option<(Vec<Recorded>, Vec<String>)> {
    let inputs = Inputs::find(&arguments.captures);
    let options = arguments.bounds.options();
    let (conversations, totals) = read_conversations("enjamb replay", &inputs, &options, spoken, LONGEST);
    if totals.nothing_read() {
        return None;
    }
    let began = began(&conversations);
    let mut not_played = Vec::new();
    let mut recorded = Vec::new();
    for conversation in conversations {
        match Recorded::new(conversation, spoken, side, began) {
            Ok(ready) => recorded.push(ready),
            Err(why) => not_played.push(why),
        }
    }
    number(&mut recorded);
    Some((recorded, not_played))
}

/// Numbers the steps from 0, without gaps.
fn number(recorded: &mut [Recorded]) {
    let mut steps: Vec<&mut usize> =
        recorded.iter_mut().flat_map(|recorded| recorded.steps.iter_mut().map(|step| &mut step.number)).collect();
    steps.sort();
    for (dense, number) in steps.into_iter().enumerate() {
        *number = dense;
    }
}

/// How a conversation is played whose peer's part is `recorded`.
pub(crate) fn playing(recorded: &Recorded, live: &LiveArguments, side: Side) -> PlayOptions {
    let length = recorded.heard.length(!side);
    PlayOptions::new(live.timeout, length.saturating_mul(2).saturating_add(MUCH_MORE))
}

/// Plays the captures to the server, and says what it answers that is not recorded.
///
/// # Errors
/// Standard output cannot be written, or there are no threads.
pub(crate) fn run(arguments: &Arguments, server: &str, spoken: &Spoken) -> anyhow::Result<ExitCode> {
    let (live, as_json) = (&arguments.live, arguments.output.format == OutputFormat::Jsonl);
    let Some((recorded, not_played)) = recorded(arguments, spoken, Side::Client) else {
        return Ok(ExitCode::from(NOTHING_READ));
    };
    let recorded: Vec<Arc<Recorded>> = recorded.into_iter().map(Arc::new).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = std::time::Instant::now();
    let played = runtime.block_on(all(&recorded, server, live));
    let mut verdicts = Verdicts::new(Side::Server, not_played, started.elapsed());

    let mut out = io::BufWriter::new(io::stdout().lock());
    let refused = played.iter().filter(|played| matches!(played, Played::NotConnected(_))).count();
    if refused > 0
        && refused == played.len()
        && let Some(Played::NotConnected(error)) = played.first()
    {
        eprintln!("enjamb replay: --against {server}: {error}");
        return Ok(ExitCode::from(NOTHING_READ));
    }
    for (recorded, played) in recorded.iter().zip(&played) {
        verdicts.add(recorded, played, live, as_json, &mut out)?;
    }
    verdicts.finish(&format!("played to {server}"), as_json, &mut out)?;
    out.flush()?;
    Ok(verdicts.code())
}

impl Played {
    /// What came of it, compared with what was recorded.
    pub(crate) fn compared<'h>(&'h self, recorded: &'h Recorded, side: Side, live: &LiveArguments) -> Comparison<'h> {
        let interrupted = |why: String| Comparison {
            messages: recorded.heard.messages[side.index()].len(),
            differences: vec![Difference::Interrupted(why)],
            ..Comparison::default()
        };
        match self {
            Self::Heard { heard, interrupted, .. } => {
                let mut comparison = Comparison::of(&recorded.heard, heard, side, live.compare, Masks(&live.ignore));
                if let Some(why) = interrupted {
                    comparison.differences.push(Difference::Interrupted(why.to_string()));
                }
                comparison
            }
            Self::NotConnected(error) => interrupted(format!("it could not be connected: {error}")),
            Self::Panicked => interrupted("its session panicked: its protocol has a bug".to_owned()),
        }
    }
}

/// Plays them all.
async fn all(recorded: &[Arc<Recorded>], server: &str, live: &LiveArguments) -> Vec<Played> {
    let began = Instant::now();
    let steps = recorded.iter().map(|recorded| recorded.steps.len()).sum();
    let turns = live.concurrent.is_none().then(|| Arc::new(StepOrder::new(steps)));
    let room = Arc::new(Semaphore::new(live.concurrent.map_or(MOST_OPEN, std::num::NonZeroUsize::get)));
    let mut players: JoinSet<(usize, Played)> = JoinSet::new();
    let mut played: Vec<Option<Played>> = recorded.iter().map(|_| None).collect();
    for (at, recorded) in recorded.iter().enumerate() {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let rest = Rest { turns: turns.clone(), recorded: Arc::clone(recorded) };
        if let (Some(turns), Some(open)) = (&turns, recorded.steps.first()) {
            turns.reached(open.number).await;
        }
        let opened = opened_after(recorded);
        let pace = live.is_paced().then(|| if turns.is_some() { began } else { Instant::now() - opened });
        if let Some(began) = pace {
            tokio::time::sleep_until(began + opened).await;
        }
        let mut playing = playing(recorded, live, Side::Client);
        (playing.pace, playing.order) = (pace, turns.clone());
        let (recorded, server, connecting) = (Arc::clone(recorded), server.to_owned(), live.connect_timeout);
        // Opened here, so that connections are opened in their order.
        let socket = connect(&server, connecting).await;
        players.spawn(async move {
            let _permit = permit;
            let _rest = rest;
            let socket = match socket {
                Ok(socket) => socket,
                Err(error) => return (at, Played::NotConnected(error)),
            };
            (at, converse(socket, &recorded, &playing, Side::Client).await)
        });
        while let Some(done) = players.try_join_next() {
            keep(&mut played, done);
        }
    }
    while let Some(done) = players.join_next().await {
        keep(&mut played, done);
    }
    played.into_iter().map(|played| played.unwrap_or(Played::Panicked)).collect()
}

/// A task that panicked leaves its place empty.
fn keep(played: &mut [Option<Played>], done: Result<(usize, Played), tokio::task::JoinError>) {
    if let Ok((at, one)) = done
        && let Some(place) = played.get_mut(at)
    {
        *place = Some(one);
    }
}

/// Plays a side of a conversation over a connection.
pub(crate) async fn converse(socket: TcpStream, recorded: &Recorded, playing: &PlayOptions, side: Side) -> Played {
    let mut player = Player::new(side, recorded);
    let interrupted = play(socket, &recorded.steps, &mut player, playing).await.err();
    let silences = player.silences;
    Played::Heard { heard: Box::new(player.finish()), interrupted, silences }
}

async fn connect(server: &str, limit: Duration) -> io::Result<TcpStream> {
    timeout(limit, TcpStream::connect(server)).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} seconds", limit.as_secs_f64())))
    })
}

/// The steps of a connection that others wait for: all are done when it is over, however it ended.
struct Rest {
    turns: Option<Arc<StepOrder>>,
    recorded: Arc<Recorded>,
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(turns) = &self.turns {
            self.recorded.steps.iter().for_each(|step| turns.mark_done(step.number));
        }
    }
}
