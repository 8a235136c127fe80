//! `enjamb replay --recut` and transcripts as input, with the built-in protocols and with bad ones
//! of this test. With `replay` or `corpus` as its first argument this program is `enjamb` with
//! those protocols.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use enjamb::transcript::Collector;
use enjamb::{Ending, Message, Outcome, Session, Side, Span};
use enjamb_cli::Program;
use enjamb_protocols::Protocol;
use libtest_mimic::Trial;
use serde_json::Value;

/// Lines of a parser that searches for `\r\n` in each chunk separately: a line whose end is cut in
/// two is glued to the next one.
#[derive(Default)]
struct Hasty {
    pending: [Vec<u8>; 2],
    offsets: [u64; 2],
    /// The protocol of its messages, if that is another one.
    of: Option<&'static str>,
}

impl Hasty {
    fn say(&mut self, side: Side, (outcome, reason): (Outcome, Option<&str>), out: &mut dyn FnMut(&Message<'_>)) {
        let line = std::mem::take(&mut self.pending[side.index()]);
        let span = Span { offset: self.offsets[side.index()], length: line.len() as u64 };
        self.offsets[side.index()] = span.end();
        let summary = line.escape_ascii();
        let (protocol, kind) = (self.of.unwrap_or("hasty"), "line");
        out(&Message { outcome, reason, summary: &summary, ..Message::new(protocol, side, kind, span) });
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

/// The methods of a session over a [`Hasty`] that are the same as those of the latter.
macro_rules! ends_as_hasty {
    () => {
        fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
            self.0.gap(side, missing, out);
        }

        fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
            self.0.close(side, ending, out);
        }

        fn held(&self) -> usize {
            self.0.held()
        }
    };
}

/// Lines of HTTP, of which one with a token without `a` in its target is incomplete if it comes in
/// several chunks.
#[derive(Default)]
struct Forgetful(Hasty);

impl Session for Forgetful {
    fn protocol(&self) -> &str {
        "forgetful"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        for byte in chunk {
            let line = &mut self.0.pending[side.index()];
            line.push(*byte);
            if line.ends_with(b"\n") {
                let has_token =
                    line.strip_prefix(b"GET /?token=").is_some_and(|rest| rest.len() > 4 && !rest.contains(&b'a'));
                let outcome = if has_token && line.len() > chunk.len() { Outcome::Incomplete } else { Outcome::Ok };
                self.0.say(side, (outcome, None), out);
            }
        }
    }

    ends_as_hasty!();
}

/// A session that panics when a chunk is a single line feed.
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

    ends_as_hasty!();
}

/// A session that does not return from a line `loop`, panics at a line `panic`, and never ends its
/// answer to a chunk that is an `e`. A line `deep` overflows its stack.
struct Endless(Hasty);

/// Never returns. It sleeps, so that others can work.
fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

/// Overflows the stack, however deep it is.
fn deeper(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { deeper(depth + 1) + frame[7] }
}

impl Session for Endless {
    fn protocol(&self) -> &str {
        "endless"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.0.pending[side.index()].extend(chunk);
        if chunk == b"e" {
            loop {
                self.0.say(side, (Outcome::Ok, None), out);
            }
        }
        while self.0.pending[side.index()].contains(&b'\n') {
            match &self.0.pending[side.index()][..] {
                [.., b'l', b'o', b'o', b'p', b'\n'] => hang(),
                [.., b'd', b'e', b'e', b'p', b'\n'] => assert_ne!(deeper(0), 1),
                [.., b'p', b'a', b'n', b'i', b'c', b'\n'] => panic!("a line that says so"),
                _ => self.0.say(side, (Outcome::Ok, None), out),
            }
        }
    }

    ends_as_hasty!();
}

fn main() -> ExitCode {
    let tests: [(&str, fn()); 18] = [
        (
            "a_panic_costs_its_own_connection_on_any_number_of_threads",
            a_panic_costs_its_own_connection_on_any_number_of_threads,
        ),
        ("a_transcript_replays_like_its_capture", a_transcript_replays_like_its_capture),
        ("an_error_in_a_transcript_is_reported_with_its_place", an_error_in_a_transcript_is_reported_with_its_place),
        (
            "built_in_protocols_emit_the_same_messages_under_all_cuts",
            built_in_protocols_emit_the_same_messages_under_all_cuts,
        ),
        (
            "every_family_of_cuts_finds_the_planted_bug_it_can_find",
            every_family_of_cuts_finds_the_planted_bug_it_can_find,
        ),
        ("a_difference_is_written_like_a_violation", a_difference_is_written_like_a_violation),
        ("a_difference_shows_no_secrets", a_difference_shows_no_secrets),
        ("a_panic_under_another_cut_is_a_difference", a_panic_under_another_cut_is_a_difference),
        ("a_long_conversation_gives_a_small_difference", a_long_conversation_gives_a_small_difference),
        ("bytes_that_are_not_tried_are_reported", bytes_that_are_not_tried_are_reported),
        ("a_long_conversation_is_tried_under_weaker_cuts", a_long_conversation_is_tried_under_weaker_cuts),
        ("a_session_that_fails_costs_its_own_conversation", a_session_that_fails_costs_its_own_conversation),
        (
            "a_session_that_ends_the_process_costs_its_own_conversation",
            a_session_that_ends_the_process_costs_its_own_conversation,
        ),
        ("a_hang_is_shown_with_the_last_turns", a_hang_is_shown_with_the_last_turns),
        ("nothing_more_is_tried_after_three_hangs", nothing_more_is_tried_after_three_hangs),
        ("extract_names_sessions_that_fail", extract_names_sessions_that_fail),
        ("conn_limits_the_connections_that_are_tried", conn_limits_the_connections_that_are_tried),
        ("unknown_cuts_are_refused", unknown_cuts_are_refused),
    ];
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "replay" || first == "corpus") {
        let hasty = Protocol::new("hasty", || Box::new(Hasty::default()));
        let brittle = Protocol::new("brittle", || Box::new(Brittle(Hasty::default())));
        let endless = Protocol::new("endless", || Box::new(Endless(Hasty { of: Some("endless"), ..Hasty::default() })));
        let forgetful =
            Protocol::new("forgetful", || Box::new(Forgetful(Hasty { of: Some("http1"), ..Hasty::default() })));
        let stillborn = Protocol::new("stillborn", || panic!("no session can be opened"));
        return Program::new("bad-protocols", "1.2.3")
            .register(hasty)
            .register(brittle)
            .register(endless)
            .register(forgetful)
            .register(stillborn)
            .run();
    }
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    requirements::run(trials.collect())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs `enjamb replay`, with the bad protocols.
fn replay(arguments: &[&str]) -> Ran {
    enjamb(&[&["replay"], arguments].concat())
}

/// Runs `enjamb`, with the bad protocols.
fn enjamb(arguments: &[&str]) -> Ran {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).args(arguments).current_dir(root()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn records(arguments: &[&str]) -> (i32, Vec<Value>) {
    let ran = replay(&[&["--format", "jsonl"], arguments].concat());
    (ran.code, ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Writes transcripts into a folder, and returns its path.
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
        assert!(report.error.is_none());
        let texts = collector.finish().map(|(_, transcript)| {
            let protocol = Some(protocol.to_owned());
            enjamb::Transcript { protocol, ..transcript }.to_string()
        });
        let texts: Vec<String> = texts.collect();
        let names: Vec<_> = (0..texts.len()).map(|at| format!("{at:03}.txt")).collect();
        let files: Vec<_> = names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let (_kept, path) = folder(&files);
        let (_, of_capture) = records(&["--protocol", protocol, capture]);
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

fn an_error_in_a_transcript_is_reported_with_its_place() {
    for (text, place) in [
        ("enjamb transcript 1\n@0 client\n  \"a\\q\"\n", "a.txt: line 3, column 5: an escape is one of"),
        ("enjamb transcript 7\n", "a.txt: line 1, column 19: the first line is"),
        (
            "enjamb transcript 1\nprotocol nobody\n",
            "a.txt: the protocol that the transcript names is not known; choose another one with --protocol",
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

fn built_in_protocols_emit_the_same_messages_under_all_cuts() {
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

fn every_family_of_cuts_finds_the_planted_bug_it_can_find() {
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

fn a_difference_is_written_like_a_violation() {
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
        "\nrecut every-byte: 6 connections, 6 emit other messages under other cuts\n",
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

    // The difference is reported with a transcript, and the transcript shows it again.
    let (_kept, path) = folder(&[("a.txt", difference["transcript"].as_str().unwrap())]);
    assert_eq!(replay(&["--recut", "coalesce", &path]).code, 1);
}

fn a_difference_shows_no_secrets() {
    let text = "enjamb transcript 1\nprotocol forgetful\n@0 client\n  \"GET /?token=hunter2 HTTP/1.1\\r\\n\"\n";
    let (_kept, path) = folder(&[("a.txt", text)]);
    for format in ["text", "jsonl"] {
        let arguments = ["--recut", "every-byte", "--format", format, &path];
        let ran = replay(&arguments);
        assert!(ran.code == 1 && ran.out.contains("?token=***"), "{}{}", ran.out, ran.err);
        let ran = replay(&[&arguments[..], &["--secrets"]].concat());
        assert!(ran.code == 1 && !ran.out.contains("token=*"), "{}{}", ran.out, ran.err);
    }
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

fn bytes_that_are_not_tried_are_reported() {
    let arguments = ["--recut", "every-byte", "--recut-max", "100", "corpora/redis/errors.pcap"];
    let ran = replay(&arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains(
            "not tried: 792 bytes after the first 100 of a conversation, on #1, #4, #6; --recut-max takes more"
        ),
        "{}",
        ran.out
    );
    let (_, said) = records(&arguments);
    let short = said[0]["short"].as_array().unwrap();
    assert_eq!(short.iter().map(|short| short["bytes_not_tried"].as_u64().unwrap()).sum::<u64>(), 792);
    assert_eq!(said[0]["bytes"], 540);
}

fn a_long_conversation_is_tried_under_weaker_cuts() {
    // The failure needs cuts on both sides of the line feed, which is behind the first 2 KiB.
    let pings = "@0 client\n  \"x\\n\"\n@0 server\n  \"y\\n\"\n".repeat(600);
    let brittle = format!("enjamb transcript 1\nprotocol brittle\n@0 client\n  \"{}ab\\ncd\"\n", "x".repeat(2100));
    let fine = format!("enjamb transcript 1\nprotocol client=lines server=lines\n{pings}");
    let (_kept, path) = folder(&[("a.txt", &fine), ("b.txt", &brittle)]);
    let (code, said) = records(&["--recut", "all-two-cuts", &path]);
    let [difference, recut] = &said[..] else { panic!("{said:?}") };
    // A line feed and a byte before it: whole, they are a line.
    assert_eq!((code, &difference["bytes"], &difference["conn"]), (1, &2.into(), &2.into()), "every byte finds it");
    let [weaker] = &recut["weaker"].as_array().unwrap()[..] else { panic!("{recut}") };
    let under =
        |at: usize| (weaker["under"][at]["cuts"].as_str().unwrap(), weaker["under"][at]["bytes"].as_u64().unwrap());
    assert_eq!((&weaker["conn"], &weaker["bytes"], under(1)), (&1.into(), &2400.into(), ("one-cut", 2400)));
    assert!(under(0).0 == "all-two-cuts" && (300..1000).contains(&under(0).1), "1200 turns are work: {weaker}");
    let ran = replay(&["--recut", "all-two-cuts", "--conn", "1", &path]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let line = format!("    #1: all-two-cuts of the first {} bytes, one-cut of all 2400\n", under(0).1);
    assert!(ran.out.contains(&line), "{}", ran.out);
    let (code, said) = records(&["--recut", "all-two-cuts", "--recut-max", "3k", "--conn", "2", &path]);
    assert_eq!((code, &said[1]["weaker"]), (1, &Value::Array(vec![])), "as long as it is allowed");
    // The requested number of them.
    let (_, few) = records(&["--recut", "random:3,7", "--conn", "1", &path]);
    assert_eq!((&few[0]["segmentations"], &few[0]["cuts"]), (&8.into(), &"random:3,7".into()));
}

/// Returns three valid connections, and among them those of these lines.
fn among_others(lines: &[&str]) -> (tempfile::TempDir, String) {
    let transcript = |line: &str| format!("enjamb transcript 1\nprotocol endless\n@0 client\n  \"{line}\\n\"\n");
    let fine = ["one", "two", "three"].map(transcript);
    let bad: Vec<(String, String)> =
        lines.iter().enumerate().map(|(at, line)| (format!("b{at}.txt"), transcript(line))).collect();
    let mut files = vec![("a.txt", &fine[0][..]), ("y.txt", &fine[1]), ("z.txt", &fine[2])];
    files.extend(bad.iter().map(|(name, text)| (&name[..], &text[..])));
    folder(&files)
}

/// The same holds in plain replay.
fn a_panic_costs_its_own_connection_on_any_number_of_threads() {
    let transcript = |protocol: &str, chunks: &[&str]| {
        let chunks: String = chunks.iter().map(|chunk| format!("@0 client\n  \"{chunk}\"\n")).collect();
        format!("enjamb transcript 1\nprotocol {protocol}\n{chunks}")
    };
    let whole = transcript("hasty", &["one\\r\\n", "two\\r\\n"]);
    let broken = transcript("brittle", &["one", "\\n", "three"]);
    let unopened = transcript("stillborn", &["one"]);
    let files =
        [("a.txt", &*whole), ("b.txt", &*broken), ("c.txt", &*whole), ("d.txt", &*unopened), ("e.txt", &*whole)];
    let (_kept, path) = folder(&files);
    let alone = replay(&["--format", "jsonl", "-j", "1", &path]);
    let shared = replay(&["--format", "jsonl", "-j", "2", &path]);
    assert_eq!((alone.code, &alone.err[..]), (0, ""), "the panic is a record, and not a line on the terminal");
    assert_eq!((shared.code, &shared.err, &shared.out), (alone.code, &alone.err, &alone.out));

    let records: Vec<Value> = alone.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_type = |name: &str| records.iter().filter(|record| record["type"] == name).collect::<Vec<_>>();
    let errors: Vec<_> =
        of_type("error").iter().map(|error| (&error["conn"], error["reason"].as_str().unwrap())).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    for ((conn, reason), (number, message)) in
        errors.iter().zip([(2, "a chunk of nothing but a line feed"), (4, "no session can be opened")])
    {
        assert_eq!(**conn, number);
        assert!(reason.starts_with(&format!("its session panicked: {message}")), "{reason}");
        assert!(reason.ends_with("the rest of the connection is not parsed"), "{reason}");
    }
    let messages: Vec<_> = of_type("message")
        .iter()
        .map(|it| (it["conn"].as_u64().unwrap(), it["kind"].as_str().unwrap(), it["length"].as_u64().unwrap()))
        .collect();
    let line = |conn| (conn, "line", 5);
    let unparsed = [(2, "unparsed", 9), (4, "unparsed", 3)];
    assert_eq!(messages, [line(1), line(1), unparsed[0], line(3), line(3), unparsed[1], line(5), line(5)]);
    let ends: Vec<_> = of_type("connection")
        .iter()
        .filter(|it| it["event"] == "end")
        .map(|it| it["client_bytes"].as_u64().unwrap())
        .collect();
    assert_eq!(ends, [10, 9, 10, 3, 10]);
    let summary = records.last().unwrap();
    assert_eq!((&summary["connections"], &summary["open"], &summary["panicked"]), (&5.into(), &0.into(), &2.into()));

    assert_eq!(replay(&["--strict", "-j", "1", &path]).code, 1);
    assert_eq!(replay(&["--strict", "-j", "2", "--summary", &path]).code, 1);
}

fn a_session_that_fails_costs_its_own_conversation() {
    let (_kept, path) = among_others(&["a loop", "a panic"]);
    let arguments = ["--recut", "coalesce", "--hung-after", "0.5", &path];
    let ran = replay(&arguments);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for part in [
        "/b0.txt, endless: the total law is broken: 7 bytes, not cut\na call did not return within 0.5 s\n",
        "/b1.txt, endless: the split law is broken: 6 bytes, not cut\nthe session fails, however the stream is cut\n",
        "it panicked: a line that says so",
        "\nrecut coalesce: 5 connections, 1 fails under any cuts, 1 hangs\n  the others: 3 messages, the same under 3 segmentations\n",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert!(ran.err.is_empty(), "{}", ran.err);
    let (code, said) = records(&arguments);
    let whats: Vec<_> = said.iter().map(|record| record["what"].as_str().unwrap_or_default()).collect();
    assert_eq!((code, &whats[..]), (1, &["hangs", "fails", ""][..]));
    assert_eq!((&said[2]["differing"], &said[2]["hanging"], &said[2]["messages"]), (&2.into(), &1.into(), &3.into()));

    // An answer without end is stopped, to a piece that the whole stream does not have.
    let (_kept, path) = among_others(&["e", "once"]);
    let ran = replay(&["--recut", "every-byte", "--hung-after", "60", &path]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("it does not end: it was stopped after"), "{}", ran.out);
    let of_pieces = "4 emit other messages under other cuts";
    assert!(ran.out.contains(of_pieces), "all but one have an e: {}", ran.out);

    let (_kept, path) = folder(&[("a.txt", "enjamb transcript 1\nprotocol stillborn\n@0 client\n  \"a\"\n")]);
    let ran = replay(&["--recut", "coalesce", &path]);
    assert!(ran.code == 1 && ran.out.contains("it panicked: no session can be opened"), "{}{}", ran.out, ran.err);
}

fn a_session_that_ends_the_process_costs_its_own_conversation() {
    let (kept, path) = among_others(&["a deep", "a panic", "so deep"]);
    let ran = replay(&["--recut", "coalesce", &path]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for part in [
        "/b0.txt, endless: the total law is broken: 7 bytes, not cut\nit overflowed the stack\n",
        "/b2.txt, endless: the total law is broken: 8 bytes, not cut\nit overflowed the stack\n",
        "recut coalesce: 6 connections, 1 fails under any cuts, 2 end the process\n  the others: 3 messages",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert!(ran.err.contains("/b0.txt' ") && ran.err.contains("has overflowed its stack"), "{}", ran.err);

    let out = kept.path().join("out");
    let ran = enjamb(&["corpus", "extract", "--out", out.to_str().unwrap(), &path]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for part in
        ["1 file written", "3 conversations left out", "/b0.txt: it overflowed the stack", "/b2.txt: it overflowed"]
    {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }

    // After so many of them the others are not tried any more, and that is reported.
    let lines: Vec<String> = (0..12).map(|at| format!("{at} deep")).collect();
    let (kept, path) = among_others(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let ran = replay(&["--recut", "coalesce", &path]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("15 connections, 8 end the process\n") && ran.out.contains("  6 not tried"),
        "{}",
        ran.out
    );
    let out = kept.path().join("out");
    let ran = enjamb(&["corpus", "extract", "--out", out.to_str().unwrap(), &path]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("1 file written")
            && ran.out.contains("8 conversations left out")
            && ran.out.contains("6 conversations not tried"),
        "{}",
        ran.out
    );
}

fn a_hang_is_shown_with_the_last_turns() {
    let turns = "@0 client\n  \"ask\\n\"\n@0 server\n  \"tell\\n\"\n".repeat(3000);
    let text =
        format!("enjamb transcript 1\nprotocol endless\n{turns}@0 client\n  \"loop\\n\"\n@1 server\n  \"never\"\n");
    let (_kept, path) = folder(&[("a.txt", &text)]);
    let (code, said) = records(&["--recut", "every-byte", "--hung-after", "0.5", &path]);
    assert_eq!((code, &said[0]["bytes"], &said[0]["law"]), (1, &5.into(), &"total".into()), "{}", said[0]);
    let transcript = said[0]["transcript"].as_str().unwrap();
    assert!(transcript.ends_with("client\n  \"loop\\n\"\n"), "{transcript}");
}

fn nothing_more_is_tried_after_three_hangs() {
    let (_kept, path) = among_others(&["1 loop", "2 loop", "3 loop", "4 loop"]);
    let ran = replay(&["--recut", "coalesce", "--hung-after", "0.3", &path]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("7 connections, 3 hang\n"), "{}", ran.out);
    assert!(ran.out.contains("  3 not tried, because 3 sessions hang and keep the processor busy\n"), "{}", ran.out);
}

fn extract_names_sessions_that_fail() {
    let (kept, path) = among_others(&["a loop", "a panic"]);
    let out = kept.path().join("out");
    let ran = enjamb(&["corpus", "extract", "--hung-after", "1", "--out", out.to_str().unwrap(), &path]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for part in [
        "5 conversations, 3 pieces with messages of their own, 1 signature: 1 file written",
        "  2 conversations left out where the session failed; `bad-protocols replay --recut coalesce` shows the input:\n",
        "/b0.txt: its session did not return within 1s\n",
        "/b1.txt: its session panicked: a line that says so (",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert!(ran.err.is_empty(), "{}", ran.err);
    let panics = format!("{path}/b1.txt");
    let ran = enjamb(&["corpus", "to-test", "--session", "Box::new(Endless::default())", &panics]);
    assert!(
        ran.code == 0 && ran.out.contains("// Today the split law does not hold for this conversation."),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = enjamb(&["corpus", "show", &path]);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

fn conn_limits_the_connections_that_are_tried() {
    let (_kept, path) = among_others(&["a panic"]);
    for (numbers, code, connections) in [("1", 0, 1), ("1,3-4", 0, 3), ("2", 1, 1), ("9", 3, 0)] {
        let (came, said) = records(&["--recut", "coalesce", "--conn", numbers, &path]);
        assert_eq!((came, &said.last().unwrap()["connections"]), (code, &connections.into()), "{numbers}");
    }
    for options in [["--side", "client"], ["--filter", "conn == 1"], ["--format", "csv"]] {
        let ran = replay(&[&["--recut", "coalesce"], &options[..], &[&path]].concat());
        assert_eq!(ran.code, 2, "{options:?} is about records: {}", ran.out);
    }
}

fn unknown_cuts_are_refused() {
    for (arguments, what) in [
        (&["--recut", "thrice"][..], "expected every-byte, coalesce, one-cut, all-two-cuts or random:SEED[,COUNT]"),
        (&["--recut", "random:x"], "the seed is a number"),
        (&["--recut", "random:1,0"], "the count is a number"),
        (&["--recut-max", "1k"], "--recut"),
        (&["--recut", "coalesce", "--hung-after", "0"], "expected a duration from 10ms to 24h"),
    ] {
        let ran = replay(&[arguments, &["corpora/redis/errors.pcap"]].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(what), "{}", ran.err);
    }
}
