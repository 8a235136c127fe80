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

/// The time that a call may take in the search for a smaller input that hangs.
const PROBE_PATIENCE: Duration = Duration::from_millis(300);

/// The result of a law in a child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChildVerdict {
    /// The law holds.
    Holds(Tally),
    /// The law does not hold, or could not be tried. The same will happen in this process with the
    /// same number of random cases, and does not end it. The number is 0 if the child drew none.
    Survived { cases: usize },
    /// The child died, or hung, in this case.
    Fatal(Breach, Case),
    /// No child could try it.
    Unavailable,
}

/// Tries a law of the definition `name` in a child. A call may take as long as `patience`.
pub(crate) fn try_law(program: Program, name: &str, law: Law, patience: Duration) -> ChildVerdict {
    if std::env::var_os(IN_PROCESS).is_some() {
        return ChildVerdict::Unavailable;
    }
    let mut relaunch = Relaunch::new(program, VARIABLE, ChildOutput::Discard);
    let run = |task: &ChildTask<'_>| relaunch.run(&task.bytes(name, law));
    try_in_child(run, patience).unwrap_or(ChildVerdict::Unavailable)
}

/// The part of a task that differs between the children of one law.
#[derive(Default)]
struct ChildTask<'c> {
    /// Whether each case is marked before it is fed.
    marks: bool,
    /// The case that is fed instead of the law.
    feed: Option<&'c Case>,
    /// The time that a call may take, if it is not that of the definition.
    patience: Option<Duration>,
}

fn try_in_child(
    mut run: impl FnMut(&ChildTask<'_>) -> io::Result<ChildReport>,
    patience: Duration,
) -> io::Result<ChildVerdict> {
    let first = run(&ChildTask::default())?;
    let breach = match first.ending {
        ChildEnding::Answered(answer) => {
            return Ok(match verdict(&answer) {
                ChildVerdict::Fatal(Breach::Hung, case) => {
                    ChildVerdict::Fatal(Breach::Hung, smallest_hung(&case, patience, run))
                }
                other => other,
            });
        }
        ChildEnding::Crashed(crash) => Breach::from(crash),
        _ => return Ok(ChildVerdict::Unavailable),
    };
    let second = run(&ChildTask { marks: true, ..ChildTask::default() })?;
    let case = Script::decode(second.mark.as_deref().unwrap_or_default()).case(&Grammar::default());
    if !is_crash(&second, None) {
        return Ok(ChildVerdict::Fatal(breach, case));
    }
    let mut budget = Budget::new();
    let smallest = minimise::least(&case, |smaller| {
        let task = ChildTask { feed: Some(smaller), ..ChildTask::default() };
        budget.allows() && run(&task).is_ok_and(|report| is_crash(&report, Some(&breach)))
    });
    Ok(ChildVerdict::Fatal(breach, smallest))
}

/// Returns the smallest part of `case` whose call does not return. Parts are given less time than
/// `patience`, so the smallest one is tried once more with all of it.
fn smallest_hung(
    case: &Case,
    patience: Duration,
    mut run: impl FnMut(&ChildTask<'_>) -> io::Result<ChildReport>,
) -> Case {
    let mut hangs = |case: &Case, patience: Option<Duration>| {
        let task = ChildTask { feed: Some(case), patience, ..ChildTask::default() };
        run(&task).is_ok_and(|report| match report.ending {
            ChildEnding::Answered(answer) => matches!(verdict(&answer), ChildVerdict::Fatal(Breach::Hung, _)),
            _ => false,
        })
    };
    let mut budget = Budget::new();
    let short = patience.min(PROBE_PATIENCE);
    let smallest = minimise::least(case, |smaller| budget.allows() && hangs(smaller, Some(short)));
    if smallest == *case || short == patience || hangs(&smallest, None) { smallest } else { case.clone() }
}

/// The limits of the search for a smaller fatal input.
struct Budget {
    probes: usize,
    started: Instant,
}

impl Budget {
    fn new() -> Self {
        Self { probes: 0, started: Instant::now() }
    }

    /// Counts one more child, and returns whether it may be started.
    fn allows(&mut self) -> bool {
        self.probes += 1;
        self.probes <= PROBES_MAX && self.started.elapsed() < PROBING_MAX
    }
}

/// Returns whether the child crashed, in this way if one is given.
fn is_crash(report: &ChildReport, breach: Option<&Breach>) -> bool {
    match report.ending {
        ChildEnding::Crashed(crash) => breach.is_none_or(|breach| Breach::from(crash) == *breach),
        _ => false,
    }
}

impl ChildTask<'_> {
    /// Returns the bytes of the task: one line with the law, two flags, the time in milliseconds or
    /// 0, and the length of the name; then the name, and the script of a case to feed.
    fn bytes(&self, name: &str, law: Law) -> Vec<u8> {
        let (marks, feeds) = (u8::from(self.marks), u8::from(self.feed.is_some()));
        let patience = self.patience.map_or(0, |patience| patience.as_millis());
        let head = format!("{law} {marks} {feeds} {patience} {}\n{name}", name.len());
        let script = self.feed.map(|Case { input, cuts }| Script::of(input, cuts).encode());
        [head.into_bytes(), script.unwrap_or_default()].concat()
    }
}

/// Reads an answer: `h` with the tally, `x` with the script in which a call did not return, or `s`
/// with the number of random cases.
fn verdict(answer: &[u8]) -> ChildVerdict {
    let tally = |numbers: &[u8]| {
        let mut numbers = std::str::from_utf8(numbers).ok()?.split_whitespace().map(|number| number.parse().ok());
        Some(Tally { inputs: numbers.next()??, runs: numbers.next()?? })
    };
    match answer.split_first() {
        Some((b'h', numbers)) => tally(numbers).map_or(ChildVerdict::Survived { cases: 0 }, ChildVerdict::Holds),
        Some((b'x', script)) => ChildVerdict::Fatal(Breach::Hung, Script::decode(script).case(&Grammar::default())),
        Some((_, number)) => {
            let cases = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            ChildVerdict::Survived { cases: cases.unwrap_or(0) }
        }
        None => ChildVerdict::Survived { cases: 0 },
    }
}

/// The task of this process, if it is a child.
pub(crate) struct LawTask {
    task: Task,
    name: String,
    law: Option<Law>,
    marks: bool,
    feed: Option<Case>,
    patience: Option<Duration>,
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
        let patience = fields.next().and_then(|millis| millis.parse().ok()).filter(|millis| *millis > 0);
        let patience = patience.map(Duration::from_millis);
        let length: usize = fields.next().and_then(|length| length.parse().ok()).unwrap_or_default();
        let rest = rest.get(1..).unwrap_or_default();
        let (name, script) = rest.split_at(length.min(rest.len()));
        let name = String::from_utf8_lossy(name).into_owned();
        let feed = feeds.then(|| Script::decode(script).case(&Grammar::default()));
        Some(Self { name, law, marks, feed, patience, task })
    }

    /// Returns whether the task is to try this law of the definition `name`.
    pub(crate) fn is(&self, name: &str, law: Law) -> bool {
        self.name == name && self.law == Some(law)
    }

    /// Returns the case to feed instead of the law.
    pub(crate) fn feed(&self) -> Option<Case> {
        self.feed.clone()
    }

    /// Returns the time that a call may take, if it is not that of the definition.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
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
            ChildVerdict::Survived { cases } => format!("s{cases}").into_bytes(),
            ChildVerdict::Unavailable => b"s".to_vec(),
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
        assert_eq!(verdict(b"s"), ChildVerdict::Survived { cases: 0 });
        assert_eq!(verdict(b"s40"), ChildVerdict::Survived { cases: 40 });
        let script = [b"x".to_vec(), Script::of(&case.input, &case.cuts).encode()].concat();
        assert_eq!(verdict(&script), ChildVerdict::Fatal(Breach::Hung, case));
    }
}
