//! Accumulators: fed a chunk, they take what they need of it and hand back the rest.

use std::fmt::Debug;

use crate::kind::Kind;
use crate::output::Breach;
use crate::run::Run;
use crate::subject::Subject;

/// An accumulator, as a [`Subject`].
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
/// It is fed what it hands back until it hands back nothing. A rest that is not the end of what it was fed is a [fault](Breach::WrongRest), and so is one
/// that is all of it when it said [nothing](Breach::Stuck) of it. An error is the end of the run, unless it [`resumes`](Self::resumes) with the rest.
///
/// [Asked again](crate::Event::Again), it is fed with no bytes.
#[derive(Clone, Copy, Debug)]
pub struct Accumulating<M, F> {
    make: M,
    feed: F,
    resumes: bool,
}

impl<M, F> Accumulating<M, F> {
    /// The accumulators that `make` makes, fed by `feed`, which returns what came of the chunk, if anything, and the rest.
    pub fn new<P, T, E>(make: M, feed: F) -> Self
    where
        M: Fn() -> P,
        F: for<'c> Fn(&mut P, &'c [u8]) -> (Option<Result<T, E>>, &'c [u8]),
    {
        Self { make, feed, resumes: false }
    }

    /// Goes on after an error with the rest, as accumulators mostly intend.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }
}

impl<M, F, P, T, E> Subject for Accumulating<M, F>
where
    M: Fn() -> P,
    F: for<'c> Fn(&mut P, &'c [u8]) -> (Option<Result<T, E>>, &'c [u8]),
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let mut accumulator = (self.make)();
        while let Some(mut chunk) = run.next_chunk() {
            loop {
                let (outcome, rest) = (self.feed)(&mut accumulator, chunk);
                let said = outcome.is_some();
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
                if !said && rest.len() == chunk.len() {
                    run.breach(Breach::Stuck);
                    return;
                }
                chunk = rest;
            }
        }
    }
}

/// Is `rest` how `chunk` ends? Mostly it is that very memory, and then the bytes need not be compared.
fn is_end_of(rest: &[u8], chunk: &[u8]) -> bool {
    rest.len() <= chunk.len()
        && (rest.is_empty() || rest.as_ptr_range().end == chunk.as_ptr_range().end || chunk.ends_with(rest))
}
