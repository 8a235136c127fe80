//! The queue of bytes from the law to an async reader, with the waker of the reader.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::measure::uncounted;
use crate::output::Breach;
use crate::run;

/// The law's end of a [`Chunks`](crate::Chunks), an [`Outgoing`](crate::Outgoing) or a `Body`. The
/// constructors of async subjects take it.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The bytes that arrived and were not taken.
    arrived: Vec<u8>,
    /// The number of bytes that were taken and not read yet.
    taken: usize,
    /// The number of empty items before the bytes that arrived.
    empty_items: usize,
    /// Whether the stream has ended, so that nothing more will arrive.
    ended: bool,
    /// Whether the reader has read the end.
    end_seen: bool,
    /// The number of times that it read the end since the task was polled.
    ends_read: usize,
    /// The waker of the reader that waits.
    waker: Option<Waker>,
    /// A counter that grows with every read.
    progress: u64,
    /// The maximum number of bytes that one read returns.
    at_most: usize,
}

/// The number of reads of the stream's end in one call after which a reader will not stop by
/// itself.
const ENDS_READ_MAX: usize = 10_000;

impl Feed {
    pub(super) fn new(at_most: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            arrived: Vec::new(),
            taken: 0,
            empty_items: 0,
            ended: false,
            end_seen: false,
            ends_read: 0,
            waker: None,
            progress: 0,
            at_most,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers bytes, after `empty_items` empty items. The law calls it.
    pub(super) fn put(&self, bytes: &[u8], empty_items: usize) {
        let mut state = self.state();
        uncounted(|| state.arrived.extend_from_slice(bytes));
        state.empty_items += empty_items;
        Self::wake(state);
    }

    /// Ends the stream. The law calls it.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        Self::wake(state);
    }

    fn wake(mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        // The task that is woken may use the feed at once.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns whether there is something to read, so that the reader has no reason to wait. The
    /// end of the stream counts too.
    pub(super) fn has_unread(&self) -> bool {
        let state = self.state();
        !state.arrived.is_empty() || state.taken > 0 || state.empty_items > 0 || state.ended
    }

    /// Returns whether the law has ended the stream.
    pub(super) fn ended(&self) -> bool {
        self.state().ended
    }

    /// Returns whether the reader has read the end of the stream.
    pub(super) fn end_seen(&self) -> bool {
        self.state().end_seen
    }

    /// Returns a counter that grows with every read, and starts a poll: from here on the reads of
    /// the end are counted.
    pub(super) fn progress(&self) -> u64 {
        let mut state = self.state();
        state.ends_read = 0;
        state.progress
    }

    /// Returns a counter that grows with every read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.state().progress
    }

    /// Returns the maximum number of bytes that one read returns.
    pub(super) fn at_most(&self) -> usize {
        self.state().at_most
    }

    /// Moves all bytes that arrived into `bytes`, whose old content was read. `Ready(false)` means
    /// that the stream has ended. The reader calls it.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<bool> {
        let mut state = self.state();
        if !state.arrived.is_empty() {
            bytes.clear();
            mem::swap(bytes, &mut state.arrived);
            state.taken = bytes.len();
            return Poll::Ready(true);
        }
        if state.ended {
            state.end_seen = true;
            state.ends_read += 1;
            if state.ends_read > ENDS_READ_MAX {
                drop(state);
                run::stop(Breach::Hung);
            }
            return Poll::Ready(false);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Counts `bytes` of the taken bytes as read. The reader calls it.
    pub(super) fn read(&self, bytes: usize) {
        let mut state = self.state();
        state.taken -= bytes;
        state.progress += bytes as u64;
    }

    /// Counts `bytes` that were written after the input had ended, when room is unlimited. The
    /// writer calls it.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.progress += bytes as u64;
        state.ends_read = 0;
    }

    /// Takes an empty item, if one is due. The reader calls it.
    #[cfg(feature = "futures")]
    pub(super) fn take_empty_item(&self) -> bool {
        let mut state = self.state();
        let due = state.empty_items > 0;
        if due {
            state.empty_items -= 1;
            state.progress += 1;
        }
        due
    }
}
