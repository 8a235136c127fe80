//! All connections of a capture at a time.
//!
//! Everything is bounded: how many connections are followed, how much is held in each stream and in all, how long is waited for
//! what is missing. A connection that is over leaves a mark, so that its last acknowledgements and repeated FINs do
//! not open another one; marks are bounded too.
//!
//! Packets that were put into the file in another order than they were captured in must not make anything be given up: see
//! [`Moment`](crate::moment).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use enjamb::{Tap, Time};

use crate::decode::Segment;
use crate::ends::{Ends, Key};
use crate::flow::{Around, Flow};
use crate::incident::{Incident, Incidents, What};
use crate::moment::{Deadline, Moment, later};
use crate::options::Options;
use crate::stream::Told;
use crate::summary::Summary;

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// How many connections that are over are remembered. The ones that ended first are forgotten first.
const ENDED_MAX: usize = 65_536;

/// How long the ends of a connection that is over cannot belong to another one that is seen without its SYN, in the time of the
/// capture: what most systems take for TIME-WAIT (RFC 9293, section 3.6.1 asks for twice as long a segment may live).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// How many bytes may be kept in all in order to compare repetitions with what was delivered. Without, they are not compared.
const RECENT_IN_ALL: usize = 32 << 20;

/// In how many networks a connection between the same ends is looked for.
const NETWORKS_MAX: usize = 64;

/// How many stale entries a queue may have for each that is not.
const STALE_MAX: usize = 4096;

/// Puts segments in order and tells a tap of connections. The tap is handed to every call, and must be the same one.
pub struct Reassembler {
    options: Options,
    flows: HashMap<Key, State>,
    /// The connections that are followed, in about the order in which they were last used.
    by_use: BTreeMap<u64, Key>,
    /// Connections that were reset, and those that wait for something, in about the order in which that has an end.
    lingering: Queue,
    waiting: Queue,
    /// Connections that are over, in the order in which they ended.
    ended: VecDeque<(Key, u64)>,
    /// In which networks there are connections between the same ends. Kept from when there is more than one network.
    networks: Option<HashMap<Ends, Vec<u64>>>,
    /// Connections that are also captured in another network.
    aliases: HashMap<Key, Key>,
    /// What all streams hold, in bytes.
    held: usize,
    /// What they keep for comparison.
    recent: usize,
    /// Counts uses of connections.
    clock: u64,
    /// Where the capture is in time.
    moment: Moment,
    summary: Summary,
    incidents: Incidents,
}

/// Until when, which connection, its number.
type Queue = VecDeque<(Deadline, Key, u64)>;

/// Both in a box: a place in the map is found for every segment, and a small one is not far from its key.
enum State {
    Followed(Box<Flow>),
    Ended(Box<Past>),
}

/// The mark of a connection that is over.
struct Past {
    number: u64,
    told: [Option<Told>; 2],
    /// Both sides were closed, not reset.
    closed: bool,
    /// Its SYN was seen once more after that.
    reopens: bool,
    /// The latest time stamp of its packets.
    last_packet: Time,
    /// The latest time stamp there was when it ended.
    since: Time,
}

/// The surroundings of a flow, from the fields of a reassembler.
macro_rules! around {
    ($self:ident, $now:expr, $tap:expr) => {
        &mut Around {
            options: &$self.options,
            summary: &mut $self.summary,
            incidents: &mut $self.incidents,
            tap: $tap,
            now: $now,
            moment: $self.moment,
            room: $self.recent < RECENT_IN_ALL,
        }
    };
}

impl Reassembler {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            flows: HashMap::default(),
            by_use: BTreeMap::new(),
            lingering: VecDeque::new(),
            waiting: VecDeque::new(),
            ended: VecDeque::new(),
            networks: None,
            aliases: HashMap::default(),
            held: 0,
            recent: 0,
            clock: 0,
            moment: Moment::default(),
            summary: Summary::default(),
            incidents: Incidents::default(),
        }
    }

    /// What was counted up to now.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What was given up or does not add up: the first 16 of each kind, in the order in which they were seen.
    #[must_use]
    pub fn incidents(&self) -> &[Incident] {
        self.incidents.list()
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
        self.summary.urgent += u64::from(segment.urgent);
        self.moment.pass(time);
        self.end_lingering(tap);
        self.end_waiting(tap);

        let key = self.key(segment);
        let follows = match self.flows.get_mut(&key) {
            None => false,
            Some(State::Followed(flow)) => {
                let follows = !flow.is_over_with(segment, time);
                if !follows {
                    self.end(key, tap);
                }
                follows
            }
            Some(State::Ended(past)) => {
                let Past { told, closed, reopens, last_packet, since, .. } = &mut **past;
                let first = Some(segment.sequence.wrapping_add(1));
                let again = told.iter().any(|told| told.map(|told| told.first) == first);
                let opens = match segment.acknowledgement {
                    None => segment.syn && !again,
                    // The answer to a SYN with the numbers of the one before: only now is it certain that this was not captured late.
                    Some(_) => segment.syn && *reopens,
                };
                // What was captured twice, on two interfaces perhaps, stands behind the end in the file, but not in time.
                *reopens |= *closed && segment.syn && again && segment.acknowledgement.is_none() && time > *last_packet;
                if !opens && self.moment.settled() < later(*since, TIME_WAIT) {
                    let length = segment.payload.len() as u64;
                    let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
                    if told.iter().flatten().any(|told| told.holds(sequence, length)) {
                        self.summary.retransmitted += length;
                    } else {
                        self.summary.late_segments += u64::from(length > 0);
                        self.summary.stray_bytes += length;
                    }
                    return;
                }
                false
            }
        };
        if !follows {
            self.open(key, time, segment, tap);
        }

        let Some(State::Followed(flow)) = self.flows.get_mut(&key) else {
            return;
        };
        self.clock += 1;
        flow.used = self.clock;
        let before = flow.weight();
        let recent = flow.recent_weight();
        let around = around!(self, time, tap);
        let mut over = flow.segment(segment, around);
        // What tips the balance pays: its holes are given up.
        while !over && self.held - before + flow.weight() > self.options.held_in_all {
            if !flow.give_up_heavier(around) {
                break;
            }
            over = flow.is_closed();
        }
        self.held = self.held - before + flow.weight();
        self.recent = self.recent - recent + flow.recent_weight();
        if let Some(until) = flow.lingers_until()
            && !flow.lingers
        {
            flow.lingers = true;
            self.lingering.push_back((until, key, flow.connection.number));
        }
        if !flow.waits
            && let Some(until) = flow.waits_until(self.options.patience_time)
        {
            flow.waits = true;
            self.waiting.push_back((until, key, flow.connection.number));
        }
        if over {
            self.end(key, tap);
        }
    }

    /// The capture is at its end: what is held is delivered, what is missing becomes gaps, all connections are done.
    pub fn finish(&mut self, tap: &mut dyn Tap) {
        let mut followed: Vec<(u64, Key)> = self
            .flows
            .iter()
            .filter_map(|(key, state)| match state {
                State::Followed(flow) => Some((flow.connection.number, *key)),
                State::Ended(_) => None,
            })
            .collect();
        followed.sort_unstable_by_key(|(number, _)| *number);
        for (_, key) in followed {
            self.end(key, tap);
        }
    }

    /// Under which key the connection of `segment` is found.
    fn key(&mut self, segment: &Segment<'_>) -> Key {
        let own = Key { ends: Ends::of(segment), network: segment.network };
        if own.network != 0 && self.networks.is_none() {
            let mut networks: HashMap<Ends, Vec<u64>> = HashMap::default();
            for (key, state) in &self.flows {
                // There was no other network yet: one connection for each pair of ends.
                if matches!(state, State::Followed(_)) {
                    networks.entry(key.ends).or_default().push(key.network);
                }
            }
            self.networks = Some(networks);
        }
        let Some(networks) = &self.networks else {
            return own;
        };
        if matches!(self.flows.get(&own), Some(State::Followed(_))) {
            return own;
        }
        let follows = |key: &Key| matches!(self.flows.get(key), Some(State::Followed(_)));
        if let Some(other) = self.aliases.get(&own)
            && follows(other)
        {
            return *other;
        }
        let takes = |key: &Key| match self.flows.get(key) {
            Some(State::Followed(flow)) => flow.takes(segment),
            _ => false,
        };
        let others = networks.get(&own.ends).into_iter().flatten();
        let Some(other) = others.map(|&network| Key { network, ..own }).find(takes) else {
            return own;
        };
        if self.aliases.len() > STALE_MAX + 2 * self.by_use.len() {
            // All of them are found again where they are still needed.
            self.aliases.clear();
        }
        self.aliases.insert(own, other);
        other
    }

    fn open(&mut self, key: Key, time: Time, segment: &Segment<'_>, tap: &mut dyn Tap) {
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
                self.incidents.add(&flow.connection, time, What::ConnectionGivenUp);
                self.end(oldest, tap);
            }
        }
        self.summary.connections += 1;
        self.clock += 1;
        let mut flow = Box::new(Flow::new(self.summary.connections, segment));
        (flow.used, flow.queued) = (self.clock, self.clock);
        flow.open(time, tap);
        self.by_use.insert(self.clock, key);
        self.flows.insert(key, State::Followed(flow));
        if let Some(networks) = &mut self.networks {
            let networks = networks.entry(key.ends).or_default();
            if networks.len() < NETWORKS_MAX {
                networks.push(key.network);
            }
        }
    }

    /// Ends a connection that is followed, and leaves a mark.
    fn end(&mut self, key: Key, tap: &mut dyn Tap) {
        let Entry::Occupied(mut entry) = self.flows.entry(key) else {
            return;
        };
        let State::Followed(flow) = entry.get_mut() else {
            return;
        };
        self.held -= flow.weight();
        self.recent -= flow.recent_weight();
        flow.end(around!(self, Time::default(), tap));
        self.by_use.remove(&flow.queued);
        let (number, told) = (flow.connection.number, flow.told());
        let (closed, last_packet, since) = (flow.has_closed(), flow.latest_packet(), self.moment.latest);
        entry.insert(State::Ended(Box::new(Past { number, told, closed, reopens: false, last_packet, since })));
        if let Some(networks) = &mut self.networks
            && let Entry::Occupied(mut others) = networks.entry(key.ends)
        {
            others.get_mut().retain(|network| *network != key.network);
            if others.get().is_empty() {
                others.remove();
            }
        }
        self.ended.push_back((key, number));
        if self.ended.len() > ENDED_MAX
            && let Some((oldest, number)) = self.ended.pop_front()
            && matches!(self.flows.get(&oldest), Some(State::Ended(past)) if past.number == number)
        {
            self.flows.remove(&oldest);
        }
    }

    /// Takes the first entry of a queue whose time has come, and that is not stale.
    fn due(queue: &mut Queue, flows: &HashMap<Key, State>, followed: usize, moment: &Moment) -> Option<Key> {
        let is_followed = |key: &Key, number: u64| matches!(flows.get(key), Some(State::Followed(flow)) if flow.connection.number == number);
        if queue.len() > STALE_MAX + 2 * followed {
            queue.retain(|(_, key, number)| is_followed(key, *number));
        }
        while let Some(&(until, key, number)) = queue.front()
            && until.has_passed(moment)
        {
            queue.pop_front();
            if is_followed(&key, number) {
                return Some(key);
            }
        }
        None
    }

    /// Ends connections that were reset long enough ago.
    fn end_lingering(&mut self, tap: &mut dyn Tap) {
        while let Some(key) = Self::due(&mut self.lingering, &self.flows, self.by_use.len(), &self.moment) {
            let Some(State::Followed(flow)) = self.flows.get_mut(&key) else {
                continue;
            };
            match flow.lingers_until() {
                // The reset was forged, and there was none after it.
                None => flow.lingers = false,
                Some(until) if until.has_passed(&self.moment) => self.end(key, tap),
                Some(until) => self.lingering.push_back((until, key, flow.connection.number)),
            }
        }
    }

    /// Gives up what was waited for too long, also where no more packets come.
    fn end_waiting(&mut self, tap: &mut dyn Tap) {
        while let Some(key) = Self::due(&mut self.waiting, &self.flows, self.by_use.len(), &self.moment) {
            let Some(State::Followed(flow)) = self.flows.get_mut(&key) else {
                continue;
            };
            let (before, recent) = (flow.weight(), flow.recent_weight());
            let now = flow.last_packet();
            flow.give_up_overdue(around!(self, now, tap));
            self.held = self.held - before + flow.weight();
            self.recent = self.recent - recent + flow.recent_weight();
            match flow.waits_until(self.options.patience_time) {
                None => flow.waits = false,
                Some(until) => self.waiting.push_back((until, key, flow.connection.number)),
            }
            if flow.is_closed() {
                self.end(key, tap);
            }
        }
    }
}
