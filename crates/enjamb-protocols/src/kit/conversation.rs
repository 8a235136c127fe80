//! The session of some rules.
//!
//! Each side is in one of these modes:
//!
//! ```text
//! Messages ──(gap, broken message)──► Seek ──(a message begins)──► Messages
//! Messages ──(a request whose answer may change the protocol)──► Gate ──(its answer)──► Messages
//! Messages, Gate ──(the protocol changes)──► Inner, Opaque
//! ```
//!
//! In `Gate` the bytes of the side are kept, at most [`GATE_MAX`], since the answer decides what
//! they are. Bytes that a client sent in the old protocol although it had asked for the new one
//! are parsed all the same, and have the flag `behind-upgrade`: a server that executes them after
//! the change can be attacked that way (STARTTLS injection).
//!
//! A proxy that ends TLS shows the text inside it. So behind a change to TLS the first two bytes of
//! the client decide: if they are not those of a TLS record, the conversation goes on as before.

use std::fmt;

use enjamb::{
    AFTER_MALFORMED, AttributeArgument, AttributeValue, Attributes, BYTES_MISSING, Ending, Flags, Message, Outcome,
    Session, Side, Span,
};

use super::pairing::Pairing;
use super::reader::{Reader, Step, Whole, glance};
use super::report::{Report, Role, Then};
use super::rules::{Fault, Frame, Rules};
use super::seek::{Found, Search};
use crate::opaque::{AFTER_GAP, opaque};
use crate::sniff::Sniff;
use crate::tunnel::{OpenNamed, Tunnel};

/// The maximum number of bytes of a side that are kept until an answer decides their protocol.
const GATE_MAX: usize = 16 << 10;

/// The flag of a message that follows the wish to change the protocol.
const BEHIND_UPGRADE: &str = "behind-upgrade";

/// The last offset up to which gaps are counted, so that no sum of offsets overflows.
const GAP_OFFSET_MAX: u64 = 1 << 62;

/// The session of a conversation by the rules `R`.
#[derive(Debug)]
pub struct Conversation<R: Rules> {
    rules: R,
    lanes: [Lane<R::Memo>; 2],
    pairing: Pairing,
    inner: Option<Box<Tunnel>>,
    /// The progress of the decision whether TLS follows the change to it.
    tls: TlsDecision,
    /// Opens the protocols to which this one changes.
    open: Option<OpenNamed>,
    keeps_attributes: bool,
}

/// One side.
#[derive(Debug)]
struct Lane<M> {
    mode: Mode,
    reader: Reader<M>,
    /// The offset of the first byte that no message has claimed.
    start: u64,
    /// The number of messages that were emitted.
    emitted: u64,
    /// The mode behind the message in progress.
    pending: Option<Pending>,
    closed: bool,
    /// Whether the messages follow the wish to change the protocol.
    flagged: bool,
}

#[derive(Debug)]
enum Mode {
    Messages,
    /// The number of unclaimed bytes that were skipped, and why.
    Seek(Search, u64, &'static str),
    Gate(Gate),
    /// The number of unclaimed bytes.
    Opaque(u64),
    /// The number of unclaimed bytes.
    Unparsed(u64),
    Inner,
}

/// The decision whether TLS follows the change to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TlsDecision {
    /// There is nothing to decide.
    Made,
    /// The client has sent nothing behind the change.
    Open,
    /// The client has sent this byte, which may be the first one of a TLS record.
    First(u8),
}

/// The first byte of a TLS record, and the upper byte of its version (RFC 8446, section 5.1).
const TLS_TYPES: std::ops::RangeInclusive<u8> = 20..=23;
const TLS_VERSION: u8 = 3;

#[derive(Debug)]
struct Gate {
    request: u64,
    kept: Vec<u8>,
    ending: Option<Ending>,
}

#[derive(Clone, Copy, Debug)]
enum Pending {
    Inner,
    Opaque,
}

/// The place of a message.
#[derive(Clone, Copy)]
struct Place {
    side: Side,
    ordinal: u64,
    offset: u64,
    /// The other side's message in progress.
    begun: Option<u64>,
    flagged: bool,
}

/// The effect of a message that was emitted.
#[derive(Clone, Copy)]
struct Effect {
    then: Then,
    answers: Option<u64>,
    /// Whether other answers to the same request follow.
    more_answers: bool,
}

type Out<'o> = &'o mut dyn FnMut(&Message<'_>);

impl<R: Rules> Conversation<R> {
    /// Creates a session at the beginning of a conversation. If the protocol changes, what follows
    /// is opaque.
    #[must_use]
    pub fn new(rules: R) -> Self {
        Self::changing(rules, None)
    }

    /// Creates a session that may change to the protocols that `open` opens.
    pub(crate) fn changing(rules: R, open: Option<OpenNamed>) -> Self {
        let lane = || Lane {
            mode: Mode::Messages,
            reader: Reader::new(),
            start: 0,
            emitted: 0,
            pending: None,
            closed: false,
            flagged: false,
        };
        Self {
            rules,
            lanes: [lane(), lane()],
            pairing: Pairing::default(),
            inner: None,
            tls: TlsDecision::Made,
            open,
            keeps_attributes: false,
        }
    }

    /// Parses messages from the front of the chunk, until the mode changes or the chunk is used up.
    fn messages(&mut self, side: Side, chunk: &mut &[u8], out: Out<'_>) {
        while !chunk.is_empty() {
            let lane = &mut self.lanes[side.index()];
            if !lane.reader.is_begun() {
                if let Some(pending) = lane.pending.take() {
                    self.change(side, pending);
                    return;
                }
                let mut memo = R::Memo::default();
                if let Some((head, last, length)) = glance((&self.rules, &self.pairing), side, chunk, &mut memo) {
                    *chunk = &chunk[length..];
                    let length = length as u64;
                    let whole = Whole { head, last, length, lost: 0, oversized: false, memo: &memo };
                    let effect = emit(&mut self.rules, &mut self.pairing, place(&self.lanes, side), &whole, out);
                    if self.emitted(side, length, effect, out) {
                        continue;
                    }
                    return;
                }
            }
            let step = self.lanes[side.index()].reader.feed((&self.rules, &self.pairing), side, chunk);
            if !self.step(side, step, out) {
                return;
            }
        }
    }

    /// Handles the result of the reader. Returns whether the side is still in messages.
    fn step(&mut self, side: Side, step: Step, out: Out<'_>) -> bool {
        match step {
            Step::More => true,
            Step::Whole => {
                let place = place(&self.lanes, side);
                let reader = &mut self.lanes[side.index()].reader;
                let effect = emit(&mut self.rules, &mut self.pairing, place, &reader.whole(), out);
                let length = reader.length();
                reader.clear();
                self.emitted(side, length, effect, out)
            }
            Step::Broken(fault) => {
                self.broken(side, fault, out);
                false
            }
        }
    }

    /// Handles the effect of a message. Returns whether the side is still in messages.
    fn emitted(&mut self, side: Side, length: u64, effect: Effect, out: Out<'_>) -> bool {
        let lane = &mut self.lanes[side.index()];
        let ordinal = lane.emitted;
        lane.start = lane.start.saturating_add(length);
        lane.emitted += 1;
        match effect.then {
            Then::Continue => {}
            Then::Await => {
                if lane.pending.is_none() && self.pairing.waits(side, ordinal) && !self.lanes[(!side).index()].closed {
                    self.lanes[side.index()].mode =
                        Mode::Gate(Gate { request: ordinal, kept: Vec::new(), ending: None });
                }
            }
            Then::Switch(protocol) => self.switch(side, protocol, out),
            Then::Opaque => lane.mode = Mode::Opaque(0),
            Then::BothOpaque => {
                lane.mode = Mode::Opaque(0);
                self.turn_opaque(!side, out);
            }
        }
        if let (Some(answered), false) = (effect.answers, effect.more_answers)
            && let Mode::Gate(gate) = &self.lanes[(!side).index()].mode
            && gate.request == answered
        {
            self.open_gate(!side, out);
        }
        matches!(self.lanes[side.index()].mode, Mode::Messages)
    }

    /// Changes both sides to another protocol.
    fn switch(&mut self, side: Side, protocol: &'static str, out: Out<'_>) {
        if self.inner.is_some() {
            return;
        }
        let kept = match &self.lanes[(!side).index()].mode {
            Mode::Gate(gate) => &gate.kept[..],
            _ => &[],
        };
        let Some((session, sniff)) = self.open.and_then(|open| open(protocol, !side, kept)) else {
            self.lanes[side.index()].mode = Mode::Opaque(0);
            self.change_behind_message(!side, Pending::Opaque, out);
            return;
        };
        let mut tunnel = Tunnel::new(session, self.rules.name());
        if self.keeps_attributes {
            tunnel.keep_attributes();
        }
        self.inner = Some(Box::new(tunnel));
        if protocol == "tls" {
            self.tls = TlsDecision::Open;
        }
        // The other side's bytes are the older ones.
        if let Mode::Gate(gate) = &mut self.lanes[(!side).index()].mode {
            let kept = std::mem::take(&mut gate.kept);
            let ending = gate.ending.take();
            let is_new = kept.is_empty() || sniff != Sniff::No;
            self.lanes[(!side).index()].mode = Mode::Messages;
            if !is_new {
                self.lanes[(!side).index()].flagged = true;
                self.feed_old(!side, &kept, out);
                self.interrupt(!side, BEFORE_UPGRADE, out);
            }
            self.change(side, Pending::Inner);
            self.change(!side, Pending::Inner);
            if is_new {
                self.feed(!side, &kept, out);
            }
            if let Some(ending) = ending {
                self.close(!side, ending, out);
            }
            return;
        }
        self.change(side, Pending::Inner);
        self.change_behind_message(!side, Pending::Inner, out);
    }

    /// Parses kept bytes that are still in the old protocol. One of them may wish for the change
    /// again: what is kept behind it is in the old protocol, too.
    fn feed_old(&mut self, side: Side, kept: &[u8], out: Out<'_>) {
        self.feed(side, kept, out);
        while let Mode::Gate(gate) = &mut self.lanes[side.index()].mode {
            let kept = std::mem::take(&mut gate.kept);
            self.lanes[side.index()].mode = Mode::Messages;
            self.feed(side, &kept, out);
        }
    }

    /// Makes a side opaque behind the message in progress. Bytes that waited for this decision are
    /// opaque, too.
    fn turn_opaque(&mut self, side: Side, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let Mode::Gate(gate) = &mut lane.mode else { return self.change_behind_message(side, Pending::Opaque, out) };
        let (kept, ending) = (gate.kept.len() as u64, gate.ending.take());
        lane.mode = Mode::Opaque(kept);
        if let Some(ending) = ending {
            self.close(side, ending, out);
        }
    }

    /// Changes a side behind the message in progress, or now if there is none.
    fn change_behind_message(&mut self, side: Side, pending: Pending, out: Out<'_>) {
        if let (Pending::Opaque, Mode::Gate(gate)) = (pending, &self.lanes[side.index()].mode)
            && self.rules.begins(side, &gate.kept) != Sniff::Yes
        {
            // The kept bytes are already in the new protocol.
            let (length, ending) = (gate.kept.len() as u64, gate.ending);
            self.lanes[side.index()].mode = Mode::Opaque(length);
            if let Some(ending) = ending {
                self.interrupt(side, ending.reason(), out);
            }
            return;
        }
        if let Mode::Gate(_) = self.lanes[side.index()].mode {
            self.open_gate(side, out);
        }
        let lane = &mut self.lanes[side.index()];
        match lane.mode {
            Mode::Messages if lane.reader.is_begun() => lane.pending = Some(pending),
            Mode::Messages => self.change(side, pending),
            _ => {}
        }
    }

    /// Changes a side that is between two messages.
    fn change(&mut self, side: Side, pending: Pending) {
        let lane = &mut self.lanes[side.index()];
        match (pending, &mut self.inner) {
            (Pending::Inner, Some(inner)) => {
                inner.begin(side, lane.start, lane.emitted);
                lane.mode = Mode::Inner;
            }
            _ => lane.mode = Mode::Opaque(0),
        }
    }

    /// Decides by the next byte behind a change to TLS. Returns whether the byte belongs to TLS.
    fn decide_tls(&mut self, side: Side, byte: u8, out: Out<'_>) -> bool {
        if side == Side::Server {
            // A server says nothing before the client's handshake.
            self.end_tls_decision(out);
            return true;
        }
        let before = std::mem::replace(&mut self.tls, TlsDecision::Made);
        match before {
            TlsDecision::Open if TLS_TYPES.contains(&byte) => {
                self.tls = TlsDecision::First(byte);
                return true;
            }
            TlsDecision::First(first) if byte == TLS_VERSION => {
                self.feed_inner(side, &[first], out);
                return true;
            }
            _ => {}
        }
        self.inner = None;
        for lane in &mut self.lanes {
            lane.pending = None;
            if let Mode::Inner = lane.mode {
                lane.mode = Mode::Messages;
            }
        }
        if let TlsDecision::First(first) = before {
            self.feed(side, &[first], out);
        }
        false
    }

    /// Gives the first byte of the client to the inner session, if it waits for the second one.
    fn end_tls_decision(&mut self, out: Out<'_>) {
        if let TlsDecision::First(first) = std::mem::replace(&mut self.tls, TlsDecision::Made) {
            self.feed_inner(Side::Client, &[first], out);
        }
    }

    fn feed_inner(&mut self, side: Side, bytes: &[u8], out: Out<'_>) {
        if let (Some(inner), false) = (&mut self.inner, bytes.is_empty()) {
            inner.feed(side, bytes, out);
        }
    }

    /// Keeps bytes of a side until the answer comes.
    fn keep(&mut self, side: Side, chunk: &mut &[u8], out: Out<'_>) {
        let Mode::Gate(gate) = &mut self.lanes[side.index()].mode else { return };
        let (kept, beyond) = chunk.split_at(chunk.len().min(GATE_MAX - gate.kept.len()));
        gate.kept.extend_from_slice(kept);
        *chunk = beyond;
        if !beyond.is_empty() {
            self.open_gate(side, out);
        }
    }

    /// Parses the kept bytes of a side: the protocol does not change.
    fn open_gate(&mut self, side: Side, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        if let Mode::Gate(gate) = std::mem::replace(&mut lane.mode, Mode::Messages) {
            self.feed(side, &gate.kept, out);
            match (&mut self.lanes[side.index()].mode, gate.ending) {
                (Mode::Gate(gate), ending) => gate.ending = ending,
                (_, Some(ending)) => self.close(side, ending, out),
                (_, None) => {}
            }
        }
    }

    /// Emits a malformed message whose end is not known, and looks for the next one.
    fn broken(&mut self, side: Side, fault: Fault, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let length = lane.reader.length();
        if length == 0 {
            lane.reader.clear();
            lane.mode = Mode::Unparsed(0);
            return;
        }
        let kind = self.rules.broken_kind(side, lane.reader.head());
        emit_broken(self.rules.name(), side, lane, kind, (Outcome::Malformed, fault.0), out);
        self.seek(side, AFTER_MALFORMED);
    }

    /// Looks for the next message, since the number of those before it is not known.
    fn seek(&mut self, side: Side, why: &'static str) {
        self.lanes[side.index()].mode = Mode::Seek(Search::default(), 0, why);
        self.pairing.lost();
        self.rules.lost(side);
    }

    /// Continues behind a gap.
    fn pass_over(&mut self, side: Side, missing: u64) {
        let lane = &mut self.lanes[side.index()];
        lane.pending = None;
        lane.start = lane.start.saturating_add(missing);
        self.seek(side, AFTER_GAP);
    }

    /// Looks for a message in the chunk.
    fn search(&mut self, side: Side, chunk: &mut &[u8], out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        let Mode::Seek(search, skipped, why) = &mut lane.mode else { return };
        match search.feed(&self.rules, side, chunk) {
            Found::Nothing { skipped: more } => *skipped += more,
            Found::At { skipped: more, first } => {
                let (skipped, why) = (*skipped + more, *why);
                lane.mode = Mode::Messages;
                emit_rest(side, lane, skipped, ("unparsed", Some(why)), out, self.rules.name());
                if !first.is_empty() {
                    self.feed(side, &first, out);
                }
            }
        }
    }

    /// Emits all bytes that no message has claimed, where the stream ends or has a gap.
    fn interrupt(&mut self, side: Side, why: &'static str, out: Out<'_>) {
        let lane = &mut self.lanes[side.index()];
        match &mut lane.mode {
            Mode::Messages if lane.reader.is_begun() => {
                let kind = self.rules.broken_kind(side, lane.reader.head());
                emit_broken(self.rules.name(), side, lane, kind, (Outcome::Incomplete, why), out);
            }
            Mode::Messages | Mode::Gate(_) | Mode::Inner => {}
            Mode::Seek(search, skipped, why) => {
                let (length, why) = (*skipped + search.held() as u64, *why);
                lane.mode = Mode::Seek(Search::default(), 0, why);
                emit_rest(side, lane, length, ("unparsed", Some(why)), out, self.rules.name());
            }
            Mode::Opaque(count) => {
                let count = std::mem::take(count);
                emit_rest(side, lane, count, ("opaque", None), out, self.rules.name());
            }
            Mode::Unparsed(count) => {
                let count = std::mem::take(count);
                emit_rest(side, lane, count, ("unparsed", Some(AFTER_MALFORMED)), out, self.rules.name());
            }
        }
    }
}

/// The reason of a message that the change of the protocol cut off.
const BEFORE_UPGRADE: &str = "the protocol changed inside it";

/// Returns the place of the message in progress, or of the next one.
#[inline]
fn place<M: Default>(lanes: &[Lane<M>; 2], side: Side) -> Place {
    let [lane, other] = [&lanes[side.index()], &lanes[(!side).index()]];
    let begun = (matches!(other.mode, Mode::Messages) && other.reader.is_begun()).then_some(other.emitted);
    Place { side, ordinal: lane.emitted, offset: lane.start, begun, flagged: lane.flagged }
}

/// Emits a whole message.
#[inline]
fn emit<R: Rules>(
    rules: &mut R,
    pairing: &mut Pairing,
    place: Place,
    whole: &Whole<'_, R::Memo>,
    out: Out<'_>,
) -> Effect {
    let Whole { head, last, length, lost, oversized, memo } = *whole;
    let frame =
        Frame { side: place.side, ordinal: place.ordinal, offset: place.offset, head, last, length, lost, memo };
    let mut report = match rules.read(&frame, pairing.requests(place.side)) {
        Ok(report) => report,
        Err(fault) => {
            pairing.lost();
            let report = Report::new(rules.malformed_kind(&frame));
            // What was not kept cannot be judged.
            if fault == Fault::SHORT && !frame.is_kept() { report } else { report.malformed(fault.0) }
        }
    };
    if oversized {
        report.malformed = Some("a line of it is too long");
    }
    let answers = pairing.note(place.side, place.ordinal, (report.role, report.detail), place.begun, R::ALTERNATES);
    let (outcome, reason) = match report.malformed {
        Some(reason) => (Outcome::Malformed, Some(reason)),
        None if report.failed => (Outcome::Failed, None),
        None => (Outcome::Ok, None),
    };
    let description = Description { rules: &*rules, frame: &frame, report: &report };
    let message = Message {
        outcome,
        reason,
        code: report.code.as_deref(),
        flags: Flags::from_list(report.flags),
        answers,
        summary: &description,
        attributes: &description,
        ..Message::new(rules.name(), place.side, report.kind, Span { offset: place.offset, length })
    };
    if place.flagged {
        let flags = if report.flags.is_empty() { "" } else { "," };
        let flags = format!("{}{flags}{BEHIND_UPGRADE}", report.flags);
        out(&Message { flags: Flags::from_list(&flags), ..message });
    } else {
        out(&message);
    }
    let more_answers = matches!(
        report.role,
        Role::Answer { last: false } | Role::AnswerTo { last: false, .. } | Role::AnswerWithId { last: false, .. }
    );
    Effect { then: report.then, answers, more_answers }
}

/// Emits a message that is malformed or cut off.
fn emit_broken<M: Default>(
    protocol: &'static str,
    side: Side,
    lane: &mut Lane<M>,
    kind: &'static str,
    (outcome, reason): (Outcome, &'static str),
    out: Out<'_>,
) {
    let span = Span { offset: lane.start, length: lane.reader.length() };
    out(&Message { outcome, reason: Some(reason), summary: &kind, ..Message::new(protocol, side, kind, span) });
    lane.reader.clear();
    lane.start = span.end();
    lane.emitted += 1;
}

/// Emits `length` bytes that are not parsed, if there are any.
fn emit_rest<M>(
    side: Side,
    lane: &mut Lane<M>,
    length: u64,
    (kind, reason): (&'static str, Option<&'static str>),
    out: Out<'_>,
    protocol: &'static str,
) {
    if length == 0 {
        return;
    }
    let span = Span { offset: lane.start, length };
    let outcome = if reason.is_some() { Outcome::Incomplete } else { Outcome::Ok };
    out(&Message { kind, outcome, reason, ..opaque(protocol, side, span) });
    lane.start = span.end();
    lane.emitted += 1;
}

/// The summary and the attributes of a message.
struct Description<'d, 'f, R: Rules> {
    rules: &'d R,
    frame: &'d Frame<'f, R::Memo>,
    report: &'d Report<'f>,
}

impl<R: Rules> fmt::Display for Description<'_, '_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.summarize(self.frame, self.report, f)
    }
}

impl<R: Rules> Attributes for Description<'_, '_, R> {
    fn get(&self, name: &str, argument: AttributeArgument<'_>) -> Option<AttributeValue<'_>> {
        self.rules.attribute(self.frame, self.report, name, argument)
    }
}

impl<R: Rules> Session for Conversation<R> {
    fn protocol(&self) -> &str {
        self.rules.name()
    }

    fn feed(&mut self, side: Side, mut chunk: &[u8], out: Out<'_>) {
        while !chunk.is_empty() {
            match &mut self.lanes[side.index()].mode {
                Mode::Messages => self.messages(side, &mut chunk, out),
                Mode::Seek(..) => self.search(side, &mut chunk, out),
                Mode::Gate(_) => self.keep(side, &mut chunk, out),
                Mode::Opaque(count) | Mode::Unparsed(count) => {
                    *count = count.saturating_add(chunk.len() as u64);
                    return;
                }
                Mode::Inner => {
                    if self.tls != TlsDecision::Made {
                        if !self.decide_tls(side, chunk[0], out) {
                            continue;
                        }
                        if let TlsDecision::First(_) = self.tls {
                            chunk = &chunk[1..];
                            continue;
                        }
                    }
                    self.feed_inner(side, chunk, out);
                    return;
                }
            }
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: Out<'_>) {
        // The answer may be in the gap, or bytes that decide what it means.
        for gated in [side, !side] {
            // Another request may be among the kept bytes. Each turn parses some of them.
            while let Mode::Gate(_) = self.lanes[gated.index()].mode {
                self.open_gate(gated, out);
            }
        }
        let lane = &mut self.lanes[side.index()];
        let missing = missing.min(GAP_OFFSET_MAX.saturating_sub(lane.start.saturating_add(lane.reader.length())));
        match &mut lane.mode {
            Mode::Inner => {
                self.end_tls_decision(out);
                if let Some(inner) = &mut self.inner {
                    inner.gap(side, missing, out);
                }
            }
            Mode::Opaque(count) => *count = count.saturating_add(missing),
            _ if missing == 0 => {
                if lane.start == 0 && lane.emitted == 0 && !lane.reader.is_begun() {
                    self.seek(side, AFTER_GAP);
                }
            }
            Mode::Messages => {
                if let Some(step) = lane.reader.pass((&self.rules, &self.pairing), side, missing) {
                    self.step(side, step, out);
                    return;
                }
                self.interrupt(side, BYTES_MISSING, out);
                self.pass_over(side, missing);
            }
            Mode::Seek(..) | Mode::Unparsed(_) | Mode::Gate(_) => {
                self.interrupt(side, BYTES_MISSING, out);
                self.pass_over(side, missing);
            }
        }
    }

    fn close(&mut self, side: Side, ending: Ending, out: Out<'_>) {
        self.lanes[side.index()].closed = true;
        match &mut self.lanes[side.index()].mode {
            Mode::Inner => {
                self.end_tls_decision(out);
                if let Some(inner) = &mut self.inner {
                    inner.close(side, ending, out);
                }
            }
            Mode::Gate(gate) => gate.ending = Some(ending),
            Mode::Messages if ending == Ending::Closed => {
                if let Some(step) = self.lanes[side.index()].reader.close::<R>() {
                    self.step(side, step, out);
                }
                self.interrupt(side, ending.reason(), out);
            }
            _ => self.interrupt(side, ending.reason(), out),
        }
        // The answer does not come any more.
        for gated in [side, !side] {
            if let (Mode::Gate(_), true) = (&self.lanes[gated.index()].mode, self.lanes[(!gated).index()].closed) {
                self.open_gate(gated, out);
            }
        }
    }

    fn pause(&mut self) {
        self.pairing.pause();
        if let Some(inner) = &mut self.inner {
            inner.pause();
        }
    }

    fn keep_attributes(&mut self) {
        self.keeps_attributes = true;
    }

    fn held(&self) -> usize {
        let lanes = self.lanes.iter().map(|lane| {
            lane.reader.held()
                + match &lane.mode {
                    Mode::Seek(search, ..) => search.held(),
                    Mode::Gate(gate) => gate.kept.len(),
                    _ => 0,
                }
        });
        let decision = usize::from(matches!(self.tls, TlsDecision::First(_)));
        lanes.sum::<usize>() + decision + self.pairing.held() + self.inner.as_ref().map_or(0, |inner| inner.held())
    }
}
