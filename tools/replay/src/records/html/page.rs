//! The page: its head, its parts in order, and the data block.

use std::io::{self, Write};

use enjamb_monitor::Summary;
use enjamb_sources::{CaptureNote, CaptureTotals, REPORT_MARK};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::records::html::sections;
use crate::records::html::style::{STYLE, policy};
use crate::records::html::tables::{self, LISTED_MAX, number};
use crate::records::html::text::{bytes, duration, foreign, grouped, json_in_script, visible};
use crate::records::html::timeline::Timeline;

/// The content of a report.
pub(crate) struct Page<'a> {
    /// The counts of the traffic.
    pub(crate) summary: &'a Summary,
    /// The counts of the captures themselves.
    pub(crate) totals: &'a CaptureTotals,
    /// The summary as a record, for the data block.
    pub(crate) record: &'a Value,
    pub(crate) timeline: &'a Timeline,
    /// The names of the captures.
    pub(crate) captures: &'a [String],
    /// The problems with captures, in words.
    pub(crate) problems: &'a [String],
    /// The line that names the selection. Empty if everything was selected.
    pub(crate) selected: &'a str,
}

/// Writes a report.
///
/// # Errors
/// `out` cannot be written to.
pub(crate) fn write(page: &Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page.render().into_string().as_bytes())
}

fn title(captures: &[String]) -> String {
    match captures {
        [] => "nothing was read".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

impl Page<'_> {
    fn render(&self) -> Markup {
        let name = title(self.captures);
        // The block is not executed, since it is not a script: the policy need not allow it.
        let data = json!({
            "summary": self.record,
            "captures": self.captures,
            "over_time": self.timeline.to_json(),
        });
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    // Another report may replace this one, since it begins like this.
                    (PreEscaped(REPORT_MARK))
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    title { (visible(&name)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (foreign(&name)) }
                        (self.header())
                    }
                    (self.tiles())
                    (self.problems())
                    main {
                        @if self.summary.client.messages + self.summary.server.messages == 0 {
                            p { "There are no messages." }
                        } @else {
                            (sections::all(self.summary, self.timeline))
                        }
                        h2 { "In numbers" }
                        div class="grid tables" { (tables::all(self.summary)) }
                    }
                    footer {
                        "Written by enjamb " (env!("CARGO_PKG_VERSION")) ". The element " code { "data" }
                        " of this page has all counts as JSON, and so has "
                        code { "enjamb replay --summary --format json" } "."
                    }
                    script type="application/json" id="data" { (PreEscaped(json_in_script(&data))) }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        let more = self.captures.len().saturating_sub(LISTED_MAX);
        html! {
            @if let (Some(first), Some(last)) = (self.record["first"].as_str(), self.record["last"].as_str()) {
                p class="muted" { time { (first) } " to " time { (last) } }
            }
            @if self.captures.len() > 1 {
                p class="muted" {
                    (self.captures.len()) " captures: "
                    @for (place, name) in self.captures.iter().take(LISTED_MAX).enumerate() {
                        @if place > 0 { ", " }
                        (foreign(name))
                    }
                    @if more > 0 { " and " (more) " more" }
                }
            }
            @if !self.selected.is_empty() {
                p class="notes" { (foreign(self.selected.trim_end())) }
            }
        }
    }

    fn tiles(&self) -> Markup {
        let Summary { client, server, .. } = self.summary;
        let tile = |class: &str, big: Markup, small: &str| {
            html! { div class={ "tile " (class) } { b { (big) } span { (small) } } }
        };
        let sum = |count: u64| html! { (grouped(count)) };
        let problem = |count: u64, name: &str| tile(if count > 0 { "bad" } else { "" }, sum(count), name);
        html! {
            div class="tiles" {
                (tile("", number("/connections", self.summary.connections), "connections"))
                (tile("", number("/client/messages", client.messages), "client messages"))
                (tile("", number("/server/messages", server.messages), "server messages"))
                (tile("", html! { (bytes(client.bytes.saturating_add(server.bytes))) }, "of payload"))
                @if let Some(latency) = &self.summary.latency_us {
                    (tile("", html! { (duration(latency.quantiles.p50 as f64)) }, "median latency"))
                    (tile("", html! { (duration(latency.quantiles.p99 as f64)) }, "p99 latency"))
                }
                (problem(client.outcomes.failed + server.outcomes.failed, "failed"))
                (problem(client.outcomes.malformed + server.outcomes.malformed, "malformed"))
                (problem(client.outcomes.incomplete + server.outcomes.incomplete, "incomplete"))
            }
        }
    }

    /// Returns the warnings that a reader needs before trusting the numbers.
    fn problems(&self) -> Markup {
        let (losses, notes): (Vec<_>, Vec<_>) = self.totals.notes().partition(|note| note.is_loss);
        let panicked = self.summary.panicked;
        let item = |CaptureNote { name, count, words, .. }: &CaptureNote| {
            html! { li { (number(&format!("/capture/{name}"), *count)) " " (words) } }
        };
        html! {
            @if !self.problems.is_empty() || !losses.is_empty() || panicked > 0 {
                div class="notes" {
                    h3 { "Problems of the captures" }
                    ul {
                        @for problem in self.problems.iter().take(LISTED_MAX) {
                            li { (foreign(problem)) }
                        }
                        @for loss in &losses { (item(loss)) }
                        @if panicked > 0 {
                            li { (number("/panicked", panicked)) " connections parsed only until their session panicked" }
                        }
                    }
                }
            }
            @if !notes.is_empty() {
                div class="muted" {
                    h3 { "Notes on the captures" }
                    ul { @for note in &notes { (item(note)) } }
                }
            }
        }
    }
}
