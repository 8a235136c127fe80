//! The entries, a file for each family.

mod http;
mod json;
mod length;
mod lines;
mod mail;
mod mqtt;
mod multipart;
mod queues;
mod redis;
mod serial;
mod sse;
mod telnet;
mod text;
mod websocket;
mod xml;

use crate::entry::Entry;
use crate::known::known;

/// All of them, in the order of the table.
pub fn all() -> Vec<Entry> {
    [
        lines::entries(),
        length::entries(),
        text::entries(),
        http::entries(),
        multipart::entries(),
        sse::entries(),
        websocket::entries(),
        xml::entries(),
        json::entries(),
        redis::entries(),
        mqtt::entries(),
        queues::entries(),
        mail::entries(),
        telnet::entries(),
        serial::entries(),
    ]
    .into_iter()
    .flatten()
    .map(known)
    .collect()
}

/// A `tokio_util::codec::Decoder` of the present version.
const DECODER: &str = "tokio-util decoder";
/// One of an older version.
const OLD_DECODER: &str = "old tokio-util decoder";
/// It is fed.
const PUSH: &str = "push parser";
/// `fn(&[u8])`.
const PARSE: &str = "parse function";
/// It takes frames off the front of a buffer.
const BUFFER: &str = "function over a buffer";
/// From a `Stream` of bytes to one of items.
const STREAM: &str = "stream of chunks";
/// It reads from an `AsyncRead`.
const ASYNC: &str = "async reader";
/// It reads from a `std::io::Read`.
const BLOCKING: &str = "blocking reader";
