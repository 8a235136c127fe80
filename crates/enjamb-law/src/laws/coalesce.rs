//! The coalesce law: messages in one chunk, few or many, are the same messages.
//!
//! This is the split law in the other direction, for long chunks. A test of all cuts needs short
//! streams. A reader that takes only a limited number of messages from one read, or that recurses
//! once for each message, fails only with hundreds of messages in a chunk.

use crate::cutting::{Cutting, stream};
use crate::law::Law;
use crate::literal::messages_code;
use crate::minimise;
use crate::output::{Output, agree};
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation, kept};

use super::boundaries::boundaries;

/// Holds when `messages` give the same output as one chunk each, as two to a chunk, and all in one
/// chunk.
///
/// # Errors
/// A [`Violation`], with the fewest messages that show it.
pub fn coalesce<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    match difference(subject, messages) {
        None => Ok(()),
        Some(found) => Err(violation(subject, messages, found)),
    }
}

/// Chunks of several messages whose output differs from that of one message to a chunk.
struct Difference<E, F> {
    input: Cutting,
    cuts: Vec<usize>,
    apart: Vec<Output<E, F>>,
    joined: Vec<Output<E, F>>,
}

fn difference<S>(subject: &S, messages: &[&[u8]]) -> Option<Difference<S::Event, S::Error>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let input = stream(&messages.concat());
    pulse::input(&input);
    let boundaries = boundaries(messages);
    let apart = trace(subject, &input, &boundaries);
    let pairs: Vec<usize> = boundaries.iter().skip(1).step_by(2).copied().collect();
    let pairs_shifted: Vec<usize> = boundaries.iter().step_by(2).copied().collect();
    let (cuts, joined) = [Vec::new(), pairs, pairs_shifted].into_iter().find_map(|cuts| {
        let joined = trace(subject, &input, &cuts);
        (!agree(&apart, &joined)).then_some((cuts, joined))
    })?;
    Some(Difference { input, cuts, apart, joined })
}

fn violation<S>(subject: &S, messages: &[&[u8]], found: Difference<S::Event, S::Error>) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let fewest = minimise::fewest(messages, |fewer| difference(subject, fewer).is_some());
    let again = difference(subject, &fewest);
    let repeats = again.is_some() && trace(subject, &found.input, &[]) == trace(subject, &found.input, &[]);
    let fewest = if again.is_some() { fewest } else { messages.to_vec() };
    let Difference { input, cuts, apart, joined } = again.unwrap_or(found);
    Box::new(Violation {
        law: Law::Coalesce,
        verdict: format!(
            "{} messages give a different output when they arrive {}{}",
            fewest.len(),
            if cuts.is_empty() { "in one chunk" } else { "two to a chunk" },
            if repeats { String::new() } else { format!("\n{}", super::NOT_REPEATED) }
        ),
        call: format!("coalesce(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new("one to a chunk", &apart), Trace::new("together", &joined)]),
        input,
        cuts,
        messages: kept(&fewest),
        subject: None,
    })
}
