//! The rules of a protocol: the part that differs from all others.

use std::fmt;

use enjamb::{AttributeArgument, AttributeValue, Side, Terminator};

use super::cursor::Short;
use super::pairing::Requests;
use super::report::Report;
use crate::sniff::Sniff;

/// The rules of a protocol, for both sides of one conversation. The implementor is the state that
/// the two sides share, and is empty for most protocols.
pub trait Rules: Send {
    /// The name that its messages carry.
    const NAME: &'static str;

    /// Returns the name that its messages carry. Rules that are made from data have a name of their
    /// own.
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// The maximum number of bytes that are kept of one message, and of one part.
    const KEPT_MAX: usize = 4 << 10;

    /// The maximum length of a part that ends at a delimiter. A longer one is malformed, and the
    /// next message follows it.
    const LINE_MAX: u64 = 64 << 10;

    /// Whether a side sends a request only when all its earlier ones are answered. Behind a gap,
    /// the next request is then known to be the only one that waits.
    const ALTERNATES: bool = false;

    /// The places at which a message may begin behind a gap or a broken message.
    const SEEK: Seek = Seek::Bytes;

    /// The memory of [`next`](Self::next) about the message in progress, such as the number of
    /// lines that are still to come. It begins as the default for each message.
    type Memo: Default + Send;

    /// Returns what ends the next part of the message in progress. It is called when the first byte
    /// of a message is there, without any bytes yet, and behind each part.
    ///
    /// The same bytes give the same answer, however they arrive: a message may be read twice, once
    /// at a glance and again in parts.
    ///
    /// # Errors
    /// [`Fault`] if the bytes so far are no message and its end is not known. The session then
    /// looks for the next place where a message [begins](Self::begins).
    fn next(&self, message: Progress<'_, Self::Memo>) -> Result<Next, Fault>;

    /// Reads a whole message.
    ///
    /// # Errors
    /// [`Fault`] if it is malformed. Its end is known, so the next message follows.
    fn read<'a>(&mut self, frame: &Frame<'a, Self::Memo>, requests: Requests<'_>) -> Result<Report<'a>, Fault>;

    /// Returns whether a message of this side may begin with these bytes. It is used where the
    /// beginning is not known, so a `Yes` should be sure. More bytes never change a `Yes` or a
    /// `No`. By default nothing is sure, and the rest of the side is not parsed.
    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let _ = (side, bytes);
        Sniff::No
    }

    /// Returns the kind of a message that is malformed or cut off, from its first bytes.
    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        let _ = (side, head);
        "message"
    }

    /// Returns the kind of a message that [`read`](Self::read) refused. By default its first bytes
    /// decide.
    fn malformed_kind(&self, frame: &Frame<'_, Self::Memo>) -> &'static str {
        self.broken_kind(frame.side, frame.head)
    }

    /// Writes a message in one line, for people, without secrets. By default this is its kind, its
    /// code and its subject.
    ///
    /// # Errors
    /// Those of `f`.
    fn summarize(&self, frame: &Frame<'_, Self::Memo>, report: &Report<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = frame;
        fmt::Display::fmt(report, f)
    }

    /// Returns an attribute of a message.
    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Self::Memo>,
        report: &'s Report<'_>,
        name: &str,
        argument: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let _ = (frame, report, name, argument);
        None
    }

    /// Passes a gap of one side: state that depends on every message is not known any more.
    fn lost(&mut self, side: Side) {
        let _ = side;
    }
}

/// The message in progress, as far as it was read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'a, M> {
    /// Its sender.
    pub side: Side,
    /// Its first bytes: all of them so far, up to a part that was not kept or had a gap, and at
    /// most [`Rules::KEPT_MAX`].
    pub head: &'a [u8],
    /// The last part, with its delimiter: its first [`Rules::KEPT_MAX`] bytes, or nothing if the
    /// part was not kept.
    pub last: &'a [u8],
    /// The number of parts so far.
    pub parts: u64,
    /// The number of bytes so far.
    pub length: u64,
    /// The memory of `next`.
    pub memo: &'a mut M,
    /// The other side's requests.
    pub requests: Requests<'a>,
}

/// A whole message.
#[derive(Debug)]
#[non_exhaustive]
pub struct Frame<'a, M> {
    /// Its sender.
    pub side: Side,
    /// The number of messages that the side emitted before it.
    pub ordinal: u64,
    /// Its offset in the stream of the side.
    pub offset: u64,
    /// Its first bytes, as in [`Progress::head`].
    pub head: &'a [u8],
    /// Its last part, as in [`Progress::last`].
    pub last: &'a [u8],
    /// Its length in bytes.
    pub length: u64,
    /// The number of its bytes that are in a gap.
    pub lost: u64,
    /// The memory of `next` at the end of the message.
    pub memo: &'a M,
}

impl<M> Frame<'_, M> {
    /// Returns whether `head` is the whole message.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.head.len() as u64 == self.length
    }
}

/// The end of the next part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The next part is this many bytes long. [`Rules::next`] needs them, so a gap in it breaks the
    /// message. 0 ends the message.
    Bytes(u64),
    /// The next part is a line. Its LF belongs to it.
    Line,
    /// The next part ends at this terminator. A delimiter belongs to it.
    Until(Terminator),
    /// The last part is a run of bytes: it ends behind the first byte of `through`, before the
    /// first byte of `before`, or with the stream, whichever comes first. It may be empty if the
    /// message has other parts.
    Run {
        /// The bytes that end the run and belong to it.
        through: &'static [u8],
        /// The bytes that end the run and begin the next message.
        before: &'static [u8],
    },
    /// The next part is this many bytes long, and kept as far as there is room. It may have a gap.
    Body(u64),
    /// The next part is this many bytes long, and not kept. It may have a gap.
    Skip(u64),
    /// The last part is this many bytes long, as in `Body`. The message ends behind it.
    Last(u64),
    /// The last part is this many bytes long, as in `Skip`. The message ends behind it.
    SkipLast(u64),
    /// The message is whole.
    End,
}

/// The places at which a message may begin behind a gap or a broken message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seek {
    /// Every byte.
    Bytes,
    /// The byte behind a line feed, and the first byte behind a gap.
    Lines,
}

/// The reason why bytes are not a message: one of a small set of phrases, so that it can be
/// counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub &'static str);

impl Fault {
    /// A message is shorter than the fields in it.
    pub const SHORT: Self = Self("it ends inside a field");
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Fault {}

impl From<Short> for Fault {
    fn from(_: Short) -> Self {
        Self::SHORT
    }
}
