//! The server's side: values of RESP2 and RESP3, nested, streamed, annotated.
//!
//! Nesting is a stack of counters, one for each aggregate that is open, with a limit on its depth; what an aggregate announces
//! is counted down and never allocated for. Nothing recurses.
//!
//! An attribute is not a value: it is passed over like the header of the value that follows it, which takes the place
//! in its aggregate. So the stack has a mark for it, and when it closes nothing is counted.
//!
//! Where the specification and `hiredis` differ, what either takes is taken: integers with a plus sign or with zeros
//! in front, doubles without an integral part, `T` and `F`, a null in place of any string, array, map or set (`$-1`, `%-1`), a push
//! inside of an aggregate. Only lines must end in CR LF and have no LF inside.

use enjamb::{Found, Glance, Handler, Limit, Refused, Step, Terminator};

use super::command::{LINE_MAX, TRIAL_MAX, Whole};
use super::excerpt::{Excerpt, Form, Size};
use super::fault::Fault;
use super::line::{Line, LineBuffer, is_double, length, signed_integer};
use super::pairing;
use super::payload::{BULK_MAX, Payload};
use super::whole;
use crate::line_feed::line_feed;

/// How deep aggregates may be nested.
pub const DEPTH_MAX: usize = 128;

/// The most elements of an aggregate: what `hiredis` takes. The values of a map count each.
pub const ELEMENTS_MAX: u64 = u32::MAX as u64;

/// Reads replies and pushes. What it knows of the one in progress, or of the one that is whole, until
/// [`clear`](Self::clear).
#[derive(Clone, Debug)]
pub(super) struct Replies {
    lf: Terminator,
    state: State,
    line: LineBuffer,
    excerpt: Excerpt,
    open: Vec<Open>,
    /// How many of the open aggregates are attributes, or inside of one: nothing of those is kept.
    hidden: usize,
    /// The value in progress has an attribute.
    annotated: bool,
    /// The reply that begins next may be a snapshot, or blank lines before one.
    snapshot_next: bool,
    /// Where the reply on trial begins.
    trial: Option<u64>,
    /// What the reply is that was taken at a glance. Its excerpt is there only if pairing looks into it.
    glanced: Option<Form>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A value begins with this line.
    Value,
    Payload(Form, Payload),
    /// `;L` of a streamed string.
    Chunk,
    ChunkPayload(Payload),
    /// Looks for the beginning of a reply.
    Seek,
}

/// An aggregate that is not complete.
#[derive(Clone, Copy, Debug)]
struct Open {
    left: Left,
    attribute: bool,
}

#[derive(Clone, Copy, Debug)]
enum Left {
    Elements(u64),
    /// Until its end is announced. A map may end only behind a value.
    Stream {
        map: bool,
        odd: bool,
    },
}

impl Replies {
    /// At the beginning of a reply.
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
            trial: None,
            glanced: None,
        }
    }

    /// Behind a hole.
    pub(super) fn seeking() -> Self {
        Self { state: State::Seek, ..Self::new() }
    }

    /// Forgets the reply.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.excerpt.clear();
        self.open.clear();
        self.hidden = 0;
        self.annotated = false;
        self.trial = None;
        self.glanced = None;
    }

    /// Whether the next reply may be a snapshot: it answers `SYNC` or `PSYNC`.
    pub(super) fn expect_snapshot(&mut self, expected: bool) {
        self.snapshot_next = expected;
    }

    /// `missing` bytes are lost, and the frame in progress has room for them.
    pub(super) fn lose(&mut self, missing: u64) {
        if let State::Payload(_, payload) | State::ChunkPayload(payload) = &mut self.state {
            let mut nothing = Excerpt::default();
            payload.lose(missing, if self.hidden == 0 { &mut self.excerpt } else { &mut nothing });
        }
    }

    /// No reply was found yet behind a hole.
    pub(super) fn is_seeking(&self) -> bool {
        self.trial.is_some() || matches!(self.state, State::Seek)
    }

    /// More of a reply was seen than blank lines.
    pub(super) fn is_begun(&self) -> bool {
        !self.is_seeking()
            && (self.excerpt.begun() > 0 || !self.line.is_empty() || !self.open.is_empty() || self.annotated)
    }

    pub(super) fn excerpt(&self) -> &Excerpt {
        &self.excerpt
    }

    /// What was kept of the line in progress, or of the one at fault.
    pub(super) fn line(&self) -> &[u8] {
        self.line.kept()
    }

    /// What the reply is, once its first line is whole.
    pub(super) fn form(&self) -> Option<Form> {
        self.glanced.or_else(|| self.excerpt.values().first().map(|value| value.form))
    }

    /// The text of the value at `index` of those that are kept, the reply itself included; where all of it is there.
    pub(super) fn text(&self, index: usize) -> Option<&[u8]> {
        self.excerpt.whole_text(index)
    }

    /// The first word of an error.
    pub(super) fn code(&self) -> Option<&str> {
        let value = self.excerpt.values().first()?;
        if !value.form.is_error() {
            return None;
        }
        let text = self.excerpt.kept(value);
        let word = &text[..text.iter().position(|&byte| byte == b' ').unwrap_or(text.len()).min(CODE_MAX)];
        let is_code =
            !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if is_code { std::str::from_utf8(word).ok() } else { None }
    }

    /// A line with which a value begins, or a stream of them ends.
    fn value(&mut self, line: Line<'_>, start: u64) -> Result<Step<Whole>, Fault> {
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
            Err(fault) => self.fault(fault, line, start),
        }
    }

    fn read(&mut self, line: Line<'_>) -> Result<Step<Whole>, Fault> {
        let (Some(&kind), true) = (line.head.first(), line.cr) else {
            return Err(if line.cr { Fault::UnknownType } else { Fault::LineEnd });
        };
        let text = &line.head[1..];
        match kind {
            b'+' => self.scalar(Form::Simple, line, true, Fault::UnknownType),
            b'-' => self.scalar(Form::Error, line, true, Fault::UnknownType),
            b':' => {
                let valid = line.argument().and_then(signed_integer).is_some();
                self.scalar(Form::Integer, line, valid, Fault::Integer)
            }
            b'_' => self.scalar(Form::Null, line, line.length == 1, Fault::Null),
            b'#' => self.scalar(
                Form::Boolean,
                line,
                line.is_kept() && matches!(text, b"t" | b"f" | b"T" | b"F"),
                Fault::Boolean,
            ),
            b',' => self.scalar(Form::Double, line, line.argument().is_some_and(is_double), Fault::Double),
            b'(' => {
                let valid = line.length <= LINE_MAX && line.is_big_number();
                self.scalar(Form::BigNumber, line, valid, Fault::BigNumber)
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
            _ => Err(Fault::UnknownType),
        }
    }

    /// A value on one line.
    fn scalar(&mut self, form: Form, line: Line<'_>, valid: bool, fault: Fault) -> Result<Step<Whole>, Fault> {
        if !valid {
            return Err(fault);
        }
        if self.hidden == 0 {
            self.excerpt.whole(form, self.open.len(), &line.head[1..], line.length - 1);
        }
        Ok(self.complete())
    }

    fn bulk(&mut self, form: Form, line: Line<'_>) -> Result<Step<Whole>, Fault> {
        if line.argument() == Some(b"?") && form == Form::Bulk {
            self.begin(form, Size::Streamed);
            self.state = State::Chunk;
            return Ok(Step::quiet());
        }
        let most = if self.trial.is_some() { TRIAL_MAX.unsigned_abs() } else { BULK_MAX };
        match line.argument().and_then(length) {
            Some(-1) if form != Form::BulkError => self.scalar(Form::Null, line, true, Fault::BulkLength),
            Some(length @ 0..) if length.unsigned_abs() <= most => {
                let length = length.unsigned_abs();
                self.begin(form, Size::Known(length));
                let (payload, terminator) = Payload::begin(length);
                self.state = State::Payload(form, payload);
                Ok(terminator.map_or_else(Step::quiet, |terminator| Step::quiet().until(terminator)))
            }
            _ => Err(Fault::BulkLength),
        }
    }

    fn aggregate(&mut self, form: Form, line: Line<'_>) -> Result<Step<Whole>, Fault> {
        if line.argument() == Some(b"?") && form != Form::Push {
            self.begin(form, Size::Streamed);
            return self.enter(Open { left: Left::Stream { map: form == Form::Map, odd: false }, attribute: false });
        }
        match line.argument().and_then(length) {
            Some(-1) if form != Form::Push => self.scalar(Form::Null, line, true, Fault::ElementCount),
            Some(count) => {
                let elements = self.elements(count, form == Form::Map)?;
                self.begin(form, Size::Known(count.unsigned_abs()));
                if elements == 0 {
                    return Ok(self.complete());
                }
                self.enter(Open { left: Left::Elements(elements), attribute: false })
            }
            None => Err(Fault::ElementCount),
        }
    }

    fn attribute(&mut self, line: Line<'_>) -> Result<Step<Whole>, Fault> {
        let count = line.argument().and_then(length).ok_or(Fault::ElementCount)?;
        let elements = self.elements(count, true)?;
        self.annotated = true;
        if elements == 0 {
            return Ok(Step::quiet());
        }
        self.hidden += 1;
        self.enter(Open { left: Left::Elements(elements), attribute: true })
    }

    fn elements(&self, count: i64, pairs: bool) -> Result<u64, Fault> {
        let most = if self.trial.is_some() { TRIAL_MAX.unsigned_abs() } else { ELEMENTS_MAX };
        u64::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(if pairs { 2 } else { 1 }))
            .filter(|&elements| elements <= most)
            .ok_or(Fault::ElementCount)
    }

    fn begin(&mut self, form: Form, size: Size) {
        if self.hidden == 0 {
            self.excerpt.begin(form, self.open.len(), size);
        }
    }

    fn enter(&mut self, open: Open) -> Result<Step<Whole>, Fault> {
        if self.open.len() == DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        if !open.attribute {
            self.annotated = false;
        }
        self.open.push(open);
        self.state = State::Value;
        Ok(Step::quiet())
    }

    fn end_of_stream(&mut self, line: Line<'_>) -> Result<Step<Whole>, Fault> {
        match self.open.last() {
            Some(Open { left: Left::Stream { map, odd }, .. })
                if line.length == 1 && !(*map && *odd) && !self.annotated =>
            {
                self.open.pop();
                Ok(self.complete())
            }
            _ => Err(Fault::StreamEnd),
        }
    }

    /// A value is complete, and with it every aggregate that it was the last of. Is the reply?
    fn complete(&mut self) -> Step<Whole> {
        self.annotated = false;
        self.state = State::Value;
        while let Some(open) = self.open.last_mut() {
            match &mut open.left {
                Left::Elements(left) => {
                    *left -= 1;
                    if *left > 0 {
                        return Step::quiet();
                    }
                }
                Left::Stream { odd, .. } => {
                    *odd = !*odd;
                    return Step::quiet();
                }
            }
            let attribute = open.attribute;
            self.open.pop();
            if attribute {
                self.hidden -= 1;
                self.annotated = true;
                return Step::quiet();
            }
        }
        self.whole()
    }

    fn whole(&mut self) -> Step<Whole> {
        self.state = State::Value;
        Step::event(Whole { found_at: self.trial.take(), glanced: None })
    }

    fn payload(&mut self, form: Form, mut payload: Payload, last: &[u8]) -> Result<Step<Whole>, Fault> {
        self.piece(&mut payload, last);
        let fault = match payload.end() {
            Ok(()) if form == Form::Verbatim && !payload.is_verbatim() => Fault::Verbatim,
            Ok(()) => return Ok(self.complete().until(self.lf.clone())),
            Err(fault) => fault,
        };
        self.fault_in_payload(fault)
    }

    fn chunk(&mut self, line: Line<'_>, start: u64) -> Result<Step<Whole>, Fault> {
        let most = if self.trial.is_some() { TRIAL_MAX } else { BULK_MAX as i64 };
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
            _ => self.fault(Fault::Chunk, line, start),
        }
    }

    fn chunk_payload(&mut self, mut payload: Payload, last: &[u8]) -> Result<Step<Whole>, Fault> {
        self.piece(&mut payload, last);
        self.state = State::Chunk;
        match payload.end() {
            Ok(()) => Ok(Step::quiet().until(self.lf.clone())),
            Err(fault) => self.fault_in_payload(fault),
        }
    }

    fn piece(&mut self, payload: &mut Payload, piece: &[u8]) {
        if self.hidden == 0 {
            payload.piece(piece, &mut self.excerpt);
        } else {
            payload.piece(piece, &mut Excerpt::default());
        }
    }

    /// A line that is not what it should be: the end of all parsing, or of a trial.
    fn fault(&mut self, fault: Fault, line: Line<'_>, start: u64) -> Result<Step<Whole>, Fault> {
        if self.trial.is_some() {
            self.seek();
            return Ok(self.candidate(line, start));
        }
        self.line.clear();
        self.line.push(line.head);
        Err(fault)
    }

    fn fault_in_payload(&mut self, fault: Fault) -> Result<Step<Whole>, Fault> {
        if self.trial.is_none() {
            return Err(fault);
        }
        self.seek();
        Ok(Step::quiet().until(self.lf.clone()))
    }

    fn seek(&mut self) {
        self.clear();
        self.state = State::Seek;
    }

    /// Does a reply begin with this line? Of texts, only one that a person can read.
    fn candidate(&mut self, line: Line<'_>, start: u64) -> Step<Whole> {
        self.line.clear();
        let likely = match line.head {
            [b'+', text @ ..] => text.iter().all(|byte| matches!(byte, b' '..=b'~')),
            [b'-', b'A'..=b'Z', text @ ..] => text.iter().all(|byte| matches!(byte, b' '..=b'~')),
            [b':' | b'$' | b'*' | b'_' | b'#' | b',' | b'(' | b'!' | b'=' | b'%' | b'~' | b'>' | b'|', ..] => true,
            _ => false,
        };
        if likely {
            self.trial = Some(start);
            self.state = State::Value;
            if let Ok(step) = self.read(line) {
                return step;
            }
            self.seek();
        }
        Step::quiet()
    }

    /// A line that ended: `act` sees it whole, whether it was split or not.
    fn with_line(
        &mut self,
        last: &[u8],
        act: impl FnOnce(&mut Self, Line<'_>) -> Result<Step<Whole>, Fault>,
    ) -> Result<Step<Whole>, Fault> {
        if self.line.is_empty() {
            return act(self, Line::borrowed(last));
        }
        let mut line = std::mem::take(&mut self.line);
        line.push(last);
        let step = act(self, line.line())?;
        line.clear();
        self.line = line;
        Ok(step)
    }

    /// A frame that ended in `last`.
    fn ended(&mut self, last: &[u8], frame: Found) -> Result<Step<Whole>, Fault> {
        if frame.dropped > 0 {
            // Only in a search are lines cut, in the others they are refused.
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

/// The longest code of an error.
pub const CODE_MAX: usize = 32;

impl Handler for Replies {
    type Event = Whole;
    type Error = Fault;

    fn start(&self) -> Terminator {
        self.lf.clone()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), Fault> {
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

    fn found(&mut self, frame: Found) -> Result<Step<Whole>, Fault> {
        self.ended(&[], frame)
    }

    fn found_with(&mut self, last: &[u8], frame: Found) -> Result<Step<Whole>, Refused<Fault>> {
        Ok(self.ended(last, frame)?)
    }

    /// A value that lies whole in the chunk.
    #[inline(always)]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Whole>> {
        let between = matches!(self.state, State::Value) && !self.is_begun() && !self.is_seeking();
        if !between || self.snapshot_next {
            return None;
        }
        let seen = if pairing::looks_into(chunk) {
            let seen = whole::reply(chunk, &mut self.excerpt);
            if seen.is_none() {
                self.excerpt.clear();
            }
            seen
        } else {
            whole::reply(chunk, &mut whole::Nothing)
        };
        let (taken, form) = seen?;
        self.glanced = Some(form);
        Some(Glance { taken, step: Step::event(Whole { found_at: None, glanced: Some(taken) }) })
    }

    /// Texts on one line have no limit of their own (`MONITOR` shows whole commands in them), and are not kept.
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
