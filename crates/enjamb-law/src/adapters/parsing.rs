//! Parse functions: `fn(&[u8])`, called with all bytes from the start of a message, until the
//! message is complete.

use std::fmt::Debug;

use enjamb::End;

use crate::kind::Kind;
use crate::output::{Breach, Output};
use crate::run::Run;
use crate::subject::Subject;

use super::parsed::Parsed;

/// The [`Subject`] of a parse function.
///
/// ```
/// use enjamb_law::{Parsed, Parsing, Segmentations, split_everywhere, stream};
///
/// let frames = Parsing::new(|bytes| match bytes {
///     [len, rest @ ..] if rest.len() >= usize::from(*len) => Parsed::Done(rest[..usize::from(*len)].to_vec(), 1 + usize::from(*len)),
///     _ => Parsed::<_, ()>::Incomplete,
/// });
/// split_everywhere(&frames, &stream(b"\x03abc\x00\x01d"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// Whenever bytes arrive, the function is called with all bytes from the start of the next message
/// on, and never with none. Bytes that are left when the stream ends are a truncated message. A
/// [`Parsed::Done`] that used no byte, or more than it was given, is a
/// [breach](Breach::Miscounted).
///
/// A message in n chunks is parsed n times from its start, so a parse function
/// [rescans](Subject::rescans) and the law [`linear`](crate::linear) does not apply. It does apply
/// to a parser that keeps its position: make it with [`with`](Self::with) and
/// [`remembers`](Self::remembers).
///
/// When it is [called again](crate::Event::Again) without new bytes, it gets the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Parsing<M, F, A = F> {
    make: M,
    parse: F,
    at_end: Option<A>,
    resumes: bool,
    remembers: bool,
}

impl Parsing<(), ()> {
    /// Makes a subject of a function without memory.
    pub fn new<F, T, E>(parse: F) -> Parsing<impl Fn() + Clone, impl Fn(&mut (), &[u8]) -> Parsed<T, E>>
    where
        F: Fn(&[u8]) -> Parsed<T, E>,
    {
        Parsing::with(|| (), move |(), bytes| parse(bytes))
    }
}

impl<M, F> Parsing<M, F> {
    /// Makes a subject of the parsers that `make` returns, and of a function that calls one.
    pub fn with<P, T, E>(make: M, parse: F) -> Self
    where
        M: Fn() -> P,
        F: Fn(&mut P, &[u8]) -> Parsed<T, E>,
    {
        Self { make, parse, at_end: None, resumes: false, remembers: false }
    }
}

impl<M, F, A> Parsing<M, F, A> {
    /// Calls `parse` with the bytes that are left when the stream ends, until none are left or it
    /// returns [`Parsed::Incomplete`].
    #[must_use]
    pub fn at_end<P, T, E, B>(self, parse: B) -> Parsing<M, F, B>
    where
        M: Fn() -> P,
        F: Fn(&mut P, &[u8]) -> Parsed<T, E>,
        B: Fn(&mut P, &[u8]) -> Parsed<T, E>,
    {
        let Self { make, parse: each, resumes, remembers, .. } = self;
        Parsing { make, parse: each, at_end: Some(parse), resumes, remembers }
    }

    /// Declares that the parser keeps its position: its work for each byte is constant, and it does
    /// not [rescan](Subject::rescans).
    #[must_use]
    pub fn remembers(mut self) -> Self {
        self.remembers = true;
        self
    }

    /// Continues after an error one byte behind the start of the failed message, as a program does
    /// that searches for the next message.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Emits all messages of `bytes`. Returns the number of bytes that they used, or `None` when
    /// the run is over.
    fn messages<T, E>(
        &self,
        run: &mut Run<'_, T, Kind>,
        bytes: &[u8],
        mut parse: impl FnMut(&[u8]) -> Parsed<T, E>,
    ) -> Option<usize>
    where
        E: Debug,
    {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match parse(rest) {
                Parsed::Incomplete => break,
                Parsed::Done(message, used) => {
                    run.event(message);
                    if used == 0 || used > rest.len() {
                        run.breach(Breach::Miscounted { used, of: rest.len() });
                        return None;
                    }
                    at += used;
                }
                Parsed::Failed(error) => {
                    let goes_on = run.fail(Kind::of(&error));
                    if self.resumes {
                        at += 1;
                    } else if goes_on {
                        break;
                    } else {
                        return None;
                    }
                }
            }
        }
        Some(at)
    }
}

impl<M, F, A, P, T, E> Subject for Parsing<M, F, A>
where
    M: Fn() -> P,
    F: Fn(&mut P, &[u8]) -> Parsed<T, E>,
    A: Fn(&mut P, &[u8]) -> Parsed<T, E>,
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let mut parser = (self.make)();
        let mut unread: Vec<u8> = Vec::new();
        while let Some(chunk) = run.next_chunk() {
            unread.extend_from_slice(chunk);
            let Some(used) = self.messages(run, &unread, |bytes| (self.parse)(&mut parser, bytes)) else {
                return;
            };
            run.holds(unread.capacity());
            unread.drain(..used);
        }
        if let Some(at_end) = &self.at_end {
            let Some(used) = self.messages(run, &unread, |bytes| at_end(&mut parser, bytes)) else {
                return;
            };
            unread.drain(..used);
        }
        run.emit(Output::End(match unread.len() {
            0 => End::Clean,
            have => End::Truncated { have: have as u64, missing: None },
        }));
    }

    fn rescans(&self) -> bool {
        !self.remembers
    }
}
