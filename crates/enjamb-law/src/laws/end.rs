//! The end law: the end of the stream inside a message is told from one between two messages.
//!
//! A connection that breaks in the middle of a message must not look like one that was closed after the last: whoever cannot tell takes half an answer
//! for all of it. How it is told is the subject's affair: an error, a verdict, or an event for the part that came, as when a line codec gives out the last
//! line without its terminator. Only to say nothing is against the law. That the verdict does not depend on the cuts is the split law's.

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

use super::coalesce::edges;

/// Holds when the subject says of every stream that ends inside one of `messages` something else than of the stream that ends before that message, and
/// takes an end behind each message for a clean one.
///
/// # Errors
/// A [`Violation`], with as few of the messages as show it.
pub fn end<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    match wrong(subject, messages) {
        None => Ok(()),
        Some(_) => Err(violation(subject, messages)),
    }
}

/// A stream whose end is told wrongly.
struct WrongEnd<E, F> {
    /// How many bytes of the messages arrived.
    have: usize,
    verdict: String,
    traces: [(String, Vec<Output<E, F>>); 2],
}

fn wrong<S>(subject: &S, messages: &[&[u8]]) -> Option<WrongEnd<S::Event, S::Error>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let bytes = messages.concat();
    let said_of = |have: usize| {
        let input = stream(&bytes[..have]);
        pulse::input(&input);
        trace(subject, &input, &[])
    };
    let mut ends = edges(messages);
    ends.push(bytes.len());
    let mut start = 0;
    let mut before = said_of(0);
    for end in ends {
        for have in start + 1..end {
            let said = said_of(have);
            if said == before && breach(&said).is_none() {
                let verdict = format!(
                    "the stream ends {} bytes into a message of {}, and nothing tells: they are lost in silence",
                    have - start,
                    end - start
                );
                let between = format!("ends between two messages, behind byte {start}");
                return Some(WrongEnd {
                    have,
                    verdict,
                    traces: [(between, before), (format!("ends behind byte {have}"), said)],
                });
            }
        }
        let whole = said_of(end);
        let unclean = |said: &Output<S::Event, S::Error>| {
            matches!(said, Output::Error(_) | Output::End(End::Truncated { .. } | End::Leftover(_)))
        };
        if whole.iter().any(unclean) {
            let verdict =
                format!("the stream ends between two messages, behind byte {end}, and that is called an error");
            let expected = said_of(end).into_iter().filter(|said| !unclean(said)).collect();
            return Some(WrongEnd {
                have: end,
                verdict,
                traces: [("expected".to_owned(), expected), ("said".to_owned(), whole)],
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
    let fewest = minimise::fewest(messages, |fewer| !fewer.is_empty() && wrong(subject, fewer).is_some());
    let Some(WrongEnd { have, verdict, traces: [(of_expected, expected), (of_said, said)] }) = wrong(subject, &fewest)
    else {
        unreachable!("it is wrong for what was given, and minimising keeps that")
    };
    Box::new(Violation {
        law: Law::End,
        verdict,
        call: format!("end(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new(of_expected, &expected), Trace::new(of_said, &said)]),
        input: stream(&fewest.concat()[..have]),
        cuts: Vec::new(),
        messages: kept(&fewest),
        subject: None,
    })
}
