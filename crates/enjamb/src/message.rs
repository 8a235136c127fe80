//! Messages: the output of a session.

use alloc::string::{String, ToString};
use core::fmt::{self, Write as _};

use crate::attributes::Attributes;
use crate::flags::Flags;
use crate::side::Side;

/// One message of a conversation, borrowed from the session that emits it. Making one allocates
/// nothing, and its summary is written only on demand.
///
/// The messages of one side *tile* its stream: they come in order, no byte belongs to two, and none
/// is left out except those of gaps. So the bytes that a protocol skips (blank lines between
/// requests, the bytes behind a malformed message) belong to the span of some message.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Its protocol. A session that detects its protocol uses the detected name from its first
    /// message on.
    pub protocol: &'a str,
    /// Its sender.
    pub side: Side,
    /// The type of the message in the protocol's own words: `GET`, `reply`, `PUBLISH`. It is short,
    /// and the set of kinds is small: a peer cannot enlarge it without bound.
    pub kind: &'a str,
    /// Its place in the side's stream.
    pub span: Span,
    /// The result of parsing it: whole and well-formed, or not.
    pub outcome: Outcome,
    /// The protocol's own code, where it has one: an HTTP status, the first word of a Redis error.
    pub code: Option<&'a str>,
    /// The reason why it is malformed or incomplete: one of a small set of phrases, so that it can
    /// be counted.
    pub reason: Option<&'a str>,
    /// What is unusual about it although it is framed right. A protocol that has no flags leaves
    /// them [`Flags::NONE`].
    pub flags: Flags<'a>,
    /// The number of the other side's message that this one answers, counted from 0 in the order of
    /// emission. That message may still be in progress, since servers do answer before a request is
    /// complete.
    pub answers: Option<u64>,
    /// The message in one line, for people. It may contain anything from the wire, control
    /// characters included: escape it before you print it.
    pub summary: &'a dyn fmt::Display,
    /// The parts of it that filters name. A protocol that has none leaves them `&()`.
    pub attributes: &'a dyn Attributes,
    /// The protocol and the kind once more, if they are constants of the program: they can be
    /// counted without comparing names. `None` is right for every message.
    pub constant: Option<&'static ConstantKind>,
}

/// A protocol and a kind that are constants of the program. The same place in memory always has the
/// same names.
#[derive(Debug, PartialEq, Eq)]
pub struct ConstantKind {
    /// The name of the protocol.
    pub protocol: &'static str,
    /// The kind of message.
    pub kind: &'static str,
}

/// A range of one side's stream, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The offset of its first byte.
    pub offset: u64,
    /// Its length.
    pub length: u64,
}

impl Span {
    /// The span from `start` up to `end`, which must not be smaller.
    #[must_use]
    pub const fn between(start: u64, end: u64) -> Self {
        Self { offset: start, length: end.saturating_sub(start) }
    }

    /// Returns the offset behind its last byte.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The result of parsing a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The message is whole, and not an error.
    Ok,
    /// The message is whole, and reports an error of the peer: a status of 400 or more, `-ERR`.
    Failed,
    /// The message is malformed: the bytes do not follow the protocol.
    Malformed,
    /// The message is cut off by the end of the stream, or by a gap.
    Incomplete,
}

impl Outcome {
    /// Returns `ok`, `failed`, `malformed` or `incomplete`.
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

impl<'a> Message<'a> {
    /// Creates a message that is `ok` and has no code, reason, flags, answered request, summary or
    /// attributes. The other fields are set by struct update: `Message { code, ..Message::new(..)
    /// }`.
    #[must_use]
    pub const fn new(protocol: &'a str, side: Side, kind: &'a str, span: Span) -> Self {
        Self {
            protocol,
            side,
            kind,
            span,
            outcome: Outcome::Ok,
            code: None,
            reason: None,
            flags: Flags::NONE,
            answers: None,
            summary: &"",
            attributes: &(),
            constant: None,
        }
    }

    /// Returns a whole message of a constant kind, as [`new`](Self::new) does.
    #[must_use]
    #[inline(always)]
    pub const fn of_constant(constant: &'static ConstantKind, side: Side, span: Span) -> Self {
        Self { constant: Some(constant), ..Self::new(constant.protocol, side, constant.kind, span) }
    }

    /// Returns a copy that outlives the session, with the summary written out and without the
    /// attributes.
    #[must_use]
    pub fn to_owned(&self) -> OwnedMessage {
        OwnedMessage {
            side: self.side,
            kind: self.kind.into(),
            span: self.span,
            outcome: self.outcome,
            code: self.code.map(Into::into),
            reason: self.reason.map(Into::into),
            flags: self.flags.as_str().into(),
            answers: self.answers,
            summary: self.summary.to_string(),
        }
    }
}

/// Compares all fields that the copy has, including the written summary. Allocates nothing.
impl PartialEq<OwnedMessage> for Message<'_> {
    fn eq(&self, other: &OwnedMessage) -> bool {
        let mut rest = RemainingText(&other.summary);
        self.side == other.side
            && self.kind == other.kind
            && self.span == other.span
            && self.outcome == other.outcome
            && self.code == other.code.as_deref()
            && self.reason == other.reason.as_deref()
            && self.flags.as_str() == other.flags
            && self.answers == other.answers
            && write!(rest, "{}", self.summary).is_ok()
            && rest.0.is_empty()
    }
}

/// The text that is still expected. Writing fails at the first difference.
struct RemainingText<'a>(&'a str);

impl fmt::Write for RemainingText<'_> {
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

/// A [`Message`] that owns its content. Its debug form is its display form, one line, so that
/// traces line up.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Message`")]
pub struct OwnedMessage {
    pub side: Side,
    pub kind: String,
    pub span: Span,
    pub outcome: Outcome,
    pub code: Option<String>,
    pub reason: Option<String>,
    pub flags: String,
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
        if !self.flags.is_empty() {
            write!(f, " [{}]", self.flags)?;
        }
        if let Some(answers) = self.answers {
            write!(f, " answers #{answers}")?;
        }
        write!(f, ": {}", self.summary.escape_debug())
    }
}
