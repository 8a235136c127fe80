//! Text whose characters are split anywhere, compared with whole frames that are decoded at once.

use std::convert::Infallible;

use enjamb::{
    End, FrameError, FrameInfo, Framer, InvalidUtf8, Limit, Machine, Step, Terminator, Text, TextError,
    TextFrameHandler, TextHandler, WholeTextFrames,
};
use proptest::prelude::*;

use crate::trace::{TraceEntry, trace, under_every_cut};

#[derive(Clone, Debug)]
struct Lines {
    terminator: Terminator,
    limit: Limit,
}

impl TextFrameHandler for Lines {
    type Event = String;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.terminator.clone()
    }
    fn limit(&self) -> Limit {
        self.limit
    }
    fn frame(&mut self, frame: &str, _: FrameInfo) -> Result<Step<String>, Infallible> {
        Ok(Step::event(frame.to_owned()))
    }
    fn oversized(&mut self, found: FrameInfo) -> Result<Step<String>, Infallible> {
        Ok(Step::event(format!("{} too many", found.dropped)))
    }
    fn close(&mut self, partial: &str, _: End) -> Result<Option<String>, Infallible> {
        Ok((!partial.is_empty()).then(|| partial.to_owned()))
    }
}

fn lines(invalid: InvalidUtf8, limit: Limit) -> Framer<Text<WholeTextFrames<Lines>>> {
    Framer::text(Lines { terminator: Terminator::crlf(), limit }, invalid)
}

fn invalid(start: u64, end: u64, at: u64, length: usize) -> TraceEntry<String, TextError<Infallible>> {
    TraceEntry::Failed(FrameError::Handler { start, end, error: TextError::Invalid { at, length } })
}

fn line(text: &str, offset: u64) -> TraceEntry<String, TextError<Infallible>> {
    TraceEntry::Event(text.to_owned(), offset)
}

#[test]
fn characters_may_be_split_anywhere() {
    let stream = "größe\r\n\u{10348}\u{fffd}𝄞\r\n日本\r\n\r\nx";
    let entries = under_every_cut(|| lines(InvalidUtf8::Refuse, Limit::DEFAULT), stream.as_bytes());
    let truncated = TraceEntry::End(End::Truncated { have: 1, missing: None });
    let frames = [
        line("größe", 9),
        line("\u{10348}\u{fffd}𝄞", 22),
        line("日本", 30),
        line("", 32),
        line("x", u64::MAX),
        truncated,
    ];
    assert_eq!(entries, frames);
}

#[test]
fn every_cut_reports_an_invalid_sequence_at_its_place() {
    for (stream, at, length) in [
        // Not the beginning of a character, and a beginning that does not continue.
        (&b"ok\r\nab\xffcd\r\n"[..], 6, 1),
        (b"ok\r\n\x80\r\n", 4, 1),
        (b"ok\r\na\xe2\x82x\r\n", 5, 2),
        (b"ok\r\na\xf0\x90\x8d\xc3\xa4\r\n", 5, 3),
        // Overlong, a surrogate, and beyond U+10FFFF.
        (b"ok\r\n\xc0\xaf\r\n", 4, 1),
        (b"ok\r\n\xed\xa0\x80\r\n", 4, 1),
        (b"ok\r\n\xf4\x90\x80\x80\r\n", 4, 1),
        (b"ok\r\n\xc3\xa4\xe2\xe2\x82\xac\r\n", 6, 1),
    ] {
        let entries = under_every_cut(|| lines(InvalidUtf8::Refuse, Limit::DEFAULT), stream);
        assert_eq!(entries, [line("ok", 4), invalid(4, 4, at, length)], "{}", stream.escape_ascii());
    }
    // Only the end of the frame shows that nothing follows.
    let entries = under_every_cut(|| lines(InvalidUtf8::Refuse, Limit::DEFAULT), b"ok\r\na\xe2\x82\r\n");
    assert_eq!(entries, [line("ok", 4), invalid(4, 9, 5, 2)]);
}

#[test]
fn a_character_cut_off_by_the_end_is_not_an_error() {
    let end = TraceEntry::End(End::Truncated { have: 3, missing: None });
    let entries = under_every_cut(|| lines(InvalidUtf8::Refuse, Limit::DEFAULT), b"a\xe2\x82");
    assert_eq!(entries, [line("a", u64::MAX), end.clone()]);
    let entries = under_every_cut(|| lines(InvalidUtf8::Replace, Limit::DEFAULT), b"a\xe2\x82");
    assert_eq!(entries, [line("a\u{fffd}", u64::MAX), end]);
}

#[test]
fn a_limit_leaves_out_the_character_it_would_cut_in_two() {
    for policy in [InvalidUtf8::Refuse, InvalidUtf8::Replace] {
        let entries = under_every_cut(|| lines(policy, Limit::truncate(4)), "ab€c\r\n€\r\n".as_bytes());
        assert_eq!(entries, [line("ab", 8), line("€", 13), TraceEntry::End(End::Clean)]);
        let entries = under_every_cut(|| lines(policy, Limit::skip(4)), "ab€c\r\n€\r\n".as_bytes());
        assert_eq!(entries, [line("2 too many", 8), line("€", 13), TraceEntry::End(End::Clean)]);
    }
}

#[test]
fn a_gap_inside_a_character_makes_it_invalid() {
    let of = |terminator: &Terminator, invalid| {
        Framer::text(Lines { terminator: terminator.clone(), limit: Limit::DEFAULT }, invalid)
    };
    let eight = Terminator::length(8).unwrap();
    let mut framer = of(&eight, InvalidUtf8::Refuse);
    framer.feed(b"ab\xe2\x82", &mut |_| {}).unwrap();
    assert_eq!(framer.pass(1), Ok(Ok(None)));
    // These two would have ended another character, and the first of them is at offset 5.
    let error = FrameError::Handler { start: 0, end: 0, error: TextError::Invalid { at: 2, length: 2 } };
    assert_eq!(framer.next(&mut &b"\xac\xac"[..]), Err(error));

    let mut framer = of(&eight, InvalidUtf8::Replace);
    framer.feed(b"ab\xe2\x82", &mut |_| {}).unwrap();
    assert_eq!(framer.pass(1), Ok(Ok(None)));
    assert_eq!(framer.next(&mut &b"\xacxy"[..]), Ok(Some("ab\u{fffd}\u{fffd}xy".to_owned())));

    let mut framer = of(&eight, InvalidUtf8::Refuse);
    framer.feed(b"ab", &mut |_| {}).unwrap();
    assert_eq!(framer.pass(3), Ok(Ok(None)));
    let error = FrameError::Handler { start: 0, end: 0, error: TextError::Invalid { at: 6, length: 1 } };
    assert_eq!(framer.next(&mut &b"x\xff"[..]), Err(error), "an offset counts what was lost");
}

/// Pieces, none of which is empty or ends inside a character.
#[derive(Default)]
struct Pieces {
    seen: Vec<String>,
}

impl TextHandler for Pieces {
    type Event = Vec<String>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn collect(&mut self, piece: &str) -> Result<(), Infallible> {
        assert!(!piece.is_empty());
        self.seen.push(piece.to_owned());
        Ok(())
    }
    fn found(&mut self, _: FrameInfo) -> Result<Step<Vec<String>>, Infallible> {
        Ok(Step::event(std::mem::take(&mut self.seen)))
    }
}

#[test]
fn at_most_one_incomplete_character_is_held() {
    let mut framer = Framer::new(Text::new(Pieces::default(), InvalidUtf8::Refuse));
    let mut held = Vec::new();
    for byte in "a𝄞€\n".bytes() {
        let event = framer.next(&mut &[byte][..]).unwrap();
        held.push(framer.held());
        assert_eq!(event.is_some(), byte == b'\n');
    }
    assert_eq!(held, [0, 1, 2, 3, 0, 1, 2, 0, 0]);
}

/// Pieces of characters, valid and not, and line ends.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: &[&[u8]] = &[
        b"a",
        b"\r\n",
        b"\r",
        b"\xc3\xa4",
        b"\xe2\x82\xac",
        b"\xf0\x9d\x84\x9e",
        b"\xe2",
        b"\x82",
        b"\xf0\x9d",
        b"\xed\xa0",
        b"\xff",
        b"\xc0",
        b"\xf4\x90",
    ];
    prop::collection::vec(prop::sample::select(PARTS), 0..20).prop_map(|parts| parts.concat())
}

/// Each frame of the stream decoded by itself.
fn reference(stream: &[u8], policy: InvalidUtf8) -> Vec<TraceEntry<String, TextError<Infallible>>> {
    let mut entries = Vec::new();
    let mut start = 0;
    while let Some(length) = stream[start..].windows(2).position(|two| two == b"\r\n") {
        let (frame, end) = (&stream[start..start + length], start + length + 2);
        match (std::str::from_utf8(frame), policy) {
            (Err(error), InvalidUtf8::Refuse) => {
                let at = (start + error.valid_up_to()) as u64;
                let length = error.error_len().unwrap_or(frame.len() - error.valid_up_to());
                let whole = error.error_len().is_none();
                entries.push(invalid(start as u64, if whole { end } else { start } as u64, at, length));
                return entries;
            }
            _ => entries.push(line(&String::from_utf8_lossy(frame), end as u64)),
        }
        start = end;
    }
    let tail = &stream[start..];
    let text = match (std::str::from_utf8(tail), policy) {
        (Err(error), InvalidUtf8::Refuse) => {
            if let Some(length) = error.error_len() {
                entries.push(invalid(start as u64, start as u64, (start + error.valid_up_to()) as u64, length));
                return entries;
            }
            String::from_utf8_lossy(&tail[..error.valid_up_to()])
        }
        _ => String::from_utf8_lossy(tail),
    };
    if !text.is_empty() {
        entries.push(line(&text, u64::MAX));
    }
    let have = tail.len() as u64;
    entries.push(TraceEntry::End(if have == 0 { End::Clean } else { End::Truncated { have, missing: None } }));
    entries
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_in_any_chunks_give_the_text_of_their_frames(
        stream in bytes(),
        sizes in prop::collection::vec(1_usize..6, 1..5),
        replace in any::<bool>(),
    ) {
        let policy = if replace { InvalidUtf8::Replace } else { InvalidUtf8::Refuse };
        let (mut chunks, mut rest) = (Vec::new(), &stream[..]);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, left) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = left;
        }
        prop_assert_eq!(trace(lines(policy, Limit::DEFAULT), chunks), reference(&stream, policy));
    }
}
