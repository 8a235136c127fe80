//! Laws in a child process.
//!
//! A stack that overflows and memory that runs out end the process, and a test run with it. So a
//! law is tried in a child first: the same test binary, started again for the same test. If the
//! child dies, a second one marks each case before it feeds it, and the last mark is the fatal
//! case. More children then receive parts of that case, to find the smallest fatal part.

use std::io;
use std::time::{Duration, Instant};

use enjamb_isolate::{ChildEnding, ChildOutput, ChildReport, Program, Relaunch, Task, limit_memory};

use crate::grammar::Grammar;
use crate::law::Law;
use crate::minimise;
use crate::output::Breach;
use crate::script::{Case, Script};
use crate::verdict::Tally;

/// The environment variable by which a child finds its task.
const VARIABLE: &str = "ENJAMB_LAW_CHILD";

/// The environment variable that forbids children, for a search with a debugger.
const IN_PROCESS: &str = "ENJAMB_LAW_IN_PROCESS";

/// The maximum memory of a child, in bytes.
const MEMORY_BYTES_MAX: u64 = 3 << 30;

/// The maximum number of children, and the maximum time, for the search for a smaller fatal input.
const PROBES_MAX: usize = 200;
const PROBING_MAX: Duration = Duration::from_secs(5);

/// The result of a law in a child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChildVerdict {
    /// The law holds.
    Holds(Tally),
    /// The law does not hold, or could not be tried. The same will happen in this process, and does
    /// not end it.
    Survived,
    /// The child died, or hung, in this case.
    Fatal(Breach, Case),
    /// No child could try it.
    Unavailable,
}

/// Tries a law of the definition `name` in a child.
pub(crate) fn try_law(program: Program, name: &str, law: Law) -> ChildVerdict {
    if std::env::var_os(IN_PROCESS).is_some() {
        return ChildVerdict::Unavailable;
    }
    try_in_child(program, name, law).unwrap_or(ChildVerdict::Unavailable)
}

fn try_in_child(program: Program, name: &str, law: Law) -> io::Result<ChildVerdict> {
    let mut relaunch = Relaunch::new(program, VARIABLE, ChildOutput::Discard);
    let mut run = |marks: bool, feed: Option<&Case>| relaunch.run(&task_bytes(name, law, marks, feed));
    let first = run(false, None)?;
    let breach = match first.ending {
        ChildEnding::Answered(answer) => return Ok(verdict(&answer)),
        ChildEnding::Crashed(crash) => Breach::from(crash),
        _ => return Ok(ChildVerdict::Unavailable),
    };
    let second = run(true, None)?;
    let case = Script::decode(second.mark.as_deref().unwrap_or_default()).case(&Grammar::default());
    if !is_crash(&second, None) {
        return Ok(ChildVerdict::Fatal(breach, case));
    }
    let started = Instant::now();
    let mut probes = 0;
    let smallest = minimise::least(&case, |smaller| {
        probes += 1;
        probes <= PROBES_MAX
            && started.elapsed() < PROBING_MAX
            && run(false, Some(smaller)).is_ok_and(|report| is_crash(&report, Some(&breach)))
    });
    Ok(ChildVerdict::Fatal(breach, smallest))
}

/// Returns whether the child crashed, in this way if one is given.
fn is_crash(report: &ChildReport, breach: Option<&Breach>) -> bool {
    match report.ending {
        ChildEnding::Crashed(crash) => breach.is_none_or(|breach| Breach::from(crash) == *breach),
        _ => false,
    }
}

/// Returns a task: one line with the law, two flags and the length of the name; then the name, and
/// the script of a case to feed instead of the law.
fn task_bytes(name: &str, law: Law, marks: bool, feed: Option<&Case>) -> Vec<u8> {
    let head = format!("{law} {} {} {}\n{name}", u8::from(marks), u8::from(feed.is_some()), name.len());
    let script = feed.map(|Case { input, cuts }| Script::of(input, cuts).encode());
    [head.into_bytes(), script.unwrap_or_default()].concat()
}

/// Reads an answer: `h` with the tally, `x` with the script in which a call did not return, or `s`.
fn verdict(answer: &[u8]) -> ChildVerdict {
    let tally = |numbers: &[u8]| {
        let mut numbers = std::str::from_utf8(numbers).ok()?.split_whitespace().map(|number| number.parse().ok());
        Some(Tally { inputs: numbers.next()??, runs: numbers.next()?? })
    };
    match answer.split_first() {
        Some((b'h', numbers)) => tally(numbers).map_or(ChildVerdict::Survived, ChildVerdict::Holds),
        Some((b'x', script)) => ChildVerdict::Fatal(Breach::Hung, Script::decode(script).case(&Grammar::default())),
        _ => ChildVerdict::Survived,
    }
}

/// The task of this process, if it is a child.
pub(crate) struct LawTask {
    task: Task,
    name: String,
    law: Option<Law>,
    marks: bool,
    feed: Option<Case>,
}

impl LawTask {
    /// Reads the task of this process.
    pub(crate) fn of_this_process() -> Option<Self> {
        let task = Task::of_this_process(VARIABLE)?;
        let line = task.bytes().iter().position(|byte| *byte == b'\n').unwrap_or(task.bytes().len());
        let (head, rest) = task.bytes().split_at(line);
        let head = String::from_utf8_lossy(head);
        let mut fields = head.split(' ');
        let law = fields.next().and_then(|law| law.parse().ok());
        let marks = fields.next() == Some("1");
        let feeds = fields.next() == Some("1");
        let length: usize = fields.next().and_then(|length| length.parse().ok()).unwrap_or_default();
        let rest = rest.get(1..).unwrap_or_default();
        let (name, script) = rest.split_at(length.min(rest.len()));
        let name = String::from_utf8_lossy(name).into_owned();
        let feed = feeds.then(|| Script::decode(script).case(&Grammar::default()));
        Some(Self { name, law, marks, feed, task })
    }

    /// Returns whether the task is to try this law of the definition `name`.
    pub(crate) fn is(&self, name: &str, law: Law) -> bool {
        self.name == name && self.law == Some(law)
    }

    /// Returns the case to feed instead of the law.
    pub(crate) fn feed(&self) -> Option<Case> {
        self.feed.clone()
    }

    /// Returns the task by which each case is to be marked before it is fed.
    pub(crate) fn marks(&self) -> Option<Task> {
        self.marks.then(|| self.task.clone())
    }

    /// Limits the process and reports that the law is about to be tried.
    pub(crate) fn begin(&self) {
        limit_memory(MEMORY_BYTES_MAX);
        self.task.begin();
    }

    /// Returns the answer to the parent and ends the process.
    pub(crate) fn end(&self, verdict: &ChildVerdict) -> ! {
        let answer = match verdict {
            ChildVerdict::Holds(Tally { inputs, runs }) => format!("h{inputs} {runs}").into_bytes(),
            ChildVerdict::Survived | ChildVerdict::Unavailable => b"s".to_vec(),
            ChildVerdict::Fatal(_, Case { input, cuts }) => [b"x".to_vec(), Script::of(input, cuts).encode()].concat(),
        };
        let written = self.task.answer(&answer);
        std::process::exit(i32::from(written.is_err()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cutting::stream;

    #[test]
    fn answers_are_read_as_they_were_written() {
        let case = Case { input: stream(b"a\nb"), cuts: vec![1] };
        assert_eq!(verdict(b"h3 40"), ChildVerdict::Holds(Tally { inputs: 3, runs: 40 }));
        assert_eq!(verdict(b"s"), ChildVerdict::Survived);
        let script = [b"x".to_vec(), Script::of(&case.input, &case.cuts).encode()].concat();
        assert_eq!(verdict(&script), ChildVerdict::Fatal(Breach::Hung, case));
    }
}
