//! Values and records of formats for data.

use std::io::{self, BufRead as _, BufReader};

use bytes::{Buf as _, BytesMut};
use enjamb_law::{Blocking, DebugText, Decoded, Incoming, Kind, Parsed, Parsing, Pushing};
use prost::Message as _;

use super::json::CBOR;
use super::{BLOCKING, BUFFER, PARSE, PUSH};
use crate::entry::Entry;
use crate::subject::any;

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("csv 1.4.0", "CSV", BLOCKING, || {
            any(Blocking::iterator(|incoming| {
                csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(incoming).into_byte_records()
            }))
        })
        .messages([&b"a,b\n"[..], b"\"c \"\"d\"\"\",\n", b"e,\"f\ng\"\r\n"]),
        Entry::new("serde_json 1 StreamDeserializer", "JSON values", BLOCKING, || {
            any(Blocking::iterator(|incoming| {
                serde_json::Deserializer::from_reader(incoming).into_iter::<serde_json::Value>()
            }))
        })
        .messages([&b"{\"a\":[1,2]}"[..], b"\"\xc3\xa9\"", b"[]", b"12 "]),
        Entry::new("ciborium 0.2.2", "CBOR", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                if incoming.fill_buf().map_err(|error| error.to_string())?.is_empty() {
                    return Ok(None);
                }
                let value: Result<ciborium::Value, _> = ciborium::from_reader(incoming);
                value.map(|value| Some(DebugText(format!("{value:?}")))).map_err(|error| format!("{error:?}"))
            }))
        })
        .messages(CBOR),
        Entry::new("rmp-serde 1.3.1", "MessagePack", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                if incoming.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                let value: Result<serde_json::Value, _> = rmp_serde::from_read(incoming);
                value.map(Some).map_err(io::Error::other)
            }))
        })
        .messages([&b"\x01"[..], b"\xa3abc", b"\x93\x01\x02\x03", b"\x81\xa1a\xc3", b"\xcd\x01\x00"]),
        Entry::new("bincode 1.3.3", "bincode", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                if incoming.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                use bincode::Options as _;
                let options = bincode::DefaultOptions::new().with_limit(256).allow_trailing_bytes();
                let value: Result<(u16, String), _> = options.deserialize_from(incoming);
                value.map(Some).map_err(|error| io::Error::other(error.to_string()))
            }))
        })
        .messages([&b"\x01\x03abc"[..], b"\xfb\x00\x02\x00"]),
        Entry::new("prost 0.14.6", "length-delimited protobuf", BUFFER, || {
            any(Decoded::by(
                || (),
                |(), buffer: &mut BytesMut| protobuf_message(buffer),
                |(), buffer| protobuf_message(buffer),
            ))
        })
        .messages([&b"\x00"[..], b"\x05\x0a\x03abc"]),
        Entry::new("leb128 0.2.7", "LEB128 numbers", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                if incoming.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                leb128::read::unsigned(incoming).map(Some).map_err(io::Error::other)
            }))
        })
        .messages([&b"\x01"[..], b"\x80\x01", b"\xff\xff\x03"]),
        Entry::new("integer-encoding 4.1.0", "varints", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                if incoming.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                integer_encoding::VarIntReader::read_varint::<u64>(incoming).map(Some)
            }))
        })
        .messages([&b"\x01"[..], b"\x80\x01", b"\xff\xff\x03"]),
        Entry::new("capnp 0.22.0", "Cap'n Proto messages", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                let options = capnp::message::ReaderOptions::new();
                let message = capnp::serialize::try_read_message(incoming, options)?;
                Ok::<_, capnp::Error>(message.map(|message| {
                    let segments = message.into_segments();
                    capnp::message::ReaderSegments::get_segment(&segments, 0).unwrap_or_default().to_vec()
                }))
            }))
        })
        .messages([&b"\0\0\0\0\x01\0\0\0abcdefgh"[..], b"\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0abcdefgh"]),
        Entry::new("rustls-pemfile 2.2.0", "PEM", BLOCKING, || {
            any(Blocking::with(BufReader::new, |reader: &mut BufReader<Incoming>| {
                rustls_pemfile::read_one(reader).map(|item| item.map(|item| DebugText(format!("{item:?}"))))
            }))
        })
        .messages([
            &b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"[..],
            b"-----BEGIN PRIVATE KEY-----\r\nYWJj\r\n-----END PRIVATE KEY-----\r\n",
        ]),
        Entry::new("lsp-server 0.7.9", "the Language Server Protocol", BLOCKING, || {
            any(Blocking::with(BufReader::new, |reader: &mut BufReader<Incoming>| {
                lsp_server::Message::read(reader)
                    .map(|message| message.map(|message| DebugText(format!("{message:?}"))))
            }))
        })
        .messages([
            &b"Content-Length: 37\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}"[..],
            b"Content-Length: 32\r\nX: y\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"\xc3\xa9b\"}",
        ]),
        Entry::new("rml_rtmp 0.8.0 ChunkDeserializer", "RTMP chunks", PUSH, || {
            any(Pushing::new(rml_rtmp::chunk_io::ChunkDeserializer::new, |deserializer, chunk, out| {
                let mut bytes = chunk;
                loop {
                    match deserializer.get_next_message(bytes) {
                        Ok(Some(message)) => out(Ok(DebugText(format!("{message:?}")))),
                        Ok(None) => return,
                        Err(error) => return out(Err(Kind::of(&format!("{error:?}")))),
                    }
                    bytes = &[];
                }
            }))
        })
        .messages([&b"\x03\0\0\x01\0\0\x03\x14\x01\0\0\0abc"[..], b"\x03\0\0\x01\0\0\x01\x08\x01\0\0\0a"]),
        Entry::new("cobs 0.5.1", "COBS", PUSH, || {
            any(Pushing::new(
                || cobs::CobsDecoderOwned::new(256),
                |decoder, mut chunk, out| {
                    while !chunk.is_empty() {
                        match decoder.push(chunk) {
                            Ok(Some(report)) => {
                                out(Ok(decoder.dest()[..report.frame_size()].to_vec()));
                                chunk = &chunk[report.parsed_size()..];
                            }
                            Ok(None) => return,
                            Err(error) => return out(Err(Kind::of(&error))),
                        }
                    }
                },
            ))
        })
        .messages([&b"\x03ab\0"[..], b"\x01\x01\0", b"\x02a\x02b\0"]),
        Entry::new("httparse 1.10.1 parse_chunk_size", "HTTP chunk sizes", PARSE, || {
            any(Parsing::new(|bytes: &[u8]| match httparse::parse_chunk_size(bytes) {
                Ok(httparse::Status::Complete((used, size))) => Parsed::Done(size, used),
                Ok(httparse::Status::Partial) => Parsed::Incomplete,
                Err(error) => Parsed::Failed(error),
            }))
        })
        .messages([&b"3\r\n"[..], b"a0;b=c\r\n"]),
        Entry::new("pcap-file 2.0.0 PcapReader", "capture files", BLOCKING, || {
            any(Blocking::with(CaptureFile::Unopened, next_packet))
        })
        .messages([
            &b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0"[..],
            b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\x03\0\0\0abc",
        ])
        // A file without packets is whole.
        .dependent(),
    ]
}

/// Takes a message of one string field, with its length in front, off the buffer.
fn protobuf_message(buffer: &mut BytesMut) -> Result<Option<String>, prost::DecodeError> {
    let mut rest = &buffer[..];
    let length = match prost::decode_length_delimiter(&mut rest) {
        Ok(length) => length,
        // Ten bytes hold the longest length.
        Err(error) if buffer.len() >= 10 => return Err(error),
        Err(_) => return Ok(None),
    };
    let head = buffer.len() - rest.len();
    if length > 256 || rest.len() < length {
        return if length > 256 { Err(String::decode(&b"\xff"[..]).unwrap_err()) } else { Ok(None) };
    }
    buffer.advance(head);
    String::decode(buffer.split_to(length)).map(Some)
}

/// A capture file. Its reader reads the header when it is made.
enum CaptureFile {
    Unopened(Incoming),
    Open(pcap_file::pcap::PcapReader<Incoming>),
}

fn next_packet(file: &mut CaptureFile) -> Result<Option<DebugText>, String> {
    if let CaptureFile::Unopened(incoming) = file {
        if incoming.fill_buf().map_err(|error| error.to_string())?.is_empty() {
            return Ok(None);
        }
        let reader = pcap_file::pcap::PcapReader::new(incoming.clone()).map_err(|error| format!("{error:?}"))?;
        *file = CaptureFile::Open(reader);
    }
    let CaptureFile::Open(reader) = file else { return Ok(None) };
    let packet = reader.next_packet().transpose().map_err(|error| format!("{error:?}"))?;
    Ok(packet.map(|packet| DebugText(format!("{packet:?}"))))
}
