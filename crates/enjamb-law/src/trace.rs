//! Runs of a fresh subject over an input.

use enjamb::Side;

use crate::cutting::{Cutting, Event};
use crate::output::Output;
use crate::pulse;
use crate::run::{self, AfterError, Listener};
use crate::subject::Subject;

/// Runs a fresh subject over `input`, and gives each output to `listener`. A panic is its last
/// output.
pub(crate) fn drive<'i, S: Subject + ?Sized>(
    subject: &S,
    input: &mut impl Iterator<Item = (Side, Event<'i>)>,
    listener: &mut dyn Listener<S::Event, S::Error>,
    after_error: AfterError,
) {
    run::drive(|run| subject.run(run), input, listener, after_error);
}

/// Keeps all outputs.
pub(crate) struct Recorder<E, F>(pub(crate) Vec<Output<E, F>>);

impl<E, F> Listener<E, F> for Recorder<E, F> {
    fn receive(&mut self, output: Output<E, F>) {
        self.0.push(output);
    }
}

/// Returns all outputs of a fresh subject for `input`, cut at `cuts`.
pub(crate) fn trace<S: Subject + ?Sized>(
    subject: &S,
    input: &Cutting,
    cuts: &[usize],
) -> Vec<Output<S::Event, S::Error>> {
    pulse::cuts(cuts);
    let mut recorder = Recorder(Vec::new());
    drive(subject, &mut input.cut(cuts), &mut recorder, AfterError::Stop);
    recorder.0
}
