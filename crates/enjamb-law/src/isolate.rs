//! A process to die in.
//!
//! A stack that overflows and memory that runs out end the process, and a test run with it. So inputs that may do that are given to a child: the
//! same test binary, told to run the same test, which finds in its environment that it is to feed its subject what lies in a file, and nothing else. The child
//! writes down before each input that it begins with it; the one it died of is the last.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::panics;
use crate::run::trace;
use crate::script::Script;
use crate::subject::{Fault, Subject};
use crate::{Comparable, Grammar, guard};

/// In the environment of a child: the folder with its inputs, where it leaves its answers.
const PROBE: &str = "ENJAMB_LAW_PROBE";

/// The stack of the thread that a subject is run on: as large as that of any thread in Rust by default.
const STACK: usize = 2 << 20;

/// What a child may use of memory in all.
const MEMORY: u64 = 3 << 30;

/// How the process is started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Isolation {
    arguments: Vec<OsString>,
}

/// What became of some inputs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// The child answered all of them.
    Survived,
    /// The child died of this one, so.
    DiedOf(usize, Fault),
    /// There was no child that took them: the process cannot be started again in this way.
    Unavailable(String),
}

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

    /// Gives `scripts` to a child.
    pub(crate) fn probe(&self, scripts: &[Script]) -> Probed {
        match self.try_probe(scripts) {
            Ok(probed) => probed,
            Err(error) => Probed::Unavailable(error.to_string()),
        }
    }

    fn try_probe(&self, scripts: &[Script]) -> std::io::Result<Probed> {
        let folder = tempfile::tempdir()?;
        for (number, script) in scripts.iter().enumerate() {
            fs::write(folder.path().join(number.to_string()), script.encode())?;
        }
        let said = File::create(folder.path().join("said"))?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(&self.arguments)
            .env(PROBE, folder.path())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()?;
        let begun = || fs::metadata(folder.path().join("begun")).map_or(0, |begun| begun.len());
        let mut last = (begun(), Instant::now());
        let mut pause = Duration::from_micros(200);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            let now = begun();
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > guard::patience() {
                child.kill()?;
                child.wait()?;
                break None;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        };
        let said = fs::read(folder.path().join("said")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if folder.path().join("done").exists() {
            return Ok(Probed::Survived);
        }
        Ok(match usize::try_from(begun()).unwrap_or(usize::MAX).checked_sub(1) {
            None => Probed::Unavailable(said.trim().to_owned()),
            Some(number) => Probed::DiedOf(number, status.map_or(Fault::Hung, |status| death(status, &said))),
        })
    }
}

fn death(status: ExitStatus, said: &str) -> Fault {
    if said.contains("has overflowed its stack") || said.contains("stack overflow") {
        return Fault::StackOverflow;
    }
    if said.contains("memory allocation of") || said.contains("out of memory") {
        return Fault::OutOfMemory;
    }
    Fault::Died(format!("{status}{}", said.lines().next_back().map(|line| format!(", {line}")).unwrap_or_default()))
}

/// In a child: feeds `subject` what it was started for, and ends the process. Elsewhere: nothing.
pub(crate) fn serve<S>(subject: &S, grammar: &Grammar)
where
    S: Subject<Event: Comparable, Error: Comparable> + Sync,
{
    let Some(folder) = std::env::var_os(PROBE) else {
        return;
    };
    let served = answer(Path::new(&folder), subject, grammar);
    std::process::exit(i32::from(served.is_err()));
}

fn answer<S>(folder: &Path, subject: &S, grammar: &Grammar) -> std::io::Result<()>
where
    S: Subject<Event: Comparable, Error: Comparable> + Sync,
{
    confine();
    let mut begun = File::create(folder.join("begun"))?;
    thread::scope(|scope| {
        let worker = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || -> std::io::Result<()> {
            for number in 0_usize.. {
                let Ok(script) = fs::read(folder.join(number.to_string())) else {
                    break;
                };
                begun.write_all(b"+")?;
                let case = Script::decode(&script).case(grammar);
                // Whether it panics is seen elsewhere: here only whether it survives.
                let _ = panics::caught(AssertUnwindSafe(|| drop(trace(subject, &case.input, &case.cuts))));
            }
            fs::write(folder.join("done"), b"")
        })?;
        worker.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread of the subject panicked")))
    })
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
