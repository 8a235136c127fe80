//! The handler of one side: lines up to the end of a head, then the body, then the next message.
//!
//! ```text
//! Start ──line──► Fields ──blank line──┬── no body ─────────────────────────────────────► Start
//!                                      ├─► Body ──length──────────────────────────────► Start
//!                                      ├─► ToClose ──end of the stream
//!                                      └─► ChunkSize ──n──► ChunkData ──► ChunkEnd ─► ChunkSize
//!                                              └──0──► Trailers ──blank line────────► Start
//! Seek{..} ──a line that begins a message──► Fields       (behind a gap)
//! ```
//!
//! A head is kept until its message was emitted, since the message refers to it. Of a body only the
//! length is kept.

use core::num::NonZeroUsize;

use enjamb::{FrameInfo, Glance, Handler, Limit, Refusal, Side, Step, Terminator};

use super::chunked;
use super::framing::{BodyFields, Framing};
use super::head::{self, Head, StartLine};
use super::line::{is_field, without_cr};
use super::method::Method;
use super::pairing::Pairing;
use super::resync;
use super::syntax_error::SyntaxError;
use crate::line_feed::line_feed;

/// The maximum length of a head, in bytes.
const HEAD_MAX: usize = 64 * 1024;

/// The maximum length of a line before a chunk, in bytes, extensions included.
const CHUNK_LINE_MAX: usize = 16 * 1024;

/// The maximum length of the trailers of a message, in bytes.
const TRAILERS_MAX: usize = 64 * 1024;

/// The number of bytes at the end of a line that are searched for the beginning of a message behind
/// a gap.
const SEEK_MAX: usize = 8 * 1024;

/// The largest buffer that is kept between messages. A larger one is freed.
const BUFFER_AT_REST: usize = 8 * 1024;

/// The first line of a client that begins HTTP/2 without asking (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// The events of one side's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A head is whole, and a body follows.
    Head,
    /// A message is whole. If no body followed, there was no separate event for its head.
    Whole,
    /// The client begins HTTP/2.
    Preface,
}

/// The handler of one side.
#[derive(Debug)]
pub(super) struct Reader {
    side: Side,
    state: State,
    lf: Terminator,
    /// The part of the message's head that has arrived.
    head: Vec<u8>,
    /// The offset in the head at which the line in progress begins.
    line_start: usize,
    /// A line behind the head, or behind a gap, that came in pieces.
    line: Vec<u8>,
    /// The offset at which a message begins that was found behind a gap, until it is taken.
    pub(super) resumed: Option<u64>,
    pub(super) message: MessageState,
    /// The requests that wait for their answers. Only the reader of the responses uses it.
    pub(super) pairing: Pairing,
}

/// The state of the message in progress.
#[derive(Debug, Default)]
pub(super) struct MessageState {
    pub(super) head: Option<Head>,
    pub(super) framing: Framing,
    /// Whether its head was announced to the other side.
    pub(super) announced: bool,
    /// Whether it refuses a `CONNECT`.
    pub(super) refuses_tunnel: bool,
    pub(super) answers: Option<u64>,
    /// The number of bytes of its body so far, including lost ones.
    pub(super) body: u64,
    /// The number of bytes of its body that were lost.
    pub(super) lost: u64,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Fields,
    Body,
    ToClose,
    ChunkSize,
    ChunkData,
    ChunkEnd,
    Trailers,
    /// The search behind a gap. The first line may lack its beginning.
    Seek {
        first: bool,
    },
}

/// The result of a frame.
type StepResult = Result<Step<Event>, SyntaxError>;

impl MessageState {
    pub(super) fn status(&self) -> u16 {
        match self.head {
            Some(Head { start: StartLine::Response { status, .. }, .. }) => status,
            _ => 0,
        }
    }

    pub(super) fn code(&self) -> Option<&str> {
        match &self.head {
            Some(Head { start: StartLine::Response { digits, .. }, .. }) => core::str::from_utf8(digits).ok(),
            _ => None,
        }
    }

    pub(super) fn method(&self) -> Method {
        Method::of_kind(self.kind(Side::Client))
    }

    pub(super) fn kind(&self, side: Side) -> &'static str {
        match (self.head, side) {
            (Some(Head { start: StartLine::Request { kind, .. }, .. }), _) => kind,
            (_, Side::Client) => "request",
            (_, Side::Server) => "response",
        }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(Side::Client)
    }
}

impl Reader {
    /// Creates a reader at the beginning of the stream of `side`.
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            state: State::Start,
            lf: line_feed(),
            head: Vec::new(),
            line_start: 0,
            line: Vec::new(),
            resumed: None,
            message: MessageState::default(),
            pairing: Pairing::default(),
        }
    }

    /// Returns the part of the message's head that has arrived.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Clears the message in progress.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.line.clear();
        for buffer in [&mut self.head, &mut self.line] {
            if buffer.capacity() > BUFFER_AT_REST {
                *buffer = Vec::new();
            }
        }
        self.resumed = None;
        self.message = MessageState::default();
    }

    /// Searches for the beginning of a message from here on.
    pub(super) fn seek(&mut self) {
        self.clear();
        self.state = State::Seek { first: true };
    }

    /// Counts `missing` bytes of the body as lost.
    pub(super) fn lose(&mut self, missing: u64) {
        self.message.body += missing;
        self.message.lost += missing;
    }

    pub(super) fn is_seeking(&self) -> bool {
        matches!(self.state, State::Seek { .. })
    }

    /// Returns whether more of a message was seen than the blank lines before it.
    pub(super) fn is_in_message(&self) -> bool {
        self.state != State::Start || self.head.iter().any(|&byte| byte != b'\r')
    }

    /// Returns whether it is between two messages, or where one may begin.
    pub(super) fn is_idle(&self) -> bool {
        self.is_seeking() || !self.is_in_message()
    }

    /// Returns the method of a request whose head cannot be parsed. Servers use the method even
    /// then, but none opens a tunnel for such a request.
    pub(super) fn method_begun(&self) -> Method {
        if self.message.method() == Method::Head || self.head.starts_with(b"HEAD ") {
            Method::Head
        } else {
            Method::Other
        }
    }

    /// Returns the error of a frame that exceeded the limit.
    pub(super) fn too_long(&self) -> SyntaxError {
        match self.state {
            State::ChunkSize => SyntaxError::ChunkLineTooLong,
            State::ChunkEnd => SyntaxError::ChunkEnd,
            State::Trailers => SyntaxError::TrailersTooLong,
            State::Start | State::Fields | State::Body | State::ToClose | State::ChunkData | State::Seek { .. } => {
                SyntaxError::HeadTooLong
            }
        }
    }

    fn start_line(&mut self, last: &[u8]) -> StepResult {
        keep(&mut self.head, last, HEAD_MAX);
        let line = without_cr(&self.head);
        if line.is_empty() {
            // RFC 9112, section 2.2: blank lines before a request are skipped. Before a response
            // they do no harm either.
            self.head.clear();
            return Ok(Step::quiet());
        }
        if self.side == Side::Client && line == PREFACE {
            return Ok(Step::event(Event::Preface));
        }
        begins_a_message(self.side, line)?;
        self.begin_fields();
        Ok(Step::quiet())
    }

    fn begin_fields(&mut self) {
        self.head.push(b'\n');
        self.line_start = self.head.len();
        self.state = State::Fields;
    }

    fn field_line(&mut self, last: &[u8], frame: FrameInfo) -> StepResult {
        keep(&mut self.head, last, HEAD_MAX);
        let line = self.head.get(self.line_start..).unwrap_or_default();
        if matches!(line, b"" | b"\r") {
            self.head.push(b'\n');
            return if self.head.len() > HEAD_MAX { Err(SyntaxError::HeadTooLong) } else { self.end_of_head() };
        }
        if self.resumed.is_some() && !is_field(line) {
            // The line behind the gap looked like the beginning of a message, but was none. This
            // line may be one.
            self.line = line.to_vec();
            self.resumed = None;
            self.head.clear();
            return Ok(self.end_of_sought_line(frame));
        }
        self.head.push(b'\n');
        self.line_start = self.head.len();
        Ok(Step::quiet())
    }

    fn end_of_head(&mut self) -> StepResult {
        let (head, fields) = match head::read(self.side, &self.head) {
            Ok(read) => read,
            Err(_) if self.resumed.take().is_some() => {
                self.head.clear();
                self.state = State::Seek { first: false };
                return Ok(Step::quiet());
            }
            Err(fault) => return Err(fault),
        };
        let framing = self.framing(&head, fields);
        self.take_head(head);
        Ok(self.begin_body(framing?))
    }

    /// Returns the framing of the body behind this head.
    fn framing(&self, head: &Head, fields: BodyFields) -> Result<Framing, SyntaxError> {
        match head.start {
            StartLine::Request { kind, .. } => fields.of_request(Method::of_kind(kind)),
            StartLine::Response { status, .. } => fields.of_response(status, self.pairing.peek().method),
        }
    }

    /// Sets the head of the message in progress. A response uses up the request it answers, unless
    /// it is interim.
    fn take_head(&mut self, head: Head) {
        self.message.head = Some(head);
        if let StartLine::Response { status, .. } = head.start {
            let interim = status != 101 && (100..=199).contains(&status);
            let request = self.pairing.answer(interim);
            self.message.answers = request.ordinal;
            self.message.refuses_tunnel = request.method == Method::Connect && !(100..=299).contains(&status);
        }
    }

    fn begin_body(&mut self, framing: Framing) -> Step<Event> {
        self.message.framing = framing;
        let head = Step::event(Event::Head);
        match framing {
            Framing::None | Framing::Tunnel => self.whole(),
            Framing::Length(length) => match Terminator::length(length) {
                Some(length) => {
                    self.state = State::Body;
                    head.until(length)
                }
                None => self.whole(),
            },
            Framing::Chunked => {
                self.state = State::ChunkSize;
                head
            }
            Framing::Close => {
                self.state = State::ToClose;
                head.until(Terminator::Close)
            }
        }
    }

    /// Ends a message that a line completes.
    fn whole(&mut self) -> Step<Event> {
        self.state = State::Start;
        Step::event(Event::Whole)
    }

    fn chunk_size(&mut self, last: &[u8]) -> StepResult {
        let size = self.with_line(last, chunked::size)?;
        Ok(match Terminator::length(size) {
            Some(size) => {
                self.state = State::ChunkData;
                Step::quiet().until(size)
            }
            None => {
                self.state = State::Trailers;
                Step::quiet()
            }
        })
    }

    fn chunk_end(&mut self, last: &[u8]) -> StepResult {
        if !self.with_line(last, |line| without_cr(line).is_empty()) {
            return Err(SyntaxError::ChunkEnd);
        }
        self.state = State::ChunkSize;
        Ok(Step::quiet())
    }

    fn trailer(&mut self, last: &[u8]) -> StepResult {
        let (blank, field, length) =
            self.with_line(last, |line| (without_cr(line).is_empty(), is_field(line), line.len()));
        if blank {
            return Ok(self.whole());
        }
        self.message.trailers += length + 1;
        if field { Ok(Step::quiet()) } else { Err(SyntaxError::Trailer) }
    }

    /// Calls `read` with the line that ends in `last`, borrowed from the chunk unless it came in
    /// pieces.
    fn with_line<T>(&mut self, last: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
        if self.line.is_empty() {
            return read(last);
        }
        keep(&mut self.line, last, CHUNK_LINE_MAX.max(TRAILERS_MAX));
        let value = read(&self.line);
        self.line.clear();
        value
    }

    /// Searches a whole line behind a gap for the beginning of a message.
    fn end_of_sought_line(&mut self, frame: FrameInfo) -> Step<Event> {
        let from_its_beginning = self.state != State::Seek { first: true };
        let line = self.line.get(self.line.len().saturating_sub(SEEK_MAX)..).unwrap_or_default();
        let from_its_beginning = from_its_beginning && line.len() as u64 == frame.length;
        let begins = match self.side {
            Side::Client => resync::request_line(line, from_its_beginning),
            Side::Server => resync::status_line(line),
        };
        self.state = State::Seek { first: false };
        if let Some(begun) = begins.and_then(|at| line.get(at..)) {
            self.resumed = Some((frame.start + frame.length).saturating_sub(begun.len() as u64));
            self.head.clear();
            self.head.extend_from_slice(begun);
            self.begin_fields();
        }
        self.line.clear();
        Step::quiet()
    }

    /// Keeps the end of a line that is searched.
    fn keep_end(&mut self, piece: &[u8]) {
        if piece.len() >= SEEK_MAX {
            self.line.clear();
        }
        self.line.extend_from_slice(&piece[piece.len().saturating_sub(SEEK_MAX)..]);
        if self.line.len() >= 2 * SEEK_MAX {
            self.line.drain(..self.line.len() - SEEK_MAX);
        }
    }

    /// Handles a frame that ended in `last`.
    fn ended(&mut self, last: &[u8], frame: FrameInfo) -> StepResult {
        match self.state {
            State::Start => self.start_line(last),
            State::Fields => self.field_line(last, frame),
            State::ChunkSize => self.chunk_size(last),
            State::ChunkEnd => self.chunk_end(last),
            State::Trailers => self.trailer(last),
            State::Body => {
                self.message.body += last.len() as u64;
                Ok(self.whole().until(self.lf.clone()))
            }
            State::ChunkData => {
                self.message.body += last.len() as u64;
                self.state = State::ChunkEnd;
                Ok(Step::quiet().until(self.lf.clone()))
            }
            // The state stays: the ending of the stream decides whether the message is whole.
            State::ToClose => Ok(Step::event(Event::Whole).stop()),
            State::Seek { .. } => {
                self.keep_end(last);
                Ok(self.end_of_sought_line(frame))
            }
        }
    }
}

/// Checks that the line may be the first one of a message.
fn begins_a_message(side: Side, line: &[u8]) -> Result<(), SyntaxError> {
    match side {
        Side::Client if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") => Ok(()),
        Side::Client => Err(SyntaxError::RequestLine),
        Side::Server if line.starts_with(b"HTTP/1.") => Ok(()),
        Side::Server => Err(SyntaxError::StatusLine),
    }
}

/// Returns the head at the front of `chunk`, up to the first blank line, which is not its first
/// line.
fn whole_head(chunk: &[u8]) -> Option<&[u8]> {
    if matches!(chunk, [b'\r' | b'\n', ..]) {
        return None;
    }
    for end in memchr::memchr_iter(b'\n', chunk) {
        match &chunk[end + 1..] {
            [b'\n', ..] => return chunk.get(..end + 2),
            [b'\r', b'\n', ..] => return chunk.get(..end + 3),
            _ => {}
        }
    }
    None
}

/// Appends `piece`. The capacity doubles as a vector's does, but never exceeds `most` and an LF.
fn keep(buffer: &mut Vec<u8>, piece: &[u8], most: usize) {
    let needed = buffer.len() + piece.len() + 1;
    if needed > buffer.capacity() {
        let wanted = needed.max(buffer.capacity() * 2).min((most + 1).max(needed));
        buffer.reserve_exact(wanted - buffer.len());
    }
    buffer.extend_from_slice(piece);
}

impl Handler for Reader {
    type Event = Event;
    type Error = SyntaxError;

    fn start(&self) -> Terminator {
        self.lf.clone()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), SyntaxError> {
        match self.state {
            State::Start | State::Fields => keep(&mut self.head, piece, HEAD_MAX),
            State::Body | State::ToClose | State::ChunkData => self.message.body += piece.len() as u64,
            State::ChunkSize | State::ChunkEnd => keep(&mut self.line, piece, CHUNK_LINE_MAX),
            State::Trailers => keep(&mut self.line, piece, TRAILERS_MAX),
            State::Seek { .. } => self.keep_end(piece),
        }
        Ok(())
    }

    fn found(&mut self, frame: FrameInfo) -> StepResult {
        self.ended(&[], frame)
    }

    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<Event>, Refusal<SyntaxError>> {
        Ok(self.ended(last, frame)?)
    }

    /// Reads a head that lies whole in the chunk. Most heads do, and they have many lines. A
    /// malformed head is left to the reading by lines, which finds the place of the error.
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Event>> {
        if self.state != State::Start || !self.head.is_empty() {
            return None;
        }
        let head = whole_head(&chunk[..chunk.len().min(HEAD_MAX)])?;
        let line = head.split(|&byte| byte == b'\n').next()?;
        begins_a_message(self.side, without_cr(line)).ok()?;
        let (read, fields) = head::read(self.side, head).ok()?;
        let framing = self.framing(&read, fields).ok()?;
        keep(&mut self.head, head, HEAD_MAX);
        self.line_start = self.head.len();
        self.take_head(read);
        self.state = State::Fields;
        Some(Glance { taken: NonZeroUsize::new(head.len())?, step: self.begin_body(framing) })
    }

    fn limit(&self) -> Limit {
        let most = match self.state {
            // The LF counts too.
            State::Start => HEAD_MAX - 1,
            State::Fields => HEAD_MAX.saturating_sub(self.head.len() + 1),
            State::ChunkSize => CHUNK_LINE_MAX,
            // At most the CR before the LF.
            State::ChunkEnd => 1,
            State::Trailers => TRAILERS_MAX.saturating_sub(self.message.trailers),
            State::Body | State::ToClose | State::ChunkData | State::Seek { .. } => return Limit::NONE,
        };
        Limit::refuse(most as u64)
    }

    fn held(&self) -> usize {
        self.head.len() + self.line.len() + self.pairing.held()
    }
}
