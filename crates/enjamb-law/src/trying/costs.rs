//! The laws about memory and work: bounded and linear.

use std::time::{Duration, Instant};

use crate::cutting::stream;
use crate::definition::Laws;
use crate::inputs;
use crate::laws::{Growth, bounded, linear};
use crate::measure;
use crate::output::Output;
use crate::run::{AfterError, Listener};
use crate::script::Case;
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::verdict::Tally;

use super::Failure;

/// The time after which the linear law begins with no other growth.
const LINEAR_MAX: Duration = Duration::from_secs(4);

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    pub(super) fn bounded(&self) -> Result<Tally, Failure> {
        const CHUNK: usize = 1 << 10;
        let Some(bound) = self.bound else {
            return Ok(Tally::default());
        };
        if !measure::COUNTS_ALLOCATIONS && !self.reports_held() {
            return Err(Failure::NotTried(
                "its adapter does not see what the subject holds: turn on the feature `allocations` of enjamb-law, \
                 which counts it"
                    .to_owned(),
            ));
        }
        let length = 2 * bound.most() + 4 * CHUNK;
        let places = if length < 256 << 10 { 6 } else { 1 };
        let mut tried = Tally::default();
        for Growth { start, unit, .. } in inputs::floods(&self.grammar.messages, places) {
            let input = stream(&[&start[..], &unit.repeat(length)].concat());
            let cuts: Vec<usize> = (CHUNK..input.len()).step_by(CHUNK).collect();
            bounded(&self.subject, &input, &cuts, bound)?;
            tried += Tally::one(1);
        }
        // A message whose head is short and whose body never ends: a line of it again and again, or
        // a length that is never reached.
        let lines = inputs::line_floods(&self.grammar.messages).into_iter().filter(|_| !self.subject.converses());
        let lines = lines.map(|Growth { start, unit, .. }| {
            let times = length.div_ceil(unit.len().max(1));
            [start, unit.repeat(times)].concat()
        });
        let stretches = self.stretches();
        let long = stretches.iter().take(4).map(|stretch| stretch.message(isize::try_from(length).unwrap_or(0)));
        for bytes in lines.chain(long) {
            let cuts: Vec<usize> = (CHUNK..bytes.len()).step_by(CHUNK).collect();
            bounded(&self.subject, &stream(&bytes), &cuts, bound)?;
            tried += Tally::one(1);
        }
        for Case { input, cuts } in self.chance().cases(&self.grammar(), self.case_count() / 2) {
            bounded(&self.subject, &input, &cuts, bound)?;
            tried += Tally::one(1);
        }
        Ok(tried)
    }

    /// Returns whether the subject reports how many bytes it holds.
    pub(super) fn reports_held(&self) -> bool {
        let mut listener = HeldListener::default();
        let input = stream(&self.grammar.messages.concat());
        drive(&self.subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
        listener.reports
    }

    pub(super) fn linear(&self) -> Result<Tally, Failure> {
        let messages = &self.grammar.messages;
        let repeated = messages.iter().take(3).filter(|message| !message.is_empty());
        let mut growths: Vec<Growth> = repeated
            .flat_map(|message| [1, 512].map(|chunk| Growth { start: Vec::new(), unit: message.clone(), chunk }))
            .collect();
        growths.extend(inputs::floods(&messages[..messages.len().min(3)], 2));
        let started = Instant::now();
        let mut tried = Tally::default();
        for growth in &growths {
            // A slow subject is judged by its first growths.
            if started.elapsed() > LINEAR_MAX {
                break;
            }
            linear(&self.subject, growth)?;
            tried += Tally::one(4);
        }
        Ok(tried)
    }
}

/// Notes whether the subject reports how many bytes it holds.
#[derive(Default)]
struct HeldListener {
    reports: bool,
}

impl<E, F> Listener<E, F> for HeldListener {
    fn receive(&mut self, _: Output<E, F>) {}
    fn holds(&mut self, _: usize) {
        self.reports = true;
    }
}
