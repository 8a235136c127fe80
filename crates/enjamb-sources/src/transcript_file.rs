//! Transcripts in their text form.
//!
//! Files of a corpus, regressions that a law kept, and conversations written by hand can be read
//! like a capture. The text has no addresses, so both ends of such a connection are [`NO_ADDRESS`].

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use enjamb::transcript::{Content, HEADER, ParseError};
use enjamb::{Connection, Event, Tap, Transcript};

use crate::error::TranscriptError;

/// The address of both ends of a connection that comes from a transcript: `0.0.0.0:0`.
pub const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The largest text that is read, in bytes. A transcript is held in memory.
pub const LARGEST_TRANSCRIPT: u64 = 256 << 20;

/// The beginning of every version of the text form. No capture begins with it.
const BEGINNING: &[u8] = b"enjamb transcript ";

/// A transcript, and the line of the file for each of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptFile {
    /// The transcript.
    pub transcript: Transcript,
    /// The line of each entry, counted from 1.
    lines: Vec<usize>,
}

impl TranscriptFile {
    /// Reads the text form.
    ///
    /// # Errors
    /// [`TranscriptError`], with line and column where the text is wrong.
    pub fn read(source: impl Read) -> Result<Self, TranscriptError> {
        let mut bytes = Vec::new();
        source.take(LARGEST_TRANSCRIPT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST_TRANSCRIPT {
            return Err(TranscriptError::TooLarge { limit: LARGEST_TRANSCRIPT });
        }
        Ok(Self::parse(&bytes)?)
    }

    /// Parses the text form.
    ///
    /// # Errors
    /// [`ParseError`], also for text that is not UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(&bytes[..error.valid_up_to()]))?;
        if let Some(first) = text.lines().next()
            && first.as_bytes().starts_with(BEGINNING)
            && first != HEADER
        {
            let what = format!("the first line is \"{}\": expected \"{HEADER}\"", first.escape_debug());
            return Err(ParseError { line: 1, column: BEGINNING.len() + 1, what });
        }
        let transcript = Transcript::parse(text)?;
        let entries = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with('@'));
        Ok(Self { transcript, lines: entries.map(|(at, _)| at + 1).collect() })
    }

    /// Gives all events of the transcript to `tap`, as the connection with this number.
    ///
    /// Entries of a side after its end are passed over. Returns the line of the first of them.
    pub fn replay(&self, number: u64, tap: &mut impl Tap) -> Option<usize> {
        let connection = Connection { number, client: NO_ADDRESS, server: NO_ADDRESS };
        let entries = &self.transcript.entries;
        tap.event(&connection, entries.first().map(|entry| entry.time).unwrap_or_default(), Event::Open);
        let (mut began, mut ended) = ([false; 2], [false; 2]);
        let mut passed_over = None;
        for (at, entry) in entries.iter().enumerate() {
            let side = entry.side.index();
            if ended[side] {
                passed_over = passed_over.or(self.lines.get(at).copied());
                continue;
            }
            let began_before = std::mem::replace(&mut began[side], true);
            match &entry.content {
                Content::Chunk(bytes) if bytes.is_empty() => continue,
                // A gap of 0 bytes means that the capture joined the stream there. It has no
                // meaning later.
                Content::Gap(0) if began_before => continue,
                Content::Chunk(_) | Content::Gap(_) => {}
                Content::Close(_) => ended[side] = true,
            }
            tap.event(&connection, entry.time, entry.event());
        }
        tap.event(&connection, entries.last().map(|entry| entry.time).unwrap_or_default(), Event::Done);
        passed_over
    }
}

fn not_utf8(before: &[u8]) -> ParseError {
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    ParseError {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: before.len() - line_start + 1,
        what: "this byte is not UTF-8; in a string it is written as \\xNN".to_owned(),
    }
}

/// Returns whether the file begins as a transcript does.
pub(crate) fn is_transcript(path: &Path) -> bool {
    File::open(path).and_then(peek).is_ok_and(|(is_transcript, _)| is_transcript)
}

/// Returns whether `source` begins as a transcript does, and a reader of all its bytes.
pub(crate) fn peek<R: Read>(mut source: R) -> io::Result<(bool, impl Read)> {
    let mut first = Vec::with_capacity(BEGINNING.len());
    let mut chunk = [0; BEGINNING.len()];
    // A pipe may give fewer bytes than asked for. Reading stops at the first byte that decides, so
    // that nobody waits for more.
    while first.len() < BEGINNING.len() && BEGINNING.starts_with(&first) {
        match source.read(&mut chunk[first.len()..]) {
            Ok(0) => break,
            Ok(more) => first.extend_from_slice(&chunk[first.len()..first.len() + more]),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    let is_transcript = first == BEGINNING;
    Ok((is_transcript, io::Cursor::new(first).chain(source)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use enjamb::transcript::Collector;

    use super::{TranscriptFile, peek};

    /// A source that gives one byte at a time, as a pipe may.
    struct OneByteSource<'a>(&'a [u8]);

    impl Read for OneByteSource<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let few = buffer.len().min(1);
            self.0.read(&mut buffer[..few])
        }
    }

    #[test]
    fn a_transcript_is_recognised_by_its_first_bytes_and_no_byte_is_lost() {
        for (bytes, expected) in [
            (&b"enjamb transcript 1\nprotocol redis\n"[..], true),
            (b"enjamb transcript 2\n", true),
            (b"enjamb transc", false),
            (b"\xd4\xc3\xb2\xa1 a capture that is longer", false),
            (b"", false),
        ] {
            let (is_transcript, mut all) = peek(OneByteSource(bytes)).expect("readable");
            let mut read = Vec::new();
            all.read_to_end(&mut read).expect("readable");
            assert_eq!((is_transcript, &read[..]), (expected, bytes));
        }
    }

    #[test]
    fn an_error_has_its_line_and_column() {
        for (text, expected) in [
            (&b"enjamb transcript 1\n@0 client\n  \"a\\q\"\n"[..], "line 3, column 5: an escape is one of"),
            (b"enjamb transcript 1\n@0 nobody\n", "line 2, column 1: the side is not"),
            (b"enjamb transcript 1\n@0 client\n  \"a\xff\"\n", "line 3, column 5: this byte is not UTF-8"),
            (b"enjamb transcript 2\n", "line 1, column 19: the first line is \"enjamb transcript 2\""),
            (b"something else\n", "line 1, column 1: the first line is not"),
        ] {
            let error = TranscriptFile::read(text).expect_err("wrong").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_tap_receives_every_entry_and_nothing_after_the_end_of_a_side() {
        let text = "enjamb transcript 1\n@1 client\n  \"a\"\n@2 client\n@2.5 client gap 0\n@3 client closed\n@4 server\n  \"b\"\n";
        let mut collector = Collector::default();
        let whole = TranscriptFile::parse(text.as_bytes()).expect("a transcript");
        assert_eq!(whole.replay(1, &mut collector), None);
        let more = format!("{text}@5 client\n  \"too late\"\n");
        let more = TranscriptFile::parse(more.as_bytes()).expect("a transcript");
        assert_eq!(more.replay(2, &mut collector), Some(9));
        let [(_, one), (_, two)] = &collector.finish().collect::<Vec<_>>()[..] else { panic!("two connections") };
        assert_eq!(one, two);
        assert_eq!(one.entries.len(), 3, "no empty chunk and no gap of 0 bytes: {one}");
    }
}
