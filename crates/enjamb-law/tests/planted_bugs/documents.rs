//! Text protocols, and text in other encodings.

use std::io::{BufRead, BufReader, Read};

use enjamb_law::{
    Blocking, Body, Chunks, Decoded, Incoming, Never, Parsed, Parsing, Pushing, Reading, Streaming, Subject,
};
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::{at_end, planted};

/// Lines with a limit, by `read_until` over `take`. The bug: a line that is longer is returned in
/// parts, and the rest is the next line.
fn read_line(bug: bool, reader: &mut BufReader<Incoming>) -> Result<Option<Vec<u8>>, &'static str> {
    let mut line = Vec::new();
    reader.by_ref().take(80).read_until(b'\n', &mut line).map_err(|_| "read")?;
    if line.len() == 80 && line.last() != Some(&b'\n') && !bug {
        return Err("too long");
    }
    if bug && reader.buffer().is_empty() && line.last() != Some(&b'\n') {
        // What is buffered is a line.
        line.push(b'\n');
    }
    Ok((!line.is_empty()).then_some(line))
}

/// The parts of a multipart body. The bug: the boundary is searched only in the lines of one read.
async fn read_part(bug: bool, reader: &mut (Chunks, bool)) -> Result<Option<Vec<u8>>, String> {
    let (chunks, closed) = reader;
    let mut part = Vec::new();
    while !*closed {
        let start = part.len();
        let read = match bug {
            true => {
                let arrived = chunks.fill_buf().await.map_err(|error| error.kind().to_string())?;
                let len = arrived.iter().position(|byte| *byte == b'\n').map_or(arrived.len(), |at| at + 1);
                part.extend_from_slice(&arrived[..len]);
                AsyncBufReadExt::consume(chunks, len);
                len
            }
            false => chunks.read_until(b'\n', &mut part).await.map_err(|error| error.kind().to_string())?,
        };
        match &part[start..] {
            _ if read == 0 => return Err("no closing boundary".to_owned()),
            b"--x\n" => {
                part.truncate(start);
                if start > 0 {
                    return Ok(Some(part));
                }
            }
            b"--x--\n" => {
                part.truncate(start);
                *closed = true;
                return Ok((start > 0).then_some(part));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Sentences of a satellite receiver: `$`, fields, `*`, a sum of two digits and CRLF. The reader
/// begins anew at each `$`. The bug: it looks for `$` only at the start of a chunk and behind a
/// sentence.
#[derive(Default)]
struct Sentences {
    sentence: Vec<u8>,
}

impl Sentences {
    fn feed(&mut self, bug: bool, chunk: &[u8], out: &mut dyn FnMut(Result<String, &'static str>)) {
        for (at, &byte) in chunk.iter().enumerate() {
            if byte == b'$' && (!bug || at == 0 || self.sentence.is_empty()) {
                self.sentence.clear();
            } else if self.sentence.is_empty() {
                continue;
            }
            self.sentence.push(byte);
            if byte == b'\n' {
                out(check_sentence(&std::mem::take(&mut self.sentence)));
            } else if self.sentence.len() > 82 {
                self.sentence.clear();
                out(Err("too long"));
            }
        }
    }
}

fn check_sentence(sentence: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(sentence).map_err(|_| "not ASCII")?;
    let (fields, sum) = text.trim_end()[1..].split_once('*').ok_or("no sum")?;
    let xor = fields.bytes().fold(0, |sum, byte| sum ^ byte);
    if u8::from_str_radix(sum, 16) == Ok(xor) { Ok(fields.to_owned()) } else { Err("sum") }
}

/// Base64 in groups of four characters, decoded from a stream of chunks. The bug: the characters of
/// a group that a chunk cuts are dropped.
fn base64(bug: bool, body: Body) -> impl Stream<Item = Result<Vec<u8>, &'static str>> {
    use base64::Engine as _;
    let mut held = Vec::new();
    let decode = |group: &[u8]| base64::engine::general_purpose::STANDARD.decode(group).map_err(|_| "group");
    let end = futures_util::stream::once(async { None });
    let groups = body.map(Result::ok).chain(end).flat_map(move |chunk| {
        let items: Vec<_> = match chunk {
            Some(chunk) => {
                held.extend_from_slice(&chunk);
                let rest = held.split_off(held.len() / 4 * 4);
                let groups = std::mem::replace(&mut held, if bug { Vec::new() } else { rest });
                groups.chunks(4).map(decode).collect()
            }
            None if held.is_empty() => Vec::new(),
            None => vec![Err("unfinished")],
        };
        futures_util::stream::iter(items)
    });
    // The stream ends behind its first error.
    groups.scan(false, |failed, item| {
        let item = (!*failed).then_some(item);
        *failed |= matches!(item, Some(Err(_)));
        std::future::ready(item)
    })
}

/// Characters in UTF-16. The bug: a pair of surrogates that a chunk cuts is replaced.
#[derive(Default)]
struct Utf16 {
    bytes: Vec<u8>,
}

impl Utf16 {
    fn feed(&mut self, bug: bool, chunk: &[u8], out: &mut dyn FnMut(Result<char, Never>)) {
        self.bytes.extend_from_slice(chunk);
        let mut units: Vec<u16> =
            self.bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let waits = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) && !bug;
        units.truncate(units.len() - usize::from(waits));
        self.bytes.drain(..2 * units.len());
        char::decode_utf16(units).for_each(|c| out(Ok(c.unwrap_or(char::REPLACEMENT_CHARACTER))));
    }

    fn at_end(&mut self, out: &mut dyn FnMut(Result<char, Never>)) {
        if !self.bytes.is_empty() {
            out(Ok(char::REPLACEMENT_CHARACTER));
        }
    }
}

/// A mail until a line of one full stop, with a full stop in front of lines that begin with one.
/// The bug: the stop is removed only where the line begins in the same chunk.
#[derive(Default)]
struct Mail {
    text: Vec<u8>,
    line: Vec<u8>,
}

impl Mail {
    fn feed(&mut self, bug: bool, chunk: &[u8], out: &mut dyn FnMut(Result<String, Never>)) {
        let mut line_began_here = false;
        for &byte in chunk {
            line_began_here |= self.line.is_empty();
            self.line.push(byte);
            if byte != b'\n' {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match line.strip_prefix(b".") {
                Some(b"\n" | b"\r\n") => out(Ok(String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned())),
                Some(stuffed) if !bug || line_began_here => self.text.extend_from_slice(stuffed),
                _ => self.text.extend_from_slice(&line),
            }
            line_began_here = false;
        }
    }
}

/// JSON values in braces, without white space between them. The bug: an escape in a string at the
/// end of a chunk is forgotten.
#[derive(Default)]
struct Braces {
    value: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Braces {
    fn feed(&mut self, bug: bool, chunk: &[u8], out: &mut dyn FnMut(Result<String, &'static str>)) {
        if bug {
            self.escaped = false;
        }
        for &byte in chunk {
            if self.depth == 0 && byte != b'{' {
                if !byte.is_ascii_whitespace() {
                    out(Err("not an object"));
                }
                continue;
            }
            self.value.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' if !self.in_string => self.depth += 1,
                b'}' if !self.in_string => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        out(Ok(String::from_utf8_lossy(&std::mem::take(&mut self.value)).into_owned()));
                    }
                }
                _ => {}
            }
        }
    }
}

/// A body in chunks: a size in hex, CRLF, bytes, CRLF, until a size of 0. The bug: the CRLF behind
/// a chunk is skipped by the number of bytes that are there.
fn chunked(bug: bool, buffer: &mut Vec<u8>, state: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    loop {
        let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") else {
            return if buffer.len() > 20 { Err("size") } else { Ok(None) };
        };
        let digits = std::str::from_utf8(&buffer[..end]).map_err(|_| "size")?;
        let size = usize::from_str_radix(digits.split(';').next().unwrap_or_default(), 16).map_err(|_| "size")?;
        if size > 1000 || end > 18 {
            return Err("size");
        }
        let whole = end + 2 + size + 2;
        if buffer.len() < whole - if bug { 2 } else { 0 } {
            return Ok(None);
        }
        let taken: Vec<u8> = buffer.drain(..whole.min(buffer.len())).collect();
        if !bug && !taken.ends_with(b"\r\n") {
            return Err("end of the chunk");
        }
        state.extend_from_slice(&taken[end + 2..end + 2 + size]);
        if size == 0 {
            return Ok(Some(std::mem::take(state)));
        }
    }
}

/// A head and a body by its length, as a client with one connection reads them. The bug: a message
/// without a length keeps the one of the message before.
#[derive(Default)]
struct Messages {
    length: usize,
}

impl Messages {
    async fn next(&mut self, bug: bool, chunks: &mut Chunks) -> Result<Option<(String, Vec<u8>)>, String> {
        let mut head = String::new();
        if !bug {
            self.length = 0;
        }
        loop {
            let mut line = String::new();
            let read = chunks.read_line(&mut line).await.map_err(|error| error.kind().to_string())?;
            match line.strip_suffix("\r\n") {
                _ if read == 0 && head.is_empty() => return Ok(None),
                Some("") => break,
                Some(field) => {
                    if let Some(length) = field.strip_prefix("length: ") {
                        self.length = length.parse::<u16>().map_err(|_| "length")?.into();
                    }
                    head += field;
                }
                None => return Err("head".to_owned()),
            }
        }
        let mut body = vec![0; self.length];
        chunks.read_exact(&mut body).await.map_err(|error| error.kind().to_string())?;
        Ok(Some((head, body)))
    }
}

/// Replies of several lines: `250-` until `250 `. The bug: a reply is complete with the lines that
/// are there.
fn reply(bug: bool, bytes: &[u8]) -> Parsed<Vec<String>, &'static str> {
    let mut lines = Vec::new();
    let mut used = 0;
    while let Some(len) = bytes[used..].iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&bytes[used..used + len]).trim_end().to_owned();
        used += len + 1;
        match line.as_bytes() {
            [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..] => lines.push(line),
            [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ', ..] => {
                lines.push(line);
                return Parsed::Done(lines, used);
            }
            _ => return Parsed::Failed("code"),
        }
    }
    if bug && !lines.is_empty() { Parsed::Done(lines, used) } else { Parsed::Incomplete }
}

planted! {
    long_line_in_parts: [Split], ["one\n", "two\n"],
        |bug| Blocking::with(BufReader::new, move |reader: &mut BufReader<Incoming>| read_line(bug, reader));
    boundary_in_one_read: [Split], ["--x\na\n--x--\n", "--x\nb\n--x\nc\n--x--\n"], .one_message(true),
        |bug| Reading::with(|chunks| (chunks, false), async move |reader: &mut (Chunks, bool)| read_part(bug, reader).await);
    sentence_begins_anew_only_with_a_chunk: [Split], ["$A,1*5C\r\n", "$B,2*5C\r\n"],
        |bug| Pushing::new(Sentences::default, move |sentences: &mut Sentences, chunk, out| sentences.feed(bug, chunk, out)).resumes();
    base64_of_each_chunk: [Split], ["aGVs", "bG8h"],
        |bug| Streaming::new(move |body| Box::pin(base64(bug, body))).flat_map(|bytes| bytes);
    surrogates_in_two_chunks: [Split], [&b"a\0"[..], b"b\0"],
        |bug| Pushing::new(Utf16::default, move |text: &mut Utf16, chunk, out| text.feed(bug, chunk, out)).at_end(|text: &mut Utf16, out| text.at_end(out));
    full_stop_of_a_line_in_two_chunks: [Split], ["one\r\n.\r\n", "two\r\n.\r\n"],
        |bug| Pushing::new(Mail::default, move |mail: &mut Mail, chunk, out| mail.feed(bug, chunk, out));
    escape_in_braces_at_the_end_of_a_chunk: [Split], [r#"{"a":"b"}"#, r#"{}"#],
        |bug| Pushing::new(Braces::default, move |braces: &mut Braces, chunk, out| braces.feed(bug, chunk, out)).resumes();
    line_end_behind_a_chunk_is_late: [Split], ["3\r\nabc\r\n0\r\n\r\n", "a;x=y\r\n0123456789\r\n0\r\n\r\n"],
        |bug| Decoded::by(Vec::new, move |state: &mut Vec<u8>, buffer: &mut Vec<u8>| chunked(bug, buffer, state), |state: &mut Vec<u8>, buffer: &mut Vec<u8>| if state.is_empty() { at_end(buffer) } else { Err("unfinished") });
    length_of_the_message_before: [Alone], ["a\r\nlength: 3\r\n\r\nabc", "b\r\n\r\n"],
        |bug| Reading::with(|chunks| (chunks, Messages::default()), async move |(chunks, messages): &mut (Chunks, Messages)| messages.next(bug, chunks).await);
    reply_of_the_lines_that_are_there: [Split], ["250 ok\r\n", "250-a\r\n250 b\r\n"],
        |bug| Parsing::new(move |bytes: &[u8]| reply(bug, bytes));
}
