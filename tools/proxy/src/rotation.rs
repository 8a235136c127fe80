//! Rotation of the log and of the recording: a file that is full or old gets another name, and a
//! new one continues.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use enjamb::Time;
use enjamb_monitor::Rfc3339;

use crate::clock::now;
use crate::configuration::Rotation;
use crate::notices::Notices;

/// The interval at which files are looked at. A file may be larger by what is written in it.
const INTERVAL: Duration = Duration::from_millis(500);

fn is_due(rotation: &Rotation, length: u64, begun: SystemTime) -> bool {
    let is_full = rotation.size.is_some_and(|size| length >= size.get());
    let age = SystemTime::now().duration_since(begun).unwrap_or_default();
    is_full || rotation.every.is_some_and(|every| age >= every && length > 0)
}

/// Rotates files until it is dropped. `reopen` continues one in a new file of its name.
pub(crate) async fn rotate(
    rotation: Rotation,
    files: Vec<PathBuf>,
    reopen: impl Fn(&Path) -> Result<(), String> + Clone + Send + 'static,
    notices: Notices,
) {
    let mut begun: Vec<_> = files.into_iter().map(|path| (path, SystemTime::now())).collect();
    let mut timer = tokio::time::interval(INTERVAL);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        for (path, begun) in &mut begun {
            // A file that was moved away is not there until SIGHUP.
            let Ok(metadata) = path.metadata() else { continue };
            if !metadata.is_file() || !is_due(&rotation, metadata.len(), *begun) {
                continue;
            }
            let (path, reopen) = (path.clone(), reopen.clone());
            let rotated = tokio::task::spawn_blocking(move || rotate_file(&path, rotation.keep, reopen)).await;
            match rotated {
                Ok(Ok(())) => *begun = SystemTime::now(),
                Ok(Err(error)) => notices.limited(&format_args!("cannot rotate a file: {error}")),
                Err(_) => return,
            }
        }
    }
}

fn rotate_file(
    path: &Path,
    keep: Option<NonZeroUsize>,
    reopen: impl Fn(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let old = free_name(path, now());
    std::fs::rename(path, &old).map_err(|error| format!("{}: {error}", path.display()))?;
    reopen(path)?;
    if let Some(keep) = keep {
        remove_oldest(path, keep.get()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Returns a name for the old file: the time between the stem and the extension, so that the names
/// are in the order of time and keep their type.
fn free_name(path: &Path, time: Time) -> PathBuf {
    let time = Rfc3339(time).to_string();
    // 2026-11-30T15-10-53.123456
    let stamp: String = time.chars().take(26).map(|c| if c == ':' { '-' } else { c }).collect();
    path.with_file_name(format!("{}.{stamp}{}", stem(path), extension(path)))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default()
}

/// Removes the oldest rotated files, up to `keep`. Only names that a rotation gives are touched.
fn remove_oldest(path: &Path, keep: usize) -> io::Result<()> {
    let (prefix, suffix) = (format!("{}.", stem(path)), extension(path));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut old = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stamp = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(&suffix));
        if stamp.is_some_and(is_stamp) {
            old.push(name);
        }
    }
    old.sort_unstable();
    let surplus = old.len().saturating_sub(keep);
    old[..surplus].iter().try_for_each(|name| std::fs::remove_file(folder.join(name)))
}

fn is_stamp(text: &str) -> bool {
    let shape = "0000-00-00T00-00-00.000000";
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(c, shape)| if shape == b'0' { c.is_ascii_digit() } else { c == shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_file_keeps_its_type_and_only_such_names_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let names: Vec<_> = (0..4).map(|second| free_name(&path, Time::from_nanos(second * 1_000_000_000))).collect();
        assert!(names[3].ends_with("log.1970-01-01T00-00-03.000000.jsonl"), "{:?}", names[3]);
        let others = ["log.jsonl", "log.notes.jsonl", "log.1970-01-01T00-00-03.000000.txt", "other.jsonl"];
        for path in names.iter().cloned().chain(others.iter().map(|name| folder.path().join(name))) {
            std::fs::write(path, "x").unwrap();
        }
        remove_oldest(&path, 2).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort_unstable();
        let mut expected: Vec<_> = names[2..].to_vec();
        expected.extend(others.iter().map(|name| folder.path().join(name)));
        expected.sort_unstable();
        assert_eq!(left, expected);
    }
}
