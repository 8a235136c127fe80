//! The target `records`: a conversation under watch, and the records in every format.

use std::sync::Arc;

use enjamb::{Batch, Connection, Event, Side, Tap, Time};
use enjamb_law::{Case, Event as Part, Grammar, Script};
use enjamb_monitor::{CsvWriter, Filter, Format, Output, Record, Watch};
use enjamb_protocols::Registry;

use crate::sessions::check_contents;

/// An output that writes each record in every format, and checks the lines.
struct Formats {
    csv: CsvWriter<Vec<u8>>,
    filter: Filter,
    records: u64,
}

impl Output for Formats {
    fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        let mut line = String::new();
        Format::JsonLines.write(record, &mut line);
        assert_one_line(&line, "JSON");
        assert!(is_json_object(line.trim_end()), "a line is not a JSON object: {line}");
        line.clear();
        Format::Text { colour: false }.write(record, &mut line);
        assert_one_line(&line, "text");
        line.clear();
        Format::Text { colour: false }.write_within(record, Some(40), &mut line);
        assert_one_line(&line, "short text");
        let _ = self.filter.matches(record);
        self.csv.write(record).unwrap_or_else(|error| panic!("memory can be written: {error}"));
    }
}

fn assert_one_line(line: &str, form: &str) {
    let body = line.strip_suffix('\n').unwrap_or_else(|| panic!("{form}: a record without a line feed: {line:?}"));
    let control = body.chars().find(|c| c.is_control());
    assert!(control.is_none(), "{form}: a record contains the control character {control:?}: {line:?}");
}

/// Returns whether `text` is one JSON object: strings are closed, braces match, and nothing
/// follows.
fn is_json_object(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0i32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 && !in_string {
            return at + 1 == text.len() && text.starts_with('{') && !escaped;
        }
    }
    false
}

/// The target `records`: the first byte chooses a protocol, and a script follows, which is a
/// conversation. Each record is one line in each format, valid JSON, and without control
/// characters. The bytes of messages are as many as were fed. The attributes and masked bytes of
/// messages do not depend on the cuts.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn records(data: &[u8]) {
    let Some((&choice, script)) = data.split_first() else { return };
    let registry = Registry::builtin();
    let protocols: Vec<_> = registry.iter().collect();
    let protocol = Arc::clone(protocols[usize::from(choice) % protocols.len()]);
    let watched = Arc::clone(&protocol);
    let filter = Filter::parse("latency_us > 1ms || kind != \"GET\" && length >= 3 || summary contains \"a\"");
    let csv = CsvWriter::new(Vec::new()).unwrap_or_else(|error| panic!("memory can be written: {error}"));
    let filter = filter.unwrap_or_else(|error| panic!("{error}"));
    let output = Formats { csv, filter, records: 0 };
    let mut watch = Watch::new(Arc::new(move |_: &Connection| protocol.session(None)), output);
    let connection =
        Connection { number: 1, client: ([192, 0, 2, 1], 40_000).into(), server: ([192, 0, 2, 2], 80).into() };
    let Case { input, cuts } = Script::read(script).case(&Grammar::default());
    check_contents(&|| watched.session(None), watched.attributes(), &input, &cuts);
    let (mut now, mut fed, mut open) = (0, 0u64, [true; 2]);
    // A batch gives back what it was given.
    let mut batch = Batch::default();
    batch.event(&connection, Time::from_nanos(now), Event::Open);
    for (side, part) in input.cut(&cuts) {
        now += 700_000;
        let event = match part {
            _ if !open[side.index()] => continue,
            Part::Chunk(bytes) => {
                fed += bytes.len() as u64;
                Event::Chunk { side, bytes }
            }
            Part::Gap(missing) => Event::Gap { side, missing },
            Part::Close(ending) => {
                open[side.index()] = false;
                Event::Close { side, ending }
            }
            Part::Again => continue,
        };
        batch.event(&connection, Time::from_nanos(now), event);
    }
    for side in Side::BOTH.into_iter().filter(|side| open[side.index()]) {
        batch.event(&connection, Time::from_nanos(now), Event::Close { side, ending: enjamb::Ending::Lost });
    }
    batch.event(&connection, Time::from_nanos(now), Event::Done);
    assert_eq!(batch.payload_len() as u64, fed, "the bytes of a batch");
    batch.play(&mut watch);
    let (statistics, output) = watch.finish();
    assert!(fed == 0 || output.records > 0, "bytes without a record");
    let _ = statistics.summary();
}
