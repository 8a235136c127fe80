//! The quiet law: asked again without anything new, a subject says nothing new.
//!
//! Drivers ask again all the time: a decoder after each frame, a reader that was woken for nothing, a read of no bytes. What was not there before is
//! not there now.

use enjamb::Side;

use crate::cutting::{Cutting, Event, ONLY};
use crate::law::Law;
use crate::literal::input_code;
use crate::minimise::{self, Trial};
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::{Recorder, drive, trace};
use crate::violation::{Trace, Violation};

/// Holds when the subject says the same of `input`, cut at `cuts`, if it is asked again before the first chunk and after each.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn quiet<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    if Quiet(subject).fails(input, &(), cuts) { Err(violation(subject, input, cuts)) } else { Ok(()) }
}

/// An event behind each chunk, and one before the first, that brings nothing.
fn asked_again<'i>(input: impl Iterator<Item = (Side, Event<'i>)>) -> impl Iterator<Item = (Side, Event<'i>)> {
    let again = std::iter::once((ONLY, Event::Again));
    let events = input.flat_map(|(side, event)| {
        let again = matches!(event, Event::Chunk(_)).then_some((side, Event::Again));
        std::iter::once((side, event)).chain(again)
    });
    again.chain(events)
}

/// Hears whether anything is said while nothing is new.
struct RepeatListener<E, F> {
    recorder: Recorder<E, F>,
    asking: bool,
    out_of_turn: Option<usize>,
}

impl<E, F> Listener<E, F> for RepeatListener<E, F> {
    fn receive(&mut self, said: Output<E, F>) {
        // A fault is the affair of other laws.
        let speaks = !matches!(said, Output::Breach(_));
        if speaks && self.asking && self.out_of_turn.is_none() {
            self.out_of_turn = Some(self.recorder.0.len());
        }
        self.recorder.receive(said);
    }
    fn asked(&mut self) {
        // What is said after the last ask is said of the stream's end.
        self.asking = false;
    }
    fn given(&mut self, event: Event<'_>) {
        self.asking = matches!(event, Event::Again);
    }
}

struct Quiet<'s, S>(&'s S);

/// What is said, and whether anything was said while nothing was new.
type Repeat<E, F> = (Vec<Output<E, F>>, Option<usize>);

impl<S: Subject<Event: Comparable, Error: Comparable>> Quiet<'_, S> {
    fn repeat(&self, input: &Cutting, cuts: &[usize]) -> Repeat<S::Event, S::Error> {
        pulse::cuts(cuts);
        let mut listener = RepeatListener { recorder: Recorder(Vec::new()), asking: false, out_of_turn: None };
        drive(self.0, &mut asked_again(input.cut(cuts)), &mut listener, AfterError::Stop);
        (listener.recorder.0, listener.out_of_turn)
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for Quiet<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        let (said, out_of_turn) = self.repeat(input, cuts);
        out_of_turn.is_some() || said != trace(self.0, input, cuts)
    }
}

fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&Quiet(subject), input, cuts);
    let expected = trace(subject, &input, &cuts);
    let (said, out_of_turn) = Quiet(subject).repeat(&input, &cuts);
    let verdict = match out_of_turn.and_then(|at| said.get(at)) {
        Some(said) => format!("asked again with no new bytes, it said {}", said.text()),
        None => "it says something else when it is asked again between the chunks".to_owned(),
    };
    Box::new(Violation {
        law: Law::Quiet,
        verdict,
        call: format!("quiet(&subject, &{}, &{cuts:?})", input_code(&input)),
        traces: Some([Trace::new("asked once", &expected), Trace::new("asked again after each chunk", &said)]),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
