//! The description of a whole message.

use std::borrow::Cow;
use std::fmt;

/// The description of a message: its kind, its role, its result.
///
/// ```
/// use enjamb_protocols::kit::{Report, Role};
///
/// let report = Report::new("GET").role(Role::Request).subject(b"user:1");
/// assert_eq!(report.to_string(), "GET user:1");
/// let report = Report::new("reply").role(Role::Answer { last: true }).failed("1064").subject(b"syntax");
/// assert_eq!(report.to_string(), "reply 1064 syntax");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report<'a> {
    /// Its type in the protocol's own words. The set of kinds is small.
    pub kind: &'a str,
    /// Its part in the conversation.
    pub role: Role,
    /// The protocol's own code.
    pub code: Option<Cow<'a, str>>,
    /// Whether it reports an error of the peer.
    pub failed: bool,
    /// Why it is malformed, although its end is known.
    pub malformed: Option<&'static str>,
    /// Its flags, separated by commas.
    pub flags: &'static str,
    /// Its object: a topic, a key, a path. It is shown in the summary, so it is no secret.
    pub subject: Cow<'a, [u8]>,
    /// A number for the protocol's own use. If it is that of a request, the answer sees it in
    /// [`Requests`](super::Requests).
    pub detail: u64,
    /// The effect on the bytes behind it.
    pub then: Then,
}

/// The part of a message in the conversation. A message of either side may be a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It neither asks nor answers.
    #[default]
    OneWay,
    /// It begins the conversation: nothing that came before it waits for an answer. So answers find
    /// their requests although the capture does not show the beginning of the connection.
    Greeting,
    /// It is answered, in the order of requests.
    Request,
    /// It answers the oldest request.
    Answer {
        /// Whether no other answer to this request follows.
        last: bool,
    },
    /// It answers the oldest request with this detail. The requests before it are not answered any
    /// more: a server that reports an error may drop all requests up to such a one.
    AnswerTo {
        /// The detail of the request.
        detail: u64,
        /// Whether no other answer to this request follows.
        last: bool,
    },
    /// It is answered by messages with the same id.
    RequestWithId(u64),
    /// It answers the request with the same id.
    AnswerWithId {
        /// The id.
        id: u64,
        /// Whether no other answer to this request follows.
        last: bool,
    },
}

/// The effect of a message on the bytes behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// The next message.
    #[default]
    Continue,
    /// The answer decides whether the protocol changes. The bytes of this side that come before it
    /// are kept.
    Await,
    /// Both sides change to the protocol of this name, behind this message and behind the message
    /// of the other side that is in progress.
    Switch(&'static str),
    /// This side changes to a protocol that is not parsed.
    Opaque,
    /// Both sides change to a protocol that is not parsed.
    BothOpaque,
}

impl<'a> Report<'a> {
    /// Creates the description of a message that is fine, neither asks nor answers, and has no
    /// subject.
    #[must_use]
    #[inline]
    pub const fn new(kind: &'a str) -> Self {
        Self {
            kind,
            role: Role::OneWay,
            code: None,
            failed: false,
            malformed: None,
            flags: "",
            subject: Cow::Borrowed(&[]),
            detail: 0,
            then: Then::Continue,
        }
    }

    /// Sets its part in the conversation.
    #[must_use]
    #[inline]
    pub fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Sets the protocol's own code.
    #[must_use]
    #[inline]
    pub fn code(self, code: impl Into<Cow<'a, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// Marks it as an error of the peer with this code.
    #[must_use]
    #[inline]
    pub fn failed(self, code: impl Into<Cow<'a, str>>) -> Self {
        Self { failed: true, ..self.code(code) }
    }

    /// Marks it as malformed for this reason. Its end is known.
    #[must_use]
    #[inline]
    pub fn malformed(self, reason: &'static str) -> Self {
        Self { malformed: Some(reason), ..self }
    }

    /// Sets its flags, separated by commas.
    #[must_use]
    #[inline]
    pub fn flags(self, flags: &'static str) -> Self {
        Self { flags, ..self }
    }

    /// Sets its object.
    #[must_use]
    #[inline]
    pub fn subject(self, subject: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { subject: subject.into(), ..self }
    }

    /// Sets the number for the protocol's own use.
    #[must_use]
    #[inline]
    pub fn detail(self, detail: u64) -> Self {
        Self { detail, ..self }
    }

    /// Sets what follows it.
    #[must_use]
    #[inline]
    pub fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }
}

/// Writes the kind, the code if it is another word, and the subject.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if let Some(code) = self.code.as_deref().filter(|code| *code != self.kind) {
            write!(f, " {code}")?;
        }
        if !self.subject.is_empty() {
            write!(f, " {}", String::from_utf8_lossy(&self.subject))?;
        }
        Ok(())
    }
}
