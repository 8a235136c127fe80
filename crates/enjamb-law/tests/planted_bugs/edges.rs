//! Buffers that are exactly full, lengths with one digit more, and the size of a read.

use std::io::{self, Read};

use enjamb_law::{Blocking, Decoded, Incoming, Never, Pushing};

use crate::{at_end, planted};

/// A reader of lines with a buffer of `N` bytes.
struct Buffered<const N: usize> {
    incoming: Incoming,
    buffer: Vec<u8>,
    line: Vec<u8>,
}

impl<const N: usize> Buffered<N> {
    fn new(incoming: Incoming) -> Self {
        Self { incoming, buffer: Vec::new(), line: Vec::new() }
    }

    /// The bug: a read that fills the buffer is taken for a part, and another read must follow.
    fn next(&mut self, bug: bool) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                self.line.append(&mut self.buffer);
                self.buffer = rest;
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            self.line.append(&mut self.buffer);
            let mut chunk = vec![0; N];
            let mut read = self.incoming.read(&mut chunk)?;
            if bug && read == N {
                let mut more = vec![0; N];
                let again = self.incoming.read(&mut more)?;
                chunk.extend_from_slice(&more[..again]);
                read += again;
            }
            if read == 0 {
                return if self.line.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }
}

/// Frames of a decimal or hexadecimal length, CRLF, the payload, CRLF.
fn payload_at(head: usize, len: usize, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    if buffer.len() < head + len + 2 {
        return Ok(None);
    }
    if &buffer[head + len..head + len + 2] != b"\r\n" {
        buffer.drain(..head + len + 2);
        return Err("no line end");
    }
    let payload = buffer[head..head + len].to_vec();
    buffer.drain(..head + len + 2);
    Ok(Some(payload))
}

/// The bug: the first three digits are taken for the length as soon as they are there.
fn hexadecimal(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let line = buffer.windows(2).position(|end| end == b"\r\n");
    let (digits, head) = match line {
        Some(end) => (end, end + 2),
        None if bug && buffer.len() == 3 => (3, 5),
        None if buffer.len() > 8 => return Err("length"),
        None => return Ok(None),
    };
    let text = std::str::from_utf8(&buffer[..digits]).map_err(|_| "length")?;
    let len = usize::from_str_radix(text, 16).map_err(|_| "length")?;
    if len > 1 << 20 {
        return Err("too long");
    }
    if bug && line.is_none() && len > 0 {
        buffer.splice(3..3, *b"\r\n");
        return Err("length of three digits");
    }
    payload_at(head, len, buffer)
}

/// The bug: a length of four digits loses the last one if it comes later.
#[derive(Default)]
struct Decimal {
    length: usize,
    digits: usize,
    in_payload: bool,
    payload: Vec<u8>,
}

impl Decimal {
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
        let mut found = Vec::new();
        for (at, &byte) in chunk.iter().enumerate() {
            if self.in_payload {
                if self.payload.len() == self.length {
                    // The comma.
                    found.push(std::mem::take(&mut self.payload));
                    (self.in_payload, self.length, self.digits) = (false, 0, 0);
                } else {
                    self.payload.push(byte);
                }
            } else if byte.is_ascii_digit() {
                self.digits += 1;
                if !(bug && at == 0 && self.digits == 4) {
                    self.length = (10 * self.length + usize::from(byte - b'0')).min(1 << 20);
                }
            } else {
                self.in_payload = true;
            }
        }
        Ok(found)
    }
}

/// Frames of a length of two bytes. The bug: if the length comes in two reads, only its low byte
/// counts.
#[derive(Default)]
struct Lengths {
    high: Option<u8>,
}

impl Lengths {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        if bug && self.high.is_none() && buffer.len() == 1 {
            self.high = Some(0);
        }
        let [high, low, rest @ ..] = &buffer[..] else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes([self.high.unwrap_or(*high), *low]));
        if rest.len() < len {
            return Ok(None);
        }
        self.high = None;
        Ok(Some(buffer.drain(..2 + len).skip(2).collect()))
    }
}

/// A ring of `N` bytes for a line. The bug: a line that ends exactly at the end of the ring is
/// empty.
struct Ring<const N: usize> {
    line: Vec<u8>,
}

impl<const N: usize> Ring<N> {
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<usize>, Never> {
        let mut found = Vec::new();
        for (at, &byte) in chunk.iter().enumerate() {
            if byte == b'\n' {
                let len = std::mem::take(&mut self.line).len();
                found.push(if bug && at == 0 && len == N { 0 } else { len });
            } else {
                self.line.push(byte);
            }
        }
        Ok(found)
    }
}

/// Lines, read in chunks of at most 1,460 bytes. The bug: a chunk of exactly this size is followed
/// by others, so its last line waits.
struct Segments {
    line: Vec<u8>,
    waiting: Vec<Vec<u8>>,
}

impl Segments {
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
        let mut found = std::mem::take(&mut self.waiting);
        for &byte in chunk {
            self.line.push(byte);
            if byte == b'\n' {
                found.push(std::mem::take(&mut self.line));
            }
        }
        if bug && chunk.len() == 1460 {
            self.waiting = found.pop().into_iter().collect();
        }
        Ok(found)
    }
}

planted! {
    full_buffer_of_256_waits: [Prompt], ["one\n", "two\n"],
        |bug| Blocking::with(Buffered::<256>::new, move |reader: &mut Buffered<256>| reader.next(bug));
    full_buffer_of_1024_waits: [Prompt], ["one\n", "two\n"],
        |bug| Blocking::with(Buffered::<1024>::new, move |reader: &mut Buffered<1024>| reader.next(bug));
    full_buffer_of_8192_waits: [Prompt], ["one\n", "two\n"],
        |bug| Blocking::with(Buffered::<8192>::new, move |reader: &mut Buffered<8192>| reader.next(bug));
    length_of_three_digits: [Split], ["5\r\nhello\r\n", "1\r\na\r\n"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| hexadecimal(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    fourth_digit_in_another_chunk: [Split], ["5:hello,", "1:a,"],
        |bug| Pushing::returning(Decimal::default, move |reader: &mut Decimal, chunk| reader.feed(bug, chunk));
    high_byte_in_another_chunk: [Split], ["\0\x05hello", "\0\x01a"],
        |bug| Decoded::by(Lengths::default, move |reader: &mut Lengths, buffer: &mut Vec<u8>| reader.next(bug, buffer), |_: &mut Lengths, buffer: &mut Vec<u8>| at_end(buffer));
    line_fills_the_ring_of_512: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(|| Ring::<512> { line: Vec::new() }, move |ring: &mut Ring<512>, chunk| ring.feed(bug, chunk));
    line_fills_the_ring_of_16k: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(|| Ring::<16384> { line: Vec::new() }, move |ring: &mut Ring<16384>, chunk| ring.feed(bug, chunk));
    line_at_the_end_of_a_segment_waits: [Prompt], ["one\n", "two\n"],
        |bug| Pushing::returning(|| Segments { line: Vec::new(), waiting: Vec::new() }, move |reader: &mut Segments, chunk| reader.feed(bug, chunk))
            .at_end(|reader: &mut Segments, out: &mut dyn FnMut(Result<Vec<u8>, Never>)| reader.waiting.drain(..).chain(Some(std::mem::take(&mut reader.line)).filter(|line| !line.is_empty())).for_each(|line| out(Ok(line))));
}
