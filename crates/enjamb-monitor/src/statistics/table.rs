//! Statistics as tables, for people.

use std::fmt::{self, Formatter, Write as _};

use enjamb::{Outcome, Side};

use crate::format::push_duration;
use crate::statistics::connections::Connections;
use crate::statistics::distribution::{Powers, QUANTILES, Spread};
use crate::statistics::errors::ErrorKey;
use crate::statistics::{OUTCOMES, SideStatistics, Statistics};

/// How many lines a list has. The record has all that is counted.
const LISTED_MAX: usize = 20;

/// How many of the connections that lasted longest are listed.
const LONGEST_MAX: usize = 5;

/// How wide a name is, and a number.
const NAME: usize = 24;

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let opened = self.connections.opened;
        let open = opened.saturating_sub(self.connections.over);
        write!(f, "{opened} connection{}", if opened == 1 { "" } else { "s" })?;
        if open > 0 {
            write!(f, ", {open} of them open")?;
        }
        if let Some((first, last)) = self.span {
            let mut within = String::new();
            push_duration(u64::try_from(last.since(first).as_micros()).unwrap_or(u64::MAX), &mut within);
            write!(f, " within {within}")?;
        }
        writeln!(f)?;
        self.sides(f)?;
        self.kinds(f)?;
        self.errors(f)?;
        self.latency(f)?;
        self.lengths(f)?;
        if self.whole_streams {
            self.distribution(f, "chunks by messages that end in them", |side| &side.messages_per_chunk)?;
        }
        self.distribution(f, "messages by chunks they lie in", |side| &side.chunks_per_message)?;
        connections(&self.connections, f)
    }
}

impl Statistics {
    fn sides(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [client, server] = &self.sides;
        writeln!(f, "\n{:NAME$}{:>14}{:>14}", "", "client", "server")?;
        let mut row = |name: &str, value: &dyn Fn(&SideStatistics) -> u64, always: bool| {
            let (client, server) = (value(client), value(server));
            if always || client + server > 0 { writeln!(f, "{name:NAME$}{client:>14}{server:>14}") } else { Ok(()) }
        };
        row("bytes", &|side| side.bytes, true)?;
        row("chunks", &|side| side.chunks, self.whole_streams)?;
        row("messages", &|side| side.messages, true)?;
        for outcome in OUTCOMES {
            let name = format!("  {outcome}");
            row(&name, &|side| side.outcomes[outcome as usize], outcome == Outcome::Ok)?;
        }
        row("gaps", &|side| side.gaps, false)?;
        row("  bytes missing", &|side| side.missing, false)
    }

    fn kinds(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for side in Side::BOTH {
            let kinds = self.sides[side.index()].kinds.sorted();
            if kinds.is_empty() {
                continue;
            }
            let title = format!("{side} messages");
            writeln!(f, "\n{title:NAME$}{:>14}{:>14}{:>11}{:>11}", "count", "bytes", "failed", "broken")?;
            for kind in kinds.iter().take(LISTED_MAX) {
                let name = kind.name.escape_debug().to_string();
                let [_, failed, malformed, incomplete] = kind.outcomes;
                let broken = malformed + incomplete;
                writeln!(f, "  {name:22}{:>14}{:>14}{failed:>11}{broken:>11}", kind.messages, kind.bytes)?;
            }
            more(f, kinds.len(), "kinds")?;
        }
        Ok(())
    }

    fn errors(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let errors = self.errors.sorted();
        if !errors.is_empty() {
            writeln!(f, "\nerrors")?;
        }
        for (key, count) in errors.iter().take(LISTED_MAX) {
            let ErrorKey { side, kind, outcome, why } = key;
            writeln!(f, "  {count:>8}  {side} {} {outcome}: {}", kind.escape_debug(), why.escape_debug())?;
        }
        more(f, errors.len(), "errors")
    }

    fn latency(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.latency.is_empty() {
            return Ok(());
        }
        quantiles_title("latency, microseconds", f)?;
        quantiles("all answers", &self.latency, f)?;
        let by_kind = self.sides[Side::Client.index()].kinds.answered_sorted();
        for (name, latency) in by_kind.iter().take(LISTED_MAX) {
            quantiles(&format!("to {}", name.escape_debug()), latency, f)?;
        }
        more(f, by_kind.len(), "kinds")
    }

    fn lengths(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.sides.iter().all(|side| side.length.is_empty()) {
            return Ok(());
        }
        quantiles_title("length, bytes", f)?;
        for side in Side::BOTH {
            quantiles(side.as_str(), &self.sides[side.index()].length, f)?;
        }
        Ok(())
    }

    fn distribution(&self, f: &mut Formatter<'_>, title: &str, of: fn(&SideStatistics) -> &Powers) -> fmt::Result {
        let [client, server] = &self.sides;
        let rows = of(client).buckets().zip(of(server).buckets());
        let mut rows = rows.filter(|((.., client), (.., server))| client + server > 0).peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        writeln!(f, "\n{title}")?;
        for ((from, to, client), (.., server)) in rows {
            let name = match (from, to) {
                (from, to) if from == to => from.to_string(),
                (from, u64::MAX) => format!("{from} or more"),
                (from, to) => format!("{from} to {to}"),
            };
            writeln!(f, "  {name:22}{client:>14}{server:>14}")?;
        }
        Ok(())
    }
}

fn connections(connections: &Connections, f: &mut Formatter<'_>) -> fmt::Result {
    let endings = connections.endings();
    if endings.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nconnections, by how the client's stream ended and the server's")?;
    for (client, server, count) in endings {
        let name = format!("{}, {}", client.as_str(), server.as_str());
        writeln!(f, "  {name:22}{count:>14}")?;
    }
    quantiles_title("duration, microseconds", f)?;
    quantiles("all that ended", &connections.duration, f)?;
    writeln!(f, "\nthe longest, microseconds")?;
    for lasted in connections.longest.iter().take(LONGEST_MAX) {
        let [client, server] = &lasted.sides;
        let name = format!("#{}", lasted.connection.number);
        write!(
            f,
            "  {name:22}{:>14}  {} -> {}",
            lasted.duration_us, lasted.connection.client, lasted.connection.server
        )?;
        writeln!(f, ", {} and {} messages", client.messages, server.messages)?;
    }
    Ok(())
}

fn quantiles_title(title: &str, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "\n{title:NAME$}{:>14}", "count")?;
    for name in QUANTILES.map(|(name, _)| name).into_iter().chain(["max"]) {
        write!(f, "{name:>11}")?;
    }
    f.write_char('\n')
}

fn quantiles(name: &str, spread: &Spread, f: &mut Formatter<'_>) -> fmt::Result {
    if spread.is_empty() {
        return Ok(());
    }
    write!(f, "  {name:22}{:>14}", spread.count())?;
    for value in spread.quantiles() {
        write!(f, "{value:>11}")?;
    }
    f.write_char('\n')
}

fn more(f: &mut Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    if count > LISTED_MAX { writeln!(f, "  and {} {what} more", count - LISTED_MAX) } else { Ok(()) }
}
