//! The quiet law: a subject that is called again without new bytes emits nothing new.
//!
//! Drivers call again all the time: a decoder after each frame, a reader after a spurious wake-up,
//! a parser with an empty read.

use enjamb::Side;

use crate::cutting::{Cutting, Event, ONLY};
use crate::law::Law;
use crate::literal::{cuts_code, input_code};
use crate::minimise::{self, Trial};
use crate::output::{Output, agree};
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::{Recorder, drive, trace};
use crate::violation::{Trace, Violation};

/// Holds when `input`, cut at `cuts`, gives the same output if the subject is called again before
/// the first chunk and after each chunk.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn quiet<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    if QuietTrial(subject).fails(input, &(), cuts) { Err(violation(subject, input, cuts)) } else { Ok(()) }
}

/// Adds an event without bytes before the first chunk and after each chunk.
fn with_repeated_calls<'i>(input: impl Iterator<Item = (Side, Event<'i>)>) -> impl Iterator<Item = (Side, Event<'i>)> {
    let again = std::iter::once((ONLY, Event::Again));
    let events = input.flat_map(|(side, event)| {
        let again = matches!(event, Event::Chunk(_)).then_some((side, Event::Again));
        std::iter::once((side, event)).chain(again)
    });
    again.chain(events)
}

/// Records the output, and the first entry of it that came without new bytes.
struct UnpromptedRecorder<E, F> {
    recorder: Recorder<E, F>,
    called_again: bool,
    failed: bool,
    first_unprompted: Option<usize>,
}

impl<E, F> Listener<E, F> for UnpromptedRecorder<E, F> {
    fn receive(&mut self, said: Output<E, F>) {
        // Other laws report breaches, and an error may come again.
        let counts = match said {
            Output::Breach(_) | Output::GivenUp | Output::Refuses => false,
            Output::Error(_) | Output::End(_) => !self.failed,
            Output::Event(_) => true,
        };
        self.failed |= matches!(said, Output::Error(_));
        if counts && self.called_again && self.first_unprompted.is_none() {
            self.first_unprompted = Some(self.recorder.0.len());
        }
        self.recorder.receive(said);
    }
    fn asked(&mut self) {
        // Output after the last request concerns the end of the stream.
        self.called_again = false;
    }
    fn given(&mut self, event: Event<'_>) {
        self.called_again = matches!(event, Event::Again);
    }
}

struct QuietTrial<'s, S>(&'s S);

/// The output, and the index of its first entry that came without new bytes.
type UnpromptedOutput<E, F> = (Vec<Output<E, F>>, Option<usize>);

impl<S: Subject<Event: Comparable, Error: Comparable>> QuietTrial<'_, S> {
    fn output(&self, input: &Cutting, cuts: &[usize]) -> UnpromptedOutput<S::Event, S::Error> {
        pulse::cuts(cuts);
        let mut listener = UnpromptedRecorder {
            recorder: Recorder(Vec::new()),
            called_again: false,
            failed: false,
            first_unprompted: None,
        };
        drive(self.0, &mut with_repeated_calls(input.cut(cuts)), &mut listener, AfterError::Stop);
        (listener.recorder.0, listener.first_unprompted)
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for QuietTrial<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        let (output, unprompted) = self.output(input, cuts);
        unprompted.is_some() || !agree(&trace(self.0, input, cuts), &output)
    }
}

fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&QuietTrial(subject), input, cuts);
    let expected = trace(subject, &input, &cuts);
    let (output, unprompted) = QuietTrial(subject).output(&input, &cuts);
    let verdict = match unprompted.and_then(|at| output.get(at)) {
        Some(said) => format!("a call without new bytes gave output: {}", said.text()),
        None => "the output changes when it is called again between the chunks".to_owned(),
    };
    let cuts_code = cuts_code(&cuts);
    Box::new(Violation {
        law: Law::Quiet,
        verdict,
        call: format!("quiet(&subject, &{}, &{cuts_code})", input_code(&input)),
        traces: Some([Trace::new("called once", &expected), Trace::new("called again after each chunk", &output)]),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
