//! Decoders that are right, and were or could be accused.

use std::collections::BTreeMap;
use std::io;

use enjamb_law::{Accumulating, Chunks, Decoded, Law, Laws, Never, Pushing, Reading, Subject, Verdict};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::{at_end, innocent, test_name};

fn feed_line<'c>(line: &mut Vec<u8>, chunk: &'c [u8]) -> (Option<Result<Vec<u8>, Never>>, &'c [u8]) {
    match chunk.split_first() {
        Some((b'\n', rest)) => (Some(Ok(std::mem::take(line))), rest),
        Some((byte, rest)) => {
            line.push(*byte);
            (None, rest)
        }
        None => (None, chunk),
    }
}

fn feed_lines(line: &mut Vec<u8>, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
    let mut lines = Vec::new();
    for byte in chunk {
        match byte {
            b'\n' => lines.push(std::mem::take(line)),
            byte => line.push(*byte),
        }
    }
    Ok(lines)
}

/// Waits for a record, so every end of the stream is the same error.
async fn read_record(reader: &mut Chunks) -> io::Result<Option<u32>> {
    reader.read_u32().await.map(Some)
}

/// Reads the parts of a body until the closing boundary, and nothing behind it.
async fn read_part(reader: &mut (Chunks, bool)) -> Result<Option<String>, String> {
    let (chunks, closed) = reader;
    if *closed {
        return Ok(None);
    }
    let mut line = String::new();
    chunks.read_line(&mut line).await.map_err(|error| error.kind().to_string())?;
    match line.as_str() {
        "--\n" => {
            *closed = true;
            Ok(None)
        }
        line if line.ends_with('\n') => Ok(Some(line.to_owned())),
        _ => Err("no closing boundary".to_owned()),
    }
}

/// Fields until an empty line, in which lines that begin with a colon are comments.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    fields: BTreeMap<String, String>,
    last_id: Option<String>,
    keeps_id: bool,
    ignores_unknown: bool,
}

const KNOWN_FIELDS: [&str; 3] = ["data", "event", "id"];

impl Events {
    fn feed(&mut self, chunk: &[u8], out: &mut dyn FnMut(Result<BTreeMap<String, String>, Never>)) {
        for &byte in chunk {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            if line.is_empty() {
                let mut fields = std::mem::take(&mut self.fields);
                if fields.is_empty() {
                    continue;
                }
                if self.keeps_id {
                    self.last_id = fields.get("id").cloned().or_else(|| self.last_id.take());
                    fields.extend(self.last_id.clone().map(|id| ("id".to_owned(), id)));
                }
                out(Ok(fields));
            } else if let Some((name, value)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) {
                if self.ignores_unknown && !KNOWN_FIELDS.contains(&name) {
                    continue;
                }
                self.fields.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn events(
    keeps_id: bool,
    ignores_unknown: bool,
) -> impl Subject<Event = BTreeMap<String, String>, Error = enjamb_law::Kind> + Send + Sync + 'static {
    Pushing::new(
        move || Events { keeps_id, ignores_unknown, ..Events::default() },
        |events: &mut Events, chunk, out| events.feed(chunk, out),
    )
    .at_end(|_: &mut Events, _: &mut dyn FnMut(Result<BTreeMap<String, String>, Never>)| {})
}

/// A head of `name:value` lines, of which only `length` counts, an empty line, and a payload. Line
/// ends between two messages are skipped.
fn message_with_head(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let skipped = buffer.iter().take_while(|byte| **byte == b'\n').count();
    buffer.drain(..skipped);
    let end = match buffer.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) if end <= 512 => end,
        None if buffer.len() <= 513 => return Ok(None),
        _ => return Err("head too long"),
    };
    let head = std::str::from_utf8(&buffer[..end]).map_err(|_| "not UTF-8")?;
    let length = head.lines().find_map(|line| line.strip_prefix("length:"));
    let length = length.map_or(Ok(0), str::parse::<usize>).map_err(|_| "length")?;
    if length > 1024 {
        return Err("payload too long");
    }
    if buffer.len() < end + 2 + length {
        return Ok(None);
    }
    buffer.drain(..end + 2);
    Ok(Some(buffer.drain(..length).collect()))
}

/// Lines of letters. After a bad one the decoder refuses everything, or ends.
#[derive(Default)]
struct Fused {
    failed: bool,
}

impl Fused {
    fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        if self.failed {
            return Err("failed before");
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(buffer.len()) > 200 {
            return Err("too long");
        }
        let Some(end) = end else { return Ok(None) };
        let line: Vec<u8> = buffer.drain(..=end).collect();
        if line[..end].iter().all(u8::is_ascii_alphabetic) {
            return Ok(Some(line));
        }
        self.failed = true;
        Err("not letters")
    }
}

/// Words with white space in front of them.
fn word(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let start = buffer.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(buffer.len());
    buffer.drain(..start);
    let end = buffer.iter().position(|byte| *byte == b';');
    if end.unwrap_or(buffer.len()) > 200 {
        return Err("too long");
    }
    Ok(end.map(|end| buffer.drain(..=end).collect()))
}

/// Takes about a millisecond for each call.
fn slow_lines(line: &mut Vec<u8>, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
    let started = std::time::Instant::now();
    while started.elapsed() < std::time::Duration::from_millis(1) {
        std::hint::black_box(started);
    }
    feed_lines(line, chunk)
}

/// A length and a payload. A length over 64 is the same error until the connection is closed.
fn fatal_length(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(len) = buffer.first().map(|len| usize::from(*len)) else { return Ok(None) };
    if len > 64 {
        return Err("too long");
    }
    Ok((buffer.len() > len).then(|| buffer.drain(..1 + len).skip(1).collect()))
}

innocent! {
    accumulator_without_an_end: ["one\n", "two\n"], Accumulating::new(Vec::new, feed_line);
    push_parser_without_an_end: ["one\n", "two\n"], Pushing::returning(Vec::new, feed_lines);
    every_end_is_the_same_error: ["abcd", "efgh"], Reading::new(read_record);
    stops_at_the_closing_boundary: ["a\n--\n", "b\nc\n--\n"], Reading::with(|chunks| (chunks, false), read_part);
    comments_give_nothing: ["data: a\n\n", ": comment\n\n", "data: b\n\n"], .drops_unfinished("WHATWG HTML, 9.2.6"), events(false, false);
    unknown_fields_are_ignored: ["event: x\ndata: a\n\n", "data: b\n\n"], .drops_unfinished("WHATWG HTML, 9.2.6"), events(false, true);
    unknown_lines_of_a_head_are_ignored: ["length:5\nkind:a\n\nhello", "kind:b\n\n", "\nlength:0\n\n"], Decoded::by(|| (), |(): &mut (), buffer: &mut Vec<u8>| message_with_head(buffer), |(): &mut (), buffer: &mut Vec<u8>| { let last = message_with_head(buffer)?; if last.is_some() { Ok(last) } else { at_end(buffer) } });
    the_last_id_is_kept: ["id: 1\ndata: a\n\n", "data: b\n\n"], .drops_unfinished("WHATWG HTML, 9.2.6"), .carries("the last event id"), events(true, false);
    refuses_everything_after_an_error: ["one\n", "two\n"], Decoded::by(Fused::default, Fused::next, |lines: &mut Fused, buffer: &mut Vec<u8>| if lines.failed { Err("failed before") } else { at_end(buffer) });
    white_space_in_front: ["one;", "  two;", "\r\nthree;"], Decoded::by(|| (), |(): &mut (), buffer: &mut Vec<u8>| word(buffer), |(): &mut (), buffer: &mut Vec<u8>| { word(buffer)?; at_end(buffer) });
    a_length_is_a_fatal_error: ["\x03one", "\x05three"], Decoded::by(|| (), |(): &mut (), buffer: &mut Vec<u8>| fatal_length(buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
}

#[test]
fn pieces_of_two_messages_are_joined() {
    let pieces = Pushing::returning(
        || (),
        |(): &mut (), chunk: &[u8]| Ok::<_, Never>((!chunk.is_empty()).then(|| chunk.to_vec())),
    );
    let whole = pieces.merging(|piece: &mut Vec<u8>, mut next: Vec<u8>| {
        piece.append(&mut next);
        None
    });
    enjamb_law::alone(&whole, &[b"one\n", b"two\n"]).unwrap();
}

#[test]
fn a_slow_decoder_is_neither_hung_nor_quadratic() {
    let laws = || {
        Laws::new("slow", Pushing::returning(Vec::new, slow_lines))
            .messages(["one\n", "two\n"])
            .in_test(test_name(concat!(module_path!(), "::a_slow_decoder_is_neither_hung_nor_quadratic")))
    };
    assert!(matches!(laws().check(Law::Linear), Verdict::Holds(_)));
}
