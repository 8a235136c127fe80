//! Secrets in the bytes of messages.
//!
//! Summaries leave out what proves who somebody is. Where the bytes themselves are shown or kept,
//! [`redact`] overwrites the same parts with `*`, byte by byte: lengths and framing stay, and a
//! session parses the result to the same kinds and spans.
//!
//! | protocol | overwritten |
//! |---|---|
//! | Redis | the arguments of `AUTH`, and those of `HELLO` after `AUTH` |
//! | SOCKS 5 | the user and the password |
//! | spec files | the fields with `secret = true`, in the first 4 KiB of a message |
//! | HTTP/1 | the values of `Authorization`, `Proxy-Authorization`, `Cookie` and `Set-Cookie` |

use enjamb::{AttributeArgument, AttributeValue, Message, Side};

/// The header fields whose values are secrets (RFC 9110 sections 11.6.2 and 11.7.2, RFC 6265).
const HEADERS: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// The byte that overwrites a secret.
const MASK: u8 = b'*';

/// Copies the first bytes of a message to `copy`, with its secrets overwritten, if it has any.
/// Otherwise `copy` is not changed. Returns whether there was a secret.
///
/// ```
/// # use enjamb::{Message, Outcome, Side, Session};
/// let redis = enjamb_protocols::Registry::builtin().resolve("redis").unwrap();
/// let mut copy = Vec::new();
/// redis.session(None).feed(Side::Client, b"AUTH hunter2\r\n", &mut |message| {
///     assert!(enjamb_protocols::redact(message, b"AUTH hunter2\r\n", &mut copy));
/// });
/// assert_eq!(copy, b"AUTH *******\r\n");
/// ```
pub fn redact(message: &Message<'_>, bytes: &[u8], copy: &mut Vec<u8>) -> bool {
    let secret_words = match (message.protocol, message.side, message.kind) {
        ("http1", ..) => return copied(bytes, copy, redact_headers),
        ("socks", Side::Client, "authentication") => return copied(bytes, copy, redact_socks),
        ("redis", Side::Client, "AUTH") => 1,
        ("redis", Side::Client, "HELLO") => usize::MAX,
        _ => return redact_places(message, bytes, copy),
    };
    copied(bytes, copy, |bytes| redact_command(bytes, secret_words))
}

/// The attribute by which the session of a spec file lends the places of secrets: number `n` is the
/// offset of secret `n` in the message, and its length in the lower 32 bits. No filter can name it.
pub(crate) const SECRET_PLACES: &str = "secret places";

/// Overwrites the secrets whose places the session knows.
fn redact_places(message: &Message<'_>, bytes: &[u8], copy: &mut Vec<u8>) -> bool {
    let mut found = false;
    for number in 0.. {
        let place = message.attributes.get(SECRET_PLACES, AttributeArgument::Number(number));
        let Some(AttributeValue::Number(place)) = place else { break };
        let start = ((place >> 32) as usize).min(bytes.len());
        let end = (start + (place & 0xffff_ffff) as usize).min(bytes.len());
        if !std::mem::replace(&mut found, true) {
            copy.clear();
            copy.extend_from_slice(bytes);
        }
        copy[start..end].fill(MASK);
    }
    found
}

/// Overwrites the user and the password of RFC 1929, and leaves their lengths.
fn redact_socks(bytes: &mut [u8]) -> bool {
    let mut rest = bytes.get_mut(1..).unwrap_or_default();
    let mut found = false;
    while let [length, behind @ ..] = rest {
        let length = usize::from(*length).min(behind.len());
        let (text, next) = behind.split_at_mut(length);
        text.fill(MASK);
        found |= length > 0;
        rest = next;
    }
    found
}

/// Applies `mask` to a copy of `bytes`. The copy is dropped if `mask` found nothing.
fn copied(bytes: &[u8], copy: &mut Vec<u8>, mask: impl FnOnce(&mut [u8]) -> bool) -> bool {
    let before = std::mem::replace(copy, bytes.to_vec());
    let found = mask(copy);
    if !found {
        *copy = before;
    }
    found
}

/// Overwrites the words of a command from the word `first` on, or from the one behind `AUTH`.
fn redact_command(bytes: &mut [u8], first: usize) -> bool {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    let words = if bytes.get(start) == Some(&b'*') { bulk_strings(bytes, start) } else { inline_words(bytes, start) };
    let auth = words.iter().position(|word| bytes[word.clone()].eq_ignore_ascii_case(b"AUTH"));
    let first = first.min(auth.map_or(usize::MAX, |auth| auth + 1));
    let secrets = words.into_iter().skip(first);
    secrets.map(|word| bytes[word].fill(MASK)).count() > 0
}

/// Returns the places of the bulk strings of an array, as far as the bytes go.
fn bulk_strings(bytes: &[u8], start: usize) -> Vec<std::ops::Range<usize>> {
    let mut words = Vec::new();
    let line_end = |at: usize| bytes.get(at..)?.iter().position(|byte| *byte == b'\n').map(|length| at + length + 1);
    let mut at = line_end(start);
    while let Some(header) = at
        && bytes.get(header) == Some(&b'$')
        && let Some(from) = line_end(header)
    {
        let digits = bytes[header + 1..from].trim_ascii();
        let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
        let Some(end) = length.and_then(|length| from.checked_add(length)) else { break };
        words.push(from..end.min(bytes.len()));
        at = end.checked_add(2);
    }
    words
}

/// Returns the places of the words of a line. Quotes belong to their word, with the blanks inside.
fn inline_words(bytes: &[u8], start: usize) -> Vec<std::ops::Range<usize>> {
    let mut words: Vec<std::ops::Range<usize>> = Vec::new();
    let (mut quote, mut escaped, mut in_word) = (None, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(start).take_while(|(_, byte)| !matches!(byte, b'\r' | b'\n')) {
        if byte.is_ascii_whitespace() && quote.is_none() {
            in_word = false;
            continue;
        }
        match (quote, byte) {
            (Some(_), b'\\') if !escaped => escaped = true,
            (Some(open), byte) if open == *byte && !escaped => quote = None,
            (None, b'"' | b'\'') => quote = Some(*byte),
            _ => escaped = false,
        }
        match words.last_mut() {
            Some(word) if in_word => word.end = at + 1,
            _ => words.push(at..at + 1),
        }
        in_word = true;
    }
    words
}

/// Overwrites the values of the [`HEADERS`] of a head, folded lines included.
fn redact_headers(bytes: &mut [u8]) -> bool {
    let (mut found, mut at, mut is_secret) = (false, 0, false);
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length + 1);
        let line = &mut bytes[at..end];
        let is_head_end = line.trim_ascii().is_empty() && found_line(at);
        if is_head_end {
            break;
        }
        let is_fold = matches!(line.first(), Some(b' ' | b'\t'));
        let value =
            if is_fold { 0 } else { line.iter().position(|byte| *byte == b':').map_or(line.len(), |at| at + 1) };
        if !is_fold {
            let name = line[..value.saturating_sub(1)].trim_ascii();
            is_secret = HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header));
        }
        if is_secret {
            for byte in line[value..].iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
                *byte = MASK;
                found = true;
            }
        }
        at = end;
    }
    found
}

/// Returns whether a line that begins here can end a head: blank lines may go before the first line
/// (RFC 9112 section 2.2).
fn found_line(at: usize) -> bool {
    at > 2
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use super::redact;
    use crate::registry::Registry;

    /// Returns the bytes of one message with its secrets overwritten.
    fn redacted(protocol: &str, side: Side, bytes: &[u8]) -> Option<String> {
        let protocol = Registry::builtin().resolve(protocol).unwrap();
        let mut copy = None;
        protocol.session(None).feed(side, bytes, &mut |message| {
            let mut bytes = bytes.to_vec();
            let at = message.span.offset as usize;
            bytes.drain(..at);
            let mut redacted = Vec::new();
            if redact(message, &bytes, &mut redacted) {
                copy = Some(String::from_utf8(redacted).unwrap());
            }
        });
        copy
    }

    #[test]
    fn secrets_of_redis_are_overwritten_in_both_forms() {
        for (bytes, expected) in [
            (&b"*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n"[..], Some("*2\r\n$4\r\nAUTH\r\n$3\r\n***\r\n")),
            (b"*3\r\n$4\r\nauth\r\n$1\r\nu\r\n$4\r\na\r\nb\r\n", Some("*3\r\n$4\r\nauth\r\n$1\r\n*\r\n$4\r\n****\r\n")),
            (
                b"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n",
                Some("*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\n*\r\n$1\r\n*\r\n"),
            ),
            (b"AUTH \"a b\" c\r\n", Some("AUTH ***** *\r\n")),
            (b"AUTH 'a\\' b'\r\n", Some("AUTH *******\r\n")),
            (b"HELLO 3 AUTH u p\r\n", Some("HELLO 3 AUTH * *\r\n")),
            (b"HELLO 3\r\n", None),
            (b"GET AUTH\r\n", None),
        ] {
            assert_eq!(redacted("redis", Side::Client, bytes).as_deref(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn secrets_of_http_are_overwritten_in_the_head_alone() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nauthorization:  Basic eA==\r\nCookie: a=b; c=d\r\nContent-Length: 9\r\n\r\nCookie: x";
        let expected = "GET / HTTP/1.1\r\nHost: a\r\nauthorization:  ***** ****\r\nCookie: **** ***\r\nContent-Length: 9\r\n\r\nCookie: x";
        assert_eq!(redacted("http1", Side::Client, request).as_deref(), Some(expected));
        assert_eq!(redacted("http1", Side::Client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    }
}
