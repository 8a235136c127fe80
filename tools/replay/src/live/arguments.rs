//! The arguments of `--against` and `--serve`.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use enjamb_sources::arguments::{address, duration_within, server_address};

use crate::live::comparison::CompareBy;
use crate::live::masks::Mask;
use crate::output_arguments::OutputFormat;

/// The longest timeout.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

/// The options for playing one side of every connection to a live peer.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Live", group = ArgGroup::new("played").args(["against", "serve"]))]
pub(crate) struct LiveArguments {
    /// Play the client's side of every connection to this live server, and compare its answers with
    /// the recorded ones. Exits with 1 if any answer differs, with 3 if the server cannot be
    /// reached. Writes a comparison as text or jsonl, and no records.
    #[arg(long, value_name = "HOST:PORT", value_parser = server_address, conflicts_with_all = RECORDS)]
    pub(crate) against: Option<String>,

    /// Play the server's side to live clients that connect to this address, and compare their
    /// messages with the recording. Each client gets the next recorded connection. With port 0 the
    /// system chooses a port, and the first line on standard error names it.
    #[arg(long, value_name = "HOST:PORT", value_parser = address, conflicts_with_all = RECORDS)]
    pub(crate) serve: Option<String>,

    /// Do not compare these parts: header:NAME, kind:NAME, answer:KIND (the content of answers to
    /// messages of this kind), /REGEX/, ending, or volatile (parts that HTTP and Redis servers send
    /// differently each time: Date, Server, Etag, INFO, TIME, ...). May be given more than once.
    #[arg(long, value_name = "WHAT", requires = "played")]
    pub(crate) ignore: Vec<Mask>,

    /// The part of each message that is compared.
    #[arg(long, value_enum, default_value_t, requires = "played")]
    pub(crate) compare: CompareBy,

    /// The speed of playing.
    #[arg(long, value_enum, default_value_t, requires = "played")]
    pub(crate) pace: Pace,

    /// Play this many connections at a time, independently of each other. [default: in the order of
    /// the capture, each step after all earlier steps of any connection]
    #[arg(long, value_name = "COUNT", requires = "played")]
    pub(crate) concurrent: Option<NonZeroUsize>,

    /// The time to wait for the peer's next message before the next step is taken: 5, 5s, 250ms. A
    /// bare number is seconds.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout, requires = "played")]
    pub(crate) timeout: Duration,

    /// The time that the server may take to accept a connection. A bare number is seconds.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = timeout, requires = "against")]
    pub(crate) connect_timeout: Duration,
}

/// The options for records or for other cuts. A comparison has neither.
const RECORDS: [&str; 10] = ["recut", "summary", "strict", "html", "filter", "conn", "side", "show", "color", "count"];

impl LiveArguments {
    /// Returns the reason why these options contradict the format, if they do.
    pub(crate) fn contradiction(&self, format: OutputFormat) -> Option<&'static str> {
        let is_live = self.against.is_some() || self.serve.is_some();
        let is_written = matches!(format, OutputFormat::Text | OutputFormat::Jsonl);
        (is_live && !is_written).then_some("--against and --serve write a comparison: --format is text or jsonl")
    }

    /// Returns whether nothing is played earlier than it was recorded.
    pub(crate) fn is_paced(&self) -> bool {
        self.pace == Pace::Recorded
    }
}

/// The speed of playing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pace {
    /// As fast as the order of steps allows.
    #[default]
    Fast,
    /// No step earlier than it was recorded.
    Recorded,
}

fn timeout(text: &str) -> Result<Duration, String> {
    duration_within(text, &(Duration::ZERO..=TIMEOUT_MAX))
}
