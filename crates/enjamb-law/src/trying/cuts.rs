//! The laws about chunks: split, coalesce, prompt and quiet.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::cutting::{Cutting, stream};
use crate::definition::Laws;
use crate::families::{self, Member};
use crate::inputs;
use crate::laws::{coalesce, prompt, quiet, split, split_everywhere};
use crate::script::Case;
use crate::segmentations::Segmentations;
use crate::stretch;
use crate::subject::{Comparable, Subject};
use crate::verdict::Tally;

use super::Failure;
use super::derived::FAMILY_MAX;

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    pub(super) fn split(&self) -> Result<Tally, Failure> {
        let mut tried = Tally::default();
        let mut everywhere = |input: &Cutting, segmentations: &Segmentations| -> Result<(), Failure> {
            tried += Tally::one(split_everywhere(&self.subject, input, segmentations)?.segmentations);
            Ok(())
        };
        for input in inputs::streams(&self.grammar.messages) {
            everywhere(&input, &inputs::segmentations(input.len()))?;
        }
        // The verdict on the end does not depend on the cuts, wherever the end comes.
        let all = inputs::within(&self.grammar.messages, 256).concat();
        for len in 1..all.len() {
            everywhere(&stream(&all[..len]), &Segmentations::every_byte().and_random(len as u64, 3))?;
        }
        for Case { input, cuts } in self.recorded()? {
            everywhere(&input, &inputs::segmentations(input.len()))?;
            split(&self.subject, &input, &cuts)?;
        }
        for Case { input, cuts } in self.chance().cases(&self.grammar(), self.case_count()) {
            split(&self.subject, &input, &cuts)?;
            everywhere(&input, &Segmentations::every_byte())?;
        }
        for input in self.over_long() {
            everywhere(&input, &Segmentations::every_byte().and_random(7, 40))?;
        }
        // A session has two sides, and conversations of its own.
        if self.subject.converses() {
            return Ok(tried);
        }
        let messages = &self.grammar.messages;
        for text in families::line_ends(messages) {
            everywhere(&stream(&text), &inputs::segmentations(text.len()))?;
        }
        tried += self.split_families()?;
        Ok(tried)
    }

    /// Tries the families of inputs that need something special.
    pub(super) fn split_families(&self) -> Result<Tally, Failure> {
        let (subject, messages) = (&self.subject, &self.grammar.messages);
        let mut tried = Tally::default();
        let mut all = |family: &mut dyn Iterator<Item = Member>, time: Duration| -> Result<(), Failure> {
            tried += families::split_all(subject, family, &self.allowance(time))?;
            Ok(())
        };
        all(&mut families::trailing_line_ends(messages), FAMILY_MAX / 2)?;
        all(&mut families::characters(messages), FAMILY_MAX)?;
        all(&mut families::tokens(messages, &self.grammar().tokens), FAMILY_MAX)?;
        all(&mut families::insertions(messages), FAMILY_MAX)?;
        all(&mut families::replacements(messages), FAMILY_MAX / 2)?;
        let stretches = self.stretches();
        let next = inputs::shortest(messages);
        all(&mut families::over_limits(&stretches, next), FAMILY_MAX)?;
        all(&mut families::edges(&stretches, next), 2 * FAMILY_MAX)?;
        let long = stretches.iter().map(|stretch| stretch.message(700));
        let long = long.into_iter().find(|long| stretch::events_of(subject, long).is_some()).unwrap_or_default();
        all(&mut families::chunk_sizes(messages, &long).into_iter(), FAMILY_MAX)?;
        all(&mut families::short_streams(messages), FAMILY_MAX)?;
        Ok(tried)
    }

    pub(super) fn coalesce(&self) -> Result<Tally, Failure> {
        let messages = &self.grammar.messages;
        let all = inputs::many(messages);
        coalesce(&self.subject, &all)?;
        let mut tried = Tally { inputs: 1, runs: 4 };
        if !self.dependent {
            for message in messages {
                coalesce(&self.subject, &inputs::many(std::slice::from_ref(message)))?;
                tried += Tally::one(4);
            }
            let derived = self.derived();
            let allowance = self.allowance(FAMILY_MAX);
            for message in derived.iter().take_while(|_| !allowance.is_spent()) {
                coalesce(&self.subject, &[message, inputs::shortest(messages), message])?;
                tried += Tally::one(4);
            }
        }
        Ok(tried)
    }

    pub(super) fn prompt(&self) -> Result<Tally, Failure> {
        let all = inputs::within(&self.grammar.messages, 4 << 10);
        let mut lists = if self.one_message { Vec::new() } else { vec![all.clone()] };
        if !self.dependent || self.one_message {
            lists.extend(self.grammar.messages.iter().map(|message| vec![message.as_slice()]));
        }
        let mut tried = Tally::default();
        for messages in lists {
            let len = messages.concat().len();
            prompt(&self.subject, &messages, &[])?;
            let segmentations = match len {
                0..=128 => Segmentations::up_to_one_cut().and_random(3, 8),
                _ => Segmentations::every_byte().and_random(3, 16),
            };
            let mut runs = 1;
            let broken = segmentations.try_each(len, |cuts| {
                runs += 1;
                prompt(&self.subject, &messages, cuts).map_or_else(ControlFlow::Break, ControlFlow::Continue)
            });
            if let ControlFlow::Break(violation) = broken {
                return Err(violation.into());
            }
            tried += Tally::one(runs);
        }
        if !self.dependent {
            let derived = self.derived();
            let allowance = self.allowance(FAMILY_MAX);
            for message in derived.iter().take_while(|_| !allowance.is_spent()) {
                prompt(&self.subject, &[message], &[])?;
                prompt(&self.subject, &[message], &[message.len() - 1])?;
                if !self.one_message {
                    prompt(&self.subject, &[inputs::shortest(&self.grammar.messages), message], &[])?;
                }
                tried += Tally::one(3);
            }
        }
        Ok(tried)
    }

    pub(super) fn quiet(&self) -> Result<Tally, Failure> {
        let mut tried = self.over_streams(quiet)?;
        if self.subject.converses() {
            return Ok(tried);
        }
        let (messages, grammar) = (&self.grammar.messages, self.grammar());
        // Damaged messages, each followed by a whole one: a decoder that drops the first in silence
        // gives the second only when it is called again.
        let families: [&mut dyn Iterator<Item = Member>; 3] = [
            &mut families::tokens(messages, &grammar.tokens),
            &mut families::insertions(messages),
            &mut families::replacements(messages),
        ];
        for family in families {
            let allowance = self.allowance(FAMILY_MAX / 2);
            for Member { bytes, .. } in family.take_while(|_| !allowance.is_spent()) {
                quiet(&self.subject, &stream(&bytes), &[])?;
                tried += Tally::one(2);
            }
        }
        Ok(tried)
    }
}
