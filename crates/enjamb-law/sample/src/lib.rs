//! A small key-value protocol, as a tokio codec:
//!
//! ```text
//! command = "get " KEY CRLF | "set " KEY " " LENGTH CRLF PAYLOAD CRLF
//! ```
//!
//! This package shows how to test a codec with `enjamb-law`. The whole definition is in
//! `tests/laws.rs`.

#![forbid(unsafe_code)]

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// The longest line, and the longest payload, in bytes.
pub const MAX: usize = 256;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Requests the value of a key.
    Get(String),
    /// Sets the value of a key.
    Set(String, Bytes),
}

/// The codec.
#[derive(Clone, Debug, Default)]
pub struct Kv {
    /// The number of bytes of the buffer that were searched for the end of the line.
    searched: usize,
    /// The key and the length of a payload that is awaited.
    awaited: Option<(String, usize)>,
}

fn invalid_data(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl Kv {
    /// Returns the next line, without its end.
    fn line(&mut self, buffer: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let from = self.searched.saturating_sub(1);
        let Some(at) = buffer[from..].windows(2).position(|pair| pair == b"\r\n") else {
            self.searched = buffer.len();
            // A CR at the end may be the first half of the line's end.
            let line = buffer.len() - usize::from(buffer.ends_with(b"\r"));
            return if line > MAX { Err(invalid_data("the line is too long")) } else { Ok(None) };
        };
        self.searched = 0;
        let line = buffer.split_to(from + at);
        buffer.advance(2);
        if line.len() > MAX { Err(invalid_data("the line is too long")) } else { Ok(Some(line)) }
    }
}

impl Decoder for Kv {
    type Item = Command;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Command>> {
        loop {
            if let Some((_, length)) = &self.awaited {
                if buffer.len() < length + 2 {
                    return Ok(None);
                }
                let Some((key, length)) = self.awaited.take() else { return Ok(None) };
                let payload = buffer.split_to(length).freeze();
                if buffer.split_to(2) != b"\r\n"[..] {
                    return Err(invalid_data("the payload does not end with CRLF"));
                }
                return Ok(Some(Command::Set(key, payload)));
            }
            let Some(line) = self.line(buffer)? else { return Ok(None) };
            let line = std::str::from_utf8(&line).map_err(|_| invalid_data("the line is not UTF-8"))?;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["get", key] => return Ok(Some(Command::Get(key.to_owned()))),
                ["set", key, length] => {
                    let length = length.parse().map_err(|_| invalid_data("the length is not a number"))?;
                    if length > MAX {
                        return Err(invalid_data("the payload is too long"));
                    }
                    self.awaited = Some((key.to_owned(), length));
                }
                _ => return Err(invalid_data("the command is unknown")),
            }
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Command>> {
        match self.decode(buffer)? {
            None if self.awaited.is_some() || !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            command => Ok(command),
        }
    }
}

impl Encoder<&Command> for Kv {
    type Error = io::Error;

    fn encode(&mut self, command: &Command, buffer: &mut BytesMut) -> io::Result<()> {
        match command {
            Command::Get(key) => buffer.put_slice(format!("get {key}\r\n").as_bytes()),
            Command::Set(key, payload) => {
                buffer.put_slice(format!("set {key} {}\r\n", payload.len()).as_bytes());
                buffer.put_slice(payload);
                buffer.put_slice(b"\r\n");
            }
        }
        Ok(())
    }
}
