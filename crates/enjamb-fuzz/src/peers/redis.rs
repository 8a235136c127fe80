//! The target `redis_peer`: Redis beside the crate `resp-rs`.

use bytes::Bytes;
use enjamb::{Ending, Message, Outcome, OwnedMessage, Session, Side};
use resp_rs::resp3::{self, Frame};
use resp_rs::{ParseError, resp2};

/// The requests before the replies. Replies to no request are read with more doubt.
const REQUESTS: usize = 24;

/// Rules that the session has, and the peer has not: it takes any bytes up to CR LF.
const STRICTER: [&str; 2] = ["CR inside a simple string", "a line ends without CR"];

fn is_stricter(message: &OwnedMessage, bytes: &[u8]) -> bool {
    message.reason.as_deref().is_some_and(|reason| STRICTER.contains(&reason)) || has_odd_number(bytes)
}

/// Returns whether a line has a number with a sign or a zero before it, which Redis refuses and the
/// peer reads.
fn has_odd_number(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| match line.get(1..) {
        Some([b'+', ..] | [b'0', b'0'..=b'9', ..] | [b'-', b'0', ..]) => true,
        Some(rest) => rest.is_empty() || rest == b"\r",
        None => false,
    })
}

/// The target `redis_peer`: the replies of a server, or the commands of a client, end where the
/// peer says, up to the first one that both refuse. The first byte chooses the side. The stream
/// follows.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn redis_peer(data: &[u8]) {
    check_redis(data, &enjamb_protocols::redis::session);
}

/// Checks a session against the peer.
pub(crate) fn check_redis(data: &[u8], open: &dyn Fn() -> Box<dyn Session>) {
    let Some((&choice, stream)) = data.split_first() else { return };
    let side = if choice & 1 == 0 { Side::Server } else { Side::Client };
    let mut messages: Vec<OwnedMessage> = Vec::new();
    let mut session = open();
    let mut out = |message: &Message<'_>| {
        if message.side == side {
            messages.push(message.to_owned());
        }
    };
    if side == Side::Server {
        for _ in 0..REQUESTS {
            session.feed(Side::Client, b"*1\r\n$4\r\nPING\r\n", &mut out);
        }
    }
    session.feed(side, stream, &mut out);
    session.close(side, Ending::Closed, &mut out);
    let bytes = Bytes::copy_from_slice(stream);
    let mut at = 0;
    for message in messages.iter().take(REQUESTS) {
        let verdict = match side {
            Side::Server => reply(&bytes, at),
            Side::Client => command(&bytes, at),
        };
        let agree = match (message.outcome, &verdict) {
            (_, Verdict::Unknown) => return,
            (Outcome::Ok | Outcome::Failed, Verdict::End(end)) => message.span.end() == *end as u64,
            (Outcome::Malformed, Verdict::Refused) => return,
            (Outcome::Malformed, Verdict::End(end)) if is_stricter(message, &stream[at..*end]) => return,
            (Outcome::Incomplete, Verdict::Partial) => return,
            // One of the two needs more bytes to see what is wrong.
            (Outcome::Incomplete, Verdict::Refused) | (Outcome::Malformed, Verdict::Partial) => return,
            _ => false,
        };
        assert!(
            agree,
            "Redis differs from its peer\n  session: {message}\n  peer: {verdict:?}, at byte {at}\n  {}",
            stream.escape_ascii()
        );
        let Verdict::End(end) = verdict else { return };
        at = end;
    }
    if messages.len() < REQUESTS {
        assert!(at == stream.len(), "no message has byte {at}\n  {messages:?}\n  {}", stream.escape_ascii());
    }
}

/// The verdict of the peer on a message.
#[derive(Debug)]
enum Verdict {
    End(usize),
    Partial,
    Refused,
    /// The peer has another idea of what a message is.
    Unknown,
}

fn reply(bytes: &Bytes, mut at: usize) -> Verdict {
    loop {
        let rest = bytes.slice(at..);
        let length = rest.len();
        match resp3::parse_frame(rest) {
            // Attributes belong to the reply that follows.
            Ok((frame, _)) if is_odd(&frame) => return Verdict::Unknown,
            Ok((Frame::Attribute(_), behind)) => at += length - behind.len(),
            Ok((_, behind)) => return Verdict::End(at + length - behind.len()),
            Err(ParseError::Incomplete) => return Verdict::Partial,
            Err(_) if has_odd_reply(&bytes[at..]) => return Verdict::Unknown,
            Err(_) => return Verdict::Refused,
        }
    }
}

/// Returns whether there is something that clients of Redis read and the peer does not: a map, a
/// set or a push of -1 elements is null, and the letter of a boolean may be a capital.
fn has_odd_reply(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|window| {
        matches!(window, [b'%' | b'~' | b'>' | b'|' | b'=' | b'!', b'-', b'1'] | [b'#', b'T' | b'F', b'\r'])
    })
}

/// Returns whether a frame has parts about which the two differ: streams without a length, of which
/// the peer returns the parts, and attributes and pushes inside of aggregates, which the session
/// does not count as elements.
fn is_odd(frame: &Frame) -> bool {
    let is_odd_inside = |frame: &Frame| matches!(frame, Frame::Push(_) | Frame::Attribute(_)) || is_odd(frame);
    match frame {
        Frame::SimpleString(_)
        | Frame::Error(_)
        | Frame::Integer(_)
        | Frame::BulkString(_)
        | Frame::BlobError(_)
        | Frame::Null
        | Frame::Double(_)
        | Frame::SpecialFloat(_)
        | Frame::Boolean(_)
        | Frame::BigNumber(_)
        | Frame::VerbatimString { .. }
        | Frame::Array(None) => false,
        Frame::Array(Some(parts)) | Frame::Set(parts) | Frame::Push(parts) => parts.iter().any(is_odd_inside),
        Frame::Map(pairs) | Frame::Attribute(pairs) => {
            pairs.iter().any(|(key, value)| is_odd_inside(key) || is_odd_inside(value))
        }
        _ => true,
    }
}

fn command(bytes: &Bytes, at: usize) -> Verdict {
    let rest = bytes.slice(at..);
    let length = rest.len();
    // An inline command is not RESP, and a negative number of arguments is none to Redis.
    if rest.first() != Some(&b'*') || rest.get(1) == Some(&b'-') {
        return Verdict::Unknown;
    }
    match resp2::parse_frame(rest) {
        Ok((resp2::Frame::Array(Some(parts)), behind)) if !parts.is_empty() => {
            let bulks = parts.iter().all(|part| matches!(part, resp2::Frame::BulkString(Some(_))));
            if bulks { Verdict::End(at + length - behind.len()) } else { Verdict::Refused }
        }
        Ok(_) => Verdict::Unknown,
        Err(ParseError::Incomplete) => Verdict::Partial,
        Err(_) => Verdict::Refused,
    }
}
