//! The end law: the end of the stream inside a message differs from an end between two messages.
//!
//! A connection that breaks in the middle of a message must not look like one that was closed after
//! the last message: a program that cannot distinguish them takes half an answer for a whole one.
//! The subject may report it in any way: by an error, by its verdict on the end, or by an event for
//! the part that came, like a line codec that returns the last line without its terminator. Only
//! silence breaks the law. The split law checks whether the report depends on the cuts.

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
    match misreported_end(subject, messages) {
        None => Ok(()),
        Some(_) => Err(violation(subject, messages)),
    }
}

/// An end of the stream that the subject reports wrongly or not at all.
struct MisreportedEnd<E, F> {
    /// The number of bytes of the messages that arrived.
    have: usize,
    verdict: String,
    traces: [(String, Vec<Output<E, F>>); 2],
}

fn misreported_end<S>(subject: &S, messages: &[&[u8]]) -> Option<MisreportedEnd<S::Event, S::Error>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let bytes = messages.concat();
    let output_of_first = |have: usize| {
        let input = stream(&bytes[..have]);
        pulse::input(&input);
        trace(subject, &input, &[])
    };
    let mut ends = boundaries(messages);
    ends.push(bytes.len());
    let mut start = 0;
    let mut before = output_of_first(0);
    for end in ends {
        for have in start + 1..end {
            let output = output_of_first(have);
            if output == before && breach(&output).is_none() {
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
        }
        let whole = output_of_first(end);
        let unclean = |said: &Output<S::Event, S::Error>| {
            matches!(said, Output::Error(_) | Output::End(End::Truncated { .. } | End::Leftover(_)))
        };
        if whole.iter().any(unclean) {
            let verdict = format!("the stream ends between two messages, at byte {end}, and is reported as unclean");
            let expected = output_of_first(end).into_iter().filter(|said| !unclean(said)).collect();
            return Some(MisreportedEnd {
                have: end,
                verdict,
                traces: [("expected".to_owned(), expected), ("actual".to_owned(), whole)],
            });
        }
        start = end;
        before = whole;
    }
    None
}

fn violation<S>(subject: &S, messages: &[&[u8]]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let fewest = minimise::fewest(messages, |fewer| !fewer.is_empty() && misreported_end(subject, fewer).is_some());
    let Some(MisreportedEnd { have, verdict, traces: [(expected_label, expected), (actual_label, actual)] }) =
        misreported_end(subject, &fewest)
    else {
        unreachable!("the given messages break the law, and minimising keeps that")
    };
    Box::new(Violation {
        law: Law::End,
        verdict,
        call: format!("end(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new(expected_label, &expected), Trace::new(actual_label, &actual)]),
        input: stream(&fewest.concat()[..have]),
        cuts: Vec::new(),
        messages: kept(&fewest),
        subject: None,
    })
}
