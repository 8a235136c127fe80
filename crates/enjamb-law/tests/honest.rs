//! A law that does not apply is reported as ignored, with the reason. It never passes.

use std::process::Command;

use bytes::BytesMut;
use enjamb::{End, Framer};
use enjamb_law::{
    Chunks, DebugText, Decoded, Law, Laws, Machines, Never, Output, Pushing, Reading, Run, Subject, laws,
};
use enjamb_protocols::Framing;
use tokio::io::AsyncReadExt as _;
use tokio_util::codec::Decoder;

/// Lines that end in CR LF.
#[derive(Default)]
struct MyCodec {
    /// The number of bytes at the front of the buffer that contain no line end.
    searched: usize,
}

impl Decoder for MyCodec {
    type Item = BytesMut;
    type Error = std::io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> std::io::Result<Option<BytesMut>> {
        let Some(end) = buffer[self.searched..].windows(2).position(|pair| pair == b"\r\n") else {
            self.searched = buffer.len().saturating_sub(1);
            return Ok(None);
        };
        let end = std::mem::take(&mut self.searched) + end;
        Ok(Some(buffer.split_to(end + 2).split_to(end)))
    }
}

// The example of the README.
laws! {
    mod my_codec {
        subject: Decoded::new(MyCodec::default),          // a tokio `Decoder`; there are adapters for whatever you have
        messages: ["one\r\n", "\r\n", "three\r\n"],
    }
}

fn lines() -> Framer<impl enjamb::Handler<Event: PartialEq + std::fmt::Debug, Error: PartialEq + std::fmt::Debug>> {
    Framer::new(Framing::parse("lines max=64").unwrap().handler())
}

laws! {
    mod without_messages {
        subject: Machines(lines),
        cases: 20,
        tokens: ["\n"],
    }
}

laws! {
    mod left_out {
        subject: Machines(lines),
        without: [End => "partial lines are events", Split => "no reason"],
        messages: ["one\n", "two\n"],
        dependent: true,
        limit: 64,
        cases: 20,
        fuses: false,
        without: [Fused => "it goes on"],
    }
}

laws! {
    mod waiting {
        subject: Reading::new(async |chunks: &mut Chunks| {
            chunks.read_u8().await.map(Some).or_else(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => Ok(None),
                _ => Err(error),
            })
        }),
        messages: ["a"],
        cases: 20,
        encode: |byte: &u8| Some(vec![*byte]),
    }
}

/// Splits at commas.
fn fields(part: &mut Vec<u8>, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
    let mut fields = Vec::new();
    for byte in chunk {
        match byte {
            b',' => fields.push(std::mem::take(part)),
            byte => part.push(*byte),
        }
    }
    Ok(fields)
}

laws! {
    mod without_an_end {
        subject: Pushing::returning(Vec::new, fields),
        messages: ["one,", "two,"],
        carries: "the last field",
        cases: 20,
    }
}

laws! {
    mod with_an_end {
        subject: Pushing::returning(Vec::new, fields).at_end(|part: &mut Vec<u8>, out: &mut dyn FnMut(Result<Vec<u8>, Never>)| {
            if !part.is_empty() {
                out(Ok(std::mem::take(part)));
            }
        }),
        messages: ["one,", "two,"],
        one_message: true,
        drops_unfinished: "no standard",
        cases: 20,
    }
}

#[test]
fn a_push_parser_is_under_the_end_law_only_if_it_learns_of_the_end() {
    let lines = printed("without_an_end");
    for line in ["end ... ignored, it does not learn that the stream has ended", "alone ... ignored, the last field"] {
        assert!(lines.iter().any(|other| other == line), "{lines:#?}");
    }
    let lines = printed("with_an_end");
    for line in ["end ... ok", "alone ... ignored, a stream has only one message"] {
        assert!(lines.iter().any(|other| other == line), "{lines:#?}");
    }
}

#[test]
#[should_panic(
    expected = "the end law was not tried: it does not learn that the stream has ended; write `ends: false`"
)]
fn an_end_that_is_not_learned_of_is_named_with_its_key() {
    Laws::new("fields", Pushing::returning(Vec::new, fields)).messages(["one,"]).cases(10).assert(Law::End);
}

/// Takes a length of one digit and that many bytes.
fn digits(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    let Some(first) = buffer.first().copied() else { return Ok(None) };
    assert_ne!(first, b'!', "an exclamation mark");
    let len = char::from(first).to_digit(10).ok_or_else(|| format!("no digit: {:?}", char::from(first)))? as usize;
    Ok((buffer.len() > len).then(|| buffer.drain(..=len).skip(1).collect()))
}

fn of_digits(message: &str) -> Laws<impl Subject<Event = Vec<u8>, Error = enjamb_law::Kind> + Send + Sync> {
    let subject =
        Decoded::by(|| (), |(), buffer: &mut Vec<u8>| digits(buffer), |(), buffer: &mut Vec<u8>| digits(buffer));
    Laws::new("digits", subject).messages([message]).cases(10)
}

#[test]
#[should_panic(expected = "message 1 of the definition, b\"x\", is not read: \"no digit: 'x'\"")]
fn a_refused_message_is_named_with_the_text_of_its_error() {
    of_digits("x").assert(Law::Split);
}

#[test]
#[should_panic(expected = "message 1 of the definition, b\"!\": it panicked:")]
fn a_message_that_panics_makes_the_definition_unfit() {
    of_digits("!").assert(Law::Split);
}

#[test]
#[should_panic(expected = "none of its messages gives an event")]
fn messages_that_say_nothing_make_the_definition_unfit() {
    Laws::new("silent", Silent).messages(["a", "b"]).cases(10).assert(Law::Split);
}

/// The lines that this test binary prints for the tests of one module.
fn printed(module: &str) -> Vec<String> {
    let run = Command::new(std::env::current_exe().unwrap())
        .args([&format!("{module}::"), "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let prefix = format!("test {module}::");
    text.lines().filter(|line| line.starts_with(&prefix)).map(|line| line[prefix.len()..].to_owned()).collect()
}

#[test]
fn the_example_of_the_readme_prints_what_the_readme_shows() {
    let lines = printed("my_codec");
    let ok = lines.iter().filter(|line| line.ends_with("... ok")).count();
    let ignored = lines.iter().filter(|line| line.contains("... ignored, ")).count();
    assert_eq!((ok, ignored), (8, 5), "{lines:#?}");
    let shown: String = lines.iter().map(|line| format!("test my_codec::{line}\n")).collect();
    assert!(include_str!("../../../README.md").contains(&shown), "{shown}");
}

#[test]
fn without_messages_few_laws_apply() {
    assert_eq!(
        printed("without_messages"),
        [
            "alone ... ignored, no messages are given",
            "awake ... ignored, it does not wait for its input",
            "bounded ... ignored, no limit is set",
            "coalesce ... ignored, no messages are given",
            "end ... ignored, no messages are given",
            "fused ... ok",
            "interleaved ... ignored, it reads one stream",
            "linear ... ignored, no messages are given",
            "prompt ... ignored, no messages are given",
            "quiet ... ok",
            "round_trip ... ignored, no encoder is given",
            "split ... ok",
            "total ... ok",
        ]
    );
}

#[test]
fn a_law_that_is_left_out_is_ignored_with_its_reason() {
    assert_eq!(
        printed("left_out"),
        [
            "alone ... ignored, the messages depend on each other",
            "awake ... ignored, it does not wait for its input",
            "bounded ... ok",
            "coalesce ... ok",
            "end ... ignored, partial lines are events",
            "fused ... ignored, it goes on",
            "interleaved ... ignored, it reads one stream",
            "linear ... ok",
            "prompt ... ok",
            "quiet ... ok",
            "round_trip ... ignored, no encoder is given",
            "split ... ignored, no reason",
            "total ... ok",
        ]
    );
}

#[test]
fn an_async_reader_is_under_the_awake_law_by_its_name() {
    let lines = printed("waiting");
    for line in
        ["awake ... ok", "round_trip ... ok", "fused ... ignored, it does not promise to emit only its error after one"]
    {
        assert!(lines.iter().any(|other| other == line), "{lines:#?}");
    }
}

#[test]
#[should_panic(expected = "the bounded law was not tried: no limit is set")]
fn a_law_that_does_not_apply_fails_when_it_is_asserted() {
    Laws::new("lines", Machines(lines)).messages(["one\n"]).assert(Law::Bounded);
}

#[test]
#[should_panic(expected = "write `fuses: true`, so that the fused law is tried")]
fn a_key_that_differs_from_the_subject_fails() {
    Laws::new("lines", Machines(lines)).messages(["one\n"]).from_macro().assert(Law::Total);
}

#[test]
#[should_panic(expected = "write `rescans: false`, so that the linear law is tried")]
fn a_subject_that_does_not_rescan_cannot_be_excused() {
    Laws::new("lines", Machines(lines)).messages(["one\n"]).fuses(true).rescans(true).from_macro().assert(Law::Total);
}

#[test]
#[should_panic(expected = "the round_trip law was not tried: the encoder encodes none of the events")]
fn an_encoder_that_encodes_nothing_fails() {
    Laws::new("lines", Machines(lines)).messages(["one\n"]).encode(|_| None).cases(10).assert(Law::RoundTrip);
}

/// Emits nothing, so no law over it has a meaningful input.
struct Silent;

impl Subject for Silent {
    type Event = DebugText;
    type Error = Never;

    fn run(&self, run: &mut Run<'_, DebugText, Never>) {
        while run.next_chunk().is_some() {}
        run.emit(Output::End(End::Clean));
    }
}

#[test]
#[should_panic(expected = "the fused law was not tried: the definition yields no input for it")]
fn a_law_without_an_input_fails() {
    Laws::new("silent", Silent).fuses(true).cases(0).assert(Law::Fused);
}

#[test]
#[should_panic(expected = "the linear law was not tried: it starts each message again for every chunk")]
fn a_kind_that_is_known_only_at_run_time_fails() {
    struct Rescans<S>(S);
    impl<S: Subject> Subject for Rescans<S> {
        type Event = S::Event;
        type Error = S::Error;
        fn run(&self, run: &mut Run<'_, S::Event, S::Error>) {
            self.0.run(run);
        }
        fn rescans(&self) -> bool {
            true
        }
    }
    let pieces = Pushing::returning(|| (), |(), chunk| Ok::<_, Never>(Some(chunk.to_vec())));
    Laws::new("pieces", Rescans(pieces)).messages(["one\n"]).assert(Law::Linear);
}
