//! The choice of the client, where the handshake was not captured.

mod conversations;
mod wire;

use std::path::Path;

use conversations::{Conversation, Conversations};
use enjamb::Side;
use enjamb_capture::Options;
use wire::Wire;

/// The side of [`Wire`] with the higher port, which would be the client by the ports alone.
const HIGHER: Side = Side::Client;

/// Plays payloads in the midst of a connection. Returns it, and whether the higher port is the
/// client's.
fn joined(payloads: &[(Side, &[u8])]) -> (Conversation, bool) {
    let mut wire = Wire::new(1000, Options::default());
    let mut offsets = [0, 0];
    for (side, payload) in payloads {
        let at = offsets[side.index()];
        let segment = wire.segment(*side, at, payload);
        wire.push(&segment);
        offsets[side.index()] += payload.len() as i64;
    }
    let (tap, _) = wire.finish();
    let conversation = tap.only().clone();
    let higher = conversation.connection.client.port() > conversation.connection.server.port();
    (conversation, higher)
}

#[test]
fn the_bytes_of_the_first_packet_choose_the_client_or_else_the_ports() {
    /// The payloads of packets in order, and whether the client has the higher port.
    type Case<'a> = (&'a [(Side, &'a [u8])], bool);
    let lower = !HIGHER;
    let cases: [Case<'_>; 9] = [
        (&[(lower, b"GET / HTTP/1.1\r\n\r\n"), (HIGHER, b"HTTP/1.1 200 OK\r\n\r\n")], false),
        (&[(HIGHER, b"HTTP/1.1 200 OK\r\n\r\n"), (lower, b"GET / HTTP/1.1\r\n\r\n")], false),
        (&[(lower, b"*1\r\n$4\r\nPING\r\n")], false),
        (&[(lower, b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4")], false),
        (&[(lower, b""), (lower, b"GET / HTTP/1.1\r\n\r\n")], true),
        (&[(HIGHER, b"GET / HTTP/1.1\r\n\r\n")], true),
        (&[(lower, b"*2\r\n$3\r\nred\r\n$4\r\nblue\r\n")], true),
        (&[(lower, b"neither")], true),
        (&[(lower, b"")], true),
    ];
    for (payloads, expected) in cases {
        let (conversation, higher) = joined(payloads);
        assert_eq!(higher, expected, "{payloads:?}");
        for (side, payload) in payloads.iter().filter(|(_, payload)| !payload.is_empty()) {
            let side = if higher { *side } else { !*side };
            assert!(conversation.chunks(side).contains(payload), "{payloads:?}");
        }
    }
}

#[test]
fn a_handshake_decides_whatever_the_first_bytes_are() {
    let mut wire = Wire::new(1000, Options::default());
    wire.handshake();
    let segment = wire.segment(!HIGHER, 0, b"GET / HTTP/1.1\r\n\r\n");
    wire.push(&segment);
    let (tap, _) = wire.finish();
    assert_eq!(tap.only().connection.client.port(), 40_000);
}

#[test]
fn a_client_on_a_low_port_is_found_in_a_capture() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/faults/J-midstream-low-client.pcap");
    let mut tap = Conversations::default();
    enjamb_capture::open(path, &mut tap, &Options::default());
    let connection = tap.only().connection;
    assert_eq!((connection.client.port(), connection.server.port()), (39_976, 64_000));
}
