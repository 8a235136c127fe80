//! The prompt law: a message whose last byte was fed has been said. Nothing waits for bytes that it does not need.
//!
//! A codec that holds a message back until the next one begins works in every test that closes the stream, and hangs in production: the client waits for
//! the reply, and the server for one byte more. What a subject says before it asks for more is seen by the law; what it would say of the same
//! messages if the stream ended there is what it owes.

use crate::cutting::{Event, stream};
use crate::law::Law;
use crate::literal::messages_code;
use crate::minimise;
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::{drive, trace};
use crate::violation::{Trace, Violation, kept};

use super::coalesce::edges;

/// Holds when the subject, fed with `messages` cut at `cuts`, has said of each message all that it says of it before it asks for what
/// comes behind the chunk that the message ends in.
///
/// # Errors
/// A [`Violation`], with as few of the messages as show it.
pub fn prompt<S>(subject: &S, messages: &[&[u8]], cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    match waits(subject, messages, cuts) {
        None => Ok(()),
        Some(_) => Err(violation(subject, messages, cuts)),
    }
}

/// A message that was whole and not said.
struct LateMessage {
    /// Where it ends.
    end: usize,
    /// What was to be said by then.
    owed: Vec<String>,
    /// What was said by then.
    said: Vec<String>,
}

/// Counts the events at each place where more was asked for.
#[derive(Default)]
struct Counting {
    /// Bytes given so far.
    at: usize,
    /// Events that have begun and are not said yet.
    pending: usize,
    events: usize,
    /// Behind how many bytes more was asked for, and how many events had been said.
    asked: Vec<(usize, usize)>,
}

impl<E, F> Listener<E, F> for Counting {
    fn receive(&mut self, said: Output<E, F>) {
        self.events += usize::from(matches!(said, Output::Event(_)));
    }
    fn asked(&mut self) {
        self.asked.push((self.at, self.events + self.pending));
    }
    fn pending(&mut self, events: usize) {
        self.pending = events;
    }
    fn given(&mut self, event: Event<'_>) {
        if let Event::Chunk(bytes) = event {
            self.at += bytes.len();
        }
    }
}

fn waits<S>(subject: &S, messages: &[&[u8]], cuts: &[usize]) -> Option<LateMessage>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let bytes = messages.concat();
    let input = stream(&bytes);
    pulse::input(&input);
    pulse::cuts(cuts);
    let mut counting = Counting::default();
    drive(subject, &mut input.cut(cuts), &mut counting, AfterError::Stop);

    let mut ends = edges(messages);
    ends.push(bytes.len());
    for end in ends {
        // The first time that more was asked for with the whole message there.
        let &(_, events) = counting.asked.iter().find(|(at, _)| *at >= end)?;
        let owed = trace(subject, &stream(&bytes[..end]), &[]);
        if owed.iter().any(|said| matches!(said, Output::Error(_) | Output::Breach(_))) {
            return None;
        }
        let owed: Vec<String> = owed.iter().filter(|said| matches!(said, Output::Event(_))).map(Output::text).collect();
        if events < owed.len() {
            let said = owed[..events].to_vec();
            return Some(LateMessage { end, owed, said });
        }
    }
    None
}

fn violation<S>(subject: &S, messages: &[&[u8]], cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let every = |messages: &[&[u8]]| -> Vec<usize> { (1..messages.concat().len()).collect() };
    let candidates = |fewer: &[&[u8]]| {
        let mut candidates = vec![Vec::new(), edges(fewer), every(fewer)];
        let len: usize = fewer.iter().map(|message| message.len()).sum();
        candidates.push(cuts.iter().copied().filter(|cut| *cut < len).collect());
        if len <= 256 {
            candidates.splice(1..1, (1..len).map(|cut| vec![cut]));
        }
        candidates
    };
    let shows = |fewer: &[&[u8]]| {
        candidates(fewer).into_iter().find_map(|cuts| waits(subject, fewer, &cuts).map(|waits| (cuts, waits)))
    };
    let fewest = minimise::fewest(messages, |fewer| !fewer.is_empty() && shows(fewer).is_some());
    let Some((mut cuts, mut waits)) = shows(&fewest) else {
        unreachable!("the cuts it was found with are among the candidates")
    };
    // Without the cuts that make no difference.
    let mut at = 0;
    while at < cuts.len() && cuts.len() <= 256 {
        let mut fewer = cuts.clone();
        fewer.remove(at);
        match self::waits(subject, &fewest, &fewer) {
            Some(still) => (cuts, waits) = (fewer, still),
            None => at += 1,
        }
    }
    Box::new(Violation {
        law: Law::Prompt,
        verdict: format!("a message was whole with byte {}, and was not said before more was asked for", waits.end),
        call: format!("prompt(&subject, {}, &{cuts:?})", messages_code(&fewest)),
        traces: Some([
            Trace { label: "said of it when the stream ends there".to_owned(), outputs: waits.owed },
            Trace { label: "said before more was asked for".to_owned(), outputs: waits.said },
        ]),
        input: stream(&fewest.concat()),
        cuts,
        messages: kept(&fewest),
        subject: None,
    })
}
