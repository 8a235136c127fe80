//! The codec under every law. The fuzz target includes this file, so that there is one definition.

use bytes::BytesMut;
use enjamb_law::{Decoded, laws};
use kv_wire::{Command, Kv, MAX};
use tokio_util::codec::Encoder;

fn encoded(command: &Command) -> Option<Vec<u8>> {
    let mut buffer = BytesMut::new();
    Kv::default().encode(command, &mut buffer).ok()?;
    Some(buffer.to_vec())
}

laws! {
    pub mod kv {
        subject: Decoded::new(Kv::default),
        messages: ["get key\r\n", "set key 5\r\nhello\r\n", "set k 0\r\n\r\n", "set crlf 4\r\n\r\n\r\n\r\n"],
        tokens: ["get ", "set ", " 256\r\n"],
        limit: MAX,
        corpus: "corpus",
        encode: encoded,
        canonical: true,
    }
}
