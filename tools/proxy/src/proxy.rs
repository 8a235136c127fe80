//! A running proxy, from its configuration to its report.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enjamb_monitor::{Format, Record, Statistics};
use enjamb_net::Stop;
use enjamb_net::relay::RelayReport;
use enjamb_sources::{OutputFile, OutputKind};
use tokio::task::JoinHandle;

use crate::api::{self, Api};
use crate::clock::now;
use crate::configuration::{Configuration, LogTarget};
use crate::error::StartError;
use crate::handler_report::HandlerReport;
use crate::journal::Journal;
use crate::listen_socket::ListenAddress;
use crate::listening::bind;
use crate::log::{Log, LogQueue};
use crate::losses::{LogLosses, RecordingLosses};
use crate::metrics::Counts;
use crate::notices::Notices;
use crate::recording::{Recording, RecordingQueue};
use crate::rotation::rotate;
use crate::routes::{Bound, Common, Routes, Settings};
use crate::settling::{Deadline, SETTLE_MAX};
use crate::shared::Shared;
use crate::unit_writer::FileTarget;
use crate::workers::Workers;

/// A running proxy.
pub struct Proxy {
    addresses: Vec<(ListenAddress, String)>,
    metrics_address: Option<SocketAddr>,
    api_address: Option<SocketAddr>,
    routes: Arc<Routes>,
    stop: Stop,
    serving: JoinHandle<RelayReport>,
    status: Status,
    shutdown: Shutdown,
}

/// The counts of a proxy, while it runs and afterwards. Reading them never waits for a handler.
#[derive(Clone)]
pub struct Status {
    shared: Arc<Shared>,
    log_file: Option<(PathBuf, LogQueue)>,
    record_file: Option<(PathBuf, RecordingQueue)>,
}

impl Status {
    /// Returns the statistics so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.journal.statistics()
    }

    /// Returns the counts of handlers that failed or were too slow so far.
    #[must_use]
    pub fn handlers(&self) -> HandlerReport {
        self.shared.counts.report()
    }

    /// Returns the number of clients that were reset because the server could not be reached.
    #[must_use]
    pub fn unconnected(&self) -> u64 {
        self.shared.unconnected()
    }

    /// Returns the number of connections of which a TLS handshake failed.
    #[must_use]
    pub fn handshake_failures(&self) -> u64 {
        self.shared.handshake_failures()
    }

    /// Returns the number of times that a fault was applied on purpose.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.shared.faults()
    }

    fn counts(&self) -> Counts {
        Counts {
            summary: self.statistics().summary(),
            unconnected: self.unconnected(),
            handshake_failures: self.handshake_failures(),
            handler_failures: self.handlers().failures(),
            faults: self.faults(),
            log: self.log_losses(),
            recording: self.recording_losses(),
        }
    }

    /// Opens the files of the log and of the recording again, under their names: somebody may have
    /// moved them away. Returns whether there are any. What was written stays as it is. A file that
    /// exists under the name continues if it is empty or enjamb wrote it. Blocks while a named pipe
    /// has no reader.
    ///
    /// # Errors
    /// [`StartError::Output`]. The file that cannot be opened is not changed: the old one is
    /// written on.
    pub fn reopen(&self) -> Result<bool, StartError> {
        let files = self.files();
        for path in &files {
            self.reopen_file(path)?;
        }
        Ok(!files.is_empty())
    }

    /// Returns the files of the log and of the recording.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let (log, record) = (self.log_file.as_ref(), self.record_file.as_ref());
        log.map(|(path, _)| path.clone()).into_iter().chain(record.map(|(path, _)| path.clone())).collect()
    }

    /// Opens one of the [files](Self::files) again.
    pub(crate) fn reopen_file(&self, path: &Path) -> Result<(), StartError> {
        let open = |kind| {
            let opened = OutputFile::open(path, kind, false).map_err(StartError::Output)?;
            let failed = |error| StartError::Io(format!("cannot write {}", path.display()), error);
            opened.append().map_err(failed)
        };
        if let Some((_, queue)) = self.log_file.as_ref().filter(|(log, _)| log == path) {
            queue.continue_in(open(OutputKind::Log)?);
        }
        if let Some((_, queue)) = self.record_file.as_ref().filter(|(record, _)| record == path) {
            queue.continue_in(open(OutputKind::Recording)?);
        }
        Ok(())
    }

    /// Returns the records that the log lacks so far.
    #[must_use]
    pub fn log_losses(&self) -> LogLosses {
        self.shared.journal.log_losses()
    }

    /// Returns the traffic that the recording lacks so far.
    #[must_use]
    pub fn recording_losses(&self) -> RecordingLosses {
        self.record_file.as_ref().map(|(_, queue)| queue.losses()).unwrap_or_default()
    }
}

/// The work that a proxy has left when the relay has ended.
pub struct Shutdown {
    status: Status,
    workers: Option<Arc<Workers>>,
    log: Option<Log>,
    format: Format,
    recording: Option<Recording>,
    /// The tasks that serve the metrics and the API, and rotate files.
    tasks: Vec<JoinHandle<()>>,
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
    /// The number of times that a fault was applied on purpose.
    pub faults: u64,
    /// The counts of handlers that failed or were too slow.
    pub handlers: HandlerReport,
    /// The records that the log lacks.
    pub log_losses: LogLosses,
    /// Whether the log lacks its end: the last records of the proxy, and the summary.
    pub is_log_cut: bool,
    /// The traffic that the recording lacks.
    pub recording_losses: RecordingLosses,
    /// Whether the recording was still not written to its end when the proxy ended.
    pub is_recording_cut: bool,
}

impl Report {
    /// Returns whether the log and the recording have everything that they should have.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.log_losses.is_empty() && self.recording_losses.is_empty() && !self.is_log_cut && !self.is_recording_cut
    }
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
            routes,
            registry,
            log,
            format,
            filter,
            record,
            metrics,
            api,
            seed,
            rotation,
            force,
            wide,
            handler_timeout,
            unix_mode,
            sample,
            strict,
            tls_timeout,
            mut options,
        } = configuration;
        if routes.is_empty() && api.is_none() {
            return Err(StartError::Usage("there is no address to listen on".to_owned()));
        }
        let settings = Settings { registry, wide, unix_mode, seed };
        let drain = options.drain;
        let is_builtin =
            routes.iter().map(|route| &route.protocol).chain(settings.registry.iter()).all(|p| p.is_builtin());
        if strict && !is_builtin {
            return Err(StartError::Usage("--strict is for protocols that are built in".to_owned()));
        }
        options.taps_may_close = strict;
        let bound = Bound::all(routes, &settings).await?;
        let addresses = bound.iter().flat_map(Bound::ends).collect();
        let (metrics, metrics_address) = bind(metrics.as_slice(), wide).await?;
        let (api_listener, api_address) = bind(api.as_slice(), wide).await?;
        let notices = Notices::new(&program).silent(!prints_notices);
        let targets = Targets { log: log.clone(), record: record.clone(), force };
        let (log_file, record_file) = targets.open(&notices).await?;
        notices.start().map_err(|error| StartError::Io("cannot start a thread".to_owned(), error))?;
        // Nothing after this line fails, unless the system gives no threads.
        let (log_file, record_file) = (log_file.map(empty).transpose()?, record_file.map(empty).transpose()?);
        let log_path = if let LogTarget::File(path) = &log { Some(path.clone()) } else { None };
        let log = open_log(&log, log_file, format, &notices)?;
        let recording = match record_file {
            None => None,
            Some(file) => {
                let failed = |error| StartError::Io("cannot start the recording".to_owned(), error);
                Some(Recording::start(file, notices.clone()).map_err(failed)?)
            }
        };
        let shared = Shared::new(Journal::new(format, log.as_ref().map(Log::queue), filter), notices.clone());
        let weak = Arc::downgrade(&shared);
        notices.on_recording_loss(move |line| {
            if let Some(shared) = weak.upgrade() {
                shared.journal.error(now(), None, line);
            }
        });
        let workers = if is_builtin {
            None
        } else {
            let failed = |error| StartError::Io("cannot start the threads for handlers".to_owned(), error);
            Some(Workers::start(Arc::clone(&shared), handler_timeout).map_err(failed)?)
        };
        let queue = recording.as_ref().map(Recording::queue);
        let common = Common {
            shared: Arc::clone(&shared),
            workers: workers.clone(),
            recording: queue.clone(),
            options,
            tls_timeout,
            sample,
            may_change: api.is_some(),
        };
        let routes = Arc::new(Routes::start(common, settings, bound)?);
        let stop = Stop::new();
        let serving = tokio::spawn({
            let (stop, routes) = (stop.clone(), Arc::clone(&routes));
            async move { routes.serve(&stop, drain).await }
        });
        let log_file = log_path.zip(log.as_ref().map(Log::queue));
        let record_file = record.zip(queue);
        let status = Status { shared, log_file, record_file };
        let count = {
            let status = status.clone();
            move || status.counts()
        };
        let pages = Arc::new(Api { routes: Arc::clone(&routes), count: Box::new(count), stop: stop.clone() });
        let listeners = metrics.into_iter().map(|listener| (listener, false));
        let listeners = listeners.chain(api_listener.into_iter().map(|listener| (listener, true)));
        let mut tasks: Vec<_> = listeners
            .map(|(listener, changes)| tokio::spawn(api::serve(listener, Arc::clone(&pages), changes)))
            .collect();
        if rotation.is_on() {
            let (files, notices, status) = (status.files(), status.shared.notices.clone(), status.clone());
            let reopen = move |path: &Path| status.reopen_file(path).map_err(|error| error.to_string());
            tasks.push(tokio::spawn(rotate(rotation, files, reopen, notices)));
        }
        let deadline = Arc::new(Deadline::unset());
        let shutdown = Shutdown { status: status.clone(), workers, log, format, recording, tasks, deadline };
        let (metrics_address, api_address) = (metrics_address.first().copied(), api_address.first().copied());
        Ok(Self { addresses, metrics_address, api_address, routes, stop, serving, status, shutdown })
    }

    /// Returns the TCP addresses to which clients connect, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.iter().filter_map(|(address, _)| address.tcp()).collect()
    }

    /// Returns the addresses to which clients connect, each with the server behind it.
    pub(crate) fn ends(&self) -> &[(ListenAddress, String)] {
        &self.addresses
    }

    /// Returns the address of the HTTP API, if it is served.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api_address
    }

    /// Returns the address of the pages `/metrics` and `/health`, if they are served.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Returns the routes, which may be changed.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes)
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
        let Self { status, workers, log, format, recording, tasks, deadline } = self;
        deadline.set(SETTLE_MAX);
        if let Some(workers) = workers {
            workers.finish(&deadline);
        }
        let (statistics, handlers) = (status.statistics(), status.handlers());
        let (recording_losses, is_recording_whole) =
            recording.map_or((RecordingLosses::default(), true), |recording| recording.finish(&deadline));
        let notices = status.shared.notices.clone();
        notices.finish(&deadline);
        let (log_losses, is_log_whole) = log.map_or((LogLosses::default(), true), |log| {
            let recorded = (recording_losses, is_recording_whole);
            let refused = (status.unconnected(), status.handshake_failures());
            end_log(log, format, &statistics, refused, recorded, &deadline)
        });
        for task in tasks {
            task.abort();
        }
        Report {
            relay,
            statistics,
            faults: status.faults(),
            handlers,
            log_losses,
            is_log_cut: !is_log_whole,
            recording_losses,
            is_recording_cut: !is_recording_whole,
        }
    }
}

/// The files that a proxy writes.
struct Targets {
    log: LogTarget,
    record: Option<PathBuf>,
    force: bool,
}

impl Targets {
    /// Opens the log and the recording. Both are checked before one of them is emptied.
    ///
    /// Opening a named pipe waits for its reader, so it happens on a thread of its own.
    async fn open(self, notices: &Notices) -> Result<(Option<OutputFile>, Option<OutputFile>), StartError> {
        let Self { log, record, force } = self;
        let log_path = if let LogTarget::File(path) = &log { Some(path.clone()) } else { None };
        for path in log_path.iter().chain(&record).filter(|path| is_named_pipe(path)) {
            notices.notice(format_args!("waiting for a reader of {}", path.display()));
        }
        let is_stdout = log == LogTarget::Stdout;
        let opened = tokio::task::spawn_blocking(move || {
            let log = log_path.map(|path| OutputFile::open(&path, OutputKind::Log, force)).transpose()?;
            let record = record.map(|path| OutputFile::open(&path, OutputKind::Recording, force)).transpose()?;
            if let (Some(log), Some(record)) = (&log, &record) {
                log.check_differs(record)?;
            }
            if let (Some(record), true) = (&record, is_stdout) {
                record.check_not_standard_output()?;
            }
            Ok((log, record))
        });
        let aborted = |_| StartError::Io("cannot open the files".to_owned(), io::ErrorKind::Interrupted.into());
        opened.await.map_err(aborted)?.map_err(StartError::Output)
    }
}

#[cfg(unix)]
fn is_named_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_named_pipe(_: &Path) -> bool {
    false
}

fn open_log(
    target: &LogTarget,
    file: Option<File>,
    format: Format,
    notices: &Notices,
) -> Result<Option<Log>, StartError> {
    let target = match (target, file) {
        (_, Some(file)) => Ok(FileTarget::own(file)),
        (LogTarget::Stdout, None) => FileTarget::standard_output(),
        (LogTarget::Nowhere | LogTarget::File(_), None) => return Ok(None),
    };
    let started = target.and_then(|target| Log::start(format, target, notices.clone()));
    started.map(Some).map_err(|error| StartError::Io("cannot start the log".to_owned(), error))
}

fn empty(file: OutputFile) -> Result<File, StartError> {
    let text = format!("cannot write {}", file.path().display());
    file.replace().map_err(|error| StartError::Io(text, error))
}

/// Writes the losses of the log and of the recording, and the summary. Returns the losses of the
/// log, and whether it has its end.
fn end_log(
    log: Log,
    format: Format,
    statistics: &Statistics,
    (unconnected, handshake_failures): (u64, u64),
    (recording, is_recording_whole): (RecordingLosses, bool),
    deadline: &Deadline,
) -> (LogLosses, bool) {
    let losses = log.settle(deadline);
    let mut reasons = Vec::new();
    if !losses.is_empty() {
        reasons.push(format!("the log lacks {losses}"));
    }
    if !recording.is_empty() {
        reasons.push(format!("the recording lacks {recording}"));
    }
    if !is_recording_whole {
        reasons.push("the end of the recording was not written in time".to_owned());
    }
    let mut last = String::new();
    for reason in &reasons {
        format.write(&Record::Error { connection: None, time: now(), reason }, &mut last);
    }
    if format == Format::JsonLines {
        let mut summary = statistics.to_json();
        if unconnected > 0 {
            summary["unconnected"] = unconnected.into();
        }
        if handshake_failures > 0 {
            summary["tls_handshake_failures"] = handshake_failures.into();
        }
        if !losses.is_empty() {
            let LogLosses { lines, bytes } = losses;
            summary["log_lost"] = object([("records", lines), ("bytes", bytes)]);
        }
        if !recording.is_empty() {
            let RecordingLosses { chunks, bytes, connections, ends } = recording;
            let counts = [("chunks", chunks), ("bytes", bytes), ("connections", connections), ("ends", ends)];
            summary["recording_lost"] = object(counts);
        }
        // Writing to a `String` does not fail.
        let _ = writeln!(last, "{summary}");
    }
    log.finish(&last, deadline)
}

fn object<const N: usize>(counts: [(&str, u64); N]) -> serde_json::Value {
    counts.into_iter().map(|(name, count)| (name.to_owned(), serde_json::Value::from(count))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use enjamb::Time;

    use super::*;
    use crate::lines::LineBatch;
    use crate::unit_writer::Target;

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

    impl Target for BlockedFile {}

    fn lines(count: u64, nanos: u64) -> LineBatch {
        let mut lines = LineBatch::default();
        for _ in 0..count {
            let time = Time::from_nanos(nanos);
            lines.push(time, &Record::Error { connection: None, time, reason: "a line" }, Format::JsonLines);
        }
        lines
    }

    #[test]
    fn dropped_lines_are_counted_where_they_are_missing_and_at_the_end() {
        // More than the queue takes.
        const BATCHES: u64 = 100_000;
        const LINES: u64 = 4;
        let (go_on, waits) = mpsc::channel();
        let (began, has_begun) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let file = BlockedFile { began: Some(began), waits, written: Arc::clone(&written) };
        let log = Log::start(Format::JsonLines, file, Notices::new("test").silent(true)).unwrap();
        let queue = log.queue();
        queue.append(&lines(LINES, 0));
        has_begun.recv().unwrap();
        for time in 1..BATCHES {
            queue.append(&lines(LINES, time));
        }
        drop(go_on);
        log.settle(&Deadline::after(10 * SETTLE_MAX));
        queue.append(&lines(LINES, BATCHES));
        let recording = RecordingLosses { chunks: 7, ..RecordingLosses::default() };
        let deadline = Deadline::after(10 * SETTLE_MAX);
        let (losses, is_whole) =
            end_log(log, Format::JsonLines, &Statistics::default(), (0, 0), (recording, true), &deadline);
        assert!(losses.lines > 0 && losses.bytes > 50 * losses.lines && is_whole);

        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let (records, [first, second, summary]) = lines.split_last_chunk().unwrap();
        let dropped = losses.lines;
        assert_eq!(records.len() as u64 - 1 + dropped, (BATCHES + 1) * LINES);
        let hole = records[records.len() - 1 - LINES as usize];
        assert!(hole.contains(&format!("{dropped} records are missing here")), "{hole}");
        assert!(first.contains(&format!("the log lacks {dropped} records")), "{first}");
        assert!(second.contains("the recording lacks 7 chunks"), "{second}");
        let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
        assert_eq!(
            (&summary["log_lost"]["records"], &summary["recording_lost"]["chunks"]),
            (&dropped.into(), &7.into())
        );
    }

    #[test]
    fn a_log_that_is_never_written_is_left_behind_at_the_deadline() {
        let (_blocked, waits) = mpsc::channel();
        let file = BlockedFile { began: None, waits, written: Arc::default() };
        let log = Log::start(Format::JsonLines, file, Notices::new("test").silent(true)).unwrap();
        log.queue().append(&lines(1, 0));
        let deadline = Deadline::after(std::time::Duration::from_millis(60));
        let none = RecordingLosses::default();
        let (losses, is_whole) =
            end_log(log, Format::JsonLines, &Statistics::default(), (0, 0), (none, true), &deadline);
        assert_eq!((losses.lines, is_whole), (1, false));
    }
}
