//! The bounded law: a subject never holds more than its declared limit, whatever arrives.
//!
//! A peer that never ends a message must not make the reader keep it. The law counts the bytes that
//! the subject reports as held, with buffers at their capacity, and, with the feature
//! `allocations`, the bytes that it has really allocated.

use crate::cutting::Cutting;
use crate::law::Law;
use crate::literal::{cuts_code, input_code};
use crate::measure;
use crate::minimise::{self, Trial};
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::violation::{Violation, counted};

/// The number of bytes that a subject may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The longest message that the subject accepts, in bytes.
    pub limit: usize,
    /// The number of bytes that it may hold besides a message: tables, a buffer of fixed size, the
    /// chunk that is being read.
    pub beside: usize,
}

impl Bound {
    /// Returns the bound of a subject with the declared `limit`, and 16 KiB besides it.
    #[must_use]
    pub const fn of(limit: usize) -> Self {
        Self { limit, beside: 16 << 10 }
    }

    /// Returns the maximum number of bytes that may be held: twice the limit, since a growing
    /// buffer doubles, and [`beside`](Self::beside).
    #[must_use]
    pub const fn most(self) -> usize {
        self.limit.saturating_mul(2).saturating_add(self.beside)
    }
}

/// Holds when the subject, fed with `input` cut at `cuts`, never holds more than `bound` allows.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn bounded<S>(subject: &S, input: &Cutting, cuts: &[usize], bound: Bound) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    let trial = BoundedTrial { subject, bound };
    if trial.fails(input, &(), cuts) { Err(violation(&trial, input, cuts)) } else { Ok(()) }
}

struct BoundedTrial<'s, S> {
    subject: &'s S,
    bound: Bound,
}

/// The maximum number of bytes that the subject reported as held at one time.
#[derive(Clone, Copy, Default)]
struct PeakHeld {
    bytes: usize,
}

impl<E, F> Listener<E, F> for PeakHeld {
    fn receive(&mut self, _: Output<E, F>) {}
    fn holds(&mut self, bytes: usize) {
        self.bytes = self.bytes.max(bytes);
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> BoundedTrial<'_, S> {
    /// Returns the maximum number of bytes that the subject reported as held, and, if allocations
    /// are counted, the maximum that it had allocated.
    fn held(&self, input: &Cutting, cuts: &[usize]) -> (usize, Option<usize>) {
        pulse::cuts(cuts);
        let mut peak = PeakHeld::default();
        let work = measure::work(|| drive(self.subject, &mut input.cut(cuts), &mut peak, AfterError::Stop));
        (peak.bytes, work.allocated_most)
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for BoundedTrial<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        let (reported, allocated) = self.held(input, cuts);
        reported.max(allocated.unwrap_or(0)) > self.bound.most()
    }
}

fn violation<S>(trial: &BoundedTrial<'_, S>, input: &Cutting, cuts: &[usize]) -> Box<Violation>
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
    let cuts_code = cuts_code(&cuts);
    Box::new(Violation {
        law: Law::Bounded,
        verdict: format!(
            "{held}; a message limit of {} allows {}",
            counted(limit, "byte"),
            counted(trial.bound.most(), "byte")
        ),
        call: format!(
            "bounded(&subject, &{}, &{cuts_code}, Bound {{ limit: {limit}, beside: {beside} }})",
            input_code(&input)
        ),
        traces: None,
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
