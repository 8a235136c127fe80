//! The total law: any bytes whatever are answered with values or a typed error.
//!
//! Here the subject runs on the caller's thread: a panic, an answer without end and a call that takes nothing are seen; a call that never returns,
//! and a stack that overflows, need a process to watch over: see [`Laws`](crate::Laws), which gives them one.

use crate::cutting::Cutting;
use crate::law::Law;
use crate::minimise::{self, Trial};
use crate::pulse;
use crate::run::{fault, trace};
use crate::subject::{Comparable, Fault, Subject};
use crate::violation::{Told, Violation, input_code};

/// Holds when the subject does nothing that [nothing may do](Fault) with `input`, cut at `cuts`.
///
/// # Errors
/// A [`Violation`], minimised. That a reader sleeps or spins is not this law's affair but that of [`awake`](crate::awake).
pub fn total<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    match fault(&trace(subject, input, cuts)) {
        Some(fault) if of(fault) == Law::Total => Err(violation(subject, input, cuts, Law::Total)),
        _ => Ok(()),
    }
}

/// The law that a fault breaks.
pub(crate) fn of(fault: &Fault) -> Law {
    match fault {
        Fault::Asleep | Fault::Busy => Law::Awake,
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
        fault(&trace(self.subject, input, cuts)).is_some_and(|fault| of(fault) == self.law)
    }
}

pub(super) fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize], law: Law) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&Total { subject, law }, input, cuts);
    let said = trace(subject, &input, &cuts);
    let verdict = fault(&said).map_or_else(|| "it does not do it every time".to_owned(), ToString::to_string);
    let told = Told::new("said", &said);
    Box::new(Violation {
        law,
        verdict,
        call: format!("{}(&subject, &{}, &{cuts:?})", law.name(), input_code(&input)),
        traces: (told.said.len() > 1).then(|| {
            let before = Told { of: "expected".to_owned(), said: told.said[..told.said.len() - 1].to_vec() };
            [before, told]
        }),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
