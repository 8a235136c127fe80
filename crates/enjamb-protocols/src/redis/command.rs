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
//! Faults are judged where a frame ends, and never in the middle of one: how much of it had arrived there is an
//! accident of the cuts.
//!
//! After a hole the handler *seeks*: it passes over lines until one looks like `*N` and the next like `$L`, and takes that for a
//! command on trial. A command on trial that turns out to be malformed was none, and the search goes on.
//!
//! This is what the server does in `processInlineBuffer` and `processMultibulkBuffer` (networking.c), but for two places
//! where it looks at nothing: any byte may follow a CR there, and any two bytes a bulk. Here both are CR LF.

use std::num::NonZeroUsize;

use enjamb::{Found, Glance, Handler, Limit, Refused, Step, Terminator};

use super::excerpt::{Excerpt, Form, Size};
use super::fault::Fault;
use super::inline::Words;
use super::line::{Line, LineBuffer, strict_integer};
use super::name::Name;
use super::pairing;
use super::payload::{BULK_MAX, Payload};
use super::whole;
use crate::line_feed::line_feed;

/// The longest line of a command: the server's `PROTO_INLINE_MAX_SIZE`.
pub const LINE_MAX: u64 = 64 << 10;

/// The most arguments of a command, its name included.
pub const ARGUMENTS_MAX: i64 = 1 << 20;

/// The largest count and length that a message on trial may announce: noise must not swallow the stream.
pub(super) const TRIAL_MAX: i64 = 1 << 20;

/// A message is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// Where it begins, when it was found by seeking.
    pub(super) found_at: Option<u64>,
    /// How long it is, when it was taken at a glance: so much in front of the rest of the chunk is all of it, and there may be no excerpt.
    pub(super) glanced: Option<NonZeroUsize>,
}

/// Reads commands. What it knows of the one in progress, or of the one that is whole, until [`clear`](Self::clear).
#[derive(Clone, Debug)]
pub(super) struct Commands {
    lf: Terminator,
    state: State,
    line: LineBuffer,
    excerpt: Excerpt,
    name: Name,
    /// Arguments still to come, and all of them. Of an inline command, those so far.
    arguments_left: u64,
    arguments: u64,
    /// Blank lines came before it.
    blank_before: bool,
    /// Where the command on trial begins.
    trial: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing of the command's first line was seen.
    First,
    /// A line that began with `*`.
    Count,
    Inline(Words),
    ArgLength,
    Payload(Payload),
    /// Looks for the beginning of a command.
    Seek,
}

impl Commands {
    /// At the beginning of a command.
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
            trial: None,
        }
    }

    /// Behind a hole.
    pub(super) fn seeking() -> Self {
        Self { state: State::Seek, ..Self::new() }
    }

    /// Forgets the command.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.excerpt.clear();
        self.name.clear();
        self.arguments_left = 0;
        self.arguments = 0;
        self.blank_before = false;
        self.trial = None;
    }

    /// `missing` bytes are lost, and the frame in progress has room for them.
    pub(super) fn lose(&mut self, missing: u64) {
        if let State::Payload(payload) = &mut self.state {
            payload.lose(missing, &mut self.excerpt);
        }
    }

    /// No command was found yet behind a hole.
    pub(super) fn is_seeking(&self) -> bool {
        self.trial.is_some() || matches!(self.state, State::Seek)
    }

    /// More of a command was seen than white space.
    pub(super) fn is_begun(&self) -> bool {
        !self.is_seeking() && (self.excerpt.begun() > 0 || !self.line.is_empty() || self.arguments_left > 0)
    }

    /// The name in capitals, where it is known and one; else `command`.
    pub(super) fn kind(&self) -> &str {
        match self.name.as_str() {
            "" => "command",
            name => name,
        }
    }

    /// Arguments, the name included, of a command that is whole.
    pub(super) fn arguments(&self) -> u64 {
        self.arguments
    }

    /// The argument at `index`, where all of it was kept.
    pub(super) fn argument(&self, index: usize) -> Option<&[u8]> {
        self.excerpt.whole_text(index)
    }

    pub(super) fn blank_before(&self) -> bool {
        self.blank_before
    }

    pub(super) fn excerpt(&self) -> &Excerpt {
        &self.excerpt
    }

    /// What was kept of the line in progress, or of the one at fault.
    pub(super) fn line(&self) -> &[u8] {
        self.line.kept()
    }

    /// The first line of a command, or of what is passed over.
    fn count(&mut self, line: Line<'_>) -> Result<Step<Whole>, Fault> {
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
            _ => self.fault(Fault::ArgumentCount, line, 0),
        }
    }

    fn inline(&mut self, mut words: Words, last: &[u8]) -> Result<Step<Whole>, Fault> {
        words.piece(last, &mut self.excerpt);
        let balanced = words.end(&mut self.excerpt);
        self.arguments = words.count();
        self.state = State::First;
        if !balanced {
            return Err(Fault::Quotes);
        }
        if self.arguments == 0 {
            self.blank_before = true;
            return Ok(Step::quiet());
        }
        self.take_name();
        Ok(self.whole())
    }

    fn arg_length(&mut self, line: Line<'_>, start: u64) -> Result<Step<Whole>, Fault> {
        if line.head.first() != Some(&b'$') {
            return self.fault(Fault::NotAnArgument, line, start);
        }
        let length = if line.cr { line.argument().and_then(strict_integer) } else { None };
        let most = if self.trial.is_some() { TRIAL_MAX.unsigned_abs() } else { BULK_MAX };
        let Some(length) = length.and_then(|length| u64::try_from(length).ok()).filter(|&length| length <= most) else {
            return self.fault(Fault::BulkLength, line, start);
        };
        self.line.clear();
        self.excerpt.begin(Form::Bulk, 0, Size::Known(length));
        let (payload, terminator) = Payload::begin(length);
        self.state = State::Payload(payload);
        Ok(terminator.map_or_else(Step::quiet, |terminator| Step::quiet().until(terminator)))
    }

    fn payload(&mut self, mut payload: Payload, last: &[u8]) -> Result<Step<Whole>, Fault> {
        payload.piece(last, &mut self.excerpt);
        self.state = State::ArgLength;
        if let Err(fault) = payload.end() {
            if self.trial.is_none() {
                return Err(fault);
            }
            self.seek();
            return Ok(Step::quiet().until(self.lf.clone()));
        }
        if self.arguments_left == self.arguments {
            self.take_name();
        }
        self.arguments_left -= 1;
        let step = if self.arguments_left == 0 { self.whole() } else { Step::quiet() };
        Ok(step.until(self.lf.clone()))
    }

    /// The first argument is whole.
    fn take_name(&mut self) {
        match self.excerpt.whole_text(0) {
            Some(name) => self.name.set(name),
            None => self.name.clear(),
        }
    }

    fn whole(&mut self) -> Step<Whole> {
        self.state = State::First;
        Step::event(Whole { found_at: self.trial.take(), glanced: None })
    }

    /// A line that is not what it should be: the end of all parsing, or of a trial.
    fn fault(&mut self, fault: Fault, line: Line<'_>, start: u64) -> Result<Step<Whole>, Fault> {
        if self.trial.is_some() {
            self.seek();
            return Ok(self.candidate(line, start));
        }
        if self.line.is_empty() {
            self.line.push(line.head);
        }
        Err(fault)
    }

    fn seek(&mut self) {
        self.clear();
        self.state = State::Seek;
    }

    /// Does a command begin with this line?
    fn candidate(&mut self, line: Line<'_>, start: u64) -> Step<Whole> {
        self.line.clear();
        if line.cr
            && line.head.first() == Some(&b'*')
            && let Some(count @ 1..=TRIAL_MAX) = line.argument().and_then(strict_integer)
        {
            self.trial = Some(start);
            self.arguments = count.unsigned_abs();
            self.arguments_left = self.arguments;
            self.state = State::ArgLength;
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

impl Handler for Commands {
    type Event = Whole;
    type Error = Fault;

    fn start(&self) -> Terminator {
        self.lf.clone()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if matches!(self.state, State::First) {
            self.state = if piece.first() == Some(&b'*') { State::Count } else { State::Inline(Words::default()) };
        }
        match &mut self.state {
            State::First | State::Count | State::ArgLength | State::Seek => self.line.push(piece),
            State::Inline(words) => words.piece(piece, &mut self.excerpt),
            State::Payload(payload) => payload.piece(piece, &mut self.excerpt),
        }
        Ok(())
    }

    fn found(&mut self, frame: Found) -> Result<Step<Whole>, Fault> {
        self.ended(&[], frame)
    }

    fn found_with(&mut self, last: &[u8], frame: Found) -> Result<Step<Whole>, Refused<Fault>> {
        Ok(self.ended(last, frame)?)
    }

    /// A command that lies whole in the chunk.
    #[inline(always)]
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Whole>> {
        if !matches!(self.state, State::First) {
            return None;
        }
        let whole::Command { taken, arguments, name } = whole::command(chunk, &mut whole::Nothing)?;
        self.arguments = arguments;
        self.name.set(name);
        if pairing::looks_at_arguments(self.kind()) {
            whole::command(chunk, &mut self.excerpt);
        }
        Some(Glance { taken, step: Step::event(Whole { found_at: None, glanced: Some(taken) }) })
    }

    fn limit(&self) -> Limit {
        match self.state {
            State::Payload(_) => Limit::NONE,
            _ if self.is_seeking() => Limit::truncate(LINE_MAX),
            _ => Limit::refuse(LINE_MAX),
        }
    }

    fn held(&self) -> usize {
        self.line.held() + self.excerpt.held() + self.name.held()
    }
}
