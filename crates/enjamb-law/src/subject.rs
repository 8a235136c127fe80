//! The trait of the code under a law, and the wrappers that change its events or errors.

use std::fmt::Debug;

use enjamb::Session;

use crate::cutting::Cutting;
use crate::grammar::Grammar;
use crate::output::{DebugText, Output};
use crate::run::{self, Run};

/// A codec, parser or reader under test, with an adapter around it.
///
/// A law makes a fresh one for every run, so a subject is a constructor. The adapters of this crate
/// are subjects; most users never implement the trait.
pub trait Subject {
    /// An event that it reads from the stream.
    type Event;
    /// The reason why the stream cannot continue. Laws compare errors between runs, so an error
    /// contains its kind and not the bytes in which it was found; see [`Kind`](crate::Kind).
    type Error;

    /// Feeds a fresh subject with the input from [`Run::next`] until there is no more, and
    /// [emits](Run::emit) every output.
    ///
    /// It must call `next` only when it has no more output for the input so far. By this call a law
    /// sees when an output is emitted.
    fn run(&self, run: &mut Run<'_, Self::Event, Self::Error>);

    /// Returns whether a fresh subject emits `expected` for `input`, cut at `cuts`. Behind the
    /// first error only events count. A subject overrides this if it can compare without building
    /// its events.
    fn agrees(&self, input: &Cutting, cuts: &[usize], expected: &[Output<Self::Event, Self::Error>]) -> bool
    where
        Self::Event: PartialEq,
        Self::Error: PartialEq,
    {
        run::agrees(|run| self.run(run), input, cuts, expected)
    }

    /// Returns whether it promises to emit only its error once it has failed. A
    /// [`Machine`](enjamb::Machine) does; a tokio `Decoder` does not, and may continue.
    fn fuses(&self) -> bool {
        false
    }

    /// Returns whether its reader can wait for input, so that the [awake](crate::Law::Awake) law
    /// applies.
    fn waits(&self) -> bool {
        false
    }

    /// Returns whether it starts again at the beginning of the message for every chunk, so that the
    /// [linear](crate::linear) law does not apply. A parse function without memory cannot avoid
    /// that: it reads a message in n chunks n times.
    fn rescans(&self) -> bool {
        false
    }

    /// Returns whether it learns that the stream has ended, so that the [end](crate::end) law
    /// applies. A push parser or an accumulator without such a call does not.
    fn ends(&self) -> bool {
        true
    }

    /// Returns whether it reads its input itself, and so may report each end of the stream by the
    /// same error, or stop before the end.
    fn pulls(&self) -> bool {
        false
    }

    /// Returns whether it parses both sides of a conversation, so that the
    /// [interleaved](crate::interleaved) law applies. Then it [opens](Self::open_session) sessions.
    fn converses(&self) -> bool {
        false
    }

    /// Returns a new session, if it is a constructor of sessions.
    fn open_session(&self) -> Option<Box<dyn Session>> {
        None
    }

    /// Adds the framing of the subject to `grammar`: the ends of frames and the forms of lengths.
    fn vocabulary(&self, grammar: &mut Grammar) {
        let _ = grammar;
    }

    /// Returns `event` as it would be if `bytes` more had come before it. An event that contains
    /// its place in the stream moves by that much.
    fn displaced(&self, event: Self::Event, bytes: u64) -> Self::Event {
        let _ = bytes;
        event
    }

    /// Returns `outputs`, which come from several runs, as they would be in one run. Pieces that
    /// [`merging`](Self::merging) joins are joined here too.
    fn joined(&self, outputs: Vec<Output<Self::Event, Self::Error>>) -> Vec<Output<Self::Event, Self::Error>> {
        outputs
    }

    /// Changes its events by `map`: to leave out parts that cannot be compared, or to keep only
    /// some parts.
    fn map<F, T>(self, map: F) -> Map<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Event) -> T,
    {
        Map { subject: self, map }
    }

    /// Turns each of its events into none, one or several by `map`.
    ///
    /// Pieces of a text or of a body follow the cuts, and no law forbids that. Turned into their
    /// bytes or characters they are the same under all cuts, and are still emitted at the same
    /// time:
    ///
    /// ```
    /// use enjamb_law::{Never, Pushing, Segmentations, Subject, split_everywhere, stream};
    ///
    /// let pieces = Pushing::returning(|| (), |(), chunk| Ok::<_, Never>([chunk.to_vec()]));
    /// let bytes = pieces.flat_map(|piece| piece);
    /// split_everywhere(&bytes, &stream(b"so it goes"), &Segmentations::up_to_two_cuts()).unwrap();
    /// ```
    fn flat_map<F, I>(self, map: F) -> FlatMap<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Event) -> I,
        I: IntoIterator,
    {
        FlatMap { subject: self, map }
    }

    /// Compares its events by their [`Debug`] text, for types that are not [`PartialEq`].
    fn by_debug(self) -> Map<Self, fn(Self::Event) -> DebugText>
    where
        Self: Sized,
        Self::Event: Debug,
    {
        Map { subject: self, map: |event| DebugText(format!("{event:?}")) }
    }

    /// Joins adjacent events that are pieces of one message, for a subject that emits the parts of
    /// a message as they arrive. `merge` appends the second of two adjacent events to the first and
    /// returns `None`, or returns the second if it does not belong to the first.
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
    fn merging<F>(self, merge: F) -> Merge<Self, F>
    where
        Self: Sized,
        F: Fn(&mut Self::Event, Self::Event) -> Option<Self::Event>,
    {
        Merge { subject: self, merge }
    }

    /// Changes its errors by `map`, to compare something other than their [kind](crate::Kind).
    fn map_error<F, T>(self, map: F) -> MapError<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Error) -> T,
    {
        MapError { subject: self, map }
    }
}

/// A type that laws can compare and print.
#[diagnostic::on_unimplemented(
    message = "a law cannot compare and print `{Self}`: it must be `PartialEq` and `Debug`",
    label = "this subject's events or errors are `{Self}`",
    note = "append `.by_debug()` to the adapter to compare events by their `Debug` text",
    note = "or `.map(|event| ...)` or `.map_error(|error| ...)` to compare only a part of them"
)]
pub trait Comparable: PartialEq + Debug {}

#[diagnostic::do_not_recommend]
impl<T: PartialEq + Debug> Comparable for T {}

/// Implements the methods that return the result of the wrapped subject.
macro_rules! forward {
    ($($method:ident)*) => { $(forward!(@ $method);)* };
    (@ vocabulary) => {
        fn vocabulary(&self, grammar: &mut Grammar) {
            self.subject.vocabulary(grammar);
        }
    };
    (@ open_session) => {
        fn open_session(&self) -> Option<Box<dyn Session>> {
            self.subject.open_session()
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

/// A subject with changed events; see [`Subject::map`].
#[derive(Clone, Copy, Debug)]
pub struct Map<S, F> {
    subject: S,
    map: F,
}

impl<S, F, T> Subject for Map<S, F>
where
    S: Subject,
    F: Fn(S::Event) -> T,
{
    type Event = T;
    type Error = S::Error;

    fn run(&self, run: &mut Run<'_, T, S::Error>) {
        run.through(|output, out| out(output.map(&self.map, |error| error)), |run| self.subject.run(run));
    }

    forward!(fuses waits rescans ends pulls converses open_session vocabulary);
}

/// A subject whose events become none, one or several others; see [`Subject::flat_map`].
#[derive(Clone, Copy, Debug)]
pub struct FlatMap<S, F> {
    subject: S,
    map: F,
}

impl<S, F, I> Subject for FlatMap<S, F>
where
    S: Subject,
    F: Fn(S::Event) -> I,
    I: IntoIterator,
{
    type Event = I::Item;
    type Error = S::Error;

    fn run(&self, run: &mut Run<'_, I::Item, S::Error>) {
        run.through(
            |output, out| match output {
                Output::Event(event) => (self.map)(event).into_iter().for_each(|event| out(Output::Event(event))),
                other => out(other.map(|_| unreachable!("it is not an event"), |error| error)),
            },
            |run| self.subject.run(run),
        );
    }

    forward!(fuses waits rescans ends pulls converses open_session vocabulary);
}

/// A subject whose pieces are joined; see [`Subject::merging`].
#[derive(Clone, Copy, Debug)]
pub struct Merge<S, F> {
    subject: S,
    merge: F,
}

impl<S, F> Subject for Merge<S, F>
where
    S: Subject,
    F: Fn(&mut S::Event, S::Event) -> Option<S::Event>,
{
    type Event = S::Event;
    type Error = S::Error;

    fn run(&self, run: &mut Run<'_, S::Event, S::Error>) {
        run.merging(&self.merge, |run| self.subject.run(run));
    }

    fn joined(&self, outputs: Vec<Output<S::Event, S::Error>>) -> Vec<Output<S::Event, S::Error>> {
        let mut joined: Vec<Output<S::Event, S::Error>> = Vec::new();
        for output in outputs {
            let rest = match (joined.last_mut(), output) {
                (Some(Output::Event(last)), Output::Event(next)) => (self.merge)(last, next).map(Output::Event),
                (_, output) => Some(output),
            };
            joined.extend(rest);
        }
        joined
    }

    forward!(fuses waits rescans ends pulls converses open_session vocabulary displaced);
}

/// A subject with changed errors; see [`Subject::map_error`].
#[derive(Clone, Copy, Debug)]
pub struct MapError<S, F> {
    subject: S,
    map: F,
}

impl<S, F, T> Subject for MapError<S, F>
where
    S: Subject,
    F: Fn(S::Error) -> T,
{
    type Event = S::Event;
    type Error = T;

    fn run(&self, run: &mut Run<'_, S::Event, T>) {
        run.through(|output, out| out(output.map(|event| event, &self.map)), |run| self.subject.run(run));
    }

    forward!(fuses waits rescans ends pulls converses open_session vocabulary displaced);
}
