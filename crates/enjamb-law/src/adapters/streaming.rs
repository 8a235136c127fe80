//! Transformers of a stream of bytes into a stream of items: multipart, server-sent events, JSON lines over HTTP bodies.

use std::fmt::Debug;

use futures_core::Stream;

use crate::kind::Kind;
use crate::run::Run;
use crate::subject::Subject;

use super::body::Body;
use super::feed::Feed;
use super::reading::{Reading, Streamed, next};

/// A transformer of streams, as a [`Subject`].
///
/// ```
/// use enjamb_law::{Segmentations, Streaming, split_everywhere, stream};
/// use eventsource_stream::Eventsource;
///
/// let events = Streaming::new(|body| body.eventsource());
/// split_everywhere(&events, &stream(b"data: one\n\ndata: two\n\n"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// Each chunk is an item of the [`Body`] that the transformer reads. It is polled as [`Reading`] polls a reader, and breaks in the same ways.
#[derive(Clone, Copy, Debug)]
pub struct Streaming<M, F>(Reading<M, F>);

impl Streaming<(), ()> {
    /// The stream that `make` makes of a body. One whose items are no results is given `.map(Ok::<_, Never>)`.
    pub fn new<M, S, T, E>(
        make: M,
    ) -> Streaming<impl Fn(Feed) -> Streamed<S>, impl AsyncFn(&mut Streamed<S>) -> Result<Option<T>, E>>
    where
        M: Fn(Body) -> S,
        S: Stream<Item = Result<T, E>>,
    {
        Streaming(Reading::over(move |feed| Box::pin(make(Body::new(feed))), next))
    }

    /// A reader that `make` puts around a body, and an `async` function that reads its next event: for those that are no streams, as readers
    /// of multipart fields.
    pub fn with<M, R, F, T, E>(make: M, read: F) -> Streaming<impl Fn(Feed) -> R, F>
    where
        M: Fn(Body) -> R,
        F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    {
        Streaming(Reading::over(move |feed| make(Body::new(feed)), read))
    }
}

impl<M, F> Streaming<M, F> {
    /// Before each chunk comes an item of no bytes, as some bodies have them, and when it is [asked again](crate::Event::Again) another.
    #[must_use]
    pub fn with_empty_items(mut self) -> Self {
        self.0.empty_items = 1;
        self
    }

    /// Polls on after an error, as a program does that logs it and goes on. An error after the end of the stream is the last.
    #[must_use]
    pub fn resumes(self) -> Self {
        Self(self.0.resumes())
    }
}

impl<M, F, R, T, E> Subject for Streaming<M, F>
where
    M: Fn(Feed) -> R,
    F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        self.0.run(run);
    }
}
