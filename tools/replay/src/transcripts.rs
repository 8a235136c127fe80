//! Transcripts in their text form, as replay input: what a capture is, written down by people and by other tools.
//!
//! A file of a corpus, a regression that a law kept, and a conversation written by hand replay like a capture. The text knows no
//! addresses, so those of such a connection are [`NOWHERE`].

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use enjamb::transcript::{Content, HEADER, ParseError};
use enjamb::{Connection, Event, Tap, Transcript};

/// The address of either end of a conversation whose addresses nobody wrote down.
pub const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The largest text that is read, in bytes. A transcript is held in memory.
pub const LARGEST: u64 = 256 << 20;

/// How every version of the text form begins. No capture begins so.
pub(crate) const BEGINNING: &[u8] = b"enjamb transcript ";

/// A transcript and where its entries stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What it says.
    pub transcript: Transcript,
    /// The line of each entry, counted from 1.
    lines: Vec<usize>,
}

impl Text {
    /// Reads the text form.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn read(source: impl Read) -> Result<Self, String> {
        let mut bytes = Vec::new();
        source.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > LARGEST {
            return Err(format!("a transcript of more than {LARGEST} bytes, which is not read: cut it into several"));
        }
        Self::parse(&bytes).map_err(|error| error.to_string())
    }

    /// Parses the text form.
    ///
    /// # Errors
    /// [`ParseError`]; a text that is not UTF-8 is one.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(bytes).map_err(|error| not_text(&bytes[..error.valid_up_to()]))?;
        if let Some(first) = text.lines().next()
            && first.as_bytes().starts_with(BEGINNING)
            && first != HEADER
        {
            let what = format!("the first line is \"{}\", and \"{HEADER}\" is what is read", first.escape_debug());
            return Err(ParseError { line: 1, column: BEGINNING.len() + 1, what });
        }
        let transcript = Transcript::parse(text)?;
        let entries = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with('@'));
        Ok(Self { transcript, lines: entries.map(|(at, _)| at + 1).collect() })
    }

    /// Tells all of it to `tap`, as a connection of this number. What comes on a side after its end is passed over; the line of the first such
    /// entry is returned.
    pub fn play(&self, number: u64, tap: &mut impl Tap) -> Option<usize> {
        let connection = Connection { number, client: NOWHERE, server: NOWHERE };
        let entries = &self.transcript.entries;
        tap.event(&connection, entries.first().map(|entry| entry.time).unwrap_or_default(), Event::Open);
        let (mut said, mut ended) = ([false; 2], [false; 2]);
        let mut passed_over = None;
        for (at, entry) in entries.iter().enumerate() {
            let side = entry.side.index();
            if ended[side] {
                passed_over = passed_over.or(self.lines.get(at).copied());
                continue;
            }
            let said_before = std::mem::replace(&mut said[side], true);
            match &entry.content {
                Content::Chunk(bytes) if bytes.is_empty() => continue,
                // Where the stream was joined; later, it says nothing.
                Content::Gap(0) if said_before => continue,
                Content::Chunk(_) | Content::Gap(_) => {}
                Content::Close(_) => ended[side] = true,
            }
            tap.event(&connection, entry.time, entry.event());
        }
        tap.event(&connection, entries.last().map(|entry| entry.time).unwrap_or_default(), Event::Done);
        passed_over
    }
}

fn not_text(before: &[u8]) -> ParseError {
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    ParseError {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: before.len() - line_start + 1,
        what: "this byte is not UTF-8; in a string it is written as \\xNN".to_owned(),
    }
}

/// Does this file begin as a transcript does?
pub(crate) fn is_one(path: &Path) -> bool {
    File::open(path).and_then(beginning).is_ok_and(|(begins, _)| begins)
}

/// Whether `source` begins as a transcript does, and all of its bytes.
pub(crate) fn beginning<R: Read>(mut source: R) -> io::Result<(bool, impl Read)> {
    let mut first = Vec::with_capacity(BEGINNING.len());
    let mut chunk = [0; BEGINNING.len()];
    // A pipe may give less than it was asked for; and no more is waited for than it takes to tell.
    while first.len() < BEGINNING.len() && BEGINNING.starts_with(&first) {
        match source.read(&mut chunk[first.len()..]) {
            Ok(0) => break,
            Ok(more) => first.extend_from_slice(&chunk[first.len()..first.len() + more]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let begins = first == BEGINNING;
    Ok((begins, io::Cursor::new(first).chain(source)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use enjamb::transcript::Collector;

    use super::{Text, beginning};

    /// Gives one byte at a time, as a pipe may.
    struct Dribbled<'a>(&'a [u8]);

    impl Read for Dribbled<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let few = buffer.len().min(1);
            self.0.read(&mut buffer[..few])
        }
    }

    #[test]
    fn a_transcript_is_known_by_its_beginning_and_nothing_is_lost_of_what_is_not_one() {
        for (bytes, expected) in [
            (&b"enjamb transcript 1\nprotocol redis\n"[..], true),
            (b"enjamb transcript 2\n", true),
            (b"enjamb transc", false),
            (b"\xd4\xc3\xb2\xa1 a capture that is longer", false),
            (b"", false),
        ] {
            let (begins, mut all) = beginning(Dribbled(bytes)).expect("readable");
            let mut read = Vec::new();
            all.read_to_end(&mut read).expect("readable");
            assert_eq!((begins, &read[..]), (expected, bytes));
        }
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_column() {
        for (text, expected) in [
            (&b"enjamb transcript 1\n@0 client\n  \"a\\q\"\n"[..], "line 3, column 5: an escape is one of"),
            (b"enjamb transcript 1\n@0 nobody\n", "line 2, column 1: the side is not"),
            (b"enjamb transcript 1\n@0 client\n  \"a\xff\"\n", "line 3, column 5: this byte is not UTF-8"),
            (b"enjamb transcript 2\n", "line 1, column 19: the first line is \"enjamb transcript 2\""),
            (b"something else\n", "line 1, column 1: the first line is not"),
        ] {
            let error = Text::read(text).expect_err("wrong");
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_tap_is_told_what_the_text_says_and_nothing_after_the_end_of_a_side() {
        let text = "enjamb transcript 1\n@1 client\n  \"a\"\n@2 client\n@2.5 client gap 0\n@3 client closed\n@4 server\n  \"b\"\n";
        let mut collector = Collector::default();
        let whole = Text::parse(text.as_bytes()).expect("a transcript");
        assert_eq!(whole.play(1, &mut collector), None);
        let more = format!("{text}@5 client\n  \"too late\"\n");
        let more = Text::parse(more.as_bytes()).expect("a transcript");
        assert_eq!(more.play(2, &mut collector), Some(9));
        let [(_, one), (_, two)] = &collector.finish().collect::<Vec<_>>()[..] else { panic!("two connections") };
        assert_eq!(one, two);
        assert_eq!(one.entries.len(), 3, "no empty chunk and no gap of nothing: {one}");
    }
}
