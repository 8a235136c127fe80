//! Generated captures, which are kept beside the build.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::PathBuf;

use anyhow::Context;

use crate::captures::generate::{Contents, generate};
use crate::captures::traffic::Traffic;

/// Version of the generator. A change makes all captures anew.
const GENERATION: u32 = 2;

/// The number of connections of a capture, and of one of fewer bytes than `SMALL_BYTES`.
const CONNECTIONS: usize = 2000;
const CONNECTIONS_SMALL: usize = 200;
const SMALL_BYTES: u64 = 50_000_000;

/// A capture file and its contents.
pub(crate) struct Capture {
    pub(crate) path: PathBuf,
    pub(crate) contents: Contents,
}

impl Capture {
    /// Returns the capture of about `bytes` bytes, and generates it if it does not exist.
    pub(crate) fn open(name: &str, traffic: &mut dyn Traffic, bytes: u64) -> anyhow::Result<Self> {
        let connections = if bytes < SMALL_BYTES { CONNECTIONS_SMALL } else { CONNECTIONS };
        Self::open_or(&format!("{name}-{bytes}"), |file| generate(traffic, bytes, connections, file))
    }

    /// Returns the capture of this name, and calls `generate` if it does not exist.
    pub(crate) fn open_or(
        name: &str,
        generate: impl FnOnce(BufWriter<File>) -> io::Result<Contents>,
    ) -> anyhow::Result<Self> {
        let path = folder()?.join(format!("{name}-{GENERATION}.pcap"));
        let counts = path.with_extension("truth");
        if let (Ok(text), Ok(file)) = (fs::read_to_string(&counts), path.metadata())
            && let Some((messages, payload)) = text.trim().split_once(' ')
            && let (Ok(messages), Ok(payload)) = (messages.parse(), payload.parse())
        {
            return Ok(Self { path, contents: Contents { bytes: file.len(), messages, payload } });
        }
        // A run that is interrupted leaves a file of another name, which no later run reads.
        let part = path.with_extension(format!("part-{}", std::process::id()));
        let contents = generate(BufWriter::with_capacity(1 << 16, File::create(&part)?))?;
        fs::rename(&part, &path)?;
        fs::write(counts, format!("{} {}", contents.messages, contents.payload))?;
        Ok(Self { path, contents })
    }
}

/// Returns the folder of the captures: within the target directory, so that `cargo clean` deletes
/// it.
fn folder() -> anyhow::Result<PathBuf> {
    let binary = std::env::current_exe()?;
    let folder = binary.parent().context("the binary has no folder")?.join("bench-captures");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
