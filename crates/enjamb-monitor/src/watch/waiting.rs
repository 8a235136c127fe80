//! Requests that wait for their answers, so that the answers have a latency.

use enjamb::Time;

use crate::statistics::KindId;

/// The maximum number of requests of one connection that may wait. The oldest is forgotten for the
/// next one, and its answer has no latency.
const WAITING_MAX: usize = 1 << 16;

/// The capacity below which a queue is not made smaller.
const CAPACITY_MIN: usize = 64;

/// The capacity with the first request. Most connections never need more, and a capture has very
/// many.
const CAPACITY_FIRST: usize = 2;

/// The requests of one connection that wait, in order.
#[derive(Default)]
pub(super) struct Waiting {
    /// The time when each request was complete, and its kind. The first ones may be forgotten
    /// already: they are removed together, when the room is needed.
    requests: Vec<(Time, KindId)>,
    /// The number of requests at the beginning of the list that are forgotten.
    forgotten: usize,
    /// The number of the first request in the list.
    first: u64,
}

impl Waiting {
    /// Adds a request.
    #[inline]
    pub(super) fn ask(&mut self, time: Time, kind: KindId) {
        if self.requests.len() == self.requests.capacity() {
            self.make_room();
        }
        if self.len() >= WAITING_MAX {
            self.forget();
        }
        self.requests.push((time, kind));
    }

    /// Returns the request of this number, and forgets those before it.
    #[inline]
    pub(super) fn answer(&mut self, number: u64) -> Option<(Time, KindId)> {
        let at = usize::try_from(number.checked_sub(self.first)?).unwrap_or(usize::MAX);
        if at < self.forgotten {
            return None;
        }
        self.forgotten = at.min(self.requests.len());
        self.requests.get(at).copied()
    }

    /// Forgets the oldest request. Returns whether there was one.
    pub(super) fn forget(&mut self) -> bool {
        let any = self.len() > 0;
        self.forgotten += usize::from(any);
        any
    }

    /// Forgets all requests: no answer will be paired with them.
    pub(super) fn clear(&mut self) {
        self.first += self.requests.len() as u64;
        self.forgotten = 0;
        self.requests = Vec::new();
    }

    /// Returns the number of requests that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.requests.len() - self.forgotten
    }

    /// The times of the requests that wait.
    pub(super) fn times(&self) -> impl Iterator<Item = Time> {
        self.requests.iter().skip(self.forgotten).map(|(time, _)| *time)
    }

    /// Makes room for another request in a list that is full. Removes the forgotten requests if
    /// they are at least half of the list; otherwise the list grows.
    #[inline(never)]
    fn make_room(&mut self) {
        if self.requests.capacity() == 0 {
            // Most clients wait for one answer at a time.
            self.requests.reserve_exact(CAPACITY_FIRST);
            return;
        }
        if self.forgotten < self.requests.len().div_ceil(2) && self.requests.len() < 2 * WAITING_MAX {
            return;
        }
        self.first += self.forgotten as u64;
        self.requests.drain(..self.forgotten);
        self.forgotten = 0;
        // A list that was long once does not keep its memory.
        let capacity = self.requests.capacity();
        if capacity > CAPACITY_MIN && self.requests.len() < capacity / 4 {
            self.requests.shrink_to(capacity / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use enjamb::Time;

    use super::{CAPACITY_MIN, WAITING_MAX, Waiting};
    use crate::statistics::KindId;

    const KIND: KindId = KindId::FIRST;

    /// The requests that wait, as a plain queue.
    #[derive(Default)]
    struct Queue(VecDeque<u64>);

    impl Queue {
        fn ask(&mut self, number: u64) {
            if self.0.len() == WAITING_MAX {
                self.0.pop_front();
            }
            self.0.push_back(number);
        }

        fn answer(&mut self, number: u64) -> Option<u64> {
            while self.0.front().is_some_and(|&first| first < number) {
                self.0.pop_front();
            }
            self.0.front().copied().filter(|&first| first == number)
        }
    }

    #[test]
    fn requests_wait_as_in_a_plain_queue() {
        let (mut waiting, mut queue, mut asked, mut answered) = (Waiting::default(), Queue::default(), 0_u64, 0_u64);
        let mut random = 1_u64;
        for turn in 0..3000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let most = [2, 7, 40][turn / 1000];
            for _ in 0..random >> 33 & most {
                waiting.ask(Time::from_nanos(asked), KIND);
                queue.ask(asked);
                asked += 1;
            }
            for _ in 0..random >> 43 & most {
                let number = match random >> 60 {
                    0 => asked + 3,
                    1 => answered.saturating_sub(2),
                    _ => answered.min(asked),
                };
                answered = answered.max(number.min(asked)) + u64::from(random >> 59 & 3 != 0);
                let expected = queue.answer(number).map(Time::from_nanos);
                assert_eq!(waiting.answer(number).map(|(time, _)| time), expected);
                assert_eq!(waiting.len(), queue.0.len());
            }
            if random >> 53 & 31 == 0 {
                assert_eq!(waiting.forget(), queue.0.pop_front().is_some());
            }
            assert!(waiting.times().map(Time::nanos).eq(queue.0.iter().copied()));
        }
    }

    #[test]
    fn requests_beyond_the_limit_replace_the_oldest_and_memory_is_freed() {
        let mut waiting = Waiting::default();
        let all = 3 * WAITING_MAX as u64 + 5;
        for number in 0..all {
            waiting.ask(Time::from_nanos(number), KIND);
            assert!(waiting.requests.capacity() <= 2 * WAITING_MAX);
        }
        assert_eq!(waiting.len(), WAITING_MAX);
        assert_eq!(waiting.answer(0), None);
        assert_eq!(waiting.answer(all - 1).map(|(time, _)| time.nanos()), Some(all - 1));
        for number in all..all + 4 * WAITING_MAX as u64 {
            waiting.ask(Time::from_nanos(number), KIND);
            assert!(waiting.answer(number).is_some());
        }
        assert!(waiting.requests.capacity() <= CAPACITY_MIN);
    }
}
