//! What is put under a law, and what it says.

use std::fmt::{self, Debug};
use std::process::ExitStatus;

use enjamb::{End, Side};

use crate::cutting::Cutting;
use crate::grammar::Grammar;
use crate::run::{self, Run};

/// Something that is fed a stream and says things: a codec, a parser, a reader, with an adapter around it. A law makes a fresh one for
/// every run, so a subject is really a constructor.
///
/// The adapters of this crate are subjects, and most people never write one.
pub trait Subject {
    /// What comes of the stream.
    type Event;
    /// Why the stream cannot go on. Compared between runs, so it tells the kind of the error and not the bytes it was found in; see
    /// [`Kind`](crate::Kind).
    type Error;

    /// Feeds a fresh subject with what [`Run::next`] gives, until there is no more, and [says](Run::say) all that comes of it. `next` is asked for
    /// only when the subject has nothing more to say of what it has: that is what lets a law see when things are said.
    fn run(&self, run: &mut Run<'_, Self::Event, Self::Error>);

    /// Does a fresh subject say all of `expected` and nothing else of `input`, cut at `cuts`? A subject overrides this where it can compare without
    /// making what it compares.
    fn agrees(&self, input: &Cutting, cuts: &[usize], expected: &[Said<Self::Event, Self::Error>]) -> bool
    where
        Self::Event: PartialEq,
        Self::Error: PartialEq,
    {
        run::agrees(self, input, cuts, expected)
    }

    /// Does it promise to say nothing but its error once it has failed? A [`Machine`](enjamb::Machine) does; a tokio `Decoder` does not, and may go on.
    fn fuses(&self) -> bool {
        false
    }

    /// Is it read by somebody who waits, and so under the [awake](crate::Law::Awake) law?
    fn waits(&self) -> bool {
        false
    }

    /// Does it begin again at the start of the message for every chunk, and so need not obey the [linear](crate::linear) law? A parse function
    /// without memory has no choice: a message in n chunks is looked at n times.
    fn rescans(&self) -> bool {
        false
    }

    /// Adds to `grammar` what it knows of its own framing: how its frames end, how its lengths are written.
    fn vocabulary(&self, grammar: &mut Grammar) {
        let _ = grammar;
    }

    /// `event` as it would be said of a stream with `bytes` more before it: where an event tells its place in the stream, the place moves.
    fn displaced(&self, event: Self::Event, bytes: u64) -> Self::Event {
        let _ = bytes;
        event
    }

    /// Its events changed by `map`: to leave out what cannot be compared, or to keep what matters.
    fn map<F, T>(self, map: F) -> Mapped<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Event) -> T,
    {
        Mapped { subject: self, map }
    }

    /// Its events made into others by `map`, each into none, one or several.
    ///
    /// Pieces of text or of a body follow the cuts, by what they are, and no law is about that. Made into their bytes or characters they are
    /// the same under all cuts, and still said when they are said:
    ///
    /// ```
    /// use enjamb_law::{Never, Pushing, Segmentations, Subject, split_everywhere, stream};
    ///
    /// let pieces = Pushing::returning(|| (), |(), chunk| Ok::<_, Never>([chunk.to_vec()]));
    /// let bytes = pieces.flat_map(|piece| piece);
    /// split_everywhere(&bytes, &stream(b"so it goes"), &Segmentations::up_to_two_cuts()).unwrap();
    /// ```
    fn flat_map<F, I>(self, map: F) -> FlatMapped<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Event) -> I,
        I: IntoIterator,
    {
        FlatMapped { subject: self, map }
    }

    /// Its events compared by their [`Debug`] text: for types that are not [`PartialEq`].
    fn by_debug(self) -> Mapped<Self, fn(Self::Event) -> Shown>
    where
        Self: Sized,
        Self::Event: Debug,
    {
        Mapped { subject: self, map: |event| Shown(format!("{event:?}")) }
    }

    /// Its events with those that are pieces of one thing made one again, for a subject that gives out parts of a message as they come: where a body is cut is
    /// the connection's affair, and what it is not. `merge` puts the second of two adjacent events to the first, or gives it back when it is
    /// another thing.
    ///
    /// ```
    /// use enjamb_law::{Never, Pushing, Segmentations, Subject, split_everywhere, stream};
    ///
    /// let pieces = Pushing::returning(|| (), |(), chunk| Ok::<_, Never>(Some(chunk.to_vec())));
    /// let whole = pieces.merging(|piece, mut next| {
    ///     piece.append(&mut next);
    ///     None
    /// });
    /// split_everywhere(&whole, &stream(b"a body"), &Segmentations::up_to_two_cuts()).unwrap();
    /// ```
    fn merging<F>(self, merge: F) -> Merging<Self, F>
    where
        Self: Sized,
        F: Fn(&mut Self::Event, Self::Event) -> Option<Self::Event>,
    {
        Merging { subject: self, merge }
    }

    /// Its errors changed by `map`, to compare something else than their [kind](crate::Kind).
    fn map_error<F, T>(self, map: F) -> MappedError<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Error) -> T,
    {
        MappedError { subject: self, map }
    }
}

/// What laws can compare and print.
pub trait Comparable: PartialEq + Debug {}

impl<T: PartialEq + Debug> Comparable for T {}

/// One thing that a subject says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<E, F> {
    /// Something came of the stream.
    Event(E),
    /// It failed.
    Failed(F),
    /// How the end of the stream found it. A subject that has no such verdict says nothing when the stream ends.
    End(End),
    /// It did what nothing may do, whatever it is fed.
    Broke(Fault),
}

impl<E, F> Said<E, F> {
    fn map<E2, F2>(self, event: impl FnOnce(E) -> E2, error: impl FnOnce(F) -> F2) -> Said<E2, F2> {
        match self {
            Self::Event(said) => Said::Event(event(said)),
            Self::Failed(said) => Said::Failed(error(said)),
            Self::End(end) => Said::End(end),
            Self::Broke(fault) => Said::Broke(fault),
        }
    }
}

impl<E: Debug, F: Debug> Said<E, F> {
    /// As it is printed in a violation.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Event(event) => format!("{event:?}"),
            Self::Failed(error) => format!("failed: {error:?}"),
            Self::End(end) => told_end(*end),
            Self::Broke(fault) => fault.to_string(),
        }
    }
}

fn told_end(end: End) -> String {
    match end {
        End::Clean => "end: clean".to_owned(),
        End::Truncated { have, missing: None } => format!("end: truncated, {have} bytes of a frame were there"),
        End::Truncated { have, missing: Some(missing) } => {
            format!("end: truncated, {have} bytes of a frame were there and {missing} were not")
        }
        End::Leftover(bytes) => format!("end: {bytes} bytes left over"),
    }
}

/// What nothing may do, whatever it is fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It panicked, with this message.
    Panicked(String),
    /// It says more than can come of so few bytes: it would never end.
    Endless {
        /// How much it had said when it was stopped.
        said: usize,
        /// Of how many bytes.
        bytes: usize,
    },
    /// It leaves bytes in the chunk and says nothing, so that whoever drives it would ask for ever.
    Stuck,
    /// It says that it used more bytes than it was given, or that what it made used none.
    Miscounted {
        /// How many it says it used.
        used: usize,
        /// How many there were.
        of: usize,
    },
    /// It hands back bytes that are not the end of what it was given.
    WrongRest {
        /// How many it hands back.
        rest: usize,
        /// How many it was given.
        of: usize,
    },
    /// It was not woken when bytes arrived: it waits for ever for what is there.
    Asleep,
    /// It wakes itself again and again although nothing arrives: it burns a processor.
    Busy,
    /// A call did not return.
    Hung,
    /// It ran out of stack.
    StackOverflow,
    /// It ran out of memory: it takes a length at its word, or buffers without bound.
    OutOfMemory,
    /// The process that it ran in died, in this way.
    Died(String),
}

impl Fault {
    /// What ended a process, by its status and by what it `said` on standard error.
    #[must_use]
    pub fn of_death(status: ExitStatus, said: &str) -> Self {
        if said.contains("has overflowed its stack") || said.contains("stack overflow") {
            return Self::StackOverflow;
        }
        if said.contains("memory allocation of") || said.contains("out of memory") {
            return Self::OutOfMemory;
        }
        Self::Died(status.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "it panicked: {message}"),
            Self::Endless { said, bytes } => {
                write!(f, "it went on for ever: it was stopped after it had said {said} things of {bytes} bytes")
            }
            Self::Stuck => f.write_str("it left bytes in the chunk and said nothing: no call will ever take them"),
            Self::Miscounted { used, of } => write!(f, "it says that it used {used} bytes, of {of} that were there"),
            Self::WrongRest { rest, of } => {
                write!(f, "it hands back {rest} bytes that are not the end of the {of} it was given")
            }
            Self::Asleep => f.write_str("bytes arrived and it was not woken: it waits for what is there"),
            Self::Busy => f.write_str("it wakes itself again and again although nothing arrives"),
            Self::Hung => f.write_str("a call did not return"),
            Self::StackOverflow => f.write_str("it overflowed the stack"),
            Self::OutOfMemory => f.write_str("it asked for more memory than there is"),
            Self::Died(how) => write!(f, "the process died: {how}"),
        }
    }
}

/// Compared and shown as this text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shown(pub String);

impl Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The methods of these names, as the subject inside has them.
macro_rules! forward {
    ($($method:ident)*) => { $(forward!(@ $method);)* };
    (@ vocabulary) => {
        fn vocabulary(&self, grammar: &mut Grammar) {
            self.subject.vocabulary(grammar);
        }
    };
    (@ displaced) => {
        fn displaced(&self, event: S::Event, bytes: u64) -> S::Event {
            self.subject.displaced(event, bytes)
        }
    };
    (@ $method:ident) => {
        fn $method(&self) -> bool {
            self.subject.$method()
        }
    };
}

/// A subject whose events are changed; see [`Subject::map`].
#[derive(Clone, Copy, Debug)]
pub struct Mapped<S, F> {
    subject: S,
    map: F,
}

impl<S, F, T> Subject for Mapped<S, F>
where
    S: Subject,
    F: Fn(S::Event) -> T,
{
    type Event = T;
    type Error = S::Error;

    fn run(&self, run: &mut Run<'_, T, S::Error>) {
        run.through(|said, out| out(said.map(&self.map, |error| error)), |run| self.subject.run(run));
    }

    forward!(fuses waits rescans vocabulary);
}

/// A subject of whose events others are made; see [`Subject::flat_map`].
#[derive(Clone, Copy, Debug)]
pub struct FlatMapped<S, F> {
    subject: S,
    map: F,
}

impl<S, F, I> Subject for FlatMapped<S, F>
where
    S: Subject,
    F: Fn(S::Event) -> I,
    I: IntoIterator,
{
    type Event = I::Item;
    type Error = S::Error;

    fn run(&self, run: &mut Run<'_, I::Item, S::Error>) {
        run.through(
            |said, out| match said {
                Said::Event(event) => (self.map)(event).into_iter().for_each(|event| out(Said::Event(event))),
                said => out(said.map(|_| unreachable!("it is no event"), |error| error)),
            },
            |run| self.subject.run(run),
        );
    }

    forward!(fuses waits rescans vocabulary);
}

/// A subject whose pieces are made whole; see [`Subject::merging`].
#[derive(Clone, Copy, Debug)]
pub struct Merging<S, F> {
    subject: S,
    merge: F,
}

impl<S, F> Subject for Merging<S, F>
where
    S: Subject,
    F: Fn(&mut S::Event, S::Event) -> Option<S::Event>,
{
    type Event = S::Event;
    type Error = S::Error;

    fn run(&self, run: &mut Run<'_, S::Event, S::Error>) {
        run.merging(&self.merge, |run| self.subject.run(run));
    }

    forward!(fuses waits rescans vocabulary displaced);
}

/// A subject whose errors are changed; see [`Subject::map_error`].
#[derive(Clone, Copy, Debug)]
pub struct MappedError<S, F> {
    subject: S,
    map: F,
}

impl<S, F, T> Subject for MappedError<S, F>
where
    S: Subject,
    F: Fn(S::Error) -> T,
{
    type Event = S::Event;
    type Error = T;

    fn run(&self, run: &mut Run<'_, S::Event, T>) {
        run.through(|said, out| out(said.map(|event| event, &self.map)), |run| self.subject.run(run));
    }

    forward!(fuses waits rescans vocabulary displaced);
}

/// The side that speaks where there is only one stream.
pub(crate) const ONLY: Side = Side::Client;
