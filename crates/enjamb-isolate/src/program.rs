//! This program, started again as its own child.

use std::ffi::OsString;
use std::io;
use std::process::Command;

/// The arguments with which this program, started again, comes to the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    arguments: Vec<OsString>,
}

impl Program {
    /// Returns this program with other arguments.
    #[must_use]
    pub fn with_arguments(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Returns this program with the arguments that it received.
    #[must_use]
    pub fn with_same_arguments() -> Self {
        Self::with_arguments(std::env::args_os().skip(1))
    }

    /// Returns a test binary of the standard harness that runs one test, by its full name, even if
    /// it is ignored.
    #[must_use]
    pub fn of_test(name: &str) -> Self {
        Self::with_arguments([name, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"])
    }

    /// Returns the test that runs on this thread: the standard harness names its threads after
    /// their tests. `None` on the main thread, unless one test was chosen with `--exact`.
    #[must_use]
    pub fn of_current_test() -> Option<Self> {
        let exact = std::env::args().any(|argument| argument == "--exact");
        let chosen = exact.then(|| std::env::args().skip(1).find(|name| !name.starts_with('-'))).flatten();
        let thread = std::thread::current();
        let name = chosen.or_else(|| thread.name().filter(|name| *name != "main").map(str::to_owned))?;
        Some(Self::of_test(&name))
    }

    pub(crate) fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(&self.arguments);
        Ok(command)
    }
}
