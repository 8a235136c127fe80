//! A summary as tables for people. They fit into 80 columns, except for long names and reasons.

use std::fmt::{self, Formatter, Write as _};

use enjamb::units::format_count;
use enjamb::{Outcome, Side};

use crate::escape::Plain;
use crate::statistics::summary::{Bucket, KindLatency, Quantiles, SideSummary, Summary};
use crate::time::push_duration;

/// The maximum length of a list. The record has everything.
const LISTED_MAX: usize = 20;

/// The number of connections that are listed, those that lasted longest.
const LONGEST_MAX: usize = 5;

/// The columns of a name at the left.
const NAME: usize = 22;

/// The unit of a number in a table.
#[derive(Clone, Copy)]
enum Unit {
    /// Bytes, or things that the title names.
    Count,
    /// Microseconds, which are written in a suitable unit.
    Duration,
}

impl Unit {
    fn format(self, number: u64) -> String {
        match self {
            Self::Count => format_count(number),
            Self::Duration => duration(number),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.connections, "connection"))?;
        if self.open > 0 {
            write!(f, ", {} of them open", format_count(self.open))?;
        }
        if self.panicked > 0 {
            write!(f, ", {} of them parsed only until the session panicked", format_count(self.panicked))?;
        }
        if let Some(within) = self.within() {
            write!(f, " within {within}")?;
        }
        writeln!(f)?;
        sides(self, f)?;
        kinds(self, f)?;
        errors(self, f)?;
        flags(self, f)?;
        latency(self, f)?;
        lengths(self, f)?;
        if let (Some(client), Some(server)) = (&self.client.chunks, &self.server.chunks) {
            let title = "chunks, by the messages that end in them";
            buckets(title, &client.messages_per_chunk, &server.messages_per_chunk, f)?;
        }
        let title = "messages, by the chunks they lie in";
        buckets(title, &self.client.chunks_per_message, &self.server.chunks_per_message, f)?;
        connections(self, f)
    }
}

/// The counts in one line.
struct Brief<'a>(&'a Summary);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Summary { client, server, connections, panicked, .. } = self.0;
        let messages = counted(client.messages + server.messages, "message");
        write!(f, "{messages} on {}", counted(*connections, "connection"))?;
        if let Some(within) = self.0.within() {
            write!(f, " within {within}")?;
        }
        let outcomes = [Outcome::Failed, Outcome::Malformed, Outcome::Incomplete];
        let count = |outcome| client.outcomes.of(outcome) + server.outcomes.of(outcome);
        let counts = outcomes.map(|outcome| (outcome.as_str(), count(outcome)));
        let all = counts.into_iter().chain([("bytes missing", client.missing.saturating_add(server.missing))]);
        for (name, count) in all.chain([("sessions panicked", *panicked)]).filter(|(_, count)| *count > 0) {
            write!(f, ", {} {name}", format_count(count))?;
        }
        Ok(())
    }
}

impl Summary {
    /// Returns the most important counts in one line, without a line feed: messages, connections,
    /// and messages that are not `ok`.
    #[must_use]
    pub fn in_brief(&self) -> impl fmt::Display {
        Brief(self)
    }

    /// Returns the time from the first event to the last, for people.
    fn within(&self) -> Option<String> {
        let (first, last) = (self.first?, self.last?);
        Some(duration(u64::try_from(last.since(first).as_micros()).unwrap_or(u64::MAX)))
    }
}

fn sides(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n{:NAME$}{:>14}{:>14}", "", "client", "server")?;
    let mut row = |name: &str, value: &dyn Fn(&SideSummary) -> u64, always: bool, about: &str| {
        let (client, server) = (value(&summary.client), value(&summary.server));
        if !always && client + server == 0 {
            return Ok(());
        }
        write!(f, "{name:NAME$}{:>14}{:>14}", format_count(client), format_count(server))?;
        writeln!(f, "{}{about}", if about.is_empty() { "" } else { "  " })
    };
    row("bytes", &|side| side.bytes, true, "")?;
    let has_chunks = summary.client.chunks.is_some();
    row("chunks", &|side| side.chunks.as_ref().map_or(0, |chunks| chunks.chunks), has_chunks, "")?;
    row("messages", &|side| side.messages, true, "")?;
    for (outcome, _) in summary.client.outcomes.all() {
        let about = match outcome {
            Outcome::Ok => "",
            Outcome::Failed => "whole, but reports an error",
            Outcome::Malformed => "breaks the protocol's rules",
            Outcome::Incomplete => "cut off by an end or a gap",
        };
        row(&format!("  {outcome}"), &|side| side.outcomes.of(outcome), outcome == Outcome::Ok, about)?;
    }
    row("gaps", &|side| side.gaps, false, "bytes were not captured")?;
    row("  bytes missing", &|side| side.missing, false, "")
}

/// Writes a table for each side and protocol.
fn kinds(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    for protocol in summary.protocols() {
        for side in Side::BOTH {
            let kinds = || summary.side(side).kinds.iter().filter(|kind| kind.protocol == protocol);
            if kinds().next().is_none() {
                continue;
            }
            let title = format!("{} {side}", Plain(protocol));
            write!(f, "\n{title:NAME$}{:>11}{:>14}", "messages", "bytes")?;
            writeln!(f, "{:>9}{:>11}{:>12}", "failed", "malformed", "incomplete")?;
            for kind in kinds().take(LISTED_MAX) {
                let [messages, bytes] = [kind.messages, kind.bytes].map(format_count);
                let outcomes = [kind.outcomes.failed, kind.outcomes.malformed, kind.outcomes.incomplete];
                let [failed, malformed, incomplete] = outcomes.map(format_count);
                write!(f, "{}{messages:>11}{bytes:>14}", name(&kind.kind))?;
                writeln!(f, "{failed:>9}{malformed:>11}{incomplete:>12}")?;
            }
            more(kinds().count(), "kinds", f)?;
        }
    }
    Ok(())
}

fn errors(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if !summary.errors.is_empty() {
        writeln!(f, "\n{:>10}  messages that are not ok, and why", "count")?;
    }
    for error in summary.errors.iter().take(LISTED_MAX) {
        let (protocol, kind, why) = (Plain(&error.protocol), Plain(&error.kind), Plain(&error.why));
        write!(f, "{:>10}  {protocol} {} {kind} {}", format_count(error.count), error.side, error.outcome)?;
        writeln!(f, "{}{why}", if error.why.is_empty() { "" } else { ": " })?;
    }
    more(summary.errors.len(), "errors", f)
}

fn flags(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if !summary.flags.is_empty() {
        writeln!(f, "\n{:>10}  messages with a flag", "count")?;
    }
    for flag in summary.flags.iter().take(LISTED_MAX) {
        let (protocol, kind, name) = (Plain(&flag.protocol), Plain(&flag.kind), Plain(&flag.flag));
        let (count, side, outcome) = (format_count(flag.count), flag.side, flag.outcome);
        writeln!(f, "{count:>10}  {protocol} {side} {kind} {outcome}: {name}")?;
    }
    more(summary.flags.len(), "flags", f)
}

fn latency(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    let Some(latency) = &summary.latency_us else { return Ok(()) };
    quantiles_title("latency", "answers", f)?;
    quantiles("all", &latency.quantiles, Unit::Duration, f)?;
    for protocol in summary.protocols() {
        let kinds = || summary.latency_us_by_kind.iter().filter(|kind| kind.protocol == protocol);
        for KindLatency { kind, latency_us, .. } in kinds().take(LISTED_MAX) {
            quantiles(&format!("{protocol} {kind}"), latency_us, Unit::Duration, f)?;
        }
        more(kinds().count(), "kinds", f)?;
    }
    Ok(())
}

fn lengths(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if Side::BOTH.iter().all(|side| summary.side(*side).length.is_none()) {
        return Ok(());
    }
    quantiles_title("length in bytes", "messages", f)?;
    for side in Side::BOTH {
        if let Some(length) = &summary.side(side).length {
            quantiles(side.as_str(), &length.quantiles, Unit::Count, f)?;
        }
    }
    Ok(())
}

/// Writes two distributions over the same buckets, side by side.
fn buckets(title: &str, client: &[Bucket], server: &[Bucket], f: &mut Formatter<'_>) -> fmt::Result {
    let mut bounds: Vec<(u64, u64)> = client.iter().chain(server).map(|bucket| (bucket.from, bucket.to)).collect();
    bounds.sort_unstable();
    bounds.dedup();
    if bounds.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}\n{:NAME$}{:>14}{:>14}", "", "client", "server")?;
    for (from, to) in bounds {
        let [first, last] = [from, to].map(format_count);
        let bounds = match to {
            to if from == to => first,
            u64::MAX => format!("{first} or more"),
            _ => format!("{first} to {last}"),
        };
        let count = |buckets: &[Bucket]| {
            format_count(buckets.iter().find(|bucket| bucket.from == from).map_or(0, |it| it.count))
        };
        writeln!(f, "{}{:>14}{:>14}", name(&bounds), count(client), count(server))?;
    }
    Ok(())
}

fn connections(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if summary.endings.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nconnections, by the ends of the client's and the server's stream")?;
    for ending in &summary.endings {
        let both = format!("{}, {}", ending.client.as_str(), ending.server.as_str());
        writeln!(f, "{}{:>14}", name(&both), format_count(ending.count))?;
    }
    if let Some(lasted) = &summary.duration_us {
        quantiles_title("duration", "connections", f)?;
        quantiles("all that ended", lasted, Unit::Duration, f)?;
    }
    writeln!(f, "\nthe longest connections")?;
    for connection in summary.longest.iter().take(LONGEST_MAX) {
        let (client, server) = (connection.client_messages, connection.server_messages);
        let number = format!("#{}", connection.conn);
        write!(
            f,
            "  {number:8}{:>10}  {} -> {}",
            duration(connection.duration_us),
            connection.client,
            connection.server
        )?;
        writeln!(f, ", {} of the client, {} of the server", counted(client, "message"), format_count(server))?;
    }
    Ok(())
}

fn quantiles_title(title: &str, counted: &str, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "\n{title:NAME$}{counted:>12}")?;
    for name in ["p50", "p90", "p99", "p999", "max"] {
        write!(f, "{name:>9}")?;
    }
    f.write_char('\n')
}

fn quantiles(of: &str, quantiles: &Quantiles, unit: Unit, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{}{:>12}", name(of), format_count(quantiles.count))?;
    for (_, value) in quantiles.named() {
        write!(f, " {:>8}", unit.format(value))?;
    }
    f.write_char('\n')
}

/// Returns the name at the left of a row: indented, escaped, and filled to the width of the column.
fn name(name: &str) -> String {
    let width = NAME - 2;
    format!("  {:width$}", Plain(name).to_string())
}

fn duration(micros: u64) -> String {
    let mut text = String::new();
    push_duration(micros, &mut text);
    text
}

/// Returns a count and a noun whose plural ends in `s`.
fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", format_count(count), if count == 1 { "" } else { "s" })
}

fn more(count: usize, noun: &str, f: &mut Formatter<'_>) -> fmt::Result {
    if count > LISTED_MAX { writeln!(f, "  and {} {noun} more", count - LISTED_MAX) } else { Ok(()) }
}
