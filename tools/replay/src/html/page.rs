//! The page: what is on it, and in which order.

use std::fmt::Write as _;
use std::io::{self, Write};

use enjamb::Side;
use serde_json::{Value, json};

use crate::html::chart::{Plot, Series, bars, columns, logarithmic, ranges, round_up};
use crate::html::text::{bytes, compact, duration, escaped, foreign, grouped, json_in_script};
use crate::html::timeline::{DRAWN_MAX, Timeline};
use enjamb_sources::worded;

/// How many rows a list has.
const LISTED_MAX: usize = 20;

/// How many bars a plot has.
const BARS_MAX: usize = 10;

/// How many columns the rate is drawn in.
const RATE_COLUMNS: usize = 256;

/// What a report is made of.
pub(crate) struct Page<'a> {
    /// The summary as a record.
    pub(crate) summary: &'a Value,
    pub(crate) timeline: &'a Timeline,
    /// The names of the captures.
    pub(crate) captures: &'a [String],
    /// What is wrong with captures, in words.
    pub(crate) faults: &'a [String],
    /// What captures lacked: its name in the summary's `capture`, and in words.
    pub(crate) notes: &'a [(&'static str, &'static str)],
    /// What was selected, if not everything.
    pub(crate) selected: &'a str,
}

/// Writes a report.
///
/// # Errors
/// `out` cannot be written to.
pub(crate) fn write(page: &Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    let data = json!({
        "summary": page.summary,
        "captures": page.captures,
        "over_time": page.timeline.to_json(),
    });
    let name = title(page.captures);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{name}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{script}</script>\n</body>\n</html>\n",
        name = escaped(&name),
        style = include_str!("style.css"),
        script = include_str!("script.js"),
        body = page.body(&name),
        data = json_in_script(&data),
    )
}

fn title(captures: &[String]) -> String {
    match captures {
        [] => "nothing was read".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// A number of the summary, with its place there.
fn number(summary: &Value, path: &str) -> String {
    let value = summary.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    format!("<span data-path=\"{}\">{}</span>", escaped(path), grouped(value))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn count(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

fn words<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A table: its caption, the names of its columns, and its rows. The first column is words, and so are those that say so.
fn table(caption: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut html = format!("<div class=\"panel scroll\"><table><caption>{}</caption><thead><tr>", escaped(caption));
    let class = |name: &str| if name.starts_with(' ') { " class=\"word\"" } else { "" };
    for name in columns {
        let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(name), escaped(name.trim()));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for (cell, name) in row.iter().zip(columns) {
            let _ = write!(html, "<td{}>{cell}</td>", class(name));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// A plot with what it is and what it shows.
fn figure(class: &str, title: &str, about: &str, key: &[(&str, &str)], plot: &str) -> String {
    let mut keys = String::new();
    if !key.is_empty() {
        let entries =
            key.iter().map(|(class, name)| format!("<span><i class=\"{class}\"></i>{}</span>", escaped(name)));
        keys = format!("<div class=\"key\">{}</div>", entries.collect::<String>());
    }
    format!(
        "<figure class=\"{class}\"><figcaption><h3>{}</h3><p>{}</p>{keys}</figcaption><div class=\"scroll\">{plot}</div></figure>\n",
        escaped(title),
        escaped(about)
    )
}

/// Plots under a heading.
fn section(title: &str, figures: &str, html: &mut String) {
    let _ = write!(html, "<h2>{}</h2>\n<div class=\"grid\">\n{figures}</div>\n", escaped(title));
}

const SIDES: [(&str, &str); 2] = [("client", "client"), ("server", "server")];

impl Page<'_> {
    fn body(&self, name: &str) -> String {
        let mut html = format!("<header><h1>{}</h1>\n", foreign(name));
        self.header(&mut html);
        html.push_str("</header>\n");
        self.tiles(&mut html);
        self.lacking(&mut html);
        html.push_str("<main>\n");
        if count(&self.summary["client"], "messages") + count(&self.summary["server"], "messages") == 0 {
            html.push_str("<p>There are no messages.</p>\n");
        } else {
            section("Over time", &(self.rate() + &self.connections()), &mut html);
            section("Latency", &(self.latency() + &self.latency_by_kind()), &mut html);
            section("Errors and sizes", &(self.errors() + &self.sizes()), &mut html);
            section("How messages were cut", &self.cuts(), &mut html);
        }
        html.push_str("<h2>In numbers</h2>\n<div class=\"grid tables\">\n");
        self.tables(&mut html);
        html.push_str("</div>\n</main>\n");
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(
            html,
            "<footer>Written by enjamb {version}. All numbers are in the element <code>data</code> of this page, as JSON.</footer>"
        );
        html
    }

    fn header(&self, html: &mut String) {
        let text = |name: &str| self.summary[name].as_str();
        if let (Some(first), Some(last)) = (text("first"), text("last")) {
            let _ = writeln!(
                html,
                "<p class=\"muted\"><time>{}</time> to <time>{}</time></p>",
                escaped(first),
                escaped(last)
            );
        }
        if self.captures.len() > 1 {
            let names = self.captures.iter().take(LISTED_MAX).map(|name| foreign(name)).collect::<Vec<_>>().join(", ");
            let more = self.captures.len().saturating_sub(LISTED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _ = writeln!(html, "<p class=\"muted\">{} captures: {names}{more}</p>", self.captures.len());
        }
        if !self.selected.is_empty() {
            let _ = writeln!(html, "<p class=\"notes\">{}</p>", foreign(self.selected.trim_end()));
        }
    }

    fn tiles(&self, html: &mut String) {
        let summary = self.summary;
        html.push_str("<div class=\"tiles\">\n");
        let mut tile = |class: &str, big: &str, small: &str| {
            let _ = writeln!(html, "<div class=\"tile {class}\"><b>{big}</b><span>{small}</span></div>");
        };
        let both = |name: &str| count(&summary["client"], name) + count(&summary["server"], name);
        tile("", &number(summary, "/connections"), "connections");
        for (side, what) in [("client", "client messages"), ("server", "server messages")] {
            tile("", &number(summary, &format!("/{side}/messages")), what);
        }
        tile("", &escaped(&bytes(both("bytes"))), "of payload");
        let latency = &summary["latency_us"];
        if latency.is_object() {
            tile("", &escaped(&duration(count(latency, "p50") as f64)), "median latency");
            tile("", &escaped(&duration(count(latency, "p99") as f64)), "p99 latency");
        }
        for (name, what) in [("failed", "failed"), ("malformed", "malformed"), ("incomplete", "incomplete")] {
            let class = if both(name) > 0 { "bad" } else { "" };
            tile(class, &grouped(both(name)), what);
        }
        html.push_str("</div>\n");
    }

    /// What is to be known before the numbers are believed.
    fn lacking(&self, html: &mut String) {
        let capture = &self.summary["capture"];
        let mut items: Vec<String> = self.faults.iter().take(LISTED_MAX).map(|fault| foreign(fault)).collect();
        for (name, words) in self.notes.iter().filter(|(name, _)| count(capture, name) > 0) {
            let words = worded(words, count(capture, name));
            items.push(format!("{} {}", number(self.summary, &format!("/capture/{name}")), escaped(&words)));
        }
        if !items.is_empty() {
            let items = items.iter().map(|item| format!("<li>{item}</li>")).collect::<String>();
            let _ = writeln!(html, "<div class=\"notes\"><h3>What the captures lack</h3><ul>{items}</ul></div>");
        }
    }

    fn rate(&self) -> String {
        let (bins, step) = self.timeline.bins(RATE_COLUMNS);
        let seconds = step as f64 / 1e9;
        let most = bins.iter().flat_map(|bin| bin.messages).max().unwrap_or_default() as f64 / seconds;
        let most = round_up(most);
        let about = "Messages per second over time, those of clients above the line, those of servers below";
        let mut plot = Plot::new(1140.0, 300.0, 56.0, about);
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
                let height = |count: u64| count as f64 / seconds / most * half;
                let mut bar = |class: &str, count: u64| {
                    let height = height(count);
                    let y = if side == Side::Client { middle - height } else { middle };
                    plot.bar(class, x, y, (width - 0.4).max(0.6), height, &title);
                };
                bar(side.as_str(), messages);
                if errors > 0 {
                    bar("error", errors);
                }
            }
        }
        plot.time_axis(step_us * bins.len().max(1) as f64, "time since the first");
        let key = [("client", "client, upwards"), ("server", "server, downwards"), ("error", "of them not ok")];
        let about = format!("In steps of {}.", duration(step_us));
        figure("wide", "Messages over time", &about, &key, &plot.finish())
    }

    fn connections(&self) -> String {
        const ROW: f64 = 15.0;
        let drawn = self.timeline.connections();
        let (bins, step) = self.timeline.bins(usize::MAX);
        let origin = self.timeline.origin();
        let span = (step as f64 * bins.len().max(1) as f64).max(1.0);
        let about = "When connections were open, and when messages came on them";
        let mut plot = Plot::new(1140.0, drawn.len() as f64 * ROW + 64.0, 190.0, about);
        let share = |time: enjamb::Time| time.since(origin).as_nanos() as f64 / span;
        let tick = (plot.x_span() / bins.len().max(1) as f64).clamp(1.2, 6.0);
        for (row, connection) in drawn.iter().enumerate() {
            let y = 20.0 + row as f64 * ROW;
            let label = format!("#{} {}", connection.connection.number, connection.connection.client);
            let label: String = label.chars().take(30).collect();
            plot.text(plot.x(0.0) - 8.0, y + 9.0, "end", "tick", &label);
            let (from, to) = (plot.x(share(connection.from)), plot.x(share(connection.to)));
            let lasted = connection.to.since(connection.from).as_micros() as f64;
            let [client, server] = connection.totals.messages;
            let errors = connection.totals.errors.iter().sum::<u64>();
            let life = format!(
                "#{} {} to {}: {}, {} of the client and {} of the server{}",
                connection.connection.number,
                connection.connection.client,
                connection.connection.server,
                duration(lasted),
                counted(client, "message"),
                grouped(server),
                if errors > 0 { format!(", {} not ok", grouped(errors)) } else { String::new() },
            );
            plot.bar("life", from, y, (to - from).max(2.0), 11.0, &life);
            for (bin, counts) in &connection.ticks {
                let since = self.timeline.since_origin(*bin) as f64;
                let x = plot.x(since / span);
                let at = duration(since / 1000.0);
                let [client, server] = counts.messages;
                let errors: u64 = counts.errors.iter().sum();
                let title = format!(
                    "#{} at {at}: {client} of the client, {server} of the server, {errors} not ok",
                    connection.connection.number
                );
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
        plot.time_axis(span / 1000.0, "time since the first");
        let total = count(self.summary, "connections");
        let about = match total.checked_sub(drawn.len() as u64) {
            Some(more) if more > 0 => {
                format!(
                    "The first {DRAWN_MAX} of {}: {} more are not drawn.",
                    counted(total, "connection"),
                    grouped(more)
                )
            }
            _ => "From the first packet to the last, with the messages as ticks.".to_owned(),
        };
        let key = [("client", "messages of the client"), ("server", "of the server"), ("error", "some not ok")];
        figure("wide", "Connections", &about, &key, &plot.finish())
    }

    fn latency(&self) -> String {
        let latency = &self.summary["latency_us"];
        if !latency.is_object() {
            return figure("", "Latency", "No message answers another.", &[], "");
        }
        let buckets: Vec<_> = list(latency, "distribution").iter().map(bucket).collect();
        let marks = ["p50", "p90", "p99"].map(|name| (name, count(latency, name)));
        let plot = logarithmic("How many answers took how long", &buckets, &marks, "answers");
        let about = format!(
            "From the end of the request to the end of the answer, of {}.",
            counted(count(latency, "count"), "answer")
        );
        figure("", "Latency", &about, &[], &plot)
    }

    fn latency_by_kind(&self) -> String {
        let kinds = list(self.summary, "latency_us_by_kind");
        if kinds.len() < 2 {
            return String::new();
        }
        let row = |kind: &Value| {
            (words(kind, "kind").to_owned(), count(kind, "count"), ["p50", "p90", "p99"].map(|name| count(kind, name)))
        };
        let rows: Vec<_> = kinds.iter().take(BARS_MAX).map(row).collect();
        let about = match kinds.len().checked_sub(BARS_MAX) {
            Some(more) if more > 0 => {
                format!("The {BARS_MAX} most frequent kinds of request; {more} more are in the table.")
            }
            _ => "By the kind of the request.".to_owned(),
        };
        figure("", "Latency by kind", &about, &[], &ranges("Quantiles of latency by kind of request", &rows))
    }

    fn errors(&self) -> String {
        let errors = list(self.summary, "errors");
        if errors.is_empty() {
            return figure("", "Errors", "Every message was whole, and none was an error.", &[], "");
        }
        let row = |error: &Value| {
            let why = words(error, "why");
            let why = if why.is_empty() { "no reason given" } else { why };
            let name = format!("{} {} {}: {why}", words(error, "side"), words(error, "kind"), words(error, "outcome"));
            (name, "error", count(error, "count"))
        };
        let rows: Vec<_> = errors.iter().take(BARS_MAX).map(row).collect();
        let about = match errors.len().checked_sub(BARS_MAX) {
            Some(more) if more > 0 => format!("The {BARS_MAX} most frequent; {more} more are in the table."),
            _ => "By side, kind, outcome, and the code or the reason.".to_owned(),
        };
        figure("", "Errors", &about, &[], &bars("How many messages were not ok, and why", &rows))
    }

    fn sizes(&self) -> String {
        let of = |side: &str| &self.summary[side]["length"]["distribution"];
        let about = "How large messages are, by side";
        let (names, series) = by_powers(of("client"), of("server"), &|to| bytes(to));
        let names: Vec<_> =
            names.into_iter().map(|name| name.rsplit(" to ").next().unwrap_or_default().to_owned()).collect();
        let plot = columns(about, &names, "up to this length", "% of the side's messages", "messages", &series);
        figure("", "Frame sizes", "Length of messages on the wire, in powers of two.", &SIDES, &plot)
    }

    fn cuts(&self) -> String {
        let mut html = String::new();
        let whole_streams = self.summary["client"]["chunks"].is_u64();
        let plots = [
            (
                "messages_per_chunk",
                "Messages per segment",
                "How many messages each captured segment completes.",
                "messages that end in the segment",
                "% of the side's segments",
                "segments",
            ),
            (
                "chunks_per_message",
                "Segments per message",
                "Over how many captured segments each message is spread.",
                "segments that the message lies in",
                "% of the side's messages",
                "messages",
            ),
        ];
        for (field, title, about, x, y, what) in plots {
            if field == "messages_per_chunk" && !whole_streams {
                continue;
            }
            let of = |side: &str| &self.summary[side][field];
            let (names, series) = by_powers(of("client"), of("server"), &grouped);
            html.push_str(&figure("", title, about, &SIDES, &columns(about, &names, x, y, what, &series)));
        }
        html
    }

    fn tables(&self, html: &mut String) {
        let summary = self.summary;
        let at = |path: String| number(summary, &path);
        let sides = |name: &str, field: &str| {
            vec![escaped(name), at(format!("/client/{field}")), at(format!("/server/{field}"))]
        };
        let mut rows = vec![sides("bytes", "bytes")];
        if summary["client"]["chunks"].is_u64() {
            rows.push(sides("segments", "chunks"));
        }
        rows.extend(["messages", "ok", "failed", "malformed", "incomplete", "gaps"].map(|name| sides(name, name)));
        rows.push(sides("bytes missing in gaps", "missing"));
        html.push_str(&table("What each side sent", &["", "client", "server"], &rows));

        let quantiles = ["count", "p50", "p90", "p99", "p999", "max"];
        let spread = |name: String, path: &str| {
            let numbers = quantiles.map(|quantile| at(format!("{path}/{quantile}")));
            [name].into_iter().chain(numbers).collect::<Vec<_>>()
        };
        let header: Vec<&str> = [""].into_iter().chain(quantiles).collect();
        let mut rows = Vec::new();
        if summary["latency_us"].is_object() {
            rows.push(spread("all answers".to_owned(), "/latency_us"));
            for (place, kind) in list(summary, "latency_us_by_kind").iter().enumerate().take(LISTED_MAX) {
                rows.push(spread(
                    "to ".to_owned() + &foreign(words(kind, "kind")),
                    &format!("/latency_us_by_kind/{place}"),
                ));
            }
        }
        html.push_str(&table("Latency, microseconds", &header, &rows));

        let mut rows = Vec::new();
        for side in ["client", "server"] {
            if summary[side]["length"].is_object() {
                rows.push(spread(format!("messages of the {side}"), &format!("/{side}/length")));
            }
        }
        html.push_str(&table("Length, bytes", &header, &rows));

        for side in ["client", "server"] {
            let kinds = list(&summary[side], "kinds").iter().enumerate().take(LISTED_MAX);
            let rows: Vec<_> = kinds
                .map(|(place, kind)| {
                    let fields = ["messages", "bytes", "ok", "failed", "malformed", "incomplete"];
                    let numbers = fields.map(|field| at(format!("/{side}/kinds/{place}/{field}")));
                    [foreign(words(kind, "kind"))].into_iter().chain(numbers).collect()
                })
                .collect();
            let caption = capped(&format!("Messages of the {side}, by kind"), list(&summary[side], "kinds").len());
            html.push_str(&table(
                &caption,
                &["kind", "messages", "bytes", "ok", "failed", "malformed", "incomplete"],
                &rows,
            ));
        }

        let errors = list(summary, "errors");
        let rows: Vec<_> = errors
            .iter()
            .enumerate()
            .take(LISTED_MAX)
            .map(|(place, error)| {
                let text = ["side", "kind", "outcome", "why"].map(|name| foreign(words(error, name)));
                text.into_iter().chain([at(format!("/errors/{place}/count"))]).collect()
            })
            .collect();
        let columns = ["side", " kind", " outcome", " code or reason", "count"];
        html.push_str(&table(&capped("Errors", errors.len()), &columns, &rows));

        let endings = list(summary, "endings");
        let rows: Vec<_> = endings
            .iter()
            .enumerate()
            .map(|(place, ending)| {
                vec![
                    escaped(words(ending, "client")),
                    escaped(words(ending, "server")),
                    at(format!("/endings/{place}/count")),
                ]
            })
            .collect();
        html.push_str(&table("How connections ended", &["client's stream", " server's stream", "connections"], &rows));

        let rows: Vec<_> = list(summary, "longest")
            .iter()
            .enumerate()
            .map(|(place, lasted)| {
                let ends = format!("{} \u{2192} {}", words(lasted, "client"), words(lasted, "server"));
                let numbers = ["conn", "duration_us", "client_messages", "server_messages"]
                    .map(|field| at(format!("/longest/{place}/{field}")));
                let [conn, duration, client, server] = numbers;
                vec![conn, escaped(&ends), foreign(words(lasted, "protocol")), duration, client, server]
            })
            .collect();
        let columns =
            ["conn", " client and server", " protocol", "microseconds", "client's messages", "server's messages"];
        html.push_str(&table("The connections that lasted longest", &columns, &rows));
    }
}

fn bucket(value: &Value) -> (u64, u64, u64) {
    (count(value, "from"), count(value, "to"), count(value, "count"))
}

fn capped(caption: &str, length: usize) -> String {
    if length > LISTED_MAX { format!("{caption}: {LISTED_MAX} of {length}") } else { caption.to_owned() }
}

/// So many of something.
fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Two distributions in powers of two, over the same buckets: those between the first and the last that has something in it.
fn by_powers(client: &Value, server: &Value, name: &dyn Fn(u64) -> String) -> (Vec<String>, [Series<'static>; 2]) {
    let listed = |value: &Value| value.as_array().map_or(Vec::new(), |list| list.iter().map(bucket).collect());
    let (client, server): (Vec<_>, Vec<_>) = (listed(client), listed(server));
    let all = || client.iter().chain(&server);
    let first = all().map(|(from, ..)| *from).min().unwrap_or_default();
    let last = all().map(|(from, ..)| *from).max().unwrap_or_default();
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
    let names = starts.iter().map(|start| match (*start, end(*start)) {
        (from, to) if from == to => name(to),
        (from, to) => format!("{} to {}", name(from), name(to)),
    });
    let counts = |list: &[(u64, u64, u64)]| {
        let of = |start: &u64| list.iter().find(|(from, ..)| from == start).map_or(0, |(.., count)| *count);
        starts.iter().map(of).collect()
    };
    let series =
        [Series { name: "client", counts: counts(&client) }, Series { name: "server", counts: counts(&server) }];
    (names.collect(), series)
}
