//! Where a message begins behind a hole.
//!
//! A body need not end in a line feed, so the line that begins the next message may have the end of a body before it. The
//! end of a start line is certain, and from there it is read backwards. The method of a request that does not begin
//! the line for certain must be a well-known one.

use super::chunked::{is_token, without_cr};
use super::head;

/// Where in a line, without its line feed, a request line begins that goes on to the end of it.
/// `from_its_beginning`: nothing of the line is missing.
pub(super) fn request_line(line: &[u8], from_its_beginning: bool) -> Option<usize> {
    let line = without_cr(line);
    let line = line.strip_suffix(b" HTTP/1.1").or_else(|| line.strip_suffix(b" HTTP/1.0"))?;
    let space = line.iter().rposition(|&byte| byte == b' ')?;
    let (method, target) = (&line[..space], &line[space + 1..]);
    if target.is_empty() {
        return None;
    }
    if from_its_beginning
        && !method.is_empty()
        && method.iter().all(|&byte| is_token(byte) && !byte.is_ascii_lowercase())
    {
        return Some(0);
    }
    let longest = method.len().saturating_sub(METHOD_MAX);
    (longest..method.len()).find(|&at| head::kind(&method[at..]).is_some())
}

/// No well-known method is longer, in bytes.
const METHOD_MAX: usize = 24;

/// Where in a line, without its line feed, a status line begins.
pub(super) fn status_line(line: &[u8]) -> Option<usize> {
    const LENGTH: usize = "HTTP/1.x 200".len();
    let line = without_cr(line);
    line.windows(LENGTH).enumerate().position(|(at, start)| {
        start.starts_with(b"HTTP/1.")
            && matches!(start[7..], [b'0' | b'1', b' ', b'1'..=b'9', second, third]
                if second.is_ascii_digit() && third.is_ascii_digit())
            && matches!(line.get(at + LENGTH), None | Some(b' '))
    })
}
