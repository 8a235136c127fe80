//! `enjamb corpus`: from captures to seeds, regressions and tests.
//!
//! `extract` takes the conversations out of captures, cuts them into small ones that stand by themselves, and keeps one of each kind as a transcript in its
//! readable form: a seed for a fuzzer, a regression, an input for `enjamb replay`. `to-test` writes the Rust test of such a file.

mod extract;
mod pieces;
mod show;
mod signature;
mod talks;
mod to_test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use enjamb_protocols::Registry;

/// What `enjamb corpus` is told.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

impl Arguments {
    /// Are sessions fed what may well end the process? That can be tried again only where the captures can be read again.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        matches!(&self.what, What::Extract(arguments) if enjamb_replay::Inputs::are_files(&arguments.captures))
    }
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Take small conversations out of captures, one of each kind, and write them as transcripts.
    Extract(ExtractArguments),
    /// List transcripts: what is said in each, and how much.
    Show(ShowArguments),
    /// Write the Rust test of a transcript: the split law, and the messages that it says today.
    ToTest(ToTestArguments),
}

#[derive(Args, Clone, Debug)]
struct ExtractArguments {
    /// Captures and transcripts; directories and patterns of them; `-` is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,

    /// The folder that they are written into. It is made where it is not there; a file that is there already is left alone.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// What the connections speak: a name, `auto`, or a framing spec such as "u32be max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    protocol: String,

    /// The most payload of one transcript, in bytes, both sides together. Longer conversations are cut where both sides are between two messages.
    #[arg(long, default_value_t = 1200, value_name = "BYTES", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    max_size: usize,

    /// The most files that are written.
    #[arg(long, default_value_t = 1000, value_name = "COUNT", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    max_files: usize,

    /// Keep one of each signature, also those that take no step which another one does not take.
    #[arg(long)]
    all: bool,

    /// How many seconds a session may take over a part of a conversation before it is given up as hung.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    hung_after: u64,
}

#[derive(Args, Clone, Debug)]
struct ShowArguments {
    /// Transcripts; directories and patterns of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct ToTestArguments {
    /// Transcripts.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What they speak, in place of what they name: a name or a framing spec.
    #[arg(long, short, value_name = "NAME|SPEC")]
    protocol: Option<String>,

    /// A Rust expression for a new session, as a `Box<dyn Session>`, where the protocol is not one of enjamb's own.
    #[arg(long, value_name = "EXPRESSION")]
    session: Option<String>,
}

/// Exit code when what was asked for was found wanting.
const FOUND_WANTING: u8 = 1;

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

/// Exit code when nothing could be read.
const NOTHING_READ: u8 = 3;

/// Does what it is told.
///
/// # Errors
/// Something could not be written. A capture that cannot be read is told on standard error, and the others go on.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    match &arguments.what {
        What::Extract(arguments) => extract::run(arguments, registry),
        What::Show(arguments) => show::run(arguments, registry),
        What::ToTest(arguments) => to_test::run(arguments, registry),
    }
}
