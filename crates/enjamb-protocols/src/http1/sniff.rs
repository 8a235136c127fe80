//! Detection of HTTP/1 by the first bytes of a side.

use enjamb::Side;

use super::line::{is_token, strip_version, without_cr};
use super::method;
use crate::sniff::Sniff;

/// The maximum number of bytes that are needed to decide.
const SNIFF_MAX: usize = 64;

/// Returns whether the first bytes of a side are HTTP/1. Decides within 64 bytes.
///
/// A response begins with `HTTP/1.`; a request with a well-known method and a target that looks
/// like one. Other methods need their whole request line within those bytes, since `USER anonymous`
/// and `EHLO example.test` begin in the same way.
#[must_use]
pub fn sniff(side: Side, first: &[u8]) -> Sniff {
    let all = &first[..first.len().min(SNIFF_MAX)];
    let blank = all.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let verdict = match side {
        Side::Client => request(&all[blank..]),
        Side::Server => starts_with(&all[blank..], b"HTTP/1."),
    };
    match verdict {
        Sniff::More if all.len() == SNIFF_MAX => Sniff::No,
        verdict => verdict,
    }
}

fn request(first: &[u8]) -> Sniff {
    let token = first.iter().take_while(|&&byte| is_token(byte)).count();
    let (name, rest) = first.split_at(token);
    let [after, target @ ..] = rest else {
        return Sniff::More;
    };
    if name.is_empty() || *after != b' ' {
        return Sniff::No;
    }
    let quick = match method::kind(name) {
        // RTSP, SIP, STOMP and NATS have these methods too.
        Some("OPTIONS" | "NOTIFY" | "SUBSCRIBE" | "UPDATE" | "CONNECT") | None => Sniff::No,
        Some(_) => either(starts_with(target, b"/"), starts_with(target, b"http")),
    };
    if quick == Sniff::No { whole_line(target) } else { quick }
}

/// Returns whether the line ends in the version of HTTP/1.
fn whole_line(target: &[u8]) -> Sniff {
    match target.iter().position(|&byte| byte == b'\n') {
        None => Sniff::More,
        Some(end) => verdict(strip_version(without_cr(&target[..end])).is_some()),
    }
}

fn starts_with(first: &[u8], start: &[u8]) -> Sniff {
    let common = first.len().min(start.len());
    if first[..common] != start[..common] {
        Sniff::No
    } else if common == start.len() {
        Sniff::Yes
    } else {
        Sniff::More
    }
}

fn either(one: Sniff, other: Sniff) -> Sniff {
    match (one, other) {
        (Sniff::Yes, _) | (_, Sniff::Yes) => Sniff::Yes,
        (Sniff::More, _) | (_, Sniff::More) => Sniff::More,
        (Sniff::Maybe, _) | (_, Sniff::Maybe) => Sniff::Maybe,
        (Sniff::No, Sniff::No) => Sniff::No,
    }
}

fn verdict(yes: bool) -> Sniff {
    if yes { Sniff::Yes } else { Sniff::No }
}
