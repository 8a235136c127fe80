//! Inputs that several laws share, made from the messages of a definition.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::cutting::{Cutting, stream};
use crate::definition::Laws;
use crate::families::{self, Allowance};
use crate::inputs::{self, Chance};
use crate::laws::{Bound, Growth};
use crate::pulse;
use crate::script::Case;
use crate::segmentations::Segmentations;
use crate::stretch::{self, Stretch};
use crate::subject::{Comparable, Subject};
use crate::trace::trace;
use crate::verdict::Tally;
use crate::violation::Violation;

use super::Failure;

/// The time of one family of inputs, with 1000 cases.
pub(super) const FAMILY_MAX: Duration = Duration::from_millis(400);

/// The time of as many runs as there are random cases, if their number is not set, and their least
/// number.
const CASES_TIME: Duration = Duration::from_secs(5);
const CASES_MIN: usize = 40;

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    /// Returns the number of random cases: fewer than by default for a slow subject.
    pub(super) fn case_count(&self) -> usize {
        if self.cases_are_set {
            return self.cases;
        }
        let known = self.cases_in_time.load(Ordering::Relaxed);
        if known > 0 {
            return known;
        }
        let runs = CASES_TIME.as_nanos() / self.run_time().as_nanos().max(1);
        let count = usize::try_from(runs).unwrap_or(usize::MAX).clamp(CASES_MIN.min(self.cases), self.cases);
        self.cases_in_time.store(count, Ordering::Relaxed);
        count
    }

    /// Returns the time of a run over some messages, byte by byte: the least of a few.
    fn run_time(&self) -> Duration {
        const RUNS: usize = 3;
        let input = stream(&inputs::within(&self.grammar.messages, 64).concat());
        let cuts: Vec<usize> = (1..input.len().min(64)).collect();
        pulse::input(&input);
        pulse::cuts(&cuts);
        let time = || {
            let started = Instant::now();
            let _ = trace(&self.subject, &input, &cuts);
            started.elapsed()
        };
        (0..RUNS).map(|_| time()).min().unwrap_or_default()
    }

    /// Returns the time of a family of inputs. Definitions with fewer cases take less.
    pub(super) fn allowance(&self, time: Duration) -> Allowance {
        Allowance::of(time.mul_f64((self.cases as f64 / 1000.0).min(4.0)))
    }

    /// Returns the places at which the messages can be longer. A session reports malformed messages
    /// as events, so it does not show which of them are well-formed.
    pub(super) fn stretches(&self) -> Vec<Stretch> {
        if self.subject.converses() {
            return Vec::new();
        }
        stretch::stretches(&self.subject, &self.grammar.messages)
    }

    /// Returns messages that are made from those of the definition and give as many events: short
    /// and empty ones, ones that end in CRLF, and ones whose length is near the size of a buffer.
    pub(super) fn derived(&self) -> Vec<Vec<u8>> {
        let (subject, messages) = (&self.subject, &self.grammar.messages);
        if subject.converses() {
            return Vec::new();
        }
        let allowance = self.allowance(FAMILY_MAX);
        let mut derived: Vec<Vec<u8>> = Vec::new();
        let stretches = self.stretches();
        for stretch in &stretches {
            let Some(events) = stretch::events_of(subject, &stretch.message(0)) else { continue };
            let least = stretch.least();
            for more in [least, least + 1, least + 2, 1, 2, 3] {
                let message = stretch.message(more);
                if stretch::is_well_formed(subject, &message, events) {
                    derived.push(message);
                }
            }
        }
        for message in families::line_ends(&messages.iter().take(4).cloned().collect::<Vec<_>>()) {
            // A reader may wait behind a CR for the LF.
            if message.ends_with(b"\n") && stretch::events_of(subject, &message).is_some_and(|events| events > 0) {
                derived.push(message);
            }
        }
        let edges = families::stretched(&stretches).map(|(message, _)| message).take_while(|_| !allowance.is_spent());
        derived.extend(edges.filter(|message| stretch::events_of(subject, message).is_some_and(|events| events > 0)));
        derived
    }

    /// Returns messages with a payload as long as the limit, a little shorter and a little longer.
    /// The verdict must not depend on the cuts.
    pub(super) fn over_long(&self) -> Vec<Cutting> {
        const LONGEST: usize = 8 << 10;
        let Some(Bound { limit, .. }) = self.bound.filter(|bound| bound.limit <= LONGEST) else {
            return Vec::new();
        };
        let floods = inputs::floods(&self.grammar.messages, 2);
        let long = |flood: &Growth| {
            let message = self.grammar.messages.iter().find(|message| message.starts_with(&flood.start));
            let rest = message.map_or_else(Vec::new, |message| message[flood.start.len()..].to_vec());
            [limit.saturating_sub(1), limit, limit + 1, limit + 2].map(|len| {
                stream(&[&flood.start[..], &flood.unit.repeat(len), &rest, &self.grammar.messages[0]].concat())
            })
        };
        floods.iter().take(6).flat_map(long).collect()
    }

    pub(super) fn chance(&self) -> Chance {
        Chance::new(&self.name)
    }

    /// Tries a law of an input and its cuts with all random cases.
    pub(super) fn over_cases(
        &self,
        law: impl Fn(&S, &Cutting, &[usize]) -> Result<(), Box<Violation>>,
    ) -> Result<Tally, Failure> {
        let mut tried = Tally::default();
        let mut chance = self.chance();
        for Case { input, cuts } in chance.cases(&self.grammar(), self.case_count()) {
            law(&self.subject, &input, &cuts)?;
            law(&self.subject, &input, &[])?;
            tried += Tally::one(2);
        }
        for Case { input, cuts } in chance.noise(self.case_count() / 4) {
            law(&self.subject, &input, &cuts)?;
            tried += Tally::one(1);
        }
        Ok(tried)
    }

    /// Tries a law of an input and its cuts with streams of well-formed messages, each under every
    /// single cut, and then with all random cases.
    pub(super) fn over_streams(
        &self,
        law: impl Fn(&S, &Cutting, &[usize]) -> Result<(), Box<Violation>>,
    ) -> Result<Tally, Failure> {
        let mut tried = Tally::default();
        for input in inputs::streams(&self.grammar.messages) {
            let segmentations = match input.len() {
                0..=512 => Segmentations::up_to_one_cut().and_random(2, 16),
                _ => Segmentations::every_byte().and_random(2, 16),
            };
            law(&self.subject, &input, &[])?;
            let mut runs = 1;
            let broken = segmentations.try_each(input.len(), |cuts| {
                runs += 1;
                law(&self.subject, &input, cuts).map_or_else(ControlFlow::Break, ControlFlow::Continue)
            });
            if let ControlFlow::Break(violation) = broken {
                return Err(violation.into());
            }
            tried += Tally::one(runs);
        }
        tried += self.over_cases(law)?;
        Ok(tried)
    }
}
