//! All connections of a capture at a time.
//!
//! Everything is bounded: how many connections are followed, how much is held for holes in each stream and in all, how long a hole
//! is waited for. A connection that is over leaves a mark, so that its last acknowledgements and repeated FINs do
//! not open another one; marks are bounded too.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use enjamb::{Tap, Time};

use crate::decode::Segment;
use crate::flow::Flow;
use crate::summary::Summary;

/// How many connections that are over are remembered. The ones that ended first are forgotten first.
const ENDED_MAX: usize = 65_536;

/// How long the ends of a connection that is over cannot belong to another one that is seen without its SYN, in the time of the
/// capture: what most systems take for TIME-WAIT (RFC 9293, section 3.6.1 asks for twice as long a segment may live).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// How far reassembly goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many more packets of a connection are waited for bytes that the other side has acknowledged.
    pub patience: u32,
    /// How many more packets of a connection are waited for missing bytes when only one direction is captured.
    pub patience_one_sided: u32,
    /// How many bytes are held behind the holes of one stream. It must be as much as a sender may have on its way.
    pub held_per_stream: usize,
    /// How many bytes are held in all.
    pub held_in_all: usize,
    /// How many connections are followed at a time. When there are more, the one that was silent for longest is given up.
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: 256,
            patience_one_sided: 1024,
            held_per_stream: 64 << 20,
            held_in_all: 256 << 20,
            connections: 65_536,
        }
    }
}

/// Puts segments in order and tells a tap of connections. The tap is handed to every call, and must be the same one.
pub struct Reassembler {
    options: Options,
    flows: HashMap<Ends, State>,
    /// The connections that are followed, in about the order in which they were last used.
    by_use: BTreeMap<u64, Ends>,
    /// Connections that were reset, in the order in which they were.
    lingering: VecDeque<(Time, Ends, u64)>,
    /// Connections that are over, in the order in which they ended.
    ended: VecDeque<(Ends, u64)>,
    /// What all streams hold, in bytes.
    held: usize,
    /// Counts uses of connections.
    clock: u64,
    summary: Summary,
}

/// Both ends, the smaller one first: the same for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ends(SocketAddr, SocketAddr);

enum State {
    Followed(Box<Flow>),
    Ended { number: u64, bases: [Option<u32>; 2], time: Time },
}

impl Ends {
    fn of(segment: &Segment<'_>) -> Self {
        let (one, other) = (segment.source, segment.destination);
        if one <= other { Self(one, other) } else { Self(other, one) }
    }
}

impl Reassembler {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            flows: HashMap::new(),
            by_use: BTreeMap::new(),
            lingering: VecDeque::new(),
            ended: VecDeque::new(),
            held: 0,
            clock: 0,
            summary: Summary::default(),
        }
    }

    /// What was counted up to now.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Bytes held for holes, with what their administration takes. Never more than [`Options::held_in_all`] after a call.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn summary_mut(&mut self) -> &mut Summary {
        &mut self.summary
    }

    /// The next segment, in the order of the capture.
    pub fn push(&mut self, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        self.summary.segments += 1;
        self.summary.bad_checksums += u64::from(segment.bad_checksum);
        self.end_lingering(time, tap);

        let ends = Ends::of(segment);
        let follows = match self.flows.get(&ends) {
            None => false,
            Some(State::Followed(flow)) => {
                let follows = !flow.is_over_with(segment);
                if !follows {
                    self.end(ends, tap);
                }
                follows
            }
            Some(State::Ended { bases, time: ended, .. }) => {
                let first = segment.sequence.wrapping_add(1);
                let opens = segment.syn && segment.acknowledgement.is_none() && !bases.contains(&Some(first));
                if !opens && time.since(*ended) < TIME_WAIT {
                    self.summary.late_segments += u64::from(!segment.payload.is_empty());
                    self.summary.stray_bytes += segment.payload.len() as u64;
                    return;
                }
                false
            }
        };
        if !follows {
            self.open(ends, time, segment, tap);
        }

        let Some(State::Followed(flow)) = self.flows.get_mut(&ends) else {
            return;
        };
        self.clock += 1;
        flow.used = self.clock;
        let before = flow.weight();
        let mut over = flow.segment(time, segment, &self.options, &mut self.summary, tap);
        // What tips the balance pays: its holes are given up.
        while !over && self.held - before + flow.weight() > self.options.held_in_all {
            if !flow.give_up_heavier(time, &mut self.summary, tap) {
                break;
            }
            flow.close_ended(enjamb::Side::Client, time, tap);
            over = flow.is_closed();
        }
        self.held = self.held - before + flow.weight();
        if let Some(until) = flow.lingers_until()
            && !flow.lingers
        {
            flow.lingers = true;
            self.lingering.push_back((until, ends, flow.connection.number));
        }
        if over {
            self.end(ends, tap);
        }
    }

    /// The capture is at its end: what is held is delivered, what is missing becomes gaps, all connections are done.
    pub fn finish(&mut self, tap: &mut dyn Tap) {
        let mut followed: Vec<(u64, Ends)> = self
            .flows
            .iter()
            .filter_map(|(ends, state)| match state {
                State::Followed(flow) => Some((flow.connection.number, *ends)),
                State::Ended { .. } => None,
            })
            .collect();
        followed.sort_unstable_by_key(|(number, _)| *number);
        for (_, ends) in followed {
            self.end(ends, tap);
        }
    }

    fn open(&mut self, ends: Ends, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
        while self.by_use.len() >= self.options.connections.max(1)
            && let Some((queued, oldest)) = self.by_use.pop_first()
        {
            let Some(State::Followed(flow)) = self.flows.get_mut(&oldest) else {
                continue;
            };
            if flow.used > queued {
                flow.queued = flow.used;
                self.by_use.insert(flow.used, oldest);
            } else {
                self.summary.connections_given_up += 1;
                self.end(oldest, tap);
            }
        }
        self.summary.connections += 1;
        self.clock += 1;
        let mut flow = Box::new(Flow::new(self.summary.connections, segment));
        (flow.used, flow.queued) = (self.clock, self.clock);
        flow.open(time, tap);
        self.by_use.insert(self.clock, ends);
        self.flows.insert(ends, State::Followed(flow));
    }

    /// Ends a connection that is followed, and leaves a mark.
    fn end(&mut self, ends: Ends, tap: &mut dyn Tap) {
        let Entry::Occupied(mut entry) = self.flows.entry(ends) else {
            return;
        };
        let State::Followed(flow) = entry.get_mut() else {
            return;
        };
        self.held -= flow.weight();
        flow.end(&mut self.summary, tap);
        self.by_use.remove(&flow.queued);
        let (number, bases, time) = (flow.connection.number, flow.bases(), flow.last_packet());
        entry.insert(State::Ended { number, bases, time });
        self.ended.push_back((ends, number));
        if self.ended.len() > ENDED_MAX
            && let Some((oldest, number)) = self.ended.pop_front()
            && matches!(self.flows.get(&oldest), Some(State::Ended { number: found, .. }) if *found == number)
        {
            self.flows.remove(&oldest);
        }
    }

    /// Ends connections that were reset long enough ago.
    fn end_lingering(&mut self, now: Time, tap: &mut dyn Tap) {
        while let Some(&(until, ends, number)) = self.lingering.front()
            && until <= now
        {
            self.lingering.pop_front();
            let Some(State::Followed(flow)) = self.flows.get_mut(&ends) else {
                continue;
            };
            if flow.connection.number != number {
                continue;
            }
            match flow.lingers_until() {
                // The reset was forged, and there was none after it.
                None => flow.lingers = false,
                Some(until) if until <= now => self.end(ends, tap),
                Some(until) => self.lingering.push_back((until, ends, number)),
            }
        }
    }
}
