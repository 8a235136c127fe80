//! Counts of failed and slow handlers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::handler::HandlerError;

/// Counts of the connections that are not parsed, or not completely, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerReport {
    /// Handlers that panicked.
    pub panicked: u64,
    /// Handlers that did not return in time.
    pub timed_out: u64,
    /// Handlers that emitted more in one call than the limit.
    pub overflowed: u64,
    /// Handlers that were not run, since too many others have not returned.
    pub not_run: u64,
    /// Handlers that had not parsed all of their connection when the proxy ended.
    pub unfinished: u64,
    /// Chunks that were not parsed, since the handler was slower than its connection. Each chunk is
    /// one read.
    pub dropped_chunks: u64,
    /// The bytes of those chunks.
    pub dropped_bytes: u64,
}

impl HandlerReport {
    /// Returns the number of connections that are not parsed to their end.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.panicked + self.timed_out + self.overflowed + self.not_run + self.unfinished
    }

    /// Returns phrases for people, one for each count that is not 0.
    #[must_use]
    pub fn phrases(&self) -> Vec<String> {
        let counts = [
            (self.panicked, "panicked"),
            (self.timed_out, "did not return in time"),
            (self.overflowed, "emitted too much in one call"),
            (self.not_run, "were not run, since too many others have not returned"),
            (self.unfinished, "had not parsed all of their connection when the proxy ended"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let mut phrases: Vec<_> = counts.map(|(count, what)| format!("handlers that {what}: {count}")).collect();
        if self.dropped_chunks > 0 {
            phrases.push(format!(
                "chunks that were not parsed, since handlers were slower than their connections: {} of {} bytes",
                self.dropped_chunks, self.dropped_bytes
            ));
        }
        phrases
    }
}

/// The counts of a [`HandlerReport`], while they are counted.
#[derive(Debug, Default)]
pub(crate) struct HandlerCounts {
    panicked: AtomicU64,
    timed_out: AtomicU64,
    overflowed: AtomicU64,
    not_run: AtomicU64,
    unfinished: AtomicU64,
    dropped_chunks: AtomicU64,
    dropped_bytes: AtomicU64,
}

impl HandlerCounts {
    pub(crate) fn failed(&self, error: &HandlerError) {
        let count = match error {
            HandlerError::Panicked { .. } => &self.panicked,
            HandlerError::TimedOut { .. } => &self.timed_out,
            HandlerError::Overflowed => &self.overflowed,
            HandlerError::NotRun(_) => &self.not_run,
            HandlerError::Unfinished => &self.unfinished,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, bytes: usize) {
        self.dropped_chunks.fetch_add(1, Ordering::Relaxed);
        self.dropped_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> HandlerReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HandlerReport {
            panicked: read(&self.panicked),
            timed_out: read(&self.timed_out),
            overflowed: read(&self.overflowed),
            not_run: read(&self.not_run),
            unfinished: read(&self.unfinished),
            dropped_chunks: read(&self.dropped_chunks),
            dropped_bytes: read(&self.dropped_bytes),
        }
    }
}
