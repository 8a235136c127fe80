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
/// when [no event](Breach::Stuck) came with it. An error ends the run, unless the adapter
/// [`resumes`](Self::resumes).
///
/// When it is [called again](crate::Event::Again) without new bytes, it is fed an empty chunk.
#[derive(Clone, Copy, Debug)]
pub struct Accumulating<M, F> {
    make: M,
    feed: F,
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
        Self { make, feed, resumes: false }
    }

    /// Continues after an error with the rest, as most accumulators expect.
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
    }
}

/// Returns whether `chunk` ends with `rest`. Usually `rest` is a slice of `chunk`, and then no
/// bytes are compared.
fn is_end_of(rest: &[u8], chunk: &[u8]) -> bool {
    rest.len() <= chunk.len()
        && (rest.is_empty() || rest.as_ptr_range().end == chunk.as_ptr_range().end || chunk.ends_with(rest))
}
