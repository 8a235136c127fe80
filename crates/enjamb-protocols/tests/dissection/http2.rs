//! HTTP/2: the types of frames, methods, paths and statuses.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

const TYPES: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];

/// Returns the type of each frame of a message.
fn frame_type(message: &OwnedMessage) -> Vec<String> {
    let known = TYPES.iter().position(|kind| *kind == message.kind).filter(|_| is_whole(message));
    let frames = message.summary.strip_suffix(" frames").and_then(|text| text.rsplit(' ').next()?.parse().ok());
    let continuations = frames.unwrap_or(1_usize) - 1;
    known.into_iter().chain(vec![9; continuations]).map(|kind| kind.to_string()).collect()
}

fn request(message: &OwnedMessage) -> Option<&str> {
    let is_request = message.side == Side::Client && message.kind == "HEADERS" && is_whole(message);
    let request = message.summary.strip_prefix("HEADERS ")?.split(", stream").next()?;
    is_request.then_some(request)
}

fn method(message: &OwnedMessage) -> Vec<String> {
    request(message).and_then(|request| request.split(' ').next()).map(str::to_owned).into_iter().collect()
}

fn path(message: &OwnedMessage) -> Vec<String> {
    request(message).and_then(|request| request.split(' ').nth(1)).map(str::to_owned).into_iter().collect()
}

fn status(message: &OwnedMessage) -> Vec<String> {
    message.code.clone().filter(|_| message.side == Side::Server && message.kind == "HEADERS").into_iter().collect()
}

const fn case(capture: &'static str, field: &'static str, values: fn(&OwnedMessage) -> Vec<String>) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field, values, differs: &[] }
}

/// The server's first frames come before the client's preface.
const BEFORE_PREFACE: &[(&str, i64, &str)] =
    &[("4", 1, "ours: the SETTINGS of a server wait for nothing (RFC 9113, section 3.4)"), ("8", 1, "ours, as above")];

macro_rules! cases {
    ($($capture:literal),*) => {
        &[$(
            Case { differs: BEFORE_PREFACE, ..case($capture, "http2.type", frame_type) },
            case($capture, "http2.headers.method", method),
            case($capture, "http2.headers.path", path),
            case($capture, "http2.headers.status", status),
        )*]
    };
}

pub(crate) const CASES: &[Case] = cases![
    "protocols/http2-authority_and_host_2.pcap",
    "protocols/http2-http2_multiple_headers.pcap",
    "protocols/http2-http2_userinfo_in_authority_1.pcap"
];
