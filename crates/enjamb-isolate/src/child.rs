//! A child process that receives a task, leaves marks while it works, and returns an answer.
//!
//! Parent and child share a temporary folder, whose path the child finds in its environment. They
//! exchange files in it: `task`, `begun`, `mark`, `answer`. A file survives the child, so the
//! parent can read how far a dead child came.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ExitStatus, Stdio};

use crate::crash::Crash;
use crate::program::Program;

const TASK: &str = "task";
const BEGUN: &str = "begun";
const MARK: &str = "mark";
const ANSWER: &str = "answer";
const STDERR: &str = "stderr";

/// The number of bytes of a child's standard error that are kept.
const STDERR_BYTES_MAX: usize = 1 << 20;

/// The destination of the child's output, and the source of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildOutput {
    /// The child has no standard input, and its output is dropped.
    Discard,
    /// The child has the parent's standard input and output. A line on its standard error is passed
    /// on once, however many children print it: each of them does the same work again from the
    /// start.
    Forward,
}

/// The way in which a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildEnding {
    /// The child returned these bytes.
    Answered(Vec<u8>),
    /// The child began its task and died.
    Crashed(Crash),
    /// The child ended, in this way, before it began its task.
    NotBegun(Crash),
}

/// The state of a child that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildReport {
    /// The way in which it ended.
    pub ending: ChildEnding,
    /// The last mark that it left.
    pub mark: Option<Vec<u8>>,
    /// Its exit status.
    pub status: ExitStatus,
}

/// Starts this program again as a child, as often as needed.
#[derive(Debug)]
pub struct Relaunch {
    program: Program,
    variable: &'static str,
    output: ChildOutput,
    /// Lines of standard error that were passed on.
    forwarded: HashSet<String>,
}

impl Relaunch {
    /// Creates a relaunch whose children find their task in the environment variable of this name.
    #[must_use]
    pub fn new(program: Program, variable: &'static str, output: ChildOutput) -> Self {
        Self { program, variable, output, forwarded: HashSet::new() }
    }

    /// Starts a child with `task` and waits until it ends. There is no time limit: a child that may
    /// hang runs a [`Watchdog`](crate::Watchdog) itself.
    ///
    /// # Errors
    /// The folder cannot be made or written, or the program cannot be started.
    pub fn run(&mut self, task: &[u8]) -> io::Result<ChildReport> {
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        fs::write(folder.join(TASK), task)?;
        let mut command = self.program.command()?;
        command.env(self.variable, folder).env("RUST_BACKTRACE", "0");
        let (status, stderr) = match self.output {
            ChildOutput::Discard => {
                let path = folder.join(STDERR);
                let status =
                    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&path)?).status()?;
                (status, String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned())
            }
            ChildOutput::Forward => {
                let mut child = command.stderr(Stdio::piped()).spawn()?;
                let stderr = child.stderr.take().map(|stderr| self.forward(stderr)).unwrap_or_default();
                (child.wait()?, stderr)
            }
        };
        let ending = match fs::read(folder.join(ANSWER)) {
            Ok(answer) => ChildEnding::Answered(answer),
            Err(_) if folder.join(BEGUN).exists() => ChildEnding::Crashed(Crash::of(status, &stderr)),
            Err(_) => ChildEnding::NotBegun(Crash::of(status, &stderr)),
        };
        Ok(ChildReport { ending, mark: fs::read(folder.join(MARK)).ok(), status })
    }

    /// Passes lines on, and returns the beginning of the output.
    fn forward(&mut self, stderr: ChildStderr) -> String {
        let mut kept = String::new();
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { break };
            if kept.len() < STDERR_BYTES_MAX {
                kept.push_str(&line);
                kept.push('\n');
            }
            if self.forwarded.insert(line.clone()) {
                eprintln!("{line}");
            }
        }
        kept
    }
}

/// The task of this process, if it is a child.
#[derive(Clone, Debug)]
pub struct Task {
    folder: PathBuf,
    bytes: Vec<u8>,
    /// The process that started this one.
    parent: u32,
}

impl Task {
    /// Reads the task that a [`Relaunch`] with this variable gave to this process. `None`: this
    /// process is not its child.
    #[must_use]
    pub fn of_this_process(variable: &str) -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os(variable)?);
        let bytes = fs::read(folder.join(TASK)).unwrap_or_default();
        Some(Self { folder, bytes, parent: parent() })
    }

    /// Returns the bytes of the task.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reports that this process has reached its task.
    pub fn begin(&self) {
        // If the file cannot be written, the parent sees a child that did not begin.
        let _ = fs::write(self.path(BEGUN), "");
    }

    /// Leaves a mark, which replaces the one before it. Ends the process if the parent is gone:
    /// nobody would read an answer.
    pub fn mark(&self, mark: &[u8]) {
        // The parent removes the folder when it ends, unless it was killed.
        if self.parent != parent() || !self.folder.exists() {
            std::process::exit(1);
        }
        // If the file cannot be written, a crash is reported with an earlier mark.
        let _ = fs::write(self.path(MARK), mark);
    }

    /// Returns the answer to the parent.
    ///
    /// # Errors
    /// The answer cannot be written.
    pub fn answer(&self, answer: &[u8]) -> io::Result<()> {
        fs::write(self.path(ANSWER), answer)
    }

    fn path(&self, file: &str) -> PathBuf {
        Path::new(&self.folder).join(file)
    }
}

/// Returns the number of the process that started this one; 0 on systems without such a number.
fn parent() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    0
}

/// Limits the memory of this process to `bytes`, and switches core dumps off. Does nothing on
/// systems other than Unix.
pub fn limit_memory(bytes: u64) {
    #[cfg(unix)]
    {
        // If the limits cannot be set, the kernel ends a process that takes too much.
        let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
        let _ = rlimit::setrlimit(rlimit::Resource::AS, bytes, bytes);
    }
    #[cfg(not(unix))]
    let _ = bytes;
}
