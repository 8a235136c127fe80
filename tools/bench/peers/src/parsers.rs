//! Parsers of single protocols: `enjamb-peers parse PARSER FILE`.
//!
//! The file contains messages, one after the other. A parser reads all of them, in the way that its
//! documentation shows, and the program prints their number, their bytes, and the time that it
//! took.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ldap_parser::FromBer as _;
use postgres_protocol::message::backend;

use crate::Result;

/// The messages that a parser found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parsed {
    messages: u64,
    bytes: u64,
    time: Duration,
}

impl std::fmt::Display for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { messages, bytes, time } = self;
        write!(f, r#"{{"messages":{messages},"bytes":{bytes},"nanoseconds":{}}}"#, time.as_nanos())
    }
}

/// Parses the messages in a file.
pub(crate) fn parse(parser: &str, file: &Path) -> Result<Parsed> {
    let bytes = std::fs::read(file)?;
    match parser {
        "mqttbytes" => owned(&bytes, |bytes| {
            mqttbytes::v4::read(bytes, 1 << 20).map(drop).map_err(|error| error.to_string().into())
        }),
        "postgres-protocol" => {
            owned(&bytes, |bytes| backend::Message::parse(bytes)?.map(drop).ok_or_else(|| "a message is cut".into()))
        }
        "simple-dns" => borrowed(&bytes, |bytes| {
            let (length, rest) = bytes.split_first_chunk().ok_or("a length is cut")?;
            let (message, rest) =
                rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or("a message is cut")?;
            std::hint::black_box(simple_dns::Packet::parse(message)?);
            Ok(rest)
        }),
        "tls-parser" => borrowed(&bytes, |bytes| {
            let (rest, record) = tls_parser::parse_tls_encrypted(bytes).map_err(|error| error.to_string())?;
            std::hint::black_box(record);
            Ok(rest)
        }),
        "imap-proto" => borrowed(&bytes, |bytes| {
            let (rest, response) = imap_proto::Response::parse(bytes).map_err(|error| error.to_string())?;
            std::hint::black_box(response);
            Ok(rest)
        }),
        "ldap-parser" => borrowed(&bytes, |bytes| {
            let (rest, message) = ldap_parser::ldap::LdapMessage::from_ber(bytes).map_err(|error| error.to_string())?;
            std::hint::black_box(message);
            Ok(rest)
        }),
        _ => Err(format!("no parser is called {parser}").into()),
    }
}

/// Runs a parser that takes messages from the front of a buffer.
fn owned(bytes: &[u8], mut next: impl FnMut(&mut BytesMut) -> Result<()>) -> Result<Parsed> {
    let mut buffer = BytesMut::from(bytes);
    let mut parsed = Parsed::default();
    let start = Instant::now();
    while !buffer.is_empty() {
        let before = buffer.len();
        next(&mut buffer)?;
        parsed.messages += 1;
        parsed.bytes += (before - buffer.len()) as u64;
    }
    parsed.time = start.elapsed();
    Ok(parsed)
}

/// Runs a parser that returns the bytes behind a message.
fn borrowed(mut bytes: &[u8], next: impl Fn(&[u8]) -> Result<&[u8]>) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let start = Instant::now();
    while !bytes.is_empty() {
        let rest = next(bytes)?;
        parsed.messages += 1;
        parsed.bytes += (bytes.len() - rest.len()) as u64;
        bytes = rest;
    }
    parsed.time = start.elapsed();
    Ok(parsed)
}
