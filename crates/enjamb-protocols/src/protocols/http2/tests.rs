//! Frames, headers and calls of gRPC.

use super::super::testing::{C, S, lines, lines_midstream};
use super::PREFACE;

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

fn preface() -> Vec<u8> {
    [PREFACE, &frame(4, 0, 0, &[])].concat()
}

/// A GET of `/`, and a response of 404.
const GET: &[u8] = b"\x82\x86\x84";
const NOT_FOUND: &[u8] = b"\x8d";
const OK: &[u8] = b"\x88";

#[test]
fn requests_and_responses_are_paired_by_their_stream() {
    let turns = [
        (C, [preface(), frame(1, 5, 1, GET), frame(1, 5, 3, GET)].concat()),
        (S, [frame(4, 0, 0, &[0; 6]), frame(4, 1, 0, &[])].concat()),
        (C, frame(4, 1, 0, &[])),
        (S, [frame(1, 4, 3, NOT_FOUND), frame(1, 4, 1, OK), frame(0, 1, 3, b"no"), frame(0, 0, 1, b"y")].concat()),
        (S, frame(0, 1, 1, b"es")),
    ];
    let expected = [
        "client preface at 0+24 ok: preface",
        "client SETTINGS at 24+9 ok: SETTINGS",
        "client HEADERS at 33+12 ok: HEADERS GET /, stream 1",
        "client HEADERS at 45+12 ok: HEADERS GET /, stream 3",
        "server SETTINGS at 0+15 ok: SETTINGS",
        "server SETTINGS at 15+9 ok answers #1: SETTINGS",
        "client SETTINGS at 57+9 ok answers #0: SETTINGS",
        "server HEADERS at 24+10 failed 404 answers #3: HEADERS 404, stream 3",
        "server HEADERS at 34+10 ok 200 answers #2: HEADERS 200, stream 1",
        "server DATA at 44+11 ok answers #3: DATA, stream 3",
        "server DATA at 55+10 ok: DATA, stream 1",
        "server DATA at 65+11 ok answers #2: DATA, stream 1",
    ];
    assert_eq!(lines("http2", &turns), expected);
    assert_eq!(lines("auto", &turns), expected);
}

#[test]
fn headers_and_their_continuations_are_one_message() {
    let padded = [&[2], GET, &[0, 0]].concat();
    for frames in [
        [frame(1, 1, 1, &GET[..1]), frame(9, 0, 1, &GET[1..2]), frame(9, 4, 1, &GET[2..])].concat(),
        [frame(1, 1, 1, GET), frame(9, 0, 1, &[]), frame(9, 4, 1, &[])].concat(),
        [frame(1, 1, 1, &[]), frame(9, 0, 1, GET), frame(9, 4, 1, &[])].concat(),
    ] {
        let lines = lines("http2", &[(C, [preface(), frames].concat())]);
        assert_eq!(lines[2], "client HEADERS at 33+30 ok: HEADERS GET /, stream 1, 3 frames");
    }
    let lines_padded = lines("http2", &[(C, [preface(), frame(1, 0x0d, 1, &padded)].concat())]);
    assert_eq!(lines_padded[2], "client HEADERS at 33+15 ok: HEADERS GET /, stream 1");
    let too_long = lines("http2", &[(C, [preface(), frame(1, 0x0d, 1, b"\x09\x82")].concat())]);
    assert!(too_long[2].contains("malformed (the padding is longer than the frame)"), "{too_long:?}");
    let cut = lines(
        "http2",
        &[(C, [preface(), frame(1, 1, 1, GET), frame(0, 1, 1, b"x"), frame(6, 0, 0, &[1; 8])].concat())],
    );
    assert!(cut[2].contains("malformed (another frame is inside the headers)"), "{cut:?}");
    assert_eq!(cut[3], "client PING at 55+17 ok: PING");
}

#[test]
fn a_call_of_grpc_has_its_method_and_its_status() {
    let path = b"/a.B/C";
    let request = [&b"\x83\x86\x44\x06"[..], path].concat();
    let trailers = b"\x40\x0bgrpc-status\x015";
    let trailers_ok = b"\x40\x0bgrpc-status\x010";
    let turns = [
        (
            C,
            [preface(), frame(1, 4, 1, &request), frame(0, 1, 1, b"\0\0\0\0\0"), frame(1, 5, 3, b"\x83\x86\xbe")]
                .concat(),
        ),
        (
            S,
            [frame(1, 4, 1, OK), frame(0, 0, 1, b"\0\0\0\0\0"), frame(1, 5, 1, trailers), frame(1, 5, 3, trailers_ok)]
                .concat(),
        ),
    ];
    let lines = lines("http2", &turns);
    assert_eq!(lines[2], "client HEADERS at 33+19 ok: HEADERS POST /a.B/C, stream 1");
    assert_eq!(lines[4], "client HEADERS at 66+12 ok: HEADERS POST /a.B/C, stream 3");
    assert_eq!(lines[7], "server HEADERS at 24+24 failed NOT_FOUND answers #2: HEADERS NOT_FOUND, stream 1");
    assert_eq!(lines[8], "server HEADERS at 48+24 ok OK answers #4: HEADERS OK, stream 3");
}

#[test]
fn resets_and_goaway_are_errors_unless_their_code_is_no_error() {
    let turns = [
        (C, [preface(), frame(1, 5, 1, GET), frame(3, 0, 1, &[0, 0, 0, 8])].concat()),
        (
            S,
            [frame(3, 0, 1, &[0, 0, 0, 7]), frame(7, 0, 0, b"\0\0\0\x01\0\0\0\x0bslow"), frame(7, 0, 0, &[0; 8])]
                .concat(),
        ),
    ];
    let lines = lines("http2", &turns);
    assert_eq!(
        lines[3..],
        [
            "client RST_STREAM at 45+13 failed CANCEL: RST_STREAM CANCEL, stream 1",
            "server RST_STREAM at 0+13 failed REFUSED_STREAM answers #2: RST_STREAM REFUSED_STREAM, stream 1",
            "server GOAWAY at 13+21 failed ENHANCE_YOUR_CALM: GOAWAY ENHANCE_YOUR_CALM slow",
            "server GOAWAY at 34+17 ok NO_ERROR: GOAWAY NO_ERROR",
        ]
    );
}

#[test]
fn frames_that_break_the_rules_are_malformed_and_the_next_one_follows() {
    for (bytes, reason) in [
        (frame(4, 0, 0, &[0; 5]), "the length of the frame does not fit its type"),
        (frame(6, 0, 0, &[0; 7]), "the length of the frame does not fit its type"),
        (frame(6, 0, 1, &[0; 8]), "a frame of this type belongs to no stream"),
        (frame(0, 0, 0, b"x"), "a frame of this type belongs to a stream"),
        (frame(9, 4, 1, GET), "CONTINUATION does not follow headers"),
        (frame(1, 4, 1, b"\xbe"), "the index of a header is beyond the table"),
    ] {
        let lines = lines("http2", &[(C, [preface(), bytes, frame(6, 0, 0, &[1; 8])].concat())]);
        assert!(lines[2].contains(reason), "{lines:?}");
        assert!(lines[3].contains("client PING"), "{lines:?}");
    }
    let no_preface = lines("http2", &[(C, b"GET / HTTP/1.1\r\n\r\n")]);
    assert!(no_preface[0].contains("malformed (the connection does not begin with the preface)"), "{no_preface:?}");
}

#[test]
fn a_capture_that_joined_in_the_middle_shows_the_headers_that_need_no_table() {
    let bytes = [frame(1, 5, 1, GET), frame(1, 5, 3, b"\x82\xc3"), frame(0, 0, 5, &[0; 100])].concat();
    assert_eq!(lines_midstream("auto", C, &bytes), lines_midstream("http2", C, &bytes));
    assert_eq!(
        lines_midstream("http2", C, &bytes),
        [
            "client HEADERS at 0+12 ok: HEADERS GET /, stream 1",
            "client HEADERS at 12+11 ok: HEADERS GET , stream 3",
            "client DATA at 23+109 ok: DATA, stream 5",
        ]
    );
}

#[test]
fn headers_without_end_are_limited() {
    let mut bytes = [preface(), frame(1, 1, 1, GET)].concat();
    for _ in 0..100 {
        bytes.extend_from_slice(&frame(9, 0, 1, &[0x82; 1000]));
    }
    bytes.extend_from_slice(&frame(9, 4, 1, &[]));
    bytes.extend_from_slice(&frame(6, 0, 0, &[1; 8]));
    let lines = lines("http2", &[(C, bytes)]);
    assert!(lines[2].contains("malformed (the headers are longer than 64 KiB)"), "{lines:?}");
    assert!(lines[3].contains("client PING"), "{lines:?}");
}

#[test]
fn http1_continues_as_http2_behind_the_preface_and_behind_an_upgrade() {
    let prior = [(S, frame(4, 0, 0, &[])), (C, [preface(), frame(1, 5, 1, GET)].concat()), (S, frame(1, 5, 1, OK))];
    let expected = [
        "server SETTINGS at 0+9 ok: SETTINGS",
        "client preface at 0+24 ok: preface",
        "client SETTINGS at 24+9 ok: SETTINGS",
        "client HEADERS at 33+12 ok: HEADERS GET /, stream 1",
        "server HEADERS at 9+10 ok 200 answers #2: HEADERS 200, stream 1",
    ];
    for protocol in ["http1", "http2", "auto"] {
        assert_eq!(lines(protocol, &prior), expected, "{protocol}");
    }
    let upgrade = [
        (C, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec()),
        (C, [preface(), frame(1, 5, 3, GET)].concat()),
        (S, b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec()),
        (S, [frame(4, 0, 0, &[]), frame(1, 5, 1, OK), frame(1, 5, 3, OK)].concat()),
    ];
    let lines = lines("auto", &upgrade);
    assert!(lines[5].starts_with("server SETTINGS"), "{lines:?}");
    assert!(lines[7].contains("ok 200 answers #3: HEADERS 200, stream 3"), "{lines:?}");
}
