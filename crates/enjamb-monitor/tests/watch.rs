//! A conversation under watch: what is written down and what is counted.

use std::io::Write;
use std::sync::{Arc, Mutex};

use enjamb::{Connection, Ending, Side, Tap, Time};
use enjamb_monitor::{Format, Record, Statistics, Watch, trace};
use enjamb_protocols::Registry;
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

fn connection() -> Connection {
    Connection { number: 1, client: "127.0.0.1:40000".parse().unwrap(), server: "[::1]:6379".parse().unwrap() }
}

/// What happens, in microseconds.
enum Act<'a> {
    Chunk(u64, Side, &'a str),
    Gap(u64, Side, u64),
    Close(u64, Side),
}

fn watched(protocol: &str, acts: &[Act<'_>], mut out: impl FnMut(&Record<'_>)) -> Statistics {
    let protocol = Registry::builtin().resolve(protocol).unwrap();
    let mut watch = Watch::new(
        Arc::new(move |connection: &Connection| protocol.session(Some(connection.server.port()))),
        |record: &Record<'_>| out(record),
    );
    let connection = connection();
    let at = |micros: &u64| Time::from_nanos(1_700_000_000_000_000_000 + micros * 1000);
    watch.open(&connection, at(&0));
    for act in acts {
        match act {
            Act::Chunk(time, side, text) => watch.chunk(&connection, at(time), *side, text.as_bytes()),
            Act::Gap(time, side, missing) => watch.gap(&connection, at(time), *side, *missing),
            Act::Close(time, side) => watch.close(&connection, at(time), *side, Ending::Closed),
        }
    }
    watch.done(&connection, at(&1000));
    watch.finish().0
}

fn lines(format: Format, protocol: &str, acts: &[Act<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    watched(protocol, acts, |record| {
        let mut line = String::new();
        format.write(record, &mut line);
        lines.push(line);
    });
    lines
}

fn records(protocol: &str, acts: &[Act<'_>]) -> Vec<Value> {
    lines(Format::JsonLines, protocol, acts).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const PING: [Act<'_>; 4] = [
    Act::Chunk(10, Side::Client, "*1\r\n$4\r\nPI"),
    Act::Chunk(20, Side::Client, "NG\r\n"),
    Act::Chunk(95, Side::Server, "+PONG\r\n"),
    Act::Close(99, Side::Client),
];

#[test]
fn a_message_is_written_as_the_schema_says() {
    let records = records("redis", &PING);
    let expected: Value = serde_json::json!({
        "type": "message", "time": "2023-11-14T22:13:20.000020000Z", "conn": 1,
        "client": "127.0.0.1:40000", "server": "[::1]:6379", "protocol": "redis", "side": "client", "kind": "PING",
        "offset": 0, "length": 14, "outcome": "ok", "cuts": 1, "summary": "PING",
    });
    assert_eq!(records[1], expected);
    assert_eq!(records[2]["latency_us"], 75);
    assert_eq!(records[2]["cuts"], 0);
    assert_eq!(records[0]["event"], "open");
    let end = &records[3];
    assert_eq!((&end["client_ending"], &end["server_ending"]), (&"closed".into(), &"lost".into()));
    assert_eq!(end["duration_us"], 1000);
}

/// Under `auto` a session keeps the first bytes until it knows what they are. The message was complete before that.
#[test]
fn a_message_has_the_time_of_its_last_byte_and_the_name_of_its_protocol_even_if_it_is_said_later() {
    let acts = [
        Act::Chunk(10, Side::Client, "WATCH"),
        Act::Chunk(20, Side::Client, " key\r\n"),
        Act::Chunk(50, Side::Server, "+OK\r\n"),
    ];
    let records = records("auto", &acts);
    assert_eq!((&records[1]["protocol"], &records[1]["kind"]), (&"redis".into(), &"WATCH".into()));
    assert_eq!(records[1]["time"], "2023-11-14T22:13:20.000020000Z");
    assert_eq!(records[1]["cuts"], 1);
    assert_eq!(records[2]["latency_us"], 30);
}

#[test]
fn a_cut_between_two_messages_is_in_neither() {
    let acts = [
        Act::Chunk(1, Side::Client, "a\nb\n"),
        Act::Chunk(2, Side::Client, "c"),
        Act::Chunk(3, Side::Client, "c"),
        Act::Chunk(4, Side::Client, "c\nd"),
        Act::Chunk(5, Side::Client, "\n"),
    ];
    let records = records("lines", &acts);
    let cuts: Vec<_> = records
        .iter()
        .filter(|record| record["type"] == "message")
        .map(|record| record["cuts"].as_u64().unwrap())
        .collect();
    assert_eq!(cuts, [0, 0, 2, 1]);
}

#[test]
fn a_gap_is_a_record_and_offsets_go_on_behind_it() {
    let acts = [
        Act::Chunk(1, Side::Server, "whole\nhal"),
        Act::Gap(2, Side::Server, 100),
        Act::Chunk(3, Side::Server, "rest\n"),
    ];
    let records = records("lines", &acts);
    let gap = records.iter().find(|record| record["type"] == "gap").unwrap();
    assert_eq!((gap["offset"].as_u64(), gap["missing"].as_u64()), (Some(9), Some(100)));
    let messages: Vec<_> = records.iter().filter(|record| record["type"] == "message").collect();
    assert_eq!(messages[1]["outcome"], "incomplete");
    assert_eq!((&messages[2]["offset"], &messages[2]["outcome"]), (&109.into(), &"ok".into()));
}

#[test]
fn what_strangers_send_is_escaped() {
    let acts = [Act::Chunk(1, Side::Client, "GET \x1b[31m\u{9b}\"\\\u{7f}\r\n")];
    for format in [Format::JsonLines, Format::Text { colour: false }] {
        let text = lines(format, "redis", &acts).concat();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert_eq!(text.lines().count(), 3);
    }
    assert!(records("redis", &acts)[1]["summary"].as_str().unwrap().contains("GET"));
}

#[test]
fn text_without_colour_has_no_escapes_and_text_with_it_does() {
    let escapes = |colour| lines(Format::Text { colour }, "redis", &PING).concat().matches('\x1b').count();
    assert_eq!(escapes(false), 0);
    assert!(escapes(true) > 0);
}

#[test]
fn statistics_count_what_was_written_and_add_up() {
    let acts = [
        Act::Chunk(1, Side::Client, "PING\r\nGET a\r\nGET b\r\n"),
        Act::Chunk(2, Side::Server, "+PONG\r\n-ERR no"),
        Act::Chunk(3, Side::Server, "t\r\n$1\r\nx\r\n"),
        Act::Chunk(4, Side::Server, "?"),
        Act::Chunk(5, Side::Server, "\r\n"),
    ];
    let once = watched("redis", &acts, |_| {});
    let json = once.to_json();
    assert_eq!(json["connections"], 1);
    assert_eq!(json["open"], 0);
    assert_eq!(json["client"]["chunks_by_messages"], serde_json::json!({"none": 0, "one": 0, "several": 1}));
    assert_eq!(json["server"]["messages_by_cuts"]["one"], 2);
    assert_eq!(
        (&json["server"]["ok"], &json["server"]["failed"], &json["server"]["malformed"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!(
        json["client"]["kinds"][0],
        serde_json::json!({
            "kind": "GET", "messages": 2, "bytes": 14, "ok": 2, "failed": 0, "malformed": 0, "incomplete": 0,
        })
    );
    let errors = json["errors"].as_array().unwrap();
    assert!(errors.iter().any(|error| error["why"] == "ERR" && error["count"] == 1), "{errors:?}");

    let mut twice = once.clone();
    twice.add(&once);
    let sum = twice.to_json();
    for path in [
        "/client/messages",
        "/server/bytes",
        "/server/failed",
        "/client/kinds/0/messages",
        "/errors/0/count",
        "/latency_us/count",
    ] {
        assert_eq!(sum.pointer(path).unwrap().as_u64(), json.pointer(path).unwrap().as_u64().map(|n| 2 * n), "{path}");
    }
}

/// Where `tracing` writes to in the next test.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn records_by_way_of_tracing_are_the_same_lines() {
    let acts = [
        Act::Chunk(10, Side::Client, "GET \x1b\"key\"\r\nLPUSH k v\r\n"),
        Act::Chunk(20, Side::Server, "$-1\r\n-WRONGTYPE not a list\r\n"),
        Act::Gap(30, Side::Server, 5),
        Act::Chunk(40, Side::Server, "?"),
    ];
    for format in [Format::JsonLines, Format::Text { colour: false }, Format::Text { colour: true }] {
        let shared = Shared::default();
        let subscriber = tracing_subscriber::registry().with(trace::RecordLayer::new(format, shared.clone()));
        tracing::subscriber::with_default(subscriber, || watched("redis", &acts, trace::emit));
        let traced = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        let direct = lines(format, "redis", &acts).concat();
        if format == Format::JsonLines {
            let parse =
                |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
            assert_eq!(parse(&traced), parse(&direct));
        }
        assert_eq!(traced, direct);
    }
}
