//! JSON and CBOR values one after the other.

use actson::feeder::PushJsonFeeder;
use actson::options::JsonParserOptionsBuilder;
use actson::{JsonEvent, JsonParser};
use asynchronous_codec::{CborCodec, FramedRead, JsonCodec};
use enjamb_law::{DebugText, Kind, Pushing, Reading};
use serde_json::Value;

use super::{ASYNC, OLD_DECODER, PUSH};
use crate::entry::Entry;
use crate::old_decoder;
use crate::subject::any;

/// Values of CBOR: numbers, a text, an array, a map, and bytes in pieces.
pub(super) const CBOR: [&[u8]; 6] =
    [b"\x01", b"\x18\x64", b"\x63abc", b"\x83\x01\x02\x03", b"\xa1\x61a\xf5", b"\x5f\x41a\xff"];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("actson 2.1.0", "JSON", PUSH, || {
            any(Pushing::new(json_parser, |parser: &mut JsonParser<PushJsonFeeder>, chunk, out| {
                read_json(parser, chunk, out);
            })
            .at_end(|parser, out| {
                parser.feeder.done();
                read_json(parser, b"", out);
            }))
        })
        .messages([&b"{\"a\":[1,2.5,\"\\u00e9\xc3\xa9\"]}"[..], b"12 ", b"true ", b"\"s\"", b"[]"]),
        Entry::new("asynchronous-codec 0.7.0 JsonCodec", "JSON values", ASYNC, || {
            any(Reading::stream(|chunks| FramedRead::new(chunks, JsonCodec::<Value, Value>::new())))
        })
        .messages([&b"{\"a\":[1,2]}"[..], b"\"\xc3\xa9\"", b"[]"])
        .tokens([&b"12"[..], b" ", b"null"]),
        Entry::new("asynchronous-codec 0.7.0 JsonCodec, polled on", "JSON values, errors logged", ASYNC, || {
            any(Reading::stream(|chunks| FramedRead::new(chunks, JsonCodec::<Value, Value>::new())).resumes())
        })
        .messages([&b"{\"a\":[1,2]}"[..], b"\"\xc3\xa9\"", b"[]"]),
        Entry::new("asynchronous-codec 0.7.0 CborCodec", "CBOR values", ASYNC, || {
            any(Reading::stream(|chunks| {
                FramedRead::new(chunks, CborCodec::<serde_cbor::Value, serde_cbor::Value>::new())
            }))
        })
        .messages(CBOR),
        Entry::new("jsonrpc-server-utils 18.0.0 brackets", "JSON-RPC", OLD_DECODER, || {
            any(old_decoder!(tokio_util_06, bytes, jsonrpc_server_utils::codecs::StreamCodec::stream_incoming))
        })
        .messages([&b"{\"a\":\"}\"}"[..], b"[{},{}]", b"{\"a\":\"\\\"\"}", b"{\"a\":\"\xc3\xa9\"}"])
        .tokens([&b"{"[..], b"}", b"\""]),
        Entry::new("jsonrpc-server-utils 18.0.0 lines", "JSON-RPC", OLD_DECODER, || {
            any(old_decoder!(tokio_util_06, bytes, jsonrpc_server_utils::codecs::StreamCodec::default))
        })
        .messages([&b"{\"a\":1}\n"[..], b"[]\n"]),
    ]
}

fn json_parser() -> JsonParser<PushJsonFeeder> {
    let options = JsonParserOptionsBuilder::default().with_streaming(true).build();
    JsonParser::new_with_options(PushJsonFeeder::new(), options)
}

fn read_json(parser: &mut JsonParser<PushJsonFeeder>, mut chunk: &[u8], out: &mut dyn FnMut(Result<DebugText, Kind>)) {
    loop {
        match parser.next_event() {
            Ok(None) => return,
            Ok(Some(JsonEvent::NeedMoreInput)) if chunk.is_empty() => return,
            Ok(Some(JsonEvent::NeedMoreInput)) => {
                let taken = parser.feeder.push_bytes(chunk);
                chunk = &chunk[taken..];
            }
            Ok(Some(
                event @ (JsonEvent::FieldName | JsonEvent::ValueString | JsonEvent::ValueInt | JsonEvent::ValueFloat),
            )) => out(Ok(DebugText(format!("{event:?} {:?}", parser.current_str().ok())))),
            Ok(Some(event)) => out(Ok(DebugText(format!("{event:?}")))),
            Err(error) => {
                out(Err(Kind::of(&error)));
                return;
            }
        }
    }
}
