//! `--serve`: the server's side of every connection, played to live clients.
//!
//! Each client that connects is given the next recorded connection, in the order in which they were opened. Those that come when all have been given are turned
//! away. It ends when all have been served, or at an interrupt.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use enjamb::Side;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::against::{Played, converse, playing, recorded};
use crate::live::LiveArguments;
use crate::recorded::{Recorded, opened_after};
use crate::sources::Spoken;
use crate::verdicts::Verdicts;
use crate::{Arguments, NOTHING_READ, OutputFormat};

/// Serves the captures to clients, and says what they ask that is not recorded.
///
/// # Errors
/// Standard output cannot be written, or there are no threads.
pub(crate) fn run(arguments: &Arguments, address: &str, spoken: &Spoken) -> anyhow::Result<ExitCode> {
    let (live, as_json) = (&arguments.live, arguments.output.format == OutputFormat::Jsonl);
    let Some((recorded, not_played)) = recorded(arguments, spoken, Side::Server) else {
        return Ok(ExitCode::from(NOTHING_READ));
    };
    let recorded: Vec<Arc<Recorded>> = recorded.into_iter().map(Arc::new).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = std::time::Instant::now();
    let served = runtime.block_on(async {
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("enjamb replay: --serve {address}: {error}");
                return Ok(None);
            }
        };
        let local = listener.local_addr().context("asking where it listens")?;
        eprintln!("listening on {local}, serving {} recorded connections", recorded.len());
        serve(&listener, &recorded, live).await.map(Some)
    })?;
    let Some(Served { played: served, turned_away }) = served else {
        return Ok(ExitCode::from(NOTHING_READ));
    };
    let mut verdicts = Verdicts::new(Side::Client, not_played, started.elapsed());
    verdicts.turned_away = turned_away;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (recorded, played) in recorded.iter().zip(&served) {
        match played {
            Some(played) => verdicts.add(recorded, played, live, as_json, &mut out)?,
            None => verdicts.not_asked_for(recorded.conversation.title()),
        }
    }
    verdicts.finish("served", as_json, &mut out)?;
    out.flush()?;
    Ok(verdicts.code())
}

/// What came of it.
struct Served {
    /// Of each connection; `None` where no client came.
    played: Vec<Option<Played>>,
    /// Clients that came when all connections had been given.
    turned_away: usize,
}

async fn serve(listener: &TcpListener, recorded: &[Arc<Recorded>], live: &LiveArguments) -> anyhow::Result<Served> {
    let mut players: JoinSet<(usize, Played)> = JoinSet::new();
    let mut served: Vec<Option<Played>> = recorded.iter().map(|_| None).collect();
    let mut began = vec![false; recorded.len()];
    let most = live.concurrent.map_or(usize::MAX, std::num::NonZeroUsize::get);
    let mut next = 0;
    let mut interrupted = false;
    let mut turned_away = 0;
    while (next < recorded.len() && !interrupted) || !players.is_empty() {
        tokio::select! {
            accepted = listener.accept(), if !interrupted && (next == recorded.len() || players.len() < most) => {
                // One that has gone already is no client.
                let Ok((socket, _)) = accepted else { continue };
                let Some(recorded) = recorded.get(next).map(Arc::clone) else {
                    turned_away += 1;
                    continue;
                };
                let pace = live.is_paced().then(|| Instant::now() - opened_after(&recorded));
                let mut playing = playing(&recorded, live, Side::Server);
                playing.pace = pace;
                began[next] = true;
                let at = next;
                players.spawn(async move { (at, converse(socket, &recorded, &playing, Side::Server).await) });
                next += 1;
            }
            Some(done) = players.join_next(), if !players.is_empty() => {
                if let Ok((at, played)) = done {
                    served[at] = Some(played);
                }
            }
            ended = tokio::signal::ctrl_c(), if !interrupted => {
                ended.context("listening to signals")?;
                interrupted = true;
            }
        }
    }
    for (served, began) in served.iter_mut().zip(began) {
        if began && served.is_none() {
            *served = Some(Played::Panicked);
        }
    }
    Ok(Served { played: served, turned_away })
}
