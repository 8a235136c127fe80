//! Async readers: an `async fn` over a connection, called until it returns `None`.

use std::fmt::Debug;
use std::pin::pin;

use enjamb::End;

use crate::kind::Kind;
use crate::output::Output;
use crate::run::Run;
use crate::subject::Subject;

use super::chunks::Chunks;
use super::executor::{Executor, Surroundings};
use super::feed::Feed;
use super::repetition::{Repeated, Repetition};

/// The [`Subject`] of an async reader.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use enjamb_law::{Chunks, Reading, Segmentations, split_everywhere, stream};
/// use tokio::io::AsyncReadExt;
///
/// async fn read_pair(reader: &mut Chunks) -> std::io::Result<Option<u16>> {
///     Ok(Some(reader.read_u16().await?))
/// }
///
/// let pairs = Reading::new(read_pair);
/// split_everywhere(&pairs, &stream(b"aabb"), &Segmentations::up_to_two_cuts()).unwrap();
/// # }
/// ```
///
/// The function is called again after each event, with the same reader, until it returns `Ok(None)`
/// or an error. It runs without a runtime, unless it is put [into one](Self::in_runtime).
///
/// The next chunk arrives only when the reader waits for it. Three kinds of reader commit a breach:
///
/// * [`Asleep`](crate::Breach::Asleep): the chunk does not wake it, because it left no waker, or
///   another waker than the one that it was polled with;
/// * [`Busy`](crate::Breach::Busy): it wakes itself again and again, and reads nothing;
/// * [`Hung`](crate::Breach::Hung): it reads the end of the stream 10,000 times in one call.
///
/// When it is [called again](crate::Event::Again) without new bytes, the task is polled without a
/// wake-up.
#[derive(Clone, Copy, Debug)]
pub struct Reading<M, F> {
    make: M,
    read: F,
    at_most: usize,
    pub(super) empty_items: usize,
    resumes: bool,
    in_runtime: bool,
}

impl Reading<(), ()> {
    /// Makes a subject of a function that reads the next event from a connection.
    pub fn new<F, T, E>(read: F) -> Reading<impl Fn(Feed) -> Chunks + Clone, F>
    where
        F: AsyncFn(&mut Chunks) -> Result<Option<T>, E>,
    {
        Reading::over(Chunks::new, read)
    }

    /// Makes a subject of the reader that `make` puts around a connection, and of a function that
    /// reads its next event.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use enjamb_law::{Reading, split, stream};
    /// use tokio::io::{AsyncBufReadExt, BufReader};
    ///
    /// let lines = Reading::with(|chunks| BufReader::new(chunks).lines(), async |lines| lines.next_line().await);
    /// split(&lines, &stream(b"one\r\ntwo\n"), &[4]).unwrap();
    /// # }
    /// ```
    pub fn with<M, R, F, T, E>(make: M, read: F) -> Reading<impl Fn(Feed) -> R, F>
    where
        M: Fn(Chunks) -> R,
        F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    {
        Reading::over(move |feed| make(Chunks::new(feed)), read)
    }

    /// Makes a subject of the stream of events that `make` puts around a connection. `FramedRead`
    /// is such a stream.
    ///
    /// ```
    /// # #[cfg(feature = "tokio-util")] {
    /// use enjamb_law::{Reading, split, stream};
    /// use tokio_util::codec::{FramedRead, LinesCodec};
    ///
    /// let lines = Reading::stream(|chunks| FramedRead::new(chunks, LinesCodec::new()));
    /// split(&lines, &stream(b"one\r\ntwo\n"), &[4]).unwrap();
    /// # }
    /// ```
    #[cfg(feature = "futures")]
    pub fn stream<M, S, T, E>(
        make: M,
    ) -> Reading<impl Fn(Feed) -> PinnedStream<S>, impl AsyncFn(&mut PinnedStream<S>) -> Result<Option<T>, E>>
    where
        M: Fn(Chunks) -> S,
        S: futures_core::Stream<Item = Result<T, E>>,
    {
        Reading::over(move |feed| Box::pin(make(Chunks::new(feed))), next).resumes()
    }

    pub(super) fn over<M, R, F, T, E>(make: M, read: F) -> Reading<M, F>
    where
        M: Fn(Feed) -> R,
        F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    {
        Reading { make, read, at_most: usize::MAX, empty_items: 0, resumes: false, in_runtime: false }
    }
}

/// A pinned stream, which can be polled.
#[cfg(feature = "futures")]
pub(super) type PinnedStream<S> = std::pin::Pin<Box<S>>;

/// Returns the next item of a stream.
#[cfg(feature = "futures")]
pub(super) async fn next<S, T, E>(stream: &mut PinnedStream<S>) -> Result<Option<T>, E>
where
    S: futures_core::Stream<Item = Result<T, E>>,
{
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await.transpose()
}

impl<M, F> Reading<M, F> {
    /// Limits each read to `at_most` bytes, and at least one, even where more of the chunk has
    /// arrived. That finds a reader which takes one read for a whole message, or for the whole
    /// chunk, without a cut.
    #[must_use]
    pub fn stingy(mut self, at_most: usize) -> Self {
        self.at_most = at_most.max(1);
        self
    }

    /// Calls the function again after an error, as a program does that logs it and continues. A
    /// [`stream`](Reading::stream) is polled again by default. An error after the end of the stream
    /// is the last, and so is one that is returned for ever without a read in between.
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

    /// Runs the subject inside a runtime of tokio with one thread, for code that starts tasks
    /// (`tokio::spawn`) or sets timers (`tokio::time`). It needs the feature `tokio-runtime`.
    ///
    /// The clock is paused. It moves only when the subject waits for its timers alone, so a timeout
    /// does not expire while bytes are on their way, and a run takes no real time. The next chunk
    /// arrives when the subject and the tasks that it has started are idle.
    ///
    /// ```
    /// use enjamb_law::{Chunks, Reading, Segmentations, split_everywhere, stream};
    /// use tokio::io::AsyncReadExt;
    /// use tokio::sync::mpsc;
    ///
    /// /// Reads in a task of its own.
    /// fn spawned(mut connection: Chunks) -> mpsc::Receiver<u16> {
    ///     let (pairs, receiver) = mpsc::channel(1);
    ///     tokio::spawn(async move {
    ///         while let Ok(pair) = connection.read_u16().await {
    ///             pairs.send(pair).await.unwrap();
    ///         }
    ///     });
    ///     receiver
    /// }
    ///
    /// let pairs = Reading::with(spawned, async |pairs| Ok::<_, std::io::Error>(pairs.recv().await)).in_runtime();
    /// split_everywhere(&pairs, &stream(b"aabb"), &Segmentations::up_to_two_cuts()).unwrap();
    /// ```
    #[cfg(feature = "tokio-runtime")]
    #[must_use]
    pub fn in_runtime(mut self) -> Self {
        self.in_runtime = true;
        self
    }

    fn surroundings(&self) -> Surroundings {
        match self.in_runtime {
            #[cfg(feature = "tokio-runtime")]
            true => Surroundings::Tokio(super::runtime::PausedRuntime::new().into()),
            _ => Surroundings::None,
        }
    }
}

impl<M, F, R, T, E> Subject for Reading<M, F>
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
        let surroundings = self.surroundings();
        surroundings.within(|| self.run_in(surroundings.clone(), run));
    }
}

impl<M, F, R, T, E> Reading<M, F>
where
    M: Fn(Feed) -> R,
    F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    E: Debug,
{
    fn run_in(&self, surroundings: Surroundings, run: &mut Run<'_, T, Kind>) {
        let feed = Feed::new(self.at_most);
        let mut executor = Executor::new(feed.clone(), self.empty_items, surroundings);
        let mut reader = (self.make)(feed.clone());
        let mut repetition = Repetition::default();
        while let Some(result) = executor.finish(pin!((self.read)(&mut reader)), run) {
            match result {
                Ok(Some(event)) => {
                    repetition = Repetition::default();
                    run.event(event);
                }
                Ok(None) => {
                    // A reader that stops by itself before the end of the stream gives no verdict
                    // on the end.
                    if feed.end_seen() {
                        run.emit(Output::End(End::Clean));
                    }
                    return;
                }
                Err(error) => {
                    let kind = Kind::of(&error);
                    match repetition.of(&kind, feed.bytes_read()) {
                        _ if !self.resumes => {}
                        Repeated::No => {}
                        Repeated::Again => continue,
                        Repeated::ForEver => {
                            run.emit(Output::GivenUp);
                            return;
                        }
                    }
                    let goes_on = run.fail(kind);
                    if feed.end_seen() || !(self.resumes || goes_on && executor.go_on(run)) {
                        return;
                    }
                }
            }
        }
    }
}
