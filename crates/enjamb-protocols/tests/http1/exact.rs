//! The messages of conversations, rule by rule.

use enjamb::{Ending, Side};

use crate::play::{Case, Turn, c, case, fin, gap, play, s, whole};

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const OK0: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn every_conversation_gives_its_messages() {
    let mut wrong = 0;
    for Case { name, turns, messages } in cases() {
        let seen: Vec<_> = whole(&turns).iter().map(ToString::to_string).collect();
        if seen != messages {
            eprintln!("{name}\n  expected {messages:#?}\n  saw {seen:#?}");
            wrong += 1;
        }
    }
    assert_eq!(wrong, 0);
}

#[test]
fn a_message_is_found_at_the_end_of_a_long_line_behind_a_gap() {
    let skipped = "x".repeat(20_000);
    let turns = [gap(Side::Server, 1), s(format!("{skipped}{OK0}"))];
    for size in [1, 1000, 8191, 8192, 8193, 30_000] {
        let seen = play(&turns, |_, bytes, feed| bytes.chunks(size).for_each(feed));
        assert_eq!(seen[0].span.length, 20_000, "{size}");
        assert_eq!(seen[1].code.as_deref(), Some("200"), "{size}");
    }
}

#[test]
fn a_long_line_does_not_begin_where_its_searched_end_begins() {
    // The 8 KiB that are searched begin with a seeming method.
    let line = format!("xFROB /{} HTTP/1.1\r\n\r\n", "y".repeat(8192 - "FROB / HTTP/1.1\r".len()));
    let seen = whole(&[gap(Side::Client, 1), c("\n"), c(&line)]);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].kind, "unparsed");
}

#[test]
fn a_gap_in_a_body_that_ends_with_the_stream_is_counted() {
    let turns = [c(GET), s("HTTP/1.0 200 OK\r\n\r\nab"), gap(Side::Server, 5), s("c"), fin(Side::Server)];
    let seen: Vec<_> = whole(&turns).iter().map(ToString::to_string).collect();
    assert_eq!(
        seen,
        [
            "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
            "server response at 0+27 ok 200 answers #0: 200 OK, body 8 bytes, 5 of them missing",
        ]
    );
}

#[test]
fn a_head_may_be_as_long_as_its_limit_but_not_longer() {
    for (value, kind) in [(65_536 - 23, "ok"), (65_536 - 22, "malformed")] {
        let head = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(value));
        let seen = whole(&[c(head)]);
        assert_eq!(seen[0].outcome.as_str(), kind, "{}", seen[0]);
    }
}

#[test]
fn bytes_behind_a_connect_are_kept_up_to_a_limit_and_not_parsed_beyond_it() {
    let connect = "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n";
    let refused = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (requests, read) in [(16 * 1024 / get.len(), true), (16 * 1024 / get.len() + 1, false)] {
        let seen = whole(&[c(connect), c(get.repeat(requests)), s(refused), c(get)]);
        let kinds = |kind: &str| seen.iter().filter(|message| message.kind == kind).count();
        assert_eq!((kinds("GET"), kinds("unparsed")), if read { (requests + 1, 0) } else { (1, 1) });
        let accepted = whole(&[c(connect), c(get.repeat(requests)), s("HTTP/1.1 200 OK\r\n\r\n"), c(get)]);
        let kinds: Vec<_> = accepted.iter().map(|message| message.kind.as_str()).collect();
        assert_eq!(kinds, ["CONNECT", "response", "opaque"]);
    }
}

#[test]
fn many_wishes_to_upgrade_that_nobody_answers_are_parsed_in_linear_time() {
    let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n";
    let seen = play(&[c(upgrade.repeat(5000))], |_, bytes, feed| bytes.chunks(100).for_each(feed));
    assert_eq!(seen.len(), 5000);
}

pub(crate) fn cases() -> Vec<Case> {
    [bodies(), lines(), damaged(), switches(), ends(), holes()].into_iter().flatten().collect()
}

/// RFC 9112, section 6.
fn bodies() -> Vec<Case> {
    vec![
        case(
            "a request without a length has no body (6.3, rule 7), one with a length has it (rule 6)",
            [
                c(
                    "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
                ),
                s("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"),
                s("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            ],
            [
                "client GET at 0+39 ok: GET /a HTTP/1.1, host example.test",
                "client POST at 39+51 ok: POST /b HTTP/1.1, host h, body 3 bytes",
                "server response at 0+83 ok 200 answers #0: 200 OK, text/html, body 5 bytes",
                "server response at 83+45 failed 404 answers #1: 404 Not Found, body 0 bytes",
            ],
        ),
        case(
            "a response to HEAD, a 204 and a 304 have no body whatever they say (6.3, rule 1)",
            [
                c("HEAD / HTTP/1.1\r\n\r\n"),
                c(GET),
                c(GET),
                s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
                s("HTTP/1.1 204 No Content\r\n\r\n"),
                s("HTTP/1.1 304 Not Modified\r\nContent-Length: nonsense\r\n\r\n"),
            ],
            [
                "client HEAD at 0+19 ok [no-host]: HEAD / HTTP/1.1",
                "client GET at 19+18 ok [no-host]: GET / HTTP/1.1",
                "client GET at 37+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+38 ok 200 answers #0: 200 OK",
                "server response at 38+27 ok 204 answers #1: 204 No Content",
                "server response at 65+55 ok 304 answers #2: 304 Not Modified",
            ],
        ),
        case(
            "chunks, with extensions, padding and trailers (7.1), and chunked wins over a length (6.3, rule 3)",
            [
                c("PUT /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"),
                c("3;name=\"v\"\r\nabc\r\n00A \r\n0123456789\r\n0\r\nDigest: x\r\n\r\n"),
                c(GET),
                s("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n"),
                s(OK0),
            ],
            [
                "client PUT at 0+123 ok [both-framings,no-host,odd-chunk-line]: PUT /x HTTP/1.1, body 13 bytes",
                "client GET at 123+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+51 ok 200 [bare-lf] answers #0: 200, body 1 bytes",
                "server response at 51+38 ok 200 answers #1: 200 OK, body 0 bytes",
            ],
        ),
        case(
            "several transfer codings are one list, and the last of it counts (6.1)",
            [
                c("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
                s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc"),
                fin(Side::Server),
            ],
            [
                "client POST at 0+77 ok [no-host]: POST / HTTP/1.1, body 0 bytes",
                "server response at 0+56 ok 200 answers #0: 200 OK, body 3 bytes",
            ],
        ),
        case(
            "a response without a length ends with the stream (6.3, rule 8)",
            [c(GET), s("HTTP/1.0 200 OK\r\n\r\nabc"), s("def"), fin(Side::Server)],
            [
                "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+25 ok 200 answers #0: 200 OK, body 6 bytes",
            ],
        ),
        case(
            "and is cut off when the stream does not end but breaks (8)",
            [c(GET), s("HTTP/1.0 500 No\r\n\r\nabc"), Turn::Close(Side::Server, Ending::Reset)],
            [
                "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+22 incomplete 500 (the connection was reset inside it) answers #0: 500 No, body 3 bytes",
            ],
        ),
        case(
            "equal lengths are one (6.3, rule 5)",
            [c("POST / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 02\r\n\r\nab")],
            ["client POST at 0+63 ok [two-lengths,no-host]: POST / HTTP/1.1, body 2 bytes"],
        ),
    ]
}

/// RFC 9112, sections 2.2, 3 and 5.
fn lines() -> Vec<Case> {
    vec![
        case(
            "blank lines before a request belong to it, and lines may end in a line feed alone (2.2)",
            [c("\r\n\n\r\nGET / HTTP/1.0\nHost: a\n\nGET /2 HTTP/1.0\r\n\n\r\n")],
            [
                "client GET at 0+29 ok [bare-lf]: GET / HTTP/1.0, host a",
                "client GET at 29+18 ok [bare-lf]: GET /2 HTTP/1.0",
                "client blank at 47+2 ok: not parsed",
            ],
        ),
        case(
            "a method that is not well known is a request",
            [c("FROB /x HTTP/1.1\r\n\r\nCCM_POST / HTTP/1.1\r\n\r\n")],
            [
                "client request at 0+20 ok [no-host]: FROB /x HTTP/1.1",
                "client request at 20+23 ok [no-host]: CCM_POST / HTTP/1.1",
            ],
        ),
        case(
            "the parts of a request line may have several spaces between them (3)",
            [c("GET  /  HTTP/1.0\r\n\r\n")],
            ["client GET at 0+20 ok [extra-space]: GET / HTTP/1.0"],
        ),
        case(
            "a response may have folded headers and blanks before a colon (5.1, 5.2)",
            [s("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length : 1\r\n\r\nx")],
            ["server response at 0+50 ok 200 [obs-fold,space-before-colon]: 200 OK, body 1 bytes"],
        ),
        case(
            "what strangers send is cut to a line",
            [c(format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(130), "b".repeat(70)))],
            [concat!(
                "client GET at 0+226 ok: GET /",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… ",
                "HTTP/1.1, host bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…"
            )],
        ),
    ]
}

fn damaged() -> Vec<Case> {
    const REST: &str = "client request at 0+4 incomplete (the capture ends inside it): rest";
    const SKIPPED: &str = "client unparsed at 0+4 incomplete (after a malformed message): not parsed";
    let behind = |name, head: &str, message: &'static str, rest: &str| {
        let at = message.split(['+', ' ']).nth(4).unwrap_or_default();
        let rest = Box::leak(rest.replace("at 0", &format!("at {at}")).into_boxed_str());
        case(name, [c(head), c("rest")], [message, rest])
    };
    let refused = |name, head, message| behind(name, head, message, REST);
    let unframed = |name, head, message| behind(name, head, message, SKIPPED);
    let mut cases = vec![
        refused(
            "a request line has three parts (3)",
            "GET /\r\n\r\n",
            "client GET at 0+9 malformed (request line is not METHOD TARGET HTTP/1.x): GET /",
        ),
        refused(
            "a request is of HTTP/1",
            "GET / HTTP/2.0\r\n\r\n",
            "client GET at 0+18 malformed (version is not HTTP/1.x): GET / HTTP/2.0",
        ),
        refused(
            "a target has no white space (3)",
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
            "client GET at 0+30 malformed (target contains white space): GET /a b HTTP/1.1",
        ),
        refused(
            "a target has no control character (3.2)",
            "GET /a\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
            "client GET at 0+29 malformed (target contains a control character): GET /a\\u{1} HTTP/1.1",
        ),
        refused(
            "a method is a token",
            "G@T / HTTP/1.1\r\n\r\n",
            "client request at 0+18 malformed (method is not a token): G@T / HTTP/1.1",
        ),
        refused(
            "a header has a name (5)",
            "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
            "client GET at 0+32 malformed (header has no name): GET / HTTP/1.1, host a",
        ),
        refused(
            "a header has a colon (5)",
            "GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n",
            "client GET at 0+30 malformed (header has no colon): GET / HTTP/1.1, host a",
        ),
        refused(
            "a header's name is a token (5.1)",
            "GET / HTTP/1.1\r\nHost: a\r\nx y: 1\r\n\r\n",
            "client GET at 0+35 malformed (header name is not a token): GET / HTTP/1.1, host a",
        ),
        refused(
            "white space between a name and its colon is refused in a request (5.1)",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "client GET at 0+28 malformed (white space between a header's name and its colon) [space-before-colon]: GET / HTTP/1.1, host a",
        ),
        refused(
            "white space before the first header is refused (2.2)",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "client GET at 0+28 malformed (white space before the first header) [obs-fold]: GET / HTTP/1.1, host a",
        ),
        refused(
            "a request is not folded (5.2)",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
            "client GET at 0+37 malformed (header of a request is folded) [obs-fold]: GET / HTTP/1.1, host h",
        ),
        refused(
            "a value has no CR (2.2)",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
            "client GET at 0+35 malformed (header contains a CR without LF) [bare-cr]: GET / HTTP/1.1, host h",
        ),
        refused(
            "a value has no NUL (RFC 9110, 5.5)",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n",
            "client GET at 0+35 malformed (header contains a NUL): GET / HTTP/1.1, host h",
        ),
        refused(
            "a malformed head does not hide the length behind it",
            "PUT / HTTP/1.1\r\nHost: h\r\nbad\r\nContent-Length: 3\r\n\r\nabc",
            "client PUT at 0+54 malformed (header has no colon): PUT / HTTP/1.1, host h, body 3 of 3 bytes",
        ),
        unframed(
            "a length is digits",
            "PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "client PUT at 0+38 malformed (Content-Length is not a number) [no-host]: PUT / HTTP/1.1",
        ),
        unframed(
            "a length is there",
            "PUT / HTTP/1.1\r\nContent-Length: 1,\r\n\r\n",
            "client PUT at 0+38 malformed (Content-Length is not a number) [two-lengths,no-host]: PUT / HTTP/1.1",
        ),
        unframed(
            "a length fits",
            "PUT / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "client PUT at 0+56 malformed (Content-Length is too large) [no-host]: PUT / HTTP/1.1",
        ),
        unframed(
            "lengths agree (6.3, rule 5)",
            "PUT / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n",
            "client PUT at 0+40 malformed (Content-Lengths differ) [two-lengths,no-host]: PUT / HTTP/1.1",
        ),
        unframed(
            "a request's last coding is chunked (6.3, rule 4)",
            "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            "client PUT at 0+43 malformed (transfer coding of the request does not end in chunked) [no-host]: PUT / HTTP/1.1",
        ),
    ];
    let chunked = |body: &str| s(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    cases.extend([
        case(
            "a chunk size is hexadecimal (7.1)",
            [chunked("x\r\n")],
            ["server response at 0+50 malformed 200 (chunk size is not hexadecimal): 200 OK, body 0 bytes"],
        ),
        case(
            "a chunk size ends before something else (7.1)",
            [chunked("1x\r\n")],
            ["server response at 0+51 malformed 200 (chunk size is not followed by an extension or the end of its line): 200 OK, body 0 bytes"],
        ),
        case(
            "a chunk size fits (7.1)",
            [chunked("8000000000000000\r\n")],
            ["server response at 0+65 malformed 200 (chunk size is too large): 200 OK, body 0 bytes"],
        ),
        case(
            "a chunk ends where its size says (7.1)",
            [chunked("2\r\nabc\r\n0\r\n\r\n")],
            [
                "server response at 0+52 malformed 200 (chunk does not end where its size says): 200 OK, body 2 bytes",
                "server unparsed at 52+8 incomplete (after a malformed message): not parsed",
            ],
        ),
        case(
            "a trailer is a field (7.1.2)",
            [chunked("0\r\nno trailer\r\n\r\n")],
            [
                "server response at 0+64 malformed 200 (trailer has no colon): 200 OK, body 0 bytes",
            ],
        ),
        case(
            "a status line begins with a version (4)",
            [c(GET), s("ICY 200 OK\r\n\r\n")],
            [
                "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+12 malformed (status line is not HTTP/1.x STATUS) answers #0: ICY 200 OK",
                "server unparsed at 12+2 incomplete (after a malformed message): not parsed",
            ],
        ),
        case(
            "a malformed request is answered all the same",
            [c("nonsense\r\n"), s("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")],
            [
                "client request at 0+10 malformed (request line is not METHOD TARGET HTTP/1.x): nonsense",
                "server response at 0+47 failed 400 answers #0: 400 Bad Request, body 0 bytes",
            ],
        ),
        case(
            "and a malformed HEAD is a HEAD",
            [c("HEAD / HTTP/1.\r\n"), s("HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\n")],
            [
                "server response at 0+47 failed 400 answers #0: 400 Bad Request",
                "client HEAD at 0+16 malformed (version is not HTTP/1.x): HEAD / HTTP/1.",
            ],
        ),
    ]);
    cases
}

/// RFC 9110, sections 7.8, 9.3.6 and 15.2.2.
fn switches() -> Vec<Case> {
    vec![
        case(
            "an accepted CONNECT turns both sides opaque",
            [
                c("CONNECT h:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\n"),
                c("\x16\x03\x01early"),
                s("HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n\x16\x03"),
                c("more"),
                fin(Side::Client),
                s("\r\n\r\n"),
                Turn::Close(Side::Server, Ending::Reset),
            ],
            [
                "client CONNECT at 0+45 ok [length-without-body,no-host]: CONNECT h:443 HTTP/1.1",
                "server response at 0+58 ok 200 [length-without-body] answers #0: 200 Connection established",
                "client opaque at 45+12 ok: not parsed",
                "server opaque at 58+6 ok: not parsed",
            ],
        ),
        case(
            "a refused CONNECT does not, and what came too early is not parsed",
            [
                c(b"CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03early x\n\xc3\xa9\n"),
                s("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\n"),
                c("CONNECT h:443 HTTP/1.1\r\nA: b\r\n\r\n"),
                s("no"),
                s("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx"),
            ],
            [
                "client CONNECT at 0+26 ok [no-host]: CONNECT h:443 HTTP/1.1",
                "client request at 26+10 malformed (request line is not METHOD TARGET HTTP/1.x): \\u{16}\\u{3}early x",
                "client unparsed at 36+3 incomplete (after a malformed message): not parsed",
                "client CONNECT at 39+32 ok [no-host]: CONNECT h:443 HTTP/1.1",
                "server response at 0+67 failed 407 answers #0: 407 Proxy Authentication Required, body 2 bytes",
                "server response at 67+25 ok 100 answers #1: 100 Continue",
                "server response at 92+20 incomplete 200 (the capture ends inside it) answers #1: 200 OK, body 1 bytes",
            ],
        ),
        case(
            "a CONNECT that nobody answers is taken at its word",
            [c("CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03")],
            ["client CONNECT at 0+26 ok [no-host]: CONNECT h:443 HTTP/1.1", "client opaque at 26+2 ok: not parsed"],
        ),
        case(
            "101 turns both sides opaque behind its head, the request in progress with them",
            [
                c("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\nPOST /half HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
                s(b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 2\r\n\r\n\x81\x00"),
                c(b"\x81\x80\0\0\0\0"),
            ],
            [
                "client GET at 0+40 ok [no-host]: GET /ws HTTP/1.1",
                "server response at 0+55 ok 101 [length-without-body] answers #0: 101 Switching Protocols",
                "client opaque at 40+51 ok: not parsed",
                "server opaque at 55+2 ok: not parsed",
            ],
        ),
        case(
            "a wish to upgrade that is ignored changes nothing",
            [c("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\r\n\r\n"), s(OK0), s(OK0)],
            [
                "client GET at 0+32 ok [no-host]: GET / HTTP/1.1",
                "client GET at 32+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+38 ok 200 answers #0: 200 OK, body 0 bytes",
                "server response at 38+38 ok 200 answers #1: 200 OK, body 0 bytes",
            ],
        ),
        case(
            "what follows malformed bytes stays unparsed, whatever is agreed later",
            [c("nonsense\r\nmore"), s("HTTP/1.1 101 Switching Protocols\r\n\r\n")],
            [
                "client request at 0+10 malformed (request line is not METHOD TARGET HTTP/1.x): nonsense",
                "server response at 0+36 ok 101 [unasked-upgrade] answers #0: 101 Switching Protocols",
                "client unparsed at 10+4 incomplete (after a malformed message): not parsed",
            ],
        ),
        case(
            "the preface of HTTP/2 is not HTTP/1 (RFC 9113, 3.4)",
            [c("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"), s("\0\0\0\x04\0\0\0\0\0")],
            ["client opaque at 0+33 ok: not parsed", "server opaque at 0+9 ok: not parsed"],
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        case(
            "a stream may end inside a message",
            [
                c("POST /up HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"),
                fin(Side::Client),
                s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
                Turn::Close(Side::Server, Ending::Lost),
            ],
            [
                "client POST at 0+44 incomplete (the stream ended inside it) [no-host]: POST /up HTTP/1.1, body 3 of 10 bytes",
                "server response at 0+52 incomplete 200 (the capture ends inside it) answers #0: 200 OK, body 2 bytes",
            ],
        ),
        case(
            "and inside a head",
            [c("GET / HTTP/1.1\r\n\r\nGET /x HT"), fin(Side::Client), s("HTTP/1.1 200 OK\r\nA"), fin(Side::Server)],
            [
                "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
                "client request at 18+9 incomplete (the stream ended inside it): GET /x HT",
                "server response at 0+18 incomplete (the stream ended inside it) answers #0: HTTP/1.1 200 OK",
            ],
        ),
    ]
}

/// Bytes that a capture lost.
fn holes() -> Vec<Case> {
    vec![
        case(
            "a hole is counted where a body has room for it",
            [
                c("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab"),
                gap(Side::Client, 5),
                c("hij"),
                c(GET),
                s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n"),
                gap(Side::Server, 8),
                s("\r\n0\r\n\r\n"),
                s("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
                gap(Side::Server, 4),
            ],
            [
                "client POST at 0+49 ok [no-host]: POST / HTTP/1.1, body 10 bytes, 5 of them missing",
                "client GET at 49+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+65 ok 200 answers #0: 200 OK, body 8 bytes, 8 of them missing",
                "server response at 65+42 ok 200 answers #1: 200 OK, body 4 bytes, 4 of them missing",
            ],
        ),
        case(
            "elsewhere the message is given up, and the next one found behind the rest of its body",
            [
                c(GET),
                s("HTTP/1.1 200 OK\r\nContent-Len"),
                gap(Side::Server, 100),
                c("GET /2 HTTP/1.1\r\n\r\n"),
                s("HTTP/1.1 200\nrest of\nthe bodyHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"),
            ],
            [
                "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
                "server response at 0+28 incomplete (bytes of it are missing from the capture) answers #0: HTTP/1.1 200 OK",
                "client GET at 18+19 ok [no-host]: GET /2 HTTP/1.1",
                "server unparsed at 128+29 incomplete (skipped after a gap): not parsed",
                "server response at 157+46 failed 404 answers #1: 404 Not Found, body 1 bytes",
            ],
        ),
        case(
            "a request behind a hole begins with a well-known method, since the line may lack its beginning",
            [
                c("GET /1 HTTP/1.1\r\nHos"),
                gap(Side::Client, 7),
                c("OST /x HTTP/1.1\r\nUNLOCK /y HTTP/1.1\r\nnot a field\r\nbodyPOST /2 HTTP/1.1\r\n\r\n"),
                s(OK0),
                c("FROB / HTTP/1.1\r\n\r\n"),
                s(OK0),
            ],
            [
                "client request at 0+20 incomplete (bytes of it are missing from the capture): GET /1 HTTP/1.1",
                "client unparsed at 27+54 incomplete (skipped after a gap): not parsed",
                "client POST at 81+20 ok [no-host]: POST /2 HTTP/1.1",
                "server response at 0+38 ok 200 answers #0: 200 OK, body 0 bytes",
                "client request at 101+19 ok [no-host]: FROB / HTTP/1.1",
                "server response at 38+38 ok 200: 200 OK, body 0 bytes",
            ],
        ),
        case(
            "a hole at the end, between messages, and in what was skipped already",
            [
                c(GET),
                gap(Side::Client, 3),
                c("junk"),
                gap(Side::Client, 2),
                c("FIND /x HTTP/1.1\r\n"),
                c("FROB /x HTTP/1.1\r\n\r\n"),
                gap(Side::Client, 3),
            ],
            [
                "client GET at 0+18 ok [no-host]: GET / HTTP/1.1",
                "client unparsed at 21+4 incomplete (skipped after a gap): not parsed",
                "client unparsed at 27+18 incomplete (skipped after a gap): not parsed",
                "client request at 45+20 ok [no-host]: FROB /x HTTP/1.1",
            ],
        ),
        case(
            "behind a hole malformed bytes are left behind",
            [c("nonsense\r\nmore"), gap(Side::Client, 1), c(GET)],
            [
                "client request at 0+10 malformed (request line is not METHOD TARGET HTTP/1.x): nonsense",
                "client unparsed at 10+4 incomplete (after a malformed message): not parsed",
                "client GET at 15+18 ok [no-host]: GET / HTTP/1.1",
            ],
        ),
        case(
            "a gap of no bytes says that the stream begins in the middle",
            [gap(Side::Server, 0), s("end of a body HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
            [
                "server unparsed at 0+14 incomplete (skipped after a gap): not parsed",
                "server response at 14+38 ok 200 [request-missing]: 200 OK, body 0 bytes",
            ],
        ),
        case(
            "a hole in opaque bytes is counted",
            [c("PRI * HTTP/2.0\r\n"), gap(Side::Client, 5), c("x")],
            ["client opaque at 0+22 ok: not parsed"],
        ),
    ]
}
