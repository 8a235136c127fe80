//! One connection: its two streams, its client, and its end.

use std::time::Duration;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

use crate::incident::IncidentKind;
use crate::reassembly::clock::Deadline;
use crate::reassembly::context::{FlowContext, StreamContext};
use crate::reassembly::ended_flow::EndedFlow;
use crate::reassembly::endpoints::{Endpoints, Ends, FlowKey, Part};
use crate::reassembly::held_data::SegmentInfo;
use crate::reassembly::hold::HoldReason;
use crate::reassembly::reset::{Reset, is_acceptable};
use crate::reassembly::role;
use crate::reassembly::stream::{DeliveredRange, Delivery, JOIN_MAX, Output, Payload, Stream};
use crate::segment::Segment;

pub(super) struct Flow {
    pub(super) number: u64,
    ends: Ends,
    /// The network in which its first packet was captured: part of its key.
    pub(super) network: u64,
    /// The part that it belongs to.
    pub(super) part: Part,
    streams: [Stream; 2],
    closed: [bool; 2],
    reset: Option<Box<Reset>>,
    /// The time stamp of the last packet, and the latest time stamp of each side.
    last_packet: Time,
    latest_packets: [Time; 2],
    /// The time of the last event for the tap.
    last_event: Time,
    /// The reassembler's count of uses when this flow was last used, and when it was last queued by
    /// use.
    pub(super) used: u64,
    pub(super) queued: u64,
    /// Whether it is in the queue of lingering flows.
    pub(super) lingers: bool,
    /// Whether it is in the queue of waiting flows.
    pub(super) waits: bool,
    /// The network in which the first packet of each side was captured.
    networks: [u64; 2],
    /// The sides of which a packet was captured.
    captured: [bool; 2],
}

impl Flow {
    /// Creates the flow that begins with `segment`.
    pub(super) fn new(number: u64, segment: &Segment<'_>) -> Self {
        let (source, destination) = (segment.source, segment.destination);
        let source_is_client = if segment.syn {
            segment.acknowledgement.is_none()
        } else {
            // Where the first bytes prove nothing, the lower port is taken for the server's, and of
            // equal ports that of the receiver.
            let by_port = source.port() >= destination.port();
            role::sender(segment.payload).map_or(by_port, |side| side == Side::Client)
        };
        let (client, server) = if source_is_client { (source, destination) } else { (destination, source) };
        Self {
            number,
            ends: Ends::new(client, server),
            network: segment.network,
            part: Endpoints::between(source, destination).part(),
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
            networks: [0; 2],
            captured: [false; 2],
        }
    }

    /// Creates the flow that continues another one after its reset, where that one ended.
    pub(super) fn resume(number: u64, ended: &EndedFlow, segment: &Segment<'_>) -> Self {
        let mut flow = Self::new(number, segment);
        let (source, destination) = (segment.source, segment.destination);
        let source_is_client = Endpoints::is_low(source, destination) == ended.client_is_low;
        let (client, server) = if source_is_client { (source, destination) } else { (destination, source) };
        flow.ends = Ends::new(client, server);
        for (stream, range) in flow.streams.iter_mut().zip(ended.delivered) {
            stream.resume(range.map(DeliveredRange::next));
        }
        flow
    }

    /// Reports that the capture joins both streams where they were resumed.
    pub(super) fn report_join(&self, time: Time, tap: &mut dyn Tap) {
        for side in Side::BOTH {
            tap.event(&self.connection(), time, Event::Gap { side, missing: 0 });
        }
    }

    pub(super) fn key(&self) -> FlowKey {
        let Connection { client, server, .. } = self.connection();
        FlowKey { endpoints: Endpoints::between(client, server), network: self.network }
    }

    /// Returns whether `segment` has its endpoints and the network of its key.
    #[inline]
    pub(super) fn has_key_of(&self, segment: &Segment<'_>) -> bool {
        self.ends.has(segment.source, segment.destination) && segment.network == self.network
    }

    #[inline]
    pub(super) fn connection(&self) -> Connection {
        let (client, server) = self.ends.addresses();
        Connection { number: self.number, client, server }
    }

    /// Returns the record of the flow, which ends at `since`.
    pub(super) fn record(&self, since: Time) -> EndedFlow {
        let (client, server) = self.ends.addresses();
        EndedFlow {
            number: self.number,
            key: self.key().into(),
            delivered: [self.streams[0].delivered_range(), self.streams[1].delivered_range()],
            client_is_low: Endpoints::is_low(client, server),
            closed: self.is_closed() && self.reset.is_none(),
            reset: self.reset.is_some(),
            reopens: false,
            last_packet: self.latest_packets[0].max(self.latest_packets[1]),
            since,
        }
    }

    pub(super) fn open(&mut self, time: Time, tap: &mut dyn Tap) {
        self.last_event = time;
        tap.event(&self.connection(), time, Event::Open);
    }

    fn side(&self, segment: &Segment<'_>) -> Side {
        if self.ends.is_client(segment.source) { Side::Client } else { Side::Server }
    }

    #[inline]
    fn note_network(&mut self, side: Side, segment: &Segment<'_>) {
        if !self.captured[side.index()] {
            self.captured[side.index()] = true;
            self.networks[side.index()] = segment.network;
        }
    }

    /// Returns whether `segment`, captured `now`, opens another connection between the same
    /// endpoints.
    pub(super) fn is_over_with(&self, segment: &Segment<'_>, now: Time) -> bool {
        let side = self.side(segment);
        let [stream, other] = [&self.streams[side.index()], &self.streams[(!side).index()]];
        segment.syn
            && stream.is_opened_anew(segment.sequence.wrapping_add(1), now)
            && segment.acknowledgement.is_none_or(|acknowledged| other.is_opened_anew(acknowledged, now))
    }

    /// Returns whether `segment`, with the same endpoints but from another network than the flow's
    /// key, belongs to this flow. That happens if each direction has tags of its own, or if packets
    /// are captured both with their tag and without.
    pub(super) fn takes(&self, segment: &Segment<'_>) -> bool {
        let side = self.side(segment);
        let [stream, other] = [&self.streams[side.index()], &self.streams[(!side).index()]];
        let near = |stream: &Stream, sequence: u32| {
            let near = |offset: i64| (offset - stream.next as i64).unsigned_abs() <= JOIN_MAX;
            stream.offset(sequence).map(near)
        };
        let answers = segment.acknowledgement.map(|acknowledged| near(other, acknowledged));
        match self.captured[side.index()] {
            false => answers.is_some_and(|answers| answers != Some(false)),
            true => {
                let network = self.networks[side.index()];
                let possible = network == segment.network || network == 0 || segment.network == 0;
                let first = segment.sequence.wrapping_add(u32::from(segment.syn));
                possible && near(stream, first) == Some(true) && answers.is_none_or(|answers| answers != Some(false))
            }
        }
    }

    /// Returns the memory that held data of both streams takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.streams[0].weight() + self.streams[1].weight()
    }

    /// Returns the time when the flow ends because of a reset, if there was one.
    pub(super) fn lingers_until(&self) -> Option<Deadline> {
        self.reset.as_ref().map(|reset| reset.deadline())
    }

    /// Returns the time up to which it holds data back, if it does.
    pub(super) fn waits_until(&self, patience: Duration) -> Option<Deadline> {
        self.streams.iter().filter_map(|stream| Some(stream.backlog.hold?.deadline(patience))).min()
    }

    /// Takes a segment in the usual case: it brings the next bytes of its stream, or only an
    /// acknowledgement, and nothing of the flow is held back or at its end. Otherwise returns
    /// `false` and changes nothing. It does the same as [`segment`](Self::segment) with the first
    /// copy of each byte, in a tenth of the time.
    #[inline]
    pub(super) fn receive_next(&mut self, segment: &Segment<'_>, context: &mut FlowContext<'_>) -> bool {
        let side = self.side(segment);
        let [stream, other] = pair(&mut self.streams, side);
        let Some(acknowledged) = segment.acknowledgement else {
            return false;
        };
        let is_special = segment.syn | segment.fin | segment.rst || segment.missing > 0 || segment.dropped > 0;
        if is_special || self.reset.is_some() || !stream.is_next(segment.sequence) || !other.has_delivered(acknowledged)
        {
            return false;
        }
        let now = context.now;
        self.last_packet = now;
        let latest = &mut self.latest_packets[side.index()];
        *latest = now.max(*latest);
        self.note_network(side, segment);
        let [stream, other] = pair(&mut self.streams, side);
        other.acknowledge(acknowledged);
        stream.receive_next(segment.payload, now, context.logs.of(self.part));
        if !segment.payload.is_empty() {
            context.summary.payload += segment.payload.len() as u64;
            self.last_event = now.max(self.last_event);
            context.tap.event(&self.connection(), now, Event::Chunk { side, bytes: segment.payload });
        }
        true
    }

    /// Processes a segment. Returns whether both sides are closed.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, context: &mut FlowContext<'_>) -> bool {
        self.last_packet = context.now;
        let side = self.side(segment);
        // Compared within one side, because two interfaces may have clocks of their own.
        let latest = &mut self.latest_packets[side.index()];
        let in_order = context.now >= *latest;
        *latest = context.now.max(*latest);
        self.note_network(side, segment);
        if segment.rst {
            self.reset(side, segment, context);
        } else {
            if let Some(reset) = &mut self.reset {
                // The connection is not silent: it may turn out that the reset was ignored.
                reset.since = context.clock.latest;
            }
            self.acknowledge(side, segment, context.now);
            if self.streams[(!side).index()].ended() {
                // The sender may have received the FIN: that comes before its data.
                self.close_ended(!side, context);
            }
            self.payload(side, segment, context);
            self.streams[side.index()].note_time(context.now);
        }
        self.advance(side, context);
        for side in Side::BOTH {
            let stream = &mut self.streams[side.index()];
            if stream.holds_nothing() {
                stream.backlog.end_hold();
                continue;
            }
            let surroundings = self.stream_context(side, context);
            if let Some(reason) = self.streams[side.index()].wait(&surroundings, &context.clock, in_order) {
                self.give_up(side, reason, context);
            }
            while self.streams[side.index()].weight() > context.options.held_per_stream {
                if !self.give_up_for_memory(side, context) {
                    break;
                }
            }
        }
        self.close_ended(side, context);
        self.streams.iter_mut().for_each(|stream| stream.backlog.free_if_idle());
        self.is_closed()
    }

    fn acknowledge(&mut self, side: Side, segment: &Segment<'_>, now: Time) {
        let [stream, other] = pair(&mut self.streams, side);
        if segment.syn {
            if self.reset.as_ref().is_some_and(|reset| segment.acknowledgement.is_some() && reset.by == side) {
                // The server refused the connection, and accepts it now.
                self.reset = None;
            }
            stream.synchronise(segment.sequence.wrapping_add(1), now);
            if let Some(acknowledged) = segment.acknowledgement {
                // The segment acknowledges a SYN, and the data of a fast open with it (RFC 7413).
                // So this counts only if that SYN was not captured.
                other.synchronise(acknowledged, now);
            }
        }
        stream.join(segment.sequence);
        if let Some(acknowledged) = segment.acknowledgement {
            other.acknowledge(acknowledged);
        }
    }

    fn payload(&mut self, side: Side, segment: &Segment<'_>, context: &mut FlowContext<'_>) {
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        let Some(offset) = self.streams[side.index()].offset(first) else {
            return;
        };
        let length = segment.payload.len() as u64;
        let end = offset.saturating_add_unsigned(length.saturating_add(segment.missing));
        if let Some(reset) = &self.reset
            && reset.by == side
            && length > 0
            && reset.offset.is_some_and(|offset| end > offset)
        {
            self.reset = None;
            context.summary.resets_ignored += 1;
        }
        let info = SegmentInfo { time: context.now, acknowledgement: segment.acknowledgement };
        let payload = Payload { bytes: segment.payload, missing: segment.missing, info };
        self.with_stream(side, context, |stream, context, output| {
            if segment.dropped > 0 {
                stream.give_up_to(offset, context, output);
            }
            let is_probe = stream.is_probe_before_beginning(offset, length + segment.missing, context);
            if segment.fin || length + segment.missing > 0 && !is_probe {
                stream.extend_back_to(offset, context.now);
            }
            if segment.fin {
                stream.finish(end, context.now, output.summary);
            }
            if length == 0 {
                stream.note_sent(offset);
            }
            if length + segment.missing > 0 || !(segment.syn || segment.fin) {
                stream.receive(offset, &payload, context, output);
            }
        });
    }

    fn reset(&mut self, side: Side, segment: &Segment<'_>, context: &mut FlowContext<'_>) {
        let [stream, other] = pair(&mut self.streams, side);
        if !is_acceptable(segment, stream, other) {
            context.summary.resets_ignored += 1;
        } else if self.reset.is_none() {
            let offset = stream.offset(segment.sequence);
            self.reset = Some(Box::new(Reset { by: side, offset, since: context.clock.latest }));
            self.last_event = context.now.max(self.last_event);
        }
    }

    #[inline]
    fn stream_context<'a>(&self, side: Side, context: &FlowContext<'a>) -> StreamContext<'a> {
        let other = &self.streams[(!side).index()];
        StreamContext {
            options: context.options,
            other: other.progress(),
            other_time: self.latest_packets[(!side).index()],
            other_piece: other.first_piece(context.options.overlap),
            now: context.now,
        }
    }

    /// Calls `act` with a stream and a callback that passes deliveries to the tap.
    fn with_stream<T>(
        &mut self,
        side: Side,
        context: &mut FlowContext<'_>,
        act: impl FnOnce(&mut Stream, &StreamContext<'_>, &mut Output<'_>) -> T,
    ) -> T {
        let surroundings = self.stream_context(side, context);
        let connection = &self.connection();
        let Self { streams, last_event, part, .. } = self;
        let FlowContext { summary, incidents, logs, tap, .. } = context;
        let log = logs.of(*part);
        let deliver = &mut |time: Time, delivery: Delivery<'_>| {
            *last_event = time.max(*last_event);
            match delivery {
                Delivery::Chunk(bytes) => tap.event(connection, time, Event::Chunk { side, bytes }),
                Delivery::Gap(missing) => tap.event(connection, time, Event::Gap { side, missing }),
                Delivery::Conflict(conflict) => {
                    let (kept, dropped) = (conflict.kept, conflict.dropped);
                    let (offset, bytes) = (conflict.offset, conflict.bytes);
                    incidents.add(connection, time, IncidentKind::Conflict { side, offset, bytes, kept, dropped });
                }
            }
        };
        act(&mut streams[side.index()], &surroundings, &mut Output { summary, log, deliver })
    }

    /// Delivers all data of both sides that may be delivered. One side may wait for data of the
    /// other.
    fn advance(&mut self, first: Side, context: &mut FlowContext<'_>) {
        while !self.streams.iter().all(|stream| stream.backlog.held.is_empty()) {
            let mut delivered = false;
            for side in [first, !first] {
                delivered |= self.with_stream(side, context, Stream::settle);
            }
            if delivered {
                continue;
            }
            // Each side may wait for the other one, if a request was captured only when it was sent
            // again.
            let waits = |side: Side| {
                self.streams[side.index()].hold_reason(&self.stream_context(side, context)) == Some(HoldReason::Order)
            };
            if !(waits(Side::Client) && waits(Side::Server)) {
                break;
            }
            self.streams[Side::Client.index()].backlog.unordered_at = Some(self.streams[Side::Server.index()].next);
        }
    }

    fn give_up(&mut self, side: Side, reason: HoldReason, context: &mut FlowContext<'_>) -> bool {
        if reason == HoldReason::Order && self.give_up_acknowledged(side, context) {
            return true;
        }
        let surroundings = self.stream_context(side, context);
        if reason == HoldReason::Order && self.streams[side.index()].undelivered_before(&surroundings) > 1 {
            // One byte may be a FIN that was not captured.
            context.summary.order_given_up += 1;
            let offset = self.streams[side.index()].position();
            context.incidents.add(&self.connection(), context.now, IncidentKind::OrderGivenUp { side, offset });
        }
        let gave_up =
            self.with_stream(side, context, |stream, context, output| stream.give_up(reason, context, output));
        self.advance(side, context);
        gave_up
    }

    /// Gives up the bytes of the other side that data of `side` waits for, so that this data need
    /// not come before them. Returns `false` if it is not certain that they are missing.
    fn give_up_acknowledged(&mut self, side: Side, context: &mut FlowContext<'_>) -> bool {
        let gave_up = self.with_stream(!side, context, Stream::give_up_acknowledged);
        if gave_up {
            self.advance(side, context);
        }
        gave_up
    }

    /// Ends the waits whose deadline has passed.
    pub(super) fn give_up_overdue(&mut self, context: &mut FlowContext<'_>) {
        for side in Side::BOTH {
            let stream = &mut self.streams[side.index()];
            let patience = context.options.patience_time;
            if !stream.backlog.hold.is_some_and(|hold| hold.deadline(patience).has_passed(&context.clock)) {
                continue;
            }
            stream.backlog.end_hold();
            let surroundings = self.stream_context(side, context);
            if let Some(reason) = self.streams[side.index()].hold_reason(&surroundings) {
                let missing = matches!(reason, HoldReason::Hole | HoldReason::Order);
                context.summary.waits_timed_out += u64::from(missing);
                self.give_up(side, reason, context);
                let surroundings = self.stream_context(side, context);
                self.streams[side.index()].wait(&surroundings, &context.clock, false);
            }
        }
        self.close_ended(Side::Client, context);
    }

    /// Ends the waits for bytes before the first ones that were captured.
    pub(super) fn give_up_beginnings(&mut self, context: &mut FlowContext<'_>) {
        for side in Side::BOTH {
            let surroundings = self.stream_context(side, context);
            if self.streams[side.index()].hold_reason(&surroundings) == Some(HoldReason::Beginning) {
                self.give_up(side, HoldReason::Beginning, context);
            }
        }
        self.close_ended(Side::Client, context);
    }

    /// Ends the first wait of the side that holds more data. Returns `false` if nothing is held.
    pub(super) fn give_up_heavier(&mut self, context: &mut FlowContext<'_>) -> bool {
        let heavier = if self.streams[0].weight() >= self.streams[1].weight() { Side::Client } else { Side::Server };
        let gave_up = self.give_up_for_memory(heavier, context);
        self.close_ended(Side::Client, context);
        gave_up
    }

    fn give_up_for_memory(&mut self, side: Side, context: &mut FlowContext<'_>) -> bool {
        let surroundings = self.stream_context(side, context);
        let Some(reason) = self.streams[side.index()].hold_reason(&surroundings) else {
            return false;
        };
        if reason == HoldReason::Hole {
            context.summary.gaps_for_memory += 1;
            let offset = self.streams[side.index()].position();
            context.incidents.add(&self.connection(), context.now, IncidentKind::GapForMemory { side, offset });
        }
        self.give_up(side, reason, context)
    }

    /// Reports the end of streams whose FIN was reached, that of side `first` first.
    #[inline]
    fn close_ended(&mut self, first: Side, context: &mut FlowContext<'_>) {
        if self.streams.iter().all(|stream| !stream.has_fin()) {
            self.streams.iter_mut().for_each(|stream| stream.backlog.reopen());
        } else {
            self.close_finished(first, context);
        }
    }

    fn close_finished(&mut self, first: Side, context: &mut FlowContext<'_>) {
        for side in [first, !first] {
            let stream = &self.streams[side.index()];
            if self.closed[side.index()] {
                continue;
            }
            if !stream.ended() {
                // A FIN that was reached may have been disproved.
                self.streams[side.index()].backlog.reopen();
                continue;
            }
            // The stream ended when its FIN was reached, not when that was certain.
            let time = *self.streams[side.index()].backlog.ended_at.get_or_insert(context.now);
            if self.streams[side.index()].fin_is_certain(&self.stream_context(side, context)) {
                self.closed[side.index()] = true;
                self.streams[side.index()].confirm_fin(context.summary);
                self.last_event = time.max(self.last_event);
                context.tap.event(&self.connection(), time, Event::Close { side, ending: Ending::Closed });
            }
        }
    }

    /// Returns the time stamp of the last packet in the file.
    pub(super) fn last_packet(&self) -> Time {
        self.last_packet
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed == [true; 2]
    }

    /// Ends the flow: delivers all held data, then reports the end of both sides and of the
    /// connection.
    pub(super) fn end(&mut self, context: &mut FlowContext<'_>) {
        let over = self.is_closed() || self.reset.is_some();
        context.now = if over { self.last_event } else { self.last_packet };
        while let Some((side, reason)) = self.first_to_give_up(context) {
            if !self.give_up(side, reason, context) {
                break;
            }
        }
        self.close_ended(Side::Client, context);
        if let Some(by) = self.reset.as_ref().map(|reset| reset.by) {
            for side in [by, !by] {
                if !self.closed[side.index()] {
                    self.closed[side.index()] = true;
                    context.tap.event(&self.connection(), context.now, Event::Close { side, ending: Ending::Reset });
                }
            }
        }
        context.tap.event(&self.connection(), context.now, Event::Done);
    }

    /// Returns the reason to give up first at the end: a certain one, and one that the other side
    /// may wait for.
    fn first_to_give_up(&self, context: &FlowContext<'_>) -> Option<(Side, HoldReason)> {
        let reason =
            |side: Side| Some((side, self.streams[side.index()].hold_reason(&self.stream_context(side, context))?));
        Side::BOTH.into_iter().filter_map(reason).min_by_key(|(_, reason)| match reason {
            HoldReason::Beginning => 0,
            HoldReason::Unacknowledged => 1,
            HoldReason::Hole => 2,
            HoldReason::Order => 3,
            HoldReason::Fin => 4,
        })
    }
}

/// Returns the stream of `side`, and the other one.
fn pair(streams: &mut [Stream; 2], side: Side) -> [&mut Stream; 2] {
    let [client, server] = streams;
    match side {
        Side::Client => [client, server],
        Side::Server => [server, client],
    }
}

#[cfg(test)]
mod tests {
    use super::Flow;
    use crate::reassembly::ended_flow::EndedFlow;

    /// A capture may have hundreds of thousands of connections that are open at the same time. A
    /// field that few of them need belongs in the backlog of a stream.
    #[test]
    fn a_flow_at_rest_is_small() {
        assert!(size_of::<Flow>() <= 288, "{} bytes", size_of::<Flow>());
        assert!(size_of::<EndedFlow>() <= 80, "{} bytes", size_of::<EndedFlow>());
    }
}
