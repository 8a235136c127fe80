//! The alone law: independent messages give the same events alone and together.
//!
//! A reader that keeps state from one message for the next (headers that are not cleared, a limit
//! whose count is not reset) gives the same output under every cut, so the split law cannot detect
//! it. A fresh reader for each message can. The same holds for state that survives an error: a
//! reader that goes on after a refused message must find the next one whole.

use crate::cutting::{Event, stream};
use crate::law::Law;
use crate::literal::{literal, messages_code};
use crate::minimise;
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::{Recorder, drive, trace};
use crate::violation::{Trace, Violation, kept};

use super::usual::{errors_at_end, without_errors_at_end};

/// Holds when all `messages` together give the events that they give one by one, each fed to a
/// fresh subject.
///
/// A reader that stops by itself before the end of the stream reads only the first message: what
/// comes after it belongs to somebody else.
///
/// # Errors
/// A [`Violation`], with the fewest messages that show it.
pub fn alone<S>(subject: &S, messages: &[&[u8]]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (alone, together) = run_both(subject, messages);
    if alone == together { Ok(()) } else { Err(violation(subject, messages, alone, together)) }
}

type Outputs<S> = Vec<Output<<S as Subject>::Event, <S as Subject>::Error>>;

/// Returns the events of the messages alone, and together. The verdict on the end of the stream is
/// left out, and so are breaches, which other laws report.
fn run_both<S>(subject: &S, messages: &[&[u8]]) -> (Outputs<S>, Outputs<S>)
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let at_end = errors_at_end(subject);
    let mut offset = 0;
    let mut alone = Vec::new();
    for message in messages {
        let (events, stopped) = events(subject, message, offset, &at_end);
        alone.extend(events);
        if stopped {
            break;
        }
        offset += message.len() as u64;
    }
    (subject.joined(alone), events(subject, &messages.concat(), 0, &at_end).0)
}

/// Returns the events and errors of a stream, and whether the subject stopped by itself before its
/// end.
fn events<S>(subject: &S, bytes: &[u8], offset: u64, at_end: &[Output<S::Event, S::Error>]) -> (Outputs<S>, bool)
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let input = stream(bytes);
    pulse::input(&input);
    let said = trace(subject, &input, &[]);
    let stopped = subject.pulls()
        && !said.iter().any(|said| matches!(said, Output::End(_) | Output::Error(_) | Output::Breach(_)));
    let mut events: Vec<_> = said
        .into_iter()
        .filter(|said| !matches!(said, Output::End(_) | Output::Breach(_) | Output::GivenUp | Output::Refuses))
        .map(|said| match said {
            Output::Event(event) => Output::Event(subject.displaced(event, offset)),
            said => said,
        })
        .collect();
    without_errors_at_end(&mut events, at_end);
    (events, stopped)
}

fn violation<S>(subject: &S, messages: &[&[u8]], alone: Outputs<S>, together: Outputs<S>) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let fewest = minimise::fewest(messages, |fewer| {
        let (alone, together) = run_both(subject, fewer);
        alone != together
    });
    let again = run_both(subject, &fewest);
    let repeats = again.0 != again.1;
    let (fewest, (alone, together)) = if repeats { (fewest, again) } else { (messages.to_vec(), (alone, together)) };
    let verdict = "a message gives different events after another message than alone";
    Box::new(Violation {
        law: Law::Alone,
        verdict: if repeats { verdict.to_owned() } else { format!("{verdict}\n{}", super::NOT_REPEATED) },
        call: format!("alone(&subject, {})", messages_code(&fewest)),
        traces: Some([Trace::new("one fresh subject each", &alone), Trace::new("together", &together)]),
        input: stream(&fewest.concat()),
        cuts: Vec::new(),
        messages: kept(&fewest),
        subject: None,
    })
}

/// The number of messages after a refused one.
const MESSAGES_AFTER: usize = 3;

/// Holds when the subject, after an error over the `refused` message, gives the events of three
/// times `message` as it gives them alone. It may also give only errors, end its run, or lose some
/// of the messages while it searches for the next beginning.
///
/// # Errors
/// A [`Violation`].
pub fn alone_after<S>(subject: &S, refused: &[u8], message: &[u8]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let at_end = errors_at_end(subject);
    let expected: Outputs<S> = (0..MESSAGES_AFTER)
        .flat_map(|number| events(subject, message, (refused.len() + number * message.len()) as u64, &at_end).0)
        .collect();
    let input = stream(&[refused, &message.repeat(MESSAGES_AFTER)].concat());
    let cuts: Vec<usize> = (0..MESSAGES_AFTER).map(|number| refused.len() + number * message.len()).collect();
    pulse::input(&input);
    pulse::cuts(&cuts);
    let mut listener = AfterErrorRecorder {
        recorder: Recorder(Vec::new()),
        first_error: None,
        requests_after_all: false,
        given: 0,
        len: input.len(),
    };
    drive(subject, &mut input.cut(&cuts), &mut listener, AfterError::Stop);
    let said = listener.recorder.0;
    let Some(error) = listener.first_error else {
        return Ok(());
    };
    // Bytes behind the refused message were read, and the run was not over: silence is a hang.
    let silent = said[error + 1..].iter().all(|said| matches!(said, Output::End(_))) && listener.requests_after_all;
    let events: Vec<&Output<_, _>> = said[error + 1..].iter().filter(|said| matches!(said, Output::Event(_))).collect();
    let wanted: Vec<&Output<_, _>> = expected.iter().filter(|said| matches!(said, Output::Event(_))).collect();
    let verdict = if silent && !subject.fuses() && !wanted.is_empty() {
        "after its error it takes all further messages and emits nothing: neither an event nor an error"
    } else if events.is_empty() || events.ends_with(&wanted) || wanted.ends_with(&events) {
        return Ok(());
    } else {
        "a message gives different events after a refused message than alone: state survives the error"
    };
    let due = said[..=error].iter().chain(&expected).map(Output::text).collect();
    let actual = said.iter().map(Output::text).collect();
    Err(Box::new(Violation {
        law: Law::Alone,
        verdict: verdict.to_owned(),
        call: format!("alone_after(&subject, {}, {})", literal(refused), literal(message)),
        traces: Some([
            Trace { label: "the messages alone".to_owned(), outputs: due },
            Trace { label: "after a refused message".to_owned(), outputs: actual },
        ]),
        input,
        cuts,
        messages: None,
        subject: None,
    }))
}

/// Records the output, and whether the subject requested more after the last byte.
struct AfterErrorRecorder<E, F> {
    recorder: Recorder<E, F>,
    /// The index of the first error, if it came before the end of the stream was requested.
    first_error: Option<usize>,
    requests_after_all: bool,
    given: usize,
    len: usize,
}

impl<E, F> Listener<E, F> for AfterErrorRecorder<E, F> {
    fn receive(&mut self, output: Output<E, F>) {
        if matches!(output, Output::Error(_)) && !self.requests_after_all && self.first_error.is_none() {
            self.first_error = Some(self.recorder.0.len());
        }
        self.recorder.receive(output);
    }
    fn asked(&mut self) {
        self.requests_after_all |= self.given >= self.len;
    }
    fn given(&mut self, event: Event<'_>) {
        if let Event::Chunk(bytes) = event {
            self.given += bytes.len();
        }
    }
}
