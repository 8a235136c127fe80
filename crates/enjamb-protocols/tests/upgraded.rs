//! Conversations that change to TLS and are seen as the proxy sees them that ends it: the text
//! inside.

use enjamb::Side;
use enjamb_protocols::Registry;

const C: Side = Side::Client;
const S: Side = Side::Server;

/// The protocols and kinds of the messages. Chunks have this length at most.
fn messages(protocol: &str, turns: &[(Side, &[u8])], length: usize) -> Vec<String> {
    let mut session = Registry::builtin().resolve(protocol).unwrap().session(None);
    let mut messages = Vec::new();
    for (side, bytes) in turns {
        for chunk in bytes.chunks(length) {
            session.feed(*side, chunk, &mut |message| {
                messages.push(format!("{} {} {}", message.protocol, message.kind, message.outcome.as_str()));
            });
        }
    }
    messages
}

fn check(protocol: &str, turns: &[(Side, &[u8])], expected: &[&str]) {
    for length in [1, 2, 3, 7, usize::MAX] {
        assert_eq!(messages(protocol, turns, length), expected, "{protocol} in chunks of {length}");
    }
}

#[test]
fn text_behind_a_change_to_tls_is_parsed_as_before() {
    check(
        "smtp",
        &[
            (S, b"220 mail.test\r\n"),
            (C, b"STARTTLS\r\n"),
            (S, b"220 go\r\n"),
            (C, b"EHLO me\r\n"),
            (S, b"250-mail.test\r\n250 SIZE\r\n"),
            (C, b"NOOP\r\n"),
            (S, b"250 ok\r\n"),
        ],
        &[
            "smtp greeting ok",
            "smtp STARTTLS ok",
            "smtp reply ok",
            "smtp EHLO ok",
            "smtp reply ok",
            "smtp NOOP ok",
            "smtp reply ok",
        ],
    );
    let startup = b"\0\0\0\x12\0\x03\0\0user\0alice\0";
    let startup = &startup[..];
    let startup = &[&[0, 0, 0, startup.len() as u8 + 1], &startup[4..], b"\0"].concat();
    check(
        "postgres",
        &[
            (C, &[0, 0, 0, 8, 4, 210, 22, 47]),
            (S, b"S"),
            (C, startup),
            (S, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"),
            (C, b"Q\0\0\0\x0dselect 1\0"),
        ],
        &[
            "postgres SSLRequest ok",
            "postgres encryption ok",
            "postgres StartupMessage ok",
            "postgres Authentication ok",
            "postgres ReadyForQuery ok",
            "postgres Query ok",
        ],
    );
}

#[test]
fn a_record_behind_a_change_to_tls_is_tls() {
    let record = b"\x16\x03\x01\0\x05hello";
    let all =
        messages("smtp", &[(C, b"STARTTLS\r\n"), (S, b"220 go\r\n"), (C, record), (C, b"\x17\x03\x03\0\x01x")], 1);
    assert!(all.last().is_some_and(|last| last.starts_with("tls ")), "{all:?}");
}
