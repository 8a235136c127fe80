//! The items that pass through a chain of stages.

use bytes::Bytes;
use enjamb::Side;

/// A fault that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The side whose stream it changed.
    pub side: Side,
    /// The place in the side's stream as it was delivered.
    pub offset: u64,
    /// The name of the fault.
    pub fault: String,
    /// What it did, in one line.
    pub text: String,
}

/// Bytes on their way, with what is known about them.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    /// The message, if these are the bytes of one whole message.
    pub(crate) message: Option<MessageMark>,
    /// Whether these bytes must not be delivered together with those before them.
    pub(crate) is_cut: bool,
}

impl Piece {
    pub(crate) fn plain(bytes: Bytes) -> Self {
        Self { bytes, message: None, is_cut: false }
    }

    pub(crate) fn behind_cut(bytes: Bytes) -> Self {
        Self { bytes, message: None, is_cut: true }
    }
}

/// A whole message.
#[derive(Clone, Debug)]
pub(crate) struct MessageMark {
    /// Its number among the messages of its side, counted from 1.
    pub(crate) number: u64,
    pub(crate) kind: String,
    /// The identities of the faults that it was selected for.
    pub(crate) selected: Vec<u64>,
}

impl MessageMark {
    /// Returns a phrase such as `message 3 (SET)`.
    pub(crate) fn phrase(&self) -> String {
        format!("message {} ({})", self.number, self.kind)
    }
}

/// An item on its way through the stages.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Bytes(Piece),
    /// A fault was applied here. The place is filled in at the end.
    Note(Note),
    /// The side has ended its stream.
    End,
    /// The connection is to be closed.
    Close,
    /// The connection is to be reset.
    Reset,
}

impl Item {
    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> usize {
        if let Self::Bytes(piece) = self { piece.bytes.len() } else { 0 }
    }
}
