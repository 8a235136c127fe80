//! `enjamb replay` as a user runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn enjamb(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_enjamb")).args(arguments).current_dir(root()).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn records(arguments: &[&str]) -> Vec<Value> {
    let ran = enjamb(&[&["replay", "--format", "jsonl"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn of_type<'a>(records: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    records.iter().filter(move |record| record["type"] == name)
}

#[test]
fn a_capture_gives_its_messages_and_a_summary() {
    let records = records(&["corpora/redis/errors.pcap"]);
    let failed: Vec<_> = of_type(&records, "message").filter(|message| message["outcome"] == "failed").collect();
    assert!(failed.iter().any(|message| message["code"] == "WRONGTYPE"));
    for message in of_type(&records, "message") {
        for field in ["time", "client", "server", "protocol", "side", "kind", "outcome", "summary"] {
            assert!(message[field].is_string(), "{field} of {message}");
        }
        for field in ["conn", "offset", "length", "cuts"] {
            assert!(message[field].is_u64(), "{field} of {message}");
        }
        assert!(message.as_object().unwrap().values().all(|value| !value.is_null()), "{message}");
        let time = message["time"].as_str().unwrap();
        assert!(time.len() == 30 && time.ends_with('Z'), "{time}");
        if message["side"] == "server" {
            assert!(message["latency_us"].is_u64(), "every answer of a whole conversation has a latency: {message}");
        }
    }
    let summary = records.last().unwrap();
    assert_eq!(summary["type"], "summary");
    let failures =
        summary["errors"].as_array().unwrap().iter().map(|error| error["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(failures, failed.len() as u64);
    assert_eq!(summary["client"]["messages"], summary["server"]["messages"]);
}

#[test]
fn the_messages_of_a_side_tile_its_stream() {
    for folder in ["corpora/redis", "corpora/http1"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let records = records(&[path.to_str().unwrap()]);
            let mut ends = std::collections::HashMap::new();
            for message in of_type(&records, "message") {
                let side = (message["conn"].as_u64().unwrap(), message["side"].as_str().unwrap());
                let end = ends.entry(side).or_insert(0);
                assert_eq!(message["offset"].as_u64().unwrap(), *end, "{}: {message}", path.display());
                *end += message["length"].as_u64().unwrap();
            }
            for ended in of_type(&records, "connection").filter(|record| record["event"] == "end") {
                for side in ["client", "server"] {
                    let bytes = ended[format!("{side}_bytes")].as_u64().unwrap();
                    let told = ends.get(&(ended["conn"].as_u64().unwrap(), side)).copied().unwrap_or_default();
                    assert_eq!(told, bytes, "{}: {side} of {ended}", path.display());
                }
            }
        }
    }
}

#[test]
fn several_captures_number_their_connections_on() {
    let one = records(&["corpora/redis/errors.pcap"]);
    let both = records(&["corpora/redis/errors.pcap", "corpora/http1/chunked.pcap"]);
    let highest = |records: &[Value]| records.iter().filter_map(|record| record["conn"].as_u64()).max().unwrap();
    assert!(highest(&both) > highest(&one));
    let protocols: std::collections::BTreeSet<_> =
        of_type(&both, "message").map(|message| message["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols.into_iter().collect::<Vec<_>>(), ["http1", "redis"]);
    assert_eq!(both.last().unwrap()["capture"]["captures"], 2);
}

#[test]
fn a_framing_spec_replays_any_capture() {
    let records = records(&["--protocol", "client=lines server=delimiter:0d0a", "corpora/redis/inline-commands.pcap"]);
    assert!(of_type(&records, "message").any(|message| message["kind"] == "line"));
    assert!(of_type(&records, "message").any(|message| message["kind"] == "frame"));
}

#[test]
fn text_has_no_control_characters() {
    let ran = enjamb(&["replay", "corpora/redis/binary-values.pcap"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.chars().all(|c| c == '\n' || !c.is_control()), "{}", ran.out.escape_debug());
    assert!(ran.out.contains("messages on"));
}

#[test]
fn text_is_in_the_order_of_time_and_ends_in_two_lines_of_totals() {
    const TIME: usize = "00:00:00.000000".len();
    // `auto` and streams without a first packet delay messages.
    for jobs in ["1", "3"] {
        let ran = enjamb(&["replay", "-j", jobs, "corpora/redis", "corpora/http1/errors.pcap"]);
        let (records, totals) = ran.out.split_once("\n\n").unwrap();
        assert_eq!(totals.lines().count(), 2, "{totals}");
        assert!(totals.contains(" messages on ") && totals.contains("--summary"), "{totals}");
        let lines: Vec<_> = records.lines().filter(|line| !line.starts_with("      ")).collect();
        assert!(lines[0].starts_with("--- 20") && lines[0].ends_with(" UTC"), "{}", lines[0]);
        // Captures are not mixed: each begins with a connection that is opened.
        let out_of_order =
            lines.windows(2).filter(|pair| !pair[1].starts_with("---") && pair[1][..TIME] < pair[0][..TIME]);
        let out_of_order: Vec<_> = out_of_order.filter(|pair| !pair[1].ends_with(" opened")).collect();
        assert!(out_of_order.iter().all(|pair| pair[0].starts_with("---")), "{out_of_order:?}");
    }
}

#[test]
fn count_stops_after_that_many_messages() {
    let ran = enjamb(&["replay", "-c", "3", "--side", "server", "corpora/redis/errors.pcap"]);
    assert_eq!(ran.out.lines().filter(|line| line.contains(" server <- ")).count(), 3, "{}", ran.out);
    assert!(ran.out.contains("3 messages on") && ran.out.contains("--count 3"), "{}", ran.out);
    let ran = enjamb(&["replay", "-c", "5", "--format", "jsonl", "corpora/redis", "corpora/http1"]);
    assert_eq!(ran.out.matches("\"type\":\"message\"").count(), 5, "{}", ran.out);
}

#[test]
fn a_slip_in_the_name_of_a_protocol_is_answered_with_the_name() {
    for (slip, name) in [
        ("redsi", "redis"),
        ("rdis", "redis"),
        ("Redis", "redis"),
        ("htpp", "http"),
        ("auot", "auto"),
        ("line", "lines"),
        ("netstrings", "netstring"),
    ] {
        let ran = enjamb(&["replay", "--protocol", slip, "corpora/redis/errors.pcap"]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(&format!("did you mean {name}?")), "{slip}: {}", ran.err);
    }
    for other in ["gopher", "x", "u32b", "fixed:0"] {
        let ran = enjamb(&["replay", "--protocol", other, "corpora/redis/errors.pcap"]);
        assert!(ran.code == 2 && !ran.err.contains("did you mean"), "{other}: {}", ran.err);
    }
}

#[test]
fn secrets_are_shown_only_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.txt");
    let text = "enjamb transcript 1\nprotocol redis\n@0 client\n  \"PING\\r\\n*2\\r\\n$4\\r\\nAUTH\\r\\n$7\\r\\nhun\"\n@1 client\n  \"ter2\\r\\n\"\n\
        @2 server\n  \"+PONG\\r\\n+OK\\r\\n\"\n";
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for format in ["text", "jsonl", "csv"] {
        for (form, secret) in [("payload", "hunter2".to_owned()), ("hex", hex("hunter2"))] {
            let plain = |text: &str| text.replace(' ', "").contains(&secret);
            let arguments = ["replay", "--format", format, "--show", form, path];
            let hidden = enjamb(&arguments);
            assert!(hidden.code == 0 && !plain(&hidden.out), "{format} {form}: {}", hidden.out);
            assert!(hidden.out.contains("PING"), "{}", hidden.out);
            let shown = enjamb(&[&arguments[..], &["--secrets"]].concat());
            // In text, a row has the digits of sixteen bytes.
            assert!(plain(&shown.out) || (format, form) == ("text", "hex"), "{format} {form}: {}", shown.out);
        }
    }
    let extract = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let ran = enjamb(&[&["corpus", "extract", "--all", "--out", out.to_str().unwrap(), path], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let files = std::fs::read_dir(&out).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        files.collect::<String>()
    };
    let hidden = extract("hidden", &[]);
    assert!(hidden.contains("AUTH") && !hidden.contains("hun") && !hidden.contains("ter2"), "{hidden}");
    let shown = extract("shown", &["--secrets"]);
    assert!(shown.contains("hun") && shown.contains("ter2"), "{shown}");
}

#[test]
fn an_error_in_a_spec_is_shown_with_its_place() {
    let ran = enjamb(&["replay", "--protocol", "client=lines server=u16", "corpora/redis/errors.pcap"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("\n  client=lines server=u16\n                      ^"), "{}", ran.err);
    assert!(ran.err.contains("redis"), "it lists what there is: {}", ran.err);
}

#[test]
fn an_unreadable_capture_is_named_and_the_others_are_replayed() {
    let ran = enjamb(&["replay", "--summary", "nowhere.pcap", "corpora/redis/errors.pcap"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("nowhere.pcap"), "{}", ran.err);
    assert!(ran.out.contains("1 capture"));

    let ran = enjamb(&["replay", "nowhere.pcap"]);
    assert_eq!(ran.code, 3);
    let ran = enjamb(&["replay", "README.md"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("README.md"), "{}", ran.err);
}

#[test]
fn a_truncated_capture_is_replayed_up_to_the_damage() {
    let whole = std::fs::read(root().join("corpora/redis/errors.pcap")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pcap");
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let ran = enjamb(&["replay", "--summary", path.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("byte"), "{}", ran.err);
    assert!(ran.out.contains("1 capture (1 damaged)"), "{}", ran.out);
}

#[test]
fn strict_fails_on_malformed_messages() {
    let malformed = enjamb(&["replay", "--summary", "--strict", "corpora/redis/protocol-errors.pcap"]);
    assert_eq!(malformed.code, 1, "{}", malformed.out);
    let sound = enjamb(&["replay", "--summary", "--strict", "corpora/redis/errors.pcap"]);
    assert_eq!(sound.code, 0, "{}", sound.out);
}

/// The commands in the README and the guide that read captures of this project run as they are
/// written there, in a shell.
#[test]
fn the_commands_in_the_guide_run() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("corpora").canonicalize().unwrap(), folder.path().join("corpora")).unwrap();
    for name in ["target", "tests"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_enjamb")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut commands = 0;
    for file in ["README.md", "docs/quick-start.md", "docs/replay.md", "docs/corpus.md"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for line in text.lines() {
            let command = line.replacen("cargo run --release -- ", "enjamb ", 1);
            let reads_captures = ["enjamb replay ", "enjamb corpus "].iter().any(|start| command.starts_with(start))
                && (command.contains("corpora") || command.contains("seeds"));
            if !reads_captures || command.contains("--against") || command.contains("--serve") {
                continue;
            }
            let output = Command::new("sh")
                .args(["-c", &command])
                .current_dir(folder.path())
                .env("PATH", &path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{file}: {line}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty() || command.contains('>'), "{file}: {line}");
            commands += 1;
        }
    }
    assert!(commands >= 15, "{commands} commands");
}

#[test]
fn empty_directories_and_unknown_link_types_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "nothing to replay").unwrap();
    let ran = enjamb(&["replay", "--summary", folder.path().to_str().unwrap()]);
    assert_eq!((ran.code, &ran.out[..]), (3, ""));
    assert!(ran.err.contains("neither a capture nor a transcript in this directory"), "{}", ran.err);

    let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 147].map(u32::to_le_bytes).concat();
    let packet = [1_u32, 2, 4, 4, 0].map(u32::to_le_bytes).concat();
    let path = folder.path().join("unknown.pcap");
    std::fs::write(&path, [header, packet].concat()).unwrap();
    let ran = enjamb(&["replay", "--summary", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told =
        ["1 packet without TCP, or not understood: 1 unknown link type", "packets of link type 147 are not read"];
    assert!(told.iter().all(|line| ran.out.contains(line)), "{}", ran.out);
    let ran = enjamb(&["replay", "--summary", "--format", "json", path.to_str().unwrap()]);
    let capture = &serde_json::from_str::<Value>(&ran.out).unwrap()["capture"];
    assert_eq!(
        (&capture["unknown_links"][0], &capture["ignored_because"]["unknown link type"]),
        (&147.into(), &1.into())
    );
}
