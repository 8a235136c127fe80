//! One run of a subject: what it is fed, what it says, and when.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, resume_unwind};

use enjamb::Side;

use crate::cutting::{Cutting, Event};
use crate::panics;
use crate::pulse;
use crate::subject::{Fault, Said, Subject};

/// Where a subject gets its input, and where it says what it makes of it.
pub struct Run<'r, E, F> {
    input: &'r mut dyn Iterator<Item = (Side, Event<'r>)>,
    listener: &'r mut dyn Listener<E, F>,
    budget: Budget,
    after_error: AfterError,
}

/// Who hears what a subject says.
pub(crate) trait Listener<E, F> {
    /// It says this.
    fn hear(&mut self, said: Said<E, F>);
    /// It has said all there is to say of what it was given, and asks for more.
    fn asked(&mut self) {}
    /// It was given this.
    fn given(&mut self, event: Event<'_>) {
        let _ = event;
    }
    /// This many events have begun, and may go on: they are said once it is known that they do not.
    fn pending(&mut self, events: usize) {
        let _ = events;
    }
    /// It holds this many bytes.
    fn holds(&mut self, bytes: usize) {
        let _ = bytes;
    }
}

/// What is asked of a subject that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterError {
    /// Nothing: its run is over.
    Stop,
    /// The same as before: a subject that can be fed is fed.
    GoOn,
}

/// How much may be said of so many bytes, before it is taken for endless.
#[derive(Clone, Copy)]
struct Budget {
    bytes: usize,
    said: usize,
}

impl Budget {
    fn most(self) -> usize {
        64 + 16 * self.bytes
    }
}

/// What unwinds out of a subject that is stopped, and what it did where that was not said yet.
struct Stopped(Option<Fault>);

/// Stops a subject from inside a call that it makes and that it would make for ever.
pub(crate) fn stop(fault: Fault) -> ! {
    resume_unwind(Box::new(Stopped(Some(fault))))
}

/// Leaves a subject from inside a call that it makes: what it says is of no interest any more.
pub(crate) fn leave() -> ! {
    resume_unwind(Box::new(Stopped(None)))
}

impl<'r, E, F> Run<'r, E, F> {
    pub(crate) fn new(
        input: &'r mut dyn Iterator<Item = (Side, Event<'r>)>,
        listener: &'r mut dyn Listener<E, F>,
        after_error: AfterError,
    ) -> Self {
        Self { input, listener, budget: Budget { bytes: 0, said: 0 }, after_error }
    }

    /// The next of the input; `None` when the stream has ended. Asking says: of what was given before, all has been said.
    #[allow(clippy::should_implement_trait, reason = "it is asked, and the asking is told to the law")]
    pub fn next(&mut self) -> Option<(Side, Event<'r>)> {
        self.asked();
        let next = self.input.next();
        if let Some((_, event)) = next {
            self.given(event);
        }
        next
    }

    /// What there still is, for a subject that cannot come back for it. It tells when it would have [asked](Self::asked) and what it was
    /// [given](Self::given) then.
    pub(crate) fn rest(&mut self) -> &mut dyn Iterator<Item = (Side, Event<'r>)> {
        &mut *self.input
    }

    /// More was asked for.
    pub(crate) fn asked(&mut self) {
        self.listener.asked();
    }

    /// This was given.
    pub(crate) fn given(&mut self, event: Event<'_>) {
        if let Event::Chunk(bytes) = event {
            self.budget.bytes += bytes.len();
        }
        pulse::given();
        self.listener.given(event);
    }

    /// The next of a subject that reads one stream: the bytes of a chunk, empty where it is only asked again. Gaps, and which side speaks, are not
    /// told.
    pub fn next_chunk(&mut self) -> Option<&'r [u8]> {
        loop {
            match self.next()?.1 {
                Event::Chunk(bytes) => return Some(bytes),
                Event::Again => return Some(&[]),
                Event::Gap(_) | Event::Close(_) => {}
            }
        }
    }

    /// Says something. Does not return to a subject that says more than can come of what it was fed.
    pub fn say(&mut self, said: Said<E, F>) {
        self.budget.said += 1;
        if self.budget.said > self.budget.most() {
            let Budget { bytes, said } = self.budget;
            self.listener.hear(Said::Broke(Fault::Endless { said, bytes }));
            resume_unwind(Box::new(Stopped(None)));
        }
        self.listener.hear(said);
    }

    /// Says an event.
    pub fn event(&mut self, event: E) {
        self.say(Said::Event(event));
    }

    /// Says that it failed. `true`: it is to be fed on all the same, because a law wants to see what a failed subject says. A subject that cannot
    /// be fed any more may end its run.
    #[must_use]
    pub fn failed(&mut self, error: F) -> bool {
        self.say(Said::Failed(error));
        self.after_error == AfterError::GoOn
    }

    /// Says what nothing may do.
    pub fn broke(&mut self, fault: Fault) {
        self.say(Said::Broke(fault));
    }

    /// Says how many bytes the subject holds on to now, in buffers at their capacity.
    pub fn holds(&mut self, bytes: usize) {
        self.listener.holds(bytes);
    }

    /// A run of whose sayings `map` makes those that reach this one.
    pub(crate) fn through<E2, F2>(
        &mut self,
        map: impl Fn(Said<E2, F2>, &mut dyn FnMut(Said<E, F>)),
        subject: impl FnOnce(&mut Run<'_, E2, F2>),
    ) {
        let mut listener = Through { listener: &mut *self.listener, map };
        let mut input = Shorter(&mut *self.input);
        subject(&mut Run {
            input: &mut input,
            listener: &mut listener,
            budget: self.budget,
            after_error: self.after_error,
        });
    }
}

impl<E, F> Run<'_, E, F> {
    /// A run whose adjacent events are one where `merge` makes them one; see [`Subject::merging`].
    pub(crate) fn merging(&mut self, merge: &dyn Fn(&mut E, E) -> Option<E>, subject: impl FnOnce(&mut Run<'_, E, F>)) {
        let mut listener = Merged { listener: &mut *self.listener, merge, last: None };
        let mut input = Shorter(&mut *self.input);
        subject(&mut Run {
            input: &mut input,
            listener: &mut listener,
            budget: self.budget,
            after_error: self.after_error,
        });
        listener.say_last();
    }
}

struct Merged<'l, E, F> {
    listener: &'l mut dyn Listener<E, F>,
    merge: &'l dyn Fn(&mut E, E) -> Option<E>,
    /// The last event, which the next may belong to.
    last: Option<E>,
}

impl<E, F> Merged<'_, E, F> {
    fn say_last(&mut self) {
        if let Some(event) = self.last.take() {
            self.listener.hear(Said::Event(event));
        }
    }
}

impl<E, F> Listener<E, F> for Merged<'_, E, F> {
    fn hear(&mut self, said: Said<E, F>) {
        let Said::Event(event) = said else {
            self.say_last();
            return self.listener.hear(said);
        };
        let next = match &mut self.last {
            Some(last) => (self.merge)(last, event),
            None => Some(event),
        };
        if let Some(next) = next {
            self.say_last();
            self.last = Some(next);
        }
    }
    fn asked(&mut self) {
        self.listener.pending(usize::from(self.last.is_some()));
        self.listener.asked();
    }
    fn given(&mut self, event: Event<'_>) {
        self.listener.given(event);
    }
    fn pending(&mut self, events: usize) {
        self.listener.pending(events);
    }
    fn holds(&mut self, bytes: usize) {
        self.listener.holds(bytes);
    }
}

/// Events that need not live as long as the input.
struct Shorter<'s, I: ?Sized>(&'s mut I);

impl<'s, 'i: 's, I: Iterator<Item = (Side, Event<'i>)> + ?Sized> Iterator for Shorter<'s, I> {
    type Item = (Side, Event<'s>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

struct Through<'l, E, F, M> {
    listener: &'l mut dyn Listener<E, F>,
    map: M,
}

impl<E, F, E2, F2, M: Fn(Said<E2, F2>, &mut dyn FnMut(Said<E, F>))> Listener<E2, F2> for Through<'_, E, F, M> {
    fn hear(&mut self, said: Said<E2, F2>) {
        (self.map)(said, &mut |said| self.listener.hear(said));
    }
    fn asked(&mut self) {
        self.listener.asked();
    }
    fn given(&mut self, event: Event<'_>) {
        self.listener.given(event);
    }
    fn pending(&mut self, events: usize) {
        self.listener.pending(events);
    }
    fn holds(&mut self, bytes: usize) {
        self.listener.holds(bytes);
    }
}

/// Runs a fresh subject over `input`. A panic of the subject is the last thing it says.
pub(crate) fn drive<'i, S: Subject + ?Sized>(
    subject: &S,
    input: &mut impl Iterator<Item = (Side, Event<'i>)>,
    listener: &mut dyn Listener<S::Event, S::Error>,
    after_error: AfterError,
) {
    pulse::beat();
    let mut input = Shorter(input);
    // The listener is used again after a panic: it is ours, and a call of it does not panic half-way.
    let mut run = Run::new(&mut input, listener, after_error);
    let outcome = panics::caught(AssertUnwindSafe(|| subject.run(&mut run)));
    if let Err(panic) = outcome {
        let fault = match panic.payload.downcast::<Stopped>() {
            Ok(stopped) => stopped.0,
            Err(_) => Some(Fault::Panicked(panic.message)),
        };
        if let Some(fault) = fault {
            run.listener.hear(Said::Broke(fault));
        }
    }
}

/// Keeps all that is said.
pub(crate) struct Recorder<E, F>(pub(crate) Vec<Said<E, F>>);

impl<E, F> Listener<E, F> for Recorder<E, F> {
    fn hear(&mut self, said: Said<E, F>) {
        self.0.push(said);
    }
}

/// All that a fresh subject says of `input`, cut at `cuts`.
pub(crate) fn trace<S: Subject + ?Sized>(
    subject: &S,
    input: &Cutting,
    cuts: &[usize],
) -> Vec<Said<S::Event, S::Error>> {
    pulse::cuts(cuts);
    let mut recorder = Recorder(Vec::new());
    drive(subject, &mut input.cut(cuts), &mut recorder, AfterError::Stop);
    recorder.0
}

/// As it is printed.
pub(crate) fn told<E: Debug, F: Debug>(trace: &[Said<E, F>]) -> Vec<String> {
    trace.iter().map(Said::told).collect()
}

/// What a trace holds that nothing may do.
pub(crate) fn fault<E, F>(trace: &[Said<E, F>]) -> Option<&Fault> {
    trace.iter().find_map(|said| if let Said::Broke(fault) = said { Some(fault) } else { None })
}

/// Compares what is said with what is expected.
struct Comparer<'e, E, F> {
    expected: std::slice::Iter<'e, Said<E, F>>,
    same: bool,
}

impl<E: PartialEq, F: PartialEq> Listener<E, F> for Comparer<'_, E, F> {
    fn hear(&mut self, said: Said<E, F>) {
        self.same &= self.expected.next() == Some(&said);
    }
}

/// Does a fresh subject say `expected` and nothing else?
pub(crate) fn agrees<S: Subject + ?Sized>(
    subject: &S,
    input: &Cutting,
    cuts: &[usize],
    expected: &[Said<S::Event, S::Error>],
) -> bool
where
    S::Event: PartialEq,
    S::Error: PartialEq,
{
    pulse::cuts(cuts);
    let mut comparer = Comparer { expected: expected.iter(), same: true };
    drive(subject, &mut input.cut(cuts), &mut comparer, AfterError::Stop);
    comparer.same && comparer.expected.next().is_none()
}
