//! Generated captures with known contents and every kind of defect.
//!
//! The script that generates them is not part of the project.

mod requirements;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Outcome, Side, Tap, Time};
use enjamb_capture::{Capture, Decoder, Options, Overlap, open, read};
use enjamb_monitor::{Opener, Record, Watch};
use enjamb_protocols::Registry;
use requirements::{capture_generator, trials};
use serde_json::Value;
use sha2::{Digest, Sha256};

trials! {
    requires generator: [
        without_loss_every_byte_and_every_message_is_right_under_every_mixture,
        with_loss_every_missing_byte_is_in_a_gap,
        with_loss_gaps_are_in_the_place_of_packets_and_all_other_messages_are_there,
        a_capture_in_shuffled_or_reverse_order_gives_the_same_streams,
    ];
}

/// Returns a temporary folder, and the script.
fn generator() -> Result<(tempfile::TempDir, PathBuf), String> {
    Ok((tempfile::tempdir().expect("a folder"), capture_generator()?))
}

/// Generates a capture. Returns its path and its contents.
fn generate(folder: &Path, script: &Path, options: &[&str]) -> (PathBuf, Value) {
    let (capture, truth) = (folder.join("capture"), folder.join("truth.json"));
    let output = Command::new("python3").arg(script).arg(&capture).arg("--truth").arg(&truth).args(options).output();
    let output = output.expect("Python runs");
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    (capture, serde_json::from_slice(&std::fs::read(truth).expect("readable")).expect("JSON"))
}

/// A message: offset, length, kind.
type Message = (u64, u64, String);

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
struct Direction {
    bytes: Vec<u8>,
    /// Offset, gaps included, and size.
    gaps: Vec<(u64, u64)>,
    offset: u64,
    ending: Option<Ending>,
    messages: Vec<Message>,
    faulty: u64,
}

/// The connections of a capture, by the client's address.
type Found = BTreeMap<String, [Direction; 2]>;

#[derive(Default)]
struct Collector(BTreeMap<u64, (Connection, [Direction; 2])>);

impl Collector {
    fn direction(&mut self, connection: &Connection, side: Side) -> &mut Direction {
        &mut self.0.get_mut(&connection.number).expect("opened before").1[side.index()]
    }
}

impl Tap for Collector {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => {
                self.0.insert(connection.number, (*connection, Default::default()));
            }
            Event::Chunk { side, bytes } => {
                let direction = self.direction(connection, side);
                direction.bytes.extend_from_slice(bytes);
                direction.offset += bytes.len() as u64;
            }
            Event::Gap { side, missing } => {
                let direction = self.direction(connection, side);
                match direction.gaps.last_mut() {
                    // A stream that the capture joined late is no gap.
                    _ if missing == 0 => {}
                    Some((offset, size)) if *offset + *size == direction.offset => *size += missing,
                    _ => direction.gaps.push((direction.offset, missing)),
                }
                direction.offset += missing;
            }
            Event::Close { side, ending } => self.direction(connection, side).ending = Some(ending),
            Event::Done => {}
        }
    }
}

/// Reads the bytes of a capture, and then its messages.
fn look(capture: &Path, protocol: &str, options: &Options) -> Found {
    let mut collector = Collector::default();
    let report = open(capture, &mut collector, options);
    assert!(report.error.is_none(), "{:?}", report.error);
    let protocol = Registry::builtin().resolve(protocol).expect("a protocol");
    let opener: Opener = Arc::new(move |connection| protocol.session(Some(connection.server.port())));
    let mut watch = Watch::new(opener, |record: &Record<'_>| {
        if let Record::Message { connection, message, .. } = record {
            let direction = collector.direction(connection, message.side);
            if matches!(message.outcome, Outcome::Malformed | Outcome::Incomplete) {
                direction.faulty += 1;
            } else {
                direction.messages.push((message.span.offset, message.span.length, message.kind.to_string()));
            }
        }
    });
    open(capture, &mut watch, options);
    drop(watch.finish());
    collector.0.into_values().map(|(connection, directions)| (connection.client.to_string(), directions)).collect()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns each connection of the truth: the client's address as text, and both directions.
fn connections(truth: &Value) -> Vec<(String, [&Value; 2])> {
    let address = |connection: &Value| {
        let hex = connection["cip"].as_str().expect("an address");
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect();
        let ip = match <[u8; 4]>::try_from(&bytes[..]) {
            Ok(ip) => ip.into(),
            Err(_) => <[u8; 16]>::try_from(&bytes[..]).map(std::net::IpAddr::from).expect("16 bytes"),
        };
        std::net::SocketAddr::new(ip, connection["cport"].as_u64().expect("a port") as u16).to_string()
    };
    let all = truth["conns"].as_array().expect("connections").iter();
    all.map(|connection| (address(connection), [&connection["c2s"], &connection["s2c"]])).collect()
}

const MIXTURES: &[&[&str]] = &[
    &[],
    &["--reorder", "0.2"],
    &["--retx", "0.2"],
    &["--overlap", "0.2"],
    &["--wrap", "--reorder", "0.1"],
    &["--midstream", "0.5"],
    &["--midstream", "1", "--reorder", "0.3", "--mss", "200"],
    &["--reorder", "0.3", "--early-ack"],
    &["--reorder", "0.3", "--early-ack", "--midstream", "1", "--mss", "100"],
    &["--ng"],
    &["--ng", "--ns", "--vlan"],
    &["--ns", "--ipv6", "--vlan"],
    &["--mss", "37"],
    &[
        "--reorder",
        "0.1",
        "--retx",
        "0.1",
        "--overlap",
        "0.1",
        "--wrap",
        "--midstream",
        "0.3",
        "--early-ack",
        "--ng",
        "--ns",
        "--vlan",
        "--ipv6",
        "--mss",
        "500",
    ],
];

fn without_loss_every_byte_and_every_message_is_right_under_every_mixture(
    (folder, script): &(tempfile::TempDir, PathBuf),
) {
    for (generated, protocol) in [("http", "http1"), ("resp", "redis")] {
        for (mixture, seed) in MIXTURES.iter().zip(1..) {
            let seed = seed.to_string();
            let fixed = ["--proto", generated, "--mb", "0.3", "--conns", "12", "--seed", &seed];
            let options = [&fixed[..], mixture].concat();
            let (capture, truth) = generate(folder.path(), script, &options);
            for overlap in [Overlap::First, Overlap::Last] {
                let found = look(&capture, protocol, &Options { overlap, ..Options::default() });
                let connections = connections(&truth);
                assert_eq!(found.len(), connections.len(), "{options:?}");
                for (client, truth) in connections {
                    for (direction, truth) in found[&client].iter().zip(truth) {
                        let place = format!("{options:?} {overlap:?} {client}");
                        assert_eq!(direction.gaps, [], "{place}");
                        assert_eq!(truth["len"], direction.bytes.len(), "{place}");
                        assert_eq!(truth["sha256"], hash(&direction.bytes), "{place}");
                        assert_eq!(direction.ending, Some(Ending::Closed), "{place}");
                        assert_eq!(
                            (direction.faulty, truth["msgs"].as_u64()),
                            (0, Some(direction.messages.len() as u64)),
                            "{place}"
                        );
                    }
                }
            }
        }
    }
}

fn with_loss_every_missing_byte_is_in_a_gap((folder, script): &(tempfile::TempDir, PathBuf)) {
    let losses: [&[&str]; 4] = [
        &["--loss", "0.05"],
        &["--loss", "0.1", "--reorder", "0.1", "--retx", "0.1", "--early-ack"],
        &["--loss", "0.05", "--overlap", "0.1", "--wrap", "--ng"],
        // Every packet is cut.
        &["--snaplen", "300"],
    ];
    for (loss, seed) in losses.iter().zip(1..) {
        let seed = seed.to_string();
        let fixed = ["--proto", "resp", "--mb", "0.5", "--conns", "12", "--seed", &seed];
        let options = [&fixed[..], loss].concat();
        let (capture, truth) = generate(folder.path(), script, &options);
        let found = look(&capture, "redis", &Options::default());
        let mut missing = 0;
        for (client, truth) in connections(&truth) {
            for (direction, truth) in found[&client].iter().zip(truth) {
                let gaps: u64 = direction.gaps.iter().map(|(_, size)| size).sum();
                assert_eq!(truth["len"], direction.bytes.len() as u64 + gaps, "{options:?} {client}");
                assert_eq!(direction.ending, Some(Ending::Closed), "{options:?} {client}");
                missing += gaps;
            }
        }
        assert!(missing > 0, "{options:?}");
    }
}

/// A packet that was removed from a capture.
struct Lost {
    client: String,
    side: Side,
    sequence: u32,
    length: u64,
}

/// Removes one of `one_of` data packets from a capture.
fn lose(capture: &Path, out: &Path, one_of: u64) -> Vec<Lost> {
    let file = std::fs::read(capture).expect("readable");
    let (mut kept, mut lost, mut at, mut number) = (file[..24].to_vec(), Vec::new(), 24, 0u64);
    let mut packets = Capture::from_read(&file[..]).expect("a capture");
    let mut decoder = Decoder::new();
    while let Some(packet) = packets.next().expect("a whole capture") {
        let record = &file[at..at + 16 + packet.bytes.len()];
        at += record.len();
        let segment = decoder.decode(&packet).expect("TCP");
        number += 1;
        if !segment.payload.is_empty() && (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(one_of) {
            let side = if segment.destination.port() < 10_000 { Side::Client } else { Side::Server };
            let client = if side == Side::Client { segment.source } else { segment.destination };
            let (sequence, length) = (segment.sequence, segment.payload.len() as u64);
            lost.push(Lost { client: client.to_string(), side, sequence, length });
        } else {
            kept.extend_from_slice(record);
        }
    }
    std::fs::write(out, kept).expect("writable");
    lost
}

fn with_loss_gaps_are_in_the_place_of_packets_and_all_other_messages_are_there(
    (folder, script): &(tempfile::TempDir, PathBuf),
) {
    for (generated, protocol, mixture) in [
        ("resp", "redis", &[][..]),
        ("resp", "redis", &["--reorder", "0.1", "--early-ack"]),
        ("http", "http1", &[]),
        ("http", "http1", &["--reorder", "0.1", "--early-ack"]),
    ] {
        let fixed = ["--proto", generated, "--mb", "1", "--conns", "15", "--seed", "9", "--mss", "700"];
        let options = [&fixed[..], mixture].concat();
        let (capture, _) = generate(folder.path(), script, &options);
        let lossy = folder.path().join("lossy");
        let lost = lose(&capture, &lossy, 40);
        assert!(lost.len() > 10, "{options:?}");
        let (whole, found) =
            (look(&capture, protocol, &Options::default()), look(&lossy, protocol, &Options::default()));
        let mut firsts = BTreeMap::new();
        let file = std::fs::read(&capture).expect("readable");
        let (mut packets, mut decoder) = (Capture::from_read(&file[..]).expect("a capture"), Decoder::new());
        while let Some(packet) = packets.next().expect("a whole capture") {
            let segment = decoder.decode(&packet).expect("TCP");
            if segment.syn {
                let pair = (segment.source.to_string(), segment.destination.to_string());
                firsts.insert(pair, segment.sequence.wrapping_add(1));
            }
        }
        for (client, directions) in &found {
            for side in Side::BOTH {
                let direction = &directions[side.index()];
                let first =
                    firsts.iter().find(
                        |((source, destination), _)| {
                            if side == Side::Client { source == client } else { destination == client }
                        },
                    );
                let first = *first.expect("its SYN").1;
                let mut expected: Vec<(u64, u64)> = lost
                    .iter()
                    .filter(|lost| lost.client == *client && lost.side == side)
                    .map(|lost| (u64::from(lost.sequence.wrapping_sub(first)), lost.length))
                    .collect();
                expected.sort_unstable();
                let mut gaps: Vec<(u64, u64)> = Vec::new();
                for (offset, size) in expected {
                    match gaps.last_mut() {
                        Some((before, length)) if *before + *length == offset => *length += size,
                        _ => gaps.push((offset, size)),
                    }
                }
                let place = format!("{options:?} {client} {side}");
                assert_eq!(direction.gaps, gaps, "{place}");
                let touched = |(offset, length, _): &&Message| {
                    gaps.iter().any(|(start, size)| offset + length > *start && *offset < start + size)
                };
                let all = &whole[client][side.index()].messages;
                let outside: Vec<_> = all.iter().filter(|message| !touched(message)).collect();
                let missing: Vec<_> = outside.iter().filter(|message| !direction.messages.contains(message)).collect();
                assert!(missing.is_empty(), "{place}: {missing:?} of {} with gaps {gaps:?}", outside.len());
            }
        }
    }
}

fn a_capture_in_shuffled_or_reverse_order_gives_the_same_streams((folder, script): &(tempfile::TempDir, PathBuf)) {
    let options = ["--proto", "resp", "--mb", "2", "--conns", "8", "--seed", "3", "--mss", "600"];
    let (capture, truth) = generate(folder.path(), script, &options);
    let file = std::fs::read(&capture).expect("readable");
    let mut records = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let length = u32::from_le_bytes(file[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        records.push(&file[at..at + 16 + length]);
        at += 16 + length;
    }
    let written = |records: &[&[u8]]| [&file[..24], &records.concat()].concat();
    let mut reversed = records.clone();
    reversed.reverse();
    // Each packet is moved by up to 200 places.
    let mut shuffled: Vec<_> = records.iter().zip(0u64..).collect();
    shuffled.sort_by_key(|(_, number)| number + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 200);
    let shuffled: Vec<&[u8]> = shuffled.into_iter().map(|(record, _)| *record).collect();
    for (how, file) in [("shuffled", written(&shuffled)), ("reversed", written(&reversed))] {
        let mut collector = Collector::default();
        let report = read(&file[..], &mut collector, &Options::default());
        assert!(report.error.is_none());
        let found: Found =
            collector.0.into_values().map(|(connection, both)| (connection.client.to_string(), both)).collect();
        for (client, truth) in connections(&truth) {
            for (direction, truth) in found[&client].iter().zip(truth) {
                assert_eq!(truth["sha256"], hash(&direction.bytes), "{how}, {client}: {:?}", report.summary);
                assert_eq!((&direction.gaps[..], direction.ending), (&[][..], Some(Ending::Closed)), "{how}, {client}");
            }
        }
    }
}
