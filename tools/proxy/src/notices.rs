//! The lines on standard error.
//!
//! Losses and errors of connections may come thousands of times a second, and on threads that must
//! not wait for a terminal. Such threads only count them. A thread of its own writes the first one
//! at once, and then at most one line a second for each topic.

use std::fmt::{Arguments, Display};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::losses::{Cause, LogLosses, RecordingLosses};
use crate::settling::Deadline;

/// The minimum time between two lines about the same topic.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes notices about the proxy itself, under the name of the program. Clones share the limit.
#[derive(Clone)]
pub(crate) struct Notices {
    program: Arc<str>,
    is_silent: bool,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

/// Everything that was not written yet.
#[derive(Default)]
struct State {
    error: Option<String>,
    /// The number of errors after that one.
    more_errors: u64,
    log: Option<(LogLosses, Cause)>,
    recording: Option<(RecordingLosses, Cause)>,
    /// Receives the lines about the recording.
    on_recording_loss: Option<RecordingHook>,
    is_writing: bool,
    ended: bool,
}

/// A function that receives the lines about the recording.
type RecordingHook = Arc<dyn Fn(&str) + Send + Sync>;

impl Notices {
    pub(crate) fn new(program: &str) -> Self {
        Self { program: program.into(), is_silent: false, shared: Arc::default() }
    }

    /// Returns these notices, which write nothing if `is_silent`.
    pub(crate) fn silent(self, is_silent: bool) -> Self {
        Self { is_silent, ..self }
    }

    /// Starts the thread that writes what other threads count.
    pub(crate) fn start(&self) -> io::Result<()> {
        let notices = self.clone();
        std::thread::Builder::new().name("enjamb-notices".to_owned()).spawn(move || notices.write_all()).map(drop)
    }

    /// Sets the receiver of lines about the recording.
    pub(crate) fn on_recording_loss(&self, receive: impl Fn(&str) + Send + Sync + 'static) {
        self.lock().on_recording_loss = Some(Arc::new(receive));
    }

    /// Writes a notice.
    pub(crate) fn notice(&self, text: Arguments<'_>) {
        if !self.is_silent {
            print(format_args!("{}: {text}", self.program));
        }
    }

    /// Writes a notice of an error that may happen very often. At most one is written a second; the
    /// others are counted, and the next notice gives their number.
    pub(crate) fn limited(&self, text: &dyn Display) {
        let mut state = self.lock();
        if state.error.is_some() {
            state.more_errors += 1;
            return;
        }
        state.error = Some(text.to_string());
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Counts lines that the log lacks.
    pub(crate) fn log_loss(&self, losses: LogLosses, cause: Cause) {
        let mut state = self.lock();
        let (sum, last) = state.log.get_or_insert((LogLosses::default(), Cause::Slow));
        sum.add(losses);
        *last = cause;
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Counts traffic that the recording lacks.
    pub(crate) fn recording_loss(&self, losses: RecordingLosses, cause: Cause) {
        let mut state = self.lock();
        let (sum, last) = state.recording.get_or_insert((RecordingLosses::default(), Cause::Slow));
        sum.add(losses);
        *last = cause;
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Waits until everything is written, and ends the thread.
    pub(crate) fn finish(&self, deadline: &Deadline) {
        self.lock().ended = true;
        self.shared.wake.notify_all();
        deadline.wait_until(|| {
            let state = self.lock();
            state.is_empty() && !state.is_writing
        });
        // The hook has a handle of the log.
        self.lock().on_recording_loss = None;
    }

    /// Runs the thread that writes.
    fn write_all(&self) {
        loop {
            let is_idle = |state: &mut State| state.is_empty() && !state.ended;
            let state = self.shared.wake.wait_while(self.lock(), is_idle);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            if state.is_empty() {
                return;
            }
            let (error, more) = (state.error.take(), std::mem::take(&mut state.more_errors));
            let (log, recording, hook) = (state.log.take(), state.recording.take(), state.on_recording_loss.clone());
            state.is_writing = true;
            drop(state);
            if let Some(error) = error {
                match more {
                    0 => self.notice(format_args!("{error}")),
                    more => self.notice(format_args!("{error} (and {more} more errors)")),
                }
            }
            if let Some((losses, cause)) = log {
                self.notice(format_args!("the log lost {losses}: {cause}"));
            }
            if let Some((losses, cause)) = recording {
                let line = format!("the recording lost {losses}: {cause}");
                if let Some(hook) = hook {
                    hook(&line);
                }
                self.notice(format_args!("{line}"));
            }
            let mut state = self.lock();
            state.is_writing = false;
            let _ = self.shared.wake.wait_timeout_while(state, INTERVAL, |state| !state.ended);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.error.is_none() && self.log.is_none() && self.recording.is_none()
    }
}

/// Writes a line.
pub(crate) fn print(line: Arguments<'_>) {
    // `eprintln` would panic when standard error is closed. One write for the whole line: another
    // process may write to the same terminal.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
