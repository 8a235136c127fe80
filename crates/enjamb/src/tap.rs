//! Where conversations come from and where they go: the one interface between sources and consumers.

use core::net::SocketAddr;

use crate::session::Ending;
use crate::side::Side;
use crate::time::Time;

/// One connection between a client and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Its number at its source: from 1, in the order of the first packets or of the accepts.
    pub number: u64,
    /// Who opened it.
    pub client: SocketAddr,
    /// Who accepted it.
    pub server: SocketAddr,
}

/// What takes conversations in. Captures and relays are sources; sessions under watch, recorders and transcripts are
/// taps. What a tap is told of one connection makes a [`Transcript`](crate::Transcript).
///
/// For each connection: [`open`](Self::open) once, then for each side any number of [`chunk`](Self::chunk)s and
/// [`gap`](Self::gap)s and at most one [`close`](Self::close), then [`done`](Self::done) once. Connections interleave. Times are what the source says: those of a capture may
/// run backwards.
pub trait Tap {
    /// A connection was opened, or was seen for the first time.
    fn open(&mut self, connection: &Connection, time: Time);

    /// These bytes of `side` arrived together. Never empty, in order, each byte once.
    fn chunk(&mut self, connection: &Connection, time: Time, side: Side, bytes: &[u8]);

    /// `missing` bytes of `side` will never be seen. 0 bytes, before anything else of the side, say that its stream was joined in the
    /// midst, and nobody knows how much came before: what follows may be the end of a message.
    fn gap(&mut self, connection: &Connection, time: Time, side: Side, missing: u64);

    /// The stream of `side` ended.
    fn close(&mut self, connection: &Connection, time: Time, side: Side, ending: Ending);

    /// Nothing more comes of the connection. A side that was not closed is [`Ending::Lost`].
    fn done(&mut self, connection: &Connection, time: Time);
}
