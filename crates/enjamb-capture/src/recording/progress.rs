//! The state of a connection in a recording.

use std::net::SocketAddr;

use enjamb::{Ending, Side};

/// The client's and the server's address.
pub(super) type Tuple = (SocketAddr, SocketAddr);

/// The part of a connection that was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Whether the handshake was written.
    pub(super) is_open: bool,
    /// The number of bytes that each side has sent, with its gaps, its SYN and its FIN.
    pub(super) sent: [u64; 2],
    /// The number of them that the other side has acknowledged.
    pub(super) acknowledged: [u64; 2],
    pub(super) ended: [Option<Ending>; 2],
    /// The side that sends a RST when the other side has ended.
    pub(super) resets: Option<Side>,
}

/// A connection of a recording.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// The addresses in its packets.
    pub(super) tuple: Tuple,
    /// The sequence numbers of the two SYNs.
    pub(super) first: [u32; 2],
    /// A note for the first packet.
    pub(super) comment: Option<String>,
    /// A note for the next packet.
    pub(super) note: Option<String>,
    pub(super) progress: Progress,
    /// The progress at the last commit.
    pub(super) committed: Progress,
    /// The bytes of each side that were lost, and for which no gap was written yet.
    pub(super) missing: [u64; 2],
    /// The endings that were lost.
    pub(super) endings: [Option<Ending>; 2],
    pub(super) is_done: bool,
    /// Whether it is in the list of connections that changed since the last commit.
    pub(super) is_touched: bool,
    /// Whether it is in the list of connections of which something was lost.
    pub(super) is_lagging: bool,
}

impl ConnectionState {
    /// Returns whether the stream of a side has ended.
    pub(super) fn has_ended(&self, side: Side) -> bool {
        self.progress.ended[side.index()].is_some() || self.endings[side.index()].is_some()
    }

    /// Takes back everything since the last commit. The bytes and endings are noted as lost.
    pub(super) fn roll_back(&mut self) {
        for side in 0..2 {
            let ending = self.progress.ended[side].filter(|_| self.committed.ended[side].is_none());
            // A SYN and a FIN count as one byte each.
            let syn = u64::from(self.progress.is_open && !self.committed.is_open);
            let fin = u64::from(ending == Some(Ending::Closed));
            self.missing[side] += self.progress.sent[side] - self.committed.sent[side] - syn - fin;
            self.endings[side] = self.endings[side].or(ending);
        }
        self.progress = self.committed;
    }
}
