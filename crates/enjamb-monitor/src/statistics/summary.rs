//! The summary: all counts, as plain data.
//!
//! The JSON record of type `summary`, the tables for people and the HTML report are all made from
//! these types, so they cannot differ. A count of 0 is present; a value that does not exist (a
//! latency, if nothing was answered) is absent.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use enjamb::{Ending, Outcome, Side, Time};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::time::Rfc3339;

/// The counts of all watched traffic, most frequent first in every list.
///
/// Serialized, it is the record of type `summary`, which `docs/records.md` describes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "summary")]
#[non_exhaustive]
pub struct Summary {
    /// Connections that were opened or first seen.
    pub connections: u64,
    /// Connections that have not ended.
    pub open: u64,
    /// Connections whose session panicked.
    pub panicked: u64,
    /// The first time that anything was seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "time")]
    pub first: Option<Time>,
    /// The last time that anything was seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "time")]
    pub last: Option<Time>,
    /// The endings of connections.
    pub endings: Vec<EndingCount>,
    /// The durations of connections, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<Quantiles>,
    /// The connections that lasted longest.
    pub longest: Vec<LongConnection>,
    /// The counts of the client.
    pub client: SideSummary,
    /// The counts of the server.
    pub server: SideSummary,
    /// The messages that were not `ok`.
    pub errors: Vec<ErrorCount>,
    /// The messages that had flags. A message counts once for each of its flags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagCount>,
    /// The latencies of all answers, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<Distribution>,
    /// The latencies by the kind of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency_us_by_kind: Vec<KindLatency>,
}

/// The connections that ended in one way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EndingCount {
    /// The ending of the client's stream.
    #[serde(serialize_with = "ending")]
    pub client: Ending,
    /// The ending of the server's stream.
    #[serde(serialize_with = "ending")]
    pub server: Ending,
    /// The number of connections.
    pub count: u64,
}

/// A connection that lasted long.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LongConnection {
    /// The number of the connection.
    pub conn: u64,
    /// The address of the client.
    pub client: String,
    /// The address of the server.
    pub server: String,
    /// The name of the protocol.
    pub protocol: String,
    /// The duration in microseconds.
    pub duration_us: u64,
    /// Bytes of the client's payload.
    pub client_bytes: u64,
    /// Messages of the client.
    pub client_messages: u64,
    /// The ending of the client's stream.
    #[serde(serialize_with = "ending")]
    pub client_ending: Ending,
    /// Bytes of the server's payload.
    pub server_bytes: u64,
    /// Messages of the server.
    pub server_messages: u64,
    /// The ending of the server's stream.
    #[serde(serialize_with = "ending")]
    pub server_ending: Ending,
}

/// The counts of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SideSummary {
    /// Bytes of payload.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Messages by outcome.
    #[serde(flatten)]
    pub outcomes: Outcomes,
    /// Gaps.
    pub gaps: u64,
    /// Bytes missing in gaps.
    pub missing: u64,
    /// The kinds of messages.
    pub kinds: Vec<KindCount>,
    /// The lengths of messages, in bytes. The distribution is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Distribution>,
    /// Messages by the number of cuts inside them.
    pub messages_by_cuts: NoneOneSeveral,
    /// The number of chunks that a message lies in.
    pub chunks_per_message: Vec<Bucket>,
    /// The chunks of whole streams. Absent if only selected messages were counted.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<ChunkSummary>,
}

/// The chunks of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChunkSummary {
    /// Chunks: captured segments, or reads of a proxy.
    pub chunks: u64,
    /// Chunks by the number of messages that they completed.
    pub chunks_by_messages: NoneOneSeveral,
    /// The number of messages that a chunk completed.
    pub messages_per_chunk: Vec<Bucket>,
}

/// The messages of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KindCount {
    /// The protocol.
    pub protocol: String,
    /// The kind.
    pub kind: String,
    /// Messages.
    pub messages: u64,
    /// Bytes of these messages.
    pub bytes: u64,
    /// Messages by outcome.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// The latencies of the answers to one kind of request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KindLatency {
    /// The protocol.
    pub protocol: String,
    /// The kind of the request.
    pub kind: String,
    /// The latencies, in microseconds.
    #[serde(flatten)]
    pub latency_us: Quantiles,
}

/// Messages that were not `ok` for the same reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ErrorCount {
    /// The side that sent them.
    #[serde(serialize_with = "side")]
    pub side: Side,
    /// Their protocol.
    pub protocol: String,
    /// Their kind.
    pub kind: String,
    /// Their outcome.
    #[serde(serialize_with = "outcome")]
    pub outcome: Outcome,
    /// The code of a failure, or the reason of a malformed or incomplete message.
    pub why: String,
    /// The number of messages.
    pub count: u64,
}

/// Messages that had the same flag.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FlagCount {
    /// The side that sent them.
    #[serde(serialize_with = "side")]
    pub side: Side,
    /// Their protocol.
    pub protocol: String,
    /// Their kind.
    pub kind: String,
    /// Their outcome.
    #[serde(serialize_with = "outcome")]
    pub outcome: Outcome,
    /// The name of the flag.
    pub flag: String,
    /// The number of messages.
    pub count: u64,
}

/// Messages by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outcomes {
    /// Whole, and not an error.
    pub ok: u64,
    /// Whole, and an error that the peer reports.
    pub failed: u64,
    /// The bytes do not follow the protocol.
    pub malformed: u64,
    /// Cut off.
    pub incomplete: u64,
}

/// The number of things that had none, one, or more of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NoneOneSeveral {
    /// None.
    pub none: u64,
    /// One.
    pub one: u64,
    /// More than one.
    pub several: u64,
}

/// Quantiles: half of the values do not exceed `p50`, nine in ten do not exceed `p90`, and so on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantiles {
    /// The number of values.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p999: u64,
    /// The largest value.
    pub max: u64,
    /// Values and the number of times that each was seen, if requested: the quantiles of several
    /// summaries can be computed from these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Vec<(u64, u64)>>,
}

/// Quantiles, and the values by size.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Distribution {
    /// The quantiles.
    #[serde(flatten)]
    pub quantiles: Quantiles,
    /// The values in buckets that are not empty, in order of size.
    pub distribution: Vec<Bucket>,
}

/// The number of values between two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bucket {
    /// The smallest size of the bucket.
    pub from: u64,
    /// The largest size of the bucket. [`u64::MAX`] means that there is no largest size.
    pub to: u64,
    /// The number of values.
    pub count: u64,
}

impl Summary {
    /// Returns the counts of one side.
    #[must_use]
    pub fn side(&self, side: Side) -> &SideSummary {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Returns the protocols of all messages, those with the most messages first.
    #[must_use]
    pub fn protocols(&self) -> Vec<&str> {
        let mut messages: BTreeMap<&str, u64> = BTreeMap::new();
        for kind in self.client.kinds.iter().chain(&self.server.kinds) {
            *messages.entry(&kind.protocol).or_default() += kind.messages;
        }
        let mut protocols: Vec<(&str, u64)> = messages.into_iter().collect();
        protocols.sort_by_key(|(_, messages)| Reverse(*messages));
        protocols.into_iter().map(|(protocol, _)| protocol).collect()
    }

    /// Returns the record of type `summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match serde_json::to_value(self) {
            Ok(value) => value,
            Err(error) => panic!("a summary has string keys and integers, which JSON can hold: {error}"),
        }
    }
}

impl Outcomes {
    /// All outcomes with their counts.
    pub fn all(self) -> [(Outcome, u64); 4] {
        [Outcome::Ok, Outcome::Failed, Outcome::Malformed, Outcome::Incomplete]
            .map(|outcome| (outcome, self.of(outcome)))
    }

    /// Returns the number of messages with this outcome.
    #[must_use]
    pub fn of(self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Ok => self.ok,
            Outcome::Failed => self.failed,
            Outcome::Malformed => self.malformed,
            Outcome::Incomplete => self.incomplete,
        }
    }

    /// Returns the number of all messages.
    pub(super) fn sum(self) -> u64 {
        self.ok + self.failed + self.malformed + self.incomplete
    }

    #[inline]
    pub(super) fn count(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Failed => &mut self.failed,
            Outcome::Malformed => &mut self.malformed,
            Outcome::Incomplete => &mut self.incomplete,
        };
        *count += 1;
    }

    pub(super) fn add(&mut self, more: Self) {
        self.ok += more.ok;
        self.failed += more.failed;
        self.malformed += more.malformed;
        self.incomplete += more.incomplete;
    }
}

impl Quantiles {
    /// The quantiles with their names.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 5] {
        [("p50", self.p50), ("p90", self.p90), ("p99", self.p99), ("p999", self.p999), ("max", self.max)]
    }
}

#[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
fn time<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&Rfc3339(*time)),
        None => serializer.serialize_none(),
    }
}

fn ending<S: Serializer>(ending: &Ending, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(ending.as_str())
}

fn side<S: Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(side.as_str())
}

fn outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}
