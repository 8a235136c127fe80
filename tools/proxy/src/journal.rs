//! The journal of records: statistics, the log, and subscribers of `tracing`.
//!
//! Statistics are divided into a few shards, and each connection belongs to one. So threads seldom
//! wait for each other, and no connection needs histograms of its own. The lock of a shard is held
//! while records are made from messages that a session has emitted before, never while a session
//! runs. The lines of one [`write`](Journal::write) are gathered in a buffer of the thread and
//! reach the log together.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use enjamb::{Connection, Time};
use enjamb_faults::Note;
use enjamb_monitor::{Filter, Format, Output, Record, Statistics, trace};

use crate::lines::LineBatch;
use crate::log::LogQueue;
use crate::losses::LogLosses;

/// The maximum number of shards.
const SHARDS_MAX: usize = 16;

/// The number of bytes that the buffer of a thread keeps.
const LINES_RESERVED: usize = 1 << 18;

thread_local! {
    static LINES: Cell<Option<LineBatch>> = const { Cell::new(None) };
}

/// Counts records and writes them.
pub(crate) struct Journal {
    shards: Vec<Mutex<Statistics>>,
    format: Format,
    log: Option<LogQueue>,
    /// The records that the log has. `None`: all.
    filter: Option<Filter>,
    /// The numbers of open connections that the proxy has ended. Seldom there are any.
    ended_by_proxy: Mutex<HashSet<u64>>,
    has_ended: AtomicBool,
}

impl Journal {
    /// Creates a journal. Without a `log`, records are only counted, and given to `tracing`.
    pub(crate) fn new(format: Format, log: Option<LogQueue>, filter: Option<Filter>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        let shards = (0..threads.min(SHARDS_MAX)).map(|_| Mutex::default()).collect();
        Self { shards, format, log, filter, ended_by_proxy: Mutex::default(), has_ended: AtomicBool::new(false) }
    }

    /// Notes that the proxy, and not one of its sides, ends a connection.
    pub(crate) fn end_by_proxy(&self, number: u64) {
        self.ended_by_proxy.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        self.has_ended.store(true, Ordering::Release);
    }

    /// Returns whether the proxy has ended a connection. It is asked once, when the connection is
    /// done.
    pub(crate) fn was_ended_by_proxy(&self, number: u64) -> bool {
        self.has_ended.load(Ordering::Acquire)
            && self.ended_by_proxy.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }

    /// Returns the counts so far.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut all = Statistics::default();
        for shard in &self.shards {
            all.add(&lock(shard));
        }
        all
    }

    /// Returns the records that the log lacks so far.
    pub(crate) fn log_losses(&self) -> LogLosses {
        self.log.as_ref().map(LogQueue::losses).unwrap_or_default()
    }

    /// Returns whether the summaries of messages are needed.
    pub(crate) fn wants_summaries(&self) -> bool {
        self.log.is_some() || is_traced()
    }

    /// Counts an event of a connection at `time`, and writes the records that `act` makes.
    pub(crate) fn write<T>(
        &self,
        connection: &Connection,
        time: Time,
        act: impl FnOnce(&mut Statistics, &mut dyn Output) -> T,
    ) -> T {
        let shard = &self.shards[(connection.number % self.shards.len() as u64) as usize];
        self.with_lines(time, |lines| act(&mut lock(shard), lines))
    }

    /// Writes an error record that belongs to no connection, or to one that is not counted.
    pub(crate) fn error(&self, time: Time, connection: Option<&Connection>, reason: &str) {
        self.with_lines(time, |lines| lines.record(&Record::Error { connection, time, reason }));
    }

    /// Writes the record of a fault that was applied.
    pub(crate) fn fault(&self, time: Time, connection: &Connection, note: &Note) {
        let Note { side, offset, fault, text, .. } = note;
        let record = Record::Fault { connection, time, side: *side, offset: *offset, fault, reason: text };
        self.with_lines(time, |lines| lines.record(&record));
    }

    fn with_lines<T>(&self, time: Time, act: impl FnOnce(&mut Lines<'_>) -> T) -> T {
        let format = self.log.as_ref().map(|_| self.format);
        // Taken, not borrowed: a subscriber of `tracing` may call this function again.
        let (batch, filter) = (LINES.take().unwrap_or_default(), self.filter.as_ref());
        let mut lines = Lines { time, batch, format, filter, is_traced: is_traced() };
        let result = act(&mut lines);
        let Lines { mut batch, .. } = lines;
        if let Some(log) = &self.log
            && !batch.is_empty()
        {
            log.append(&batch);
        }
        batch.clear(LINES_RESERVED);
        LINES.set(Some(batch));
        result
    }
}

/// Returns whether a subscriber of `tracing` takes records.
fn is_traced() -> bool {
    tracing::enabled!(target: trace::TARGET, tracing::Level::INFO)
}

fn lock(shard: &Mutex<Statistics>) -> MutexGuard<'_, Statistics> {
    // After a panic in the middle of a count, the other counts are still valid.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of one write.
struct Lines<'a> {
    /// The time of the event.
    time: Time,
    batch: LineBatch,
    /// The format of the log. `None`: there is no log.
    format: Option<Format>,
    filter: Option<&'a Filter>,
    is_traced: bool,
}

impl Output for Lines<'_> {
    fn record(&mut self, record: &Record<'_>) {
        if let Some(format) = self.format
            && self.filter.is_none_or(|filter| filter.matches(record))
        {
            self.batch.push(self.time, record, format);
        }
        if self.is_traced {
            trace::emit(record);
        }
    }
}
