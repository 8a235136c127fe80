//! Stream transformers: from a stream of bytes to a stream of items, for multipart, server-sent
//! events, or JSON lines over HTTP bodies.

use std::fmt::Debug;

use futures_core::Stream;

use crate::kind::Kind;
use crate::run::Run;
use crate::subject::Subject;

use super::body::Body;
use super::feed::Feed;
use super::reading::{PinnedStream, Reading, next};

/// The [`Subject`] of a stream transformer.
///
/// ```
/// use enjamb_law::{Segmentations, Streaming, split_everywhere, stream};
/// use eventsource_stream::Eventsource;
///
/// let events = Streaming::new(|body| body.eventsource());
/// split_everywhere(&events, &stream(b"data: one\n\ndata: two\n\n"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// Each chunk is an item of the [`Body`] that the transformer reads. It is polled as [`Reading`]
/// polls a reader, and commits the same breaches.
#[derive(Clone, Copy, Debug)]
pub struct Streaming<M, F>(Reading<M, F>);

impl Streaming<(), ()> {
    /// Makes a subject of the stream that `make` makes of a body. If its items are not `Result`s,
    /// append `.map(Ok::<_, Never>)`.
    pub fn new<M, S, T, E>(
        make: M,
    ) -> Streaming<impl Fn(Feed) -> PinnedStream<S>, impl AsyncFn(&mut PinnedStream<S>) -> Result<Option<T>, E>>
    where
        M: Fn(Body) -> S,
        S: Stream<Item = Result<T, E>>,
    {
        Streaming(Reading::over(move |feed| Box::pin(make(Body::new(feed))), next).resumes())
    }

    /// Makes a subject of the reader that `make` puts around a body, and of an `async` function
    /// that reads its next event. It is for readers that are not streams, such as readers of
    /// multipart fields.
    pub fn with<M, R, F, T, E>(make: M, read: F) -> Streaming<impl Fn(Feed) -> R, F>
    where
        M: Fn(Body) -> R,
        F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    {
        Streaming(Reading::over(move |feed| make(Body::new(feed)), read))
    }
}

impl<M, F> Streaming<M, F> {
    /// Puts an empty item before each chunk, as some bodies have them, and another where the
    /// subject is [called again](crate::Event::Again).
    #[must_use]
    pub fn with_empty_items(mut self) -> Self {
        self.0.empty_items = 1;
        self
    }

    /// Polls again after an error, as a program does that logs it and continues. A stream is polled
    /// again by default. An error after the end of the stream is the last, and so is one that is
    /// returned for ever without a read in between.
    #[must_use]
    pub fn resumes(self) -> Self {
        Self(self.0.resumes())
    }

    /// Ends the run at the first error, as a program does that gives the stream up.
    #[must_use]
    pub fn stops(self) -> Self {
        Self(self.0.stops())
    }

    /// Runs the subject inside a runtime of tokio with a paused clock; see
    /// [`Reading::in_runtime`].
    #[cfg(feature = "tokio-runtime")]
    #[must_use]
    pub fn in_runtime(self) -> Self {
        Self(self.0.in_runtime())
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

    fn pulls(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        self.0.run(run);
    }
}
