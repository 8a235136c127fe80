//! Limits that apply to a part of a message, or that depend on the read.

use enjamb_law::{Chunks, Decoded, Reading};
use tokio::io::AsyncBufReadExt;

use crate::{at_end, planted};

/// A request: lines of at most 64 bytes, an empty line, and a body of the announced length. A
/// request has at most 256 bytes.
#[derive(Default)]
struct Request {
    lines: Vec<Vec<u8>>,
    body: Option<usize>,
}

impl Request {
    /// The bug: the limit applies to each line, and not to the number of lines.
    fn next_by_lines(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<Vec<u8>>>, &'static str> {
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            if line.len() > 64 {
                return Err("line too long");
            }
            if line == b"\n" {
                return Ok(Some(std::mem::take(&mut self.lines)));
            }
            self.lines.push(line);
            if !bug && self.lines.iter().map(Vec::len).sum::<usize>() > 256 {
                self.lines.clear();
                return Err("request too long");
            }
        }
        if buffer.len() > 64 { Err("line too long") } else { Ok(None) }
    }

    /// The bug: the limit applies to the head, and not to the body.
    fn next_with_body(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        let len = match self.body {
            Some(len) => len,
            None => {
                let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else {
                    return if buffer.len() > 64 { Err("head too long") } else { Ok(None) };
                };
                let head = std::str::from_utf8(&buffer[..end]).map_err(|_| "length")?;
                let len: usize = head.parse().map_err(|_| "length")?;
                if !bug && len > 256 {
                    return Err("body too long");
                }
                buffer.drain(..=end);
                self.body = Some(len);
                len
            }
        };
        if buffer.len() < len {
            return Ok(None);
        }
        self.body = None;
        Ok(Some(buffer.drain(..len).collect()))
    }
}

/// Lines of at most 100 bytes. The bug: only an unfinished line is compared with the limit.
fn line(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    match buffer.iter().position(|byte| *byte == b'\n') {
        Some(end) if end > 100 && !bug => Err("too long"),
        Some(end) => Ok(Some(buffer.drain(..=end).collect())),
        None if buffer.len() > 100 => Err("too long"),
        None => Ok(None),
    }
}

/// Lines of at most 100 bytes. The bug: the limit is compared with all bytes of the read.
fn line_of_a_read(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    if bug && buffer.len() > 100 {
        return Err("too long");
    }
    line(false, buffer)
}

/// Lines of at most 64 bytes. The bug: after a line that is too long, the decoder waits for ever
/// and keeps all bytes.
#[derive(Default)]
struct Stuck {
    failed: bool,
}

impl Stuck {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        if self.failed && bug {
            return Ok(None);
        }
        match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) if end <= 64 => Ok(Some(buffer.drain(..=end).collect())),
            None if buffer.len() <= 64 => Ok(None),
            _ => {
                self.failed = true;
                Err("too long")
            }
        }
    }
}

/// Lines of at most 64 bytes; a longer one is an error, and skipped. The bug: while its end is
/// missing, each call returns the error again, with nothing in the buffer.
#[derive(Default)]
struct Skipping {
    skips: bool,
}

impl Skipping {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        loop {
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let line: Vec<u8> = match end {
                Some(end) => buffer.drain(..=end).collect(),
                None if self.skips || buffer.len() > 64 => std::mem::take(buffer),
                None => return Ok(None),
            };
            match (self.skips, end) {
                (true, Some(_)) => self.skips = false,
                (true, None) => return if bug { Err("too long") } else { Ok(None) },
                (false, Some(end)) if end <= 64 => return Ok(Some(line)),
                (false, end) => {
                    self.skips = end.is_none();
                    return Err("too long");
                }
            }
        }
    }
}

/// Lines of at most 64 bytes. The bug: behind the limit, the reader fills its buffer again and
/// again and takes nothing.
async fn read_line(bug: bool, reader: &mut Chunks) -> Result<Option<Vec<u8>>, &'static str> {
    let mut line = Vec::new();
    loop {
        let arrived = reader.fill_buf().await.map_err(|_| "io")?;
        if arrived.is_empty() {
            return if line.is_empty() { Ok(None) } else { Err("unfinished") };
        }
        let end = arrived.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(arrived.len()).min(65 - line.len().min(65));
        if taken == 0 {
            if bug {
                tokio::task::yield_now().await;
                std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    std::task::Poll::<()>::Pending
                })
                .await;
            }
            return Err("too long");
        }
        line.extend_from_slice(&arrived[..taken]);
        reader.consume(taken);
        if line.ends_with(b"\n") {
            return Ok(Some(line));
        }
    }
}

planted! {
    number_of_lines_has_no_limit: [Bounded], ["GET a\nhost: b\n\n", "GET c\n\n"], .limit(256),
        |bug| Decoded::by(Request::default, move |request: &mut Request, buffer: &mut Vec<u8>| request.next_by_lines(bug, buffer), |request: &mut Request, buffer: &mut Vec<u8>| if request.lines.is_empty() { at_end(buffer) } else { Err("unfinished") });
    body_has_no_limit: [Bounded], ["5\nhello", "1\na"], .limit(320),
        |bug| Decoded::by(Request::default, move |request: &mut Request, buffer: &mut Vec<u8>| request.next_with_body(bug, buffer), |request: &mut Request, buffer: &mut Vec<u8>| if request.body.is_none() { at_end(buffer) } else { Err("unfinished") });
    whole_line_has_no_limit: [Split], ["one\n", "two\n"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| line(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    limit_of_the_read: [Split], ["one\n", "two\n"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| line_of_a_read(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    waits_for_ever_after_the_limit: [Bounded], ["one\n", "two\n"], .limit(64),
        |bug| Decoded::by(Stuck::default, move |lines: &mut Stuck, buffer: &mut Vec<u8>| lines.next(bug, buffer), |_: &mut Stuck, buffer: &mut Vec<u8>| at_end(buffer));
    spins_on_an_empty_buffer: [Split], ["one\n", "two\n"],
        |bug| Decoded::by(Skipping::default, move |lines: &mut Skipping, buffer: &mut Vec<u8>| lines.next(bug, buffer), |_: &mut Skipping, buffer: &mut Vec<u8>| at_end(buffer));
    spins_after_the_limit: [Awake], ["one\n", "two\n"],
        |bug| Reading::new(async move |reader: &mut Chunks| read_line(bug, reader).await);
}
