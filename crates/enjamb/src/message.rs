//! What a session says of the bytes it was fed.

use alloc::string::{String, ToString};
use core::fmt::{self, Write as _};

use crate::side::Side;

/// One message of a conversation, borrowed from the session that saw it: making one allocates nothing, and its
/// summary is written only if somebody asks.
///
/// The messages of one side *tile* its stream: they come in order, no byte belongs to two, and none is left out but those
/// of holes. So whatever a protocol passes over (blank lines between requests, what follows after a malformed message)
/// belongs to some message's span.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Which protocol it is of. A session that finds out what is spoken says so with its first message.
    pub protocol: &'a str,
    /// Who sent it.
    pub side: Side,
    /// What it is, in the protocol's own words: `GET`, `reply`, `PUBLISH`. Short, and from a small set that strangers
    /// cannot enlarge without bound.
    pub kind: &'a str,
    /// Where in the side's stream it lies.
    pub span: Span,
    /// How it came out.
    pub outcome: Outcome,
    /// The protocol's own code, where it has one: an HTTP status, the first word of a Redis error.
    pub code: Option<&'a str>,
    /// Why it is malformed or incomplete: one of a small set of phrases, so that it can be counted.
    pub reason: Option<&'a str>,
    /// Which message of the other side this one answers, counted from 0 in the order they are emitted. It may not
    /// have been emitted yet: servers do answer before the request is complete.
    pub answers: Option<u64>,
    /// The message in a line, for people. May hold anything that strangers sent, control characters included: whoever
    /// writes it out escapes it.
    pub summary: &'a dyn fmt::Display,
}

/// A range of one side's stream, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

impl Span {
    /// From `start` up to `end`, which is not before it.
    #[must_use]
    pub const fn between(start: u64, end: u64) -> Self {
        Self { offset: start, length: end.saturating_sub(start) }
    }

    /// Where it ends.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// How a message came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Whole, and not an error.
    Ok,
    /// Whole, and an error that the peer reports: a status of 400 or more, `-ERR`.
    Failed,
    /// Not the protocol.
    Malformed,
    /// Cut off: by the end of the stream, or by a hole in it.
    Incomplete,
}

impl Outcome {
    /// `ok`, `failed`, `malformed` or `incomplete`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Malformed => "malformed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Message<'_> {
    /// A copy that outlives the session, with the summary written out.
    #[must_use]
    pub fn to_owned(&self) -> OwnedMessage {
        OwnedMessage {
            side: self.side,
            kind: self.kind.into(),
            span: self.span,
            outcome: self.outcome,
            code: self.code.map(Into::into),
            reason: self.reason.map(Into::into),
            answers: self.answers,
            summary: self.summary.to_string(),
        }
    }
}

/// Equal in everything, the written summary included. Allocates nothing.
impl PartialEq<OwnedMessage> for Message<'_> {
    fn eq(&self, other: &OwnedMessage) -> bool {
        let mut rest = Expected(&other.summary);
        self.side == other.side
            && self.kind == other.kind
            && self.span == other.span
            && self.outcome == other.outcome
            && self.code == other.code.as_deref()
            && self.reason == other.reason.as_deref()
            && self.answers == other.answers
            && write!(rest, "{}", self.summary).is_ok()
            && rest.0.is_empty()
    }
}

/// What is still to be written. Fails at the first difference.
struct Expected<'a>(&'a str);

impl fmt::Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_owned().fmt(f)
    }
}

/// A [`Message`] that owns what it says. Its debug form is the line that it is displayed as: traces of it stand side by side.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Message`")]
pub struct OwnedMessage {
    pub side: Side,
    pub kind: String,
    pub span: Span,
    pub outcome: Outcome,
    pub code: Option<String>,
    pub reason: Option<String>,
    pub answers: Option<u64>,
    pub summary: String,
}

impl fmt::Debug for OwnedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for OwnedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}+{} {}", self.side, self.kind, self.span.offset, self.span.length, self.outcome)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        if let Some(answers) = self.answers {
            write!(f, " answers #{answers}")?;
        }
        write!(f, ": {}", self.summary.escape_debug())
    }
}
