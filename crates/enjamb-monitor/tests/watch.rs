//! A connection under watch: its records and its counts.

use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_monitor::{CsvWriter, Field, Filter, Format, Output, Record, Show, ShowForm, Statistics, Watch};
use enjamb_protocols::Registry;
use serde_json::Value;

fn connection() -> Connection {
    Connection { number: 1, client: "127.0.0.1:40000".parse().unwrap(), server: "[::1]:6379".parse().unwrap() }
}

/// An event of the connection, at a time in microseconds.
enum Act<'a> {
    Chunk(u64, Side, &'a str),
    Gap(u64, Side, u64),
    Close(u64, Side),
}

fn watched(protocol: &str, acts: &[Act<'_>], mut out: impl FnMut(&Record<'_>)) -> Statistics {
    watched_by(protocol, acts, |record: &Record<'_>| out(record), |watch| watch)
}

fn watched_by<O: Output>(
    protocol: &str,
    acts: &[Act<'_>],
    out: O,
    set_up: impl FnOnce(Watch<O>) -> Watch<O>,
) -> Statistics {
    let protocol = Registry::builtin().resolve(protocol).unwrap();
    let open = Arc::new(move |connection: &Connection| protocol.session(Some(connection.server.port())));
    let mut watch = set_up(Watch::new(open, out));
    let connection = connection();
    let at = |micros: &u64| Time::from_nanos(1_700_000_000_000_000_000 + micros * 1000);
    watch.event(&connection, at(&0), Event::Open);
    for act in acts {
        match act {
            Act::Chunk(time, side, text) => {
                watch.event(&connection, at(time), Event::Chunk { side: *side, bytes: text.as_bytes() });
            }
            Act::Gap(time, side, missing) => {
                watch.event(&connection, at(time), Event::Gap { side: *side, missing: *missing });
            }
            Act::Close(time, side) => {
                watch.event(&connection, at(time), Event::Close { side: *side, ending: Ending::Closed });
            }
        }
    }
    watch.event(&connection, at(&1000), Event::Done);
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

/// Under `auto` a session keeps the first bytes until it has detected the protocol. The message was
/// complete before that.
#[test]
fn a_message_that_is_reported_late_has_the_time_of_its_last_byte_and_the_name_of_its_protocol() {
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
fn a_gap_is_a_record_and_offsets_go_on_after_it() {
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
fn control_characters_from_the_wire_are_escaped() {
    let acts = [Act::Chunk(1, Side::Client, "GET \x1b[31m\u{9b}\"\\\u{7f}\r\n")];
    for format in [Format::JsonLines, Format::Text { colour: false }] {
        let text = lines(format, "redis", &acts).concat();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert_eq!(text.lines().count(), 3);
    }
    assert!(records("redis", &acts)[1]["summary"].as_str().unwrap().contains("GET"));
}

#[test]
fn only_text_with_colours_has_escape_sequences() {
    let escapes = |colour| lines(Format::Text { colour }, "redis", &PING).concat().matches('\x1b').count();
    assert_eq!(escapes(false), 0);
    assert!(escapes(true) > 0);
}

#[test]
fn statistics_count_the_records_and_add_up() {
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
            "protocol": "redis", "kind": "GET", "messages": 2, "bytes": 14, "ok": 2, "failed": 0, "malformed": 0, "incomplete": 0,
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

/// Wants only the records that a filter selects.
struct Selected<F>(Filter, F);

impl<F: FnMut(&Record<'_>)> Output for Selected<F> {
    fn wants(&mut self, record: &Record<'_>) -> bool {
        self.0.matches(record)
    }

    fn record(&mut self, record: &Record<'_>) {
        (self.1)(record);
    }
}

/// Two requests, one of which fails, a gap, and bytes that are not Redis.
const TALK: [Act<'_>; 6] = [
    Act::Chunk(10, Side::Client, "GET a\u{1}b\r\nLPUSH k v\r\n"),
    Act::Chunk(20, Side::Server, "$-1\r\n"),
    Act::Chunk(1500, Side::Server, "-WRONGTYPE not a li"),
    Act::Chunk(1510, Side::Server, "st\r\n"),
    Act::Gap(1600, Side::Server, 2048),
    Act::Chunk(1700, Side::Server, "?\r\n"),
];

/// Summaries of the messages that a filter selects, or the types of other records.
fn selected(filter: &str) -> Vec<String> {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{error}"));
    let mut seen = Vec::new();
    let out = |record: &Record<'_>| {
        seen.push(match record {
            Record::Message { message, .. } => format!("{} {}", message.side, message.kind),
            Record::Ended { .. } => "end".to_owned(),
            other => other.record_type().as_str().to_owned(),
        });
    };
    watched_by("redis", &TALK, Selected(filter, out), Watch::selecting);
    seen
}

#[test]
fn filters_select_records() {
    let all =
        ["connection", "client GET", "client LPUSH", "server reply", "server reply", "gap", "server unparsed", "end"];
    for (filter, wanted) in [
        ("type =~ \"\"", &[0, 1, 2, 3, 4, 5, 6, 7][..]),
        ("kind == \"GET\"", &[1]),
        ("kind != \"GET\"", &[2, 3, 4, 6]),
        ("!(kind == \"GET\")", &[0, 2, 3, 4, 5, 6, 7]),
        ("kind =~ \"^(GET|L.*)$\"", &[1, 2]),
        ("kind contains \"PU\"", &[2]),
        ("kind == \"get\"", &[]),
        ("kind =~ \"(?i)^get$\"", &[1]),
        ("side == \"client\" || kind == \"reply\" && code", &[1, 2, 4]),
        ("(side == \"client\" || kind == \"reply\") && code", &[4]),
        ("code == \"WRONGTYPE\"", &[4]),
        ("code >= 400", &[]),
        ("code != 400", &[]),
        ("!code", &[0, 1, 2, 3, 5, 6, 7]),
        ("latency_us < 1.5ms", &[3]),
        ("latency_us >= 1.5ms", &[4]),
        ("latency_us == 0.00001s", &[3]),
        ("latency_us != 10", &[4]),
        ("cuts > 0", &[4]),
        ("missing == 2k", &[5]),
        ("missing > 1M || missing < 1", &[]),
        ("offset == 0", &[1, 3]),
        ("conn == 1 && event", &[0, 7]),
        ("event == \"end\" && duration_us == 1ms", &[7]),
        ("outcome == \"ok\" && length >= 5", &[1, 2, 3]),
        ("server =~ \":6379$\" && !client", &[]),
        ("time >= \"22:13:20.0015\"", &[4, 5, 6]),
        ("time < \"2023-11-14T22:13:20.00002Z\"", &[0, 1, 2]),
        ("time == \"2023-11-14T23:13:20.00001+01:00\"", &[1, 2]),
        ("summary contains \"\\\\x01\" && summary contains \"\\x61\"", &[1]),
        ("summary contains \"not a list\"", &[4]),
        ("client_messages == 2 && server_ending == \"lost\"", &[7]),
    ] {
        let wanted: Vec<_> = wanted.iter().map(|place: &usize| all[*place]).collect();
        assert_eq!(selected(filter), wanted, "{filter}");
    }
}

#[test]
fn statistics_of_a_selection_count_only_selected_records() {
    let count = |filter: &str| {
        let filter = Filter::parse(filter).unwrap();
        watched_by("redis", &TALK, Selected(filter, |_: &Record<'_>| {}), Watch::selecting).to_json()
    };
    let failed = count("outcome == \"failed\"");
    assert_eq!((&failed["connections"], &failed["client"]["messages"]), (&1.into(), &0.into()));
    assert_eq!((&failed["server"]["messages"], &failed["server"]["failed"]), (&1.into(), &1.into()));
    assert_eq!(failed["server"]["bytes"], "-WRONGTYPE not a list\r\n".len());
    assert_eq!(failed["server"]["chunks"], Value::Null, "a chunk belongs to no message in particular");
    assert_eq!(failed["latency_us"]["count"], 1);
    assert_eq!(failed["latency_us_by_kind"][0]["kind"], "LPUSH", "the latency is that of the request, selected or not");
    assert_eq!(failed["first"], "2023-11-14T22:13:20.001510000Z");
    assert_eq!(failed["server"]["gaps"], 0);
    let nothing = count("kind == \"nothing\"");
    assert_eq!((&nothing["connections"], &nothing["open"]), (&0.into(), &0.into()));
    assert_eq!(nothing["first"], Value::Null);
}

/// The lines of a watch that shows messages.
fn shown(format: Format, protocol: &str, show: Show, acts: &[Act<'_>]) -> String {
    let mut lines = String::new();
    watched_by(
        protocol,
        acts,
        |record: &Record<'_>| format.write(record, &mut lines),
        |watch| watch.showing(Some(show)),
    );
    lines
}

#[test]
fn the_bytes_of_messages_are_shown_however_they_were_cut() {
    let cuts: [&[Act<'_>]; 3] = [
        &[Act::Chunk(1, Side::Client, "WATCH key\r\nPING\r\n"), Act::Chunk(2, Side::Server, "+OK\r\n+PONG\r\n")],
        &[
            Act::Chunk(1, Side::Client, "WA"),
            Act::Chunk(1, Side::Client, "TCH"),
            Act::Chunk(1, Side::Client, " key\r"),
            Act::Chunk(1, Side::Client, "\nPI"),
            Act::Chunk(2, Side::Server, "+OK\r\n+P"),
            Act::Chunk(3, Side::Client, "NG\r\n"),
            Act::Chunk(4, Side::Server, "ONG\r\n"),
        ],
        &[
            Act::Chunk(1, Side::Client, "WATCH key\r\nPING\r"),
            Act::Chunk(1, Side::Server, "+OK\r\n+PONG\r\n"),
            Act::Chunk(1, Side::Client, "\n"),
        ],
    ];
    for protocol in ["redis", "auto"] {
        for acts in cuts {
            let json = shown(Format::JsonLines, protocol, Show { form: ShowForm::Text, limit: 7 }, acts);
            let records: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let of = |side: &str| {
                let messages = records.iter().filter(|record| record["side"] == side);
                messages
                    .map(|message| (message["payload"].as_str().unwrap(), message["payload_more"].as_u64()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(of("client"), [("WATCH k", Some(4)), ("PING\\r\\n", None)], "{protocol}");
            assert_eq!(of("server"), [("+OK\\r\\n", None), ("+PONG\\r\\n", None)], "{protocol}");
        }
    }
}

#[test]
fn bytes_in_text_follow_their_message() {
    let acts = [Act::Chunk(1, Side::Client, "GET \u{1b}[31m\r\n"), Act::Chunk(1, Side::Client, "GET k\r\n")];
    let text = shown(Format::Text { colour: false }, "redis", Show { form: ShowForm::Text, limit: 100 }, &acts);
    assert!(text.contains("\n      | GET \\x1b[31m\\r\\n\n"), "{text}");
    let hex = shown(Format::Text { colour: false }, "redis", Show { form: ShowForm::Hex, limit: 3 }, &acts);
    let row = "      0000000b  47 45 54                                          |GET|\n      ... 4 bytes more\n";
    assert!(hex.ends_with("\n") && hex.contains(row), "{hex}");
}

#[test]
fn a_row_of_csv_has_the_fields_of_the_record() {
    let mut out = Vec::new();
    let mut csv = CsvWriter::new(&mut out).unwrap();
    watched("redis", &TALK, |record| csv.write(record).unwrap());
    csv.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1 + 8, "a record is a line: {text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().unwrap().clone();
    assert_eq!(header.iter().collect::<Vec<_>>(), Field::ALL.map(Field::name));
    let records = records("redis", &TALK);
    for (row, record) in rows.records().map(Result::unwrap).zip(&records) {
        for (name, value) in header.iter().zip(&row) {
            let expected = match &record[name] {
                Value::Null => String::new(),
                Value::String(text) => text.replace('\u{1}', "\\u{1}"),
                other => other.to_string(),
            };
            assert_eq!(value, expected, "{name} of {record}");
        }
    }
}

#[test]
fn a_line_is_cut_to_the_terminal_in_its_summary() {
    let value = "x".repeat(300) + "\u{6f22}\u{5b57}";
    let request = format!("SET key \"{value}\"\r\n");
    let acts = [
        Act::Chunk(1, Side::Client, &request),
        Act::Chunk(70, Side::Server, "-ERR \u{6f22}\u{5b57}\u{6f22}\u{5b57}\u{6f22}\u{5b57}\r\n"),
    ];
    for colour in [false, true] {
        for columns in 86..140 {
            watched("redis", &acts, |record| {
                let Record::Message { .. } = record else { return };
                let mut line = String::new();
                Format::Text { colour }.write_within(record, Some(columns), &mut line);
                let plain = ["\u{1b}[2m", "\u{1b}[31m", "\u{1b}[33m", "\u{1b}[0m"]
                    .iter()
                    .fold(line.clone(), |line, paint| line.replace(paint, ""));
                let width = unicode_width::UnicodeWidthStr::width(plain.trim_end_matches('\n'));
                assert!(width <= columns, "{width} columns of {columns}: {plain}");
                assert!(
                    plain.contains('\u{2026}')
                        || plain.contains("ERR \u{6f22}\u{5b57}\u{6f22}\u{5b57}\u{6f22}\u{5b57}"),
                    "{plain}"
                );
                assert!(plain.contains("[69 us]") || plain.contains("client ->"), "{plain}");
            });
        }
    }
}

/// More kinds and errors than are counted separately, on several connections at a time: the first
/// ones are counted separately.
#[test]
fn statistics_of_parts_are_those_of_the_whole() {
    let open = || {
        let protocol = Registry::builtin().resolve("redis").unwrap();
        Arc::new(move |connection: &Connection| protocol.session(Some(connection.server.port())))
    };
    let watch = || Watch::new(open(), |_: &Record<'_>| {});
    let (mut alone, mut shared) = (watch(), [watch(), watch(), watch()].map(Watch::sharing));
    for step in 0..3000_u64 {
        let connection = Connection { number: step % 7, ..connection() };
        let time = Time::from_nanos(step * 1000);
        let command = format!("KIND{}\r\n", step * 7 % 1301);
        let error = format!("-CODE{} failed\r\n", step * 31 % 1511);
        let part = &mut shared[(connection.number % 3) as usize];
        part.step(step);
        for watch in [&mut alone, part] {
            if step < 7 {
                watch.event(&connection, time, Event::Open);
            }
            watch.event(&connection, time, Event::Chunk { side: Side::Client, bytes: command.as_bytes() });
            watch.event(&connection, time, Event::Chunk { side: Side::Server, bytes: error.as_bytes() });
            if step >= 2993 {
                watch.event(&connection, time, Event::Done);
            }
        }
    }
    let parts: Vec<Statistics> = shared.into_iter().map(|watch| watch.finish().0).collect();
    let (alone, parts) = (alone.finish().0, Statistics::of_parts(&parts));
    let summary = alone.to_json();
    assert_eq!(summary["client"]["kinds"].as_array().unwrap().len(), 1025);
    assert!(summary["errors"].as_array().unwrap().iter().any(|error| error["why"] == "other"));
    assert_eq!(parts.to_json(), summary);
    assert_eq!(parts.to_string(), alone.to_string());
}

#[test]
fn a_connection_without_payload_opens_no_session() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let opened = Arc::new(AtomicUsize::new(0));
    let (counter, protocol) = (Arc::clone(&opened), Registry::builtin().resolve("redis").unwrap());
    let open = move |connection: &Connection| {
        counter.fetch_add(1, Ordering::Relaxed);
        protocol.session(Some(connection.server.port()))
    };
    let mut ended = Vec::new();
    let mut watch = Watch::new(Arc::new(open), |record: &Record<'_>| {
        if let Record::Ended { connection, protocol, sides, .. } = record {
            ended.push((connection.number, (*protocol).to_owned(), sides[0].messages, sides[1].ending));
        }
    });
    let connections: Vec<_> = (1..=100).map(|number| Connection { number, ..connection() }).collect();
    connections.iter().for_each(|connection| watch.event(connection, Time::default(), Event::Open));
    assert_eq!(opened.load(Ordering::Relaxed), 0);
    watch.event(&connections[1], Time::default(), Event::Chunk { side: Side::Client, bytes: b"PING\r\n" });
    watch.event(&connections[1], Time::default(), Event::Chunk { side: Side::Client, bytes: b"PING\r\n" });
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    connections.iter().for_each(|connection| watch.event(connection, Time::default(), Event::Done));
    let statistics = watch.finish().0;
    assert_eq!(statistics.to_json()["connections"], 100);
    let expected = |number| (number, "redis".to_owned(), if number == 2 { 2 } else { 0 }, Some(Ending::Lost));
    assert!(ended.into_iter().eq((1..=100).map(expected)));
}
