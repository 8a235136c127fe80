//! The split law: one trace of messages, however the bytes were cut.

use std::ops::ControlFlow;

use crate::cutting::Cutting;
use crate::law::Law;
use crate::literal::{cuts_code, input_code};
use crate::minimise::{self, Trial};
use crate::output::{Output, agree, breach};
use crate::pulse;
use crate::segmentations::Segmentations;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// The amount of work that [`split_everywhere`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The number of segmentations that were run. One or two cuts at the edge of a turn change
    /// nothing and are left out.
    pub segmentations: usize,
    /// The number of entries in the output of the uncut input: events, errors, and the verdict on
    /// the end.
    pub outputs: usize,
}

/// Holds when `input` gives the same output cut at `cuts` as in one chunk: every event, the error,
/// and the verdict on the end of the stream, in the same order.
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

/// Holds when `input` gives the same output cut in each of these ways. Returns the number of runs.
///
/// # Errors
/// A [`Violation`], minimised.
#[cfg(feature = "proptest")]
pub(crate) fn split_each<S>(
    subject: &S,
    input: &Cutting,
    each: impl IntoIterator<Item = Vec<usize>>,
) -> Result<usize, Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    let whole = trace(subject, input, &[]);
    let mut runs = 1;
    for cuts in each {
        runs += 1;
        if !subject.agrees(input, &cuts, &whole) {
            return Err(violation(subject, input, &cuts));
        }
    }
    Ok(runs)
}

/// Holds when `input` gives the same output under every one of `segmentations`.
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
        // The same cuts without the one at the edge are a segmentation of their own.
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

struct SplitTrial<'s, S> {
    subject: &'s S,
    /// Whether the uncut input must give no error. A bug in reading well-formed messages is not
    /// shown by two different errors over garbage.
    without_error: bool,
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for SplitTrial<'_, S> {
    type Reference = Vec<Output<S::Event, S::Error>>;

    fn reference(&self, input: &Cutting) -> Self::Reference {
        pulse::input(input);
        trace(self.subject, input, &[])
    }

    fn fails(&self, input: &Cutting, whole: &Self::Reference, cuts: &[usize]) -> bool {
        if self.without_error && has_error(whole) {
            return false;
        }
        !self.subject.agrees(input, cuts, whole)
    }
}

fn has_error<E, F>(outputs: &[Output<E, F>]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Error(_) | Output::Breach(_)))
}

fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let without_error = !has_error(&trace(subject, input, &[]));
    let (input, cuts) = minimise::smallest(&SplitTrial { subject, without_error }, input, cuts);
    let whole = trace(subject, &input, &[]);
    let cut = trace(subject, &input, &cuts);
    let repeats = !agree(&whole, &cut) && trace(subject, &input, &[]) == whole && trace(subject, &input, &cuts) == cut;
    let mut verdict = "the output depends on where the stream is cut".to_owned();
    // It may be the last of many outputs, which are not all printed.
    match (breach(&whole), breach(&cut)) {
        (None, Some(found)) => verdict.push_str(&format!("\ncut, {found}")),
        (Some(found), None) => verdict.push_str(&format!("\nwhole, {found}")),
        _ => {}
    }
    if !repeats {
        verdict.push('\n');
        verdict.push_str(super::NOT_REPEATED);
    }
    let cuts_code = cuts_code(&cuts);
    Box::new(Violation {
        law: Law::Split,
        verdict,
        call: format!("split(&subject, &{}, &{cuts_code})", input_code(&input)),
        traces: Some([Trace::new("whole", &whole), Trace::new("cut", &cut)]),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
