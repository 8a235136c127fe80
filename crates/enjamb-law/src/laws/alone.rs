//! The alone law: independent messages give the same events alone and together.
//!
//! A reader that keeps state from one message for the next (headers that are not cleared, a limit
//! whose count is not reset) gives the same output under every cut, so the split law cannot detect
//! it. A fresh reader for each message can.

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::messages_code;
use crate::minimise;
use crate::output::Output;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation, kept};

/// Holds when all `messages` together give the events that they give one by one, each fed to a
/// fresh subject.
///
/// # Errors
/// A [`Violation`], with the fewest messages that show it.
pub fn alone<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (alone, together) = run_both(subject, messages);
    if alone == together { Ok(()) } else { Err(violation(subject, messages)) }
}

type Events<S> = Vec<Output<<S as Subject>::Event, <S as Subject>::Error>>;

/// Returns the events of the messages alone, and together. The verdict on the end of the stream is
/// left out, and so are breaches, which other laws report.
fn run_both<S>(subject: &S, messages: &[&[u8]]) -> (Events<S>, Events<S>)
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let events = |bytes: &[u8], offset: u64| {
        let input = stream(bytes);
        pulse::input(&input);
        let said =
            trace(subject, &input, &[]).into_iter().filter(|said| !matches!(said, Output::End(_) | Output::Breach(_)));
        said.map(move |said| match said {
            Output::Event(event) => Output::Event(subject.displaced(event, offset)),
            said => said,
        })
        .collect::<Vec<_>>()
    };
    let mut offset = 0;
    let mut alone = Vec::new();
    for message in messages {
        alone.extend(events(message, offset));
        offset += message.len() as u64;
    }
    (alone, events(&messages.concat(), 0))
}

fn violation<S>(subject: &S, messages: &[&[u8]]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let fewest = minimise::fewest(messages, |fewer| {
        let (alone, together) = run_both(subject, fewer);
        alone != together
    });
    let (alone, together) = run_both(subject, &fewest);
    Box::new(Violation {
        law: Law::Alone,
        verdict: "a message gives different events after another message than alone".to_owned(),
        call: format!("alone(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new("one fresh subject each", &alone), Trace::new("together", &together)]),
        input: stream(&fewest.concat()),
        cuts: Vec::new(),
        messages: kept(&fewest),
        subject: None,
    })
}
