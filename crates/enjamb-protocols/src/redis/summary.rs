//! Summaries: a message in one line, as `redis-cli` shows it, from the kept parts.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use super::command::CommandHandler;
use super::excerpt::{Excerpt, Form, Size, TEXT_MAX, VALUES_MAX, Value};
use super::glance::{self, ValueSink};
use super::reply::ReplyHandler;
use super::summary_text::SummaryText;
use crate::secrets::{SecretWords, may_have_secrets, without_secrets};

/// The summary of a command: `SET key "two words"`. Passwords are hidden, those of `AUTH` and
/// `HELLO` as in the server's own `MONITOR`. The second field holds the bytes of a command that was
/// read at a glance.
pub(super) struct CommandSummary<'a>(pub(super) &'a CommandHandler, pub(super) Option<&'a [u8]>);

impl fmt::Display for CommandSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_one_piece(f, |read, text| match self.1 {
            Some(bytes) if !may_have_secrets(self.0.kind()) => {
                let mut sink = CommandSink { text, begun: 0 };
                let again = glance::command(bytes, &mut sink);
                debug_assert!(again.is_some(), "it was read once");
                let begun = sink.begun;
                self.write_rest(text, begun.min(VALUES_MAX as u64), begun)
            }
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
    fn write(&self, f: &mut SummaryText, excerpt: &Excerpt) -> fmt::Result {
        let mut secret_words = SecretWords::default();
        for (at, value) in excerpt.values().iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            if secret_words.is_secret(excerpt.kept(value)) {
                f.write_str("(redacted)")?;
            } else {
                write_argument(f, excerpt, value)?;
            }
        }
        self.write_rest(f, excerpt.values().len() as u64, excerpt.begun())
    }

    /// Writes what follows the arguments that were `shown`, of those that have `begun`.
    fn write_rest(&self, f: &mut SummaryText, shown: u64, begun: u64) -> fmt::Result {
        let more = self.0.arguments().max(begun).saturating_sub(shown);
        match (shown, self.0.line()) {
            (0, []) if more == 1 => f.push_str("(1 argument)"),
            (0, []) if more > 0 => return write!(f, "({more} arguments)"),
            (0, []) => f.push_str("(no arguments)"),
            (0, line) => f.push_quoted(&without_secrets(line), false),
            (_, []) if more > 0 => return write!(f, " (and {more} more)"),
            (_, []) => {}
            (_, line) => {
                f.push_str(" then ");
                f.push_quoted(line, false);
            }
        }
        Ok(())
    }
}

/// Writes the arguments of a command that lies whole in one chunk, while it is read.
struct CommandSink<'t> {
    text: &'t mut SummaryText,
    /// The number of arguments so far.
    begun: u64,
}

impl ValueSink for CommandSink<'_> {
    fn begin(&mut self, _: Form, _: Size) {}

    fn whole(&mut self, _: Form, _: usize, text: &[u8]) {
        if self.begun < VALUES_MAX as u64 {
            if self.begun > 0 {
                self.text.push_str(" ");
            }
            if text.len() > TEXT_MAX {
                push_bulk(self.text, text);
            } else {
                self.text.push_word_or_quoted(text);
            }
        }
        self.begun += 1;
    }
}

/// Writes a whole text in quotes, as [`Excerpt::write_text`] does.
fn push_bulk(f: &mut SummaryText, text: &[u8]) {
    match text.get(..TEXT_MAX) {
        Some(kept) if kept.len() < text.len() => {
            f.push_quoted(kept, true);
            let _ = write!(f, " ({} bytes)", text.len());
        }
        _ => f.push_quoted(text, false),
    }
}

/// Writes an argument, in quotes unless it is a plain word.
fn write_argument(f: &mut SummaryText, excerpt: &Excerpt, value: &Value) -> fmt::Result {
    let text = excerpt.kept(value);
    if value.size == Size::Known(text.len() as u64) {
        f.push_word_or_quoted(text);
        return Ok(());
    }
    excerpt.write_text(f, value)
}

/// The summary of a reply: `array of 2: "a", (integer) 1`. The second field holds the bytes of a
/// reply that was read at a glance.
pub(super) struct ReplySummary<'a>(pub(super) &'a ReplyHandler, pub(super) Option<&'a [u8]>);

impl fmt::Display for ReplySummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_one_piece(f, |_, text| match self.1 {
            Some(bytes) => {
                let mut sink = ReplySink { text, begun: 0, in_aggregate: false };
                let again = glance::reply(bytes, &mut sink);
                debug_assert!(again.is_some(), "it was read once");
                if sink.begun > VALUES_MAX {
                    text.push_str(", …");
                }
                self.write_line(text, true);
                Ok(())
            }
            None => self.write(text, self.0.excerpt()),
        })
    }
}

impl ReplySummary<'_> {
    fn write(&self, f: &mut SummaryText, excerpt: &Excerpt) -> fmt::Result {
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
        self.write_line(f, follows);
        Ok(())
    }

    /// Writes the line that is in progress, if there is one. It `follows` values or not.
    fn write_line(&self, f: &mut SummaryText, follows: bool) {
        let line = self.0.line();
        if line.is_empty() {
            return;
        }
        if follows {
            f.push_str(" then ");
        }
        f.push_quoted(line, false);
    }
}

/// Writes the values of a reply that lies whole in one chunk, while it is read.
struct ReplySink<'t> {
    text: &'t mut SummaryText,
    /// The number of values so far.
    begun: usize,
    /// Whether the value before was an aggregate.
    in_aggregate: bool,
}

impl ValueSink for ReplySink<'_> {
    fn begin(&mut self, form: Form, size: Size) {
        let name = match form {
            Form::Map => "map",
            Form::Set => "set",
            Form::Push => "push",
            _ => "array",
        };
        let _ = write_aggregate(self.text, name, size);
        self.begun += 1;
        self.in_aggregate = true;
    }

    fn whole(&mut self, form: Form, _: usize, text: &[u8]) {
        if self.begun < VALUES_MAX {
            if std::mem::take(&mut self.in_aggregate) {
                self.text.push_str(": ");
            } else if self.begun > 0 {
                self.text.push_str(", ");
            }
            match form {
                Form::Simple if self.text.push_utf8(text) => {}
                Form::Error => {
                    self.text.push_str("(error) ");
                    if !self.text.push_utf8(text) {
                        push_bulk(self.text, text);
                    }
                }
                Form::Integer => {
                    self.text.push_str("(integer) ");
                    let _ = write_ascii(self.text, text);
                }
                Form::Null => self.text.push_str("(nil)"),
                _ => push_bulk(self.text, text),
            }
        }
        self.begun += 1;
    }
}

thread_local! {
    /// Buffers for the excerpt of a message that is read again, and for its summary.
    static ROOM: Cell<(Excerpt, SummaryText)> = const { Cell::new((Excerpt::new(), SummaryText::new())) };
}

/// Writes the text of `write` to `f` in one piece, since an escaping writer has work to do for each
/// piece. `write` gets an empty excerpt.
fn in_one_piece(
    f: &mut fmt::Formatter<'_>,
    write: impl FnOnce(&mut Excerpt, &mut SummaryText) -> fmt::Result,
) -> fmt::Result {
    // Taken out while in use: the writer may call this function again.
    let (mut read, mut text) = ROOM.take();
    read.clear();
    text.clear();
    let written = write(&mut read, &mut text).and_then(|()| f.write_str(text.as_str()));
    ROOM.set((read, text));
    written
}

/// Writes a text that is mostly digits. Everything else is escaped.
fn write_ascii(f: &mut SummaryText, text: &[u8]) -> fmt::Result {
    let is_number = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if text.iter().all(is_number) && f.push_utf8(text) { Ok(()) } else { write!(f, "{}", text.escape_ascii()) }
}

fn write_value(f: &mut SummaryText, excerpt: &Excerpt, value: &Value) -> fmt::Result {
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

fn write_aggregate(f: &mut SummaryText, name: &str, size: Size) -> fmt::Result {
    match size {
        Size::Known(count) => write!(f, "{name} of {count}"),
        Size::Streamed => write!(f, "streamed {name}"),
    }
}
