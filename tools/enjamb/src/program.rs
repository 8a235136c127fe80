//! A program with the tools of enjamb, and its own name, version and protocols.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches as _;
use enjamb_isolate::LedgerError;
use enjamb_protocols::{Protocol, Registry, SpecError};
use enjamb_sources::Exit;

use crate::cli::{self, Cli, Command, ProtocolsAction};
use crate::{manual, protocols, specs};

/// A program that offers `replay`, `proxy`, `corpus` and the other commands.
///
/// Its messages, its help and its manual pages use its name and version. Without further calls it
/// has the built-in protocols.
#[derive(Clone, Debug)]
pub struct Program {
    name: String,
    version: String,
    registry: Registry,
}

impl Program {
    /// Creates a program with the built-in protocols.
    ///
    /// A program of your own passes `env!("CARGO_PKG_NAME")` and `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), registry: Registry::builtin() }
    }

    /// Adds a protocol. It replaces one with the same name.
    #[must_use]
    pub fn register(self, protocol: impl Into<Arc<Protocol>>) -> Self {
        Self { registry: self.registry.with(protocol), ..self }
    }

    /// Replaces all protocols, the built-in ones included.
    #[must_use]
    pub fn registry(self, registry: Registry) -> Self {
        Self { registry, ..self }
    }

    /// Runs the command that the command line of this process names.
    ///
    /// The exit code is 0 when the command is done, 1 when it found a difference, a malformed
    /// message or a session that failed, 2 for wrong usage, and 3 when something could not be read,
    /// written or connected to.
    ///
    /// For a program with protocols of its own, `replay --recut` and `corpus extract` run in a
    /// child of this process. So a session that overflows its stack ends its conversation and not
    /// the tool. The child is this program with the same arguments: everything before the call of
    /// `run` happens in both.
    #[must_use]
    pub fn run(mut self) -> ExitCode {
        let matches = cli::command(&self.name, &self.version).get_matches();
        let command = match Cli::from_arg_matches(&matches) {
            Ok(cli) => cli.command,
            Err(error) => error.exit(),
        };
        match specs::register(self.registry.clone(), &matches) {
            Ok(registry) => self.registry = registry,
            Err(error) => {
                self.notice(format_args!("{error}"));
                return error.exit().into();
            }
        }
        if self.wants_child(&command) {
            let run = || self.execute(command);
            return enjamb_isolate::run_in_child(run).unwrap_or_else(|error| self.no_child_finished(&error));
        }
        self.execute(command)
    }

    /// Returns whether the command feeds sessions of this program with input that may end the
    /// process.
    fn wants_child(&self, command: &Command) -> bool {
        let is_risky = match command {
            Command::Replay(arguments) => arguments.wants_child(),
            Command::Corpus(arguments) => arguments.wants_child(),
            Command::Watch(_)
            | Command::Proxy(_)
            | Command::Protocols { .. }
            | Command::Completions { .. }
            | Command::Man { .. } => false,
        };
        is_risky && self.registry.iter().any(|protocol| !protocol.is_builtin())
    }

    fn execute(&self, command: Command) -> ExitCode {
        let Self { name, version, registry } = self;
        let outcome = match command {
            Command::Replay(arguments) => enjamb_replay::run(&arguments, registry, name),
            Command::Watch(arguments) => enjamb_replay::watch(&arguments, registry, name),
            Command::Corpus(arguments) => enjamb_corpus::run(&arguments, registry, name),
            Command::Proxy(mut arguments) => {
                arguments.program = Some(format!("{name} proxy"));
                return self.report(enjamb_proxy::run(&arguments, registry));
            }
            Command::Protocols { action: Some(ProtocolsAction::Export { wireshark, file, .. }), .. } => {
                match specs::read(&file) {
                    Ok(spec) => specs::export(&spec, wireshark),
                    Err(error) => {
                        self.notice(format_args!("{error}"));
                        return error.exit().into();
                    }
                }
            }
            Command::Protocols { name: None, .. } => protocols::list(registry),
            Command::Protocols { name: Some(protocol), .. } => match protocols::describe(registry, &protocol) {
                Err(error) if error.is::<SpecError>() => {
                    self.notice(format_args!("{error}"));
                    return Exit::WrongUsage.into();
                }
                described => described,
            },
            Command::Completions { shell } => manual::completions(shell, cli::command(name, version)),
            Command::Man { out, force } => match out {
                Some(folder) => manual::pages(&folder, force, cli::command(name, version), name),
                None => manual::page(cli::command(name, version)),
            },
        };
        self.report(outcome)
    }

    /// Reports the reason why no child finished its work.
    fn no_child_finished(&self, error: &LedgerError) -> ExitCode {
        match error {
            LedgerError::NoChild(error) => {
                self.notice(format_args!("no child process could be started: {error}"));
                return Exit::Unavailable.into();
            }
            LedgerError::TooManyCrashes(crashes) => {
                self.notice(format_args!("{} connections ended the process, and no more were tried:", crashes.len()));
                for (number, crash) in crashes {
                    let _ = writeln!(io::stderr().lock(), "  #{number} {crash}");
                }
            }
            LedgerError::NoItem(crash) => self.notice(format_args!("before any connection was tried, {crash}")),
            other => self.notice(format_args!("{other}")),
        }
        Exit::FoundWanting.into()
    }

    /// Turns an outcome into an exit code. An error is written to standard error.
    fn report(&self, outcome: anyhow::Result<Exit>) -> ExitCode {
        match outcome {
            Ok(exit) => exit.into(),
            Err(error) => {
                self.notice(format_args!("{error:#}"));
                Exit::Unavailable.into()
            }
        }
    }

    fn notice(&self, text: std::fmt::Arguments<'_>) {
        // `eprintln` would panic when standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{}: {text}", self.name);
    }
}
