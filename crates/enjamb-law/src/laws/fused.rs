//! The fused law: after an error, only that error.
//!
//! A stream that could not be framed has no known place to go on from; what is said after that is made up. It is the contract of
//! [`Machine`](enjamb::Machine); a codec whose errors are about one message and which finds the next by itself is under no such law.

use crate::cutting::{Cutting, Event};
use crate::law::Law;
use crate::minimise::{self, Trial};
use crate::pulse;
use crate::run::{AfterError, Recorder, drive};
use crate::subject::{Comparable, ONLY, Said, Subject};
use crate::violation::{Told, Violation, input_code};

/// Holds when the subject, once it has failed on `input`, cut at `cuts`, says nothing but that error: asked again without anything new, and
/// fed all of `input` once more.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn fused<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    if Fused(subject).fails(input, &(), cuts) { Err(violation(subject, input, cuts)) } else { Ok(()) }
}

struct Fused<'s, S>(&'s S);

impl<S: Subject<Event: Comparable, Error: Comparable>> Fused<'_, S> {
    fn hear(&self, input: &Cutting, cuts: &[usize]) -> Vec<Said<S::Event, S::Error>> {
        pulse::cuts(cuts);
        let once_more = input.bytes();
        let more = [(ONLY, Event::Again), (ONLY, Event::Chunk(&once_more)), (ONLY, Event::Again)];
        let mut recorder = Recorder(Vec::new());
        drive(self.0, &mut input.cut(cuts).chain(more), &mut recorder, AfterError::GoOn);
        recorder.0
    }

    /// The first error of a trace, and the number of the first thing after it that is not that error.
    fn unfused(said: &[Said<S::Event, S::Error>]) -> Option<(usize, usize)> {
        let failed = said.iter().position(|said| matches!(said, Said::Failed(_)))?;
        let other = said[failed..].iter().position(|other| *other != said[failed])?;
        Some((failed, failed + other))
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for Fused<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        Self::unfused(&self.hear(input, cuts)).is_some()
    }
}

fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&Fused(subject), input, cuts);
    let said = Fused(subject).hear(&input, &cuts);
    let (failed, other) = Fused::<S>::unfused(&said).unwrap_or((0, 0));
    let told = Told::new("said", &said);
    let mut expected = Told { of: "expected".to_owned(), said: told.said.clone() };
    for at in other..told.said.len() {
        expected.said[at].clone_from(&told.said[failed]);
    }
    Box::new(Violation {
        law: Law::Fused,
        verdict: format!("it failed, was asked again and fed once more, and then said {}", told.said[other]),
        call: format!("fused(&subject, &{}, &{cuts:?})", input_code(&input)),
        traces: Some([expected, told]),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
