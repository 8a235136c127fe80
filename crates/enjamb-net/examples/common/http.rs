//! HTTP/1.1 messages of one direction, as the documentation of `asynchat` frames them: a head up to
//! an empty line, then a body of so many bytes, and so on in turns. Chunked bodies switch between
//! lines and counts in the same way.

use enjamb::{FrameHandler, FrameInfo, Limit, Next, Step, Terminator};

/// The longest piece of a body.
const PIECE_MAX: u64 = 64 << 10;
/// The longest body that ends with the connection.
const WHOLE_MAX: u64 = 16 << 20;
/// The longest head, chunk line or line of a trailer.
const HEAD_MAX: u64 = 32 << 10;
const HEADERS_MAX: usize = 100;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Head(Head),
    /// The next bytes of the body.
    Data(Vec<u8>),
    End,
}

/// The head of a request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The method; empty for a response.
    pub(crate) method: String,
    /// The target; empty for a response.
    pub(crate) target: String,
    /// The status; 0 for a request.
    pub(crate) status: u16,
    /// 0 or 1: the minor version of HTTP/1.
    pub(crate) version: u8,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Returns the value of the first header with this name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether the connection stays open behind this message (RFC 9112, 9.3).
    pub(crate) fn keeps_alive(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        !connection.contains("close") && (self.version > 0 || connection.contains("keep-alive"))
    }

    /// Returns the length of the body (RFC 9112, 6.3).
    fn body(&self, is_request: bool, is_without: bool) -> Result<Body, Malformed> {
        let mut lengths = self.headers.iter().filter(|(name, _)| name == "content-length").map(|(_, value)| value);
        let length = lengths.next();
        if lengths.any(|other| Some(other) != length) {
            return Err(Malformed(400, "two lengths"));
        }
        let is_without = is_without || (!is_request && matches!(self.status, 100..=199 | 204 | 304));
        match (self.header("transfer-encoding"), length) {
            _ if is_without => Ok(Body::None),
            (Some(_), Some(_)) => Err(Malformed(400, "two framings")),
            (Some(_), _) if self.version == 0 => Err(Malformed(400, "a transfer encoding in HTTP/1.0")),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked),
            (Some(_), None) => Err(Malformed(501, "a transfer encoding other than chunked")),
            (None, Some(length)) if length.bytes().all(|digit| digit.is_ascii_digit()) => match length.parse() {
                Ok(0) => Ok(Body::None),
                Ok(length) => Ok(Body::Length(length)),
                Err(_) => Err(Malformed(400, "a length that is no number")),
            },
            (None, Some(_)) => Err(Malformed(400, "a length that is no number")),
            (None, None) if is_request => Ok(Body::None),
            (None, None) => Ok(Body::UntilClose),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// Why bytes are no HTTP, and the status that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) u16, pub(crate) &'static str);

/// The frame in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of a body follow; then a chunk ends, or the whole body.
    Data {
        left: u64,
        is_chunk: bool,
    },
    ChunkSize,
    ChunkEnd,
    Trailer {
        lines: usize,
    },
    UntilClose,
}

/// Cuts requests or responses.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    is_request: bool,
    state: State,
    /// Whether the next response has no body, whatever its head says: the answer to HEAD.
    pub(crate) without_body: bool,
}

impl Messages {
    pub(crate) fn requests() -> Self {
        Self { is_request: true, state: State::Head, without_body: false }
    }

    #[allow(dead_code, reason = "clients use it")]
    pub(crate) fn responses() -> Self {
        Self { is_request: false, ..Self::requests() }
    }

    /// Returns the terminator of a state's frame.
    fn terminator(state: State) -> Terminator {
        let head = || Terminator::any_of(["\r\n\r\n", "\n\n", "\n\r\n"]).unwrap_or(Terminator::Close);
        match state {
            State::Head => head(),
            State::Data { left, .. } => Terminator::length(left.min(PIECE_MAX)).unwrap_or(Terminator::Close),
            State::ChunkSize | State::ChunkEnd | State::Trailer { .. } => Terminator::lf(),
            State::UntilClose => Terminator::Close,
        }
    }

    /// Parses a head. `None`: empty lines before one, which are allowed (RFC 9112, 2.2).
    fn head(&self, bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return Ok(None);
        }
        let bytes = [bytes, b"\r\n\r\n"].concat();
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let malformed = |error| match error {
            httparse::Error::TooManyHeaders => Malformed(431, "too many headers"),
            httparse::Error::Version => Malformed(505, "a version other than HTTP/1"),
            _ => Malformed(400, "a malformed head"),
        };
        let (method, target, status, version, headers) = if self.is_request {
            let mut head = httparse::Request::new(&mut headers);
            head.parse(&bytes).map_err(malformed)?;
            (head.method.unwrap_or_default(), head.path.unwrap_or_default(), 0, head.version, head.headers)
        } else {
            let mut head = httparse::Response::new(&mut headers);
            head.parse(&bytes).map_err(malformed)?;
            ("", "", head.code.unwrap_or_default(), head.version, head.headers)
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = headers.iter().map(|it| (it.name.to_ascii_lowercase(), text(it.value))).collect();
        let (method, target, version) = (method.to_owned(), target.to_owned(), version.unwrap_or(1));
        let head = Head { method, target, status, version, headers };
        if self.is_request && version == 1 && head.headers.iter().filter(|(name, _)| name == "host").count() != 1 {
            return Err(Malformed(400, "not one Host"));
        }
        Ok(Some(head))
    }
}

impl FrameHandler for Messages {
    type Event = Vec<Part>;
    type Error = Malformed;

    fn start(&self) -> Terminator {
        Self::terminator(self.state)
    }

    fn limit(&self) -> Limit {
        Limit::refuse(match self.state {
            State::Data { .. } => PIECE_MAX,
            State::UntilClose => WHOLE_MAX,
            _ => HEAD_MAX,
        })
    }

    fn at_boundary(&self) -> bool {
        matches!(self.state, State::Head)
    }

    fn frame(&mut self, frame: &[u8], _: FrameInfo) -> Result<Step<Vec<Part>>, Malformed> {
        let line = frame.strip_suffix(b"\r").unwrap_or(frame);
        let mut parts = Vec::new();
        self.state = match self.state {
            State::Head => match self.head(frame)? {
                None => State::Head,
                Some(head) => {
                    let without_body = std::mem::take(&mut self.without_body);
                    let body = head.body(self.is_request, without_body)?;
                    let is_interim = !self.is_request && matches!(head.status, 100..=199);
                    self.without_body = is_interim && without_body;
                    parts.push(Part::Head(head));
                    match body {
                        Body::None => {
                            parts.push(Part::End);
                            State::Head
                        }
                        Body::Length(left) => State::Data { left, is_chunk: false },
                        Body::Chunked => State::ChunkSize,
                        Body::UntilClose => State::UntilClose,
                    }
                }
            },
            State::Data { left, is_chunk } => {
                parts.push(Part::Data(frame.to_vec()));
                match left - frame.len() as u64 {
                    0 if is_chunk => State::ChunkEnd,
                    0 => {
                        parts.push(Part::End);
                        State::Head
                    }
                    left => State::Data { left, is_chunk },
                }
            }
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailer { lines: 0 },
                left => State::Data { left, is_chunk: true },
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => return Err(Malformed(400, "a chunk that is longer than its size")),
            State::Trailer { lines: HEADERS_MAX } => return Err(Malformed(431, "too many headers")),
            State::Trailer { lines } if !line.is_empty() => State::Trailer { lines: lines + 1 },
            State::Trailer { .. } => {
                parts.push(Part::End);
                State::Head
            }
            State::UntilClose => {
                parts.extend([Part::Data(frame.to_vec()), Part::End]);
                State::UntilClose
            }
        };
        let event = Some(parts).filter(|parts| !parts.is_empty());
        Ok(Step { event, next: Next::Until(Self::terminator(self.state)) })
    }
}

/// Parses the line in front of a chunk (RFC 9112, 7.1).
fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let is_number = !digits.is_empty() && digits.len() <= 15 && digits.iter().all(u8::is_ascii_hexdigit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number);
    number.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(Malformed(400, "a malformed chunk size"))
}
