//! The command line.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use enjamb_monitor::Format;
use enjamb_net::Options;
use enjamb_protocols::Registry;

use crate::proxy::{Configuration, LogTo};

/// What `enjamb proxy` is told.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where clients connect: HOST:PORT. With port 0 the system chooses one, which the first line on standard error tells. May be
    /// given more than once.
    #[arg(long, short, required = true, value_name = "ADDR")]
    pub listen: Vec<String>,

    /// The server: HOST:PORT.
    #[arg(long, short, value_name = "ADDR")]
    pub upstream: String,

    /// What the connections speak: a name, `auto`, or a framing spec such as "u32be max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    pub protocol: String,

    /// Where records are written: a file, which is replaced, or `-` for standard output.
    #[arg(long, default_value = "-", value_name = "FILE")]
    pub log: PathBuf,

    /// How records are written. [default: text, but jsonl to a FILE.jsonl]
    #[arg(long, short, value_enum)]
    pub format: Option<OutputFormat>,

    /// Write no records, only what was counted, to standard error.
    #[arg(long, short, conflicts_with_all = ["log", "format"])]
    pub quiet: bool,

    /// Record what passes as a capture, for `enjamb replay` and Wireshark. The file is replaced.
    #[arg(long, value_name = "FILE.pcapng")]
    pub record: Option<PathBuf>,

    /// How many connections may be open at a time; further clients wait.
    #[arg(long, value_name = "N", default_value_t = Options::default().max_connections)]
    pub max_connections: NonZeroUsize,

    /// How many seconds the server may take to accept a connection.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub connect_timeout: Duration,

    /// Reset connections after so many seconds without a byte from either side. [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle_timeout: Option<Duration>,

    /// How many seconds open connections may go on after a signal to end. A second signal ends them at once.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub drain: Duration,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A line a record, for people.
    Text,
    /// A JSON object a line, for programs.
    Jsonl,
}

/// A number of seconds, perhaps with decimals.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Arguments {
    /// What the arguments come to.
    ///
    /// # Errors
    /// They do not make sense; what to tell whoever wrote them.
    pub fn configuration(&self, registry: &Registry) -> Result<Configuration, String> {
        let protocol = registry.resolve(&self.protocol).map_err(|error| format!("--protocol: {error}"))?;
        if self.record.as_ref() == Some(&self.log) {
            return Err("--record and --log are the same file".to_owned());
        }
        let log = match (self.quiet, self.log.as_os_str() == "-") {
            (true, _) => LogTo::Nowhere,
            (false, true) => LogTo::Stdout,
            (false, false) => LogTo::File(self.log.clone()),
        };
        Ok(Configuration {
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            protocol,
            format: self.format(&log),
            log,
            record: self.record.clone(),
            options: Options {
                max_connections: self.max_connections,
                connect_timeout: self.connect_timeout,
                idle_timeout: self.idle_timeout,
                drain: self.drain,
            },
        })
    }

    fn format(&self, log: &LogTo) -> Format {
        let jsonl = |file: &Path| file.extension().is_some_and(|extension| extension == "jsonl");
        match (self.format, log) {
            (Some(OutputFormat::Jsonl), _) => Format::JsonLines,
            (None, LogTo::File(file)) if jsonl(file) => Format::JsonLines,
            (_, LogTo::Stdout) => Format::Text { colour: is_coloured() },
            _ => Format::Text { colour: false },
        }
    }
}

/// On a terminal, unless its user does not want it (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
