//! `enjamb replay --jobs`: the same output for any number of threads.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use enjamb_capture::{Capture, LinkType};
use requirements::trials;

trials! {
    always: [
        the_corpora_give_the_same_output_on_any_number_of_threads,
        damaged_captures_give_the_same_output_on_any_number_of_threads,
        limits_over_all_connections_give_the_same_output_on_any_number_of_threads,
        a_capture_in_a_pipe_gives_the_same_output_on_any_number_of_threads,
        files_of_a_rotated_set_give_the_same_output_on_any_number_of_threads,
        zero_threads_are_wrong_usage,
    ];
    requires requirements::captures: [captures_of_others_give_the_same_output_on_any_number_of_threads];
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora")
}

fn replay(jobs: &str, arguments: &[&str], captures: &[PathBuf]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
    command.args(["replay", "--jobs", jobs]).args(arguments).args(captures).output().unwrap()
}

fn the_corpora_give_the_same_output_on_any_number_of_threads() {
    compare_outputs(&[corpora()]);
}

fn captures_of_others_give_the_same_output_on_any_number_of_threads(captures: &Path) {
    compare_outputs(&[captures.to_owned()]);
}

fn compare_outputs(captures: &[PathBuf]) {
    for arguments in [
        &["--format", "text"][..],
        &["--format", "jsonl"],
        &["--format", "csv"],
        &["--summary"],
        &["--summary", "--format", "json"],
        &["--filter", "side == \"server\" && length > 100", "--show", "hex"],
        &["--protocol", "lines", "--summary", "--format", "jsonl"],
    ] {
        let alone = replay("1", arguments, captures);
        assert!(alone.stdout.len() > 500, "{arguments:?}: {}", String::from_utf8_lossy(&alone.stderr));
        for jobs in ["2", "4", "7"] {
            let shared = replay(jobs, arguments, captures);
            assert_eq!(shared.status, alone.status, "{arguments:?}");
            assert!(shared.stderr == alone.stderr, "{arguments:?}: {}", String::from_utf8_lossy(&shared.stderr));
            if shared.stdout != alone.stdout {
                let (ours, theirs) = (String::from_utf8_lossy(&shared.stdout), String::from_utf8_lossy(&alone.stdout));
                let differs = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (ours, theirs))| ours != theirs);
                panic!("{arguments:?} with {jobs} threads: {differs:?}");
            }
        }
    }
}

/// A generator of numbers: the constants are those of Knuth's MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Returns `true` once in `odds` calls, on average.
    fn once_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

/// A packet of a generated capture: its time in microseconds, and its bytes.
type Packet = (u64, Vec<u8>);

/// Returns the Ethernet packets of all corpora, `copies` times with other addresses, and all
/// mixed in the order of time.
fn mixed_packets(copies: u8, random: &mut Random) -> Vec<Packet> {
    let mut packets = Vec::new();
    for path in captures_in(&corpora()) {
        let Ok(mut capture) = Capture::open(&path) else { continue };
        let mut own: Vec<Packet> = Vec::new();
        while let Ok(Some(packet)) = capture.next() {
            if packet.link == LinkType::ETHERNET {
                own.push((packet.time.nanos() / 1000, packet.bytes.to_vec()));
            }
        }
        let Some(first) = own.first().map(|(time, _)| *time) else { continue };
        for copy in 0..copies {
            let begin = 1_700_000_000_000_000 + random.below(3_000_000);
            packets.extend(own.iter().map(|(time, bytes)| {
                let mut bytes = bytes.clone();
                if bytes.len() > 34 && bytes[12..14] == [8, 0] {
                    bytes[27] ^= copy;
                    bytes[31] ^= copy;
                }
                (begin + time.saturating_sub(first).min(200_000_000), bytes)
            }));
        }
    }
    packets.sort_by_key(|(time, _)| *time);
    packets
}

fn captures_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(captures_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "pcap") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Drops, repeats, delays, truncates and changes some packets.
fn damage(packets: &mut Vec<Packet>, random: &mut Random) {
    let mut damaged: Vec<Packet> = Vec::with_capacity(packets.len());
    for (time, mut bytes) in packets.drain(..) {
        if random.once_in(60) {
            continue;
        }
        if random.once_in(50) {
            damaged.push((time, bytes.clone()));
        }
        if random.once_in(200) {
            bytes.truncate(40 + random.below(60) as usize);
        }
        if random.once_in(300) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
        damaged.push((time, bytes));
        if random.once_in(40) {
            let (last, back) = (damaged.len() - 1, random.below(8) as usize);
            damaged.swap(last, last.saturating_sub(back));
        }
        if random.once_in(2_000) {
            // A time stamp far ahead, as of another clock.
            damaged.last_mut().unwrap().0 += 90_000_000;
        }
    }
    *packets = damaged;
}

fn pcap(packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (time, bytes) in packets {
        let length = bytes.len() as u32;
        for word in [(time / 1_000_000) as u32, (time % 1_000_000) as u32, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(bytes);
    }
    file
}

/// Compares the output of any number of threads with that of one.
fn compare_jobs(captures: &[PathBuf], limits: &[&str]) {
    for form in [&["--format", "jsonl"][..], &["--format", "text"], &["--summary", "--format", "json"]] {
        let arguments = [form, limits].concat();
        let alone = replay("1", &arguments, captures);
        assert!(alone.stdout.len() > 500, "{arguments:?}: {}", String::from_utf8_lossy(&alone.stderr));
        for jobs in ["2", "3", "8"] {
            let shared = replay(jobs, &arguments, captures);
            assert_eq!(shared.status, alone.status, "{arguments:?}");
            assert!(
                shared.stdout == alone.stdout,
                "{arguments:?} with {jobs} threads: {}",
                difference(&shared, &alone)
            );
        }
    }
}

/// Returns the first lines that differ.
fn difference(ours: &Output, theirs: &Output) -> String {
    let (ours, theirs) = (String::from_utf8_lossy(&ours.stdout), String::from_utf8_lossy(&theirs.stdout));
    let differs = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (ours, theirs))| ours != theirs);
    format!("{differs:?}")
}

fn damaged_captures_give_the_same_output_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=4 {
        let mut random = Random(seed);
        let mut packets = mixed_packets(12, &mut random);
        damage(&mut packets, &mut random);
        let path = folder.path().join(format!("{seed}.pcap"));
        std::fs::write(&path, pcap(&packets)).unwrap();
        assert!(path.metadata().unwrap().len() > 1 << 20, "so small a capture is read by one thread");
        compare_jobs(std::slice::from_ref(&path), &[]);
        compare_jobs(std::slice::from_ref(&path), &["--patience", "2", "--patience-time", "1s", "--overlap", "last"]);
    }
    // The numbers of one capture follow those of the one before.
    let both = [folder.path().join("1.pcap"), corpora(), folder.path().join("2.pcap")];
    compare_jobs(&both, &[]);
    compare_jobs(&both, &["--conn", "20-400,900-1000"]);
}

fn limits_over_all_connections_give_the_same_output_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let mut packets = mixed_packets(12, &mut random);
    damage(&mut packets, &mut random);
    let path = folder.path().join("damaged.pcap");
    std::fs::write(&path, pcap(&packets)).unwrap();
    // Limits that are reached at once, and limits that come near in the middle of the capture.
    for limits in [
        ["--max-connections", "40"],
        ["--max-connections", "9000"],
        ["--max-held", "4k"],
        ["--max-held", "16M"],
        ["--max-held", "32M"],
    ] {
        compare_jobs(std::slice::from_ref(&path), &limits);
    }
}

fn a_capture_in_a_pipe_gives_the_same_output_on_any_number_of_threads() {
    for path in captures_in(&corpora()).into_iter().step_by(5) {
        let output = |jobs: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
            let input = std::fs::File::open(&path).unwrap();
            command.args(["replay", "--jobs", jobs, "--format", "jsonl", "-"]).stdin(input).output().unwrap()
        };
        let alone = output("1");
        for jobs in ["2", "5"] {
            let shared = output(jobs);
            assert!(shared.stdout == alone.stdout, "{}: {}", path.display(), difference(&shared, &alone));
        }
    }
}

fn files_of_a_rotated_set_give_the_same_output_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let packets = mixed_packets(12, &mut Random(3));
    let files: Vec<PathBuf> = packets
        .chunks(packets.len() / 3)
        .enumerate()
        .map(|(number, packets)| {
            let path = folder.path().join(format!("{number}.pcap"));
            std::fs::write(&path, pcap(packets)).unwrap();
            path
        })
        .collect();
    compare_jobs(&files, &[]);
}

fn zero_threads_are_wrong_usage() {
    assert_eq!(replay("0", &[], &[corpora()]).status.code(), Some(2));
}
