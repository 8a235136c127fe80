//! HTTP/1.0 and HTTP/1.1 (RFC 9112).
//!
//! Each side is a `Reader` on a framer: lines up to the blank one that ends a head, then a body
//! that is counted and not kept. The sides share little state, and all of it is in this file:
//!
//! * The length of a response depends on its request (`HEAD`, `CONNECT`), so the server's reader
//!   receives the head of each request as soon as it is whole, and the method of the request in
//!   progress before that. It then has the request that a response answers, too; `pairing.rs` has
//!   the rules.
//! * A `101`, and a 2xx to `CONNECT`, change the protocol of both sides: on the server's side
//!   behind its head, on the client's side behind the request that asked for it (RFC 9110, sections
//!   7.8 and 9.3.6). If the registry opened this session, the bytes that follow go to a session of
//!   their own: that of the protocol in the `Upgrade` of the 101, or one that detects the protocol
//!   in a `CONNECT` tunnel; `tunnel.rs` has the rules. The client's preface of HTTP/2 does the
//!   same. Other bytes are one `opaque` message for each side.
//! * The protocol of the client's bytes behind such a request is unknown until its answer comes.
//!   `gate.rs` keeps them until then.
//!
//! How the chunks of the two sides interleave decides nothing, as long as a response comes behind
//! the part of its request to which it reacts. A test tries that for every conversation of the
//! corpus.
//!
//! A session emits one message for each request and response, when it is whole. Interim responses
//! (1xx) are messages of their own, and answer the same request as the final one.
//!
//! One malformed message is one malformed message. Where its end is known, the next one follows.
//! Where it is not, and behind a gap that does not fit into a body, a reader seeks the next line
//! that begins a message. The skipped bytes are a message of kind `unparsed`. A stream that the
//! capture joined in the middle begins with a gap of 0 bytes.

mod attributes;
mod careful;
mod chunked;
mod flags;
mod framing;
mod gate;
mod head;
mod line;
mod method;
mod pairing;
mod reader;
mod resync;
mod sniff;
mod summary;
mod syntax_error;

use enjamb::{
    AFTER_MALFORMED, AttributeArgument, AttributeValue, Attributes, BYTES_MISSING, Ending, Flags, Lane, Machine,
    Message, Outcome, Rest, Session, Side, Span,
};

use crate::opaque::opaque;
use crate::sniff::Sniff;
use crate::tunnel::{OpenInner, OpenNamed, Tunnel};
use flags::FlagList;
use framing::Framing;
use gate::{Gate, KEPT_MAX, Shut};
use method::{Method, Request};
use reader::{Event, Reader};
use summary::Summary;
use syntax_error::SyntaxError;

pub use attributes::ATTRIBUTES;
pub use pairing::OUTSTANDING_RUNS_MAX;
pub use sniff::sniff;

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
    Box::new(http1(None))
}

/// Opens a session that parses what is inside the tunnels of `CONNECT`, and what follows an
/// upgrade.
pub(crate) fn tunnelling(detect: OpenInner, named: OpenNamed, depth: u8) -> Box<dyn Session> {
    Box::new(http1(Some(Openers { detect, named, depth })))
}

/// The protocols that an `Upgrade` may name, in lower case, and those that follow.
const UPGRADES: [(&str, &str); 2] = [("websocket", "websocket"), ("h2c", "http2")];

/// The first line of the preface of HTTP/2 (RFC 9113, section 3.4).
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The maximum number of bytes of a server that came before the client's preface.
const BEFORE_PREFACE_MAX: usize = 16 << 10;

/// Opens the sessions of other protocols.
#[derive(Clone, Copy)]
struct Openers {
    detect: OpenInner,
    named: OpenNamed,
    /// The number of tunnels around this session.
    depth: u8,
}

impl Openers {
    fn named(&self, protocol: &str) -> Option<Box<dyn Session>> {
        (self.named)(protocol, Side::Client, &[]).map(|(session, _)| session)
    }
}

fn http1(open_inner: Option<Openers>) -> Http1 {
    Http1 {
        lanes: Side::BOTH.map(|side| Lane::new(Reader::new(side))),
        emitted: [0, 0],
        gate: Gate::Open,
        waits: true,
        verdict: None,
        server_closed: false,
        open_inner,
        tunnel: None,
        keeps_attributes: false,
    }
}

struct Http1 {
    lanes: [Lane<Reader>; 2],
    /// The number of messages that each side has emitted, which is the number of its next one.
    emitted: [u64; 2],
    gate: Gate,
    /// Whether the client's bytes behind a wish to upgrade are kept. They are not any more once
    /// there were too many of them.
    waits: bool,
    /// Whether the request in progress was answered, and whether HTTP ends behind it.
    verdict: Option<bool>,
    server_closed: bool,
    open_inner: Option<Openers>,
    /// The conversation inside a tunnel, and the sides that are in it already.
    tunnel: Option<Box<(Tunnel, [bool; 2])>>,
    keeps_attributes: bool,
}

type Out<'o> = &'o mut dyn FnMut(&Message<'_>);

impl Session for Http1 {
    fn protocol(&self) -> &str {
        NAME
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: Out<'_>) {
        if let Some(tunnel) = self.tunnel_of(side) {
            return tunnel.feed(side, chunk, out);
        }
        match side {
            Side::Client if matches!(self.gate, Gate::Shut(_)) => return self.keep(chunk, out),
            Side::Client => {}
            Side::Server => self.note_request_in_progress(),
        }
        loop {
            if side == Side::Server && !chunk.is_empty() {
                self.reader(Side::Server).pairing.server_sent();
            }
            let Some(next) = self.lanes[side.index()].next(&mut chunk) else { return };
            // A reader refuses nothing.
            let Ok(event) = next else { return };
            self.found(side, event, out);
            if self.tunnel_of(side).is_some() {
                if !chunk.is_empty() {
                    self.feed(side, chunk, out);
                }
                return;
            }
            if side == Side::Client && matches!(self.gate, Gate::Shut(_)) {
                return self.keep(chunk, out);
            }
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: Out<'_>) {
        if let Some(tunnel) = self.tunnel_of(side) {
            return tunnel.gap(side, missing, out);
        }
        if side == Side::Client {
            self.open_unanswered(out);
        }
        if let (Side::Server, Gate::Shut(shut)) = (side, &mut self.gate) {
            shut.lost = true;
            self.reconsider(out);
        }
        let lane = &mut self.lanes[side.index()];
        let missing = lane.countable(missing);
        if let Ok(ended) = lane.pass(missing) {
            lane.handler_mut().lose(missing);
            if let Some(Ok(event)) = ended {
                self.found(side, event, out);
            }
            return;
        }
        if side == Side::Client {
            self.announce_request_in_progress(out);
        }
        self.interrupt(side, BYTES_MISSING, out);
        let responses = self.reader(Side::Server);
        let idle = responses.is_idle();
        match side {
            Side::Client => responses.pairing.requests_lost(missing, idle),
            Side::Server => responses.pairing.responses_lost(missing),
        }
        let lane = &mut self.lanes[side.index()];
        let mut reader = core::mem::take(lane.handler_mut());
        reader.seek();
        lane.resume(missing, reader);
    }

    fn close(&mut self, side: Side, ending: Ending, out: Out<'_>) {
        match (side, &mut self.gate) {
            (Side::Client, Gate::Shut(shut)) => {
                shut.ending = Some(ending);
                if self.server_closed {
                    self.open_unanswered(out);
                }
            }
            (Side::Client, _) => self.close_lane(side, ending, out),
            (Side::Server, _) => {
                self.note_request_in_progress();
                self.close_lane(side, ending, out);
                self.server_closed = true;
                if let Gate::Shut(shut) = &mut self.gate {
                    // The answer will not come.
                    shut.lost = true;
                    if shut.connect || shut.ending.is_some() {
                        self.open_unanswered(out);
                    } else {
                        self.reconsider(out);
                    }
                }
            }
        }
    }

    fn pause(&mut self) {
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.0.pause();
        }
    }

    fn keep_attributes(&mut self) {
        // The head of a message is kept in any case.
        self.keeps_attributes = true;
    }

    fn held(&self) -> usize {
        let tunnel = self.tunnel.as_ref().map_or(0, |tunnel| tunnel.0.held());
        let kept = if let Gate::Shut(shut) = &self.gate { shut.kept.len() } else { 0 };
        tunnel + kept + self.lanes.iter().map(Lane::held).sum::<usize>()
    }
}

impl Http1 {
    fn reader(&mut self, side: Side) -> &mut Reader {
        self.lanes[side.index()].handler_mut()
    }

    /// Passes the request whose head is not whole to the server's reader: a response that comes now
    /// may answer it.
    fn note_request_in_progress(&mut self) {
        let ordinal = self.emitted[Side::Client.index()];
        let lane = &self.lanes[Side::Client.index()];
        let begun = if lane.rest() == Rest::Message { lane.handler().begun() } else { None };
        self.reader(Side::Server).pairing.begin(begun.map(|request| (ordinal, request)));
    }

    /// Passes a request whose head will never be whole to the other side: it is answered all the
    /// same.
    fn announce_request_in_progress(&mut self, out: Out<'_>) {
        self.settle(Side::Client, out);
        let lane = &self.lanes[Side::Client.index()];
        if let (Rest::Message, Some(request)) = (lane.rest(), lane.handler().begun()) {
            self.await_answer(request);
        }
    }

    fn await_answer(&mut self, request: Request) {
        let ordinal = self.emitted[Side::Client.index()];
        let responses = self.reader(Side::Server);
        let idle = responses.is_idle();
        responses.pairing.request(ordinal, request, idle);
    }

    fn close_lane(&mut self, side: Side, ending: Ending, out: Out<'_>) {
        if let Some(tunnel) = self.tunnel_of(side) {
            return tunnel.close(side, ending, out);
        }
        if side == Side::Client {
            self.announce_request_in_progress(out);
        }
        let mut last = None;
        // Only a body that the end of the stream delimits gives an event at the end, and only a FIN
        // is such an end (RFC 9112, section 8).
        let closed = self.lanes[side.index()].close(&mut |event| last = Some(event));
        if let (Ok(_), Some(event), Ending::Closed) = (closed, last, ending) {
            self.found(side, event, out);
        }
        self.interrupt(side, ending.reason(), out);
    }

    fn found(&mut self, side: Side, event: Event, out: Out<'_>) {
        match event {
            Event::Preface => self.preface(out),
            Event::Head => self.head(side, out),
            Event::Whole | Event::Broken => {
                let broken = event == Event::Broken;
                if broken && side == Side::Server {
                    let reader = self.reader(side);
                    reader.take_answered();
                    reader.pairing.responses_unread();
                }
                if !self.reader(side).message.announced {
                    self.head(side, out);
                }
                if broken { self.broken(side, out) } else { self.whole(side, out) }
            }
        }
    }

    /// Handles a head that is whole, or given up, and passes it to the other side.
    fn head(&mut self, side: Side, out: Out<'_>) {
        self.settle(side, out);
        let reader = self.reader(side);
        let message = &mut reader.message;
        message.announced = true;
        match side {
            Side::Client => {
                let request = message.request();
                self.await_answer(request);
            }
            Side::Server => {
                if let (false, Some(request)) = (message.interim, message.answers)
                    && message.framing != Framing::Tunnel
                {
                    self.answered(request, false, out);
                }
            }
        }
    }

    /// Handles the answer to a request: whether HTTP ends behind both.
    fn answered(&mut self, request: u64, tunnel: bool, out: Out<'_>) {
        match &self.gate {
            Gate::Shut(shut) if shut.request == request => self.open(tunnel, out),
            Gate::Assumed(assumed) if *assumed == request && !tunnel => self.resume_client(out),
            _ if request == self.emitted[Side::Client.index()] => self.verdict = Some(tunnel),
            _ => {}
        }
    }

    fn whole(&mut self, side: Side, out: Out<'_>) {
        let span = self.lanes[side.index()].claim();
        let ordinal = self.emitted[side.index()];
        let message = &self.reader(side).message;
        let (request, answers) = (message.request(), message.answers);
        let tunnel = message.framing == Framing::Tunnel;
        // The other tunnel is that of a 101.
        let connected = tunnel && (200..=299).contains(&message.status());
        let upgrade = if tunnel && !connected { self.upgrade() } else { None };
        let message = &self.reader(side).message;
        let verdict = match (message.error, message.status()) {
            (Some(error), _) => (Outcome::Malformed, Some(error.as_str())),
            // RFC 9110, section 15: a status that does not exist is read as a 5xx.
            (None, 400.. | 1..100) => (Outcome::Failed, None),
            (None, 0) if side == Side::Server => (Outcome::Failed, None),
            _ => (Outcome::Ok, None),
        };
        self.emit(side, span, verdict, out);
        match side {
            Side::Client => {
                let verdict = self.verdict.take();
                let connect = request.method == Method::Connect;
                if connect || request.upgrade {
                    self.wait_for_answer(ordinal, connect, verdict);
                }
            }
            Side::Server if tunnel => {
                if let Some(openers) = self.open_inner {
                    if connected {
                        self.open_tunnel(answers, || Some((openers.detect)(openers.depth + 1)));
                    } else if let Some(protocol) = upgrade {
                        self.open_tunnel(answers, || openers.named(protocol));
                    }
                }
                self.turn_opaque(Side::Server);
                match answers {
                    Some(request) => self.answered(request, true, out),
                    None if matches!(self.gate, Gate::Shut(_)) => self.open(true, out),
                    None => self.turn_opaque(Side::Client),
                }
            }
            Side::Server => {}
        }
    }

    /// Decides how the client's bytes behind a request are read that may end HTTP. `verdict` is the
    /// answer, if it came already.
    fn wait_for_answer(&mut self, request: u64, connect: bool, verdict: Option<bool>) {
        let certain = self.reader(Side::Server).pairing.is_certain();
        let closed = self.server_closed;
        match verdict {
            Some(true) => self.turn_opaque(Side::Client),
            Some(false) => {}
            None if certain && (if connect { !closed } else { self.waits }) => {
                self.gate = Gate::Shut(Shut { lost: closed, ..Shut::new(request, connect) });
            }
            None if connect => {
                self.gate = Gate::Assumed(request);
                self.turn_opaque(Side::Client);
            }
            None => {}
        }
    }

    /// Emits a malformed message whose end is unknown, and looks for the next message.
    fn broken(&mut self, side: Side, out: Out<'_>) {
        let at = self.reader(side).broken_at;
        let span = self.lanes[side.index()].claim_to(at);
        let message = &self.reader(side).message;
        let reason = message.error.map(SyntaxError::as_str);
        // Bytes that resemble no request may have been any number of them.
        let counted = message.head.is_some() || message.is_of_known_method();
        self.emit(side, span, (Outcome::Malformed, reason), out);
        self.reader(side).seek_on();
        if side == Side::Client {
            self.verdict = None;
            if !counted {
                self.reader(Side::Server).pairing.requests_unread();
            }
        }
    }

    /// Keeps bytes of the client whose protocol is not known.
    fn keep(&mut self, bytes: &[u8], out: Out<'_>) {
        let Gate::Shut(shut) = &mut self.gate else { return };
        // Exactly as many are kept, however they are cut: what they are is decided by them alone.
        let (kept, beyond) = bytes.split_at(bytes.len().min(KEPT_MAX - shut.kept.len()));
        shut.kept.extend_from_slice(kept);
        self.reconsider(out);
        if beyond.is_empty() {
            return;
        }
        if matches!(&self.gate, Gate::Shut(shut) if shut.kept.len() == KEPT_MAX) {
            self.waits = false;
            self.open_unanswered(out);
        }
        self.feed(Side::Client, beyond, out);
    }

    /// Decides by the kept bytes alone if the answer may be lost.
    fn reconsider(&mut self, out: Out<'_>) {
        if let Gate::Shut(shut) = &self.gate
            && shut.lost
        {
            match shut.sniff() {
                Sniff::Yes => self.open(false, out),
                Sniff::No => self.open(true, out),
                Sniff::More | Sniff::Maybe => {}
            }
        }
    }

    /// Decides about the kept bytes without an answer.
    fn open_unanswered(&mut self, out: Out<'_>) {
        // The kept bytes may contain another request of this kind.
        while let Gate::Shut(shut) = &self.gate {
            let (request, tunnel) = (shut.request, shut.is_tunnel_unanswered());
            self.open(tunnel, out);
            if tunnel {
                self.gate = Gate::Assumed(request);
            }
        }
    }

    /// Gives the kept bytes to the client's lane: as another protocol, or as HTTP.
    fn open(&mut self, tunnel: bool, out: Out<'_>) {
        let Gate::Shut(Shut { kept, ending, .. }) = core::mem::take(&mut self.gate) else { return };
        if tunnel {
            self.turn_opaque(Side::Client);
        }
        self.feed(Side::Client, &kept, out);
        match (&mut self.gate, ending) {
            (Gate::Shut(shut), ending) => shut.ending = ending,
            (_, Some(ending)) => self.close_lane(Side::Client, ending, out),
            (_, None) => {}
        }
        self.note_request_in_progress();
    }

    /// Opens the session inside the tunnel that `request` asked for, if the client's side will be
    /// in it from its beginning. Otherwise the tunnel stays opaque.
    fn open_tunnel(&mut self, request: Option<u64>, open: impl FnOnce() -> Option<Box<dyn Session>>) {
        let client_follows = match &self.gate {
            Gate::Shut(shut) => request.is_none_or(|request| request == shut.request),
            Gate::Assumed(_) => false,
            Gate::Open => request == Some(self.emitted[Side::Client.index()]),
        };
        let framed = self.lanes.iter().all(|lane| lane.rest() == Rest::Message);
        if client_follows && framed {
            self.set_tunnel(open());
        }
    }

    fn set_tunnel(&mut self, inner: Option<Box<dyn Session>>) {
        let Some(inner) = inner else { return };
        let mut tunnel = Tunnel::new(inner, NAME);
        if self.keeps_attributes {
            tunnel.keep_attributes();
        }
        self.tunnel = Some(Box::new((tunnel, [false; 2])));
    }

    /// Returns the protocol that the 101 in the server's reader names, if it is known.
    fn upgrade(&mut self) -> Option<&'static str> {
        let value = self.reader(Side::Server).get("header", AttributeArgument::Text("upgrade"))?;
        let AttributeValue::Text(value) = value else { return None };
        let known = UPGRADES.iter().find(|(name, _)| value.trim().eq_ignore_ascii_case(name));
        known.map(|(_, protocol)| *protocol)
    }

    /// Changes both sides to HTTP/2. They stay opaque if bytes of it were read as HTTP/1 already.
    fn preface(&mut self, out: Out<'_>) {
        let [client, server] = &self.lanes;
        let server_bytes = server.handler().head();
        let is_whole = client.framer().offset() - client.start() == PREFACE_LINE.len() as u64
            && (server.is_new()
                || (server.framer().offset() == 0 && server.start() == 0 && server_bytes.len() < BEFORE_PREFACE_MAX));
        let server_bytes = server_bytes.to_vec();
        if let (Some(openers), true) = (self.open_inner, is_whole) {
            self.set_tunnel(openers.named("http2"));
        }
        Side::BOTH.into_iter().for_each(|side| self.turn_opaque(side));
        if let Some(tunnel) = &mut self.tunnel {
            // The server's bytes are the older ones.
            tunnel.0.feed(Side::Server, &server_bytes, out);
            tunnel.0.feed(Side::Client, PREFACE_LINE, out);
        }
    }

    /// Returns the tunnel, if this side is in it.
    #[inline]
    fn tunnel_of(&mut self, side: Side) -> Option<&mut Tunnel> {
        match &mut self.tunnel {
            Some(tunnel) if tunnel.1[side.index()] => Some(&mut tunnel.0),
            _ => None,
        }
    }

    /// Marks a side as another protocol from here on.
    fn turn_opaque(&mut self, side: Side) {
        let lane = &mut self.lanes[side.index()];
        if lane.rest() == Rest::Message {
            lane.turn_opaque();
            lane.handler_mut().clear();
            if let Some(tunnel) = &mut self.tunnel {
                tunnel.0.begin(side, lane.start(), self.emitted[side.index()]);
                tunnel.1[side.index()] = true;
            }
        }
    }

    /// Parses the client's side again: the server refused a `CONNECT` behind which more bytes came
    /// than are kept.
    fn resume_client(&mut self, out: Out<'_>) {
        self.gate = Gate::Open;
        let lane = &mut self.lanes[Side::Client.index()];
        if lane.rest() != Rest::Opaque {
            return;
        }
        let span = lane.claim_rest();
        let mut reader = core::mem::take(lane.handler_mut());
        reader.seek();
        reader.skip_reason = BEFORE_CONNECT_ANSWER;
        lane.resume(0, reader);
        self.reader(Side::Server).pairing.requests_unread();
        if let Some(span) = span {
            self.emit_unread(Side::Client, span, "unparsed", (Outcome::Incomplete, Some(BEFORE_CONNECT_ANSWER)), out);
        }
    }

    /// Emits the bytes that were skipped before a message that was sought and found.
    fn settle(&mut self, side: Side, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let Some(begins) = lane.handler_mut().resumed.take() else {
            return;
        };
        let span = lane.claim_to(begins);
        let reason = lane.handler().skip_reason;
        if span.length > 0 {
            self.emit_unread(side, span, "unparsed", (Outcome::Incomplete, Some(reason)), out);
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
            Rest::Message if reader.is_seeking() => ("unparsed", (Outcome::Incomplete, Some(reader.skip_reason))),
            Rest::Message if !reader.is_in_message() => ("blank", (Outcome::Ok, None)),
            Rest::Message => {
                if side == Side::Server {
                    reader.take_answered();
                }
                let verdict = match reader.message.error {
                    Some(error) => (Outcome::Malformed, Some(error.as_str())),
                    None => (Outcome::Incomplete, Some(why)),
                };
                return self.emit(side, span, verdict, out);
            }
        };
        self.emit_unread(side, span, kind, verdict, out);
    }

    /// Emits the message in the side's reader, and clears it.
    fn emit(&mut self, side: Side, span: Span, (outcome, reason): (Outcome, Option<&str>), out: Out<'_>) {
        let reader = self.lanes[side.index()].handler();
        let message = &reader.message;
        let content = Message {
            outcome,
            code: message.code(),
            reason,
            answers: message.answers,
            summary: &Summary { reader, whole: matches!(outcome, Outcome::Ok | Outcome::Failed) },
            attributes: reader,
            ..Message::new(NAME, side, message.kind(side), span)
        };
        if message.flags.is_empty() {
            out(&content);
        } else {
            let list = FlagList::new(message.flags);
            out(&Message { flags: Flags::from_list(list.as_str()), ..content });
        }
        self.emitted[side.index()] += 1;
        let [client, server] = &mut self.lanes;
        let (lane, other) = if side == Side::Client { (client, server) } else { (server, client) };
        let reader = lane.handler_mut();
        reader.clear();
        reader.lend_buffer(other.handler_mut());
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
