//! The part of a stream's state that exists only once something was out of order, or the stream
//! came to its end.
//!
//! Most streams of a capture with many connections never need it while they are open. It is in a
//! box of its own, so that a flow at rest is small.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use enjamb::Time;

use crate::reassembly::held_data::HeldData;
use crate::reassembly::hold::Hold;

/// The backlog of a stream. Reading never allocates it: a stream without one reads as if everything
/// in it were empty. Writing allocates it.
#[derive(Default)]
pub(super) struct Backlog(Option<Box<BacklogState>>);

#[derive(Default)]
pub(super) struct BacklogState {
    pub(super) held: HeldData,
    /// The offset at which the bytes end that were delivered, or are held with no hole before them.
    /// It is kept so that no piece is visited twice.
    pub(super) frontier: u64,
    /// The offset of the end of the stream.
    pub(super) fin: Option<u64>,
    /// The time at which the FIN was captured.
    pub(super) fin_time: Time,
    /// The time at which the FIN was reached.
    pub(super) ended_at: Option<Time>,
    /// Whether the FIN was acknowledged, or no acknowledgement is expected any more.
    pub(super) fin_confirmed: bool,
    /// The offset up to which delivery does not wait for an acknowledgement.
    pub(super) released: u64,
    /// The offset of the other side's stream at which nothing waits for it.
    pub(super) unordered_at: Option<u64>,
    pub(super) hold: Option<Hold>,
    /// The last gaps that were reported: from, to.
    pub(super) gaps: VecDeque<(u64, u64)>,
}

static EMPTY: BacklogState = BacklogState {
    held: HeldData::new(),
    frontier: 0,
    fin: None,
    fin_time: Time::from_nanos(0),
    ended_at: None,
    fin_confirmed: false,
    released: 0,
    unordered_at: None,
    hold: None,
    gaps: VecDeque::new(),
};

impl Backlog {
    /// Returns whether nothing is held, no end is known, and nothing is waited for.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.0.as_deref().is_none_or(|state| state.held.is_empty() && state.fin.is_none() && state.hold.is_none())
    }

    /// Ends the wait, if there is one.
    pub(super) fn end_hold(&mut self) {
        if let Some(state) = &mut self.0 {
            state.hold = None;
        }
    }

    /// Forgets the time at which the end was reached.
    pub(super) fn reopen(&mut self) {
        if let Some(state) = &mut self.0 {
            state.ended_at = None;
        }
    }

    /// Frees the memory if nothing in it is needed any more.
    pub(super) fn free_if_idle(&mut self) {
        let is_idle = |state: &BacklogState| {
            state.held.is_empty()
                && state.fin.is_none()
                && state.hold.is_none()
                && state.unordered_at.is_none()
                && state.released == 0
                && state.gaps.is_empty()
        };
        if self.0.as_deref().is_some_and(is_idle) {
            self.0 = None;
        }
    }
}

impl Deref for Backlog {
    type Target = BacklogState;

    #[inline]
    fn deref(&self) -> &BacklogState {
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

impl DerefMut for Backlog {
    #[inline]
    fn deref_mut(&mut self) -> &mut BacklogState {
        self.0.get_or_insert_default()
    }
}
