//! Both directions of one conversation.

use crate::message::Message;
use crate::side::Side;

/// A conversation between a client and a server: two streams, and what they share. An HTTP response needs to know
/// that its request was a `HEAD`; a Redis client that subscribes changes what its server may say.
///
/// A session does not fail. What is wrong with the bytes is a message with an outcome that says so, and what cannot be
/// parsed after it is one message of kind `unparsed`, emitted when the stream ends. Bytes after an agreement to
/// speak something else (an HTTP `CONNECT`) are one message of kind `opaque`.
///
/// The messages of each side tile its stream; see [`Message`].
pub trait Session: Send {
    /// The name of the protocol.
    fn protocol(&self) -> &str;

    /// The next bytes of one side. Every message that they complete is given to `out`, in order.
    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>));

    /// `missing` bytes of one side will never be seen: a capture lost them. A session counts them off where it knows how many
    /// bytes it is waiting for, and otherwise gives up the message in progress and looks for the beginning of another. A stream that
    /// begins in the midst is told of by a gap of 0 bytes before anything else of it: it may begin with a message all the same.
    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>));

    /// One side's stream ended. It is not fed any more; the other may go on for as long as it likes.
    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>));

    /// Bytes the session holds on to now. Bounded, whatever it is fed.
    fn held(&self) -> usize;
}

/// How a side's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The side said that it has no more to send (a FIN).
    Closed,
    /// The connection was reset.
    Reset,
    /// We stopped looking: the capture ends here.
    Lost,
}

impl Ending {
    /// `closed`, `reset` or `lost`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Lost => "lost",
        }
    }

    /// Why a message that was in progress is incomplete.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Closed => "the stream ended inside it",
            Self::Reset => "the connection was reset inside it",
            Self::Lost => "the capture ends inside it",
        }
    }
}
