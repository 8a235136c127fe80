//! The command over the fuzz targets.

mod conversations;
mod examples;
mod inputs;
mod planted;
mod seeds;
mod trying;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use enjamb_fuzz::Target;

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
    /// Make the committed seeds and dictionaries again, from the captures in corpora/ and from
    /// fuzz/conversations.
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
        Command::Try { targets, executions, seed } => return trying::attempt(targets, *executions, *seed),
        Command::Reproduce { target, inputs } => return inputs::reproduce(named(target)?, inputs),
        Command::Keep { target, input, name } => inputs::keep(named(target)?, input, name)?,
        Command::ToTest { target, input } => inputs::to_test(named(target)?, input)?,
        Command::Bugs { name, executions, runs } => return planted::print_table(name.as_deref(), *executions, *runs),
        Command::Speed { targets } => trying::speed(targets)?,
        Command::Seeds { also } => seeds::write(also.as_deref())?,
    }
    Ok(true)
}

fn named(name: &str) -> Result<&'static Target> {
    enjamb_fuzz::target(name).with_context(|| format!("no target has the name {name}"))
}
