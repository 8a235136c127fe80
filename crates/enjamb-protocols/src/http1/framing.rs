//! The length of a body: RFC 9112, section 6.3.
//!
//! The rules apply in the order of the section, so a header that an earlier rule makes meaningless
//! is not judged: a `304` may carry any `Content-Length`, and so may a message with a transfer
//! coding.

use enjamb::Side;

use super::flags::{Flag, FlagSet};
use super::line::trim;
use super::method::{Method, Request};
use super::syntax_error::SyntaxError;

/// The largest length of a body or a chunk, in bytes: that of a signed 64-bit number, as in most
/// servers.
pub(super) const LENGTH_MAX: u64 = i64::MAX as u64;

/// The framing of the body behind a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    #[default]
    None,
    /// A body of this many bytes.
    Length(u64),
    /// A body in chunks.
    Chunked,
    /// A body up to the end of the stream.
    Close,
    /// Not HTTP: both sides change their protocol here.
    Tunnel,
}

/// The fields of a head on which framing and connection depend.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    /// Whether the last transfer coding is `chunked`, if there is any.
    chunked: Option<bool>,
    /// Whether any transfer coding is `chunked`.
    any_chunked: bool,
    length: Option<Result<u64, SyntaxError>>,
    /// Whether another protocol is proposed.
    pub(super) upgrade: bool,
    /// Whether the sender closes the connection behind the message.
    pub(super) close: bool,
    pub(super) flags: FlagSet,
}

impl Fields {
    /// Notes a field, if it is one of these.
    #[inline]
    pub(super) fn see(&mut self, name: &[u8], value: &[u8]) {
        match name.len() {
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade |= !trim(value).is_empty(),
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.close |=
                    value.split(|&byte| byte == b',').any(|option| trim(option).eq_ignore_ascii_case(b"close"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.see_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.see_codings(value),
            _ => {}
        }
    }

    /// Returns whether the length of the body follows from these fields, whatever the status and the
    /// method are.
    pub(super) fn is_framed(&self, side: Side) -> bool {
        !matches!(self.length, Some(Err(_))) && (side == Side::Server || self.chunked != Some(false))
    }

    /// Several equal lengths are one (RFC 9110, section 8.6).
    fn see_length(&mut self, value: &[u8]) {
        for number in value.split(|&byte| byte == b',') {
            let number = decimal(trim(number));
            self.flags.add_if(self.length.is_some(), Flag::TwoLengths);
            self.length = Some(match (self.length, number) {
                (Some(Err(error)), _) | (_, Err(error)) => Err(error),
                (Some(Ok(before)), Ok(now)) if before != now => Err(SyntaxError::LengthsDiffer),
                (_, Ok(now)) => Ok(now),
            });
        }
    }

    /// Several fields are one list (RFC 9110, section 5.2), so the last element of the last field
    /// is the last coding. Empty elements are ignored (5.6.1.2).
    fn see_codings(&mut self, value: &[u8]) {
        for coding in value.split(|&byte| byte == b',').map(trim) {
            if coding.is_empty() {
                self.flags.add(Flag::EmptyElement);
                continue;
            }
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.flags.add_if(chunked && self.any_chunked, Flag::ChunkedTwice);
            self.any_chunked |= chunked;
            self.flags.add_if(!chunked && !is_registered(coding), Flag::OddCoding);
            self.chunked = Some(chunked);
        }
        self.chunked = self.chunked.or(Some(false));
    }

    /// Returns the framing of a request's body, and the rule of framing that is broken although the
    /// end is known.
    pub(super) fn of_request(
        &mut self,
        method: Method,
        minor: u8,
    ) -> Result<(Framing, Option<SyntaxError>), SyntaxError> {
        if method == Method::Connect {
            // RFC 9110, section 9.3.6: a CONNECT has no content; the tunnel's bytes follow.
            self.flags.add_if(self.chunked.is_some() || self.length.is_some(), Flag::LengthWithoutBody);
            return Ok((Framing::None, None));
        }
        let error = self.judge(minor);
        match (self.chunked, self.length) {
            (Some(true), _) => Ok((Framing::Chunked, error)),
            (Some(false), _) => Err(SyntaxError::TransferCoding),
            (None, Some(length)) => Ok((Framing::Length(length?), error)),
            (None, None) => Ok((Framing::None, error)),
        }
    }

    /// Returns the framing of the body of a response to `request`, which is `None` where it is not
    /// known, and the rule of framing that is broken although the end is known.
    pub(super) fn of_response(
        &mut self,
        status: u16,
        request: Option<Request>,
        minor: u8,
    ) -> Result<(Framing, Option<SyntaxError>), SyntaxError> {
        let method = request.map_or(Method::Other, |request| request.method);
        let without_body = match (status, method) {
            // RFC 9110, section 15.2.2: the new protocol begins behind the head.
            (101, _) if request.is_none_or(|request| request.upgrade) => Some(Framing::Tunnel),
            (200..=299, Method::Connect) => Some(Framing::Tunnel),
            (100..=199 | 204, _) => Some(Framing::None),
            _ => None,
        };
        if let Some(framing) = without_body {
            self.flags.add_if(status == 101 && framing == Framing::None, Flag::UnaskedUpgrade);
            self.flags.add_if(self.chunked.is_some() || self.length.is_some(), Flag::LengthWithoutBody);
            return Ok((framing, None));
        }
        if status == 304 || method == Method::Head {
            return Ok((Framing::None, None));
        }
        let error = self.judge(minor);
        match (self.chunked, self.length) {
            (Some(true), _) => Ok((Framing::Chunked, error)),
            (Some(false), _) | (None, None) => Ok((Framing::Close, error)),
            (None, Some(length)) => Ok((Framing::Length(length?), error)),
        }
    }

    /// Notes what is wrong with the framing of a message that may have a body.
    fn judge(&mut self, minor: u8) -> Option<SyntaxError> {
        self.flags.add_if(self.chunked.is_some() && self.length.is_some(), Flag::BothFramings);
        if minor == 0 && self.chunked.is_some() {
            // Section 6.1: the framing of such a message is faulty.
            self.flags.add(Flag::CodingInHttp10);
            return Some(SyntaxError::CodingInHttp10);
        }
        None
    }
}

/// Returns whether the transfer coding is in IANA's registry, parameters aside.
fn is_registered(coding: &[u8]) -> bool {
    let name = trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
    [&b"gzip"[..], b"x-gzip", b"deflate", b"compress", b"x-compress"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// Reads `1*DIGIT` and nothing else: no sign, no space.
fn decimal(digits: &[u8]) -> Result<u64, SyntaxError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(SyntaxError::LengthNotANumber);
    }
    digits
        .iter()
        .try_fold(0u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .filter(|&number| number <= LENGTH_MAX)
        .ok_or(SyntaxError::LengthTooLarge)
}
