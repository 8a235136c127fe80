//! Finds the flow that a segment belongs to.
//!
//! A flow is found by its endpoints and its network. The packets of one connection may come from
//! several networks: each direction may have tags of its own, and packets may be captured both with
//! their tag and without. So a segment from an unknown network is compared with the flows between
//! the same endpoints, and an *alias* remembers the flow that takes it.

use std::collections::hash_map::Entry;

use crate::reassembly::ended_flow::EndedFlow;
use crate::reassembly::endpoints::{Endpoints, FlowKey};
use crate::reassembly::flow::Flow;
use crate::segment::Segment;

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The maximum number of networks in which a flow between the same endpoints is searched for.
const NETWORKS_MAX: usize = 64;

/// The maximum number of aliases besides two for each open flow. Flows that end leave their aliases
/// behind.
const ALIASES_MAX: usize = 4096;

/// A flow that is followed, or the record of one that has ended. Both are in boxes: the map is
/// searched for every segment, and with small values its entries are close to each other.
pub(super) enum FlowState {
    Open(Box<Flow>),
    Ended(Box<EndedFlow>),
}

#[derive(Default)]
pub(super) struct FlowTable {
    flows: HashMap<FlowKey, FlowState>,
    /// The networks of the open flows between the same endpoints. Kept as soon as there is more
    /// than one network.
    networks: Option<HashMap<Endpoints, Vec<u64>>>,
    /// From the key of a segment to the key of its flow, where they differ.
    aliases: HashMap<FlowKey, FlowKey>,
}

impl FlowTable {
    pub(super) fn get_mut(&mut self, key: &FlowKey) -> Option<&mut FlowState> {
        self.flows.get_mut(key)
    }

    pub(super) fn open_mut(&mut self, key: &FlowKey) -> Option<&mut Flow> {
        match self.flows.get_mut(key) {
            Some(FlowState::Open(flow)) => Some(flow),
            _ => None,
        }
    }

    fn is_open(&self, key: &FlowKey) -> bool {
        matches!(self.flows.get(key), Some(FlowState::Open(_)))
    }

    /// Returns whether the flow with this key is open and has this number.
    pub(super) fn is_open_as(&self, key: &FlowKey, number: u64) -> bool {
        matches!(self.flows.get(key), Some(FlowState::Open(flow)) if flow.connection.number == number)
    }

    /// Returns the numbers and keys of all open flows.
    pub(super) fn open_flows(&self) -> impl Iterator<Item = (u64, FlowKey)> {
        self.flows.iter().filter_map(|(key, state)| match state {
            FlowState::Open(flow) => Some((flow.connection.number, *key)),
            FlowState::Ended(_) => None,
        })
    }

    /// Returns all open flows.
    pub(super) fn open_flows_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.flows.values_mut().filter_map(|state| match state {
            FlowState::Open(flow) => Some(&mut **flow),
            FlowState::Ended(_) => None,
        })
    }

    /// Returns the records of all flows that have ended.
    pub(super) fn ended_flows_mut(&mut self) -> impl Iterator<Item = &mut EndedFlow> {
        self.flows.values_mut().filter_map(|state| match state {
            FlowState::Open(_) => None,
            FlowState::Ended(ended) => Some(&mut **ended),
        })
    }

    /// Takes over the flows of another table. No endpoints may be in both.
    pub(super) fn absorb(&mut self, mut other: Self) {
        if self.networks.is_some() || other.networks.is_some() {
            self.list_networks();
            other.list_networks();
        }
        let Self { flows, networks, aliases } = other;
        self.flows.extend(flows);
        self.aliases.extend(aliases);
        if let Some(networks) = networks {
            self.networks.get_or_insert_default().extend(networks);
        }
    }

    /// Lists the networks of all open flows, if that was not done yet.
    fn list_networks(&mut self) {
        if self.networks.is_some() {
            return;
        }
        let mut networks: HashMap<Endpoints, Vec<u64>> = HashMap::default();
        // There was no other network yet, so there is one flow for each pair of endpoints.
        for (_, key) in self.open_flows() {
            networks.entry(key.endpoints).or_default().push(key.network);
        }
        self.networks = Some(networks);
    }

    /// Returns the key of the flow that `segment` belongs to, or would begin. There are `open` open
    /// flows.
    pub(super) fn key(&mut self, segment: &Segment<'_>, open: usize) -> FlowKey {
        let own = FlowKey { endpoints: Endpoints::of(segment), network: segment.network };
        if own.network != 0 {
            self.list_networks();
        }
        let Some(networks) = &self.networks else {
            return own;
        };
        if self.is_open(&own) {
            return own;
        }
        if let Some(other) = self.aliases.get(&own)
            && self.is_open(other)
        {
            return *other;
        }
        let takes = |key: &FlowKey| match self.flows.get(key) {
            Some(FlowState::Open(flow)) => flow.takes(segment),
            _ => false,
        };
        let others = networks.get(&own.endpoints).into_iter().flatten();
        let Some(other) = others.map(|&network| FlowKey { network, ..own }).find(takes) else {
            return own;
        };
        if self.aliases.len() > ALIASES_MAX + 2 * open {
            // All aliases go, those of open flows too. The next segment of such a flow is compared
            // with it once more.
            self.aliases.clear();
        }
        self.aliases.insert(own, other);
        other
    }

    pub(super) fn open(&mut self, key: FlowKey, flow: Box<Flow>) {
        self.flows.insert(key, FlowState::Open(flow));
        if let Some(networks) = &mut self.networks {
            let networks = networks.entry(key.endpoints).or_default();
            if networks.len() < NETWORKS_MAX {
                networks.push(key.network);
            }
        }
    }

    /// Replaces an open flow by the record of it that `record` makes.
    pub(super) fn end(&mut self, key: &FlowKey, record: impl FnOnce(&mut Flow) -> EndedFlow) {
        let Some(state) = self.flows.get_mut(key) else {
            return;
        };
        let FlowState::Open(flow) = state else {
            return;
        };
        let ended = record(flow);
        *state = FlowState::Ended(Box::new(ended));
        if let Some(networks) = &mut self.networks
            && let Entry::Occupied(mut others) = networks.entry(key.endpoints)
        {
            others.get_mut().retain(|network| *network != key.network);
            if others.get().is_empty() {
                others.remove();
            }
        }
    }

    /// Removes the record of a flow, unless its key is in use by another one.
    pub(super) fn forget(&mut self, key: &FlowKey, number: u64) {
        if matches!(self.flows.get(key), Some(FlowState::Ended(ended)) if ended.number == number) {
            self.flows.remove(key);
        }
    }
}
