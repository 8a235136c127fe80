//! State that survives an error, and a search for the next message that depends on the read.

use enjamb_law::{Accumulating, Decoded};

use crate::{at_end, planted};

/// Lines of at most 32 bytes.
#[derive(Default)]
struct Lines {
    bug: bool,
    searched: usize,
    discarding: bool,
}

impl Lines {
    /// The bug: the position of the search survives a line that is too long.
    fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        loop {
            let from = self.searched.min(buffer.len());
            let end = buffer[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at);
            match end {
                Some(end) => {
                    let line: Vec<u8> = buffer.drain(..=end).collect();
                    let discarded = std::mem::take(&mut self.discarding);
                    self.searched = 0;
                    if discarded {
                        continue;
                    }
                    if line.len() > 33 {
                        return Err("too long");
                    }
                    return Ok(Some(line));
                }
                None if buffer.len() > 32 => {
                    self.searched = buffer.len();
                    buffer.clear();
                    if !std::mem::replace(&mut self.discarding, true) {
                        return Err("too long");
                    }
                }
                None => {
                    self.searched = if self.bug { self.searched.max(buffer.len()) } else { buffer.len() };
                    return Ok(None);
                }
            }
        }
    }
}

/// Packets of a length, a body of ASCII, and nothing else.
#[derive(Default)]
struct Packets {
    bug: bool,
    body: Option<usize>,
}

impl Packets {
    /// The bug: after a bad body, the next length is read as a body.
    fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        let len = match self.body {
            Some(len) => len,
            None if buffer.is_empty() => return Ok(None),
            None => usize::from(buffer.remove(0)),
        };
        self.body = Some(len);
        if buffer.len() < len {
            return Ok(None);
        }
        let body: Vec<u8> = buffer.drain(..len).collect();
        if !body.is_ascii() {
            if !self.bug {
                self.body = None;
            }
            return Err("not ASCII");
        }
        self.body = None;
        Ok(Some(body))
    }
}

/// Lines of digits, kept in a buffer of 16 bytes.
struct Numbers {
    bug: bool,
    line: Vec<u8>,
    overrun: bool,
}

impl Numbers {
    fn new(bug: bool) -> Self {
        Self { bug, line: Vec::new(), overrun: false }
    }

    /// The bug: the overrun is never over.
    fn feed_overrun<'c>(&mut self, chunk: &'c [u8]) -> (Option<Result<Vec<u8>, &'static str>>, &'c [u8]) {
        let Some((byte, rest)) = chunk.split_first() else { return (None, chunk) };
        if *byte == b'\n' {
            let line = std::mem::take(&mut self.line);
            if self.overrun {
                if !self.bug {
                    self.overrun = false;
                }
                return (None, rest);
            }
            return (Some(Ok(line)), rest);
        }
        if self.line.len() == 16 && !self.overrun {
            self.line.clear();
            self.overrun = true;
            return (Some(Err("too long")), rest);
        }
        if !self.overrun {
            self.line.push(*byte);
        }
        (None, rest)
    }

    /// The bug: the part of a refused line stays, and the next line is appended to it.
    fn feed_part<'c>(&mut self, chunk: &'c [u8]) -> (Option<Result<Vec<u8>, &'static str>>, &'c [u8]) {
        let Some((byte, rest)) = chunk.split_first() else { return (None, chunk) };
        match byte {
            b'\n' if std::mem::take(&mut self.overrun) => {
                if !self.bug {
                    self.line.clear();
                }
                (Some(Err("not a letter")), rest)
            }
            b'\n' => (Some(Ok(std::mem::take(&mut self.line))), rest),
            b'a'..=b'z' => {
                self.line.push(*byte);
                (None, rest)
            }
            _ => {
                self.overrun = true;
                (None, rest)
            }
        }
    }

    /// The bug: an overrun drops the rest of the chunk.
    fn feed_dropping<'c>(&mut self, chunk: &'c [u8]) -> (Option<Result<Vec<u8>, &'static str>>, &'c [u8]) {
        let Some((byte, rest)) = chunk.split_first() else { return (None, chunk) };
        if *byte == b'\n' {
            let line = std::mem::take(&mut self.line);
            return if std::mem::take(&mut self.overrun) { (None, rest) } else { (Some(Ok(line)), rest) };
        }
        if self.line.len() == 16 && !self.overrun {
            self.line.clear();
            self.overrun = true;
            return (Some(Err("too long")), if self.bug { &[] } else { rest });
        }
        if !self.overrun {
            self.line.push(*byte);
        }
        (None, rest)
    }

    /// The bug: a chunk that overruns the buffer is returned whole, for ever.
    fn feed_looping<'c>(&mut self, chunk: &'c [u8]) -> (Option<Result<Vec<u8>, &'static str>>, &'c [u8]) {
        let Some((byte, rest)) = chunk.split_first() else { return (None, chunk) };
        if *byte == b'\n' {
            return (Some(Ok(std::mem::take(&mut self.line))), rest);
        }
        if self.line.len() == 16 {
            if !self.bug {
                self.line.clear();
            }
            return (Some(Err("too long")), if self.bug { chunk } else { rest });
        }
        self.line.push(*byte);
        (None, rest)
    }
}

/// Lines of letters: the bug drops the whole read after a bad line.
fn letters(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let end = buffer.iter().position(|byte| *byte == b'\n');
    if end.unwrap_or(buffer.len()) > 200 {
        return Err("too long");
    }
    let Some(end) = end else { return Ok(None) };
    let line: Vec<u8> = buffer.drain(..=end).collect();
    if line[..end].iter().all(u8::is_ascii_alphabetic) {
        return Ok(Some(line));
    }
    if bug {
        buffer.clear();
    }
    Err("not letters")
}

/// Frames `AA 55 LENGTH PAYLOAD`. Bytes in front of a frame are skipped. The bug skips an `AA` at
/// the end of a read too.
fn marked(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    match buffer.windows(2).position(|pair| pair == [0xaa, 0x55]) {
        Some(start) => drop(buffer.drain(..start)),
        None => {
            let keep = usize::from(!bug && buffer.last() == Some(&0xaa));
            buffer.drain(..buffer.len() - keep);
            return Ok(None);
        }
    }
    let Some(len) = buffer.get(2).map(|len| usize::from(*len)) else { return Ok(None) };
    if buffer.len() < 3 + len {
        return Ok(None);
    }
    Ok(Some(buffer.drain(..3 + len).skip(3).collect()))
}

planted! {
    search_position_survives_a_long_line: [Split], ["one\n", "two\n"],
        |bug| Decoded::by(move || Lines { bug, ..Lines::default() }, Lines::next, |lines: &mut Lines, buffer: &mut Vec<u8>| match lines.next(buffer)? {
            None => at_end(buffer),
            line => Ok(line),
        });
    body_state_survives_a_bad_body: [Alone], ["\x03one", "\x05three"],
        |bug| Decoded::by(move || Packets { bug, body: None }, Packets::next, |packets: &mut Packets, buffer: &mut Vec<u8>| match packets.next(buffer)? {
            None if packets.body.is_some() => Err("unfinished"),
            packet => Ok(packet),
        });
    overrun_is_never_over: [Alone], ["one\n", "two\n"],
        |bug| Accumulating::new(move || Numbers::new(bug), Numbers::feed_overrun);
    part_of_a_refused_line_stays: [Alone], ["one\n", "two\n"],
        |bug| Accumulating::new(move || Numbers::new(bug), Numbers::feed_part);
    overrun_drops_the_rest_of_the_chunk: [Split], ["one\n", "two\n"],
        |bug| Accumulating::new(move || Numbers::new(bug), Numbers::feed_dropping);
    overrun_returns_the_same_chunk_for_ever: [Total], ["one\n", "two\n"],
        |bug| Accumulating::new(move || Numbers::new(bug), Numbers::feed_looping);
    bad_line_drops_the_whole_read: [Split], ["one\n", "two\n"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| letters(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    half_a_marker_is_skipped: [Split], [frame(1), frame(2)],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| marked(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
}

fn frame(len: u8) -> Vec<u8> {
    [&[0xaa, 0x55, len][..], &b"abc"[..usize::from(len)]].concat()
}
