//! Spec files: those of `--spec`, and those in the place of a protocol's name.
//!
//! A spec file becomes a protocol of the registry under its own name and under its path, so every
//! tool finds it like any other protocol.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ArgMatches;
use enjamb_protocols::{Registry, SpecFile, SpecFileError};
use enjamb_sources::{Exit, print};

/// The maximum number of bytes that are read of a spec file. A longer one is refused.
const TEXT_MAX: u64 = 1 << 20;

/// The failure to read a spec file.
#[derive(Debug)]
pub(crate) enum SpecsError {
    Unreadable(PathBuf, io::Error),
    Wrong(PathBuf, Box<SpecFileError>),
}

impl SpecsError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreadable(..) => Exit::Unavailable,
            Self::Wrong(..) => Exit::WrongUsage,
        }
    }
}

impl std::fmt::Display for SpecsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "cannot read the spec file {}: {error}", path.display()),
            Self::Wrong(path, error) => write!(f, "{}:{error}", path.display()),
        }
    }
}

impl std::error::Error for SpecsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            Self::Wrong(_, error) => Some(&**error),
        }
    }
}

/// Adds the protocols of all spec files that the command line names.
pub(crate) fn register(registry: Registry, matches: &ArgMatches) -> Result<Registry, SpecsError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    collect(matches, &mut paths);
    paths.dedup();
    paths.iter().try_fold(registry, |registry, path| {
        let protocol = read(path)?.protocol();
        // The path is another name, for --protocol.
        let path = path.to_string_lossy().into_owned();
        Ok(registry.with(protocol.alias(path)))
    })
}

/// Collects the paths of a command and its subcommands.
fn collect(matches: &ArgMatches, paths: &mut Vec<PathBuf>) {
    if let Ok(Some(files)) = matches.try_get_many::<PathBuf>("spec") {
        paths.extend(files.cloned());
    }
    for argument in ["protocol", "name"] {
        if let Ok(Some(name)) = matches.try_get_one::<String>(argument)
            && is_path(name)
        {
            paths.push(name.into());
        }
    }
    if let Some((_, matches)) = matches.subcommand() {
        collect(matches, paths);
    }
}

/// Returns whether the name of a protocol is a path. No other name and no framing spec contains a
/// separator.
fn is_path(name: &str) -> bool {
    name.ends_with(".toml") || name.contains(std::path::is_separator)
}

/// Reads a spec file.
pub(crate) fn read(path: &Path) -> Result<SpecFile, SpecsError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(TEXT_MAX).read_to_string(&mut text))
        .map_err(|error| SpecsError::Unreadable(path.to_owned(), error))?;
    SpecFile::parse(&text).map_err(|error| SpecsError::Wrong(path.to_owned(), Box::new(error)))
}

/// Writes a dissector or a dictionary to standard output.
pub(crate) fn export(spec: &SpecFile, wireshark: bool) -> anyhow::Result<Exit> {
    print(if wireshark { spec.wireshark() } else { spec.dictionary() }).context("cannot write to standard output")?;
    Ok(Exit::Done)
}
