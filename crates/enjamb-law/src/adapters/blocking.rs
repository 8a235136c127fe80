//! Blocking readers: code that reads from a `std::io::Read` or `BufRead`.
//!
//! A blocking reader requests the next chunk inside its own call, and cannot return to the law
//! there. So the adapter takes all chunks of a run before it starts. [`Incoming`] counts the chunks
//! that were read, and the adapter reports those requests to the run, in order, before it reports
//! an event.

use std::fmt::Debug;

use enjamb::End;

use crate::kind::Kind;
use crate::measure::uncounted;
use crate::output::{Breach, Output};
use crate::run::Run;
use crate::subject::Subject;

use super::incoming::{Incoming, RequestReporter};
use super::repetition::{Repeated, Repetition};

/// The [`Subject`] of a blocking reader.
///
/// ```
/// use enjamb_law::{Blocking, Segmentations, split_everywhere, stream};
/// use std::io::{BufRead, BufReader};
///
/// let lines = Blocking::iterator(|incoming| BufReader::new(incoming).lines());
/// split_everywhere(&lines, &stream(b"one\r\ntwo\n\nthree"), &Segmentations::up_to_two_cuts()).unwrap();
/// ```
///
/// The reader is called until it returns `None` or an error. A reader that reads the end of the
/// stream 10,000 times is [`Hung`](Breach::Hung).
///
/// A blocking reader cannot be [called again](crate::Event::Again) before its call returns, so it
/// does not notice such an event; with [`interrupted`](Self::interrupted), a read then fails with
/// `ErrorKind::Interrupted`.
#[derive(Clone, Copy, Debug)]
pub struct Blocking<M, F, N> {
    make: M,
    read: F,
    interrupted: bool,
    would_block: Option<N>,
    resumes: bool,
}

impl Blocking<(), (), ()> {
    /// Makes a subject of a function that reads the next event from a connection.
    pub fn new<F, T, E>(read: F) -> Blocking<impl Fn(Incoming) -> Incoming + Clone, F, fn(&E) -> bool>
    where
        F: Fn(&mut Incoming) -> Result<Option<T>, E>,
    {
        Blocking::with(|incoming| incoming, read)
    }

    /// Makes a subject of the reader that `make` puts around a connection, and of a function that
    /// reads its next event.
    pub fn with<M, R, F, T, E>(make: M, read: F) -> Blocking<M, F, fn(&E) -> bool>
    where
        M: Fn(Incoming) -> R,
        F: Fn(&mut R) -> Result<Option<T>, E>,
    {
        Blocking { make, read, interrupted: false, would_block: None, resumes: false }
    }

    /// Makes a subject of the iterator of events that `make` puts around a connection.
    pub fn iterator<M, I, T, E>(make: M) -> Blocking<M, impl Fn(&mut I) -> Result<Option<T>, E> + Clone, fn(&E) -> bool>
    where
        M: Fn(Incoming) -> I,
        I: Iterator<Item = Result<T, E>>,
    {
        Blocking::with(make, |events: &mut I| events.next().transpose()).resumes()
    }
}

impl<M, F, N> Blocking<M, F, N> {
    /// Lets a read fail with `ErrorKind::Interrupted` where the subject is [called
    /// again](crate::Event::Again). Any read may fail in this way when a signal arrives, and the
    /// caller must read again. The readers of the standard library do; the law
    /// [`quiet`](crate::quiet) finds those that return the error.
    #[must_use]
    pub fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self
    }

    /// Makes the connection non-blocking: a read without bytes fails with `ErrorKind::WouldBlock`,
    /// once before each chunk and once before the end. If `is_would_block` finds that error in the
    /// result of the function, the function is called again. It must keep the part of a message
    /// that it has read.
    #[must_use]
    pub fn would_block<R, T, E, P>(self, is_would_block: P) -> Blocking<M, F, P>
    where
        M: Fn(Incoming) -> R,
        F: Fn(&mut R) -> Result<Option<T>, E>,
        P: Fn(&E) -> bool,
    {
        let Self { make, read, interrupted, resumes, .. } = self;
        Blocking { make, read, interrupted, would_block: Some(is_would_block), resumes }
    }

    /// Calls the function again after an error, as a program does that logs it and continues. An
    /// [`iterator`](Blocking::iterator) is called again by default. An error after the end of the
    /// stream is the last, and so is one that is returned for ever without a read in between.
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

impl<M, F, N, R, T, E> Subject for Blocking<M, F, N>
where
    M: Fn(Incoming) -> R,
    F: Fn(&mut R) -> Result<Option<T>, E>,
    N: Fn(&E) -> bool,
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn waits(&self) -> bool {
        self.would_block.is_some()
    }

    fn pulls(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let incoming = uncounted(|| {
            let events = run.rest().map(|(_, event)| event);
            Incoming::new(events, self.interrupted, self.would_block.is_some())
        });
        self.read_all(run, &incoming);
        uncounted(|| drop(incoming));
    }
}

impl<M, F, N> Blocking<M, F, N> {
    fn read_all<R, T, E>(&self, run: &mut Run<'_, T, Kind>, incoming: &Incoming)
    where
        M: Fn(Incoming) -> R,
        F: Fn(&mut R) -> Result<Option<T>, E>,
        N: Fn(&E) -> bool,
        E: Debug,
    {
        let mut reporter = RequestReporter::new(incoming.clone());
        let mut reader = (self.make)(incoming.clone());
        let mut calls_before = 0;
        let mut repetition = Repetition::default();
        loop {
            let result = (self.read)(&mut reader);
            let end_seen = reporter.report(run);
            if end_seen {
                run.end();
            }
            match result {
                Ok(Some(event)) => {
                    repetition = Repetition::default();
                    run.event(event);
                }
                Ok(None) => {
                    if end_seen {
                        run.emit(Output::End(End::Clean));
                    }
                    return;
                }
                Err(error) if self.would_block.as_ref().is_some_and(|is_would_block| is_would_block(&error)) => {
                    // Without a read between two calls, it returns the same error for ever.
                    let calls = incoming.calls();
                    if calls == calls_before {
                        run.breach(Breach::Asleep);
                        return;
                    }
                    calls_before = calls;
                }
                Err(error) => {
                    let kind = Kind::of(&error);
                    match repetition.of(&kind, incoming.calls()) {
                        _ if !self.resumes => {}
                        Repeated::No => {}
                        Repeated::Again => continue,
                        Repeated::ForEver => {
                            run.emit(Output::GivenUp);
                            return;
                        }
                    }
                    let goes_on = run.fail(kind);
                    if end_seen || !(self.resumes || goes_on && incoming.skip()) {
                        return;
                    }
                }
            }
        }
    }
}
