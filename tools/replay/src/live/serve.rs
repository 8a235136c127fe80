//! `--serve`: the server's side of every connection, played to live clients.
//!
//! Each client that connects gets the next recorded connection, in the order in which they were
//! opened. Clients that come after the last connection was given are turned away. The command ends
//! when all connections have been served, or at an interrupt.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context as _;
use enjamb::Side;
use enjamb_sources::{Exit, Inputs, Progress};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::live::arguments::LiveArguments;
use crate::live::performance::{Performance, limits, perform};
use crate::live::recorded_conversation::{RecordedConversation, Recording};
use crate::live::report::LiveReport;
use crate::setup::Setup;

/// Serves the captures to clients, and writes how their messages differ from the recorded ones.
///
/// # Errors
/// Standard output cannot be written, or the system has no threads left.
pub(crate) fn serve(
    setup: &Setup<'_>,
    inputs: &Inputs,
    address: &str,
    arguments: &LiveArguments,
) -> anyhow::Result<Exit> {
    let progress = Progress::hidden(&setup.notices);
    let reader = setup.reader(inputs, &progress);
    let Some(Recording { conversations, not_played, is_complete }) =
        Recording::read(&reader, &setup.protocols, Side::Server)
    else {
        return Ok(Exit::Unavailable);
    };
    let conversations: Vec<Arc<RecordedConversation>> = conversations.into_iter().map(Arc::new).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = std::time::Instant::now();
    let served = runtime.block_on(async {
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => {
                setup.notices.notice(format_args!("--serve {address}: {error}"));
                return Ok(None);
            }
        };
        let local = listener.local_addr().context("cannot read the address of the socket")?;
        setup.notices.plain(format_args!("listening on {local}, serving {} recorded connections", conversations.len()));
        serve_all(&listener, &conversations, arguments).await.map(Some)
    })?;
    let Some(ServedClients { performances, turned_away }) = served else {
        return Ok(Exit::Unavailable);
    };
    let mut report = LiveReport::new(Side::Client, not_played, started.elapsed(), setup);
    report.turned_away = turned_away;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (recorded, performance) in conversations.iter().zip(&performances) {
        match performance {
            Some(performance) => report.add(recorded, performance, arguments, &mut out)?,
            None => report.not_asked_for(recorded.conversation.title()),
        }
    }
    report.finish("served", &mut out)?;
    out.flush()?;
    Ok(match report.exit() {
        // Nobody knows what the missing input would have shown.
        Exit::Done if !is_complete => Exit::Unavailable,
        exit => exit,
    })
}

/// The clients that came.
struct ServedClients {
    /// The performance of each connection. `None`: no client came for it.
    performances: Vec<Option<Performance>>,
    /// The number of clients that came after all connections had been given to others.
    turned_away: usize,
}

async fn serve_all(
    listener: &TcpListener,
    conversations: &[Arc<RecordedConversation>],
    arguments: &LiveArguments,
) -> anyhow::Result<ServedClients> {
    let mut players: JoinSet<(usize, Performance)> = JoinSet::new();
    let mut performances: Vec<Option<Performance>> = conversations.iter().map(|_| None).collect();
    let mut began = vec![false; conversations.len()];
    let max = arguments.concurrent.map_or(usize::MAX, NonZeroUsize::get);
    let mut next = 0;
    let mut interrupted = false;
    let mut turned_away = 0;
    while (next < conversations.len() && !interrupted) || !players.is_empty() {
        tokio::select! {
            accepted = listener.accept(), if !interrupted && (next == conversations.len() || players.len() < max) => {
                // An error here means that the client has gone already.
                let Ok((socket, _)) = accepted else { continue };
                let Some(recorded) = conversations.get(next).map(Arc::clone) else {
                    turned_away += 1;
                    continue;
                };
                let pace = arguments.is_paced().then(|| Instant::now() - recorded.opened_after());
                let mut options = limits(&recorded, arguments, Side::Server);
                options.pace = pace;
                began[next] = true;
                let at = next;
                players.spawn(async move { (at, perform(socket, &recorded, &options, Side::Server).await) });
                next += 1;
            }
            Some(ended) = players.join_next(), if !players.is_empty() => {
                if let Ok((at, performance)) = ended {
                    performances[at] = Some(performance);
                }
            }
            signal = tokio::signal::ctrl_c(), if !interrupted => {
                signal.context("cannot listen to signals")?;
                interrupted = true;
            }
        }
    }
    for (performance, began) in performances.iter_mut().zip(began) {
        if began && performance.is_none() {
            *performance = Some(Performance::Panicked);
        }
    }
    Ok(ServedClients { performances, turned_away })
}
