//! Long runs under libFuzzer, with a corpus that grows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use enjamb_fuzz::Target;
use enjamb_fuzz::driver::group;
use enjamb_fuzz::seeds::folder;

use crate::libfuzzer::{Sanitizer, artifacts, build, corpus, output, program};

/// The maximum number of crashes of a target, after which its run ends.
const CRASHES_MAX: usize = 10;

/// Runs targets one after the other, for a time each. Prints the crashes in groups. Returns whether
/// there are none.
pub(crate) fn run(targets: &[&Target], seconds: u64, sanitizer: Sanitizer) -> Result<bool> {
    build(targets, sanitizer)?;
    let (mut executions, mut crashes) = (0, 0);
    for target in targets {
        let run = run_one(target, Duration::from_secs(seconds), sanitizer)?;
        executions += run.executions;
        crashes += run.crashes.values().map(Vec::len).sum::<usize>();
        run.print(target);
    }
    println!("{} targets: {executions} executions, {crashes} crashes", targets.len());
    Ok(crashes == 0)
}

/// The result of a run of a target.
#[derive(Default)]
struct Run {
    executions: u64,
    time: Duration,
    /// The messages of crashes, by what they violate.
    crashes: BTreeMap<String, Vec<String>>,
}

impl Run {
    fn print(&self, target: &Target) {
        let seconds = self.time.as_secs_f64();
        let rate = self.executions as f64 / seconds.max(1.0);
        let verdict = if self.crashes.is_empty() { "holds" } else { "FAILED" };
        println!("{:16} {verdict}: {} executions in {seconds:.0} s, {rate:.0} a second", target.name, self.executions);
        for (group, messages) in &self.crashes {
            println!("  {} of: {group}", messages.len());
            // The shortest one is the easiest to read.
            if let Some(message) = messages.iter().min_by_key(|message| message.len()) {
                message.lines().take(40).for_each(|line| println!("    {line:.300}"));
            }
        }
    }
}

/// Runs a target. libFuzzer ends with the first crash, so it is called again for the time that is
/// left.
fn run_one(target: &Target, time: Duration, sanitizer: Sanitizer) -> Result<Run> {
    let start = Instant::now();
    let (corpus, artifacts) = (corpus(target)?, artifacts(target)?);
    let mut run = Run::default();
    let mut crashes = 0;
    while crashes < CRASHES_MAX {
        // libFuzzer takes 0 for "without an end".
        let left = time.saturating_sub(start.elapsed()).as_secs();
        if left == 0 {
            break;
        }
        let mut command = program(target, sanitizer);
        command.args(["-print_final_stats=1", "-timeout=10"]);
        command.arg(format!("-max_total_time={left}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
        if !target.dictionary.is_empty() {
            command.arg(format!("-dict={}/dictionaries/{}.dict", folder().display(), target.name));
        }
        command.arg(&corpus).arg(folder().join("seeds").join(target.name));
        let findings = folder().join("findings").join(target.name);
        if findings.is_dir() {
            command.arg(findings);
        }
        let output = output(&mut command)?;
        let log = String::from_utf8_lossy(&output.stderr);
        run.executions += executions(&log);
        if output.status.success() {
            break;
        }
        crashes += 1;
        let message = message(&log);
        run.crashes.entry(group(&message)).or_default().push(message);
    }
    run.time = start.elapsed();
    Ok(run)
}

/// Returns the number of executions that libFuzzer printed.
fn executions(log: &str) -> u64 {
    let line = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Returns the message of a panic, or the error that libFuzzer or a sanitizer printed, and the file
/// of the input.
fn message(log: &str) -> String {
    let panic = log.split("panicked at ").nth(1).and_then(|text| text.split_once('\n'));
    let text = panic.map(|(_, text)| text.split("\nnote: run with ").next().unwrap_or(text));
    let error = || log.lines().find_map(|line| line.split_once("ERROR: ")).map(|(_, error)| error);
    let message = text.or_else(error).unwrap_or("it ended without a message");
    let message = message.split("\n==").next().unwrap_or(message).trim_end();
    let file = log.lines().find_map(|line| line.split_once("Test unit written to ")).map_or("none", |(_, file)| file);
    format!("{message:.4000}\nthe input: {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_has_the_message_of_its_panic_and_the_file_of_its_input() {
        let log = "INFO: Seed: 1\n\nthread '<unnamed>' panicked at src/x.rs:1:2:\nthe split law is broken\n  a: 17\n\
                   note: run with `RUST_BACKTRACE=1`\n==12== ERROR: libFuzzer: deadly signal\n\
                   stat::number_of_executed_units: 4711\nartifact_prefix='a/'; Test unit written to a/crash-1\n";
        assert_eq!(message(log), "the split law is broken\n  a: 17\nthe input: a/crash-1");
        assert_eq!(executions(log), 4711);
    }

    #[test]
    fn a_crash_without_a_panic_has_the_error_of_libfuzzer() {
        let log = "==12== ERROR: libFuzzer: timeout after 11 seconds\nTest unit written to a/timeout-1\n";
        assert_eq!(message(log), "libFuzzer: timeout after 11 seconds\nthe input: a/timeout-1");
        assert_eq!(group(&message(log)), "libFuzzer: timeout after # seconds");
        assert_eq!(message("killed"), "it ended without a message\nthe input: none");
    }
}
