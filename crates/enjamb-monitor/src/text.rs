//! A record as a line for people.
//!
//! Fields are aligned in columns as far as they fit. The latency and the cuts of a message come
//! last and stay visible on a terminal: if the line is too long, the summary is cut. The bytes of a
//! message follow on lines of their own.

use enjamb::{Flags, Message, Outcome, Side, Time};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::escape::{push, push_address, push_counted, push_number, push_plain, push_plain_display};
use crate::payload::{Payload, ShowForm};
use crate::record::{EndedBy, Record, SideTotal, UNNUMBERED, micros};
use crate::time::{Day, Rfc3339, push_duration};

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// The columns of a connection's number, with its `#`.
const NUMBER_COLUMNS: usize = 4;

/// The columns of a kind.
const KIND_COLUMNS: usize = 9;

/// The columns of a message's offset and length.
const SPAN_COLUMNS: usize = 12;

/// The columns of a summary that are never cut.
const SUMMARY_MIN: usize = 8;

/// The bytes on a line in hexadecimal.
const HEX_BYTES: usize = 16;

/// The indent of the lines with a message's bytes.
const INDENT: &str = "      ";

/// Appends `record` and a line feed. The summary of a message is cut so that the line fits into
/// `columns`.
pub(crate) fn write(record: &Record<'_>, colour: bool, columns: Option<usize>, line: &mut String) {
    let begin = line.len();
    let mut line = Line { line, begin, colour };
    line.time(record.time());
    if let Some(connection) = record.connection() {
        line.part(DIM, |line| {
            let from = line.len();
            if connection.number == UNNUMBERED {
                line.push('-');
            } else {
                line.push('#');
                push_number(connection.number, line);
            }
            pad(line, from, NUMBER_COLUMNS);
        });
        // For a message the connection's number is enough.
        let has_addresses = !matches!(
            record,
            Record::Message { .. } | Record::Gap { .. } | Record::Progress { .. } | Record::Fault { .. }
        );
        if has_addresses {
            line.part("", |line| push_address(&connection.client, line));
            line.part("", |line| {
                line.push_str("-> ");
                push_address(&connection.server, line);
            });
        }
    }
    match *record {
        Record::Opened { .. } => line.part("", |line| line.push_str("opened")),
        Record::Secured { side, version, server_name, alpn, .. } => {
            line.part("", |line| line.push_str(side.as_str()));
            for text in [Some(version), server_name, alpn].into_iter().flatten() {
                line.part("", |line| push_plain(text, line));
            }
        }
        Record::Ended { protocol, time, opened, sides: [client, server], ended_by, .. } => {
            if !protocol.is_empty() {
                line.part("", |line| push_plain(protocol, line));
            }
            line.part("", |line| line.push_str("ended"));
            line.part("", |line| {
                line.push_str("after ");
                push_duration(micros(time, opened), line);
                line.push(';');
            });
            let first = |by| if ended_by == Some(by) { " first" } else { "" };
            line.total("client ", &client, &[first(EndedBy::Client), ";"]);
            line.total("server ", &server, &[first(EndedBy::Server)]);
            if ended_by == Some(EndedBy::Proxy) {
                line.part(DIM, |line| line.push_str("by the proxy"));
            }
        }
        Record::Message { message, latency_us, cuts, payload, .. } => {
            line.message(message);
            line.summary(message, latency_us, cuts, columns);
            if let Some(payload) = payload {
                line.end();
                line.payload(payload);
                return;
            }
        }
        Record::Gap { side, offset, missing, .. } => {
            line.side(side);
            line.offset(offset);
            line.part(YELLOW, |line| {
                push_number(missing, line);
                line.push_str(" bytes missing");
            });
        }
        Record::Progress { side, offset, length, .. } => {
            line.side(side);
            line.part(DIM, |line| line.push_str("...      "));
            line.offset(offset);
            line.painted(DIM, |line| {
                line.push('+');
                push_number(length, line);
            });
            line.part("", |line| line.push_str("in progress"));
        }
        Record::Fault { side, offset, fault, reason, .. } => {
            line.side(side);
            line.part(YELLOW, |line| line.push_str("fault    "));
            line.part(DIM, |line| {
                let from = line.len();
                line.push('@');
                push_number(offset, line);
                pad(line, from, SPAN_COLUMNS);
            });
            line.part(YELLOW, |line| {
                push_plain(fault, line);
                line.push(':');
            });
            line.part("", |line| push_plain(reason, line));
        }
        Record::Error { reason, .. } => line.reason(reason),
    }
    line.end();
}

/// Appends the line that goes before the first record of a day.
pub(crate) fn write_day(day: Day, colour: bool, line: &mut String) {
    let (dim, reset) = if colour { (DIM, RESET) } else { ("", "") };
    push(line, format_args!("{dim}--- {day} UTC{reset}\n"));
}

/// A line that is being written.
struct Line<'a> {
    line: &'a mut String,
    /// The offset at which it begins.
    begin: usize,
    colour: bool,
}

impl Line<'_> {
    /// Appends a part in a colour, with a space before it if it is not the first one.
    #[inline(always)]
    fn part(&mut self, paint: &str, write: impl FnOnce(&mut String)) {
        if self.line.len() > self.begin {
            self.line.push(' ');
        }
        self.painted(paint, write);
    }

    #[inline(always)]
    fn painted(&mut self, paint: &str, write: impl FnOnce(&mut String)) {
        let painted = self.colour && !paint.is_empty();
        if painted {
            self.line.push_str(paint);
        }
        write(self.line);
        if painted {
            self.line.push_str(RESET);
        }
    }

    fn end(&mut self) {
        self.line.push('\n');
    }

    /// The time of day to the microsecond. A line of its own has the date, and JSON has both.
    fn time(&mut self, time: Time) {
        self.part(DIM, |line| line.push_str(Rfc3339(time).text().of_day()));
    }

    fn side(&mut self, side: Side) {
        self.part("", |line| {
            line.push_str(match side {
                Side::Client => "client ->",
                Side::Server => "server <-",
            });
        });
    }

    fn offset(&mut self, offset: u64) {
        self.part(DIM, |line| {
            line.push('@');
            push_number(offset, line);
        });
    }

    fn reason(&mut self, reason: &str) {
        self.part(RED, |line| {
            line.push('(');
            push_plain(reason, line);
            line.push(')');
        });
    }

    /// The bytes, the messages and the ending of a side.
    fn total(&mut self, side: &str, total: &SideTotal, end: &[&str]) {
        self.part(DIM, |line| {
            line.push_str(side);
            push_counted(total.bytes, "byte", line);
        });
        self.part(DIM, |line| {
            line.push_str("in ");
            push_counted(total.messages, "message", line);
            line.push(',');
        });
        self.part(DIM, |line| {
            line.push_str(total.ending().as_str());
            end.iter().for_each(|end| line.push_str(end));
        });
    }

    fn message(&mut self, message: &Message<'_>) {
        self.side(message.side);
        self.part("", |line| {
            let from = line.len();
            push_plain(message.kind, line);
            pad(line, from, KIND_COLUMNS);
        });
        let from = self.line.len() + " ".len();
        self.offset(message.span.offset);
        self.painted(DIM, |line| {
            line.push('+');
            push_number(message.span.length, line);
        });
        pad(self.line, from, SPAN_COLUMNS);
        let paint = match message.outcome {
            Outcome::Ok => None,
            Outcome::Failed => Some(YELLOW),
            Outcome::Malformed | Outcome::Incomplete => Some(RED),
        };
        if let Some(paint) = paint {
            self.part(paint, |line| line.push_str(message.outcome.as_str()));
        }
        if let Some(reason) = message.reason {
            self.reason(reason);
        }
        if !message.flags.is_empty() {
            self.flags(message.flags);
        }
    }

    #[cold]
    fn flags(&mut self, flags: Flags<'_>) {
        for flag in flags.names() {
            self.part(YELLOW, |line| {
                line.push('!');
                push_plain(flag, line);
            });
        }
    }

    /// The summary, cut if need be, and after it the latency and the cuts.
    fn summary(&mut self, message: &Message<'_>, latency_us: Option<u64>, cuts: u64, columns: Option<usize>) {
        self.line.push(' ');
        let from = self.line.len();
        push_plain_display(message.summary, self.line);
        let has_aside = latency_us.is_some() || cuts > 0;
        let aside = |line: &mut String| {
            line.push('[');
            if let Some(latency) = latency_us {
                push_duration(latency, line);
            }
            if cuts > 0 {
                line.push_str(if latency_us.is_some() { ", " } else { "" });
                push_counted(cuts, "cut", line);
            }
            line.push(']');
        };
        if let Some(columns) = columns {
            let mut text = String::new();
            if has_aside {
                text.push_str("  ");
                aside(&mut text);
            }
            let before = columns_of(&self.line[self.begin..from]);
            cut(self.line, from, columns.saturating_sub(before + text.len()).max(SUMMARY_MIN));
        }
        if has_aside {
            self.line.push_str("  ");
            self.painted(DIM, aside);
        }
    }

    /// The bytes of a message, on lines below it.
    fn payload(&mut self, payload: Payload<'_>) {
        let Self { line, colour, .. } = self;
        let (dim, reset) = if *colour { (DIM, RESET) } else { ("", "") };
        match payload.form {
            ShowForm::Text => {
                for bytes in payload.bytes.split_inclusive(|byte| *byte == b'\n') {
                    let part = Payload { bytes, ..payload };
                    push(*line, format_args!("{INDENT}{dim}|{reset} {}\n", part.text()));
                }
            }
            ShowForm::Hex => {
                for (row, bytes) in payload.bytes.chunks(HEX_BYTES).enumerate() {
                    let offset = payload.offset.saturating_add((row * HEX_BYTES) as u64);
                    push(*line, format_args!("{INDENT}{dim}{offset:08x}{reset} "));
                    push_hex(bytes, line);
                }
            }
        }
        if payload.more > 0 {
            push(*line, format_args!("{INDENT}{dim}... {} bytes more{reset}\n", payload.more));
        }
    }
}

/// Appends sixteen bytes as `hexdump -C` writes them.
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

/// Fills the text that begins at `from` with spaces up to `columns` columns.
fn pad(line: &mut String, from: usize, columns: usize) {
    let used = columns_of(&line[from..]);
    line.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
}

/// The columns that a text takes on a terminal. It may contain colours.
fn columns_of(text: &str) -> usize {
    // Most text is printable ASCII, and this runs several times for each line.
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

/// Cuts the end of `line`, from `from` on, to `columns` columns.
fn cut(line: &mut String, from: usize, columns: usize) {
    if line[from..].width() <= columns {
        return;
    }
    let mut end = from;
    let mut used = 1;
    for (at, c) in line[from..].char_indices() {
        used += c.width().unwrap_or_default();
        if used > columns {
            break;
        }
        end = from + at + c.len_utf8();
    }
    line.truncate(end);
    line.push('\u{2026}');
}
