//! A session that panics affects its own connection only.

use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Message, Session, Side, Span, Tap, Time};
use enjamb_monitor::{Format, Record, Statistics, Watch};
use serde_json::{Value, json};

/// A protocol whose messages are chunks. It panics at a chunk `panic`, at a gap of 13 bytes, at a
/// close by reset, and when it is opened for a client with port 13.
struct Fragile([u64; 2]);

impl Session for Fragile {
    fn protocol(&self) -> &str {
        "fragile"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        assert!(chunk != b"panic", "a bad chunk");
        let span = Span { offset: self.0[side.index()], length: chunk.len() as u64 };
        self.0[side.index()] = span.end();
        out(&Message::new("fragile", side, "chunk", span));
    }

    fn gap(&mut self, side: Side, missing: u64, _: &mut dyn FnMut(&Message<'_>)) {
        assert!(missing != 13, "a bad gap");
        self.0[side.index()] += missing;
    }

    fn close(&mut self, _: Side, ending: Ending, _: &mut dyn FnMut(&Message<'_>)) {
        assert!(ending != Ending::Reset, "a bad ending");
    }

    fn held(&self) -> usize {
        0
    }
}

const CLIENT: Side = Side::Client;

fn chunk(bytes: &[u8]) -> Event<'_> {
    Event::Chunk { side: CLIENT, bytes }
}

/// The records and the counts of a connection.
fn watched(port: u16, events: &[Event<'_>]) -> (Vec<Value>, Statistics) {
    let open = Arc::new(|connection: &Connection| -> Box<dyn Session> {
        assert!(connection.client.port() != 13, "a bad port");
        Box::new(Fragile([0; 2]))
    });
    let mut lines = String::new();
    let mut watch = Watch::new(open, |record: &Record<'_>| Format::JsonLines.write(record, &mut lines));
    let connection =
        Connection { number: 1, client: ([127, 0, 0, 1], port).into(), server: ([127, 0, 0, 1], 2).into() };
    for event in [Event::Open].iter().chain(events).chain([&Event::Done]) {
        watch.event(&connection, Time::default(), *event);
    }
    let statistics = watch.finish().0;
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), statistics)
}

/// The error, and the messages as kind, offset and length.
fn outcome(records: &[Value]) -> (String, Vec<(String, u64, u64)>) {
    let of_type = |name: &'static str| records.iter().filter(move |record| record["type"] == name);
    let errors: Vec<_> = of_type("error").collect();
    assert_eq!(errors.len(), 1, "{records:?}");
    assert_eq!(errors[0]["conn"], 1);
    let number = |value: &Value| value.as_u64().unwrap();
    let message = |it: &Value| (it["kind"].as_str().unwrap().to_owned(), number(&it["offset"]), number(&it["length"]));
    (errors[0]["reason"].as_str().unwrap().to_owned(), of_type("message").map(message).collect())
}

fn kinds(messages: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    messages.iter().map(|(kind, offset, length)| ((*kind).to_owned(), *offset, *length)).collect()
}

#[test]
fn the_connection_goes_on_unparsed_and_its_messages_tile_the_stream() {
    let events = [
        chunk(b"one"),
        chunk(b"panic"),
        chunk(b"after"),
        Event::Gap { side: CLIENT, missing: 13 },
        chunk(b"last"),
        Event::Close { side: CLIENT, ending: Ending::Closed },
    ];
    let (records, statistics) = watched(1, &events);
    let (reason, messages) = outcome(&records);
    assert!(reason.starts_with("its session panicked: a bad chunk ("), "{reason}");
    assert!(reason.ends_with("; the rest of the connection is not parsed"), "{reason}");
    assert_eq!(messages, kinds(&[("chunk", 0, 3), ("unparsed", 3, 10), ("unparsed", 26, 4)]));
    let end = records.last().unwrap();
    assert_eq!((&end["client_bytes"], &end["client_ending"]), (&json!(17), &json!("closed")));
    assert_eq!((&end["protocol"], &end["client_messages"]), (&json!("fragile"), &json!(3)));
    let summary = statistics.summary();
    assert_eq!((summary.connections, summary.open, summary.panicked), (1, 0, 1));
    assert_eq!((summary.client.bytes, summary.client.gaps, summary.client.missing), (17, 1, 13));
    assert_eq!((summary.client.outcomes.incomplete, &*summary.errors[0].why), (2, "its session panicked"));
    assert!(summary.to_string().starts_with("1 connection, 1 of them parsed only until the session panicked"));
}

#[test]
fn panics_at_gaps_at_endings_and_when_it_is_opened_are_caught_too() {
    let gap = [chunk(b"one"), Event::Gap { side: CLIENT, missing: 13 }, chunk(b"two")];
    let (reason, messages) = outcome(&watched(1, &gap).0);
    assert!(reason.contains("a bad gap"), "{reason}");
    assert_eq!(messages, kinds(&[("chunk", 0, 3), ("unparsed", 16, 3)]));

    let reset = [chunk(b"one"), Event::Close { side: CLIENT, ending: Ending::Reset }];
    let (records, _) = watched(1, &reset);
    let (reason, messages) = outcome(&records);
    assert!(reason.contains("a bad ending"), "{reason}");
    assert_eq!(messages, kinds(&[("chunk", 0, 3)]));
    assert_eq!(records.last().unwrap()["client_ending"], "reset");

    for events in [&[chunk(b"one"), chunk(b"two")][..], &[]] {
        let (records, statistics) = watched(13, events);
        let (reason, messages) = outcome(&records);
        assert!(reason.contains("a bad port"), "{reason}");
        assert_eq!(messages, kinds(&[("unparsed", 0, 6)][..events.len().min(1)]));
        assert_eq!(statistics.summary().panicked, 1);
    }
}

#[test]
#[should_panic(expected = "of the output")]
fn a_panic_of_the_output_is_not_the_session_s() {
    let open = Arc::new(|_: &Connection| -> Box<dyn Session> { Box::new(Fragile([0; 2])) });
    let mut watch = Watch::new(open, |record: &Record<'_>| {
        assert!(!matches!(record, Record::Message { .. }), "of the output");
    });
    let end = ([127, 0, 0, 1], 1).into();
    let connection = Connection { number: 1, client: end, server: end };
    watch.event(&connection, Time::default(), Event::Open);
    watch.event(&connection, Time::default(), chunk(b"one"));
}
