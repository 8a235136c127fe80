//! The awake law: an async reader that waits when bytes arrive is woken, and one for which none arrive does not spin.
//!
//! The adapters for async subjects have an executor of their own, which gives the next chunk only once the subject is idle: it returned
//! `Pending`, and has not been woken since. Then the chunk arrives and the waker that the subject left with its reader is woken. A subject that lost the waker
//! on the way to its reader sleeps on; one that wakes itself again and again was never idle.

use crate::cutting::Cutting;
use crate::law::Law;
use crate::output::breach;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::Violation;

use super::total;

/// Holds when the subject wakes for every chunk of `input`, cut at `cuts`, and only for them.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn awake<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    match breach(&trace(subject, input, cuts)) {
        Some(found) if total::of(found) == Law::Awake => Err(total::violation(subject, input, cuts, Law::Awake)),
        _ => Ok(()),
    }
}
