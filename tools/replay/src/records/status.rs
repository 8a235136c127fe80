//! The status line of a replay whose input is still being captured.
//!
//! It is the last line of a terminal, below the records. Before anything is written to standard
//! output it is removed, and drawn again at the next pause.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use enjamb::Outcome;
use enjamb_monitor::Record;

/// The time between two changes of the line.
const EVERY: Duration = Duration::from_millis(250);

/// The time over which rates are computed.
const RATE_OVER: Duration = Duration::from_secs(2);

/// Goes to the beginning of the line and clears it.
const CLEAR: &[u8] = b"\r\x1b[K";

/// The counts that the line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    open: u64,
    connections: u64,
    messages: u64,
    bytes: u64,
    errors: u64,
}

/// The status line. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct StatusLine(Option<Rc<Shared>>);

#[derive(Debug)]
struct Shared {
    is_drawn: Cell<bool>,
    last_drawn: Cell<Option<Instant>>,
    started: Instant,
    counts: Cell<Counts>,
    /// Earlier counts, the oldest first, over [`RATE_OVER`].
    earlier: RefCell<std::collections::VecDeque<(Instant, Counts)>>,
}

impl StatusLine {
    /// Creates a line that is never drawn.
    pub(crate) fn hidden() -> Self {
        Self(None)
    }

    /// Creates a line that is drawn if standard error is a terminal.
    pub(crate) fn on_terminal() -> Self {
        Self(io::stderr().is_terminal().then(|| {
            Rc::new(Shared {
                is_drawn: Cell::new(false),
                last_drawn: Cell::new(None),
                started: Instant::now(),
                counts: Cell::default(),
                earlier: RefCell::default(),
            })
        }))
    }

    /// Returns whether the line is never drawn.
    pub(crate) fn is_hidden(&self) -> bool {
        self.0.is_none()
    }

    /// Counts a record.
    pub(crate) fn count(&self, record: &Record<'_>) {
        let Some(shared) = &self.0 else { return };
        let mut counts = shared.counts.get();
        match record {
            Record::Opened { .. } => {
                counts.open += 1;
                counts.connections += 1;
            }
            Record::Ended { .. } => counts.open = counts.open.saturating_sub(1),
            Record::Message { message, .. } => {
                counts.messages += 1;
                counts.bytes = counts.bytes.saturating_add(message.span.length);
                counts.errors += u64::from(message.outcome != Outcome::Ok);
            }
            _ => {}
        }
        shared.counts.set(counts);
    }

    /// Draws the line, if it is time.
    pub(crate) fn draw(&self) {
        let Some(shared) = &self.0 else { return };
        let now = Instant::now();
        if shared.is_drawn.get() && shared.last_drawn.get().is_some_and(|last| now - last < EVERY) {
            return;
        }
        let mut earlier = shared.earlier.borrow_mut();
        let counts = shared.counts.get();
        earlier.push_back((now, counts));
        while earlier.len() > 2 && earlier.front().is_some_and(|(at, _)| now - *at > RATE_OVER) {
            earlier.pop_front();
        }
        let before = earlier.front().copied().unwrap_or((now, counts));
        let columns = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let mut line = line(now - shared.started, counts, before.1, now - before.0);
        line.truncate(columns.saturating_sub(1));
        let mut out = io::stderr().lock();
        // Nobody misses a status line that cannot be drawn.
        let _ = out.write_all(&[CLEAR, line.as_bytes()].concat()).and_then(|()| out.flush());
        shared.is_drawn.set(true);
        shared.last_drawn.set(Some(now));
    }

    /// Removes the line, before something else is written to the terminal.
    pub(crate) fn clear(&self) {
        if let Some(shared) = &self.0
            && shared.is_drawn.replace(false)
        {
            let mut out = io::stderr().lock();
            let _ = out.write_all(CLEAR).and_then(|()| out.flush());
        }
    }
}

/// The text of the line. It is ASCII.
fn line(elapsed: Duration, counts: Counts, before: Counts, over: Duration) -> String {
    let per_second = |now: u64, before: u64| (now - before) as f64 / over.as_secs_f64().max(0.001);
    let Counts { open, connections, messages, bytes, errors } = counts;
    let rate = per_second(messages, before.messages);
    let throughput = match per_second(bytes, before.bytes) as u64 {
        few @ 0..1024 => format!("{few} bytes"),
        many => enjamb::units::format_size(many >> 10 << 10),
    };
    let seconds = elapsed.as_secs();
    format!(
        "{:02}:{:02}:{:02}  {open} of {connections} connections open  {messages} messages, {rate:.0}/s  \
         {throughput}/s  {errors} errors  (Ctrl-C ends)",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Standard output, below which a status line may stand.
pub(crate) struct OutputAboveStatus {
    out: StdoutLock<'static>,
    status: StatusLine,
}

impl OutputAboveStatus {
    pub(crate) fn new(status: StatusLine) -> Self {
        Self { out: io::stdout().lock(), status }
    }
}

impl Write for OutputAboveStatus {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.status.clear();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_rates_of_the_last_seconds() {
        let counts = |messages, bytes| Counts { open: 1, connections: 3, messages, bytes, errors: 2 };
        let text = line(Duration::from_secs(3723), counts(1100, 900_000), counts(100, 800_000), Duration::from_secs(2));
        assert_eq!(text, "01:02:03  1 of 3 connections open  1100 messages, 500/s  48k/s  2 errors  (Ctrl-C ends)");
    }
}
