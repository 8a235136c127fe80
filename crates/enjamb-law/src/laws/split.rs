//! The split law: one trace of messages, however the bytes were cut.

use std::ops::ControlFlow;

use crate::cutting::Cutting;
use crate::law::Law;
use crate::literal::input_code;
use crate::minimise::{self, Trial};
use crate::output::Output;
use crate::pulse;
use crate::segmentations::Segmentations;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// How many segmentations were run. Those whose few cuts lie at the edges of turns, where they change nothing, are none.
    pub segmentations: usize,
    /// How many things the subject says of the whole.
    pub outputs: usize,
}

/// Holds when the subject says of `input`, cut at `cuts`, what it says of the whole: every event, the error, and how the end of the stream found
/// it, in that order.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn split<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    let whole = trace(subject, input, &[]);
    if subject.agrees(input, cuts, &whole) { Ok(()) } else { Err(violation(subject, input, cuts)) }
}

/// Holds when the subject says of `input` the same under every one of `segmentations`.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn split_everywhere<S>(
    subject: &S,
    input: &Cutting,
    segmentations: &Segmentations,
) -> Result<Coverage, Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    let whole = trace(subject, input, &[]);
    let mut checked = Coverage { segmentations: 0, outputs: whole.len() };
    let edges = input.edges();
    let broken = segmentations.try_each(input.len(), |cuts| {
        // The same, without that cut, is tried for itself.
        if cuts.len() <= 2 && cuts.iter().any(|cut| edges.binary_search(cut).is_ok()) {
            return ControlFlow::Continue(());
        }
        checked.segmentations += 1;
        if subject.agrees(input, cuts, &whole) { ControlFlow::Continue(()) } else { ControlFlow::Break(cuts.to_vec()) }
    });
    match broken {
        ControlFlow::Continue(()) => Ok(checked),
        ControlFlow::Break(cuts) => Err(violation(subject, input, &cuts)),
    }
}

struct Split<'s, S>(&'s S);

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for Split<'_, S> {
    type Reference = Vec<Output<S::Event, S::Error>>;

    fn reference(&self, input: &Cutting) -> Self::Reference {
        pulse::input(input);
        trace(self.0, input, &[])
    }

    fn fails(&self, input: &Cutting, whole: &Self::Reference, cuts: &[usize]) -> bool {
        !self.0.agrees(input, cuts, whole)
    }
}

fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&Split(subject), input, cuts);
    let whole = trace(subject, &input, &[]);
    let cut = trace(subject, &input, &cuts);
    Box::new(Violation {
        law: Law::Split,
        verdict: "what is said depends on where the stream is cut".to_owned(),
        call: format!("split(&subject, &{}, &{cuts:?})", input_code(&input)),
        traces: Some([Trace::new("whole", &whole), Trace::new("cut", &cut)]),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
