//! The split law.

use std::ops::ControlFlow;

use crate::cutting::Cutting;
use crate::minimise;
use crate::segmentations::Segmentations;
use crate::subject::Subject;
use crate::violation::Violation;

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many segmentations were run.
    pub segmentations: usize,
    /// How many things the subject says of the whole.
    pub said: usize,
}

/// Holds when the subject says of `input`, cut at `cuts`, what it says of the whole.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn split<S: Subject>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation<S::Said>>> {
    let whole = trace(subject, input, &[]);
    if agrees(subject, input, cuts, &whole) { Ok(()) } else { Err(Box::new(minimise::violation(subject, input, cuts))) }
}

/// Holds when the subject says of `input` the same under every one of `segmentations`.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn split_everywhere<S: Subject>(
    subject: &S,
    input: &Cutting,
    segmentations: &Segmentations,
) -> Result<Checked, Box<Violation<S::Said>>> {
    let whole = trace(subject, input, &[]);
    let mut checked = Checked { segmentations: 0, said: whole.len() };
    let broken = segmentations.try_each(input.len(), |cuts| {
        checked.segmentations += 1;
        if agrees(subject, input, cuts, &whole) { ControlFlow::Continue(()) } else { ControlFlow::Break(cuts.to_vec()) }
    });
    match broken {
        ControlFlow::Continue(()) => Ok(checked),
        ControlFlow::Break(cuts) => Err(Box::new(minimise::violation(subject, input, &cuts))),
    }
}

/// All that a fresh subject says.
pub(crate) fn trace<S: Subject>(subject: &S, input: &Cutting, cuts: &[usize]) -> Vec<S::Said> {
    let mut said = Vec::new();
    subject.run(&mut input.cut(cuts), &mut |what| said.push(what));
    said
}

/// Does a fresh subject say `whole` when the input is cut so?
pub(crate) fn agrees<S: Subject>(subject: &S, input: &Cutting, cuts: &[usize], whole: &[S::Said]) -> bool {
    subject.says(&mut input.cut(cuts), whole)
}
