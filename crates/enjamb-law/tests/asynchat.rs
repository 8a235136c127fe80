//! The engine agrees with the real `asynchat` and with a naive reading of the whole stream, except
//! where it differs on purpose. A code such as T2 is the rule of `asynchat` that a test concerns;
//! `docs/architecture.md` compares the two.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use enjamb::{End, Ending, FrameInfo, Framer, Handler, Machine, Next, Scanner, Step, Terminator, Token};
use enjamb_law::asynchat::{Interpreter, Program, ProgramEvent, Setting, TerminatorKind, reference};
use enjamb_law::{Machines, Segmentations, split, split_everywhere, stream};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct GoldenRecord {
    case: Case,
    result: GoldenResult,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    program: Vec<Entry>,
    cycle: bool,
    chunks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    Delim(String),
    Count(u64),
    None(serde::de::IgnoredAny),
    Keep(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct GoldenResult {
    messages: Vec<(String, String)>,
    tail: (String, String),
    residual: String,
    remaining: Option<u64>,
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

fn setting(entry: &Entry) -> Setting {
    match entry {
        Entry::Delim(delimiter) => Setting::Set(Terminator::delimiter(bytes(delimiter)).unwrap_or(Terminator::Close)),
        // In asynchat, a count of 0, an empty delimiter and None are the same: it never finds a
        // terminator. The first two cannot be built here.
        Entry::Count(count) => Setting::Set(Terminator::length(*count).unwrap_or(Terminator::Close)),
        Entry::None(_) => Setting::Set(Terminator::Close),
        Entry::Keep(_) => Setting::Keep,
    }
}

fn text((kind, text): &(String, String)) -> (TerminatorKind, Vec<u8>) {
    let ended = match kind.as_str() {
        "delim" => TerminatorKind::Delimiter,
        "count" => TerminatorKind::Length,
        "none" => TerminatorKind::Close,
        other => panic!("unknown kind {other}"),
    };
    (ended, bytes(text))
}

#[test]
fn the_engine_agrees_with_the_real_asynchat() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/asynchat/golden.jsonl");
    let golden = std::fs::read_to_string(path).unwrap();
    let mut cases = 0;
    for line in golden.lines() {
        let GoldenRecord { case, result } = serde_json::from_str(line).unwrap();
        let mut settings = case.program.iter().map(setting);
        let Some(Setting::Set(first)) = settings.next() else { panic!("{}: the program begins with keep", case.id) };
        let program = Program { first, rest: settings.collect(), cycle: case.cycle };
        let chunks: Vec<Vec<u8>> = case.chunks.iter().map(|chunk| bytes(chunk)).collect();

        let mut framer = Framer::new(Interpreter::new(&program));
        let mut heard = Vec::new();
        for chunk in &chunks {
            framer.feed(chunk, &mut |event| heard.push(event)).unwrap();
        }
        assert_eq!(framer.held() - framer.handler().held(), bytes(&result.residual).len(), "{}: residual", case.id);
        assert_eq!(framer.remaining(), result.remaining, "{}: remaining", case.id);
        framer.close(&mut |event| heard.push(event)).unwrap();

        let mut expected: Vec<ProgramEvent> =
            result.messages.iter().map(|message| ProgramEvent::Message(text(message))).collect();
        expected.push(ProgramEvent::Tail(text(&result.tail)));
        assert_eq!(heard, expected, "{}", case.id);
        assert_eq!(reference(&program, &chunks.concat()), expected, "{}: the naive reading", case.id);

        let machines = Machines(|| Framer::new(Interpreter::new(&program)));
        let whole = stream(&chunks.concat());
        split_everywhere(&machines, &whole, &Segmentations::up_to_one_cut().and_random(1, 50))
            .unwrap_or_else(|violation| panic!("{}: {violation}", case.id));
        cases += 1;
    }
    assert_eq!(cases, 400);
}

/// Bytes from a small alphabet, so that delimiters often overlap themselves and each other, and
/// partial matches are frequent.
fn letters(len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&b"aab\r\n"[..]), 0..len_max)
}

fn terminators() -> impl Strategy<Value = Terminator> {
    prop_oneof![
        4 => letters(6).prop_filter_map("not empty", |delimiter| Terminator::delimiter(delimiter).ok()),
        2 => prop::collection::vec(letters(5), 1..4).prop_filter_map("none empty", |set| Terminator::any_of(set).ok()),
        2 => (1_u64..9).prop_filter_map("not zero", Terminator::length),
        1 => Just(Terminator::Close),
    ]
}

fn programs() -> impl Strategy<Value = Program> {
    let rest =
        prop::collection::vec(prop_oneof![4 => terminators().prop_map(Setting::Set), 1 => Just(Setting::Keep)], 0..5);
    (terminators(), rest, any::<bool>()).prop_map(|(first, rest, cycle)| Program { first, rest, cycle })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_program_under_any_cuts_gives_the_trace_of_the_whole_stream(
        (program, bytes, cuts) in (programs(), letters(80))
            .prop_flat_map(|(program, bytes)| {
                let cuts = enjamb_law::strategy::cuts(bytes.len());
                (Just(program), Just(bytes), cuts)
            })
    ) {
        let machines = Machines(|| Framer::new(Interpreter::new(&program)));
        split(&machines, &stream(&bytes), &cuts).map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        let mut framer = Framer::new(Interpreter::new(&program));
        let mut heard = Vec::new();
        framer.feed(&bytes, &mut |event| heard.push(event)).unwrap();
        framer.close(&mut |event| heard.push(event)).unwrap();
        prop_assert_eq!(heard, reference(&program, &bytes));
    }

    /// Every byte except the terminators is delivered once and in order, and the scanner holds no
    /// more than the longest prefix of the delimiter at the end of the stream (P2, P5, P6).
    #[test]
    fn only_a_prefix_of_the_delimiter_is_held(
        (delimiter, bytes, cuts) in (letters(6), letters(60))
            .prop_filter("a delimiter", |(delimiter, _)| !delimiter.is_empty())
            .prop_flat_map(|(delimiter, bytes)| {
                let cuts = enjamb_law::strategy::cuts(bytes.len());
                (Just(delimiter), Just(bytes), cuts)
            })
    ) {
        let mut scanner = Scanner::new(Terminator::delimiter(&delimiter).unwrap());
        let mut delivered = Vec::new();
        let mut frame = Vec::new();
        for (_, event) in stream(&bytes).cut(&cuts) {
            let enjamb_law::Event::Chunk(mut chunk) = event else { continue };
            while let Some(token) = scanner.next(&mut chunk) {
                let (Token::Piece(piece) | Token::Last(piece)) = token;
                delivered.extend_from_slice(piece);
                frame.extend_from_slice(piece);
                if let Token::Last(_) = token {
                    delivered.extend_from_slice(&delimiter);
                    frame.clear();
                }
            }
            prop_assert!(chunk.is_empty());
            let fed = delivered.len() + scanner.held();
            prop_assert_eq!(&bytes[..delivered.len()], &delivered[..]);
            let since = &bytes[delivered.len() - frame.len()..fed];
            let longest = (0..delimiter.len()).rev().find(|&length| since.ends_with(&delimiter[..length]));
            prop_assert_eq!(Some(scanner.held()), longest);
        }
        if let Some(Token::Piece(held)) = scanner.finish() {
            delivered.extend_from_slice(held);
        }
        prop_assert_eq!(delivered, bytes);
    }
}

// The tests below show where this engine differs from asynchat on purpose.

/// In asynchat a count of 0 means that everything is data, so a length-prefixed protocol hangs at
/// an empty payload (T2).
#[test]
fn a_length_of_zero_cannot_be_set() {
    assert_eq!(Terminator::length(0), None);
}

/// A length stays set, as a delimiter does. In asynchat a count is used up, and everything after it
/// is data (T7).
#[test]
fn a_length_stays_set_after_a_frame() {
    let mut scanner = Scanner::new(Terminator::length(2).unwrap());
    let mut chunk: &[u8] = b"aabbc";
    assert_eq!(scanner.next(&mut chunk), Some(Token::Last(b"aa")));
    assert_eq!(scanner.next(&mut chunk), Some(Token::Last(b"bb")));
    assert_eq!(scanner.next(&mut chunk), Some(Token::Piece(b"c")));
}

/// A handler that stops at the line `quit`.
struct QuitHandler(Vec<u8>);

impl Handler for QuitHandler {
    type Event = Vec<u8>;
    type Error = std::convert::Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn collect(&mut self, piece: &[u8]) -> Result<(), Self::Error> {
        self.0.extend_from_slice(piece);
        Ok(())
    }
    fn found(&mut self, _: FrameInfo) -> Result<Step<Vec<u8>>, Self::Error> {
        let line = std::mem::take(&mut self.0);
        let next = if line == b"quit" { Next::Stop } else { Next::Same };
        Ok(Step { event: Some(line), next })
    }
}

/// In asynchat `close()` inside `found_terminator` does not stop the parser, so the cuts decide
/// which later messages arrive (E6).
#[test]
fn a_handler_that_stops_gets_nothing_more_under_any_cuts() {
    let handlers = Machines(|| Framer::new(QuitHandler(Vec::new())));
    let bytes = b"a\nquit\nb\nc\n";
    split_everywhere(&handlers, &stream(bytes), &Segmentations::up_to_two_cuts()).unwrap();

    let mut framer = Framer::new(QuitHandler(Vec::new()));
    let mut lines = Vec::new();
    framer.feed(bytes, &mut |line| lines.push(line)).unwrap();
    assert_eq!(lines, [b"a".to_vec(), b"quit".to_vec()]);
    assert!(framer.is_stopped());
    assert_eq!(framer.close(&mut |_| {}).unwrap(), End::Leftover(4));
}

/// In asynchat, bytes that are held when the stream ends are lost (E1).
#[test]
fn held_bytes_are_delivered_at_the_end_of_the_stream() {
    let mut scanner = Scanner::new(Terminator::crlf());
    let mut chunk: &[u8] = b"abc\r";
    assert_eq!(scanner.next(&mut chunk), Some(Token::Piece(b"abc")));
    assert_eq!(scanner.next(&mut chunk), None);
    assert_eq!(scanner.finish(), Some(Token::Piece(b"\r")));
    assert_eq!(scanner.finish(), None);
    assert_eq!(Ending::Closed.as_str(), "closed");
}

/// In asynchat, held bytes wait for the next read when the terminator changes from outside (M5,
/// M6).
#[test]
fn held_bytes_are_rescanned_at_once_when_the_terminator_changes() {
    let mut scanner = Scanner::new(Terminator::delimiter("ababc").unwrap());
    let mut chunk: &[u8] = b"xabab";
    assert_eq!(scanner.next(&mut chunk), Some(Token::Piece(b"x")));
    assert_eq!(scanner.next(&mut chunk), None);
    assert_eq!(scanner.held(), 4);
    scanner.set(Terminator::delimiter("b").unwrap());
    let mut nothing: &[u8] = b"";
    assert_eq!(scanner.next(&mut nothing), Some(Token::Last(b"a")));
    scanner.set(Terminator::length(3).unwrap());
    assert_eq!(scanner.next(&mut nothing), Some(Token::Piece(b"ab")));
    assert_eq!(scanner.next(&mut nothing), None);
    assert_eq!(scanner.next(&mut &b"c"[..]), Some(Token::Last(b"c")));
}
