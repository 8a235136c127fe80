//! How far the reading has come, on standard error.
//!
//! A bar is drawn only for somebody who waits: on a terminal, after [`PATIENCE`], and not when the records themselves run over the screen.

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::inputs::Input;
use crate::output::Stop;

/// How long reading takes without anything being said about it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far all captures have been read.
pub(crate) struct Progress {
    wanted: bool,
    started: Instant,
    read: AtomicU64,
    /// How long all of them are. `None`: one of them is no file.
    length: Option<u64>,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    /// Of reading `captures`. `records` says whether records are written to standard output.
    pub(crate) fn new(captures: &[Input], records: bool) -> Self {
        let file = |input: &Input| {
            let Input::File(path) = input else { return None };
            let metadata = path.metadata().ok()?;
            metadata.is_file().then_some(metadata.len())
        };
        Self {
            wanted: io::stderr().is_terminal() && !(records && io::stdout().is_terminal()),
            started: Instant::now(),
            read: AtomicU64::new(0),
            length: captures.iter().map(file).sum(),
            bar: OnceLock::new(),
        }
    }

    /// Says a line on standard error.
    pub(crate) fn say(&self, line: &str) {
        // Whoever closed standard error does not want to know: `eprintln` would panic.
        let say = || drop(writeln!(io::stderr().lock(), "enjamb replay: {line}"));
        match self.bar.get() {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Nothing more is read.
    pub(crate) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    fn advance(&self, bytes: usize) {
        let read = self.read.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if self.wanted && (self.bar.get().is_some() || self.started.elapsed() > PATIENCE) {
            let bar = self.bar.get_or_init(|| bar(self.length).with_elapsed(self.started.elapsed()));
            bar.set_position(read);
        }
    }
}

fn bar(length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => {
            let template = "{bar:32} {percent:>3} %  {binary_bytes} of {binary_total_bytes}, {rate}, {left} left";
            (ProgressBar::new(length), template)
        }
        None => (ProgressBar::new_spinner(), "{spinner} {binary_bytes} read, {rate}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ").with_key("rate", rate).with_key("left", left)),
        // Not reached: the templates are constants. Without one there is another style.
        Err(_) => bar,
    }
}

/// Bytes a second from the beginning: indicatif's own rate takes all that was read before the bar was drawn for read at once.
fn per_second(state: &ProgressState) -> f64 {
    state.pos() as f64 / state.elapsed().as_secs_f64().max(0.001)
}

fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    let _ = write!(out, "{}/s", BinaryBytes(per_second(state) as u64));
}

fn left(state: &ProgressState, out: &mut dyn fmt::Write) {
    let rest = state.len().unwrap_or_default().saturating_sub(state.pos());
    let _ = write!(out, "{:.0} s", rest as f64 / per_second(state).max(1.0));
}

/// A capture that is read, and seen to be read.
pub(crate) struct Source<'a> {
    from: Box<dyn Read>,
    progress: &'a Progress,
    stop: Stop,
}

impl<'a> Source<'a> {
    /// Opens a capture.
    pub(crate) fn open(input: &Input, progress: &'a Progress, stop: &Stop) -> anyhow::Result<Self> {
        let from = input.open()?;
        Ok(Self { from, progress, stop: stop.clone() })
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_asked() {
            return Err(io::Error::other("nobody reads what is written"));
        }
        let read = self.from.read(buffer)?;
        self.progress.advance(read);
        Ok(read)
    }
}
