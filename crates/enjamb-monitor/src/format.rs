//! Records as lines: JSON for programs, text for people.
//!
//! What strangers sent ends up in both. JSON escapes it by its own rules; in text every control character is escaped, so that
//! a message cannot draw on the terminal of whoever reads the log, nor begin a line of its own.

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
    fn field(&mut self, name: &'static str, value: Value<'_>) {
        match &mut self.state {
            State::Json { first } => {
                self.line.push(if std::mem::take(first) { '{' } else { ',' });
                self.line.push('"');
                self.line.push_str(name);
                self.line.push_str("\":");
                json_value(value, self.line);
            }
            State::Text(text) => text.field(name, value, self.line),
        }
    }
}

fn json_value(value: Value<'_>, line: &mut String) {
    match value {
        Value::Number(number) => push(line, format_args!("{number}")),
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
        Value::Time(time) => push(line, format_args!("\"{}\"", Rfc3339(time))),
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
        Value::Number(number) => push(line, format_args!("{number}")),
        Value::Display(display) => push(&mut Escaping(line, push_plain), format_args!("{display}")),
        Value::Time(time) => push(line, format_args!("{}", Rfc3339(time))),
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

/// The inside of a JSON string (RFC 8259, section 7). DEL and the C1 controls are escaped too, though they need not be.
fn push_json(text: &str, line: &mut String) {
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => push(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
}

/// Control characters as `\n`, `\u{1b}`.
pub(crate) fn push_plain(text: &str, line: &mut String) {
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
}

/// A time as RFC 3339 has it, in UTC, with nine decimals.
pub struct Rfc3339(pub Time);

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0.nanos())) {
            Ok(timestamp) => write!(f, "{timestamp:.9}"),
            // Not reached: every 64-bit count of nanoseconds is a timestamp.
            Err(_) => write!(f, "{}", self.0),
        }
    }
}
