//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use enjamb_sources::arguments::{PortArgument, ProtocolArguments, duration_within, port_with_protocol, size_within};
use enjamb_sources::{Exit, Inputs};

/// The largest `--max-size`, in bytes.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The shortest and the longest `--hung-after`.
const HUNG_AFTER_MIN: Duration = Duration::from_millis(10);
const HUNG_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// The arguments of `enjamb corpus`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Returns whether the command should run in a child process: it feeds sessions with input that
    /// may end the process, and its inputs can be read again by another child.
    #[must_use]
    pub fn wants_child(&self) -> bool {
        matches!(&self.command, Command::Extract(arguments) if Inputs::are_files(&arguments.captures))
    }
}

/// Returns the end of a help text: examples, and the exit codes.
fn help(examples: &str) -> String {
    format!("Examples:\n{examples}\n\n{}", Exit::HELP)
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Take small conversations out of captures, one of each kind, and write them as transcripts.
    #[command(after_help = help("  enjamb corpus extract --out seeds capture.pcap"))]
    Extract(ExtractArguments),
    /// List transcripts: size, number and kinds of messages.
    #[command(after_help = help("  enjamb corpus show seeds"))]
    Show(ShowArguments),
    /// Write the Rust test of a transcript: the split law, and the messages as they are today.
    #[command(after_help = help("  enjamb corpus to-test seeds/redis-1a2b.txt > tests/regressions.rs"))]
    ToTest(ToTestArguments),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ExtractArguments {
    /// Captures and transcripts; directories and patterns of them; `-` for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,

    /// The directory for the transcripts. It is created if it does not exist. Existing files in it
    /// are never changed.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) protocol: ProtocolArguments,

    /// The protocol of the connections to servers on a port, such as `7000=redis`, instead of that
    /// of --protocol. May be given several times.
    #[arg(long, value_name = "PORT=NAME", value_parser = port_with_protocol)]
    pub(crate) port: Vec<PortArgument>,

    /// The maximum number of payload bytes in a transcript, both sides together, such as 1200 or
    /// 4k. Longer conversations are cut where both sides are between two messages. The limit is 1M.
    #[arg(long, default_value = "1200", value_name = "SIZE",
        value_parser = |text: &str| size_within(text, &(1..=PIECE_BYTES_MAX)))]
    pub(crate) max_size: usize,

    /// The maximum number of files that are written, from 1 to 100000.
    #[arg(long, default_value_t = 1000, value_name = "COUNT",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) max_files: usize,

    /// Write one transcript of every signature. Without --all, a transcript whose steps all occur
    /// in smaller ones is not written.
    #[arg(long)]
    pub(crate) all: bool,

    /// Keep secrets: the arguments of AUTH in Redis, and the header fields Authorization,
    /// Proxy-Authorization, Cookie and Set-Cookie in HTTP. Without it, `*` replaces each byte.
    #[arg(long)]
    pub(crate) secrets: bool,

    /// The time that a session may take for a part of a conversation before it counts as hung: 20,
    /// 20s, 500ms. A bare number is seconds.
    #[arg(long, value_name = "TIME", default_value = "20s",
        value_parser = |text: &str| duration_within(text, &(HUNG_AFTER_MIN..=HUNG_AFTER_MAX)))]
    pub(crate) hung_after: Duration,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ShowArguments {
    /// Transcripts; directories and patterns of them.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ToTestArguments {
    /// Transcripts.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The protocol, instead of the one that the transcripts name: a name or a framing spec.
    #[arg(long, short, value_name = "NAME|SPEC")]
    pub(crate) protocol: Option<String>,

    /// A Rust expression for a new session, as a `Box<dyn Session>`. Required if the protocol is
    /// not one of enjamb's own.
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) session: Option<String>,
}
