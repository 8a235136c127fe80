//! An entry: a crate at one version, its adapter, a few of its messages, and its findings.

use std::time::Duration;

use enjamb_law::{Bound, Law, Laws};

use crate::subject::AnySubject;

/// The maximum time for one call. A run over a few KiB takes longer only if its work is quadratic
/// or it never ends.
const PATIENCE: Duration = Duration::from_secs(6);

/// A decoder of a published crate.
pub struct Entry {
    /// The crate, its version and, if it has several decoders, the decoder:
    /// `redis-protocol 6.0.0 Resp3`.
    pub name: &'static str,
    /// The format that it decodes.
    pub what: &'static str,
    /// The shape of its interface.
    pub shape: &'static str,
    /// The known failures, in the order of the report.
    pub findings: Vec<Finding>,
    /// The entry that fixes these failures, and the laws that hold there and not here.
    pub fixed_in: Option<(&'static str, Vec<Law>)>,
    make: fn() -> AnySubject,
    messages: Vec<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
    bound: Option<Bound>,
    dependent: bool,
    one_message: bool,
    without: Vec<(Law, &'static str)>,
}

/// The laws that an entry breaks for one cause.
#[derive(Clone)]
pub struct Finding {
    pub laws: Vec<Law>,
    pub cause: String,
    pub kind: FindingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// A bug: no documentation describes the behaviour.
    Fails,
    /// The crate or the standard that it implements documents the behaviour, or no code of this
    /// shape can avoid it.
    Accepted,
}

impl Entry {
    pub fn new(name: &'static str, what: &'static str, shape: &'static str, make: fn() -> AnySubject) -> Self {
        Self {
            name,
            what,
            shape,
            findings: Vec::new(),
            fixed_in: None,
            make,
            messages: Vec::new(),
            tokens: Vec::new(),
            bound: None,
            dependent: false,
            one_message: false,
            without: Vec::new(),
        }
    }

    /// Adds well-formed messages, each whole and independent.
    pub fn messages<M: AsRef<[u8]>>(mut self, messages: impl IntoIterator<Item = M>) -> Self {
        self.messages.extend(messages.into_iter().map(|message| message.as_ref().to_vec()));
        self
    }

    /// Adds other important bytes: delimiters, keywords.
    pub fn tokens<M: AsRef<[u8]>>(mut self, tokens: impl IntoIterator<Item = M>) -> Self {
        self.tokens.extend(tokens.into_iter().map(|token| token.as_ref().to_vec()));
        self
    }

    /// Sets the longest message that the decoder is configured to accept, in bytes.
    pub fn limit(mut self, bytes: usize) -> Self {
        // `FramedRead` holds two buffers of 8 KiB besides a frame while it replaces one by the
        // other.
        self.bound = Some(Bound { limit: bytes, beside: 64 << 10 });
        self
    }

    /// Declares that messages depend on those before them.
    pub fn dependent(mut self) -> Self {
        self.dependent = true;
        self
    }

    /// Declares that a stream has only one message.
    pub fn one_message(mut self) -> Self {
        self.one_message = true;
        self
    }

    /// Adds failures and their cause.
    pub fn fails(self, laws: impl IntoIterator<Item = Law>, cause: impl Into<String>) -> Self {
        self.finding(laws, cause, FindingKind::Fails)
    }

    /// Adds failures that are documented or cannot be avoided, and the reason.
    pub fn accepted(self, laws: impl IntoIterator<Item = Law>, reason: impl Into<String>) -> Self {
        self.finding(laws, reason, FindingKind::Accepted)
    }

    fn finding(mut self, laws: impl IntoIterator<Item = Law>, cause: impl Into<String>, kind: FindingKind) -> Self {
        self.findings.push(Finding { laws: laws.into_iter().collect(), cause: cause.into(), kind });
        self
    }

    /// Leaves out a law that does not apply.
    pub fn without(mut self, law: Law, reason: &'static str) -> Self {
        self.without.push((law, reason));
        self
    }

    /// Names the entry in which these laws hold.
    pub fn fixed_in(mut self, name: &'static str, laws: impl IntoIterator<Item = Law>) -> Self {
        self.fixed_in = Some((name, laws.into_iter().collect()));
        self
    }

    /// Returns the kind of the finding for a law, if there is one.
    pub fn finding_kind(&self, law: Law) -> Option<FindingKind> {
        self.findings.iter().find(|finding| finding.laws.contains(&law)).map(|finding| finding.kind)
    }

    /// Returns the definition. Its laws are tried in child processes of this program.
    pub fn laws(&self) -> Laws<AnySubject> {
        let subject = (self.make)();
        let encodes = subject.encodes;
        let mut laws = Laws::new(self.name, subject)
            .messages(&self.messages)
            .tokens(&self.tokens)
            .dependent(self.dependent)
            .one_message(self.one_message)
            .patience(PATIENCE)
            .started_with(["--entry", self.name]);
        if let Some(bound) = self.bound {
            laws = laws.bound(bound);
        }
        if encodes {
            laws = laws.encode(|event| event.encoded.clone());
        }
        self.without.iter().fold(laws, |laws, (law, reason)| laws.without(*law, *reason))
    }
}

/// Makes a subject of a decoder for an old `tokio_util`, with the `Decoder` and `bytes` of that
/// version. It is called as `FramedRead` calls it.
#[macro_export]
macro_rules! old_decoder {
    ($tokio_util:ident, $bytes:ident, $make:expr) => {
        enjamb_law::Decoded::by(
            $make,
            |decoder, buffer: &mut $bytes::BytesMut| $tokio_util::codec::Decoder::decode(decoder, buffer),
            |decoder, buffer: &mut $bytes::BytesMut| $tokio_util::codec::Decoder::decode_eof(decoder, buffer),
        )
    };
}
