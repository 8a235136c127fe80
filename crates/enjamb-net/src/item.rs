//! The entries of a connection's queue.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::producer::Producer;

/// One entry of the queue.
pub(crate) enum Item {
    /// Short pieces that were copied together.
    Copied(Vec<u8>),
    /// A piece as it came. Also what is left of copied ones, when some of it was written.
    Kept(Bytes),
    Producer(Box<dyn Producer>),
    /// The place of a reply that may not be there yet.
    Reply(Arc<Reply>),
}

impl Item {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.len(),
            Self::Kept(bytes) => bytes.len(),
            Self::Producer(_) | Self::Reply(_) => 0,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Copied(bytes) => Some(bytes),
            Self::Kept(bytes) => Some(bytes),
            Self::Producer(_) | Self::Reply(_) => None,
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copied(_) | Self::Kept(_) => write!(f, "{} bytes", self.len()),
            Self::Producer(_) => f.write_str("a producer"),
            Self::Reply(_) => f.write_str("a reply"),
        }
    }
}

/// A reply in the queue.
#[derive(Default)]
pub(crate) struct Reply(Mutex<ReplyState>);

#[derive(Default)]
pub(crate) struct ReplyState {
    pub(crate) items: Vec<Item>,
    pub(crate) is_whole: bool,
    /// Nobody will take what comes.
    pub(crate) is_abandoned: bool,
}

impl Reply {
    /// Takes what is there of the reply. Also returns whether that was the rest.
    pub(crate) fn take(&self) -> (Vec<Item>, bool) {
        let mut state = self.state();
        (mem::take(&mut state.items), state.is_whole)
    }

    /// Drops what is there and what will come. Returns the number of bytes that were there.
    pub(crate) fn abandon(&self) -> usize {
        let mut state = self.state();
        state.is_abandoned = true;
        mem::take(&mut state.items).iter().map(Item::len).sum()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, ReplyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
