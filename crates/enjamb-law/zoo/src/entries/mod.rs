//! The entries, one file for each family of formats.

mod compressed;
mod http;
mod json;
mod length;
mod lines;
mod mail;
mod mqtt;
mod multipart;
mod queues;
mod records;
mod redis;
mod serial;
mod sse;
mod telnet;
mod text;
mod websocket;
mod xml;

use crate::entry::Entry;
use crate::known::with_findings;

/// Returns all entries, in the order of the table.
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
        records::entries(),
        compressed::entries(),
        redis::entries(),
        mqtt::entries(),
        queues::entries(),
        mail::entries(),
        telnet::entries(),
        serial::entries(),
    ]
    .into_iter()
    .flatten()
    .map(with_findings)
    .collect()
}

/// A `tokio_util::codec::Decoder`, version 0.7.
const DECODER: &str = "tokio-util decoder";
/// A `tokio_util::codec::Decoder` of an older version.
const OLD_DECODER: &str = "old tokio-util decoder";
/// A parser that is fed chunks.
const PUSH: &str = "push parser";
/// A function over `&[u8]` that returns a message and its length.
const PARSE: &str = "parse function";
/// A function that takes frames off the front of a buffer.
const BUFFER: &str = "function over a buffer";
/// A transformer from a `Stream` of bytes to a `Stream` of items.
const STREAM: &str = "stream of chunks";
/// A reader of an `AsyncRead`.
const ASYNC: &str = "async reader";
/// A reader of a `std::io::Read`.
const BLOCKING: &str = "blocking reader";
