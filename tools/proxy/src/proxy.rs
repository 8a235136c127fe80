//! A proxy that runs: from its configuration to its report.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use enjamb::Time;
use enjamb_monitor::{Format, Record, Statistics, trace};
use enjamb_net::{Options, Served, Stop, Upstream, serve};
use enjamb_protocols::Protocol;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::log::Log;
use crate::recording::{Lacking, Recording};
use crate::watching::Watching;

/// What a proxy is to do.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Where clients connect: `HOST:PORT`, at least one. Port 0 is one that the system chooses.
    pub listen: Vec<String>,
    /// The server: `HOST:PORT`.
    pub upstream: String,
    /// What the connections speak.
    pub protocol: Arc<Protocol>,
    /// Where records are written.
    pub log: LogTo,
    /// How they are.
    pub format: Format,
    /// The capture that is made of what passes.
    pub record: Option<PathBuf>,
    /// The relay's limits.
    pub options: Options,
}

/// Where records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTo {
    /// Nowhere: they are counted only.
    Nowhere,
    /// To standard output.
    Stdout,
    /// To this file, which is replaced.
    File(PathBuf),
}

/// Why a proxy cannot begin. Nothing was written then: files are replaced last.
#[derive(Debug)]
pub enum StartError {
    /// What was asked for makes no sense.
    Usage(String),
    /// It could not be had: an address, a file.
    Io(String, io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    /// An address that is none is wrong usage; one that cannot be had is not.
    fn address(what: String, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::Usage(format!("{what}: not HOST:PORT")),
            _ => Self::Io(what, error),
        }
    }
}

/// A proxy that runs.
pub struct Proxy {
    addresses: Vec<SocketAddr>,
    stop: Stop,
    serving: JoinHandle<Served>,
    watching: Arc<Watching>,
    log: Option<Log>,
    format: Format,
    recording: Option<Recording>,
}

/// What a proxy did, once it has ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the relay did.
    pub served: Served,
    /// What was counted.
    pub statistics: Statistics,
    /// Records that the log lacks, since it was not written as fast as they came.
    pub log_dropped: u64,
    /// What the recording lacks, and why it could not be written: each a phrase for people.
    pub recording: Vec<String>,
}

impl Proxy {
    /// Listens, opens the log and the recording, and begins to relay.
    ///
    /// # Errors
    /// [`StartError`]; the proxy does not run then.
    pub async fn start(configuration: Configuration) -> Result<Self, StartError> {
        let Configuration { listen, upstream, protocol, log, format, record, options } = configuration;
        let upstream = Upstream::resolve(upstream.as_str())
            .await
            .map_err(|error| StartError::address(format!("the server {upstream}"), error))?;
        let mut listeners = Vec::with_capacity(listen.len());
        let mut addresses = Vec::with_capacity(listen.len());
        for address in listen {
            let failed = |error| StartError::address(format!("cannot listen on {address}"), error);
            let listener = TcpListener::bind(&address).await.map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push(listener);
        }
        if let Some(address) = addresses.iter().find(|address| upstream.first() == **address) {
            return Err(StartError::Usage(format!("it would relay to itself: it listens on {address}")));
        }
        let create = |path: &PathBuf| {
            File::create(path).map_err(|error| StartError::Io(format!("cannot write {}", path.display()), error))
        };
        let log = match &log {
            LogTo::Nowhere => None,
            LogTo::Stdout => Some(Log::new(format, io::stdout())),
            LogTo::File(path) => Some(Log::new(format, create(path)?)),
        };
        let recording = match &record {
            None => None,
            Some(path) => {
                let failed = |error| StartError::Io("cannot begin the recording".to_owned(), error);
                Some(Recording::begin(create(path)?).map_err(failed)?)
            }
        };
        let dispatch = log.as_ref().map(|log| log.dispatch().clone());
        let watching = Arc::new(Watching::new(protocol, dispatch, recording.as_ref().map(Recording::recorders)));
        let stop = Stop::new();
        let serving = tokio::spawn({
            let (taps, stop) = (Arc::clone(&watching), stop.clone());
            async move { serve(listeners, upstream, options, taps, &stop).await }
        });
        Ok(Self { addresses, stop, serving, watching, log, format, recording })
    }

    /// Where clients connect.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops it: gently, then at once.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.watching.statistics()
    }

    /// Waits until the relay has ended, which it does when it is [stopped](Self::stop).
    pub async fn ended(&mut self) -> Served {
        // A relay that panicked has relayed what it has relayed.
        (&mut self.serving).await.unwrap_or_default()
    }

    /// Writes the ends of the recording and of the log. Blocks until they are written.
    #[must_use]
    pub fn finish(self, served: Served) -> Report {
        let Self { watching, log, format, recording, .. } = self;
        let statistics = watching.statistics();
        let recording = recording.map(Recording::finish);
        let recording: Vec<_> = recording.map(|(lacking, result)| shortcomings(lacking, result)).unwrap_or_default();
        let log_dropped = log.map_or(0, |log| end_log(log, format, &statistics, &recording));
        Report { served, statistics, log_dropped, recording }
    }
}

/// Writes what the log and the recording lack, and the summary. How many records were dropped.
fn end_log(mut log: Log, format: Format, statistics: &Statistics, recording: &[String]) -> u64 {
    log.settle();
    let dropped = log.dropped();
    let lacks =
        (dropped > 0).then(|| format!("the log lacks {dropped} records: it was not written as fast as they came"));
    tracing::dispatcher::with_default(log.dispatch(), || {
        for reason in lacks.iter().chain(recording) {
            trace::emit(&Record::Error { connection: None, time: now(), reason });
        }
    });
    if format == Format::JsonLines {
        let mut summary = statistics.to_json();
        if dropped > 0 {
            summary["log_dropped"] = dropped.into();
        }
        log.line(&format!("{summary}\n"));
    }
    log.settle();
    log.dropped()
}

/// In which ways the recording is not what passed.
fn shortcomings(lacking: Lacking, result: io::Result<()>) -> Vec<String> {
    let mut all = Vec::new();
    if let Err(error) = result {
        all.push(format!("the recording could not be written: {error}"));
    }
    if lacking != Lacking::default() {
        let Lacking { chunks, bytes, connections, ends } = lacking;
        let mut lacks = format!("the recording lacks {chunks} chunks of {bytes} bytes");
        // Writing to a `String` does not fail.
        let _ = write!(lacks, ", {connections} connections and {ends} ends: it was not written as fast as they came");
        all.push(lacks);
    }
    all
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// A file that stands still until it is told to go on, and gives its bytes.
    struct Stuck(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl io::Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A closed channel is one that goes on for ever.
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_the_log_lacks_stands_in_the_log() {
        const LINES: usize = 200_000;
        let (go_on, waits) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut log = Log::new(Format::JsonLines, Stuck(waits, Arc::clone(&written)));
        for _ in 0..LINES {
            log.line("{\"type\":\"message\"}\n");
        }
        drop(go_on);
        let recording = ["the recording lacks something".to_owned()];
        let dropped = end_log(log, Format::JsonLines, &Statistics::default(), &recording);
        assert!(dropped > 0);

        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let (messages, [first, second, summary]) = lines.split_last_chunk().unwrap();
        assert_eq!(messages.len() as u64 + dropped, LINES as u64);
        assert!(first.contains(&format!("the log lacks {dropped} records")), "{first}");
        assert!(second.contains(&recording[0]), "{second}");
        assert!(summary.contains(&format!("\"log_dropped\":{dropped}")), "{summary}");
    }
}
