//! Flows that have a deadline.

use std::collections::VecDeque;

use crate::reassembly::clock::{CaptureClock, Deadline};
use crate::reassembly::flow_table::{FlowId, FlowTable};

/// The maximum number of entries besides two for each open flow. An entry becomes stale when its
/// flow ends before its deadline: it stays in the queue until it reaches the front.
const STALE_MAX: usize = 4096;

/// Flows in about the order of their deadlines. An open flow has one entry at most.
#[derive(Default)]
pub(super) struct DeadlineQueue {
    /// The deadline, the place and the number of each flow.
    entries: VecDeque<(Deadline, FlowId, u64)>,
}

impl DeadlineQueue {
    pub(super) fn push(&mut self, deadline: Deadline, id: FlowId, number: u64) {
        self.entries.push_back((deadline, id, number));
    }

    /// Returns all open flows that have an entry.
    pub(super) fn open_flows(&self, flows: &FlowTable) -> Vec<FlowId> {
        let open = self.entries.iter().filter(|(_, id, number)| flows.is_open_as(*id, *number));
        open.map(|(_, id, _)| *id).collect()
    }

    /// Returns whether the first deadline has passed, or the queue has grown so long that stale
    /// entries must go. There are `open` open flows. Most calls find nothing to do.
    #[inline]
    pub(super) fn is_due(&self, open: usize, clock: &CaptureClock) -> bool {
        let Some((deadline, ..)) = self.entries.front() else { return false };
        deadline.has_passed(clock) || self.is_stale(open)
    }

    fn is_stale(&self, open: usize) -> bool {
        self.entries.len() > STALE_MAX + 2 * open
    }

    /// Removes the first flow whose deadline has passed and that is still open. There are `open`
    /// open flows.
    pub(super) fn pop_due(&mut self, flows: &FlowTable, open: usize, clock: &CaptureClock) -> Option<FlowId> {
        if self.is_stale(open) {
            // More than half of the entries are stale. They are removed, and those of open flows
            // stay.
            self.entries.retain(|(_, id, number)| flows.is_open_as(*id, *number));
        }
        while let Some(&(deadline, id, number)) = self.entries.front()
            && deadline.has_passed(clock)
        {
            self.entries.pop_front();
            if flows.is_open_as(id, number) {
                return Some(id);
            }
        }
        None
    }
}
