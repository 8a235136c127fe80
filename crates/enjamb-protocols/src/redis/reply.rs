//! The server's side: values of RESP2 and RESP3, nested, streamed, annotated.
//!
//! Nesting is a stack of counters, one for each open aggregate, with a limit on its depth.
//! Announced elements are counted down; nothing is allocated for them. Nothing recurses.
//!
//! An attribute is not a value. It is skipped like a header of the value that follows it, and that
//! value takes its place in the aggregate. So the stack marks it, and nothing is counted when it
//! closes.
//!
//! A push inside an aggregate is no element of it: the server sends the events of a command before
//! the reply to it, also inside the reply to `EXEC`. The confirmation of a subscription is the
//! exception, since it is the reply to its command.
//!
//! Both forms are accepted where the specification and `hiredis` differ: integers with a plus sign
//! or leading zeros, doubles without an integral part, `T` and `F`, a null in place of any string,
//! array, map or set (`$-1`, `%-1`). But every line must end in CR LF and contain no other CR or
//! LF.
//!
//! A malformed value whose end is certain (a number that is none, in a line of its own) makes its
//! reply malformed, and the next reply is read. Where the end is not certain, the handler *seeks*
//! the next reply, as it does behind a gap: it skips lines until one begins a well-formed reply.

use enjamb::{FrameInfo, Glance, Handler, Limit, Refusal, Step, Terminator};

use super::excerpt::{Excerpt, Form, Size};
use super::glance;
use super::limits::{BULK_MAX, CANDIDATE_MAX, CODE_MAX, DEPTH_MAX, ELEMENTS_MAX, LINE_MAX};
use super::line::{Line, LineBuffer, is_double, length, signed_integer};
use super::message_end::MessageEnd;
use super::payload::Payload;
use super::relevance;
use super::subscription::SubscriptionCommand;
use super::syntax_error::SyntaxError;
use crate::line_feed::line_feed;

/// The handler of the server's side. It holds the reply or push in progress, or the whole one,
/// until [`clear`](Self::clear).
#[derive(Clone, Debug)]
pub(super) struct ReplyHandler {
    lf: Terminator,
    state: State,
    line: LineBuffer,
    excerpt: Excerpt,
    open: Vec<OpenAggregate>,
    /// The number of open aggregates that are attributes or inside one. Nothing of those is kept.
    hidden: usize,
    /// Whether the value in progress has an attribute.
    annotated: bool,
    /// Whether the next reply may be a snapshot, or blank lines before one.
    snapshot_next: bool,
    /// The offset at which the candidate begins.
    candidate_at: Option<u64>,
    /// The form of a reply that was read at a glance. Its excerpt exists only if pairing needs it.
    glanced: Option<Form>,
    /// Whether the search began behind a malformed reply, not behind a gap.
    behind_malformed: bool,
    /// The first fault of the reply in progress, if its end is certain all the same.
    fault: Option<SyntaxError>,
    /// The first element of the push in progress inside an aggregate.
    push_kind: Word,
}

/// A short text: the beginning, and whether there is more.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    bytes: [u8; 16],
    length: usize,
}

impl Word {
    fn push(&mut self, piece: &[u8]) {
        let room = self.bytes.len() - self.length;
        let piece = &piece[..piece.len().min(room)];
        self.bytes[self.length..][..piece.len()].copy_from_slice(piece);
        self.length += piece.len();
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The handler is at the line that begins a value.
    Value,
    Payload(Form, Payload),
    /// The handler is at the line `;L` of a streamed string.
    Chunk,
    ChunkPayload(Payload),
    /// The handler searches for the beginning of a reply.
    Seek,
}

/// An aggregate that is not complete.
#[derive(Clone, Copy, Debug)]
struct OpenAggregate {
    left: Remainder,
    role: Role,
}

/// The place that an aggregate takes in the one that contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Element,
    /// It belongs to the value that follows it.
    Attribute,
    /// A push whose first element is not complete.
    NewPush,
    /// A push that is no element.
    Push,
}

#[derive(Clone, Copy, Debug)]
enum Remainder {
    Elements(u64),
    /// The number is unknown until the end is announced. A map may end only behind a value.
    Stream {
        map: bool,
        odd: bool,
    },
}

impl ReplyHandler {
    /// Creates a handler at the beginning of a reply.
    pub(super) fn new() -> Self {
        Self {
            lf: line_feed(),
            state: State::Value,
            line: LineBuffer::default(),
            excerpt: Excerpt::default(),
            open: Vec::new(),
            hidden: 0,
            annotated: false,
            snapshot_next: false,
            candidate_at: None,
            glanced: None,
            behind_malformed: false,
            fault: None,
            push_kind: Word::default(),
        }
    }

    /// Creates a handler behind a gap.
    pub(super) fn seeking() -> Self {
        Self { state: State::Seek, ..Self::new() }
    }

    /// Clears the reply.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.excerpt.clear();
        self.open.clear();
        self.hidden = 0;
        self.annotated = false;
        self.candidate_at = None;
        self.glanced = None;
        self.fault = None;
    }

    /// Sets whether the next reply may be a snapshot, the answer to `SYNC` or `PSYNC`.
    pub(super) fn expect_snapshot(&mut self, expected: bool) {
        self.snapshot_next = expected;
    }

    /// Counts `missing` bytes as lost, for which the frame in progress has room.
    pub(super) fn lose(&mut self, missing: u64) {
        if let State::Payload(_, payload) | State::ChunkPayload(payload) = &mut self.state {
            let mut nothing = Excerpt::default();
            payload.lose(missing, if self.hidden == 0 { &mut self.excerpt } else { &mut nothing });
        }
    }

    /// Returns whether no reply was found yet behind a gap or a malformed reply.
    pub(super) fn is_seeking(&self) -> bool {
        self.candidate_at.is_some() || matches!(self.state, State::Seek)
    }

    /// Returns whether the last search began behind a malformed reply, not behind a gap.
    pub(super) fn is_behind_malformed(&self) -> bool {
        self.behind_malformed
    }

    /// Returns whether more than blank lines of a reply was seen.
    pub(super) fn is_begun(&self) -> bool {
        !self.is_seeking()
            && (self.excerpt.begun() > 0 || !self.line.is_empty() || !self.open.is_empty() || self.annotated)
    }

    /// Returns whether any value may follow, and nothing of it was seen.
    #[inline]
    pub(super) fn is_between_replies(&self) -> bool {
        matches!(self.state, State::Value) && !self.snapshot_next && !self.is_begun() && !self.is_seeking()
    }

    pub(super) fn excerpt(&self) -> &Excerpt {
        &self.excerpt
    }

    /// Returns the kept part of the line in progress, or of the malformed one.
    pub(super) fn line(&self) -> &[u8] {
        self.line.kept()
    }

    /// Returns the form of the reply, once its first line is whole.
    pub(super) fn form(&self) -> Option<Form> {
        self.glanced.or_else(|| self.excerpt.values().first().map(|value| value.form))
    }

    /// Returns the text of the kept value at `index`, the reply itself being the first, if all of
    /// it was kept.
    pub(super) fn text(&self, index: usize) -> Option<&[u8]> {
        self.excerpt.whole_text(index)
    }

    /// Returns the first word of an error.
    pub(super) fn code(&self) -> Option<&str> {
        let value = self.excerpt.values().first()?;
        if !value.form.is_error() {
            return None;
        }
        code(self.excerpt.kept(value))
    }

    /// Handles a line that begins a value, or ends a streamed aggregate.
    fn value(&mut self, line: Line<'_>, start: u64) -> Result<Step<MessageEnd>, SyntaxError> {
        if self.snapshot_next && self.open.is_empty() && !self.annotated {
            if line.is_blank() {
                return Ok(Step::quiet());
            }
            if line.head.first() == Some(&b'$') {
                self.excerpt.whole(
                    Form::Snapshot,
                    0,
                    line.head.get(1..).unwrap_or_default(),
                    line.length.saturating_sub(1),
                );
                return Ok(self.whole());
            }
        }
        match self.read(line) {
            Ok(step) => {
                self.line.clear();
                Ok(step)
            }
            Err(fault) => Ok(self.refuse(fault, line, start)),
        }
    }

    fn read(&mut self, line: Line<'_>) -> Result<Step<MessageEnd>, SyntaxError> {
        let (Some(&kind), true) = (line.head.first(), line.cr) else {
            return Err(if line.cr { SyntaxError::UnknownType } else { SyntaxError::LineEnd });
        };
        let text = &line.head[1..];
        match kind {
            b'+' => self.scalar(Form::Simple, line, !line.cr_inside, SyntaxError::CarriageReturn),
            b'-' => self.scalar(Form::Error, line, !line.cr_inside, SyntaxError::CarriageReturn),
            b':' => {
                let valid = line.argument().and_then(signed_integer).is_some();
                self.scalar(Form::Integer, line, valid, SyntaxError::Integer)
            }
            b'_' => self.scalar(Form::Null, line, line.length == 1, SyntaxError::Null),
            b'#' => self.scalar(
                Form::Boolean,
                line,
                line.is_kept() && matches!(text, b"t" | b"f" | b"T" | b"F"),
                SyntaxError::Boolean,
            ),
            b',' => self.scalar(Form::Double, line, line.argument().is_some_and(is_double), SyntaxError::Double),
            b'(' => {
                let valid = line.length <= LINE_MAX && line.is_big_number();
                self.scalar(Form::BigNumber, line, valid, SyntaxError::BigNumber)
            }
            b'$' => self.bulk(Form::Bulk, line),
            b'!' => self.bulk(Form::BulkError, line),
            b'=' => self.bulk(Form::Verbatim, line),
            b'*' => self.aggregate(Form::Array, line),
            b'%' => self.aggregate(Form::Map, line),
            b'~' => self.aggregate(Form::Set, line),
            b'>' => self.aggregate(Form::Push, line),
            b'|' => self.attribute(line),
            b'.' => self.end_of_stream(line),
            _ => Err(SyntaxError::UnknownType),
        }
    }

    /// Handles a value on one line.
    fn scalar(
        &mut self,
        form: Form,
        line: Line<'_>,
        valid: bool,
        fault: SyntaxError,
    ) -> Result<Step<MessageEnd>, SyntaxError> {
        if !valid {
            if self.candidate_at.is_some() {
                return Err(fault);
            }
            self.fault.get_or_insert(fault);
        }
        let text = &line.head[1..];
        if self.hidden == 0 {
            self.excerpt.whole(form, self.open.len(), text, line.length - 1);
        }
        self.name_push(text);
        Ok(self.complete())
    }

    fn bulk(&mut self, form: Form, line: Line<'_>) -> Result<Step<MessageEnd>, SyntaxError> {
        if line.argument() == Some(b"?") && form == Form::Bulk {
            self.begin(form, Size::Streamed);
            self.state = State::Chunk;
            return Ok(Step::quiet());
        }
        let most = if self.candidate_at.is_some() { CANDIDATE_MAX.unsigned_abs() } else { BULK_MAX };
        match line.argument().and_then(length) {
            Some(-1) if form != Form::BulkError => self.scalar(Form::Null, line, true, SyntaxError::BulkLength),
            Some(length @ 0..) if length.unsigned_abs() <= most => {
                let length = length.unsigned_abs();
                self.begin(form, Size::Known(length));
                let (payload, terminator) = Payload::begin(length);
                self.state = State::Payload(form, payload);
                Ok(terminator.map_or_else(Step::quiet, |terminator| Step::quiet().until(terminator)))
            }
            _ => Err(SyntaxError::BulkLength),
        }
    }

    fn aggregate(&mut self, form: Form, line: Line<'_>) -> Result<Step<MessageEnd>, SyntaxError> {
        if line.argument() == Some(b"?") && form != Form::Push {
            self.begin(form, Size::Streamed);
            return self.enter(OpenAggregate {
                left: Remainder::Stream { map: form == Form::Map, odd: false },
                role: Role::Element,
            });
        }
        match line.argument().and_then(length) {
            Some(-1) if form != Form::Push => self.scalar(Form::Null, line, true, SyntaxError::ElementCount),
            Some(count) => {
                let elements = self.elements(count, form == Form::Map)?;
                let pushed = form == Form::Push && !self.open.is_empty();
                self.begin(form, Size::Known(count.unsigned_abs()));
                if elements == 0 {
                    return Ok(if pushed { self.pushed() } else { self.complete() });
                }
                let role = if pushed { Role::NewPush } else { Role::Element };
                self.push_kind.length = 0;
                self.enter(OpenAggregate { left: Remainder::Elements(elements), role })
            }
            None => Err(SyntaxError::ElementCount),
        }
    }

    fn attribute(&mut self, line: Line<'_>) -> Result<Step<MessageEnd>, SyntaxError> {
        let count = line.argument().and_then(length).ok_or(SyntaxError::ElementCount)?;
        let elements = self.elements(count, true)?;
        self.annotated = true;
        if elements == 0 {
            return Ok(Step::quiet());
        }
        self.hidden += 1;
        self.enter(OpenAggregate { left: Remainder::Elements(elements), role: Role::Attribute })
    }

    fn elements(&self, count: i64, pairs: bool) -> Result<u64, SyntaxError> {
        let most = if self.candidate_at.is_some() { CANDIDATE_MAX.unsigned_abs() } else { ELEMENTS_MAX };
        u64::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(if pairs { 2 } else { 1 }))
            .filter(|&elements| elements <= most)
            .ok_or(SyntaxError::ElementCount)
    }

    fn begin(&mut self, form: Form, size: Size) {
        if self.hidden == 0 {
            self.excerpt.begin(form, self.open.len(), size);
        }
    }

    fn enter(&mut self, open: OpenAggregate) -> Result<Step<MessageEnd>, SyntaxError> {
        if self.open.len() == DEPTH_MAX {
            return Err(SyntaxError::TooDeep);
        }
        if open.role == Role::Element {
            self.annotated = false;
        }
        self.open.push(open);
        self.state = State::Value;
        Ok(Step::quiet())
    }

    fn end_of_stream(&mut self, line: Line<'_>) -> Result<Step<MessageEnd>, SyntaxError> {
        match self.open.last() {
            Some(OpenAggregate { left: Remainder::Stream { map, odd }, .. })
                if line.length == 1 && !(*map && *odd) && !self.annotated =>
            {
                self.open.pop();
                Ok(self.complete())
            }
            _ => Err(SyntaxError::StreamEnd),
        }
    }

    /// Completes a value, and every aggregate whose last element it is. Returns an event if that
    /// completes the reply.
    fn complete(&mut self) -> Step<MessageEnd> {
        self.annotated = false;
        self.state = State::Value;
        while let Some(open) = self.open.last_mut() {
            if open.role == Role::NewPush {
                let confirms = SubscriptionCommand::parse(self.push_kind.as_bytes()).is_some();
                open.role = if confirms { Role::Element } else { Role::Push };
            }
            match &mut open.left {
                Remainder::Elements(left) => {
                    *left -= 1;
                    if *left > 0 {
                        return Step::quiet();
                    }
                }
                Remainder::Stream { odd, .. } => {
                    *odd = !*odd;
                    return Step::quiet();
                }
            }
            let role = open.role;
            self.open.pop();
            match role {
                Role::Element => {}
                Role::Attribute => {
                    self.hidden -= 1;
                    self.annotated = true;
                    return Step::quiet();
                }
                Role::NewPush | Role::Push => return self.pushed(),
            }
        }
        self.whole()
    }

    /// Completes a push that is no element.
    fn pushed(&mut self) -> Step<MessageEnd> {
        self.state = State::Value;
        Step::quiet()
    }

    /// Adds text to the kind of a push inside an aggregate, if it is its first element.
    fn name_push(&mut self, text: &[u8]) {
        if let Some(OpenAggregate { role: Role::NewPush, .. }) = self.open.last() {
            self.push_kind.push(text);
        }
    }

    fn whole(&mut self) -> Step<MessageEnd> {
        self.state = State::Value;
        Step::event(MessageEnd { found_at: self.candidate_at.take(), glanced: None, fault: self.fault })
    }

    fn payload(&mut self, form: Form, mut payload: Payload, last: &[u8]) -> Result<Step<MessageEnd>, SyntaxError> {
        self.piece(&mut payload, last);
        let fault = match payload.end() {
            Ok(()) if form == Form::Verbatim && !payload.is_verbatim() => Some(SyntaxError::Verbatim),
            Ok(()) => None,
            Err(fault) => Some(fault),
        };
        if self.refuses_payload(fault) {
            return Ok(Step::quiet().until(self.lf.clone()));
        }
        Ok(self.complete().until(self.lf.clone()))
    }

    fn chunk(&mut self, line: Line<'_>, start: u64) -> Result<Step<MessageEnd>, SyntaxError> {
        let most = if self.candidate_at.is_some() { CANDIDATE_MAX } else { BULK_MAX as i64 };
        let length = line.argument().filter(|_| line.cr && line.head.first() == Some(&b';')).and_then(length);
        match length {
            Some(0) => {
                if self.hidden == 0 {
                    self.excerpt.settle();
                }
                Ok(self.complete())
            }
            Some(length) if (1..=most).contains(&length) => {
                let (payload, terminator) = Payload::begin(length.unsigned_abs());
                self.state = State::ChunkPayload(payload);
                Ok(terminator.map_or_else(Step::quiet, |terminator| Step::quiet().until(terminator)))
            }
            _ => Ok(self.refuse(SyntaxError::Chunk, line, start)),
        }
    }

    fn chunk_payload(&mut self, mut payload: Payload, last: &[u8]) -> Result<Step<MessageEnd>, SyntaxError> {
        self.piece(&mut payload, last);
        self.state = State::Chunk;
        self.refuses_payload(payload.end().err());
        Ok(Step::quiet().until(self.lf.clone()))
    }

    fn piece(&mut self, payload: &mut Payload, piece: &[u8]) {
        if self.hidden == 0 {
            payload.piece(piece, &mut self.excerpt);
        } else {
            payload.piece(piece, &mut <Excerpt>::default());
        }
        if let Some(OpenAggregate { role: Role::NewPush, .. }) = self.open.last() {
            let text = payload.text_of(piece).len();
            self.push_kind.push(&piece[..text]);
        }
    }

    /// Refuses a line: ends the reply as malformed, or rejects a candidate. Seeks the next one.
    fn refuse(&mut self, reason: SyntaxError, line: Line<'_>, start: u64) -> Step<MessageEnd> {
        if self.candidate_at.is_some() {
            self.seek();
            return self.candidate(line, start);
        }
        self.line.clear();
        self.line.push(line.head);
        self.state = State::Seek;
        self.behind_malformed = true;
        Step::event(MessageEnd { found_at: None, glanced: None, fault: Some(self.fault.unwrap_or(reason)) })
    }

    /// Notes the fault of a bulk, whose end is certain. Returns whether it rejects a candidate.
    fn refuses_payload(&mut self, fault: Option<SyntaxError>) -> bool {
        let Some(fault) = fault else { return false };
        if self.candidate_at.is_some() {
            self.seek();
            return true;
        }
        self.fault.get_or_insert(fault);
        false
    }

    fn seek(&mut self) {
        self.clear();
        self.state = State::Seek;
    }

    /// Takes the line as the beginning of a candidate, if it looks like one. A text must be
    /// printable.
    fn candidate(&mut self, line: Line<'_>, start: u64) -> Step<MessageEnd> {
        self.line.clear();
        let likely = match line.head {
            [b'+', text @ ..] => text.iter().all(|byte| matches!(byte, b' '..=b'~')),
            [b'-', b'A'..=b'Z', text @ ..] => text.iter().all(|byte| matches!(byte, b' '..=b'~')),
            [b':' | b'$' | b'*' | b'_' | b'#' | b',' | b'(' | b'!' | b'=' | b'%' | b'~' | b'>' | b'|', ..] => true,
            _ => false,
        };
        if likely {
            self.candidate_at = Some(start);
            self.state = State::Value;
            if let Ok(step) = self.read(line) {
                return step;
            }
            self.seek();
        }
        Step::quiet()
    }

    /// Calls `act` with the whole line, whether it was split or not.
    fn with_line(
        &mut self,
        last: &[u8],
        act: impl FnOnce(&mut Self, Line<'_>) -> Result<Step<MessageEnd>, SyntaxError>,
    ) -> Result<Step<MessageEnd>, SyntaxError> {
        if self.line.is_empty() {
            return act(self, Line::borrowed(last));
        }
        let mut line = std::mem::take(&mut self.line);
        line.push(last);
        let step = act(self, line.line())?;
        if self.line.is_empty() {
            line.clear();
            self.line = line;
        }
        Ok(step)
    }

    /// Handles a frame that ended in `last`.
    fn ended(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<MessageEnd>, SyntaxError> {
        if frame.dropped > 0 {
            // Lines are cut only during a search; otherwise they are refused.
            self.seek();
            return Ok(Step::quiet());
        }
        match self.state {
            State::Value => self.with_line(last, |replies, line| replies.value(line, frame.start)),
            State::Payload(form, payload) => self.payload(form, payload, last),
            State::Chunk => self.with_line(last, |replies, line| replies.chunk(line, frame.start)),
            State::ChunkPayload(payload) => self.chunk_payload(payload, last),
            State::Seek => self.with_line(last, |replies, line| Ok(replies.candidate(line, frame.start))),
        }
    }
}

/// Returns the first word of the text of an error, if that is a code.
pub(super) fn code(text: &[u8]) -> Option<&str> {
    let word = &text[..text.iter().position(|&byte| byte == b' ').unwrap_or(text.len()).min(CODE_MAX)];
    let is_code =
        !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_code { std::str::from_utf8(word).ok() } else { None }
}

impl Handler for ReplyHandler {
    type Event = MessageEnd;
    type Error = SyntaxError;

    fn start(&self) -> Terminator {
        self.lf.clone()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), SyntaxError> {
        match &mut self.state {
            State::Value | State::Chunk | State::Seek => self.line.push(piece),
            State::Payload(_, payload) | State::ChunkPayload(payload) => {
                let mut taken = *payload;
                self.piece(&mut taken, piece);
                if let State::Payload(_, payload) | State::ChunkPayload(payload) = &mut self.state {
                    *payload = taken;
                }
            }
        }
        Ok(())
    }

    fn found(&mut self, frame: FrameInfo) -> Result<Step<MessageEnd>, SyntaxError> {
        self.ended(&[], frame)
    }

    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<MessageEnd>, Refusal<SyntaxError>> {
        Ok(self.ended(last, frame)?)
    }

    /// Reads a value that lies whole in the chunk.
    #[inline(always)]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<MessageEnd>> {
        if !self.is_between_replies() {
            return None;
        }
        let seen = if relevance::needs_content(chunk) {
            let seen = glance::reply(chunk, &mut self.excerpt);
            if seen.is_none() {
                self.excerpt.clear();
            }
            seen
        } else {
            glance::reply(chunk, &mut glance::NullSink)
        };
        let glance::Reply { taken, form, .. } = seen?;
        self.glanced = Some(form);
        Some(Glance { taken, step: Step::event(MessageEnd::glanced(taken)) })
    }

    /// Texts on one line have no limit of their own (`MONITOR` shows whole commands in them), and
    /// are not kept.
    fn limit(&self) -> Limit {
        match self.state {
            State::Payload(..) | State::ChunkPayload(_) => Limit::NONE,
            _ if self.is_seeking() => Limit::truncate(BULK_MAX),
            _ => Limit::refuse(BULK_MAX),
        }
    }

    fn held(&self) -> usize {
        self.line.held() + self.excerpt.held() + size_of_val(self.open.as_slice())
    }
}
