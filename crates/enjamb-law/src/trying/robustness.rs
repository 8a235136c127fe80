//! The total law: inputs of all kinds, and extreme ones.

use std::time::{Duration, Instant};

use crate::cutting::stream;
use crate::definition::Laws;
use crate::families::{self, Member};
use crate::inputs;
use crate::laws::total;
use crate::script::Case;
use crate::subject::{Comparable, Subject};
use crate::verdict::Tally;

use super::Failure;
use super::derived::FAMILY_MAX;

/// The maximum time for trying inputs that are long and deep.
const EXTREMES_MAX: Duration = Duration::from_secs(3);

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    pub(super) fn total(&self, extremes: bool) -> Result<Tally, Failure> {
        let mut tried = self.over_streams(total)?;
        for Case { input, cuts } in self.chance().noise(self.case_count()) {
            let every: Vec<usize> = (1..input.len()).collect();
            total(&self.subject, &input, &cuts)?;
            total(&self.subject, &input, &every)?;
            tried += Tally::one(2);
        }
        let (subject, messages) = (&self.subject, &self.grammar.messages);
        let stretches = self.stretches();
        let next = inputs::shortest(messages);
        let mut all = |family: &mut dyn Iterator<Item = Member>, time: Duration| -> Result<(), Failure> {
            tried += families::total_all(subject, family, &self.allowance(time))?;
            Ok(())
        };
        if !subject.converses() {
            all(&mut families::tokens(messages, &self.grammar().tokens), FAMILY_MAX / 2)?;
            all(&mut families::insertions(messages), FAMILY_MAX / 2)?;
            all(&mut families::replacements(messages), FAMILY_MAX / 2)?;
            all(&mut families::over_limits(&stretches, next), FAMILY_MAX / 2)?;
            all(&mut families::edges(&stretches, next), FAMILY_MAX)?;
            all(&mut families::short_streams(messages), FAMILY_MAX)?;
        }
        if extremes {
            let started = Instant::now();
            // A subject that is slow on long inputs is left to the linear law.
            for extreme in inputs::extremes(&self.grammar()).iter().take_while(|_| started.elapsed() < EXTREMES_MAX) {
                if self.is_slow_over(extreme)? {
                    continue;
                }
                total(&self.subject, &stream(extreme), &[])?;
                tried += Tally::one(1);
            }
        }
        Ok(tried)
    }

    /// Returns whether the subject may take too long for a long input, because its work grows with
    /// the square of the bytes. It reads the first part of the input.
    fn is_slow_over(&self, extreme: &[u8]) -> Result<bool, Failure> {
        const PARTS: u32 = 16;
        const LEN_MIN: usize = 8 << 10;
        if extreme.len() < LEN_MIN {
            return Ok(false);
        }
        let started = Instant::now();
        total(&self.subject, &stream(&extreme[..extreme.len() / PARTS as usize]), &[])?;
        Ok(started.elapsed() * PARTS * PARTS > self.patience / 2)
    }
}
