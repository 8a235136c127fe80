//! The log: records by way of `tracing`, a bounded queue, and a thread that writes.
//!
//! Lines are counted on both ends of the queue. So it is known how many were dropped, and when all others have been
//! written: the end of the log, with what was dropped, is written after that, and cannot be dropped itself.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use enjamb_monitor::{Format, trace};
use tracing::Dispatch;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;

use crate::notices::notice;

/// How many lines may wait to be written. What is beyond is dropped.
const LINES_WAITING_MAX: usize = 1 << 17;

/// How long the end of the log waits for the lines before it.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// How many bytes are given to the file at once. With nothing waiting, all are.
const BUFFER: usize = 1 << 16;

/// Where records are written.
pub(crate) struct Log {
    /// Not the process's: two proxies may run in one.
    dispatch: Dispatch,
    sent: Sent,
    written: Arc<AtomicU64>,
    /// Writes what is waiting when it is dropped.
    _worker: WorkerGuard,
}

impl Log {
    pub(crate) fn new(format: Format, out: impl Write + Send + 'static) -> Self {
        let written = Arc::new(AtomicU64::new(0));
        let out = Written { out: BufWriter::with_capacity(BUFFER, out), written: Arc::clone(&written), failed: false };
        let (queue, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(LINES_WAITING_MAX)
            .lossy(true)
            .thread_name("enjamb-log")
            .finish(out);
        let sent = Sent { queue, lines: Arc::new(AtomicU64::new(0)) };
        let layer = trace::RecordLayer::new(format, sent.clone());
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        Self { dispatch, sent, written, _worker: worker }
    }

    /// How records get here.
    pub(crate) fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Writes a line that is no record.
    pub(crate) fn line(&mut self, line: &str) {
        // Fails never: what there is no room for is counted.
        let _ = self.sent.write_all(line.as_bytes());
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.sent.queue.error_counter().dropped_lines() as u64
    }

    /// Waits until every line that was not dropped is written. A writer that is stuck is not waited for for long.
    pub(crate) fn settle(&self) {
        let end = Instant::now() + SETTLE_MAX;
        let waiting = || {
            let done = self.written.load(Ordering::Acquire).saturating_add(self.dropped());
            done < self.sent.lines.load(Ordering::Acquire)
        };
        while waiting() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The near end of the queue. Counts lines.
#[derive(Clone)]
struct Sent {
    queue: NonBlocking,
    lines: Arc<AtomicU64>,
}

impl Write for Sent {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.fetch_add(1, Ordering::AcqRel);
        self.queue.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.queue.flush()
    }
}

/// The far end of the queue. Counts lines, and tells once of a file that cannot be written.
struct Written<W: Write> {
    out: BufWriter<W>,
    written: Arc<AtomicU64>,
    failed: bool,
}

impl<W: Write> Written<W> {
    fn tell(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && !std::mem::replace(&mut self.failed, true)
        {
            notice(format_args!("the log cannot be written, and lacks records from here on: {error}"));
        }
    }
}

impl<W: Write> Write for Written<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let result = self.out.write_all(line);
        self.tell(result);
        self.written.fetch_add(1, Ordering::AcqRel);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.tell(result);
        Ok(())
    }
}
