//! Real captures, against what other tools made of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{Capture, Options, Overlap, open};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Captures that do not give what the reference says, and why. One that begins to is a failure too.
const KNOWN: &[(&str, &str)] = &[];

/// The folder of the captures, which is not part of the project. Where it is absent, tests are skipped; not so in CI.
fn captures() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    let folder = std::env::var_os("ENJAMB_CAPTURES").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no captures in {}", folder.display());
    eprintln!("skipped: no captures in {}", folder.display());
    None
}

/// One direction of one connection, as the reference describes it.
#[derive(Default)]
struct Direction {
    bytes: Vec<u8>,
    /// Offset, holes included, and size. Neighbours are one.
    gaps: Vec<(u64, u64)>,
    offset: u64,
    ending: Option<Ending>,
}

/// All connections, and whether the contract of a tap was kept.
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

/// What is not as the reference says.
fn differences(capture: &Path, golden: &Value) -> Vec<String> {
    let mut collector = Collector::default();
    let report = open(capture, &mut collector, &Options::default());
    let mut wrong = Vec::new();
    if let Some(fault) = report.fault {
        wrong.push(fault.to_string());
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
    // The reference takes what a keep-alive probe repeats for data.
    let (conflicts, probes) = (report.summary.conflicts, report.summary.keep_alives);
    if if last_wins { conflicts + probes == 0 } else { conflicts > 0 } {
        wrong.push(format!("{conflicts} conflicts, {probes} keep-alives"));
    }
    wrong
}

#[test]
fn every_stream_of_the_real_captures_is_what_the_reference_says() {
    let Some(folder) = captures() else {
        return;
    };
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
            failures.push(format!("{name} is right: take it off the list"));
        }
        if !known && !wrong.is_empty() {
            failures.push(format!("{name}:\n    {}", wrong.join("\n    ")));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Copies that disagree, where the reference's last one is the last before its acknowledgement too. In the others, the later copy
/// came when the first one had been acknowledged, or is the byte of a keep-alive probe.
const LAST_WINS: [&str; 2] = ["tcp-overlap.pcap", "tcp-reassembly.pcap"];

#[test]
fn the_last_copy_counts_where_that_is_asked_for() {
    let Some(folder) = captures() else {
        return;
    };
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

/// tshark counts custom blocks as packets: so many of them are in these files.
const CUSTOM_BLOCKS: [(&str, u64); 4] =
    [("test017.pcapng", 4), ("test018.pcapng", 4), ("test102.pcapng", 3), ("test202.pcapng", 3)];

#[test]
fn a_reader_finds_as_many_packets_as_tshark_does() {
    let Some(folder) = captures() else {
        return;
    };
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
        let fault = loop {
            match capture.next() {
                Ok(Some(_)) => packets += 1,
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
        };
        let custom = CUSTOM_BLOCKS.iter().find(|(file, _)| *file == name).map_or(0, |(_, blocks)| *blocks);
        let count = count - custom;
        assert_eq!(packets, count, "{name}: {fault:?}");
        // Its second section is of a version that does not exist.
        assert_eq!(fault.is_some(), name == "test901.pcapng", "{name}: {fault:?}");
        checked += 1;
    }
    assert_eq!(checked, 33);
}
