//! One definition of a codec, and all laws over it.

use std::collections::BTreeMap;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::fuzz;
use crate::grammar::{Grammar, Prefix};
use crate::guard::{self, Hung, Watch};
use crate::inputs;
use crate::isolate::{self, Isolation, Outcome, Task};
use crate::law::Law;
use crate::laws::{Bound, total};
use crate::regressions;
use crate::script::{Case, Script};
use crate::subject::{Comparable, Fault, Subject};
use crate::trying::{Failure, died};
use crate::violation::Violation;

/// A codec, parser or reader, with a few of its messages: all that the laws need. The [`laws!`](crate::laws!) macro makes tests of one.
///
/// ```
/// use enjamb::Framer;
/// use enjamb_law::{Law, Laws, Machines, Verdict};
/// use enjamb_protocols::Framing;
///
/// let framing = Framing::parse("u16be max=1k").unwrap();
/// let laws = Laws::new("u16be", Machines(move || Framer::new(framing.handler())))
///     .messages([&b"\x00\x05hello"[..], b"\x00\x00"])
///     .limit(1024);
/// assert!(matches!(laws.check(Law::Split), Verdict::Holds(_)));
/// ```
pub struct Laws<S: Subject> {
    pub(crate) name: String,
    pub(crate) subject: S,
    pub(crate) grammar: Grammar,
    pub(crate) bound: Option<Bound>,
    fuses: bool,
    pub(crate) dependent: bool,
    pub(crate) canonical: bool,
    pub(crate) encode: Option<Encode<S::Event>>,
    pub(crate) corpora: Vec<PathBuf>,
    without: BTreeMap<Law, String>,
    pub(crate) cases: usize,
    /// The source file of the definition, as the compiler knows it.
    pub(crate) file: &'static str,
    expression: Option<String>,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) patience: Duration,
}

type Encode<E> = Box<dyn Fn(&E) -> Option<Vec<u8>> + Send + Sync>;

/// What came of a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, for all that was tried.
    Holds(Tried),
    /// It is broken.
    Broken(Box<Violation>),
    /// It was not tried, for this reason.
    NotAsked(String),
    /// The definition cannot be used: its messages are not those of its subject, or a file of it is not what it should be.
    Unfit(String),
}

/// How much a law was tried with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Inputs.
    pub inputs: usize,
    /// Runs of the subject, about: cuts, repetitions and all.
    pub runs: usize,
}

impl Tried {
    pub(crate) fn one(runs: usize) -> Self {
        Self { inputs: 1, runs }
    }
}

impl std::ops::AddAssign for Tried {
    fn add_assign(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.runs += other.runs;
    }
}

/// Tries by chance for each law, unless `ENJAMB_LAW_CASES` says otherwise.
const CASES: usize = 1000;

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    /// A definition of `subject`. The name is that of its regressions, and chooses what is tried by chance.
    #[track_caller]
    pub fn new(name: impl Into<String>, subject: S) -> Self {
        let told = std::env::var("ENJAMB_LAW_CASES").ok().and_then(|text| text.parse().ok());
        Self {
            name: name.into(),
            subject,
            grammar: Grammar::default(),
            bound: None,
            fuses: false,
            dependent: false,
            canonical: false,
            encode: None,
            corpora: Vec::new(),
            without: BTreeMap::new(),
            cases: told.unwrap_or(CASES),
            file: Location::caller().file(),
            expression: None,
            isolation: None,
            patience: guard::PATIENCE,
        }
    }

    /// A well-formed message, whole and by itself: the stream may end behind it.
    #[must_use]
    pub fn message(mut self, message: impl AsRef<[u8]>) -> Self {
        self.grammar.messages.push(message.as_ref().to_vec());
        self
    }

    /// Well-formed messages, each whole and by itself.
    #[must_use]
    pub fn messages<M: AsRef<[u8]>>(self, messages: impl IntoIterator<Item = M>) -> Self {
        messages.into_iter().fold(self, Self::message)
    }

    /// A piece that matters: a delimiter, a keyword. Those that the messages end in, and line ends in them, need not be said.
    #[must_use]
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.grammar.add_token(token.as_ref().to_vec());
        self
    }

    /// Pieces that matter.
    #[must_use]
    pub fn tokens<T: AsRef<[u8]>>(self, tokens: impl IntoIterator<Item = T>) -> Self {
        tokens.into_iter().fold(self, Self::token)
    }

    /// How a length in front of a payload is written, where it is not at the front of each message.
    #[must_use]
    pub fn prefix(mut self, prefix: Prefix) -> Self {
        self.grammar.prefixes.push(prefix);
        self
    }

    /// The longest message that the subject takes, in bytes: it is then under the [bounded](Law::Bounded) law.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        self.bound(Bound::of(bytes))
    }

    /// As [`limit`](Self::limit), with what may be held beside a message.
    #[must_use]
    pub fn bound(mut self, bound: Bound) -> Self {
        self.bound = Some(bound);
        self
    }

    /// The subject promises to say nothing but its error once it failed.
    #[must_use]
    pub fn fuses(mut self, fuses: bool) -> Self {
        self.fuses = fuses;
        self
    }

    /// The messages depend on those before them, so that they are not tried [alone](Law::Alone) or in another order.
    #[must_use]
    pub fn dependent(mut self, dependent: bool) -> Self {
        self.dependent = dependent;
        self
    }

    /// How an event is encoded; `None` for one that is not. The definition is then under the [round trip](Law::RoundTrip) law.
    #[must_use]
    pub fn encode(mut self, encode: impl Fn(&S::Event) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        self.encode = Some(Box::new(encode));
        self
    }

    /// The messages are in the one form that an encoder gives them.
    #[must_use]
    pub fn canonical(mut self, canonical: bool) -> Self {
        self.canonical = canonical;
        self
    }

    /// A folder of recorded inputs, each a [`Script`] in either form: relative to the package.
    #[must_use]
    pub fn corpus(mut self, folder: impl Into<PathBuf>) -> Self {
        self.corpora.push(folder.into());
        self
    }

    /// Leaves a law out, because what breaks it is documented and meant.
    #[must_use]
    pub fn without(mut self, law: Law, reason: impl Into<String>) -> Self {
        self.without.insert(law, reason.into());
        self
    }

    /// How many cases are tried by chance for each law: 1000 unless it is said here or in `ENJAMB_LAW_CASES`.
    #[must_use]
    pub fn cases(mut self, cases: usize) -> Self {
        self.cases = cases;
        self
    }

    /// How long one run of the subject may take before it is said to hang: 20 seconds unless it is said here.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The Rust expression of the subject, for the test that a violation prints.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// The full name of the test that this runs in, by which a process is started for what may end one.
    #[must_use]
    pub fn in_test(mut self, name: &str) -> Self {
        self.isolation = Some(Isolation::of_test(name));
        self
    }

    /// The arguments with which this program, started again, comes to [check](Self::check) the same definition: for programs that are no tests.
    #[must_use]
    pub fn started_with(mut self, arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString>>) -> Self {
        self.isolation = Some(Isolation::with_arguments(arguments.into_iter().map(Into::into).collect()));
        self
    }

    /// The vocabulary of the definition, with what is inferred.
    #[must_use]
    pub fn grammar(&self) -> Grammar {
        let mut grammar = self.grammar.clone();
        self.subject.vocabulary(&mut grammar);
        grammar.inferred()
    }

    /// The tokens as a dictionary for libFuzzer and AFL.
    #[must_use]
    pub fn dictionary(&self) -> String {
        self.grammar().dictionary()
    }

    /// The messages as seeds for a fuzzer, in the binary form of a [`Script`].
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        inputs::streams(&self.grammar.messages).iter().map(|input| Script::of(input, &[]).encode()).collect()
    }

    /// The subject.
    pub fn subject(&self) -> &S {
        &self.subject
    }

    /// The subject, for the test that a violation prints.
    pub fn into_subject(self) -> S {
        self.subject
    }

    /// The body of a fuzz target: the laws that hold for any input, over what the fuzzer's bytes stand for.
    ///
    /// The function panics with the smallest violation, when one is broken.
    pub fn into_fuzz(self) -> impl Fn(&[u8]) + Send + Sync {
        let grammar = self.grammar();
        move |data| fuzz::any_input(&self.subject, &grammar, &Script::read(data))
    }

    /// Tries one law.
    ///
    /// # Panics
    /// When a thread cannot be started.
    pub fn check(self, law: Law) -> Verdict {
        Arc::new(self).verdict(law)
    }

    /// Tries all laws.
    pub fn check_all(self) -> Vec<(Law, Verdict)> {
        let laws = Arc::new(self);
        Law::ALL.into_iter().map(|law| (law, laws.verdict(law))).collect()
    }

    /// Tries one law, as a test does: what breaks it is kept beside the source of the definition and tried first the next time.
    ///
    /// # Panics
    /// With the smallest violation, when the law is broken.
    #[track_caller]
    pub fn assert(self, law: Law) {
        let folder = regressions::folder(self.file, &self.name);
        match self.check(law) {
            Verdict::Holds(Tried { inputs, runs }) => println!("{law}: {}: {inputs} inputs, {runs} runs", law.says()),
            Verdict::NotAsked(reason) => println!("{law}: not asked: {reason}"),
            Verdict::Unfit(what) => panic!("the definition cannot be used: {what}"),
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

    /// Tries all laws, as a test does.
    ///
    /// # Panics
    /// With the smallest violation of the first law that is broken.
    #[track_caller]
    pub fn assert_all(self) {
        let laws = Arc::new(self);
        for law in Law::ALL {
            match laws.verdict(law) {
                Verdict::Holds(_) | Verdict::NotAsked(_) => {}
                Verdict::Unfit(what) => panic!("the definition cannot be used: {what}"),
                Verdict::Broken(violation) => panic!("{violation}"),
            }
        }
    }

    fn verdict(self: &Arc<Self>, law: Law) -> Verdict {
        if let Some(task) = Task::of_this_process() {
            self.do_task(&task, law);
            return Verdict::NotAsked("this process was started for another law".to_owned());
        }
        if let Some(reason) = self.left_out(law) {
            return Verdict::NotAsked(reason);
        }
        let isolation = self.isolation.clone().or_else(isolate::this_test);
        let in_child = isolation.map_or(Outcome::Unavailable, |isolation| isolation.try_law(&self.name, law));
        let expressed = |mut violation: Box<Violation>| {
            violation.subject.clone_from(&self.expression);
            Verdict::Broken(violation)
        };
        match in_child {
            Outcome::Holds(tried) => return Verdict::Holds(tried),
            Outcome::Died(fault, case) => return expressed(Box::new(died(&fault, case, self.patience))),
            Outcome::Survived | Outcome::Unavailable => {}
        }
        let laws = Arc::clone(self);
        let watch = Watch { name: None, patience: self.patience, stack: guard::ROOMY, journal: None };
        // Where no child went first, nothing is tried that may end the process.
        let extremes = in_child == Outcome::Survived;
        match guard::watched(watch, move || laws.tried(law, extremes)) {
            Ok(Ok(tried)) => Verdict::Holds(tried),
            Ok(Err(Failure::Broken(violation))) => expressed(violation),
            Ok(Err(Failure::Unfit(what))) => Verdict::Unfit(what),
            Err(Hung { input, cuts, .. }) => {
                expressed(Box::new(died(&Fault::Hung, Case { input, cuts }, self.patience)))
            }
        }
    }

    /// In a child: tries the law that it was started for, leaves what it found, and ends the process.
    fn do_task(self: &Arc<Self>, task: &Task, law: Law) {
        if !task.is(&self.name, law) {
            return;
        }
        task.begin();
        let laws = Arc::clone(self);
        let watch = Watch { name: None, patience: self.patience, stack: isolate::STACK, journal: task.journal() };
        let feed = task.feed();
        let outcome = guard::watched(watch, move || match feed {
            Some(Case { input, cuts }) => {
                let _ = total(&laws.subject, &input, &cuts);
                Outcome::Survived
            }
            None => laws.tried(law, true).map_or(Outcome::Survived, Outcome::Holds),
        });
        task.end(&outcome.unwrap_or_else(|Hung { input, cuts, .. }| Outcome::Died(Fault::Hung, Case { input, cuts })));
    }

    fn left_out(&self, law: Law) -> Option<String> {
        let without_messages = self.grammar.messages.is_empty();
        let needs = match law {
            Law::Coalesce | Law::Prompt | Law::End | Law::Alone if without_messages => "the definition has no messages",
            Law::Alone if self.dependent => "the messages depend on each other",
            Law::Fused if !self.fuses && !self.subject.fuses() => {
                "it does not promise to say nothing more after an error"
            }
            Law::Bounded if self.bound.is_none() => "no limit is declared",
            Law::Linear if self.subject.rescans() => "it begins each message again for every chunk, by what it is",
            Law::Awake if !self.subject.waits() => "it does not wait for its input",
            Law::RoundTrip if self.encode.is_none() => "there is no encoder",
            _ => return self.without.get(&law).cloned(),
        };
        Some(needs.to_owned())
    }
}

/// The path as it is seen from the folder that the process is in.
fn from_here(path: &Path) -> &Path {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path)
}
