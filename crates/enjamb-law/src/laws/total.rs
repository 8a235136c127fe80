//! The total law: any bytes give values or a typed error.
//!
//! The subject runs on the caller's thread. That detects a panic, endless output, and a call that
//! takes no bytes. A call that never returns and a stack overflow need a process of their own,
//! which [`Laws`](crate::Laws) starts.

use std::mem::{Discriminant, discriminant};

use crate::cutting::Cutting;
use crate::law::Law;
use crate::literal::{cuts_code, input_code};
use crate::minimise::{self, Trial};
use crate::output::{Breach, breach};
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// Holds when the subject commits no [breach](Breach) over `input`, cut at `cuts`.
///
/// # Errors
/// A [`Violation`], minimised. A reader that sleeps or spins breaks the law [`awake`](crate::awake)
/// instead.
pub fn total<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    match breach(&trace(subject, input, cuts)) {
        Some(found) if law_broken_by(found) == Law::Total => Err(violation(subject, input, cuts, found)),
        _ => Ok(()),
    }
}

/// Returns the law that a breach breaks.
pub(super) fn law_broken_by(breach: &Breach) -> Law {
    match breach {
        Breach::Asleep | Breach::Busy => Law::Awake,
        _ => Law::Total,
    }
}

struct TotalTrial<'s, S> {
    subject: &'s S,
    /// The breach that the smallest input commits too.
    kind: Discriminant<Breach>,
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for TotalTrial<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        breach(&trace(self.subject, input, cuts)).is_some_and(|found| discriminant(found) == self.kind)
    }
}

pub(super) fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize], found: &Breach) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let law = law_broken_by(found);
    let (input, cuts) = minimise::smallest(&TotalTrial { subject, kind: discriminant(found) }, input, cuts);
    let output = trace(subject, &input, &cuts);
    let verdict = breach(&output).map_or_else(|| format!("{found}\n{}", super::NOT_REPEATED), ToString::to_string);
    let actual = Trace::new("actual", &output);
    let cuts_code = cuts_code(&cuts);
    Box::new(Violation {
        law,
        verdict,
        call: format!("{}(&subject, &{}, &{cuts_code})", law.name(), input_code(&input)),
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
