//! Records as lines: JSON for programs, text for people.
//!
//! What strangers sent ends up in both. JSON escapes it by its own rules; in text every control character is escaped, so that
//! a message cannot draw on the terminal of whoever reads the log, nor begin a line of its own.

use enjamb::Time;

use crate::record::{Record, Value, Visitor};

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
            Self::Text { colour } => State::Text { colour, kind: None, aside: String::new() },
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
    Json {
        first: bool,
    },
    Text {
        colour: bool,
        /// The record's type, once it is known.
        kind: Option<RecordType>,
        /// What stands behind everything else: how long it took, and how it was cut.
        aside: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RecordType {
    Connection,
    Message,
    Gap,
    Error,
}

impl LineWriter<'_> {
    /// The record is complete.
    pub fn finish(self) {
        match self.state {
            State::Json { .. } => self.line.push('}'),
            State::Text { aside, .. } if aside.is_empty() => {}
            State::Text { colour: true, aside, .. } => push(self.line, format_args!("  {DIM}[{aside}]{RESET}")),
            State::Text { colour: false, aside, .. } => push(self.line, format_args!("  [{aside}]")),
        }
        self.line.push('\n');
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
            State::Text { aside, .. } if name == "latency_us" || name == "cuts" => push_aside(name, value, aside),
            State::Text { colour, kind, .. } => text_field(name, value, *colour, kind, self.line),
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
    }
}

/// Writing to a `String` does not fail; a `Display` that says it failed has written what it could.
fn push(out: &mut impl std::fmt::Write, arguments: std::fmt::Arguments<'_>) {
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
fn push_plain(text: &str, line: &mut String) {
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

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// How long it took, and how it was cut.
fn push_aside(name: &str, value: Value<'_>, aside: &mut String) {
    let Value::Number(number) = value else { return };
    let between = if aside.is_empty() { "" } else { ", " };
    match (name, number) {
        ("cuts", 0) => {}
        ("cuts", 1) => push(aside, format_args!("{between}1 cut")),
        ("cuts", _) => push(aside, format_args!("{between}{number} cuts")),
        _ => push(aside, format_args!("{between}{number} us")),
    }
}

fn text_field(name: &str, value: Value<'_>, colour: bool, kind: &mut Option<RecordType>, line: &mut String) {
    let mut painted = |paint: &str, write: &dyn Fn(&mut String)| {
        if !(line.is_empty() || line.ends_with('\n') || name == "length") {
            line.push(' ');
        }
        let painted = colour && !paint.is_empty();
        if painted {
            line.push_str(paint);
        }
        write(line);
        if painted {
            line.push_str(RESET);
        }
    };
    let plain = |line: &mut String| match value {
        Value::Text(text) => push_plain(text, line),
        Value::Number(number) => push(line, format_args!("{number}")),
        Value::Display(display) => push(&mut Escaping(line, push_plain), format_args!("{display}")),
        Value::Time(time) => push(line, format_args!("{}", Rfc3339(time))),
    };
    match (name, value) {
        ("type", Value::Text(text)) => {
            *kind = match text {
                "connection" => Some(RecordType::Connection),
                "message" => Some(RecordType::Message),
                "gap" => Some(RecordType::Gap),
                _ => Some(RecordType::Error),
            };
        }
        // The time of day to the microsecond: a log is read within a day, and JSON has the rest.
        ("time", _) => painted(DIM, &|line| {
            let mut time = String::new();
            plain(&mut time);
            line.push_str(time.get(11..26).unwrap_or(&time));
        }),
        ("conn", _) => painted(DIM, &|line| {
            line.push('#');
            plain(line);
        }),
        ("client" | "server" | "protocol", _) if matches!(kind, Some(RecordType::Message | RecordType::Gap)) => {}
        ("client", _) => painted("", &plain),
        ("server", _) => painted("", &|line| {
            line.push_str("-> ");
            plain(line);
        }),
        ("side", Value::Text("client")) => painted("", &|line| line.push_str("client ->")),
        ("side", _) => painted("", &|line| line.push_str("server <-")),
        ("kind", Value::Text(text)) => painted("", &|line| {
            let from = line.len();
            push_plain(text, line);
            let width = line[from..].chars().count();
            line.extend(std::iter::repeat_n(' ', 9_usize.saturating_sub(width)));
        }),
        ("offset", _) => painted(DIM, &|line| {
            line.push('@');
            plain(line);
        }),
        ("length", _) => painted(DIM, &|line| {
            line.push('+');
            plain(line);
        }),
        ("outcome", Value::Text("ok")) => {}
        ("outcome", Value::Text("failed")) => painted(YELLOW, &plain),
        ("outcome", _) => painted(RED, &plain),
        // The summary says it in words.
        ("code", _) => {}
        ("reason", _) => painted(RED, &|line| {
            line.push('(');
            plain(line);
            line.push(')');
        }),
        ("missing", _) => painted(YELLOW, &|line| {
            plain(line);
            line.push_str(" bytes missing");
        }),
        ("event", Value::Text("open")) => painted("", &|line| line.push_str("opened")),
        ("event", _) => painted("", &|line| line.push_str("ended")),
        ("duration_us", _) => painted("", &|line| {
            line.push_str("after ");
            plain(line);
            line.push_str(" us");
        }),
        ("client_bytes", _) => painted(DIM, &|line| {
            line.push_str("client ");
            plain(line);
        }),
        ("server_bytes", _) => painted(DIM, &|line| {
            line.push_str("server ");
            plain(line);
        }),
        ("client_messages" | "server_messages", _) => painted(DIM, &|line| {
            line.push_str("bytes in ");
            plain(line);
        }),
        ("client_ending", _) => painted(DIM, &|line| {
            line.push_str("messages, ");
            plain(line);
            line.push(';');
        }),
        ("server_ending", _) => painted(DIM, &|line| {
            line.push_str("messages, ");
            plain(line);
        }),
        _ => painted("", &plain),
    }
}
