//! The laws of a definition, checked: each in a child process first, then in this one.
//!
//! The law is tried in this process only if the child survives, and the same inputs are tried
//! again. So nothing that a subject does ends a test run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use enjamb_isolate::Program;

use crate::child::{self, ChildVerdict, LawTask};
use crate::definition::Laws;
use crate::law::Law;
use crate::laws::total;
use crate::measure;
use crate::output::Breach;
use crate::regressions;
use crate::script::Case;
use crate::subject::{Comparable, Subject};
use crate::trying::Failure;
use crate::verdict::{Tally, Verdict};
use crate::violation::Violation;
use crate::watch::{self, CHILD_STACK_BYTES, LawFailure, fatal};

/// The definitions with a call that did not return, and the law that found it, by their source file
/// and name. A hang is found once, and not by each law.
static HUNG: Mutex<BTreeMap<(&'static str, String), Law>> = Mutex::new(BTreeMap::new());

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    /// Tries one law.
    pub fn check(self, law: Law) -> Verdict {
        Arc::new(self).verdict(law)
    }

    /// Tries all laws.
    pub fn check_all(self) -> Vec<(Law, Verdict)> {
        let laws = Arc::new(self);
        Law::ALL.into_iter().map(|law| (law, laws.verdict(law))).collect()
    }

    /// Tries one law, as a test does. An input that breaks it is kept beside the source file of the
    /// definition, and is tried first the next time.
    ///
    /// # Panics
    /// With the smallest violation if the law is broken; with the reason if the law does not apply
    /// or the definition cannot be used.
    #[track_caller]
    pub fn assert(self, law: Law) {
        if let Some(mismatch) = self.mismatch() {
            panic!("the definition cannot be used: {mismatch}");
        }
        let folder = regressions::folder(self.file, &self.name);
        let ends = self.subject.ends();
        match self.check(law) {
            Verdict::Holds(Tally { inputs, runs }) => {
                println!("{law}: {}: {inputs} inputs, {runs} runs", law.statement());
                if law == Law::Bounded && !measure::COUNTS_ALLOCATIONS {
                    println!(
                        "bounded: only the buffer was measured, and not what the subject keeps in itself: the feature \
                         `allocations` counts both"
                    );
                }
            }
            // The parent started this process for another law of the same test.
            Verdict::NotTried(_) if LawTask::of_this_process().is_some() => {}
            Verdict::NotTried(reason) if law == Law::End && !ends => {
                panic!("the end law was not tried: {reason}; write `ends: false`, and the test is ignored")
            }
            Verdict::NotTried(reason) => panic!("the {law} law was not tried: {reason}"),
            Verdict::Unfit(reason) => panic!("the definition cannot be used: {reason}"),
            Verdict::Broken(violation) => {
                let kept = folder.and_then(|folder| regressions::save(&folder, &violation).transpose());
                let kept = match kept {
                    Some(Ok(path)) => format!("kept in {}: it is tried first from now on", from_here(&path).display()),
                    Some(Err(error)) => format!("it could not be kept as a regression: {error}"),
                    None => "it is not kept as a regression".to_owned(),
                };
                panic!("{violation}\n{kept}\n");
            }
        }
    }

    /// Tries all laws that apply, as a test does, and prints the others with the reason.
    ///
    /// # Panics
    /// With the smallest violation of the first law that is broken, or if the definition cannot be
    /// used.
    #[track_caller]
    pub fn assert_all(self) {
        let laws = Arc::new(self);
        for law in Law::ALL {
            match laws.verdict(law) {
                Verdict::Holds(Tally { inputs, runs }) => println!("{law}: {inputs} inputs, {runs} runs"),
                Verdict::NotTried(reason) => println!("{law}: not tried: {reason}"),
                Verdict::Unfit(reason) => panic!("the definition cannot be used: {reason}"),
                Verdict::Broken(violation) => panic!("{violation}"),
            }
        }
    }

    fn verdict(self: &Arc<Self>, law: Law) -> Verdict {
        if let Some(task) = LawTask::of_this_process() {
            if task.is(&self.name, law) {
                self.do_task(&task, law);
            }
            return Verdict::NotTried("this process is a child that was started for another law".to_owned());
        }
        if let Some(reason) = self.inapplicable(law) {
            return Verdict::NotTried(reason);
        }
        // Every law would wait for the same call.
        let hung = || HUNG.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.file, self.name.clone());
        if let Some(first) = hung().get(&key).filter(|first| **first != law) {
            return Verdict::NotTried(format!("a call did not return: the {first} law shows it"));
        }
        let verdict = self.verdict_of_applicable(law);
        if let Verdict::Broken(violation) = &verdict
            && violation.hangs()
        {
            hung().entry(key).or_insert(law);
        }
        verdict
    }

    fn verdict_of_applicable(self: &Arc<Self>, law: Law) -> Verdict {
        let program = self.program.clone().or_else(Program::of_current_test);
        let in_child = program.map_or(ChildVerdict::Unavailable, |program| child::try_law(program, &self.name, law));
        // If no child went first, no input is tried that may end the process.
        let extremes = in_child == ChildVerdict::Survived;
        match in_child {
            ChildVerdict::Holds(tally) => return holds(tally),
            ChildVerdict::Fatal(breach, case) => return self.broken(fatal(&breach, case, self.patience)),
            ChildVerdict::Survived | ChildVerdict::Unavailable => {}
        }
        let laws = Arc::clone(self);
        let outcome =
            watch::try_law(self.patience, enjamb_isolate::STACK_BYTES, None, move || laws.tried(law, extremes));
        match outcome {
            Ok(Ok(tally)) => holds(tally),
            Ok(Err(Failure::Broken(violation))) => self.broken(*violation),
            Ok(Err(Failure::Unfit(reason))) => Verdict::Unfit(reason),
            Ok(Err(Failure::NotTried(reason))) => Verdict::NotTried(reason),
            Err(LawFailure::Hung(case)) => self.broken(fatal(&Breach::Hung, case, self.patience)),
            Err(LawFailure::Panicked(panic)) => std::panic::resume_unwind(panic.into_payload()),
            Err(LawFailure::NoThread(error)) => Verdict::Unfit(format!("no thread could be started: {error}")),
        }
    }

    fn broken(&self, mut violation: Violation) -> Verdict {
        violation.subject.clone_from(&self.expression);
        Verdict::Broken(Box::new(violation))
    }

    /// In a child: tries the law that it was started for, returns the answer, and ends the process.
    fn do_task(self: &Arc<Self>, task: &LawTask, law: Law) -> ! {
        task.begin();
        let laws = Arc::clone(self);
        let feed = task.feed();
        let outcome = watch::try_law(self.patience, CHILD_STACK_BYTES, task.marks(), move || match feed {
            Some(Case { input, cuts }) => {
                let _ = total(&laws.subject, &input, &cuts);
                ChildVerdict::Survived
            }
            None => laws.tried(law, true).map_or(ChildVerdict::Survived, ChildVerdict::Holds),
        });
        match outcome {
            Ok(verdict) => task.end(&verdict),
            Err(LawFailure::Hung(case)) => task.end(&ChildVerdict::Fatal(Breach::Hung, case)),
            // For example, an encoder may panic. The parent sees a crash, and finds the input by
            // its mark.
            Err(LawFailure::Panicked(_) | LawFailure::NoThread(_)) => std::process::exit(101),
        }
    }

    /// Returns the reason why a law does not apply. The reasons are those that `laws!` prints for
    /// an ignored test.
    fn inapplicable(&self, law: Law) -> Option<String> {
        if let Some(reason) = self.without.get(&law) {
            return Some(reason.clone());
        }
        let without_messages = self.grammar.messages.is_empty();
        let reason = match law {
            Law::Interleaved if !self.subject.converses() => "it reads one stream",
            Law::Coalesce | Law::Prompt | Law::End | Law::Alone | Law::Linear | Law::Interleaved
                if without_messages =>
            {
                "no messages are given"
            }
            Law::Alone if self.dependent => "the messages depend on each other",
            Law::Alone if self.one_message => "a stream has only one message",
            Law::Alone if self.carries.is_some() => {
                return self.carries.clone();
            }
            Law::End if !self.subject.ends() => "it does not learn that the stream has ended",
            Law::Fused if !self.fuses && !self.subject.fuses() => {
                "it does not promise to emit only its error after one"
            }
            Law::Bounded if self.bound.is_none() => "no limit is set",
            Law::Linear if self.subject.rescans() => "it starts each message again for every chunk",
            Law::Awake if !self.subject.waits() => "it does not wait for its input",
            Law::RoundTrip if self.encode.is_none() => "no encoder is given",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    /// Returns a key by which `laws!` chose a test although the subject reports the opposite.
    /// Without this check a law that applies would be ignored.
    fn mismatch(&self) -> Option<String> {
        let left_out = |law| self.without.contains_key(&law);
        let subject = &self.subject;
        let missing = |key: &str, law: Law| Some(format!("write `{key}: true`, so that the {law} law is tried"));
        match () {
            () if !self.from_macro => None,
            () if subject.waits() && !self.waits && !left_out(Law::Awake) => missing("waits", Law::Awake),
            () if subject.fuses() && !self.fuses && !left_out(Law::Fused) => missing("fuses", Law::Fused),
            () if subject.converses() && !self.converses && !left_out(Law::Interleaved) => {
                missing("converses", Law::Interleaved)
            }
            () if subject.ends() && !self.ends && !left_out(Law::End) => missing("ends", Law::End),
            () if !subject.rescans() && self.rescans && !left_out(Law::Linear) => Some(
                "the subject does not start each message again for every chunk: write `rescans: false`, so that the linear law is tried"
                    .to_owned(),
            ),
            () => None,
        }
    }
}

/// Returns the verdict. A law that was tried with no input counts as not tried.
fn holds(tally: Tally) -> Verdict {
    if tally.inputs == 0 {
        return Verdict::NotTried("the definition yields no input for it".to_owned());
    }
    Verdict::Holds(tally)
}

/// Returns the path relative to the current folder.
fn from_here(path: &Path) -> &Path {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path)
}
