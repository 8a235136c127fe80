//! Measures the speed of enjamb and of its peers, on the same bytes and in one run.
//!
//! A *group* measures one thing, such as the speed of finding frames, and has a file of its own. It
//! has *rows*, one per input. In a row every *contestant* reads the whole input and returns its
//! counts, which must match the input. The contestants then run in turns, round after round, so
//! that other load on the machine affects all of them. The report gives medians, and ratios of
//! times from the same round.
//!
//! Compare ratios: absolute numbers of one machine mean little elsewhere.

mod captures;
mod framing;
mod laws;
mod measure;
mod peers;
mod protocols;
mod random;
mod report;
mod scale;
mod serving;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::captures::CaptureRow;
use crate::captures::memory::MemoryRow;
use crate::measure::Row;
use crate::scale::Scale;
use crate::serving::ServingRow;

/// Measures the speed of enjamb beside its peers.
#[derive(Debug, Parser)]
#[command(name = "enjamb-bench")]
struct Arguments {
    /// Measure only this group of rows.
    #[arg(long, value_name = "GROUP")]
    only: Option<String>,

    /// Measure only rows whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    row: Option<String>,

    /// Use small inputs and few rounds: this checks that everything runs, not its speed.
    #[arg(long)]
    quick: bool,

    /// Number of times each contestant runs. Captures run at most 7 times, whole runs of the laws
    /// at most 10.
    #[arg(long, value_name = "COUNT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Draw the plots of the group `tuning` into this folder, as SVG.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,

    /// List groups and rows, and measure nothing.
    #[arg(long)]
    list: bool,
}

/// Rows that measure one thing.
struct Group {
    name: &'static str,
    title: &'static str,
    rows: Rows,
}

/// The rows of a group, by the way they are measured.
enum Rows {
    /// An input in memory, and the contestants that read it.
    Inputs(fn(Scale) -> Vec<Row>),
    /// Names of rows in which laws run over a subject.
    Laws(&'static [&'static str]),
    /// Capture files, which contestants read as processes.
    Captures(&'static [CaptureRow]),
    /// Capture files with many connections, of which the peak memory is measured.
    Memory(&'static [MemoryRow]),
    /// Servers, which clients of others load.
    Servers(&'static [ServingRow]),
    /// Names of questions on the tuning of a server.
    Tuning(&'static [&'static str]),
}

const GROUPS: &[Group] = &[
    Group {
        name: "framing",
        title: "speed of finding and counting the frames of a stream",
        rows: Rows::Inputs(framing::rows),
    },
    Group {
        name: "protocols",
        title: "speed of parsing the messages of a conversation",
        rows: Rows::Inputs(protocols::rows),
    },
    Group {
        name: "captures",
        title: "speed of reading a capture file, from packets to messages",
        rows: Rows::Captures(&captures::ROWS),
    },
    Group {
        name: "memory",
        title: "peak memory of captures with very many connections",
        rows: Rows::Memory(&captures::memory::ROWS),
    },
    Group { name: "laws", title: "time to run the laws over a small codec", rows: Rows::Laws(&laws::ROWS) },
    Group {
        name: "serving",
        title: "requests per second, and memory of connections, of servers with one thread",
        rows: Rows::Servers(&serving::ROWS),
    },
    Group {
        name: "tuning",
        title: "what buffers, text, pushes, tasks and idle connections cost a server",
        rows: Rows::Tuning(&serving::QUESTIONS),
    },
];

/// Rounds of a `--quick` run.
const QUICK_ROUNDS: u32 = 3;

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(code) = captures::run_subprocess().or_else(serving::run_subprocess) {
        return code;
    }
    match run(&Arguments::parse(), &mut io::stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("enjamb-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    let rounds = if arguments.quick { QUICK_ROUNDS } else { arguments.rounds };
    let is_wanted = |group: &&Group| arguments.only.as_deref().is_none_or(|only| only == group.name);
    let mut selected = 0;
    for group in GROUPS.iter().filter(is_wanted) {
        writeln!(out, "## {}: {}\n", group.name, group.title)?;
        let matches = |name: &str| arguments.row.as_deref().is_none_or(|text| name.contains(text));
        match group.rows {
            Rows::Inputs(rows) => {
                for row in rows(scale).into_iter().filter(|row| matches(&row.name)) {
                    selected += 1;
                    if arguments.list {
                        writeln!(out, "{}", row.name)?;
                    } else {
                        report::write(&row.measure(rounds)?, out)?;
                    }
                }
            }
            Rows::Laws(rows) => {
                if !arguments.list {
                    laws::write_head(out)?;
                }
                for row in rows.iter().filter(|row| matches(row)) {
                    selected += 1;
                    if arguments.list {
                        writeln!(out, "{row}")?;
                    } else {
                        laws::measure(row, rounds, out)?;
                    }
                }
                if !arguments.list {
                    writeln!(out)?;
                }
            }
            Rows::Memory(rows) => {
                if !arguments.list {
                    captures::memory::write_head(out)?;
                }
                for row in rows.iter().filter(|row| matches(row.name)) {
                    selected += 1;
                    if arguments.list {
                        writeln!(out, "{}", row.name)?;
                    } else {
                        captures::memory::measure(row, scale, rounds, out)?;
                    }
                }
                if !arguments.list {
                    writeln!(out)?;
                }
            }
            Rows::Servers(rows) => {
                for row in rows.iter().filter(|row| matches(row.name)) {
                    selected += 1;
                    if arguments.list {
                        writeln!(out, "{}", row.name)?;
                    } else {
                        serving::measure(row, scale, rounds, out)?;
                    }
                }
            }
            Rows::Tuning(names) => {
                for name in names.iter().filter(|name| matches(name)) {
                    selected += 1;
                    if arguments.list {
                        writeln!(out, "{name}")?;
                    } else {
                        serving::measure_tuning(name, scale, rounds, arguments.plots.as_deref(), out)?;
                    }
                }
            }
            Rows::Captures(rows) => {
                for row in rows.iter().filter(|row| matches(row.name)) {
                    selected += 1;
                    if arguments.list {
                        writeln!(out, "{}", row.name)?;
                    } else {
                        captures::measure(row, scale, rounds, out)?;
                    }
                }
            }
        }
        if arguments.list {
            writeln!(out)?;
        }
    }
    if selected == 0 {
        eprintln!("enjamb-bench: no row matches; --list prints the names of all groups and rows");
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    Ok(ExitCode::SUCCESS)
}
