//! What was seen, counted: messages, bytes and errors by side and kind, latency, and how the streams were cut.
//!
//! Counting is on the way of every message and every chunk, so it is additions in small arrays: a kind has a number, sizes are
//! counted by powers of two, and only what went wrong is looked up by its words.

mod connections;
mod distribution;
mod errors;
mod kinds;
mod names;
mod table;

use enjamb::{Connection, Message, Outcome, Side, Time};
use serde_json::{Value, json};

use crate::format::Rfc3339;
use crate::record::SideTotal;
use crate::statistics::connections::Connections;
use crate::statistics::distribution::{LATENCY, LENGTH, Powers, Spread};
use crate::statistics::errors::Errors;
use crate::statistics::kinds::Kinds;

pub(crate) use crate::statistics::kinds::KindId;

/// How many kinds on a side, and how many reasons for errors, are told apart in a part of a work that several share.
const PART_MAX: usize = 4096;

/// What stands for all that is not told apart.
const OTHER: &str = "other";

const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Failed, Outcome::Malformed, Outcome::Incomplete];

/// Everything that is counted. Adding two gives what one would have counted of both.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Are streams counted, and not only selected messages?
    whole_streams: bool,
    connections: Connections,
    span: Option<(Time, Time)>,
    sides: [SideStatistics; 2],
    errors: Errors,
    latency: Spread,
    /// The step of what is counted now; see [`Statistics::step`].
    step: u64,
}

/// What one side sent.
#[derive(Clone, Debug)]
struct SideStatistics {
    chunks: u64,
    bytes: u64,
    messages: u64,
    outcomes: [u64; 4],
    kinds: Kinds,
    gaps: u64,
    missing: u64,
    messages_per_chunk: Powers,
    chunks_per_message: Powers,
    /// Of messages, in bytes.
    length: Spread,
    lengths: Powers,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            whole_streams: true,
            connections: Connections::default(),
            span: None,
            sides: Default::default(),
            errors: Errors::default(),
            latency: Spread::new(LATENCY),
            step: 0,
        }
    }
}

impl Default for SideStatistics {
    fn default() -> Self {
        Self {
            chunks: 0,
            bytes: 0,
            messages: 0,
            outcomes: [0; 4],
            kinds: Kinds::default(),
            gaps: 0,
            missing: 0,
            messages_per_chunk: Powers::default(),
            chunks_per_message: Powers::default(),
            length: Spread::new(LENGTH),
            lengths: Powers::default(),
        }
    }
}

impl Statistics {
    /// Counts of some of the messages. Chunks are not counted, since they belong to no message more than to another; bytes are
    /// those of the messages, and connections those that have one.
    #[must_use]
    pub fn of_selected() -> Self {
        Self { whole_streams: false, ..Self::default() }
    }

    /// The number of a message's kind among those of its side.
    pub(crate) fn kind(&mut self, message: &Message<'_>) -> KindId {
        self.sides[message.side.index()].kinds.id(message.kind, self.step)
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

    /// A connection is watched no longer, and nothing is known of its end.
    pub(crate) fn abandoned(&mut self) {
        self.connections.over += 1;
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

    /// A message of the kind `kind`, complete at `time`, and how long it took as an answer to a message of which kind.
    pub(crate) fn message(
        &mut self,
        message: &Message<'_>,
        kind: KindId,
        latency: Option<(u64, KindId)>,
        cuts: u64,
        time: Time,
    ) {
        let seen = &mut self.sides[message.side.index()];
        let outcome = message.outcome as usize;
        let length = message.span.length;
        seen.messages += 1;
        seen.outcomes[outcome] += 1;
        seen.chunks_per_message.record(cuts.saturating_add(1));
        seen.length.record(length);
        seen.lengths.record(length);
        seen.kinds.message(kind, length, outcome);
        if !self.whole_streams {
            seen.bytes = seen.bytes.saturating_add(length);
            self.saw(time);
        }
        if let Some((latency_us, asked)) = latency {
            self.latency.record(latency_us);
            self.sides[Side::Client.index()].kinds.answered(asked, latency_us);
        }
        if message.outcome != Outcome::Ok {
            self.errors.message(message, self.step);
        }
    }

    /// Something of a stream that is no message.
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

    /// How many connections were opened or first seen.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.opened
    }

    /// How many messages one side sent.
    #[must_use]
    pub fn messages(&self, side: Side) -> u64 {
        self.sides[side.index()].messages
    }

    /// How many messages of one side came out so.
    #[must_use]
    pub fn outcome(&self, side: Side, outcome: Outcome) -> u64 {
        self.sides[side.index()].outcomes[outcome as usize]
    }

    /// How many bytes of payload one side sent.
    #[must_use]
    pub fn bytes(&self, side: Side) -> u64 {
        self.sides[side.index()].bytes
    }

    /// Counts a part of a work that several share, to be put together by [`of_parts`](Self::of_parts).
    #[must_use]
    pub fn as_part(mut self) -> Self {
        self.errors.widen();
        self.sides.iter_mut().for_each(|side| side.kinds.widen());
        self
    }

    /// What is counted from here on is of step `step` of a work that several share. Each step is done by one of them, in their order.
    pub fn step(&mut self, step: u64) {
        self.step = step;
    }

    /// What one would have counted who had done all steps alone. [Adding](Self::add) the parts instead may tell other kinds apart where there are more
    /// than are told apart. Exact as long as no part has seen more than 4096 kinds of one side, or reasons for errors.
    #[must_use]
    pub fn of_parts(parts: &[Self]) -> Self {
        let mut all = Self::default();
        parts.iter().for_each(|part| all.add(part));
        all.errors = Errors::of_parts(&parts.iter().map(|part| &part.errors).collect::<Vec<_>>());
        for side in Side::BOTH {
            let parts: Vec<_> = parts.iter().map(|part| &part.sides[side.index()].kinds).collect();
            all.sides[side.index()].kinds = Kinds::of_parts(&parts);
        }
        all
    }

    /// Adds what `other` has counted.
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
        self.latency.add(&other.latency);
    }

    /// The record of type `summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.json(false)
    }

    /// [`to_json`](Self::to_json) with the histograms that quantiles are of, so that those of several can be computed from them: beside the quantiles `histogram`, an array of
    /// `[value, count]`.
    #[must_use]
    pub fn to_json_with_histograms(&self) -> Value {
        self.json(true)
    }

    fn json(&self, histograms: bool) -> Value {
        let mut record = json!({
            "type": "summary",
            "errors": self.errors.sorted().iter().map(|(key, count)| json!({
                "side": key.side.as_str(),
                "kind": key.kind,
                "outcome": key.outcome.as_str(),
                "why": key.why,
                "count": count,
            })).collect::<Vec<_>>(),
        });
        self.connections.to_json(&mut record, histograms);
        if let Some((first, last)) = self.span {
            record["first"] = Rfc3339(first).to_string().into();
            record["last"] = Rfc3339(last).to_string().into();
        }
        for side in Side::BOTH {
            record[side.as_str()] = self.sides[side.index()].to_json(self.whole_streams, histograms);
        }
        if !self.latency.is_empty() {
            let mut latency = self.latency.to_json_with(histograms);
            latency["distribution"] = self.latency.distribution();
            record["latency_us"] = latency;
            let by_kind = self.sides[Side::Client.index()].kinds.answered_sorted().into_iter();
            record["latency_us_by_kind"] = by_kind
                .map(|(kind, latency)| {
                    let mut value = latency.to_json_with(histograms);
                    value["kind"] = kind.into();
                    value
                })
                .collect();
        }
        record
    }
}

impl SideStatistics {
    fn add(&mut self, more: &Self) {
        self.chunks += more.chunks;
        self.bytes += more.bytes;
        self.messages += more.messages;
        self.gaps += more.gaps;
        self.missing = self.missing.saturating_add(more.missing);
        self.outcomes.iter_mut().zip(more.outcomes).for_each(|(to, more)| *to += more);
        self.kinds.add(&more.kinds);
        self.messages_per_chunk.add(&more.messages_per_chunk);
        self.chunks_per_message.add(&more.chunks_per_message);
        self.length.add(&more.length);
        self.lengths.add(&more.lengths);
    }

    fn to_json(&self, whole_streams: bool, histograms: bool) -> Value {
        // By cuts inside: one less than the chunks it lies in.
        let [_, whole, more] = self.chunks_per_message.none_one_several();
        let cut_once = self.chunks_per_message.buckets().find(|(from, ..)| *from == 2).map_or(0, |(.., count)| count);
        let mut side = json!({
            "bytes": self.bytes,
            "messages": self.messages,
            "messages_by_cuts": { "none": whole, "one": cut_once, "several": more - cut_once },
            "chunks_per_message": self.chunks_per_message.to_json(),
            "kinds": self.kinds.to_json(),
            "gaps": self.gaps,
            "missing": self.missing,
        });
        if whole_streams {
            let [none, one, several] = self.messages_per_chunk.none_one_several();
            side["chunks"] = self.chunks.into();
            side["chunks_by_messages"] = json!({ "none": none, "one": one, "several": several });
            side["messages_per_chunk"] = self.messages_per_chunk.to_json();
        }
        for outcome in OUTCOMES {
            side[outcome.as_str()] = self.outcomes[outcome as usize].into();
        }
        if !self.length.is_empty() {
            let mut length = self.length.to_json_with(histograms);
            length["distribution"] = self.lengths.to_json();
            side["length"] = length;
        }
        side
    }
}
