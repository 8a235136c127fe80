//! The definition of a codec, with which all laws are tried.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use enjamb_isolate::Program;

use crate::fuzz;
use crate::grammar::{Grammar, Prefix};
use crate::inputs;
use crate::law::Law;
use crate::laws::Bound;
use crate::script::Script;
use crate::subject::{Comparable, Subject};

/// The time that one call may take by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of random cases for each law by default.
const CASES: usize = 1000;

/// The environment variable that sets another number of random cases.
const CASES_VARIABLE: &str = "ENJAMB_LAW_CASES";

/// The environment variable of proptest with the same meaning, for a run without the other one.
const PROPTEST_VARIABLE: &str = "PROPTEST_CASES";

/// The definition of a codec, parser or reader, with a few of its messages: everything that the
/// laws need. The [`laws!`](crate::laws!) macro makes tests of one.
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
    pub(crate) fuses: bool,
    pub(crate) waits: bool,
    pub(crate) rescans: bool,
    pub(crate) converses: bool,
    /// The answers of the server, one for each message. If there are none, the server sends the
    /// messages themselves.
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) dependent: bool,
    /// Whether a stream has only one message.
    pub(crate) one_message: bool,
    /// The state that the protocol keeps from one message for the next.
    pub(crate) carries: Option<String>,
    /// The standard by which an unfinished message is dropped.
    pub(crate) drops_unfinished: Option<String>,
    /// Whether the subject learns that the stream has ended.
    pub(crate) ends: bool,
    pub(crate) canonical: bool,
    pub(crate) encode: Option<Encode<S::Event>>,
    pub(crate) corpora: Vec<PathBuf>,
    pub(crate) without: BTreeMap<Law, String>,
    pub(crate) cases: usize,
    /// Whether the number of cases was set, so that a slow subject does not reduce it.
    pub(crate) cases_are_set: bool,
    /// The number of cases that are tried, once it is known how slow the subject is; 0 before.
    pub(crate) cases_in_time: AtomicUsize,
    /// The source file of the definition, as the compiler reports it.
    pub(crate) file: &'static str,
    pub(crate) expression: Option<String>,
    pub(crate) program: Option<Program>,
    pub(crate) patience: Duration,
    /// Whether its keys chose its tests, when it was compiled.
    pub(crate) from_macro: bool,
}

type Encode<E> = Box<dyn Fn(&E) -> Option<Vec<u8>> + Send + Sync>;

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    /// Creates a definition of `subject`. Its regressions are kept under `name`, which is also the
    /// seed of the random cases.
    #[track_caller]
    pub fn new(name: impl Into<String>, subject: S) -> Self {
        let cases = [CASES_VARIABLE, PROPTEST_VARIABLE]
            .into_iter()
            .find_map(|variable| std::env::var(variable).ok().and_then(|text| text.parse().ok()));
        Self {
            name: name.into(),
            subject,
            grammar: Grammar::default(),
            bound: None,
            fuses: false,
            waits: false,
            rescans: false,
            converses: false,
            answers: Vec::new(),
            dependent: false,
            one_message: false,
            carries: None,
            drops_unfinished: None,
            ends: true,
            canonical: false,
            encode: None,
            corpora: Vec::new(),
            without: BTreeMap::new(),
            cases: cases.unwrap_or(CASES),
            cases_are_set: cases.is_some(),
            cases_in_time: AtomicUsize::new(0),
            file: Location::caller().file(),
            expression: None,
            program: None,
            patience: PATIENCE,
            from_macro: false,
        }
    }

    /// Adds a well-formed message: one whole message, after which the stream may end.
    #[must_use]
    pub fn message(mut self, message: impl AsRef<[u8]>) -> Self {
        self.grammar.messages.push(message.as_ref().to_vec());
        self
    }

    /// Adds well-formed messages, each as in [`message`](Self::message).
    #[must_use]
    pub fn messages<M: AsRef<[u8]>>(self, messages: impl IntoIterator<Item = M>) -> Self {
        messages.into_iter().fold(self, Self::message)
    }

    /// Adds the server's answer to the next message of a session that has none: one or several
    /// whole messages, or nothing. The [interleaved](Law::Interleaved) law needs an answer for each
    /// message, unless the server may send the messages themselves.
    #[must_use]
    pub fn answer(mut self, answer: impl AsRef<[u8]>) -> Self {
        self.answers.push(answer.as_ref().to_vec());
        self
    }

    /// Adds answers, each as in [`answer`](Self::answer).
    #[must_use]
    pub fn answers<A: AsRef<[u8]>>(self, answers: impl IntoIterator<Item = A>) -> Self {
        answers.into_iter().fold(self, Self::answer)
    }

    /// Adds an important piece, such as a delimiter or a keyword. The common ending of the
    /// messages, and line ends in them, are found without it.
    #[must_use]
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.grammar.add_token(token.as_ref().to_vec());
        self
    }

    /// Adds important pieces, each as in [`token`](Self::token).
    #[must_use]
    pub fn tokens<T: AsRef<[u8]>>(self, tokens: impl IntoIterator<Item = T>) -> Self {
        tokens.into_iter().fold(self, Self::token)
    }

    /// Adds the form of a length in front of a payload. A length at the front of every message is
    /// found without it.
    #[must_use]
    pub fn prefix(mut self, prefix: Prefix) -> Self {
        self.grammar.prefixes.push(prefix);
        self
    }

    /// Sets the longest message that the subject takes, in bytes. The [bounded](Law::Bounded) law
    /// needs it.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        self.bound(Bound::of(bytes))
    }

    /// Sets the limit as in [`limit`](Self::limit), and the number of bytes that may be held
    /// besides a message.
    #[must_use]
    pub fn bound(mut self, bound: Bound) -> Self {
        self.bound = Some(bound);
        self
    }

    /// Sets whether the subject promises to emit only its error once it has failed. The
    /// [fused](Law::Fused) law needs it, unless the subject [promises it itself](Subject::fuses).
    #[must_use]
    pub fn fuses(mut self, fuses: bool) -> Self {
        self.fuses = fuses;
        self
    }

    /// Sets whether the subject waits for its input. In [`laws!`](crate::laws!) this key decides
    /// whether the [awake](Law::Awake) law is tried or reported as ignored. It must agree with the
    /// [report](Subject::waits) of the subject.
    #[must_use]
    pub fn waits(mut self, waits: bool) -> Self {
        self.waits = waits;
        self
    }

    /// Sets whether the subject starts each message again for every chunk. In
    /// [`laws!`](crate::laws!) this key decides whether the [linear](Law::Linear) law is tried or
    /// reported as ignored. It must agree with the [report](Subject::rescans) of the subject.
    #[must_use]
    pub fn rescans(mut self, rescans: bool) -> Self {
        self.rescans = rescans;
        self
    }

    /// Sets whether the subject parses both sides of a conversation. In [`laws!`](crate::laws!)
    /// this key decides whether the [interleaved](Law::Interleaved) law is tried or reported as
    /// ignored. It must agree with the [report](Subject::converses) of the subject.
    #[must_use]
    pub fn converses(mut self, converses: bool) -> Self {
        self.converses = converses;
        self
    }

    /// Sets whether messages depend on those before them. If they do, they are not tried
    /// [alone](Law::Alone) or in another order.
    #[must_use]
    pub fn dependent(mut self, dependent: bool) -> Self {
        self.dependent = dependent;
        self
    }

    /// Sets whether a stream has only one message, such as a multipart body or the response to one
    /// request. Then messages are not tried [alone](Law::Alone) and together, nor
    /// [coalesced](Law::Coalesce).
    #[must_use]
    pub fn one_message(mut self, one_message: bool) -> Self {
        self.one_message = one_message;
        self
    }

    /// Names the state that the protocol keeps from one message for the next, such as the last
    /// event id of server-sent events. Then messages are not tried [alone](Law::Alone).
    #[must_use]
    pub fn carries(mut self, state: impl Into<String>) -> Self {
        self.carries = Some(state.into());
        self
    }

    /// Names the standard by which an unfinished message is dropped at the end of the stream. Then
    /// the [end](Law::End) law demands only that an end between two messages is clean.
    #[must_use]
    pub fn drops_unfinished(mut self, standard: impl Into<String>) -> Self {
        self.drops_unfinished = Some(standard.into());
        self
    }

    /// Sets whether the subject learns that the stream has ended. In [`laws!`](crate::laws!) this
    /// key decides whether the [end](Law::End) law is tried or reported as ignored. It must agree
    /// with the [report](Subject::ends) of the subject.
    #[must_use]
    pub fn ends(mut self, ends: bool) -> Self {
        self.ends = ends;
        self
    }

    /// Sets the encoder of an event. It returns `None` for an event that it does not encode. The
    /// [round trip](Law::RoundTrip) law needs it.
    #[must_use]
    pub fn encode(mut self, encode: impl Fn(&S::Event) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        self.encode = Some(Box::new(encode));
        self
    }

    /// Sets whether the messages are exactly as the encoder writes them.
    #[must_use]
    pub fn canonical(mut self, canonical: bool) -> Self {
        self.canonical = canonical;
        self
    }

    /// Adds a folder of recorded inputs, relative to the package. Each file is a [`Script`] in
    /// either form.
    #[must_use]
    pub fn corpus(mut self, folder: impl Into<PathBuf>) -> Self {
        self.corpora.push(folder.into());
        self
    }

    /// Leaves a law out, because the behaviour that breaks it is documented and intended.
    #[must_use]
    pub fn without(mut self, law: Law, reason: impl Into<String>) -> Self {
        self.without.insert(law, reason.into());
        self
    }

    /// Sets the number of random cases for each law: 1000 by default, or the value of
    /// `ENJAMB_LAW_CASES` or `PROPTEST_CASES`. The default is less for a subject that is so slow
    /// that a thousand runs take more than five seconds.
    #[must_use]
    pub fn cases(mut self, cases: usize) -> Self {
        self.cases = cases;
        self.cases_are_set = true;
        self
    }

    /// Sets the time that one call of the subject may take before it counts as hung: 10 seconds by
    /// default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the Rust expression of the subject, for the test that a violation prints.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// Sets the full name of the test that checks this definition. The child process of a law is
    /// started with it. Without it the name of the current thread is used.
    #[must_use]
    pub fn in_test(mut self, name: &str) -> Self {
        self.program = Some(Program::of_test(name));
        self
    }

    /// Sets the arguments with which this program, started again, [checks](Self::check) the same
    /// definition, for a program that is not a test.
    #[must_use]
    pub fn started_with(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.program = Some(Program::with_arguments(arguments));
        self
    }

    /// Returns the vocabulary of the definition, with the inferred parts.
    #[must_use]
    pub fn grammar(&self) -> Grammar {
        let mut grammar = self.grammar.clone();
        self.subject.vocabulary(&mut grammar);
        grammar.inferred()
    }

    /// Returns the tokens as a dictionary for libFuzzer and AFL.
    #[must_use]
    pub fn dictionary(&self) -> String {
        self.grammar().dictionary()
    }

    /// Returns the messages as seeds for a fuzzer, in the binary form of a [`Script`].
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        inputs::streams(&self.grammar.messages).iter().map(|input| Script::of(input, &[]).encode()).collect()
    }

    /// Returns the subject.
    pub fn subject(&self) -> &S {
        &self.subject
    }

    /// Returns the subject, for the test that a violation prints.
    pub fn into_subject(self) -> S {
        self.subject
    }

    /// Returns the body of a fuzz target. It reads the fuzzer's bytes as a [`Script`] and checks
    /// the laws that hold for any input. The function panics with the smallest violation when one
    /// is broken.
    pub fn into_fuzz(self) -> impl Fn(&[u8]) + Send + Sync {
        let grammar = self.grammar();
        move |data| fuzz::any_input(&self.subject, &grammar, &Script::read(data))
    }

    /// Notes that the keys chose the tests, so the keys must be right. For the macro only.
    #[doc(hidden)]
    #[must_use]
    pub fn from_macro(mut self) -> Self {
        self.from_macro = true;
        self
    }
}
