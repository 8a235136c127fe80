//! Messages of any length, made from a well-formed one.
//!
//! Many bugs need a message of a certain length: a buffer that is exactly full, a length with one
//! digit more, a payload of no bytes. The samples of a definition are short. So a place is searched
//! where a sample can be longer: somewhere in a text, or behind a length that must be changed too.
//! The subject decides: the longer message must give as many events as the sample, and no error.

use std::ops::Range;

use crate::cutting::{Event, stream};
use crate::grammar::Prefix;
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::{drive, trace};

/// A message with a place at which bytes can be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    message: Vec<u8>,
    /// The length that grows with the message: its place, its form and its value in the sample.
    length: Option<(Range<usize>, LengthForm, u64)>,
    /// The offset at which bytes are added.
    place: usize,
}

/// The form of a length inside a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthForm {
    Decimal,
    Hexadecimal,
    Binary(Prefix),
}

impl LengthForm {
    fn write(self, length: u64) -> Vec<u8> {
        match self {
            Self::Decimal => length.to_string().into_bytes(),
            Self::Hexadecimal => format!("{length:x}").into_bytes(),
            Self::Binary(prefix) => prefix.write(length),
        }
    }
}

/// The byte that is added.
const FILLER: u8 = b'a';

/// The numbers of bytes that are added to see whether a message can be longer. The first ones must
/// fit; the others show the form of a length, and may be over a limit.
const TRIALS: [isize; 4] = [1, 3, 40, 300];
const SMALL_TRIALS: usize = 2;

/// The maximum number of messages that are searched, and of places in each.
const MESSAGES_MAX: usize = 6;
const PLACES_MAX: usize = 16;

/// The longest message that is searched, in bytes.
const SEARCHED_MAX: usize = 512;

impl Stretch {
    /// Returns the message with this many bytes more, or less.
    pub(crate) fn message(&self, more: isize) -> Vec<u8> {
        self.filled(more, FILLER)
    }

    /// Returns the message with this many bytes more, each of them `filler`, or less.
    pub(crate) fn filled(&self, more: isize, filler: u8) -> Vec<u8> {
        let removed = usize::try_from(-more).unwrap_or(0).min(self.place - self.head().min(self.place));
        let added = usize::try_from(more).unwrap_or(0);
        let mut message = Vec::with_capacity(self.message.len() + added + 8);
        let before_payload = match &self.length {
            Some((range, form, value)) => {
                let length = value.saturating_add_signed(i64::try_from(more).unwrap_or(0));
                message.extend(&self.message[..range.start]);
                message.extend(form.write(length));
                range.end
            }
            None => 0,
        };
        message.extend(&self.message[before_payload..(self.place - removed).max(before_payload)]);
        message.resize(message.len() + added, filler);
        message.extend(&self.message[self.place..]);
        message
    }

    /// Returns whether a length announces the payload.
    pub(crate) fn has_length(&self) -> bool {
        self.length.is_some()
    }

    /// Returns the end of the length, or 0.
    fn head(&self) -> usize {
        self.length.as_ref().map_or(0, |(range, ..)| range.end)
    }

    /// Returns the numbers of bytes to add for a message of `len` bytes, and for a payload of `len`
    /// bytes if a length announces it.
    pub(crate) fn more_for(&self, len: usize) -> [Option<isize>; 2] {
        let more = |from: usize| isize::try_from(len).ok()?.checked_sub_unsigned(from);
        let payload = self.length.as_ref().and_then(|(.., value)| usize::try_from(*value).ok());
        [more(self.message.len()), payload.and_then(more)]
    }

    /// Returns the number of bytes to add for the shortest message that may be well-formed.
    pub(crate) fn least(&self) -> isize {
        match &self.length {
            Some((range, _, value)) => {
                let payload = usize::try_from(*value).unwrap_or(0).min(self.place - range.end);
                -isize::try_from(payload).unwrap_or(0)
            }
            None => {
                // The word before the place. More would take the head of the message with it.
                let word = self.message[..self.place].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric());
                -isize::try_from(word.count()).unwrap_or(0)
            }
        }
    }
}

/// Returns whether `message` gives `events` events, no error, and a clean end.
pub(crate) fn is_well_formed<S>(subject: &S, message: &[u8], events: usize) -> bool
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    events_of(subject, message) == Some(events)
}

/// Returns the number of events of `message`; `None` if it is not well-formed.
pub(crate) fn events_of<S>(subject: &S, message: &[u8]) -> Option<usize>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let outputs = |bytes: &[u8]| {
        let input = stream(bytes);
        pulse::input(&input);
        trace(subject, &input, &[])
    };
    let mut said = outputs(message);
    let other = |said: &Output<S::Event, S::Error>| !matches!(said, Output::Event(_));
    let ending: Vec<_> = said.iter().filter(|said| other(said)).collect();
    let events = said.len() - ending.len();
    let is_clean = ending.iter().all(|said| matches!(said, Output::End(enjamb::End::Clean)));
    // A reader may report every end by the same error.
    if !is_clean && outputs(b"").iter().filter(|said| other(said)).ne(ending.iter().copied()) {
        return None;
    }
    // A reader that stops by itself has read a whole message.
    if subject.pulls() && ending.is_empty() {
        return Some(events);
    }
    // The end of the stream may hide an unfinished message. Then the next one differs.
    let twice = outputs(&message.repeat(2));
    said.truncate(events);
    let second = said.into_iter().map(|said| match said {
        Output::Event(event) => Output::Event(subject.displaced(event, message.len() as u64)),
        said => said,
    });
    let follows = twice.len() >= 2 * events && second.eq(twice.into_iter().skip(events).take(events));
    follows.then_some(events)
}

/// The longest end of a message that may come after its last event, in bytes.
const TAIL_MAX: usize = 8;

/// Returns the number of bytes at the end of a message that come after its last event, of which
/// there are `events`; `None` if the last event is not emitted before more is requested.
///
/// A reader that ignores unknown fields takes bytes behind a message for the beginning of the next
/// one. Such bytes make this tail longer than that of the sample.
fn tail_len<S>(subject: &S, message: &[u8], events: usize) -> Option<usize>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let has_all = |bytes: &[u8]| events_before_end(subject, bytes) >= events;
    let tails = (0..=message.len().min(TAIL_MAX)).take_while(|tail| has_all(&message[..message.len() - tail]));
    tails.last()
}

/// Returns the number of events of `bytes` that are emitted before the end of the stream is known.
fn events_before_end<S>(subject: &S, bytes: &[u8]) -> usize
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let input = stream(bytes);
    pulse::input(&input);
    let mut listener = EarlyEventListener { len: bytes.len(), ..EarlyEventListener::default() };
    drive(subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
    listener.events
}

/// Counts the events that are emitted before more than `len` bytes are requested.
#[derive(Default)]
struct EarlyEventListener {
    len: usize,
    given: usize,
    requests_end: bool,
    events: usize,
}

impl<E, F> Listener<E, F> for EarlyEventListener {
    fn receive(&mut self, output: Output<E, F>) {
        self.events += usize::from(!self.requests_end && matches!(output, Output::Event(_)));
    }
    fn asked(&mut self) {
        self.requests_end |= self.given >= self.len;
    }
    fn given(&mut self, event: Event<'_>) {
        if let Event::Chunk(bytes) = event {
            self.given += bytes.len();
        }
    }
}

/// Returns places at which the `messages` can be longer: for each at most one without a length, and
/// one with a length.
pub(crate) fn stretches<S>(subject: &S, messages: &[Vec<u8>]) -> Vec<Stretch>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let mut found: Vec<Stretch> = Vec::new();
    for message in messages.iter().filter(|message| (1..=SEARCHED_MAX).contains(&message.len())).take(MESSAGES_MAX) {
        let Some(events) = events_of(subject, message).filter(|events| *events > 0) else {
            continue;
        };
        let tail = tail_len(subject, message, events);
        let fits_with = |trials: &[isize], stretch: &Stretch| {
            let mut longer = trials.iter().map(|more| stretch.message(*more));
            longer.all(|longer| is_well_formed(subject, &longer, events) && tail_len(subject, &longer, events) == tail)
        };
        let with_length = lengths(message)
            .flat_map(|length| ends(message).map(move |place| (length.clone(), place)))
            .filter(|((range, ..), place)| range.end <= *place)
            .map(|(length, place)| Stretch { message: message.clone(), length: Some(length), place });
        let with_length = first_of_best(with_length, fits_with);
        let without =
            places(message).into_iter().map(|place| Stretch { message: message.clone(), length: None, place });
        let without = first_of_best(without, fits_with);
        found.extend(with_length.into_iter().chain(without));
    }
    found
}

/// Returns the first that fits with all trials, or else the first that fits with the small ones.
fn first_of_best(
    all: impl Iterator<Item = Stretch>,
    fits_with: impl Fn(&[isize], &Stretch) -> bool,
) -> Option<Stretch> {
    let mut second = None;
    for stretch in all {
        if fits_with(&TRIALS[..SMALL_TRIALS], &stretch) {
            if fits_with(&TRIALS[SMALL_TRIALS..], &stretch) {
                return Some(stretch);
            }
            second = second.or(Some(stretch));
        }
    }
    second
}

/// Returns the places at the end of the message at which a payload may end.
fn ends(message: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let len = message.len();
    (0..=4).filter_map(move |tail| len.checked_sub(tail))
}

/// Returns places inside the message, letters and digits first.
fn places(message: &[u8]) -> Vec<usize> {
    let rank = |at: &usize| {
        let plain = |at: usize| message.get(at).is_some_and(u8::is_ascii_lowercase);
        match (at.checked_sub(1).is_some_and(plain), plain(*at)) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    };
    let mut places: Vec<usize> = (0..=message.len()).collect();
    // The last place of each rank first: a payload comes behind its head.
    places.reverse();
    places.sort_by_key(rank);
    places.truncate(PLACES_MAX);
    places
}

/// Returns everything that may be a length of what follows it.
fn lengths(message: &[u8]) -> impl Iterator<Item = (Range<usize>, LengthForm, u64)> {
    let len = message.len();
    let text = (0..len).flat_map(move |start| {
        [(LengthForm::Decimal, 10), (LengthForm::Hexadecimal, 16)].into_iter().filter_map(move |(form, radix)| {
            let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
            let starts = start == 0 || !message[start - 1].is_ascii_alphanumeric();
            let digits = message[start..].iter().take_while(|byte| is_digit(byte)).count();
            if !starts || !(1..=6).contains(&digits) {
                return None;
            }
            let digits_text = std::str::from_utf8(&message[start..start + digits]).ok()?;
            let value = u64::from_str_radix(digits_text, radix).ok()?;
            (value <= len as u64).then_some((start..start + digits, form, value))
        })
    });
    const BINARY: [Prefix; 10] = [
        Prefix::Varint,
        Prefix::U8,
        Prefix::U16Be,
        Prefix::U16Le,
        Prefix::U24Be,
        Prefix::U24Le,
        Prefix::U32Be,
        Prefix::U32Le,
        Prefix::U64Be,
        Prefix::U64Le,
    ];
    let binary = (0..len.min(12)).flat_map(move |start| {
        BINARY.into_iter().flat_map(move |prefix| {
            // The payload ends the message, with up to 4 bytes after it, or the whole message is
            // counted.
            (0..=len.min(start + 8)).rev().filter_map(move |left| {
                let value = (len - left) as u64;
                let written = prefix.write(value);
                let range = start..start + written.len();
                (message.get(range.clone()) == Some(&written[..])).then_some((range, LengthForm::Binary(prefix), value))
            })
        })
    });
    text.chain(binary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::{Parsed, Parsing};

    #[test]
    fn a_message_is_longer_and_shorter_with_its_length() {
        let stretch = Stretch {
            message: b"set k 5\r\nhello\r\n".to_vec(),
            length: Some((6..7, LengthForm::Decimal, 5)),
            place: 14,
        };
        assert_eq!(stretch.message(7), b"set k 12\r\nhelloaaaaaaa\r\n");
        assert_eq!(stretch.least(), -5);
        assert_eq!(stretch.message(-5), b"set k 0\r\n\r\n");
        assert_eq!(stretch.more_for(100), [Some(84), Some(95)]);
    }

    #[test]
    fn the_subject_shows_where_a_message_can_be_longer() {
        let frames = Parsing::new(|bytes: &[u8]| {
            let Some(colon) = bytes.iter().position(|byte| *byte == b':') else { return Parsed::Incomplete };
            let Some(len) = std::str::from_utf8(&bytes[..colon]).ok().and_then(|digits| digits.parse::<usize>().ok())
            else {
                return Parsed::Failed("length");
            };
            match bytes.get(colon + 1 + len) {
                None => Parsed::Incomplete,
                Some(b',') => Parsed::Done(bytes[colon + 1..colon + 1 + len].to_vec(), colon + len + 2),
                Some(_) => Parsed::Failed("comma"),
            }
        });
        let found = stretches(&frames, &[b"5:hello,".to_vec()]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message(5), b"10:helloaaaaa,");
        assert_eq!(found[0].message(found[0].least()), b"0:,");
        let lines = Parsing::new(|bytes: &[u8]| match bytes.iter().position(|byte| *byte == b'\n') {
            Some(at) => Parsed::<_, ()>::Done(bytes[..at].to_vec(), at + 1),
            None => Parsed::Incomplete,
        });
        let found = stretches(&lines, &[b"one\n".to_vec()]);
        assert_eq!(found[0].message(2), b"onaae\n");
    }

    #[test]
    fn bytes_that_begin_the_next_message_do_not_make_one_longer() {
        // A reader of fields that ignores unknown ones: `e` is no length, although it may be one.
        let fields = Parsing::new(|bytes: &[u8]| {
            let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") else { return Parsed::Incomplete };
            let data = bytes[..end].split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"));
            Parsed::<_, ()>::Done(data.map(<[u8]>::to_vec), end + 2)
        });
        let found = stretches(&fields, &[b"event: x\ndata: a\n\n".to_vec()]);
        assert!(!found.is_empty());
        assert!(found.iter().all(|stretch| stretch.message(3).ends_with(b"\n\n")), "{found:?}");
    }
}
