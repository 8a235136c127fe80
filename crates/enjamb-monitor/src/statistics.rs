//! What was seen, counted: messages, bytes and errors by side and kind, latency, and how the streams were cut.

use std::collections::HashMap;
use std::fmt;

use enjamb::{Message, Outcome, Side, Time};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// How many kinds of messages are told apart on one side, and how many reasons for errors. What is beyond is counted as `other`:
/// strangers choose some of the words.
const MOST_KINDS: usize = 256;

/// Everything that is counted. Adding two gives what one would have counted of both.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    connections: u64,
    ended: u64,
    span: Option<(Time, Time)>,
    sides: [SideStatistics; 2],
    errors: HashMap<ErrorKey, u64>,
    latency: Latency,
}

/// What one side sent.
#[derive(Clone, Debug, Default)]
struct SideStatistics {
    chunks: u64,
    bytes: u64,
    messages: u64,
    outcomes: [u64; 4],
    kinds: HashMap<Box<str>, KindStatistics>,
    gaps: u64,
    missing: u64,
    /// Chunks that completed no message, one, several.
    chunks_by_messages: [u64; 3],
    /// Messages with no cut inside, one, several.
    messages_by_cuts: [u64; 3],
    length: Lengths,
}

#[derive(Clone, Copy, Debug, Default)]
struct KindStatistics {
    messages: u64,
    bytes: u64,
    outcomes: [u64; 4],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ErrorKey {
    side: Side,
    kind: Box<str>,
    outcome: Outcome,
    /// The code of a failure, the reason of what is malformed or incomplete.
    why: Box<str>,
}

/// A histogram of microseconds: three significant digits, up to an hour.
#[derive(Clone, Debug)]
struct Latency(Histogram<u64>);

const HOUR_US: u64 = 3_600_000_000;

impl Default for Latency {
    fn default() -> Self {
        Self(histogram(HOUR_US, 3))
    }
}

/// A histogram of message lengths in bytes: two significant digits, up to a terabyte.
#[derive(Clone, Debug)]
struct Lengths(Histogram<u64>);

impl Default for Lengths {
    fn default() -> Self {
        Self(histogram(1 << 40, 2))
    }
}

fn histogram(highest: u64, digits: u8) -> Histogram<u64> {
    match Histogram::new_with_bounds(1, highest, digits) {
        Ok(histogram) => histogram,
        Err(error) => panic!("the bounds are constants that hdrhistogram takes: {error}"),
    }
}

impl Statistics {
    pub(crate) fn opened(&mut self, time: Time) {
        self.connections += 1;
        self.saw(time);
    }

    pub(crate) fn ended(&mut self, time: Time) {
        self.ended += 1;
        self.saw(time);
    }

    /// A connection is watched no longer, and nothing is known of its end.
    pub(crate) fn abandoned(&mut self) {
        self.ended += 1;
    }

    pub(crate) fn chunk(&mut self, time: Time, side: Side, bytes: u64, messages: u64) {
        let seen = &mut self.sides[side.index()];
        seen.chunks += 1;
        seen.bytes += bytes;
        seen.chunks_by_messages[none_one_several(messages)] += 1;
        self.saw(time);
    }

    pub(crate) fn gap(&mut self, side: Side, missing: u64) {
        let seen = &mut self.sides[side.index()];
        seen.gaps += 1;
        seen.missing = seen.missing.saturating_add(missing);
    }

    pub(crate) fn message(&mut self, message: &Message<'_>, latency_us: Option<u64>, cuts: u64) {
        let seen = &mut self.sides[message.side.index()];
        let outcome = message.outcome as usize;
        seen.messages += 1;
        seen.outcomes[outcome] += 1;
        seen.messages_by_cuts[none_one_several(cuts)] += 1;
        seen.length.0.saturating_record(message.span.length);
        let kind = entry(&mut seen.kinds, message.kind);
        kind.messages += 1;
        kind.bytes += message.span.length;
        kind.outcomes[outcome] += 1;
        if let Some(latency) = latency_us {
            self.latency.0.saturating_record(latency);
        }
        if message.outcome != Outcome::Ok {
            let why = message.reason.or(message.code).unwrap_or_default();
            let mut key =
                ErrorKey { side: message.side, kind: message.kind.into(), outcome: message.outcome, why: why.into() };
            if self.errors.len() >= MOST_KINDS && !self.errors.contains_key(&key) {
                key.kind = OTHER.into();
                key.why = OTHER.into();
            }
            *self.errors.entry(key).or_default() += 1;
        }
    }

    pub(crate) fn saw(&mut self, time: Time) {
        let (first, last) = self.span.get_or_insert((time, time));
        *first = (*first).min(time);
        *last = (*last).max(time);
    }

    /// How many connections were opened or first seen.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
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

    /// Adds what `other` has counted.
    pub fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.ended += other.ended;
        if let Some((first, last)) = other.span {
            self.saw(first);
            self.saw(last);
        }
        for (seen, more) in self.sides.iter_mut().zip(&other.sides) {
            seen.add(more);
        }
        for (key, count) in &other.errors {
            *self.errors.entry(key.clone()).or_default() += count;
        }
        add_histogram(&mut self.latency.0, &other.latency.0);
    }

    /// The record of type `summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut record = json!({
            "type": "summary",
            "connections": self.connections,
            "open": self.connections - self.ended,
            "errors": self.sorted_errors().iter().map(|(key, count)| json!({
                "side": key.side.as_str(),
                "kind": key.kind,
                "outcome": key.outcome.as_str(),
                "why": key.why,
                "count": count,
            })).collect::<Vec<_>>(),
        });
        if let Some((first, last)) = self.span {
            record["first"] = crate::format::Rfc3339(first).to_string().into();
            record["last"] = crate::format::Rfc3339(last).to_string().into();
        }
        for side in Side::BOTH {
            record[side.as_str()] = self.sides[side.index()].to_json();
        }
        if !self.latency.0.is_empty() {
            let mut latency = json!({ "count": self.latency.0.len(), "max": self.latency.0.max() });
            for (name, quantile) in QUANTILES {
                latency[name] = self.latency.0.value_at_quantile(quantile).into();
            }
            record["latency_us"] = latency;
        }
        record
    }

    fn sorted_errors(&self) -> Vec<(&ErrorKey, &u64)> {
        let mut errors: Vec<_> = self.errors.iter().collect();
        errors.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        errors
    }
}

const OTHER: &str = "other";

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Failed, Outcome::Malformed, Outcome::Incomplete];

fn none_one_several(count: u64) -> usize {
    usize::try_from(count).map_or(2, |count| count.min(2))
}

/// The entry of `kind`, without making a copy of a name that is known.
fn entry<'m>(kinds: &'m mut HashMap<Box<str>, KindStatistics>, kind: &str) -> &'m mut KindStatistics {
    let name = if kinds.len() < MOST_KINDS || kinds.contains_key(kind) { kind } else { OTHER };
    if !kinds.contains_key(name) {
        kinds.insert(name.into(), KindStatistics::default());
    }
    kinds.entry(name.into()).or_default()
}

fn add_histogram(to: &mut Histogram<u64>, more: &Histogram<u64>) {
    // Both have the same bounds, so nothing can lie outside.
    let _ = to.add(more);
}

impl SideStatistics {
    fn add(&mut self, more: &Self) {
        self.chunks += more.chunks;
        self.bytes += more.bytes;
        self.messages += more.messages;
        self.gaps += more.gaps;
        self.missing = self.missing.saturating_add(more.missing);
        add_all(&mut self.outcomes, &more.outcomes);
        add_all(&mut self.chunks_by_messages, &more.chunks_by_messages);
        add_all(&mut self.messages_by_cuts, &more.messages_by_cuts);
        for (kind, counted) in &more.kinds {
            let kind = entry(&mut self.kinds, kind);
            kind.messages += counted.messages;
            kind.bytes += counted.bytes;
            add_all(&mut kind.outcomes, &counted.outcomes);
        }
        add_histogram(&mut self.length.0, &more.length.0);
    }

    fn sorted_kinds(&self) -> Vec<(&str, &KindStatistics)> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|(name, kind)| (&**name, kind)).collect();
        kinds.sort_by(|a, b| b.1.messages.cmp(&a.1.messages).then_with(|| a.0.cmp(b.0)));
        kinds
    }

    fn to_json(&self) -> Value {
        let mut side = json!({
            "bytes": self.bytes,
            "chunks": self.chunks,
            "messages": self.messages,
            "chunks_by_messages": by_count(&self.chunks_by_messages),
            "messages_by_cuts": by_count(&self.messages_by_cuts),
            "kinds": self.sorted_kinds().iter().map(|(name, kind)| {
                let mut value = json!({ "kind": name, "messages": kind.messages, "bytes": kind.bytes });
                for outcome in OUTCOMES {
                    value[outcome.as_str()] = kind.outcomes[outcome as usize].into();
                }
                value
            }).collect::<Vec<_>>(),
            "gaps": self.gaps,
            "missing": self.missing,
        });
        for outcome in OUTCOMES {
            side[outcome.as_str()] = self.outcomes[outcome as usize].into();
        }
        if !self.length.0.is_empty() {
            side["length"] = json!({
                "p50": self.length.0.value_at_quantile(0.5),
                "p99": self.length.0.value_at_quantile(0.99),
                "max": self.length.0.max(),
            });
        }
        side
    }
}

fn add_all<const N: usize>(to: &mut [u64; N], more: &[u64; N]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

fn by_count(counts: &[u64; 3]) -> Value {
    json!({ "none": counts[0], "one": counts[1], "several": counts[2] })
}

/// How many kinds are listed for people. The record has all of them.
const MOST_LISTED: usize = 20;

/// For people.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [client, server] = &self.sides;
        write!(f, "{} connection{}", self.connections, if self.connections == 1 { "" } else { "s" })?;
        if self.connections > self.ended {
            write!(f, ", {} of them open", self.connections - self.ended)?;
        }
        if let Some((first, last)) = self.span {
            write!(f, ", {:.3} s", last.since(first).as_secs_f64())?;
        }
        writeln!(f, "\n\n{:24}{:>14}{:>14}", "", "client", "server")?;
        let mut row = |name: &str, value: &dyn Fn(&SideStatistics) -> u64, always: bool| {
            let (client, server) = (value(client), value(server));
            if always || client + server > 0 { writeln!(f, "{name:24}{client:>14}{server:>14}") } else { Ok(()) }
        };
        row("bytes", &|side| side.bytes, true)?;
        row("chunks", &|side| side.chunks, true)?;
        row("  that end no message", &|side| side.chunks_by_messages[0], false)?;
        row("  that end several", &|side| side.chunks_by_messages[2], false)?;
        row("messages", &|side| side.messages, true)?;
        for outcome in OUTCOMES {
            let name = format!("  {outcome}");
            row(&name, &|side| side.outcomes[outcome as usize], outcome == Outcome::Ok)?;
        }
        row("  cut in two", &|side| side.messages_by_cuts[1], false)?;
        row("  cut in three or more", &|side| side.messages_by_cuts[2], false)?;
        row("gaps", &|side| side.gaps, false)?;
        row("  bytes missing", &|side| side.missing, false)?;

        for side in Side::BOTH {
            let kinds = self.sides[side.index()].sorted_kinds();
            if kinds.is_empty() {
                continue;
            }
            writeln!(f, "\n{side} messages")?;
            for (name, kind) in kinds.iter().take(MOST_LISTED) {
                let name = name.escape_debug().to_string();
                writeln!(f, "  {name:22}{:>14}{:>14} bytes", kind.messages, kind.bytes)?;
            }
            if kinds.len() > MOST_LISTED {
                writeln!(f, "  and {} kinds more", kinds.len() - MOST_LISTED)?;
            }
        }

        let errors = self.sorted_errors();
        if !errors.is_empty() {
            writeln!(f, "\nerrors")?;
        }
        for (key, count) in errors.iter().take(MOST_LISTED) {
            let ErrorKey { side, kind, outcome, why } = key;
            writeln!(f, "  {count:>8}  {side} {} {outcome}: {}", kind.escape_debug(), why.escape_debug())?;
        }
        if errors.len() > MOST_LISTED {
            writeln!(f, "  and {} others", errors.len() - MOST_LISTED)?;
        }

        let latency = &self.latency.0;
        if !latency.is_empty() {
            write!(f, "\nlatency, microseconds, of {} answers:", latency.len())?;
            for (name, quantile) in QUANTILES {
                write!(f, "  {name} {}", latency.value_at_quantile(quantile))?;
            }
            writeln!(f, "  max {}", latency.max())?;
        }
        Ok(())
    }
}
