//! Async writers: what is written must be the same whatever the connection takes at a time.
//!
//! A write may take fewer bytes than it was given, and it may have to wait. That is the split law from the other side: the bytes of the input are room on the
//! connection, each chunk the most that the next write takes, and each cut is a place where the writer must wait and be woken. So the laws
//! of readers are those of writers, without a word changed; only what the bytes of the input *are* means nothing, just how many.

use std::fmt::{self, Debug};
use std::pin::pin;

use crate::cutting::{Cutting, stream};
use crate::kind::Kind;
use crate::output::Output;
use crate::run::{AfterError, Listener, Run};
use crate::subject::Subject;
use crate::trace::drive;

use super::executor::Executor;
use super::feed::Feed;
use super::outgoing::{Log, Outgoing};

/// An async writer and what it is to write, as a [`Subject`] whose input is room on the connection.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use enjamb_law::{Outgoing, Segmentations, Writing, split_everywhere};
/// use tokio::io::AsyncWriteExt;
///
/// let writing = Writing::new(vec!["one", "two"], async |connection: &mut Outgoing, line| {
///     connection.write_all(line.as_bytes()).await?;
///     connection.write_all(b"\r\n").await
/// });
/// split_everywhere(&writing, &writing.input(), &Segmentations::up_to_two_cuts()).unwrap();
/// # }
/// ```
///
/// Its one event, said when all items are written, is all that was written. A cut of the input is where a write may take no more, and the
/// next is `Pending`; where the input ends the connection takes all it is given. A writer that is not woken when there is room again is
/// [`Asleep`](crate::Breach::Asleep), and one that tries and tries is [`Busy`](crate::Breach::Busy), as a [`Reading`](crate::Reading) is.
///
/// The laws that say something of it are [`split`](crate::split), [`quiet`](crate::quiet), [`awake`](crate::awake) and
/// [`total`](crate::total).
#[derive(Clone, Debug)]
pub struct Writing<M, T, F, A> {
    make: M,
    items: Vec<T>,
    write: F,
    at_end: A,
    vectored: bool,
}

impl Writing<(), (), (), ()> {
    /// `items`, written by a function that writes one.
    pub fn new<T, F, E>(
        items: Vec<T>,
        write: F,
    ) -> Writing<impl Fn(Outgoing) -> Outgoing + Clone, T, F, impl AsyncFn(&mut Outgoing) -> Result<(), E>>
    where
        T: Clone,
        F: AsyncFn(&mut Outgoing, T) -> Result<(), E>,
    {
        Writing::with(|outgoing| outgoing, items, write)
    }

    /// `items`, written by a function that writes one to the writer that `make` puts around a connection.
    pub fn with<M, W, T, F, E>(
        make: M,
        items: Vec<T>,
        write: F,
    ) -> Writing<M, T, F, impl AsyncFn(&mut W) -> Result<(), E>>
    where
        M: Fn(Outgoing) -> W,
        T: Clone,
        F: AsyncFn(&mut W, T) -> Result<(), E>,
    {
        Writing { make, items, write, at_end: async |_: &mut W| Ok(()), vectored: false }
    }
}

impl<M, T, F, A> Writing<M, T, F, A> {
    /// What is called when all items are written: to flush a buffer, to say goodbye.
    #[must_use]
    pub fn at_end<W, E, B>(self, at_end: B) -> Writing<M, T, F, B>
    where
        M: Fn(Outgoing) -> W,
        F: AsyncFn(&mut W, T) -> Result<(), E>,
        B: AsyncFn(&mut W) -> Result<(), E>,
    {
        let Self { make, items, write, vectored, .. } = self;
        Writing { make, items, write, at_end, vectored }
    }

    /// The connection takes bytes of several buffers in one write, and says that it does.
    #[must_use]
    pub fn vectored(mut self) -> Self {
        self.vectored = true;
        self
    }

    /// An input with room for just what is written, so that every cut of it matters.
    #[must_use]
    pub fn input(&self) -> Cutting
    where
        Self: Subject<Event = Written>,
    {
        struct Length(usize);
        impl<F> Listener<Written, F> for Length {
            fn receive(&mut self, said: Output<Written, F>) {
                if let Output::Event(Written(bytes)) = said {
                    self.0 = bytes.len();
                }
            }
        }
        let mut length = Length(0);
        drive(self, &mut std::iter::empty(), &mut length, AfterError::Stop);
        stream(&vec![0; length.0])
    }
}

/// Written, shown as a literal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Written(pub Vec<u8>);

impl Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl<M, W, T, F, A, E> Subject for Writing<M, T, F, A>
where
    M: Fn(Outgoing) -> W,
    T: Clone,
    F: AsyncFn(&mut W, T) -> Result<(), E>,
    A: AsyncFn(&mut W) -> Result<(), E>,
    E: Debug,
{
    type Event = Written;
    type Error = Kind;

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_, Written, Kind>) {
        let feed = Feed::new(usize::MAX);
        let mut executor = Executor::new(feed.clone(), 0);
        let log = Log::default();
        let mut writer = (self.make)(Outgoing::new(feed, log.clone(), self.vectored));
        let all = async {
            for item in &self.items {
                (self.write)(&mut writer, item.clone()).await?;
            }
            (self.at_end)(&mut writer).await
        };
        let Some(outcome) = executor.finish(pin!(all), run) else {
            return;
        };
        run.event(Written(std::mem::take(&mut log.bytes())));
        if let Err(error) = outcome {
            let _ = run.fail(Kind::of(&error));
        }
    }
}
