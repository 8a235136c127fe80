//! Prints a row's result as a table in Markdown.

use std::io::{self, Write};

use crate::measure::RowResult;

pub(crate) fn write(RowResult { name, contestants }: &RowResult, out: &mut impl Write) -> io::Result<()> {
    let input_bytes = contestants.first().map_or(0, |ours| ours.input_bytes);
    writeln!(out, "### {name}\n")?;
    writeln!(
        out,
        "| {:<24} | {:>9} | {:>9} | {:>10} | {:>10} | work",
        "contestant", "MB/s", "best MB/s", "time ratio", "best ratio"
    )?;
    writeln!(out, "|--------------------------|----------:|----------:|-----------:|-----------:|---")?;
    for (index, result) in contestants.iter().enumerate() {
        let ratio = |ratio| if index == 0 { String::new() } else { format_ratio(ratio) };
        write!(
            out,
            "| {:<24} | {:>9} | {:>9} | {:>10} | {:>10} | {}",
            result.name,
            format_rate(result.median_rate),
            format_rate(result.best_rate),
            ratio(result.median_ratio),
            ratio(result.best_ratio),
            result.work,
        )?;
        if result.input_bytes < input_bytes {
            write!(out, "; the first {} KB only", result.input_bytes / 1000)?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    out.flush()
}

pub(crate) fn format_rate(megabytes: f64) -> String {
    let digits = if megabytes < 1.0 { 3 } else { usize::from(megabytes < 100.0) };
    format!("{megabytes:.digits$}")
}

fn format_ratio(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 2 } else { 0 };
    format!("{ratio:.digits$} x")
}
