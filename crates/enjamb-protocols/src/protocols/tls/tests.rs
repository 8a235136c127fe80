//! Records, and the handshake messages in them.

use super::super::testing::{C, S, lines, lines_midstream};

/// Returns a record of TLS 1.2.
fn record(content: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content, 3, 3];
    record.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// Returns a handshake message.
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// Returns a hello with these extensions, and what goes before them behind the random bytes.
fn hello(kind: u8, middle: &[u8], extensions: &[u8]) -> Vec<u8> {
    let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    handshake(kind, &[&[3, 3], &[7; 32][..], middle, &length, extensions].concat())
}

const SNI: &[u8] = b"\0\0\0\x0b\0\x09\0\0\x06a.test";
const ALPN: &[u8] = b"\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1";
const VERSIONS: &[u8] = b"\0\x2b\0\x05\x04\x0a\x0a\x03\x04";

fn client_hello() -> Vec<u8> {
    hello(1, b"\0\0\x02\x13\x01\x01\0", &[SNI, ALPN, VERSIONS].concat())
}

fn server_hello() -> Vec<u8> {
    hello(2, b"\0\x13\x01\0", b"\0\x2b\0\x02\x03\x04")
}

#[test]
fn hellos_show_the_name_the_version_and_the_application_protocol() {
    let lines = lines(
        "tls",
        &[
            (C, record(22, &client_hello())),
            (S, [record(22, &server_hello()), record(20, &[1]), record(23, &[0; 40])].concat()),
            (C, [record(20, &[1]), record(23, &[0; 40])].concat()),
            (C, record(21, &[1, 0])),
        ],
    );
    assert_eq!(
        lines,
        [
            "client ClientHello at 0+94 ok: ClientHello a.test, TLS 1.3, h2",
            "server ServerHello at 0+55 ok answers #0: ServerHello, TLS 1.3",
            "server ChangeCipherSpec at 55+6 ok: ChangeCipherSpec",
            "server application_data at 61+45 ok: application_data",
            "client ChangeCipherSpec at 94+6 ok: ChangeCipherSpec",
            "client application_data at 100+45 ok: application_data",
            "client alert at 145+7 ok close_notify: alert close_notify",
        ]
    );
}

#[test]
fn a_handshake_message_over_several_records_is_one_message() {
    let hello = client_hello();
    for at in [1, 3, 4, 5, 50, hello.len() - 1] {
        let (one, two) = hello.split_at(at);
        let bytes = [record(22, one), record(22, two)].concat();
        let lines = lines("tls", &[(C, bytes)]);
        assert_eq!(lines, ["client ClientHello at 0+99 ok: ClientHello a.test, TLS 1.3, h2, 2 records"], "{at}");
    }
}

#[test]
fn several_handshake_messages_in_a_record_are_one_message_that_lists_them() {
    let bytes = record(22, &[server_hello(), handshake(11, &[0; 9]), handshake(14, &[])].concat());
    let lines = lines("tls", &[(C, record(22, &client_hello())), (S, bytes)]);
    assert!(lines[1].ends_with("answers #0: ServerHello, Certificate, ServerHelloDone, TLS 1.3"), "{}", lines[1]);
}

#[test]
fn alerts_have_failed_and_carry_their_name() {
    let turns = [(C, record(22, &client_hello())), (S, record(21, &[2, 40]))];
    let lines_of_alert = lines("tls", &turns);
    assert_eq!(lines_of_alert[1], "server alert at 0+7 failed handshake_failure answers #0: alert handshake_failure");
    assert_eq!(lines("tls", &[(S, record(21, &[2, 250]))]), ["server alert at 0+7 failed 250: alert 250"]);
    let strange = lines("tls", &[(S, record(21, &[9, 40]))]);
    assert!(strange[0].contains("malformed (the level of the alert is neither 1 nor 2)"), "{strange:?}");
    let short = lines("tls", &[(S, record(21, &[2]))]);
    assert!(short[0].contains("malformed"), "{short:?}");
}

#[test]
fn behind_change_cipher_spec_only_the_types_of_records_are_known() {
    let bytes = [record(20, &[1]), record(22, &[1; 40]), record(21, &[9; 26]), record(22, &client_hello())].concat();
    let kinds: Vec<String> = lines("tls", &[(C, bytes)]);
    let kinds: Vec<&str> = kinds.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    // The second hello of a client of TLS 1.3 is not encrypted.
    assert_eq!(kinds, ["ChangeCipherSpec", "encrypted-handshake", "encrypted-alert", "ClientHello"]);
}

#[test]
fn lengths_beyond_the_limit_are_malformed_and_the_longest_record_is_not() {
    let longest = lines("tls", &[(C, record(23, &vec![0; (1 << 14) + 2048]))]);
    assert_eq!(longest, ["client application_data at 0+18437 ok: application_data"]);
    let bytes = [record(23, &vec![0; (1 << 14) + 2049]), record(23, &[0; 30])].concat();
    let lines_behind = lines("tls", &[(C, bytes)]);
    assert_eq!(
        lines_behind,
        [
            "client application_data at 0+5 malformed (the record is longer than 2^14 + 2048 bytes): application_data",
            "client unparsed at 5+18433 incomplete (after a malformed message): not parsed",
            "client application_data at 18438+35 ok: application_data",
        ]
    );
    // A handshake message of 2^24 bytes.
    let huge = lines("tls", &[(C, record(22, b"\x01\xff\xff\xff\x03\x03"))]);
    assert!(huge[0].contains("malformed (the type or the length of a handshake message is not possible)"), "{huge:?}");
}

#[test]
fn fields_beyond_the_hello_and_records_between_its_parts_are_malformed() {
    let long = hello(1, b"\xff\0\x02\x13\x01\x01\0", &[]);
    assert!(lines("tls", &[(C, record(22, &long))])[0].contains("malformed (a field of the hello"));
    let (one, _) = long.split_at(20);
    let bytes = [record(22, one), record(21, &[2, 10])].concat();
    assert!(lines("tls", &[(C, bytes)])[0].contains("malformed (another record is inside"));
    assert!(lines("tls", &[(C, record(22, &[]))])[0].contains("malformed (a record of the handshake is empty)"));
}

#[test]
fn a_client_hello_may_have_the_form_of_ssl_2() {
    let hello = b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f0123456789abcdef";
    let turns: [(_, &[u8]); 2] = [(C, hello), (S, &record(22, &server_hello()))];
    let expected = [
        "client ClientHello at 0+30 ok [sslv2]: ClientHello",
        "server ServerHello at 0+55 ok answers #0: ServerHello, TLS 1.3",
    ];
    assert_eq!(lines("tls", &turns), expected);
    assert_eq!(lines("auto", &turns), expected);
    // All of SSL 2.0.
    let old: [(_, &[u8]); 3] = [
        (C, b"\x80\x1c\x01\0\x02\0\x03\0\0\0\x10\x01\0\x800123456789abcdef"),
        (S, b"\x80\x0b\x04\0\x01\0\x02\0\0\0\0\0\0"),
        (C, b"\x80\x05\x02\x01\0\x80\0\0\x05\x03abcde"),
    ];
    let kinds: Vec<String> = lines("tls", &old);
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert!(kinds[1].starts_with("server ServerHello at 0+13 ok [sslv2] answers #0"), "{kinds:?}");
    assert!(kinds[3].starts_with("client record at 37+8 ok"), "{kinds:?}");
}

#[test]
fn a_capture_that_joined_in_the_middle_shows_the_records() {
    let bytes = [record(23, &[5; 40]), record(22, &[200; 40]), record(21, &[1; 26])].concat();
    let kinds: Vec<String> = lines_midstream("auto", C, &bytes);
    assert_eq!(
        kinds,
        [
            "client application_data at 0+45 ok: application_data",
            "client encrypted-handshake at 45+45 ok: encrypted-handshake",
            "client encrypted-alert at 90+31 ok: encrypted-alert",
        ]
    );
}

#[test]
fn a_server_hello_of_a_draft_is_shorter() {
    let draft = handshake(2, &[&[0x7f, 18], &[7; 32][..], b"\x13\x01\0\0"].concat());
    let seen = lines("tls", &[(S, record(22, &draft))]);
    assert_eq!(seen, ["server ServerHello at 0+47 ok: ServerHello, TLS 1.3 draft 18"]);
}

#[test]
fn a_heartbeat_that_asks_for_more_than_it_brings_is_malformed() {
    let good = [b"\x01\0\x03abc".as_slice(), &[0; 16]].concat();
    assert_eq!(lines("tls", &[(C, record(24, &good))]), ["client heartbeat at 0+27 ok: heartbeat"]);
    assert!(lines("tls", &[(C, record(24, b"\x01\x40\0"))])[0].contains("malformed (the payload of the heartbeat"));
}
