//! The first bytes of a side.

use enjamb::Side::{self, Client, Server};
use enjamb_protocols::{Sniff, http1};
use proptest::prelude::*;

#[test]
fn the_first_bytes_decide() {
    let table: &[(Side, &[u8], Sniff)] = &[
        (Client, b"", Sniff::More),
        (Client, b"GE", Sniff::More),
        (Client, b"GET ", Sniff::More),
        (Client, b"GET /", Sniff::Yes),
        (Client, b"\r\nGET /", Sniff::Yes),
        (Client, b"GET http", Sniff::Yes),
        (Client, b"GET key\r\n", Sniff::No),
        (Client, b"POST /", Sniff::Yes),
        (Client, b"CONNECT h", Sniff::More),
        (Client, b"CONNECT h:443 HTTP/1.1\r\n", Sniff::Yes),
        (Client, b"CONNECT {\"verbose\":false}\r\n", Sniff::No),
        (Client, b"CONNECT\naccept-version:1.2\n", Sniff::No),
        (Client, b"FROB /x HTTP/1.1\r\n", Sniff::Yes),
        (Client, b"CWD /x\r\n", Sniff::No),
        (Client, b"EHLO example.test\r\n", Sniff::No),
        (Client, b"OPTIONS * RTSP/1.0\r\n", Sniff::No),
        (Client, b"OPTIONS * HTTP/1.1\r\n", Sniff::Yes),
        (Client, b"*1\r\n$4\r\nPING\r\n", Sniff::No),
        (Client, b"\x16\x03\x01", Sniff::No),
        (Client, &[b'A'; 64], Sniff::No),
        (Server, b"HTTP/", Sniff::More),
        (Server, b"HTTP/1.", Sniff::Yes),
        (Server, b"HTTP/2", Sniff::No),
        (Server, b"+PONG", Sniff::No),
    ];
    for (side, first, expected) in table {
        assert_eq!(http1::sniff(*side, first), *expected, "{side} {}", first.escape_ascii());
    }
}

fn beginning() -> impl Strategy<Value = Vec<u8>> {
    let tokens =
        prop::sample::select(vec!["GET", "OPTIONS", "FROB", " ", "/", "h", "ttp", "\r\n", " HTTP/1.1\r\n", "HTTP/1."]);
    (prop::collection::vec(tokens, 0..8), prop::collection::vec(any::<u8>(), 0..70)).prop_map(|(tokens, rest)| {
        let mut bytes = tokens.concat().into_bytes();
        bytes.extend(rest);
        bytes
    })
}

proptest! {
    #[test]
    fn more_bytes_never_change_a_decision(bytes in beginning(), side in prop::sample::select(Side::BOTH.to_vec())) {
        let mut before = Sniff::More;
        for end in 0..=bytes.len() {
            let now = http1::sniff(side, &bytes[..end]);
            prop_assert!(before == Sniff::More || before == now);
            prop_assert!(end < 64 || now != Sniff::More);
            before = now;
        }
    }
}
