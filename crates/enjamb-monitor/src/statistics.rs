//! Statistics: messages, bytes and errors by side and kind, latency, and the cuts of the streams.
//!
//! Every message and every chunk is counted, so counting must be additions in small arrays: a kind
//! has a number, sizes are counted in powers of two, and only messages that are not `ok` are looked
//! up by their words.

mod connections;
mod distribution;
mod kinds;
mod limits;
mod names;
mod summary;
mod table;
mod tally;

use std::fmt;

use enjamb::{Connection, Message, Outcome, Side, Time};
use serde_json::Value;

use crate::record::SideTotal;
use crate::statistics::connections::Connections;
use crate::statistics::distribution::{LENGTH, Powers, Spread};
use crate::statistics::kinds::Kinds;
use crate::statistics::tally::{Tally, TallyKey};

pub(crate) use crate::statistics::kinds::KindId;
pub use crate::statistics::summary::{
    Bucket, ChunkSummary, Distribution, EndingCount, ErrorCount, FlagCount, KindCount, KindLatency, LongConnection,
    NoneOneSeveral, Outcomes, Quantiles, SideSummary, Summary,
};

/// Counters of all watched traffic. [Adding](Self::add) two gives the counts of both.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Whether streams are counted, and not only selected messages.
    whole_streams: bool,
    connections: Connections,
    span: Option<(Time, Time)>,
    sides: [SideStatistics; 2],
    errors: Tally,
    flags: Tally,
    /// The current step; see [`Statistics::step`].
    step: u64,
}

/// The counters of one side.
#[derive(Clone, Debug)]
struct SideStatistics {
    chunks: u64,
    bytes: u64,
    kinds: Kinds,
    gaps: u64,
    missing: u64,
    messages_per_chunk: Powers,
    chunks_per_message: Powers,
    /// The lengths of messages, in bytes: for the quantiles, and exactly in powers of two. The
    /// spread has exact counts of the small ones.
    length: Spread,
    long_lengths: Powers,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            whole_streams: true,
            connections: Connections::default(),
            span: None,
            sides: Default::default(),
            errors: Tally::default(),
            flags: Tally::default(),
            step: 0,
        }
    }
}

impl Default for SideStatistics {
    fn default() -> Self {
        Self {
            chunks: 0,
            bytes: 0,
            kinds: Kinds::default(),
            gaps: 0,
            missing: 0,
            messages_per_chunk: Powers::default(),
            chunks_per_message: Powers::default(),
            length: Spread::new(LENGTH),
            long_lengths: Powers::default(),
        }
    }
}

impl Statistics {
    /// Creates counters of selected messages. Chunks are not counted, since a chunk belongs to no
    /// message in particular. Bytes are those of the messages, and connections those that have a
    /// selected record.
    #[must_use]
    pub fn of_selected() -> Self {
        Self { whole_streams: false, ..Self::default() }
    }

    /// Returns the number of a message's kind among those of its side.
    #[inline(always)]
    pub(crate) fn kind(&mut self, message: &Message<'_>) -> KindId {
        self.sides[message.side.index()].kinds.of_message(message, self.step)
    }

    pub(crate) fn opened(&mut self, time: Time) {
        self.connections.opened += 1;
        self.saw(time);
    }

    pub(crate) fn ended(
        &mut self,
        connection: &Connection,
        protocol: &str,
        opened: Time,
        time: Time,
        sides: &[SideTotal; 2],
    ) {
        self.connections.ended(connection, protocol, opened, time, sides);
        self.saw_stream(time);
    }

    /// Counts a connection whose session panicked.
    pub(crate) fn count_panic(&mut self) {
        self.connections.panicked += 1;
    }

    pub(crate) fn chunk(&mut self, time: Time, side: Side, bytes: u64, messages: u64) {
        if !self.whole_streams {
            return;
        }
        let seen = &mut self.sides[side.index()];
        seen.chunks += 1;
        seen.bytes += bytes;
        seen.messages_per_chunk.record(messages);
        self.saw(time);
    }

    pub(crate) fn gap(&mut self, side: Side, missing: u64) {
        let seen = &mut self.sides[side.index()];
        seen.gaps += 1;
        seen.missing = seen.missing.saturating_add(missing);
    }

    /// Counts a message of the kind `kind`, complete at `time`. `latency` is its latency and the
    /// kind of its request.
    #[inline(always)]
    pub(crate) fn message(
        &mut self,
        message: &Message<'_>,
        kind: KindId,
        latency: Option<(u64, KindId)>,
        cuts: u64,
        time: Time,
    ) {
        let seen = &mut self.sides[message.side.index()];
        let length = message.span.length;
        seen.chunks_per_message.record(cuts.saturating_add(1));
        if !seen.length.record(length) {
            seen.long_lengths.record(length);
        }
        seen.kinds.message(kind, length, message.outcome);
        if !self.whole_streams {
            seen.bytes = seen.bytes.saturating_add(length);
            self.saw(time);
        }
        if let Some((latency_us, asked)) = latency {
            self.sides[Side::Client.index()].kinds.answered(asked, latency_us);
        }
        if message.outcome != Outcome::Ok {
            self.count_error(message);
        }
        if !message.flags.is_empty() {
            self.count_flags(message);
        }
    }

    #[inline(never)]
    fn count_error(&mut self, message: &Message<'_>) {
        self.errors.message(message, message.reason.or(message.code).unwrap_or_default(), self.step);
    }

    #[cold]
    fn count_flags(&mut self, message: &Message<'_>) {
        for flag in message.flags.names() {
            self.flags.message(message, flag, self.step);
        }
    }

    /// Notes the time of an event of a stream that is not a message.
    pub(crate) fn saw_stream(&mut self, time: Time) {
        if self.whole_streams {
            self.saw(time);
        }
    }

    fn saw(&mut self, time: Time) {
        let (first, last) = self.span.get_or_insert((time, time));
        *first = (*first).min(time);
        *last = (*last).max(time);
    }

    /// Returns the number of connections that were opened or first seen.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.opened
    }

    /// Returns the number of sessions that panicked.
    #[must_use]
    pub fn panicked(&self) -> u64 {
        self.connections.panicked
    }

    /// Returns the number of messages that one side sent.
    #[must_use]
    pub fn messages(&self, side: Side) -> u64 {
        self.sides[side.index()].kinds.outcomes().sum()
    }

    /// Returns the number of messages of one side with this outcome.
    #[must_use]
    pub fn outcome(&self, side: Side, outcome: Outcome) -> u64 {
        self.sides[side.index()].kinds.outcomes().of(outcome)
    }

    /// Returns the number of payload bytes that one side sent.
    #[must_use]
    pub fn bytes(&self, side: Side) -> u64 {
        self.sides[side.index()].bytes
    }

    /// Makes these the counters of one of several workers, to be merged by
    /// [`of_parts`](Self::of_parts).
    #[must_use]
    pub fn as_part(mut self) -> Self {
        self.errors.widen();
        self.flags.widen();
        self.sides.iter_mut().for_each(|side| side.kinds.widen());
        self
    }

    /// Begins step `step` of work that several workers share. A worker does its steps in their
    /// order, and each step is done by one worker.
    pub fn step(&mut self, step: u64) {
        self.step = step;
    }

    /// Merges the counters of several workers into those that one worker would have after all
    /// steps. [Adding](Self::add) the parts instead may count other kinds separately, if there are
    /// too many. Exact as long as no part has seen more than 4096 kinds of one side, errors or
    /// flags.
    #[must_use]
    pub fn of_parts(parts: &[Self]) -> Self {
        let mut all = Self::default();
        parts.iter().for_each(|part| all.add(part));
        all.errors = Tally::of_parts(&parts.iter().map(|part| &part.errors).collect::<Vec<_>>());
        all.flags = Tally::of_parts(&parts.iter().map(|part| &part.flags).collect::<Vec<_>>());
        for side in Side::BOTH {
            let parts: Vec<_> = parts.iter().map(|part| &part.sides[side.index()].kinds).collect();
            all.sides[side.index()].kinds = Kinds::of_parts(&parts);
        }
        all
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.whole_streams &= other.whole_streams;
        self.connections.add(&other.connections);
        if let Some((first, last)) = other.span {
            self.saw(first);
            self.saw(last);
        }
        for (seen, more) in self.sides.iter_mut().zip(&other.sides) {
            seen.add(more);
        }
        self.errors.add(&other.errors);
        self.flags.add(&other.flags);
    }

    /// Returns the counts as plain data.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summarize(false)
    }

    /// Returns the [`summary`](Self::summary) with the histograms of its quantiles, from which the
    /// quantiles of several summaries can be computed.
    #[must_use]
    pub fn summary_with_histograms(&self) -> Summary {
        self.summarize(true)
    }

    /// Returns the record of type `summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.summary().to_json()
    }

    fn summarize(&self, histograms: bool) -> Summary {
        let [client, server] = &self.sides;
        let latency = client.kinds.latency();
        let Connections { opened, over, panicked, ref duration, .. } = self.connections;
        Summary {
            connections: opened,
            open: opened.saturating_sub(over),
            panicked,
            first: self.span.map(|(first, _)| first),
            last: self.span.map(|(_, last)| last),
            endings: self.connections.endings(),
            duration_us: duration.quantiles(histograms),
            longest: self.connections.longest(),
            client: client.summarize(self.whole_streams, histograms),
            server: server.summarize(self.whole_streams, histograms),
            errors: self.errors.sorted().map(error_count).collect(),
            flags: self.flags.sorted().map(flag_count).collect(),
            latency_us: latency
                .quantiles(histograms)
                .map(|quantiles| Distribution { quantiles, distribution: latency.distribution() }),
            latency_us_by_kind: client.kinds.latencies(histograms),
        }
    }
}

fn error_count((key, count): (&TallyKey, u64)) -> ErrorCount {
    let TallyKey { side, protocol, kind, outcome, phrase } = key;
    let (protocol, kind, why) = (protocol.to_string(), kind.to_string(), phrase.to_string());
    ErrorCount { side: *side, protocol, kind, outcome: *outcome, why, count }
}

fn flag_count((key, count): (&TallyKey, u64)) -> FlagCount {
    let TallyKey { side, protocol, kind, outcome, phrase } = key;
    let (protocol, kind, flag) = (protocol.to_string(), kind.to_string(), phrase.to_string());
    FlagCount { side: *side, protocol, kind, outcome: *outcome, flag, count }
}

/// The tables of the [`summary`](Statistics::summary).
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

impl SideStatistics {
    fn add(&mut self, more: &Self) {
        self.chunks += more.chunks;
        self.bytes += more.bytes;
        self.gaps += more.gaps;
        self.missing = self.missing.saturating_add(more.missing);
        self.kinds.add(&more.kinds);
        self.messages_per_chunk.add(&more.messages_per_chunk);
        self.chunks_per_message.add(&more.chunks_per_message);
        self.length.add(&more.length);
        self.long_lengths.add(&more.long_lengths);
    }

    fn summarize(&self, whole_streams: bool, histograms: bool) -> SideSummary {
        // A message has one cut less than the chunks that it lies in.
        let NoneOneSeveral { one: whole, several: cut, .. } = self.chunks_per_message.none_one_several();
        let cut_once = self.chunks_per_message.two();
        let outcomes = self.kinds.outcomes();
        let mut lengths = self.length.small();
        lengths.add(&self.long_lengths);
        SideSummary {
            bytes: self.bytes,
            messages: outcomes.sum(),
            outcomes,
            gaps: self.gaps,
            missing: self.missing,
            kinds: self.kinds.sorted(),
            length: self
                .length
                .quantiles(histograms)
                .map(|quantiles| Distribution { quantiles, distribution: lengths.seen() }),
            messages_by_cuts: NoneOneSeveral { none: whole, one: cut_once, several: cut - cut_once },
            chunks_per_message: self.chunks_per_message.seen(),
            chunks: whole_streams.then(|| ChunkSummary {
                chunks: self.chunks,
                chunks_by_messages: self.messages_per_chunk.none_one_several(),
                messages_per_chunk: self.messages_per_chunk.seen(),
            }),
        }
    }
}
