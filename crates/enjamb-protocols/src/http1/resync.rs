//! The search for the beginning of a message behind a gap, or behind bytes that cannot be framed.
//!
//! A body need not end in LF, so the line that begins the next message may begin with the end of a
//! body. The end of a start line is certain, and the line is read backwards from there. A method
//! that may not begin the line must be a well-known one.

use super::line::{is_token, strip_version, without_cr};
use super::method;

/// Returns the place in a line, without its LF, where a request line begins that ends with the
/// line. `from_its_beginning`: nothing of the line is missing.
pub(super) fn request_line(line: &[u8], from_its_beginning: bool) -> Option<usize> {
    let (line, _) = strip_version(without_cr(line))?;
    let space = line.iter().rposition(|&byte| byte == b' ')?;
    let (name, target) = (&line[..space], &line[space + 1..]);
    if target.is_empty() {
        return None;
    }
    if from_its_beginning && !name.is_empty() && name.iter().all(|&byte| is_token(byte) && !byte.is_ascii_lowercase()) {
        return Some(0);
    }
    let longest = name.len().saturating_sub(METHOD_MAX);
    (longest..name.len()).find(|&at| method::kind(&name[at..]).is_some())
}

/// The longest well-known method, in bytes.
const METHOD_MAX: usize = 24;

/// Returns the place in a line, without its LF, where a status line begins.
pub(super) fn status_line(line: &[u8]) -> Option<usize> {
    const LENGTH: usize = "HTTP/1.x 200".len();
    let line = without_cr(line);
    line.windows(LENGTH).enumerate().position(|(at, start)| {
        start.starts_with(b"HTTP/1.")
            && matches!(start[7..], [minor, b' ', b'1'..=b'9', second, third]
                if minor.is_ascii_digit() && second.is_ascii_digit() && third.is_ascii_digit())
            && matches!(line.get(at + LENGTH), None | Some(b' '))
    })
}
