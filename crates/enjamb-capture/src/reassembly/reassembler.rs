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
use crate::options::Options;
use crate::reassembly::clock::CaptureClock;
use crate::reassembly::context::FlowContext;
use crate::reassembly::deadlines::DeadlineQueue;
use crate::reassembly::ended_flow::{Continuation, EndedFlow};
use crate::reassembly::endpoints::{Endpoints, FlowKey};
use crate::reassembly::flow::Flow;
use crate::reassembly::flow_table::{FlowState, FlowTable};
use crate::segment::Segment;
use crate::summary::Summary;

/// The number of queues of connections that have ended. The endpoints of a connection choose its
/// queue. So one connection is forgotten at the same place of the capture whether one reassembler
/// follows all connections, or each of several follows those of some queues.
const ENDED_QUEUES: usize = 64;

/// The maximum number of remembered connections in a queue, 65,536 in all. The connections that
/// ended first are forgotten first.
const ENDED_MAX: usize = 1024;

/// The maximum number of delivered bytes that are kept for comparison with retransmissions, in all
/// streams. Beyond that, retransmissions are not compared.
const RECENT_IN_ALL: usize = 32 << 20;

/// Puts segments in order and reports connections to a tap. Pass the same tap to every call.
pub struct Reassembler {
    options: Options,
    flows: FlowTable,
    /// Open flows, in about the order in which they were last used.
    by_use: BTreeMap<u64, FlowKey>,
    /// Flows that were reset.
    lingering: DeadlineQueue,
    /// Flows that hold data back.
    waiting: DeadlineQueue,
    /// Flows that have ended, in [`ENDED_QUEUES`] queues, each in the order of their ends.
    ended: Box<[VecDeque<(FlowKey, u64)>]>,
    /// The number of bytes that all streams hold.
    held: usize,
    /// The number of bytes that all streams keep for comparison.
    recent: usize,
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
            tap: $tap,
            now: $now,
            clock: $self.clock,
            room: $self.recent < RECENT_IN_ALL,
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
            ended: (0..ENDED_QUEUES).map(|_| VecDeque::new()).collect(),
            held: 0,
            recent: 0,
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
        let open = self.by_use.len();
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

        let key = self.flows.key(segment, self.by_use.len());
        let next_number = match self.numbering {
            FlowNumbering::Counted => self.summary.connections + 1,
            FlowNumbering::BySegment => self.clock.segments,
        };
        let mut resumed = None;
        let is_open = match self.flows.get_mut(&key) {
            None => false,
            Some(FlowState::Open(flow)) => {
                let is_over = flow.is_over_with(segment, time);
                if is_over {
                    self.end(key, tap);
                }
                !is_over
            }
            Some(FlowState::Ended(ended)) => {
                let continuation = ended.continuation(segment, time, &self.clock);
                let length = segment.payload.len() as u64;
                match continuation {
                    Continuation::Opens => {}
                    Continuation::Resumes => {
                        let flow = Flow::resume(next_number, ended, segment);
                        resumed = Some(flow);
                        self.summary.resets_ignored += 1;
                    }
                    Continuation::Repeats => {
                        self.summary.retransmitted += length;
                        return;
                    }
                    Continuation::TooLate => {
                        self.summary.late_segments += u64::from(length > 0);
                        self.summary.stray_bytes += length;
                        return;
                    }
                }
                false
            }
        };
        if !is_open {
            let joins = resumed.is_some();
            let flow = resumed.unwrap_or_else(|| Flow::new(next_number, segment));
            self.open(key, time, flow, joins, tap);
        }

        let Some(flow) = self.flows.open_mut(&key) else {
            return;
        };
        flow.used = self.clock.segments;
        let before = flow.weight();
        let recent = flow.recent_weight();
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
        self.recent = self.recent - recent + flow.recent_weight();
        if let Some(deadline) = flow.lingers_until()
            && !flow.lingers
        {
            flow.lingers = true;
            self.lingering.push(deadline, key, flow.connection.number);
        }
        if !flow.waits
            && let Some(deadline) = flow.waits_until(self.options.patience_time)
        {
            flow.waits = true;
            self.waiting.push(deadline, key, flow.connection.number);
        }
        if over {
            self.end(key, tap);
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
        let mut waiting: Vec<(u64, FlowKey)> = self.waiting.flows().collect();
        // The key of a flow that has ended may belong to another flow now.
        waiting.retain(|(number, key)| self.flows.is_open_as(key, *number));
        waiting.sort_unstable_by_key(|(number, _)| *number);
        for (_, key) in waiting {
            let Some(flow) = self.flows.open_mut(&key) else { continue };
            let (before, recent) = (flow.weight(), flow.recent_weight());
            let now = flow.last_packet();
            flow.give_up_beginnings(context!(self, now, tap));
            self.held = self.held - before + flow.weight();
            self.recent = self.recent - recent + flow.recent_weight();
            if flow.is_closed() {
                self.end(key, tap);
            }
        }
    }

    /// Ends the capture: delivers all held data, reports holes as gaps, and ends all connections in
    /// the order of their numbers.
    pub fn finish(&mut self, tap: &mut dyn Tap) {
        self.begin_step(Step::Finish);
        let mut open: Vec<(u64, FlowKey)> = self.flows.open_flows().collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (_, key) in open {
            self.end(key, tap);
        }
    }

    /// Opens `flow`. If it `joins` streams that had begun before, the tap is informed.
    fn open(&mut self, key: FlowKey, time: Time, flow: Flow, joins: bool, tap: &mut dyn Tap) {
        while self.by_use.len() >= self.options.connections.max(1)
            && let Some((queued, oldest)) = self.by_use.pop_first()
        {
            let Some(flow) = self.flows.open_mut(&oldest) else {
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
        let mut flow = Box::new(flow);
        (flow.used, flow.queued) = (self.clock.segments, self.clock.segments);
        flow.open(time, tap);
        if joins {
            flow.report_join(time, tap);
        }
        self.by_use.insert(self.clock.segments, key);
        self.flows.open(key, flow);
    }

    /// Ends an open flow, and leaves a record of it.
    fn end(&mut self, key: FlowKey, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(&key) else {
            return;
        };
        let number = flow.connection.number;
        self.held -= flow.weight();
        self.recent -= flow.recent_weight();
        self.by_use.remove(&flow.queued);
        let context = context!(self, Time::default(), tap);
        self.flows.end(&key, |flow| {
            flow.end(context);
            EndedFlow {
                number,
                delivered: flow.delivered_ranges(),
                client_is_low: Endpoints::is_low(flow.connection.client, flow.connection.server),
                closed: flow.has_closed(),
                reset: flow.was_reset(),
                reopens: false,
                last_packet: flow.latest_packet(),
                since: context.clock.latest,
            }
        });
        let queue = &mut self.ended[key.endpoints.hash_number() as usize % ENDED_QUEUES];
        queue.push_back((key, number));
        if queue.len() > ENDED_MAX
            && let Some((oldest, number)) = queue.pop_front()
        {
            self.flows.forget(&oldest, number);
        }
    }

    /// Ends flows that were reset long enough ago, and waits that have lasted too long, also those of
    /// connections that have no more packets.
    #[cold]
    fn end_due(&mut self, tap: &mut dyn Tap) {
        let Self { lingering, waiting, flows, by_use, clock, .. } = self;
        let mut due = Vec::new();
        for (queue, kind) in [(lingering, DueQueue::Lingering), (waiting, DueQueue::Waiting)] {
            queue.pop_due(flows, by_use.len(), clock, |number, key| due.push((number, kind, key)));
        }
        due.sort_unstable_by_key(|(number, kind, _)| (*number, *kind));
        for (_, kind, key) in due {
            match kind {
                DueQueue::Lingering => self.end_lingering(key, tap),
                DueQueue::Waiting => self.end_waiting(key, tap),
            }
        }
    }

    /// Ends a flow that was reset, unless it has got more time.
    fn end_lingering(&mut self, key: FlowKey, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(&key) else {
            return;
        };
        match flow.lingers_until() {
            // The reset was forged, and there was none after it.
            None => flow.lingers = false,
            Some(deadline) if deadline.has_passed(&self.clock) => self.end(key, tap),
            Some(deadline) => self.lingering.push(deadline, key, flow.connection.number),
        }
    }

    /// Ends the waits of a flow that have lasted too long.
    fn end_waiting(&mut self, key: FlowKey, tap: &mut dyn Tap) {
        let Some(flow) = self.flows.open_mut(&key) else {
            return;
        };
        let (before, recent) = (flow.weight(), flow.recent_weight());
        let now = flow.last_packet();
        flow.give_up_overdue(context!(self, now, tap));
        self.held = self.held - before + flow.weight();
        self.recent = self.recent - recent + flow.recent_weight();
        match flow.waits_until(self.options.patience_time) {
            None => flow.waits = false,
            Some(deadline) => self.waiting.push(deadline, key, flow.connection.number),
        }
        if flow.is_closed() {
            self.end(key, tap);
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
        self.by_use.len()
    }

    /// Takes over the connections of another shard of the same capture.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self { flows, by_use, lingering, waiting, ended, held, recent, summary, incidents, .. } = other;
        self.flows.absorb(flows);
        self.by_use.extend(by_use);
        self.lingering.absorb(lingering);
        self.waiting.absorb(waiting);
        for (queue, more) in self.ended.iter_mut().zip(ended) {
            // Each queue is filled by one shard only.
            queue.extend(more);
        }
        self.held += held;
        self.recent += recent;
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
            flow.connection.number = number(flow.connection.number);
        }
        // The numbers of connections that have ended must only differ from all others.
        self.flows.ended_flows_mut().for_each(|flow| flow.number = !flow.number);
        for (_, number) in self.ended.iter_mut().flatten() {
            *number = !*number;
        }
        self.numbering = FlowNumbering::Counted;
    }
}
