//! The coalesce law: messages glued into one chunk, few or many, are the same messages.
//!
//! It is the split law the other way round, and looks where that one does not: a test of all cuts needs short streams, and what breaks here is what
//! a long chunk does. Whoever takes no more than so many messages of a read, or goes one call deeper for each, is caught with a hundred messages in a chunk.

use crate::cutting::{Cutting, stream};
use crate::law::Law;
use crate::literal::messages_code;
use crate::minimise;
use crate::output::Output;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation, kept};

/// Holds when the subject says the same of `messages` whether each is a chunk of its own, or they come in pairs, or all at once.
///
/// # Errors
/// A [`Violation`], with as few of the messages as show it.
pub fn coalesce<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    match differs(subject, messages) {
        None => Ok(()),
        Some(_) => Err(violation(subject, messages)),
    }
}

/// A gluing that says something else than message for message.
struct Glued<E, F> {
    input: Cutting,
    cuts: Vec<usize>,
    apart: Vec<Output<E, F>>,
    glued: Vec<Output<E, F>>,
}

fn differs<S>(subject: &S, messages: &[&[u8]]) -> Option<Glued<S::Event, S::Error>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let input = stream(&messages.concat());
    pulse::input(&input);
    let edges = edges(messages);
    let apart = trace(subject, &input, &edges);
    let pairs: Vec<usize> = edges.iter().skip(1).step_by(2).copied().collect();
    let pairs_shifted: Vec<usize> = edges.iter().step_by(2).copied().collect();
    let (cuts, glued) = [Vec::new(), pairs, pairs_shifted].into_iter().find_map(|cuts| {
        let glued = trace(subject, &input, &cuts);
        (glued != apart).then_some((cuts, glued))
    })?;
    Some(Glued { input, cuts, apart, glued })
}

/// Places between two messages, in ascending order.
pub(super) fn edges(messages: &[&[u8]]) -> Vec<usize> {
    let ends = messages.iter().scan(0, |at, message| {
        *at += message.len();
        Some(*at)
    });
    let mut edges: Vec<usize> = ends.filter(|end| *end > 0).collect();
    edges.dedup();
    edges.pop();
    edges
}

fn violation<S>(subject: &S, messages: &[&[u8]]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let fewest = minimise::fewest(messages, |fewer| differs(subject, fewer).is_some());
    let Some(Glued { input, cuts, apart, glued }) = differs(subject, &fewest) else {
        unreachable!("it differs for what was given, and minimising keeps that")
    };
    Box::new(Violation {
        law: Law::Coalesce,
        verdict: format!(
            "{} messages say something else when they come {}",
            fewest.len(),
            if cuts.is_empty() { "in one chunk" } else { "two in a chunk" }
        ),
        call: format!("coalesce(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new("each for itself", &apart), Trace::new("glued", &glued)]),
        input,
        cuts,
        messages: kept(&fewest),
        subject: None,
    })
}
