//! The command over the fuzz targets.

mod conversations;
mod coverage;
mod examples;
mod generated;
mod inputs;
mod libfuzzer;
mod merging;
mod planted;
mod running;
mod seeds;
mod trying;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use libfuzzer::Sanitizer;

/// Runs the fuzz targets, and keeps their corpora.
#[derive(Debug, Parser)]
#[command(name = "cargo fuzzer")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the targets and what they check.
    List,
    /// Call targets with changed seeds, without libFuzzer and the same way every time. A finding is
    /// made small, and is kept in fuzz/artifacts.
    Try {
        /// The targets. All, without any.
        targets: Vec<String>,
        /// The number of inputs for each target.
        #[arg(long, default_value_t = 20_000)]
        executions: u64,
        /// Other numbers give other inputs.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run targets under libFuzzer, one after the other. It needs cargo-fuzz and a nightly
    /// toolchain. Crashes are grouped by what they violate, and their inputs are kept in
    /// fuzz/artifacts.
    #[command(arg_required_else_help = true)]
    Run {
        /// The targets.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        targets: Vec<String>,
        /// Run all targets.
        #[arg(long)]
        all: bool,
        /// The time for each target, in seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// The checks that are built in.
        #[arg(long, value_enum, default_value_t = Sanitizer::None)]
        sanitizer: Sanitizer,
    },
    /// Add the inputs that libFuzzer found to the committed seeds, if they reach code that no other
    /// seed reaches. Remove the added seeds that reach nothing new any more.
    Merge {
        /// The targets. All, without any.
        targets: Vec<String>,
        /// Run each target for this time first, in seconds.
        #[arg(long, default_value_t = 0)]
        seconds: u64,
    },
    /// Make the input of a crash small, and write it beside the file.
    Minimise {
        /// The file, in the folder of its target (fuzz/artifacts/TARGET/...).
        crash: PathBuf,
        /// The target. Without it, the name of the file's folder.
        #[arg(long)]
        target: Option<String>,
    },
    /// Print which share of the lines of the engine and the protocols the committed seeds reach. It
    /// needs the component llvm-tools of the toolchain.
    Coverage {
        /// The targets whose seeds count. All, without any.
        targets: Vec<String>,
        /// The crates whose lines count.
        #[arg(long = "crate", value_name = "NAME", default_values_t = coverage::CRATES.map(str::to_owned))]
        crates: Vec<String>,
        /// Print the lines that no seed reaches.
        #[arg(long)]
        missed: bool,
        /// Fail if a crate has less than this percentage.
        #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
        at_least: f64,
    },
    /// Call targets with their seeds. `coverage` needs this.
    #[command(hide = true)]
    CallSeeds { targets: Vec<String> },
    /// Call a target with the inputs of files, and group the findings.
    Reproduce {
        /// The target.
        target: String,
        /// The files.
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
    },
    /// Make an input small, and keep it in fuzz/findings, where tests replay it.
    Keep {
        /// The target.
        target: String,
        /// The file.
        input: PathBuf,
        /// The name of the finding: what was wrong.
        name: String,
    },
    /// Print an input as a test.
    ToTest {
        /// The target.
        target: String,
        /// The file.
        input: PathBuf,
    },
    /// Print how many executions it takes until each planted bug is found, by changes of bytes and
    /// by the mutator.
    Bugs {
        /// Only bugs whose name contains this text, or those of this target.
        name: Option<String>,
        /// The maximum number of executions.
        #[arg(long, default_value_t = 20_000)]
        executions: u64,
        /// The number of runs with other random numbers, of which the median counts.
        #[arg(long, default_value_t = 3)]
        runs: u64,
    },
    /// Print how many inputs of 512 bytes each target checks a second.
    Speed {
        /// The targets. All, without any.
        targets: Vec<String>,
    },
    /// Make the committed seeds and dictionaries again, from the captures in corpora/. Seeds that
    /// were merged stay.
    Seeds {
        /// A folder with a folder for each protocol, which has scripts.
        #[arg(long, value_name = "FOLDER")]
        also: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("cargo fuzzer: {error:#}");
            ExitCode::from(3)
        }
    }
}

/// Runs a command. Returns whether all was well.
fn run(arguments: &Arguments) -> Result<bool> {
    match &arguments.command {
        Command::List => {
            for target in enjamb_fuzz::TARGETS {
                println!("{:16} {}", target.name, target.property);
            }
        }
        Command::Run { targets, all: _, seconds, sanitizer } => {
            return running::run(&trying::targets(targets)?, *seconds, *sanitizer);
        }
        Command::Merge { targets, seconds } => merging::merge(&trying::targets(targets)?, *seconds)?,
        Command::Minimise { crash, target } => return inputs::minimise_file(crash, target.as_deref()),
        Command::Coverage { targets, crates, missed, at_least } => {
            return coverage::print(&trying::targets(targets)?, crates, *missed, *at_least);
        }
        Command::CallSeeds { targets } => coverage::call_seeds(&trying::targets(targets)?)?,
        Command::Try { targets, executions, seed } => return trying::attempt(targets, *executions, *seed),
        Command::Reproduce { target, inputs } => return inputs::reproduce(trying::named(target)?, inputs),
        Command::Keep { target, input, name } => inputs::keep(trying::named(target)?, input, name)?,
        Command::ToTest { target, input } => inputs::to_test(trying::named(target)?, input)?,
        Command::Bugs { name, executions, runs } => return planted::print_table(name.as_deref(), *executions, *runs),
        Command::Speed { targets } => trying::speed(targets)?,
        Command::Seeds { also } => seeds::write(also.as_deref())?,
    }
    Ok(true)
}
