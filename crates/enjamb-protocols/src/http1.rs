//! HTTP/1.0 and HTTP/1.1 (RFC 9112).
//!
//! Each side is a `Reader` on a framer: lines up to the blank one that ends a head, then a body
//! that is counted and not kept. The sides share little state, and all of it is in this file:
//!
//! * The length of a response depends on its request (`HEAD`, `CONNECT`), so the server's reader
//!   receives the head of each request as soon as it is whole. It then has the request that a
//!   response answers, too; `pairing.rs` has the rules.
//! * A `101`, and a 2xx to `CONNECT`, change the protocol of both sides: the bytes that follow are
//!   one `opaque` message for each side. The client's preface of HTTP/2 does the same.
//! * The protocol of the client's bytes behind a `CONNECT` is unknown until its answer comes. They
//!   are not kept: if the server refuses, those before the refusal are `unparsed`, and those after
//!   its head are HTTP again.
//! * A client that asks for an `Upgrade` is still parsed as HTTP until the head of the `101` is
//!   whole, since most servers ignore the request. A request in progress at that moment becomes the
//!   beginning of the opaque bytes.
//!
//! A session emits one message for each request and response, when it is whole. Interim responses
//! (1xx) are messages of their own, and answer the same request as the final one.
//!
//! Behind a gap that does not fit into a body, a reader searches for the next line that begins a
//! message. The skipped bytes are a message of kind `unparsed`. A stream that the capture joined in
//! the middle begins with a gap of 0 bytes.

mod chunked;
mod framing;
mod head;
mod line;
mod method;
mod pairing;
mod reader;
mod resync;
mod sniff;
mod summary;
mod syntax_error;

use enjamb::{AFTER_MALFORMED, BYTES_MISSING, Ending, FrameError, Lane, Message, Outcome, Rest, Session, Side, Span};

use crate::opaque::opaque;
use framing::Framing;
use method::Method;
use reader::{Event, Reader};
use summary::Summary;
use syntax_error::SyntaxError;

pub use pairing::OUTSTANDING_RUNS_MAX;
pub use sniff::sniff;

/// The reason of bytes behind a gap in which no message begins.
const AFTER_GAP: &str = "skipped after a gap";

/// The reason of bytes behind a refused `CONNECT`.
const BEFORE_CONNECT_ANSWER: &str = "sent before the answer to CONNECT";

/// The name of the protocol.
const NAME: &str = "http1";

/// Opens a session for a conversation from its beginning.
///
/// The kinds are: a well-known method or `request`; `response`; `opaque`, `unparsed`, and `blank`
/// for blank lines that no request follows. The code of a response is its status, which is a
/// failure from 400 on.
#[must_use]
pub fn session() -> Box<dyn Session> {
    Box::new(Http1 { lanes: Side::BOTH.map(|side| Lane::new(Reader::new(side))), emitted: [0, 0] })
}

struct Http1 {
    lanes: [Lane<Reader>; 2],
    /// The number of messages that each side has emitted, which is the number of its next one.
    emitted: [u64; 2],
}

type Out<'o> = &'o mut dyn FnMut(&Message<'_>);

impl Session for Http1 {
    fn protocol(&self) -> &str {
        NAME
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: Out<'_>) {
        while let Some(next) = self.lanes[side.index()].next(&mut chunk) {
            match next {
                Ok(event) => self.found(side, event, out),
                Err(error) => self.malformed(side, &error, out),
            }
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let missing = lane.countable(missing);
        if let Ok(ended) = lane.pass(missing) {
            lane.handler_mut().lose(missing);
            match ended {
                None => {}
                Some(Ok(event)) => self.found(side, event, out),
                Some(Err(error)) => self.malformed(side, &error, out),
            }
            return;
        }
        self.interrupt(side, BYTES_MISSING, out);
        let pairing = &mut self.reader(Side::Server).pairing;
        match side {
            Side::Client => pairing.requests_lost(),
            Side::Server => pairing.responses_lost(),
        }
        let lane = &mut self.lanes[side.index()];
        let mut reader = core::mem::take(lane.handler_mut());
        reader.seek();
        lane.resume(missing, reader);
    }

    fn close(&mut self, side: Side, ending: Ending, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let parsing = lane.rest() == Rest::Message;
        let mut last = None;
        match lane.close(&mut |event| last = Some(event)) {
            Err(error) if parsing => {
                lane.give_up();
                self.malformed(side, &error, out);
            }
            // Only a body that the end of the stream delimits gives an event at the end, and only a
            // FIN is such an end (RFC 9112, section 8).
            _ => {
                if let (Some(event), Ending::Closed) = (last, ending) {
                    self.found(side, event, out);
                }
            }
        }
        self.interrupt(side, ending.reason(), out);
    }

    fn held(&self) -> usize {
        self.lanes.iter().map(Lane::held).sum()
    }
}

impl Http1 {
    fn reader(&mut self, side: Side) -> &mut Reader {
        self.lanes[side.index()].handler_mut()
    }

    fn found(&mut self, side: Side, event: Event, out: Out<'_>) {
        match event {
            Event::Preface => self.turn_opaque(),
            Event::Head => self.head(side, out),
            Event::Whole => {
                if !self.reader(side).message.announced {
                    self.head(side, out);
                }
                self.whole(side, out);
            }
        }
    }

    /// Handles a head that is whole, and passes it to the other side.
    fn head(&mut self, side: Side, out: Out<'_>) {
        self.settle(side, out);
        let message = &mut self.reader(side).message;
        message.announced = true;
        match side {
            Side::Client => {
                let method = message.method();
                self.await_answer(method);
            }
            Side::Server if message.refuses_tunnel => self.resume_client(out),
            Side::Server => {}
        }
    }

    fn await_answer(&mut self, method: Method) {
        let ordinal = self.emitted[Side::Client.index()];
        let responses = self.reader(Side::Server);
        let idle = responses.is_idle();
        responses.pairing.request(ordinal, method, idle);
    }

    fn whole(&mut self, side: Side, out: Out<'_>) {
        let span = self.lanes[side.index()].claim();
        let message = &self.reader(side).message;
        let asks_tunnel = side == Side::Client && message.method() == Method::Connect;
        let tunnel = message.framing == Framing::Tunnel;
        let outcome = if message.status() >= 400 { Outcome::Failed } else { Outcome::Ok };
        self.emit(side, span, (outcome, None), out);
        if tunnel {
            self.turn_opaque();
        } else if asks_tunnel {
            self.lanes[side.index()].turn_opaque();
        }
    }

    /// Marks both sides as another protocol from here on.
    fn turn_opaque(&mut self) {
        for lane in &mut self.lanes {
            if lane.rest() == Rest::Message {
                lane.turn_opaque();
                lane.handler_mut().clear();
            }
        }
    }

    /// Parses the client's side again: the server refused a `CONNECT`.
    fn resume_client(&mut self, out: Out<'_>) {
        let lane = &mut self.lanes[Side::Client.index()];
        if lane.rest() != Rest::Opaque {
            return;
        }
        let span = lane.claim_rest();
        let reader = core::mem::take(lane.handler_mut());
        lane.resume(0, reader);
        if let Some(span) = span {
            self.emit_unread(Side::Client, span, "unparsed", (Outcome::Incomplete, Some(BEFORE_CONNECT_ANSWER)), out);
        }
    }

    fn malformed(&mut self, side: Side, error: &FrameError<SyntaxError>, out: Out<'_>) {
        self.settle(side, out);
        let reason = match error {
            FrameError::TooLong { .. } => self.reader(side).too_long(),
            FrameError::Handler { error, .. } => *error,
        };
        match side {
            // The server will answer it nevertheless.
            Side::Client if !self.reader(side).message.announced => {
                let method = self.reader(side).method_begun();
                self.await_answer(method);
            }
            Side::Server if self.reader(side).message.head.is_none() => {
                let reader = self.reader(side);
                reader.message.answers = reader.pairing.answer(false).ordinal;
            }
            Side::Client | Side::Server => {}
        }
        let span = self.lanes[side.index()].claim_to(error.end());
        self.emit(side, span, (Outcome::Malformed, Some(reason.as_str())), out);
    }

    /// Emits the bytes that were skipped before a message that was found behind a gap.
    fn settle(&mut self, side: Side, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let Some(begins) = lane.handler_mut().resumed.take() else {
            return;
        };
        let span = lane.claim_to(begins);
        if span.length > 0 {
            self.emit_unread(side, span, "unparsed", (Outcome::Incomplete, Some(AFTER_GAP)), out);
        }
    }

    /// Emits all bytes that no message has claimed, where the stream ends or has a gap.
    fn interrupt(&mut self, side: Side, why: &'static str, out: Out<'_>) {
        self.settle(side, out);
        let lane = &mut self.lanes[side.index()];
        let rest = lane.rest();
        let Some(span) = lane.claim_rest() else {
            return;
        };
        let reader = lane.handler_mut();
        let (kind, verdict) = match rest {
            Rest::Opaque => ("opaque", (Outcome::Ok, None)),
            Rest::Unparsed => ("unparsed", (Outcome::Incomplete, Some(AFTER_MALFORMED))),
            Rest::Message if reader.is_seeking() => ("unparsed", (Outcome::Incomplete, Some(AFTER_GAP))),
            Rest::Message if !reader.is_in_message() => ("blank", (Outcome::Ok, None)),
            Rest::Message => {
                if side == Side::Server && reader.message.head.is_none() {
                    reader.message.answers = reader.pairing.peek().ordinal;
                }
                return self.emit(side, span, (Outcome::Incomplete, Some(why)), out);
            }
        };
        self.emit_unread(side, span, kind, verdict, out);
    }

    /// Emits the message in the side's reader, and clears it.
    fn emit(&mut self, side: Side, span: Span, (outcome, reason): (Outcome, Option<&str>), out: Out<'_>) {
        let reader = self.lanes[side.index()].handler();
        let message = &reader.message;
        out(&Message {
            outcome,
            code: message.code(),
            reason,
            answers: message.answers,
            summary: &Summary { reader, whole: matches!(outcome, Outcome::Ok | Outcome::Failed) },
            ..Message::new(NAME, side, message.kind(side), span)
        });
        self.emitted[side.index()] += 1;
        self.reader(side).clear();
    }

    /// Emits a message for bytes that the reader did not parse.
    fn emit_unread(
        &mut self,
        side: Side,
        span: Span,
        kind: &'static str,
        (outcome, reason): (Outcome, Option<&str>),
        out: Out<'_>,
    ) {
        out(&Message { kind, outcome, reason, ..opaque(NAME, side, span) });
        self.emitted[side.index()] += 1;
    }
}
