//! Makes the committed seeds and dictionaries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use enjamb::transcript::Content;
use enjamb::{Side, Time};
use enjamb_capture::{Capture, Packet};
use enjamb_fuzz::seeds::{files as files_of, folder};
use enjamb_fuzz::{Action, Choice, FAMILIES, Form, ReassemblyCase, TARGETS, Target, interleaved_choice};
use enjamb_law::{Grammar, Script};
use enjamb_protocols::Registry;

use crate::conversations::{Conversations, distinct, files, of_capture, read, root, stem};
use crate::merging::MERGED;
use crate::{examples, generated};

/// The number of conversations of each protocol that become seeds of targets over several
/// protocols.
const OF_EACH: usize = 2;

/// The maximum length of a capture that is a seed, in bytes.
const CAPTURE_MAX: usize = 1600;

/// The maximum number of tokens of a generated dictionary.
const TOKENS_MAX: usize = 400;

/// Seeds by their names.
type Seeds = BTreeMap<String, Vec<u8>>;

/// Writes the seeds and the dictionaries of all targets.
pub(crate) fn write(also: Option<&Path>) -> Result<()> {
    let mut conversations = read(also)?;
    for (protocol, list) in &mut conversations {
        *list = distinct(protocol, list);
    }
    let mut total = 0;
    for target in TARGETS.iter().chain([&enjamb_fuzz::CANARY]) {
        let seeds = of_target(target, &conversations)?;
        let place = folder().join("seeds").join(target.name);
        std::fs::create_dir_all(&place)?;
        for (name, _) in files_of(&place)?.iter().filter(|(name, _)| !name.starts_with(MERGED)) {
            std::fs::remove_file(place.join(name))?;
        }
        for (name, data) in &seeds {
            std::fs::write(place.join(name), data).with_context(|| name.clone())?;
        }
        let size: usize = seeds.values().map(Vec::len).sum();
        total += size;
        let dictionary = dictionary(target, &seeds)?;
        let place = folder().join("dictionaries").join(format!("{}.dict", target.name));
        std::fs::write(place, &dictionary)?;
        println!("{:16} {:4} seeds {size:7} bytes {:4} tokens", target.name, seeds.len(), dictionary.lines().count());
    }
    println!("{total} bytes");
    Ok(())
}

fn of_target(target: &Target, conversations: &Conversations) -> Result<Seeds> {
    let mut seeds = Seeds::new();
    match target.form {
        Form::Script(Choice::Family) => {
            let family = FAMILIES.iter().find(|family| family.target == target.name).context("a family")?;
            for protocol in family.protocols {
                let choice = family.choice(protocol).context("a choice")?;
                // What `auto` detects is anything.
                let every: Vec<&str> = conversations.keys().map(String::as_str).collect();
                let of = match *protocol {
                    "auto" => &every[..],
                    "opaque" => &["http1", "redis"][..],
                    protocol => &[protocol][..],
                };
                for of in of {
                    let most = if of == protocol { usize::MAX } else { OF_EACH };
                    for (name, script) in conversations.get(*of).into_iter().flatten().take(most) {
                        let data = [&choice[..], &script.encode()].concat();
                        seeds.insert(format!("{protocol}-{name}"), data);
                    }
                }
            }
        }
        Form::Script(Choice::Any) => {
            each(conversations, &mut seeds, |protocol| Some(vec![interleaved_choice(protocol)?]));
        }
        Form::Script(Choice::Registry) => {
            let registry = Registry::builtin();
            each(conversations, &mut seeds, |protocol| {
                let at = registry.iter().position(|known| known.name() == protocol)?;
                Some(vec![u8::try_from(at).ok()?])
            });
        }
        Form::Script(Choice::Bytes(1)) => {
            for (bit, (name, script)) in conversations.get("redis").into_iter().flatten().take(9).enumerate() {
                seeds.insert(name.clone(), [&[if bit == 8 { 0xff } else { 1 << bit }], &script.encode()[..]].concat());
            }
        }
        Form::Script(Choice::Bytes(_)) if target.name == "recordings" => {
            each(conversations, &mut seeds, |_| Some(Vec::new()));
            seeds.retain(|name, _| name.starts_with("http1") || name.starts_with("redis") || name.starts_with("tls"));
        }
        Form::Stream { .. } => {
            let protocol = if target.name == "http1_peer" { "http1" } else { "redis" };
            for (name, script) in conversations.get(protocol).into_iter().flatten() {
                for side in Side::BOTH {
                    let choice = u8::from((side == Side::Server) == (protocol == "http1"));
                    let stream = stream_of(script, side);
                    if !stream.is_empty() {
                        seeds.insert(format!("{name}-{side}"), [&[choice][..], &stream].concat());
                    }
                }
            }
        }
        Form::Capture => {
            for folder in files_of_corpora()? {
                let data = std::fs::read(&folder)?;
                let short = beginning(&data);
                if short.len() <= CAPTURE_MAX {
                    let parent = folder.parent().map(stem).unwrap_or_default();
                    seeds.insert(format!("{parent}-{}", stem(&folder)), short.to_vec());
                }
            }
            // A few of each format are enough.
            let mut formats: BTreeMap<[u8; 4], usize> = BTreeMap::new();
            seeds.retain(|_, data| {
                let count = formats.entry(data.first_chunk().copied().unwrap_or_default()).or_default();
                *count += 1;
                *count <= 12
            });
        }
        Form::Packets => packets(&mut seeds)?,
        Form::Records { .. } => {
            let data = |at, length| Action::Data { at, length, flavour: 0 };
            let cases = [
                ("order", 1, true, vec![data(0, 98), data(100, 98), data(200, 98), Action::Finish]),
                (
                    "swapped",
                    u32::MAX - 50,
                    true,
                    vec![data(100, 98), data(0, 98), Action::Acknowledge { bytes: 200 }, Action::Finish],
                ),
                ("conflict", 7, true, vec![data(0, 98), Action::Data { at: 50, length: 98, flavour: 3 }, data(0, 200)]),
                (
                    "truncated",
                    7,
                    true,
                    vec![data(0, 98), Action::Cut { at: 100, length: 98, captured: 20 }, data(200, 8)],
                ),
                ("joined", u32::MAX - 10, false, vec![data(300, 98), data(400, 98), data(0, 20), Action::Finish]),
            ];
            for (name, first, handshake, actions) in cases {
                for last in [false, true] {
                    let case = ReassemblyCase { first, handshake, last, actions: actions.clone() };
                    seeds.insert(format!("{name}-{}", if last { "last" } else { "first" }), case.encode());
                }
            }
        }
        Form::Script(Choice::Spec) => {
            for (at, name) in (0xf0..).zip(enjamb_fuzz::SPEC_FILES) {
                for (name, script) in of_capture(&root().join(format!("corpora/specs/{name}.pcapng"))) {
                    let data = [&[at][..], &script.encode()].concat();
                    if data.len() <= CAPTURE_MAX {
                        seeds.insert(format!("file-{name}"), data);
                    }
                }
            }
        }
        _ if target.name == "transcripts" => {
            for protocol in ["redis", "http1", "dns"] {
                for (name, script) in conversations.get(protocol).into_iter().flatten().take(6) {
                    let case = script.case(&Grammar::default());
                    let mut transcript = case.input.transcript(&case.cuts);
                    for (at, entry) in (1..).zip(&mut transcript.entries) {
                        entry.time = Time::from_nanos(at * 1_234_567);
                    }
                    seeds.insert(format!("{protocol}-{name}"), transcript.to_string().into_bytes());
                }
            }
        }
        _ if target.name == "spec_files" => {
            for path in files(&root().join("corpora/specs"))? {
                if path.extension().is_some_and(|extension| extension == "toml") {
                    seeds.insert(stem(&path), std::fs::read(&path)?);
                }
            }
        }
        _ => {}
    }
    for (name, data) in examples::of(target.name).into_iter().chain(generated::of(target.name)) {
        seeds.insert(name, data);
    }
    Ok(seeds)
}

/// Adds some conversations of each protocol, behind the bytes that choose it.
fn each(conversations: &Conversations, seeds: &mut Seeds, choice: impl Fn(&str) -> Option<Vec<u8>>) {
    for (protocol, list) in conversations {
        let Some(choice) = choice(protocol) else { continue };
        // Those in which both sides send.
        let both = list.iter().filter(|(_, script)| Side::BOTH.iter().all(|side| !stream_of(script, *side).is_empty()));
        let mut chosen: Vec<_> = both.take(OF_EACH).collect();
        if chosen.is_empty() {
            chosen.extend(list.first());
        }
        for (name, script) in chosen {
            seeds.insert(format!("{protocol}-{name}"), [&choice[..], &script.encode()].concat());
        }
    }
}

/// Returns the bytes that a side sends.
fn stream_of(script: &Script, side: Side) -> Vec<u8> {
    let input = script.case(&Grammar::default()).input;
    let turns = input.turns().iter().filter(|(of, _)| *of == side);
    turns
        .flat_map(|(_, content)| if let Content::Chunk(bytes) = content { bytes.clone() } else { Vec::new() })
        .collect()
}

fn files_of_corpora() -> Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root().join("corpora"))? {
        let folder = entry?.path();
        if folder.is_dir() {
            paths.extend(files(&folder)?.into_iter().filter(|path| path.to_string_lossy().contains(".pcap")));
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns the first packets of a pcap, or all of another file.
fn beginning(data: &[u8]) -> &[u8] {
    if !data.starts_with(b"\x4d\x3c\xb2\xa1") && !data.starts_with(b"\xd4\xc3\xb2\xa1") {
        return data;
    }
    let mut end = 24;
    while let Some(length) = data.get(end + 8..end + 12) {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if end + 16 + length > CAPTURE_MAX {
            break;
        }
        end += 16 + length;
    }
    &data[..end.min(data.len())]
}

/// Adds the first packets with payload of captures with different link types.
fn packets(seeds: &mut Seeds) -> Result<()> {
    let mut seen = BTreeSet::new();
    for path in files_of_corpora()? {
        let Ok(file) = std::fs::File::open(&path) else { continue };
        let mut data: Vec<u8> = Vec::new();
        let mut link = None;
        let Ok(mut capture) = Capture::from_read(file) else { continue };
        while let Ok(Some(Packet { link: of, bytes, .. })) = capture.next() {
            if data.len() + bytes.len() > 600 || *link.get_or_insert(of) != of {
                break;
            }
            if !data.is_empty() {
                data.extend(b"\xff\x00\xff");
            }
            data.extend(bytes);
        }
        let Some(number) = link.and_then(enjamb_fuzz::packet_choice) else { continue };
        let kind = (number, data.get(12..14).map(<[u8]>::to_vec));
        if seen.insert(kind) {
            seeds.insert(stem(&path), [&[number, 0][..], &data].concat());
        }
    }
    Ok(())
}

/// Returns a dictionary: the tokens that were chosen by hand, and those of the seeds.
fn dictionary(target: &Target, seeds: &Seeds) -> Result<String> {
    let mut lines: Vec<String> = Vec::new();
    let by_hand = match target.name {
        "split_http1" | "http1_peer" => Some("http1"),
        "split_redis" | "redis_peer" => Some("redis"),
        _ => None,
    };
    if let Some(name) = by_hand {
        let text = std::fs::read_to_string(root().join(format!("corpora/dictionaries/{name}.dict")))?;
        lines.extend(text.lines().filter(|line| line.starts_with('"')).map(ToOwned::to_owned));
    }
    lines.extend(examples::tokens(target.name).iter().map(|token| quoted(token)));
    let is_binary = matches!(target.form, Form::Program | Form::Records { .. } | Form::Capture | Form::Packets);
    if !is_binary {
        let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for data in seeds.values() {
            for word in words(data) {
                *counts.entry(word).or_default() += 1;
            }
        }
        // Words of one seed are most likely values. In a small set of seeds they are all there is.
        let least = if seeds.len() > 20 { 2 } else { 1 };
        let mut words: Vec<(usize, Vec<u8>)> =
            counts.into_iter().filter(|(_, count)| *count >= least).map(|(word, count)| (count, word)).collect();
        words.sort_by(|one, other| other.cmp(one));
        words.truncate(TOKENS_MAX.saturating_sub(lines.len()));
        lines.extend(words.iter().map(|(_, word)| quoted(word)));
    }
    lines.sort();
    lines.dedup();
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// Returns the words of a seed, and the first bytes of binary parts.
fn words(data: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut words = BTreeSet::new();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    for word in data.split(|byte| !is_word(byte)).filter(|word| (2..=20).contains(&word.len())) {
        words.insert(word.to_vec());
    }
    for binary in data.split(|byte| is_word(byte) || matches!(byte, b' ' | b'.' | 0xff)) {
        if (2..=6).contains(&binary.len()) {
            words.insert(binary.to_vec());
        }
    }
    words
}

fn quoted(word: &[u8]) -> String {
    let escaped: String = word
        .iter()
        .map(|&byte| match byte {
            b'"' | b'\\' => format!("\\{}", byte as char),
            b' '..=b'~' => (byte as char).to_string(),
            byte => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("\"{escaped}\"")
}
