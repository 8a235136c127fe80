//! The target `http1_peer`: HTTP/1 beside httparse and a naive reader of bodies.

use enjamb::{Ending, Message, Outcome, OwnedMessage, Session, Side};
use httparse::{EMPTY_HEADER, Header, Status};

/// The maximum number of headers that the peer reads.
const HEADERS_MAX: usize = 64;

/// The largest length of a body or a chunk, in bytes.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// Rules that the session has and the peer does not. A message that breaks one is malformed, and
/// the peer may accept it.
const STRICTER: [&str; 5] = [
    // httparse accepts any bytes above 0x7f, and unfolds responses.
    "header contains a CR without LF",
    "header of a request is folded",
    // RFC 9112, section 6.1: the framing of such a message is suspect.
    "Transfer-Encoding in HTTP/1.0",
    // The peer skips what is between the size and the end of its line.
    "chunk size is not followed by an extension or the end of its line",
    "reason phrase contains a control character",
];

/// Flags of messages that the session accepts and reports, and the peer refuses.
const LENIENT: [&str; 6] =
    ["control-character", "bare-cr", "space-before-colon", "obs-fold", "extra-space", "odd-status"];

/// Returns whether the session has accepted a message only with a flag.
fn is_lenient(message: &OwnedMessage) -> bool {
    message.flags.split(',').any(|flag| LENIENT.contains(&flag))
}

/// The target `http1_peer`: the first message of a stream ends where the peer says, or both refuse
/// it. The first byte chooses the side, and the request that a response answers. The stream
/// follows.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn http1_peer(data: &[u8]) {
    check_http1(data, &enjamb_protocols::http1::session);
}

/// Checks a session against the peer.
pub(crate) fn check_http1(data: &[u8], open: &dyn Fn() -> Box<dyn Session>) {
    let Some((&choice, stream)) = data.split_first() else { return };
    let side = if choice & 1 == 0 { Side::Client } else { Side::Server };
    let method = ["GET", "HEAD", "POST"][usize::from(choice >> 1) % 3];
    let mut first: Option<OwnedMessage> = None;
    let mut session = open();
    let mut out = |message: &Message<'_>| {
        if message.side == side && first.is_none() {
            first = Some(message.to_owned());
        }
    };
    if side == Side::Server {
        let request = format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n");
        session.feed(Side::Client, request.as_bytes(), &mut out);
    }
    session.feed(side, stream, &mut out);
    session.close(side, Ending::Closed, &mut out);
    let Some(message) = first else {
        assert!(stream.is_empty(), "bytes without a message");
        return;
    };
    let verdict = match side {
        Side::Client => request(stream),
        Side::Server => response(stream, method == "HEAD"),
    };
    let reason = message.reason.as_deref().unwrap_or_default();
    let agree = match (message.outcome, &verdict) {
        (_, Verdict::Unknown) => true,
        (Outcome::Ok | Outcome::Failed, Verdict::End(end)) => message.span.end() == *end as u64,
        (Outcome::Ok | Outcome::Failed, Verdict::Refused(_)) if is_lenient(&message) => true,
        (Outcome::Ok | Outcome::Failed, _) => message.kind == "opaque" || message.kind == "blank",
        // The peer does not read trailers.
        (Outcome::Malformed, Verdict::End(_)) => STRICTER.contains(&reason) || reason.contains("trailer"),
        (Outcome::Malformed, _) => true,
        (Outcome::Incomplete, Verdict::End(_)) => false,
        (Outcome::Incomplete, _) => true,
    };
    assert!(
        agree,
        "HTTP/1 differs from its peer\n  session: {message}\n  peer: {verdict:?}\n  {}",
        stream.escape_ascii()
    );
}

/// The verdict of the peer on the first message of a stream that has ended.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// It ends here.
    End(usize),
    /// It is not whole.
    Partial,
    /// It is malformed.
    Refused(&'static str),
    /// The peer does not know the rule.
    Unknown,
}

/// A body's framing.
enum Body {
    None,
    Length(u64),
    Chunked,
    Close,
}

fn request(stream: &[u8]) -> Verdict {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(stream) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) => return Verdict::Partial,
        Err(httparse::Error::TooManyHeaders | httparse::Error::Version) => return Verdict::Unknown,
        // httparse reads a target only if it is UTF-8.
        Err(httparse::Error::Token) if !stream.is_ascii() => return Verdict::Unknown,
        Err(_) => return Verdict::Refused("head"),
    };
    // The tunnel behind CONNECT, and a change of protocol, are not the peer's.
    if request.method == Some("CONNECT") || has(request.headers, "upgrade") {
        return Verdict::Unknown;
    }
    let body = match framing(request.headers) {
        Err(verdict) => return verdict,
        Ok(Body::Close) => return Verdict::Refused("a request whose last coding is not chunked"),
        Ok(body) => body,
    };
    end_of_body(stream, head, &body)
}

fn response(stream: &[u8], to_head: bool) -> Verdict {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let head = match config.parse_response(&mut response, stream) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) => return Verdict::Partial,
        Err(httparse::Error::TooManyHeaders | httparse::Error::Version) => return Verdict::Unknown,
        Err(_) => return Verdict::Refused("head"),
    };
    let code = response.code.unwrap_or(0);
    if code == 101 {
        return Verdict::Unknown;
    }
    if to_head || matches!(code, 100..=199 | 204 | 304) {
        return Verdict::End(head);
    }
    match framing(response.headers) {
        Err(verdict) => verdict,
        Ok(Body::None) => end_of_body(stream, head, &Body::Close),
        Ok(body) => end_of_body(stream, head, &body),
    }
}

fn has(headers: &[Header<'_>], name: &str) -> bool {
    headers.iter().any(|header| header.name.eq_ignore_ascii_case(name))
}

/// Returns the elements of all headers of a name.
fn elements<'h>(headers: &'h [Header<'_>], name: &str) -> Vec<&'h [u8]> {
    let values = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    values.flat_map(|header| header.value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect()
}

/// Returns the framing of a body: RFC 9112, section 6.3, without the rules about methods and codes.
fn framing(headers: &[Header<'_>]) -> Result<Body, Verdict> {
    if has(headers, "transfer-encoding") {
        let codings = elements(headers, "transfer-encoding");
        let last = codings.iter().rfind(|coding| !coding.is_empty());
        return Ok(if last.is_some_and(|last| last.eq_ignore_ascii_case(b"chunked")) {
            Body::Chunked
        } else {
            Body::Close
        });
    }
    let lengths = elements(headers, "content-length");
    let mut length = None;
    for text in lengths {
        let digits =
            std::str::from_utf8(text).ok().filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        let Some(digits) = digits else { return Err(Verdict::Refused("a length that is not a number")) };
        let number = digits.trim_start_matches('0');
        let number = if number.is_empty() { Ok(0) } else { number.parse::<u64>() };
        let Some(number) = number.ok().filter(|number| *number <= LENGTH_MAX) else {
            return Err(Verdict::Refused("a length that is too large"));
        };
        if length.replace(number).is_some_and(|before| before != number) {
            return Err(Verdict::Refused("lengths that differ"));
        }
    }
    Ok(length.map_or(Body::None, Body::Length))
}

fn end_of_body(stream: &[u8], head: usize, body: &Body) -> Verdict {
    match *body {
        Body::None => Verdict::End(head),
        Body::Close => Verdict::End(stream.len()),
        Body::Length(length) => match usize::try_from(length) {
            Ok(length) if length <= stream.len() - head => Verdict::End(head + length),
            _ => Verdict::Partial,
        },
        Body::Chunked => chunked(stream, head),
    }
}

/// Returns the line at `at`, without its end, and where the next one begins. Lines may end with a
/// bare LF.
fn line(stream: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let end = at + stream[at..].iter().position(|byte| *byte == b'\n')?;
    let line = &stream[at..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// Reads a body in chunks: RFC 9112, section 7.1.
fn chunked(stream: &[u8], mut at: usize) -> Verdict {
    loop {
        let Some((size_line, next)) = line(stream, at) else { return Verdict::Partial };
        let digits = size_line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits == 0 {
            return Verdict::Refused("a chunk size that is not hexadecimal");
        }
        let mut size = 0u64;
        for digit in &size_line[..digits] {
            let digit = u64::from((*digit as char).to_digit(16).unwrap_or(0));
            size = match size.checked_mul(16).and_then(|size| size.checked_add(digit)) {
                Some(size) if size <= LENGTH_MAX => size,
                _ => return Verdict::Refused("a chunk size that is too large"),
            };
        }
        at = next;
        if size == 0 {
            break;
        }
        let Some(behind) = usize::try_from(size).ok().and_then(|size| at.checked_add(size)) else {
            return Verdict::Partial;
        };
        match stream.get(behind..) {
            None | Some([] | [b'\r']) => return Verdict::Partial,
            Some([b'\r', b'\n', ..]) => at = behind + 2,
            Some([b'\n', ..]) => at = behind + 1,
            Some(_) => return Verdict::Refused("a chunk that does not end"),
        }
    }
    loop {
        let Some((trailer, next)) = line(stream, at) else { return Verdict::Partial };
        at = next;
        if trailer.is_empty() {
            return Verdict::End(at);
        }
    }
}
