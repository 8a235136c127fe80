//! Encoders: the other half of a codec.

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::literal;
use crate::minimise;
use crate::output::Output;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// Encodes `items` with `encoder`, one after the other into one buffer, as `FramedWrite` does.
///
/// ```
/// use enjamb_law::{Decoded, encoded, round_trip};
/// use tokio_util::codec::LinesCodec;
///
/// let lines = Decoded::new(LinesCodec::new);
/// round_trip(&lines, b"one\ntwo\n", true, |line| encoded(LinesCodec::new(), [line]).ok()).unwrap();
/// ```
///
/// # Errors
/// The encoder's own.
#[cfg(feature = "tokio-util")]
pub fn encoded<E, T>(mut encoder: E, items: impl IntoIterator<Item = T>) -> Result<Vec<u8>, E::Error>
where
    E: tokio_util::codec::Encoder<T>,
{
    let mut buffer = bytes::BytesMut::new();
    items.into_iter().try_for_each(|item| encoder.encode(item, &mut buffer))?;
    Ok(buffer.into())
}

/// Holds when the subject decodes `events`, encoded by `encode`, to the same events. This round
/// trip begins with values; [`round_trip`](crate::round_trip) begins with bytes. The verdict on the
/// end counts only where it is an error.
///
/// `encode` returns the bytes of all given events, or `None` if it refuses them; then the law
/// holds.
///
/// ```
/// # #[cfg(feature = "tokio-util")] {
/// use enjamb_law::{Decoded, encoded, reads_back};
/// use tokio_util::codec::LinesCodec;
///
/// let lines = Decoded::new(LinesCodec::new);
/// let encode = |lines: &[String]| encoded(LinesCodec::new(), lines).ok();
/// reads_back(&lines, &["one".to_owned(), String::new()], encode).unwrap();
/// // A line that contains a line feed comes back as two lines.
/// assert!(reads_back(&lines, &["one\ntwo".to_owned()], encode).is_err());
/// # }
/// ```
///
/// # Errors
/// A [`Violation`] of the law [`RoundTrip`](Law::RoundTrip), with the fewest events that show it.
pub fn reads_back<S>(
    subject: &S,
    events: &[S::Event],
    encode: impl Fn(&[S::Event]) -> Option<Vec<u8>>,
) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable + Clone, Error: Comparable>,
{
    let difference = |events: &[S::Event]| {
        let bytes = encode(events)?;
        let decoded = trace(subject, &stream(&bytes), &[]);
        let expected: Vec<_> = events.iter().cloned().map(Output::<_, S::Error>::Event).collect();
        let without_end = decoded.iter().filter(|said| !matches!(said, Output::End(_)));
        (!without_end.eq(&expected)).then_some((bytes, expected, decoded))
    };
    if difference(events).is_none() {
        return Ok(());
    }
    let fewest = minimise::fewest_of(events, |fewer| difference(fewer).is_some());
    let Some((bytes, expected, decoded)) = difference(&fewest) else {
        unreachable!("the given events differ, and minimising keeps that")
    };
    Err(Box::new(Violation {
        law: Law::RoundTrip,
        verdict: format!("encoded as {} and decoded again, the output is different", literal(&bytes)),
        call: format!("reads_back(&subject, &{fewest:?}, encode)"),
        traces: Some([Trace::new("encoded", &expected), Trace::new("decoded", &decoded)]),
        input: stream(&bytes),
        messages: None,
        cuts: Vec::new(),
        subject: None,
    }))
}
