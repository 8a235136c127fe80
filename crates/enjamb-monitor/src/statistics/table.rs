//! A summary as tables for people.

use std::fmt::{self, Formatter, Write as _};

use enjamb::{Outcome, Side};

use crate::statistics::summary::{Bucket, Quantiles, SideSummary, Summary};
use crate::time::push_duration;

/// The maximum length of a list. The record has everything.
const LISTED_MAX: usize = 20;

/// The number of connections that are listed, those that lasted longest.
const LONGEST_MAX: usize = 5;

/// The columns of a name at the left.
const NAME: usize = 24;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} connection{}", self.connections, if self.connections == 1 { "" } else { "s" })?;
        if self.open > 0 {
            write!(f, ", {} of them open", self.open)?;
        }
        if self.panicked > 0 {
            write!(f, ", {} of them parsed only until the session panicked", self.panicked)?;
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let mut within = String::new();
            push_duration(u64::try_from(last.since(first).as_micros()).unwrap_or(u64::MAX), &mut within);
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
            let title = "chunks by messages that end in them";
            buckets(title, &client.messages_per_chunk, &server.messages_per_chunk, f)?;
        }
        let title = "messages by chunks they lie in";
        buckets(title, &self.client.chunks_per_message, &self.server.chunks_per_message, f)?;
        connections(self, f)
    }
}

fn sides(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n{:NAME$}{:>14}{:>14}", "", "client", "server")?;
    let mut row = |name: &str, value: &dyn Fn(&SideSummary) -> u64, always: bool| {
        let (client, server) = (value(&summary.client), value(&summary.server));
        if always || client + server > 0 { writeln!(f, "{name:NAME$}{client:>14}{server:>14}") } else { Ok(()) }
    };
    row("bytes", &|side| side.bytes, true)?;
    let has_chunks = summary.client.chunks.is_some();
    row("chunks", &|side| side.chunks.as_ref().map_or(0, |chunks| chunks.chunks), has_chunks)?;
    row("messages", &|side| side.messages, true)?;
    for (outcome, _) in summary.client.outcomes.all() {
        row(&format!("  {outcome}"), &|side| side.outcomes.of(outcome), outcome == Outcome::Ok)?;
    }
    row("gaps", &|side| side.gaps, false)?;
    row("  bytes missing", &|side| side.missing, false)
}

fn kinds(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    for side in Side::BOTH {
        let kinds = &summary.side(side).kinds;
        if kinds.is_empty() {
            continue;
        }
        let title = format!("{side} messages");
        writeln!(f, "\n{title:NAME$}{:>14}{:>14}{:>11}{:>11}", "count", "bytes", "failed", "broken")?;
        for kind in kinds.iter().take(LISTED_MAX) {
            let name = kind.kind.escape_debug().to_string();
            let broken = kind.outcomes.malformed + kind.outcomes.incomplete;
            let (messages, bytes, failed) = (kind.messages, kind.bytes, kind.outcomes.failed);
            writeln!(f, "  {name:22}{messages:>14}{bytes:>14}{failed:>11}{broken:>11}")?;
        }
        more(kinds.len(), "kinds", f)?;
    }
    Ok(())
}

fn errors(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if !summary.errors.is_empty() {
        writeln!(f, "\nerrors")?;
    }
    for error in summary.errors.iter().take(LISTED_MAX) {
        let (kind, why) = (error.kind.escape_debug(), error.why.escape_debug());
        writeln!(f, "  {:>8}  {} {kind} {}: {why}", error.count, error.side, error.outcome)?;
    }
    more(summary.errors.len(), "errors", f)
}

fn flags(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if !summary.flags.is_empty() {
        writeln!(f, "\nflags")?;
    }
    for flag in summary.flags.iter().take(LISTED_MAX) {
        let (kind, name) = (flag.kind.escape_debug(), flag.flag.escape_debug());
        writeln!(f, "  {:>8}  {} {kind} {}: {name}", flag.count, flag.side, flag.outcome)?;
    }
    more(summary.flags.len(), "flags", f)
}

fn latency(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    let Some(latency) = &summary.latency_us else { return Ok(()) };
    quantiles_title("latency, microseconds", f)?;
    quantiles("all answers", &latency.quantiles, f)?;
    for kind in summary.latency_us_by_kind.iter().take(LISTED_MAX) {
        quantiles(&format!("to {}", kind.kind.escape_debug()), &kind.latency_us, f)?;
    }
    more(summary.latency_us_by_kind.len(), "kinds", f)
}

fn lengths(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if Side::BOTH.iter().all(|side| summary.side(*side).length.is_none()) {
        return Ok(());
    }
    quantiles_title("length, bytes", f)?;
    for side in Side::BOTH {
        if let Some(length) = &summary.side(side).length {
            quantiles(side.as_str(), &length.quantiles, f)?;
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
    writeln!(f, "\n{title}")?;
    for (from, to) in bounds {
        let name = match to {
            to if from == to => from.to_string(),
            u64::MAX => format!("{from} or more"),
            to => format!("{from} to {to}"),
        };
        let count = |buckets: &[Bucket]| buckets.iter().find(|bucket| bucket.from == from).map_or(0, |it| it.count);
        writeln!(f, "  {name:22}{:>14}{:>14}", count(client), count(server))?;
    }
    Ok(())
}

fn connections(summary: &Summary, f: &mut Formatter<'_>) -> fmt::Result {
    if summary.endings.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nconnections, by how the client's stream ended and the server's")?;
    for ending in &summary.endings {
        let name = format!("{}, {}", ending.client.as_str(), ending.server.as_str());
        writeln!(f, "  {name:22}{:>14}", ending.count)?;
    }
    quantiles_title("duration, microseconds", f)?;
    if let Some(duration) = &summary.duration_us {
        quantiles("all that ended", duration, f)?;
    }
    writeln!(f, "\nthe longest, microseconds")?;
    for connection in summary.longest.iter().take(LONGEST_MAX) {
        let name = format!("#{}", connection.conn);
        write!(f, "  {name:22}{:>14}  {} -> {}", connection.duration_us, connection.client, connection.server)?;
        writeln!(f, ", {} and {} messages", connection.client_messages, connection.server_messages)?;
    }
    Ok(())
}

fn quantiles_title(title: &str, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "\n{title:NAME$}{:>14}", "count")?;
    for name in ["p50", "p90", "p99", "p999", "max"] {
        write!(f, "{name:>11}")?;
    }
    f.write_char('\n')
}

fn quantiles(name: &str, quantiles: &Quantiles, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "  {name:22}{:>14}", quantiles.count)?;
    for (_, value) in quantiles.named() {
        write!(f, "{value:>11}")?;
    }
    f.write_char('\n')
}

fn more(count: usize, noun: &str, f: &mut Formatter<'_>) -> fmt::Result {
    if count > LISTED_MAX { writeln!(f, "  and {} {noun} more", count - LISTED_MAX) } else { Ok(()) }
}
