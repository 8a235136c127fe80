//! The log: a bounded queue of lines, and a thread that writes them.
//!
//! The queue is a pair of buffers: connections append the lines of a read to one while the thread
//! writes the other. Lines that do not fit are dropped and counted, and a record in the log gives
//! their number where they are missing.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use enjamb_monitor::{Day, Format, Record};

use crate::clock::now;
use crate::notices::Notices;
use crate::settling::Deadline;

/// The number of lines that may wait to be written.
const LINES_WAITING_MAX: u64 = 1 << 17;

/// The number of bytes that may wait to be written; as many again may be in writing.
const BYTES_WAITING_MAX: usize = 64 << 20;

/// The number of bytes that a buffer keeps in reserve.
const BYTES_RESERVED: usize = 1 << 20;

/// A log in progress.
pub(crate) struct Log {
    queue: LogQueue,
}

impl Log {
    /// Starts the thread that writes to `out`.
    pub(crate) fn start(format: Format, out: impl Write + Send + 'static, notices: Notices) -> io::Result<Self> {
        let queue = LogQueue { shared: Arc::default(), format };
        let shared = Arc::clone(&queue.shared);
        let writer = Writer { out, notices, has_failed: false };
        std::thread::Builder::new().name("enjamb-log".to_owned()).spawn(move || shared.write_all(writer))?;
        Ok(Self { queue })
    }

    /// Returns the end of the queue to which lines are appended.
    pub(crate) fn queue(&self) -> LogQueue {
        self.queue.clone()
    }

    /// Waits until every line is written. Returns the number of lines that were dropped.
    pub(crate) fn settle(&self, deadline: &Deadline) -> u64 {
        let shared = &self.queue.shared;
        deadline.wait_until(|| {
            let state = shared.lock();
            state.waiting.is_empty() && !state.is_writing
        });
        shared.lock().dropped
    }

    /// Writes the last lines, even if there is no room for them, and waits until they are written.
    /// A writer that is stuck is left behind. Returns whether everything was written in time.
    pub(crate) fn finish(self, last: &str, deadline: &Deadline) -> bool {
        let shared = &self.queue.shared;
        let mut state = shared.lock();
        state.fill_hole(self.queue.format);
        state.waiting.push_str(last);
        state.ended = true;
        drop(state);
        shared.wake.notify_one();
        deadline.wait_until(|| shared.lock().finished)
    }
}

/// Appends lines to the log. Clones append to the same one.
#[derive(Clone)]
pub(crate) struct LogQueue {
    shared: Arc<Shared>,
    format: Format,
}

impl LogQueue {
    /// Appends `count` lines, or drops all of them. `days` has the days of the first and of the last
    /// line; between them, the lines name the days themselves.
    pub(crate) fn append(&self, lines: &str, count: u64, (first, last): (Day, Day)) {
        let mut state = self.shared.lock();
        let was_empty = state.waiting.is_empty();
        if state.lines + count > LINES_WAITING_MAX || state.waiting.len() + lines.len() > BYTES_WAITING_MAX {
            state.dropped += count;
            state.hole += count;
            return;
        }
        state.fill_hole(self.format);
        if state.day != Some(first) {
            self.format.write_day(first, &mut state.waiting);
        }
        state.day = Some(last);
        state.waiting.push_str(lines);
        state.lines += count;
        drop(state);
        if was_empty {
            self.shared.wake.notify_one();
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: String,
    /// The day of the last line.
    day: Option<Day>,
    /// The number of lines that wait.
    lines: u64,
    is_writing: bool,
    /// The number of lines dropped since the last one that was appended.
    hole: u64,
    /// The number of lines dropped in all.
    dropped: u64,
    /// Whether the queue refuses further lines.
    ended: bool,
    /// Whether the thread has written all lines.
    finished: bool,
}

impl State {
    /// Writes a record at a place where lines are missing, with their number.
    fn fill_hole(&mut self, format: Format) {
        let hole = std::mem::take(&mut self.hole);
        if hole > 0 {
            let time = now();
            if self.day.replace(Day::of(time)) != Some(Day::of(time)) {
                format.write_day(Day::of(time), &mut self.waiting);
            }
            let reason = &format!("{hole} records are missing here: the log was not written as fast as they came");
            format.write(&Record::Error { connection: None, time, reason }, &mut self.waiting);
            self.lines += 1;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the buffer would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the thread that writes.
    fn write_all(&self, mut writer: Writer<impl Write>) {
        let mut lines = String::new();
        while self.take(&mut lines) {
            writer.write(&lines);
            lines.clear();
            lines.shrink_to(BYTES_RESERVED);
        }
        self.lock().finished = true;
    }

    /// Waits for something to write. `false`: nothing is left, and nothing will be appended.
    fn take(&self, lines: &mut String) -> bool {
        let mut state = self.lock();
        state.is_writing = false;
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.ended;
        let mut state = self.wake.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(lines, &mut state.waiting);
        state.lines = 0;
        state.is_writing = !lines.is_empty();
        state.is_writing
    }
}

/// Writes lines, and reports once that they cannot be written.
struct Writer<W> {
    out: W,
    notices: Notices,
    has_failed: bool,
}

impl<W: Write> Writer<W> {
    fn write(&mut self, lines: &str) {
        let result = self.out.write_all(lines.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = result
            && !std::mem::replace(&mut self.has_failed, true)
        {
            self.notices.notice(format_args!("the log cannot be written, and lacks records from here on: {error}"));
        }
    }
}
