//! Programs of terminators in the manner of `asynchat`, run by the engine and by a naive reading of the whole stream.
//!
//! `asynchat` drives a conversation by setting the next terminator inside `found_terminator`. A [`Program`] is such a sequence;
//! [`Interpreter`] runs it on the engine, [`reference()`] on the whole stream at once, with nothing but a substring
//! search. Where the two agree under every segmentation, and with the answers of the real `asynchat`, the engine is right.

use std::convert::Infallible;

use enjamb::{AnyOf, Delimiter, End, FrameInfo, Handler, Limit, Step, Terminator};

/// What is set after a message was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// This terminator.
    Set(Terminator),
    /// Nothing: a delimiter stays in force; after a count everything is data, as in `asynchat` (T7).
    Keep,
}

/// What ends the first message, and what is set after each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What ends the first message.
    pub first: Terminator,
    /// What is set by the calls of `found`, one after the other.
    pub rest: Vec<Setting>,
    /// After the last of them, begin again? Otherwise they all keep.
    pub cycle: bool,
}

/// What ended a message, or would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kinds of terminators")]
pub enum Ended {
    Delimiter,
    AnyOf,
    Length,
    Close,
}

impl Ended {
    /// By this terminator.
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

/// Bytes between two terminators, and which kind of terminator was in force.
pub type Text = (Ended, Vec<u8>);

impl Program {
    /// What is in force after message number `index`, when `current` was.
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
    /// At the beginning of `program`.
    #[must_use]
    pub fn new(program: &'p Program) -> Self {
        Self { program, current: program.first.clone(), found: 0, message: Vec::new() }
    }
}

/// What the engine says of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message was found.
    Message(Text),
    /// The stream ended, and this was in progress.
    Tail(Text),
}

impl Handler for Interpreter<'_> {
    type Event = Heard;
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

    fn found(&mut self, _: FrameInfo) -> Result<Step<Heard>, Infallible> {
        let text = (Ended::by(&self.current), std::mem::take(&mut self.message));
        if self.current == Terminator::Close {
            return Ok(Step::event(Heard::Tail(text)));
        }
        self.current = self.program.after(self.found, &self.current);
        self.found += 1;
        Ok(Step::event(Heard::Message(text)).until(self.current.clone()))
    }

    fn close(&mut self, _: End) -> Result<Option<Heard>, Infallible> {
        let text = (Ended::by(&self.current), std::mem::take(&mut self.message));
        Ok((self.current != Terminator::Close).then_some(Heard::Tail(text)))
    }

    fn held(&self) -> usize {
        self.message.len()
    }
}

/// What a program comes to, read off the whole stream: the messages, and what is left.
#[must_use]
pub fn reference(program: &Program, stream: &[u8]) -> Vec<Heard> {
    let mut heard = Vec::new();
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
            heard.push(Heard::Tail((Ended::by(&current), rest.to_vec())));
            return heard;
        };
        heard.push(Heard::Message((Ended::by(&current), rest[..end].to_vec())));
        rest = &rest[next..];
        current = program.after(heard.len() - 1, &current);
    }
}

fn naive_find(haystack: &[u8], delimiter: &Delimiter) -> Option<usize> {
    haystack.windows(delimiter.bytes().len()).position(|window| window == delimiter.bytes())
}

/// Leftmost, then longest.
fn naive_find_any(haystack: &[u8], set: &AnyOf) -> Option<(usize, usize)> {
    let longest_at = |at: usize| set.delimiters().filter(|one| haystack[at..].starts_with(one)).map(<[u8]>::len).max();
    (0..haystack.len()).find_map(|at| longest_at(at).map(|length| (at, at + length)))
}
