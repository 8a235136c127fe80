//! The flags: bytes that are framed without doubt, and forbidden or dangerous.

use enjamb::Side;

use crate::play::{Turn, c, fin, s, whole};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 204 OK\r\n\r\n";

/// Returns the outcome and the flags of the messages of a side.
fn flags(side: Side, turns: &[Turn]) -> Vec<String> {
    let messages = whole(turns).into_iter().filter(|message| message.side == side);
    messages.map(|message| format!("{} {}", message.outcome, message.flags)).collect()
}

#[test]
fn a_request_has_the_flags_of_what_is_wrong_with_it() {
    let table: &[(&str, &str)] = &[
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "ok "),
        ("GET / HTTP/1.0\r\n\r\n", "ok "),
        ("GET / HTTP/1.1\r\n\r\n", "ok no-host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "ok two-hosts"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "ok "),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "ok host-differs"),
        ("GET /?u=http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "ok "),
        ("GET / HTTP/1.1\nHost: h\r\n\r\n", "ok bare-lf"),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", "ok bare-lf"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", "ok bare-lf"),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "ok extra-space"),
        ("GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", "ok extra-space"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n", "ok control-character"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \x7f\r\n\r\n", "ok control-character"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \x0b\r\n\r\n", "ok control-character"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", "malformed obs-fold"),
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "malformed space-before-colon"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "ok two-lengths"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nx", "ok two-lengths"),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "ok both-framings",
        ),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "ok chunked-twice"),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "ok chunked-twice",
        ),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,chunked,\r\n\r\n0\r\n\r\n", "ok empty-element"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: cow, chunked\r\n\r\n0\r\n\r\n", "ok odd-coding"),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
            "malformed odd-coding,control-character",
        ),
        ("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "malformed coding-in-http10"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;\nabc\r\n0\r\n\r\n", "ok bare-lf"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n", "ok bare-lf"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", "ok bare-lf"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\n", "ok odd-chunk-line"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0;\x01\r\n\r\n", "ok odd-chunk-line"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0;\ra\r\n\r\n", "ok bare-cr,odd-chunk-line"),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\n",
            "ok framing-in-trailer",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n",
            "malformed obs-fold",
        ),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\rc\r\n\r\n", "malformed bare-cr"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\0c\r\n\r\n", "malformed "),
    ];
    for (request, expected) in table {
        let followed = [request, GET].concat();
        let seen = flags(Side::Client, &[c(followed)]);
        assert_eq!(seen.first().map(String::as_str), Some(*expected), "{request:?}");
        if !expected.starts_with("malformed odd-coding") {
            // Its end is known, so the next request is read.
            assert_eq!(seen[1..], ["ok "], "{request:?}");
        }
    }
}

#[test]
fn a_response_has_the_flags_of_what_is_wrong_with_it() {
    let table: &[(&str, &str)] = &[
        ("HTTP/1.1 204 OK\r\n\r\n", "ok "),
        ("HTTP/1.9 204 OK\r\n\r\n", "ok "),
        ("HTTP/1.1 204\r\n\r\n", "ok "),
        ("HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n", "ok length-without-body"),
        ("HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "ok length-without-body"),
        ("HTTP/1.1 304 OK\r\nContent-Length: 5\r\n\r\n", "ok "),
        ("HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", "failed odd-status"),
        ("HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", "failed odd-status"),
        ("HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n", "failed odd-status"),
        ("HTTP/1.1 204 OK\r\nA : b\r\n\r\n", "ok space-before-colon"),
        ("HTTP/1.1 204 OK\r\nA: b\r\n c\r\n\r\n", "ok obs-fold"),
        ("HTTP/1.1 204 O\x01K\r\n\r\n", "ok control-character"),
        ("HTTP/1.1  204 OK\r\n\r\n", "ok extra-space"),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "malformed coding-in-http10"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ok both-framings"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "ok obs-fold"),
    ];
    for (response, expected) in table {
        let seen = flags(Side::Server, &[c(GET.repeat(2)), s([response, OK].concat())]);
        assert_eq!(seen, [expected, "ok "], "{response:?}");
    }
}

#[test]
fn an_upgrade_that_nobody_asked_for_changes_nothing() {
    for request in [GET, "GET / HTTP/1.0\r\nUpgrade: x\r\n\r\n"] {
        let seen = flags(Side::Server, &[c(request), s(["HTTP/1.1 101 Yes\r\n\r\n", OK].concat())]);
        assert_eq!(seen, ["ok unasked-upgrade", "ok "], "{request:?}");
    }
}

#[test]
fn messages_behind_connection_close_are_flagged() {
    let closing = "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n";
    assert_eq!(flags(Side::Client, &[c([closing, GET, GET].concat())]), ["ok ", "ok after-close", "ok "]);
    let closing = "HTTP/1.1 204 OK\r\nConnection: close\r\n\r\n";
    assert_eq!(flags(Side::Server, &[c(GET.repeat(2)), s([closing, OK].concat())]), ["ok ", "ok after-close"]);
}

#[test]
fn many_headers_are_flagged_and_read() {
    let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(300));
    assert_eq!(flags(Side::Client, &[c([&head, GET].concat())]), ["ok many-headers", "ok "]);
}

#[test]
fn a_head_or_a_line_over_its_limit_is_malformed_and_the_next_message_is_read() {
    let long = "x".repeat(70_000);
    let requests = [
        format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: h\r\nCookie: {long}\r\n\r\n"),
        format!("PUT / HTTP/1.1\r\nHost: h\r\nCookie: {long}\r\nContent-Length: 3\r\n\r\nabc"),
        format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nCookie: {long}\r\n\r\nabc"),
        format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(12_000)),
        format!("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0;{long}\r\n\r\n"),
        format!("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: {long}\r\n\r\n"),
    ];
    for request in requests {
        let seen = whole(&[c([&request, GET].concat())]);
        let seen: Vec<_> = seen.iter().map(|message| (message.outcome.as_str(), message.span.length)).collect();
        let expected = [("malformed", request.len() as u64), ("ok", GET.len() as u64)];
        assert_eq!(seen, expected, "{request:.60}");
    }
}

#[test]
fn a_response_whose_request_could_not_be_read_says_so() {
    let turns = [
        c("\x01\x02\n\x03\n"),
        s("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"),
        s("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    ];
    assert_eq!(flags(Side::Server, &turns), ["failed ", "ok method-unknown"]);
}

#[test]
fn what_follows_a_malformed_message_of_known_end_is_framed_by_its_own_request() {
    let turns = [
        c(
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\nCONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        ),
        s("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"),
        s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        s("HTTP/1.1 200 OK\r\n\r\n\x16\x03"),
        fin(Side::Server),
    ];
    let kinds: Vec<_> = whole(&turns).into_iter().filter(|message| message.side == Side::Server).collect();
    let kinds: Vec<_> = kinds.iter().map(|message| (message.kind.as_str(), message.answers)).collect();
    assert_eq!(kinds, [("response", Some(0)), ("response", Some(1)), ("response", Some(2)), ("opaque", None)]);
}

#[test]
fn the_next_sure_beginning_is_found_behind_bytes_that_cannot_be_framed() {
    let lost = [
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\nab",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\nab\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nab",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nab",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\x0c\r\nab",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc",
        "\x16\x03\x01\n\x02",
        "nonsense\r\n",
        "*1\r\n$4\r\nPING\r\n",
    ];
    for request in lost {
        let seen = whole(&[c([request, GET].concat())]);
        assert_eq!(seen[0].outcome.as_str(), "malformed", "{request:?}");
        let last = seen.last().unwrap();
        assert_eq!((last.kind.as_str(), last.span.offset), ("GET", request.len() as u64), "{request:?}: {seen:?}");
        assert!(seen.len() <= 3, "{seen:?}");
    }
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc";
    let seen = whole(&[c(GET.repeat(2)), s([answer, OK].concat())]);
    let last = seen.last().unwrap();
    assert_eq!((last.code.as_deref(), last.span.offset), (Some("204"), answer.len() as u64), "{seen:?}");
}
