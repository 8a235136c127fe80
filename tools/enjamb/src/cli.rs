//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use enjamb_sources::Exit;

/// Test, replay and watch framed traffic, however the bytes were cut.
#[derive(Parser, Debug)]
#[command(arg_required_else_help = true, after_help = Exit::HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Feed captures to protocol sessions: messages, errors and statistics.
    Replay(Box<enjamb_replay::Arguments>),
    /// Show the traffic of a network interface as it comes.
    Watch(Box<enjamb_replay::WatchArguments>),
    /// Stand between a client and a server: relay, log framed messages, record.
    Proxy(enjamb_proxy::Arguments),
    /// Turn captures into small conversations to test with, and those into tests.
    Corpus(enjamb_corpus::Arguments),
    /// List the protocols that are known by name.
    Protocols,
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual page to standard output, or the pages of all commands to a directory.
    Man {
        /// The directory for the pages. It is created if it does not exist; pages in it are
        /// replaced.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Returns the command line of a program with this name and version.
pub(crate) fn command(name: &str, version: &str) -> clap::Command {
    let (name, version) = (name.to_owned(), version.to_owned());
    Cli::command().name(name.clone()).bin_name(name).version(version)
}
