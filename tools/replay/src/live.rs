//! What is played to a live peer, and how.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use crate::OutputFormat;
use crate::comparison::Compare;
use crate::masks::Mask;

/// The options that play a side of every connection to a live peer.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Live", group = ArgGroup::new("played").args(["against", "serve"]))]
pub(crate) struct LiveArguments {
    /// Play the client's side of every connection to this live server, and compare its answers with the recorded ones. Exits with 1 if any differ, with 3 if
    /// it cannot be reached.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = RECORDS)]
    pub(crate) against: Option<String>,

    /// Play the server's side to live clients that connect here, each the next recorded connection, and compare what they send with what is recorded. With
    /// port 0 the system chooses one, which the first line on standard error tells.
    #[arg(long, value_name = "ADDR", conflicts_with_all = RECORDS)]
    pub(crate) serve: Option<String>,

    /// What is another each time and is not compared: header:NAME, kind:NAME, answer:KIND (what answers to these say), /REGEX/, ending, or volatile: what HTTP and
    /// Redis servers are known for (Date, Server, Etag, INFO, TIME, ...). May be given more than once.
    #[arg(long, value_name = "WHAT", requires = "played")]
    pub(crate) ignore: Vec<Mask>,

    /// How much of each message is compared.
    #[arg(long, value_enum, default_value_t, requires = "played")]
    pub(crate) compare: Compare,

    /// How fast.
    #[arg(long, value_enum, default_value_t, requires = "played")]
    pub(crate) pace: Pace,

    /// Play this many connections at a time, independent of each other. [default: as the capture has them, every step after all that the capture shows before
    /// it, on whichever connection]
    #[arg(long, value_name = "N", requires = "played")]
    pub(crate) concurrent: Option<NonZeroUsize>,

    /// How many seconds the peer may be silent when the recording has it say something.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, requires = "played")]
    pub(crate) timeout: Duration,

    /// How many seconds the server may take to accept a connection.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, requires = "against")]
    pub(crate) connect_timeout: Duration,
}

/// The options that are about records or about other cuts. A comparison has neither.
const RECORDS: [&str; 8] = ["recut", "summary", "strict", "html", "filter", "conn", "side", "show"];

impl LiveArguments {
    /// Why the format does not go with them, if it does not.
    pub(crate) fn contradiction(&self, format: OutputFormat) -> Option<&'static str> {
        let played = self.against.is_some() || self.serve.is_some();
        let written = matches!(format, OutputFormat::Text | OutputFormat::Jsonl);
        (played && !written).then_some("--against and --serve write a comparison, which is --format text or jsonl")
    }
}

/// How fast connections are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pace {
    /// As fast as their order allows.
    #[default]
    Fast,
    /// Nothing earlier than it was recorded.
    Recorded,
}

impl LiveArguments {
    pub(crate) fn is_paced(&self) -> bool {
        self.pace == Pace::Recorded
    }
}

/// A number of seconds, perhaps with decimals.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    const MOST: f64 = 86_400.0;
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.0..=MOST).contains(&seconds) {
        return Err(format!("expected a number of seconds from 0 to {MOST}"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
