//! Prints the results of servers as a table in Markdown.

use std::io::{self, Write};

use super::server::Server;
use crate::measure::median;

/// What a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    RequestsPerSecond,
    MegabytesPerSecond,
    /// Resident memory for each connection.
    BytesPerConnection,
}

pub(crate) fn write(name: &str, unit: Unit, results: &[(&Server, Vec<f64>)], out: &mut impl Write) -> io::Result<()> {
    let (title, ratio) = match unit {
        Unit::RequestsPerSecond => ("requests/s", "enjamb is faster by"),
        Unit::MegabytesPerSecond => ("MB/s", "enjamb is faster by"),
        Unit::BytesPerConnection => ("bytes/conn", "enjamb takes less by"),
    };
    writeln!(out, "### {name}\n")?;
    writeln!(out, "| {:<24} | {title:>10} | {:>10} | {ratio:>20} | work", "contestant", "best")?;
    writeln!(out, "|--------------------------|-----------:|-----------:|---------------------:|---")?;
    let ours = results.first().map(|(_, ours)| ours.clone()).unwrap_or_default();
    for (index, (server, values)) in results.iter().enumerate() {
        let best = match unit {
            Unit::RequestsPerSecond | Unit::MegabytesPerSecond => values.iter().copied().fold(0.0, f64::max),
            Unit::BytesPerConnection => values.iter().copied().fold(f64::INFINITY, f64::min),
        };
        let ratios = values.iter().zip(&ours).map(|(theirs, ours)| match unit {
            Unit::RequestsPerSecond | Unit::MegabytesPerSecond => ours / theirs,
            Unit::BytesPerConnection => theirs / ours,
        });
        let ratio = if index == 0 { String::new() } else { format!("{:.2} x", median(ratios.collect())) };
        writeln!(
            out,
            "| {:<24} | {:>10.0} | {best:>10.0} | {ratio:>20} | {}",
            server.name,
            median(values.clone()),
            server.work,
        )?;
    }
    writeln!(out)?;
    out.flush()
}
