//! The conversation inside a tunnel: SOCKS, or HTTP `CONNECT`.
//!
//! The outer session parses its own messages first. When the tunnel stands, it gives the rest of
//! each side to a session that detects the inner protocol. The messages of that session continue
//! the outer streams: their offsets and the numbers of the requests that they answer are moved, and
//! they carry the name of the inner protocol.
//!
//! Only built-in protocols are detected here. A tunnel may contain another one, at most
//! [`DEPTH_MAX`] deep, since each level is a call inside a call.

use enjamb::{Ending, Message, Session, Side};

use crate::sniff::Sniff;

/// The maximum number of tunnels inside each other. The bytes of a deeper one are not parsed.
pub(crate) const DEPTH_MAX: u8 = 4;

/// Opens the session of a tunnel that is inside as many others as the number says.
pub(crate) type OpenInner = fn(u8) -> Box<dyn Session>;

/// Opens a session of the built-in protocol of this name, to which another protocol changes.
/// Returns it, and whether these bytes of the side may be its first ones.
pub(crate) type OpenNamed = fn(&str, Side, &[u8]) -> Option<(Box<dyn Session>, Sniff)>;

/// A session inside another one.
pub(crate) struct Tunnel {
    inner: Box<dyn Session>,
    /// The protocol that messages carry whose own protocol is not known.
    outer: &'static str,
    /// The offset in the stream of each side at which the tunnel begins.
    offsets: [u64; 2],
    /// The number of messages that each side emitted before the tunnel.
    emitted: [u64; 2],
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").field("inner", &self.inner.protocol()).finish_non_exhaustive()
    }
}

impl Tunnel {
    /// Creates a tunnel. Each side [begins](Self::begin) before it is fed.
    pub(crate) fn new(inner: Box<dyn Session>, outer: &'static str) -> Self {
        Self { inner, outer, offsets: [0; 2], emitted: [0; 2] }
    }

    /// Begins a side at this offset of its stream, behind `emitted` messages.
    pub(crate) fn begin(&mut self, side: Side, offset: u64, emitted: u64) {
        self.offsets[side.index()] = offset;
        self.emitted[side.index()] = emitted;
    }

    /// Calls `call` with the inner session. Gives its messages to `out` as messages of the outer
    /// streams.
    fn with_inner(
        &mut self,
        out: &mut dyn FnMut(&Message<'_>),
        call: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>)),
    ) {
        let Self { inner, outer, offsets, emitted } = self;
        call(&mut **inner, &mut |message| {
            let mut moved = *message;
            moved.span.offset = moved.span.offset.saturating_add(offsets[message.side.index()]);
            let other = emitted[(!message.side).index()];
            moved.answers = moved.answers.map(|request| request.saturating_add(other));
            if message.protocol == "opaque" {
                moved.protocol = outer;
            }
            out(&moved);
        });
    }

    pub(crate) fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.with_inner(out, |inner, out| inner.feed(side, chunk, out));
    }

    pub(crate) fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.with_inner(out, |inner, out| inner.gap(side, missing, out));
    }

    pub(crate) fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.with_inner(out, |inner, out| inner.close(side, ending, out));
    }

    pub(crate) fn keep_attributes(&mut self) {
        self.inner.keep_attributes();
    }

    pub(crate) fn pause(&mut self) {
        self.inner.pause();
    }

    pub(crate) fn held(&self) -> usize {
        self.inner.held()
    }
}
