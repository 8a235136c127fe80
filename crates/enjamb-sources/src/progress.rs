//! A progress bar on standard error.
//!
//! A bar is drawn only for a user who waits: on a terminal, after [`PATIENCE`], and not when
//! records are written to the same screen.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Read};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::input::Input;
use crate::notices::Notices;
use crate::stop::Stop;

/// The time that reading may take before a bar is drawn.
const PATIENCE: Duration = Duration::from_millis(500);

/// Counts the bytes that were read from all inputs, and draws the bar.
#[derive(Debug)]
pub struct Progress<'n> {
    notices: &'n Notices,
    wanted: bool,
    started: Instant,
    read: AtomicU64,
    /// The length of all inputs in bytes. `None`: one of them is not a file.
    length: Option<u64>,
    bar: OnceLock<ProgressBar>,
}

impl<'n> Progress<'n> {
    /// Creates the progress of reading `inputs`.
    ///
    /// `records`: whether records are written to standard output while the inputs are read.
    #[must_use]
    pub fn new(notices: &'n Notices, inputs: &[Input], records: bool) -> Self {
        let length = |input: &Input| {
            let Input::File(path) = input else { return None };
            let metadata = path.metadata().ok()?;
            metadata.is_file().then_some(metadata.len())
        };
        let wanted = io::stderr().is_terminal() && !(records && io::stdout().is_terminal());
        Self { wanted, length: inputs.iter().map(length).sum(), ..Self::hidden(notices) }
    }

    /// Creates a progress that never draws a bar.
    #[must_use]
    pub fn hidden(notices: &'n Notices) -> Self {
        Self {
            notices,
            wanted: false,
            started: Instant::now(),
            read: AtomicU64::new(0),
            length: None,
            bar: OnceLock::new(),
        }
    }

    /// Writes a notice, above the bar if there is one.
    pub fn notice(&self, text: impl Display) {
        match self.bar.get() {
            Some(bar) => bar.suspend(|| self.notices.notice(text)),
            None => self.notices.notice(text),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    /// Wraps a source so that its bytes are counted, and so that it ends when `stop` is requested.
    pub(crate) fn count<R: Read>(&self, source: R, stop: Stop) -> CountedSource<'_, R> {
        CountedSource { source, progress: self, stop }
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
        // Not reached: the templates are constants.
        Err(_) => bar,
    }
}

/// Returns bytes per second since the beginning. indicatif's own rate treats everything that was
/// read before the bar was drawn as read at once.
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

/// A source whose bytes are counted.
pub(crate) struct CountedSource<'p, R> {
    source: R,
    progress: &'p Progress<'p>,
    stop: Stop,
}

impl<R: Read> Read for CountedSource<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_requested() {
            return Err(io::Error::other("reading was stopped"));
        }
        let read = self.source.read(buffer)?;
        self.progress.advance(read);
        Ok(read)
    }
}
