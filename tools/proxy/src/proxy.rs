//! A running proxy, from its configuration to its report.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use enjamb_monitor::{Format, Record, Statistics};
use enjamb_net::Stop;
use enjamb_net::relay::{RelayReport, Upstream, serve};
use enjamb_sources::{OutputError, OutputFile, OutputKind};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::now;
use crate::configuration::{Configuration, LogTarget};
use crate::handler_report::HandlerReport;
use crate::journal::Journal;
use crate::log::Log;
use crate::notices::Notices;
use crate::recording::{Recording, RecordingLosses};
use crate::settling::{Deadline, SETTLE_MAX};
use crate::shared::Shared;
use crate::taps::ProxyTaps;
use crate::workers::Workers;

/// The reason why a proxy cannot start. No file has been replaced then: files are opened last, and
/// both are opened before one of them is emptied.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    Usage(String),
    /// The log or the recording would replace a file that must stay, or cannot be written.
    Output(OutputError),
    /// An address or a file cannot be used, or the system gives no threads. The text describes the
    /// attempt.
    Io(String, io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Output(error) => error.fmt(f),
            Self::Io(text, error) => write!(f, "{text}: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) => None,
            Self::Output(error) => Some(error),
            Self::Io(_, error) => Some(error),
        }
    }
}

impl StartError {
    /// Converts an error. A text that is not an address is wrong usage; an address that is in use
    /// is not.
    /// Returns whether the command line has to be changed. Otherwise the system refused.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            Self::Output(error) => error.is_wrong_usage(),
            Self::Io(..) => false,
        }
    }

    fn address(text: String, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::Usage(format!("{text}: not HOST:PORT")),
            _ => Self::Io(text, error),
        }
    }
}

/// A running proxy.
pub struct Proxy {
    addresses: Vec<SocketAddr>,
    stop: Stop,
    serving: JoinHandle<RelayReport>,
    status: Status,
    shutdown: Shutdown,
}

/// The counts of a proxy, while it runs and afterwards. Reading them never waits for a handler.
#[derive(Clone)]
pub struct Status(Arc<Shared>);

impl Status {
    /// Returns the statistics so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.journal.statistics()
    }

    /// Returns the counts of handlers that failed or were too slow so far.
    #[must_use]
    pub fn handlers(&self) -> HandlerReport {
        self.0.counts.report()
    }
}

/// The work that a proxy has left when the relay has ended.
pub struct Shutdown {
    status: Status,
    workers: Option<Arc<Workers>>,
    log: Option<Log>,
    format: Format,
    recording: Option<Recording>,
    deadline: Arc<Deadline>,
}

/// The result of a proxy that has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The counts of the relay.
    pub relay: RelayReport,
    /// The statistics of the traffic.
    pub statistics: Statistics,
    /// The counts of handlers that failed or were too slow.
    pub handlers: HandlerReport,
    /// The number of records that the log lacks, since it was not written as fast as they came.
    pub log_dropped: u64,
    /// Whether the log was still not written to its end when the proxy ended.
    pub is_log_cut: bool,
    /// The losses of the recording, and the reason why it could not be written: phrases for people.
    pub recording: Vec<String>,
}

impl Proxy {
    /// Listens, opens the log and the recording, and starts to relay.
    ///
    /// # Errors
    /// [`StartError`]; the proxy does not run then.
    pub async fn start(configuration: Configuration) -> Result<Self, StartError> {
        let Configuration {
            program,
            prints_notices,
            listen,
            upstream,
            protocol,
            log,
            format,
            record,
            force,
            handler_timeout,
            options,
        } = configuration;
        let upstream = Upstream::resolve(upstream.as_str())
            .await
            .map_err(|error| StartError::address(format!("the server {upstream}"), error))?;
        if listen.is_empty() {
            return Err(StartError::Usage("there is no address to listen on".to_owned()));
        }
        let (listeners, addresses) = bind(listen).await?;
        if let Some(address) = addresses.iter().find(|address| upstream.first() == **address) {
            return Err(StartError::Usage(format!("it would relay to itself: it listens on {address}")));
        }
        let notices = Notices::new(&program).silent(!prints_notices);
        // Both files are checked before one of them is emptied.
        let open = |path: &Path, kind| OutputFile::open(path, kind, force).map_err(StartError::Output);
        let log_file = match &log {
            LogTarget::File(path) => Some(open(path, OutputKind::Log)?),
            LogTarget::Stdout | LogTarget::Nowhere => None,
        };
        let record = record.map(|path| open(&path, OutputKind::Recording)).transpose()?;
        if let (Some(log), Some(record)) = (&log_file, &record) {
            log.check_differs(record).map_err(StartError::Output)?;
        }
        let log = open_log(&log, log_file, format, &notices)?;
        let recording = match record {
            None => None,
            Some(file) => {
                let failed = |error| StartError::Io("cannot start the recording".to_owned(), error);
                Some(Recording::start(empty(file)?).map_err(failed)?)
            }
        };
        let is_builtin = protocol.is_builtin();
        let shared = Shared::new(protocol, Journal::new(format, log.as_ref().map(Log::queue)), notices);
        let workers = if is_builtin {
            None
        } else {
            let failed = |error| StartError::Io("cannot start the threads for handlers".to_owned(), error);
            Some(Workers::start(Arc::clone(&shared), handler_timeout).map_err(failed)?)
        };
        let taps = ProxyTaps::new(Arc::clone(&shared), workers.clone(), recording.as_ref().map(Recording::queue));
        let stop = Stop::new();
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { serve(listeners, upstream, options, Arc::new(taps), &stop).await }
        });
        let status = Status(shared);
        let deadline = Arc::new(Deadline::unset());
        let shutdown = Shutdown { status: status.clone(), workers, log, format, recording, deadline };
        Ok(Self { addresses, stop, serving, status, shutdown })
    }

    /// Returns the addresses to which clients connect.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns a handle that stops the relay: gently, then at once.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Returns a handle that reads the counts.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Waits until the relay has ended, which happens when it is [stopped](Self::stop).
    pub async fn ended(&mut self) -> RelayReport {
        // The counts of a relay that panicked are not known.
        (&mut self.serving).await.unwrap_or_default()
    }

    /// Returns the rest of the work, to be done once the relay has ended.
    #[must_use]
    pub fn into_shutdown(self) -> Shutdown {
        self.shutdown
    }

    /// Waits for handlers, and writes the ends of the recording and of the log. Blocks for at most
    /// 2 seconds; see [`Shutdown::finish`].
    #[must_use]
    pub fn finish(self, relay: RelayReport) -> Report {
        self.shutdown.finish(relay)
    }
}

impl Shutdown {
    /// Returns a function that ends [`finish`](Self::finish) early.
    pub fn hurry(&self) -> impl Fn() + Send + Sync + use<> {
        let deadline = Arc::clone(&self.deadline);
        move || deadline.hurry()
    }

    /// Waits for handlers, and writes the ends of the recording and of the log. Blocks until that
    /// is done, at most 2 seconds: a handler, a log or a recording that hangs is left behind, and
    /// the report shows it.
    #[must_use]
    pub fn finish(self, relay: RelayReport) -> Report {
        let Self { status, workers, log, format, recording, deadline } = self;
        deadline.set(SETTLE_MAX);
        if let Some(workers) = workers {
            workers.finish(&deadline);
        }
        let (statistics, handlers) = (status.statistics(), status.handlers());
        let recording = recording.map(|recording| recording.finish(&deadline));
        let recording: Vec<_> = recording.map(|(losses, result)| phrases(losses, result)).unwrap_or_default();
        let (log_dropped, is_log_cut) =
            log.map_or((0, false), |log| end_log(log, format, &statistics, &recording, &deadline));
        Report { relay, statistics, handlers, log_dropped, is_log_cut, recording }
    }
}

async fn bind(listen: Vec<String>) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), StartError> {
    let mut listeners = Vec::with_capacity(listen.len());
    let mut addresses = Vec::with_capacity(listen.len());
    for address in listen {
        let failed = |error| StartError::address(format!("cannot listen on {address}"), error);
        let listener = TcpListener::bind(&address).await.map_err(failed)?;
        addresses.push(listener.local_addr().map_err(failed)?);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

fn open_log(
    target: &LogTarget,
    file: Option<OutputFile>,
    format: Format,
    notices: &Notices,
) -> Result<Option<Log>, StartError> {
    let started = match (target, file) {
        (_, Some(file)) => Log::start(format, empty(file)?, notices.clone()),
        (LogTarget::Stdout, None) => Log::start(format, io::stdout(), notices.clone()),
        (LogTarget::Nowhere | LogTarget::File(_), None) => return Ok(None),
    };
    started.map(Some).map_err(|error| StartError::Io("cannot start the log".to_owned(), error))
}

fn empty(file: OutputFile) -> Result<File, StartError> {
    let text = format!("cannot write {}", file.path().display());
    file.replace().map_err(|error| StartError::Io(text, error))
}

/// Writes the losses of the log and of the recording, and the summary. Returns the number of
/// dropped records, and whether the end of the log could not be written in time.
fn end_log(
    log: Log,
    format: Format,
    statistics: &Statistics,
    recording: &[String],
    deadline: &Deadline,
) -> (u64, bool) {
    let dropped = log.settle(deadline);
    let lacks =
        (dropped > 0).then(|| format!("the log lacks {dropped} records: it was not written as fast as they came"));
    let mut last = String::new();
    for reason in lacks.iter().chain(recording) {
        format.write(&Record::Error { connection: None, time: now(), reason }, &mut last);
    }
    if format == Format::JsonLines {
        let mut summary = statistics.to_json();
        if dropped > 0 {
            summary["log_dropped"] = dropped.into();
        }
        // Writing to a `String` does not fail.
        let _ = writeln!(last, "{summary}");
    }
    (dropped, !log.finish(&last, deadline))
}

/// Returns phrases for people about the differences between the recording and the traffic.
fn phrases(losses: RecordingLosses, result: io::Result<()>) -> Vec<String> {
    let mut all = Vec::new();
    if let Err(error) = result {
        all.push(format!("the recording could not be written: {error}"));
    }
    if losses != RecordingLosses::default() {
        let RecordingLosses { chunks, bytes, connections, ends } = losses;
        all.push(format!(
            "the recording lacks {chunks} chunks of {bytes} bytes, {connections} connections and {ends} ends: it was \
             not written as fast as they came"
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use enjamb::Time;
    use enjamb_monitor::Day;

    use super::*;

    const DAYS: (Day, Day) = (Day::of(Time::from_nanos(0)), Day::of(Time::from_nanos(0)));

    /// A file that says when the first write begins, blocks until its channel is closed, and keeps
    /// its bytes.
    struct BlockedFile {
        began: Option<mpsc::Sender<()>>,
        waits: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl io::Write for BlockedFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error of either channel: its other end is gone.
            let _ = self.began.take().map(|began| began.send(()));
            let _ = self.waits.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn dropped_lines_are_counted_where_they_are_missing_and_at_the_end() {
        // More than the queue takes.
        const BATCHES: usize = 100_000;
        const LINES: u64 = 4;
        let (go_on, waits) = mpsc::channel();
        let (began, has_begun) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let file = BlockedFile { began: Some(began), waits, written: Arc::clone(&written) };
        let log = Log::start(Format::JsonLines, file, Notices::new("test")).unwrap();
        let (queue, batch) = (log.queue(), "{\"type\":\"message\"}\n".repeat(LINES as usize));
        queue.append(&batch, LINES, DAYS);
        has_begun.recv().unwrap();
        for _ in 1..BATCHES {
            queue.append(&batch, LINES, DAYS);
        }
        drop(go_on);
        log.settle(&Deadline::after(SETTLE_MAX));
        queue.append(&batch, LINES, DAYS);
        let recording = ["the recording lacks something".to_owned()];
        let deadline = Deadline::after(SETTLE_MAX);
        let (dropped, is_cut) = end_log(log, Format::JsonLines, &Statistics::default(), &recording, &deadline);
        assert!(dropped > 0 && !is_cut);

        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let (records, [first, second, summary]) = lines.split_last_chunk().unwrap();
        assert_eq!(records.len() as u64 - 1 + dropped, (BATCHES as u64 + 1) * LINES);
        let hole = records[records.len() - 1 - LINES as usize];
        assert!(hole.contains(&format!("{dropped} records are missing here")), "{hole}");
        assert!(first.contains(&format!("the log lacks {dropped} records")), "{first}");
        assert!(second.contains(&recording[0]), "{second}");
        assert!(summary.contains(&format!("\"log_dropped\":{dropped}")), "{summary}");
    }

    #[test]
    fn a_log_that_is_never_written_is_left_behind_at_the_deadline() {
        let (_blocked, waits) = mpsc::channel();
        let file = BlockedFile { began: None, waits, written: Arc::default() };
        let log = Log::start(Format::JsonLines, file, Notices::new("test")).unwrap();
        log.queue().append("{}\n", 1, DAYS);
        let deadline = Deadline::after(std::time::Duration::from_millis(20));
        assert_eq!(end_log(log, Format::JsonLines, &Statistics::default(), &[], &deadline), (0, true));
    }
}
