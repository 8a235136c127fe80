//! Flows that have a deadline.

use std::collections::VecDeque;

use crate::reassembly::clock::{CaptureClock, Deadline};
use crate::reassembly::endpoints::FlowKey;
use crate::reassembly::flow_table::FlowTable;

/// The maximum number of entries besides two for each open flow. An entry becomes stale when its
/// flow ends before its deadline: it stays in the queue until it reaches the front.
const STALE_MAX: usize = 4096;

/// Flows in about the order of their deadlines. An open flow has one entry at most.
#[derive(Default)]
pub(super) struct DeadlineQueue {
    /// The deadline, the key and the number of each flow.
    entries: VecDeque<(Deadline, FlowKey, u64)>,
}

impl DeadlineQueue {
    pub(super) fn push(&mut self, deadline: Deadline, key: FlowKey, number: u64) {
        self.entries.push_back((deadline, key, number));
    }

    /// Returns the keys of all flows that have an entry, and of some that have ended.
    pub(super) fn keys(&self) -> impl Iterator<Item = FlowKey> {
        self.entries.iter().map(|(_, key, _)| *key)
    }

    /// Removes the first flow whose deadline has passed and that is still open. There are `open`
    /// open flows.
    pub(super) fn pop_due(&mut self, flows: &FlowTable, open: usize, clock: &CaptureClock) -> Option<FlowKey> {
        if self.entries.len() > STALE_MAX + 2 * open {
            // More than half of the entries are stale. They are removed, and those of open flows
            // stay.
            self.entries.retain(|(_, key, number)| flows.is_open_as(key, *number));
        }
        while let Some(&(deadline, key, number)) = self.entries.front()
            && deadline.has_passed(clock)
        {
            self.entries.pop_front();
            if flows.is_open_as(&key, number) {
                return Some(key);
            }
        }
        None
    }
}
