//! The targets under libFuzzer: long runs, smaller inputs, smaller corpora, coverage.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use enjamb_fuzz::Target;
use enjamb_fuzz::driver::group;
use enjamb_fuzz::seeds::folder;

use crate::trying::targets;

/// The platform of the programs, and their folder.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// A build of the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sanitizer {
    /// Without a sanitizer: for depth.
    None,
    /// With `AddressSanitizer`: for a look at the code of dependencies.
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

fn build_folder(sanitizer: Sanitizer) -> PathBuf {
    folder().join("target").join(sanitizer.name())
}

fn program(target: &Target, sanitizer: Sanitizer) -> PathBuf {
    build_folder(sanitizer).join(PLATFORM).join("release").join(target.name)
}

/// Builds targets.
pub(crate) fn build(names: &[String], sanitizer: Sanitizer) -> Result<()> {
    let each = if names.is_empty() { vec![None] } else { names.iter().map(Some).collect() };
    for name in each {
        let mut command = cargo_fuzz();
        command.args(["build", "--sanitizer", sanitizer.name(), "--target-dir"]).arg(build_folder(sanitizer));
        command.args(name);
        succeed(command)?;
    }
    Ok(())
}

fn cargo_fuzz() -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz"]).current_dir(folder());
    // Those of the command that runs this one.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}

fn succeed(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

/// Runs targets one after the other, for a time each, with a corpus that grows. Prints the findings in
/// groups. Returns whether there are none.
pub(crate) fn run(names: &[String], seconds: u64, sanitizer: Sanitizer) -> Result<bool> {
    build(names, sanitizer)?;
    let mut held = true;
    for target in targets(names)? {
        let corpus = folder().join("corpus").join(target.name);
        let artifacts = folder().join("artifacts").join(target.name);
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&artifacts)?;
        let mut command = Command::new(program(target, sanitizer));
        command.args(["-max_len=1024", "-print_final_stats=1", "-timeout=10"]);
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
        if !target.dictionary.is_empty() {
            command.arg(format!("-dict={}/dictionaries/{}.dict", folder().display(), target.name));
        }
        command.arg(&corpus).arg(folder().join("seeds").join(target.name));
        let findings = folder().join("findings").join(target.name);
        if findings.is_dir() {
            command.arg(findings);
        }
        let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
        let log = String::from_utf8_lossy(&output.stderr);
        let statistic = |name: &str| {
            let line = log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.map_or("?", |number| number.trim_start_matches(':').trim()).to_owned()
        };
        let (executions, rate) = (statistic("number_of_executed_units"), statistic("average_exec_per_sec"));
        let verdict = if output.status.success() { "holds" } else { "FAILED" };
        println!("{:16} {verdict}: {executions} executions, {rate} a second", target.name);
        if !output.status.success() {
            held = false;
            let message =
                log.split("panicked at ").nth(1).and_then(|text| text.split_once('\n')).map_or("", |(_, text)| text);
            println!("  {}\n{:.3000}", group(message), message);
            println!("  the input is in {}", artifacts.display());
        }
    }
    Ok(held)
}

/// Leaves only those inputs in the corpora that reach something new, and adds the seeds.
pub(crate) fn merge(names: &[String]) -> Result<()> {
    build(names, Sanitizer::None)?;
    for target in targets(names)? {
        let corpus = folder().join("corpus").join(target.name);
        let merged = folder().join("corpus").join(format!("{}.merged", target.name));
        std::fs::create_dir_all(&corpus)?;
        let _ = std::fs::remove_dir_all(&merged);
        std::fs::create_dir_all(&merged)?;
        let mut command = Command::new(program(target, Sanitizer::None));
        command
            .args(["-merge=1", "-max_len=1024"])
            .arg(&merged)
            .arg(folder().join("seeds").join(target.name))
            .arg(&corpus);
        succeed_quietly(command)?;
        std::fs::remove_dir_all(&corpus)?;
        std::fs::rename(&merged, &corpus)?;
        println!("{:16} {} inputs", target.name, std::fs::read_dir(&corpus)?.count());
    }
    Ok(())
}

fn succeed_quietly(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Prints the coverage of lines per file, reached by the seeds alone. It needs the component
/// `llvm-tools` of the nightly toolchain.
pub(crate) fn coverage(names: &[String]) -> Result<()> {
    let sysroot = Command::new("rustc").args(["+nightly", "--print", "sysroot"]).output()?;
    let tools =
        Path::new(String::from_utf8_lossy(&sysroot.stdout).trim()).join("lib/rustlib").join(PLATFORM).join("bin");
    if !tools.join("llvm-profdata").is_file() {
        bail!("the nightly toolchain has no llvm-profdata: rustup +nightly component add llvm-tools");
    }
    for target in targets(names)? {
        let mut command = cargo_fuzz();
        command.args(["coverage", target.name]).arg(folder().join("seeds").join(target.name));
        succeed_quietly(command)?;
        let program =
            folder().join("target").join(PLATFORM).join("coverage").join(PLATFORM).join("release").join(target.name);
        let profile = folder().join("coverage").join(target.name).join("coverage.profdata");
        let report = Command::new(tools.join("llvm-cov"))
            .args(["report", "--ignore-filename-regex=(registry|rustc|fuzz)/"])
            .arg(program)
            .arg(format!("-instr-profile={}", profile.display()))
            .output()?;
        println!("{}\n{}", target.name, String::from_utf8_lossy(&report.stdout));
    }
    Ok(())
}
