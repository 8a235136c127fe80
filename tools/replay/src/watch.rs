//! `enjamb watch`: the traffic of a network interface, as `replay` shows that of a capture.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args, ValueEnum};
use enjamb_protocols::Registry;
use enjamb_sources::arguments::{PortArgument, ProtocolArguments, ReassemblyArguments, port};
use enjamb_sources::live::{CaptureRequest, CapturingProgram};
use enjamb_sources::{Exit, Input, Notices};

use crate::output_arguments::OutputArguments;
use crate::records::{self, Selection};
use crate::setup::{Origin, Setup};

/// The arguments of `enjamb watch`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("bytes").arg("show"))]
pub struct WatchArguments {
    /// The network interface: lo, eth0, or any for all of them (Linux).
    #[arg(long, short, value_name = "NAME", default_value = "any")]
    interface: String,

    /// Capture only connections with this port at one end. With `=NAME`, such as `7000=redis`, this
    /// is the protocol of the connections to servers on it. May be given several times.
    #[arg(long, value_name = "PORT[=NAME]", value_parser = port)]
    port: Vec<PortArgument>,

    /// Capture only packets that this filter of libpcap selects, such as "host 192.0.2.7". With
    /// --port: of those.
    #[arg(long, value_name = "FILTER")]
    capture_filter: Option<String>,

    /// The program that captures. [default: dumpcap, or tcpdump where there is none]
    #[arg(long, value_enum, value_name = "PROGRAM")]
    capture_with: Option<ProgramName>,

    #[command(flatten)]
    protocol: ProtocolArguments,

    /// Exit with 1 if a message was malformed or incomplete. With --filter, --side or --conn: one
    /// of the selected messages.
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    output: OutputArguments,

    #[command(flatten)]
    reassembly: ReassemblyArguments,
}

/// The name of a capturing program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProgramName {
    /// dumpcap, of Wireshark.
    Dumpcap,
    /// tcpdump.
    Tcpdump,
}

impl WatchArguments {
    fn request(&self) -> CaptureRequest {
        let ports: Vec<_> = self.port.iter().map(|port| format!("tcp port {}", port.port)).collect();
        let both = [Some(ports.join(" or ")).filter(|ports| !ports.is_empty()), self.capture_filter.clone()];
        let parts: Vec<_> = both.into_iter().flatten().map(|part| format!("({part})")).collect();
        CaptureRequest {
            interface: self.interface.clone(),
            filter: parts.join(" and "),
            program: self.capture_with.map(|name| match name {
                ProgramName::Dumpcap => CapturingProgram::Dumpcap,
                ProgramName::Tcpdump => CapturingProgram::Tcpdump,
            }),
        }
    }
}

/// Runs `enjamb watch` with the protocols of `registry`, and writes to standard output, until the
/// user interrupts it.
///
/// `program` is the name of the program in messages.
///
/// # Errors
/// Standard output or a file cannot be written, or signals cannot be handled.
pub fn watch(arguments: &WatchArguments, registry: &Registry, program: &str) -> anyhow::Result<Exit> {
    let notices = Notices::new(program, "watch");
    let wrong_usage = |reason: String| {
        notices.notice(reason);
        Ok(Exit::WrongUsage)
    };
    let protocols = match arguments.protocol.choice(registry, &arguments.port) {
        Ok(protocols) => Arc::new(protocols),
        Err(reason) => return wrong_usage(reason),
    };
    let selection = match Selection::new(&arguments.output, registry) {
        Ok(selection) => Arc::new(selection),
        Err(error) => return wrong_usage(format!("--filter: {error}")),
    };
    if let Some(reason) = arguments.output.contradiction() {
        return wrong_usage(reason.to_owned());
    }
    let setup = Setup {
        origin: Origin::Live(Input::Capturer(arguments.request())),
        strict: arguments.strict,
        reassembly: &arguments.reassembly,
        output: &arguments.output,
        protocols,
        notices,
    };
    records::run(&setup, &setup.inputs(), &selection, None)
}

/// Returns the input that `--follow` reads, or the reason why there is none.
pub(crate) fn followed(captures: &[PathBuf]) -> Result<Input, String> {
    match captures {
        [path] if path.as_os_str() == Input::STANDARD_INPUT => {
            Err("--follow is for files: standard input is read as it comes without it".to_owned())
        }
        [path] if path.is_dir() => Err("--follow is for one file, and this is a directory".to_owned()),
        [path] => Ok(Input::FollowedFile(path.clone())),
        _ => Err("--follow is for one file".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn filter(line: &str) -> String {
        let matches = WatchArguments::augment_args(Command::new("watch")).get_matches_from(line.split(' '));
        WatchArguments::from_arg_matches(&matches).unwrap().request().filter
    }

    #[test]
    fn ports_and_a_filter_are_combined() {
        assert_eq!(filter("watch"), "");
        assert_eq!(filter("watch --port 80"), "(tcp port 80)");
        assert_eq!(filter("watch --port 80 --port 81"), "(tcp port 80 or tcp port 81)");
        assert_eq!(filter("watch --capture-filter ip6 --port 80"), "(tcp port 80) and (ip6)");
    }
}
