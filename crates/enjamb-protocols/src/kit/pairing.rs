//! Answers and their requests.
//!
//! A request and its answer are paired by order or by id. A wrong pair is worse than none:
//!
//! * Behind a gap, nobody knows how many requests or answers were in it. Everything that waits is
//!   forgotten. By order, nothing is paired until a pause shows that nothing waits any more, or, in
//!   a protocol whose sides take turns, until the next request.
//! * An answer to nothing was caused by something that was not seen. By order, this counts as a
//!   gap.
//! * A server may answer a request whose end has not arrived. Such an answer is paired with the
//!   message in progress.

use std::collections::{HashMap, VecDeque};

use enjamb::Side;
use foldhash::fast::RandomState;

use super::report::Role;

/// The maximum number of requests of one side that wait for an answer with their id, and of runs of
/// requests without one. If there are more, all are forgotten, as behind a gap.
pub const OUTSTANDING_MAX: usize = 1 << 16;

/// The maximum number of further requests with an id that another one uses.
const AGAIN_MAX: usize = 8;

/// The requests of both sides that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// The requests of each side.
    sides: [Outstanding; 2],
    /// The number of pauses so far.
    pauses: u32,
}

/// The requests of the other side that wait for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Requests<'a>(&'a Outstanding);

impl Requests<'_> {
    /// Returns the [detail](super::Report::detail) of the oldest request that waits for an answer
    /// by order. `None` if there is none, or if it is not known behind a gap.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        if self.0.unsure { None } else { self.0.runs.front().map(|run| run.detail) }
    }

    /// Returns the [detail](super::Report::detail) of the request with this id.
    #[must_use]
    pub fn with_id(&self, id: u64) -> Option<u64> {
        self.0.ids.get(&id).map(|request| request.detail)
    }
}

#[derive(Debug, Default)]
struct Outstanding {
    runs: VecDeque<Run>,
    /// The oldest request with each id.
    ids: HashMap<u64, Request, RandomState>,
    /// The others with the same id, the oldest first. An id should not be used again before its
    /// answer, but the capture may have swapped the answer and the next request.
    again: HashMap<u64, VecDeque<Request>, RandomState>,
    /// Whether requests without an id were lost, or answers to them.
    unsure: bool,
    /// The message that was answered before its end.
    answered_early: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    ordinal: u64,
    detail: u64,
    /// The number of pauses before it.
    pauses: u32,
}

/// Consecutive requests with the same detail.
#[derive(Debug)]
struct Run {
    first: u64,
    count: u64,
    detail: u64,
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.count
    }
}

impl Pairing {
    /// Handles message number `ordinal` of a side. Returns the number of the other side's message
    /// that it answers. `begun` is the number of the other side's message in progress.
    pub(super) fn note(
        &mut self,
        side: Side,
        ordinal: u64,
        (role, detail): (Role, u64),
        begun: Option<u64>,
        alternates: bool,
    ) -> Option<u64> {
        match role {
            Role::OneWay => None,
            Role::Greeting => {
                self.forget();
                None
            }
            Role::Request => {
                self.sides[side.index()].ask(ordinal, detail, alternates);
                None
            }
            Role::RequestWithId(id) => {
                self.sides[side.index()].ask_with_id(id, Request { ordinal, detail, pauses: self.pauses });
                None
            }
            Role::Answer { last } => self.sides[(!side).index()].answer(last, begun),
            Role::AnswerTo { detail, last } => {
                let requests = &mut self.sides[(!side).index()];
                requests.drop_up_to(detail).then(|| requests.answer(last, begun)).flatten()
            }
            Role::AnswerWithId { id, last } => self.sides[(!side).index()].answer_with_id(id, last),
        }
    }

    /// Returns the requests that messages of `side` may answer.
    pub(super) fn requests(&self, side: Side) -> Requests<'_> {
        Requests(&self.sides[(!side).index()])
    }

    /// Returns whether message number `ordinal` of a side is its newest request, and waits for an
    /// answer.
    pub(super) fn waits(&self, side: Side, ordinal: u64) -> bool {
        let requests = &self.sides[side.index()];
        requests.runs.back().is_some_and(|run| run.end() == ordinal + 1)
            || requests.ids.values().any(|request| request.ordinal == ordinal)
    }

    /// Forgets everything that waits: bytes of a side are missing, or not understood.
    pub(super) fn lost(&mut self) {
        for requests in &mut self.sides {
            requests.lost();
        }
    }

    /// Forgets everything that waits: nothing does.
    fn forget(&mut self) {
        for requests in &mut self.sides {
            requests.lost();
            requests.unsure = false;
        }
    }

    /// Passes a pause. If it is not known what waits, nothing does any more. A request whose id is
    /// used again from now on was given up.
    pub(super) fn pause(&mut self) {
        self.pauses = self.pauses.wrapping_add(1);
        for requests in &mut self.sides {
            if std::mem::take(&mut requests.unsure) {
                requests.runs.clear();
                requests.answered_early = None;
            }
        }
    }

    /// Returns the memory that is in use, in bytes.
    pub(super) fn held(&self) -> usize {
        self.sides
            .iter()
            .map(|requests| 32 * (requests.runs.len() + requests.ids.len() + requests.again.len() * AGAIN_MAX))
            .sum()
    }
}

impl Outstanding {
    fn ask(&mut self, ordinal: u64, detail: u64, alternates: bool) {
        if self.unsure {
            if !alternates {
                return;
            }
            // All earlier requests are answered, or the side would not send another.
            self.unsure = false;
            self.runs.clear();
            self.answered_early = None;
        }
        if self.answered_early.take() == Some(ordinal) {
            return;
        }
        let runs = self.runs.len();
        match self.runs.back_mut() {
            Some(run) if run.end() == ordinal && run.detail == detail => run.count += 1,
            _ if runs >= OUTSTANDING_MAX => self.lost(),
            _ => self.runs.push_back(Run { first: ordinal, count: 1, detail }),
        }
    }

    fn ask_with_id(&mut self, id: u64, request: Request) {
        let waiting = self.ids.len();
        match self.ids.get_mut(&id) {
            Some(first) if first.pauses == request.pauses => {
                let again = self.again.entry(id).or_default();
                if again.len() < AGAIN_MAX {
                    again.push_back(request);
                }
            }
            Some(first) => {
                *first = request;
                self.again.remove(&id);
            }
            None if waiting >= OUTSTANDING_MAX => self.lost(),
            None => {
                self.ids.insert(id, request);
            }
        }
    }

    fn answer_with_id(&mut self, id: u64, last: bool) -> Option<u64> {
        let request = self.ids.get(&id)?.ordinal;
        if last {
            self.ids.remove(&id);
            if let Some(again) = self.again.get_mut(&id) {
                self.ids.extend(again.pop_front().map(|next| (id, next)));
                if again.is_empty() {
                    self.again.remove(&id);
                }
            }
        }
        Some(request)
    }

    /// Forgets the requests before the oldest one with this detail. Returns whether there is one.
    fn drop_up_to(&mut self, detail: u64) -> bool {
        let found = self.runs.iter().position(|run| run.detail == detail);
        self.runs.drain(..found.unwrap_or(0));
        found.is_some()
    }

    fn answer(&mut self, last: bool, begun: Option<u64>) -> Option<u64> {
        if self.unsure {
            return None;
        }
        let Some(run) = self.runs.front_mut() else {
            match begun {
                Some(request) if self.answered_early != begun => {
                    if last {
                        self.answered_early = begun;
                    }
                    return Some(request);
                }
                _ => self.lost(),
            }
            return None;
        };
        let request = run.first;
        if last {
            run.first += 1;
            run.count -= 1;
            if run.count == 0 {
                self.runs.pop_front();
            }
        }
        Some(request)
    }

    fn lost(&mut self) {
        self.runs.clear();
        self.ids.clear();
        self.again.clear();
        self.answered_early = None;
        self.unsure = true;
    }
}
