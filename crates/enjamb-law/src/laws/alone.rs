//! The alone law: messages that do not depend on each other say alone what they say together.
//!
//! A reader that keeps something of one message for the next (headers that are not cleared, a limit that is not counted anew) says the same under every
//! cut. A fresh one for each message shows it.

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::messages_code;
use crate::minimise;
use crate::output::Output;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation, kept};

/// Holds when the events of all `messages` together are those of each of them fed to a fresh subject, one after the other.
///
/// # Errors
/// A [`Violation`], with as few of the messages as show it.
pub fn alone<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (alone, together) = both(subject, messages);
    if alone == together { Ok(()) } else { Err(violation(subject, messages)) }
}

type Events<S> = Vec<Output<<S as Subject>::Event, <S as Subject>::Error>>;

/// Events of the messages alone, and together. The end of a stream is none, and a fault is the affair of other laws.
fn both<S>(subject: &S, messages: &[&[u8]]) -> (Events<S>, Events<S>)
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
        let (alone, together) = both(subject, fewer);
        alone != together
    });
    let (alone, together) = both(subject, &fewest);
    Box::new(Violation {
        law: Law::Alone,
        verdict: "a message says something else behind another than alone, if each is a whole message".to_owned(),
        call: format!("alone(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new("each to a fresh one", &alone), Trace::new("together", &together)]),
        input: stream(&fewest.concat()),
        cuts: Vec::new(),
        messages: kept(&fewest),
        subject: None,
    })
}
