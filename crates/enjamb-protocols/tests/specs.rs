//! Framing specs, and `auto`.

use enjamb::transcript::Content;
use enjamb::{Ending, OwnedMessage, Side};
use enjamb_law::{Cutting, Segmentations, Sessions, split_everywhere};
use enjamb_protocols::{KEPT_MAX, Registry};
use proptest::prelude::*;

/// Returns the messages of these turns, and checks the split law under every one and two cuts.
fn messages(protocol: &str, turns: &[(Side, Content)]) -> Vec<OwnedMessage> {
    let protocol = Registry::builtin().resolve(protocol).unwrap();
    let input = Cutting::of(turns.iter().cloned());
    let sessions = Sessions(|| protocol.session(Some(80)));
    split_everywhere(&sessions, &input, &Segmentations::up_to_two_cuts())
        .unwrap_or_else(|violation| panic!("{violation}"));
    let mut messages = Vec::new();
    let mut session = protocol.session(Some(80));
    input.transcript(&[]).play(session.as_mut(), &mut |message| messages.push(message.to_owned()));
    assert!(session.held() <= KEPT_MAX);
    session.close(Side::Server, Ending::Closed, &mut |message| messages.push(message.to_owned()));
    messages
}

fn client(bytes: &[u8]) -> (Side, Content) {
    (Side::Client, Content::Chunk(bytes.to_vec()))
}

fn closed() -> (Side, Content) {
    (Side::Client, Content::Close(Ending::Closed))
}

fn lines_of(protocol: &str, turns: &[(Side, Content)]) -> Vec<String> {
    messages(protocol, turns).iter().map(ToString::to_string).collect()
}

#[test]
fn every_framing_cuts_its_frames() {
    let cases: [(&str, &[u8], &[&str]); 25] = [
        (
            "lines",
            b"a\r\n\nb",
            &[
                r#"client line at 0+3 ok: \"a\""#,
                r#"client line at 3+1 ok: \"\""#,
                r#"client line at 4+1 incomplete (the stream ended inside it): \"b\""#,
            ],
        ),
        (
            "lines max=3",
            b"abc\nabcd\nx",
            &[
                r#"client line at 0+4 ok: \"abc\""#,
                r#"client line at 4+3 malformed (the frame is longer than max): \"abc\""#,
                "client unparsed at 7+3 incomplete (after a malformed message): not parsed",
            ],
        ),
        ("delimiter:00", b"a\0\0", &[r#"client frame at 0+2 ok: \"a\""#, r#"client frame at 2+1 ok: \"\""#]),
        (
            "any:0d|0d0a|00",
            b"a\r\n\0b\r",
            &[
                r#"client frame at 0+3 ok: \"a\""#,
                r#"client frame at 3+1 ok: \"\""#,
                r#"client frame at 4+2 ok: \"b\""#,
            ],
        ),
        ("fixed:2", b"abcd", &[r#"client frame at 0+2 ok: \"ab\""#, r#"client frame at 2+2 ok: \"cd\""#]),
        (
            "varint",
            b"\x02ab\x00\x81\x00c",
            &[
                r#"client frame at 0+3 ok: \"ab\""#,
                r#"client frame at 3+1 ok: \"\""#,
                r#"client frame at 4+3 ok: \"c\""#,
            ],
        ),
        (
            "varint max=1k",
            b"\x80\x80",
            &[r#"client frame at 0+2 incomplete (the stream ended inside it): \"\" and 2 bytes more"#],
        ),
        (
            "varint",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02x",
            &[
                r#"client frame at 0+10 malformed (the length in the prefix is impossible): \"\""#,
                "client unparsed at 10+1 incomplete (after a malformed message): not parsed",
            ],
        ),
        (
            "netstring",
            b"5:a,b:c,0:,12:hello",
            &[
                r#"client frame at 0+8 ok: \"a,b:c\""#,
                r#"client frame at 8+3 ok: \"\""#,
                r#"client frame at 11+8 incomplete (the stream ended inside it): \"hello\" and 3 bytes more"#,
            ],
        ),
        (
            "netstring",
            b"1:a;1:b,",
            &[
                r#"client frame at 0+4 malformed (not a netstring): \"a\""#,
                "client unparsed at 4+4 incomplete (after a malformed message): not parsed",
            ],
        ),
        (
            "netstring",
            b"01:a,",
            &[
                r#"client frame at 0+3 malformed (not a netstring): \"\""#,
                "client unparsed at 3+2 incomplete (after a malformed message): not parsed",
            ],
        ),
        (
            "netstring",
            b"000000000000000000000",
            &[
                r#"client frame at 0+20 malformed (not a netstring): \"\""#,
                "client unparsed at 20+1 incomplete (after a malformed message): not parsed",
            ],
        ),
        ("netstring max=4", b"5:", &[r#"client frame at 0+2 malformed (the frame is longer than max): \"\""#]),
        (
            "cobs",
            b"\x03ab\x02c\0\x01\x01\0\0\x02x",
            &[
                r#"client frame at 0+6 ok: \"ab\\x00c\""#,
                r#"client frame at 6+3 ok: \"\\x00\""#,
                r#"client frame at 9+1 ok: \"\""#,
                r#"client frame at 10+2 incomplete (the stream ended inside it): \"x\" and 1 bytes more"#,
            ],
        ),
        (
            "cobs",
            b"\x04ab\0\x01\0",
            &[
                r#"client frame at 0+4 malformed (the frame ends inside a COBS block): \"ab\""#,
                "client unparsed at 4+2 incomplete (after a malformed message): not parsed",
            ],
        ),
        ("u8", b"\x02ab\x00", &[r#"client frame at 0+3 ok: \"ab\""#, r#"client frame at 3+1 ok: \"\""#]),
        ("u16be", b"\x00\x01a", &[r#"client frame at 0+3 ok: \"a\""#]),
        ("u16le", b"\x01\x00a", &[r#"client frame at 0+3 ok: \"a\""#]),
        ("u24be", b"\x00\x00\x01a", &[r#"client frame at 0+4 ok: \"a\""#]),
        ("u32le", b"\x01\x00\x00\x00a", &[r#"client frame at 0+5 ok: \"a\""#]),
        ("u64be", b"\x00\x00\x00\x00\x00\x00\x00\x01a", &[r#"client frame at 0+9 ok: \"a\""#]),
        ("u16be-2", b"\x00\x03a\x00\x02", &[r#"client frame at 0+3 ok: \"a\""#, r#"client frame at 3+2 ok: \"\""#]),
        ("u8+1", b"\x00a", &[r#"client frame at 0+2 ok: \"a\""#]),
        (
            "u16be-2",
            b"\x00\x01a",
            &[
                r#"client frame at 0+2 malformed (the length in the prefix is impossible): \"\""#,
                "client unparsed at 2+1 incomplete (after a malformed message): not parsed",
            ],
        ),
        (
            "u32be max=1k",
            b"\xff\xff\xff\xffabc",
            &[
                r#"client frame at 0+4 malformed (the frame is longer than max): \"\""#,
                "client unparsed at 4+3 incomplete (after a malformed message): not parsed",
            ],
        ),
    ];
    for (spec, bytes, expected) in cases {
        assert_eq!(lines_of(spec, &[client(bytes), closed()]), expected, "{spec}");
    }
}

#[test]
fn a_gap_is_counted_in_a_payload_and_ends_the_frame_elsewhere() {
    let gap = |missing| (Side::Client, Content::Gap(missing));
    assert_eq!(
        lines_of("u8", &[client(b"\x05ab"), gap(2), client(b"e\x01x"), closed()]),
        [r#"client frame at 0+6 ok: \"abe\", 2 bytes lost"#, r#"client frame at 6+2 ok: \"x\""#]
    );
    assert_eq!(
        lines_of("lines", &[client(b"ab"), gap(2), client(b"e\nx\n"), closed()]),
        [
            r#"client line at 0+2 incomplete (bytes of it are missing from the capture): \"ab\""#,
            r#"client line at 4+2 ok: \"e\""#,
            r#"client line at 6+2 ok: \"x\""#,
        ]
    );
    // A prefix with a gap in it is an error. It is reported where the gap is and not with the next
    // bytes, which may never come.
    assert_eq!(
        lines_of("u16be", &[client(b"\x00"), gap(1), closed()]),
        [r#"client frame at 0+2 malformed (the length in the prefix is impossible): \"\""#]
    );
}

#[test]
fn a_stream_joined_in_its_middle_gives_the_frames_that_are_seen() {
    for spec in ["lines", "u8", "fixed:2", "delimiter:2c", "varint", "cobs"] {
        let seen = lines_of(spec, &[client(b"\x01a\x01b\n,\0"), closed()]);
        let joined = lines_of(spec, &[(Side::Client, Content::Gap(0)), client(b"\x01a\x01b\n,\0"), closed()]);
        assert_eq!(joined, seen, "{spec}");
    }
}

#[test]
fn auto_recognises_a_stream_joined_in_its_middle_by_the_other_side() {
    let mut session = Registry::builtin().auto().session(None);
    let mut messages = Vec::new();
    let turns = [
        (Side::Client, Content::Gap(0)),
        (Side::Server, Content::Gap(0)),
        (Side::Server, Content::Chunk(b"end of a body HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())),
        (Side::Client, Content::Chunk(b"GET / HTTP/1.1\r\n\r\n".to_vec())),
    ];
    for (side, what) in turns {
        let mut say = |message: &enjamb::Message<'_>| messages.push((message.kind.to_owned(), message.span.offset));
        match what {
            Content::Gap(missing) => session.gap(side, missing, &mut say),
            Content::Chunk(bytes) => session.feed(side, &bytes, &mut say),
            Content::Close(ending) => session.close(side, ending, &mut say),
        }
    }
    assert_eq!(messages, [("unparsed".to_owned(), 0), ("response".to_owned(), 14), ("GET".to_owned(), 0)]);
}

#[test]
fn either_side_may_decide_auto_first() {
    let server = |bytes: &[u8]| (Side::Server, Content::Chunk(bytes.to_vec()));
    let protocols = |turns: &[(Side, Content)]| -> Vec<String> {
        let protocol = Registry::builtin().auto();
        let mut names = Vec::new();
        let mut session = protocol.session(None);
        Cutting::of(turns.iter().cloned())
            .transcript(&[])
            .play(session.as_mut(), &mut |message| names.push(message.protocol.to_owned()));
        names
    };
    assert_eq!(protocols(&[client(b"GET / HTTP/1.1\r\n\r\n")]), ["http1"]);
    assert_eq!(protocols(&[client(b"*1\r\n$4\r\nPING\r\n")]), ["redis"]);
    // No candidate recognises the client's bytes; those of the server are HTTP.
    assert_eq!(
        protocols(&[client(b"!!\r\n\r\n"), server(b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")]),
        ["http1", "http1"]
    );
    let strange = [client(b"\x00\x01"), closed(), server(b"\x02"), (Side::Server, Content::Close(Ending::Closed))];
    assert_eq!(protocols(&strange), ["opaque", "opaque"]);
    assert_eq!(lines_of("auto", &[client(&[0; 300]), closed()]).len(), 1);
}

/// Returns the protocols of the messages and of the session, of a server on `port`.
fn detected(port: u16, turns: &[(Side, Content)]) -> (Vec<String>, String) {
    let mut session = Registry::builtin().auto().session(Some(port));
    let mut names = Vec::new();
    Cutting::of(turns.iter().cloned())
        .transcript(&[])
        .play(session.as_mut(), &mut |message| names.push(message.protocol.to_owned()));
    for side in Side::BOTH {
        session.close(side, Ending::Lost, &mut |message| names.push(message.protocol.to_owned()));
    }
    (names, session.protocol().to_owned())
}

#[test]
fn a_port_alone_is_no_proof_of_a_protocol() {
    let server = |bytes: &[u8]| (Side::Server, Content::Chunk(bytes.to_vec()));
    let hello = [client(b"\x19\x03\x01\x00\x40\x01\x00\x00\x3c"), server(b"\x19\x03\x03\x00\x7a\x02")];
    for port in [80, 8080, 6379] {
        assert_eq!(detected(port, &hello), (vec!["opaque".to_owned(); 2], "opaque".to_owned()));
        assert_eq!(detected(port, &[client(b"\x00\x01{}\r\n"), server(b"+OK hi\r\n")]).1, "opaque");
        assert_eq!(detected(port, &[]), (Vec::new(), String::new()));
        assert_eq!(detected(port, &[closed(), (Side::Server, Content::Close(Ending::Closed))]).1, "");
    }
}

#[test]
fn auto_recognises_a_later_turn_where_the_first_bytes_are_missing() {
    let server = |bytes: &[u8]| (Side::Server, Content::Chunk(bytes.to_vec()));
    let ping = client(b"*1\r\n$4\r\nPING\r\n");
    let joined = [(Side::Client, Content::Gap(0)), (Side::Server, Content::Gap(0))];
    let turns = [&joined[..], &[client(b"lue\r\n"), server(b"\x00\x01"), ping.clone()]].concat();
    assert_eq!(detected(1, &turns).1, "redis");
    let turns = [(Side::Client, Content::Gap(14)), server(b"\x00\x01"), client(b"x"), server(b"+PONG\r\n"), ping];
    assert_eq!(detected(1, &turns).1, "redis");
    // Later bytes of a server are proof only if the port fits.
    let turns = [&joined[..], &[server(b"x"), client(b"y"), server(b"+OK\r\n")]].concat();
    assert_eq!(detected(1, &turns).1, "opaque");
    assert_eq!(detected(6379, &turns).1, "redis");
    // Without a hole only the first bytes are tried.
    assert_eq!(detected(6379, &[client(b"\x00"), server(b"x"), client(b"y"), server(b"+OK\r\n")]).1, "opaque");
}

#[test]
fn auto_keeps_no_more_than_its_limit() {
    let mut session = Registry::builtin().auto().session(None);
    for _ in 0..100 {
        session.feed(Side::Client, &[0; 1000], &mut |_| {});
        assert!(session.held() <= KEPT_MAX);
    }
}

/// Inputs before a gap: frames that need a known number of bytes, any number, or none.
const BEFORE_A_HOLE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
    b"*2\r\n$3\r\nGET\r\n$9\r\nab",
    b"$9\r\nab",
    b"\xff\xff\xff\xff",
    b"9:ab",
    b"2:ab",
    b"x\n",
];

proptest! {
    #[test]
    fn the_split_law_holds_for_any_bytes_and_any_spec(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(b'\r'), Just(b'\n'), Just(b':'), Just(b'1'), Just(b','), any::<u8>()], 0..60),
        spec in prop::sample::select(&["lines max=5", "delimiter:0d0a", "any:0d|0d0a|0a0100", "u8", "u16be max=20", "u8-1", "fixed:3", "varint", "netstring", "cobs", "auto"][..]),
    ) {
        messages(spec, &[client(&bytes), closed()]);
    }

    /// A gap may be as large as a 64-bit number, anywhere, again and again.
    #[test]
    fn any_gap_is_survived(
        turns in prop::collection::vec(
            (
                prop::sample::select(&Side::BOTH[..]),
                prop_oneof![
                    prop::sample::select(BEFORE_A_HOLE).prop_map(|bytes| Content::Chunk(bytes.to_vec())),
                    prop_oneof![Just(u64::MAX), 1_u64..10, any::<u64>()].prop_map(Content::Gap),
                ],
            ),
            0..8,
        ),
        protocol in prop::sample::select(&["lines", "u8", "u32be max=1G", "varint", "netstring", "cobs", "redis", "http1", "auto", "opaque"][..]),
    ) {
        let protocol = Registry::builtin().resolve(protocol).unwrap();
        let mut session = protocol.session(None);
        let mut ends = [0_u64; 2];
        let mut out = |message: &enjamb::Message<'_>| {
            let end = &mut ends[message.side.index()];
            assert!(message.span.offset >= *end, "{message:?} begins before {end}");
            *end = message.span.end();
        };
        Cutting::of(turns).transcript(&[]).play(session.as_mut(), &mut out);
        for side in Side::BOTH {
            session.close(side, Ending::Lost, &mut out);
        }
    }
}
