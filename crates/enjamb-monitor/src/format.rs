//! Records as lines: JSON for programs, text for people.
//!
//! What strangers sent ends up in both. JSON escapes it by its own rules; in text every control character is escaped, so that
//! a message cannot draw on the terminal of whoever reads the log, nor begin a line of its own.

use std::net::SocketAddr;

use enjamb::Time;

use crate::payload::ShowForm;
use crate::record::{Record, Value, Visitor};
use crate::text::TextLine;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line a record, for people.
    Text {
        /// With terminal colours.
        colour: bool,
    },
    /// One JSON object a line, for programs.
    JsonLines,
}

impl Format {
    /// Appends `record` and a line feed.
    pub fn write(self, record: &Record<'_>, line: &mut String) {
        let mut writer = self.writer(line);
        record.visit(&mut writer);
        writer.finish();
    }

    /// A writer of one record, field by field.
    #[must_use]
    pub fn writer(self, line: &mut String) -> LineWriter<'_> {
        let state = match self {
            Self::Text { colour } => State::Text(TextLine::new(colour)),
            Self::JsonLines => State::Json { first: true },
        };
        LineWriter { line, state }
    }
}

/// Writes one record, field by field.
pub struct LineWriter<'a> {
    line: &'a mut String,
    state: State,
}

enum State {
    Json { first: bool },
    Text(TextLine),
}

impl LineWriter<'_> {
    /// Cuts the summary, so that the line fits into as many columns of a terminal. Of JSON nothing is cut.
    #[must_use]
    pub fn within(mut self, columns: Option<usize>) -> Self {
        if let State::Text(text) = &mut self.state {
            text.within(columns);
        }
        self
    }

    /// The record is complete.
    pub fn finish(self) {
        match self.state {
            State::Json { .. } => self.line.push_str("}\n"),
            State::Text(text) => text.finish(self.line),
        }
    }
}

impl Visitor for LineWriter<'_> {
    // Where the field is known, most of this is decided when it is compiled.
    #[inline(always)]
    fn field(&mut self, name: &'static str, value: Value<'_>) {
        match &mut self.state {
            State::Json { first } => {
                json_name(first, name, self.line);
                json_value(value, self.line);
            }
            State::Text(text) => text.field(name, value, self.line),
        }
    }

    #[inline(always)]
    fn word(&mut self, name: &'static str, word: &'static str) {
        match &mut self.state {
            State::Json { first } => {
                json_name(first, name, self.line);
                self.line.push('"');
                self.line.push_str(word);
                self.line.push('"');
            }
            State::Text(text) => text.field(name, Value::Text(word), self.line),
        }
    }

    #[inline(always)]
    fn address(&mut self, name: &'static str, address: &SocketAddr) {
        match &mut self.state {
            State::Json { first } => {
                json_name(first, name, self.line);
                self.line.push('"');
                push_address(address, self.line);
                self.line.push('"');
            }
            State::Text(text) => text.address(name, address, self.line),
        }
    }
}

#[inline(always)]
fn json_name(first: &mut bool, name: &str, line: &mut String) {
    line.push_str(if std::mem::take(first) { "{\"" } else { ",\"" });
    line.push_str(name);
    line.push_str("\":");
}

#[inline(always)]
fn json_value(value: Value<'_>, line: &mut String) {
    match value {
        Value::Number(number) => push_number(number, line),
        Value::Text(text) => {
            line.push('"');
            push_json(text, line);
            line.push('"');
        }
        Value::Display(display) => {
            line.push('"');
            push(&mut Escaping(line, push_json), format_args!("{display}"));
            line.push('"');
        }
        Value::Time(time) => {
            line.push('"');
            line.push_str(Rfc3339(time).text().as_str());
            line.push('"');
        }
        Value::Payload(payload) => {
            line.push('"');
            match payload.form {
                ShowForm::Text => push(&mut Escaping(line, push_json), format_args!("{}", payload.text())),
                ShowForm::Hex => push(line, format_args!("{}", payload.hex())),
            }
            line.push('"');
        }
    }
}

/// A value without anything around it. Control characters are escaped.
pub(crate) fn push_value(value: Value<'_>, line: &mut String) {
    match value {
        Value::Text(text) => push_plain(text, line),
        Value::Number(number) => push_number(number, line),
        Value::Display(display) => push(&mut Escaping(line, push_plain), format_args!("{display}")),
        Value::Time(time) => line.push_str(Rfc3339(time).text().as_str()),
        Value::Payload(payload) => match payload.form {
            ShowForm::Text => push(line, format_args!("{}", payload.text())),
            ShowForm::Hex => push(line, format_args!("{}", payload.hex())),
        },
    }
}

/// Writing to a `String` does not fail; a `Display` that says it failed has written what it could.
pub(crate) fn push(out: &mut impl std::fmt::Write, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}

/// Escapes whatever is written to it.
struct Escaping<'a>(&'a mut String, fn(&str, &mut String));

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        (self.1)(text, self.0);
        Ok(())
    }
}

/// A number in decimal digits.
pub(crate) fn push_number(number: u64, line: &mut String) {
    line.push_str(itoa::Buffer::new().format(number));
}

/// So many of something, whose plural ends in `s`.
pub(crate) fn push_counted(number: u64, what: &str, line: &mut String) {
    push_number(number, line);
    line.push(' ');
    line.push_str(what);
    line.push_str(if number == 1 { "" } else { "s" });
}

/// A time for people, from microseconds to hours: three digits of it, none of them rounded up.
pub(crate) fn push_duration(micros: u64, line: &mut String) {
    let (unit, name) = match micros {
        0..1_000 => (1, " us"),
        1_000..1_000_000 => (1_000, " ms"),
        1_000_000..120_000_000 => (1_000_000, " s"),
        120_000_000..7_200_000_000 => (60_000_000, " min"),
        _ => (3_600_000_000, " h"),
    };
    push_number(micros / unit, line);
    let hundredths = micros % unit * 100 / unit;
    match micros / unit {
        0..10 if unit > 1 => {
            line.push('.');
            push_number(hundredths / 10, line);
            push_number(hundredths % 10, line);
        }
        10..100 if unit > 1 => {
            line.push('.');
            push_number(hundredths / 10, line);
        }
        _ => {}
    }
    line.push_str(name);
}

/// An address as its `Display` has it. Every record has two of them, so what most are is written without the ways round that a `Display` goes.
pub(crate) fn push_address(address: &SocketAddr, line: &mut String) {
    let SocketAddr::V4(address) = address else { return push(line, format_args!("{address}")) };
    // Each octet takes three digits and what follows it at most, a port five.
    let mut text = [0; 4 * 4 + 5];
    let mut end = 0;
    let mut put = |byte| {
        text[end] = byte;
        end += 1;
    };
    for (octet, follows) in address.ip().octets().into_iter().zip(*b"...:") {
        if octet >= 100 {
            put(b'0' + octet / 100);
        }
        if octet >= 10 {
            put(b'0' + octet / 10 % 10);
        }
        put(b'0' + octet % 10);
        put(follows);
    }
    for byte in itoa::Buffer::new().format(address.port()).bytes() {
        put(byte);
    }
    // All of it is ASCII.
    line.push_str(std::str::from_utf8(&text[..end]).unwrap_or_default());
}

/// The inside of a JSON string (RFC 8259, section 7). DEL and the C1 controls are escaped too, though they need not be.
fn push_json(text: &str, line: &mut String) {
    const SUSPECTS: [bool; 256] = suspects(b"\"\\");
    let is_plain = |byte| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    push_runs(text, line, &SUSPECTS, is_plain, |c, line| match c {
        '"' => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        c if c.is_control() => push(line, format_args!("\\u{:04x}", u32::from(c))),
        c => line.push(c),
    });
}

/// Control characters as `\n`, `\u{1b}`.
pub(crate) fn push_plain(text: &str, line: &mut String) {
    const SUSPECTS: [bool; 256] = suspects(b"");
    let is_plain = |byte| matches!(byte, b' '..=b'~');
    push_runs(text, line, &SUSPECTS, is_plain, |c, line| {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    });
}

/// The bytes that a character to be escaped may begin with: `others`, and those of control characters. The C1 controls are U+0080 to U+009F, which
/// begin with C2 in UTF-8 as some other characters do.
const fn suspects(others: &[u8]) -> [bool; 256] {
    let mut suspects = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        suspects[byte] = true;
        byte += 1;
    }
    suspects[0x7f] = true;
    suspects[0xc2] = true;
    let mut at = 0;
    while at < others.len() {
        suspects[others[at] as usize] = true;
        at += 1;
    }
    suspects
}

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// Where the first suspect is. Text without any is what there is for the most part, and of that a block is passed over in a few instructions.
#[inline(always)]
fn first_suspect(text: &[u8], suspects: &[bool; 256], is_plain: impl Fn(u8) -> bool) -> Option<usize> {
    let (blocks, _) = text.as_chunks::<BLOCK>();
    // All of a block, instead of up to the first: that is what a vector does.
    let plain = blocks.iter().take_while(|block| block.iter().fold(true, |plain, byte| plain & is_plain(*byte)));
    let from = plain.count() * BLOCK;
    text[from..].iter().position(|byte| suspects[usize::from(*byte)]).map(|at| from + at)
}

/// Copies `text`, but for characters that begin with a suspect: those `escape` writes. What `is_plain` is no suspect.
#[inline(always)]
fn push_runs(
    text: &str,
    line: &mut String,
    suspects: &[bool; 256],
    is_plain: impl Fn(u8) -> bool,
    escape: impl Fn(char, &mut String),
) {
    let mut rest = text;
    while let Some(at) = first_suspect(rest.as_bytes(), suspects, &is_plain) {
        // No suspect is inside of a character.
        let (run, from) = rest.split_at(at);
        line.push_str(run);
        let mut chars = from.chars();
        if let Some(c) = chars.next() {
            escape(c, line);
        }
        rest = chars.as_str();
    }
    line.push_str(rest);
}

/// A time as RFC 3339 has it, in UTC, with nine decimals.
pub struct Rfc3339(pub Time);

/// Such a time, written out.
pub(crate) struct TimeText([u8; 30]);

impl TimeText {
    pub(crate) fn as_str(&self) -> &str {
        // All of it is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The time of day to the microsecond.
    pub(crate) fn of_day(&self) -> &str {
        self.as_str().get(11..26).unwrap_or_default()
    }
}

impl Rfc3339 {
    /// Every 64-bit count of nanoseconds is in a year of four digits.
    pub(crate) fn text(&self) -> TimeText {
        const DAY: u64 = 24 * 60 * 60;
        let (seconds, nanos) = (self.0.nanos() / 1_000_000_000, (self.0.nanos() % 1_000_000_000) as u32);
        let (year, month, day) = date(seconds / DAY);
        let second = (seconds % DAY) as u32;
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        digits(&mut text[0..4], year as u32);
        digits(&mut text[5..7], month as u32);
        digits(&mut text[8..10], day as u32);
        digits(&mut text[11..13], second / 3600);
        digits(&mut text[14..16], second / 60 % 60);
        digits(&mut text[17..19], second % 60);
        // Three parts, none of which waits for another.
        digits(&mut text[20..23], nanos / 1_000_000);
        digits(&mut text[23..26], nanos / 1000 % 1000);
        digits(&mut text[26..29], nanos % 1000);
        TimeText(text)
    }
}

/// Fills `to` with the last digits of a number.
#[inline(always)]
fn digits(to: &mut [u8], mut number: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of the Gregorian calendar, so many days after the beginning of 1970. Years are counted from March on, so that the leap day is
/// the last of its year, and in cycles of 400 years.
const fn date(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 400 * 365 + 97;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / CYCLE, days % CYCLE);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Five months from March on have 153 days, and so have those from August on.
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = cycle * 400 + year_of_cycle + (month <= 2) as u64;
    (year, month, day)
}

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        const DAY: u64 = 86_400_000_000_000;
        let days =
            (0..=u64::MAX / DAY).flat_map(|day| [day * DAY, day * DAY + day.wrapping_mul(0x9e37_79b9_7f4a_7c15) % DAY]);
        for nanos in days.chain([u64::MAX, u64::MAX - 1, DAY - 1, 999_999_999]) {
            let timestamp = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            assert_eq!(Rfc3339(Time::from_nanos(nanos)).to_string(), format!("{timestamp:.9}"));
        }
    }

    #[test]
    fn whatever_is_a_control_character_is_escaped_and_nothing_else() {
        for c in '\0'..=char::MAX {
            // Behind a block, across two, and in one.
            let text = format!("é{c}\u{a0}{c}, sixteen and more{c} of them at a time and{c}");
            let (mut json, mut plain) = (String::new(), String::new());
            push_json(&text, &mut json);
            push_plain(&text, &mut plain);
            assert_eq!(serde_json::from_str::<String>(&format!("\"{json}\"")).unwrap(), text);
            assert_eq!(json.len() > text.len(), c.is_control() || matches!(c, '"' | '\\'), "{c:?}");
            assert!(!plain.chars().any(char::is_control), "{c:?}");
            assert_eq!(plain == text, !c.is_control(), "{c:?}");
        }
    }

    #[test]
    fn a_time_has_three_digits_and_a_unit() {
        let cases = [
            (0, "0 us"),
            (7, "7 us"),
            (999, "999 us"),
            (1_000, "1.00 ms"),
            (1_428, "1.42 ms"),
            (9_999, "9.99 ms"),
            (10_059, "10.0 ms"),
            (999_999, "999 ms"),
            (1_050_000, "1.05 s"),
            (119_999_999, "119 s"),
            (120_000_000, "2.00 min"),
            (7_199_999_999, "119 min"),
            (9_000_000_000, "2.50 h"),
            (u64::MAX, "5124095576 h"),
        ];
        for (micros, text) in cases {
            let mut line = String::new();
            push_duration(micros, &mut line);
            assert_eq!(line, text, "{micros}");
        }
    }

    #[test]
    fn addresses_are_written_as_they_write_themselves() {
        for address in ["0.0.0.0:0", "10.200.3.255:65535", "[::1]:80", "[fe80::1%3]:443", "[::ffff:1.2.3.4]:9"] {
            let address: SocketAddr = address.parse().unwrap();
            let mut written = String::new();
            push_address(&address, &mut written);
            assert_eq!(written, address.to_string());
        }
    }
}
