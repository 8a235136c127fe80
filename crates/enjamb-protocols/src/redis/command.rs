//! The client's side: commands as arrays of bulks, and inline.
//!
//! ```text
//!          "*N"               "$L"             L bytes, CR LF
//!  First ───────► ArgLength ───────► Payload ─────────────────┐
//!    ▲  │             ▲                 │ another argument    │
//!    │  └► Inline     └─────────────────┘                     │ the last
//!    └──────┴─────────────────────────────────────────────────┘
//! ```
//!
//! Errors are judged at the end of a frame, never in the middle: how much of it has arrived in the
//! middle depends on the cuts.
//!
//! Behind a gap the handler *seeks*: it skips lines until one looks like `*N` and the next like
//! `$L`, and parses that as a *candidate*. If the candidate is malformed, it was not a command, and
//! the search continues. It seeks behind a malformed command, too, unless the end of that is
//! certain.
//!
//! The server does the same in `processInlineBuffer` and `processMultibulkBuffer` (networking.c),
//! except that it accepts any byte behind a CR, and any two bytes behind a bulk. Here both must be
//! CR LF.

use enjamb::{FrameInfo, Glance, Handler, Limit, Refusal, Step, Terminator};

use super::excerpt::{Excerpt, Form, KeptArguments, Size};
use super::glance;
use super::inline::Words;
use super::limits::{ARGUMENTS_MAX, BULK_MAX, CANDIDATE_MAX, LINE_MAX};
use super::line::{Line, LineBuffer, strict_integer};
use super::message_end::MessageEnd;
use super::name::{Known, Name};
use super::payload::Payload;
use super::relevance;
use super::shape::Shape;
use super::syntax_error::SyntaxError;
use crate::line_feed::line_feed;

/// The handler of the client's side. It holds the command in progress, or the whole one, until
/// [`clear`](Self::clear).
#[derive(Clone, Debug)]
pub(super) struct CommandHandler {
    lf: Terminator,
    state: State,
    line: LineBuffer,
    excerpt: Excerpt,
    name: Name,
    /// The number of arguments still to come, and the number of all. For an inline command, the
    /// number so far.
    arguments_left: u64,
    arguments: u64,
    /// Whether blank lines precede it.
    blank_before: bool,
    /// The offset at which the candidate begins.
    candidate_at: Option<u64>,
    /// Whether the search began behind a malformed command, not behind a gap.
    behind_malformed: bool,
    /// The first fault of the command in progress, if its end is certain all the same.
    fault: Option<SyntaxError>,
    /// The arguments for filters, if they are to be kept. Those of a command that was read at a
    /// glance are not in it.
    kept: Option<Box<KeptArguments>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing of the command's first line was seen.
    First,
    /// The handler is inside a line that begins with `*`.
    Count,
    Inline(Words),
    ArgLength,
    Payload(Payload),
    /// The handler searches for the beginning of a command.
    Seek,
}

impl CommandHandler {
    /// Creates a handler at the beginning of a command.
    pub(super) fn new() -> Self {
        Self {
            lf: line_feed(),
            state: State::First,
            line: LineBuffer::default(),
            excerpt: Excerpt::default(),
            name: Name::default(),
            arguments_left: 0,
            arguments: 0,
            blank_before: false,
            candidate_at: None,
            behind_malformed: false,
            fault: None,
            kept: None,
        }
    }

    /// Returns a handler behind a gap that keeps what this one keeps.
    pub(super) fn sought(&self) -> Self {
        let kept = self.kept.as_ref().map(|_| Box::default());
        Self { state: State::Seek, kept, ..Self::new() }
    }

    /// Keeps the arguments of commands from the next one on.
    pub(super) fn keep_arguments(&mut self) {
        self.kept = Some(Box::default());
    }

    /// Returns the kept arguments. `None` if they are not to be kept.
    pub(super) fn kept_arguments(&self) -> Option<&KeptArguments> {
        self.kept.as_deref()
    }

    /// Clears the command.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.excerpt.clear();
        self.name.clear();
        self.arguments_left = 0;
        self.arguments = 0;
        self.blank_before = false;
        self.candidate_at = None;
        self.fault = None;
        if let Some(kept) = &mut self.kept {
            kept.clear();
        }
    }

    /// Counts `missing` bytes as lost, for which the frame in progress has room.
    pub(super) fn lose(&mut self, missing: u64) {
        if let State::Payload(payload) = &mut self.state {
            if let Some(kept) = &mut self.kept {
                let mut payload = *payload;
                payload.lose(missing, kept);
            }
            payload.lose(missing, &mut self.excerpt);
        }
    }

    /// Returns whether no command was found yet behind a gap or a malformed command.
    pub(super) fn is_seeking(&self) -> bool {
        self.candidate_at.is_some() || matches!(self.state, State::Seek)
    }

    /// Returns whether the last search began behind a malformed command, not behind a gap.
    pub(super) fn is_behind_malformed(&self) -> bool {
        self.behind_malformed
    }

    /// Returns whether more than white space of a command was seen.
    pub(super) fn is_begun(&self) -> bool {
        // Between two commands nothing is kept.
        !matches!(self.state, State::First)
            && !self.is_seeking()
            && (self.excerpt.begun() > 0 || !self.line.is_empty() || self.arguments_left > 0)
    }

    /// Returns the name in capitals, or `command` where there is none.
    pub(super) fn kind(&self) -> &str {
        match self.name.as_str() {
            "" => "command",
            name => name,
        }
    }

    /// Returns whether any command may follow, and nothing of it was seen.
    #[inline]
    pub(super) fn is_between_commands(&self) -> bool {
        matches!(self.state, State::First) && !self.blank_before && self.candidate_at.is_none()
    }

    /// Sets the name and the number of arguments of a command that was read without the framer.
    #[inline(always)]
    pub(super) fn set(&mut self, name: &'static Known, arguments: u64) {
        self.name.set_known(name);
        self.arguments = arguments;
    }

    /// Returns the shape of the reply, if the command is known to be a plain one.
    #[inline]
    pub(super) fn plain(&self) -> Option<Shape> {
        self.name.plain()
    }

    /// Returns the number of arguments of a whole command, including the name.
    pub(super) fn arguments(&self) -> u64 {
        self.arguments
    }

    /// Returns the argument at `index`, where all of it was kept.
    pub(super) fn argument(&self, index: usize) -> Option<&[u8]> {
        self.excerpt.whole_text(index)
    }

    pub(super) fn blank_before(&self) -> bool {
        self.blank_before
    }

    pub(super) fn excerpt(&self) -> &Excerpt {
        &self.excerpt
    }

    /// Returns the kept part of the line in progress, or of the malformed one.
    pub(super) fn line(&self) -> &[u8] {
        self.line.kept()
    }

    /// Handles the first line of a command.
    fn count(&mut self, line: Line<'_>) -> Result<Step<MessageEnd>, SyntaxError> {
        let count = if line.cr { line.argument().and_then(strict_integer) } else { None };
        match count {
            Some(count @ 1..=ARGUMENTS_MAX) => {
                self.arguments = count.unsigned_abs();
                self.arguments_left = self.arguments;
                self.state = State::ArgLength;
                self.line.clear();
                Ok(Step::quiet())
            }
            Some(..=0) => Ok(self.whole()),
            _ => Ok(self.refuse(SyntaxError::ArgumentCount, line, 0)),
        }
    }

    fn inline(&mut self, mut words: Words, last: &[u8]) -> Result<Step<MessageEnd>, SyntaxError> {
        if let Some(kept) = &mut self.kept {
            let mut words = words;
            words.piece(last, kept);
            // The end is judged below.
            let _ = words.end(kept);
        }
        words.piece(last, &mut self.excerpt);
        let end = words.end(&mut self.excerpt);
        self.arguments = words.count();
        self.state = State::First;
        if let Err(fault) = end {
            return Ok(Step::event(MessageEnd { found_at: None, glanced: None, fault: Some(fault) }));
        }
        if self.arguments == 0 {
            self.blank_before = true;
            return Ok(Step::quiet());
        }
        self.take_name();
        Ok(self.whole())
    }

    fn arg_length(&mut self, line: Line<'_>, start: u64) -> Result<Step<MessageEnd>, SyntaxError> {
        if line.head.first() != Some(&b'$') {
            return Ok(self.refuse(SyntaxError::NotAnArgument, line, start));
        }
        let length = if line.cr { line.argument().and_then(strict_integer) } else { None };
        let most = if self.candidate_at.is_some() { CANDIDATE_MAX.unsigned_abs() } else { BULK_MAX };
        let Some(length) = length.and_then(|length| u64::try_from(length).ok()).filter(|&length| length <= most) else {
            return Ok(self.refuse(SyntaxError::BulkLength, line, start));
        };
        self.line.clear();
        self.excerpt.begin(Form::Bulk, 0, Size::Known(length));
        if let Some(kept) = &mut self.kept {
            kept.begin(Form::Bulk, 0, Size::Known(length));
        }
        let (payload, terminator) = Payload::begin(length);
        self.state = State::Payload(payload);
        Ok(terminator.map_or_else(Step::quiet, |terminator| Step::quiet().until(terminator)))
    }

    fn payload(&mut self, mut payload: Payload, last: &[u8]) -> Result<Step<MessageEnd>, SyntaxError> {
        if let Some(kept) = &mut self.kept {
            let mut payload = payload;
            payload.piece(last, kept);
        }
        payload.piece(last, &mut self.excerpt);
        self.state = State::ArgLength;
        if let Err(fault) = payload.end() {
            if self.candidate_at.is_some() {
                self.seek();
                return Ok(Step::quiet().until(self.lf.clone()));
            }
            // The server accepts any two bytes here, so the end is certain.
            self.fault.get_or_insert(fault);
        }
        if self.arguments_left == self.arguments {
            self.take_name();
        }
        self.arguments_left -= 1;
        let step = if self.arguments_left == 0 { self.whole() } else { Step::quiet() };
        Ok(step.until(self.lf.clone()))
    }

    /// Sets the name, once the first argument is whole.
    fn take_name(&mut self) {
        match self.excerpt.whole_text(0) {
            Some(name) => self.name.set(name),
            None => self.name.clear(),
        }
    }

    fn whole(&mut self) -> Step<MessageEnd> {
        self.state = State::First;
        Step::event(MessageEnd { found_at: self.candidate_at.take(), glanced: None, fault: self.fault })
    }

    /// Refuses a line: ends the command as malformed, or rejects a candidate. Seeks the next one.
    fn refuse(&mut self, reason: SyntaxError, line: Line<'_>, start: u64) -> Step<MessageEnd> {
        if self.candidate_at.is_some() {
            self.seek();
            return self.candidate(line, start);
        }
        if self.line.is_empty() {
            self.line.push(line.head);
        }
        self.state = State::Seek;
        self.behind_malformed = true;
        Step::event(MessageEnd { found_at: None, glanced: None, fault: Some(self.fault.unwrap_or(reason)) })
    }

    fn seek(&mut self) {
        self.clear();
        self.state = State::Seek;
    }

    /// Takes the line as the beginning of a candidate, if it looks like one.
    fn candidate(&mut self, line: Line<'_>, start: u64) -> Step<MessageEnd> {
        self.line.clear();
        if line.cr
            && line.head.first() == Some(&b'*')
            && let Some(count @ 1..=CANDIDATE_MAX) = line.argument().and_then(strict_integer)
        {
            self.candidate_at = Some(start);
            self.arguments = count.unsigned_abs();
            self.arguments_left = self.arguments;
            self.state = State::ArgLength;
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
            State::Payload(payload) => self.payload(payload, last),
            State::ArgLength => self.with_line(last, |commands, line| commands.arg_length(line, frame.start)),
            State::First if last.first() == Some(&b'*') => self.count(Line::borrowed(last)),
            State::First => self.inline(Words::default(), last),
            State::Count => self.with_line(last, Self::count),
            State::Inline(words) => self.inline(words, last),
            State::Seek => self.with_line(last, |commands, line| Ok(commands.candidate(line, frame.start))),
        }
    }
}

impl Handler for CommandHandler {
    type Event = MessageEnd;
    type Error = SyntaxError;

    fn start(&self) -> Terminator {
        self.lf.clone()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), SyntaxError> {
        if matches!(self.state, State::First) {
            self.state = if piece.first() == Some(&b'*') { State::Count } else { State::Inline(Words::default()) };
        }
        if let Some(kept) = &mut self.kept {
            match self.state {
                State::Inline(mut words) => words.piece(piece, kept),
                State::Payload(mut payload) => payload.piece(piece, kept),
                State::First | State::Count | State::ArgLength | State::Seek => {}
            }
        }
        match &mut self.state {
            State::First | State::Count | State::ArgLength | State::Seek => self.line.push(piece),
            State::Inline(words) => words.piece(piece, &mut self.excerpt),
            State::Payload(payload) => payload.piece(piece, &mut self.excerpt),
        }
        Ok(())
    }

    fn found(&mut self, frame: FrameInfo) -> Result<Step<MessageEnd>, SyntaxError> {
        self.ended(&[], frame)
    }

    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<MessageEnd>, Refusal<SyntaxError>> {
        Ok(self.ended(last, frame)?)
    }

    /// Reads a command that lies whole in the chunk.
    #[inline(always)]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<MessageEnd>> {
        if !matches!(self.state, State::First) {
            return None;
        }
        let glance::Command { taken, arguments, name } = glance::command(chunk, &mut glance::NullSink)?;
        self.arguments = arguments;
        self.name.set(chunk.get(name)?);
        if self.name.plain().is_none() && relevance::needs_arguments(self.kind()) {
            glance::command(chunk, &mut self.excerpt);
        }
        Some(Glance { taken, step: Step::event(MessageEnd::glanced(taken)) })
    }

    fn limit(&self) -> Limit {
        match self.state {
            State::Payload(_) => Limit::NONE,
            _ if self.is_seeking() => Limit::truncate(LINE_MAX),
            _ => Limit::refuse(LINE_MAX),
        }
    }

    fn held(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.held());
        self.line.held() + self.excerpt.held() + self.name.held() + kept
    }
}
