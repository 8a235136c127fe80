//! Counts of the kinds of messages. A kind has a number, so that it is looked up once for a
//! message.

use enjamb::Outcome;

use crate::statistics::distribution::{LATENCY, Spread};
use crate::statistics::limits::{KINDS_MAX, OTHER, PART_MAX};
use crate::statistics::names::Names;
use crate::statistics::summary::{KindCount, KindLatency, Outcomes};

/// The number of a kind among those of its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindId(u16);

/// The kinds of one side.
#[derive(Clone, Debug)]
pub(super) struct Kinds {
    /// How many are counted apart.
    most: usize,
    names: Names,
    /// In the order of the names' numbers.
    list: Vec<Kind>,
}

#[derive(Clone, Debug)]
struct Kind {
    name: Box<str>,
    /// The step at which it was first seen.
    first: u64,
    messages: u64,
    bytes: u64,
    outcomes: Outcomes,
    /// How long messages of this kind waited for their answers.
    latency: Option<Box<Spread>>,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { most: KINDS_MAX, names: Names::default(), list: Vec::new() }
    }
}

impl Kinds {
    /// Counts more kinds apart, as one of several workers does.
    pub(super) fn widen(&mut self) {
        self.most = PART_MAX;
    }

    /// Returns the number of a kind. If it is new, it was first seen at `step`.
    #[inline]
    pub(super) fn id(&mut self, name: &str, step: u64) -> KindId {
        let number = match self.names.find(name) {
            Some(number) => number,
            None => self.begin(name, step),
        };
        KindId(number as u16)
    }

    #[cold]
    fn begin(&mut self, name: &str, step: u64) -> usize {
        let name = if self.list.len() < self.most { name } else { OTHER };
        self.names.find(name).unwrap_or_else(|| {
            let kind = Kind {
                name: name.into(),
                first: step,
                messages: 0,
                bytes: 0,
                outcomes: Outcomes::default(),
                latency: None,
            };
            self.list.push(kind);
            self.names.add(name)
        })
    }

    pub(super) fn message(&mut self, id: KindId, length: u64, outcome: Outcome) {
        if let Some(kind) = self.list.get_mut(usize::from(id.0)) {
            kind.messages += 1;
            kind.bytes += length;
            kind.outcomes.count(outcome);
        }
    }

    pub(super) fn answered(&mut self, id: KindId, latency_us: u64) {
        if let Some(kind) = self.list.get_mut(usize::from(id.0)) {
            kind.latency().record(latency_us);
        }
    }

    pub(super) fn add(&mut self, more: &Self) {
        for counted in &more.list {
            self.add_kind(counted);
        }
    }

    fn add_kind(&mut self, counted: &Kind) {
        let KindId(id) = self.id(&counted.name, counted.first);
        let kind = &mut self.list[usize::from(id)];
        kind.messages += counted.messages;
        kind.bytes += counted.bytes;
        kind.outcomes.add(counted.outcomes);
        if let Some(latency) = &counted.latency {
            kind.latency().add(latency);
        }
    }

    /// The counts of all parts, as one worker would have counted them: the kinds that were seen
    /// first are counted apart. Exact if no part saw more than [`PART_MAX`].
    pub(super) fn of_parts(parts: &[&Self]) -> Self {
        let mut kinds: Vec<&Kind> = parts.iter().flat_map(|part| &part.list).collect();
        // Stable: the kinds of one step belong to one part, which saw them in this order.
        kinds.sort_by_key(|kind| kind.first);
        let mut all = Self::default();
        kinds.into_iter().for_each(|kind| all.add_kind(kind));
        all
    }

    /// The kinds of which there were messages, the most frequent first.
    pub(super) fn sorted(&self) -> Vec<KindCount> {
        let mut kinds: Vec<&Kind> = self.list.iter().filter(|kind| kind.messages > 0).collect();
        kinds.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.name.cmp(&b.name)));
        let summary = |kind: &Kind| KindCount {
            kind: kind.name.to_string(),
            messages: kind.messages,
            bytes: kind.bytes,
            outcomes: kind.outcomes,
        };
        kinds.into_iter().map(summary).collect()
    }

    /// The latencies of the kinds that were answered, the most frequently answered first.
    pub(super) fn latencies(&self, with_histograms: bool) -> Vec<KindLatency> {
        let answered = self.list.iter().filter_map(|kind| {
            let latency_us = kind.latency.as_ref()?.quantiles(with_histograms)?;
            Some(KindLatency { kind: kind.name.to_string(), latency_us })
        });
        let mut answered: Vec<_> = answered.collect();
        answered.sort_by(|a, b| b.latency_us.count.cmp(&a.latency_us.count).then_with(|| a.kind.cmp(&b.kind)));
        answered
    }
}

impl Kind {
    fn latency(&mut self) -> &mut Spread {
        self.latency.get_or_insert_with(|| Box::new(Spread::new(LATENCY)))
    }
}
