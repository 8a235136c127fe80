//! The group `framing`: speed of finding the frames of a stream.
//!
//! A handler counts the frames and adds up their lengths. It keeps nothing else.

use std::rc::Rc;

use enjamb::Terminator;

use crate::measure::{Contestant, Input, Row};
use crate::peers::asynchat::asynchat;
use crate::peers::{engine, search, tokio_codec};
use crate::random::Random;
use crate::scale::Scale;

/// The size of the input that `asynchat` reads at its usual speed, in bytes.
const ASYNCHAT_BYTES: usize = 1 << 20;

/// The size of the input that `asynchat` reads if it takes tens of microseconds per byte.
const ASYNCHAT_SLOW_BYTES: usize = 16 << 10;

const CRLF: &[u8] = b"\r\n";

/// Letters of English text and some punctuation, without CR and LF.
const LETTERS: &[u8; 21] = b" etaoinshrdlucmfwyp.,";

/// Makes the rows of the group.
pub(crate) fn rows(scale: Scale) -> Vec<Row> {
    let lines = lines(scale, |random, line| line.push(LETTERS[random.below(LETTERS.len())]));
    let crs = self::lines(scale, |_, line| line.push(b'\r'));
    let mixed = self::lines(scale, |random, line| line.push(b"\r\ra"[random.below(3)]));
    let lfs = self::lines(scale, |_, line| line.push(b'\n'));
    vec![
        crlf("80-byte lines, 64 KiB reads", &lines, 64 << 10, true),
        crlf("80-byte lines, 4 KiB reads", &lines, 4 << 10, true),
        crlf("80-byte lines, 64-byte reads", &lines, 64, true),
        prefixed("length-prefixed 1 KiB frames, 64 KiB reads", scale, 1024, 64 << 10),
        prefixed("length-prefixed 1 KiB frames, 1000-byte reads", scale, 1024, 1000),
        prefixed("length-prefixed 16-byte frames, 64 KiB reads", scale, 16, 64 << 10),
        fixed("16-byte frames, 64 KiB reads", scale, 16, 64 << 10),
        crlf("80-byte lines of CR, 64 KiB reads", &crs, 64 << 10, true),
        crlf("80-byte lines of CR and letters, 64 KiB reads", &mixed, 64 << 10, true),
        crlf("80-byte lines of LF, 64 KiB reads", &lfs, 64 << 10, false),
        long_delimiter("a 4 KiB delimiter, 16-byte reads", scale),
        any_of("80-byte lines that end at LF or NUL, 64 KiB reads", scale),
    ]
}

/// Makes lines of 60 to 99 bytes, CR LF included.
fn lines(scale: Scale, mut byte: impl FnMut(&mut Random, &mut Vec<u8>)) -> Rc<Input> {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut input = Input::default();
    while input.bytes.len() < scale.input_bytes {
        let mut line = Vec::new();
        for _ in 0..58 + random.below(40) {
            byte(&mut random, &mut line);
        }
        input.push(&[&line, CRLF], line.len());
    }
    Rc::new(input)
}

/// Makes a row of lines that end at CR LF. `peers` states whether codecs that split at LF read them
/// too: they find the same lines only if no line contains an LF.
fn crlf(name: &str, input: &Rc<Input>, read: usize, peers: bool) -> Row {
    let mut contestants = Vec::from(engine::frames(input, read, &Terminator::crlf()));
    contestants.push(search::memmem(input, CRLF));
    if peers {
        contestants.push(engine::text(input, read));
        contestants.push(tokio_codec::lines(input, read));
        contestants.push(tokio_codec::any_delimiter(input, read, b"\n", 1));
    }
    contestants.extend(asynchat(input, read, "delimiter:0d0a".to_owned(), ASYNCHAT_BYTES));
    Row { name: name.to_owned(), contestants }
}

/// Makes a row of frames behind a big-endian length of four bytes.
fn prefixed(name: &str, scale: Scale, length: u32, read: usize) -> Row {
    let mut input = Input::default();
    let payload = vec![b'x'; length as usize];
    while input.bytes.len() < scale.input_bytes {
        input.push(&[&length.to_be_bytes(), &payload], payload.len());
    }
    let input = Rc::new(input);
    let mut contestants = Vec::from(engine::prefixed(&input, read));
    contestants.push(tokio_codec::length_delimited(&input, read));
    contestants.extend(asynchat(&input, read, "u32be".to_owned(), ASYNCHAT_BYTES));
    Row { name: name.to_owned(), contestants }
}

/// Makes a row of frames of one fixed length.
fn fixed(name: &str, scale: Scale, length: u64, read: usize) -> Row {
    let mut input = Input::default();
    let payload = vec![b'x'; usize::try_from(length).unwrap_or_default()];
    while input.bytes.len() < scale.input_bytes {
        input.push(&[&payload], payload.len());
    }
    let input = Rc::new(input);
    let terminator = Terminator::length(length).unwrap_or(Terminator::Close);
    let mut contestants = Vec::from(engine::frames(&input, read, &terminator));
    contestants.extend(asynchat(&input, read, format!("fixed:{length}"), ASYNCHAT_BYTES));
    Row { name: name.to_owned(), contestants }
}

/// Makes a row with a long delimiter. Its payload starts the delimiter again and again and never
/// completes it.
fn long_delimiter(name: &str, scale: Scale) -> Row {
    const READ: usize = 16;
    let mut delimiter: Vec<u8> = b"boundary".repeat(512);
    delimiter.truncate(4095);
    delimiter.push(b'!');
    let mut random = Random::new(7);
    let mut input = Input::default();
    while input.bytes.len() < scale.input_bytes / 4 {
        let payload = b"boundary".repeat(random.below(1000));
        input.push(&[&payload, b"?", &delimiter], payload.len() + 1);
    }
    let input = Rc::new(input);
    let mut contestants: Vec<Contestant> =
        engine::frames(&input, READ, &Terminator::delimiter(&delimiter).unwrap_or(Terminator::Close)).into();
    contestants.push(search::memmem(&input, &delimiter));
    let hex: String = delimiter.iter().map(|byte| format!("{byte:02x}")).collect();
    contestants.extend(asynchat(&input, READ, format!("delimiter:{hex}"), ASYNCHAT_SLOW_BYTES));
    Row { name: name.to_owned(), contestants }
}

/// Makes a row of frames that end at either of two delimiters.
fn any_of(name: &str, scale: Scale) -> Row {
    const READ: usize = 64 << 10;
    let mut random = Random::new(11);
    let mut input = Input::default();
    while input.bytes.len() < scale.input_bytes {
        let line: Vec<u8> = (0..59 + random.below(40)).map(|_| LETTERS[random.below(LETTERS.len())]).collect();
        input.push(&[&line, [&b"\n"[..], b"\0"][random.below(2)]], line.len());
    }
    let input = Rc::new(input);
    let terminator = Terminator::any_of(["\n", "\0"]).unwrap_or(Terminator::Close);
    let mut contestants = Vec::from(engine::frames(&input, READ, &terminator));
    contestants.push(search::memchr2(&input, *b"\n\0"));
    contestants.push(tokio_codec::any_delimiter(&input, READ, b"\n\0", 0));
    Row { name: name.to_owned(), contestants }
}
