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

/// The maximum number of remembered connections that have ended. The connections that ended first
/// are forgotten first.
const ENDED_MAX: usize = 65_536;

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
    /// Flows that have ended, in the order of their ends.
    ended: VecDeque<(FlowKey, u64)>,
    /// The number of bytes that all streams hold.
    held: usize,
    /// The number of bytes that all streams keep for comparison.
    recent: usize,
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
            ended: VecDeque::new(),
            held: 0,
            recent: 0,
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
        self.end_lingering(tap);
        self.end_waiting(tap);

        let key = self.flows.key(segment, self.by_use.len());
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
                        let flow = Flow::resume(self.summary.connections + 1, ended, segment);
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
            let flow = resumed.unwrap_or_else(|| Flow::new(self.summary.connections + 1, segment));
            self.open(key, time, flow, joins, tap);
        }

        let Some(flow) = self.flows.open_mut(&key) else {
            return;
        };
        self.uses += 1;
        flow.used = self.uses;
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
        let waiting: Vec<FlowKey> = self.waiting.keys().collect();
        for key in waiting {
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
        tap.pause();
    }

    /// Ends the capture: delivers all held data, reports holes as gaps, and ends all connections in
    /// the order of their numbers.
    pub fn finish(&mut self, tap: &mut dyn Tap) {
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
        self.uses += 1;
        let mut flow = Box::new(flow);
        (flow.used, flow.queued) = (self.uses, self.uses);
        flow.open(time, tap);
        if joins {
            flow.report_join(time, tap);
        }
        self.by_use.insert(self.uses, key);
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
        self.ended.push_back((key, number));
        if self.ended.len() > ENDED_MAX
            && let Some((oldest, number)) = self.ended.pop_front()
        {
            self.flows.forget(&oldest, number);
        }
    }

    /// Ends flows that were reset long enough ago.
    fn end_lingering(&mut self, tap: &mut dyn Tap) {
        while let Some(key) = self.lingering.pop_due(&self.flows, self.by_use.len(), &self.clock) {
            let Some(flow) = self.flows.open_mut(&key) else {
                continue;
            };
            match flow.lingers_until() {
                // The reset was forged, and there was none after it.
                None => flow.lingers = false,
                Some(deadline) if deadline.has_passed(&self.clock) => self.end(key, tap),
                Some(deadline) => self.lingering.push(deadline, key, flow.connection.number),
            }
        }
    }

    /// Ends waits that have lasted too long, also of connections that have no more packets.
    fn end_waiting(&mut self, tap: &mut dyn Tap) {
        while let Some(key) = self.waiting.pop_due(&self.flows, self.by_use.len(), &self.clock) {
            let Some(flow) = self.flows.open_mut(&key) else {
                continue;
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
}
