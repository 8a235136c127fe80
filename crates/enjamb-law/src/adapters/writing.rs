//! Async writers: they must write the same bytes, whatever number of bytes the connection takes at
//! a time.
//!
//! A write may take fewer bytes than it was given, and it may have to wait. That is the split law
//! in the other direction: each byte of the input is room for one byte on the connection, each
//! chunk is the maximum that the next write takes, and each cut is a place where the writer must
//! wait and be woken. So the laws of readers apply to writers unchanged. Only the number of input
//! bytes matters, not their values.

use std::fmt::{self, Debug};
use std::pin::pin;

use crate::cutting::{Cutting, stream};
use crate::kind::Kind;
use crate::output::Output;
use crate::run::{AfterError, Listener, Run};
use crate::subject::Subject;
use crate::trace::drive;

use super::executor::{Executor, Surroundings};
use super::feed::Feed;
use super::outgoing::{Log, Outgoing};

/// The [`Subject`] of an async writer and the items that it writes. Its input is room on the
/// connection.
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
/// It emits one event when all items are written, which contains all bytes that were written. At a
/// cut of the input a write takes no more, and the next is `Pending`. After the end of the input,
/// the connection takes every write whole. A writer that is not woken when there is room again is
/// [`Asleep`](crate::Breach::Asleep), and one that keeps waking itself is
/// [`Busy`](crate::Breach::Busy), as for [`Reading`](crate::Reading).
///
/// The laws that apply to it are [`split`](crate::split), [`quiet`](crate::quiet),
/// [`awake`](crate::awake) and [`total`](crate::total).
#[derive(Clone, Debug)]
pub struct Writing<M, T, F, A> {
    make: M,
    items: Vec<T>,
    write: F,
    at_end: A,
    vectored: bool,
}

impl Writing<(), (), (), ()> {
    /// Makes a subject of `items` and a function that writes one of them.
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

    /// Makes a subject of the writer that `make` puts around a connection, of `items`, and of a
    /// function that writes one of them.
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
    /// Calls `at_end` when all items are written, to flush a buffer or to send a closing message.
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

    /// Lets the connection take bytes of several buffers in one write, and report that it does so.
    #[must_use]
    pub fn vectored(mut self) -> Self {
        self.vectored = true;
        self
    }

    /// Returns an input with exactly the room that the writer needs, so that every cut matters.
    #[must_use]
    pub fn input(&self) -> Cutting
    where
        Self: Subject<Event = WrittenBytes>,
    {
        struct Length(usize);
        impl<F> Listener<WrittenBytes, F> for Length {
            fn receive(&mut self, said: Output<WrittenBytes, F>) {
                if let Output::Event(WrittenBytes(bytes)) = said {
                    self.0 = bytes.len();
                }
            }
        }
        let mut length = Length(0);
        drive(self, &mut std::iter::empty(), &mut length, AfterError::Stop);
        stream(&vec![0; length.0])
    }
}

/// The bytes that a [`Writing`] subject wrote. Its `Debug` text is a string literal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WrittenBytes(pub Vec<u8>);

impl Debug for WrittenBytes {
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
    type Event = WrittenBytes;
    type Error = Kind;

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_, WrittenBytes, Kind>) {
        let feed = Feed::new(usize::MAX);
        let mut executor = Executor::new(feed.clone(), 0, Surroundings::None);
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
        run.event(WrittenBytes(std::mem::take(&mut log.bytes())));
        if let Err(error) = outcome {
            let _ = run.fail(Kind::of(&error));
        }
    }
}
