//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use enjamb_sources::Inputs;
use enjamb_sources::arguments::{PortArgument, ProtocolArguments, ReassemblyArguments, port_with_protocol};

use crate::live::LiveArguments;
use crate::output_arguments::OutputArguments;
use crate::recut::RecutArguments;

/// Examples for the end of the help text.
pub const EXAMPLES: &str = "\
  enjamb replay capture.pcap                  all messages, one per line
  enjamb replay -c 20 capture.pcap            the first 20 messages
  enjamb replay --summary day/                the statistics of all captures in a directory
  enjamb replay --filter 'latency_us > 10ms' --show payload capture.pcap
                                              the slow answers, with their bytes
  enjamb replay --format jsonl capture.pcap | jq .kind
  enjamb replay --summary --html report.html capture.pcap
  enjamb replay --recut every-byte -p redis capture.pcap
                                              are the messages the same however the bytes are cut?";

/// The arguments of `enjamb replay`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("bytes").args(["show", "against", "serve", "recut"]).multiple(true))]
pub struct Arguments {
    /// Captures to replay: pcap or pcapng, plain or compressed with gzip or zstd; transcripts;
    /// directories and patterns of them; `-` for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) protocol: ProtocolArguments,

    /// The protocol of the connections to servers on a port, such as `7000=redis`, instead of that
    /// of --protocol. May be given several times.
    #[arg(long, value_name = "PORT=NAME", value_parser = port_with_protocol)]
    pub(crate) port: Vec<PortArgument>,

    /// Check the command and list the files that it would read, one per line, but read and write
    /// nothing. Exits with 3 if one of the arguments selects nothing to read, or a file that is
    /// neither a capture nor a transcript.
    #[arg(long)]
    pub(crate) list: bool,

    /// Read the capture as it grows, and go on with the next file when a program that rotates its
    /// captures replaces it. Ctrl-C ends it.
    #[arg(long, conflicts_with_all = ["list", "recut", "against", "serve"])]
    pub(crate) follow: bool,

    /// Exit with 1 if a message was malformed or incomplete (with --filter, --side or --conn: one
    /// of the selected messages), and with 3 if an input is missing or damaged.
    #[arg(long)]
    pub(crate) strict: bool,

    /// The number of threads that reassemble connections and run their sessions, at most 256. The
    /// output is the same for any number.
    /// With --html and --count it is one. [default: the number of cores, at most 8]
    #[arg(long, short, value_name = "COUNT", value_parser = jobs, conflicts_with_all = ["recut", "against", "serve"])]
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
        let several = self.jobs.is_some_and(|jobs| jobs != NonZeroUsize::MIN);
        self.live
            .contradiction(format)
            .or_else(|| self.recut.contradiction(format))
            .or_else(|| self.output.contradiction())
            .or_else(|| {
                (several && self.output.needs_one_thread())
                    .then_some("--html and --count run on one thread: --jobs is 1")
            })
    }
}

/// The maximum number of threads of a replay.
const JOBS_MAX: usize = 256;

/// Parses a number of threads.
fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let jobs = text.parse().ok().filter(|jobs| *jobs <= JOBS_MAX).and_then(NonZeroUsize::new);
    jobs.ok_or_else(|| format!("expected a number from 1 to {JOBS_MAX}"))
}
