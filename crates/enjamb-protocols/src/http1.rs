//! HTTP/1.0 and HTTP/1.1 (RFC 9112).
//!
//! Each side is a `Reader` on a framer: lines up to the blank one that ends a head, then a body that is counted and never
//! kept. What the sides share is little, and all of it passes through this file:
//!
//! * How long a response is depends on its request (`HEAD`, `CONNECT`), so the head of each request is handed to the
//!   server's reader as soon as it is whole. That also tells which request a response answers; `pairing.rs` has the rules.
//! * `101` and a 2xx to `CONNECT` turn both sides into something else: what follows is one `opaque` message a side.
//!   So does the client's preface of HTTP/2.
//! * Behind a `CONNECT` the client's bytes are nobody's until its answer is known. They are not kept: if the answer is no, those
//!   that came before it are `unparsed`, and what comes after its head is HTTP again.
//! * A client that asks for an `Upgrade` is read on as HTTP until the head of the `101` is whole, since most servers ignore
//!   the wish. A request in progress at that moment becomes the beginning of the opaque bytes.
//!
//! One message a request and one a response, when it is whole. Interim responses (1xx) are messages of their own,
//! and answer the same request as the final one.
//!
//! Behind a hole that no body has room for, a reader looks for the next line that begins a message; what it skips is a
//! message of kind `unparsed`. A session whose stream is known to begin in the middle is told so by a gap of 0 bytes.

mod chunked;
mod fault;
mod framing;
mod head;
mod pairing;
mod reader;
mod resync;
mod sniff;
mod summary;

use enjamb::{AFTER_MALFORMED, Ending, FrameError, HOLE, Lane, Message, Outcome, Rest, Session, Side, Span};

use crate::opaque::opaque;
use fault::Fault;
use framing::Framing;
use head::Method;
use reader::{Event, Reader};
use summary::Summary;

pub use sniff::sniff;

/// Why bytes behind a hole are not parsed: no message begins in them.
const SKIPPED: &str = "skipped after a hole";

/// Why bytes behind a refused `CONNECT` are not parsed.
const BEFORE_VERDICT: &str = "sent before the answer to CONNECT";

/// What the protocol is called.
const NAME: &str = "http1";

/// Opens a session.
///
/// Kinds: a well-known method or `request`; `response`; `opaque`, `unparsed`, and `blank` for blank lines that no
/// request follows. The code of a response is its status, which fails it from 400 on.
#[must_use]
pub fn session() -> Box<dyn Session> {
    Box::new(Http1 { lanes: Side::BOTH.map(|side| Lane::new(Reader::new(side))), emitted: [0, 0] })
}

struct Http1 {
    lanes: [Lane<Reader>; 2],
    /// How many messages each side has emitted: the ordinal of its next one.
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
        self.interrupt(side, HOLE, out);
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
            // Only a body that the end of the stream delimits makes an event of the end, and only a FIN is such an end
            // (RFC 9112, section 8).
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

    /// A head is whole: what the other side needs to know of it.
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

    /// Both sides speak something else from here on.
    fn turn_opaque(&mut self) {
        for lane in &mut self.lanes {
            if lane.rest() == Rest::Message {
                lane.turn_opaque();
                lane.handler_mut().forget();
            }
        }
    }

    /// The answer to `CONNECT` was no: the client speaks HTTP again.
    fn resume_client(&mut self, out: Out<'_>) {
        let lane = &mut self.lanes[Side::Client.index()];
        if lane.rest() != Rest::Opaque {
            return;
        }
        let span = lane.claim_rest();
        let reader = core::mem::take(lane.handler_mut());
        lane.resume(0, reader);
        if let Some(span) = span {
            self.emit_unread(Side::Client, span, "unparsed", (Outcome::Incomplete, Some(BEFORE_VERDICT)), out);
        }
    }

    fn malformed(&mut self, side: Side, error: &FrameError<Fault>, out: Out<'_>) {
        self.settle(side, out);
        let fault = match error {
            FrameError::TooLong { .. } => self.reader(side).too_long(),
            FrameError::Handler { error, .. } => *error,
        };
        match side {
            // The server will answer it all the same.
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
        self.emit(side, span, (Outcome::Malformed, Some(fault.as_str())), out);
    }

    /// A message was found behind a hole: what was skipped before it is a message too.
    fn settle(&mut self, side: Side, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let Some(begins) = lane.handler_mut().resumed.take() else {
            return;
        };
        let span = lane.claim_to(begins);
        if span.length > 0 {
            self.emit_unread(side, span, "unparsed", (Outcome::Incomplete, Some(SKIPPED)), out);
        }
    }

    /// The stream ended or has a hole here: all that no message has claimed is one.
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
            Rest::Message if reader.is_seeking() => ("unparsed", (Outcome::Incomplete, Some(SKIPPED))),
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

    /// The message that the side's reader knows, which is forgotten then.
    fn emit(&mut self, side: Side, span: Span, (outcome, reason): (Outcome, Option<&str>), out: Out<'_>) {
        let reader = self.lanes[side.index()].handler();
        let message = &reader.message;
        out(&Message {
            protocol: NAME,
            side,
            kind: message.kind(side),
            span,
            outcome,
            code: message.code(),
            reason,
            answers: message.answers,
            summary: &Summary { reader, whole: matches!(outcome, Outcome::Ok | Outcome::Failed) },
        });
        self.emitted[side.index()] += 1;
        self.reader(side).forget();
    }

    /// A message of bytes that the reader knows nothing of.
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
