//! Programs of terminators as in `asynchat`, run by the engine and by a naive reader of the whole
//! stream.
//!
//! `asynchat` drives a conversation by setting the next terminator inside `found_terminator`. A
//! [`Program`] is such a sequence; [`Interpreter`] runs it on the engine, and [`reference()`] on
//! the whole stream at once with a substring search. The engine is right when the two agree under
//! every segmentation, and with the answers of the real `asynchat`.

use std::convert::Infallible;

use enjamb::{AnyOf, Delimiter, End, FrameInfo, Handler, Limit, Step, Terminator};

/// The terminator that is set after a message was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// This terminator.
    Set(Terminator),
    /// No terminator: a delimiter stays in force; after a count everything is data, as in
    /// `asynchat` (T7).
    Keep,
}

/// The first terminator, and the setting after each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The terminator of the first message.
    pub first: Terminator,
    /// The settings by the calls of `found`, one after the other.
    pub rest: Vec<Setting>,
    /// Whether the settings begin again after the last one. Otherwise all later calls keep the
    /// terminator.
    pub cycle: bool,
}

/// The kind of the terminator that ended a message, or would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kinds of terminators")]
pub enum TerminatorKind {
    Delimiter,
    AnyOf,
    Length,
    Close,
}

impl TerminatorKind {
    /// Returns the kind of this terminator.
    #[must_use]
    pub fn by(terminator: &Terminator) -> Self {
        match terminator {
            Terminator::Delimiter(_) => Self::Delimiter,
            Terminator::AnyOf(_) => Self::AnyOf,
            Terminator::Length(_) => Self::Length,
            Terminator::Close => Self::Close,
        }
    }
}

/// The bytes between two terminators, and the kind of the terminator that was in force.
pub type Text = (TerminatorKind, Vec<u8>);

impl Program {
    /// Returns the terminator after message number `index`, if `current` was in force.
    fn after(&self, index: usize, current: &Terminator) -> Terminator {
        let setting = match self.rest.len() {
            0 => None,
            len if self.cycle => self.rest.get(index % len),
            _ => self.rest.get(index),
        };
        match (setting, current) {
            (Some(Setting::Set(next)), _) => next.clone(),
            (_, Terminator::Delimiter(_) | Terminator::AnyOf(_)) => current.clone(),
            (_, Terminator::Length(_) | Terminator::Close) => Terminator::Close,
        }
    }
}

/// Runs a program on the engine.
#[derive(Clone, Debug)]
pub struct Interpreter<'p> {
    program: &'p Program,
    current: Terminator,
    found: usize,
    message: Vec<u8>,
}

impl<'p> Interpreter<'p> {
    /// Creates an interpreter at the beginning of `program`.
    #[must_use]
    pub fn new(program: &'p Program) -> Self {
        Self { program, current: program.first.clone(), found: 0, message: Vec::new() }
    }
}

/// An event of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramEvent {
    /// A message was found.
    Message(Text),
    /// The stream ended with this message in progress.
    Tail(Text),
}

impl Handler for Interpreter<'_> {
    type Event = ProgramEvent;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.program.first.clone()
    }

    fn limit(&self) -> Limit {
        Limit::NONE
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        self.message.extend_from_slice(piece);
        Ok(())
    }

    fn found(&mut self, _: FrameInfo) -> Result<Step<ProgramEvent>, Infallible> {
        let text = (TerminatorKind::by(&self.current), std::mem::take(&mut self.message));
        if self.current == Terminator::Close {
            return Ok(Step::event(ProgramEvent::Tail(text)));
        }
        self.current = self.program.after(self.found, &self.current);
        self.found += 1;
        Ok(Step::event(ProgramEvent::Message(text)).until(self.current.clone()))
    }

    fn close(&mut self, _: End) -> Result<Option<ProgramEvent>, Infallible> {
        let text = (TerminatorKind::by(&self.current), std::mem::take(&mut self.message));
        Ok((self.current != Terminator::Close).then_some(ProgramEvent::Tail(text)))
    }

    fn held(&self) -> usize {
        self.message.len()
    }
}

/// Returns the events of a program, read from the whole stream: the messages, and the rest.
#[must_use]
pub fn reference(program: &Program, stream: &[u8]) -> Vec<ProgramEvent> {
    let mut events = Vec::new();
    let mut rest = stream;
    let mut current = program.first.clone();
    loop {
        let end = match &current {
            Terminator::Delimiter(delimiter) => {
                naive_find(rest, delimiter).map(|at| (at, at + delimiter.bytes().len()))
            }
            Terminator::AnyOf(set) => naive_find_any(rest, set),
            Terminator::Length(length) => {
                usize::try_from(length.get()).ok().filter(|length| *length <= rest.len()).map(|length| (length, length))
            }
            Terminator::Close => None,
        };
        let Some((end, next)) = end else {
            events.push(ProgramEvent::Tail((TerminatorKind::by(&current), rest.to_vec())));
            return events;
        };
        events.push(ProgramEvent::Message((TerminatorKind::by(&current), rest[..end].to_vec())));
        rest = &rest[next..];
        current = program.after(events.len() - 1, &current);
    }
}

fn naive_find(haystack: &[u8], delimiter: &Delimiter) -> Option<usize> {
    haystack.windows(delimiter.bytes().len()).position(|window| window == delimiter.bytes())
}

/// Finds the leftmost delimiter, and the longest of those at the same place.
fn naive_find_any(haystack: &[u8], set: &AnyOf) -> Option<(usize, usize)> {
    let longest_at = |at: usize| set.delimiters().filter(|one| haystack[at..].starts_with(one)).map(<[u8]>::len).max();
    (0..haystack.len()).find_map(|at| longest_at(at).map(|length| (at, at + length)))
}
