//! Calls in all forms, and messages that never end.

use super::super::testing::{C, S, lines};

/// A call of `add` with two numbers, a structure, a list and a map, in the binary protocol.
const CALL: &[u8] = b"\x80\x01\0\x01\0\0\0\x03add\0\0\0\x07\x08\0\x01\0\0\0\x01\x0c\0\x02\x0b\0\x01\0\0\0\x02hi\0\
\x0f\0\x03\x0b\0\0\0\x02\0\0\0\x01a\0\0\0\x01b\x0d\0\x04\x08\x0b\0\0\0\x01\0\0\0\x05\0\0\0\0\x0f\0\x05\x06\0\0\0\x02\0\x01\0\x02\0";
const REPLY: &[u8] = b"\x80\x01\0\x02\0\0\0\x03add\0\0\0\x07\x08\0\0\0\0\0\x02\0";
const REFUSAL: &[u8] = b"\x80\x01\0\x03\0\0\0\x03add\0\0\0\x07\x0b\0\x01\0\0\0\x02no\x08\0\x02\0\0\0\x01\0";
const DECLARED: &[u8] = b"\x80\x01\0\x02\0\0\0\x03add\0\0\0\x07\x0c\0\x01\0\0";
/// The reply in the compact protocol.
const COMPACT_REPLY: &[u8] = b"\x82\x41\x07\x03add\x05\0\x04\0";
const COMPACT_REFUSAL: &[u8] = b"\x82\x61\x07\x03add\x18\x02no\x15\x02\0";

fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

#[test]
fn calls_are_paired_in_all_forms() {
    // With a truth value, a long list and a map.
    let compact: Vec<u8> = [
        &b"\x82\x21\x07\x03add\x15\x02\x11\x1c\x18\x02hi\0\x19\xf8\x0f"[..],
        &b"\x01a".repeat(15),
        b"\x1b\x01\x58\x0a\0\0",
    ]
    .concat();
    for (call, reply, refusal) in [(CALL, REPLY, REFUSAL), (&compact, COMPACT_REPLY, COMPACT_REFUSAL)] {
        let unframed: [(_, Vec<u8>); 4] =
            [(C, call.repeat(2)), (S, reply.to_vec()), (C, call.to_vec()), (S, [reply, refusal].concat())];
        let framed: [(_, Vec<u8>); 4] = [
            (C, framed(call).repeat(2)),
            (S, framed(reply)),
            (C, framed(call)),
            (S, [framed(reply), framed(refusal)].concat()),
        ];
        for turns in [&unframed, &framed] {
            for protocol in ["thrift", "auto"] {
                let lines = lines(protocol, turns);
                assert!(lines[0].starts_with("client call at 0+") && lines[0].ends_with("ok: call add"), "{lines:?}");
                assert!(lines[1].ends_with("ok: call add"), "{lines:?}");
                assert!(
                    lines[2].starts_with("server reply at 0+") && lines[2].ends_with("ok answers #0: reply add"),
                    "{lines:?}"
                );
                assert!(
                    lines[5].ends_with("failed UNKNOWN_METHOD answers #2: exception UNKNOWN_METHOD add"),
                    "{lines:?}"
                );
                assert_eq!(lines.len(), 6);
            }
        }
    }
    let declared = lines("thrift", &[(C, CALL), (S, DECLARED)]);
    assert!(declared[1].ends_with("failed exception 1 answers #0: reply exception 1 add"), "{declared:?}");
}

#[test]
fn lengths_and_nesting_are_limited() {
    let header = b"\x80\x01\0\x01\0\0\0\x01a\0\0\0\0";
    for (body, reason) in [
        (&b"\x0b\0\x01\xff\xff\xff\xff"[..], "the length of a string is negative"),
        (b"\x0f\0\x01\x0b\xff\xff\xff\xff", "the length of a container is negative"),
        (b"\x01\0\x01", "the type of a field is not known"),
        (b"\xff\0\x01", "the type of a field is not known"),
        // Containers of 2^31 elements of no type: no steps without input.
        (b"\x0f\0\x01\xff\x7f\xff\xff\xff", "the type of a field is not known"),
        (b"\x0d\0\x01\xff\xff\x7f\xff\xff\xff", "the type of a field is not known"),
        (&b"\x0c\0\x01".repeat(1000), "structures are nested deeper than 64 levels"),
    ] {
        let lines = lines("thrift", &[(C, [header, body].concat())]);
        assert!(lines[0].contains(reason), "{lines:?}");
    }
    for (bytes, reason) in [
        (&b"\x80\x01\0\x01\xff\xff\xff\xff"[..], "the name of the method is longer than 1024 bytes"),
        (b"\0\0\0\x01\x80", "the length of the frame is too small"),
        (b"\x7f\xff\xff\xff\x80", "the frame is longer than 16384000 bytes"),
        (b"\0\0\0\x06abcdef", "the frame contains no message"),
        (b"\0\0\0\x09\x80\x01\0\x09\0\0\0\0\0", "it ends inside a field"),
        (b"\0\0\0\x0c\x80\x01\0\x09\0\0\0\0\0\0\0\0", "the type of the message is not known"),
        (b"\x82\x21\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a varint is longer than ten bytes"),
    ] {
        let lines = lines("thrift", &[(C, bytes)]);
        assert!(lines[0].contains(reason), "{lines:?}");
    }
    // A list of 2^31 empty strings, of which none comes.
    let waits = lines("thrift", &[(C, [&header[..], b"\x0f\0\x01\x0b\x7f\xff\xff\xff"].concat())]);
    assert!(waits[0].contains("incomplete"), "{waits:?}");
}
