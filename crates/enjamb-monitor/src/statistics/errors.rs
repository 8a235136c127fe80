//! Messages that were not well, by side, kind, outcome and reason.

use std::collections::HashMap;

use enjamb::{Message, Outcome, Side};

use crate::statistics::{OTHER, PART_MAX};

/// How many are told apart. What is beyond is counted as `other`: strangers choose some of the words.
const ERRORS_MAX: usize = 256;

/// How many of them are looked at before their names are hashed. Most connections know one or two.
const LOOKED_AT: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ErrorKey {
    pub(crate) side: Side,
    pub(crate) kind: Box<str>,
    pub(crate) outcome: Outcome,
    /// The code of a failure, the reason of what is malformed or incomplete.
    pub(crate) why: Box<str>,
}

/// How often each was seen.
#[derive(Clone, Debug)]
pub(crate) struct Errors {
    /// How many are told apart.
    most: usize,
    list: Vec<Counted>,
    places: HashMap<ErrorKey, usize, foldhash::fast::RandomState>,
}

#[derive(Clone, Debug)]
struct Counted {
    key: ErrorKey,
    count: u64,
    /// At which step it was first seen.
    first: u64,
}

impl Default for Errors {
    fn default() -> Self {
        Self { most: ERRORS_MAX, list: Vec::new(), places: HashMap::default() }
    }
}

impl Errors {
    /// Those of a part tell more apart, as [`Kinds::widen`](super::kinds::Kinds::widen) says.
    pub(crate) fn widen(&mut self) {
        self.most = PART_MAX;
    }

    /// A message that is not well, seen at `step`.
    pub(crate) fn message(&mut self, message: &Message<'_>, step: u64) {
        let why = message.reason.or(message.code).unwrap_or_default();
        let is_it = |Counted { key, .. }: &&mut Counted| {
            key.side == message.side && key.outcome == message.outcome && *key.why == *why && *key.kind == *message.kind
        };
        if let Some(counted) = self.list.iter_mut().take(LOOKED_AT).find(is_it) {
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

    pub(crate) fn add(&mut self, more: &Self) {
        more.list.iter().for_each(|counted| self.count(counted.clone()));
    }

    /// What one would have counted who had seen all steps: see [`Kinds::of_parts`](super::kinds::Kinds::of_parts).
    pub(crate) fn of_parts(parts: &[&Self]) -> Self {
        let mut errors: Vec<&Counted> = parts.iter().flat_map(|part| &part.list).collect();
        errors.sort_by_key(|counted| counted.first);
        let mut all = Self::default();
        errors.into_iter().for_each(|counted| all.count(counted.clone()));
        all
    }

    /// The most frequent first.
    pub(crate) fn sorted(&self) -> Vec<(&ErrorKey, u64)> {
        let mut errors: Vec<_> = self.list.iter().map(|counted| (&counted.key, counted.count)).collect();
        errors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        errors
    }
}
