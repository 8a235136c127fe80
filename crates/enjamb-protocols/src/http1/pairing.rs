//! Which request a response answers.
//!
//! Responses come in the order of their requests (RFC 9112, section 9.3.2), so this is a queue. It trusts the order in which
//! the two sides are fed: a response that comes when nothing is asked answers nothing.
//!
//! Holes make the queue doubtful, and a wrong pairing is worse than none:
//!
//! * A hole in the requests may hide any number of them. Those in the queue are still answered in order; of what comes after
//!   them nothing is known.
//! * A hole in the responses may hide the answers to any number of the requests in the queue. What is still to be answered
//!   is some tail of it, so the next response is certain only when the queue has one request.
//! * Either doubt ends when a request comes while the server is between two responses, from a client that was never seen
//!   to ask again before it was answered: then that request is the only one.

use std::collections::VecDeque;

use super::head::Method;

/// The most requests that wait for their answers and can be told apart.
const OUTSTANDING_MAX: usize = 4096;

/// The requests that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    waiting: VecDeque<Asked>,
    /// Behind those there are requests that were not seen.
    hidden: bool,
    /// Some of the first of those may have been answered.
    doubt: bool,
    /// The client asks again before it is answered.
    pipelines: bool,
}

/// A request: what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Which message of the client it is.
    pub(super) ordinal: Option<u64>,
    pub(super) method: Method,
}

impl Pairing {
    /// The head of a request was seen, while the server was between two responses, or not.
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
        if self.waiting.len() == OUTSTANDING_MAX {
            self.hidden = true;
        }
        if !self.hidden {
            self.waiting.push_back(Asked { ordinal: Some(ordinal), method });
        }
    }

    /// The request that the response to come answers. Uses it up unless the response is `interim`.
    pub(super) fn answer(&mut self, interim: bool) -> Asked {
        let asked = self.peek();
        if !interim {
            self.waiting.pop_front();
            self.doubt &= !self.waiting.is_empty();
        }
        asked
    }

    /// The same without using it up.
    pub(super) fn peek(&self) -> Asked {
        let certain = !self.doubt || (self.waiting.len() == 1 && !self.hidden);
        let first = self.waiting.front().copied().unwrap_or_default();
        Asked { ordinal: first.ordinal.filter(|_| certain), method: first.method }
    }

    /// There is a hole in the requests.
    pub(super) fn requests_lost(&mut self) {
        self.hidden = true;
    }

    /// There is a hole in the responses.
    pub(super) fn responses_lost(&mut self) {
        self.doubt = !self.waiting.is_empty();
    }

    /// Bytes held on to.
    pub(super) fn held(&self) -> usize {
        self.waiting.len() * size_of::<Asked>()
    }
}
