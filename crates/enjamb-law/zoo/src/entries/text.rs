//! Characters, terminals, and encodings with text around them.

use std::cell::RefCell;
use std::io::{BufRead as _, Read as _, Write as _};
use std::rc::Rc;

use enjamb_law::{Blocking, DebugText, Kind, Never, Parsed, Parsing, Pushing, Subject as _};

use super::{BLOCKING, PARSE, PUSH};
use crate::entry::Entry;
use crate::subject::{AnySubject, any};

const TERMINAL: [&[u8]; 7] = [
    b"a\xc3\xa9\xe2\x82\xac",
    b"\x1b[1;31mx\x1b[0m",
    b"\x1b]0;t\xc3\xa9\x07",
    b"\xf0\x9f\x98\x80",
    b"\r\n",
    b"\xc3\x87V\xc3\xa9",
    b"\x1b]8;;u\x1b\\",
];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("vte 0.13.0", "terminal text and escapes", PUSH, || {
            any(Pushing::returning(vte_013::Parser::new, |parser, chunk| {
                let mut log = TerminalLog::default();
                chunk.iter().for_each(|byte| parser.advance(&mut log, *byte));
                Ok::<_, Never>(log.0)
            }))
        })
        .messages(TERMINAL),
        Entry::new("vte 0.15.0", "terminal text and escapes", PUSH, || {
            any(Pushing::returning(vte::Parser::new, |parser, chunk| {
                let mut log = TerminalLog::default();
                parser.advance(&mut log, chunk);
                Ok::<_, Never>(log.0)
            }))
        })
        .messages(TERMINAL),
        Entry::new("encoding_rs 0.8.44 UTF-8", "characters", PUSH, || characters(encoding_rs::UTF_8))
            .messages([&b"a\xc3\xa9"[..], b"\xe2\x82\xac", b"\xf0\x9f\x98\x80"])
            .tokens([&b"\xff"[..], b"\xef\xbb\xbf"]),
        Entry::new("encoding_rs 0.8.44 Shift_JIS", "characters", PUSH, || characters(encoding_rs::SHIFT_JIS))
            .messages([&b"a\x82\xa0"[..], b"\xb1", b"\x83\x5c"])
            .tokens([&b"\x80"[..]]),
        Entry::new("encoding_rs 0.8.44 UTF-16LE", "characters", PUSH, || characters(encoding_rs::UTF_16LE))
            .messages([&b"a\0"[..], b"\x3d\xd8\x00\xde"])
            .tokens([&b"\xff\xfe"[..]]),
        Entry::new("base64 0.22.1 DecoderReader", "base64", BLOCKING, || {
            any(Blocking::with(
                |incoming| base64::read::DecoderReader::new(incoming, &base64::engine::general_purpose::STANDARD),
                |reader| {
                    let mut piece = [0; 64];
                    let read = reader.read(&mut piece)?;
                    Ok::<_, std::io::Error>((read > 0).then(|| piece[..read].to_vec()))
                },
            )
            .flat_map(|piece| piece))
        })
        .messages([&b"aGVsbG8h"[..], b"YWJj"]),
        Entry::new("ppp 2.3.0", "the PROXY protocol", PARSE, || any(Parsing::new(proxy))).messages([
            &b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n"[..],
            b"PROXY UNKNOWN\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\xc0\xa8\x01\x01\x00\x50\x01\xbb",
            b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
        ]),
        Entry::new("snap 1.0.0", "snappy frames", BLOCKING, || {
            any(Blocking::with(snap::read::FrameDecoder::new, |reader| {
                let mut piece = [0; 64];
                let read = reader.read(&mut piece)?;
                Ok::<_, std::io::Error>((read > 0).then(|| piece[..read].to_vec()))
            })
            .flat_map(|piece| piece))
        })
        .messages([&b"\xff\x06\x00\x00sNaPpY\x01\x07\x00\x00\x6e\x57\xf1\x21abc"[..]]),
        Entry::new("chunked_transfer 1.5.0", "HTTP chunked bodies", BLOCKING, || {
            any(Blocking::new(|incoming| {
                if incoming.fill_buf()?.is_empty() {
                    return Ok::<_, std::io::Error>(None);
                }
                let mut body = Vec::new();
                chunked_transfer::Decoder::new(incoming).read_to_end(&mut body)?;
                Ok(Some(body.escape_ascii().to_string()))
            }))
        })
        .messages([&b"3\r\nabc\r\n0\r\n\r\n"[..], b"a;x=y\r\n0123456789\r\n0\r\n\r\n", b"0\r\n\r\n"]),
        Entry::new("utf8parse 0.2.2", "characters", PUSH, || {
            any(Pushing::returning(utf8parse::Parser::new, |parser, chunk| {
                let mut found = Characters::default();
                chunk.iter().for_each(|byte| parser.advance(&mut found, *byte));
                Ok::<_, Never>(found.0)
            }))
        })
        .messages([&b"a\xc3\xa9"[..], b"\xe2\x82\xac", b"\xf0\x9f\x98\x80"])
        .tokens([&b"\xff"[..]]),
        Entry::new("utf-8 0.7.6 BufReadDecoder", "characters", BLOCKING, || {
            any(Blocking::with(utf8::BufReadDecoder::new, |reader| match reader.next_strict() {
                None => Ok(None),
                Some(Ok(text)) => Ok(Some(text.chars().collect::<Vec<char>>())),
                Some(Err(error)) => Err(error.to_string()),
            })
            .flat_map(|text| text))
        })
        .messages([&b"a\xc3\xa9"[..], b"\xe2\x82\xac", b"\xf0\x9f\x98\x80"])
        .tokens([&b"\xff"[..]]),
        Entry::new("strip-ansi-escapes 0.2.1", "terminal text", PUSH, || {
            any(Pushing::new(StrippedText::default, |text, chunk, out| {
                match text.writer.write_all(chunk).and_then(|()| text.writer.flush()) {
                    Ok(()) => text.written.take().into_iter().for_each(|byte| out(Ok(byte))),
                    Err(error) => out(Err(Kind::of(&error))),
                }
            }))
        })
        .messages(TERMINAL),
        Entry::new("encoding_rs_io 0.1.8", "text in UTF-8, UTF-16 by its byte-order mark", BLOCKING, || {
            any(Blocking::with(encoding_rs_io::DecodeReaderBytes::new, |reader| {
                let mut piece = [0; 64];
                let read = reader.read(&mut piece)?;
                Ok::<_, std::io::Error>((read > 0).then(|| piece[..read].to_vec()))
            })
            .flat_map(|piece| piece))
        })
        .messages([&b"a\xc3\xa9"[..], b"bc"])
        .tokens([&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"]),
    ]
}

/// A writer that takes escapes out of a text, and what it has written.
struct StrippedText {
    writer: strip_ansi_escapes::Writer<SharedBytes>,
    written: SharedBytes,
}

impl Default for StrippedText {
    fn default() -> Self {
        let written = SharedBytes::default();
        Self { writer: strip_ansi_escapes::Writer::new(written.clone()), written }
    }
}

#[derive(Clone, Default)]
struct SharedBytes(Rc<RefCell<Vec<u8>>>);

impl SharedBytes {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl std::io::Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Characters, and the places of bytes that are none.
#[derive(Default)]
struct Characters(Vec<Option<char>>);

impl utf8parse::Receiver for Characters {
    fn codepoint(&mut self, c: char) {
        self.0.push(Some(c));
    }
    fn invalid_sequence(&mut self) {
        self.0.push(None);
    }
}

/// The actions that a terminal performs.
#[derive(Default)]
struct TerminalLog(Vec<DebugText>);

macro_rules! perform {
    ($vte:ident) => {
        impl $vte::Perform for TerminalLog {
            fn print(&mut self, c: char) {
                self.0.push(DebugText(format!("print {c}")));
            }
            fn execute(&mut self, byte: u8) {
                self.0.push(DebugText(format!("execute {byte:#04x}")));
            }
            fn hook(&mut self, params: &$vte::Params, intermediates: &[u8], ignore: bool, action: char) {
                self.0.push(DebugText(format!("hook {params:?} {intermediates:?} {ignore} {action}")));
            }
            fn put(&mut self, byte: u8) {
                self.0.push(DebugText(format!("put {byte:#04x}")));
            }
            fn unhook(&mut self) {
                self.0.push(DebugText("unhook".to_owned()));
            }
            fn osc_dispatch(&mut self, params: &[&[u8]], bell: bool) {
                self.0.push(DebugText(format!("osc {params:?} {bell}")));
            }
            fn csi_dispatch(&mut self, params: &$vte::Params, intermediates: &[u8], ignore: bool, action: char) {
                self.0.push(DebugText(format!("csi {params:?} {intermediates:?} {ignore} {action}")));
            }
            fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
                self.0.push(DebugText(format!("esc {intermediates:?} {ignore} {byte:#04x}")));
            }
        }
    };
}
perform!(vte);
perform!(vte_013);

fn characters(encoding: &'static encoding_rs::Encoding) -> AnySubject {
    fn decode(decoder: &mut encoding_rs::Decoder, chunk: &[u8], last: bool) -> Vec<char> {
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(chunk.len()).unwrap_or(0));
        let _ = decoder.decode_to_string(chunk, &mut text, last);
        text.chars().collect()
    }
    any(Pushing::new(
        move || encoding.new_decoder(),
        |decoder: &mut encoding_rs::Decoder, chunk, out: &mut dyn FnMut(Result<char, Never>)| {
            decode(decoder, chunk, false).into_iter().for_each(|c| out(Ok(c)));
        },
    )
    .at_end(|decoder, out| decode(decoder, b"", true).into_iter().for_each(|c| out(Ok(c)))))
}

fn proxy(bytes: &[u8]) -> Parsed<String, String> {
    let result = ppp::HeaderResult::parse(bytes);
    if ppp::PartialResult::is_incomplete(&result) {
        return Parsed::Incomplete;
    }
    match result {
        ppp::HeaderResult::V1(Ok(header)) => Parsed::Done(format!("{header:?}"), header.header.len()),
        ppp::HeaderResult::V2(Ok(header)) => Parsed::Done(format!("{header:?}"), header.len()),
        ppp::HeaderResult::V1(Err(error)) => Parsed::Failed(format!("{error:?}")),
        ppp::HeaderResult::V2(Err(error)) => Parsed::Failed(format!("{error:?}")),
    }
}
