//! Server-sent events.

use enjamb_law::{Decoded, Reading, Streaming};

use super::{ASYNC, DECODER, STREAM};
use crate::entry::Entry;
use crate::subject::any;

/// Events that may come in any order.
const EVENTS: [&[u8]; 3] = [b"data: a\n\n", b"data: a\r\ndata: b\r\n\r\n", b"event: x\ndata: \xc3\xa9\n\n"];
const TOKENS: [&[u8]; 8] = [b"\r\n", b"\r", b"\n", b"data:", b"retry: x\n", b": c\n", b"\xc3", b"\xef\xbb\xbf"];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("eventsource-stream 0.2.3", "server-sent events", STREAM, || {
            any(Streaming::new(eventsource_stream::EventStream::new))
        })
        .messages(EVENTS)
        .tokens(TOKENS),
        Entry::new("sse-stream 0.1.4", "server-sent events", STREAM, || {
            any(Streaming::new(sse_stream_01::SseStream::from_byte_stream))
        })
        .messages(EVENTS)
        .tokens(TOKENS),
        Entry::new("sse-stream 0.3.0", "server-sent events", STREAM, || {
            any(Streaming::new(sse_stream::SseStream::from_bytes_stream))
        })
        .messages(EVENTS)
        .tokens(TOKENS),
        Entry::new("async-sse 5.1.0", "server-sent events", ASYNC, || {
            any(Reading::stream(|chunks| async_sse::decode(futures::io::BufReader::new(chunks))))
        })
        .messages(EVENTS)
        .tokens(TOKENS),
        Entry::new("sse-codec 0.3.2", "server-sent events", ASYNC, || any(Reading::stream(sse_codec::decode_stream)))
            .messages(EVENTS)
            .tokens(TOKENS),
        Entry::new("tokio_sse_codec 0.0.2", "server-sent events", DECODER, || {
            any(Decoded::new(tokio_sse_codec::SseDecoder::<String>::new))
        })
        .messages(EVENTS)
        .tokens(TOKENS),
    ]
}
