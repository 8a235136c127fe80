//! The protocols of Redis, RESP 2 and 3.

use std::io::{BufRead as _, BufReader, ErrorKind};

use enjamb_law::{Blocking, Decoded, Incoming};

use super::{BLOCKING, DECODER};
use crate::entry::Entry;
use crate::subject::any;

const RESP2: [&[u8]; 5] = [b"+OK\r\n", b"$5\r\nhello\r\n", b"$0\r\n\r\n", b"*2\r\n:1\r\n$1\r\na\r\n", b"-ERR x\r\n"];
const RESP3: [&[u8]; 4] = [b"%1\r\n+a\r\n:1\r\n", b"#t\r\n", b",1.5\r\n", b"=5\r\ntxt:a\r\n"];
const STREAMED: [&[u8]; 2] = [b"$?\r\n;3\r\nabc\r\n;0\r\n", b"*?\r\n:1\r\n.\r\n"];

macro_rules! redis {
    ($redis:ident) => {
        any(Blocking::with(
            |incoming: Incoming| ($redis::Parser::new(), incoming),
            |(parser, incoming)| match parser.parse_value(&mut *incoming) {
                Ok(value) => Ok(Some(value)),
                // Every end of the stream gives this error.
                Err(error) if error.to_string().contains("unexpected end of file") => Ok(None),
                Err(error) => Err(error),
            },
        ))
    };
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("redis-protocol 6.0.0 Resp2", "RESP 2", DECODER, || {
            any(Decoded::new(redis_protocol::codec::Resp2::default))
        })
        .messages(RESP2),
        Entry::new("redis-protocol 6.0.0 Resp3", "RESP 3", DECODER, || {
            any(Decoded::new(redis_protocol::codec::Resp3::default))
        })
        .messages(RESP2)
        .messages(RESP3)
        .messages(STREAMED),
        Entry::new("beyond-resp 0.1.1", "RESP 3", DECODER, || {
            any(Decoded::new(|| beyond_resp::RespCodec::resp3().with_max_frame_bytes(16)))
        })
        .messages([&b"+OK\r\n"[..], b"$5\r\nhello\r\n", b"$0\r\n\r\n", b"#t\r\n"])
        .limit(16),
        Entry::new("resp-rs 0.3.0 RESP 2", "RESP 2", DECODER, || any(Decoded::new(resp_rs::resp2::Codec::new)))
            .messages(RESP2),
        Entry::new("resp-rs 0.3.0 RESP 3", "RESP 3", DECODER, || any(Decoded::new(resp_rs::resp3::Codec::new)))
            .messages(RESP2)
            .messages(RESP3)
            .messages(STREAMED),
        Entry::new("redis 0.21.5", "RESP 2", BLOCKING, || redis!(redis_021)).messages(&RESP2[..4]),
        Entry::new("redis 0.22.3", "RESP 2", BLOCKING, || redis!(redis_022)).messages(&RESP2[..4]),
        Entry::new("resp 1.0.3", "RESP 2", BLOCKING, || {
            any(Blocking::with(
                // With a buffer of one byte, it has used every byte that it has read.
                |incoming: Incoming| (resp::Decoder::new(BufReader::with_capacity(1, incoming.clone())), incoming),
                |(decoder, incoming)| {
                    if incoming.fill_buf()?.is_empty() {
                        return Ok(None);
                    }
                    match decoder.decode() {
                        Ok(value) => Ok(Some(value)),
                        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                            Err(std::io::Error::from(ErrorKind::UnexpectedEof))
                        }
                        Err(error) => Err(error),
                    }
                },
            ))
        })
        .messages(RESP2),
    ]
}
