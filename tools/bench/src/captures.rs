//! The group `captures`: speed of reading capture files.
//!
//! Contestants are processes. The table shows the time from start to end, the processor time and
//! the peak memory of each. enjamb runs as a process too: this binary, started again. `replay` runs
//! `enjamb replay`; `reassemble` only reassembles the streams.
//!
//! The captures are [generated](mod@generate) once and kept beside the build. Contestants read them
//! from the page cache: each has run once before a run counts.

mod cache;
mod contestants;
mod counts;
mod generate;
pub(crate) mod memory;
mod process;
mod reassemble;
mod traffic;

use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::ensure;
use enjamb::Side;

pub(crate) use self::contestants::libraries_program;
use crate::captures::cache::Capture;
use crate::captures::counts::Counts;
use crate::captures::process::{Process, Usage};
use crate::captures::traffic::{Http, Redis, Traffic};
use crate::measure::median;
use crate::report::format_rate;
use crate::scale::Scale;

/// A capture with generated traffic of one protocol.
pub(crate) struct CaptureRow {
    pub(crate) name: &'static str,
    /// The beginning of the file's name.
    file: &'static str,
    /// enjamb's name for the protocol.
    protocol: &'static str,
    /// Fields of the protocol's messages that `tshark` prints.
    tshark_fields: [&'static str; 2],
    traffic: fn() -> Box<dyn Traffic>,
}

pub(crate) const ROWS: [CaptureRow; 2] = [
    CaptureRow {
        name: "HTTP/1.1, 2000 keep-alive connections",
        file: "http",
        protocol: "http1",
        tshark_fields: ["http.request.method", "http.response.code"],
        traffic: || Box::new(Http),
    },
    CaptureRow {
        name: "Redis, 2000 connections, up to 31 pipelined commands",
        file: "redis",
        protocol: "redis",
        tshark_fields: ["resp.bulk_string.value", "resp.error"],
        traffic: || Box::new(Redis),
    },
];

/// The maximum number of rounds of any contestant: a run takes about a second.
const ROUNDS_MAX: u32 = 7;

/// The maximum number of rounds of a slow contestant.
const SLOW_ROUNDS_MAX: u32 = 2;

/// The divisor for the size of the capture that a slow contestant reads.
const SLOW_DIVISOR: u64 = 10;

/// Runs this binary as one of the contestants, if its first argument names one.
pub(crate) fn run_subprocess() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        "replay" => Some(enjamb_cli::Program::new("enjamb", env!("CARGO_PKG_VERSION")).run()),
        "reassemble" => Some(reassemble::run(&arguments.next()?)),
        _ => None,
    }
}

/// Measures a row, and prints its table.
pub(crate) fn measure(row: &CaptureRow, scale: Scale, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    let large = Capture::open(row.file, &mut *(row.traffic)(), scale.capture_bytes)?;
    let small = Capture::open(row.file, &mut *(row.traffic)(), scale.capture_bytes / SLOW_DIVISOR)?;
    check_enjamb(&large, row.protocol)?;
    let contestants = contestants::installed(row.name, row.protocol, &row.tshark_fields)?;
    let capture = |contestant: &Process| if contestant.slow { &small } else { &large };
    let miscounts: Vec<_> =
        contestants.iter().map(|contestant| contestant.miscount(capture(contestant))).collect::<Result<_, _>>()?;
    let mut runs: Vec<Vec<Usage>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds.min(ROUNDS_MAX) {
        for (contestant, runs) in contestants.iter().zip(&mut runs) {
            if contestant.slow && round > SLOW_ROUNDS_MAX {
                continue;
            }
            let usage = contestant.run(&capture(contestant).path)?;
            // The first run only brings the capture into the page cache.
            if round > 0 {
                runs.push(usage);
            }
        }
    }
    let contents = large.contents;
    writeln!(
        out,
        "### {}\n\n{} million bytes, {} messages\n",
        row.name,
        contents.bytes / 1_000_000,
        contents.messages
    )?;
    writeln!(
        out,
        "| {:<20} | {:>9} | {:>12} | {:>9} | {:>10} | {:>10} | work",
        "contestant", "MB/s", "MB per CPU s", "peak, MiB", "time ratio", "CPU ratio"
    )?;
    writeln!(out, "|----------------------|----------:|-------------:|----------:|-----------:|-----------:|---")?;
    for (((contestant, theirs), miscount), index) in contestants.iter().zip(&runs).zip(&miscounts).zip(0..) {
        let bytes = capture(contestant).contents.bytes as f64;
        let ratio = |time: fn(&Usage) -> Duration| {
            if index == 0 {
                return String::new();
            }
            let per_byte = |usage: &Usage, bytes: f64| time(usage).as_secs_f64() / bytes;
            let rounds = theirs.iter().zip(&runs[0]);
            let ratios = rounds.map(|(theirs, ours)| per_byte(theirs, bytes) / per_byte(ours, contents.bytes as f64));
            format!("{:.2} x", median(ratios.collect()))
        };
        let rate = |time: fn(&Usage) -> Duration| {
            format_rate(bytes / 1e6 / median(theirs.iter().map(|usage| time(usage).as_secs_f64()).collect()))
        };
        let memory = theirs.iter().map(|usage| usage.memory_bytes).max().unwrap_or_default();
        write!(
            out,
            "| {:<20} | {:>9} | {:>12} | {:>9} | {:>10} | {:>10} | {}",
            contestant.name,
            rate(|usage| usage.wall),
            rate(|usage| usage.processor),
            memory.div_ceil(1 << 20),
            ratio(|usage| usage.wall),
            ratio(|usage| usage.processor),
            contestant.work
        )?;
        if contestant.slow {
            write!(out, "; a capture of {} KB", small.contents.bytes / 1000)?;
        }
        if let Some(miscount) = miscount {
            write!(out, "; {miscount}")?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Checks that enjamb finds everything in the capture: without that, speed means nothing.
fn check_enjamb(capture: &Capture, protocol: &str) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args(["replay", "--summary", "--format", "jsonl", "--protocol", protocol])
        .arg(&capture.path)
        .output()?;
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let count = |side: Side| summary[side.as_str()]["messages"].as_u64().unwrap_or_default();
    let found = count(Side::Client) + count(Side::Server);
    let expected = capture.contents.messages;
    ensure!(found == expected, "enjamb found {found} messages, but the capture has {expected}");
    let output = Command::new(std::env::current_exe()?).arg("reassemble").arg(&capture.path).output()?;
    let Counts { found, expected, unit } = Counts::parse(&output.stdout, &capture.contents)?;
    ensure!(found == expected, "enjamb found {found} {unit}, but the capture has {expected}");
    Ok(())
}
