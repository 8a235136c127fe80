//! The total law: any bytes whatever are answered with values or a typed error.
//!
//! Here the subject runs on the caller's thread: a panic, an answer without end and a call that takes nothing are seen; a call that never returns,
//! and a stack that overflows, need a process to watch over: see [`Laws`](crate::Laws), which gives them one.

use crate::cutting::Cutting;
use crate::law::Law;
use crate::literal::input_code;
use crate::minimise::{self, Trial};
use crate::output::{Breach, breach};
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// Holds when the subject does nothing that [nothing may do](Breach) with `input`, cut at `cuts`.
///
/// # Errors
/// A [`Violation`], minimised. That a reader sleeps or spins is not this law's affair but that of [`awake`](crate::awake).
pub fn total<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    match breach(&trace(subject, input, cuts)) {
        Some(found) if of(found) == Law::Total => Err(violation(subject, input, cuts, Law::Total)),
        _ => Ok(()),
    }
}

/// The law that a breach breaks.
pub(crate) fn of(breach: &Breach) -> Law {
    match breach {
        Breach::Asleep | Breach::Busy => Law::Awake,
        _ => Law::Total,
    }
}

struct Total<'s, S> {
    subject: &'s S,
    law: Law,
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for Total<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        breach(&trace(self.subject, input, cuts)).is_some_and(|found| of(found) == self.law)
    }
}

pub(super) fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize], law: Law) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&Total { subject, law }, input, cuts);
    let said = trace(subject, &input, &cuts);
    let verdict = breach(&said).map_or_else(|| "it does not do it every time".to_owned(), ToString::to_string);
    let actual = Trace::new("said", &said);
    Box::new(Violation {
        law,
        verdict,
        call: format!("{}(&subject, &{}, &{cuts:?})", law.name(), input_code(&input)),
        traces: (actual.outputs.len() > 1).then(|| {
            let before =
                Trace { label: "expected".to_owned(), outputs: actual.outputs[..actual.outputs.len() - 1].to_vec() };
            [before, actual]
        }),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
