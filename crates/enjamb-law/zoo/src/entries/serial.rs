//! Formats of serial lines: byte stuffing, radio receivers, radars, satellite receivers, modems,
//! MIDI.

use atat::{DigestResult, Digester as _};
use enjamb_law::{Accumulating, DebugText, Decoded, Kind, Law, Never, Pushing};
use postcard::accumulator::{CobsAccumulator, FeedResult};

use super::{BUFFER, DECODER, PUSH};
use crate::entry::Entry;
use crate::subject::{AnySubject, any};

const SLIP: [&[u8]; 3] = [b"\xc0abc\xc0", b"\xc0a\xdb\xdcb\xdb\xddc\xc0", b"\xc012345678\xc0"];
const CRSF: [&[u8]; 2] = [b"\xc8\x04\x28\x00\xea\x54", b"\xc8\x05\x2d\xee\xef\x01\x9f"];
const SBUS: [&[u8]; 2] = [
    b"\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\x0f\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0f\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x01\x00",
];

pub fn entries() -> Vec<Entry> {
    let radar = [&b"\xaa\xff\x03\x00"[..], &[7; 24], b"\x55\xcc"].concat();
    vec![
        Entry::new("slip-codec 0.4.0", "SLIP", DECODER, || {
            any(Decoded::new(|| slip_codec::tokio::SlipCodec::builder().capacity(8).build()))
        })
        .messages(SLIP)
        .limit(8),
        Entry::new("serial-line-ip 0.5.0", "SLIP", PUSH, serial_line_ip).messages(SLIP),
        Entry::new("pamoja-serial 0.2.0 SLIP", "SLIP", PUSH, || {
            any(Pushing::new(pamoja_serial::slip::SlipDecoder::<8>::new, |decoder, chunk, out| {
                for &byte in chunk {
                    match decoder.push(byte) {
                        Ok(frame) => frame.into_iter().for_each(|frame| out(Ok(frame.to_vec()))),
                        Err(error) => out(Err(Kind::of(&error))),
                    }
                }
            })
            .resumes())
        })
        .messages(SLIP)
        .limit(8),
        Entry::new("pamoja-serial 0.2.0 COBS", "COBS", PUSH, || {
            any(Pushing::new(pamoja_serial::cobs::CobsDecoder::<8>::new, |decoder, chunk, out| {
                for &byte in chunk {
                    match decoder.push(byte) {
                        Ok(frame) => frame.into_iter().for_each(|frame| out(Ok(frame.to_vec()))),
                        Err(error) => out(Err(Kind::of(&error))),
                    }
                }
            })
            .resumes())
        })
        .messages([&b"\x03ab\x02c\0"[..], b"\x01\x01\0"])
        .limit(8),
        Entry::new("cobs_codec_rs 1.3.0", "COBS", PUSH, || cobs(None)).messages([&b"\x03ab\x02c\0"[..], b"\x01\x01\0"]),
        Entry::new("cobs_codec_rs 1.3.0 with a limit", "COBS", PUSH, || cobs(Some(8)))
            .messages([&b"\x03ab\x02c\0"[..], b"\x01\x01\0", b"\x07AAAAAA\0"])
            .limit(8),
        Entry::new("postcard 1.2.0 CobsAccumulator", "postcard in COBS", PUSH, postcard)
            .messages([&b"\x03\x01\x02\0"[..], b"\x01\x02\x05\0", b"\x01\x01\x01\0"])
            .limit(8),
        Entry::new("crsf 2.0.1", "Crossfire radio", PUSH, || {
            any(Pushing::new(crsf::PacketParser::<1024>::new, |parser, chunk, out| {
                parser.push_bytes(chunk);
                while let Some(packet) = parser.next_raw_packet() {
                    out(packet.map(|packet| packet.data().to_vec()));
                }
            })
            .resumes())
        })
        .messages(CRSF),
        Entry::new("uf-crsf 0.7.0", "Crossfire radio", PUSH, || {
            any(Pushing::new(uf_crsf::CrsfParser::new, |parser, mut chunk, out| {
                while let Some(packet) = parser.next_raw_packet(&mut chunk) {
                    match packet {
                        Ok(packet) => out(Ok(DebugText(format!("{packet:?}")))),
                        Err(error) => out(Err(Kind::of(&error))),
                    }
                }
            })
            .resumes())
        })
        .messages(CRSF),
        Entry::new("sbus-rs 0.1.3", "SBUS radio", PUSH, || {
            any(Pushing::new(sbus_rs::StreamingParser::new, |parser, chunk, out| {
                for packet in parser.push_bytes(chunk) {
                    out(packet.map(|packet| format!("{packet:?}")));
                }
            })
            .resumes())
        })
        .messages(SBUS),
        Entry::new("ld2450-proto 0.2.0", "LD2450 radar", PUSH, || {
            any(Pushing::returning(ld2450_proto::FrameParser::new, |parser, chunk| {
                Ok::<_, Never>(parser.feed_slice(chunk))
            }))
        })
        .messages([radar]),
        Entry::new("ublox 0.10.0", "u-blox satellites", PUSH, || {
            any(Pushing::new(ublox::Parser::default_proto, |parser, chunk, out| {
                let mut packets = parser.consume_ubx(chunk);
                while let Some(packet) = packets.next() {
                    match packet {
                        Ok(packet) => out(Ok(DebugText(format!("{packet:?}").chars().take(60).collect()))),
                        Err(error) => out(Err(Kind::of(&error))),
                    }
                }
            })
            .resumes())
        })
        .messages([
            &b"\xb5\x62\x05\x01\x02\x00\x06\x01\x0f\x38"[..],
            b"\xb5\x62\x05\x00\x02\x00\x06\x01\x0e\x33",
            b"\xb5\x62\x0a\x04\x00\x00\x0e\x34",
        ]),
        Entry::new("midly 0.5.3", "MIDI", PUSH, || {
            any(Pushing::new(
                midly::stream::MidiStream::new,
                |stream, chunk, out: &mut dyn FnMut(Result<DebugText, Never>)| {
                    stream.feed(chunk, |event| out(Ok(DebugText(format!("{event:?}")))));
                },
            )
            .at_end(|stream, out| stream.flush(|event| out(Ok(DebugText(format!("{event:?}")))))))
        })
        .messages([&b"\x90\x40\x7f"[..], b"\xf8", b"\xc0\x05", b"\x80\x40\x00"])
        .tokens([&b"\xf0"[..], b"\xf7", b"\x40\x00"]),
        Entry::new("atat 0.25.0", "AT commands", BUFFER, || {
            any(Decoded::by(atat::AtDigester::<Unsolicited>::new, digested, |_, _: &mut Vec<u8>| Ok::<_, Never>(None)))
        })
        .messages([&b"\r\n+URC: x\r\n"[..], b"\r\nOK\r\n", b"\r\n> "])
        // It answers one command at a time.
        .dependent()
        .without(Law::Total, "its buffer has a fixed size of some hundred bytes, and the law feeds more")
        .without(Law::Linear, "its buffer has a fixed size of some hundred bytes, and the law feeds more"),
    ]
}

fn serial_line_ip() -> AnySubject {
    struct Frames {
        decoder: serial_line_ip::Decoder,
        frame: Vec<u8>,
    }
    any(Pushing::new(
        || Frames { decoder: serial_line_ip::Decoder::new(), frame: Vec::new() },
        |frames: &mut Frames, mut chunk, out| {
            while !chunk.is_empty() {
                let mut piece = [0; 64];
                match frames.decoder.decode(chunk, &mut piece) {
                    Ok((used, piece, end)) => {
                        frames.frame.extend_from_slice(piece);
                        chunk = &chunk[used..];
                        if end {
                            out(Ok(std::mem::take(&mut frames.frame)));
                            frames.decoder = serial_line_ip::Decoder::new();
                        }
                    }
                    Err(error) => {
                        out(Err(Kind::of(&error)));
                        return;
                    }
                }
            }
        },
    ))
}

fn cobs(limit: Option<usize>) -> AnySubject {
    any(Pushing::new(
        move || {
            let decoder = cobs_codec_rs::framing::FrameDecoder::new();
            match limit {
                Some(limit) => decoder.max_frame_len(limit),
                None => decoder,
            }
        },
        |decoder, chunk, out| decoder.push(chunk, &mut *out),
    )
    .resumes())
}

fn postcard() -> AnySubject {
    any(Accumulating::new(CobsAccumulator::<8>::new, |accumulator, chunk| match accumulator.feed::<(u8, u8)>(chunk) {
        FeedResult::Consumed => (None, &[][..]),
        FeedResult::OverFull(rest) => (Some(Err("over-full")), rest),
        FeedResult::DeserError(rest) => (Some(Err("not a value")), rest),
        FeedResult::Success { data, remaining } => (Some(Ok(data)), remaining),
    })
    .resumes())
}

/// A parser of one unsolicited message.
struct Unsolicited;

impl atat::Parser for Unsolicited {
    fn parse(bytes: &[u8]) -> Result<(&[u8], usize), atat::digest::ParseError> {
        const LINE: &[u8] = b"\r\n+URC: x\r\n";
        if bytes.starts_with(LINE) {
            Ok((&bytes[2..9], LINE.len()))
        } else if LINE.starts_with(bytes) {
            Err(atat::digest::ParseError::Incomplete)
        } else {
            Err(atat::digest::ParseError::NoMatch)
        }
    }
}

fn digested(digester: &mut atat::AtDigester<Unsolicited>, buffer: &mut Vec<u8>) -> Result<Option<DebugText>, Never> {
    loop {
        let (result, used) = digester.digest(buffer);
        let event = (!matches!(result, DigestResult::None)).then(|| DebugText(format!("{result:?}")));
        buffer.drain(..used);
        if event.is_some() || used == 0 || buffer.is_empty() {
            return Ok(event);
        }
    }
}
