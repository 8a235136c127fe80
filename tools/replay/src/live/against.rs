//! `--against`: the client's side of every connection, played to a live server.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use enjamb::Side;
use enjamb_net::play::StepOrder;
use enjamb_sources::{Exit, Inputs, Progress};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::live::arguments::LiveArguments;
use crate::live::performance::{Performance, limits, perform};
use crate::live::recorded_conversation::{RecordedConversation, Recording};
use crate::live::report::LiveReport;
use crate::setup::Setup;

/// The number of connections that may wait for their next step at a time, in the order of the
/// capture.
const OPEN_MAX: usize = 1000;

/// Plays the captures to the server, and writes how its answers differ from the recorded ones.
///
/// # Errors
/// Standard output cannot be written, or the system has no threads left.
pub(crate) fn play_against(
    setup: &Setup<'_>,
    inputs: &Inputs,
    server: &str,
    arguments: &LiveArguments,
) -> anyhow::Result<Exit> {
    let progress = Progress::hidden(&setup.notices);
    let reader = setup.reader(inputs, &progress);
    let Some(Recording { conversations, not_played, is_complete }) =
        Recording::read(&reader, &setup.protocols, Side::Client)
    else {
        return Ok(Exit::Unavailable);
    };
    let conversations: Vec<Arc<RecordedConversation>> = conversations.into_iter().map(Arc::new).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = std::time::Instant::now();
    let performances = runtime.block_on(play_all(&conversations, server, arguments));
    if let Some(error) = unreachable(&performances) {
        setup.notices.notice(format_args!("--against {server}: {error}"));
        return Ok(Exit::Unavailable);
    }
    let mut report = LiveReport::new(Side::Server, not_played, started.elapsed(), setup);
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (recorded, performance) in conversations.iter().zip(&performances) {
        report.add(recorded, performance, arguments, &mut out)?;
    }
    report.finish(&format!("played to {server}"), &mut out)?;
    out.flush()?;
    Ok(match report.exit() {
        // Nobody knows what the missing input would have shown.
        Exit::Done if !is_complete => Exit::Unavailable,
        exit => exit,
    })
}

/// Returns the first error if no connection could be opened at all.
fn unreachable(performances: &[Performance]) -> Option<&io::Error> {
    let mut errors = performances.iter().map(|performance| match performance {
        Performance::NotConnected(error) => Some(error),
        _ => None,
    });
    let first = errors.next()??;
    errors.all(|error| error.is_some()).then_some(first)
}

/// Plays all conversations, each in a task of its own.
async fn play_all(
    conversations: &[Arc<RecordedConversation>],
    server: &str,
    arguments: &LiveArguments,
) -> Vec<Performance> {
    let start = Instant::now();
    let steps = conversations.iter().map(|recorded| recorded.steps.len()).sum();
    let order = arguments.concurrent.is_none().then(|| Arc::new(StepOrder::new(steps)));
    let room = Arc::new(Semaphore::new(arguments.concurrent.map_or(OPEN_MAX, NonZeroUsize::get)));
    let mut players: JoinSet<(usize, Performance)> = JoinSet::new();
    let mut performances: Vec<Option<Performance>> = conversations.iter().map(|_| None).collect();
    for (at, recorded) in conversations.iter().enumerate() {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let remaining = RemainingSteps { order: order.clone(), recorded: Arc::clone(recorded) };
        if let (Some(order), Some(open)) = (&order, recorded.steps.first()) {
            order.reached(open.number).await;
        }
        let opened = recorded.opened_after();
        let pace = arguments.is_paced().then(|| if order.is_some() { start } else { Instant::now() - opened });
        if let Some(start) = pace {
            tokio::time::sleep_until(start + opened).await;
        }
        let mut options = limits(recorded, arguments, Side::Client);
        (options.pace, options.order) = (pace, order.clone());
        let recorded = Arc::clone(recorded);
        // Connections are opened here and not in their tasks, so that they are opened in their
        // order.
        let socket = connect(server, arguments.connect_timeout).await;
        players.spawn(async move {
            let _permit = permit;
            let _remaining = remaining;
            let performance = match socket {
                Ok(socket) => perform(socket, &recorded, &options, Side::Client).await,
                Err(error) => Performance::NotConnected(error),
            };
            (at, performance)
        });
        while let Some(ended) = players.try_join_next() {
            store(&mut performances, ended);
        }
    }
    while let Some(ended) = players.join_next().await {
        store(&mut performances, ended);
    }
    performances.into_iter().map(|performance| performance.unwrap_or(Performance::Panicked)).collect()
}

/// Stores the performance of a task in its place. A task that panicked leaves its place empty.
fn store(performances: &mut [Option<Performance>], ended: Result<(usize, Performance), JoinError>) {
    if let Ok((at, performance)) = ended
        && let Some(place) = performances.get_mut(at)
    {
        *place = Some(performance);
    }
}

async fn connect(server: &str, limit: Duration) -> io::Result<TcpStream> {
    timeout(limit, TcpStream::connect(server)).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} seconds", limit.as_secs_f64())))
    })
}

/// Marks all steps of a connection as done when the connection is over, however it ended: other
/// connections wait for them.
struct RemainingSteps {
    order: Option<Arc<StepOrder>>,
    recorded: Arc<RecordedConversation>,
}

impl Drop for RemainingSteps {
    fn drop(&mut self) {
        if let Some(order) = &self.order {
            self.recorded.steps.iter().for_each(|step| order.mark_done(step.number));
        }
    }
}
