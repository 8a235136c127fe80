//! A ledger of the items that ended a process.
//!
//! A tool works through numbered items, and any of them may end the process. So the tool runs in a
//! child: the same program with the same arguments. Before the child tries an item it leaves the
//! number as its mark. When the child dies, the parent enters that item in the ledger, with the
//! crash, and starts another child with the ledger as its task. That child does the same work from
//! the start, and passes the item over.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::child::{ChildEnding, ChildOutput, Relaunch, Task};
use crate::crash::Crash;
use crate::program::Program;

/// The environment variable by which a child finds its ledger.
const VARIABLE: &str = "ENJAMB_LEDGER";

/// The number of items that may end a child before the work stops.
const CRASHES_MAX: usize = 8;

/// The ledger of this process. It is empty in a process that is not a child.
#[derive(Debug, Default)]
pub struct Ledger {
    task: Option<Task>,
    crashes: BTreeMap<u64, String>,
    /// The number of items that were passed over.
    passed: Cell<usize>,
}

impl Ledger {
    /// Reads the ledger of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let Some(task) = Task::of_this_process(VARIABLE) else { return Self::default() };
        Self { crashes: entries(&String::from_utf8_lossy(task.bytes())).collect(), task: Some(task), ..Self::default() }
    }

    /// Returns how an earlier child ended when it tried the item, and counts the item as passed
    /// over. `None`: no child ended there.
    #[must_use]
    pub fn pass_over(&self, number: u64) -> Option<&str> {
        let crash = self.crashes.get(&number)?;
        self.passed.set(self.passed.get() + 1);
        Some(crash)
    }

    /// Returns whether so many items were passed over that nothing more should be tried. No earlier
    /// child came further than this one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.passed.get() >= CRASHES_MAX
    }

    /// Reports that this process is about to try the item. Does not return if the parent is gone.
    pub fn begin(&self, number: u64) {
        if let Some(task) = &self.task {
            task.mark(number.to_string().as_bytes());
        }
    }
}

/// The reason why no child finished the work.
#[derive(Debug)]
#[non_exhaustive]
pub enum LedgerError {
    /// No child could be started.
    NoChild(io::Error),
    /// A child died before it tried an item.
    NoItem(Crash),
    /// Too many items ended a child: their numbers and crashes. The work did not stop when the
    /// ledger [was full](Ledger::is_full).
    TooManyCrashes(Vec<(u64, String)>),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChild(_) => f.write_str("no child process could be started"),
            Self::NoItem(crash) => write!(f, "before the first item was tried, {crash}"),
            Self::TooManyCrashes(crashes) => write!(f, "{} items ended the process", crashes.len()),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoChild(error) => Some(error),
            Self::NoItem(crash) => Some(crash),
            Self::TooManyCrashes(_) => None,
        }
    }
}

/// Runs `work` in a child, and in another child whenever one dies. In the child itself, runs it
/// here.
///
/// The program must come to this call whenever it has the same arguments.
///
/// # Errors
/// No child finished the work.
pub fn run_in_child(work: impl FnOnce() -> ExitCode) -> Result<ExitCode, LedgerError> {
    if let Some(task) = Task::of_this_process(VARIABLE) {
        task.begin();
        let code = work();
        let _ = task.answer(&[]);
        return Ok(code);
    }
    let mut relaunch = Relaunch::new(Program::with_same_arguments(), VARIABLE, ChildOutput::Forward);
    let mut ledger = String::new();
    for _ in 0..=CRASHES_MAX {
        let report = relaunch.run(ledger.as_bytes()).map_err(LedgerError::NoChild)?;
        let crash = match report.ending {
            ChildEnding::Answered(_) => {
                let code = report.status.code().and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            ChildEnding::Crashed(crash) | ChildEnding::NotBegun(crash) => crash,
        };
        let number = report.mark.and_then(|mark| String::from_utf8(mark).ok()?.parse::<u64>().ok());
        let Some(number) = number else { return Err(LedgerError::NoItem(crash)) };
        ledger.push_str(&format!("{number} {crash}\n"));
    }
    Err(LedgerError::TooManyCrashes(entries(&ledger).collect()))
}

/// Returns one entry for each line: the item's number, and how it ended a child.
fn entries(ledger: &str) -> impl Iterator<Item = (u64, String)> {
    ledger.lines().filter_map(|line| {
        let (number, crash) = line.split_once(' ')?;
        Some((number.parse().ok()?, crash.to_owned()))
    })
}
