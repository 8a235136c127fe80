//! One connection: two streams, who opened it, and how it ends.
//!
//! A reset ends a connection, but not in a capture: bytes that were on their way are captured behind it, segments are out
//! of order, and some resets are forged by a third party and ignored by both ends. So a reset that the receiver would take
//! for real (RFC 9293, section 3.5.3) lets the connection *linger*: what still comes is delivered, and only when
//! [`LINGER`] has passed in the capture are both sides told that they were reset. A stream that goes on behind its own
//! sender's reset proves the reset forged.

use std::time::Duration;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::decode::Segment;
use crate::held::Mark;
use crate::incident::{Incidents, What};
use crate::moment::{Deadline, Moment, later};
use crate::options::Options;
use crate::reach::WINDOW_MAX;
use crate::stream::{Delivery, JOIN_MAX, Obstacle, Payload, Scene, Stream, Told};
use crate::summary::Summary;

/// How long a connection that was reset is kept for what comes late, in the time of the capture.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

pub(crate) struct Flow {
    pub(crate) connection: Connection,
    streams: [Stream; 2],
    closed: [bool; 2],
    reset: Option<Reset>,
    /// When its last packet came, and the latest time stamp of either side.
    last_packet: Time,
    latest_packets: [Time; 2],
    /// When its tap was last told something.
    last_event: Time,
    /// Where it stands in the order of being used.
    pub(crate) used: u64,
    pub(crate) queued: u64,
    /// It stands in the queue of those that linger.
    pub(crate) lingers: bool,
    /// It stands in the queue of those that wait.
    pub(crate) waits: bool,
    /// Which network each side's packets were captured in.
    networks: [Option<u64>; 2],
}

struct Reset {
    by: Side,
    offset: Option<i64>,
    /// When, by the latest time stamp of the capture.
    since: Time,
}

/// What surrounds a flow while it takes a packet.
pub(crate) struct Around<'a> {
    pub(crate) options: &'a Options,
    pub(crate) summary: &'a mut Summary,
    pub(crate) incidents: &'a mut Incidents,
    pub(crate) tap: &'a mut dyn Tap,
    /// When the packet was captured.
    pub(crate) now: Time,
    /// Where the capture is in time, which does not run backwards.
    pub(crate) moment: Moment,
    /// There is memory for comparing repetitions.
    pub(crate) room: bool,
}

impl Flow {
    /// The connection that `segment` is the first one of.
    pub(crate) fn new(number: u64, segment: &Segment<'_>) -> Self {
        let (source, destination) = (segment.source, segment.destination);
        let source_is_client = if segment.syn {
            segment.acknowledgement.is_none()
        } else {
            // Servers have the lower port; where that does not tell, whoever speaks first is the client.
            source.port() >= destination.port()
        };
        let (client, server) = if source_is_client { (source, destination) } else { (destination, source) };
        Self {
            connection: Connection { number, client, server },
            streams: Default::default(),
            closed: [false; 2],
            reset: None,
            last_packet: Time::default(),
            latest_packets: Default::default(),
            last_event: Time::default(),
            used: 0,
            queued: 0,
            lingers: false,
            waits: false,
            networks: [None; 2],
        }
    }

    pub(crate) fn open(&mut self, time: Time, tap: &mut dyn Tap) {
        self.last_event = time;
        tap.event(&self.connection, time, Event::Open);
    }

    fn side(&self, segment: &Segment<'_>) -> Side {
        if segment.source == self.connection.client { Side::Client } else { Side::Server }
    }

    /// `segment`, captured `now`, belongs to another connection between the same ends.
    pub(crate) fn is_over_with(&self, segment: &Segment<'_>, now: Time) -> bool {
        let side = self.side(segment);
        let [stream, other] = [&self.streams[side.index()], &self.streams[(!side).index()]];
        segment.syn
            && stream.is_opened_anew(segment.sequence.wrapping_add(1), now)
            && segment.acknowledgement.is_none_or(|acknowledged| other.is_opened_anew(acknowledged, now))
    }

    /// `segment`, which has the same ends but was captured in another network, is one of this connection all the same: where each
    /// direction has tags of its own, or where a packet is captured both with its tag and without.
    pub(crate) fn takes(&self, segment: &Segment<'_>) -> bool {
        let side = self.side(segment);
        let [stream, other] = [&self.streams[side.index()], &self.streams[(!side).index()]];
        let near = |stream: &Stream, sequence: u32| {
            let near = |offset: i64| (offset - stream.next as i64).unsigned_abs() <= JOIN_MAX;
            stream.offset(sequence).map(near)
        };
        let answers = segment.acknowledgement.map(|acknowledged| near(other, acknowledged));
        match self.networks[side.index()] {
            None => answers.is_some_and(|answers| answers != Some(false)),
            Some(network) => {
                let plain = network == 0 || segment.network == 0;
                let first = segment.sequence.wrapping_add(u32::from(segment.syn));
                plain && near(stream, first) == Some(true) && answers.is_none_or(|answers| answers != Some(false))
            }
        }
    }

    /// What was told of both streams.
    pub(crate) fn told(&self) -> [Option<Told>; 2] {
        [self.streams[0].told(), self.streams[1].told()]
    }

    /// What both streams hold, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.streams[0].weight() + self.streams[1].weight()
    }

    /// What both streams keep for comparison, in bytes.
    pub(crate) fn recent_weight(&self) -> usize {
        self.streams[0].recent_weight() + self.streams[1].recent_weight()
    }

    /// When to end it: set once it was reset.
    pub(crate) fn lingers_until(&self) -> Option<Deadline> {
        self.reset.as_ref().map(|reset| Deadline { time: later(reset.since, LINGER), segments: 0 })
    }

    /// Until when it waits for what stands in the way of what it holds, if for anything.
    pub(crate) fn waits_until(&self, patience: Duration) -> Option<Deadline> {
        self.streams.iter().filter_map(|stream| Some(stream.waiting?.deadline(patience))).min()
    }

    /// One segment. `true`: both sides are closed.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>, around: &mut Around<'_>) -> bool {
        self.last_packet = around.now;
        let side = self.side(segment);
        // Of the same side: two interfaces may have clocks of their own.
        let latest = &mut self.latest_packets[side.index()];
        let in_order = around.now >= *latest;
        *latest = around.now.max(*latest);
        self.networks[side.index()].get_or_insert(segment.network);
        if segment.rst {
            self.reset(side, segment, around);
        } else {
            self.acknowledge(side, segment, around.now);
            self.payload(side, segment, around);
            self.streams[side.index()].pass(around.now);
        }
        self.advance(side, around);
        for side in Side::BOTH {
            let scene = self.scene(side, around);
            if let Some(obstacle) = self.streams[side.index()].wait(&scene, &around.moment, in_order) {
                self.give_up(side, obstacle, around);
            }
            while self.streams[side.index()].weight() > around.options.held_per_stream {
                if !self.give_up_for_memory(side, around) {
                    break;
                }
            }
        }
        self.close_ended(side, around);
        self.is_closed()
    }

    fn acknowledge(&mut self, side: Side, segment: &Segment<'_>, now: Time) {
        let [stream, other] = pair(&mut self.streams, side);
        if segment.syn {
            stream.synchronise(segment.sequence.wrapping_add(1), now);
            if let Some(acknowledged) = segment.acknowledgement {
                // What it acknowledges is a SYN, and a fast open's data with it (RFC 7413): so only without a SYN seen.
                other.synchronise(acknowledged, now);
            }
        }
        stream.join(segment.sequence);
        if let Some(acknowledged) = segment.acknowledgement {
            other.acknowledge(acknowledged);
        }
    }

    fn payload(&mut self, side: Side, segment: &Segment<'_>, around: &mut Around<'_>) {
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        let Some(offset) = self.streams[side.index()].offset(first) else {
            return;
        };
        let length = segment.payload.len() as u64;
        let end = offset.saturating_add_unsigned(length.saturating_add(segment.missing));
        if let Some(Reset { by, offset: Some(reset), .. }) = self.reset
            && by == side
            && length > 0
            && end > reset
        {
            self.reset = None;
            around.summary.resets_ignored += 1;
        }
        let mark = Mark { time: around.now, acknowledgement: segment.acknowledgement };
        let payload = Payload { bytes: segment.payload, missing: segment.missing, mark };
        self.with(side, around, |stream, scene, summary, deliver| {
            if segment.dropped > 0 {
                stream.give_up_to(offset, scene, summary, deliver);
            }
            if segment.fin || length + segment.missing > 0 {
                stream.reaches_back_to(offset, scene.now);
            }
            if segment.fin {
                stream.finish(end);
            }
            if length + segment.missing > 0 || !(segment.syn || segment.fin) {
                stream.receive(offset, &payload, scene, summary, deliver);
            }
        });
    }

    /// RFC 9293, section 3.5.3: a reset must be for this connection.
    fn reset(&mut self, side: Side, segment: &Segment<'_>, around: &mut Around<'_>) {
        let [stream, other] = pair(&mut self.streams, side);
        let offset = stream.offset(segment.sequence);
        let real = match (offset, segment.acknowledgement) {
            (Some(offset), _) => {
                let next = stream.next;
                // Its receiver may have been waiting for bytes that were captured, but did not reach it.
                let expected = stream.acked.clamp(stream.first(), next);
                // Before a SYN was answered there is nothing on its way; a reset of other numbers is one of the connection before.
                let on_its_way = if stream.synchronised() && !other.synchronised() { 0 } else { WINDOW_MAX };
                (expected as i64..=next as i64 + on_its_way).contains(&offset)
            }
            // The answer to a SYN is known by what it acknowledges.
            (None, Some(acknowledged)) => {
                other.offset(acknowledged).is_none_or(|offset| offset >= other.first() as i64)
            }
            (None, None) => !other.synchronised(),
        };
        if !real {
            around.summary.resets_ignored += 1;
        } else if self.reset.is_none() {
            self.reset = Some(Reset { by: side, offset, since: around.moment.latest });
            self.last_event = around.now.max(self.last_event);
        }
    }

    fn scene<'a>(&self, side: Side, around: &Around<'a>) -> Scene<'a> {
        Scene {
            options: around.options,
            other: self.streams[(!side).index()].reach(),
            room: around.room,
            now: around.now,
        }
    }

    /// Lets a stream do something that may deliver.
    fn with<T>(
        &mut self,
        side: Side,
        around: &mut Around<'_>,
        act: impl FnOnce(&mut Stream, &Scene<'_>, &mut Summary, &mut dyn FnMut(Time, Delivery<'_>)) -> T,
    ) -> T {
        let scene = self.scene(side, around);
        let Self { connection, streams, last_event, .. } = self;
        let Around { summary, incidents, tap, .. } = around;
        act(&mut streams[side.index()], &scene, summary, &mut |time, delivery| {
            *last_event = time.max(*last_event);
            match delivery {
                Delivery::Chunk(bytes) => tap.event(connection, time, Event::Chunk { side, bytes }),
                Delivery::Gap(missing) => tap.event(connection, time, Event::Gap { side, missing }),
                Delivery::Conflict(conflict) => {
                    let (kept, dropped) = (conflict.kept, conflict.dropped);
                    let (offset, bytes) = (conflict.offset, conflict.bytes);
                    incidents.add(connection, time, What::Conflict { side, offset, bytes, kept, dropped });
                }
            }
        })
    }

    /// Delivers what may be: what one side is given may be what the other one waited for.
    fn advance(&mut self, first: Side, around: &mut Around<'_>) {
        while !self.streams.iter().all(|stream| stream.held.is_empty()) {
            let mut delivered = false;
            for side in [first, !first] {
                delivered |=
                    self.with(side, around, |stream, scene, summary, deliver| stream.settle(scene, summary, deliver));
            }
            if delivered {
                continue;
            }
            // Each waits for the other, as when a request was only captured when it was sent again.
            let waits =
                |side: Side| self.streams[side.index()].obstacle(&self.scene(side, around)) == Some(Obstacle::Order);
            if !(waits(Side::Client) && waits(Side::Server)) {
                break;
            }
            self.streams[Side::Client.index()].unordered_at = Some(self.streams[Side::Server.index()].next);
        }
    }

    fn give_up(&mut self, side: Side, obstacle: Obstacle, around: &mut Around<'_>) -> bool {
        let scene = self.scene(side, around);
        if obstacle == Obstacle::Order && self.streams[side.index()].lacks(&scene) > 1 {
            // One byte may be a FIN that was not captured.
            around.summary.order_given_up += 1;
            let offset = self.streams[side.index()].place();
            around.incidents.add(&self.connection, around.now, What::OrderGivenUp { side, offset });
        }
        let gave_up = self
            .with(side, around, |stream, scene, summary, deliver| stream.give_up(obstacle, scene, summary, deliver));
        self.advance(side, around);
        gave_up
    }

    /// Gives up what has been in the way for too long.
    pub(crate) fn give_up_overdue(&mut self, around: &mut Around<'_>) {
        for side in Side::BOTH {
            let stream = &mut self.streams[side.index()];
            let patience = around.options.patience_time;
            if !stream.waiting.is_some_and(|waiting| waiting.deadline(patience).has_passed(&around.moment)) {
                continue;
            }
            stream.waiting = None;
            let scene = self.scene(side, around);
            if let Some(obstacle) = self.streams[side.index()].obstacle(&scene) {
                let missing = matches!(obstacle, Obstacle::Hole | Obstacle::Order);
                around.summary.waits_timed_out += u64::from(missing);
                self.give_up(side, obstacle, around);
                let scene = self.scene(side, around);
                self.streams[side.index()].wait(&scene, &around.moment, false);
            }
        }
        self.close_ended(Side::Client, around);
    }

    /// Gives up the first obstacle of the side that holds more. `false`: nothing is held.
    pub(crate) fn give_up_heavier(&mut self, around: &mut Around<'_>) -> bool {
        let heavier = if self.streams[0].weight() >= self.streams[1].weight() { Side::Client } else { Side::Server };
        let gave_up = self.give_up_for_memory(heavier, around);
        self.close_ended(Side::Client, around);
        gave_up
    }

    fn give_up_for_memory(&mut self, side: Side, around: &mut Around<'_>) -> bool {
        let scene = self.scene(side, around);
        let Some(obstacle) = self.streams[side.index()].obstacle(&scene) else {
            return false;
        };
        if obstacle == Obstacle::Hole {
            around.summary.gaps_for_memory += 1;
            let offset = self.streams[side.index()].place();
            around.incidents.add(&self.connection, around.now, What::GapForMemory { side, offset });
        }
        self.give_up(side, obstacle, around)
    }

    /// Tells of streams whose FIN was reached, the one of `first` first.
    fn close_ended(&mut self, first: Side, around: &mut Around<'_>) {
        for side in [first, !first] {
            if !self.closed[side.index()] && self.streams[side.index()].ended() {
                self.closed[side.index()] = true;
                self.last_event = around.now.max(self.last_event);
                around.tap.event(&self.connection, around.now, Event::Close { side, ending: Ending::Closed });
            }
        }
    }

    pub(crate) fn last_packet(&self) -> Time {
        self.last_packet
    }

    pub(crate) fn latest_packet(&self) -> Time {
        self.latest_packets[0].max(self.latest_packets[1])
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed == [true; 2]
    }

    /// Both sides were closed by their FIN.
    pub(crate) fn has_closed(&self) -> bool {
        self.is_closed() && self.reset.is_none()
    }

    /// Nothing more will come of it.
    pub(crate) fn end(&mut self, around: &mut Around<'_>) {
        let over = self.is_closed() || self.reset.is_some();
        around.now = if over { self.last_event } else { self.last_packet };
        // What is certain first, and what the other side may be waiting for.
        while let Some((side, obstacle)) = self.first_obstacle(around) {
            if !self.give_up(side, obstacle, around) {
                break;
            }
        }
        self.close_ended(Side::Client, around);
        if let Some(Reset { by, .. }) = self.reset {
            for side in [by, !by] {
                if !self.closed[side.index()] {
                    self.closed[side.index()] = true;
                    around.tap.event(&self.connection, around.now, Event::Close { side, ending: Ending::Reset });
                }
            }
        }
        around.tap.event(&self.connection, around.now, Event::Done);
    }

    fn first_obstacle(&self, around: &Around<'_>) -> Option<(Side, Obstacle)> {
        let obstacle = |side: Side| Some((side, self.streams[side.index()].obstacle(&self.scene(side, around))?));
        Side::BOTH.into_iter().filter_map(obstacle).min_by_key(|(_, obstacle)| match obstacle {
            Obstacle::Beginning => 0,
            Obstacle::Unacknowledged => 1,
            Obstacle::Hole => 2,
            Obstacle::Order => 3,
        })
    }
}

/// The stream of `side`, and the other one.
fn pair(streams: &mut [Stream; 2], side: Side) -> [&mut Stream; 2] {
    let [client, server] = streams;
    match side {
        Side::Client => [client, server],
        Side::Server => [server, client],
    }
}
