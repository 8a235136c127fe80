//! How long a body is: RFC 9112, section 6.3.
//!
//! The rules are tried in the order in which the section numbers them, so a header that an earlier rule makes meaningless is not
//! judged: a `304` may carry whatever `Content-Length` it likes, and so may a message with a transfer coding.

use super::fault::Fault;
use super::head::Method;

/// The largest length of a body or a chunk, in bytes: what a signed 64-bit number holds, as in most servers.
pub(super) const LENGTH_MAX: u64 = i64::MAX as u64;

/// What ends the body that follows a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    #[default]
    None,
    /// It has this many bytes.
    Length(u64),
    /// It comes in chunks.
    Chunked,
    /// It ends with the stream.
    Close,
    /// It is not HTTP: both sides speak something else from here on.
    Tunnel,
}

/// What the fields of a head say of the length of its body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodyFields {
    /// The last transfer coding, where there is any: is it `chunked`?
    chunked: Option<bool>,
    length: Option<Result<u64, Fault>>,
}

impl BodyFields {
    /// Takes note of a field, if it is one of the two that count.
    pub(super) fn see(&mut self, name: &str, value: &[u8]) {
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => self.see_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                // Several fields are one list (RFC 9110, section 5.2), so the last one has the last coding.
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
                (Some(Ok(before)), Ok(now)) if before != now => Err(Fault::LengthsDiffer),
                (_, Ok(now)) => Ok(now),
            });
        }
    }

    /// The framing of a request's body.
    pub(super) fn of_request(self, method: Method) -> Result<Framing, Fault> {
        if method == Method::Connect {
            // RFC 9110, section 9.3.6: a CONNECT has no content; what follows is the tunnel's.
            return Ok(Framing::None);
        }
        match (self.chunked, self.length) {
            (Some(true), _) => Ok(Framing::Chunked),
            (Some(false), _) => Err(Fault::TransferCoding),
            (None, Some(length)) => length.map(Framing::Length),
            (None, None) => Ok(Framing::None),
        }
    }

    /// The framing of a response's body, to a request with this method.
    pub(super) fn of_response(self, status: u16, method: Method) -> Result<Framing, Fault> {
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

/// `1*DIGIT` and nothing else: no sign, no space.
fn decimal(digits: &[u8]) -> Result<u64, Fault> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::LengthNotANumber);
    }
    digits
        .iter()
        .try_fold(0u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .filter(|&number| number <= LENGTH_MAX)
        .ok_or(Fault::LengthTooLarge)
}
