//! The group `memory`: the peak memory of captures with very many connections.
//!
//! There is no peer to compare with. These rows show that memory is bounded.

use std::io::{self, Write};

use anyhow::ensure;

use crate::captures::cache::Capture;
use crate::captures::generate::{generate_open, generate_syns};
use crate::captures::process::Process;
use crate::captures::traffic::{Http, Redis, Traffic};
use crate::measure::median;
use crate::scale::Scale;

/// A capture of many connections.
pub(crate) struct MemoryRow {
    pub(crate) name: &'static str,
    /// The beginning of the file's name.
    file: &'static str,
    connections: u64,
    /// The messages on each connection. `None`: each is a SYN and nothing else.
    traffic: Option<fn() -> Box<dyn Traffic>>,
}

pub(crate) const ROWS: [MemoryRow; 3] = [
    MemoryRow {
        name: "HTTP/1.1, 200000 connections that stay open",
        file: "http-open",
        connections: 200_000,
        traffic: Some(|| Box::new(Http)),
    },
    MemoryRow {
        name: "Redis, 200000 connections that stay open",
        file: "redis-open",
        connections: 200_000,
        traffic: Some(|| Box::new(Redis)),
    },
    MemoryRow { name: "1000000 SYNs without an answer", file: "syns", connections: 1_000_000, traffic: None },
];

/// The maximum number of runs: the peak varies little.
const ROUNDS_MAX: u32 = 3;

/// Measures a row, and prints its lines of the table.
pub(crate) fn measure(row: &MemoryRow, scale: Scale, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    let connections = row.connections / scale.connections_divisor;
    let capture = Capture::open_or(&format!("{}-{connections}", row.file), |file| match row.traffic {
        Some(traffic) => generate_open(&mut *traffic(), connections, file),
        None => generate_syns(connections, file),
    })?;
    let process = |name, arguments: &[&'static str]| -> anyhow::Result<Process> {
        let program = std::env::current_exe()?.into();
        Ok(Process { name, work: "", program, arguments: arguments.to_vec(), slow: false, prints_counts: false })
    };
    let reassembly = process("enjamb, reassembly", &["reassemble", "{}"])?;
    let counted = Process { prints_counts: true, ..process("enjamb, reassembly", &["reassemble", "{}"])? };
    if let Some(miscount) = counted.miscount(&capture)? {
        ensure!(false, "{}: {miscount}", row.name);
    }
    for contestant in [process("enjamb replay", &["replay", "--summary", "-j", "1", "{}"])?, reassembly] {
        let mut peaks = Vec::new();
        for _ in 0..rounds.min(ROUNDS_MAX) {
            peaks.push(contestant.run(&capture.path)?.memory_bytes as f64 / f64::from(1 << 20));
        }
        let highest = peaks.iter().copied().fold(0.0, f64::max);
        let name = contestant.name;
        writeln!(out, "| {:<44} | {name:<20} | {:>12.1} | {highest:>12.1} |", row.name, median(peaks))?;
    }
    Ok(())
}

/// Writes the head of the group's table.
pub(crate) fn write_head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| {:<44} | {:<20} | {:>12} | {:>12} |", "row", "contestant", "peak, MiB", "highest, MiB")?;
    writeln!(out, "|{:-<46}|{:-<22}|{:->13}:|{:->13}:|", "", "", "", "")
}
