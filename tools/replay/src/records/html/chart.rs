//! Plots as SVG. Colours come from the page's classes, so that they suit light and dark.
//!
//! The `title` of a mark has its numbers, which browsers show as a tooltip.

use enjamb_monitor::Bucket;
use maud::{Markup, PreEscaped, Render, html};

use crate::records::html::text::{compact, duration, grouped, short};

/// A drawing, in units of about a pixel.
pub(super) struct Plot {
    /// The sentence that describes the plot for people who cannot see it.
    about: String,
    /// The elements so far.
    marks: String,
    width: f64,
    height: f64,
    /// The room for the text around the plot.
    left: f64,
    bottom: f64,
    top: f64,
}

const RIGHT: f64 = 26.0;

/// Columns side by side for each of several sizes.
pub(super) struct Series<'a> {
    /// The name and the class of the series.
    pub(super) name: &'a str,
    /// A count for each bucket.
    pub(super) counts: Vec<u64>,
}

impl Plot {
    pub(super) fn new(width: f64, height: f64, left: f64, about: &str) -> Self {
        Self { about: about.to_owned(), marks: String::new(), width, height, left, bottom: 44.0, top: 28.0 }
    }

    pub(super) fn without_axis_below(mut self) -> Self {
        self.bottom = 6.0;
        self
    }

    pub(super) fn finish(self) -> Markup {
        let Self { about, marks, width, height, .. } = self;
        html! {
            svg viewBox=(format_args!("0 0 {width} {height}")) role="img" aria-label=(about) { (PreEscaped(marks)) }
        }
    }

    fn mark(&mut self, mark: &Markup) {
        mark.render_to(&mut self.marks);
    }

    pub(super) fn x_span(&self) -> f64 {
        self.width - self.left - RIGHT
    }

    pub(super) fn y_span(&self) -> f64 {
        self.height - self.top - self.bottom
    }

    /// Returns the place of a share of the width.
    pub(super) fn x(&self, share: f64) -> f64 {
        self.left + share * self.x_span()
    }

    /// Returns the place of a share of the height, from below.
    pub(super) fn y(&self, share: f64) -> f64 {
        self.top + (1.0 - share) * self.y_span()
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let (x, y) = (format_args!("{x:.1}"), format_args!("{y:.1}"));
        self.mark(&html! { text x=(x) y=(y) text-anchor=(anchor) class=(class) { (text) } });
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(|place| format!("{place:.1}"));
        self.mark(&html! { line class=(class) x1=(x1) y1=(y1) x2=(x2) y2=(y2) {} });
    }

    /// Adds a bar with a tooltip.
    pub(super) fn bar(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64, title: &str) {
        let [x, y, width, height] = [x, y, width.max(0.5), height.max(0.0)].map(|size| format!("{size:.2}"));
        self.mark(&html! {
            rect class=(class) x=(x) y=(y) width=(width) height=(height) { title { (title) } }
        });
    }

    /// Adds grid lines and numbers at the left for values up to `most`: from below or, if
    /// `mirrored`, from the middle both ways.
    pub(super) fn y_axis(&mut self, most: f64, mirrored: bool, label: &str) {
        let step = nice_step(most, if mirrored { 3.0 } else { 4.0 });
        let mut value = 0.0;
        while value <= most * 1.0001 {
            let places =
                if mirrored { vec![0.5 + value / most / 2.0, 0.5 - value / most / 2.0] } else { vec![value / most] };
            for share in places {
                let y = self.y(share);
                self.line(if value == 0.0 { "axis" } else { "grid" }, (self.left, y), (self.width - RIGHT, y));
                self.text(self.left - 6.0, y + 4.0, "end", "tick", &compact(value));
            }
            value += step;
        }
        self.text(4.0, 12.0, "start", "label", label);
    }

    /// Adds ticks below at round times. `span` is the whole width in microseconds.
    pub(super) fn time_axis(&mut self, span: f64, label: &str) {
        // A name of a tick takes about as much room as seventy units.
        let step = nice_step(span, (self.x_span() / 70.0).clamp(2.0, 8.0));
        let base = self.height - self.bottom;
        let mut at = 0.0;
        while at <= span * 1.0001 {
            let x = self.x(at / span);
            self.line("axis", (x, base), (x, base + 4.0));
            self.text(x, base + 17.0, "middle", "tick", &duration(at));
            at += step;
        }
        self.x_label(label);
    }

    pub(super) fn x_label(&mut self, label: &str) {
        self.text(self.x(0.5), self.height - 8.0, "middle", "label", label);
    }

    /// Adds names below, in the middle of equal parts of the axis.
    fn names_below(&mut self, names: &[String], label: &str) {
        let base = self.height - self.bottom;
        // As many as there is room for.
        let part = self.x_span() / names.len().max(1) as f64;
        let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(1) as f64 * 7.0 + 6.0;
        let every = (widest / part).ceil().max(1.0) as usize;
        for (place, name) in names.iter().enumerate().step_by(every) {
            self.text(self.left + (place as f64 + 0.5) * part, base + 17.0, "middle", "tick", name);
        }
        self.x_label(label);
    }
}

/// Draws grouped columns: the share of each series in each bucket. `names` are the names of the
/// buckets.
pub(super) fn columns(
    about: &str,
    names: &[String],
    x_label: &str,
    y_label: &str,
    noun: &str,
    series: &[Series<'_>],
) -> Markup {
    let mut plot = Plot::new(560.0, 260.0, 44.0, about);
    let totals: Vec<u64> = series.iter().map(|series| series.counts.iter().sum()).collect();
    let share =
        |series: usize, count: u64| if totals[series] == 0 { 0.0 } else { count as f64 / totals[series] as f64 };
    let shares =
        series.iter().enumerate().flat_map(|(i, series)| series.counts.iter().map(move |count| share(i, *count)));
    let most = shares.fold(0.0, f64::max) * 100.0;
    let most = round_up(most).min(100.0);
    plot.y_axis(most, false, y_label);
    let group = plot.x_span() / names.len().max(1) as f64;
    let column = (group * 0.8 / series.len().max(1) as f64).min(36.0);
    let margin = (group - column * series.len() as f64) / 2.0;
    for (i, Series { name, counts }) in series.iter().enumerate() {
        for (bucket, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let percent = share(i, *count) * 100.0;
            let height = percent / most * plot.y_span();
            let x = plot.left + bucket as f64 * group + margin + i as f64 * column;
            let title = format!("{name}, {}: {} {noun}, {} %", names[bucket], grouped(*count), short(percent));
            plot.bar(name, x, plot.y(0.0) - height, column - 1.0, height, &title);
        }
    }
    plot.names_below(names, x_label);
    plot.finish()
}

/// Draws counts over a logarithmic scale of microseconds. `marks` are values with a name.
pub(super) fn logarithmic(about: &str, buckets: &[Bucket], marks: &[(&str, u64)], noun: &str) -> Markup {
    let mut plot = Plot::new(560.0, 260.0, 52.0, about);
    // 0 has no logarithm: it is drawn to the left of 1.
    let log = |value: u64| if value == 0 { -0.3 } else { (value as f64).log10() };
    let end = |to: u64| log(to.saturating_add(1));
    let first = buckets.first().map_or(0.0, |bucket| log(bucket.from)).floor();
    let last = buckets.last().map_or(1.0, |bucket| end(bucket.to)).ceil().max(first + 1.0);
    let place = |log: f64| (log - first) / (last - first);
    let most = round_up(buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1) as f64 * 1.2);
    plot.y_axis(most, false, noun);
    let base = plot.height - plot.bottom;
    let mut decade = first.max(0.0);
    while decade <= last {
        let x = plot.x(place(decade));
        plot.line("grid", (x, plot.top), (x, base + 4.0));
        plot.text(x, base + 17.0, "middle", "tick", &duration(10_f64.powf(decade)));
        decade += 1.0;
    }
    for Bucket { from, to, count, .. } in buckets {
        let (left, right) = (plot.x(place(log(*from))), plot.x(place(end(*to))));
        let height = *count as f64 / most * plot.y_span();
        let title = format!("{} to {}: {} {noun}", duration(*from as f64), duration(*to as f64 + 1.0), grouped(*count));
        plot.bar("server", left + 0.5, plot.y(0.0) - height, right - left - 1.0, height, &title);
    }
    // Names that would overlap are put in rows.
    let mut taken: Vec<f64> = Vec::new();
    for (_, value) in marks {
        let x = plot.x(place(log(*value)).clamp(0.0, 1.0));
        plot.line("mark", (x, plot.top), (x, base));
    }
    for (name, value) in marks {
        let x = plot.x(place(log(*value)).clamp(0.0, 1.0));
        let text = format!("{name} {}", duration(*value as f64));
        let width = text.chars().count() as f64 * 7.0 + 14.0;
        // At the right edge, a name is written to the left of its mark.
        let to_the_left = x + width > plot.width;
        let (from, until) = if to_the_left { (x - width, x) } else { (x, x + width) };
        let row = taken.iter().position(|taken| from > *taken).unwrap_or(taken.len());
        match taken.get_mut(row) {
            Some(taken) => *taken = until,
            None => taken.push(until),
        }
        let (x, anchor) = if to_the_left { (x - 4.0, "end") } else { (x + 4.0, "start") };
        plot.text(x, plot.top + 10.0 + row as f64 * 14.0, anchor, "note", &text);
    }
    plot.x_label("latency, logarithmic");
    plot.finish()
}

/// Draws bars to the right, with their names above them: a name, a class, a count.
pub(super) fn bars(about: &str, rows: &[(String, &str, u64)]) -> Markup {
    const ROW: f64 = 34.0;
    let mut plot = Plot::new(560.0, rows.len() as f64 * ROW + 12.0, 8.0, about).without_axis_below();
    let most = rows.iter().map(|(.., count)| *count).max().unwrap_or(1).max(1) as f64;
    for (row, (name, class, count)) in rows.iter().enumerate() {
        let y = 6.0 + row as f64 * ROW;
        let length = *count as f64 / most * (plot.x_span() - 70.0);
        let shown: String = name.chars().take(78).collect();
        let cut = if shown.len() < name.len() { "\u{2026}" } else { "" };
        plot.text(plot.left, y + 11.0, "start", "tick", &format!("{shown}{cut}"));
        plot.bar(class, plot.left, y + 16.0, length, 11.0, &format!("{name}: {}", grouped(*count)));
        plot.text(plot.left + length + 6.0, y + 26.0, "start", "note", &grouped(*count));
    }
    plot.finish()
}

/// Draws ranges on a logarithmic scale of microseconds: a name, a count, and p50, p90 and p99.
pub(super) fn ranges(about: &str, rows: &[(String, u64, [u64; 3])]) -> Markup {
    const ROW: f64 = 24.0;
    let mut plot = Plot::new(560.0, rows.len() as f64 * ROW + 56.0, 118.0, about);
    plot.top = 8.0;
    let log = |value: u64| (value.max(1) as f64).log10();
    let first = rows.iter().map(|(.., [p50, ..])| log(*p50)).fold(f64::INFINITY, f64::min);
    let first = if first.is_finite() { first.floor() } else { 0.0 };
    let last = rows.iter().map(|(.., [.., p99])| log(*p99)).fold(first, f64::max).ceil().max(first + 1.0);
    let place = |value: u64| (log(value) - first) / (last - first);
    let base = plot.height - plot.bottom;
    let mut decade = first;
    while decade <= last {
        let x = plot.x((decade - first) / (last - first));
        plot.line("grid", (x, plot.top), (x, base + 4.0));
        plot.text(x, base + 17.0, "middle", "tick", &duration(10_f64.powf(decade)));
        decade += 1.0;
    }
    for (row, (name, count, [p50, p90, p99])) in rows.iter().enumerate() {
        let y = plot.top + (row as f64 + 0.5) * ROW;
        let shown: String = name.chars().take(15).collect();
        plot.text(plot.left - 8.0, y + 4.0, "end", "tick", &shown);
        let [from, middle, to] = [p50, p90, p99].map(|value| plot.x(place(*value)));
        let [p50, p90, p99] = [p50, p90, p99].map(|value| duration(*value as f64));
        let title = format!("{name}: p50 {p50}, p90 {p90}, p99 {p99}, of {} answers", grouped(*count));
        plot.bar("server faint", from, y - 3.0, to - from, 6.0, &title);
        for (class, x) in [("server", from), ("server", middle), ("server", to)] {
            plot.bar(class, x - 1.5, y - 7.0, 3.0, 14.0, &title);
        }
    }
    plot.x_label("p50, p90 and p99, logarithmic");
    plot.finish()
}

/// Returns a round step that fits about `parts` times into `most`.
fn nice_step(most: f64, parts: f64) -> f64 {
    let rough = (most / parts).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0);
    step * power
}

/// Returns the next round number that is not smaller than `most`.
pub(super) fn round_up(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let step = nice_step(most, 4.0);
    (most / step).ceil() * step
}
