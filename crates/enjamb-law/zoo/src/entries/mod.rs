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
    .collect()
}

/// Why nothing is said when the stream ends inside a message.
const NOT_TOLD: &str = "it is fed, and there is no call that tells it that the stream has ended; whoever feeds it has to know by other means.";
/// Server-sent events that are not finished.
const DROPPED: &str = "the standard has an event dropped that no empty line ended (HTML, 9.2.6).";
/// A WebSocket that ends.
const NO_CLOSE: &str =
    "a WebSocket ends with a close frame (RFC 6455, 7.1): an end without one is the same error wherever it comes.";

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
