//! The prompt law: a message is emitted once its last byte was fed. No message waits for bytes that
//! it does not need.
//!
//! A codec that holds a message back until the next one begins passes every test that closes the
//! stream, and hangs in production: the client waits for the reply, and the server for one more
//! byte. The law compares the events that the subject emits before it requests more bytes with
//! those that it emits when the stream ends there.

use crate::cutting::{Event, stream};
use crate::law::Law;
use crate::literal::{cuts_code, messages_code};
use crate::minimise;
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::{drive, trace};
use crate::violation::{Trace, Violation, kept};

use super::boundaries::boundaries;
use super::usual::{errors_at_end, without_errors_at_end};

/// Holds when the subject, fed with `messages` cut at `cuts`, emits all events of a message before
/// it requests the chunk after the one in which the message ends.
///
/// # Errors
/// A [`Violation`], with the fewest messages that show it.
pub fn prompt<S>(subject: &S, messages: &[&[u8]], cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    match late_message(subject, messages, cuts) {
        None => Ok(()),
        Some(late) => Err(violation(subject, messages, cuts, late)),
    }
}

/// A message that was complete and not emitted.
struct LateMessage {
    /// The offset at which it ends.
    end: usize,
    /// The events that were due there.
    due: Vec<String>,
    /// The events that were emitted there.
    emitted: Vec<String>,
}

/// Counts the events at each place where the subject requested more.
#[derive(Default)]
struct EventCounter {
    /// The number of bytes given so far.
    at: usize,
    /// The number of events that have begun and may still grow.
    pending: usize,
    events: usize,
    /// The number of bytes given and of events emitted, each time that the subject requested more.
    requests: Vec<(usize, usize)>,
}

impl<E, F> Listener<E, F> for EventCounter {
    fn receive(&mut self, said: Output<E, F>) {
        self.events += usize::from(matches!(said, Output::Event(_)));
    }
    fn asked(&mut self) {
        self.requests.push((self.at, self.events + self.pending));
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

fn late_message<S>(subject: &S, messages: &[&[u8]], cuts: &[usize]) -> Option<LateMessage>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let bytes = messages.concat();
    let input = stream(&bytes);
    pulse::input(&input);
    pulse::cuts(cuts);
    let mut counter = EventCounter::default();
    drive(subject, &mut input.cut(cuts), &mut counter, AfterError::Stop);

    let at_end = errors_at_end(subject);
    let mut ends = boundaries(messages);
    ends.push(bytes.len());
    for end in ends {
        // The first request for more after the whole message was given.
        let &(_, events) = counter.requests.iter().find(|(at, _)| *at >= end)?;
        let mut due = trace(subject, &stream(&bytes[..end]), &[]);
        without_errors_at_end(&mut due, &at_end);
        if due.iter().any(|said| matches!(said, Output::Error(_) | Output::Breach(_))) {
            return None;
        }
        let due: Vec<String> = due.iter().filter(|said| matches!(said, Output::Event(_))).map(Output::text).collect();
        if events < due.len() {
            let emitted = due[..events].to_vec();
            return Some(LateMessage { end, due, emitted });
        }
    }
    None
}

/// The maximum length for trying every single cut and leaving out every cut that makes no
/// difference, in bytes.
const SHORT_LEN: usize = 256;

fn violation<S>(subject: &S, messages: &[&[u8]], cuts: &[usize], found: LateMessage) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let every = |messages: &[&[u8]]| -> Vec<usize> { (1..messages.concat().len()).collect() };
    let candidates = |fewer: &[&[u8]]| {
        let mut candidates = vec![Vec::new(), boundaries(fewer), every(fewer)];
        let len: usize = fewer.iter().map(|message| message.len()).sum();
        candidates.push(cuts.iter().copied().filter(|cut| *cut < len).collect());
        if len <= SHORT_LEN {
            candidates.splice(1..1, (1..len).map(|cut| vec![cut]));
        }
        candidates
    };
    let find = |fewer: &[&[u8]]| {
        candidates(fewer).into_iter().find_map(|cuts| late_message(subject, fewer, &cuts).map(|late| (cuts, late)))
    };
    let fewest = minimise::fewest(messages, |fewer| !fewer.is_empty() && find(fewer).is_some());
    let again = find(&fewest);
    let repeats = again.is_some();
    let fewest = if repeats { fewest } else { messages.to_vec() };
    let (mut cuts, mut late) = again.unwrap_or((cuts.to_vec(), found));
    // Leave out the cuts that make no difference.
    let mut at = 0;
    while at < cuts.len() && cuts.len() <= SHORT_LEN {
        let mut fewer = cuts.clone();
        fewer.remove(at);
        match late_message(subject, &fewest, &fewer) {
            Some(still) => (cuts, late) = (fewer, still),
            None => at += 1,
        }
    }
    let cuts_code = cuts_code(&cuts);
    Box::new(Violation {
        law: Law::Prompt,
        verdict: format!(
            "a message was complete at byte {}, and was not emitted before more was requested{}",
            late.end,
            if repeats { String::new() } else { format!("\n{}", super::NOT_REPEATED) }
        ),
        call: format!("prompt(&subject, {}, &{cuts_code})", messages_code(&fewest)),
        traces: Some([
            Trace { label: "emitted when the stream ends there".to_owned(), outputs: late.due },
            Trace { label: "emitted before more was requested".to_owned(), outputs: late.emitted },
        ]),
        input: stream(&fewest.concat()),
        cuts,
        messages: kept(&fewest),
        subject: None,
    })
}
