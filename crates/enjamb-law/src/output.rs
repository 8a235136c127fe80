//! The outputs of a subject in a run: events, errors, the verdict on the end of the stream, and
//! breaches.

use std::fmt::{self, Debug};

use enjamb::End;
use enjamb_isolate::Crash;

/// One output of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<E, F> {
    /// An event that the subject read from the stream.
    Event(E),
    /// An error.
    Error(F),
    /// The verdict on the end of the stream. A subject without such a verdict emits nothing when
    /// the stream ends.
    End(End),
    /// After its error, the subject returns the same error again and takes no byte, although there
    /// is none to refuse. Its driver would call it for ever, and gives it up.
    GivenUp,
    /// The subject refuses bytes with the same error, however many more arrive. Nothing is compared
    /// behind this.
    Refuses,
    /// The subject did something that no subject may do, whatever the input.
    Breach(Breach),
}

impl<E, F> Output<E, F> {
    pub(crate) fn map<E2, F2>(self, event: impl FnOnce(E) -> E2, error: impl FnOnce(F) -> F2) -> Output<E2, F2> {
        match self {
            Self::Event(value) => Output::Event(event(value)),
            Self::Error(value) => Output::Error(error(value)),
            Self::End(end) => Output::End(end),
            Self::GivenUp => Output::GivenUp,
            Self::Refuses => Output::Refuses,
            Self::Breach(breach) => Output::Breach(breach),
        }
    }
}

impl<E: Debug, F: Debug> Output<E, F> {
    /// Returns the text that a violation prints.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Event(event) => format!("{event:?}"),
            Self::Error(error) => format!("failed: {error:?}"),
            Self::End(end) => end_text(*end),
            Self::GivenUp => "given up: the same error again, and no byte taken".to_owned(),
            Self::Refuses => "given up: it refuses all further bytes".to_owned(),
            Self::Breach(breach) => breach.to_string(),
        }
    }
}

fn end_text(end: End) -> String {
    match end {
        End::Clean => "end: clean".to_owned(),
        End::Truncated { have, missing: None } => format!("end: truncated, {have} bytes of a frame were there"),
        End::Truncated { have, missing: Some(missing) } => {
            format!("end: truncated, {have} bytes of a frame were there and {missing} were not")
        }
        End::Leftover(bytes) => format!("end: {bytes} bytes left over"),
    }
}

/// Returns whether two runs over the same bytes gave the same output.
///
/// Up to the first error, everything is compared. Behind it only events are: a message that was
/// found again must be found however the bytes are cut, but the number of errors over garbage, and
/// the verdict on the end of a stream that has failed, may follow the chunks. A run that was given
/// up emits nothing more; one that [refuses](Output::Refuses) everything has nothing behind that
/// place to compare.
pub(crate) fn agree<E: PartialEq, F: PartialEq>(first: &[Output<E, F>], second: &[Output<E, F>]) -> bool {
    let mut comparison = Comparison::new(first);
    second.iter().for_each(|output| comparison.next(output));
    comparison.agrees()
}

/// A comparison of outputs as they come with the expected ones; see [`agree`].
pub(crate) struct Comparison<'e, E, F> {
    expected: std::slice::Iter<'e, Output<E, F>>,
    same: bool,
    failed: bool,
    refuses: bool,
}

impl<'e, E: PartialEq, F: PartialEq> Comparison<'e, E, F> {
    pub(crate) fn new(expected: &'e [Output<E, F>]) -> Self {
        Self { expected: expected.iter(), same: true, failed: false, refuses: false }
    }

    pub(crate) fn next(&mut self, output: &Output<E, F>) {
        if self.refuses || !self.same {
            return;
        }
        if !self.failed {
            self.same = self.expected.next() == Some(output);
            self.failed = matches!(output, Output::Error(_));
            return;
        }
        match output {
            Output::Error(_) | Output::End(_) | Output::GivenUp => {}
            Output::Refuses => self.refuses = true,
            Output::Event(_) | Output::Breach(_) => match self.next_expected() {
                Some(Output::Refuses) => self.refuses = true,
                expected => self.same = expected == Some(output),
            },
        }
    }

    /// Returns the next expected output behind an error that is compared.
    fn next_expected(&mut self) -> Option<&'e Output<E, F>> {
        self.expected.find(|output| !matches!(output, Output::Error(_) | Output::End(_) | Output::GivenUp))
    }

    /// Returns whether the outputs agree, if these were all.
    pub(crate) fn agrees(mut self) -> bool {
        let rest = if self.failed { self.next_expected() } else { self.expected.next() };
        self.same && (self.refuses || rest.is_none_or(|rest| self.failed && *rest == Output::Refuses))
    }
}

/// Returns the first breach among `outputs`.
pub(crate) fn breach<E, F>(outputs: &[Output<E, F>]) -> Option<&Breach> {
    outputs.iter().find_map(|output| if let Output::Breach(breach) = output { Some(breach) } else { None })
}

/// Something that no subject may do, whatever the input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// The subject panicked, with this message.
    Panicked(String),
    /// The subject emits more than is possible for so few bytes, so it would never end.
    Endless {
        /// The number of outputs when it was stopped.
        outputs: usize,
        /// The number of bytes that it had received.
        bytes: usize,
    },
    /// The subject leaves bytes in the chunk and emits nothing, so its driver would call it without
    /// end.
    Stuck,
    /// The subject reports that it used more bytes than there were, or that an event used none.
    Miscounted {
        /// The number of bytes that it reports as used.
        used: usize,
        /// The number of bytes that it received.
        of: usize,
    },
    /// The subject returns bytes that are not the end of its input.
    WrongRest {
        /// The number of bytes that it returns.
        rest: usize,
        /// The number of bytes that it received.
        of: usize,
    },
    /// The subject was not woken when bytes arrived, so it waits forever.
    Asleep,
    /// The subject wakes itself again and again although nothing arrives, so it keeps a processor
    /// busy.
    Busy,
    /// A call of the subject did not return.
    Hung,
    /// The subject overflowed its stack.
    StackOverflow,
    /// The subject ran out of memory: it allocates by a length from the peer, or buffers without
    /// limit.
    OutOfMemory,
    /// The process of the subject died, with this exit status.
    Died(String),
}

impl From<Crash> for Breach {
    fn from(crash: Crash) -> Self {
        match crash {
            Crash::StackOverflow => Self::StackOverflow,
            Crash::OutOfMemory => Self::OutOfMemory,
            Crash::Signal(status) | Crash::Exit(status) => Self::Died(status.to_string()),
            other => Self::Died(other.to_string()),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) if message.contains("no reactor running") => {
                write!(f, "it needs a runtime of tokio: append `.in_runtime()` to its adapter ({message})")
            }
            Self::Panicked(message) => write!(f, "it panicked: {message}"),
            Self::Endless { outputs, bytes } => {
                write!(f, "it does not end: it was stopped after {outputs} outputs from {bytes} bytes")
            }
            Self::Stuck => f.write_str("it left bytes in the chunk and emitted nothing: no call will ever take them"),
            Self::Miscounted { used, of } => write!(f, "it reports {used} bytes as used, of {of} that were there"),
            Self::WrongRest { rest, of } => {
                write!(f, "it returns {rest} bytes that are not the end of the {of} it was given")
            }
            Self::Asleep => f.write_str("bytes arrived and it was not woken: it waits for what is there"),
            Self::Busy => f.write_str("it wakes itself again and again although nothing arrives"),
            Self::Hung => f.write_str("a call did not return"),
            Self::StackOverflow => f.write_str("it overflowed the stack"),
            Self::OutOfMemory => f.write_str("it asked for more memory than there is"),
            Self::Died(status) => write!(f, "the process died: {status}"),
        }
    }
}

impl std::error::Error for Breach {}

/// A text that represents a value: it is compared, and printed without quotes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DebugText(pub String);

impl Debug for DebugText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
