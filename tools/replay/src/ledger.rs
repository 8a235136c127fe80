//! A process to die in, for tools that feed sessions which somebody else wrote.
//!
//! A stack that overflows and memory that runs out end the process, and the tool with it. So the tool runs in a child: the same program with the same arguments. Before
//! it tries a connection the child writes down which, in a folder that both know, the *ledger*. When it dies, that connection is entered there as dead, and
//! another child begins again and passes it over.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use enjamb_law::Fault;

/// In the environment of a child: the folder.
const FOLDER: &str = "ENJAMB_LEDGER";

/// The connection that is tried now.
const NOW: &str = "now";

/// A line for each connection that a child died of: its number, and how.
const DEAD: &str = "dead";

/// The child came to its end.
const DONE: &str = "done";

/// How often another child is begun. The last of them tries nothing more.
const MOST_DEATHS: usize = 8;

/// How much of what a child says on standard error is kept, in bytes.
const MOST_SAID: usize = 1 << 20;

/// The ledger of this process, where it is a child; an empty one otherwise.
#[derive(Debug, Default)]
pub struct Ledger {
    folder: Option<PathBuf>,
    dead: BTreeMap<u64, String>,
    /// How many of the dead were passed over.
    passed: Cell<usize>,
    /// The process that began this one.
    parent: u32,
}

/// The number of the process that this one belongs to. Where there is no such thing, always the same.
fn parent() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    0
}

impl Ledger {
    /// Reads it.
    #[must_use]
    pub fn of_this_process() -> Self {
        let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return Self::default() };
        let dead = fs::read_to_string(folder.join(DEAD)).unwrap_or_default();
        let entry = |line: &str| {
            let (number, how) = line.split_once(' ')?;
            Some((number.parse().ok()?, how.to_owned()))
        };
        Self {
            dead: dead.lines().filter_map(entry).collect(),
            folder: Some(folder),
            passed: Cell::new(0),
            parent: parent(),
        }
    }

    /// What a child before this one died of when it tried the connection of this number, which is passed over then.
    #[must_use]
    pub fn pass_over(&self, number: u64) -> Option<&str> {
        let how = self.dead.get(&number)?;
        self.passed.set(self.passed.get() + 1);
        Some(how)
    }

    /// Have so many connections been passed over that no more should be tried? No child before this one came further than here.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.passed.get() >= MOST_DEATHS
    }

    /// The connection of this number is tried now. Does not return where nobody waits for this child any more.
    pub fn begin(&self, number: u64) {
        if let Some(folder) = &self.folder {
            // The folder goes with whoever began this child, unless that was killed.
            if self.parent != parent() || !folder.exists() {
                std::process::exit(1);
            }
            // Where that cannot be written, a death is told without its connection.
            let _ = fs::write(folder.join(NOW), number.to_string());
        }
    }
}

/// Does `work` in a child, which is this program with the arguments that it was given, and in another one when that dies; in a child, does it here. The program must come
/// here whenever it has these arguments.
///
/// # Errors
/// There is no child to be had.
pub fn in_child(work: impl FnOnce() -> ExitCode) -> io::Result<ExitCode> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let code = work();
        let _ = fs::write(Path::new(&folder).join(DONE), "");
        return Ok(code);
    }
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let mut dead = String::new();
    let mut told = HashSet::new();
    for _ in 0..=MOST_DEATHS {
        let (status, said) = child(folder, &mut told)?;
        if folder.join(DONE).exists() {
            return Ok(status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .map_or(ExitCode::FAILURE, ExitCode::from));
        }
        let fault = Fault::of_death(status, &said);
        let Ok(number) = fs::read_to_string(folder.join(NOW)) else {
            eprintln!("enjamb: before any connection was tried, {fault}");
            return Ok(ExitCode::FAILURE);
        };
        dead.push_str(&format!("{number} {fault}\n"));
        fs::write(folder.join(DEAD), &dead)?;
        fs::remove_file(folder.join(NOW))?;
    }
    // Not reached where the work asks whether the ledger is full.
    eprintln!("enjamb: {} connections have ended the process, and nothing more is tried:", MOST_DEATHS + 1);
    dead.lines().for_each(|line| eprintln!("  #{line}"));
    Ok(ExitCode::FAILURE)
}

/// Runs a child to its end. What it says on standard error is passed on, but for what is `told` already: each child reads the same captures.
fn child(folder: &Path, told: &mut HashSet<String>) -> io::Result<(ExitStatus, String)> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env(FOLDER, folder)
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufReader::lines) {
        let Ok(line) = line else { break };
        if said.len() < MOST_SAID {
            said.push_str(&line);
            said.push('\n');
        }
        if told.insert(line.clone()) {
            eprintln!("{line}");
        }
    }
    Ok((child.wait()?, said))
}
