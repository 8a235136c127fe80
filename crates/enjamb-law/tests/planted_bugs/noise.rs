//! Readers that skip what comes before a message, and readers that stop by themselves.

use std::io::{BufRead, BufReader};

use enjamb_law::{Blocking, Incoming, Pushing};

use crate::{innocent, planted};

/// Sections between two marker lines, with text around them. The bug: the end of the stream ends an
/// unfinished section cleanly.
fn read_section(bug: bool, reader: &mut BufReader<Incoming>) -> Result<Option<Vec<String>>, String> {
    let mut section: Option<Vec<String>> = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).map_err(|error| error.kind().to_string())? == 0 {
            return if section.is_none() || bug { Ok(None) } else { Err("no end of the section".to_owned()) };
        }
        let line = line.trim_end();
        match (&mut section, line) {
            (Some(_), "--END--") => return Ok(section),
            (Some(lines), _) => lines.push(line.to_owned()),
            (None, "--BEGIN--") => section = Some(Vec::new()),
            (None, _) => {}
        }
    }
}

/// Frames of a mark, a length, a payload and a sum, with noise between them.
#[derive(Default)]
struct Marked {
    buffer: Vec<u8>,
}

const MARK: [u8; 2] = [0xaa, 0x55];

impl Marked {
    fn feed(&mut self, chunk: &[u8], out: &mut dyn FnMut(Result<Vec<u8>, &'static str>)) {
        self.buffer.extend_from_slice(chunk);
        loop {
            // The last byte may be the first one of a mark.
            let start = self.buffer.windows(2).position(|pair| pair == MARK);
            let noise = start.unwrap_or(self.buffer.len() - usize::from(self.buffer.last() == Some(&MARK[0])));
            self.buffer.drain(..noise);
            let Some(len) = self.buffer.get(2).map(|len| usize::from(*len)) else { return };
            if self.buffer.len() < len + 4 {
                return;
            }
            let payload = self.buffer[3..3 + len].to_vec();
            let sum = payload.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            if sum == self.buffer[3 + len] {
                self.buffer.drain(..len + 4);
                out(Ok(payload));
            } else {
                self.buffer.drain(..2);
                out(Err("sum"));
            }
        }
    }

    fn at_end(&mut self, bug: bool, out: &mut dyn FnMut(Result<Vec<u8>, &'static str>)) {
        if self.buffer.len() >= 2 && !bug {
            out(Err("unfinished"));
        }
    }
}

/// Heads of `length: n` lines, an empty line and a payload. The bug: an end behind a line of a head
/// is a clean one, as the lines read so far look like nothing.
fn read_with_head(bug: bool, reader: &mut BufReader<Incoming>) -> Result<Option<Vec<u8>>, String> {
    use std::io::Read as _;
    let (mut length, mut any) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).map_err(|error| error.kind().to_string())? == 0 {
            return if any && !bug { Err("unfinished head".to_owned()) } else { Ok(None) };
        }
        any = true;
        match line.strip_suffix('\n') {
            Some("") => break,
            Some(line) => {
                let value = line.strip_prefix("length: ").ok_or("head")?;
                length = value.parse::<u16>().map_err(|_| "length")?.into();
            }
            None => return Err("unfinished line".to_owned()),
        }
    }
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).map_err(|error| error.kind().to_string())?;
    Ok(Some(payload))
}

/// One file of a magic number, a length and a payload. Bytes behind it are an error.
#[derive(Default)]
struct File {
    buffer: Vec<u8>,
    done: bool,
}

impl File {
    fn feed(&mut self, chunk: &[u8], out: &mut dyn FnMut(Result<Vec<u8>, &'static str>)) {
        if self.done && !chunk.is_empty() {
            return out(Err("behind the end"));
        }
        self.buffer.extend_from_slice(chunk);
        if !b"FILE".starts_with(&self.buffer[..self.buffer.len().min(4)]) {
            return out(Err("magic"));
        }
        let Some(len) = self.buffer.get(4).map(|len| usize::from(*len)) else { return };
        if self.buffer.len() < 5 + len {
            return;
        }
        self.done = true;
        let rest = self.buffer.split_off(5 + len);
        out(Ok(self.buffer.split_off(5)));
        if !rest.is_empty() {
            out(Err("behind the end"));
        }
    }

    fn at_end(&mut self, bug: bool, out: &mut dyn FnMut(Result<Vec<u8>, &'static str>)) {
        if !self.done && !self.buffer.is_empty() && !bug {
            out(Err("unfinished"));
        }
    }
}

/// Digits until a full stop, as a decompressor reads: it returns what a chunk gives, and `None`
/// when a chunk gives nothing and the full stop was there. So it may read the end of the stream, or
/// not.
fn read_digits((reader, ended): &mut (Incoming, bool)) -> Result<Option<Vec<u8>>, String> {
    loop {
        let arrived = reader.fill_buf().map_err(|error| error.kind().to_string())?.to_vec();
        if *ended {
            return Ok(None);
        }
        if arrived.is_empty() {
            return Err("no full stop".to_owned());
        }
        let digits: Vec<u8> = arrived.iter().copied().take_while(u8::is_ascii_digit).collect();
        match arrived.get(digits.len()) {
            Some(b'.') => *ended = true,
            // The digits before it are returned first.
            Some(_) if digits.is_empty() => return Err("no digit".to_owned()),
            _ => {}
        }
        reader.consume(digits.len() + usize::from(*ended));
        if !digits.is_empty() {
            return Ok(Some(digits));
        }
        if *ended {
            return Ok(None);
        }
    }
}

planted! {
    unfinished_section_among_text: [End], ["--BEGIN--\na\n--END--\n", "--BEGIN--\nb\nc\n--END--\n"],
        |bug| Blocking::with(BufReader::new, move |reader: &mut BufReader<Incoming>| read_section(bug, reader));
    unfinished_frame_among_noise: [End], [&b"\xaa\x55\x03abc\x26"[..], b"\xaa\x55\x02de\xc9"],
        |bug| Pushing::new(Marked::default, |frames: &mut Marked, chunk, out| frames.feed(chunk, out))
            .at_end(move |frames: &mut Marked, out| frames.at_end(bug, out)).resumes();
    end_behind_a_line_of_a_head: [End], ["length: 5\n\nhello", "length: 2\n\nab"],
        |bug| Blocking::with(BufReader::new, move |reader: &mut BufReader<Incoming>| read_with_head(bug, reader));
    unfinished_file: [End], ["FILE\x03abc", "FILE\x05hello"], .one_message(true),
        |bug| Pushing::new(File::default, |file: &mut File, chunk, out| file.feed(chunk, out))
            .at_end(move |file: &mut File, out| file.at_end(bug, out));
}

innocent! {
    stops_by_itself_before_or_behind_the_end: ["12.", "345."], .one_message(true), {
        use enjamb_law::Subject as _;
        Blocking::with(|incoming| (incoming, false), read_digits).flat_map(|digits| digits)
    };
}
