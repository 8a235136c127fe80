//! The programs of the targets under libFuzzer: how they are built and called.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};
use enjamb_fuzz::Target;
use enjamb_fuzz::seeds::folder;

/// The platform of the programs.
pub(crate) const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The maximum length of an input, in bytes.
pub(crate) const INPUT_MAX: usize = 1024;

/// A build of the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sanitizer {
    /// Without a sanitizer: several times faster.
    None,
    /// With `AddressSanitizer`: it checks the unsafe code of dependencies.
    Address,
}

impl Sanitizer {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Address => "address",
        }
    }
}

/// Builds targets. Each kind of build has its own folder, so that one does not rebuild the other.
pub(crate) fn build(targets: &[&Target], sanitizer: Sanitizer) -> Result<()> {
    // One call builds all targets much faster than a call for each.
    let names: Vec<Option<&str>> = match targets {
        [target] => vec![Some(target.name)],
        _ => vec![None],
    };
    for name in names {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "build", "--sanitizer", sanitizer.name(), "--target-dir"]);
        command.arg(build_folder(sanitizer)).args(name).current_dir(folder());
        without_own_cargo(&mut command);
        let status = command.status().with_context(|| format!("{command:?}"))?;
        if !status.success() {
            bail!("{command:?} failed. It needs: cargo install --locked cargo-fuzz; rustup toolchain install nightly");
        }
    }
    Ok(())
}

/// Removes the variables that `cargo run` sets for this program. A cargo that it calls must not use
/// them.
pub(crate) fn without_own_cargo(command: &mut Command) {
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
        command.env_remove(name);
    }
}

fn build_folder(sanitizer: Sanitizer) -> PathBuf {
    folder().join("target").join(sanitizer.name())
}

/// Returns the command that calls a target's program.
pub(crate) fn program(target: &Target, sanitizer: Sanitizer) -> Command {
    let path = build_folder(sanitizer).join(PLATFORM).join("release").join(target.name);
    let mut command = Command::new(path);
    command.arg(format!("-max_len={INPUT_MAX}")).stdin(Stdio::null());
    command
}

/// Calls a program, and returns its output.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("{command:?}"))
}

/// Calls a program that must succeed, and returns what it writes to its standard output.
pub(crate) fn succeed(command: &mut Command) -> Result<Vec<u8>> {
    let output = output(command)?;
    if !output.status.success() {
        bail!("{command:?} failed\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// Returns the folder of the growing corpus of a target, which is not committed.
pub(crate) fn corpus(target: &Target) -> Result<PathBuf> {
    made(&folder().join("corpus").join(target.name))
}

/// Returns the folder of the crashes of a target.
pub(crate) fn artifacts(target: &Target) -> Result<PathBuf> {
    made(&folder().join("artifacts").join(target.name))
}

fn made(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
    Ok(path.to_owned())
}
