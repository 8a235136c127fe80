//! Checks of all laws about messages at once.

use std::cell::RefCell;
use std::ops::ControlFlow;

use enjamb_law::{
    Comparable, Law, Segmentations, Subject, Violation, alone, awake, coalesce, end, prompt, quiet, split_everywhere,
    stream, total,
};

/// Returns the violation of the first law, except those of `but`, that the subject breaks with
/// `messages` under every one and two cuts.
pub(crate) fn broken<S>(subject: &S, messages: &[&[u8]], but: &[Law]) -> Option<Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let input = stream(&messages.concat());
    let of_all = |law| match law {
        Law::Split => split_everywhere(subject, &input, &Segmentations::up_to_two_cuts()).map(drop),
        Law::Coalesce => coalesce(subject, messages),
        Law::End => end(subject, messages),
        Law::Alone => alone(subject, messages),
        _ => Ok(()),
    };
    let of_cuts = |law, cuts: &[usize]| match law {
        Law::Prompt => prompt(subject, messages, cuts),
        Law::Quiet => quiet(subject, &input, cuts),
        Law::Total => total(subject, &input, cuts),
        Law::Awake => awake(subject, &input, cuts),
        _ => Ok(()),
    };
    let laws = || Law::ALL.into_iter().filter(|law| !but.contains(law));
    let each = Segmentations::up_to_two_cuts().try_each(input.len(), |cuts| {
        laws().try_for_each(|law| of_cuts(law, cuts)).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    });
    each.break_value().or_else(|| laws().try_for_each(of_all).err())
}

/// Asserts that the subject obeys all laws.
#[track_caller]
pub(crate) fn hold<S>(subject: &S, messages: &[&[u8]])
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    hold_but(subject, messages, &[]);
}

/// Asserts that the subject obeys all laws except those of `but`.
#[track_caller]
pub(crate) fn hold_but<S>(subject: &S, messages: &[&[u8]], but: &[Law])
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    if let Some(violation) = broken(subject, messages, but) {
        panic!("{violation}");
    }
}

/// Returns the events and errors of a run over `bytes`, cut at `cuts`, as they are printed, without
/// the verdict on the end.
pub(crate) fn output<S>(subject: S, bytes: &[u8], cuts: &[usize]) -> Vec<String>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let output = RefCell::new(Vec::new());
    let recording = subject
        .map(|event| output.borrow_mut().push(format!("{event:?}")))
        .map_error(|error| output.borrow_mut().push(format!("failed: {error:?}")));
    let _ = total(&recording, &stream(bytes), cuts);
    output.into_inner()
}
