//! What is printed: a table for each row, which is Markdown too.

use std::io::{self, Write};

use crate::measure::Measured;

pub(crate) fn write(Measured { name, results }: &Measured, out: &mut impl Write) -> io::Result<()> {
    let bytes = results.first().map_or(0, |ours| ours.bytes);
    writeln!(out, "### {name}\n")?;
    writeln!(
        out,
        "| {:<24} | {:>9} | {:>9} | {:>10} | {:>10} | what it does",
        "", "MB/s", "best", "enjamb is", "at best"
    )?;
    writeln!(out, "|--------------------------|----------:|----------:|-----------:|-----------:|---")?;
    for (index, result) in results.iter().enumerate() {
        let ratio = |ratio| if index == 0 { String::new() } else { times(ratio) };
        write!(
            out,
            "| {:<24} | {:>9} | {:>9} | {:>10} | {:>10} | {}",
            result.name,
            rate(result.median),
            rate(result.best),
            ratio(result.slower),
            ratio(result.slower_at_best),
            result.does,
        )?;
        if result.bytes < bytes {
            write!(out, "; the first {} KB", result.bytes / 1000)?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    out.flush()
}

pub(crate) fn rate(megabytes: f64) -> String {
    let digits = if megabytes < 1.0 { 3 } else { usize::from(megabytes < 100.0) };
    format!("{megabytes:.digits$}")
}

fn times(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 2 } else { 0 };
    format!("{ratio:.digits$} x")
}
