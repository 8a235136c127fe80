//! The interleaved law: conversations of two sides.

use std::ops::ControlFlow;

use enjamb::Outcome;

use crate::cutting::Cutting;
use crate::definition::Laws;
use crate::inputs::{self, Exchange};
use crate::laws::{Interleavings, interleaved, sides};
use crate::pulse;
use crate::script::Case;
use crate::segmentations::Segmentations;
use crate::subject::{Comparable, Subject};
use crate::verdict::Tally;

use super::Failure;

/// The orders of the chunks of one conversation that are tried.
const INTERLEAVINGS: Interleavings = Interleavings::all_up_to(64, 1, 24);

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    pub(super) fn interleaved(&self) -> Result<Tally, Failure> {
        let answers = self.answers_of_server()?;
        let exchanges: Vec<Exchange<'_>> =
            self.grammar.messages.iter().map(Vec::as_slice).zip(answers.iter().map(Vec::as_slice)).collect();
        let mut tried = Tally::default();
        let mut under = |input: &Cutting, segmentations: &Segmentations| -> Result<(), Failure> {
            let mut runs = interleaved(&self.subject, input, &[], &INTERLEAVINGS)?.segmentations;
            let broken = segmentations.try_each(input.len(), |cuts| {
                match interleaved(&self.subject, input, cuts, &INTERLEAVINGS) {
                    Ok(coverage) => runs += coverage.segmentations,
                    Err(violation) => return ControlFlow::Break(violation),
                }
                ControlFlow::Continue(())
            });
            tried += Tally::one(runs);
            if let ControlFlow::Break(violation) = broken { Err(violation.into()) } else { Ok(()) }
        };
        for input in inputs::conversations(&exchanges, self.dependent) {
            let segmentations = match input.len() {
                0..=160 => Segmentations::up_to_one_cut().and_random(5, 32),
                _ => Segmentations::every_byte().and_random(5, 64),
            };
            under(&input, &segmentations)?;
        }
        for Case { input, .. } in self.recorded()? {
            under(&input, &Segmentations::random(5, 16))?;
        }
        if !self.dependent {
            for Case { input, cuts } in self.chance().conversations(&exchanges, self.case_count() / 4) {
                tried += Tally::one(interleaved(&self.subject, &input, &cuts, &INTERLEAVINGS)?.segmentations);
            }
        }
        Ok(tried)
    }

    /// Returns the answer to each message. Refuses answers that the session does not read: behind
    /// such bytes its messages may depend on the order of the chunks.
    pub(super) fn answers_of_server(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let messages = &self.grammar.messages;
        let given = !self.answers.is_empty();
        let answers = if given { &self.answers } else { messages };
        if answers.len() != messages.len() {
            return Err(Failure::Unfit(format!(
                "there are {} answers to {} messages: give one for each message, `\"\"` where there is none",
                answers.len(),
                messages.len()
            )));
        }
        let all: Vec<Exchange<'_>> =
            messages.iter().map(Vec::as_slice).zip(answers.iter().map(Vec::as_slice)).collect();
        let input = inputs::conversation(all);
        pulse::input(&input);
        let [_, server] = sides(&self.subject, input.cut(&[]));
        let unread = server.iter().find(|message| matches!(message.outcome, Outcome::Malformed | Outcome::Incomplete));
        match unread {
            None => Ok(answers.clone()),
            Some(message) if given => {
                Err(Failure::Unfit(format!("an answer of the definition is not read: {message}")))
            }
            Some(_) => Err(Failure::Unfit(
                "the server's side does not read the messages: give its `answers`, one for each message, or \
                 leave the law out with `without: [Interleaved => \"why\"]`"
                    .to_owned(),
            )),
        }
    }
}
