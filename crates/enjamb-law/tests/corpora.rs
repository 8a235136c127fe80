//! The split law holds for every connection of every capture in `corpora/`: under every one and
//! every two cuts, through the protocol of its folder, through `auto`, and through framings that
//! accept any bytes.

use std::path::{Path, PathBuf};

use enjamb::Transcript;
use enjamb::transcript::Collector;
use enjamb_law::{Cutting, Segmentations, Sessions, split_everywhere};
use enjamb_protocols::Registry;

/// The maximum payload of a connection of which all pairs of cuts are tried, in bytes. See
/// `corpora/README.md`.
const PAYLOAD_MAX: usize = 1200;

/// The same for the protocols that are many, so that the test takes seconds.
const PAIRS_MAX: usize = 300;

/// Returns the protocols that have a folder in `corpora/`, which has their name.
fn recorded_protocols() -> Vec<String> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora");
    let registry = Registry::builtin();
    let names = registry.iter().map(|protocol| protocol.name().to_owned());
    names.filter(|name| corpora.join(name).is_dir()).collect()
}

fn captures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no captures", folder.display());
    files
}

fn transcripts(path: &Path) -> Vec<Transcript> {
    let mut collector = Collector::default();
    let report = enjamb_capture::open(path, &mut collector, &enjamb_capture::Options::default());
    assert!(report.error.is_none(), "{}: {:?}", path.display(), report.error);
    let transcripts: Vec<Transcript> = collector.finish().map(|(_, transcript)| transcript).collect();
    assert!(!transcripts.is_empty(), "{} holds no connections", path.display());
    transcripts
}

fn obeys_the_split_law(folder: &str, protocol: &str, segmentations: &Segmentations) {
    obeys_the_split_law_up_to(PAYLOAD_MAX, folder, protocol, segmentations);
}

/// Tries the segmentations on each connection of at most `payload_max` bytes, and fewer on others.
fn obeys_the_split_law_up_to(payload_max: usize, folder: &str, protocol: &str, segmentations: &Segmentations) {
    let protocol = Registry::builtin().resolve(protocol).unwrap();
    let sessions = Sessions(|| protocol.session(None));
    let (mut runs, mut messages) = (0, 0);
    // Some clients send the same bytes on several connections; one of them is enough.
    let mut seen = Vec::new();
    for path in captures(folder) {
        for transcript in transcripts(&path) {
            let input = Cutting::from(&transcript);
            if seen.contains(&input) {
                continue;
            }
            let fewer = Segmentations::up_to_one_cut().and_random(5, 100);
            let segmentations = if input.len() <= payload_max { segmentations } else { &fewer };
            let checked = split_everywhere(&sessions, &input, segmentations)
                .unwrap_or_else(|violation| panic!("{} as {}: {violation}", path.display(), protocol.name()));
            runs += checked.segmentations;
            messages += checked.outputs;
            seen.push(input);
        }
    }
    assert!(runs > 0 && messages > 0, "nothing was checked");
    eprintln!("{folder} as {}: {messages} messages, the same under {runs} segmentations", protocol.name());
}

#[test]
fn redis_captures_obey_the_split_law_under_every_one_and_two_cuts() {
    obeys_the_split_law("redis", "redis", &Segmentations::up_to_two_cuts().and_random(1, 100));
}

#[test]
fn http1_captures_obey_the_split_law_under_every_one_and_two_cuts() {
    obeys_the_split_law("http1", "http1", &Segmentations::up_to_two_cuts().and_random(1, 100));
}

#[test]
fn the_captures_of_all_other_protocols_obey_the_split_law() {
    for name in recorded_protocols().into_iter().filter(|name| !matches!(name.as_str(), "redis" | "http1")) {
        let segmentations = Segmentations::up_to_two_cuts().and_random(1, 100);
        obeys_the_split_law_up_to(PAIRS_MAX, &name, &name, &segmentations);
    }
}

#[test]
fn the_wrong_protocol_obeys_the_split_law_too() {
    let segmentations = Segmentations::up_to_one_cut().and_random(2, 100);
    for folder in ["redis", "http1"] {
        for protocol in ["redis", "http1"] {
            obeys_the_split_law(folder, protocol, &segmentations);
        }
    }
}

#[test]
fn auto_obeys_the_split_law() {
    for folder in recorded_protocols() {
        obeys_the_split_law(&folder, "auto", &Segmentations::up_to_one_cut().and_random(3, 100));
    }
}

#[test]
fn framing_specs_obey_the_split_law_over_every_corpus() {
    let specs = [
        "lines",
        "lines max=16",
        "delimiter:0d0a",
        "delimiter:0d0a0d0a",
        "fixed:7",
        "u8",
        "u16be max=20k",
        "u32le-2",
        "client=lines server=u8",
    ];
    for folder in ["redis", "http1"] {
        for spec in specs {
            obeys_the_split_law(folder, spec, &Segmentations::up_to_one_cut().and_random(4, 20));
        }
    }
}

/// The cuts of the capture itself give the trace of the uncut connection too.
#[test]
fn the_captured_cuts_give_the_same_messages_as_the_whole() {
    for folder in recorded_protocols() {
        let protocol = Registry::builtin().resolve(&folder).unwrap();
        for path in captures(&folder) {
            for transcript in transcripts(&path) {
                let trace = |transcript: &Transcript| {
                    let mut messages = Vec::new();
                    let mut session = protocol.session(None);
                    transcript.play(session.as_mut(), &mut |message| messages.push(message.to_owned()));
                    messages
                };
                let glued = Cutting::from(&transcript).transcript(&[]);
                assert_eq!(trace(&transcript), trace(&glued), "{}", path.display());
            }
        }
    }
}
