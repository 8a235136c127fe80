//! Counts of messages by side, protocol, kind, outcome and a phrase: the reason of an error, or a flag.

use std::collections::HashMap;

use enjamb::{Message, Outcome, Side};

use crate::statistics::limits::{ERRORS_MAX, OTHER, PART_MAX};

/// The number of keys that are compared one by one before the words are hashed. Most traffic has
/// one or two.
const COMPARED_MAX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TallyKey {
    pub(super) side: Side,
    pub(super) protocol: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) outcome: Outcome,
    pub(super) phrase: Box<str>,
}

/// The counts by key.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// The maximum number of keys that are counted separately.
    most: usize,
    list: Vec<Counted>,
    places: HashMap<TallyKey, usize, foldhash::fast::RandomState>,
}

#[derive(Clone, Debug)]
struct Counted {
    key: TallyKey,
    count: u64,
    /// The step at which it was first seen.
    first: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { most: ERRORS_MAX, list: Vec::new(), places: HashMap::default() }
    }
}

impl Tally {
    /// Counts more keys separately, as one of several workers does.
    pub(super) fn widen(&mut self) {
        self.most = PART_MAX;
    }

    /// Counts a message under `phrase`, seen at `step`.
    pub(super) fn message(&mut self, message: &Message<'_>, phrase: &str, step: u64) {
        let is_it = |Counted { key, .. }: &&mut Counted| {
            key.side == message.side
                && key.outcome == message.outcome
                && *key.phrase == *phrase
                && *key.kind == *message.kind
                && *key.protocol == *message.protocol
        };
        if let Some(counted) = self.list.iter_mut().take(COMPARED_MAX).find(is_it) {
            counted.count += 1;
            return;
        }
        let (protocol, kind) = (message.protocol.into(), message.kind.into());
        let key = TallyKey { side: message.side, protocol, kind, outcome: message.outcome, phrase: phrase.into() };
        self.count(Counted { key, count: 1, first: step });
    }

    fn count(&mut self, mut more: Counted) {
        if self.list.len() >= self.most && !self.places.contains_key(&more.key) {
            more.key.protocol = OTHER.into();
            more.key.kind = OTHER.into();
            more.key.phrase = OTHER.into();
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

    /// Returns the counts of all parts, as one worker would have counted them: the keys that were
    /// seen first are counted separately.
    pub(super) fn of_parts(parts: &[&Self]) -> Self {
        let mut counted: Vec<&Counted> = parts.iter().flat_map(|part| &part.list).collect();
        counted.sort_by_key(|counted| counted.first);
        let mut all = Self::default();
        counted.into_iter().for_each(|counted| all.count(counted.clone()));
        all
    }

    /// Returns all counts, the most frequent first.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&TallyKey, u64)> {
        let mut all: Vec<&Counted> = self.list.iter().collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        all.into_iter().map(|counted| (&counted.key, counted.count))
    }
}
