//! One run of a subject: its input, its outputs, and the time at which each is emitted.

use std::panic::{AssertUnwindSafe, resume_unwind};

use enjamb::Side;
use enjamb_isolate::catch_panic;

use crate::cutting::{Cutting, Event};
use crate::output::{Breach, Comparison, Output};
use crate::pulse;

/// The source of a subject's input and the receiver of its outputs.
pub struct Run<'r, E, F> {
    input: &'r mut dyn Iterator<Item = (Side, Event<'r>)>,
    listener: &'r mut dyn Listener<E, F>,
    budget: Budget,
    after_error: AfterError,
    /// Whether there was an error.
    failed: bool,
    /// Whether the end of the stream was requested.
    ended: bool,
}

/// Receives the outputs of a subject.
pub(crate) trait Listener<E, F> {
    /// Receives an output of the subject.
    fn receive(&mut self, output: Output<E, F>);
    /// Notes that the subject has emitted everything for its input so far, and requests more.
    fn asked(&mut self) {}
    /// Notes that the subject received this event.
    fn given(&mut self, event: Event<'_>) {
        let _ = event;
    }
    /// Notes the number of events that have begun and may grow. They are emitted once it is certain
    /// that they do not grow.
    fn pending(&mut self, events: usize) {
        let _ = events;
    }
    /// Notes the number of bytes that the subject holds.
    fn holds(&mut self, bytes: usize) {
        let _ = bytes;
    }
}

/// The continuation of a run after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterError {
    /// The run is over.
    Stop,
    /// The run continues: a subject that can be fed is fed as before.
    GoOn,
}

/// The number of outputs that are allowed for the bytes so far. A subject that exceeds it is
/// endless.
#[derive(Clone, Copy)]
struct Budget {
    bytes: usize,
    outputs: usize,
}

impl Budget {
    fn most(self) -> usize {
        64 + 16 * self.bytes
    }
}

/// The payload that unwinds out of a subject which is stopped, with a breach that was not emitted
/// yet.
struct Stopped(Option<Breach>);

/// Stops a subject from inside a call that it makes and would make forever.
pub(crate) fn stop(breach: Breach) -> ! {
    resume_unwind(Box::new(Stopped(Some(breach))))
}

/// Leaves a subject from inside a call that it makes, when its further outputs do not matter.
pub(crate) fn leave() -> ! {
    resume_unwind(Box::new(Stopped(None)))
}

impl<'r, E, F> Run<'r, E, F> {
    /// Returns the next part of the input, or `None` at the end of the stream. By the call the
    /// subject reports that it has emitted everything for the input so far.
    #[allow(clippy::should_implement_trait, reason = "a call of it is an observation for the law")]
    pub fn next(&mut self) -> Option<(Side, Event<'r>)> {
        self.asked();
        let next = self.input.next();
        match next {
            Some((_, event)) => self.given(event),
            None => self.end(),
        }
        next
    }

    /// Returns the rest of the input, for a subject that cannot call [`next`](Self::next). The
    /// subject reports with [`asked`](Self::asked) and [`given`](Self::given) when it would have
    /// called it.
    pub(crate) fn rest(&mut self) -> &mut dyn Iterator<Item = (Side, Event<'r>)> {
        &mut *self.input
    }

    /// Notes that the subject requested more.
    pub(crate) fn asked(&mut self) {
        self.listener.asked();
    }

    /// Notes that the subject requested the end of the stream.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Notes that the subject received this event.
    pub(crate) fn given(&mut self, event: Event<'_>) {
        if let Event::Chunk(bytes) = event {
            self.budget.bytes += bytes.len();
        }
        pulse::given();
        self.listener.given(event);
    }

    /// Returns the next chunk, for a subject that reads one stream. The chunk is empty if the
    /// subject is only called again. Gaps are skipped, and both sides are one stream.
    pub fn next_chunk(&mut self) -> Option<&'r [u8]> {
        loop {
            match self.next()?.1 {
                Event::Chunk(bytes) => return Some(bytes),
                Event::Again => return Some(&[]),
                Event::Gap(_) | Event::Close(_) => {}
            }
        }
    }

    /// Emits an output. Does not return to a subject that emits more than its input allows: 64
    /// outputs and 16 for each byte.
    ///
    /// The output of a failed subject at the end of the stream is dropped, except a breach:
    /// the place at which it stopped to understand the stream may follow the chunks.
    pub fn emit(&mut self, output: Output<E, F>) {
        self.budget.outputs += 1;
        if self.budget.outputs > self.budget.most() {
            let Budget { bytes, outputs } = self.budget;
            self.listener.receive(Output::Breach(Breach::Endless { outputs, bytes }));
            leave();
        }
        let over = self.ended && self.failed && self.after_error == AfterError::Stop;
        if over && !matches!(output, Output::Breach(_)) {
            return;
        }
        self.failed |= matches!(output, Output::Error(_));
        self.listener.receive(output);
    }

    /// Emits an event.
    pub fn event(&mut self, event: E) {
        self.emit(Output::Event(event));
    }

    /// Emits an error. Returns whether the law needs the output after it. A subject that cannot
    /// continue may end its run nevertheless.
    #[must_use]
    pub fn fail(&mut self, error: F) -> bool {
        self.emit(Output::Error(error));
        self.after_error == AfterError::GoOn
    }

    /// Emits a breach.
    pub fn breach(&mut self, breach: Breach) {
        self.emit(Output::Breach(breach));
    }

    /// Reports the number of bytes that the subject holds now. A buffer counts with its capacity.
    pub fn holds(&mut self, bytes: usize) {
        self.listener.holds(bytes);
    }

    /// Runs `subject` with each of its outputs changed by `map`.
    pub(crate) fn through<E2, F2>(
        &mut self,
        map: impl Fn(Output<E2, F2>, &mut dyn FnMut(Output<E, F>)),
        subject: impl FnOnce(&mut Run<'_, E2, F2>),
    ) {
        let mut listener = MapListener { listener: &mut *self.listener, map };
        let mut input = Shorter(&mut *self.input);
        subject(&mut Run {
            input: &mut input,
            listener: &mut listener,
            budget: self.budget,
            after_error: self.after_error,
            failed: false,
            ended: false,
        });
    }
}

impl<E, F> Run<'_, E, F> {
    /// Runs `subject` with adjacent events joined by `merge`.
    pub(crate) fn merging(&mut self, merge: &dyn Fn(&mut E, E) -> Option<E>, subject: impl FnOnce(&mut Run<'_, E, F>)) {
        let mut listener = MergeListener { listener: &mut *self.listener, merge, last: None };
        let mut input = Shorter(&mut *self.input);
        subject(&mut Run {
            input: &mut input,
            listener: &mut listener,
            budget: self.budget,
            after_error: self.after_error,
            failed: false,
            ended: false,
        });
        listener.flush();
    }
}

struct MapListener<'l, E, F, M> {
    listener: &'l mut dyn Listener<E, F>,
    map: M,
}

impl<E, F, E2, F2, M: Fn(Output<E2, F2>, &mut dyn FnMut(Output<E, F>))> Listener<E2, F2> for MapListener<'_, E, F, M> {
    fn receive(&mut self, output: Output<E2, F2>) {
        (self.map)(output, &mut |output| self.listener.receive(output));
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

struct MergeListener<'l, E, F> {
    listener: &'l mut dyn Listener<E, F>,
    merge: &'l dyn Fn(&mut E, E) -> Option<E>,
    /// The last event. The next one may belong to it.
    last: Option<E>,
}

impl<E, F> MergeListener<'_, E, F> {
    fn flush(&mut self) {
        if let Some(event) = self.last.take() {
            self.listener.receive(Output::Event(event));
        }
    }
}

impl<E, F> Listener<E, F> for MergeListener<'_, E, F> {
    fn receive(&mut self, output: Output<E, F>) {
        let Output::Event(event) = output else {
            self.flush();
            return self.listener.receive(output);
        };
        let next = match &mut self.last {
            Some(last) => (self.merge)(last, event),
            None => Some(event),
        };
        if let Some(next) = next {
            self.flush();
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

/// Events with a shorter lifetime than the input.
struct Shorter<'s, I: ?Sized>(&'s mut I);

impl<'s, 'i: 's, I: Iterator<Item = (Side, Event<'i>)> + ?Sized> Iterator for Shorter<'s, I> {
    type Item = (Side, Event<'s>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

/// Calls `subject` with a run over `input`. A panic is the last output.
pub(crate) fn drive<'i, E, F>(
    subject: impl FnOnce(&mut Run<'_, E, F>),
    input: &mut impl Iterator<Item = (Side, Event<'i>)>,
    listener: &mut dyn Listener<E, F>,
    after_error: AfterError,
) {
    pulse::beat();
    let mut input = Shorter(input);
    let budget = Budget { bytes: 0, outputs: 0 };
    let mut run = Run { input: &mut input, listener, budget, after_error, failed: false, ended: false };
    // The listener is used again after a panic. It belongs to this crate, and its calls do not
    // panic half-way.
    let outcome = catch_panic(AssertUnwindSafe(|| subject(&mut run)));
    if let Err(panic) = outcome {
        let message = panic.message().to_owned();
        let breach = match panic.into_payload().downcast::<Stopped>() {
            Ok(stopped) => stopped.0,
            Err(_) => Some(Breach::Panicked(message)),
        };
        if let Some(breach) = breach {
            run.listener.receive(Output::Breach(breach));
        }
    }
}

impl<E: PartialEq, F: PartialEq> Listener<E, F> for Comparison<'_, E, F> {
    fn receive(&mut self, output: Output<E, F>) {
        self.next(&output);
    }
}

/// Returns whether the output of `subject` [agrees](crate::output::agree) with `expected`.
pub(crate) fn agrees<E: PartialEq, F: PartialEq>(
    subject: impl FnOnce(&mut Run<'_, E, F>),
    input: &Cutting,
    cuts: &[usize],
    expected: &[Output<E, F>],
) -> bool {
    pulse::cuts(cuts);
    let mut comparison = Comparison::new(expected);
    drive(subject, &mut input.cut(cuts), &mut comparison, AfterError::Stop);
    comparison.agrees()
}
