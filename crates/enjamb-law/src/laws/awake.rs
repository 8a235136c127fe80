//! The awake law: an async reader that waits is woken when bytes arrive, and does not spin when
//! none do.
//!
//! The executor under the async adapters delivers the next chunk only when the subject is idle: it
//! returned `Pending` and was not woken since. Then the chunk arrives, and the executor wakes the
//! waker that the subject left with its reader. A subject that lost the waker on the way to its
//! reader sleeps forever; one that keeps waking itself is never idle.

use crate::cutting::Cutting;
use crate::law::Law;
use crate::output::breach;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::Violation;

use super::total;

/// Holds when the subject wakes for every chunk of `input`, cut at `cuts`, and for nothing else.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn awake<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    match breach(&trace(subject, input, cuts)) {
        Some(found) if total::law_broken_by(found) == Law::Awake => Err(total::violation(subject, input, cuts, found)),
        _ => Ok(()),
    }
}
