//! Finds the flow that a segment belongs to.
//!
//! A flow is found by its endpoints and its network. The packets of one connection may come from
//! several networks: each direction may have tags of its own, and packets may be captured both with
//! their tag and without. So a segment from an unknown network is compared with the flows between
//! the same endpoints, and an *alias* remembers the flow that takes it.
//!
//! Open flows, and the records of those that have ended, are in two slabs: arrays with free places.
//! A hash table has their places only. So it is small, and a flow is in memory once, with its key.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use slab::Slab;

use crate::reassembly::ended_flow::EndedFlow;
use crate::reassembly::endpoints::{Endpoints, FlowKey};
use crate::reassembly::flow::Flow;
use crate::segment::Segment;

/// The maximum number of networks in which a flow between the same endpoints is searched for.
const NETWORKS_MAX: usize = 64;

/// The maximum number of aliases besides two for each open flow. Flows that end leave their aliases
/// behind.
const ALIASES_MAX: usize = 4096;

/// The maximum number of open flows that the table can have.
pub(super) const OPEN_MAX: usize = 1 << 30;

/// The place of an open flow. It is valid until the flow ends; then another flow may have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FlowId(u32);

/// The place of the record of a flow that has ended. It is valid until the record is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndedId(u32);

/// The flow with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowState {
    /// It is followed.
    Open(FlowId),
    /// It has ended, and left a record.
    Ended(EndedId),
}

#[derive(Default)]
pub(super) struct FlowTable {
    hasher: RandomState,
    index: HashTable<FlowState>,
    open: Slab<Flow>,
    ended: Slab<EndedFlow>,
    /// The flow that was found last. Packets of a connection often follow each other.
    found: FlowId,
    /// The networks of the open flows between the same endpoints. Kept as soon as there is more
    /// than one network.
    networks: Option<HashMap<Endpoints, Vec<u64>, RandomState>>,
    /// From the key of a segment to the key of its flow, where they differ.
    aliases: HashMap<FlowKey, FlowKey, RandomState>,
}

impl FlowTable {
    /// Returns the number of open flows.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    #[inline]
    pub(super) fn open_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.open.get_mut(id.0 as usize)
    }

    pub(super) fn ended_mut(&mut self, id: EndedId) -> Option<&mut EndedFlow> {
        self.ended.get_mut(id.0 as usize)
    }

    /// Returns whether there is an open flow at this place with this number.
    pub(super) fn is_open_as(&self, id: FlowId, number: u64) -> bool {
        self.open.get(id.0 as usize).is_some_and(|flow| flow.number == number)
    }

    /// Returns the numbers and places of all open flows.
    pub(super) fn open_flows(&self) -> impl Iterator<Item = (u64, FlowId)> {
        self.open.iter().map(|(id, flow)| (flow.number, FlowId(id as u32)))
    }

    /// Returns the flow that `segment` belongs to, or that had its endpoints before.
    #[inline]
    pub(super) fn find(&mut self, segment: &Segment<'_>) -> Option<FlowState> {
        if let Some(flow) = self.open.get(self.found.0 as usize)
            && flow.has_key_of(segment)
        {
            return Some(FlowState::Open(self.found));
        }
        let state = self.search(segment);
        if let Some(FlowState::Open(id)) = state {
            self.found = id;
        }
        state
    }

    fn search(&mut self, segment: &Segment<'_>) -> Option<FlowState> {
        let own = FlowKey::of(segment);
        let state = self.state(&own);
        if let Some(FlowState::Open(_)) = state {
            return state;
        }
        if own.network != 0 {
            self.list_networks();
        }
        let Some(networks) = &self.networks else {
            return state;
        };
        if let Some(other) = self.aliases.get(&own)
            && let Some(FlowState::Open(id)) = self.state(other)
        {
            return Some(FlowState::Open(id));
        }
        let takes = |network: &u64| match self.state(&FlowKey { network: *network, ..own }) {
            Some(FlowState::Open(id)) => self.open.get(id.0 as usize).filter(|flow| flow.takes(segment)).map(|_| id),
            _ => None,
        };
        let Some(id) = networks.get(&own.endpoints).into_iter().flatten().find_map(takes) else {
            return state;
        };
        if self.aliases.len() > ALIASES_MAX + 2 * self.open.len() {
            // All aliases go, those of open flows too. The next segment of such a flow is compared
            // with it once more.
            self.aliases.clear();
        }
        self.aliases.insert(own, self.open[id.0 as usize].key());
        Some(FlowState::Open(id))
    }

    /// Lists the networks of all open flows, if that was not done yet.
    fn list_networks(&mut self) {
        if self.networks.is_some() {
            return;
        }
        let mut networks: HashMap<Endpoints, Vec<u64>, RandomState> = HashMap::default();
        // There was no other network yet, so there is one flow for each pair of endpoints.
        for (_, flow) in &self.open {
            networks.entry(flow.key().endpoints).or_default().push(flow.network);
        }
        self.networks = Some(networks);
    }

    /// Returns the flow with this key.
    fn state(&self, key: &FlowKey) -> Option<FlowState> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |state| key_of(&self.open, &self.ended, *state) == *key).copied()
    }

    /// Adds an open flow, in the place of the record of another one with its key.
    pub(super) fn open(&mut self, flow: Flow) -> FlowId {
        let key = flow.key();
        let id = FlowId(self.open.insert(flow) as u32);
        self.set_state(&key, FlowState::Open(id));
        if let Some(networks) = &mut self.networks {
            let networks = networks.entry(key.endpoints).or_default();
            if networks.len() < NETWORKS_MAX {
                networks.push(key.network);
            }
        }
        id
    }

    /// Lets a key lead to a flow. The record that it led to is removed.
    fn set_state(&mut self, key: &FlowKey, new: FlowState) {
        let Self { hasher, index, open, ended, .. } = self;
        let entry = index.entry(
            hasher.hash_one(key),
            |state| key_of(open, ended, *state) == *key,
            |state| hasher.hash_one(key_of(open, ended, *state)),
        );
        match entry {
            Entry::Occupied(mut state) => {
                let before = std::mem::replace(state.get_mut(), new);
                if let FlowState::Ended(EndedId(before)) = before {
                    ended.try_remove(before as usize);
                }
            }
            Entry::Vacant(place) => {
                place.insert(new);
            }
        }
    }

    /// Replaces an open flow by its record.
    pub(super) fn end(&mut self, id: FlowId, record: EndedFlow) -> EndedId {
        let key = FlowKey::from(&record.key);
        let ended = EndedId(self.ended.insert(record) as u32);
        let hash = self.hasher.hash_one(key);
        if let Some(state) = self.index.find_mut(hash, |state| *state == FlowState::Open(id)) {
            *state = FlowState::Ended(ended);
        }
        self.open.try_remove(id.0 as usize);
        if let Some(networks) = &mut self.networks
            && let Some(others) = networks.get_mut(&key.endpoints)
        {
            others.retain(|network| *network != key.network);
            if others.is_empty() {
                networks.remove(&key.endpoints);
            }
        }
        ended
    }

    /// Removes the record of the flow with this number, unless another flow has its key.
    pub(super) fn forget(&mut self, id: EndedId, number: u64) {
        let Some(ended) = self.ended.get(id.0 as usize).filter(|ended| ended.number == number) else {
            return;
        };
        let hash = self.hasher.hash_one(FlowKey::from(&ended.key));
        if let Ok(entry) = self.index.find_entry(hash, |state| *state == FlowState::Ended(id)) {
            entry.remove();
        }
        self.ended.remove(id.0 as usize);
    }
}

/// Several tables, each with a part of the flows.
impl FlowTable {
    /// Returns all open flows.
    pub(super) fn open_flows_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.open.iter_mut().map(|(_, flow)| flow)
    }

    /// Returns the records of all flows that have ended.
    pub(super) fn ended_flows_mut(&mut self) -> impl Iterator<Item = &mut EndedFlow> {
        self.ended.iter_mut().map(|(_, ended)| ended)
    }

    /// Takes over the flows of another table. No endpoints may be in both. Returns the new places.
    pub(super) fn absorb(&mut self, mut other: Self) -> NewPlaces {
        if self.networks.is_some() || other.networks.is_some() {
            self.list_networks();
            other.list_networks();
        }
        let Self { open, ended, networks, aliases, .. } = other;
        let mut places = NewPlaces::default();
        for (old, flow) in open {
            let key = flow.key();
            let id = FlowId(self.open.insert(flow) as u32);
            self.set_state(&key, FlowState::Open(id));
            places.open.insert(old, id);
        }
        for (old, record) in ended {
            let key = FlowKey::from(&record.key);
            let id = EndedId(self.ended.insert(record) as u32);
            self.set_state(&key, FlowState::Ended(id));
            places.ended.insert(old, id);
        }
        self.aliases.extend(aliases);
        if let Some(networks) = networks {
            self.networks.get_or_insert_default().extend(networks);
        }
        places
    }
}

/// The places of flows that were taken over from another table, by their places there.
#[derive(Default)]
pub(super) struct NewPlaces {
    open: HashMap<usize, FlowId, RandomState>,
    ended: HashMap<usize, EndedId, RandomState>,
}

impl NewPlaces {
    /// Returns the new place of an open flow.
    pub(super) fn of_open(&self, old: FlowId) -> Option<FlowId> {
        self.open.get(&(old.0 as usize)).copied()
    }

    /// Returns the new place of a record, or a place without a record.
    pub(super) fn of_ended(&self, old: EndedId) -> EndedId {
        self.ended.get(&(old.0 as usize)).copied().unwrap_or(EndedId(u32::MAX))
    }
}

/// Returns the key of a flow in the index.
#[inline]
fn key_of(open: &Slab<Flow>, ended: &Slab<EndedFlow>, state: FlowState) -> FlowKey {
    match state {
        FlowState::Open(FlowId(id)) => open[id as usize].key(),
        FlowState::Ended(EndedId(id)) => FlowKey::from(&ended[id as usize].key),
    }
}
