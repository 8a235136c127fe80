//! Real captures, compared with the results of other tools.

mod requirements;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{Capture, Options, Overlap, open};
use requirements::{captures, trials};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Captures with a result that differs from the reference, and the reason. If one has the same
/// result, the test fails too.
const KNOWN: &[(&str, &str)] = &[];

trials! {
    requires captures: [
        every_stream_of_the_real_captures_is_as_in_the_reference,
        with_overlap_last_the_last_copy_is_kept,
        as_many_packets_are_read_as_tshark_counts,
    ];
}

/// One direction of one connection, as the reference describes it.
#[derive(Default)]
struct Direction {
    bytes: Vec<u8>,
    /// Offset, gaps included, and size. Adjacent gaps are joined.
    gaps: Vec<(u64, u64)>,
    offset: u64,
    ending: Option<Ending>,
}

/// Collects all connections, and checks the order of events.
#[derive(Default)]
struct Collector {
    directions: BTreeMap<u64, (Connection, [Direction; 2])>,
    done: u64,
}

impl Collector {
    fn direction(&mut self, connection: &Connection, side: Side) -> &mut Direction {
        let (opened, directions) = self.directions.get_mut(&connection.number).expect("opened before");
        assert_eq!(opened, connection);
        let direction = &mut directions[side.index()];
        assert_eq!(direction.ending, None, "nothing comes after the end");
        direction
    }
}

impl Tap for Collector {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => {
                assert_eq!(connection.number, self.directions.len() as u64 + 1, "numbered in order");
                self.directions.insert(connection.number, (*connection, Default::default()));
            }
            Event::Chunk { side, bytes } => {
                assert!(!bytes.is_empty());
                let direction = self.direction(connection, side);
                direction.offset += bytes.len() as u64;
                direction.bytes.extend_from_slice(bytes);
            }
            Event::Gap { side, missing } => {
                let direction = self.direction(connection, side);
                assert!(missing > 0 || direction.offset == 0, "of 0 bytes where the stream was joined in the midst");
                match direction.gaps.last_mut() {
                    Some((offset, size)) if *offset + *size == direction.offset => *size += missing,
                    _ if missing == 0 => {}
                    _ => direction.gaps.push((direction.offset, missing)),
                }
                direction.offset += missing;
            }
            Event::Close { side, ending } => self.direction(connection, side).ending = Some(ending),
            Event::Done => self.done += 1,
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the differences from the reference.
fn differences(capture: &Path, golden: &Value) -> Vec<String> {
    let mut collector = Collector::default();
    let report = open(capture, &mut collector, &Options::default());
    let mut wrong = Vec::new();
    if let Some(error) = report.error {
        wrong.push(error.to_string());
    }
    let streams = golden["streams"].as_array().expect("streams");
    if streams.len() != collector.directions.len() {
        wrong.push(format!("{} connections for {}", collector.directions.len(), streams.len()));
    }
    assert_eq!(collector.done, collector.directions.len() as u64, "every connection is done");
    let mut last_wins = false;
    for (stream, (connection, directions)) in streams.iter().zip(collector.directions.values()) {
        for expected in stream.as_array().expect("directions") {
            let from = expected["from"].as_str().expect("from");
            let name = |address: std::net::SocketAddr| format!("{}:{}", address.ip(), address.port());
            let side = match (name(connection.client), name(connection.server)) {
                (client, _) if client == from => Side::Client,
                (_, server) if server == from => Side::Server,
                (client, server) => {
                    wrong.push(format!("{}: {client} and {server} for {from}", connection.number));
                    continue;
                }
            };
            let found = &directions[side.index()];
            let bytes = expected["bytes"].as_u64().expect("bytes");
            let gaps: Vec<(u64, u64)> = expected["gaps"].as_array().map_or_else(Vec::new, |gaps| {
                let number = |gap: &Value, at: usize| gap[at].as_u64().expect("a number");
                gaps.iter().map(|gap| (number(gap, 0), number(gap, 1))).collect()
            });
            let place = format!("connection {} from {from}", connection.number);
            if bytes != found.bytes.len() as u64 {
                wrong.push(format!("{place}: {} bytes for {bytes}", found.bytes.len()));
            } else if bytes > 0 && expected["sha256"] != hash(&found.bytes) {
                wrong.push(format!("{place}: {bytes} bytes, other ones"));
            }
            if gaps != found.gaps {
                wrong.push(format!("{place}: gaps {:?} for {gaps:?}", found.gaps));
            }
            if let Some(before) = expected["bytes_before_gap"].as_u64()
                && expected["sha256_before_gap"] != hash(&found.bytes[..before as usize])
            {
                wrong.push(format!("{place}: other bytes before the first gap"));
            }
            let closed = found.ending.is_some();
            if expected["fin"] == true && !closed {
                wrong.push(format!("{place}: not closed"));
            }
            last_wins |= expected.get("last_wins").is_some();
        }
    }
    // The reference takes the byte of a keep-alive probe for data.
    let (conflicts, probes) = (report.summary.conflicts, report.summary.keep_alives);
    if if last_wins { conflicts + probes == 0 } else { conflicts > 0 } {
        wrong.push(format!("{conflicts} conflicts, {probes} keep-alives"));
    }
    wrong
}

fn every_stream_of_the_real_captures_is_as_in_the_reference(folder: &Path) {
    let mut files: Vec<_> = std::fs::read_dir(folder.join("golden"))
        .expect("the references can be listed")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 60, "the references are all there");
    let mut failures = Vec::new();
    for file in files {
        let golden: Value = serde_json::from_slice(&std::fs::read(&file).expect("readable")).expect("JSON");
        let name = golden["capture"].as_str().expect("a name");
        let wrong = differences(&folder.join(name), &golden);
        let known = KNOWN.iter().any(|(known, _)| *known == name);
        if known && wrong.is_empty() {
            failures.push(format!("{name} is right: remove it from the list"));
        }
        if !known && !wrong.is_empty() {
            failures.push(format!("{name}:\n    {}", wrong.join("\n    ")));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Captures with copies that differ, in which the reference's last copy is also the last one before
/// its acknowledgement. In other captures, the later copy came after the first one was
/// acknowledged, or is the byte of a keep-alive probe.
const LAST_WINS: [&str; 2] = ["tcp-overlap.pcap", "tcp-reassembly.pcap"];

fn with_overlap_last_the_last_copy_is_kept(folder: &Path) {
    for name in LAST_WINS {
        let golden = std::fs::read(folder.join("golden").join(format!("{name}.json"))).expect(name);
        let golden: Value = serde_json::from_slice(&golden).expect("JSON");
        let mut collector = Collector::default();
        open(folder.join(name), &mut collector, &Options { overlap: Overlap::Last, ..Options::default() });
        let (_, directions) = &collector.directions[&1];
        let expected = golden["streams"][0].as_array().expect("directions").iter().find_map(|one| one.get("last_wins"));
        let expected = expected.expect("one direction has copies that disagree");
        let found = directions.iter().any(|found| expected["sha256"] == hash(&found.bytes));
        assert!(found, "{name}");
    }
}

/// The number of custom blocks in a file. tshark counts them as packets.
const CUSTOM_BLOCKS: [(&str, u64); 4] =
    [("test017.pcapng", 4), ("test018.pcapng", 4), ("test102.pcapng", 3), ("test202.pcapng", 3)];

fn as_many_packets_are_read_as_tshark_counts(folder: &Path) {
    let table = std::fs::read_to_string(folder.join("README.md")).expect("the table is there");
    let mut section = "";
    let mut checked = 0;
    for line in table.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.split('/').next().unwrap_or("");
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if !matches!(section, "pcapng" | "formats") || cells.len() < 4 {
            continue;
        }
        let (name, count) = (cells[1], cells[cells.len() - 2]);
        let Ok(count) = count.parse::<u64>() else {
            continue;
        };
        let mut capture = Capture::open(folder.join(section).join(name)).expect(name);
        let mut packets = 0;
        let error = loop {
            match capture.next() {
                Ok(Some(_)) => packets += 1,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let custom = CUSTOM_BLOCKS.iter().find(|(file, _)| *file == name).map_or(0, |(_, blocks)| *blocks);
        let count = count - custom;
        assert_eq!(packets, count, "{name}: {error:?}");
        // Its second section is of a version that does not exist.
        assert_eq!(error.is_some(), name == "test901.pcapng", "{name}: {error:?}");
        checked += 1;
    }
    assert_eq!(checked, 33);
}
