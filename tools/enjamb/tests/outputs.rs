//! The outputs of `enjamb replay`: the selection, the form and the destination.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Output, Stdio};

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::Recorder;
use requirements::trials;
use serde_json::Value;
use support::{enjamb, of_type, root};

trials! {
    always: [a_filter_writes_and_counts_what_it_selects, connections_and_sides_are_selected, an_error_in_a_filter_is_shown_with_its_place, filters_reach_inside_messages, the_attributes_of_a_protocol_are_listed, show_writes_the_bytes_of_the_stream, csv_has_a_row_for_each_record, colour_follows_the_option_and_the_environment, a_reader_of_the_first_lines_ends_the_replay_quietly, reading_stops_when_nobody_reads_the_output, json_and_jsonl_have_the_same_summary, the_parts_of_a_summary_add_up];
    requires support::installed::terminal: [a_terminal_gets_colours_and_lines_that_fit, a_progress_bar_is_drawn_only_on_a_terminal_and_for_long_work];
}

fn ran(arguments: &[&str]) -> Output {
    enjamb().arg("replay").args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").output().unwrap()
}

fn out(arguments: &[&str]) -> String {
    let output = ran(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn records(arguments: &[&str]) -> Vec<Value> {
    let text = out(&[&["--format", "jsonl"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const ERRORS: &str = "corpora/redis/errors.pcap";
const CHUNKED: &str = "corpora/http1/chunked.pcap";

fn a_filter_writes_and_counts_what_it_selects() {
    let all = records(&[ERRORS]);
    let wanted: Vec<Value> =
        all.iter().filter(|record| record["outcome"] == "failed" && record["code"] == "WRONGTYPE").cloned().collect();
    let mut selected = records(&["--filter", "outcome == \"failed\" && code == \"WRONGTYPE\"", ERRORS]);
    let summary = selected.pop().unwrap();
    assert_eq!(selected, wanted);
    assert!(!wanted.is_empty());
    assert_eq!(summary["server"]["messages"], wanted.len());
    assert_eq!(summary["client"]["messages"], 0);
    assert_eq!(summary["selected"]["filter"], "outcome == \"failed\" && code == \"WRONGTYPE\"");
    let text = out(&["--summary", "--filter", "kind == \"SET\"", ERRORS]);
    assert!(text.contains("only the selected records were counted: --filter 'kind == \"SET\"'"), "{text}");
}

fn filters_reach_inside_messages() {
    let of = |filter: &str, more: &[&str]| records(&[&["--filter", filter], more].concat());
    let summaries = |filter: &str| {
        let messages = of(filter, &["corpora"]).into_iter().filter(|record| record["type"] == "message");
        messages.map(|record| record["summary"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = records(&["corpora"]);
    let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|record| wanted(record)).count();
    let of_protocol = |record: &Value, name: &str| record["type"] == "message" && record["protocol"] == name;
    // Two ways to ask for the same.
    for (filter, same) in [
        ("http.status >= 400", "protocol == \"http1\" && code >= 400"),
        ("http1.status == 404", "protocol == \"http1\" && code == 404"),
        (
            "redis.command == \"GET\" && outcome == \"ok\"",
            "protocol == \"redis\" && kind == \"GET\" && outcome == \"ok\"",
        ),
        (
            "http.method == \"HEAD\" && outcome == \"ok\"",
            "protocol == \"http1\" && kind == \"HEAD\" && outcome == \"ok\"",
        ),
    ] {
        let expected = summaries(same);
        assert!(!expected.is_empty(), "{same}");
        assert_eq!(summaries(filter), expected, "{filter}");
    }
    let hosts = summaries("http.host");
    assert!(!hosts.is_empty() && hosts.iter().all(|summary| summary.contains(", host ")), "{hosts:?}");
    assert_eq!(hosts.len(), count(&|r| of_protocol(r, "http1") && r["summary"].as_str().unwrap().contains(", host ")));
    // The number of threads changes nothing.
    let filter = "http.header(\"host\") contains \"127\" || redis.key =~ \"^.\" || http.header(\"content-length\") > 5";
    let one = of(filter, &["-j", "1", "corpora"]);
    assert!(one.len() > 50, "{}", one.len());
    for jobs in ["2", "3"] {
        assert_eq!(of(filter, &["-j", jobs, "corpora"]), one, "-j {jobs}");
    }
    let secret = out(&["--filter", "redis.command == \"AUTH\" && redis.argument(1)", "corpora"]);
    assert!(secret.contains("AUTH (redacted)"), "{secret}");
    let wrong = ran(&["--filter", "http.paths == \"/\"", CHUNKED]);
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(message.contains("\n       ^\nThe attributes are: method, target, path"), "{message}");
    let unknown = ran(&["--filter", "gopher.path", CHUNKED]);
    let message = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(message.contains("The protocols are: http1, redis"), "{message}");
}

fn the_attributes_of_a_protocol_are_listed() {
    let listed = |name: &str| enjamb().args(["protocols", name]).output().unwrap();
    for (name, attributes) in [
        ("http1", &["http.path ", "http.header(\"NAME\") ", "http.status ", "http.host "][..]),
        ("http", &["http.path ", "http.body_length "]),
        ("redis", &["redis.key ", "redis.argument(NUMBER) ", "redis.command "]),
        ("opaque", &[]),
        ("auto", &[]),
    ] {
        let output = listed(name);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}");
        assert_eq!(text.contains("attributes"), !attributes.is_empty(), "{text}");
        for attribute in attributes {
            assert!(text.contains(attribute), "{attribute}: {text}");
        }
    }
    let unknown = listed("htpt");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean http"), "{unknown:?}");
}

fn connections_and_sides_are_selected() {
    let all = records(&[CHUNKED, ERRORS]);
    let some = records(&["--conn", "2,4-5", CHUNKED, ERRORS]);
    let of = |records: &[Value], wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        records.iter().filter(|record| record["type"] != "summary" && wanted(record)).cloned().collect()
    };
    let chosen = of(&all, &|record| [2, 4, 5].contains(&record["conn"].as_u64().unwrap()));
    assert_eq!(of(&some, &|_| true), chosen);
    let summary = some.last().unwrap();
    assert_eq!(summary["connections"], of_type(&chosen, "connection").len() / 2);
    assert!(summary["client"]["chunks"].is_u64(), "whole connections have chunks");

    let server = records(&["--side", "server", CHUNKED]);
    let all = records(&[CHUNKED]);
    assert_eq!(of(&server, &|_| true), of(&all, &|record| record["side"] == "server"));
    assert_eq!(server.last().unwrap()["client"]["messages"], 0);
}

fn an_error_in_a_filter_is_shown_with_its_place() {
    let output = ran(&["--filter", "kind == \"GET\" && latency > 5", CHUNKED]);
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("\n  kind == \"GET\" && latency > 5\n                   ^\n"), "{err}");
    assert!(err.contains("latency_us"), "it lists the fields: {err}");
    for wrong in [
        &["--conn", "0", CHUNKED][..],
        &["--side", "middle", CHUNKED],
        &["--show-max", "1T", CHUNKED],
        &["--format", "json", CHUNKED],
        &["--format", "csv", "--summary", CHUNKED],
    ] {
        let output = ran(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

fn show_writes_the_bytes_of_the_stream() {
    let shown = records(&["--show", "hex", "--show-max", "16", "--side", "client", "--conn", "1", CHUNKED]);
    let first = &shown[0];
    let hex = b"GET /page.ssi HT".iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(first["payload_hex"], hex);
    assert_eq!(first["payload_more"], first["length"].as_u64().unwrap() - 16);
    let text = out(&["--show", "payload", "--conn", "1", CHUNKED]);
    assert!(text.contains("\n      | GET /page.ssi HTTP/1.1\\r\\n\n      | Host: 127.0.0.1:8080\\r\\n\n"), "{text}");
}

fn csv_has_a_row_for_each_record() {
    let records = records(&[ERRORS]);
    let text = out(&["--format", "csv", ERRORS]);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().unwrap().clone();
    let documented = std::fs::read_to_string(root().join("docs/records.md")).unwrap();
    assert!(documented.contains(&header.iter().collect::<Vec<_>>().join(",")), "the header is documented: {header:?}");
    let mut count = 0;
    for (row, record) in rows.records().map(Result::unwrap).zip(&records) {
        for name in ["type", "kind", "side", "code", "time"] {
            let place = header.iter().position(|column| column == name).unwrap();
            assert_eq!(&row[place], record[name].as_str().unwrap_or_default(), "{name} of {record}");
        }
        count += 1;
    }
    assert_eq!(count, records.len() - 1, "all but the summary");
}

fn colour_follows_the_option_and_the_environment() {
    let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = enjamb();
        command.args(["replay", ERRORS]).args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let output = command.envs(variables.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    for (arguments, variables, expected) in [
        (&[][..], &[][..], false),
        (&["--color", "always"], &[], true),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "0")], false),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&["--format", "jsonl", "--color", "always"], &[], false),
    ] {
        assert_eq!(coloured(arguments, variables), expected, "{arguments:?} {variables:?}");
    }
}

/// Runs a command on a terminal of 80 columns, and returns its output.
fn on_a_terminal(command: &str) -> String {
    let enjamb = env!("CARGO_BIN_EXE_enjamb");
    let command = format!("stty rows 24 cols 80; enjamb() {{ '{enjamb}' replay \"$@\"; }}; {command}");
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).current_dir(root());
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    let output = script.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

fn a_terminal_gets_colours_and_lines_that_fit(&(): &()) {
    let capture = "corpora/redis/strings-and-hashes.pcapng";
    let text = on_a_terminal(&format!("enjamb {capture}"));
    assert!(text.contains("\u{1b}[2m"), "{text}");
    let widths = |text: &str| {
        let plain = on_a_terminal(text);
        let messages = plain.lines().filter(|line| line.contains(" client -> ") || line.contains(" server <- "));
        messages.map(|line| line.trim_end().chars().count()).collect::<Vec<_>>()
    };
    let all = widths(&format!("enjamb --color never --side client {capture}"));
    assert!(!all.is_empty() && all.iter().all(|width| *width <= 80), "{all:?}");
    let piped = widths(&format!("enjamb --color never --side client {capture} | cat"));
    assert_eq!(piped.len(), all.len());
    assert!(piped.iter().any(|width| *width > 80), "there is something to cut: {piped:?}");
}

/// The tool draws a bar because it waits for its input for longer than that.
fn a_progress_bar_is_drawn_only_on_a_terminal_and_for_long_work(&(): &()) {
    let slow = format!("(head -c 200 {ERRORS}; sleep 1; tail -c +201 {ERRORS})");
    let drawn = on_a_terminal(&format!("{slow} | enjamb --summary -"));
    assert!(drawn.contains("B read, "), "{drawn:?}");
    for silent in [
        format!("{slow} | enjamb --summary - 2>&1 | cat"),
        format!("{slow} | enjamb -"),
        format!("enjamb --summary {ERRORS}"),
    ] {
        let drawn = on_a_terminal(&silent);
        assert!(!drawn.contains("B read, ") && drawn.contains("connections"), "{silent}: {drawn:?}");
    }
}

fn a_reader_of_the_first_lines_ends_the_replay_quietly() {
    for format in ["text", "jsonl", "csv"] {
        let mut child = enjamb()
            .args(["replay", "--format", format, "--show", "hex"])
            .args(std::iter::repeat_n("corpora/http1/wrk.pcapng", 20))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!line.is_empty());
        assert!(output.status.success(), "{format}: {}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}

/// A capture of many connections, each with a request and its answer.
fn many_connections(count: u16) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new());
    for number in 1..=count {
        let connection = Connection {
            number: number.into(),
            client: SocketAddr::from(([192, 0, 2, 1], 1024 + number)),
            server: SocketAddr::from(([192, 0, 2, 2], 6379)),
        };
        let at = |micros: u64| Time::from_nanos((1_700_000_000_000_000 + u64::from(number) * 1000 + micros) * 1000);
        recorder.event(&connection, at(0), Event::Open);
        recorder.event(&connection, at(10), Event::Chunk { side: Side::Client, bytes: b"PING\r\n" });
        recorder.event(&connection, at(20), Event::Chunk { side: Side::Server, bytes: b"+PONG\r\n" });
        recorder.event(&connection, at(30), Event::Close { side: Side::Client, ending: Ending::Closed });
        recorder.event(&connection, at(40), Event::Close { side: Side::Server, ending: Ending::Closed });
        recorder.event(&connection, at(40), Event::Done);
    }
    recorder.finish().unwrap()
}

fn reading_stops_when_nobody_reads_the_output() {
    let capture = many_connections(5000);
    let mut child = enjamb()
        .args(["replay", "--format", "jsonl", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    assert!(stdin.write_all(&capture).is_err(), "it reads all {} bytes", capture.len());
    drop(stdin);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success() && err.is_empty(), "{err}");
}

fn json_and_jsonl_have_the_same_summary() {
    let json: Value = serde_json::from_str(&out(&["--summary", "--format", "json", CHUNKED, ERRORS])).unwrap();
    let line: Value = serde_json::from_str(&out(&["--summary", "--format", "jsonl", CHUNKED, ERRORS])).unwrap();
    assert_eq!(json, line);
    assert_eq!(&json, records(&[CHUNKED, ERRORS]).last().unwrap());
}

/// Totals equal the sums of their parts.
fn the_parts_of_a_summary_add_up() {
    for capture in [ERRORS, CHUNKED, "corpora/redis/pipeline-benchmark.pcapng", "corpora/redis/truncated.pcap"] {
        let records = records(&[capture]);
        let summary = records.last().unwrap();
        let sum = |list: &Value, field: &str| -> u64 {
            list.as_array().unwrap().iter().map(|part| part[field].as_u64().unwrap()).sum()
        };
        for side in ["client", "server"] {
            let counted = &summary[side];
            let messages: Vec<_> =
                records.iter().filter(|record| record["type"] == "message" && record["side"] == side).collect();
            assert_eq!(counted["messages"], messages.len(), "{capture}");
            assert_eq!(sum(&counted["kinds"], "messages"), messages.len() as u64);
            assert_eq!(sum(&counted["chunks_per_message"], "count"), messages.len() as u64);
            assert_eq!(sum(&counted["messages_per_chunk"], "count"), counted["chunks"]);
            if !messages.is_empty() {
                assert_eq!(sum(&counted["length"]["distribution"], "count"), messages.len() as u64);
            }
            for bucket in counted["chunks_per_message"].as_array().unwrap() {
                let [from, to, count] = ["from", "to", "count"].map(|name| bucket[name].as_u64().unwrap());
                let inside = messages.iter().filter(|m| (from..=to).contains(&(m["cuts"].as_u64().unwrap() + 1)));
                assert_eq!(inside.count() as u64, count, "{capture}: {bucket}");
            }
        }
        let latencies = records.iter().filter(|record| record["latency_us"].is_u64() && record["type"] == "message");
        let latencies = latencies.count() as u64;
        assert_eq!(sum(&summary["latency_us_by_kind"], "count"), latencies);
        assert_eq!(sum(&summary["latency_us"]["distribution"], "count"), latencies);
        let ended: Vec<_> = records.iter().filter(|record| record["event"] == "end").collect();
        assert_eq!(sum(&summary["endings"], "count"), ended.len() as u64);
        let longest = ended.iter().map(|record| record["duration_us"].as_u64().unwrap()).max().unwrap();
        assert_eq!(summary["longest"][0]["duration_us"], longest);
    }
}
