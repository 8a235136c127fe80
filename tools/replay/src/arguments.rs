//! What is to be written, of what, and how.

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use enjamb::Side;
use enjamb_monitor::{Show, ShowForm};

/// The options that say what `enjamb replay` writes.
#[derive(Args, Clone, Debug)]
pub struct OutputArguments {
    /// How records are written, and with --summary how that is.
    #[arg(long, short, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) format: OutputFormat,

    /// The directory that --format parquet writes to: a new one, or one that is empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Write no records, only what was counted.
    #[arg(long)]
    pub(crate) summary: bool,

    /// Write a report with plots to this file as well: one page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Only records of which this is true, such as `kind == "GET" && cuts > 0`; fields are those of the records.
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) filter: Option<String>,

    /// Only these connections, such as 3 or 1,5-9.
    #[arg(long, value_name = "N[,N-M]")]
    pub(crate) conn: Option<Numbers>,

    /// Only what this side sent.
    #[arg(long, value_enum)]
    pub(crate) side: Option<SideName>,

    /// Show the bytes of messages: as text, or in hexadecimal.
    #[arg(long, value_enum)]
    pub(crate) show: Option<ShowName>,

    /// How many bytes of a message are shown, with k or M for powers of 1024.
    #[arg(long, value_name = "SIZE", default_value = "1k", value_parser = size)]
    pub(crate) show_max: usize,

    /// Colours in text.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A line a record, for people.
    Text,
    /// A JSON object a line, for programs.
    Jsonl,
    /// A header and a row a record, for spreadsheets and data frames.
    Csv,
    /// With --summary: one JSON object, indented.
    Json,
    /// Parquet files in the directory --out, partitioned by protocol, for databases and data frames.
    Parquet,
}

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SideName {
    /// Who opened the connection.
    Client,
    /// Who accepted it.
    Server,
}

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShowName {
    /// As text, with escapes for what is none.
    Payload,
    /// In hexadecimal, with offsets in the stream.
    Hex,
}

/// When text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` says no; anywhere, if `CLICOLOR_FORCE` says so.
    Auto,
    /// Anywhere.
    Always,
    /// Nowhere.
    Never,
}

impl OutputArguments {
    /// What of messages is to be shown.
    pub(crate) fn shown(&self) -> Option<Show> {
        let form = match self.show? {
            ShowName::Payload => ShowForm::Text,
            ShowName::Hex => ShowForm::Hex,
        };
        Some(Show { form, limit: self.show_max })
    }

    /// Why these options do not go together, if they do not.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        match (self.format, self.summary) {
            (OutputFormat::Json, false) => {
                Some("--format json is for --summary, which is one object; records are --format jsonl")
            }
            (OutputFormat::Csv, true) => Some("--format csv is for records; with --summary it is text, json or jsonl"),
            (OutputFormat::Parquet, true) => Some(
                "--format parquet is for records, and puts what was counted beside them as _summary.json; with --summary alone it is \
                 text, json or jsonl",
            ),
            (OutputFormat::Parquet, false) if self.out.is_none() => Some(
                "--format parquet writes a directory of files, which standard output cannot take: --out DIR says where, as in --out dataset",
            ),
            (format, _) if self.out.is_some() && format != OutputFormat::Parquet => {
                Some("--out is the directory of --format parquet; the other formats are written to standard output")
            }
            _ => None,
        }
    }
}

impl Colour {
    /// Does text on standard output have colours? The variables are those of no-color.org and bixense.com/clicolors.
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

/// Numbers of connections: some, and ranges with both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    pub(crate) fn contain(&self, number: u64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }
}

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number = text.parse::<u64>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| {
                format!("\"{text}\" is not the number of a connection: they count from 1, as in 3 or 1,5-9")
            })
        };
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first <= last {
                Ok((first, last))
            } else {
                Err(format!("\"{part}\" has no number in it: {last} is before {first}"))
            }
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let between = if i == 0 { "" } else { "," };
            if first == last { write!(f, "{between}{first}")? } else { write!(f, "{between}{first}-{last}")? }
        }
        Ok(())
    }
}

/// A number of bytes.
fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|bytes| *bytes <= SHOW_LIMIT)
        .ok_or_else(|| format!("expected a number of bytes up to {}M, as in 256 or 4k", SHOW_LIMIT >> 20))
}

/// The most that is shown of a message: as much of each stream is kept in memory.
const SHOW_LIMIT: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_connections_are_read_and_written() {
        for (text, inside, outside) in [("3", vec![3], vec![2, 4]), ("1,5-7", vec![1, 5, 6, 7], vec![2, 4, 8])] {
            let numbers: Numbers = text.parse().unwrap();
            assert!(inside.into_iter().all(|number| numbers.contain(number)));
            assert!(!outside.into_iter().any(|number| numbers.contain(number)));
            assert_eq!(numbers.to_string(), text);
        }
        for text in ["", "0", "x", "1,", "5-3", "1-2-3", "-1", "99999999999999999999"] {
            assert!(text.parse::<Numbers>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_has_a_unit_and_a_limit() {
        assert_eq!([size("0"), size("256"), size("4k"), size("64M")].map(Result::unwrap), [0, 256, 4096, 64 << 20]);
        for text in ["", "k", "1G", "65M", "-1", "99999999999999999999k"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
