//! Length-prefixed formats.

use asynchronous_codec::LengthCodec;
use bytes::{Bytes, BytesMut};
use enjamb_law::{Decoded, Parsed, Parsing, Reading};
use postgres_protocol::message::backend::Message;
use tokio_util::codec::{Encoder as _, LengthDelimitedCodec};
use unsigned_varint::codec::UviBytes;
use wire_codec::codec::FrameCodec;
use wire_codec::framing::{Endian, LengthPrefixed, LengthWidth};

use super::{ASYNC, BUFFER, DECODER, OLD_DECODER, PARSE};
use crate::entry::Entry;
use crate::old_decoder;
use crate::subject::{any, encoding};

const U64: [&[u8]; 3] = [b"\0\0\0\0\0\0\0\x03abc", b"\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\x0aabcdefghij"];
const LDAP: [&[u8]; 2] = [b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", b"\x30\x05\x02\x01\x02\x42\x00"];

pub fn entries() -> Vec<Entry> {
    let varint = [&b"\x80\x01"[..], &[b'a'; 128]].concat();
    vec![
        Entry::new("tokio-util 0.3.1 LengthDelimitedCodec", "length-prefixed frames", OLD_DECODER, || {
            any(old_decoder!(tokio_util_03, bytes_05, || tokio_util_03::codec::LengthDelimitedCodec::builder()
                .length_field_length(2)
                .max_frame_length(8)
                .new_codec()))
        })
        .messages([&b"\0\x03abc"[..], b"\0\0", b"\0\x0812345678"])
        .limit(8),
        Entry::new("tokio-util 0.7.20 LengthDelimitedCodec", "length-prefixed frames", DECODER, || {
            fn codec() -> LengthDelimitedCodec {
                LengthDelimitedCodec::builder().length_field_length(2).max_frame_length(8).new_codec()
            }
            encoding(Decoded::new(codec), |frame: &BytesMut| {
                let mut encoded = BytesMut::new();
                codec().encode(frame.clone().freeze(), &mut encoded).ok()?;
                Some(encoded.to_vec())
            })
        })
        .messages([&b"\0\x03abc"[..], b"\0\0", b"\0\x0812345678"])
        .limit(8),
        Entry::new("tokio-util 0.7.20 FramedRead, polled on", "length-prefixed frames, errors logged", ASYNC, || {
            any(Reading::stream(|chunks| {
                tokio_util::codec::FramedRead::new(
                    chunks,
                    LengthDelimitedCodec::builder().length_field_length(2).max_frame_length(8).new_codec(),
                )
            })
            .resumes())
        })
        .messages([&b"\0\x03abc"[..], b"\0\0", b"\0\x0812345678"])
        .limit(8),
        Entry::new("futures_codec 0.3.4 LengthCodec", "length-prefixed frames", ASYNC, || {
            any(Reading::stream(|chunks| futures_codec_03::FramedRead::new(chunks, futures_codec_03::LengthCodec)))
        })
        .messages(U64),
        Entry::new("futures_codec 0.4.1 LengthCodec", "length-prefixed frames", ASYNC, || {
            any(Reading::stream(|chunks| futures_codec::FramedRead::new(chunks, futures_codec::LengthCodec)))
        })
        .messages(U64),
        Entry::new("asynchronous-codec 0.7.0 LengthCodec", "length-prefixed frames", ASYNC, || {
            any(Reading::stream(|chunks| asynchronous_codec::FramedRead::new(chunks, LengthCodec)))
        })
        .messages(U64),
        Entry::new("unsigned-varint 0.8.0 UviBytes", "frames with a varint length", DECODER, || {
            fn codec() -> UviBytes<Bytes> {
                let mut codec = UviBytes::default();
                codec.set_max_len(300);
                codec
            }
            encoding(Decoded::new(codec), |frame: &BytesMut| {
                let mut encoded = BytesMut::new();
                codec().encode(frame.clone().freeze(), &mut encoded).ok()?;
                Some(encoded.to_vec())
            })
        })
        .messages([&b"\x05hello"[..], b"\x00", &varint])
        .limit(300),
        Entry::new("wire-codec 1.1.0 LengthPrefixed", "length-prefixed frames", DECODER, || {
            any(Decoded::new(|| {
                FrameCodec::new(LengthPrefixed::new(LengthWidth::U16, Endian::Big).with_max_payload(8))
            }))
        })
        .messages([&b"\0\x03abc"[..], b"\0\0", b"\0\x0812345678"])
        .limit(8),
        Entry::new("tokio-netstring 0.1.3", "netstrings", OLD_DECODER, || {
            let netstrings = old_decoder!(tokio_util_06, bytes, || tokio_netstring::NetStringCodec {});
            encoding(netstrings, |text: &String| {
                let mut encoded = BytesMut::new();
                tokio_util_06::codec::Encoder::encode(
                    &mut tokio_netstring::NetStringCodec {},
                    text.clone(),
                    &mut encoded,
                )
                .ok()?;
                Some(encoded.to_vec())
            })
        })
        .messages([&b"5:hello,"[..], b"0:,", b"12:hello world!,"]),
        Entry::new("minicbor-io 0.23.1", "CBOR in length-prefixed frames", ASYNC, || {
            any(Reading::with(
                |chunks| {
                    let mut reader = minicbor_io::AsyncReader::new(chunks);
                    reader.set_max_len(1024);
                    reader
                },
                async |reader| reader.read::<u64>().await,
            ))
        })
        .messages([&b"\0\0\0\x01\x05"[..], b"\0\0\0\x02\x18\x64"])
        .limit(1024),
        Entry::new("ldap3_proto 0.9.0", "LDAP", DECODER, || {
            any(Decoded::new(|| ldap3_proto::LdapCodec::new(Some(32), None)))
        })
        .messages(LDAP)
        .limit(32),
        Entry::new("postgres-protocol 0.6.12", "PostgreSQL", BUFFER, || {
            any(Decoded::by(|| (), |(), buffer| postgres(buffer), |(), buffer| postgres(buffer)))
        })
        .messages([
            &b"Z\0\0\0\x05I"[..],
            b"C\0\0\0\x0dSELECT 1\0",
            b"D\0\0\0\x0b\0\x01\0\0\0\x01x",
            b"S\0\0\0\x08a\0b\0",
            b"n\0\0\0\x04",
        ]),
        Entry::new("gix-packetline 0.24.1", "git packet lines", PARSE, || {
            any(Parsing::new(|bytes| match gix_packetline::decode::streaming(bytes) {
                Ok(gix_packetline::decode::Stream::Complete { line, bytes_consumed }) => {
                    Parsed::Done(format!("{line:?}"), bytes_consumed)
                }
                Ok(gix_packetline::decode::Stream::Incomplete { .. }) => Parsed::Incomplete,
                Err(error) => Parsed::Failed(error),
            }))
        })
        .messages([&b"0006a\n"[..], b"0000", b"0001", b"0002", b"0009hello", b"0005x"]),
        Entry::new("rmpv 1.3.1", "MessagePack", PARSE, || any(Parsing::new(msgpack))).messages([
            &b"\x01"[..],
            b"\x93\x01\x02\x03",
            b"\x81\xa1a\xc3",
            b"\xc4\x02ab",
            b"\xda\x00\x03abc",
            b"\xca\x3f\x80\x00\x00",
        ]),
        Entry::new("hl7-mllp-codec 0.4.0", "HL7 over MLLP", DECODER, || {
            any(Decoded::new(hl7_mllp_codec::MllpCodec::new))
        })
        .messages([&b"\x0bMSH|^~\\&|A\r\x1c\r"[..]]),
        Entry::new("minifix 0.3.0", "FIX", DECODER, || any(Decoded::new(minifix::tagvalue::TokioRawDecoder::new)))
            .messages([&b"8=FIX.4.2\x019=5\x0135=0\x0110=161\x01"[..]]),
        Entry::new("easy-modbus 0.0.5 TCP server", "Modbus/TCP", DECODER, || {
            any(Decoded::new(easy_modbus::codec::TcpServerCodec::default))
        })
        .messages([&b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01"[..]]),
        Entry::new("easy-modbus 0.0.5 RTU server", "Modbus RTU", DECODER, || {
            any(Decoded::new(easy_modbus::codec::RtuServerCodec::default))
        })
        .messages([&b"\x01\x03\x00\x00\x00\x01\x84\x0a"[..]]),
    ]
}

fn postgres(buffer: &mut BytesMut) -> std::io::Result<Option<String>> {
    let message = Message::parse(buffer)?;
    Ok(message.map(|message| match message {
        Message::ReadyForQuery(_) => "ready".to_owned(),
        Message::CommandComplete(body) => format!("complete {:?}", body.tag().ok()),
        Message::DataRow(body) => format!("row {:?}", body.buffer()),
        Message::ParameterStatus(body) => format!("parameter {:?}", body.name().ok()),
        Message::NoData => "no data".to_owned(),
        _ => "another".to_owned(),
    }))
}

fn msgpack(bytes: &[u8]) -> Parsed<rmpv::Value, rmpv::decode::Error> {
    use rmpv::decode::Error::{InvalidDataRead, InvalidMarkerRead};
    let mut rest = bytes;
    match rmpv::decode::read_value_with_max_depth(&mut rest, 64) {
        Ok(value) => Parsed::Done(value, bytes.len() - rest.len()),
        Err(InvalidMarkerRead(error) | InvalidDataRead(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Parsed::Incomplete
        }
        Err(error) => Parsed::Failed(error),
    }
}
