//! Flows that have a deadline.
//!
//! A flow is due at the first segment of the capture at which its deadline has passed, whatever the
//! other flows do. So the flows of one capture can be followed by several reassemblers, each with a
//! part of them, and every flow is due at the same segment as with one reassembler.
//!
//! A deadline is a number of segments and a time. The number of segments only grows, so an entry
//! waits for that first. After that it waits for its time. The clock may run backwards, so an entry
//! whose time has come is due only if it is looked at then: both maps are checked at every segment.

use std::collections::BTreeMap;
use std::mem;

use crate::reassembly::clock::{CaptureClock, Deadline};
use crate::reassembly::flow_table::{FlowId, FlowTable};

/// The maximum number of entries besides two for each open flow. An entry becomes stale when its
/// flow ends before its deadline: it stays in the queue until it reaches the front.
const STALE_MAX: usize = 4096;

/// Flows in the order of their deadlines. An open flow has one entry at most.
pub(super) struct DeadlineQueue {
    /// Entries that wait for a number of segments, by that number and the number of the flow.
    early: BTreeMap<(u64, u64), (u64, FlowId)>,
    /// Entries that wait for a time, by that time in nanoseconds and the number of the flow.
    timed: BTreeMap<(u64, u64), FlowId>,
    /// The smallest number of segments and the smallest time that an entry waits for. They are
    /// compared for every segment, so they are not looked up in the maps.
    next_segments: u64,
    next_time: u64,
}

impl Default for DeadlineQueue {
    fn default() -> Self {
        Self { early: BTreeMap::new(), timed: BTreeMap::new(), next_segments: u64::MAX, next_time: u64::MAX }
    }
}

impl DeadlineQueue {
    pub(super) fn push(&mut self, deadline: Deadline, id: FlowId, number: u64) {
        let time = deadline.time.nanos();
        if deadline.segments == 0 {
            self.timed.insert((time, number), id);
            self.next_time = self.next_time.min(time);
        } else {
            self.early.insert((deadline.segments, number), (time, id));
            self.next_segments = self.next_segments.min(deadline.segments);
        }
    }

    /// Returns the numbers and places of all flows that have an entry, and of some that have ended.
    pub(super) fn flows(&self) -> impl Iterator<Item = (u64, FlowId)> {
        let early = self.early.iter().map(|((_, number), (_, id))| (*number, *id));
        early.chain(self.timed.iter().map(|((_, number), id)| (*number, *id)))
    }

    /// Returns whether [`pop_due`](Self::pop_due) has something to do.
    #[inline]
    pub(super) fn may_be_due(&self, open: usize, clock: &CaptureClock) -> bool {
        self.next_segments <= clock.segments
            || self.next_time <= clock.settled().nanos()
            || self.has_stale_entries(open)
    }

    /// Returns whether more than half of the entries are stale.
    fn has_stale_entries(&self, open: usize) -> bool {
        self.early.len() + self.timed.len() > STALE_MAX + 2 * open
    }

    /// Removes the flows whose deadline has passed, and gives the numbers and places of those that
    /// are still open to `due`. There are `open` open flows.
    pub(super) fn pop_due(
        &mut self,
        flows: &FlowTable,
        open: usize,
        clock: &CaptureClock,
        mut due: impl FnMut(u64, FlowId),
    ) {
        if self.has_stale_entries(open) {
            self.early.retain(|(_, number), (_, id)| flows.is_open_as(*id, *number));
            self.timed.retain(|(_, number), id| flows.is_open_as(*id, *number));
        }
        while let Some(entry) = self.early.first_entry()
            && entry.key().0 <= clock.segments
        {
            let ((_, number), (time, id)) = entry.remove_entry();
            self.timed.insert((time, number), id);
        }
        while let Some(entry) = self.timed.first_entry()
            && entry.key().0 <= clock.settled().nanos()
        {
            let ((_, number), id) = entry.remove_entry();
            if flows.is_open_as(id, number) {
                due(number, id);
            }
        }
        self.next_segments = self.early.first_key_value().map_or(u64::MAX, |((segments, _), _)| *segments);
        self.next_time = self.timed.first_key_value().map_or(u64::MAX, |((time, _), _)| *time);
    }

    /// Takes over the entries of another queue. `moved` returns the new place of a flow, or `None`
    /// if it has ended.
    pub(super) fn absorb(&mut self, other: Self, moved: impl Fn(FlowId) -> Option<FlowId>) {
        let early = other.early.into_iter().filter_map(|(key, (time, id))| Some((key, (time, moved(id)?))));
        self.early.extend(early);
        self.timed.extend(other.timed.into_iter().filter_map(|(key, id)| Some((key, moved(id)?))));
        self.next_segments = self.next_segments.min(other.next_segments);
        self.next_time = self.next_time.min(other.next_time);
    }

    /// Gives the open flows of all entries the numbers that `number` returns. Stale entries are
    /// removed.
    pub(super) fn renumber(&mut self, flows: &FlowTable, number: &mut dyn FnMut(u64) -> u64) {
        let early = mem::take(&mut self.early).into_iter();
        let timed = mem::take(&mut self.timed).into_iter();
        for ((segments, old), (time, id)) in early {
            if flows.is_open_as(id, old) {
                self.early.insert((segments, number(old)), (time, id));
            }
        }
        for ((time, old), id) in timed {
            if flows.is_open_as(id, old) {
                self.timed.insert((time, number(old)), id);
            }
        }
    }
}
