//! All connections of a capture at the same time.
//!
//! Everything is bounded: the number of connections, the data that is held in each stream and in
//! all, and the time to wait for missing bytes. A connection that has ended leaves a record, so its
//! last acknowledgements and repeated FINs do not open another one. The number of records is
//! bounded too.
//!
//! Packets may be in the file in another order than they were captured. That alone must not make
//! the reassembler give anything up: see [`CaptureClock`](crate::reassembly::clock).

use std::collections::{BTreeMap, VecDeque};

use enjamb::{Tap, Time};

use crate::incident::{Incident, IncidentKind, Incidents};
use crate::options::{Options, Overlap};
use crate::reassembly::clock::CaptureClock;
use crate::reassembly::context::FlowContext;
use crate::reassembly::deadlines::DeadlineQueue;
use crate::reassembly::ended_flow::Continuation;
use crate::reassembly::flow::Flow;
use crate::reassembly::flow_table::{EndedId, FlowId, FlowState, FlowTable, OPEN_MAX};
use crate::reassembly::recent_log::RecentLog;
use crate::segment::Segment;
use crate::summary::Summary;

/// The maximum number of remembered connections that have ended. The connections that ended first
/// are forgotten first.
const ENDED_MAX: usize = 65_536;

/// Puts segments in order and reports connections to a tap. Pass the same tap to every call.
pub struct Reassembler {
    options: Options,
    flows: FlowTable,
    /// Open flows, in about the order in which they were last used.
    by_use: BTreeMap<u64, FlowId>,
    /// Flows that were reset.
    lingering: DeadlineQueue,
    /// Flows that hold data back.
    waiting: DeadlineQueue,
    /// Flows that have ended, in the order of their ends.
    ended: VecDeque<(EndedId, u64)>,
    /// The number of bytes that all streams hold.
    held: usize,
    /// The bytes that were delivered last.
    log: RecentLog,
    /// Counts uses of flows.
    uses: u64,
    clock: CaptureClock,
    summary: Summary,
    incidents: Incidents,
}

/// Makes the context of a flow from the fields of a reassembler. A method would borrow the flow
/// too.
macro_rules! context {
    ($self:ident, $now:expr, $tap:expr) => {
        &mut FlowContext {
            options: &$self.options,
            summary: &mut $self.summary,
            incidents: &mut $self.incidents,
            log: &mut $self.log,
            tap: $tap,
            now: $now,
            clock: $self.clock,
        }
    };
}

impl Reassembler {
    /// Creates a reassembler that has seen no segments.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            flows: FlowTable::default(),
            by_use: BTreeMap::new(),
            lingering: DeadlineQueue::default(),
            waiting: DeadlineQueue::default(),
            ended: VecDeque::new(),
            held: 0,
            log: RecentLog::default(),
            uses: 0,
            clock: CaptureClock::default(),
            summary: Summary::default(),
            incidents: Incidents::default(),
        }
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns the first 16 incidents of each kind, in the order in which they were seen: things
    /// that were given up or are contradictory.
    #[must_use]
    pub fn incidents(&self) -> &[Incident] {
        self.incidents.list()
    }

    /// Returns the number of bytes that are held because of holes, with their overhead. It is never
    /// more than [`Options::held_in_all`] after a call.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn summary_mut(&mut self) -> &mut Summary {
        &mut self.summary
    }

    /// Processes the next segment of the capture.
    pub fn push(&mut self, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        self.summary.segments += 1;
        self.summary.bad_checksums += u64::from(segment.bad_checksum);
        self.summary.urgent += u64::from(segment.urgent);
        self.clock.advance(time);
        if self.lingering.is_due(self.flows.len(), &self.clock) {
            self.end_lingering(tap);
        }
        if self.waiting.is_due(self.flows.len(), &self.clock) {
            self.end_waiting(tap);
        }

        let state = self.flows.find(segment);
        if let Some(FlowState::Open(id)) = state
            && let Some(flow) = self.flows.open_mut(id)
            && self.options.overlap == Overlap::First
            && flow.receive_next(segment, context!(self, time, tap))
        {
            self.uses += 1;
            flow.used = self.uses;
            return;
        }
        if let Some(id) = self.flow_of(state, time, segment, tap) {
            self.push_to(id, time, segment, tap);
        }
    }

    /// Returns the open flow that takes `segment`, and opens it if needed. `None` if the segment
    /// comes after the end of its connection.
    fn flow_of(
        &mut self,
        state: Option<FlowState>,
        time: Time,
        segment: &Segment<'_>,
        tap: &mut dyn Tap,
    ) -> Option<FlowId> {
        let number = self.summary.connections + 1;
        let mut resumed = None;
        match state {
            None => {}
            Some(FlowState::Open(id)) => {
                if !self.flows.open_mut(id)?.is_over_with(segment, time) {
                    return Some(id);
                }
                self.end(id, tap);
            }
            Some(FlowState::Ended(id)) => {
                let ended = self.flows.ended_mut(id)?;
                let length = segment.payload.len() as u64;
                match ended.continuation(segment, time, &self.clock) {
                    Continuation::Opens => {}
                    Continuation::Resumes => {
                        resumed = Some(Flow::resume(number, ended, segment));
                        self.summary.resets_ignored += 1;
                    }
                    Continuation::Repeats => {
                        self.summary.retransmitted += length;
                        return None;
                    }
                    Continuation::TooLate => {
                        self.summary.late_segments += u64::from(length > 0);
                        self.summary.stray_bytes += length;
                        return None;
                    }
                }
            }
        }
        let joins = resumed.is_some();
        let flow = resumed.unwrap_or_else(|| Flow::new(number, segment));
        Some(self.open(time, flow, joins, tap))
    }

    /// Passes a segment to its flow.
    fn push_to(&mut self, id: FlowId, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(id) else {
            return;
        };
        self.uses += 1;
        flow.used = self.uses;
        let before = flow.weight();
        let context = context!(self, time, tap);
        let mut over = flow.segment(segment, context);
        // The flow that exceeds the limit for all flows gives up its own holes.
        while !over && self.held - before + flow.weight() > self.options.held_in_all {
            if !flow.give_up_heavier(context) {
                break;
            }
            over = flow.is_closed();
        }
        self.held = self.held - before + flow.weight();
        if let Some(deadline) = flow.lingers_until()
            && !flow.lingers
        {
            flow.lingers = true;
            self.lingering.push(deadline, id, flow.connection.number);
        }
        if !flow.waits
            && let Some(deadline) = flow.waits_until(self.options.patience_time)
        {
            flow.waits = true;
            self.waiting.push(deadline, id, flow.connection.number);
        }
        if over {
            self.end(id, tap);
        }
    }

    /// Pauses: no segment follows for now, since the traffic is still being captured. Connections
    /// that the capture joined late wait no longer for earlier bytes, and the tap
    /// [pauses](Tap::pause) too.
    pub fn pause(&mut self, tap: &mut dyn Tap) {
        for id in self.waiting.open_flows(&self.flows) {
            let Some(flow) = self.flows.open_mut(id) else { continue };
            let before = flow.weight();
            let now = flow.last_packet();
            flow.give_up_beginnings(context!(self, now, tap));
            self.held = self.held - before + flow.weight();
            if flow.is_closed() {
                self.end(id, tap);
            }
        }
        tap.pause();
    }

    /// Ends the capture: delivers all held data, reports holes as gaps, and ends all connections in
    /// the order of their numbers.
    pub fn finish(&mut self, tap: &mut dyn Tap) {
        let mut open: Vec<(u64, FlowId)> = self.flows.open_flows().collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (_, id) in open {
            self.end(id, tap);
        }
    }

    /// Opens `flow`. If it `joins` streams that had begun before, the tap is informed.
    fn open(&mut self, time: Time, mut flow: Flow, joins: bool, tap: &mut dyn Tap) -> FlowId {
        while self.flows.len() >= self.options.connections.clamp(1, OPEN_MAX)
            && let Some((queued, oldest)) = self.by_use.pop_first()
        {
            let Some(flow) = self.flows.open_mut(oldest) else {
                continue;
            };
            if flow.used > queued {
                flow.queued = flow.used;
                self.by_use.insert(flow.used, oldest);
            } else {
                self.summary.connections_given_up += 1;
                self.incidents.add(&flow.connection, time, IncidentKind::ConnectionGivenUp);
                self.end(oldest, tap);
            }
        }
        self.summary.connections += 1;
        self.uses += 1;
        (flow.used, flow.queued) = (self.uses, self.uses);
        flow.open(time, tap);
        if joins {
            flow.report_join(time, tap);
        }
        let id = self.flows.open(flow);
        self.log.grow_for(self.flows.len());
        self.by_use.insert(self.uses, id);
        id
    }

    /// Ends an open flow, and leaves a record of it.
    fn end(&mut self, id: FlowId, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(id) else {
            return;
        };
        self.held -= flow.weight();
        self.by_use.remove(&flow.queued);
        flow.end(context!(self, Time::default(), tap));
        let record = flow.record(self.clock.latest);
        let number = record.number;
        let ended = self.flows.end(id, record);
        self.ended.push_back((ended, number));
        if self.ended.len() > ENDED_MAX
            && let Some((oldest, number)) = self.ended.pop_front()
        {
            self.flows.forget(oldest, number);
        }
    }

    /// Ends flows that were reset long enough ago.
    fn end_lingering(&mut self, tap: &mut dyn Tap) {
        while let Some(id) = self.lingering.pop_due(&self.flows, self.flows.len(), &self.clock) {
            let Some(flow) = self.flows.open_mut(id) else {
                continue;
            };
            match flow.lingers_until() {
                // The reset was forged, and there was none after it.
                None => flow.lingers = false,
                Some(deadline) if deadline.has_passed(&self.clock) => self.end(id, tap),
                Some(deadline) => self.lingering.push(deadline, id, flow.connection.number),
            }
        }
    }

    /// Ends waits that have lasted too long, also of connections that have no more packets.
    fn end_waiting(&mut self, tap: &mut dyn Tap) {
        while let Some(id) = self.waiting.pop_due(&self.flows, self.flows.len(), &self.clock) {
            let Some(flow) = self.flows.open_mut(id) else {
                continue;
            };
            let before = flow.weight();
            let now = flow.last_packet();
            flow.give_up_overdue(context!(self, now, tap));
            self.held = self.held - before + flow.weight();
            match flow.waits_until(self.options.patience_time) {
                None => flow.waits = false,
                Some(deadline) => self.waiting.push(deadline, id, flow.connection.number),
            }
            if flow.is_closed() {
                self.end(id, tap);
            }
        }
    }
}
