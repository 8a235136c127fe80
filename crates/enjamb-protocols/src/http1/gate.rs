//! The client's bytes behind a request that may end HTTP.
//!
//! The protocol of the bytes behind a `CONNECT`, or behind a request with `Upgrade`, depends on the
//! answer. Whether they arrive before or after it is an accident, and must not change what they
//! are. So they are kept until the answer comes: at most [`KEPT_MAX`] bytes.

use enjamb::{Ending, Side};

use super::sniff::sniff;
use crate::sniff::Sniff;

/// The maximum number of bytes of the client that are kept until an answer decides their protocol.
///
/// Behind a `CONNECT`, more bytes are taken for the tunnel's; if it is refused after all, they are
/// not parsed. Behind an `Upgrade`, more bytes are taken for HTTP if they look like it, since most
/// servers ignore the wish.
pub(super) const KEPT_MAX: usize = 16 << 10;

/// Whether the client's bytes are parsed.
#[derive(Debug, Default)]
pub(super) enum Gate {
    /// They are parsed, or known to be another protocol.
    #[default]
    Open,
    /// They are kept until the answer comes.
    Shut(Shut),
    /// They are taken for a tunnel's. The number is that of the request that asked for it.
    Assumed(u64),
}

/// The bytes behind a request that may end HTTP.
#[derive(Debug)]
pub(super) struct Shut {
    /// The number of the request among the client's messages.
    pub(super) request: u64,
    /// Whether it is a `CONNECT`.
    pub(super) connect: bool,
    pub(super) kept: Vec<u8>,
    /// The way in which the client's stream ended.
    pub(super) ending: Option<Ending>,
    /// Whether the answer may be in a gap.
    pub(super) lost: bool,
}

impl Shut {
    pub(super) fn new(request: u64, connect: bool) -> Self {
        Self { request, connect, kept: Vec::new(), ending: None, lost: false }
    }

    /// Returns whether the kept bytes are HTTP, as far as that is certain.
    pub(super) fn sniff(&self) -> Sniff {
        sniff(Side::Client, &self.kept)
    }

    /// Returns whether the kept bytes are another protocol, if no answer comes.
    pub(super) fn is_tunnel_unanswered(&self) -> bool {
        self.connect || self.sniff() == Sniff::No
    }
}
