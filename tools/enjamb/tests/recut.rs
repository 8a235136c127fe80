//! `enjamb replay --recut` and transcripts as input, with the built-in protocols and with a bad one of somebody's own. With arguments, this
//! program is `enjamb` with that protocol.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use enjamb::transcript::Collector;
use enjamb::{Ending, Message, Outcome, Session, Side, Span};
use enjamb_protocols::{Protocol, Registry};
use serde_json::Value;

/// Lines by somebody who looks for `\r\n` in each chunk for itself: a line whose end is cut in two is glued to the next one.
#[derive(Default)]
struct Hasty {
    pending: [Vec<u8>; 2],
    offsets: [u64; 2],
}

impl Hasty {
    fn say(&mut self, side: Side, (outcome, reason): (Outcome, Option<&str>), out: &mut dyn FnMut(&Message<'_>)) {
        let line = std::mem::take(&mut self.pending[side.index()]);
        let span = Span { offset: self.offsets[side.index()], length: line.len() as u64 };
        self.offsets[side.index()] = span.end();
        let summary = line.escape_ascii();
        let (protocol, kind) = ("hasty", "line");
        out(&Message { protocol, side, kind, span, outcome, code: None, reason, answers: None, summary: &summary });
    }
}

impl Session for Hasty {
    fn protocol(&self) -> &str {
        "hasty"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let mut rest = chunk;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let (line, tail) = rest.split_at(at + 2);
            self.pending[side.index()].extend(line);
            rest = tail;
            self.say(side, (Outcome::Ok, None), out);
        }
        self.pending[side.index()].extend(rest);
    }

    fn gap(&mut self, side: Side, missing: u64, _: &mut dyn FnMut(&Message<'_>)) {
        self.offsets[side.index()] += missing;
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        if !self.pending[side.index()].is_empty() {
            self.say(side, (Outcome::Incomplete, Some(ending.reason())), out);
        }
    }

    fn held(&self) -> usize {
        self.pending.iter().map(Vec::len).sum()
    }
}

/// Panics when a chunk is a single line feed.
struct Brittle(Hasty);

impl Session for Brittle {
    fn protocol(&self) -> &str {
        "brittle"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        assert!(chunk != b"\n", "a chunk of nothing but a line feed");
        self.0.pending[side.index()].extend(chunk);
        let _ = out;
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.0.gap(side, missing, out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.0.close(side, ending, out);
    }

    fn held(&self) -> usize {
        self.0.held()
    }
}

fn main() -> ExitCode {
    let tests: [(&str, fn()); 9] = [
        ("a_transcript_replays_like_its_capture", a_transcript_replays_like_its_capture),
        ("a_transcript_that_is_wrong_is_told_with_its_place", a_transcript_that_is_wrong_is_told_with_its_place),
        ("built_in_protocols_say_the_same_under_all_cuts", built_in_protocols_say_the_same_under_all_cuts),
        ("every_kind_of_cuts_that_can_finds_the_planted_fault", every_kind_of_cuts_that_can_finds_the_planted_fault),
        ("a_difference_is_shown_as_the_law_shows_it", a_difference_is_shown_as_the_law_shows_it),
        ("a_panic_under_another_cut_is_a_difference", a_panic_under_another_cut_is_a_difference),
        ("a_long_conversation_gives_a_small_difference", a_long_conversation_gives_a_small_difference),
        ("what_is_not_tried_is_told", what_is_not_tried_is_told),
        ("cuts_that_do_not_exist_are_refused", cuts_that_do_not_exist_are_refused),
    ];
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "replay") {
        let hasty = Protocol::new("hasty", || Box::new(Hasty::default()));
        let brittle = Protocol::new("brittle", || Box::new(Brittle(Hasty::default())));
        return enjamb_cli::main(&Registry::builtin().with(hasty).with(brittle));
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// `enjamb replay`, with the bad protocols.
fn replay(arguments: &[&str]) -> Ran {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).arg("replay").args(arguments).current_dir(root()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn records(arguments: &[&str]) -> (i32, Vec<Value>) {
    let ran = replay(&[&["--format", "jsonl"], arguments].concat());
    (ran.code, ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Writes transcripts into a folder, and names it.
fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().to_str().unwrap().to_owned();
    (folder, path)
}

fn a_transcript_replays_like_its_capture() {
    let mut compared = 0;
    for (capture, protocol) in [
        ("corpora/redis/transactions.pcap", "redis"),
        ("corpora/http1/pipelined.pcap", "http1"),
        ("corpora/redis/truncated.pcap", "redis"),
    ] {
        let mut collector = Collector::default();
        let report = enjamb_capture::open(root().join(capture), &mut collector, &enjamb_capture::Options::default());
        assert!(report.fault.is_none());
        let texts = collector.finish().map(|(_, transcript)| {
            let protocol = Some(protocol.to_owned());
            enjamb::Transcript { protocol, ..transcript }.to_string()
        });
        let texts: Vec<String> = texts.collect();
        let names: Vec<_> = (0..texts.len()).map(|at| format!("{at:03}.txt")).collect();
        let files: Vec<_> = names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let (_kept, path) = folder(&files);
        let (_, of_capture) = records(&[capture]);
        let (code, of_texts) = records(&[&path]);
        assert_eq!(code, 0);
        let messages = |records: &[Value]| {
            let mut messages: Vec<Value> =
                records.iter().filter(|record| record["type"] == "message").cloned().collect();
            for message in &mut messages {
                let fields = message.as_object_mut().unwrap();
                fields.remove("client");
                fields.remove("server");
            }
            // Connections of a capture interleave.
            messages.sort_by_key(|message| message["conn"].as_u64());
            messages
        };
        assert_eq!(messages(&of_capture), messages(&of_texts), "{capture}");
        assert_eq!(of_texts.last().unwrap()["capture"]["transcripts"], texts.len());
        compared += messages(&of_texts).len();
    }
    assert!(compared > 20, "{compared} messages");

    let (_kept, path) =
        folder(&[("a.txt", "enjamb transcript 1\nprotocol client=lines server=u8\n@0 client\n  \"a\\n\"\n")]);
    let ran = replay(&[&path]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("client=lines server=u8") && ran.out.contains("\n1 transcript\n"), "{}", ran.out);
    let asked = replay(&["--protocol", "fixed:1", &path]);
    assert!(asked.out.contains("@1+1"), "what is asked for is what counts: {}", asked.out);
}

fn a_transcript_that_is_wrong_is_told_with_its_place() {
    for (text, place) in [
        ("enjamb transcript 1\n@0 client\n  \"a\\q\"\n", "a.txt: line 3, column 5: an escape is one of"),
        ("enjamb transcript 7\n", "a.txt: line 1, column 19: the first line is"),
        (
            "enjamb transcript 1\nprotocol nobody\n",
            "a.txt: the protocol that it names is not known; --protocol says another",
        ),
    ] {
        let (_kept, path) = folder(&[("a.txt", text)]);
        let ran = replay(&[&path]);
        assert_eq!(ran.code, 3, "{text}");
        assert!(ran.err.contains(place), "{}", ran.err);
    }
    let (_kept, path) =
        folder(&[("a.txt", "enjamb transcript 1\n@0 client closed\n@1 client\n  \"x\"\n"), ("b.txt", "no")]);
    let ran = replay(&[&path]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.err.contains("a.txt: line 3 is passed over") && ran.err.contains("1 file in directories"),
        "{}",
        ran.err
    );
}

fn built_in_protocols_say_the_same_under_all_cuts() {
    let captures = ["corpora/redis/inline-commands.pcap", "corpora/http1/expect-continue.pcap"];
    for cuts in ["every-byte", "coalesce", "one-cut", "all-two-cuts", "random:5"] {
        for protocol in ["auto", "client=lines server=u8"] {
            let (code, said) = records(&[&["--recut", cuts, "--protocol", protocol], &captures[..]].concat());
            let [recut] = &said[..] else { panic!("{said:?}") };
            assert_eq!(
                (code, &recut["type"], &recut["differing"], &recut["short"]),
                (0, &"recut".into(), &0.into(), &Value::Array(vec![]))
            );
            let connections = recut["connections"].as_u64().unwrap();
            let tried = connections - recut["copies"].as_u64().unwrap();
            assert!(connections >= 5 && recut["messages"].as_u64().unwrap() > 5, "{recut}");
            assert!(recut["segmentations"].as_u64().unwrap() >= tried, "{recut}");
        }
    }
}

fn every_kind_of_cuts_that_can_finds_the_planted_fault() {
    let whole = "enjamb transcript 1\n@0 client\n  \"one\\r\\ntwo\\r\\n\"\n@1 server\n  \"three\\r\\n\"\n";
    let cut = "enjamb transcript 1\n@0 client\n  \"one\\r\"\n@1 client\n  \"\\ntwo\\r\\n\"\n";
    for (text, cuts, found) in [
        (whole, "coalesce", false),
        (whole, "every-byte", true),
        (whole, "one-cut", true),
        (whole, "all-two-cuts", true),
        (whole, "random:1", true),
        (cut, "coalesce", true),
        ("enjamb transcript 1\n@0 client\n  \"one\"\n@1 server\n  \"\\r\\n\"\n", "coalesce", false),
    ] {
        let (_kept, path) = folder(&[("a.txt", text)]);
        let ran = replay(&["--protocol", "hasty", "--recut", cuts, &path]);
        assert_eq!(ran.code, i32::from(found), "{cuts} of {text}: {}{}", ran.out, ran.err);
    }
}

fn a_difference_is_shown_as_the_law_shows_it() {
    let arguments = ["--protocol", "hasty", "--recut", "every-byte", "corpora/redis/errors.pcap"];
    let ran = replay(&arguments);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for part in [
        "#1 127.0.0.1:",
        " hasty: the split law is broken: 2 bytes, 1 cut (before byte 1)\n",
        "server: \"\\r|\\n\"",
        "> server line at 0+2 ok: \\\\r\\\\n | server line at 0+2 incomplete (the capture ends inside it): \\\\r\\\\n\n",
        "todo!(\"a session of hasty\")",
        "#[test]",
        "\nrecut every-byte: 6 connections, 6 say something else when they are cut in another way\n",
        "\nthe same on #2, #3, #4, #5, #6\n",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let (code, said) = records(&arguments);
    let [difference, recut] = &said[..] else { panic!("{said:?}") };
    assert_eq!(
        (code, &difference["bytes"], &difference["cuts"][0], &recut["differing"]),
        (1, &2.into(), &1.into(), &6.into())
    );

    // What it is shown with is a transcript, and shows it again.
    let (_kept, path) = folder(&[("a.txt", difference["transcript"].as_str().unwrap())]);
    assert_eq!(replay(&["--recut", "coalesce", &path]).code, 1);
}

fn a_panic_under_another_cut_is_a_difference() {
    let ran = replay(&["--protocol", "brittle", "--recut", "every-byte", "corpora/redis/errors.pcap"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("a chunk of nothing but a line feed"), "{}", ran.out);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

fn a_long_conversation_gives_a_small_difference() {
    let line = "x".repeat(78);
    let turns = (0..4000).map(|at| format!("@{at} client\n  \"{line}\\r\\n\"\n@{at} server\n  \"ok {at}\\r\\n\"\n"));
    let text = format!("enjamb transcript 1\n{}", turns.collect::<String>());
    let (_kept, path) = folder(&[("a.txt", &text)]);
    let (code, said) = records(&["--protocol", "hasty", "--recut", "every-byte", &path]);
    assert_eq!((code, &said[0]["bytes"], &said[1]["short"]), (1, &2.into(), &Value::Array(vec![])));
}

fn what_is_not_tried_is_told() {
    let arguments = ["--recut", "one-cut", "--recut-max", "100", "corpora/redis/errors.pcap"];
    let ran = replay(&arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains(
            "not tried: 792 bytes behind the first 100 of a conversation, on #1, #4, #6; --recut-max takes more"
        ),
        "{}",
        ran.out
    );
    let (_, said) = records(&arguments);
    let short = said[0]["short"].as_array().unwrap();
    assert_eq!(short.iter().map(|short| short["bytes_not_tried"].as_u64().unwrap()).sum::<u64>(), 792);
    assert_eq!(said[0]["bytes"], 540);
}

fn cuts_that_do_not_exist_are_refused() {
    for (arguments, what) in [
        (&["--recut", "thrice"][..], "expected every-byte, coalesce, one-cut, all-two-cuts or random:SEED"),
        (&["--recut", "random:x"], "the seed is a number"),
        (&["--recut-max", "1k"], "--recut"),
    ] {
        let ran = replay(&[arguments, &["corpora/redis/errors.pcap"]].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(what), "{}", ran.err);
    }
}
