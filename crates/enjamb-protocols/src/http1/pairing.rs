//! The pairing of responses with requests.
//!
//! Responses come in the order of their requests (RFC 9112, section 9.3.2), so this is a queue. It
//! trusts the order in which the two sides are fed: a response that comes when no request waits
//! answers nothing.
//!
//! Gaps make the queue doubtful, and a wrong pairing is worse than none:
//!
//! * A gap in the requests may hide any number of them. Those in the queue are still answered in
//!   order. Nothing is known about the ones after them.
//! * A gap in the responses may hide the answers to any number of the requests in the queue. Only
//!   the last few of them still wait, so the next response is certain only if the queue holds one
//!   request.
//! * Either doubt ends when a request comes while the server is between two responses, and the
//!   client was never seen to send a request before the last one was answered. Then that request is
//!   the only one.

use std::collections::VecDeque;

use super::method::Method;

/// The maximum number of runs of requests that wait for their answers on one connection.
///
/// A run is any number of requests in a row that need the same kind of response, so a server that
/// never answers costs one run, unless the client mixes `HEAD` or `CONNECT` with other methods. A
/// run takes 16 bytes: at most 8 KiB a connection, and 512 MiB for the 65,536 connections that a
/// capture follows by default. The requests after the last run are not paired.
pub const OUTSTANDING_RUNS_MAX: usize = 512;

/// The requests that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    waiting: VecDeque<Run>,
    /// Whether unseen requests may follow those in the queue.
    hidden: bool,
    /// Whether some of the first requests in the queue may have been answered.
    doubt: bool,
    /// Whether the client sends requests before the last one is answered.
    pipelines: bool,
}

/// Requests in a row: their messages follow each other, and their methods are equal.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The number of the first request among the client's messages.
    first: u64,
    count: u32,
    method: Method,
}

/// A request, as far as its response depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request {
    /// Its number among the client's messages, where that is certain.
    pub(super) ordinal: Option<u64>,
    pub(super) method: Method,
}

impl Pairing {
    /// Adds a request whose head was seen. `server_idle`: the server was between two responses
    /// then.
    pub(super) fn request(&mut self, ordinal: u64, method: Method, server_idle: bool) {
        if self.hidden || self.doubt {
            if server_idle && !self.pipelines {
                self.waiting.clear();
                self.hidden = false;
                self.doubt = false;
            }
        } else if !self.waiting.is_empty() {
            self.pipelines = true;
        }
        if !self.hidden {
            self.push(ordinal, method);
        }
    }

    fn push(&mut self, ordinal: u64, method: Method) {
        if let Some(run) = self.waiting.back_mut()
            && run.method == method
            && run.first + u64::from(run.count) == ordinal
            && run.count < u32::MAX
        {
            run.count += 1;
        } else if self.waiting.len() < OUTSTANDING_RUNS_MAX {
            self.waiting.push_back(Run { first: ordinal, count: 1, method });
        } else {
            self.hidden = true;
        }
    }

    /// Returns the request that the next response answers. Removes it from the queue unless the
    /// response is `interim`.
    pub(super) fn answer(&mut self, interim: bool) -> Request {
        let request = self.peek();
        if !interim {
            self.pop();
            self.doubt &= !self.waiting.is_empty();
        }
        request
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
    pub(super) fn peek(&self) -> Request {
        let Some(run) = self.waiting.front() else { return Request::default() };
        let only = self.waiting.len() == 1 && run.count == 1 && !self.hidden;
        Request { ordinal: (!self.doubt || only).then_some(run.first), method: run.method }
    }

    /// Notes a gap in the requests.
    pub(super) fn requests_lost(&mut self) {
        self.hidden = true;
    }

    /// Notes a gap in the responses.
    pub(super) fn responses_lost(&mut self) {
        self.doubt = !self.waiting.is_empty();
    }

    /// Returns the number of bytes that the queue holds.
    pub(super) fn held(&self) -> usize {
        self.waiting.len() * size_of::<Run>()
    }
}

const _: () = assert!(size_of::<Run>() == 16, "the limit is explained by this size");
