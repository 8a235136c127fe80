//! The journal of records: statistics, the log, and subscribers of `tracing`.
//!
//! Statistics are divided into a few shards, and each connection belongs to one. So threads seldom
//! wait for each other, and no connection needs histograms of its own. The lock of a shard is held
//! while records are made from messages that a session has emitted before, never while a session
//! runs. The lines of one [`write`](Journal::write) are gathered in a buffer of the thread and
//! reach the log together.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use enjamb::{Connection, Time};
use enjamb_monitor::{Day, Format, Output, Record, Statistics, trace};

use crate::log::LogQueue;

/// The maximum number of shards.
const SHARDS_MAX: usize = 16;

/// The number of bytes that the buffer of a thread keeps.
const LINES_RESERVED: usize = 1 << 18;

thread_local! {
    static LINES: Cell<String> = const { Cell::new(String::new()) };
}

/// Counts records and writes them.
pub(crate) struct Journal {
    shards: Vec<Mutex<Statistics>>,
    format: Format,
    log: Option<LogQueue>,
}

impl Journal {
    /// Creates a journal. Without a `log`, records are only counted, and given to `tracing`.
    pub(crate) fn new(format: Format, log: Option<LogQueue>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        Self { shards: (0..threads.min(SHARDS_MAX)).map(|_| Mutex::default()).collect(), format, log }
    }

    /// Returns the counts so far.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut all = Statistics::default();
        for shard in &self.shards {
            all.add(&lock(shard));
        }
        all
    }

    /// Returns whether the summaries of messages are needed.
    pub(crate) fn wants_summaries(&self) -> bool {
        self.log.is_some() || is_traced()
    }

    /// Counts the events of a connection, and writes the records that `act` makes.
    pub(crate) fn write<T>(
        &self,
        connection: &Connection,
        act: impl FnOnce(&mut Statistics, &mut dyn Output) -> T,
    ) -> T {
        let shard = &self.shards[(connection.number % self.shards.len() as u64) as usize];
        self.with_lines(|lines| act(&mut lock(shard), lines))
    }

    /// Writes an error record that belongs to no connection, or to one that is not counted.
    pub(crate) fn error(&self, time: Time, connection: Option<&Connection>, reason: &str) {
        self.with_lines(|lines| lines.record(&Record::Error { connection, time, reason }));
    }

    fn with_lines<T>(&self, act: impl FnOnce(&mut Lines) -> T) -> T {
        let format = self.log.as_ref().map(|_| self.format);
        // Taken, not borrowed: a subscriber of `tracing` may call this function again.
        let mut lines = Lines { text: LINES.take(), count: 0, days: None, format, is_traced: is_traced() };
        let result = act(&mut lines);
        let Lines { mut text, count, days, .. } = lines;
        if let (Some(log), Some(days)) = (&self.log, days) {
            log.append(&text, count, days);
        }
        text.clear();
        text.shrink_to(LINES_RESERVED);
        LINES.set(text);
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
struct Lines {
    text: String,
    count: u64,
    /// The days of the first and of the last line.
    days: Option<(Day, Day)>,
    /// The format of the log. `None`: there is no log.
    format: Option<Format>,
    is_traced: bool,
}

impl Output for Lines {
    fn record(&mut self, record: &Record<'_>) {
        if let Some(format) = self.format {
            let day = Day::of(record.time());
            let (first, last) = self.days.unwrap_or((day, day));
            if last != day {
                format.write_day(day, &mut self.text);
            }
            self.days = Some((first, day));
            format.write(record, &mut self.text);
            self.count += 1;
        }
        if self.is_traced {
            trace::emit(record);
        }
    }
}
