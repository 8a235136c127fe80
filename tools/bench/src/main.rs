//! How fast: enjamb and others who do the same, on the same bytes, in one run.
//!
//! A *group* is a question (`framing`: how fast are frames found?) and has a file of its own; it makes *rows*, which are inputs; in a row every
//! *contestant* reads the whole input and says what it found, which must be what is in it. Then they run in turns, round after round, so that whatever
//! else the machine does hits all of them; what is reported are medians, and ratios of what ran in the same round.
//!
//! One machine's numbers say little. The ratios are what to look at.

mod captures;
mod framing;
mod laws;
mod measure;
mod peers;
mod protocols;
mod report;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::measure::Row;

/// Measures enjamb beside its peers.
#[derive(Debug, Parser)]
#[command(name = "enjamb-bench")]
struct Arguments {
    /// Only this group of rows.
    #[arg(long, value_name = "GROUP")]
    only: Option<String>,

    /// Only rows whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    row: Option<String>,

    /// Small inputs and few rounds: whether it runs, and not how fast.
    #[arg(long)]
    quick: bool,

    /// How often each contestant runs.
    #[arg(long, value_name = "COUNT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Name groups and rows, and measure nothing.
    #[arg(long)]
    list: bool,
}

/// How large inputs are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Bytes of a row's input.
    bytes: usize,
    /// Bytes of a capture.
    capture: u64,
}

/// A question, and the rows that answer it.
struct Group {
    name: &'static str,
    asks: &'static str,
    rows: Rows,
}

/// What the rows of a group are.
enum Rows {
    /// An input, and everybody who reads it.
    Read(fn(Scale) -> Vec<Row>),
    /// Laws over subjects, by name.
    Tried(&'static [&'static str]),
    /// Captures, and whoever reads them as a process, by name.
    Processes(&'static [&'static str]),
}

const GROUPS: &[Group] = &[
    Group {
        name: "framing",
        asks: "how fast are the frames of a stream found and counted",
        rows: Rows::Read(framing::rows),
    },
    Group {
        name: "protocols",
        asks: "how fast are the messages of a conversation read",
        rows: Rows::Read(protocols::rows),
    },
    Group {
        name: "captures",
        asks: "how fast is a capture read, from its file to what was said in it",
        rows: Rows::Processes(&captures::ROWS),
    },
    Group { name: "laws", asks: "how long does one wait for the laws", rows: Rows::Tried(&laws::ROWS) },
];

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(code) = captures::as_another() {
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
    let scale = if arguments.quick {
        Scale { bytes: 1 << 18, capture: 4_000_000 }
    } else {
        Scale { bytes: 4 << 20, capture: 500_000_000 }
    };
    let rounds = if arguments.quick { 3 } else { arguments.rounds };
    let wanted = |group: &&Group| arguments.only.as_deref().is_none_or(|only| only == group.name);
    let mut measured = 0;
    for group in GROUPS.iter().filter(wanted) {
        writeln!(out, "## {}: {}\n", group.name, group.asks)?;
        let named = |name: &str| arguments.row.as_deref().is_none_or(|text| name.contains(text));
        match group.rows {
            Rows::Read(rows) => {
                for row in rows(scale).into_iter().filter(|row| named(&row.name)) {
                    measured += 1;
                    if arguments.list {
                        writeln!(out, "{}", row.name)?;
                    } else {
                        report::write(&row.measure(rounds)?, out)?;
                    }
                }
            }
            Rows::Tried(rows) => {
                if !arguments.list {
                    laws::head(out)?;
                }
                for row in rows.iter().filter(|row| named(row)) {
                    measured += 1;
                    if arguments.list {
                        writeln!(out, "{row}")?;
                    } else {
                        laws::measure(row, rounds, out)?;
                    }
                }
                writeln!(out)?;
            }
            Rows::Processes(rows) => {
                for row in rows.iter().filter(|row| named(row)) {
                    measured += 1;
                    if arguments.list {
                        writeln!(out, "{row}")?;
                    } else {
                        captures::measure(row, scale, rounds, out)?;
                    }
                }
            }
        }
    }
    if measured == 0 {
        eprintln!("enjamb-bench: no row has that name; --list names them all");
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    Ok(ExitCode::SUCCESS)
}
