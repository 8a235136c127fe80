//! Arguments for the output: the format, the files, and the selection of records.

use std::io::{self, IsTerminal};
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use enjamb::Side;
use enjamb_monitor::{Redactor, Show, ShowForm};
use enjamb_protocols::redact;
use enjamb_sources::ConnectionNumbers;
use enjamb_sources::arguments::size_within;

/// The options for the output of `enjamb replay`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// The format of the records, or of the summary with --summary.
    #[arg(long, short, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) format: OutputFormat,

    /// The directory for --format parquet. It must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Write only the statistics, no records. Formats: text, json, jsonl.
    #[arg(long)]
    pub(crate) summary: bool,

    /// Also write a report with plots to this file: one HTML page that loads nothing. A report that
    /// enjamb wrote is replaced; any other file is not, and an input never. Sessions then run on one
    /// thread.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Let --html replace any file, inputs included.
    #[arg(long, requires = "html")]
    pub(crate) force: bool,

    /// Stop after this many messages. With --filter or --side: after this many selected ones.
    /// Only these messages are counted. Sessions then run on one thread.
    #[arg(long, short, value_name = "N")]
    pub(crate) count: Option<NonZeroU64>,

    /// Write and count only the records for which this expression is true, such as
    /// `kind == "GET" && cuts > 0`. The fields are those of the records. Combines with --conn and
    /// --side.
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) filter: Option<String>,

    /// Read only these connections, such as 3 or 1,5-9. They count from 1, continuously over all
    /// captures.
    #[arg(long, value_name = "N[,N-M]")]
    pub(crate) conn: Option<ConnectionNumbers>,

    /// Write and count only the messages that this side sent.
    #[arg(long, value_enum)]
    pub(crate) side: Option<SideName>,

    /// Also write the first bytes of each message, as text or in hexadecimal.
    #[arg(long, value_enum, conflicts_with = "summary")]
    pub(crate) show: Option<ShowName>,

    /// The maximum number of bytes of a message that --show writes, such as 256, 4k or 1M. The
    /// limit is 64M.
    #[arg(long, value_name = "SIZE", default_value = "1k", requires = "show", value_parser = |text: &str| size_within(text, &(0..=SHOW_LIMIT)))]
    pub(crate) show_max: usize,

    /// Show secrets where bytes are written: the arguments of AUTH in Redis, and the header fields
    /// Authorization, Proxy-Authorization, Cookie and Set-Cookie in HTTP. Without it, `*` stands
    /// for each byte.
    #[arg(long, requires = "bytes")]
    pub(crate) secrets: bool,

    /// The use of colours with --format text. [default: auto]
    #[arg(long, value_enum, conflicts_with = "summary")]
    pub(crate) color: Option<Colour>,
}

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A line per record, for people.
    Text,
    /// A JSON object per line, for programs.
    Jsonl,
    /// A header and a row per record, for spreadsheets and data frames.
    Csv,
    /// One indented JSON object. Only with --summary.
    Json,
    /// Parquet files in the directory --out, partitioned by protocol.
    Parquet,
}

/// The side that sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SideName {
    /// The side that opened the connection.
    Client,
    /// The side that accepted it.
    Server,
}

/// The form in which bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowName {
    /// Text, with escapes for bytes that are not printable.
    Payload,
    /// Hexadecimal, with offsets in the stream.
    Hex,
}

/// The use of colours in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set; anywhere if `CLICOLOR_FORCE` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl OutputArguments {
    /// Returns the part of messages that is shown, and its form.
    pub(crate) fn shown(&self) -> Option<Show> {
        let form = match self.show? {
            ShowName::Payload => ShowForm::Text,
            ShowName::Hex => ShowForm::Hex,
        };
        Some(Show { form, limit: self.show_max })
    }

    /// Returns the function that overwrites secrets, unless they are to be shown.
    pub(crate) fn redactor(&self) -> Option<Redactor> {
        (!self.secrets).then_some(redact)
    }

    /// Returns the reason why these options contradict each other, if they do.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        match (self.format, self.summary) {
            (OutputFormat::Json, false) => {
                Some("--format json is one object, which only --summary writes; for records use --format jsonl")
            }
            (OutputFormat::Csv, true) => Some("--format csv is for records; --summary takes text, json or jsonl"),
            (OutputFormat::Parquet, true) => Some(
                "--format parquet is for records, and writes the statistics beside them as _summary.json; --summary takes text, json \
                 or jsonl",
            ),
            (OutputFormat::Parquet, false) if self.out.is_none() => {
                Some("--format parquet writes a directory of files: name it with --out DIR, as in --out dataset")
            }
            (format, _) if self.out.is_some() && format != OutputFormat::Parquet => {
                Some("--out is the directory of --format parquet; the other formats are written to standard output")
            }
            (format, _) if self.color.is_some() && format != OutputFormat::Text => {
                Some("--color is for --format text: no other format has colours")
            }
            _ => None,
        }
    }

    /// Returns whether records have to be made in their order, one after the other.
    pub(crate) fn needs_one_thread(&self) -> bool {
        self.html.is_some() || self.count.is_some()
    }
}

impl Colour {
    /// Returns whether text on standard output has colours. The variables are those of no-color.org
    /// and bixense.com/clicolors.
    pub(crate) fn on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if anstyle_query::no_color() => false,
            Self::Auto
                if anstyle_query::clicolor_force()
                    && std::env::var_os("CLICOLOR_FORCE").is_some_and(|it| it != "0") =>
            {
                true
            }
            Self::Auto => {
                io::stdout().is_terminal()
                    && anstyle_query::term_supports_color()
                    && anstyle_query::clicolor() != Some(false)
            }
        }
    }
}

impl SideName {
    pub(crate) fn side(self) -> Side {
        match self {
            Self::Client => Side::Client,
            Self::Server => Side::Server,
        }
    }
}

/// The largest `--show-max`, in bytes. That many bytes of each stream are kept in memory.
const SHOW_LIMIT: usize = 64 << 20;
