//! Rotated sets: a connection that goes on in the next file is one connection.

use std::path::{Path, PathBuf};

use enjamb::{Connection, Event, Tap, Time};
use enjamb_protocols::Registry;
use enjamb_sources::{Inputs, Notices, Progress, ProtocolChoice, SourceReader, SourceReport};

/// The bytes of a file header of pcap.
const HEADER: usize = 24;

/// All events, written out.
#[derive(Default)]
struct Log(Vec<String>);

impl Tap for Log {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        self.0.push(format!("{connection:?} {time:?} {event:?}"));
    }
}

fn read(paths: &[PathBuf]) -> (Vec<String>, SourceReport, Vec<u64>) {
    let notices = Notices::new("test", "read");
    let progress = Progress::hidden(&notices);
    let inputs = Inputs::find(paths);
    let protocols = ProtocolChoice::new(&Registry::builtin(), "auto").unwrap();
    let (mut log, mut before) = (Log::default(), Vec::new());
    let reader = SourceReader::new(&inputs, &protocols, &progress);
    let report = reader.read(&mut log, |_, next| before.push(next.connections_before));
    (log.0, report, before)
}

fn corpus(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora").join(name)).unwrap()
}

/// The records of a little-endian capture: their header and their packet.
fn records(capture: &[u8]) -> Vec<Vec<u8>> {
    let (mut records, mut rest) = (Vec::new(), &capture[HEADER..]);
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (record, after) = rest.split_at(16 + length);
        records.push(record.to_vec());
        rest = after;
    }
    records
}

/// Writes the records into files, `count` into each.
fn write_set(folder: &Path, header: &[u8], records: &[Vec<u8>], count: usize) -> Vec<PathBuf> {
    let write = |(number, part): (usize, &[Vec<u8>])| {
        let path = folder.join(format!("{number:05}.pcap"));
        std::fs::write(&path, [header, &part.concat()].concat()).unwrap();
        path
    };
    records.chunks(count).enumerate().map(write).collect()
}

#[test]
fn a_set_gives_the_events_of_the_whole_capture_wherever_it_was_cut() {
    for name in ["faults/G-forged-rst.pcap", "faults/A-refused-then-accepted.pcap", "faults/R-hole-over-messages.pcap"]
    {
        let capture = corpus(name);
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        std::fs::write(&whole, &capture).unwrap();
        let (expected, whole_report, _) = read(&[whole]);
        for count in [1, 2, 3, 5, 7] {
            let set = write_set(folder.path(), &capture[..HEADER], &records(&capture), count);
            let (events, report, _) = read(&set);
            assert_eq!(events, expected, "{name}, {count} packets in each file");
            let totals = |report: &SourceReport| report.totals.to_json()["packets"].clone();
            assert_eq!(totals(&report), totals(&whole_report));
            assert_eq!(report.totals.to_json()["captures"], set.len());
        }
    }
}

#[test]
fn captures_that_do_not_follow_each_other_have_their_own_connections() {
    let capture = corpus("faults/G-forged-rst.pcap");
    let folder = tempfile::tempdir().unwrap();
    let set = write_set(folder.path(), &capture[..HEADER], &records(&capture), 4);
    let (first, second) = (&set[0], &set[1]);
    let done = |events: &[String]| events.iter().filter(|event| event.contains("Done")).count();
    assert_eq!(done(&read(&[first.clone(), second.clone()]).0), 2, "the reset, and what follows it");
    let (events, _, before) = read(&[second.clone(), first.clone()]);
    assert_eq!((done(&events), before), (2, vec![0, 1]), "in the wrong order");
    let (events, _, before) = read(&[first.clone(), first.clone()]);
    assert_eq!((done(&events), before), (2, vec![0, 1]), "the same capture twice");

    // An hour later, and on another link.
    let change = |at: std::ops::Range<usize>, value: u32| {
        let path = folder.path().join("changed.pcap");
        let mut bytes = std::fs::read(second).unwrap();
        bytes[at].copy_from_slice(&value.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let seconds = u32::from_le_bytes(records(&capture)[4][..4].try_into().unwrap());
    for path in [change(HEADER..HEADER + 4, seconds + 3600), change(20..24, 101)] {
        let (_, report, before) = read(&[first.clone(), path]);
        assert_eq!(before, [0, 1]);
        assert!(report.problems.is_empty());
    }
}
