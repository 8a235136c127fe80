//! The round trip law: what is decoded, encoded and decoded again is the same; and a message in its canonical form is encoded as it was.

use enjamb::End;

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::literal;
use crate::output::Output;
use crate::pulse;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// Holds when the events of `message`, encoded by `encode` and read again, are the same events; and, for a message that is `canonical`, when
/// their encoding is the message.
///
/// `encode` gives the bytes of one event, or `None` for one that it does not encode; then nothing is said of the message.
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
    let said = trace(subject, &input, &[]);
    let mut encoded = Vec::new();
    for said in &said {
        match said {
            Output::Event(event) => match encode(event) {
                Some(bytes) => encoded.extend(bytes),
                None => return Ok(()),
            },
            Output::End(End::Clean) => {}
            // Not a whole message: nothing is promised of it.
            Output::End(_) | Output::Error(_) | Output::Breach(_) => return Ok(()),
        }
    }
    let again = trace(subject, &stream(&encoded), &[]);
    let verdict = if again != said {
        format!("encoded as {} and read again, it is something else", literal(&encoded))
    } else if canonical && encoded != message {
        format!("a canonical message is encoded as {}", literal(&encoded))
    } else {
        return Ok(());
    };
    Err(Box::new(Violation {
        law: Law::RoundTrip,
        verdict,
        call: format!("round_trip(&subject, {}, {canonical}, encode)", literal(message)),
        traces: Some([Trace::new("read", &said), Trace::new("encoded and read again", &again)]),
        input,
        cuts: Vec::new(),
        messages: None,
        subject: None,
    }))
}
