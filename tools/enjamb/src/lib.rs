//! The command line `enjamb`, as a library: so that a program with protocols of its own has all of its tools.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use enjamb_protocols::{Framing, Pair, Protocol, Registry};
//!
//! fn main() -> ExitCode {
//!     let framing = Framing::parse("u16be max=4k").unwrap();
//!     let mymq = Protocol::new("mymq", move || Box::new(Pair::new("mymq", &framing, &framing)));
//!     enjamb_cli::main(&Registry::builtin().with(mymq))
//! }
//! ```

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use enjamb_isolate::LedgerError;
use enjamb_protocols::Registry;

/// Test, replay and watch framed traffic, however the bytes were cut.
#[derive(Parser, Debug)]
#[command(name = "enjamb", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Feed captures to protocol handlers: their messages, errors and statistics.
    Replay(Box<enjamb_replay::Arguments>),
    /// Stand between a client and a server: relay, log framed messages, record.
    Proxy(enjamb_proxy::Arguments),
    /// Turn captures into small conversations to test with, and those into tests.
    Corpus(enjamb_corpus::Arguments),
    /// List the protocols that are known by name.
    Protocols,
}

/// Runs what the command line asks for, with the protocols of `registry`.
///
/// The exit code is 0 when it was done, 1 when what was asked for was found wanting, 2 for wrong usage, and 3 when
/// something could not be read or connected to.
///
/// `replay --recut` and `corpus extract` run in a child of this process where `registry` has protocols that are not enjamb's own, so that one which
/// overflows its stack costs its conversation and not the tool. The child is this program with the same arguments: what it does before it comes here is
/// done twice.
#[must_use]
pub fn main(registry: &Registry) -> ExitCode {
    let command = Cli::parse().command;
    let tries = match &command {
        Command::Replay(arguments) => arguments.is_trying(),
        Command::Corpus(arguments) => arguments.is_trying(),
        Command::Proxy(_) | Command::Protocols => false,
    };
    let builtin = Registry::builtin();
    let run = || run(command, registry);
    if tries && registry.iter().any(|protocol| builtin.get(protocol.name()).is_none()) {
        enjamb_isolate::run_in_child(run).unwrap_or_else(|error| no_child_finished(&error))
    } else {
        run()
    }
}

fn no_child_finished(error: &LedgerError) -> ExitCode {
    match error {
        LedgerError::NoChild(error) => {
            eprintln!("enjamb: no child process could be started: {error}");
            return ExitCode::from(3);
        }
        LedgerError::TooManyCrashes(crashes) => {
            eprintln!("enjamb: {} connections have ended the process, and nothing more is tried:", crashes.len());
            crashes.iter().for_each(|(number, crash)| eprintln!("  #{number} {crash}"));
        }
        LedgerError::NoItem(crash) => eprintln!("enjamb: before any connection was tried, {crash}"),
        other => eprintln!("enjamb: {other}"),
    }
    ExitCode::FAILURE
}

fn run(command: Command, registry: &Registry) -> ExitCode {
    let outcome = match command {
        Command::Replay(arguments) => enjamb_replay::run(&arguments, registry),
        Command::Proxy(arguments) => enjamb_proxy::run(&arguments, registry),
        Command::Corpus(arguments) => enjamb_corpus::run(&arguments, registry),
        Command::Protocols => list(registry),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("enjamb: {error:#}");
        ExitCode::from(3)
    })
}

fn list(registry: &Registry) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let auto = registry.auto();
    for protocol in registry.iter().chain([&auto]) {
        let aliases = protocol.aliases().join(", ");
        let ports = protocol.ports().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        writeln!(out, "{:10} {:8} {:10} {}", protocol.name(), aliases, ports, protocol.description())?;
    }
    writeln!(
        out,
        "\nOr a framing spec: lines, delimiter:0d0a, any:0a|00, fixed:16, u32be+4 max=1M, client=lines server=u16be"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The guide's examples are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/protocols.md")]
struct GuideExamples;
