//! Push parsers: `fn feed(&mut self, &[u8])`, with a callback for events or a list of them.

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::kind::Kind;
use crate::run::Run;
use crate::subject::Subject;

/// The [`Subject`] of a push parser.
///
/// ```
/// use enjamb_law::{Never, Pushing, Segmentations, split_everywhere, stream};
///
/// #[derive(Default)]
/// struct Words(String);
///
/// impl Words {
///     fn feed(&mut self, chunk: &[u8], mut found: impl FnMut(String)) {
///         for &byte in chunk {
///             if byte == b' ' { found(std::mem::take(&mut self.0)) } else { self.0.push(char::from(byte)) }
///         }
///     }
/// }
///
/// let words = Pushing::new(Words::default, |words, chunk, out| words.feed(chunk, |word| out(Ok::<_, Never>(word))));
/// split_everywhere(&words, &stream(b"so it goes "), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// Events are passed to `out`. After an error, further events of the same chunk are dropped and the
/// parser is not fed any more, unless the adapter [`resumes`](Self::resumes). At the end of the
/// stream the parser is called only if there is an [`at_end`](Self::at_end) function. Without one,
/// the law [`end`](crate::end) does not apply.
///
/// When it is [called again](crate::Event::Again) without new bytes, it is fed an empty chunk.
pub struct Pushing<M, F, A, T, E> {
    make: M,
    feed: F,
    at_end: A,
    ends: bool,
    resumes: bool,
    output: PhantomData<fn() -> (T, E)>,
}

impl Pushing<(), (), (), (), ()> {
    /// Makes a subject of the parsers that `make` returns. `feed` passes a chunk to one, and the
    /// events of the chunk to its last argument.
    pub fn new<M, P, F, T, E>(
        make: M,
        feed: F,
    ) -> Pushing<M, F, impl Fn(&mut P, &mut dyn FnMut(Result<T, E>)) + Clone, T, E>
    where
        M: Fn() -> P,
        F: Fn(&mut P, &[u8], &mut dyn FnMut(Result<T, E>)),
    {
        Pushing {
            make,
            feed,
            at_end: |_: &mut P, _: &mut dyn FnMut(Result<T, E>)| {},
            ends: false,
            resumes: false,
            output: PhantomData,
        }
    }

    /// Makes a subject of the parsers that `make` returns. `feed` passes a chunk to one, and
    /// returns the events of the chunk or an error.
    ///
    /// ```
    /// use enjamb_law::{Never, Pushing, split, stream};
    ///
    /// let bytes = Pushing::returning(|| (), |(), chunk| Ok::<_, Never>(chunk.to_vec()));
    /// split(&bytes, &stream(b"abc"), &[1]).unwrap();
    /// ```
    pub fn returning<M, P, F, I, E>(
        make: M,
        feed: F,
    ) -> Pushing<
        M,
        impl Fn(&mut P, &[u8], &mut dyn FnMut(Result<I::Item, E>)),
        impl Fn(&mut P, &mut dyn FnMut(Result<I::Item, E>)) + Clone,
        I::Item,
        E,
    >
    where
        M: Fn() -> P,
        F: Fn(&mut P, &[u8]) -> Result<I, E>,
        I: IntoIterator,
    {
        Pushing::new(make, move |parser, chunk, out| match feed(parser, chunk) {
            Ok(all) => all.into_iter().for_each(|each| out(Ok(each))),
            Err(error) => out(Err(error)),
        })
    }
}

impl<M, F, A, T, E> Pushing<M, F, A, T, E> {
    /// Calls `at_end` when the stream has ended.
    #[must_use]
    pub fn at_end<P, B>(self, at_end: B) -> Pushing<M, F, B, T, E>
    where
        M: Fn() -> P,
        B: Fn(&mut P, &mut dyn FnMut(Result<T, E>)),
    {
        let Self { make, feed, resumes, output, .. } = self;
        Pushing { make, feed, at_end, ends: true, resumes, output }
    }

    /// Continues after an error: later events are emitted, and the parser is fed as before.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Emits all events that `push` passes on. Returns whether the run continues.
    fn emit(&self, run: &mut Run<'_, T, Kind>, push: impl FnOnce(&mut dyn FnMut(Result<T, E>))) -> bool
    where
        E: Debug,
    {
        let mut failed = false;
        let mut goes_on = true;
        push(&mut |result| match result {
            _ if failed => {}
            Ok(event) => run.event(event),
            Err(error) => {
                let fed_on = run.fail(Kind::of(&error));
                if !self.resumes {
                    failed = true;
                    goes_on = fed_on;
                }
            }
        });
        goes_on
    }
}

impl<M, F, A, P, T, E> Subject for Pushing<M, F, A, T, E>
where
    M: Fn() -> P,
    F: Fn(&mut P, &[u8], &mut dyn FnMut(Result<T, E>)),
    A: Fn(&mut P, &mut dyn FnMut(Result<T, E>)),
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let mut parser = (self.make)();
        while let Some(chunk) = run.next_chunk() {
            if !self.emit(run, |out| (self.feed)(&mut parser, chunk, out)) {
                return;
            }
        }
        let _ = self.emit(run, |out| (self.at_end)(&mut parser, out));
    }

    fn ends(&self) -> bool {
        self.ends
    }
}
