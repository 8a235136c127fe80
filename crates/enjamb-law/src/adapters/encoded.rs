//! Encoders: the other half of a codec.

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::literal;
use crate::minimise;
use crate::output::Output;
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::violation::{Trace, Violation};

/// The bytes that `encoder` makes of `items`, one behind the other in one buffer as `FramedWrite` has them.
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

/// Holds when `events`, encoded by `encode` and read by the subject, are those events: the round trip that begins with values, where
/// [`round_trip`](crate::round_trip) begins with bytes. What the subject says of the end counts only where it is an error.
///
/// `encode` gives the bytes of all the events it is given, or `None` where it refuses them; then nothing is said of them.
///
/// ```
/// # #[cfg(feature = "tokio-util")] {
/// use enjamb_law::{Decoded, encoded, reads_back};
/// use tokio_util::codec::LinesCodec;
///
/// let lines = Decoded::new(LinesCodec::new);
/// let encode = |lines: &[String]| encoded(LinesCodec::new(), lines).ok();
/// reads_back(&lines, &["one".to_owned(), String::new()], encode).unwrap();
/// // A line with a line feed in it comes back as two.
/// assert!(reads_back(&lines, &["one\ntwo".to_owned()], encode).is_err());
/// # }
/// ```
///
/// # Errors
/// A [`Violation`] of the law [`RoundTrip`](Law::RoundTrip), with as few of the events as show it.
pub fn reads_back<S>(
    subject: &S,
    events: &[S::Event],
    encode: impl Fn(&[S::Event]) -> Option<Vec<u8>>,
) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable + Clone, Error: Comparable>,
{
    let read = |events: &[S::Event]| {
        let bytes = encode(events)?;
        let said = trace(subject, &stream(&bytes), &[]);
        let expected: Vec<_> = events.iter().cloned().map(Output::<_, S::Error>::Event).collect();
        let read = said.iter().filter(|said| !matches!(said, Output::End(_)));
        (!read.eq(&expected)).then_some((bytes, expected, said))
    };
    if read(events).is_none() {
        return Ok(());
    }
    let fewest = minimise::fewest_of(events, |fewer| read(fewer).is_some());
    let Some((bytes, expected, said)) = read(&fewest) else {
        unreachable!("it is not read back for what was given, and minimising keeps that")
    };
    Err(Box::new(Violation {
        law: Law::RoundTrip,
        verdict: format!("encoded as {} and read again, it is something else", literal(&bytes)),
        call: format!("reads_back(&subject, &{fewest:?}, encode)"),
        traces: Some([Trace::new("encoded", &expected), Trace::new("read", &said)]),
        input: stream(&bytes),
        messages: None,
        cuts: Vec::new(),
        subject: None,
    }))
}
