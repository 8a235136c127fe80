//! The lines on standard error.

use std::fmt::{Arguments, Display};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The minimum time between two notices that are [limited](Notices::limited).
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes notices about the proxy itself, under the name of the program. Clones share the limit.
#[derive(Clone)]
pub(crate) struct Notices {
    program: Arc<str>,
    is_silent: bool,
    limited: Arc<Mutex<Limited>>,
}

#[derive(Default)]
struct Limited {
    last: Option<Instant>,
    /// The number of notices since then that were not written.
    unwritten: u64,
}

impl Notices {
    pub(crate) fn new(program: &str) -> Self {
        Self { program: program.into(), is_silent: false, limited: Arc::default() }
    }

    /// Returns these notices, which write nothing if `is_silent`.
    pub(crate) fn silent(self, is_silent: bool) -> Self {
        Self { is_silent, ..self }
    }

    /// Writes a notice.
    pub(crate) fn notice(&self, text: Arguments<'_>) {
        if !self.is_silent {
            print(format_args!("{}: {text}", self.program));
        }
    }

    /// Writes a notice of something that may happen very often, at most one per second. The others
    /// are counted, and the next notice gives their number.
    pub(crate) fn limited(&self, text: &dyn Display) {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        if limited.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            limited.unwritten += 1;
            return;
        }
        limited.last = Some(Instant::now());
        let unwritten = std::mem::take(&mut limited.unwritten);
        drop(limited);
        match unwritten {
            0 => self.notice(format_args!("{text}")),
            more => self.notice(format_args!("{text} (and {more} more errors since the last line)")),
        }
    }
}

/// Writes a line.
pub(crate) fn print(line: Arguments<'_>) {
    // `eprintln` would panic when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
