//! One connection: two streams, who opened it, and how it ends.
//!
//! A reset ends a connection, but not in a capture: bytes that were on their way are captured behind it, segments are out
//! of order, and some resets are forged by a third party and ignored by both ends. So a reset that the receiver would take
//! for real (RFC 9293, section 3.5.3) lets the connection *linger*: what still comes is delivered, and only when
//! [`LINGER`] has passed in the capture are both sides told that they were reset. A stream that goes on behind its own
//! sender's reset proves the reset forged.

use std::time::Duration;

use enjamb::{Connection, Ending, Side, Tap, Time};

use crate::decode::Segment;
use crate::reassembler::Options;
use crate::stream::{Delivery, Stream, WINDOW_MAX};
use crate::summary::Summary;

/// How long a connection that was reset is kept for what comes late, in the time of the capture.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// A SYN this far before the first byte seen is that stream's own, captured late: more is another connection's.
const LATE_SYN: u32 = 1 << 20;

pub(crate) struct Flow {
    pub(crate) connection: Connection,
    streams: [Stream; 2],
    closed: [bool; 2],
    reset: Option<Reset>,
    /// When its last packet came.
    last_packet: Time,
    /// When its tap was last told something.
    last_event: Time,
    /// Where it stands in the order of being used.
    pub(crate) used: u64,
    pub(crate) queued: u64,
    /// It stands in the queue of those that linger.
    pub(crate) lingers: bool,
}

struct Reset {
    by: Side,
    offset: Option<i64>,
    time: Time,
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
            last_event: Time::default(),
            used: 0,
            queued: 0,
            lingers: false,
        }
    }

    pub(crate) fn open(&mut self, time: Time, tap: &mut dyn Tap) {
        self.last_event = time;
        tap.open(&self.connection, time);
    }

    fn side(&self, segment: &Segment<'_>) -> Side {
        if segment.source == self.connection.client { Side::Client } else { Side::Server }
    }

    /// `segment` belongs to another connection between the same ends.
    pub(crate) fn is_over_with(&self, segment: &Segment<'_>) -> bool {
        if !segment.syn {
            return false;
        }
        let side = self.side(segment);
        let stream = &self.streams[side.index()];
        let Some(base) = stream.base() else {
            return false;
        };
        let first = segment.sequence.wrapping_add(1);
        if let Some(acknowledged) = segment.acknowledgement {
            let other = self.streams[(!side).index()].base();
            return base != first && other.is_some_and(|base| base != acknowledged);
        }
        if stream.synchronised() { base != first } else { base.wrapping_sub(first) >= LATE_SYN }
    }

    /// The sequence numbers of both first bytes.
    pub(crate) fn bases(&self) -> [Option<u32>; 2] {
        [self.streams[0].base(), self.streams[1].base()]
    }

    /// What both streams hold, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.streams[0].weight() + self.streams[1].weight()
    }

    /// When to end it: set once it was reset.
    pub(crate) fn lingers_until(&self) -> Option<Time> {
        let nanos = u64::try_from(LINGER.as_nanos()).unwrap_or(u64::MAX);
        self.reset.as_ref().map(|reset| Time::from_nanos(reset.time.nanos().saturating_add(nanos)))
    }

    /// One segment. `true`: both sides are closed.
    pub(crate) fn segment(
        &mut self,
        time: Time,
        segment: &Segment<'_>,
        options: &Options,
        summary: &mut Summary,
        tap: &mut dyn Tap,
    ) -> bool {
        self.last_packet = time;
        let side = self.side(segment);
        if segment.rst {
            self.reset(time, side, segment, summary);
        } else {
            self.acknowledge(side, segment);
            self.payload(time, side, segment, summary, tap);
        }
        for side in Side::BOTH {
            if self.streams[side.index()].wait(options) {
                self.with(side, time, summary, tap, |stream, summary, deliver| {
                    stream.give_up(summary, deliver);
                });
            }
            while self.streams[side.index()].weight() > options.held_per_stream {
                if !self.give_up_for_memory(side, time, summary, tap) {
                    break;
                }
            }
        }
        self.close_ended(side, time, tap);
        self.closed == [true; 2]
    }

    fn acknowledge(&mut self, side: Side, segment: &Segment<'_>) {
        let [stream, other] = pair(&mut self.streams, side);
        if segment.syn {
            stream.synchronise(segment.sequence.wrapping_add(1));
            if let Some(acknowledged) = segment.acknowledgement {
                // What it acknowledges is a SYN, and a fast open's data with it (RFC 7413): so only without a SYN seen.
                other.synchronise(acknowledged);
            }
        } else {
            stream.join(segment.sequence);
        }
        if let Some(acknowledged) = segment.acknowledgement {
            other.acknowledge(acknowledged);
        }
    }

    fn payload(&mut self, time: Time, side: Side, segment: &Segment<'_>, summary: &mut Summary, tap: &mut dyn Tap) {
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
            summary.resets_ignored += 1;
        }
        self.with(side, time, summary, tap, |stream, summary, deliver| {
            if segment.dropped > 0 {
                stream.give_up_to(offset, summary, deliver);
            }
            if segment.fin {
                stream.finish(end);
            }
            if length + segment.missing > 0 || !(segment.syn || segment.fin) {
                stream.receive(offset, segment.payload, segment.missing, summary, deliver);
            }
        });
    }

    /// RFC 9293, section 3.5.3: a reset must be for this connection.
    fn reset(&mut self, time: Time, side: Side, segment: &Segment<'_>, summary: &mut Summary) {
        let [stream, other] = pair(&mut self.streams, side);
        let offset = stream.offset(segment.sequence);
        let real = match (offset, segment.acknowledgement) {
            (Some(offset), _) => {
                let next = stream.next();
                // Its receiver may have been waiting for bytes that were captured, but did not reach it.
                let expected = if stream.acked() == 0 { 0 } else { stream.acked().min(next) };
                (expected as i64..=next as i64 + WINDOW_MAX).contains(&offset)
            }
            // The answer to a SYN is known by what it acknowledges.
            (None, Some(acknowledged)) => other.offset(acknowledged).is_none_or(|offset| offset >= 0),
            (None, None) => !other.synchronised(),
        };
        if !real {
            summary.resets_ignored += 1;
        } else if self.reset.is_none() {
            self.reset = Some(Reset { by: side, offset, time });
            self.last_event = time;
        }
    }

    /// Lets a stream do something that may deliver.
    fn with(
        &mut self,
        side: Side,
        time: Time,
        summary: &mut Summary,
        tap: &mut dyn Tap,
        act: impl FnOnce(&mut Stream, &mut Summary, &mut dyn FnMut(Delivery<'_>)),
    ) {
        let Self { connection, streams, closed, last_event, .. } = self;
        if closed[side.index()] {
            // Its FIN is delivered: all of it is a repetition, or beyond the end.
            return;
        }
        act(&mut streams[side.index()], summary, &mut |delivery| {
            *last_event = time;
            match delivery {
                Delivery::Chunk(bytes) => tap.chunk(connection, time, side, bytes),
                Delivery::Gap(missing) => tap.gap(connection, time, side, missing),
            }
        });
    }

    /// Gives up the first hole of the side that holds more. `false`: nothing is held.
    pub(crate) fn give_up_heavier(&mut self, time: Time, summary: &mut Summary, tap: &mut dyn Tap) -> bool {
        let heavier = if self.streams[0].weight() >= self.streams[1].weight() { Side::Client } else { Side::Server };
        self.give_up_for_memory(heavier, time, summary, tap)
    }

    fn give_up_for_memory(&mut self, side: Side, time: Time, summary: &mut Summary, tap: &mut dyn Tap) -> bool {
        let mut gave_up = false;
        self.with(side, time, summary, tap, |stream, summary, deliver| {
            gave_up = stream.give_up(summary, deliver);
            summary.gaps_for_memory += u64::from(gave_up);
        });
        gave_up
    }

    /// Tells of streams whose FIN was reached, the one of `first` first.
    pub(crate) fn close_ended(&mut self, first: Side, time: Time, tap: &mut dyn Tap) {
        for side in [first, !first] {
            if !self.closed[side.index()] && self.streams[side.index()].ended() {
                self.closed[side.index()] = true;
                self.last_event = time;
                tap.close(&self.connection, time, side, Ending::Closed);
            }
        }
    }

    pub(crate) fn last_packet(&self) -> Time {
        self.last_packet
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed == [true; 2]
    }

    /// Nothing more will come of it.
    pub(crate) fn end(&mut self, summary: &mut Summary, tap: &mut dyn Tap) {
        let time = if self.is_closed() || self.reset.is_some() { self.last_event } else { self.last_packet };
        for side in Side::BOTH {
            self.with(side, time, summary, tap, |stream, summary, deliver| while stream.give_up(summary, deliver) {});
        }
        self.close_ended(Side::Client, time, tap);
        if let Some(Reset { by, .. }) = self.reset {
            for side in [by, !by] {
                if !self.closed[side.index()] {
                    self.closed[side.index()] = true;
                    tap.close(&self.connection, time, side, Ending::Reset);
                }
            }
        }
        tap.done(&self.connection, time);
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
