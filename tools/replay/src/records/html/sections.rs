//! The plots of the page, in sections.

use enjamb::Side;
use enjamb_monitor::{Bucket, KindLatency, Summary};
use maud::{Markup, html};

use crate::records::html::chart::{Plot, Series, bars, columns, logarithmic, ranges, round_up};
use crate::records::html::text::{bytes, compact, counted, duration, grouped, visible};
use crate::records::html::timeline::{DRAWN_MAX, Timeline};

/// The maximum number of bars of a plot.
const BARS_MAX: usize = 10;

/// The number of columns in which the rate is drawn.
const RATE_COLUMNS: usize = 256;

/// The widths of a plot that is as wide as the page: on a screen, and on a phone. A drawing of the
/// first width would be illegible on a phone.
const WIDE: [(&str, f64); 2] = [("screen", 1140.0), ("phone", 360.0)];

/// The width of a column of the rate, at least.
const RATE_COLUMN: f64 = 4.0;

/// The height of a connection's row.
const CONNECTION_ROW: f64 = 15.0;

/// The key of a plot: classes and their meanings.
type Key<'a> = &'a [(&'a str, &'a str)];

const SIDES: Key<'_> = &[("client", "client"), ("server", "server")];

/// Returns all sections, in order.
pub(super) fn all(summary: &Summary, timeline: &Timeline) -> Markup {
    html! {
        (section("Over time", &html! { (rate(timeline)) (connections(summary, timeline)) }))
        (section("Latency", &html! { (latency(summary)) (latency_by_kind(summary)) }))
        (section("Errors and sizes", &html! { (errors(summary)) (sizes(summary)) }))
        (section("How messages were cut", &html! { (cuts(summary)) }))
    }
}

fn section(title: &str, figures: &Markup) -> Markup {
    html! {
        h2 { (title) }
        div class="grid" { (figures) }
    }
}

/// Returns a plot with its title and a sentence about it.
fn figure(class: Option<&str>, title: &str, about: &str, key: Key<'_>, plot: &Markup) -> Markup {
    html! {
        figure class=[class] {
            figcaption {
                h3 { (title) }
                p { (about) }
                @if !key.is_empty() {
                    div class="key" {
                        @for (class, name) in key {
                            span { i class=(class) {} (name) }
                        }
                    }
                }
            }
            div class="scroll" { (plot) }
        }
    }
}

/// Draws a plot for each width of the page. The style sheet shows the one that fits.
fn wide(draw: impl Fn(f64) -> Markup) -> Markup {
    html! {
        @for (class, width) in WIDE {
            div class=(class) { (draw(width)) }
        }
    }
}

fn rate(timeline: &Timeline) -> Markup {
    let (_, step) = timeline.bins(RATE_COLUMNS);
    let key = [("client", "client, upwards"), ("server", "server, downwards"), ("error", "of them not ok")];
    let about = format!("In steps of {}, or longer ones on a phone.", duration(step as f64 / 1000.0));
    figure(Some("wide"), "Messages over time", &about, &key, &wide(|width| rate_plot(timeline, width)))
}

fn rate_plot(timeline: &Timeline, width: f64) -> Markup {
    let (bins, step) = timeline.bins(RATE_COLUMNS.min((width / RATE_COLUMN) as usize));
    let seconds = step as f64 / 1e9;
    let most = bins.iter().flat_map(|bin| bin.messages).max().unwrap_or_default() as f64 / seconds;
    let most = round_up(most);
    let about = "Messages per second over time, those of clients above the line, those of servers below";
    let mut plot = Plot::new(width, if width < 600.0 { 220.0 } else { 300.0 }, 46.0, about);
    plot.y_axis(most, true, "messages per second");
    let width = plot.x_span() / bins.len().max(1) as f64;
    let half = plot.y_span() / 2.0;
    let middle = plot.y(0.5);
    let step_us = step as f64 / 1000.0;
    for (place, bin) in bins.iter().enumerate() {
        let x = plot.x(0.0) + place as f64 * width;
        let from = place as f64 * step_us;
        for side in Side::BOTH {
            let (messages, errors) = (bin.messages[side.index()], bin.errors[side.index()]);
            if messages == 0 {
                continue;
            }
            let title = format!(
                "{} to {}: {} of the {side}{}, {} a second",
                duration(from),
                duration(from + step_us),
                counted(messages, "message"),
                if errors > 0 { format!(", {} of them not ok", grouped(errors)) } else { String::new() },
                compact(messages as f64 / seconds),
            );
            let mut bar = |class: &str, count: u64| {
                let height = count as f64 / seconds / most * half;
                let y = if side == Side::Client { middle - height } else { middle };
                plot.bar(class, x, y, (width - 0.4).max(0.6), height, &title);
            };
            bar(side.as_str(), messages);
            if errors > 0 {
                bar("error", errors);
            }
        }
    }
    plot.time_axis(step_us * bins.len().max(1) as f64, "time since the first event");
    plot.finish()
}

fn connections(summary: &Summary, timeline: &Timeline) -> Markup {
    let total = summary.connections;
    let drawn = timeline.connections().len() as u64;
    let about = match total.checked_sub(drawn) {
        Some(more) if more > 0 => {
            format!("The first {DRAWN_MAX} of {}: {} more are not drawn.", counted(total, "connection"), grouped(more))
        }
        _ => "From the first packet to the last, with the messages as ticks.".to_owned(),
    };
    let key = [("client", "messages of the client"), ("server", "of the server"), ("error", "some not ok")];
    figure(Some("wide"), "Connections", &about, &key, &wide(|width| connections_plot(timeline, width)))
}

/// Draws the connections in the order of time.
fn connections_plot(timeline: &Timeline, width: f64) -> Markup {
    let mut drawn: Vec<_> = timeline.connections().iter().collect();
    drawn.sort_by_key(|drawn| (drawn.from, drawn.connection.number));
    let is_narrow = width < 600.0;
    let (bins, step) = timeline.bins(usize::MAX);
    let origin = timeline.origin();
    let span = (step as f64 * bins.len().max(1) as f64).max(1.0);
    let about = "When connections were open, and when messages came on them";
    let mut plot =
        Plot::new(width, drawn.len() as f64 * CONNECTION_ROW + 64.0, if is_narrow { 56.0 } else { 190.0 }, about);
    let share = |time: enjamb::Time| time.since(origin).as_nanos() as f64 / span;
    let tick = (plot.x_span() / bins.len().max(1) as f64).clamp(1.2, 6.0);
    for (row, drawn) in drawn.iter().enumerate() {
        let y = 20.0 + row as f64 * CONNECTION_ROW;
        let number = drawn.connection.number;
        let client = if is_narrow { String::new() } else { format!(" {}", drawn.connection.client) };
        let label: String = format!("#{number}{client}").chars().take(30).collect();
        plot.text(plot.x(0.0) - 8.0, y + 9.0, "end", "tick", &label);
        let (from, to) = (plot.x(share(drawn.from)), plot.x(share(drawn.to)));
        let lasted = drawn.to.since(drawn.from).as_micros() as f64;
        let [client, server] = drawn.totals.messages;
        let errors = drawn.totals.errors.iter().sum::<u64>();
        let life = format!(
            "#{number} {} to {}: {}, {} of the client and {} of the server{}",
            drawn.connection.client,
            drawn.connection.server,
            duration(lasted),
            counted(client, "message"),
            grouped(server),
            if errors > 0 { format!(", {} not ok", grouped(errors)) } else { String::new() },
        );
        plot.bar("life", from, y, (to - from).max(2.0), 11.0, &life);
        for (bin, counts) in &drawn.ticks {
            let since = timeline.since_origin(*bin) as f64;
            let x = plot.x(since / span);
            let at = duration(since / 1000.0);
            let [client, server] = counts.messages;
            let errors: u64 = counts.errors.iter().sum();
            let title = format!("#{number} at {at}: {client} of the client, {server} of the server, {errors} not ok");
            for (class, y, any) in [("client", y, client > 0), ("server", y + 5.5, server > 0)] {
                if any {
                    plot.bar(class, x, y, tick, 5.5, &title);
                }
            }
            if counts.has_error() {
                plot.bar("error", x, y - 1.5, tick.max(2.0), 14.0, &title);
            }
        }
    }
    plot.time_axis(span / 1000.0, "time since the first event");
    plot.finish()
}

fn latency(summary: &Summary) -> Markup {
    let Some(latency) = &summary.latency_us else {
        return figure(None, "Latency", "No message answers another.", &[], &html! {});
    };
    let quantiles = &latency.quantiles;
    let marks = [("p50", quantiles.p50), ("p90", quantiles.p90), ("p99", quantiles.p99)];
    let plot = logarithmic("How many answers took how long", &latency.distribution, &marks, "answers");
    let about =
        format!("From the end of the request to the end of the answer, of {}.", counted(quantiles.count, "answer"));
    figure(None, "Latency", &about, &[], &plot)
}

fn latency_by_kind(summary: &Summary) -> Markup {
    let kinds = &summary.latency_us_by_kind;
    if kinds.len() < 2 {
        return html! {};
    }
    let several = summary.protocols().len() > 1;
    let name = |kind: &KindLatency| {
        let protocol = if several { format!("{} ", kind.protocol) } else { String::new() };
        visible(&format!("{protocol}{}", kind.kind)).chars().take(17).collect::<String>()
    };
    let rows = kinds.iter().take(BARS_MAX).map(|kind| {
        let quantiles = &kind.latency_us;
        (name(kind), quantiles.count, [quantiles.p50, quantiles.p90, quantiles.p99])
    });
    let about = match kinds.len().checked_sub(BARS_MAX) {
        Some(more) if more > 0 => {
            format!("The {BARS_MAX} most frequent kinds of request; {more} more are in the record.")
        }
        _ => "By the kind of the request.".to_owned(),
    };
    let plot = ranges("Quantiles of latency by kind of request", &rows.collect::<Vec<_>>());
    figure(None, "Latency by kind", &about, &[], &plot)
}

fn errors(summary: &Summary) -> Markup {
    let errors = &summary.errors;
    if errors.is_empty() {
        return figure(None, "Errors", "Every message was whole, and none was an error.", &[], &html! {});
    }
    let rows = errors.iter().take(BARS_MAX).map(|error| {
        let why = if error.why.is_empty() { "no reason given" } else { &*error.why };
        let name = format!("{} {} {} {}: {why}", error.protocol, error.side, error.kind, error.outcome);
        (visible(&name), "error", error.count)
    });
    let about = match errors.len().checked_sub(BARS_MAX) {
        Some(more) if more > 0 => format!("The {BARS_MAX} most frequent; {more} more are in the record."),
        _ => "By side, kind, outcome, and the code or the reason.".to_owned(),
    };
    let plot = bars("How many messages were not ok, and why", &rows.collect::<Vec<_>>());
    figure(None, "Errors", &about, &[], &plot)
}

fn sizes(summary: &Summary) -> Markup {
    let of = |side: Side| summary.side(side).length.as_ref().map_or(&[][..], |length| &length.distribution);
    let about = "How large messages are, by side";
    let (names, series) = by_powers(of(Side::Client), of(Side::Server), &|_, to| bytes(to));
    let plot = columns(about, &names, "up to this length", "% of the side's messages", "messages", &series);
    figure(None, "Frame sizes", "Length of messages on the wire, in powers of two.", SIDES, &plot)
}

fn cuts(summary: &Summary) -> Markup {
    let range = |from, to| if from == to { grouped(to) } else { format!("{} to {}", grouped(from), grouped(to)) };
    let per_chunk = summary.client.chunks.as_ref().zip(summary.server.chunks.as_ref()).map(|(client, server)| {
        let about = "How many messages each captured segment completes.";
        let (names, series) = by_powers(&client.messages_per_chunk, &server.messages_per_chunk, &range);
        let (x, y) = ("messages that end in the segment", "% of the side's segments");
        figure(None, "Messages per segment", about, SIDES, &columns(about, &names, x, y, "segments", &series))
    });
    let about = "Over how many captured segments each message is spread.";
    let (names, series) = by_powers(&summary.client.chunks_per_message, &summary.server.chunks_per_message, &range);
    let (x, y) = ("segments that the message lies in", "% of the side's messages");
    let per_message =
        figure(None, "Segments per message", about, SIDES, &columns(about, &names, x, y, "messages", &series));
    html! {
        @if let Some(per_chunk) = per_chunk { (per_chunk) }
        (per_message)
    }
}

/// Returns two distributions in powers of two over the same buckets: from the first bucket that is
/// not empty to the last.
fn by_powers(
    client: &[Bucket],
    server: &[Bucket],
    name: &dyn Fn(u64, u64) -> String,
) -> (Vec<String>, [Series<'static>; 2]) {
    let all = || client.iter().chain(server).map(|bucket| bucket.from);
    let first = all().min().unwrap_or_default();
    let last = all().max().unwrap_or_default();
    let mut starts = Vec::new();
    let mut start = 0_u64;
    while start <= last {
        if start >= first {
            starts.push(start);
        }
        start = match start {
            0 | 1 => start + 1,
            _ => (start - 1) * 2 + 1,
        };
    }
    let end = |start: u64| if start < 2 { start } else { (start - 1) * 2 };
    let names = starts.iter().map(|start| name(*start, end(*start)));
    let counts = |buckets: &[Bucket]| {
        let of = |start: &u64| buckets.iter().find(|bucket| bucket.from == *start).map_or(0, |bucket| bucket.count);
        starts.iter().map(of).collect()
    };
    let series = [Series { name: "client", counts: counts(client) }, Series { name: "server", counts: counts(server) }];
    (names.collect(), series)
}
