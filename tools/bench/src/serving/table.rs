//! Prints the results of servers as a table in Markdown. A ratio above 1 says that enjamb is better
//! by so much.

use std::io::{self, Write};

use super::load::{Measured, Unit};
use super::server::Server;
use crate::measure::median;

pub(crate) fn write(
    name: &str,
    unit: Unit,
    results: &[(&Server, Vec<Measured>)],
    out: &mut impl Write,
) -> io::Result<()> {
    let title = match unit {
        Unit::RequestsPerSecond => "requests/s",
        Unit::MegabytesPerSecond => "MB/s",
        Unit::BytesPerConnection => "bytes/conn",
    };
    let (value, processor) = (|it: &Measured| it.value, |it: &Measured| it.processor_us);
    // More is better, or less.
    let value_ratio =
        |theirs: f64, ours: f64| if unit == Unit::BytesPerConnection { theirs / ours } else { ours / theirs };
    let ours = results.first().map(|(_, ours)| ours.clone()).unwrap_or_default();
    writeln!(out, "### {name}\n")?;
    writeln!(
        out,
        "| {:<24} | {title:>10} | {:>10} | {:>10} | {:>10} | work",
        "contestant", "ratio", "us/request", "ratio"
    )?;
    writeln!(out, "|--------------------------|-----------:|-----------:|-----------:|-----------:|---")?;
    for (index, (server, values)) in results.iter().enumerate() {
        let of = |get: fn(&Measured) -> f64| median(values.iter().map(get).collect());
        let ratio = |get: fn(&Measured) -> f64, ratio: &dyn Fn(f64, f64) -> f64| {
            let ratios = values.iter().zip(&ours).map(|(theirs, ours)| ratio(get(theirs), get(ours)));
            let ratio = median(ratios.collect());
            if index == 0 || !ratio.is_finite() { String::new() } else { format!("{ratio:.2} x") }
        };
        let processor_us = of(processor);
        writeln!(
            out,
            "| {:<24} | {:>10.0} | {:>10} | {:>10} | {:>10} | {}",
            server.name,
            of(value),
            ratio(value, &value_ratio),
            if processor_us.is_finite() { format!("{processor_us:.2}") } else { String::new() },
            ratio(processor, &|theirs, ours| theirs / ours),
            server.work,
        )?;
    }
    writeln!(out)?;
    out.flush()
}
