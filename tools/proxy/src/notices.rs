//! What is said on standard error.

use std::fmt::{Arguments, Display};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that went wrong with the proxy itself.
pub(crate) fn notice(line: Arguments<'_>) {
    say(format_args!("enjamb proxy: {line}"));
}

/// A line.
pub(crate) fn say(line: Arguments<'_>) {
    // Whoever closed standard error does not want to know: `eprintln` would panic.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Notices of something that may happen very often: one a second at most.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<(Option<Instant>, u64)>);

const SELDOM: Duration = Duration::from_secs(1);

impl Seldom {
    /// Says it, or counts it.
    pub(crate) fn notice(&self, what: &dyn Display) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, unsaid) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < SELDOM) {
            *unsaid += 1;
            return;
        }
        *last = Some(Instant::now());
        match std::mem::take(unsaid) {
            0 => notice(format_args!("{what}")),
            more => notice(format_args!("{what} (and {more} other troubles since the last line)")),
        }
    }
}
