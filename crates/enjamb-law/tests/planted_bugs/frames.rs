//! Binary frames of common protocols.

use bytes::{Buf, BytesMut};
use enjamb_law::{Accumulating, Decoded, Parsed, Parsing, Pushing};
use nom8::Parser as _;
use nom8::bytes::streaming::{tag, take};
use nom8::number::streaming::be_u16;
use tokio_util::codec::Decoder;

use crate::planted;

/// Frames with a length in seven bits a byte. The bug: the limit is compared with the whole buffer.
struct Varint {
    bug: bool,
}

const VARINT_MAX: usize = 200;

impl Decoder for Varint {
    type Item = Vec<u8>;
    type Error = std::io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<u8>>, Self::Error> {
        let mut length = 0;
        let mut head = 0;
        loop {
            let Some(byte) = buffer.get(head) else { return Ok(None) };
            length |= usize::from(byte & 0x7f) << (7 * head);
            head += 1;
            if byte & 0x80 == 0 {
                break;
            }
            if head == 3 {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
        }
        if length > VARINT_MAX || self.bug && buffer.len() > VARINT_MAX + 3 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        if buffer.len() < head + length {
            return Ok(None);
        }
        buffer.advance(head);
        Ok(Some(buffer.split_to(length).to_vec()))
    }
}

/// COBS in a buffer of fixed size. The bug: a frame that is too long is forgotten where the buffer
/// is full, and its rest counts as a frame.
#[derive(Default)]
struct Cobs {
    frame: Vec<u8>,
    over_full: bool,
}

const COBS_MAX: usize = 100;

impl Cobs {
    fn feed<'c>(&mut self, bug: bool, chunk: &'c [u8]) -> (Option<Result<Vec<u8>, &'static str>>, &'c [u8]) {
        let end = chunk.iter().position(|byte| *byte == 0);
        let (part, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
        if self.over_full || self.frame.len() + part.len() > COBS_MAX {
            self.frame.clear();
            self.over_full = end.is_none() && !bug;
            let error = end.is_some() || bug;
            return (error.then_some(Err("too long")), rest.get(1..).unwrap_or_default());
        }
        self.frame.extend_from_slice(part);
        if end.is_none() {
            return (None, rest);
        }
        let frame = std::mem::take(&mut self.frame);
        (Some(decode_cobs(&frame)), &rest[1..])
    }
}

fn decode_cobs(mut frame: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut decoded = Vec::new();
    while let Some((&code, rest)) = frame.split_first() {
        let block = rest.get(..usize::from(code) - 1).ok_or("block")?;
        decoded.extend_from_slice(block);
        frame = &rest[block.len()..];
        if code < 255 && !frame.is_empty() {
            decoded.push(0);
        }
    }
    Ok(decoded)
}

/// A mark, a length and that many bytes. The bug: the payload is taken by a combinator for complete
/// input, which returns an error where bytes are missing.
fn record(bug: bool, bytes: &[u8]) -> nom8::IResult<&[u8], Vec<u8>> {
    let (rest, length) = (tag(&b"R"[..]), be_u16).map(|(_, length)| length).parse(bytes)?;
    let (rest, payload) = match bug {
        true => nom8::bytes::complete::take(length)(rest)?,
        false => take(length)(rest)?,
    };
    Ok((rest, payload.to_vec()))
}

/// Frames of a WebSocket, masked, up to 125 bytes. The bug: the place in the mask begins anew with
/// every chunk.
#[derive(Default)]
struct Masked {
    head: Vec<u8>,
    payload: Vec<u8>,
}

impl Masked {
    fn feed(&mut self, bug: bool, chunk: &[u8], out: &mut dyn FnMut(Result<Vec<u8>, &'static str>)) {
        let mut in_chunk = 0;
        for &byte in chunk {
            if self.head.len() < 6 {
                self.head.push(byte);
                if self.head[0] != 0x82 {
                    return out(Err("opcode"));
                }
                if self.head.len() == 2 && (byte & 0x80 == 0 || byte & 0x7f > 125) {
                    return out(Err("length"));
                }
                in_chunk = 0;
            } else {
                let at = if bug { in_chunk } else { self.payload.len() };
                self.payload.push(byte ^ self.head[2 + at % 4]);
                in_chunk += 1;
            }
            if self.head.len() == 6 && self.payload.len() == usize::from(self.head[1] & 0x7f) {
                self.head.clear();
                out(Ok(std::mem::take(&mut self.payload)));
            }
        }
    }
}

/// A tag and a value.
type Field = (u8, Vec<u8>);

/// Fields of a tag, a length and a value, in a list with a length of two bytes. The bug: the buffer
/// is taken for the list when its length has arrived.
fn list(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<Field>>, &'static str> {
    let Some(&[high, low]) = buffer.first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > 300 {
        return Err("too long");
    }
    if buffer.len() < 2 + length {
        return Ok(None);
    }
    let mut all: Vec<u8> = if bug { std::mem::take(buffer) } else { buffer.drain(..2 + length).collect() };
    let mut fields = Vec::new();
    let mut rest = &all.split_off(2)[..];
    while let Some((&[tag, length], value)) = rest.split_first_chunk::<2>() {
        let value = value.get(..usize::from(length)).ok_or("value")?;
        fields.push((tag, value.to_vec()));
        rest = &rest[2 + value.len()..];
    }
    if rest.is_empty() { Ok(Some(fields)) } else { Err("rest") }
}

/// Commands of a controller: an address, a function that fixes the length, and a sum. The bug: the
/// sum is checked before its second byte has arrived.
fn command(bug: bool, bytes: &[u8]) -> Parsed<Vec<u8>, &'static str> {
    let Some(function) = bytes.get(1) else { return Parsed::Incomplete };
    let length = match function {
        3 => 4,
        6 => 6,
        _ => return Parsed::Failed("function"),
    };
    let enough = if bug { length + 1 } else { length + 2 };
    if bytes.len() < enough {
        return Parsed::Incomplete;
    }
    let sum: u16 = bytes[..length].iter().map(|byte| u16::from(*byte)).sum();
    let [high, low] = [bytes[length], *bytes.get(length + 1).unwrap_or(&0)];
    if u16::from_be_bytes([high, low]) != sum {
        return Parsed::Failed("sum");
    }
    Parsed::Done(bytes[..length].to_vec(), length + 2)
}

/// Frames between flags, with an escape. The bug: an escape at the end of a chunk is forgotten, and
/// no sample has one.
#[derive(Default)]
struct Hdlc {
    frame: Vec<u8>,
    escaped: bool,
}

impl Hdlc {
    fn feed(&mut self, bug: bool, chunk: &[u8], out: &mut dyn FnMut(Result<Vec<u8>, &'static str>)) {
        for &byte in chunk {
            match byte {
                // An escape before a flag aborts the frame.
                0x7e if self.escaped => {
                    self.frame.clear();
                    self.escaped = false;
                }
                0x7e if self.frame.is_empty() => {}
                0x7e => out(Ok(std::mem::take(&mut self.frame))),
                0x7d => self.escaped = true,
                byte => {
                    self.frame.push(if self.escaped { byte ^ 0x20 } else { byte });
                    self.escaped = false;
                    if self.frame.len() > 100 {
                        self.frame.clear();
                        out(Err("too long"));
                    }
                }
            }
        }
        self.escaped &= !bug;
    }
}

planted! {
    varint_limit_of_the_whole_buffer: [Coalesce], ["\x05hello", "\x00"],
        |bug| Decoded::new(move || Varint { bug });
    cobs_forgets_that_it_is_over_full: [Split], [&b"\x03ab\0"[..], b"\x01\x01\0"],
        |bug| Accumulating::new(Cobs::default, move |cobs: &mut Cobs, chunk| cobs.feed(bug, chunk));
    nom_combinator_for_complete_input: [Split], [&b"R\0\x03abc"[..], b"R\0\0"],
        |bug| Parsing::new(move |bytes: &[u8]| Parsed::nom8(bytes, record(bug, bytes)));
    mask_begins_anew_with_the_chunk: [Split], [&b"\x82\x85\x01\x02\x03\x04igohn"[..], b"\x82\x80abcd"],
        |bug| Pushing::new(Masked::default, move |frames: &mut Masked, chunk, out| frames.feed(bug, chunk, out));
    list_takes_the_whole_buffer: [Split, Coalesce], [&b"\0\x05\x01\x03abc"[..], b"\0\0"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| list(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| crate::at_end(buffer));
    sum_is_checked_too_early: [Split], [&b"\x01\x03\x00\x02\x00\x06"[..], b"\x01\x06\x00\x01\x00\x02\x00\x0a"],
        |bug| Parsing::new(move |bytes: &[u8]| command(bug, bytes));
    hdlc_escape_at_the_end_of_a_chunk: [Split], [&b"\x7eabc\x7e"[..], b"\x7ede\x7e"],
        |bug| Pushing::new(Hdlc::default, move |frames: &mut Hdlc, chunk, out| frames.feed(bug, chunk, out)).resumes();
}
