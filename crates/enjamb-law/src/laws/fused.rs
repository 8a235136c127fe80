//! The fused law: after an error, only that error.
//!
//! A stream that could not be framed has no known place at which to continue, so any later event
//! would be invented. This is the contract of [`Machine`](enjamb::Machine). It does not bind a
//! codec whose errors concern one message and which finds the next message by itself.

use crate::cutting::{Cutting, Event, ONLY};
use crate::law::Law;
use crate::literal::{cuts_code, input_code};
use crate::minimise::{self, Trial};
use crate::output::Output;
use crate::pulse;
use crate::run::AfterError;
use crate::subject::{Comparable, Subject};
use crate::trace::{Recorder, drive};
use crate::violation::{Trace, Violation};

/// Holds when the subject, once it has failed on `input` cut at `cuts`, returns only that error:
/// when it is called again without new bytes, and when it is fed all of `input` once more.
///
/// # Errors
/// A [`Violation`], minimised.
pub fn fused<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    pulse::input(input);
    if FusedTrial(subject).fails(input, &(), cuts) { Err(violation(subject, input, cuts)) } else { Ok(()) }
}

struct FusedTrial<'s, S>(&'s S);

impl<S: Subject<Event: Comparable, Error: Comparable>> FusedTrial<'_, S> {
    /// Returns the output of `input`, of calls without new bytes, and of `input` once more.
    fn output(&self, input: &Cutting, cuts: &[usize]) -> Vec<Output<S::Event, S::Error>> {
        pulse::cuts(cuts);
        let once_more = input.bytes();
        let more = [(ONLY, Event::Again), (ONLY, Event::Chunk(&once_more)), (ONLY, Event::Again)];
        let mut recorder = Recorder(Vec::new());
        drive(self.0, &mut input.cut(cuts).chain(more), &mut recorder, AfterError::GoOn);
        recorder.0
    }

    /// Returns the index of the first error of a trace, and the index of the first later entry that
    /// is not that error.
    fn unfused(said: &[Output<S::Event, S::Error>]) -> Option<(usize, usize)> {
        let failed = said.iter().position(|said| matches!(said, Output::Error(_)))?;
        let other = said[failed..].iter().position(|other| *other != said[failed])?;
        Some((failed, failed + other))
    }
}

impl<S: Subject<Event: Comparable, Error: Comparable>> Trial for FusedTrial<'_, S> {
    type Reference = ();

    fn reference(&self, input: &Cutting) {
        pulse::input(input);
    }

    fn fails(&self, input: &Cutting, (): &(), cuts: &[usize]) -> bool {
        Self::unfused(&self.output(input, cuts)).is_some()
    }
}

fn violation<S>(subject: &S, input: &Cutting, cuts: &[usize]) -> Box<Violation>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let (input, cuts) = minimise::smallest(&FusedTrial(subject), input, cuts);
    let output = FusedTrial(subject).output(&input, &cuts);
    let (failed, other) = FusedTrial::<S>::unfused(&output).unwrap_or((0, 0));
    let actual = Trace::new("actual", &output);
    let mut expected = Trace { label: "expected".to_owned(), outputs: actual.outputs.clone() };
    for at in other..actual.outputs.len() {
        expected.outputs[at].clone_from(&actual.outputs[failed]);
    }
    let cuts_code = cuts_code(&cuts);
    Box::new(Violation {
        law: Law::Fused,
        verdict: format!("after its error it was called and fed again, and gave output: {}", actual.outputs[other]),
        call: format!("fused(&subject, &{}, &{cuts_code})", input_code(&input)),
        traces: Some([expected, actual]),
        input,
        cuts,
        messages: None,
        subject: None,
    })
}
