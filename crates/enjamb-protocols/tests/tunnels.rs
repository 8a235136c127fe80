//! Tunnels: SOCKS and HTTP `CONNECT`, and the protocol inside them. Under all cuts and all orders
//! of the two sides' chunks they give the same messages.

use enjamb::transcript::Content;
use enjamb::{Ending, Message, Session, Side};
use enjamb_law::{Cutting, Interleavings, Segmentations, Sessions, interleaved, split_everywhere};
use enjamb_protocols::Registry;

type Turns<'a> = &'a [(Side, &'a [u8])];

const C: Side = Side::Client;
const S: Side = Side::Server;

const GET: &[u8] = b"GET /in HTTP/1.1\r\nHost: inner\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const REDIS: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
const REQUEST5: &[u8] = b"\x05\x01\0\x03\x05inner\0\x50";
const REPLY5: &[u8] = b"\x05\0\0\x01\x7f\0\0\x01\0\x50";
const CONNECT: &[u8] = b"CONNECT inner:80 HTTP/1.1\r\nHost: inner:80\r\n\r\n";

/// Conversations with the messages that they give: protocol, side, kind, offset and length, and the
/// request that is answered.
const CASES: &[(&str, Turns<'_>, &[&str])] = &[
    (
        "HTTP in SOCKS 5",
        &[(C, b"\x05\x01\0"), (S, b"\x05\0"), (C, REQUEST5), (S, REPLY5), (C, GET), (S, OK), (C, GET), (S, OK)],
        &[
            "socks client greeting 0+3",
            "socks server method 0+2 #0",
            "socks client CONNECT 3+12",
            "socks server reply 2+10 #1",
            "http1 client GET 15+33",
            "http1 server response 12+40 #2",
            "http1 client GET 48+33",
            "http1 server response 52+40 #3",
        ],
    ),
    (
        "Redis in SOCKS 5 with a password",
        &[
            (C, b"\x05\x02\0\x02"),
            (S, b"\x05\x02"),
            (C, b"\x01\x02me\x06secret"),
            (S, b"\x01\0"),
            (C, REQUEST5),
            (S, REPLY5),
            (C, REDIS),
            (S, b"$1\r\nv\r\n"),
        ],
        &[
            "socks client greeting 0+4",
            "socks server method 0+2 #0",
            "socks client authentication 4+11",
            "socks server status 2+2 #1",
            "socks client CONNECT 15+12",
            "socks server reply 4+10 #2",
            "redis client GET 27+20",
            "redis server reply 14+7 #3",
        ],
    ),
    (
        "HTTP in SOCKS 4a",
        &[(C, b"\x04\x01\0\x50\0\0\0\x01me\0inner\0"), (S, b"\0\x5a\0\0\0\0\0\0"), (C, GET), (S, OK)],
        &[
            "socks client CONNECT 0+17",
            "socks server reply 0+8 #0",
            "http1 client GET 17+33",
            "http1 server response 8+40 #1",
        ],
    ),
    (
        "a refusal",
        &[(C, b"\x05\x01\0"), (S, b"\x05\0"), (C, REQUEST5), (S, b"\x05\x05\0\x01\0\0\0\0\0\0")],
        &[
            "socks client greeting 0+3",
            "socks server method 0+2 #0",
            "socks client CONNECT 3+12",
            "socks server reply 2+10 #1 failed",
        ],
    ),
    (
        "bytes that are not known in SOCKS 4",
        &[(C, b"\x04\x01\0\x50\x7f\0\0\x01\0"), (S, b"\0\x5a\0\0\0\0\0\0"), (C, b"\x16\x02\x01"), (S, b"\x16\x02\x03")],
        &[
            "socks client CONNECT 0+9",
            "socks server reply 0+8 #0",
            "socks client opaque 9+3",
            "socks server opaque 8+3",
        ],
    ),
    (
        "TLS in CONNECT",
        &[
            (C, CONNECT),
            (S, b"HTTP/1.1 200 Yes\r\n\r\n"),
            (C, b"\x15\x03\x03\0\x02\x01\0"),
            (S, b"\x15\x03\x03\0\x02\x01\0"),
        ],
        &[
            "http1 client CONNECT 0+45",
            "http1 server response 0+20 #0",
            "tls client alert 45+7",
            "tls server alert 20+7",
        ],
    ),
    (
        "HTTP in CONNECT",
        &[(C, CONNECT), (S, b"HTTP/1.1 200 Yes\r\n\r\n"), (C, GET), (S, OK), (C, GET), (S, OK)],
        &[
            "http1 client CONNECT 0+45",
            "http1 server response 0+20 #0",
            "http1 client GET 45+33",
            "http1 server response 20+40 #1",
            "http1 client GET 78+33",
            "http1 server response 60+40 #2",
        ],
    ),
    (
        "Redis in CONNECT, behind one that was refused",
        &[
            (C, CONNECT),
            (S, b"HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx"),
            (C, CONNECT),
            (S, b"HTTP/1.1 200 Yes\r\n\r\n"),
            (C, REDIS),
            (S, b"$1\r\nv\r\n"),
        ],
        &[
            "http1 client CONNECT 0+45",
            "http1 server response 0+39 #0 failed",
            "http1 client CONNECT 45+45",
            "http1 server response 39+20 #1",
            "redis client GET 90+20",
            "redis server reply 59+7 #2",
        ],
    ),
    (
        "TLS in CONNECT",
        &[(C, CONNECT), (S, b"HTTP/1.1 200 Yes\r\n\r\n"), (C, b"\x16\x03\x01\n"), (S, b"\x16\x03\x03")],
        &[
            "http1 client CONNECT 0+45",
            "http1 server response 0+20 #0",
            "http1 client opaque 45+4",
            "http1 server opaque 20+3",
        ],
    ),
    (
        "SOCKS 5 in CONNECT, with HTTP in it",
        &[
            (C, CONNECT),
            (S, b"HTTP/1.1 200 Yes\r\n\r\n"),
            (C, b"\x05\x01\0"),
            (S, b"\x05\0"),
            (C, REQUEST5),
            (S, REPLY5),
            (C, GET),
            (S, OK),
        ],
        &[
            "http1 client CONNECT 0+45",
            "http1 server response 0+20 #0",
            "socks client greeting 45+3",
            "socks server method 20+2 #1",
            "socks client CONNECT 48+12",
            "socks server reply 22+10 #2",
            "http1 client GET 60+33",
            "http1 server response 32+40 #3",
        ],
    ),
];

fn line(message: &Message<'_>) -> String {
    let answers = message.answers.map(|request| format!(" #{request}")).unwrap_or_default();
    let outcome = if message.outcome == enjamb::Outcome::Ok { String::new() } else { format!(" {}", message.outcome) };
    let (protocol, span) = (message.protocol, message.span);
    format!("{protocol} {} {} {}+{}{answers}{outcome}", message.side, message.kind, span.offset, span.length)
}

fn input(turns: Turns<'_>, ends: &[(Side, Ending)]) -> Cutting {
    let chunks = turns.iter().map(|(side, bytes)| (*side, Content::Chunk(bytes.to_vec())));
    Cutting::of(chunks.chain(ends.iter().map(|(side, ending)| (*side, Content::Close(*ending)))))
}

const ENDS: &[(Side, Ending)] = &[(C, Ending::Closed), (S, Ending::Closed)];

/// Returns the protocol by whose name the outer conversation is parsed.
fn outer(expected: &[&str]) -> &'static str {
    if expected[0].starts_with("socks") { "socks" } else { "http1" }
}

fn open(protocol: &str) -> Box<dyn Session> {
    Registry::builtin().resolve(protocol).unwrap().session(None)
}

#[test]
fn the_messages_inside_a_tunnel_continue_the_outer_streams() {
    for (name, turns, expected) in CASES {
        for protocol in [outer(expected), "auto"] {
            let mut messages = Vec::new();
            input(turns, ENDS).transcript(&[]).play(&mut *open(protocol), &mut |message| messages.push(line(message)));
            // Under `auto` messages come later, and in each side's order.
            let of =
                |side: &str, all: &[String]| all.iter().filter(|line| line.contains(side)).cloned().collect::<Vec<_>>();
            let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
            for side in [" client ", " server "] {
                assert_eq!(of(side, &messages), of(side, &expected), "{name} as {protocol}");
            }
        }
    }
}

#[test]
fn the_cuts_and_the_order_change_nothing_in_a_tunnel() {
    for (name, turns, expected) in CASES {
        for protocol in [outer(expected), "auto"] {
            let sessions = Sessions(|| open(protocol));
            for ends in [&[][..], ENDS, &[(S, Ending::Closed), (C, Ending::Reset)]] {
                let input = input(turns, ends);
                let checked = split_everywhere(&sessions, &input, &Segmentations::up_to_one_cut().and_random(3, 100))
                    .unwrap_or_else(|violation| panic!("{name} as {protocol}: {violation}"));
                assert!(checked.segmentations > 20, "{name}");
                let every = |size: usize| (1..input.len()).filter(|at| at % size == 0).collect::<Vec<_>>();
                for cuts in [Vec::new(), every(40), every(13), every(3)] {
                    interleaved(&sessions, &input, &cuts, &Interleavings::all_up_to(2000, 7, 200))
                        .unwrap_or_else(|violation| panic!("{name} as {protocol}: {violation}"));
                }
            }
        }
    }
}

#[test]
fn a_gap_inside_a_tunnel_is_passed_to_the_inner_protocol() {
    let (_, turns, _) = CASES[0];
    let mut session = open("socks");
    let mut messages = Vec::new();
    for (side, bytes) in &turns[..6] {
        session.feed(*side, bytes, &mut |message| messages.push(line(message)));
    }
    session.gap(S, 40, &mut |message| messages.push(line(message)));
    session.feed(C, GET, &mut |message| messages.push(line(message)));
    session.feed(S, OK, &mut |message| messages.push(line(message)));
    let last = messages.last().unwrap();
    assert!(last.starts_with("http1 server response 92+40"), "{messages:#?}");
}

#[test]
fn tunnels_in_tunnels_end_at_the_limit() {
    let mut session = open("http1");
    let mut kinds = Vec::new();
    let mut protocols = Vec::new();
    for _ in 0..2000 {
        let mut out = |message: &Message<'_>| {
            kinds.push(message.kind.to_owned());
            protocols.push(message.protocol.to_owned());
        };
        session.feed(C, CONNECT, &mut out);
        session.feed(S, b"HTTP/1.1 200 Yes\r\n\r\n", &mut out);
        assert!(session.held() < 64 << 10);
    }
    assert_eq!(kinds.iter().filter(|kind| *kind == "CONNECT").count(), 5);
}

#[test]
fn a_gap_or_a_wrong_byte_in_the_handshake_leaves_the_rest_unparsed() {
    let mut messages = Vec::new();
    let mut session = open("socks");
    let mut out = |message: &Message<'_>| messages.push(line(message));
    session.feed(C, b"\x05\x01\0", &mut out);
    session.feed(S, b"\x06\0abc", &mut out);
    session.feed(C, REQUEST5, &mut out);
    Side::BOTH.into_iter().for_each(|side| session.close(side, Ending::Closed, &mut out));
    let mut session = open("socks");
    session.feed(C, b"\x05\x01\0\x05", &mut out);
    session.gap(C, 5, &mut out);
    session.feed(C, b"ab", &mut out);
    Side::BOTH.into_iter().for_each(|side| session.close(side, Ending::Lost, &mut out));
    assert_eq!(
        messages,
        [
            "socks client greeting 0+3",
            "socks server method 0+1 #0 malformed",
            "socks client unparsed 3+12 incomplete",
            "socks server unparsed 1+4 incomplete",
            "socks client greeting 0+3",
            "socks client unparsed 3+1 incomplete",
            "socks client unparsed 9+2 incomplete",
        ]
    );
}

#[test]
fn other_protocols_are_not_taken_for_socks() {
    for bytes in [
        &b"\x05\0\x0b\x03\x10\0\0\0"[..],
        b"\x05\x01\0GET",
        b"\x05\x01\x02\x05\x09",
        b"\x04\x01\0\0\x7f\0\0\x01\0",
        b"\x04\x01\0\x50\0\0\0\0\0",
        b"\x04\x22\0\x50\x7f\0\0\x01\0",
        b"\x04\x01\0\x50\x7f\0\0\x01\x80\0",
    ] {
        let mut session = open("auto");
        session.feed(C, bytes, &mut |_| {});
        session.feed(S, b"\x05\0", &mut |_| {});
        Side::BOTH.into_iter().for_each(|side| session.close(side, Ending::Closed, &mut |_| {}));
        assert_eq!(session.protocol(), "opaque", "{}", bytes.escape_ascii());
    }
}
