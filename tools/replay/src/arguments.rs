//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use enjamb_sources::Inputs;
use enjamb_sources::arguments::ReassemblyArguments;

use crate::live::LiveArguments;
use crate::output_arguments::OutputArguments;
use crate::recut::RecutArguments;

/// The arguments of `enjamb replay`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Captures to replay: pcap or pcapng, plain or compressed with gzip or zstd; transcripts;
    /// directories and patterns of them; `-` for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,

    /// The protocol of the connections: a name (the command `protocols` lists them), `auto`, which
    /// detects it from the first bytes of each connection, or a framing spec such as "u32be
    /// max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    pub(crate) protocol: String,

    /// Only list the files that would be read, one per line. Exits with 3 if one of the arguments
    /// selects nothing to read.
    #[arg(long, conflicts_with_all = ["recut", "against", "serve"])]
    pub(crate) list: bool,

    /// Read the capture as it grows, and go on with the next file when a program that rotates its
    /// captures replaces it. Ctrl-C ends it.
    #[arg(long, conflicts_with_all = ["list", "recut", "against", "serve"])]
    pub(crate) follow: bool,

    /// Exit with 1 if a message was malformed or incomplete. With --filter, --side or --conn: one
    /// of the selected messages.
    #[arg(long)]
    pub(crate) strict: bool,

    /// The number of threads that run sessions. The output is the same for any number. With --html
    /// it is always one. [default: the number of cores, at most 8]
    #[arg(long, short, value_name = "COUNT")]
    pub(crate) jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    pub(crate) recut: RecutArguments,

    #[command(flatten)]
    pub(crate) live: LiveArguments,

    #[command(flatten)]
    pub(crate) reassembly: ReassemblyArguments,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

impl Arguments {
    /// Returns whether the command should run in a child process: it feeds sessions with input that
    /// may end the process, and its inputs can be read again by another child.
    #[must_use]
    pub fn wants_child(&self) -> bool {
        self.recut.is_requested() && Inputs::are_files(&self.captures)
    }

    /// Returns the reason why these arguments contradict each other, if they do and clap cannot
    /// detect it.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let format = self.output.format;
        self.live
            .contradiction(format)
            .or_else(|| self.recut.contradiction(format))
            .or_else(|| self.output.contradiction())
    }
}
