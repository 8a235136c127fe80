//! The length of a body: RFC 9112, section 6.3.
//!
//! The rules apply in the order of the section, so a header that an earlier rule makes meaningless
//! is not judged: a `304` may carry any `Content-Length`, and so may a message with a transfer
//! coding.

use super::method::Method;
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

/// The fields of a head that give the length of its body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodyFields {
    /// Whether the last transfer coding is `chunked`, if there is any.
    chunked: Option<bool>,
    length: Option<Result<u64, SyntaxError>>,
}

impl BodyFields {
    /// Notes a field, if it is one of these two.
    pub(super) fn see(&mut self, name: &str, value: &[u8]) {
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => self.see_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                // Several fields are one list (RFC 9110, section 5.2), so the last field has the
                // last coding.
                let last = value.rsplit(|&byte| byte == b',').next().unwrap_or_default();
                self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
    }

    /// Several equal lengths are one (RFC 9110, section 8.6).
    fn see_length(&mut self, value: &[u8]) {
        for number in value.split(|&byte| byte == b',') {
            let number = decimal(number.trim_ascii());
            self.length = Some(match (self.length, number) {
                (Some(Err(fault)), _) | (_, Err(fault)) => Err(fault),
                (Some(Ok(before)), Ok(now)) if before != now => Err(SyntaxError::LengthsDiffer),
                (_, Ok(now)) => Ok(now),
            });
        }
    }

    /// Returns the framing of a request's body.
    pub(super) fn of_request(self, method: Method) -> Result<Framing, SyntaxError> {
        if method == Method::Connect {
            // RFC 9110, section 9.3.6: a CONNECT has no content; the tunnel's bytes follow.
            return Ok(Framing::None);
        }
        match (self.chunked, self.length) {
            (Some(true), _) => Ok(Framing::Chunked),
            (Some(false), _) => Err(SyntaxError::TransferCoding),
            (None, Some(length)) => length.map(Framing::Length),
            (None, None) => Ok(Framing::None),
        }
    }

    /// Returns the framing of the body of a response to a request with this method.
    pub(super) fn of_response(self, status: u16, method: Method) -> Result<Framing, SyntaxError> {
        match (status, method) {
            // RFC 9110, section 15.2.2: the new protocol begins behind the head.
            (101, _) | (200..=299, Method::Connect) => return Ok(Framing::Tunnel),
            (100..=199 | 204 | 304, _) | (_, Method::Head) => return Ok(Framing::None),
            _ => {}
        }
        match (self.chunked, self.length) {
            (Some(true), _) => Ok(Framing::Chunked),
            (Some(false), _) | (None, None) => Ok(Framing::Close),
            (None, Some(length)) => length.map(Framing::Length),
        }
    }
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
