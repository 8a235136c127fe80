//! Every target, called with its committed seeds and with inputs that are made from them.

use std::collections::BTreeSet;
use std::fs;

use enjamb_fuzz::driver::{Inputs, Mutator, search};
use enjamb_fuzz::seeds::{files, folder, seeds};
use enjamb_fuzz::{CANARY, FAMILIES, TARGETS, Target};
use enjamb_protocols::Registry;

/// The maximum size of all seeds together, in bytes.
const SIZE_MAX: usize = 2 << 20;

/// The number of changed inputs that a test calls each target with.
const CHANGED: u64 = 300;

#[test]
fn every_target_holds_for_its_seeds() {
    let mut size = 0;
    for target in TARGETS {
        for (name, data) in seeds(target.name).unwrap() {
            size += data.len();
            let held = std::panic::catch_unwind(|| (target.run)(&data));
            assert!(held.is_ok(), "{}: the seed {name}", target.name);
        }
    }
    assert!(size < SIZE_MAX, "the seeds have {size} bytes");
}

#[test]
fn every_target_holds_for_inputs_made_from_its_seeds() {
    for target in TARGETS {
        let seeds = seeds(target.name).unwrap().into_iter().map(|(_, data)| data).collect();
        let inputs = Inputs::new(target, seeds, Mutator::Structured, 1);
        if let Some(finding) = search(inputs, CHANGED, &target.run) {
            panic!("{}: {}\n{:?}", target.name, finding.message, finding.input.escape_ascii().to_string());
        }
    }
}

#[test]
fn every_finding_that_was_mended_stays_mended() {
    let mut names = 0;
    for target in TARGETS {
        let Ok(findings) = files(&folder().join("findings").join(target.name)) else { continue };
        for (name, data) in findings {
            names += 1;
            let held = std::panic::catch_unwind(|| (target.run)(&data));
            assert!(held.is_ok(), "{}: the finding {name}", target.name);
        }
    }
    assert!(names > 0 || !folder().join("findings").exists());
}

#[test]
fn every_target_has_seeds_and_a_program_of_its_own() {
    let programs: BTreeSet<String> = files(&folder().join("fuzz_targets"))
        .unwrap()
        .into_iter()
        .map(|(name, text)| {
            let name = name.trim_end_matches(".rs").to_owned();
            let expected = format!("#![no_main]\nenjamb_fuzz_targets::target!({name});\n");
            assert_eq!(String::from_utf8(text).unwrap(), expected, "a target is one line");
            name
        })
        .collect();
    let names: BTreeSet<String> = TARGETS.iter().chain([&CANARY]).map(|target| target.name.to_owned()).collect();
    assert_eq!(programs, names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml has no {name}");
        assert!(!seeds(name).unwrap().is_empty(), "{name} has no seeds");
    }
}

#[test]
fn every_protocol_belongs_to_one_family_that_has_a_target() {
    let registry = Registry::builtin();
    let names: Vec<&str> = registry.iter().map(|protocol| protocol.name()).chain(["auto"]).collect();
    for name in &names {
        let of: Vec<_> = FAMILIES.iter().filter(|family| family.protocols.contains(name)).collect();
        assert_eq!(of.len(), 1, "{name} must belong to one family of crates/enjamb-fuzz/src/sessions/family.rs");
        assert!(TARGETS.iter().any(|target| target.name == of[0].target), "{name}");
        let choice = of[0].choice(name).unwrap();
        let has_seed = seeds(of[0].target).unwrap().iter().any(|(_, data)| data.starts_with(&choice));
        assert!(has_seed, "{name} has no seed in fuzz/seeds/{}", of[0].target);
    }
    for name in FAMILIES.iter().flat_map(|family| family.protocols) {
        assert!(names.contains(name), "there is no protocol {name}");
    }
}

/// The types and functions of the workspace that parse bytes or text from outside. A new one needs
/// a target.
const PARSERS: &[&str] = &[
    "enjamb::Framer",
    "enjamb::Scanner",
    "enjamb::AnyOf",
    "enjamb::Text",
    "enjamb::Transcript",
    "enjamb::units",
    "enjamb_capture::read",
    "enjamb_capture::Capture",
    "enjamb_capture::Decoder",
    "enjamb_capture::Reassembler",
    "enjamb_capture::Recorder",
    "enjamb_faults::Fault",
    "enjamb_faults::ConnectionFaults",
    "enjamb_law::Script",
    "enjamb_monitor::Filter",
    "enjamb_monitor::Watch",
    "enjamb_net::relay::ForwardRule",
    "enjamb_net::relay::Relay",
    "enjamb_net::run",
    "enjamb_protocols::Framing",
    "enjamb_protocols::SpecFile",
    "enjamb_sources::TranscriptFile",
];

#[test]
fn every_parser_has_a_target() {
    let reached: BTreeSet<&str> = TARGETS.iter().flat_map(|target: &Target| target.parsers).copied().collect();
    assert_eq!(reached, PARSERS.iter().copied().collect());
}

/// Finds `pub fn parse`, `pub fn parse_...`, and `pub fn read(source`, so that a new parser does
/// not go without a target.
#[test]
fn every_public_parse_function_is_in_a_file_of_a_listed_parser() {
    let known = [
        "enjamb/src/units.rs",
        "enjamb/src/transcript.rs",
        "enjamb-protocols/src/spec.rs",
        "enjamb-protocols/src/spec_file.rs",
        "enjamb-faults/src/fault.rs",
        "enjamb-monitor/src/filter.rs",
        "enjamb-sources/src/transcript_file.rs",
    ];
    let root = folder().join("../crates");
    let mut folders = vec![root.clone()];
    let mut found = BTreeSet::new();
    while let Some(place) = folders.pop() {
        for entry in fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()) {
            let is_own = entry.ends_with("enjamb-fuzz") || entry.ends_with("enjamb-law");
            if entry.is_dir() && !is_own && !entry.ends_with("tests") && !entry.ends_with("examples") {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                if text.contains("pub fn parse(") || text.contains("pub fn parse_") {
                    found.insert(entry.strip_prefix(&root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
    }
    let known: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, known, "a parser needs a target, a row in PARSERS, and its file here");
}

#[test]
fn the_files_for_oss_fuzz_and_clusterfuzzlite_fit_the_targets() {
    let read = |name: &str| fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let script = read("oss-fuzz/build.sh");
    // The script walks over these places.
    for place in ["fuzz/fuzz_targets/*.rs", "fuzz/seeds/", "fuzz/findings/", "fuzz/dictionaries/", "target.options"] {
        assert!(script.contains(place), "build.sh does not read {place}");
    }
    for target in TARGETS.iter().chain([&CANARY]) {
        assert_eq!(read(&format!("dictionaries/{}.dict", target.name)), target.dictionary, "{}", target.name);
    }
    let dictionaries = files(&folder().join("dictionaries")).unwrap().len();
    assert_eq!(dictionaries, TARGETS.len() + 1, "a dictionary without a target");
    let folders = fs::read_dir(folder().join("seeds")).unwrap().count();
    assert_eq!(folders, TARGETS.len() + 1, "seeds without a target");
    for file in ["oss-fuzz/project.yaml", "../.clusterfuzzlite/project.yaml"] {
        assert!(read(file).contains("language: rust"), "{file}");
    }
    for file in ["oss-fuzz/Dockerfile", "../.clusterfuzzlite/Dockerfile"] {
        let text = read(file);
        assert!(text.starts_with("FROM gcr.io/oss-fuzz-base/base-builder-rust\n"), "{file}");
        assert!(text.contains("fuzz/oss-fuzz/build.sh"), "{file}");
    }
}
