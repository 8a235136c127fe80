//! A plot as SVG: lines over labels, or bars.

use maud::{Markup, html};

/// The content of a plot.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    /// The name of the vertical axis, which begins at 0.
    pub(crate) axis: &'a str,
    pub(crate) is_line: bool,
    /// Points: their series, their label on the horizontal axis, and their value.
    pub(crate) points: Vec<(&'a str, &'a str, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// The edges of the drawing inside the picture.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 310.0;

/// Colours that people with any colour vision tell apart (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

impl Plot<'_> {
    /// Draws the plot.
    pub(crate) fn svg(&self) -> String {
        let (mut series, mut labels): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for (name, label, _) in &self.points {
            if !series.contains(name) {
                series.push(name);
            }
            if !labels.contains(label) {
                labels.push(label);
            }
        }
        let most = self.points.iter().map(|(_, _, value)| *value).fold(1.0, f64::max);
        let step = nice_step(most / 5.0);
        let top = (most / step).ceil() * step;
        let x = |label: &str| {
            let place = labels.iter().position(|it| *it == label).unwrap_or_default() as f64;
            LEFT + (RIGHT - LEFT) * (place + 0.5) / labels.len() as f64
        };
        let y = |value: f64| BOTTOM - (BOTTOM - TOP) * value / top;
        let text = |x: f64, y: f64, anchor: &str, text: &str| {
            html! { text x=(round(x)) y=(round(y)) text-anchor=(anchor) { (text) } }
        };
        let ticks = (0..=(top / step).round() as u32).map(|tick| f64::from(tick) * step);
        let drawing = html! {
            (text(WIDTH / 2.0, 24.0, "middle", self.title))
            (text(LEFT - 60.0, TOP - 12.0, "start", self.axis))
            @for tick in ticks {
                line x1=(LEFT) x2=(RIGHT) y1=(round(y(tick))) y2=(round(y(tick))) stroke="#ccc" {}
                (text(LEFT - 8.0, y(tick) + 4.0, "end", &with_separators(tick)))
            }
            @for label in &labels {
                (text(x(label), BOTTOM + 20.0, "middle", label))
            }
            @for (name, colour) in series.iter().zip(COLOURS) {
                @let points = self.points.iter().filter(|(series, _, _)| series == name);
                @let points: Vec<_> = points.map(|(_, label, value)| (x(label), y(*value))).collect();
                (if self.is_line { line(&points, colour) } else { bars(&points, colour) })
            }
            @if series.len() > 1 {
                @for (index, (name, colour)) in series.iter().zip(COLOURS).enumerate() {
                    @let at = LEFT + 200.0 * index as f64;
                    rect x=(at) y=(HEIGHT - 22.0) width="12" height="12" fill=(colour) {}
                    (text(at + 18.0, HEIGHT - 12.0, "start", name))
                }
            }
        };
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
                font-family="sans-serif" font-size="12" {
                rect width="100%" height="100%" fill="white" {}
                (drawing)
            }
        };
        svg.into_string() + "\n"
    }
}

fn line(points: &[(f64, f64)], colour: &str) -> Markup {
    let path: Vec<_> = points.iter().map(|(x, y)| format!("{},{}", round(*x), round(*y))).collect();
    html! {
        polyline points=(path.join(" ")) fill="none" stroke=(colour) stroke-width="2" {}
        @for (x, y) in points {
            circle cx=(round(*x)) cy=(round(*y)) r="3" fill=(colour) {}
        }
    }
}

fn bars(points: &[(f64, f64)], colour: &str) -> Markup {
    html! {
        @for (x, y) in points {
            rect x=(round(x - 50.0)) y=(round(*y)) width="100" height=(round(BOTTOM - y)) fill=(colour) {}
        }
    }
}

/// Returns 1, 2 or 5 times a power of ten, not below `step`.
fn nice_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|nice| *nice >= step).unwrap_or(power)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn with_separators(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
