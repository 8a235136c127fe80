//! The head of a message of SIP (RFC 3261, section 7) or RTSP (RFC 2326, section 4): a start line,
//! fields and a blank line, and behind it a body whose length a field has.

use crate::kit::{Fault, Next};
use crate::text::{id_of, number, trim_line};

/// The maximum length of a head, in bytes.
const HEAD_MAX: u64 = 64 << 10;

/// The fields of a head so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MessageHead {
    length: Option<u64>,
    call: u64,
    sequence: u64,
}

impl MessageHead {
    /// Adds a line behind the start line. Returns what follows it. `so_far` is the length of the
    /// message with this line.
    ///
    /// # Errors
    /// [`Fault`] if the length of the body is not known, or the head is too long.
    pub(crate) fn add(&mut self, line: &[u8], so_far: u64) -> Result<Next, Fault> {
        let line = trim_line(line);
        if line.is_empty() {
            return Ok(match self.length {
                None | Some(0) => Next::End,
                Some(length) => Next::Last(length),
            });
        }
        if so_far > HEAD_MAX {
            return Err(Fault("a head is longer than 64 KiB"));
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Ok(Next::Line) };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        let is = |names: [&str; 2]| names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        if is(["content-length", "l"]) {
            let length = number(value).ok_or(Fault("the length of the body is no number"))?;
            if self.length.is_some_and(|other| other != length) {
                return Err(Fault("two lengths of the body differ"));
            }
            self.length = Some(length);
        } else if is(["call-id", "i"]) {
            self.call = id_of(value);
        } else if is(["cseq", ""]) {
            self.sequence = value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .fold(1, |id, word| mix(id, id_of(word)));
        }
        Ok(Next::Line)
    }

    /// Returns the number of the transaction: a hash of `Call-ID` and `CSeq`. `None` without
    /// `CSeq`.
    pub(crate) fn transaction(&self) -> Option<u64> {
        (self.sequence != 0).then(|| mix(self.call, self.sequence))
    }
}

fn mix(one: u64, other: u64) -> u64 {
    (one.rotate_left(23) ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Returns the status of a response's start line, and its reason: `SIP/2.0 200 OK`.
pub(crate) fn status<'a>(line: &'a [u8], version: &[u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = trim_line(line).strip_prefix(version)?.strip_prefix(b" ")?;
    let (code, reason) = rest.split_at_checked(3)?;
    let is_code = code.iter().all(u8::is_ascii_digit) && matches!(reason.first(), None | Some(b' '));
    Some((std::str::from_utf8(code).ok().filter(|_| is_code)?, reason.trim_ascii()))
}

/// Returns the method of a request's start line, and its target: `INVITE sip:a@b SIP/2.0`.
pub(crate) fn request<'a>(line: &'a [u8], version: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let line = trim_line(line).strip_suffix(version)?.strip_suffix(b" ")?;
    let end = line.iter().position(|byte| *byte == b' ')?;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    (end > 0 && line[..end].iter().all(is_token)).then(|| (&line[..end], line[end..].trim_ascii()))
}
