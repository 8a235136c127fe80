//! What is counted of each kind of message.
//!
//! Strangers choose some of the kinds, so there are only so many; the others are counted together. A kind has a number, so that
//! what is known of a message once need not be looked up again.

use serde_json::{Value, json};

use crate::statistics::distribution::{LATENCY, Spread};
use crate::statistics::names::Names;
use crate::statistics::{OTHER, OUTCOMES, PART_MAX};

/// How many kinds of messages are told apart on one side.
const KINDS_MAX: usize = 256;

/// The number of a kind among those of its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KindId(u16);

/// The kinds of one side.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    /// How many are told apart.
    most: usize,
    names: Names,
    /// By the number of the name.
    list: Vec<Kind>,
}

#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) name: Box<str>,
    /// At which step it was first seen.
    first: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) outcomes: [u64; 4],
    /// How long messages of this kind were waiting for their answers.
    pub(crate) latency: Option<Box<Spread>>,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { most: KINDS_MAX, names: Names::default(), list: Vec::new() }
    }
}

impl Kinds {
    /// Those of a part tell more apart: which of them count in the whole is not known yet.
    pub(crate) fn widen(&mut self) {
        self.most = PART_MAX;
    }

    /// The number of a kind. Where it was not seen before, `step` says when it is.
    #[inline]
    pub(crate) fn id(&mut self, name: &str, step: u64) -> KindId {
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
            let kind = Kind { name: name.into(), first: step, messages: 0, bytes: 0, outcomes: [0; 4], latency: None };
            self.list.push(kind);
            self.names.add(name)
        })
    }

    pub(crate) fn message(&mut self, id: KindId, length: u64, outcome: usize) {
        if let Some(kind) = self.list.get_mut(usize::from(id.0)) {
            kind.messages += 1;
            kind.bytes += length;
            kind.outcomes[outcome] += 1;
        }
    }

    pub(crate) fn answered(&mut self, id: KindId, latency_us: u64) {
        if let Some(kind) = self.list.get_mut(usize::from(id.0)) {
            kind.latency().record(latency_us);
        }
    }

    pub(crate) fn add(&mut self, more: &Self) {
        for counted in &more.list {
            self.add_kind(counted);
        }
    }

    fn add_kind(&mut self, counted: &Kind) {
        let KindId(id) = self.id(&counted.name, counted.first);
        let kind = &mut self.list[usize::from(id)];
        kind.messages += counted.messages;
        kind.bytes += counted.bytes;
        kind.outcomes.iter_mut().zip(counted.outcomes).for_each(|(to, more)| *to += more);
        if let Some(latency) = &counted.latency {
            kind.latency().add(latency);
        }
    }

    /// What one would have counted who had seen all steps: those that are told apart are the first ones. Exact where no part saw more than [`PART_MAX`].
    pub(crate) fn of_parts(parts: &[&Self]) -> Self {
        let mut kinds: Vec<&Kind> = parts.iter().flat_map(|part| &part.list).collect();
        // Stable: those of one step are of one part, in the order in which it saw them.
        kinds.sort_by_key(|kind| kind.first);
        let mut all = Self::default();
        kinds.into_iter().for_each(|kind| all.add_kind(kind));
        all
    }

    /// Those of which there were messages, the most frequent first.
    pub(crate) fn sorted(&self) -> Vec<&Kind> {
        let mut kinds: Vec<_> = self.list.iter().filter(|kind| kind.messages > 0).collect();
        kinds.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.name.cmp(&b.name)));
        kinds
    }

    /// Those that were answered, the most frequently answered first.
    pub(crate) fn answered_sorted(&self) -> Vec<(&str, &Spread)> {
        let latencies = self.list.iter().filter_map(|kind| Some((&*kind.name, kind.latency.as_deref()?)));
        let mut latencies: Vec<_> = latencies.collect();
        latencies.sort_by(|a, b| b.1.count().cmp(&a.1.count()).then_with(|| a.0.cmp(b.0)));
        latencies
    }

    pub(crate) fn to_json(&self) -> Value {
        self.sorted().into_iter().map(Kind::to_json).collect()
    }
}

impl Kind {
    fn latency(&mut self) -> &mut Spread {
        self.latency.get_or_insert_with(|| Box::new(Spread::new(LATENCY)))
    }

    fn to_json(&self) -> Value {
        let mut value = json!({ "kind": self.name, "messages": self.messages, "bytes": self.bytes });
        for outcome in OUTCOMES {
            value[outcome.as_str()] = self.outcomes[outcome as usize].into();
        }
        value
    }
}
