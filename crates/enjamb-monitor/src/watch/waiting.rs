//! Requests that wait for their answers, so that the answers have a latency.

use std::collections::VecDeque;

use enjamb::Time;

use crate::statistics::KindId;

/// The maximum number of requests of one connection that may wait. The oldest is forgotten for the
/// next one, and its answer has no latency.
const WAITING_MAX: usize = 1 << 16;

/// The capacity below which a queue is not made smaller.
const CAPACITY_MIN: usize = 64;

/// The requests of one connection that wait, in order.
#[derive(Default)]
pub(super) struct Waiting {
    /// The time when each request was complete, and its kind. The newest is separate from the others:
    /// usually it is the only one, and then no other memory is needed.
    newest: Option<(Time, KindId)>,
    requests: VecDeque<(Time, KindId)>,
    /// The number of the first of them.
    first: u64,
}

impl Waiting {
    /// Adds a request.
    pub(super) fn ask(&mut self, time: Time, kind: KindId) {
        if self.len() == WAITING_MAX {
            self.forget();
        }
        self.requests.extend(self.newest.replace((time, kind)));
    }

    /// Returns the request of this number, and forgets those before it.
    pub(super) fn answer(&mut self, number: u64) -> Option<(Time, KindId)> {
        while self.first < number && self.forget() {}
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        if at == self.requests.len() { self.newest } else { self.requests.get(at).copied() }
    }

    /// Forgets the oldest request. Returns whether there was one.
    pub(super) fn forget(&mut self) -> bool {
        let any = self.requests.pop_front().or_else(|| self.newest.take()).is_some();
        self.first += u64::from(any);
        // A queue that was long once does not keep its memory.
        let capacity = self.requests.capacity();
        if capacity > CAPACITY_MIN && self.requests.len() < capacity / 4 {
            self.requests.shrink_to(capacity / 2);
        }
        any
    }

    /// Forgets all requests: no answer will be paired with them.
    pub(super) fn clear(&mut self) {
        self.first += self.len() as u64;
        (self.newest, self.requests) = (None, VecDeque::new());
    }

    /// Returns the number of requests that wait.
    pub(super) fn len(&self) -> usize {
        self.requests.len() + usize::from(self.newest.is_some())
    }

    /// The times of the requests that wait.
    pub(super) fn times(&self) -> impl Iterator<Item = Time> {
        self.requests.iter().chain(&self.newest).map(|(time, _)| *time)
    }
}
