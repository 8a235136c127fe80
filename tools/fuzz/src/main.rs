//! The command over the fuzz targets.

mod conversations;
mod examples;
mod seeds;
mod trying;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
        Command::Speed { targets } => trying::speed(targets)?,
        Command::Seeds { also } => seeds::write(also.as_deref())?,
    }
    Ok(true)
}
