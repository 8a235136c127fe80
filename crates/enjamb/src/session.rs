//! A session: both directions of one conversation.

use core::time::Duration;

use crate::message::Message;
use crate::side::Side;

/// A parser for a conversation between a client and a server: two streams and their shared state.
/// An HTTP response depends on whether its request was a `HEAD`; a Redis client that subscribes
/// changes what its server may send.
///
/// A session does not fail. A malformed message is a message with that outcome. If its end is known,
/// the next message follows; otherwise the bytes up to the next sure beginning of a message are one
/// message of kind `unparsed`. Bytes behind an agreement to
/// change the protocol (an HTTP `CONNECT`) are one message of kind `opaque`.
///
/// The messages of each side tile its stream; see [`Message`].
pub trait Session: Send {
    /// Returns the name of the protocol.
    fn protocol(&self) -> &str;

    /// Parses the next bytes of one side. Gives every message that they complete to `out`, in
    /// order.
    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>));

    /// Passes a gap: a capture lost `missing` bytes of one side. A session that waits for a known
    /// number of bytes counts them off. Otherwise it gives up the message in progress and looks for
    /// the beginning of another.
    ///
    /// A gap of 0 bytes is the first event of a stream that the capture joined in the middle. A
    /// message may begin right behind it.
    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>));

    /// Ends the stream of one side, which receives no more bytes. The other side may continue.
    /// Messages of the closed side may still be emitted while the other side decides what they are.
    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>));

    /// Passes a pause: neither side sent anything for at least [`PAUSE_MIN`], and something is about
    /// to be fed. A session that has lost track of what waits for an answer may start afresh. By
    /// default it does nothing.
    fn pause(&mut self) {}

    /// Prepares the session to keep what the [attributes](crate::Attributes) of its messages need.
    /// Call it before the first byte. Without it, a session has only those attributes that cost
    /// nothing to keep. By default it does nothing.
    fn keep_attributes(&mut self) {}

    /// Returns how many bytes the session stores now. The number is bounded for every input.
    fn held(&self) -> usize;
}

/// The shortest silence of both sides that is a [pause](Session::pause). Retransmissions and slow
/// answers take less time.
pub const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The way in which a side's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The side ended its stream (a FIN).
    Closed,
    /// The connection was reset.
    Reset,
    /// The capture ends before the connection, or the observer stopped.
    Lost,
}

impl Ending {
    /// Returns `closed`, `reset` or `lost`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Lost => "lost",
        }
    }

    /// Returns the reason why a message in progress is incomplete.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Closed => "the stream ended inside it",
            Self::Reset => "the connection was reset inside it",
            Self::Lost => "the capture ends inside it",
        }
    }
}
