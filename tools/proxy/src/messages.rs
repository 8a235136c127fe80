//! The messages of one call of a handler, copied.
//!
//! A [`Message`] borrows from the session that emits it, and its summary is written by the
//! session's own code. Counting and writing records needs a lock that other connections need too,
//! and no lock may be held while a session runs. So the messages of one call are copied first, and
//! counted and written after the call has returned. A copy has no attributes: only filters ask for
//! them, and the proxy has none.

use std::fmt::{self, Write as _};

use enjamb::{Flags, Message, Outcome, Side, Span};

/// The maximum number of messages that are kept of one call. A read has at most 61,440 bytes, so
/// only a handler that emits messages without bytes reaches the limit.
pub(crate) const MESSAGES_PER_CALL_MAX: usize = 1 << 17;

/// The maximum number of text bytes that are kept of one call.
pub(crate) const TEXT_PER_CALL_MAX: usize = 32 << 20;

/// The memory that an empty buffer keeps.
const MESSAGES_RESERVED: usize = 1 << 10;
const TEXT_RESERVED: usize = 1 << 17;

/// The messages of one call, in order.
#[derive(Default)]
pub(crate) struct MessageBuffer {
    entries: Vec<Entry>,
    /// The concatenated texts of all entries.
    text: String,
    /// Whether some message did not fit.
    is_overfull: bool,
}

/// A message without its texts. Those follow each other in the order of the fields.
struct Entry {
    side: Side,
    span: Span,
    outcome: Outcome,
    answers: Option<u64>,
    protocol: usize,
    kind: usize,
    code: Option<usize>,
    reason: Option<usize>,
    flags: usize,
    summary: usize,
}

impl MessageBuffer {
    /// Copies a message. The summary is left empty unless it is wanted: writing it is most of the
    /// work.
    pub(crate) fn push(&mut self, message: &Message<'_>, with_summary: bool) {
        if self.entries.len() == MESSAGES_PER_CALL_MAX || self.is_overfull {
            self.is_overfull = true;
            return;
        }
        let before = self.text.len();
        let entry = Entry {
            side: message.side,
            span: message.span,
            outcome: message.outcome,
            answers: message.answers,
            protocol: self.text(message.protocol),
            kind: self.text(message.kind),
            code: message.code.map(|code| self.text(code)),
            reason: message.reason.map(|reason| self.text(reason)),
            flags: self.text(message.flags.as_str()),
            summary: if with_summary { self.summary(message.summary) } else { 0 },
        };
        if self.is_overfull {
            self.text.truncate(before);
        } else {
            self.entries.push(entry);
        }
    }

    /// Appends a text and returns its length.
    fn text(&mut self, text: &str) -> usize {
        self.is_overfull |= self.text.len() + text.len() > TEXT_PER_CALL_MAX;
        if self.is_overfull {
            return 0;
        }
        self.text.push_str(text);
        text.len()
    }

    fn summary(&mut self, summary: &dyn fmt::Display) -> usize {
        let before = self.text.len();
        // There are two errors: a text that is too long, which is noted, and an error that the
        // session's own code returns.
        let _ = write!(Bounded(self), "{summary}");
        self.text.len() - before
    }

    /// Returns whether a message was left out because there were too many, or too long ones.
    pub(crate) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Returns why the first malformed message is that, if there is one.
    pub(crate) fn first_malformed(&self) -> Option<String> {
        if self.entries.iter().all(|entry| entry.outcome != Outcome::Malformed) {
            return None;
        }
        let mut found = None;
        self.replay(&mut |message| {
            if message.outcome == Outcome::Malformed && found.is_none() {
                let (side, offset) = (message.side, message.span.offset);
                let reason = message.reason.unwrap_or("not the protocol");
                found = Some(format!("the {} of the {side} at offset {offset} is malformed: {reason}", message.kind));
            }
        });
        found
    }

    /// Gives every message to `out`, in order.
    pub(crate) fn replay(&self, out: &mut dyn FnMut(&Message<'_>)) {
        let mut rest = self.text.as_str();
        let mut take = |length: usize| {
            let (text, behind) = rest.split_at(length);
            rest = behind;
            text
        };
        for entry in &self.entries {
            let (protocol, kind) = (take(entry.protocol), take(entry.kind));
            let (code, reason) = (entry.code.map(&mut take), entry.reason.map(&mut take));
            let (flags, summary) = (Flags::from_list(take(entry.flags)), take(entry.summary));
            let &Entry { side, span, outcome, answers, .. } = entry;
            let message = Message::new(protocol, side, kind, span);
            out(&Message { outcome, code, reason, flags, answers, summary: &summary, ..message });
        }
    }

    /// Removes all messages. Keeps some memory.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(MESSAGES_RESERVED);
        self.text.clear();
        self.text.shrink_to(TEXT_RESERVED);
        self.is_overfull = false;
    }
}

/// Takes the text of a summary, up to the limit.
struct Bounded<'a>(&'a mut MessageBuffer);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.text(text);
        if self.0.is_overfull { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(code: Option<&'a str>, summary: &'a dyn fmt::Display) -> Message<'a> {
        Message {
            outcome: Outcome::Failed,
            code,
            flags: Flags::from_list(if code.is_some() { "odd,very-odd" } else { "" }),
            answers: Some(2),
            summary,
            ..Message::new("lines", Side::Server, "line", Span { offset: 7, length: 3 })
        }
    }

    #[test]
    fn replayed_messages_equal_those_that_were_copied() {
        let mut buffer = MessageBuffer::default();
        let messages = [message(None, &"first"), message(Some("ERR"), &""), message(Some(""), &12)];
        messages.iter().for_each(|message| buffer.push(message, true));
        let mut replayed = Vec::new();
        buffer.replay(&mut |message| replayed.push((message.protocol == "lines", message.to_owned())));
        assert_eq!(replayed, messages.map(|message| (true, message.to_owned())));
        buffer.clear();
        buffer.push(&messages[0], false);
        buffer.replay(&mut |message| assert_eq!(message.summary.to_string(), ""));
    }

    #[test]
    fn a_summary_without_end_is_cut_at_the_limit() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("and so on, ")?;
                }
            }
        }
        let mut buffer = MessageBuffer::default();
        buffer.push(&message(None, &"fits"), true);
        buffer.push(&message(None, &Endless), true);
        assert!(buffer.is_overfull());
        let mut count = 0;
        buffer.replay(&mut |message| {
            count += 1;
            assert_eq!(message.summary.to_string(), "fits");
        });
        assert_eq!(count, 1);
    }
}
