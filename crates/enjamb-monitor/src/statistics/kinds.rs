//! Counts of the kinds of messages. A kind has a number, so it is looked up only once for a
//! message. The same name in two protocols is two kinds: `GET` of HTTP and `GET` of Redis.

use std::cmp::Reverse;
use std::collections::HashMap;

use enjamb::{ConstantKind, Message, Outcome};

use crate::statistics::distribution::{LATENCY, Spread};
use crate::statistics::limits::{KINDS_MAX, OTHER, PART_MAX};
use crate::statistics::names::{RecentConstants, RecentNames};
use crate::statistics::summary::{KindCount, KindLatency, Outcomes};

/// The number of a kind among those of its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindId(u16);

#[cfg(test)]
impl KindId {
    pub(crate) const FIRST: Self = Self(0);
}

/// The kinds of one side.
#[derive(Clone, Debug)]
pub(super) struct Kinds {
    /// The maximum number of kinds that are counted separately.
    most: usize,
    /// The places in the list, by protocol.
    protocols: Vec<ProtocolKinds>,
    constants: RecentConstants,
    recent: RecentNames,
    list: Vec<Kind>,
}

/// The kinds of one protocol.
#[derive(Clone, Debug)]
struct ProtocolKinds {
    protocol: Box<str>,
    /// The places in the list of all kinds, by name.
    places: HashMap<Box<str>, u16, foldhash::fast::RandomState>,
}

#[derive(Clone, Debug)]
struct Kind {
    protocol: Box<str>,
    name: Box<str>,
    /// The step at which it was first seen.
    first: u64,
    bytes: u64,
    outcomes: Outcomes,
    /// The times that messages of this kind waited for their answers.
    latency: Option<Box<Spread>>,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            most: KINDS_MAX,
            protocols: Vec::new(),
            constants: RecentConstants::default(),
            recent: RecentNames::default(),
            list: Vec::new(),
        }
    }
}

impl Kinds {
    /// Counts more kinds separately, as one of several workers does.
    pub(super) fn widen(&mut self) {
        self.most = PART_MAX;
    }

    /// Returns the number of a message's kind. If it is new, it was first seen at `step`.
    #[inline(always)]
    pub(super) fn of_message(&mut self, message: &Message<'_>, step: u64) -> KindId {
        match message.constant {
            Some(constant) => KindId(self.constants.find(constant).unwrap_or_else(|| self.enter(constant, step))),
            None => self.id(message.protocol, message.kind, step),
        }
    }

    /// Enters a constant kind among the recent ones.
    #[inline(never)]
    fn enter(&mut self, constant: &'static ConstantKind, step: u64) -> u16 {
        let place = self.look_up(constant.protocol, constant.kind, step);
        self.constants.keep(constant, place);
        place
    }

    /// Returns the number of a kind. If it is new, it was first seen at `step`.
    #[inline(always)]
    pub(super) fn id(&mut self, protocol: &str, name: &str, step: u64) -> KindId {
        KindId(self.recent.find(protocol, name).unwrap_or_else(|| self.look_up(protocol, name, step)))
    }

    #[inline(never)]
    fn look_up(&mut self, protocol: &str, name: &str, step: u64) -> u16 {
        let place = self.find(protocol, name).unwrap_or_else(|| self.begin(protocol, name, step));
        self.recent.keep(protocol, name, place);
        place
    }

    fn find(&self, protocol: &str, name: &str) -> Option<u16> {
        let kinds = self.protocols.iter().find(|kinds| *kinds.protocol == *protocol)?;
        kinds.places.get(name).copied()
    }

    #[cold]
    fn begin(&mut self, protocol: &str, name: &str, step: u64) -> u16 {
        let (protocol, name) = if self.list.len() < self.most { (protocol, name) } else { (OTHER, OTHER) };
        self.find(protocol, name).unwrap_or_else(|| {
            let kind = Kind {
                protocol: protocol.into(),
                name: name.into(),
                first: step,
                bytes: 0,
                outcomes: Outcomes::default(),
                latency: None,
            };
            // There are at most `PART_MAX + 1` kinds.
            let place = self.list.len() as u16;
            self.list.push(kind);
            let known = self.protocols.iter().position(|known| *known.protocol == *protocol);
            let known = known.unwrap_or_else(|| {
                self.protocols.push(ProtocolKinds { protocol: protocol.into(), places: HashMap::default() });
                self.protocols.len() - 1
            });
            self.protocols[known].places.insert(name.into(), place);
            place
        })
    }

    /// Returns the outcomes of the messages of all kinds.
    pub(super) fn outcomes(&self) -> Outcomes {
        let mut all = Outcomes::default();
        self.list.iter().for_each(|kind| all.add(kind.outcomes));
        all
    }

    #[inline]
    pub(super) fn message(&mut self, id: KindId, length: u64, outcome: Outcome) {
        if let Some(kind) = self.list.get_mut(usize::from(id.0)) {
            kind.bytes += length;
            kind.outcomes.count(outcome);
        }
    }

    #[inline(always)]
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
        let KindId(id) = self.id(&counted.protocol, &counted.name, counted.first);
        let kind = &mut self.list[usize::from(id)];
        kind.bytes += counted.bytes;
        kind.outcomes.add(counted.outcomes);
        if let Some(latency) = &counted.latency {
            kind.latency().add(latency);
        }
    }

    /// Returns the counts of all parts, as one worker would have counted them: the kinds that were
    /// seen first are counted separately. Exact if no part saw more than [`PART_MAX`].
    pub(super) fn of_parts(parts: &[&Self]) -> Self {
        let mut kinds: Vec<&Kind> = parts.iter().flat_map(|part| &part.list).collect();
        // Stable: the kinds of one step belong to one part, which saw them in this order.
        kinds.sort_by_key(|kind| kind.first);
        let mut all = Self::default();
        kinds.into_iter().for_each(|kind| all.add_kind(kind));
        all
    }

    /// Returns the latencies of all kinds together.
    pub(super) fn latency(&self) -> Spread {
        let mut all = Spread::new(LATENCY);
        self.list.iter().filter_map(|kind| kind.latency.as_ref()).for_each(|latency| all.add(latency));
        all
    }

    /// Returns the kinds that have messages, the most frequent first.
    pub(super) fn sorted(&self) -> Vec<KindCount> {
        let mut kinds: Vec<&Kind> = self.list.iter().filter(|kind| kind.outcomes.sum() > 0).collect();
        let order = |kind: &Kind| Reverse(kind.outcomes.sum());
        kinds.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.full_name().cmp(&b.full_name())));
        let summary = |kind: &Kind| KindCount {
            protocol: kind.protocol.to_string(),
            kind: kind.name.to_string(),
            messages: kind.outcomes.sum(),
            bytes: kind.bytes,
            outcomes: kind.outcomes,
        };
        kinds.into_iter().map(summary).collect()
    }

    /// Returns the latencies of the kinds that were answered, the most frequently answered first.
    pub(super) fn latencies(&self, with_histograms: bool) -> Vec<KindLatency> {
        let answered = self.list.iter().filter_map(|kind| {
            let latency_us = kind.latency.as_ref()?.quantiles(with_histograms)?;
            let (protocol, kind) = (kind.protocol.to_string(), kind.name.to_string());
            Some(KindLatency { protocol, kind, latency_us })
        });
        let mut answered: Vec<_> = answered.collect();
        let full_name = |it: &KindLatency| (it.protocol.clone(), it.kind.clone());
        answered.sort_by_cached_key(|it| (Reverse(it.latency_us.count), full_name(it)));
        answered
    }
}

impl Kind {
    fn full_name(&self) -> (&str, &str) {
        (&self.protocol, &self.name)
    }

    #[inline]
    fn latency(&mut self) -> &mut Spread {
        self.latency.get_or_insert_with(|| Box::new(Spread::new(LATENCY)))
    }
}
