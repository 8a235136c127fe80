//! A process to die in.
//!
//! A stack that overflows and memory that runs out end the process, and a test run with it. So a law is tried in a child first: the same test binary,
//! told to run the same test, which finds in its environment which law of which definition it is to try. What it finds it leaves in a folder. A child that died left
//! nothing: it is started once more and told to write down each input before it is fed, and the last one is what it died of; then
//! children are given parts of that input, to see how little of it is enough.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::definition::Tried;
use crate::grammar::Grammar;
use crate::law::Law;
use crate::minimise;
use crate::script::{Case, Script};
use crate::subject::Fault;

/// In the environment of a child: the folder with its task, where it leaves what it found.
const FOLDER: &str = "ENJAMB_LAW_CHILD";

/// In anybody's environment: no children, for whoever looks for a bug with a debugger.
const IN_PROCESS: &str = "ENJAMB_LAW_IN_PROCESS";

/// The stack of the thread that a subject is run on in a child: half of what a thread in Rust has by default, since its caller needs some of it too.
pub(crate) const STACK: usize = 1 << 20;

/// What a child may use of memory in all.
const MEMORY: u64 = 3 << 30;

/// How many children, and how long, are spent on making the input smaller that one died of.
const PROBES: usize = 200;
const PROBING: Duration = Duration::from_secs(5);

/// How the process is started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Isolation {
    arguments: Vec<OsString>,
}

/// What came of a law in a child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds.
    Holds(Tried),
    /// It does not, or could not be tried: the same comes of it in this process, and nobody dies of that.
    Survived,
    /// The child died, or hung, of this input.
    Died(Fault, Case),
    /// There was no child that could try it.
    Unavailable,
}

/// What a child is to do.
#[derive(Debug)]
pub(crate) struct Task {
    folder: PathBuf,
}

/// What it is told to do, each a file of its folder.
const DEFINITION: &str = "definition";
const LAW: &str = "law";
const FEED: &str = "feed";
const JOURNAL: &str = "journal";
const BEGUN: &str = "begun";
const FOUND: &str = "found";
const SAID: &str = "said";

impl Isolation {
    /// For a test of the standard harness, by its full name.
    pub(crate) fn of_test(name: &str) -> Self {
        let arguments = [name, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"];
        Self { arguments: arguments.into_iter().map(OsString::from).collect() }
    }

    /// For a program that is started again with these arguments.
    pub(crate) fn with_arguments(arguments: Vec<OsString>) -> Self {
        Self { arguments }
    }

    /// Tries a law of the definition `name` in a child.
    pub(crate) fn try_law(&self, name: &str, law: Law) -> Outcome {
        if std::env::var_os(IN_PROCESS).is_some() {
            return Outcome::Unavailable;
        }
        self.try_in_child(name, law).unwrap_or(Outcome::Unavailable)
    }

    fn try_in_child(&self, name: &str, law: Law) -> io::Result<Outcome> {
        let begin = |journal: bool, feed: Option<&Case>| -> io::Result<(tempfile::TempDir, ExitStatus)> {
            let folder = tempfile::tempdir()?;
            fs::write(folder.path().join(DEFINITION), name)?;
            fs::write(folder.path().join(LAW), law.name())?;
            if journal {
                fs::write(folder.path().join(JOURNAL), "")?;
            }
            if let Some(Case { input, cuts }) = feed {
                fs::write(folder.path().join(FEED), Script::of(input, cuts).encode())?;
            }
            let status = self.child(folder.path())?;
            Ok((folder, status))
        };
        let (folder, status) = begin(false, None)?;
        if !folder.path().join(BEGUN).exists() {
            return Ok(Outcome::Unavailable);
        }
        if let Some(outcome) = found(folder.path()) {
            return Ok(outcome);
        }
        let fault = death(status, folder.path());
        let (folder, again) = begin(true, None)?;
        let last = fs::read(folder.path().join(JOURNAL)).unwrap_or_default();
        let case = Script::decode(&last).case(&Grammar::default());
        if found(folder.path()).is_some() || again.success() {
            return Ok(Outcome::Died(fault, case));
        }
        let started = Instant::now();
        let mut probes = 0;
        let smallest = minimise::least(&case, |smaller| {
            probes += 1;
            probes <= PROBES
                && started.elapsed() < PROBING
                && begin(false, Some(smaller)).is_ok_and(|(folder, status)| {
                    found(folder.path()).is_none() && death(status, folder.path()) == fault
                })
        });
        Ok(Outcome::Died(fault, smallest))
    }

    /// Starts a child and waits for its end. A child watches over itself, so that end comes.
    fn child(&self, folder: &Path) -> io::Result<ExitStatus> {
        let said = File::create(folder.join(SAID))?;
        Command::new(std::env::current_exe()?)
            .args(&self.arguments)
            .env(FOLDER, folder)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .status()
    }
}

/// What a child left of its law.
fn found(folder: &Path) -> Option<Outcome> {
    let found = fs::read(folder.join(FOUND)).ok()?;
    match found.split_first()? {
        (b'h', numbers) => {
            let mut numbers = std::str::from_utf8(numbers).ok()?.split_whitespace().map(|number| number.parse().ok());
            Some(Outcome::Holds(Tried { inputs: numbers.next()??, runs: numbers.next()?? }))
        }
        (b'x', script) => Some(Outcome::Died(Fault::Hung, Script::decode(script).case(&Grammar::default()))),
        _ => Some(Outcome::Survived),
    }
}

fn death(status: ExitStatus, folder: &Path) -> Fault {
    let said = fs::read(folder.join(SAID)).unwrap_or_default();
    Fault::of_death(status, &String::from_utf8_lossy(&said))
}

impl Task {
    /// The task of this process, if it is a child.
    pub(crate) fn of_this_process() -> Option<Self> {
        std::env::var_os(FOLDER).map(|folder| Self { folder: PathBuf::from(folder) })
    }

    /// Is it to try this law?
    pub(crate) fn is(&self, name: &str, law: Law) -> bool {
        let told = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        told(DEFINITION) == name && told(LAW) == law.name()
    }

    /// The input that it is to be fed, in place of a law.
    pub(crate) fn feed(&self) -> Option<Case> {
        let script = fs::read(self.folder.join(FEED)).ok()?;
        Some(Script::decode(&script).case(&Grammar::default()))
    }

    /// Where it writes down each input before it is fed, if it is to do that.
    pub(crate) fn journal(&self) -> Option<PathBuf> {
        Some(self.folder.join(JOURNAL)).filter(|path| path.exists())
    }

    /// It begins.
    pub(crate) fn begin(&self) {
        confine();
        // Without this file, the parent does without a child.
        let _ = fs::write(self.folder.join(BEGUN), "");
    }

    /// It ends, with this.
    pub(crate) fn end(&self, outcome: &Outcome) -> ! {
        let found = match outcome {
            Outcome::Holds(Tried { inputs, runs }) => format!("h{inputs} {runs}").into_bytes(),
            Outcome::Survived | Outcome::Unavailable => b"s".to_vec(),
            Outcome::Died(_, Case { input, cuts }) => [b"x".to_vec(), Script::of(input, cuts).encode()].concat(),
        };
        let left = fs::write(self.folder.join(FOUND), found);
        std::process::exit(i32::from(left.is_err()));
    }
}

/// No more memory than is sensible, and no core dumps.
fn confine() {
    #[cfg(unix)]
    {
        // Where these cannot be set, a greedy subject is seen by the kernel instead.
        let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
        let _ = rlimit::setrlimit(rlimit::Resource::AS, MEMORY, MEMORY);
    }
    #[cfg(not(unix))]
    let _ = MEMORY;
}

/// The test that is running on this thread, by the name that the standard harness gives its threads.
pub(crate) fn this_test() -> Option<Isolation> {
    let exact = std::env::args().any(|argument| argument == "--exact");
    let alone = exact.then(|| std::env::args().skip(1).find(|name| !name.starts_with('-'))).flatten();
    let thread = std::thread::current();
    let name = alone.or_else(|| thread.name().filter(|name| *name != "main").map(str::to_owned))?;
    Some(Isolation::of_test(&name))
}
