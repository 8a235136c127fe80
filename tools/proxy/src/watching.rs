//! The taps of the proxy's connections.
//!
//! Each connection has a session of its own, which the relay's thread feeds in place. What it says is counted in one of a few
//! statistics, and connections are spread over those: so threads seldom wait for each other, and no connection has to afford
//! histograms of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enjamb::{Connection, Event, Tap, Time};
use enjamb_monitor::{Record, Statistics, Watched, trace};
use enjamb_net::{Taps, Trouble};
use enjamb_protocols::Protocol;
use tracing::Dispatch;

use crate::notices::Seldom;
use crate::recording::Recorders;

/// How many statistics there are at most.
const SHARDS_MAX: usize = 16;

/// Watches connections: a session, the log, the statistics, the recording.
pub(crate) struct Watching {
    shared: Arc<Shared>,
    recorders: Option<Recorders>,
    troubles: Seldom,
}

struct Shared {
    protocol: Arc<Protocol>,
    log: Option<Dispatch>,
    shards: Vec<Mutex<Statistics>>,
}

impl Watching {
    pub(crate) fn new(protocol: Arc<Protocol>, log: Option<Dispatch>, recorders: Option<Recorders>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        let shards = (0..threads.min(SHARDS_MAX)).map(|_| Mutex::default()).collect();
        Self { shared: Arc::new(Shared { protocol, log, shards }), recorders, troubles: Seldom::default() }
    }

    /// What was counted so far.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut all = Statistics::default();
        for shard in &self.shared.shards {
            all.add(&lock(shard));
        }
        all
    }
}

impl Shared {
    /// The statistics that `connection` is counted in.
    fn shard(&self, connection: &Connection) -> &Mutex<Statistics> {
        &self.shards[(connection.number % self.shards.len() as u64) as usize]
    }

    /// Writes records to the log.
    fn log<T>(&self, write: impl FnOnce() -> T) -> Option<T> {
        self.log.as_ref().map(|log| tracing::dispatcher::with_default(log, write))
    }
}

/// A session that panicked in the middle of a count has left the count as good as any.
fn lock(shard: &Mutex<Statistics>) -> MutexGuard<'_, Statistics> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Taps for Watching {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        let mut taps: Vec<Box<dyn Tap + Send>> = Vec::with_capacity(2);
        taps.extend(self.recorders.as_ref().map(Recorders::tap));
        taps.push(Box::new(Session { shared: Arc::clone(&self.shared), watched: None }));
        taps
    }

    fn trouble(&self, time: Time, connection: Option<&Connection>, trouble: &Trouble) {
        let reason = &trouble.to_string();
        self.shared.log(|| trace::emit(&Record::Error { connection, time, reason }));
        match connection {
            None => self.troubles.notice(trouble),
            Some(Connection { number, .. }) => self.troubles.notice(&format_args!("connection #{number}: {trouble}")),
        }
    }
}

/// One connection under watch.
struct Session {
    shared: Arc<Shared>,
    /// From its open to its end.
    watched: Option<Watched>,
}

/// Where records go: to the log, or nowhere.
type Out<'a> = &'a mut dyn enjamb_monitor::Output;

impl Session {
    fn with(
        &mut self,
        connection: &Connection,
        act: impl FnOnce(&mut Option<Watched>, &Shared, &mut Statistics, Out<'_>),
    ) {
        let Self { shared, watched } = self;
        let mut statistics = lock(shared.shard(connection));
        match &shared.log {
            Some(log) => {
                tracing::dispatcher::with_default(log, || act(watched, shared, &mut statistics, &mut trace::emit));
            }
            None => act(watched, shared, &mut statistics, &mut |_: &Record<'_>| {}),
        }
    }
}

/// A tap that panicked is dropped in the middle of its connection.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.take() {
            let shard = self.shared.shard(watched.connection());
            watched.abandon(&mut lock(shard));
        }
    }
}

impl Tap for Session {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        self.with(connection, |watched, shared, statistics, out| match (event, watched.as_mut()) {
            (Event::Open, _) => {
                let session = shared.protocol.session(Some(connection.server.port()));
                *watched = Some(Watched::open(connection, session, time, statistics, out));
            }
            (_, None) => {}
            (event, Some(watching)) => {
                watching.event(time, event, statistics, out);
                if event == Event::Done {
                    *watched = None;
                }
            }
        });
    }
}
