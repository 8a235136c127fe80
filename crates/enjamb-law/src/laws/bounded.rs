//! The bounded law: what is held stays under the declared limit, whatever arrives.
//!
//! A peer that never ends a message must not make us keep it. Held is what the subject says it holds, buffers at their capacity, and, with the feature
//! `allocations`, what it has really allocated.

use crate::cutting::Cutting;
use crate::law::Law;
use crate::literal::input_code;
use crate::measure;
use crate::minimise::{self, Trial};
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::violation::{Violation, counted};

/// How much may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The limit that the subject declares for a message, in bytes.
    pub limit: usize,
    /// What may be held beside a message: tables, a buffer of fixed size, the chunk that is being read.
    pub beside: usize,
}

impl Bound {
    /// For a subject that declares `limit`: beside it, 16 KiB.
    #[must_use]
    pub const fn of(limit: usize) -> Self {
        Self { limit, beside: 16 << 10 }
    }

    /// What may be held: twice the limit, since a buffer that grows doubles, and the rest.
    #[must_use]
    pub const fn most(self) -> usize {
        self.limit.saturating_mul(2).saturating_add(self.beside)
    }
}

/// Holds when the subject never holds more than `bound` allows, fed with `input` cut at `cuts`.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn bounded<S>(subject: &S, input: &Cutting, cuts: &[usize], bound: Bound) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    let trial = Bounded { subject, bound };
    if trial.fails(input, &(), cuts) { Err(violation(&trial, input, cuts)) } else { Ok(()) }
}

struct Bounded<'s, S> {
    subject: &'s S,
    bound: Bound,
}

/// The most that was held.
#[derive(Clone, Copy, Default)]
struct PeakListener {
    reported: usize,
}

impl<E, F> Listener<E, F> for PeakListener {
    fn receive(&mut self, _: Output<E, F>) {}
    fn holds(&mut self, bytes: usize) {
        self.reported = self.reported.max(bytes);
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Bounded<'_, S> {
    /// What the subject says it held at the most, and what it had allocated at the most where that is counted.
    fn held(&self, input: &Cutting, cuts: &[usize]) -> (usize, Option<usize>) {
        pulse::cuts(cuts);
        let mut most = PeakListener::default();
        let work = measure::work(|| drive(self.subject, &mut input.cut(cuts), &mut most, AfterError::Stop));
        (most.reported, work.allocated_most)
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for Bounded<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        let (reported, allocated) = self.held(input, cuts);
        reported.max(allocated.unwrap_or(0)) > self.bound.most()
    }
}

fn violation<S>(trial: &Bounded<'_, S>, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(trial, input, cuts);
    let (reported, allocated) = trial.held(&input, &cuts);
    let Bound { limit, beside } = trial.bound;
    let held = match allocated {
        Some(bytes) if bytes > reported => format!("it had {} allocated", counted(bytes, "byte")),
        _ => format!("it held {}", counted(reported, "byte")),
    };
    Box::new(Violation {
        law: Law::Bounded,
        verdict: format!(
            "{held}; with a limit of {limit} for a message, {} may be held",
            counted(trial.bound.most(), "byte")
        ),
        call: format!(
            "bounded(&subject, &{}, &{cuts:?}, Bound {{ limit: {limit}, beside: {beside} }})",
            input_code(&input)
        ),
        traces: None,
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
