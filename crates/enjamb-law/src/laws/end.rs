//! The end law: the end of the stream inside a message differs from an end between two messages.
//!
//! A connection that breaks in the middle of a message must not look like one that was closed after
//! the last message: a program that cannot distinguish them takes half an answer for a whole one.
//! The subject may report it in any way: by an error, by its verdict on the end, or by an event for
//! the part that came, like a line codec that returns the last line without its terminator. Only
//! silence breaks the law. The split law checks whether the report depends on the cuts.
//!
//! A reader that waits for the next message may report every end of the stream by the same error,
//! also one between two messages: it loses nothing silently. A message that gives no output at all,
//! such as a comment, loses nothing either, and nor does white space in front of a message.

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::messages_code;
use crate::minimise;
use crate::output::{Output, breach};
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation, kept};
use enjamb::End;

use super::boundaries::boundaries;

/// Holds when a stream that ends inside one of `messages` gives another output than one that ends
/// before that message, and an end after a whole message is clean.
///
/// # Errors
/// A [`Violation`], with the fewest messages that show it.
pub fn end<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    check(subject, messages, Unfinished::Reported)
}

/// Holds when an end after each of the `messages` is clean. Unfinished messages may be dropped
/// silently, as some standards demand.
///
/// # Errors
/// A [`Violation`], with the fewest messages that show it.
pub fn end_between<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    check(subject, messages, Unfinished::Dropped)
}

/// The treatment of an unfinished message that the law demands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unfinished {
    Reported,
    Dropped,
}

fn check<S>(subject: &S, messages: &[&[u8]], unfinished: Unfinished) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    match misreported_end(subject, messages, unfinished) {
        None => Ok(()),
        Some(found) => Err(violation(subject, messages, unfinished, found)),
    }
}

/// An end of the stream that the subject reports wrongly or not at all.
struct MisreportedEnd<E, F> {
    /// The number of bytes of the messages that arrived.
    have: usize,
    verdict: String,
    traces: [(String, Vec<Output<E, F>>); 2],
}

fn misreported_end<S>(
    subject: &S,
    messages: &[&[u8]],
    unfinished: Unfinished,
) -> Option<MisreportedEnd<S::Event, S::Error>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let bytes = messages.concat();
    let output_of_first = |have: usize| {
        let input = stream(&bytes[..have]);
        pulse::input(&input);
        trace(subject, &input, &[])
    };
    let unclean = |said: &Output<S::Event, S::Error>| {
        matches!(said, Output::Error(_) | Output::End(End::Truncated { .. } | End::Leftover(_)))
    };
    let mut ends = boundaries(messages);
    ends.push(bytes.len());
    let mut start = 0;
    let mut before = output_of_first(0);
    // A reader that waits for a message reports an empty stream by the error of every other end.
    let usual: Vec<_> = match subject.pulls() {
        true => output_of_first(0).into_iter().filter(unclean).collect(),
        false => Vec::new(),
    };
    for end in ends {
        let whole = output_of_first(end);
        let says_nothing = whole == before;
        let silent = |have: usize| {
            let output = output_of_first(have);
            let lost = output == before && !output.iter().any(unclean) && breach(&output).is_none();
            (lost && !is_padding(&bytes[start..have])).then_some((have, output))
        };
        if unfinished == Unfinished::Reported
            && !says_nothing
            && let Some((have, output)) = (start + 1..end).find_map(silent)
        {
            let verdict = format!(
                "the stream ends {} bytes into a message of {}, and nothing reports it: the bytes are lost silently",
                have - start,
                end - start
            );
            let between = format!("ends between two messages, at byte {start}");
            return Some(MisreportedEnd {
                have,
                verdict,
                traces: [(between, before), (format!("ends at byte {have}"), output)],
            });
        }
        if whole.iter().any(unclean) && (usual.is_empty() || !whole.iter().filter(|said| unclean(said)).eq(&usual)) {
            let verdict = format!("the stream ends between two messages, at byte {end}, and is reported as unclean");
            let expected = output_of_first(end).into_iter().filter(|said| !unclean(said)).collect();
            return Some(MisreportedEnd {
                have: end,
                verdict,
                traces: [("expected".to_owned(), expected), ("actual".to_owned(), whole)],
            });
        }
        // It stopped by itself: the message was the last of its stream.
        if subject.pulls() && usual.is_empty() && !whole.iter().any(|said| matches!(said, Output::End(_))) {
            return None;
        }
        start = end;
        before = whole;
    }
    None
}

/// Returns whether the bytes are white space or a byte-order mark, which may precede a message.
fn is_padding(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    rest.iter().all(u8::is_ascii_whitespace)
}

fn violation<S>(
    subject: &S,
    messages: &[&[u8]],
    unfinished: Unfinished,
    found: MisreportedEnd<S::Event, S::Error>,
) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let fewest =
        minimise::fewest(messages, |fewer| !fewer.is_empty() && misreported_end(subject, fewer, unfinished).is_some());
    let again = misreported_end(subject, &fewest, unfinished);
    let repeats = again.is_some();
    let fewest = if repeats { fewest } else { messages.to_vec() };
    let MisreportedEnd { have, verdict, traces: [(expected_label, expected), (actual_label, actual)] } =
        again.unwrap_or(found);
    let function = if unfinished == Unfinished::Dropped { "end_between" } else { "end" };
    Box::new(Violation {
        law: Law::End,
        verdict: if repeats { verdict } else { format!("{verdict}\n{}", super::NOT_REPEATED) },
        call: format!("{function}(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new(expected_label, &expected), Trace::new(actual_label, &actual)]),
        input: stream(&fewest.concat()[..have]),
        cuts: Vec::new(),
        messages: kept(&fewest),
        subject: None,
    })
}
