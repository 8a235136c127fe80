//! The lines of the engine and the protocols that the committed seeds reach.
//!
//! No fuzzer takes part: this command builds itself again with counters in the code
//! (`-C instrument-coverage`), and that program calls each target with its seeds. LLVM's tools then
//! say which lines were reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use enjamb_fuzz::Target;
use enjamb_fuzz::seeds::{files, folder};

use crate::conversations::root;
use crate::libfuzzer::{PLATFORM, succeed, without_own_cargo};
use crate::trying::inputs_of;

/// The crates whose lines count, unless others are named.
pub(crate) const CRATES: [&str; 2] = ["enjamb", "enjamb-protocols"];

/// Calls targets with their seeds and their mended findings. The program with counters does this.
pub(crate) fn call_seeds(targets: &[&Target]) -> Result<()> {
    for target in targets {
        inputs_of(target)?.iter().for_each(|input| (target.run)(input));
        let findings = folder().join("findings").join(target.name);
        if findings.is_dir() {
            files(&findings)?.iter().for_each(|(_, input)| (target.run)(input));
        }
    }
    Ok(())
}

/// Prints the coverage of each file of `crates` and of all of them. With `missed`, prints the lines
/// that no seed reaches, too. Returns whether each crate has at least `least` percent.
pub(crate) fn print(targets: &[&Target], crates: &[String], missed: bool, least: f64) -> Result<bool> {
    let tools = Tools::find()?;
    let place = folder().join("target/coverage");
    let program = build(&place)?;
    let raw = place.join("seeds.profraw");
    let mut command = Command::new(&program);
    command.arg("call-seeds").args(targets.iter().map(|target| target.name)).env("LLVM_PROFILE_FILE", &raw);
    succeed(&mut command)?;
    let profile = place.join("seeds.profdata");
    succeed(Command::new(&tools.profdata).args(["merge", "-sparse"]).arg(&raw).arg("-o").arg(&profile))?;
    let mut command = Command::new(&tools.cov);
    command.args(["export", "-format=lcov"]).arg(format!("-instr-profile={}", profile.display())).arg(&program);
    let lines = parse(&String::from_utf8_lossy(&succeed(&mut command)?));
    let root = root().canonicalize()?;
    let mut held = true;
    for name in crates {
        let sources = root.join("crates").join(name).join("src");
        let mut total = Count::default();
        for (path, lines) in &lines {
            let Ok(file) = path.strip_prefix(&sources) else { continue };
            let count = Count::of(lines);
            total.add(count);
            println!("{count} {name}/{}", file.display());
            if missed && count.reached < count.lines {
                println!("{:21} {}", "", ranges(lines));
            }
        }
        if total.lines == 0 {
            bail!("no target reaches a line of {}", sources.display());
        }
        println!("{total} {name}\n");
        held &= total.percent() >= least;
    }
    Ok(held)
}

/// Builds this program with counters, and returns its path.
fn build(place: &Path) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--package", "enjamb-fuzzer", "--target", PLATFORM, "--target-dir"]).arg(place);
    without_own_cargo(&mut command);
    // With a platform, the flags do not apply to build scripts.
    command.env("RUSTFLAGS", "-C instrument-coverage").env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0").current_dir(root());
    succeed(&mut command)?;
    Ok(place.join(PLATFORM).join("debug/enjamb-fuzzer"))
}

/// The tools of LLVM that read the counters.
struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

impl Tools {
    /// Finds the tools of the Rust toolchain, or those of an LLVM of the same version.
    fn find() -> Result<Self> {
        let mut command = Command::new("rustc");
        without_own_cargo(&mut command);
        let version = String::from_utf8(succeed(command.args(["--version", "--verbose"]).current_dir(root()))?)?;
        let major = major(&version).context("rustc tells no version of LLVM")?;
        let mut command = Command::new("rustc");
        without_own_cargo(&mut command);
        let libraries = String::from_utf8(succeed(command.args(["--print", "target-libdir"]).current_dir(root()))?)?;
        let own = Path::new(libraries.trim()).with_file_name("bin");
        let places = [own.join("llvm-{}"), format!("llvm-{{}}-{major}").into(), "llvm-{}".into()];
        for place in places {
            let tool = |name| PathBuf::from(place.to_string_lossy().replace("{}", name));
            let tools = Self { profdata: tool("profdata"), cov: tool("cov") };
            let is_found = |tool: &Path| {
                Command::new(tool)
                    .arg("--version")
                    .output()
                    .is_ok_and(|output| self::major(&String::from_utf8_lossy(&output.stdout)) == Some(major))
            };
            if is_found(&tools.profdata) && is_found(&tools.cov) {
                return Ok(tools);
            }
        }
        bail!(
            "coverage needs llvm-profdata and llvm-cov of LLVM {major}. Install one of these:\n  \
             rustup component add llvm-tools\n  apt-get install llvm-{major}"
        )
    }
}

/// Returns the major version of LLVM in the text that a program prints about itself.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("LLVM version")?;
    version.trim_start_matches([':', ' ']).split('.').next()?.trim().parse().ok()
}

/// The lines of a file with code, and how often each was reached.
type Lines = BTreeMap<usize, u64>;

/// Reads a report in the format of `lcov`.
fn parse(report: &str) -> BTreeMap<PathBuf, Lines> {
    let mut files: BTreeMap<PathBuf, Lines> = BTreeMap::new();
    let mut file = PathBuf::new();
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = path.into();
        } else if let Some((number, count)) = line.strip_prefix("DA:").and_then(|line| line.split_once(','))
            && let (Ok(number), Ok(count)) = (number.parse(), count.parse::<u64>())
        {
            *files.entry(file.clone()).or_default().entry(number).or_default() += count;
        }
    }
    files
}

/// How many lines were reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    reached: usize,
    lines: usize,
}

impl Count {
    fn of(lines: &Lines) -> Self {
        Self { reached: lines.values().filter(|count| **count > 0).count(), lines: lines.len() }
    }

    fn add(&mut self, other: Self) {
        self.reached += other.reached;
        self.lines += other.lines;
    }

    fn percent(self) -> f64 {
        self.reached as f64 * 100.0 / (self.lines.max(1)) as f64
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:6.1} % {:5}/{:<5}", self.percent(), self.reached, self.lines)
    }
}

/// Returns the lines that were not reached, as ranges.
fn ranges(lines: &Lines) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut was_missed = false;
    for (&line, &count) in lines {
        match ranges.last_mut().filter(|_| was_missed) {
            Some((_, end)) if count == 0 => *end = line,
            _ if count == 0 => ranges.push((line, line)),
            _ => {}
        }
        was_missed = count == 0;
    }
    let text = |(start, end): (usize, usize)| if start == end { start.to_string() } else { format!("{start}-{end}") };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_gives_the_lines_of_each_file_that_were_missed() {
        let files = parse(
            "SF:/a.rs\nFN:1,f\nDA:1,2\nDA:2,0\nDA:3,0\nDA:5,0\nDA:7,1\nDA:9,0\nend_of_record\nSF:/b.rs\nDA:1,1\n",
        );
        let lines = &files[Path::new("/a.rs")];
        assert_eq!(ranges(lines), "2-5 9");
        assert_eq!(Count::of(lines), Count { reached: 2, lines: 6 });
        assert_eq!(Count::of(lines).to_string(), "  33.3 %     2/6    ");
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn rustc_and_the_tools_tell_the_version_of_llvm() {
        assert_eq!(major("rustc 1.95.0\nhost: x\nLLVM version: 22.1.2\n"), Some(22));
        assert_eq!(major("Debian LLVM version 14.0.6\n"), Some(14));
        assert_eq!(major("LLVM (http://llvm.org/):\n  LLVM version 22.1.2-rust-1.95.0-stable\n"), Some(22));
        assert_eq!(major("nothing"), None);
    }
}
