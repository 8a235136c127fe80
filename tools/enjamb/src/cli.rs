//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use enjamb_sources::Exit;

/// Test, replay and watch framed traffic, however the bytes were cut.
#[derive(Parser, Debug)]
#[command(arg_required_else_help = true, propagate_version = true, after_help = help(EXAMPLES))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Add the protocol of a spec file, so that --protocol finds its name and auto recognises it.
    #[arg(id = "spec", long = "spec", value_name = "FILE", global = true)]
    _specs: Vec<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Feed captures to protocol sessions: messages, errors and statistics.
    #[command(after_help = help(enjamb_replay::EXAMPLES))]
    Replay(Box<enjamb_replay::Arguments>),
    /// Show the traffic of a network interface as it comes.
    Watch(Box<enjamb_replay::WatchArguments>),
    /// Stand between a client and a server: relay, log framed messages, record.
    #[command(after_help = help(enjamb_proxy::EXAMPLES))]
    Proxy(Box<enjamb_proxy::Arguments>),
    /// Turn captures into small conversations to test with, and those into tests.
    Corpus(enjamb_corpus::Arguments),
    /// List the protocols that are known by name, or describe one of them.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = help(
            "  enjamb protocols\n  enjamb protocols http1\n  enjamb protocols export --wireshark meter.toml > meter.lua"
        )
    )]
    Protocols {
        /// A protocol to describe: its names, its ports, and the attributes that filters can name.
        name: Option<String>,

        #[command(subcommand)]
        action: Option<ProtocolsAction>,
    },
    /// Write a completion script for a shell to standard output.
    #[command(after_help = help("  enjamb completions bash > enjamb.bash"))]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual page to standard output, or the pages of all commands to a directory.
    #[command(after_help = help("  enjamb man | man -l -\n  enjamb man --out man1"))]
    Man {
        /// The directory for the pages. It is created if it does not exist. Pages that enjamb wrote
        /// are replaced; other files are not.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,

        /// Let --out replace any file.
        #[arg(long, requires = "out")]
        force: bool,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum ProtocolsAction {
    /// Write what other tools need for the protocol of a spec file to standard output.
    #[command(group = clap::ArgGroup::new("format").required(true))]
    Export {
        /// A dissector for Wireshark and tshark, in Lua.
        #[arg(long, group = "format")]
        wireshark: bool,

        /// A dictionary for libFuzzer and AFL: the constants of the protocol.
        #[arg(long, group = "format")]
        dictionary: bool,

        /// The spec file.
        #[arg(value_name = "SPEC")]
        file: PathBuf,
    },
}

/// The commands that a new user tries first.
const EXAMPLES: &str = "\
  enjamb replay capture.pcap                  all messages of a capture, one per line
  enjamb replay --summary capture.pcap        the statistics
  enjamb proxy --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379
                                              log the messages between a client and a server";

/// Returns the end of a help text: examples, and the exit codes.
fn help(examples: &str) -> String {
    format!("Examples:\n{examples}\n\n{}", Exit::HELP)
}

/// Returns the command line of a program with this name and version.
pub(crate) fn command(name: &str, version: &str) -> clap::Command {
    let (name, version) = (name.to_owned(), version.to_owned());
    Cli::command().name(name.clone()).bin_name(name).version(version)
}
