//! Heads: the start line and the fields, parsed by `httparse`.
//!
//! Only places in the buffer of the head are kept, so a message costs no allocation.

use core::mem::MaybeUninit;

use enjamb::Side;
use httparse::{Error, Header, ParserConfig, Request, Response, Status};

use super::framing::BodyFields;
use super::method;
use super::syntax_error::SyntaxError;

/// The maximum number of fields of a head.
const FIELDS_MAX: usize = 256;

/// A parsed head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) start: StartLine,
    /// The host of a request, or the media type of a response.
    pub(super) about: Part,
}

/// The first line of a head.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartLine {
    Request { kind: &'static str, method: Part, target: Part, minor: u8 },
    Response { status: u16, digits: [u8; 3], phrase: Part },
}

/// A range of the buffer that holds the head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    at: usize,
    length: usize,
}

impl Part {
    /// Returns the range of `part`, which was borrowed from `whole`.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        Self { at: (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize), length: part.len() }
    }

    pub(super) fn of_buffer(self, whole: &[u8]) -> &[u8] {
        whole.get(self.at..).and_then(|rest| rest.get(..self.length)).unwrap_or_default()
    }
}

/// Parses a head of `side`, including the blank line. Returns it, and its fields about the body.
pub(super) fn read(side: Side, bytes: &[u8]) -> Result<(Head, BodyFields), SyntaxError> {
    match side {
        Side::Client => request(bytes),
        Side::Server => response(bytes),
    }
}

/// Parses the head of a request. Tolerates several spaces between the parts of the request line, as
/// RFC 9112, section 3, allows and as servers do.
fn request(bytes: &[u8]) -> Result<(Head, BodyFields), SyntaxError> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .parse_request_with_uninit_headers(&mut request, bytes, &mut fields);
    whole(parsed, bytes, SyntaxError::RequestLine)?;
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(SyntaxError::RequestLine);
    };
    let (about, body) = scan(request.headers, bytes, "host");
    let target = Part::of(target.as_bytes(), bytes);
    let method = Part::of(method.as_bytes(), bytes);
    let start =
        StartLine::Request { kind: method::kind(method.of_buffer(bytes)).unwrap_or("request"), method, target, minor };
    Ok((Head { start, about }, body))
}

/// Parses the head of a response. Tolerates everything that RFC 9112 requires recipients to
/// tolerate there: white space before the colon (section 5.1) and folded lines (section 5.2).
fn response(bytes: &[u8]) -> Result<(Head, BodyFields), SyntaxError> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    whole(parsed, bytes, SyntaxError::StatusLine)?;
    let Some(status) = response.code else {
        return Err(SyntaxError::StatusLine);
    };
    let (about, body) = scan(response.headers, bytes, "content-type");
    let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    let phrase = Part::of(response.reason.unwrap_or_default().as_bytes(), bytes);
    Ok((Head { start: StartLine::Response { status, digits, phrase }, about }, body))
}

/// Checks that `httparse` read all bytes. The reader has found the blank line, so a head of another
/// length is malformed.
fn whole(parsed: Result<Status<usize>, Error>, bytes: &[u8], start_line: SyntaxError) -> Result<(), SyntaxError> {
    match parsed {
        Ok(Status::Complete(length)) if length == bytes.len() => Ok(()),
        Err(Error::Token | Error::Status | Error::Version) => Err(start_line),
        Err(Error::TooManyHeaders) => Err(SyntaxError::TooManyFields),
        Ok(_) | Err(Error::HeaderName | Error::HeaderValue | Error::NewLine) => Err(SyntaxError::Field),
    }
}

/// Returns the value of the first field named `about`, and the fields about the body.
fn scan(fields: &[Header<'_>], bytes: &[u8], about: &str) -> (Part, BodyFields) {
    let mut body = BodyFields::default();
    let mut found = None;
    for field in fields {
        if field.name.len() == about.len() && found.is_none() && field.name.eq_ignore_ascii_case(about) {
            let value = field.value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
            found = Some(Part::of(value, bytes));
        } else {
            body.see(field.name, field.value);
        }
    }
    (found.unwrap_or_default(), body)
}
