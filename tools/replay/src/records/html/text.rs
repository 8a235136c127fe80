//! Text in a page: visible control characters, and numbers in a form for people.

use std::fmt::Write as _;

pub(super) use enjamb::units::format_count as grouped;
use maud::{Markup, html};

/// Returns text with its control characters escaped, so that they are visible. The templates escape
/// markup.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Returns text from the wire, so that it does not change the writing direction of the text around
/// it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// Returns JSON for a `script` element. No text in it can end the element.
pub(super) fn json_in_script(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Returns a count and a noun whose plural ends in `s`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Returns a number to about three digits, without zeros at its end.
pub(super) fn short(number: f64) -> String {
    let size = number.abs();
    let places = match size {
        _ if size == 0.0 || size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    let mut text = String::new();
    let _ = write!(text, "{number:.places$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
}

/// Returns a number with `k`, `M` and so on for powers of a thousand.
pub(super) fn compact(number: f64) -> String {
    match number.abs() {
        size if size >= 1e12 => short(number / 1e12) + "T",
        size if size >= 1e9 => short(number / 1e9) + "G",
        size if size >= 1e6 => short(number / 1e6) + "M",
        size if size >= 1e4 => short(number / 1e3) + "k",
        _ => short(number),
    }
}

/// Returns microseconds, in a suitable unit.
pub(super) fn duration(micros: f64) -> String {
    match micros {
        _ if micros < 1e3 => short(micros) + " \u{b5}s",
        _ if micros < 1e6 => short(micros / 1e3) + " ms",
        _ if micros < 120e6 => short(micros / 1e6) + " s",
        _ if micros < 7200e6 => short(micros / 60e6) + " min",
        _ => short(micros / 3600e6) + " h",
    }
}

/// Returns bytes, in powers of 1024.
pub(super) fn bytes(bytes: u64) -> String {
    let size = bytes as f64;
    match bytes {
        0..=1023 => format!("{bytes} B"),
        1024..=1_048_575 => short(size / 1024.0) + " KiB",
        1_048_576..=1_073_741_823 => short(size / 1_048_576.0) + " MiB",
        _ => short(size / 1_073_741_824.0) + " GiB",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_from_the_wire_is_markup() {
        assert_eq!(
            foreign("<b a=\"1\" c='2'>&\u{1b}[31m\n").into_string(),
            "<bdi>&lt;b a=&quot;1&quot; c='2'&gt;&amp;\\u{1b}[31m\\n</bdi>"
        );
        let json = json_in_script(&serde_json::json!({ "why": "</script><!--&" }));
        assert!(!json.contains(['<', '>', '&']));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["why"], "</script><!--&");
    }

    #[test]
    fn numbers_have_few_digits_and_a_unit() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.05, 1.5, 12.34, 999.0].map(short), ["0", "0.05", "1.5", "12.3", "999"]);
        assert_eq!([577.0, 1430.0, 2e6, 300e6].map(duration), ["577 \u{b5}s", "1.43 ms", "2 s", "5 min"]);
        assert_eq!([5, 1024, 1_572_864].map(bytes), ["5 B", "1 KiB", "1.5 MiB"]);
        assert_eq!([950.0, 15_000.0, 2.5e6].map(compact), ["950", "15k", "2.5M"]);
    }
}
