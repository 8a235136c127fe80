//! `enjamb replay` on captures from other projects, compared with the counts of tshark in each
//! direction of each stream.
//!
//! The captures are not part of this project: they are in `$ENJAMB_CAPTURES`, or beside the
//! project. Without them the tests are ignored.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use requirements::trials;
use serde_json::Value;

trials! {
    requires requirements::captures: [http_messages_equal_those_of_tshark, redis_messages_equal_those_of_tshark, the_overlap_policy_decides_conflicts, a_directory_replays_all_captures_in_it];
}

/// The counts of one direction of one stream.
type Counts = BTreeMap<String, u64>;

/// Returns the counts of tshark, by the sender's address and by the order in which the streams
/// began.
fn golden(folder: &Path, name: &str) -> Vec<BTreeMap<String, Counts>> {
    let text = std::fs::read_to_string(folder.join("golden").join(format!("{name}.json"))).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let streams = golden["streams"].as_array().unwrap().iter();
    streams
        .map(|directions| {
            let directions = directions.as_array().unwrap().iter();
            directions
                .map(|direction| {
                    let counts = direction["tshark"].as_object().into_iter().flatten();
                    let counts = counts.map(|(field, count)| (field.clone(), count.as_u64().unwrap())).collect();
                    (direction["from"].as_str().unwrap().to_owned(), counts)
                })
                .collect()
        })
        .collect()
}

fn replay(folder: &Path, name: &str, protocol: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_enjamb"))
        .args(["replay", "--format", "jsonl", "--protocol", protocol])
        .arg(folder.join(name))
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the number of messages whose head or whole is there, in each direction of each
/// connection, as tshark counts them.
fn messages(records: &[Value], counted: impl Fn(&Value) -> bool) -> Vec<BTreeMap<String, u64>> {
    let mut connections: Vec<BTreeMap<String, u64>> = Vec::new();
    for record in records {
        if record["type"] == "connection" && record["event"] == "open" {
            connections.push(BTreeMap::new());
        }
        if record["type"] == "message" && counted(record) {
            let from = record[record["side"].as_str().unwrap()].as_str().unwrap().replace(['[', ']'], "");
            let number = usize::try_from(record["conn"].as_u64().unwrap()).unwrap();
            *connections[number - 1].entry(from).or_default() += 1;
        }
    }
    connections
}

/// Returns whether the status of a response is known, or the method of a request. tshark treats any
/// line whose first word is a method as a request, whatever follows it; such a request is malformed
/// here.
fn has_a_head(message: &Value) -> bool {
    let method = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if message["protocol"] != "http1" {
        return false;
    }
    match message["kind"].as_str().unwrap() {
        "response" => message["code"].is_string(),
        "request" if message["outcome"] == "malformed" => {
            message["summary"].as_str().unwrap().split(' ').next().is_some_and(method)
        }
        "request" => message["outcome"] == "ok",
        kind => !["blank", "opaque", "unparsed"].contains(&kind),
    }
}

/// The captures in which tshark sees fewer messages, and the reasons.
const HTTP_DIFFERENCES: &[(&str, u64, u64, &str)] = &[
    ("http-content-range-gap.pcap stream 0 from 54.239.164.21:80", 1, 0, "the hole lies in a counted body"),
    (
        "http-gap-double.pcap stream 0 from 127.0.0.1:8080",
        3,
        2,
        "three answers to three requests, with holes in the bodies",
    ),
    ("tcp-urgent1.pcap stream 0 from 10.10.10.44:43950", 1, 0, "tshark stops at the urgent pointer"),
    ("test301.pcapng stream 0 from 172.16.71.4:46664", 0, 1, "inside TLS, whose secrets the file holds"),
    (
        "unidirectional_tcp_stream_with_missing_packet.pcap stream 0 from 10.0.0.1:61541",
        2,
        1,
        "the hole lies in a counted body; one_tcp_stream_max_seq.pcap is the same stream without it",
    ),
];

fn http_messages_equal_those_of_tshark(folder: &Path) {
    let names = [
        "cassandra_mixed_frame.pcap",
        "four_ipv6_http_streams.pcap",
        "frag_http_req.pcap",
        "http-100-continue.pcap",
        "http-content-range-gap.pcap",
        "http-gap-double.pcap",
        "http-get_nosyn.pcap",
        "http-methods.pcap",
        "http-pipelined-requests.pcap",
        "http-zero-length-bodies-with-drops.pcap",
        "http_minitwit.pcap",
        "nb6-http.pcap",
        "one_tcp_stream_max_seq.pcap",
        "snap-tcp.pcap",
        "tcp-handshake-reorder.pcap",
        "tcp-payload-syn.pcap",
        "tcp-qi_internet_SYNACK_curl_jsonip.pcap",
        "tcp-reassembly-synthetic.pcap",
        "tcp-tcp-fast-open.pcap",
        "tcp-urgent1.pcap",
        "tcp_fastopen_segmentation.pcap",
        "test301.pcapng",
        "tunnels-gre-over-udp-4754.pcap",
        "unidirectional_tcp_stream_with_missing_packet.pcap",
        "websocket-jupyter-websocket.pcap",
    ];
    let mut wrong = Vec::new();
    for name in names {
        let golden = golden(folder, name);
        let seen = messages(&replay(folder, name, "auto"), has_a_head);
        for (stream, directions) in golden.iter().enumerate() {
            for (from, counts) in directions {
                let expected: u64 =
                    ["http.request.method", "http.response.code"].iter().filter_map(|f| counts.get(*f)).sum();
                let seen = seen.get(stream).and_then(|seen| seen.get(from)).copied().unwrap_or_default();
                if seen != expected {
                    wrong.push((format!("{name} stream {stream} from {from}"), seen, expected));
                }
            }
        }
    }
    let expected: Vec<_> =
        HTTP_DIFFERENCES.iter().map(|(place, seen, expected, _)| ((*place).to_owned(), *seen, *expected)).collect();
    wrong.sort();
    assert_eq!(wrong, expected, "(place, we saw, tshark saw)");
}

/// Reads RESP naively from the whole stream. Returns the number of elements of each type, nested
/// ones included, and the number of messages.
fn count_resp(stream: &[u8]) -> (BTreeMap<char, u64>, u64) {
    let (mut elements, mut messages, mut rest) = (BTreeMap::new(), 0, stream);
    loop {
        // `redis-cli --pipe` puts a blank line before its last command.
        rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        let Some(left) = element(rest, &mut elements) else { break };
        messages += 1;
        rest = left;
    }
    (elements, messages)
}

fn element<'a>(bytes: &'a [u8], elements: &mut BTreeMap<char, u64>) -> Option<&'a [u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, mut rest) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]);
    let kind = line.chars().next()?;
    let number = line[1..].parse::<i64>();
    match kind {
        '$' if number.clone().ok()? >= 0 => rest = rest.get(usize::try_from(number.ok()?).ok()? + 2..)?,
        '*' | '>' | '~' => {
            for _ in 0..number.ok()? {
                rest = element(rest, elements)?;
            }
        }
        '%' | '|' => {
            for _ in 0..2 * number.ok()? {
                rest = element(rest, elements)?;
            }
            if kind == '|' {
                rest = element(rest, elements)?;
            }
        }
        _ => {}
    }
    *elements.entry(kind).or_default() += 1;
    Some(rest)
}

/// tshark counts elements, nested ones too; we count messages. A naive reading of the whole streams
/// counts both, and connects the two.
fn redis_messages_equal_those_of_tshark(folder: &Path) {
    for name in
        ["redis-bulk-loading.pcap", "redis-pipelining-example.pcap", "redis-pubsub-resp3.pcap", "redis_session.pcap"]
    {
        let mut collector = enjamb::transcript::Collector::default();
        let report = enjamb_capture::open(folder.join(name), &mut collector, &enjamb_capture::Options::default());
        assert!(report.error.is_none());
        let golden = golden(folder, name);
        let seen = messages(&replay(folder, name, "redis"), |_| true);
        for (stream, (connection, transcript)) in collector.finish().enumerate() {
            for side in enjamb::Side::BOTH {
                let from = if side == enjamb::Side::Client { connection.client } else { connection.server };
                let from = from.to_string().replace(['[', ']'], "");
                let payload = transcript.entries.iter().filter(|entry| entry.side == side);
                let payload: Vec<u8> = payload
                    .filter_map(|entry| match &entry.content {
                        enjamb::transcript::Content::Chunk(bytes) => Some(bytes.as_slice()),
                        _ => None,
                    })
                    .collect::<Vec<_>>()
                    .concat();
                let (elements, count) = count_resp(&payload);
                let tshark = |field: &str| golden[stream][&from].get(field).copied().unwrap_or_default();
                let ours = |kind: char| elements.get(&kind).copied().unwrap_or_default();
                let place = format!("{name} stream {stream} from {from}");
                let inline = name == "redis-pipelining-example.pcap" && side == enjamb::Side::Client;
                if !inline {
                    for (kind, field) in [
                        ('*', "resp.array.length"),
                        ('$', "resp.bulk_string.length"),
                        ('+', "resp.string"),
                        (':', "resp.integer"),
                        ('-', "resp.error"),
                    ] {
                        assert_eq!(ours(kind), tshark(field), "{place}: {kind} elements, a naive reading and tshark");
                    }
                }
                // tshark does not dissect inline commands: there are three PINGs.
                let count = if inline { 3 } else { count };
                assert_eq!(seen[stream].get(&from).copied().unwrap_or_default(), count, "{place}: messages");
            }
        }
    }
}

fn the_overlap_policy_decides_conflicts(folder: &Path) {
    for (overlap, kept, dropped) in [("first", "GOOD", "EVIL"), ("last", "EVIL", "GOOD")] {
        let output = Command::new(env!("CARGO_BIN_EXE_enjamb"))
            .args(["replay", "--format", "jsonl", "--protocol", "fixed:4", "--overlap", overlap])
            .arg(folder.join("tcp-overlap.pcap"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let message = records.iter().find(|record| record["type"] == "message").unwrap();
        assert_eq!(message["summary"], format!("\"{kept}\""));
        let incident = &records.last().unwrap()["capture"]["incidents"][0];
        assert_eq!((&incident["kept"], &incident["dropped"]), (&kept.into(), &dropped.into()), "{incident}");
        assert_eq!((&incident["conn"], &incident["what"]), (&1.into(), &"conflict".into()), "{incident}");
    }
}

fn a_directory_replays_all_captures_in_it(folder: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_enjamb")).args(["replay", "--summary"]).arg(folder).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // One has a section of a version that does not exist.
    let count = out.split(' ').next().and_then(|count| count.parse::<u32>().ok());
    assert!(output.status.success() && count >= Some(97) && out.contains(" captures (1 damaged), "), "{out}{err}");
    assert!(err.contains("passed over") && err.contains("test901.pcapng: the capture is damaged at byte 480"), "{err}");
}
