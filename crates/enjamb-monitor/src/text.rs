//! A record as a line for people.
//!
//! Fields stand in columns as far as they fit into them. What a message took and how it was cut stands behind everything else, and on a terminal
//! it stays in sight: when the line is too long, it is the summary that is cut. The bytes of a message stand on lines of their own below it.

use std::net::SocketAddr;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::format::{Rfc3339, push, push_counted, push_duration, push_plain, push_value};
use crate::payload::{Payload, ShowForm};
use crate::record::Value;

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// How many columns a connection's number takes, with its `#`.
const NUMBER_COLUMNS: usize = 4;

/// How many columns a kind takes.
const KIND_COLUMNS: usize = 9;

/// How many columns a message's place and length take.
const SPAN_COLUMNS: usize = 12;

/// The least that is left of a summary.
const SUMMARY_MIN: usize = 8;

/// How many bytes stand on a line in hexadecimal.
const HEX_BYTES: usize = 16;

/// What is before each line of a message's bytes.
const INDENT: &str = "      ";

/// A line in the making.
pub(crate) struct TextLine {
    colour: bool,
    /// How many columns there are, if that is of any concern.
    columns: Option<usize>,
    kind: Option<RecordType>,
    /// Where in the line the summary stands.
    summary: Option<(usize, usize)>,
    /// What stands behind everything else: how many microseconds it took, and how many cuts were in it.
    latency: Option<u64>,
    cuts: u64,
    /// What stands below.
    below: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RecordType {
    Connection,
    Message,
    Gap,
    Error,
}

impl TextLine {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour, columns: None, kind: None, summary: None, latency: None, cuts: 0, below: String::new() }
    }

    pub(crate) fn within(&mut self, columns: Option<usize>) {
        self.columns = columns;
    }

    pub(crate) fn field(&mut self, name: &str, value: Value<'_>, line: &mut String) {
        match (name, value) {
            ("latency_us", Value::Number(number)) => self.latency = Some(number),
            ("cuts", Value::Number(number)) => self.cuts = number,
            ("payload" | "payload_hex", Value::Payload(payload)) => self.push_payload(payload),
            ("payload_more", Value::Number(more)) => {
                let (dim, reset) = self.paint(DIM);
                push(&mut self.below, format_args!("{INDENT}{dim}... {more} bytes more{reset}\n"));
            }
            ("summary", value) => {
                line.push(' ');
                let from = line.len();
                push_value(value, line);
                self.summary = Some((from, line.len()));
            }
            _ => text_field(name, value, self.colour, &mut self.kind, line),
        }
    }

    #[inline(always)]
    pub(crate) fn address(&mut self, name: &str, address: &SocketAddr, line: &mut String) {
        if !self.is_of_stream() {
            self.field(name, Value::Display(address), line);
        }
    }

    /// Is it of one side's stream, which the connection's number tells well enough?
    fn is_of_stream(&self) -> bool {
        matches!(self.kind, Some(RecordType::Message | RecordType::Gap))
    }

    pub(crate) fn finish(self, line: &mut String) {
        let (dim, reset) = self.paint(DIM);
        let has_aside = self.latency.is_some() || self.cuts > 0;
        if let (Some(columns), Some((from, to))) = (self.columns, self.summary) {
            let mut aside = String::new();
            self.push_aside(&mut aside);
            let aside = if has_aside { aside.len() + 4 } else { 0 };
            let begin = line.rfind('\n').map_or(0, |end| end + 1);
            let before = columns_of(&line[begin..from]);
            cut(line, from, to, columns.saturating_sub(before + aside).max(SUMMARY_MIN));
        }
        if has_aside {
            line.push_str("  ");
            line.push_str(dim);
            line.push('[');
            self.push_aside(line);
            line.push(']');
            line.push_str(reset);
        }
        line.push('\n');
        line.push_str(&self.below);
    }

    fn paint(&self, paint: &'static str) -> (&'static str, &'static str) {
        if self.colour { (paint, RESET) } else { ("", "") }
    }

    /// How long it took, and how it was cut.
    fn push_aside(&self, line: &mut String) {
        if let Some(latency) = self.latency {
            push_duration(latency, line);
        }
        if self.cuts > 0 {
            line.push_str(if self.latency.is_some() { ", " } else { "" });
            push_counted(self.cuts, "cut", line);
        }
    }

    fn push_payload(&mut self, payload: Payload<'_>) {
        let (dim, reset) = self.paint(DIM);
        match payload.form {
            ShowForm::Text => {
                for bytes in payload.bytes.split_inclusive(|byte| *byte == b'\n') {
                    let part = Payload { bytes, ..payload };
                    push(&mut self.below, format_args!("{INDENT}{dim}|{reset} {}\n", part.text()));
                }
            }
            ShowForm::Hex => {
                for (row, bytes) in payload.bytes.chunks(HEX_BYTES).enumerate() {
                    let offset = payload.offset.saturating_add((row * HEX_BYTES) as u64);
                    push(&mut self.below, format_args!("{INDENT}{dim}{offset:08x}{reset} "));
                    push_hex(bytes, &mut self.below);
                }
            }
        }
    }
}

/// Sixteen bytes as `hexdump -C` has them.
fn push_hex(bytes: &[u8], line: &mut String) {
    for place in 0..HEX_BYTES {
        if place % 8 == 0 {
            line.push(' ');
        }
        match bytes.get(place) {
            Some(byte) => push(line, format_args!("{byte:02x} ")),
            None => line.push_str("   "),
        }
    }
    line.push_str(" |");
    line.extend(bytes.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }));
    line.push_str("|\n");
}

/// Fills what begins at `from` up to as many columns.
fn pad(line: &mut String, from: usize, columns: usize) {
    let used = columns_of(&line[from..]);
    line.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
}

/// How many columns text takes that may have colours.
fn columns_of(text: &str) -> usize {
    // Most text is of this sort, and it is measured several times a line.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    let mut columns = 0;
    let mut painted = false;
    for c in text.chars() {
        match c {
            '\x1b' => painted = true,
            'm' if painted => painted = false,
            _ if painted => {}
            c => columns += c.width().unwrap_or_default(),
        }
    }
    columns
}

/// Cuts what stands in `line` between `from` and `to` to as many columns. It is the last thing there.
fn cut(line: &mut String, from: usize, to: usize, columns: usize) {
    if line[from..to].width() <= columns {
        return;
    }
    let mut end = from;
    let mut used = 1;
    for (i, c) in line[from..to].char_indices() {
        used += c.width().unwrap_or_default();
        if used > columns {
            break;
        }
        end = from + i + c.len_utf8();
    }
    line.truncate(end);
    line.push('\u{2026}');
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
    let plain = |line: &mut String| push_value(value, line);
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
        ("time", Value::Time(time)) => painted(DIM, &|line| line.push_str(Rfc3339(time).text().of_day())),
        // It came by way of `tracing`, as text.
        ("time", _) => painted(DIM, &|line| {
            let mut time = String::new();
            plain(&mut time);
            line.push_str(time.get(11..26).unwrap_or(&time));
        }),
        ("conn", _) => painted(DIM, &|line| {
            let from = line.len();
            line.push('#');
            plain(line);
            pad(line, from, NUMBER_COLUMNS);
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
            pad(line, from, KIND_COLUMNS);
        }),
        ("offset", _) => painted(DIM, &|line| {
            line.push('@');
            plain(line);
        }),
        ("length", _) => {
            painted(DIM, &|line| {
                line.push('+');
                plain(line);
            });
            let from = line.rfind('@').unwrap_or(line.len());
            pad(line, from, SPAN_COLUMNS);
        }
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
        ("duration_us", Value::Number(micros)) => painted("", &|line| {
            line.push_str("after ");
            push_duration(micros, line);
            line.push(';');
        }),
        ("client_bytes" | "server_bytes", Value::Number(bytes)) => painted(DIM, &|line| {
            line.push_str(if name == "client_bytes" { "client " } else { "server " });
            push_counted(bytes, "byte", line);
        }),
        ("client_messages" | "server_messages", Value::Number(messages)) => painted(DIM, &|line| {
            line.push_str("in ");
            push_counted(messages, "message", line);
            line.push(',');
        }),
        ("client_ending", _) => painted(DIM, &|line| {
            plain(line);
            line.push(';');
        }),
        ("server_ending", _) => painted(DIM, &plain),
        _ => painted("", &plain),
    }
}
