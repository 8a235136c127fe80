//! The pairing of responses with requests.
//!
//! Responses come in the order of their requests (RFC 9112, section 9.3.2), so this is a queue. The
//! order in which the two sides are fed is trusted in one direction only: a response never comes
//! before its request, unless the request was lost. Everything else about that order may be an
//! accident of the capture.
//!
//! Gaps make the queue doubtful, and a wrong pairing is worse than none:
//!
//! * A gap in the requests may hide any number of them. Those in the queue are still answered in
//!   order. Nothing is known about the ones after them.
//! * A gap in the responses may hide the answers to any number of the requests in the queue, and to
//!   requests that are fed after the gap: the gap lasts until the next bytes of the server. So the
//!   next response is certain only if exactly one request can be meant.
//! * A response that nothing waits for, and that no gap explains, shows that the requests are fed
//!   late. Nothing is paired until a gap in the requests explains it.
//!
//! All doubt ends at a *rest*: a moment when nothing is outstanding. Most clients wait for all
//! answers before they ask again. Such a client shows it: each of its requests that follows a
//! response comes when nothing is outstanding. If the client has shown this, and never the
//! contrary, then a request that follows a response is a rest, also while the queue is in doubt. If
//! it could not show it before the gap, [`BALANCED_TURNS`] turns in a row with one request and one
//! response show it. At the beginning of a capture that joined the connection, the first request
//! is taken for a rest.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use super::method::Request;

/// The maximum number of runs of requests that wait for their answers on one connection.
///
/// A run is any number of requests in a row that need the same kind of response, so a server that
/// never answers costs one run, unless the client mixes `HEAD` or `CONNECT` with other methods. A
/// run takes 16 bytes: at most 8 KiB a connection, and 512 MiB for the 65,536 connections that a
/// capture follows by default. The requests after the last run are not paired.
pub const OUTSTANDING_RUNS_MAX: usize = 512;

/// The number of turns in a row, with as many responses as requests, that end a doubt about a
/// client that was not seen to wait before.
const BALANCED_TURNS: u8 = 4;

/// The number of rests in a row after which a client that once did not wait is trusted again.
const RESTS_AGAIN: u8 = 16;

/// The requests that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    waiting: VecDeque<Run>,
    /// The request of which a part was seen, and not its whole head.
    begun: Option<(u64, Request)>,
    /// Whether the request in `begun` was answered.
    begun_answered: bool,
    /// Whether unseen requests may follow those in the queue.
    hidden: bool,
    /// Whether some of the first requests in the queue may have been answered.
    doubt: bool,
    /// Whether the capture joined the connection in the middle.
    joined: bool,
    /// Whether something was lost since the last rest.
    lost: bool,
    /// Whether a request was seen since then that is not in the queue.
    unqueued: bool,
    /// Whether a response came before its request, and whether one ever did.
    late: bool,
    ever_late: bool,
    /// Whether some bytes of the client could not be read as requests.
    pub(super) unread: bool,
    /// Whether the server sent something since the last request, and since the last gap.
    answering: bool,
    /// The requests and the final responses since the client last began to ask.
    asked: u32,
    answered: u32,
    /// The number of rests in a row at which the client asked.
    rests: u8,
    /// Whether the client asked while something was outstanding, although it had read responses.
    slides: bool,
    /// Whether the client asked while a response was not whole. A gap in the response would explain
    /// that.
    overlaps: bool,
    /// Whether the client ever sent a request before the last one was answered.
    bursts: bool,
    /// The number of balanced turns in a row.
    balanced: u8,
}

/// The pairing of one connection, in the memory of one of its readers. It is allocated when
/// something is entered, so the reader that does not use it has only a pointer.
#[derive(Debug, Default)]
pub(super) struct PairingBox(Option<Box<Pairing>>);

static EMPTY: Pairing = Pairing {
    waiting: VecDeque::new(),
    begun: None,
    begun_answered: false,
    hidden: false,
    doubt: false,
    joined: false,
    lost: false,
    unqueued: false,
    late: false,
    ever_late: false,
    unread: false,
    answering: false,
    asked: 0,
    answered: 0,
    rests: 0,
    slides: false,
    overlaps: false,
    bursts: false,
    balanced: 0,
};

impl Deref for PairingBox {
    type Target = Pairing;

    #[inline]
    fn deref(&self) -> &Pairing {
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

impl DerefMut for PairingBox {
    #[inline]
    fn deref_mut(&mut self) -> &mut Pairing {
        self.0.get_or_insert_default()
    }
}

/// Requests in a row: their messages follow each other, and they need the same kind of response.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The number of the first request among the client's messages.
    first: u64,
    count: u32,
    request: Request,
}

/// The request that a response answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answered {
    /// Its number among the client's messages, where that is certain.
    pub(super) ordinal: Option<u64>,
    /// The request, as far as it is known.
    pub(super) request: Option<Request>,
    /// Whether it is certain that there is no such request.
    pub(super) nobody: bool,
    /// Whether it is certain that the request was not captured.
    pub(super) missing: bool,
}

impl Pairing {
    /// Notes that the server sent something.
    #[inline]
    pub(super) fn server_sent(&mut self) {
        self.answering = true;
    }

    /// Sets the request in progress, whose head is not whole.
    #[inline]
    pub(super) fn begin(&mut self, begun: Option<(u64, Request)>) {
        self.begun = begun;
    }

    /// Adds a request whose head is whole. `server_idle`: the server was between two responses
    /// then.
    pub(super) fn request(&mut self, ordinal: u64, request: Request, server_idle: bool) {
        self.begun = None;
        let turn = core::mem::take(&mut self.answering);
        if turn {
            self.begin_turn(server_idle);
        } else if self.is_joining() && server_idle {
            self.align();
        }
        self.bursts |= self.asked > 0 || (!self.doubt && !self.waiting.is_empty());
        self.asked = self.asked.saturating_add(1);
        if core::mem::take(&mut self.begun_answered) {
            return;
        }
        if self.hidden {
            self.unqueued = true;
        } else {
            self.push(ordinal, request);
        }
    }

    /// Handles the beginning of a turn: the client asks again after something of the server.
    fn begin_turn(&mut self, server_idle: bool) {
        if self.is_certain() {
            // The answer to a request in progress may come before its head is whole.
            if self.waiting.is_empty() && !server_idle && !self.begun_answered {
                self.overlaps = true;
            } else {
                self.note_rest(self.waiting.is_empty());
            }
        } else if !self.doubt && !self.waiting.is_empty() {
            // Requests that are seen to be unanswered.
            self.note_rest(false);
        } else if server_idle && !self.late {
            let balanced = self.asked == 1 && self.answered == 1;
            self.balanced = if balanced { self.balanced.saturating_add(1) } else { 0 };
            let shows = self.balanced >= BALANCED_TURNS && !self.bursts;
            let waits = self.rests > 0 || self.is_joining() || shows;
            if waits && !self.slides {
                self.align();
            }
        } else {
            self.balanced = 0;
        }
        self.asked = 0;
        self.answered = 0;
    }

    fn note_rest(&mut self, rest: bool) {
        if rest {
            self.rests = self.rests.saturating_add(1);
            self.slides &= self.rests < RESTS_AGAIN;
        } else {
            self.rests = 0;
            self.slides = true;
        }
    }

    /// Ends all doubt: nothing is outstanding.
    fn align(&mut self) {
        self.waiting.clear();
        self.hidden = false;
        self.doubt = false;
        self.joined = false;
        self.lost = false;
        self.unqueued = false;
        self.unread = false;
        self.balanced = 0;
    }

    /// Returns whether the queue is in doubt only because the capture joined the connection.
    fn is_joining(&self) -> bool {
        self.joined && !self.lost && !self.late
    }

    /// Returns whether every request and every response since the last rest was seen.
    pub(super) fn is_certain(&self) -> bool {
        !self.hidden && !self.doubt
    }

    fn push(&mut self, ordinal: u64, request: Request) {
        if let Some(run) = self.waiting.back_mut()
            && run.request == request
            && run.first + u64::from(run.count) == ordinal
            && run.count < u32::MAX
        {
            run.count += 1;
        } else if self.waiting.len() < OUTSTANDING_RUNS_MAX {
            if self.waiting.capacity() == 0 {
                // Most clients wait for one answer at a time.
                self.waiting.reserve_exact(1);
            }
            self.waiting.push_back(Run { first: ordinal, count: 1, request });
        } else {
            self.hidden = true;
            self.unqueued = true;
        }
    }

    /// Removes the request that a final response answers. Such a response may come without a
    /// request if `unasked` (RFC 9110, section 15.5.9).
    pub(super) fn answer(&mut self, unasked: bool) {
        self.answered = self.answered.saturating_add(1);
        if core::mem::take(&mut self.overlaps) {
            self.note_rest(false);
        }
        if self.waiting.is_empty() {
            if self.is_begun() {
                self.begun_answered = true;
            } else if !self.hidden && !unasked {
                self.hidden = true;
                self.late = true;
                self.ever_late = true;
            }
        }
        self.pop();
        self.doubt &= !self.waiting.is_empty();
    }

    /// Returns whether the next response answers the request in progress, if none waits.
    fn is_begun(&self) -> bool {
        self.begun.is_some() && self.is_certain() && !self.begun_answered
    }

    fn pop(&mut self) {
        let Some(run) = self.waiting.front_mut() else { return };
        if run.count > 1 {
            run.first += 1;
            run.count -= 1;
        } else {
            self.waiting.pop_front();
        }
    }

    /// Returns the request that the next response answers.
    pub(super) fn peek(&self) -> Answered {
        let Some(run) = self.waiting.front() else {
            return match self.begun {
                Some((ordinal, request)) if self.is_begun() => {
                    Answered { ordinal: Some(ordinal), request: Some(request), ..Answered::default() }
                }
                _ => Answered { nobody: self.is_certain(), missing: self.misses_request(), ..Answered::default() },
            };
        };
        let only = self.waiting.len() == 1 && run.count == 1 && !self.hidden;
        let ordinal = (!self.doubt || only).then_some(run.first);
        let alike =
            ordinal.is_some() || (!self.hidden && self.waiting.iter().all(|other| other.request == run.request));
        Answered { ordinal, request: alike.then_some(run.request), ..Answered::default() }
    }

    /// Returns whether a response that comes while nothing waits can only answer a request that was
    /// not captured: requests are missing, and none was seen since that it might answer.
    fn misses_request(&self) -> bool {
        self.hidden && (self.lost || self.joined) && !(self.doubt || self.unqueued || self.ever_late || self.unread)
    }

    /// Notes a gap of `missing` bytes in the requests; 0 at the beginning of a capture that joined
    /// the connection. `server_idle`: the server was between two responses then.
    pub(super) fn requests_lost(&mut self, missing: u64, server_idle: bool) {
        if missing == 0 {
            self.joined = true;
        } else {
            if self.is_certain() && self.answering {
                // The request in the gap followed a response.
                self.note_rest(self.waiting.is_empty() && server_idle);
            }
            self.lost = true;
        }
        self.hidden = true;
        self.late = false;
        self.begun_answered = false;
        self.interrupt_turn();
    }

    /// Notes bytes of the client that could not be read as requests.
    pub(super) fn requests_unread(&mut self) {
        self.hidden = true;
        self.lost = true;
        self.unread = true;
        self.interrupt_turn();
    }

    /// Notes a gap of `missing` bytes in the responses; 0 at the beginning of a capture that joined
    /// the connection.
    pub(super) fn responses_lost(&mut self, missing: u64) {
        if missing == 0 {
            self.joined = true;
            self.hidden = true;
        } else {
            self.doubt = true;
            self.lost = true;
            self.overlaps = false;
        }
        self.interrupt_turn();
    }

    /// Notes bytes of the server that could not be read as responses.
    pub(super) fn responses_unread(&mut self) {
        self.doubt = true;
        self.lost = true;
        self.asked = 0;
        self.answered = 0;
    }

    /// The turn in progress says nothing about the client: a part of it is missing.
    fn interrupt_turn(&mut self) {
        self.answering = false;
        self.asked = 0;
        self.answered = 0;
    }

    /// Returns the number of bytes that the queue holds.
    pub(super) fn held(&self) -> usize {
        self.waiting.len() * size_of::<Run>()
    }
}

const _: () = assert!(size_of::<Run>() == 16, "the limit is explained by this size");
