//! AMQP and STOMP.

use enjamb_law::{Decoded, Kind, Parsed, Parsing};

use super::{DECODER, OLD_DECODER, PARSE};
use crate::entry::Entry;
use crate::old_decoder;
use crate::subject::any;

const AMQP: [&[u8]; 4] = [
    b"AMQP\x00\x00\x09\x01",
    b"\x08\x00\x00\x00\x00\x00\x00\xce",
    b"\x03\x00\x01\x00\x00\x00\x02hi\xce",
    b"\x01\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x1e\x00\x00\x00\x00\x00\x00\x00\x00\xce",
];
const STOMP: [&[u8]; 3] = [
    b"MESSAGE\ncontent-length:3\ndestination:/q\nmessage-id:1\nsubscription:0\n\na\0b\0",
    b"CONNECTED\nversion:1.2\n\n\0",
    b"MESSAGE\ndestination:/q\nmessage-id:1\nsubscription:0\n\nhello\0",
];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("ironmq-codec 0.1.1", "AMQP 0.9.1", OLD_DECODER, || {
            any(old_decoder!(tokio_util_05, bytes_06, || ironmq_codec::codec::AMQPCodec {}))
        })
        .messages(AMQP),
        Entry::new("amq-protocol 8.3.1", "AMQP 0.9.1", PARSE, || {
            any(Parsing::new(|bytes| match amq_protocol::frame::parse_frame(bytes) {
                Ok((rest, frame)) => Parsed::Done(format!("{frame:?}"), bytes.len() - rest.len()),
                Err(error) if error.is_incomplete() => Parsed::Incomplete,
                Err(error) => Parsed::Failed(Kind::of(&error)),
            }))
        })
        .messages(AMQP),
        Entry::new("tokio-stomp 0.4.0", "STOMP", DECODER, || any(Decoded::new(|| tokio_stomp::client::ClientCodec)))
            .messages(STOMP)
            .tokens([&b"\0\n"[..], b"\n"]),
        Entry::new("iridium-stomp 0.3.2", "STOMP", DECODER, || {
            any(Decoded::new(iridium_stomp_03::codec::StompCodec::new))
        })
        .messages(STOMP)
        .tokens([&b"\0\n"[..], b"\n"]),
        Entry::new("iridium-stomp 0.6.0", "STOMP", DECODER, || {
            any(Decoded::new(iridium_stomp::codec::StompCodec::new))
        })
        .messages(STOMP)
        .tokens([&b"\0\n"[..], b"\n"]),
    ]
}
