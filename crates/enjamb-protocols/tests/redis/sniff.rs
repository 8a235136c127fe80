//! Detection by the first bytes.

use enjamb::Side::{self, Client, Server};
use enjamb_protocols::Sniff;
use enjamb_protocols::redis::sniff;

#[test]
fn the_first_bytes_tell_redis_from_others() {
    let cases: [(Side, &[u8], Sniff); 24] = [
        (Client, b"", Sniff::More),
        (Client, b"*1\r\n", Sniff::More),
        (Client, b"*1\r\n$4\r\nPING\r\n", Sniff::Yes),
        (Client, b"*1\r\n:4\r\n", Sniff::No),
        (Client, b"*123456789", Sniff::No),
        (Client, b"ping\r\n", Sniff::Yes),
        (Client, b"PIN", Sniff::More),
        (Client, b"hello 3\r\n", Sniff::Yes),
        (Client, b"HELO example.org\r\n", Sniff::No),
        (Client, b"GET / HTTP/1.1\r\n", Sniff::No),
        (Client, b"\x16\x03\x01", Sniff::No),
        (Server, b"+OK\r\n", Sniff::Yes),
        (Server, b"+OK POP3 ready\r\n", Sniff::No),
        (Server, b"+PONG\r\n", Sniff::Yes),
        (Server, b"-NOAUTH Authentication required.\r\n", Sniff::Yes),
        (Server, b"-ERR unknown command", Sniff::Yes),
        (Server, b"-ERR unknown user", Sniff::No),
        (Server, b"$5\r\nhello\r\n", Sniff::Yes),
        (Server, b"$-1\r\n", Sniff::More),
        (Server, b"*2\r\n$1\r\n", Sniff::Yes),
        (Server, b"%7\r\n$6\r\n", Sniff::Yes),
        (Server, b"%PDF-1.7", Sniff::No),
        (Server, b"220 mail ESMTP\r\n", Sniff::No),
        (Server, b"HTTP/1.1 200 OK\r\n", Sniff::No),
    ];
    for (side, first, expected) in cases {
        assert_eq!(sniff(side, first), expected, "{side} {}", first.escape_ascii());
    }
}

#[test]
fn a_sniff_decides_early_and_for_good() {
    let beginnings: [&[u8]; 8] = [
        b"*1\r\n$4\r\nPING\r\n",
        b"*-12345678\r\n",
        b"$12345678\r\n",
        b"-ERR Protocol error",
        b"-DENIED Redis is",
        b"+OK\r\n+OK\r\n",
        b"MONITOR\r\n",
        b":1\r\n:2\r\n",
    ];
    for side in Side::BOTH {
        for beginning in beginnings {
            for tail in [&b""[..], b"*", b"$", b"\r\n", b"xxxxxxxxxxxxxxxx"] {
                let stream = [beginning, tail, b"................"].concat();
                let mut decided = Sniff::More;
                for length in 0..=stream.len() {
                    let now = sniff(side, &stream[..length]);
                    assert!(decided == Sniff::More || now == decided, "{side} {} at {length}", stream.escape_ascii());
                    assert!(length < 16 || now != Sniff::More, "{side} {} at {length}", stream.escape_ascii());
                    decided = now;
                }
            }
        }
    }
}
