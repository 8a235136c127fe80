//! The errors by which a reader reports every end of the stream.

use crate::cutting::stream;
use crate::output::Output;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;

/// Returns the errors by which the subject reports an empty stream. A reader that waits for the
/// next message reports every other end by them too.
pub(super) fn errors_at_end<S>(subject: &S) -> Vec<Output<S::Event, S::Error>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    if !subject.pulls() {
        return Vec::new();
    }
    let empty = stream(b"");
    pulse::input(&empty);
    trace(subject, &empty, &[]).into_iter().filter(|said| matches!(said, Output::Error(_))).collect()
}

/// Removes these errors from the end of the outputs.
pub(super) fn without_errors_at_end<E: PartialEq, F: PartialEq>(
    outputs: &mut Vec<Output<E, F>>,
    at_end: &[Output<E, F>],
) {
    if !at_end.is_empty() && outputs.ends_with(at_end) {
        outputs.truncate(outputs.len() - at_end.len());
    }
}
