//! Flags of messages: in records, in filters and in the counts.

use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Flags, Message, Session, Side, Span, Tap, Time};
use enjamb_monitor::{CsvWriter, Filter, Format, Record, Watch};
use serde_json::json;

/// A session whose messages are chunks. The bytes of a chunk are its flags.
#[derive(Default)]
struct Flagging([u64; 2]);

impl Session for Flagging {
    fn protocol(&self) -> &str {
        "flagging"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let span = Span { offset: self.0[side.index()], length: chunk.len() as u64 };
        self.0[side.index()] = span.end();
        let flags = Flags::from_list(std::str::from_utf8(chunk).unwrap().trim());
        out(&Message { flags, ..Message::new("flagging", side, "chunk", span) });
    }

    fn gap(&mut self, _: Side, _: u64, _: &mut dyn FnMut(&Message<'_>)) {}

    fn close(&mut self, _: Side, _: Ending, _: &mut dyn FnMut(&Message<'_>)) {}

    fn held(&self) -> usize {
        0
    }
}

/// Feeds three messages: with two flags, with one, and with none. Returns the result of `show` for
/// each, and the summary.
fn watched<T>(mut show: impl FnMut(&Record<'_>) -> T) -> (Vec<T>, serde_json::Value) {
    let mut shown = Vec::new();
    let output = |record: &Record<'_>| {
        if let Record::Message { .. } = record {
            shown.push(show(record));
        }
    };
    let session = |_: &Connection| Box::<Flagging>::default() as Box<dyn Session>;
    let mut watch = Watch::new(Arc::new(session), output);
    let connection = Connection { number: 1, client: ([0; 4], 1).into(), server: ([0; 4], 2).into() };
    watch.event(&connection, Time::default(), Event::Open);
    for bytes in [b"bare-lf,two-hosts".as_slice(), b"bare-lf", b" "] {
        watch.event(&connection, Time::default(), Event::Chunk { side: Side::Client, bytes });
    }
    watch.event(&connection, Time::default(), Event::Done);
    let (statistics, _) = watch.finish();
    (shown, statistics.to_json())
}

#[test]
fn flags_are_a_list_in_json_and_absent_if_there_are_none() {
    let (flags, _) = watched(|record| {
        let mut line = String::new();
        Format::JsonLines.write(record, &mut line);
        serde_json::from_str::<serde_json::Value>(&line).unwrap().get("flags").cloned()
    });
    assert_eq!(flags, [Some(json!(["bare-lf", "two-hosts"])), Some(json!(["bare-lf"])), None]);
}

#[test]
fn flags_are_marked_in_text_and_one_column_of_csv() {
    let (lines, _) = watched(|record| {
        let mut line = String::new();
        Format::Text { colour: false }.write(record, &mut line);
        line
    });
    assert!(lines[0].contains("!bare-lf !two-hosts") && !lines[2].contains('!'), "{lines:?}");
    let (rows, _) = watched(|record| {
        let mut csv = CsvWriter::new(Vec::new()).unwrap();
        csv.write(record).unwrap();
        String::from_utf8(csv.out().clone()).unwrap()
    });
    assert!(rows[0].contains(",\"bare-lf,two-hosts\",") && rows[1].contains(",bare-lf,"), "{rows:?}");
}

#[test]
fn a_filter_tests_each_flag() {
    for (filter, expected) in [
        ("flags", [true, true, false]),
        ("flags == \"two-hosts\"", [true, false, false]),
        ("flags == \"bare-lf,two-hosts\"", [false, false, false]),
        ("flags != \"two-hosts\"", [false, true, false]),
        ("!(flags == \"two-hosts\")", [false, true, true]),
        ("flags contains \"lf\"", [true, true, false]),
        ("flags =~ \"^two\"", [true, false, false]),
        ("flags =~ \"lf,two\"", [false, false, false]),
    ] {
        let parsed = Filter::parse(filter).unwrap();
        assert_eq!(watched(|record| parsed.matches(record)).0, expected, "{filter}");
    }
    assert!(Filter::parse("flags > \"a\"").is_err());
}

#[test]
fn the_summary_counts_each_flag() {
    let count = |flag, count| {
        let (side, protocol, kind, outcome) = ("client", "flagging", "chunk", "ok");
        json!({"side": side, "protocol": protocol, "kind": kind, "outcome": outcome, "flag": flag, "count": count})
    };
    let (_, summary) = watched(|_| ());
    assert_eq!(summary["flags"], json!([count("bare-lf", 2), count("two-hosts", 1)]));
    assert_eq!(summary["errors"], json!([]));
}
