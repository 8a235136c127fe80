//! The round trip law: events that are encoded and decoded again are the same events, and a
//! canonical message is encoded as it was.

use enjamb::End;

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::literal;
use crate::output::Output;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// Holds when the events of `message`, encoded by `encode` and decoded again, are the same events;
/// and, for a message that is `canonical`, when their encoding is the message.
///
/// `encode` returns the bytes of one event, or `None` for an event that it does not encode; then
/// the law holds.
///
/// # Errors
/// A [`Violation`].
pub fn round_trip<S>(
    subject: &S,
    message: &[u8],
    canonical: bool,
    encode: impl Fn(&S::Event) -> Option<Vec<u8>>,
) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let input = stream(message);
    pulse::input(&input);
    let decoded = trace(subject, &input, &[]);
    let mut encoded = Vec::new();
    for said in &decoded {
        match said {
            Output::Event(event) => match encode(event) {
                Some(bytes) => encoded.extend(bytes),
                None => return Ok(()),
            },
            Output::End(End::Clean) => {}
            // The law concerns whole messages only.
            Output::End(_) | Output::Error(_) | Output::GivenUp | Output::Refuses | Output::Breach(_) => return Ok(()),
        }
    }
    let again = trace(subject, &stream(&encoded), &[]);
    let verdict = if again != decoded {
        format!("encoded as {} and decoded again, the output is different", literal(&encoded))
    } else if canonical && encoded != message {
        format!("a canonical message is encoded as {}", literal(&encoded))
    } else {
        return Ok(());
    };
    Err(Box::new(Violation {
        law: Law::RoundTrip,
        verdict,
        call: format!("round_trip(&subject, {}, {canonical}, encode)", literal(message)),
        traces: Some([Trace::new("decoded", &decoded), Trace::new("encoded and decoded again", &again)]),
        input,
        cuts: Vec::new(),
        messages: None,
        subject: None,
    }))
}
