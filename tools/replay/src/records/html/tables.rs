//! The tables of the page.

use enjamb::Side;
use enjamb_monitor::{ErrorCount, FlagCount, KindCount, LongConnection, Outcomes, Quantiles, SideSummary, Summary};
use maud::{Markup, html};

use crate::records::html::text::{foreign, grouped};

/// The maximum length of a list.
pub(super) const LISTED_MAX: usize = 20;

/// Returns a number of the summary record, with its place there as a JSON pointer.
pub(super) fn number(path: &str, value: u64) -> Markup {
    html! { span data-path=(path) { (grouped(value)) } }
}

/// A column of a table: words, or numbers, which are aligned at the right.
#[derive(Clone, Copy)]
enum Column<'a> {
    Words(&'a str),
    Numbers(&'a str),
}

impl Column<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Words(name) | Self::Numbers(name) => name,
        }
    }

    fn class(&self) -> Option<&'static str> {
        matches!(self, Self::Words(_)).then_some("word")
    }
}

use Column::{Numbers, Words};

/// Returns a table with a caption, or nothing if it has no rows.
fn table(caption: &str, columns: &[Column<'_>], rows: &[Vec<Markup>]) -> Markup {
    html! {
        @if !rows.is_empty() {
            div class="panel scroll" {
                table {
                    caption { (caption) }
                    thead {
                        tr {
                            @for column in columns {
                                th scope="col" class=[column.class()] { (column.name()) }
                            }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (cell, column) in row.iter().zip(columns) {
                                    td class=[column.class()] data-label=(column.name()) { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns all tables, in order.
pub(super) fn all(summary: &Summary) -> Markup {
    html! {
        (sides(summary))
        (latency(summary))
        (lengths(summary))
        @for side in Side::BOTH {
            (kinds(side, &summary.side(side).kinds))
        }
        (errors(&summary.errors))
        @if !summary.flags.is_empty() {
            (flags(&summary.flags))
        }
        (endings(summary))
        (longest(&summary.longest))
    }
}

fn sides(summary: &Summary) -> Markup {
    let row = |name: &str, field: &str, value: &dyn Fn(&SideSummary) -> u64| {
        let cell = |side: Side| number(&format!("/{side}/{field}"), value(summary.side(side)));
        vec![html! { (name) }, cell(Side::Client), cell(Side::Server)]
    };
    let mut rows = vec![row("bytes", "bytes", &|side| side.bytes)];
    if summary.client.chunks.is_some() {
        rows.push(row("segments", "chunks", &|side| side.chunks.as_ref().map_or(0, |chunks| chunks.chunks)));
    }
    rows.push(row("messages", "messages", &|side| side.messages));
    for (outcome, _) in Outcomes::default().all() {
        rows.push(row(outcome.as_str(), outcome.as_str(), &|side| side.outcomes.of(outcome)));
    }
    rows.push(row("gaps", "gaps", &|side| side.gaps));
    rows.push(row("bytes missing in gaps", "missing", &|side| side.missing));
    table("What each side sent", &[Words(""), Numbers("client"), Numbers("server")], &rows)
}

/// Returns a row of quantiles. `path` is their place in the record.
fn quantiles(name: Markup, path: &str, quantiles: &Quantiles) -> Vec<Markup> {
    let values = [("count", quantiles.count)].into_iter().chain(quantiles.named());
    let cells = values.map(|(name, value)| number(&format!("{path}/{name}"), value));
    [name].into_iter().chain(cells).collect()
}

const QUANTILES: [Column<'_>; 7] =
    [Words(""), Numbers("count"), Numbers("p50"), Numbers("p90"), Numbers("p99"), Numbers("p999"), Numbers("max")];

fn latency(summary: &Summary) -> Markup {
    let mut rows = Vec::new();
    if let Some(latency) = &summary.latency_us {
        rows.push(quantiles(html! { "all answers" }, "/latency_us", &latency.quantiles));
    }
    for (place, kind) in summary.latency_us_by_kind.iter().enumerate().take(LISTED_MAX) {
        let path = format!("/latency_us_by_kind/{place}");
        rows.push(quantiles(html! { (foreign(&kind.protocol)) " " (foreign(&kind.kind)) }, &path, &kind.latency_us));
    }
    table("Latency, microseconds", &QUANTILES, &rows)
}

fn lengths(summary: &Summary) -> Markup {
    let row = |side: Side| {
        let length = summary.side(side).length.as_ref()?;
        Some(quantiles(html! { "messages of the " (side) }, &format!("/{side}/length"), &length.quantiles))
    };
    let rows: Vec<_> = Side::BOTH.into_iter().filter_map(row).collect();
    table("Length, bytes", &QUANTILES, &rows)
}

fn kinds(side: Side, kinds: &[KindCount]) -> Markup {
    let row = |(place, kind): (usize, &KindCount)| {
        let outcomes = kind.outcomes.all().map(|(outcome, count)| (outcome.as_str(), count));
        let counts = [("messages", kind.messages), ("bytes", kind.bytes)].into_iter().chain(outcomes);
        let cells = counts.map(|(field, count)| number(&format!("/{side}/kinds/{place}/{field}"), count));
        [foreign(&kind.protocol), foreign(&kind.kind)].into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<Markup>> = kinds.iter().enumerate().take(LISTED_MAX).map(row).collect();
    let columns = ["messages", "bytes", "ok", "failed", "malformed", "incomplete"].map(Numbers);
    let columns: Vec<_> = [Words("protocol"), Words("kind")].into_iter().chain(columns).collect();
    table(&capped(&format!("Messages of the {side}, by kind"), kinds.len()), &columns, &rows)
}

fn errors(errors: &[ErrorCount]) -> Markup {
    let row = |(place, error): (usize, &ErrorCount)| {
        vec![
            foreign(&error.protocol),
            html! { (error.side) },
            foreign(&error.kind),
            html! { (error.outcome) },
            foreign(&error.why),
            number(&format!("/errors/{place}/count"), error.count),
        ]
    };
    let rows: Vec<_> = errors.iter().enumerate().take(LISTED_MAX).map(row).collect();
    let columns =
        [Words("protocol"), Words("side"), Words("kind"), Words("outcome"), Words("code or reason"), Numbers("count")];
    table(&capped("Errors", errors.len()), &columns, &rows)
}

fn flags(flags: &[FlagCount]) -> Markup {
    let row = |(place, flag): (usize, &FlagCount)| {
        vec![
            html! { (flag.side) },
            foreign(&flag.kind),
            html! { (flag.outcome) },
            foreign(&flag.flag),
            number(&format!("/flags/{place}/count"), flag.count),
        ]
    };
    let rows: Vec<_> = flags.iter().enumerate().take(LISTED_MAX).map(row).collect();
    let columns = [Words("side"), Words("kind"), Words("outcome"), Words("flag"), Numbers("count")];
    table(&capped("Flags", flags.len()), &columns, &rows)
}

fn endings(summary: &Summary) -> Markup {
    let rows: Vec<_> = (0..)
        .zip(&summary.endings)
        .map(|(place, ending): (usize, _)| {
            vec![
                html! { (ending.client.as_str()) },
                html! { (ending.server.as_str()) },
                number(&format!("/endings/{place}/count"), ending.count),
            ]
        })
        .collect();
    let columns = [Words("client's stream"), Words("server's stream"), Numbers("connections")];
    table("How connections ended", &columns, &rows)
}

fn longest(connections: &[LongConnection]) -> Markup {
    let row = |(place, lasted): (usize, &LongConnection)| {
        let at = |field: &str, value| number(&format!("/longest/{place}/{field}"), value);
        vec![
            at("conn", lasted.conn),
            html! { (lasted.client) " \u{2192} " (lasted.server) },
            foreign(&lasted.protocol),
            at("duration_us", lasted.duration_us),
            at("client_messages", lasted.client_messages),
            at("server_messages", lasted.server_messages),
        ]
    };
    let rows: Vec<_> = connections.iter().enumerate().map(row).collect();
    let columns = [
        Words("conn"),
        Words("client and server"),
        Words("protocol"),
        Numbers("microseconds"),
        Numbers("client's messages"),
        Numbers("server's messages"),
    ];
    table("The connections that lasted longest", &columns, &rows)
}

fn capped(caption: &str, length: usize) -> String {
    if length > LISTED_MAX { format!("{caption}: {LISTED_MAX} of {length}") } else { caption.to_owned() }
}
