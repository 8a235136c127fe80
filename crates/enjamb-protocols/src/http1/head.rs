//! Heads: the start line and the fields, as `httparse` reads them, and what of them is kept.
//!
//! What is kept are places in the buffer that holds the head, so that a message costs no allocation.

use core::mem::MaybeUninit;

use enjamb::Side;
use httparse::{Error, Header, ParserConfig, Request, Response, Status};

use super::fault::Fault;
use super::framing::BodyFields;

/// The most fields of a head.
const FIELDS_MAX: usize = 256;

/// What a request asks for, as far as its response depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    #[default]
    Other,
}

impl Method {
    pub(super) fn of_kind(kind: &str) -> Self {
        match kind {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// A head that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) start: StartLine,
    /// The host that is asked, or the media type of the answer.
    pub(super) about: Part,
}

/// The first line of a head.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartLine {
    Request { kind: &'static str, method: Part, target: Part, minor: u8 },
    Response { status: u16, digits: [u8; 3], phrase: Part },
}

/// A place in the buffer that holds the head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    at: usize,
    length: usize,
}

impl Part {
    /// The place of `part`, which was borrowed from `whole`.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        Self { at: (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize), length: part.len() }
    }

    pub(super) fn of_buffer(self, whole: &[u8]) -> &[u8] {
        whole.get(self.at..).and_then(|rest| rest.get(..self.length)).unwrap_or_default()
    }
}

/// Reads a head of `side`, blank line included, and what it says of the body.
pub(super) fn read(side: Side, bytes: &[u8]) -> Result<(Head, BodyFields), Fault> {
    match side {
        Side::Client => request(bytes),
        Side::Server => response(bytes),
    }
}

/// Tolerates several spaces between the parts of the request line, as RFC 9112, section 3, allows and servers do.
fn request(bytes: &[u8]) -> Result<(Head, BodyFields), Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .parse_request_with_uninit_headers(&mut request, bytes, &mut fields);
    whole(parsed, bytes, Fault::RequestLine)?;
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Fault::RequestLine);
    };
    let (about, body) = scan(request.headers, bytes, "host");
    let target = Part::of(target.as_bytes(), bytes);
    let method = Part::of(method.as_bytes(), bytes);
    let start = StartLine::Request { kind: kind(method.of_buffer(bytes)).unwrap_or("request"), method, target, minor };
    Ok((Head { start, about }, body))
}

/// Tolerates what RFC 9112 tells recipients to tolerate in responses: white space before the colon (section 5.1) and
/// folded lines (section 5.2).
fn response(bytes: &[u8]) -> Result<(Head, BodyFields), Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    whole(parsed, bytes, Fault::StatusLine)?;
    let Some(status) = response.code else {
        return Err(Fault::StatusLine);
    };
    let (about, body) = scan(response.headers, bytes, "content-type");
    let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    let phrase = Part::of(response.reason.unwrap_or_default().as_bytes(), bytes);
    Ok((Head { start: StartLine::Response { status, digits, phrase }, about }, body))
}

/// The reader has found the blank line, so a head of any other length is not one.
fn whole(parsed: Result<Status<usize>, Error>, bytes: &[u8], start_line: Fault) -> Result<(), Fault> {
    match parsed {
        Ok(Status::Complete(length)) if length == bytes.len() => Ok(()),
        Err(Error::Token | Error::Status | Error::Version) => Err(start_line),
        Err(Error::TooManyHeaders) => Err(Fault::TooManyFields),
        Ok(_) | Err(Error::HeaderName | Error::HeaderValue | Error::NewLine) => Err(Fault::Field),
    }
}

/// The value of the first field called `about`, and the fields that tell of the body.
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

/// The kind of a message with this method: the method itself, if it is in use (the IANA registry's common ones).
/// Others have none, so that strangers cannot invent kinds.
pub(super) fn kind(method: &[u8]) -> Option<&'static str> {
    macro_rules! known {
        ($($name:literal)*) => {
            match core::str::from_utf8(method).ok()? {
                $($name => Some($name),)*
                _ => None,
            }
        };
    }
    known!("GET" "HEAD" "POST" "PUT" "DELETE" "CONNECT" "OPTIONS" "TRACE" "PATCH" "QUERY"
        "PROPFIND" "PROPPATCH" "MKCOL" "COPY" "MOVE" "LOCK" "UNLOCK" "REPORT" "SEARCH" "ACL" "BIND" "REBIND" "UNBIND"
        "LINK" "UNLINK" "CHECKIN" "CHECKOUT" "UNCHECKOUT" "LABEL" "MERGE" "UPDATE" "MKACTIVITY" "MKCALENDAR"
        "MKWORKSPACE" "VERSION-CONTROL" "BASELINE-CONTROL" "ORDERPATCH"
        "PURGE" "NOTIFY" "SUBSCRIBE" "UNSUBSCRIBE" "M-SEARCH")
}
