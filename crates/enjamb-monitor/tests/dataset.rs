//! A dataset has the records that were written to it, and nothing is visible before it is complete.

#[path = "support/dataset.rs"]
mod support;

use std::io;
use std::path::Path;

use enjamb::{Connection, Ending, Flags, Message, Outcome, Side, Span, Time};
use enjamb_monitor::{
    Captures, DatasetWriter, EndedBy, Format, Payload, Record, Rows, SUMMARY_FILE, ShowForm, SideTotal,
};
use serde_json::{Value, json};

fn connection(number: u64) -> Connection {
    Connection { number, client: "[fe80::1]:40112".parse().unwrap(), server: "127.0.0.1:6379".parse().unwrap() }
}

fn message<'a>(protocol: &'a str, offset: u64, summary: &'a str) -> Message<'a> {
    let span = Span { offset, length: 5 };
    Message { summary: Box::leak(Box::new(summary.to_owned())), ..Message::new(protocol, Side::Server, "reply", span) }
}

#[test]
fn every_type_of_record_is_read_back_as_it_is_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let captures = Captures::default();
    captures.begin("a \"capture\".pcap", 0);
    let mut dataset = DatasetWriter::create(folder.path(), captures).unwrap();
    let connection = &connection(1);
    let (opened, time) = (Time::from_nanos(1_700_000_000_000_000_001), Time::from_nanos(1_700_000_001_123_456_999));
    let odd = "quotes \" \\ \n\r\t \u{1b}[2J \u{0} \u{85} é 😀";
    let said = message("redis", 7, odd);
    let failed = Message { outcome: Outcome::Failed, code: Some("WRONGTYPE"), ..message("u32be max=1M", 0, "") };
    let broken = Message {
        outcome: Outcome::Malformed,
        reason: Some("not a length"),
        flags: Flags::from_list("odd,very-odd"),
        ..message("redis", 0, "x")
    };
    let payload = |form, bytes| Some(Payload { form, offset: 7, bytes, more: 3 });
    let sides = [
        SideTotal { bytes: u64::from(u32::MAX) * 9, messages: 2, ending: Some(Ending::Reset) },
        SideTotal { bytes: 0, messages: 0, ending: None },
    ];
    let of = |message, latency_us, payload| Record::Message { connection, time, message, latency_us, cuts: 3, payload };
    let records = [
        Record::Opened { connection, time: opened },
        of(&said, Some(0), payload(ShowForm::Text, &b"\xff\\\n"[..])),
        of(&failed, Some(3_600_000_001), None),
        of(&broken, None, payload(ShowForm::Hex, &b"\x00\xff"[..])),
        Record::Gap { connection, time, side: Side::Client, offset: 1 << 40, missing: 17 },
        Record::Error { connection: Some(connection), time, reason: "it went wrong" },
        Record::Ended { connection, protocol: "redis", time, opened, sides, ended_by: Some(EndedBy::Client) },
        Record::Error { connection: None, time: Time::from_nanos(0), reason: odd },
    ];
    let mut lines = String::new();
    for record in &records {
        dataset.write(record).unwrap();
        Format::JsonLines.write(record, &mut lines);
    }
    dataset.finish(&json!({ "type": "summary" })).unwrap();
    let written = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut expected = support::by_protocol(written);
    let mut found = Vec::new();
    for (protocol, records) in support::read(folder.path()) {
        for (capture, record) in &records {
            let expected = record.get("conn").map(|_| "a \"capture\".pcap");
            assert_eq!(capture.as_deref(), expected, "{record}");
        }
        found.push((protocol, records.into_iter().map(|(_, record)| record).collect::<Vec<_>>()));
    }
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
    assert_eq!(found.len(), 3, "two protocols, and none");
}

#[test]
fn row_groups_are_limited_in_rows_and_in_bytes() {
    let long = "x".repeat(64 << 10);
    for (rows, summary, groups) in [
        (300_000, "short", vec![122_880, 122_880, 54_240]),
        // 64 MiB of values.
        (1100, &long, vec![1021, 79]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut dataset = DatasetWriter::create(folder.path(), Captures::default()).unwrap();
        let connection = connection(1);
        let message = message("redis", 0, summary);
        for number in 0..rows {
            let time = Time::from_nanos(number);
            let record = Record::Message {
                connection: &connection,
                time,
                message: &message,
                latency_us: None,
                cuts: number,
                payload: None,
            };
            dataset.write(&record).unwrap();
        }
        assert_eq!(dataset.rows(), rows);
        dataset.finish(&Value::Null).unwrap();
        let written = support::groups(folder.path());
        assert_eq!(written, [("protocol=redis/part-00000.parquet".to_owned(), groups)]);
        let read = support::read(folder.path());
        for ((_, record), number) in read[0].1.iter().zip(0..) {
            assert_eq!(record["cuts"], number);
        }
        assert_eq!(read[0].1.len() as u64, rows);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_visible_until_all_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new/dataset");
    let mut dataset = DatasetWriter::create(&folder, Captures::default()).unwrap();
    let connection = connection(1);
    let mut rows = Rows::default();
    for _ in 0..122_880 {
        rows.push(&Record::Opened { connection: &connection, time: Time::from_nanos(0) });
    }
    dataset.write_rows(&mut rows, usize::MAX).unwrap();
    let partition = folder.join("protocol=__HIVE_DEFAULT_PARTITION__");
    assert_eq!(names(&partition), [".part-00000.parquet.unfinished"], "a row group is written");
    drop(dataset);
    assert!(names(&folder).is_empty(), "an unfinished dataset leaves nothing: {:?}", names(&folder));

    let mut dataset = DatasetWriter::create(&folder, Captures::default()).unwrap();
    dataset.write(&Record::Opened { connection: &connection, time: Time::from_nanos(0) }).unwrap();
    dataset.finish(&json!({ "connections": 1 })).unwrap();
    assert_eq!(names(&folder), [SUMMARY_FILE, "protocol=__HIVE_DEFAULT_PARTITION__"]);
    assert_eq!(names(&partition), ["part-00000.parquet"]);
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(SUMMARY_FILE)).unwrap()).unwrap();
    assert_eq!(summary, json!({ "connections": 1 }));
}

#[test]
fn only_an_empty_directory_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let refused = |path: &Path| DatasetWriter::create(path, Captures::default()).err().unwrap().kind();
    assert_eq!(refused(folder.path()), io::ErrorKind::DirectoryNotEmpty);
    assert_eq!(refused(&folder.path().join("file")), io::ErrorKind::NotADirectory);
    assert_eq!(refused(&folder.path().join("file/below")), io::ErrorKind::NotADirectory);
}
