//! An entry: a crate at a version, how it is called, a few of its messages, and what is known of it.

use std::time::Duration;

use enjamb_law::{Bound, Law, Laws};

use crate::subject::Any;

/// No run of a few KiB takes so long that does not grow with the square of them, or never ends.
const PATIENCE: Duration = Duration::from_secs(6);

/// A decoder of a published crate.
pub struct Entry {
    /// The crate, its version and, where it has several decoders, which: `redis-protocol 6.0.0 Resp3`.
    pub name: &'static str,
    /// What it decodes.
    pub what: &'static str,
    /// The shape of its interface.
    pub shape: &'static str,
    /// What is known to break laws, in the order of the report.
    pub findings: Vec<Finding>,
    /// The entry that has what is wrong here put right, and the laws that it keeps and this one does not.
    pub fixed_in: Option<(&'static str, Vec<Law>)>,
    make: fn() -> Any,
    messages: Vec<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
    bound: Option<Bound>,
    dependent: bool,
    not_asked: Vec<(Law, &'static str)>,
}

/// Laws that an entry breaks, for one cause.
#[derive(Clone)]
pub struct Finding {
    pub laws: Vec<Law>,
    pub cause: String,
    pub kind: FindingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Nothing says that it is meant.
    Fails,
    /// The crate, or what it implements, says that it is so; or no parser of this shape can do otherwise.
    Documented,
}

impl Entry {
    pub fn new(name: &'static str, what: &'static str, shape: &'static str, make: fn() -> Any) -> Self {
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
            not_asked: Vec::new(),
        }
    }

    /// Well-formed messages, each whole and by itself.
    pub fn messages<M: AsRef<[u8]>>(mut self, messages: impl IntoIterator<Item = M>) -> Self {
        self.messages.extend(messages.into_iter().map(|message| message.as_ref().to_vec()));
        self
    }

    /// Pieces that matter.
    pub fn tokens<M: AsRef<[u8]>>(mut self, tokens: impl IntoIterator<Item = M>) -> Self {
        self.tokens.extend(tokens.into_iter().map(|token| token.as_ref().to_vec()));
        self
    }

    /// The longest message that it is told to take, in bytes.
    pub fn limit(mut self, bytes: usize) -> Self {
        // What `FramedRead` holds beside a frame are two buffers of 8 KiB while one takes the place of the other.
        self.bound = Some(Bound { limit: bytes, beside: 64 << 10 });
        self
    }

    /// Its messages depend on those before them.
    pub fn dependent(mut self) -> Self {
        self.dependent = true;
        self
    }

    /// It breaks these laws, and this is why.
    pub fn fails(self, laws: impl IntoIterator<Item = Law>, cause: impl Into<String>) -> Self {
        self.finding(laws, cause, FindingKind::Fails)
    }

    /// It breaks these laws, and that is documented, or by nature.
    pub fn documented(self, laws: impl IntoIterator<Item = Law>, where_and_why: impl Into<String>) -> Self {
        self.finding(laws, where_and_why, FindingKind::Documented)
    }

    fn finding(mut self, laws: impl IntoIterator<Item = Law>, cause: impl Into<String>, kind: FindingKind) -> Self {
        self.findings.push(Finding { laws: laws.into_iter().collect(), cause: cause.into(), kind });
        self
    }

    /// A law that says nothing of it.
    pub fn not_asked(mut self, law: Law, reason: &'static str) -> Self {
        self.not_asked.push((law, reason));
        self
    }

    /// The entry named so keeps these laws.
    pub fn fixed_in(mut self, name: &'static str, laws: impl IntoIterator<Item = Law>) -> Self {
        self.fixed_in = Some((name, laws.into_iter().collect()));
        self
    }

    /// What is known of a law.
    pub fn known(&self, law: Law) -> Option<FindingKind> {
        self.findings.iter().find(|finding| finding.laws.contains(&law)).map(|finding| finding.kind)
    }

    /// The definition. Its laws are tried in children of this program.
    pub fn laws(&self) -> Laws<Any> {
        let subject = (self.make)();
        let encodes = subject.encodes;
        let mut laws = Laws::new(self.name, subject)
            .messages(&self.messages)
            .tokens(&self.tokens)
            .dependent(self.dependent)
            .patience(PATIENCE)
            .started_with(["--entry", self.name]);
        if let Some(bound) = self.bound {
            laws = laws.bound(bound);
        }
        if encodes {
            laws = laws.encode(|told| told.encoded.clone());
        }
        self.not_asked.iter().fold(laws, |laws, (law, reason)| laws.without(*law, *reason))
    }
}

/// A decoder of an old `tokio_util`, which has a `Decoder` of its own, over the `bytes` of its time: driven as `FramedRead` drives it.
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
