//! Several delimiters at once, compared with a naive search of the whole stream: leftmost, then
//! longest.

use std::convert::Infallible;

use enjamb::{
    AnyOf, End, FrameHandler, FrameInfo, Framer, Limit, Machine, Scanner, Step, Terminator, Token, WholeFrames,
};
use proptest::prelude::*;

use crate::trace::{TraceEntry, trace, under_every_cut};

/// A handler that returns each frame with the delimiter that ended it, and the tail without one.
#[derive(Clone, Debug, Default)]
struct Frames {
    terminator: Option<Terminator>,
}

type Frame = (Vec<u8>, Option<usize>);

impl FrameHandler for Frames {
    type Event = Frame;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.terminator.clone().unwrap_or(Terminator::Close)
    }
    fn limit(&self) -> Limit {
        Limit::NONE
    }
    fn frame(&mut self, frame: &[u8], found: FrameInfo) -> Result<Step<Frame>, Infallible> {
        Ok(Step::event((frame.to_vec(), Some(found.delimiter))))
    }
    fn close(&mut self, partial: &[u8], _: End) -> Result<Option<Frame>, Infallible> {
        Ok(Some((partial.to_vec(), None)))
    }
}

fn framer(set: &AnyOf) -> Framer<WholeFrames<Frames>> {
    Framer::whole(Frames { terminator: Some(Terminator::AnyOf(set.clone())) })
}

fn frames(entries: Vec<TraceEntry<Frame, Infallible>>) -> Vec<Frame> {
    let event = |entries| if let TraceEntry::Event(frame, _) = entries { Some(frame) } else { None };
    entries.into_iter().filter_map(event).collect()
}

/// Returns the first delimiter in `stream`, leftmost, then longest: its offset, length and index.
fn first(set: &[Vec<u8>], stream: &[u8]) -> Option<(usize, usize, usize)> {
    (0..stream.len()).find_map(|at| {
        let here = set.iter().enumerate().filter(|(_, delimiter)| stream[at..].starts_with(delimiter));
        // Of duplicates, the first.
        let (index, delimiter) = here.rev().max_by_key(|(_, delimiter)| delimiter.len())?;
        Some((at, delimiter.len(), index))
    })
}

/// Returns the frames of the whole stream, read naively.
fn reference(set: &[Vec<u8>], mut stream: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((at, length, index)) = first(set, stream) {
        frames.push((stream[..at].to_vec(), Some(index)));
        stream = &stream[at + length..];
    }
    frames.push((stream.to_vec(), None));
    frames
}

/// Returns the certain part of `stream` while more may come: the final frames, the payload of the
/// next one, and the held bytes.
fn settled<'s>(set: &[Vec<u8>], mut stream: &'s [u8]) -> (Vec<Frame>, &'s [u8], &'s [u8]) {
    let mut frames = Vec::new();
    loop {
        let begun = |at: &usize| set.iter().any(|one| one.len() > stream.len() - at && one.starts_with(&stream[*at..]));
        let held = (0..stream.len()).find(begun).unwrap_or(stream.len());
        match first(set, stream) {
            Some((at, length, index)) if at < held => {
                frames.push((stream[..at].to_vec(), Some(index)));
                stream = &stream[at + length..];
            }
            _ => return (frames, &stream[..held], &stream[held..]),
        }
    }
}

/// Returns every stream of up to `most` of these letters.
fn streams(letters: &[u8], most: u32) -> impl Iterator<Item = Vec<u8>> {
    let base = letters.len();
    (0..=most).flat_map(move |length| {
        let letter = move |number: usize, at: u32| letters[number / base.pow(at) % base];
        (0..base.pow(length)).map(move |number| (0..length).map(|at| letter(number, at)).collect())
    })
}

fn set(delimiters: &[&str]) -> (AnyOf, Vec<Vec<u8>>) {
    let bytes = delimiters.iter().map(|delimiter| delimiter.as_bytes().to_vec()).collect();
    (AnyOf::new(delimiters).unwrap(), bytes)
}

/// Sets of delimiters: alone, overlapping themselves and each other, one within another, with a
/// common beginning or end, duplicates, and those that make the reader look far ahead without a
/// match.
const SETS: &[&[&str]] = &[
    &["a"],
    &["aa"],
    &["a", "b", "c"],
    &["a", "b", "c", "ab"],
    &["a", "ab"],
    &["ab", "a", "ab", "a"],
    &["b", "abc"],
    &["b", "bb", "abc"],
    &["a", "aaab"],
    &["aa", "aaab", "b"],
    &["ab", "ba"],
    &["aba", "bab"],
    &["abab", "ba", "bb"],
    &["abc", "bcb", "cbaa"],
    &["c", "aabaab", "ba"],
    &["ac", "abaabac", "b"],
    &["bc", "ab", "abca"],
];

#[test]
fn every_cut_of_a_short_stream_gives_the_frames_of_the_whole() {
    for delimiters in SETS {
        let (any, bytes) = set(delimiters);
        for stream in streams(b"abc", 7) {
            let entries = frames(under_every_cut(|| framer(&any), &stream));
            assert_eq!(entries, reference(&bytes, &stream), "{any:?} in \"{}\"", stream.escape_ascii());
        }
    }
}

/// Returns the next token: its payload, and the delimiter if it is the frame's last.
fn next(scanner: &mut Scanner, chunk: &mut &[u8]) -> Option<Frame> {
    let (piece, last) = match scanner.next(chunk)? {
        Token::Piece(piece) => (piece.to_vec(), false),
        Token::Last(piece) => (piece.to_vec(), true),
    };
    Some((piece, last.then(|| scanner.delimiter())))
}

#[test]
fn a_delimiter_that_begins_another_waits_for_a_byte_or_the_end() {
    let (any, _) = set(&["\r", "\r\n"]);
    let mut scanner = Scanner::new(Terminator::AnyOf(any));
    let mut chunk: &[u8] = b"ab\r";
    assert_eq!(next(&mut scanner, &mut chunk), Some((b"ab".to_vec(), None)));
    assert_eq!(next(&mut scanner, &mut chunk), None);
    assert_eq!((scanner.held(), scanner.held_bytes()), (1, &b"\r"[..]));
    let mut chunk: &[u8] = b"c\r\n\r";
    assert_eq!(next(&mut scanner, &mut chunk), Some((b"".to_vec(), Some(0))));
    assert_eq!(next(&mut scanner, &mut chunk), Some((b"c".to_vec(), Some(1))));
    assert_eq!(next(&mut scanner, &mut chunk), None);
    assert_eq!(scanner.finish(), Some(Token::Last(b"")));
    assert_eq!(scanner.delimiter(), 0);
    assert_eq!(scanner.finish(), None);
}

#[test]
fn a_delimiter_that_no_other_continues_is_found_at_once() {
    let (any, _) = set(&["\n", "\r\n"]);
    let mut scanner = Scanner::new(Terminator::AnyOf(any));
    let mut chunk: &[u8] = b"\n\r\n";
    assert_eq!(next(&mut scanner, &mut chunk), Some((b"".to_vec(), Some(0))));
    assert_eq!(next(&mut scanner, &mut chunk), Some((b"".to_vec(), Some(1))));
    assert_eq!(next(&mut scanner, &mut chunk), None);
    assert_eq!(scanner.held(), 0);
}

#[test]
fn the_end_of_a_stream_decides_about_held_bytes() {
    let (any, _) = set(&["a", "aaab"]);
    let end = TraceEntry::End(End::Truncated { have: 1, missing: None });
    for (stream, count, end) in [("xaaa", 3, TraceEntry::End(End::Clean)), ("aaac", 3, end)] {
        let entries = under_every_cut(|| framer(&any), stream.as_bytes());
        assert_eq!(
            entries.iter().filter(|entries| matches!(entries, TraceEntry::Event((_, Some(0)), _))).count(),
            count,
            "{stream}"
        );
        assert_eq!(entries.last(), Some(&end), "{stream}");
    }
}

#[test]
fn offsets_are_exact_after_reading_ahead() {
    let (any, _) = set(&["a", "aaab"]);
    let entries = under_every_cut(|| framer(&any), b"aaacaaabx");
    let offsets: Vec<u64> = entries
        .iter()
        .filter_map(|entries| if let TraceEntry::Event(_, at) = entries { Some(*at) } else { None })
        .collect();
    assert_eq!(offsets, [1, 2, 3, 8, u64::MAX]);
}

/// A handler that stops at the first frame.
struct One;

impl FrameHandler for One {
    type Event = ();
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::any_of(["a", "aaab"]).unwrap()
    }
    fn frame(&mut self, _: &[u8], _: FrameInfo) -> Result<Step<()>, Infallible> {
        Ok(Step::event(()).stop())
    }
}

#[test]
fn bytes_read_ahead_of_a_stop_are_leftover() {
    let entries = under_every_cut(|| Framer::whole(One), b"xaaacd");
    assert_eq!(entries, [TraceEntry::Event((), 2), TraceEntry::End(End::Leftover(4))]);

    let mut framer = Framer::whole(One);
    let mut chunk: &[u8] = b"xaaacd";
    assert_eq!(framer.next(&mut chunk), Ok(Some(())));
    assert_eq!([framer.held_bytes(), chunk], [&b"aa"[..], b"cd"], "in this order they are what follows");
}

/// A protocol in which tabs end fields and LF ends lines. A byte count follows a field `raw`.
struct Table;

impl FrameHandler for Table {
    type Event = Frame;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::any_of(["\t", "\t\t\t\t|", "\n"]).unwrap()
    }
    fn frame(&mut self, frame: &[u8], found: FrameInfo) -> Result<Step<Frame>, Infallible> {
        let step = Step::event((frame.to_vec(), Some(found.delimiter)));
        Ok(match frame {
            b"raw" => step.until(Terminator::length(2).unwrap()),
            b"lines" => step.until(Terminator::delimiter("\t|").unwrap()),
            _ => step.until(self.start()),
        })
    }
}

#[test]
fn a_terminator_set_by_a_handler_applies_to_bytes_read_ahead() {
    for (stream, expected) in [
        (&b"raw\t\t\tx\n"[..], &[(&b"raw"[..], 0), (b"\t\t", 0), (b"x", 2)][..]),
        (b"raw\t\t\t\t|", &[(b"raw", 1)]),
        (b"lines\t\t\t|\n", &[(b"lines", 0), (b"\t", 0), (b"", 2)]),
        (b"a\traw\t\t\t", &[(b"a", 0), (b"raw", 0), (b"\t\t", 0)]),
    ] {
        let entries = frames(under_every_cut(|| Framer::whole(Table), stream));
        let expected: Vec<Frame> = expected.iter().map(|(frame, index)| (frame.to_vec(), Some(*index))).collect();
        assert_eq!(entries, expected, "{}", stream.escape_ascii());
    }
}

#[test]
fn delimiters_of_4_kib_that_share_all_but_their_ends() {
    let long = |end: &[u8]| [&[b'a'; 4095][..], end].concat();
    let delimiters = [long(b"b"), long(b"c"), b"ab".to_vec(), vec![b'a'; 5000]];
    let any = AnyOf::new(&delimiters).unwrap();
    let mut stream = vec![b'a'; 4990];
    for part in [&b"c"[..], &[b'a'; 4094], b"c", &[b'a'; 4095], b"bx", &[b'a'; 12_000], b"d"] {
        stream.extend_from_slice(part);
    }
    let expected = reference(&delimiters, &stream);
    for size in [1, 16, 1000, 4096, 65536] {
        assert_eq!(frames(trace(framer(&any), stream.chunks(size))), expected, "chunks of {size}");
    }
}

/// Sets one terminator after the other, each for one frame.
struct Turns {
    turns: Vec<Vec<Vec<u8>>>,
    at: usize,
}

impl Turns {
    fn terminator(&self) -> Terminator {
        Terminator::any_of(&self.turns[self.at % self.turns.len()]).unwrap()
    }
}

impl FrameHandler for Turns {
    type Event = Frame;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.terminator()
    }
    fn frame(&mut self, frame: &[u8], found: FrameInfo) -> Result<Step<Frame>, Infallible> {
        self.at += 1;
        Ok(Step::event((frame.to_vec(), Some(found.delimiter))).until(self.terminator()))
    }
    fn close(&mut self, partial: &[u8], _: End) -> Result<Option<Frame>, Infallible> {
        Ok(Some((partial.to_vec(), None)))
    }
}

/// Returns the frames of the whole stream, read naively.
fn reference_of_turns(turns: &[Vec<Vec<u8>>], mut stream: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((at, length, index)) = first(&turns[frames.len() % turns.len()], stream) {
        frames.push((stream[..at].to_vec(), Some(index)));
        stream = &stream[at + length..];
    }
    frames.push((stream.to_vec(), None));
    frames
}

#[test]
fn bytes_that_are_read_again_may_be_read_under_another_set() {
    let sets = [&["a", "aaaab"][..], &["a", "aab"], &["aa", "ab"]];
    let turns: Vec<Vec<Vec<u8>>> =
        sets.iter().map(|set| set.iter().map(|one| one.as_bytes().to_vec()).collect()).collect();
    for stream in streams(b"abc", 8) {
        let made = || Framer::whole(Turns { turns: turns.clone(), at: 0 });
        let expected = reference_of_turns(&turns, &stream);
        assert_eq!(frames(trace(made(), [&stream[..]])), expected, "{}", stream.escape_ascii());
        assert_eq!(frames(trace(made(), stream.chunks(1))), expected, "{}", stream.escape_ascii());
    }
}

fn words(most: usize, letters: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(letters), 0..most)
}

fn sets(letters: &'static [u8]) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(words(6, letters).prop_filter("not empty", |word| !word.is_empty()), 1..6)
}

fn cases() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Vec<u8>>)> {
    let of = |letters| (sets(letters), prop::collection::vec(words(12, letters), 0..8));
    prop_oneof![of(b"ab"), of(b"abc"), of(b"aab\r\n")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_set_in_any_chunks_gives_the_frames_of_the_whole_stream((delimiters, chunks) in cases()) {
        let any = AnyOf::new(&delimiters).unwrap();
        let entries = frames(trace(framer(&any), chunks.iter().map(Vec::as_slice)));
        prop_assert_eq!(entries, reference(&delimiters, &chunks.concat()));
    }

    #[test]
    fn alternating_sets_give_the_frames_of_the_whole_stream(
        (turns, chunks) in (prop::collection::vec(sets(b"ab"), 1..4), prop::collection::vec(words(12, b"ab"), 0..8)),
    ) {
        let made = Framer::whole(Turns { turns: turns.clone(), at: 0 });
        let entries = frames(trace(made, chunks.iter().map(Vec::as_slice)));
        prop_assert_eq!(entries, reference_of_turns(&turns, &chunks.concat()));
    }

    /// Tokens come as soon as the bytes decide them, also if the terminator changes from outside
    /// while bytes are held.
    #[test]
    fn a_change_from_outside_applies_to_all_held_bytes((delimiters, chunks) in cases(), (later, more) in cases()) {
        let mut framer = framer(&AnyOf::new(&delimiters).unwrap());
        let mut entries = Vec::new();
        for chunk in &chunks {
            framer.feed(chunk, &mut |frame| entries.push(frame)).unwrap();
        }
        let before = chunks.concat();
        let (expected, payload, held) = settled(&delimiters, &before);
        prop_assert_eq!(&entries, &expected);
        prop_assert_eq!(framer.held_bytes(), held);

        framer.set_terminator(Terminator::AnyOf(AnyOf::new(&later).unwrap()));
        prop_assert_eq!(framer.held_bytes(), held);
        entries.clear();
        for chunk in &more {
            framer.feed(chunk, &mut |frame| entries.push(frame)).unwrap();
        }
        framer.close(&mut |frame| entries.push(frame)).unwrap();
        let mut expected = reference(&later, &[held, &more.concat()].concat());
        expected[0].0.splice(0..0, payload.iter().copied());
        prop_assert_eq!(entries, expected);
    }
}
