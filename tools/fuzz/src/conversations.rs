//! Conversations that become seeds: those of the captures in `corpora/`, scripts in a folder, and
//! the seeds that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use enjamb::Transcript;
use enjamb::transcript::Collector;
use enjamb_fuzz::FAMILIES;
use enjamb_law::{Cutting, Grammar, Script};
use enjamb_protocols::Registry;

/// The longest conversation that becomes a seed, in bytes. Fuzzers change short inputs to more
/// effect.
const LENGTH_MAX: usize = 1200;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The conversations of each protocol, with names, the shortest first.
pub(crate) type Conversations = BTreeMap<String, Vec<(String, Script)>>;

/// Reads the conversations of the captures that were recorded for this project, those of the seeds
/// that exist, and the scripts in the folders of `also`, which are named after protocols.
pub(crate) fn read(also: Option<&Path>) -> Result<Conversations> {
    let mut found = Conversations::new();
    for protocol in Registry::builtin().iter().map(|protocol| protocol.name().to_owned()) {
        let mut conversations = Vec::new();
        let folder = root().join("corpora").join(&protocol);
        if folder.is_dir() {
            for path in files(&folder)? {
                conversations.extend(of_capture(&path));
            }
        }
        if let Some(folder) = also.map(|also| also.join(&protocol)).filter(|folder| folder.is_dir()) {
            for path in files(&folder)? {
                let data = std::fs::read(&path).with_context(|| path.display().to_string())?;
                conversations.push((stem(&path), Script::read(&data)));
            }
        }
        conversations.extend(of_seeds(&protocol)?);
        conversations.sort_by_key(|(name, script)| (script.encode().len(), name.clone()));
        found.insert(protocol, conversations);
    }
    Ok(found)
}

/// Returns the conversations of the seeds that exist, with their names.
fn of_seeds(protocol: &str) -> Result<Vec<(String, Script)>> {
    let Some(family) = FAMILIES.iter().find(|family| family.protocols.contains(&protocol)) else {
        return Ok(Vec::new());
    };
    let Some(choice) = family.choice(protocol) else { return Ok(Vec::new()) };
    let seeds = enjamb_fuzz::seeds::seeds(family.target)?;
    let named = seeds.into_iter().filter_map(|(name, data)| {
        Some((
            name.strip_prefix(protocol)?.strip_prefix('-')?.to_owned(),
            Script::read(data.strip_prefix(&choice[..])?),
        ))
    });
    Ok(named.collect())
}

/// Returns the files of a folder, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    paths.sort();
    Ok(paths)
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the conversations of a capture, with names.
pub(crate) fn of_capture(path: &Path) -> Vec<(String, Script)> {
    let mut collector = Collector::default();
    let _ = enjamb_capture::open(path, &mut collector, &enjamb_capture::Options::default());
    let named = |(connection, transcript): (enjamb::Connection, Transcript)| {
        (format!("{}-{}", stem(path), connection.number), Script::from(&transcript))
    };
    collector.finish().map(named).collect()
}

/// Returns the conversations that show something which no shorter one shows: a kind of message, an
/// outcome, a code, a reason, a flag.
pub(crate) fn distinct(protocol: &str, conversations: &[(String, Script)]) -> Vec<(String, Script)> {
    let registry = Registry::builtin();
    let Some(protocol) = registry.get(protocol) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for (name, script) in conversations {
        let input = script.case(&Grammar::default()).input;
        if input.len() > LENGTH_MAX || input.is_empty() {
            continue;
        }
        let mut is_new = false;
        for feature in features(protocol, &input) {
            is_new |= seen.insert(feature);
        }
        if is_new {
            kept.push((name.clone(), script.clone()));
        }
    }
    kept
}

fn features(protocol: &enjamb_protocols::Protocol, input: &Cutting) -> Vec<String> {
    let mut features = Vec::new();
    let mut session = protocol.session(None);
    input.transcript(&[]).play(session.as_mut(), &mut |message| {
        features.push(format!("{} {} {:?} {:?}", message.side, message.kind, message.outcome, message.reason));
        features.push(format!("{} {:?} {}", message.kind, message.code, message.flags.as_str()));
    });
    features
}
