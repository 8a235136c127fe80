//! Lines, and other formats with a delimiter.

use enjamb_law::{Blocking, Decoded, Pushing, Reading};
use tokio::io::AsyncBufReadExt as _;
use wire_codec::codec::FrameCodec;
use wire_codec::framing::Delimited;

use super::{ASYNC, BLOCKING, DECODER, OLD_DECODER, PUSH};
use crate::entry::Entry;
use crate::old_decoder;
use crate::subject::{any, encoding};

const LINES: [&[u8]; 4] = [b"a\n", b"bc\r\n", b"\n", b"d\n"];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("std BufRead::lines", "lines", BLOCKING, || any(Blocking::iterator(std::io::BufRead::lines)))
            .messages(LINES),
        Entry::new("bstr 1.14.0 byte_lines", "lines", BLOCKING, || {
            any(Blocking::iterator(bstr::io::BufReadExt::byte_lines))
        })
        .messages(LINES),
        Entry::new("tokio 1.54.1 Split", "pieces between delimiters", ASYNC, || {
            any(Reading::with(
                |chunks| tokio::io::BufReader::new(chunks).split(b';'),
                async |pieces| pieces.next_segment().await,
            ))
        })
        .messages([&b"a;"[..], b";", b"b\xff;"]),
        Entry::new("tokio-util 0.3.1 LinesCodec", "lines", OLD_DECODER, || {
            any(old_decoder!(tokio_util_03, bytes_05, || tokio_util_03::codec::LinesCodec::new_with_max_length(4))
                .resumes())
        })
        .messages(LINES)
        .limit(4),
        Entry::new("tokio-util 0.6.10 LinesCodec", "lines", OLD_DECODER, || {
            any(old_decoder!(tokio_util_06, bytes, || tokio_util_06::codec::LinesCodec::new_with_max_length(4))
                .resumes())
        })
        .messages(LINES)
        .limit(4),
        Entry::new("tokio-util 0.7.20 LinesCodec", "lines", DECODER, || {
            let lines = Decoded::new(|| tokio_util::codec::LinesCodec::new_with_max_length(4)).resumes();
            encoding(lines, |line: &String| Some(format!("{line}\n").into_bytes()))
        })
        .messages(LINES)
        .limit(4),
        Entry::new("tokio-util 0.7.20 AnyDelimiterCodec", "pieces between delimiters", DECODER, || {
            any(Decoded::new(|| {
                tokio_util::codec::AnyDelimiterCodec::new_with_max_length(b",;".to_vec(), b";".to_vec(), 4)
            })
            .resumes())
        })
        .messages([&b"a,"[..], b"bc;", b","])
        .limit(4),
        Entry::new("tokio 1.54.1 Lines", "lines", ASYNC, || {
            any(Reading::with(
                |chunks| tokio::io::BufReader::new(chunks).lines(),
                async |lines| lines.next_line().await,
            ))
        })
        .messages([&b"a\n"[..], b"bc\r\n", b"\n", b"\xc3\xa9\n"]),
        Entry::new("futures 0.3.34 Lines", "lines", ASYNC, || {
            any(Reading::stream(|chunks| futures::AsyncBufReadExt::lines(futures::io::BufReader::new(chunks))))
        })
        .messages([&b"a\n"[..], b"bc\r\n", b"\n", b"\xc3\xa9\n"]),
        Entry::new("asynchronous-codec 0.7.0 LinesCodec", "lines", ASYNC, || {
            any(Reading::stream(|chunks| asynchronous_codec::FramedRead::new(chunks, asynchronous_codec::LinesCodec)))
        })
        .messages([&b"a\n"[..], b"bc\r\n", b"\n"]),
        Entry::new("wire-codec 1.1.0 Delimited", "pieces between CRLF", DECODER, || {
            any(Decoded::new(|| {
                FrameCodec::new(Delimited::new(b"\r\n").expect("two bytes are a delimiter").with_max_payload(8))
            }))
        })
        .messages([&b"a\r\n"[..], b"\r\n", b"a\rb\r\n", b"12345678\r\n"])
        .limit(8),
        Entry::new("csv-core 0.1.13", "CSV", PUSH, csv)
            .messages([&b"a,b\n"[..], b"\"x,\"\"y\",z\r\n", b"1,2,3\n"])
            .tokens([&b"\xef\xbb\xbf"[..], b"\"", b"\"\"", b",", b"\r\n", b"\n"]),
        Entry::new("irc-proto 1.1.0", "IRC", DECODER, || {
            any(Decoded::new(|| irc_proto::IrcCodec::new("utf-8").expect("an encoding")))
        })
        .messages([
            &b"PING :x\r\n"[..],
            b":n!u@h PRIVMSG #c :hi there\r\n",
            b"@a=b :s 001 me :w\n",
            b"JOIN #c\r\n",
        ]),
    ]
}

/// The fields of a record as one text, and the end of each.
type Record = (String, Vec<usize>);

/// A reader of records, with the part of the next one that it has read.
struct Records {
    reader: csv_core::Reader,
    fields: Vec<u8>,
    ends: Vec<usize>,
    ended: bool,
}

impl Records {
    fn new() -> Self {
        Self { reader: csv_core::Reader::new(), fields: Vec::new(), ends: Vec::new(), ended: false }
    }

    /// Follows its documentation: it is called until it requests more, and with no bytes at the
    /// end.
    fn read(&mut self, mut input: &[u8], found: &mut dyn FnMut(Result<Record, String>)) {
        let at_end = input.is_empty();
        while !self.ended {
            let (mut fields, mut ends) = ([0; 64], [0; 16]);
            let (result, read, written, ended) = self.reader.read_record(input, &mut fields, &mut ends);
            input = &input[read..];
            self.fields.extend_from_slice(&fields[..written]);
            self.ends.extend_from_slice(&ends[..ended]);
            match result {
                csv_core::ReadRecordResult::InputEmpty => return,
                csv_core::ReadRecordResult::OutputFull | csv_core::ReadRecordResult::OutputEndsFull => {}
                csv_core::ReadRecordResult::Record => {
                    let fields = std::mem::take(&mut self.fields);
                    found(Ok((fields.escape_ascii().to_string(), std::mem::take(&mut self.ends))));
                }
                csv_core::ReadRecordResult::End => self.ended = true,
            }
            if input.is_empty() && !at_end {
                return;
            }
        }
    }
}

fn csv() -> crate::subject::AnySubject {
    any(Pushing::new(Records::new, |records: &mut Records, chunk, found| {
        // An empty input is the end of the data, so it is not called again without new bytes.
        if !chunk.is_empty() {
            records.read(chunk, found);
        }
    })
    .at_end(|records, found| records.read(b"", found)))
}
