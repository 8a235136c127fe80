//! A contestant that is a process, and the resources that one run of it used.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use wait4::Wait4;

use crate::captures::cache::Capture;
use crate::captures::counts::Counts;

/// A program that reads a capture.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    /// The work it does with the capture.
    pub(crate) work: &'static str,
    pub(crate) program: OsString,
    /// `{}` is replaced by the capture, `{folder}` by an empty folder.
    pub(crate) arguments: Vec<&'static str>,
    /// Whether it reads a smaller capture, fewer times.
    pub(crate) slow: bool,
    /// Whether it prints [`Counts`].
    pub(crate) prints_counts: bool,
}

/// The resources that one run used.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// Processor time of the process and its children.
    pub(crate) processor: Duration,
    /// Peak resident memory, in bytes.
    pub(crate) memory_bytes: u64,
}

impl Process {
    /// Returns whether the program exists.
    pub(crate) fn is_installed(&self) -> bool {
        let program = Path::new(&self.program);
        let paths = std::env::var_os("PATH").unwrap_or_default();
        program.is_absolute() || std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
    }

    /// Runs it once.
    pub(crate) fn run(&self, capture: &Path) -> anyhow::Result<Usage> {
        let empty = tempfile::tempdir()?;
        let mut command = self.command(capture, empty.path());
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let used = child.wait4()?;
        let wall = start.elapsed();
        ensure!(used.status.success(), "{} failed: {}", self.name, used.status);
        let processor = used.rusage.utime + used.rusage.stime;
        Ok(Usage { wall, processor, memory_bytes: used.rusage.maxrss })
    }

    /// Runs it once, and describes its counts if they differ from the contents of the capture.
    pub(crate) fn miscount(&self, capture: &Capture) -> anyhow::Result<Option<String>> {
        if !self.prints_counts {
            return Ok(None);
        }
        let empty = tempfile::tempdir()?;
        let output = self.command(&capture.path, empty.path()).stdout(Stdio::piped()).output()?;
        ensure!(output.status.success(), "{} failed: {}", self.name, output.status);
        let Counts { found, expected, unit } = Counts::parse(&output.stdout, &capture.contents)
            .with_context(|| format!("cannot read the counts of {}", self.name))?;
        Ok((found != expected).then(|| format!("it counts {found} of {expected} {unit}")))
    }

    /// Returns the command that reads `capture` in the folder `empty`.
    fn command(&self, capture: &Path, empty: &Path) -> Command {
        let mut command = Command::new(&self.program);
        for argument in &self.arguments {
            match *argument {
                "{}" => command.arg(capture),
                "{folder}" => command.arg(empty),
                argument => command.arg(argument),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(empty);
        command
    }
}
