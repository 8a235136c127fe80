//! What is on its way from the law to an async reader, and who is to be woken when it arrives.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::measure::uncounted;
use crate::output::Breach;
use crate::run;

/// The far end of a [`Chunks`](crate::Chunks), an [`Outgoing`](crate::Outgoing) or a `Body`: what the constructor of an async subject is made of.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What arrived and was not taken.
    arrived: Vec<u8>,
    /// Bytes that were taken and are not read yet.
    taken: usize,
    /// Items of no bytes that come before what arrived.
    empty_items: usize,
    /// Nothing more will arrive.
    ended: bool,
    /// The reader was told so.
    end_seen: bool,
    /// How many times it was told so since the task was polled.
    ends_read: usize,
    /// Whoever waits.
    waker: Option<Waker>,
    /// Grows with all that is read.
    progress: u64,
    /// The most bytes that one read brings.
    at_most: usize,
}

/// A reader that is told so often within one call that the stream has ended will not stop by itself.
const MOST_ENDS: usize = 10_000;

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

    /// The law's side: bytes arrive, after `empty_items` items of none.
    pub(super) fn put(&self, bytes: &[u8], empty_items: usize) {
        let mut state = self.state();
        uncounted(|| state.arrived.extend_from_slice(bytes));
        state.empty_items += empty_items;
        Self::wake(state);
    }

    /// The law's side: nothing more arrives.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        Self::wake(state);
    }

    fn wake(mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        // Whoever is woken may look at the feed at once.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Is there anything that the reader was not given yet, so that it has no reason to wait? The end of the stream is.
    pub(super) fn waits_for_nothing(&self) -> bool {
        let state = self.state();
        !state.arrived.is_empty() || state.taken > 0 || state.empty_items > 0 || state.ended
    }

    /// Will nothing more arrive?
    pub(super) fn ended(&self) -> bool {
        self.state().ended
    }

    /// Was the reader told that the stream has ended?
    pub(super) fn end_seen(&self) -> bool {
        self.state().end_seen
    }

    /// A figure that grows with all that is read; asked before each poll.
    pub(super) fn progress(&self) -> u64 {
        let mut state = self.state();
        state.ends_read = 0;
        state.progress
    }

    /// The most bytes that one read brings.
    pub(super) fn at_most(&self) -> usize {
        self.state().at_most
    }

    /// The reader's side: takes all that arrived into `bytes`, which holds nothing any more. `Ready(false)`: the stream has ended.
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
            if state.ends_read > MOST_ENDS {
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

    /// The reader's side: `bytes` of those taken are read.
    pub(super) fn read(&self, bytes: usize) {
        let mut state = self.state();
        state.taken -= bytes;
        state.progress += bytes as u64;
    }

    /// The writer's side, to which bytes that arrive are room for as many: `bytes` were written where there was no limit any more.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.progress += bytes as u64;
        state.ends_read = 0;
    }

    /// The reader's side: takes an item of no bytes, if one is due.
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
