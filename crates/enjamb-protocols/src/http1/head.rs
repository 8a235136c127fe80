//! Heads: the start line and the fields.
//!
//! `httparse` parses the heads that follow the rules, which are nearly all. Every other head goes
//! to `careful.rs`, which names what is wrong with it. Only places in the buffer of the head are
//! kept, so a message costs no allocation.

use core::mem::MaybeUninit;

use enjamb::Side;
use httparse::{Header, ParserConfig, Request, Response, Status};

use super::flags::Flag;
use super::framing::Fields;
use super::method;
use super::syntax_error::SyntaxError;

/// The number of fields from which on a head is flagged.
pub(super) const FIELDS_MAX: usize = 256;

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
    Request { method: Part, target: Part, minor: u8 },
    Response { status: u16, digits: [u8; 3], phrase: Part, minor: u8 },
}

impl StartLine {
    pub(super) fn minor(&self) -> u8 {
        match self {
            Self::Request { minor, .. } | Self::Response { minor, .. } => *minor,
        }
    }
}

/// A range of the buffer that holds the head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    at: u32,
    length: u32,
}

impl Part {
    /// Returns the range of `part`, which was borrowed from `whole`.
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let at = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        // A head is at most 64 KiB long.
        Self { at: at as u32, length: part.len() as u32 }
    }

    pub(super) fn of_buffer(self, whole: &[u8]) -> &[u8] {
        whole.get(self.at as usize..).and_then(|rest| rest.get(..self.length as usize)).unwrap_or_default()
    }
}

/// The result of parsing a head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parsed {
    /// `None` if the start line is malformed.
    pub(super) head: Option<Head>,
    /// The well-known method with which a request begins.
    pub(super) kind: Option<&'static str>,
    pub(super) fields: Fields,
    pub(super) error: Option<SyntaxError>,
}

/// Parses a head of `side`, including the blank line, whose lines end in CRLF. `None` means that
/// something about it is unusual.
pub(super) fn parse(side: Side, bytes: &[u8]) -> Option<Parsed> {
    match side {
        Side::Client => request(bytes),
        Side::Server => response(bytes),
    }
}

fn request(bytes: &[u8]) -> Option<Parsed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    match ParserConfig::default().parse_request_with_uninit_headers(&mut request, bytes, &mut fields) {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        _ => return None,
    }
    let (method, target, minor) = (request.method?, request.path?, request.version?);
    let (mut about, mut hosts) = (None, 0);
    let mut fields = Fields::default();
    for &Header { name, value } in request.headers.iter() {
        if name.len() == 4 && name.eq_ignore_ascii_case("host") {
            hosts += 1;
            about = about.or(Some(value));
        } else {
            fields.see(name.as_bytes(), value);
        }
    }
    let about = host(target.as_bytes(), about, hosts, minor, &mut fields);
    let kind = method::kind(method.as_bytes());
    let start = StartLine::Request {
        method: Part::of(method.as_bytes(), bytes),
        target: Part::of(target.as_bytes(), bytes),
        minor,
    };
    Some(Parsed { head: Some(Head { start, about: Part::of(about, bytes) }), kind, fields, error: None })
}

/// Returns the host of a request: that of the target if it is absolute (RFC 9112, section 3.2.2),
/// otherwise that of the `Host` field. Flags what is wrong with the two.
pub(super) fn host<'b>(
    target: &'b [u8],
    host: Option<&'b [u8]>,
    hosts: usize,
    minor: u8,
    fields: &mut Fields,
) -> &'b [u8] {
    fields.flags.add_if(hosts == 0 && minor > 0, Flag::NoHost);
    fields.flags.add_if(hosts > 1, Flag::TwoHosts);
    let host = host.unwrap_or_default();
    match target.first() {
        None | Some(b'/') => host,
        Some(_) => match authority(target) {
            None => host,
            Some(authority) => {
                fields.flags.add_if(hosts > 0 && !authority.eq_ignore_ascii_case(host), Flag::HostDiffers);
                authority
            }
        },
    }
}

/// Returns the host and port of a target in absolute form.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let (authority, _) = authority_and_rest(target)?;
    // RFC 9110, section 4.2.4: user information is no part of the host.
    Some(authority.iter().rposition(|&byte| byte == b'@').map_or(authority, |at| &authority[at + 1..]))
}

/// Returns the authority of a target in absolute form, and the rest of the target behind it.
pub(super) fn authority_and_rest(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let scheme = target.windows(3).position(|three| three == b"://")?;
    if !target[..scheme].iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        return None;
    }
    let rest = &target[scheme + 3..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

fn response(bytes: &[u8]) -> Option<Parsed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    match ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        _ => return None,
    }
    let (status, minor) = (response.code?, response.version?);
    let mut about = None;
    let mut fields = Fields::default();
    for &Header { name, value } in response.headers.iter() {
        if name.len() == 12 && name.eq_ignore_ascii_case("content-type") {
            about = about.or(Some(media_type(value)));
        } else {
            fields.see(name.as_bytes(), value);
        }
    }
    let phrase = Part::of(response.reason.unwrap_or_default().as_bytes(), bytes);
    let start = status_line(status, phrase, minor, &mut fields);
    let about = Part::of(about.unwrap_or_default(), bytes);
    Some(Parsed { head: Some(Head { start, about }), kind: None, fields, error: None })
}

/// Returns the media type of a `Content-Type` without its parameters.
pub(super) fn media_type(value: &[u8]) -> &[u8] {
    value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Returns the start line of a response.
pub(super) fn status_line(status: u16, phrase: Part, minor: u8, fields: &mut Fields) -> StartLine {
    fields.flags.add_if(!(100..=599).contains(&status), Flag::OddStatus);
    let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    StartLine::Response { status, digits, phrase, minor }
}
