//! Counts of the messages that were not `ok`, by side, kind, outcome and reason.

use std::collections::HashMap;

use enjamb::{Message, Outcome, Side};

use crate::statistics::limits::{ERRORS_MAX, OTHER, PART_MAX};
use crate::statistics::summary::ErrorCount;

/// The errors that are compared one by one before the words are hashed. Most traffic has one or
/// two.
const COMPARED_MAX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ErrorKey {
    side: Side,
    kind: Box<str>,
    outcome: Outcome,
    /// The code of a failure, or the reason of a malformed or incomplete message.
    why: Box<str>,
}

/// The errors that were seen.
#[derive(Clone, Debug)]
pub(super) struct Errors {
    /// How many are counted apart.
    most: usize,
    list: Vec<Counted>,
    places: HashMap<ErrorKey, usize, foldhash::fast::RandomState>,
}

#[derive(Clone, Debug)]
struct Counted {
    key: ErrorKey,
    count: u64,
    /// The step at which it was first seen.
    first: u64,
}

impl Default for Errors {
    fn default() -> Self {
        Self { most: ERRORS_MAX, list: Vec::new(), places: HashMap::default() }
    }
}

impl Errors {
    /// Counts more errors apart, as one of several workers does.
    pub(super) fn widen(&mut self) {
        self.most = PART_MAX;
    }

    /// Counts a message that is not `ok`, seen at `step`.
    pub(super) fn message(&mut self, message: &Message<'_>, step: u64) {
        let why = message.reason.or(message.code).unwrap_or_default();
        let is_it = |Counted { key, .. }: &&mut Counted| {
            key.side == message.side && key.outcome == message.outcome && *key.why == *why && *key.kind == *message.kind
        };
        if let Some(counted) = self.list.iter_mut().take(COMPARED_MAX).find(is_it) {
            counted.count += 1;
            return;
        }
        let key = ErrorKey { side: message.side, kind: message.kind.into(), outcome: message.outcome, why: why.into() };
        self.count(Counted { key, count: 1, first: step });
    }

    fn count(&mut self, mut more: Counted) {
        if self.list.len() >= self.most && !self.places.contains_key(&more.key) {
            more.key.kind = OTHER.into();
            more.key.why = OTHER.into();
        }
        match self.places.get(&more.key) {
            Some(&place) => self.list[place].count += more.count,
            None => {
                self.places.insert(more.key.clone(), self.list.len());
                self.list.push(more);
            }
        }
    }

    pub(super) fn add(&mut self, more: &Self) {
        more.list.iter().for_each(|counted| self.count(counted.clone()));
    }

    /// The counts of all parts, as one worker would have counted them: the errors that were seen
    /// first are counted apart.
    pub(super) fn of_parts(parts: &[&Self]) -> Self {
        let mut errors: Vec<&Counted> = parts.iter().flat_map(|part| &part.list).collect();
        errors.sort_by_key(|counted| counted.first);
        let mut all = Self::default();
        errors.into_iter().for_each(|counted| all.count(counted.clone()));
        all
    }

    /// All errors, the most frequent first.
    pub(super) fn sorted(&self) -> Vec<ErrorCount> {
        let mut errors: Vec<&Counted> = self.list.iter().collect();
        errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        let summary = |Counted { key, count, .. }: &Counted| ErrorCount {
            side: key.side,
            kind: key.kind.to_string(),
            outcome: key.outcome,
            why: key.why.to_string(),
            count: *count,
        };
        errors.into_iter().map(summary).collect()
    }
}
