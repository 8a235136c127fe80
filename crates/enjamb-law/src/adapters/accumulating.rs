//! Accumulators: parsers that take some bytes of a chunk and return the rest of it.

use std::fmt::Debug;

use crate::kind::Kind;
use crate::output::Breach;
use crate::run::Run;
use crate::subject::Subject;

/// The [`Subject`] of an accumulator: a parser that takes a chunk and returns the rest of it.
///
/// ```
/// use enjamb_law::{Accumulating, Never, Segmentations, split_everywhere, stream};
///
/// let lines = Accumulating::new(String::new, |line, chunk| match chunk.iter().position(|byte| *byte == b'\n') {
///     Some(at) => {
///         line.push_str(&String::from_utf8_lossy(&chunk[..at]));
///         (Some(Ok::<_, Never>(std::mem::take(line))), &chunk[at + 1..])
///     }
///     None => {
///         line.push_str(&String::from_utf8_lossy(chunk));
///         (None, &[])
///     }
/// });
/// split_everywhere(&lines, &stream(b"one\ntwo\n"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// The accumulator is fed the rest that it returns, until it returns an empty one. A rest that is
/// not the end of the chunk is a [breach](Breach::WrongRest). So is a rest that is the whole chunk
/// when [no event](Breach::Stuck) came with it. After an error the accumulator is fed the rest, as
/// accumulators expect, unless the adapter [`stops`](Self::stops).
///
/// The accumulator learns that the stream has ended only if there is an
/// [`at_end`](Self::at_end) function. Without one, the law [`end`](crate::end) does not apply.
///
/// When it is [called again](crate::Event::Again) without new bytes, it is fed an empty chunk.
#[derive(Clone, Copy, Debug)]
pub struct Accumulating<M, F, A = ()> {
    make: M,
    feed: F,
    at_end: A,
    resumes: bool,
}

impl<M, F> Accumulating<M, F> {
    /// Makes a subject of the accumulators that `make` returns. `feed` passes a chunk to one and
    /// returns the event, if there is one, and the rest of the chunk.
    pub fn new<P, T, E>(make: M, feed: F) -> Self
    where
        M: Fn() -> P,
        F: for<'c> Fn(&mut P, &'c [u8]) -> (Option<Result<T, E>>, &'c [u8]),
    {
        Self { make, feed, at_end: (), resumes: true }
    }

    /// Calls `at_end` when the stream has ended, and emits the event or the error that it returns.
    #[must_use]
    pub fn at_end<P, T, E, B>(self, at_end: B) -> Accumulating<M, F, B>
    where
        M: Fn() -> P,
        B: Fn(&mut P) -> Option<Result<T, E>>,
    {
        let Self { make, feed, resumes, .. } = self;
        Accumulating { make, feed, at_end, resumes }
    }
}

impl<M, F, A> Accumulating<M, F, A> {
    /// Continues after an error with the rest, as most accumulators expect. This is the default.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Ends the run at the first error, as a program does that gives the connection up.
    #[must_use]
    pub fn stops(mut self) -> Self {
        self.resumes = false;
        self
    }
}

/// The call of an accumulator at the end of the stream. `()` is none.
pub trait AtEnd<P, T, E> {
    /// Whether there is a call.
    const CALLED: bool;

    /// Makes the call.
    fn call(&self, accumulator: &mut P) -> Option<Result<T, E>>;
}

impl<P, T, E> AtEnd<P, T, E> for () {
    const CALLED: bool = false;

    fn call(&self, _: &mut P) -> Option<Result<T, E>> {
        None
    }
}

impl<P, T, E, B: Fn(&mut P) -> Option<Result<T, E>>> AtEnd<P, T, E> for B {
    const CALLED: bool = true;

    fn call(&self, accumulator: &mut P) -> Option<Result<T, E>> {
        self(accumulator)
    }
}

impl<M, F, A, P, T, E> Subject for Accumulating<M, F, A>
where
    M: Fn() -> P,
    F: for<'c> Fn(&mut P, &'c [u8]) -> (Option<Result<T, E>>, &'c [u8]),
    A: AtEnd<P, T, E>,
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let mut accumulator = (self.make)();
        while let Some(mut chunk) = run.next_chunk() {
            loop {
                let (outcome, rest) = (self.feed)(&mut accumulator, chunk);
                let has_outcome = outcome.is_some();
                match outcome {
                    None => {}
                    Some(Ok(event)) => run.event(event),
                    Some(Err(error)) => {
                        let goes_on = run.fail(Kind::of(&error));
                        if !self.resumes && goes_on {
                            break;
                        }
                        if !self.resumes {
                            return;
                        }
                    }
                }
                if !is_end_of(rest, chunk) {
                    run.breach(Breach::WrongRest { rest: rest.len(), of: chunk.len() });
                    return;
                }
                if rest.is_empty() {
                    break;
                }
                if !has_outcome && rest.len() == chunk.len() {
                    run.breach(Breach::Stuck);
                    return;
                }
                chunk = rest;
            }
        }
        match self.at_end.call(&mut accumulator) {
            None => {}
            Some(Ok(event)) => run.event(event),
            Some(Err(error)) => {
                let _ = run.fail(Kind::of(&error));
            }
        }
    }

    fn ends(&self) -> bool {
        A::CALLED
    }
}

/// Returns whether `chunk` ends with `rest`. Usually `rest` is a slice of `chunk`, and then no
/// bytes are compared.
fn is_end_of(rest: &[u8], chunk: &[u8]) -> bool {
    rest.len() <= chunk.len()
        && (rest.is_empty() || rest.as_ptr_range().end == chunk.as_ptr_range().end || chunk.ends_with(rest))
}
