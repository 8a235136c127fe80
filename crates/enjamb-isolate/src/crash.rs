//! The way in which a process ended that did not finish its task.

use std::fmt;
use std::process::ExitStatus;

/// The end of a process that did not finish its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crash {
    /// The process overflowed its stack.
    StackOverflow,
    /// The process could not allocate memory.
    OutOfMemory,
    /// A signal killed the process. Only on Unix.
    Signal(ExitStatus),
    /// The process exited with this status and left no answer.
    Exit(ExitStatus),
}

impl Crash {
    /// Reads the kind of the crash from the exit status and the text that the process wrote to
    /// standard error.
    ///
    /// The text decides first: Rust reports an overflowed stack and a failed allocation there, and
    /// ends both with the same signal.
    #[must_use]
    pub fn of(status: ExitStatus, stderr: &str) -> Self {
        if stderr.contains("has overflowed its stack") || stderr.contains("stack overflow") {
            return Self::StackOverflow;
        }
        if stderr.contains("memory allocation of") || stderr.contains("out of memory") {
            return Self::OutOfMemory;
        }
        #[cfg(unix)]
        if std::os::unix::process::ExitStatusExt::signal(&status).is_some() {
            return Self::Signal(status);
        }
        Self::Exit(status)
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StackOverflow => f.write_str("it overflowed the stack"),
            Self::OutOfMemory => f.write_str("it asked for more memory than there is"),
            Self::Signal(status) | Self::Exit(status) => write!(f, "the process died: {status}"),
        }
    }
}

impl std::error::Error for Crash {}
