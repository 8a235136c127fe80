//! One schema: every form of a record, and the documentation, have the fields of the table.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use enjamb::{Connection, Ending, Flags, Message, Outcome, Side, Span, Time};
use enjamb_monitor::{
    EndedBy, Field, Format, JsonWriter, Payload, Record, RecordType, ShowForm, SideTotal, Value, Visitor, field_table,
    trace,
};
use tracing::field::Visit;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Calls `check` with records of all types, with and without their optional fields.
fn for_each_record(mut check: impl FnMut(&Record<'_>)) {
    let (client, server) = ("192.0.2.1:40000".parse().unwrap(), "[::1]:6379".parse().unwrap());
    let connection = &Connection { number: 3, client, server };
    let time = Time::from_nanos(1_700_000_000_123_456_789);
    let total = SideTotal { bytes: 5, messages: 2, ending: Some(Ending::Reset) };
    let message = &Message {
        outcome: Outcome::Malformed,
        code: Some("WRONGTYPE"),
        reason: Some("not a \"length\""),
        flags: Flags::from_list("odd,very-odd"),
        summary: &"a \u{1b}line",
        ..Message::new("redis", Side::Server, "reply", Span { offset: 7, length: 9 })
    };
    let plain = &Message::new(message.protocol, message.side, message.kind, message.span);
    let payload = |form| Some(Payload { form, offset: 7, bytes: b"\xffxy\n", more: 5 });
    let of = |message, latency_us, payload| Record::Message { connection, time, message, latency_us, cuts: 1, payload };
    let (opened, sides) = (Time::default(), [total, total]);
    let ended = |ended_by| Record::Ended { connection, protocol: "redis", time, opened, sides, ended_by };
    for record in [
        Record::Opened { connection, time },
        Record::Secured {
            connection,
            time,
            side: Side::Client,
            version: "TLS 1.3",
            server_name: Some("a.test"),
            alpn: Some("h2"),
        },
        Record::Secured { connection, time, side: Side::Server, version: "TLS 1.2", server_name: None, alpn: None },
        ended(Some(EndedBy::Proxy)),
        ended(None),
        of(message, Some(12), payload(ShowForm::Text)),
        of(message, Some(12), payload(ShowForm::Hex)),
        of(plain, None, None),
        Record::Gap { connection, time, side: Side::Client, offset: 4, missing: 6 },
        Record::Progress { connection, time, side: Side::Client, offset: 4, length: 6 },
        Record::Fault { connection, time, side: Side::Server, offset: 4, fault: "lag", reason: "a second late" },
        Record::Error { connection: Some(connection), time, reason: "why" },
        Record::Error { connection: None, time, reason: "why" },
    ] {
        check(&record);
    }
}

/// The names and the texts of fields, as a visit gives them.
#[derive(Default)]
struct Fields(Vec<(Field, String)>);

impl Visitor for Fields {
    fn field(&mut self, field: Field, value: Value<'_>) {
        self.0.push((field, value.to_string()));
    }
}

#[test]
fn a_record_has_the_fields_that_the_table_says_in_its_order() {
    let mut seen = Vec::new();
    for_each_record(|record| {
        let mut visited = Fields::default();
        record.visit(&mut visited);
        let visited: Vec<_> = visited.0.into_iter().map(|(field, _)| field).collect();
        let present: Vec<_> = Field::ALL.into_iter().filter(|field| record.get(*field).is_some()).collect();
        assert_eq!(visited, present);
        for field in Field::ALL {
            let (may, must) = (field.is_in(record.record_type()), field.is_always_in(record.record_type()));
            assert!(may || !present.contains(&field), "{} of {:?}", field.name(), record.record_type());
            assert!(!must || present.contains(&field), "{} of {:?}", field.name(), record.record_type());
        }
        seen.extend(present.into_iter().map(|field| (field, record.record_type())));
    });
    for field in Field::ALL {
        assert_eq!(Field::named(field.name()), Some(field));
        for record in RecordType::ALL {
            assert_eq!(field.is_in(record), seen.contains(&(field, record)), "{} of {record:?}", field.name());
        }
    }
}

#[test]
fn a_json_writer_writes_the_same_lines_as_the_format() {
    let (mut writer, mut lines, mut expected) = (JsonWriter::default(), Vec::new(), String::new());
    for_each_record(|record| {
        writer.write(record, &mut lines);
        Format::JsonLines.write(record, &mut expected);
    });
    assert_eq!(String::from_utf8(lines).unwrap(), expected);
}

#[test]
fn json_has_the_fields_of_the_table_in_its_order() {
    for_each_record(|record| {
        let mut line = String::new();
        Format::JsonLines.write(record, &mut line);
        let parsed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        let mut fields = Fields::default();
        record.visit(&mut fields);
        assert_eq!(parsed.len(), fields.0.len());
        let mut from = 0;
        for (field, text) in fields.0 {
            let place = line[from..].find(&format!("\"{}\":", field.name())).unwrap();
            from += place + 1;
            let value = match &parsed[field.name()] {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(names) => {
                    names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(",")
                }
                number => number.to_string(),
            };
            assert_eq!(value, text, "{}", field.name());
        }
    });
}

/// A subscriber that keeps the fields of the events that are records.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<BTreeMap<&'static str, String>>>>);

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        assert_eq!(event.metadata().target(), trace::TARGET);
        let mut fields = EventFields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
}

#[derive(Default)]
struct EventFields(BTreeMap<&'static str, String>);

impl Visit for EventFields {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.0.insert(field.name(), value.to_string());
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

#[test]
fn an_event_of_tracing_has_the_fields_of_the_record() {
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    let mut expected = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        for_each_record(|record| {
            trace::emit(record);
            let mut fields = Fields::default();
            record.visit(&mut fields);
            expected.push(fields.0.into_iter().map(|(field, text)| (field.name(), text)).collect::<BTreeMap<_, _>>());
        });
    });
    assert_eq!(*events.0.lock().unwrap(), expected);
}

#[test]
fn the_documentation_has_the_table_of_fields() {
    let page = include_str!("../../../docs/records.md");
    let table = field_table();
    assert!(page.contains(&table), "docs/records.md lacks this table:\n\n{table}");
}
