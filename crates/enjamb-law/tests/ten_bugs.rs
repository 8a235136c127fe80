//! A plain run of the laws finds each of ten common bugs, planted one at a time into a correct
//! codec.

use std::io;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use enjamb_law::{Decoded, Law, Laws, Verdict};
use tokio_util::codec::Decoder;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// Continues the search after the last byte of the last read, so a CR there is not paired
    /// with its LF.
    SearchBehindTheCr,
    /// Treats the bytes that have arrived as the whole payload.
    ShortPayload,
    /// Splits off the payload's end without a check that it has arrived.
    SplitWithoutCheck,
    /// Clears the buffer after a command.
    DropsPipelined,
    /// Waits for one byte more than it needs.
    WaitsForOneMore,
    /// Keeps its search position for the next line instead of starting at the line's first byte.
    KeepsSearchPosition,
    /// Adds to a length from the wire without an overflow check.
    LengthOverflows,
    /// Checks an unfinished line for UTF-8.
    Utf8TooEarly,
    /// Drops the rest at the end of the stream silently.
    ForgetsTheRest,
    /// Compares the limit of a line with the whole buffer.
    LimitOfTheBuffer,
}

const BUGS: [Bug; 10] = [
    Bug::SearchBehindTheCr,
    Bug::ShortPayload,
    Bug::SplitWithoutCheck,
    Bug::DropsPipelined,
    Bug::WaitsForOneMore,
    Bug::KeepsSearchPosition,
    Bug::LengthOverflows,
    Bug::Utf8TooEarly,
    Bug::ForgetsTheRest,
    Bug::LimitOfTheBuffer,
];

const MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Command {
    Get(String),
    Set(String, Bytes),
}

/// `get KEY CRLF`, or `set KEY LENGTH CRLF PAYLOAD CRLF`.
struct Kv {
    bug: Bug,
    searched: usize,
    awaited: Option<(String, usize)>,
}

fn invalid_data(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Kv {
    fn line(&mut self, buffer: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let overlap = usize::from(self.bug != Bug::SearchBehindTheCr);
        let from = self.searched.saturating_sub(overlap).min(buffer.len());
        if self.bug == Bug::Utf8TooEarly && std::str::from_utf8(buffer).is_err() {
            return Err(invalid_data("not UTF-8"));
        }
        if self.bug == Bug::LimitOfTheBuffer && buffer.len() > MAX {
            return Err(invalid_data("too long"));
        }
        let Some(at) = buffer[from..].windows(2).position(|pair| pair == b"\r\n") else {
            self.searched = buffer.len();
            let line = buffer.len() - usize::from(buffer.ends_with(b"\r"));
            return if line > MAX { Err(invalid_data("too long")) } else { Ok(None) };
        };
        if self.bug == Bug::WaitsForOneMore && buffer.len() == from + at + 2 {
            return Ok(None);
        }
        if self.bug != Bug::KeepsSearchPosition {
            self.searched = 0;
        }
        let line = buffer.split_to(from + at);
        buffer.advance(2);
        if line.len() > MAX { Err(invalid_data("too long")) } else { Ok(Some(line)) }
    }

    fn payload(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Command>> {
        let Some((_, length)) = self.awaited else { return Ok(None) };
        let complete = match self.bug {
            Bug::ShortPayload => !buffer.is_empty(),
            Bug::SplitWithoutCheck => buffer.len() >= length,
            _ => buffer.len() >= length + 2,
        };
        if !complete {
            return Ok(None);
        }
        let Some((key, length)) = self.awaited.take() else { return Ok(None) };
        let payload = buffer.split_to(length.min(if self.bug == Bug::ShortPayload { buffer.len() } else { length }));
        let end = buffer.split_to(if self.bug == Bug::ShortPayload { 2.min(buffer.len()) } else { 2 });
        if end != b"\r\n"[..] {
            return Err(invalid_data("no end"));
        }
        Ok(Some(Command::Set(key, payload.freeze())))
    }
}

impl Decoder for Kv {
    type Item = Command;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Command>> {
        loop {
            if self.awaited.is_some() {
                return self.payload(buffer);
            }
            let Some(line) = self.line(buffer)? else { return Ok(None) };
            let line = std::str::from_utf8(&line).map_err(|_| invalid_data("not UTF-8"))?;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["get", key] => {
                    if self.bug == Bug::DropsPipelined {
                        buffer.clear();
                    }
                    return Ok(Some(Command::Get(key.to_owned())));
                }
                ["set", key, length] => {
                    let length: u64 = length.parse().map_err(|_| invalid_data("not a number"))?;
                    let end = if self.bug == Bug::LengthOverflows { length + 2 } else { length.saturating_add(2) };
                    if end > MAX as u64 + 2 {
                        return Err(invalid_data("too long"));
                    }
                    self.awaited = Some((key.to_owned(), length as usize));
                }
                _ => return Err(invalid_data("no such command")),
            }
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Command>> {
        match self.decode(buffer)? {
            None if self.bug == Bug::ForgetsTheRest => {
                buffer.clear();
                Ok(None)
            }
            None if self.awaited.is_some() || !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            command => Ok(command),
        }
    }
}

fn broken(bug: Bug, test: &str) -> Vec<Law> {
    let laws = Laws::new(format!("{bug:?}"), Decoded::new(move || Kv { bug, searched: 0, awaited: None }))
        .messages(["get key\r\n", "set key 5\r\nhello\r\n", "set k 0\r\n\r\n", "get \u{e9}t\u{e9}\r\n"])
        .limit(MAX)
        .in_test(test);
    let verdicts = laws.check_all();
    let broken = verdicts.into_iter().filter_map(|(law, verdict)| match verdict {
        Verdict::Broken(_) => Some(law),
        Verdict::Unfit(what) => panic!("{bug:?}: {what}"),
        Verdict::Holds(_) | Verdict::NotTried(_) => None,
    });
    broken.collect()
}

#[test]
fn the_correct_codec_obeys_every_law() {
    assert_eq!(broken(Bug::None, "the_correct_codec_obeys_every_law"), []);
}

#[test]
fn each_of_ten_bugs_is_found() {
    let started = Instant::now();
    let found: Vec<(Bug, Vec<Law>)> = BUGS.map(|bug| (bug, broken(bug, "each_of_ten_bugs_is_found"))).to_vec();
    for (bug, laws) in &found {
        println!("{bug:?}: {}", laws.iter().map(|law| law.name()).collect::<Vec<_>>().join(", "));
    }
    println!("in {:.1} s", started.elapsed().as_secs_f32());
    let missed: Vec<Bug> = found.iter().filter(|(_, laws)| laws.is_empty()).map(|(bug, _)| *bug).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
