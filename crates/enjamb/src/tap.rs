//! The one interface between sources of conversations and their consumers.
//!
//! Captures, transcripts and relays are sources. Watched sessions, recorders and collectors are
//! taps. A source reports [`Event`]s; a tap returns nothing to it.

use core::net::SocketAddr;

use crate::session::Ending;
use crate::side::Side;
use crate::time::Time;

/// One connection between a client and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Its number at its source: from 1, in the order of the first packets or of the accepts.
    pub number: u64,
    /// The address of the side that opened it.
    pub client: SocketAddr,
    /// The address of the side that accepted it.
    pub server: SocketAddr,
}

/// Something that happened on a connection. It borrows its bytes. A [`Batch`](crate::Batch) keeps
/// events, and a [`Transcript`](crate::Transcript) keeps those of one connection.
///
/// For each connection a source reports [`Open`](Self::Open) once, then for each side any number of
/// [`Chunk`](Self::Chunk)s and [`Gap`](Self::Gap)s and at most one [`Close`](Self::Close), then
/// [`Done`](Self::Done) once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The connection was opened, or was seen for the first time.
    Open,
    /// Bytes of one side that arrived together: never empty, in order, each byte once.
    Chunk {
        /// The side that sent them.
        side: Side,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes of one side that will never be seen.
    ///
    /// A gap of 0 bytes comes before anything else of its side. It means that the capture joined
    /// the stream in the middle: the number of bytes before it is unknown, and the next bytes may
    /// be the end of a message.
    Gap {
        /// The side that sent them.
        side: Side,
        /// The number of missing bytes.
        missing: u64,
    },
    /// The stream of one side ended.
    Close {
        /// The side whose stream ended.
        side: Side,
        /// The way in which it ended.
        ending: Ending,
    },
    /// No more events of the connection follow. A side without a [`Close`](Self::Close) is
    /// [`Ending::Lost`].
    Done,
}

impl Event<'_> {
    /// Returns the side that the event belongs to; `None` for those of the whole connection.
    #[must_use]
    pub const fn side(&self) -> Option<Side> {
        match *self {
            Self::Chunk { side, .. } | Self::Gap { side, .. } | Self::Close { side, .. } => Some(side),
            Self::Open | Self::Done => None,
        }
    }

    /// Returns the number of payload bytes in the event: 0 for every event except chunks.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        if let Self::Chunk { bytes, .. } = self { bytes.len() } else { 0 }
    }
}

/// A consumer of conversations.
///
/// Events of one connection come in the order that [`Event`] describes. Connections interleave.
/// Times are those of the source: in a capture they may run backwards.
pub trait Tap {
    /// Takes the next event of `connection`.
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>);

    /// Takes the news that the source has no more events for now. A tap that keeps things back, such
    /// as lines in a buffer, lets go of them. Only sources that are still being captured call it.
    fn pause(&mut self) {}
}

impl<T: Tap + ?Sized> Tap for &mut T {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        (**self).event(connection, time, event);
    }

    fn pause(&mut self) {
        (**self).pause();
    }
}

impl<T: Tap + ?Sized> Tap for alloc::boxed::Box<T> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        (**self).event(connection, time, event);
    }

    fn pause(&mut self) {
        (**self).pause();
    }
}
