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
use std::mem;

use enjamb::{Tap, Time};

use crate::incident::{Incident, IncidentKind, Incidents};
use crate::options::{Options, Overlap};
use crate::reassembly::clock::CaptureClock;
use crate::reassembly::context::FlowContext;
use crate::reassembly::deadlines::DeadlineQueue;
use crate::reassembly::ended_flow::Continuation;
use crate::reassembly::endpoints::PARTS;
use crate::reassembly::flow::Flow;
use crate::reassembly::flow_table::{EndedId, FlowId, FlowState, FlowTable, OPEN_MAX};
use crate::reassembly::recent_log::RecentLogs;
use crate::segment::Segment;
use crate::summary::Summary;

/// The maximum number of remembered connections of a part that have ended, 65,536 in all. The
/// connections that ended first are forgotten first.
const ENDED_MAX: usize = 65_536 / PARTS;

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
    /// Flows that have ended: a queue for each part, in the order of their ends.
    ended: Box<[VecDeque<(EndedId, u64)>]>,
    /// The number of bytes that all streams hold.
    held: usize,
    /// The bytes that were delivered last.
    logs: RecentLogs,
    clock: CaptureClock,
    numbering: FlowNumbering,
    summary: Summary,
    incidents: Incidents,
}

/// The numbers of new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowNumbering {
    /// Connections count from 1.
    Counted,
    /// A connection has the number of the segment of the capture that opened it.
    BySegment,
}

/// The parts of the work between one segment of a capture and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Deadlines,
    Segment,
    Pause,
    Finish,
}

/// The queue that a due flow was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DueQueue {
    Lingering,
    Waiting,
}

/// Makes the context of a flow from the fields of a reassembler. A method would borrow the flow
/// too.
macro_rules! context {
    ($self:ident, $now:expr, $tap:expr) => {
        &mut FlowContext {
            options: &$self.options,
            summary: &mut $self.summary,
            incidents: &mut $self.incidents,
            logs: &mut $self.logs,
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
            ended: (0..PARTS).map(|_| VecDeque::new()).collect(),
            held: 0,
            logs: RecentLogs::default(),
            clock: CaptureClock::default(),
            numbering: FlowNumbering::Counted,
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

    /// Returns the counts and the incidents.
    #[must_use]
    pub fn into_counts(self) -> (Summary, Vec<Incident>) {
        (self.summary, self.incidents.into_list())
    }

    /// Processes the next segment of the capture.
    pub fn push(&mut self, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        self.advance(time, tap);
        self.receive(time, segment, tap);
    }

    fn begin_step(&mut self, step: Step) {
        self.incidents.step = self.clock.segments << 2 | step as u64;
    }

    /// Advances the clock to the next segment of the capture, and ends everything that is due then.
    #[inline]
    pub(super) fn advance(&mut self, time: Time, tap: &mut dyn Tap) {
        self.clock.advance(time);
        self.begin_step(Step::Deadlines);
        let open = self.flows.len();
        if self.lingering.may_be_due(open, &self.clock) || self.waiting.may_be_due(open, &self.clock) {
            self.end_due(tap);
        }
    }

    /// Processes the segment that the clock was advanced to.
    pub(super) fn receive(&mut self, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        self.begin_step(Step::Segment);
        self.summary.segments += 1;
        self.summary.bad_checksums += u64::from(segment.bad_checksum);
        self.summary.urgent += u64::from(segment.urgent);

        let state = self.flows.find(segment);
        if let Some(FlowState::Open(id)) = state
            && let Some(flow) = self.flows.open_mut(id)
            && self.options.overlap == Overlap::First
            && flow.receive_next(segment, context!(self, time, tap))
        {
            flow.used = self.clock.segments;
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
        let number = match self.numbering {
            FlowNumbering::Counted => self.summary.connections + 1,
            FlowNumbering::BySegment => self.clock.segments,
        };
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
        flow.used = self.clock.segments;
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
            self.lingering.push(deadline, id, flow.number);
        }
        if !flow.waits
            && let Some(deadline) = flow.waits_until(self.options.patience_time)
        {
            flow.waits = true;
            self.waiting.push(deadline, id, flow.number);
        }
        if over {
            self.end(id, tap);
        }
    }

    /// Pauses: no segment follows for now, since the traffic is still being captured. Connections
    /// that the capture joined late wait no longer for earlier bytes, and the tap
    /// [pauses](Tap::pause) too.
    pub fn pause(&mut self, tap: &mut dyn Tap) {
        self.give_up_beginnings(tap);
        tap.pause();
    }

    pub(super) fn give_up_beginnings(&mut self, tap: &mut dyn Tap) {
        self.begin_step(Step::Pause);
        let mut waiting: Vec<(u64, FlowId)> = self.waiting.flows().collect();
        // The place of a flow that has ended may have another flow now.
        waiting.retain(|(number, id)| self.flows.is_open_as(*id, *number));
        waiting.sort_unstable_by_key(|(number, _)| *number);
        for (_, id) in waiting {
            let Some(flow) = self.flows.open_mut(id) else { continue };
            let before = flow.weight();
            let now = flow.last_packet();
            flow.give_up_beginnings(context!(self, now, tap));
            self.held = self.held - before + flow.weight();
            if flow.is_closed() {
                self.end(id, tap);
            }
        }
    }

    /// Ends the capture: delivers all held data, reports holes as gaps, and ends all connections in
    /// the order of their numbers.
    pub fn finish(&mut self, tap: &mut dyn Tap) {
        self.begin_step(Step::Finish);
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
                self.incidents.add(&flow.connection(), time, IncidentKind::ConnectionGivenUp);
                self.end(oldest, tap);
            }
        }
        self.summary.connections += 1;
        (flow.used, flow.queued) = (self.clock.segments, self.clock.segments);
        flow.open(time, tap);
        if joins {
            flow.report_join(time, tap);
        }
        let id = self.flows.open(flow);
        self.by_use.insert(self.clock.segments, id);
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
        let (part, record) = (flow.part, flow.record(self.clock.latest));
        let number = record.number;
        let ended = self.flows.end(id, record);
        let queue = &mut self.ended[part.index()];
        queue.push_back((ended, number));
        if queue.len() > ENDED_MAX
            && let Some((oldest, number)) = queue.pop_front()
        {
            self.flows.forget(oldest, number);
        }
    }

    /// Ends flows that were reset long enough ago, and waits that have lasted too long, also those
    /// of connections that have no more packets.
    #[cold]
    fn end_due(&mut self, tap: &mut dyn Tap) {
        let Self { lingering, waiting, flows, clock, .. } = self;
        let mut due = Vec::new();
        for (queue, kind) in [(lingering, DueQueue::Lingering), (waiting, DueQueue::Waiting)] {
            queue.pop_due(flows, flows.len(), clock, |number, id| due.push((number, kind, id)));
        }
        due.sort_unstable_by_key(|(number, kind, _)| (*number, *kind));
        for (_, kind, id) in due {
            match kind {
                DueQueue::Lingering => self.end_lingering(id, tap),
                DueQueue::Waiting => self.end_waiting(id, tap),
            }
        }
    }

    /// Ends a flow that was reset, unless it has got more time.
    fn end_lingering(&mut self, id: FlowId, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(id) else {
            return;
        };
        match flow.lingers_until() {
            // The reset was forged, and there was none after it.
            None => flow.lingers = false,
            Some(deadline) if deadline.has_passed(&self.clock) => self.end(id, tap),
            Some(deadline) => self.lingering.push(deadline, id, flow.number),
        }
    }

    /// Ends the waits of a flow that have lasted too long.
    fn end_waiting(&mut self, id: FlowId, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(id) else {
            return;
        };
        let before = flow.weight();
        let now = flow.last_packet();
        flow.give_up_overdue(context!(self, now, tap));
        self.held = self.held - before + flow.weight();
        match flow.waits_until(self.options.patience_time) {
            None => flow.waits = false,
            Some(deadline) => self.waiting.push(deadline, id, flow.number),
        }
        if flow.is_closed() {
            self.end(id, tap);
        }
    }
}

/// Several reassemblers, each with a part of the connections.
impl Reassembler {
    /// Creates a reassembler of some of the connections of a capture: see
    /// [`Shard`](crate::reassembly::shard::Shard).
    pub(super) fn of_shard(options: Options) -> Self {
        Self { numbering: FlowNumbering::BySegment, ..Self::new(options) }
    }

    /// Returns the number of connections that are followed.
    pub(super) fn open_connections(&self) -> usize {
        self.flows.len()
    }

    /// Takes over the connections of another shard of the same capture.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self { flows, by_use, lingering, waiting, ended, logs, held, summary, incidents, .. } = other;
        let places = self.flows.absorb(flows);
        self.by_use.extend(by_use.into_iter().filter_map(|(used, id)| Some((used, places.of_open(id)?))));
        self.lingering.absorb(lingering, |id| places.of_open(id));
        self.waiting.absorb(waiting, |id| places.of_open(id));
        for (queue, more) in self.ended.iter_mut().zip(ended) {
            // Each queue is filled by one shard only. Entries of records that were replaced stay:
            // they count against the limit.
            queue.extend(more.into_iter().map(|(id, number)| (places.of_ended(id), number)));
        }
        self.logs.absorb(logs);
        self.held += held;
        self.summary.add(&summary);
        self.incidents = Incidents::of_parts([mem::take(&mut self.incidents), incidents]);
    }

    /// Gives connections the numbers that `number` returns for those of their first segments, and
    /// counts further connections from there on.
    pub(super) fn renumber(&mut self, mut number: impl FnMut(u64) -> u64) {
        self.lingering.renumber(&self.flows, &mut number);
        self.waiting.renumber(&self.flows, &mut number);
        for incident in self.incidents.list_mut() {
            incident.connection.number = number(incident.connection.number);
        }
        for flow in self.flows.open_flows_mut() {
            flow.number = number(flow.number);
        }
        // The numbers of connections that have ended must only differ from all others.
        self.flows.ended_flows_mut().for_each(|flow| flow.number = !flow.number);
        for (_, number) in self.ended.iter_mut().flatten() {
            *number = !*number;
        }
        self.numbering = FlowNumbering::Counted;
    }
}
