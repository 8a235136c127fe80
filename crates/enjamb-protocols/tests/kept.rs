//! The bytes that a session keeps until it knows what they are: where their limit is reached, the
//! cuts decide nothing.

use enjamb::Side;
use enjamb::transcript::Content;
use enjamb_law::{Cutting, Sessions, split};
use enjamb_protocols::{KEPT_MAX, Registry};

const C: Side = Side::Client;

/// The beginnings of conversations: the client sends them before the bytes that are kept.
const BEGINNINGS: &[(&str, &[u8])] = &[
    ("http1", b"GET / HTTP/1.1\r\nUpgrade: a\r\n\r\n"),
    ("http1", b"GET x\r\nUpgrade: a\r\n\r\nc1\r\n"),
    ("http1", b"CONNECT a:1 HTTP/1.1\r\n\r\n"),
    ("http1", b"GET / HTTP/1.1\r\nUpgrade: a\r\n\r\nGET / HTTP/1.1\r\nUpgrade: b\r\n\r\n"),
    ("http1", b"CONNECT a:1 HTTP/1.1\r\n\r\nCONNECT b:1 HTTP/1.1\r\n\r\n"),
    ("socks", b"\x05\x01\0"),
    ("socks", b"\x05\x02\0\x02\x01\x02me\x06secret"),
    ("auto", b"\x05\x01\0"),
    ("auto", b""),
    ("auto", b"*"),
];

/// The bytes that follow, many times.
const FILLERS: &[&[u8]] = &[b"e", b"\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x05\x01\0", b"*1\r\n$4\r\nPING\r\n", b"\r\n"];

/// The answers that may come behind it.
const ANSWERS: &[&[u8]] = &[
    b"",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\nxyz",
    b"HTTP/1.1 200 OK\r\n\r\nxyz",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"\x05\0\0\0",
];

#[test]
fn the_cuts_decide_nothing_where_the_limit_of_kept_bytes_is_reached() {
    let registry = Registry::builtin();
    for &(name, beginning) in BEGINNINGS {
        let protocol = registry.resolve(name).unwrap();
        let subject = Sessions(|| protocol.session(None));
        for filler in FILLERS {
            for around in [0, 1, 5, 40] {
                let length = KEPT_MAX + around;
                let filled = filler.iter().copied().cycle().take(length);
                let bytes: Vec<u8> = beginning.iter().copied().chain(filled).collect();
                for answer in ANSWERS {
                    let input = Cutting::of([
                        (C, Content::Chunk(bytes.clone())),
                        (Side::Server, Content::Chunk(answer.to_vec())),
                        (C, Content::Chunk(b"GET /2 HTTP/1.1\r\n\r\n".to_vec())),
                    ]);
                    for cuts in cuts(beginning.len(), bytes.len()) {
                        if let Err(violation) = split(&subject, &input, &cuts) {
                            let filler = filler.escape_ascii();
                            panic!("{name}, filled with {length} bytes of {filler}: {:.3000}", violation.to_string());
                        }
                    }
                }
            }
        }
    }
}

/// Cuts at the beginning of the kept bytes, where their limit is, and beside both.
fn cuts(begin: usize, end: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![1.max(begin / 2), begin + 1], vec![begin + 100, begin + 10_000]];
    for limit in [KEPT_MAX, begin + KEPT_MAX] {
        for at in limit.saturating_sub(2)..=limit + 2 {
            all.push(vec![at]);
            all.push(vec![begin.max(1), at]);
        }
    }
    for cuts in &mut all {
        cuts.retain(|&at| at > 0 && at < end);
        cuts.dedup();
    }
    all
}
