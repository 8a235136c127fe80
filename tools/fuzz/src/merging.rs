//! The committed seeds that libFuzzer found: they grow, and only those stay that reach new code.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use enjamb_fuzz::Target;
use enjamb_fuzz::seeds::{files, folder};

use crate::libfuzzer::{Sanitizer, build, corpus, program, succeed};

/// The beginning of the names of seeds that were found by libFuzzer. `cargo fuzzer seeds` keeps
/// them.
pub(crate) const MERGED: &str = "merged-";

/// The maximum size of the found seeds of a target, in bytes.
const SIZE_MAX: usize = 40 << 10;

/// The maximum length of a found seed, in bytes.
const LENGTH_MAX: usize = 600;

/// Runs targets for a time to grow their corpora, and adds the inputs to the seeds that reach code
/// that no other seed reaches.
pub(crate) fn merge(targets: &[&Target], seconds: u64) -> Result<()> {
    if seconds > 0 {
        crate::running::run(targets, seconds, Sanitizer::None)?;
    } else {
        build(targets, Sanitizer::None)?;
    }
    for target in targets {
        merge_one(target)?;
    }
    Ok(())
}

fn merge_one(target: &Target) -> Result<()> {
    let seeds = folder().join("seeds").join(target.name);
    let (found, chosen): (Vec<_>, Vec<_>) = files(&seeds)?.into_iter().partition(|(name, _)| name.starts_with(MERGED));
    // The chosen seeds stay whatever they reach. Those that were found before must prove themselves
    // again.
    let scratch = folder().join("corpus").join(format!("{}.merge", target.name));
    let (kept, old) = (scratch.join("kept"), scratch.join("old"));
    let _ = std::fs::remove_dir_all(&scratch);
    for place in [&kept, &old] {
        std::fs::create_dir_all(place)?;
    }
    for (name, data) in &chosen {
        std::fs::write(kept.join(name), data)?;
    }
    for (name, data) in &found {
        std::fs::write(old.join(name), data)?;
    }
    let before: BTreeSet<String> = files(&kept)?.into_iter().map(|(name, _)| name).collect();
    let mut command = program(target, Sanitizer::None);
    // Edges alone: how often one is reached would keep hundreds of inputs. `-merge=1` prefers short
    // inputs to inputs that reach much, and keeps several times as many.
    command.args(["-set_cover_merge=1", "-use_counters=0", "-timeout=10"]).arg(format!("-max_len={LENGTH_MAX}"));
    succeed(command.arg(&kept).arg(&old).arg(corpus(target)?))?;
    let mut added: Vec<(String, Vec<u8>)> =
        files(&kept)?.into_iter().filter(|(name, data)| !before.contains(name) && data.len() <= LENGTH_MAX).collect();
    added.sort_by_key(|(_, data)| data.len());
    let count = added.len();
    let size = write(&seeds, &found, &added)?;
    println!(
        "{:16} {} chosen seeds, {count} found ones with {size} bytes{}",
        target.name,
        chosen.len(),
        if size > SIZE_MAX { ", of which the longest were left out" } else { "" }
    );
    std::fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// Replaces the found seeds of a folder by `added`, the shortest first. Returns the size of all of
/// them, also of those that were left out.
fn write(seeds: &Path, found: &[(String, Vec<u8>)], added: &[(String, Vec<u8>)]) -> Result<usize> {
    for (name, _) in found {
        std::fs::remove_file(seeds.join(name)).with_context(|| name.clone())?;
    }
    let mut size = 0;
    for (_, data) in added {
        size += data.len();
        if size <= SIZE_MAX {
            std::fs::write(seeds.join(name_of(data)), data)?;
        }
    }
    Ok(size)
}

/// Returns the name of a found seed, which depends on its bytes alone.
fn name_of(data: &[u8]) -> String {
    // FNV-1a: the name must be the same on every machine and with every version of Rust.
    let hash = data
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{MERGED}{hash:016x}")
}
