//! The handler of one side: lines up to the end of a head, then the body, then the next message.
//!
//! ```text
//! Start ──line──► Fields ──blank line──┬── no body ─────────────────────────────────────► Start
//!                   │                  ├─► Body ──length──────────────────────────────► Start
//!                   │                  ├─► ToClose ──end of the stream
//!                   │                  └─► ChunkSize ──n──► ChunkData ──► ChunkEnd ─► ChunkSize
//!                   │                          └──0──► Trailers ──blank line────────► Start
//!                   └─► LongHead ──blank line── as behind Fields  (the head is over its limit)
//! Seek{..} ──a line that begins a message──► Fields   (behind a gap, or where framing is lost)
//! ```
//!
//! A malformed message ends where its framing says, if that is known: its head has a blank line,
//! and the fields that were read give the length of its body. If it is not known (a line that
//! resembles no start line, lengths that contradict each other, a chunk that does not end), the
//! message is given up there, and the reader seeks the next line that begins a message.
//!
//! A head is kept until its message was emitted, since the message refers to it. Of a body only the
//! length is kept.

use core::convert::Infallible;
use core::num::NonZeroUsize;

use enjamb::{AFTER_MALFORMED, FrameInfo, Glance, Handler, Limit, Refusal, Side, Step, Terminator};

use super::careful;
use super::chunked;
use super::flags::{Flag, FlagSet};
use super::framing::{Fields, Framing};
use super::head::{self, Head, Parsed, StartLine};
use super::line::{is_blank, is_field, strip_version, without_cr};
use super::method::{self, Method, Request};
use super::pairing::PairingBox;
use super::resync;
use super::syntax_error::SyntaxError;
use crate::line_feed::line_feed;
use crate::opaque::AFTER_GAP;

/// The maximum length of a head, in bytes. A longer one is malformed.
const HEAD_MAX: usize = 64 * 1024;

/// The number of bytes that are kept of a line of a head that is over its limit. The fields about
/// framing are shorter.
const LONG_HEAD_LINE_MAX: usize = 256;

/// The maximum length of a line before a chunk, in bytes, extensions included.
const CHUNK_LINE_MAX: usize = 16 * 1024;

/// The maximum length of the trailers of a message, in bytes.
const TRAILERS_MAX: usize = 64 * 1024;

/// The number of bytes at the end of a line that are searched for the beginning of a message.
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
    /// The message is malformed, and its end is unknown. It is given up at [`Reader::broken_at`].
    Broken,
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
    /// A line outside of a head that came in pieces.
    line: Vec<u8>,
    /// The offset at which a message begins that was sought and found, until it is taken.
    pub(super) resumed: Option<u64>,
    /// The offset at which a message was given up.
    pub(super) broken_at: u64,
    /// A line that does not belong to the message that was given up, and is in `line`.
    sought: Option<Box<FrameInfo>>,
    /// The reason why bytes are skipped while a message is sought.
    pub(super) skip_reason: &'static str,
    /// Whether the last message announced that its side closes the connection.
    closing: bool,
    pub(super) message: MessageState,
    /// The requests that wait for their answers. Only the reader of the responses uses it.
    pub(super) pairing: PairingBox,
}

/// The state of the message in progress.
#[derive(Debug, Default)]
pub(super) struct MessageState {
    pub(super) head: Option<Head>,
    /// The well-known method with which a request begins.
    kind: Option<&'static str>,
    pub(super) framing: Framing,
    /// Whether its head was announced to the other side.
    pub(super) announced: bool,
    /// Whether it asks for another protocol.
    asks_upgrade: bool,
    /// Whether it is a response that another one to the same request follows.
    pub(super) interim: bool,
    /// Whether the request that it answers was looked up.
    pub(super) paired: bool,
    pub(super) answers: Option<u64>,
    pub(super) flags: FlagSet,
    /// The first rule that it breaks.
    pub(super) error: Option<SyntaxError>,
    /// The number of bytes of its body so far, including lost ones.
    pub(super) body: u64,
    /// The number of bytes of its body that were lost.
    pub(super) lost: u64,
    trailers: usize,
    /// The fields of a head that is over its limit.
    fields: Option<Box<Fields>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Fields,
    LongHead,
    Body,
    ToClose,
    ChunkSize,
    ChunkData,
    ChunkEnd,
    Trailers,
    /// The search for a message. The first line may lack its beginning.
    Seek {
        first: bool,
    },
}

/// The framing of a body, and a rule that its head breaks although the end of the body is known.
type Framed = Result<(Framing, Option<SyntaxError>), SyntaxError>;

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

    /// Returns the request, as far as its response depends on it.
    pub(super) fn request(&self) -> Request {
        Request { method: self.kind.map_or(Method::Other, Method::of_kind), upgrade: self.asks_upgrade }
    }

    pub(super) fn kind(&self, side: Side) -> &'static str {
        match side {
            Side::Client => self.kind.unwrap_or("request"),
            Side::Server => "response",
        }
    }

    /// Returns whether it begins with a well-known method.
    pub(super) fn is_of_known_method(&self) -> bool {
        self.kind.is_some()
    }

    /// Notes an error. The first one is the reason of the message.
    fn fail(&mut self, error: SyntaxError) {
        self.error = self.error.or(Some(error));
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
            broken_at: 0,
            sought: None,
            skip_reason: AFTER_GAP,
            closing: false,
            message: MessageState::default(),
            pairing: PairingBox::default(),
        }
    }

    /// Returns the part of the message's head that has arrived.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Clears the message in progress.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        if self.sought.is_none() {
            self.line.clear();
        }
        for buffer in [&mut self.head, &mut self.line] {
            if buffer.capacity() > BUFFER_AT_REST {
                buffer.shrink_to(BUFFER_AT_REST);
            }
        }
        self.resumed = None;
        self.message = MessageState::default();
    }

    /// Gives the buffer of the last head to the reader of the other side, if that has none. Clients
    /// and servers that take turns need one buffer, not two.
    #[inline]
    pub(super) fn lend_buffer(&mut self, other: &mut Self) {
        if other.head.capacity() == 0 && self.head.is_empty() {
            other.head = core::mem::take(&mut self.head);
        }
    }

    /// Seeks the beginning of a message from here on, behind bytes that were not read.
    pub(super) fn seek(&mut self) {
        self.sought = None;
        self.clear();
        self.closing = false;
        self.skip_reason = AFTER_GAP;
        self.state = State::Seek { first: true };
    }

    /// Seeks the beginning of a message behind one that was given up and emitted.
    pub(super) fn seek_on(&mut self) {
        self.skip_reason = AFTER_MALFORMED;
        if let Some(frame) = self.sought.take() {
            self.state = State::Seek { first: true };
            self.seek_in_line(*frame);
        }
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

    /// Returns the request of which a part was seen, and not its whole head.
    #[inline]
    pub(super) fn begun(&self) -> Option<Request> {
        let in_head = matches!(self.state, State::Start | State::Fields | State::LongHead);
        if in_head && !self.head.is_empty() && self.resumed.is_none() { self.request_begun() } else { None }
    }

    #[cold]
    fn request_begun(&self) -> Option<Request> {
        if !self.is_in_message() {
            return None;
        }
        let method = method::kind_of_line(&self.head).map_or(Method::Other, Method::of_kind);
        let upgrade = self.head.split(|&byte| byte == b'\n').skip(1).any(|line| {
            careful::name_and_value(line)
                .is_some_and(|(name, value)| name.eq_ignore_ascii_case(b"upgrade") && !value.is_empty())
        });
        Some(Request { method, upgrade })
    }

    /// Gives the message in progress up at `end`: nothing tells where it ends.
    fn break_off(&mut self, error: SyntaxError, end: u64) -> Step<Event> {
        self.message.fail(error);
        self.broken_at = end;
        self.state = State::Seek { first: false };
        Step::event(Event::Broken)
    }

    fn start_line(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        keep(&mut self.head, last, HEAD_MAX);
        let line = without_cr(&self.head);
        let long = frame.dropped > 0;
        if line.is_empty() {
            // RFC 9112, section 2.2: blank lines before a request are skipped. Before a response
            // they do no harm either.
            self.head.clear();
            return Step::quiet();
        }
        if self.side == Side::Client && line == PREFACE {
            return Step::event(Event::Preface);
        }
        if long || !begins_a_message(self.side, line) {
            let resembles = resembles_a_message(self.side, line);
            // Judged now, since the stream may end before the blank line.
            let error = if long { Some(SyntaxError::HeadTooLong) } else { careful::start_line_error(self.side, line) };
            self.message.error = error;
            if self.side == Side::Client {
                self.message.kind = method::kind_of_line(&self.head);
            }
            if !resembles {
                let error = if self.side == Side::Client { SyntaxError::RequestLine } else { SyntaxError::StatusLine };
                return self.break_off(error, frame.end);
            }
            if long {
                return self.begin_long_head();
            }
        }
        self.begin_fields();
        Step::quiet()
    }

    fn begin_fields(&mut self) {
        self.head.push(b'\n');
        self.line_start = self.head.len();
        self.state = State::Fields;
    }

    fn field_line(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        keep(&mut self.head, last, HEAD_MAX);
        let line = self.head.get(self.line_start..).unwrap_or_default();
        let blank = matches!(line, b"" | b"\r") && frame.dropped == 0;
        if self.resumed.is_some() && !blank && !is_field(line) {
            // The line that looked like the beginning of a message was none. This line may be one.
            self.line = line.to_vec();
            self.resumed = None;
            self.head.clear();
            self.seek_in_line(frame);
            return Step::quiet();
        }
        if frame.dropped > 0 || self.head.len() >= HEAD_MAX {
            let long = self.begin_long_head();
            return if blank { self.end_of_long_head(frame) } else { long };
        }
        self.head.push(b'\n');
        if blank {
            return self.end_of_head(frame);
        }
        self.line_start = self.head.len();
        Step::quiet()
    }

    fn end_of_head(&mut self, frame: FrameInfo) -> Step<Event> {
        // The careful parsing is slower, and needed only for what is unusual.
        let usual = if ends_lines_in_crlf(&self.head) { head::parse(self.side, &self.head) } else { None };
        let parsed = usual.unwrap_or_else(|| careful::parse(self.side, &self.head));
        if parsed.error.is_some() && self.resumed.take().is_some() {
            self.head.clear();
            self.state = State::Seek { first: false };
            return Step::quiet();
        }
        self.end_of_parsed_head(parsed, frame)
    }

    fn end_of_parsed_head(&mut self, mut parsed: Parsed, frame: FrameInfo) -> Step<Event> {
        if let Some(error) = parsed.error {
            self.message.fail(error);
        }
        match self.take_head(&mut parsed) {
            // The status is unknown, and nothing else tells where the body ends.
            Ok((Framing::Close, _)) if parsed.head.is_none() => self.break_off(SyntaxError::StatusLine, frame.end),
            Ok((framing, error)) => {
                if let Some(error) = error {
                    self.message.fail(error);
                }
                self.begin_body(framing)
            }
            Err(error) => self.break_off(error, frame.end),
        }
    }

    /// Goes on with a head that is over its limit: its lines are read and not kept.
    fn begin_long_head(&mut self) -> Step<Event> {
        let kept = self.head.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        self.message.fail(SyntaxError::HeadTooLong);
        if kept > 0 {
            let parsed = careful::parse(self.side, self.head.get(..kept).unwrap_or_default());
            self.message.head = parsed.head;
            self.message.kind = parsed.kind;
            **self.message.fields.get_or_insert_default() = parsed.fields;
        }
        self.line.clear();
        self.state = State::LongHead;
        Step::quiet()
    }

    fn long_head_line(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        let (side, mut fields) = (self.side, self.message.fields.as_deref().copied().unwrap_or_default());
        let blank = self.with_line(last, |line| {
            if frame.dropped > 0 {
                return false;
            }
            if without_cr(line).is_empty() {
                return true;
            }
            careful::check(side, line, false, false, &mut fields.flags);
            if let Some((name, value)) = careful::name_and_value(line) {
                fields.see(name, value);
            }
            false
        });
        **self.message.fields.get_or_insert_default() = fields;
        if blank { self.end_of_long_head(frame) } else { Step::quiet() }
    }

    fn end_of_long_head(&mut self, frame: FrameInfo) -> Step<Event> {
        let MessageState { head, kind, ref fields, error, .. } = self.message;
        let fields = fields.as_deref().copied().unwrap_or_default();
        self.end_of_parsed_head(Parsed { head, kind, fields, error }, frame)
    }

    /// Sets the head of the message in progress, and returns the framing of its body. A response
    /// uses up the request it answers, unless it is interim.
    #[inline]
    fn take_head(&mut self, parsed: &mut Parsed) -> Framed {
        self.message.head = parsed.head;
        self.message.kind = parsed.kind;
        let fields = &mut parsed.fields;
        let minor = parsed.head.map_or(1, |head| head.start.minor());
        let framed = if self.side == Side::Client {
            // RFC 9110, section 7.8: the field is ignored in HTTP/1.0.
            self.message.asks_upgrade = fields.upgrade && minor > 0;
            fields.of_request(self.message.request().method, minor)
        } else {
            let status = self.message.status();
            let asked = self.pairing.peek();
            let request = if asked.nobody { Some(Request::default()) } else { asked.request };
            let framed = fields.of_response(status, request, minor);
            let tunnel = matches!(framed, Ok((Framing::Tunnel, _)));
            self.message.interim = (100..=199).contains(&status) && !tunnel;
            if !self.message.interim {
                self.pairing.answer(status == 408);
            }
            self.message.answers = asked.ordinal;
            self.message.paired = true;
            let has_body = !matches!(framed, Ok((Framing::None | Framing::Length(0) | Framing::Tunnel, _)));
            fields.flags.add_if(request.is_none() && self.pairing.unread && has_body, Flag::MethodUnknown);
            fields.flags.add_if(asked.missing, Flag::RequestMissing);
            framed
        };
        fields.flags.add_if(core::mem::replace(&mut self.closing, fields.close), Flag::AfterClose);
        self.message.flags.join(fields.flags);
        framed
    }

    /// Takes the request that a response answers whose head is not whole, and will not be.
    pub(super) fn take_answered(&mut self) {
        if core::mem::replace(&mut self.message.paired, true) {
            return;
        }
        self.message.answers = self.pairing.peek().ordinal;
        // The request of an interim response is still waiting.
        match self.head.get(9) {
            Some(b'1') | None if self.head.starts_with(b"HTTP/") => {}
            _ => self.pairing.answer(false),
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

    fn chunk_size(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        let mut flags = FlagSet::default();
        let size = self.with_line(last, |line| chunked::size(line, &mut flags));
        if frame.dropped > 0 {
            // The end of the line is known all the same, but not whether a CR is before it.
            self.message.fail(SyntaxError::ChunkLineTooLong);
        } else {
            self.message.flags.join(flags);
        }
        match size.map(Terminator::length) {
            Ok(Some(size)) => {
                self.state = State::ChunkData;
                Step::quiet().until(size)
            }
            Ok(None) => {
                self.state = State::Trailers;
                Step::quiet()
            }
            Err(error) => self.break_off(error, frame.end),
        }
    }

    fn chunk_end(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        let crlf = if self.line.is_empty() { last == b"\r" } else { self.line == b"\r" && last.is_empty() };
        if crlf || (self.line.is_empty() && last.is_empty()) {
            self.message.flags.add_if(!crlf, Flag::BareLf);
            self.line.clear();
            self.state = State::ChunkSize;
            return Step::quiet();
        }
        // The line may end in the beginning of the next message.
        self.keep_end(last);
        self.sought = Some(Box::new(frame));
        self.break_off(SyntaxError::ChunkEnd, frame.start)
    }

    fn trailer(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        let (side, first) = (self.side, self.message.trailers == 0);
        let mut flags = FlagSet::default();
        let (blank, error) = self.with_line(last, |line| {
            flags.add_if(!line.ends_with(b"\r"), Flag::BareLf);
            let blank = without_cr(line).is_empty();
            (blank, if blank { None } else { trailer_error(side, line, first, &mut flags) })
        });
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        self.message.trailers = self.message.trailers.saturating_add(length).saturating_add(1);
        if frame.dropped > 0 {
            self.message.fail(SyntaxError::TrailersTooLong);
            return Step::quiet();
        }
        self.message.flags.join(flags);
        if blank {
            return self.whole();
        }
        if let Some(error) = error {
            self.message.fail(error.in_trailer());
        }
        Step::quiet()
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

    /// Seeks the beginning of a message in the whole line that was kept.
    fn seek_in_line(&mut self, frame: FrameInfo) {
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
    fn ended(&mut self, last: &[u8], frame: FrameInfo) -> Step<Event> {
        match self.state {
            State::Start => self.start_line(last, frame),
            State::Fields => self.field_line(last, frame),
            State::LongHead => self.long_head_line(last, frame),
            State::ChunkSize => self.chunk_size(last, frame),
            State::ChunkEnd => self.chunk_end(last, frame),
            State::Trailers => self.trailer(last, frame),
            State::Body => {
                self.message.body += last.len() as u64;
                self.whole().until(self.lf.clone())
            }
            State::ChunkData => {
                self.message.body += last.len() as u64;
                self.state = State::ChunkEnd;
                Step::quiet().until(self.lf.clone())
            }
            // The state stays: the ending of the stream decides whether the message is whole.
            State::ToClose => Step::event(Event::Whole).stop(),
            State::Seek { .. } => {
                self.keep_end(last);
                self.seek_in_line(frame);
                Step::quiet()
            }
        }
    }
}

/// Returns whether the line has the form of the first line of a message.
fn begins_a_message(side: Side, line: &[u8]) -> bool {
    match side {
        Side::Client => strip_version(line).is_some(),
        Side::Server => matches!(line, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, ..] if minor.is_ascii_digit()),
    }
}

/// Returns whether a malformed line was meant to be the first line of a message, so that a head
/// follows.
fn resembles_a_message(side: Side, line: &[u8]) -> bool {
    match side {
        Side::Client => {
            method::kind_of_line(line).is_some()
                || line.windows(6).any(|at| is_blank(at[0]) && at[1..].eq_ignore_ascii_case(b"HTTP/"))
        }
        Side::Server => line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/")),
    }
}

/// Judges a trailer, and flags fields that must not be one (RFC 9110, section 6.5.1).
fn trailer_error(side: Side, line: &[u8], first: bool, flags: &mut FlagSet) -> Option<SyntaxError> {
    if !first && line.first().is_some_and(|&byte| is_blank(byte)) {
        return careful::check_fold(side, line, flags);
    }
    if let Some((name, _)) = careful::name_and_value(line) {
        let framing = [&b"content-length"[..], b"transfer-encoding", b"host", b"trailer"];
        flags.add_if(framing.iter().any(|other| name.eq_ignore_ascii_case(other)), Flag::FramingInTrailer);
    }
    careful::check(side, line, false, first, flags)
}

/// Returns the head at the front of `chunk`, up to the first blank line, which is not its first
/// line. `None` if the head is not whole, or if a line of it does not end in CRLF.
fn whole_head(chunk: &[u8]) -> Option<&[u8]> {
    if matches!(chunk, [b'\r' | b'\n', ..]) {
        return None;
    }
    for end in memchr::memchr_iter(b'\n', chunk) {
        if chunk.get(end.wrapping_sub(1)) != Some(&b'\r') {
            return None;
        }
        if let [b'\r', b'\n', ..] = &chunk[end + 1..] {
            return chunk.get(..end + 3);
        }
    }
    None
}

fn ends_lines_in_crlf(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|end| head.get(end.wrapping_sub(1)) == Some(&b'\r'))
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

/// A reader refuses nothing: a malformed message is an event.
impl Handler for Reader {
    type Event = Event;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.lf.clone()
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        match self.state {
            State::Start | State::Fields => keep(&mut self.head, piece, HEAD_MAX),
            State::Body | State::ToClose | State::ChunkData => self.message.body += piece.len() as u64,
            State::ChunkSize => keep(&mut self.line, piece, CHUNK_LINE_MAX),
            State::Trailers => keep(&mut self.line, piece, TRAILERS_MAX),
            State::LongHead => keep(&mut self.line, piece, LONG_HEAD_LINE_MAX),
            State::ChunkEnd => {
                self.keep_end(piece);
                if self.line != b"\r" {
                    // The line may never end.
                    self.message.fail(SyntaxError::ChunkEnd);
                }
            }
            State::Seek { .. } => self.keep_end(piece),
        }
        Ok(())
    }

    fn found(&mut self, frame: FrameInfo) -> Result<Step<Event>, Infallible> {
        Ok(self.ended(&[], frame))
    }

    fn found_with(&mut self, last: &[u8], frame: FrameInfo) -> Result<Step<Event>, Refusal<Infallible>> {
        Ok(self.ended(last, frame))
    }

    /// Reads a head that lies whole in the chunk. Most heads do, and they have many lines. An
    /// unusual head is left to the reading by lines.
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<Event>> {
        if self.state != State::Start || !self.head.is_empty() {
            return None;
        }
        let head = whole_head(&chunk[..chunk.len().min(HEAD_MAX)])?;
        let mut parsed = head::parse(self.side, head)?;
        let taken = NonZeroUsize::new(head.len())?;
        // Nothing may be changed before the glance is certain to take the head.
        if !parsed.fields.is_framed(self.side) {
            return None;
        }
        keep(&mut self.head, head, HEAD_MAX);
        self.line_start = self.head.len();
        let (framing, error) = self.take_head(&mut parsed).ok()?;
        self.message.error = error;
        self.state = State::Fields;
        Some(Glance { taken, step: self.begin_body(framing) })
    }

    fn limit(&self) -> Limit {
        let most = match self.state {
            // The LF counts too.
            State::Start => HEAD_MAX - 1,
            // A blank line is seen in any case.
            State::Fields => HEAD_MAX.saturating_sub(self.head.len() + 1).max(1),
            State::LongHead => LONG_HEAD_LINE_MAX,
            State::ChunkSize => CHUNK_LINE_MAX,
            State::Trailers => TRAILERS_MAX.saturating_sub(self.message.trailers).max(1),
            State::Body | State::ToClose | State::ChunkData | State::ChunkEnd | State::Seek { .. } => {
                return Limit::NONE;
            }
        };
        Limit::truncate(most as u64)
    }

    fn held(&self) -> usize {
        self.head.len() + self.line.len() + self.pairing.held()
    }
}
