//! Summaries: a message in one line, as `redis-cli` shows it, from the kept parts.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use super::command::CommandHandler;
use super::excerpt::{Excerpt, Form, Size, Value, write_quoted};
use super::glance;
use super::reply::ReplyHandler;

/// The summary of a command: `SET key "two words"`. Passwords of `AUTH` and `HELLO` are hidden, as
/// in the server's own `MONITOR`. The second field holds the bytes of a command that was read at a
/// glance.
pub(super) struct CommandSummary<'a>(pub(super) &'a CommandHandler, pub(super) Option<&'a [u8]>);

impl fmt::Display for CommandSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_one_piece(f, |read, text| match self.1 {
            Some(bytes) => {
                let again = glance::command(bytes, read);
                debug_assert!(again.is_some(), "it was read once");
                self.write(text, read)
            }
            None => self.write(text, self.0.excerpt()),
        })
    }
}

impl CommandSummary<'_> {
    fn write(&self, f: &mut String, excerpt: &Excerpt) -> fmt::Result {
        let mut secret = false;
        for (at, value) in excerpt.values().iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            if secret {
                f.write_str("(redacted)")?;
                continue;
            }
            write_argument(f, excerpt, value)?;
            secret = match self.0.kind() {
                "AUTH" => true,
                "HELLO" => excerpt.kept(value).eq_ignore_ascii_case(b"AUTH"),
                _ => false,
            } || secret;
        }
        let more = self.0.arguments().max(excerpt.begun()).saturating_sub(excerpt.values().len() as u64);
        let line = self.0.line();
        match (excerpt.values(), line) {
            ([], []) if more == 1 => f.write_str("(1 argument)"),
            ([], []) if more > 0 => write!(f, "({more} arguments)"),
            ([], []) => f.write_str("(no arguments)"),
            ([], line) => write_quoted(f, line, false),
            (_, []) if more > 0 => write!(f, " (and {more} more)"),
            (_, []) => Ok(()),
            (_, line) => {
                f.write_str(" then ")?;
                write_quoted(f, line, false)
            }
        }
    }
}

/// Writes an argument, in quotes unless it is a plain word.
fn write_argument(f: &mut String, excerpt: &Excerpt, value: &Value) -> fmt::Result {
    let text = excerpt.kept(value);
    let word = value.size == Size::Known(text.len() as u64)
        && !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\'));
    match std::str::from_utf8(text) {
        Ok(text) if word => f.write_str(text),
        _ => excerpt.write_text(f, value),
    }
}

/// The summary of a reply: `array of 2: "a", (integer) 1`. The second field holds the bytes of a
/// reply that was read at a glance.
pub(super) struct ReplySummary<'a>(pub(super) &'a ReplyHandler, pub(super) Option<&'a [u8]>);

impl fmt::Display for ReplySummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_one_piece(f, |read, text| match self.1 {
            Some(bytes) => {
                let again = glance::reply(bytes, read);
                debug_assert!(again.is_some(), "it was read once");
                self.write(text, read)
            }
            None => self.write(text, self.0.excerpt()),
        })
    }
}

impl ReplySummary<'_> {
    fn write(&self, f: &mut String, excerpt: &Excerpt) -> fmt::Result {
        let mut depth = 0;
        let mut follows = false;
        for value in excerpt.values() {
            for _ in value.depth..depth {
                f.write_str("]")?;
            }
            if value.depth > depth {
                f.write_str(if depth == 0 { ": " } else { " [" })?;
            } else if follows {
                f.write_str(", ")?;
            }
            depth = value.depth;
            follows = true;
            write_value(f, excerpt, value)?;
        }
        let left_out = excerpt.begun() > excerpt.values().len() as u64;
        for _ in 1..depth {
            f.write_str(if left_out { ", …]" } else { "]" })?;
        }
        if left_out {
            f.write_str(", …")?;
        }
        match (excerpt.values(), self.0.line()) {
            (_, []) => Ok(()),
            ([], line) => write_quoted(f, line, false),
            (_, line) => {
                f.write_str(" then ")?;
                write_quoted(f, line, false)
            }
        }
    }
}

thread_local! {
    /// Buffers for the excerpt of a message that is read again, and for its summary.
    static ROOM: Cell<(Excerpt, String)> = const { Cell::new((Excerpt::new(), String::new())) };
}

/// Writes the text of `write` to `f` in one piece, since an escaping writer has work to do for each
/// piece. `write` gets an empty excerpt.
fn in_one_piece(
    f: &mut fmt::Formatter<'_>,
    write: impl FnOnce(&mut Excerpt, &mut String) -> fmt::Result,
) -> fmt::Result {
    // Taken out while in use: the writer may call this function again.
    let (mut read, mut text) = ROOM.take();
    read.clear();
    text.clear();
    let written = write(&mut read, &mut text).and_then(|()| f.write_str(&text));
    ROOM.set((read, text));
    written
}

/// Writes a text that is mostly digits. Everything else is escaped.
fn write_ascii(f: &mut String, text: &[u8]) -> fmt::Result {
    match std::str::from_utf8(text) {
        Ok(digits) if text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) => {
            f.write_str(digits)
        }
        _ => write!(f, "{}", text.escape_ascii()),
    }
}

fn write_value(f: &mut String, excerpt: &Excerpt, value: &Value) -> fmt::Result {
    let text = excerpt.kept(value);
    match value.form {
        Form::Bulk => excerpt.write_text(f, value),
        Form::Simple | Form::Verbatim | Form::Error | Form::BulkError => {
            if value.form.is_error() {
                f.write_str("(error) ")?;
            }
            match std::str::from_utf8(text) {
                Ok(text) if value.size == Size::Known(text.len() as u64) => f.write_str(text),
                _ => excerpt.write_text(f, value),
            }
        }
        Form::Integer => {
            f.write_str("(integer) ")?;
            write_ascii(f, text)
        }
        Form::Double => {
            f.write_str("(double) ")?;
            write_ascii(f, text)
        }
        Form::BigNumber if value.size == Size::Known(text.len() as u64) => {
            write!(f, "(big number) {}", text.escape_ascii())
        }
        Form::BigNumber => write!(f, "(big number) {}…", text.escape_ascii()),
        Form::Boolean => f.write_str(if matches!(text, b"t" | b"T") { "(true)" } else { "(false)" }),
        Form::Null => f.write_str("(nil)"),
        Form::Array => write_aggregate(f, "array", value.size),
        Form::Map => write_aggregate(f, "map", value.size),
        Form::Set => write_aggregate(f, "set", value.size),
        Form::Push => write_aggregate(f, "push", value.size),
        Form::Snapshot if text.iter().all(u8::is_ascii_digit) => write!(f, "snapshot of {} bytes", text.escape_ascii()),
        Form::Snapshot => f.write_str("snapshot"),
    }
}

fn write_aggregate(f: &mut String, name: &str, size: Size) -> fmt::Result {
    match size {
        Size::Known(count) => write!(f, "{name} of {count}"),
        Size::Streamed => write!(f, "streamed {name}"),
    }
}
