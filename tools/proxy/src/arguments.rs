//! The command line.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use enjamb::units::{DurationError, parse_duration};
use enjamb_monitor::Format;
use enjamb_net::relay::Options;
use enjamb_protocols::Registry;
use enjamb_sources::arguments::{address, server_address};

use crate::configuration::{Configuration, LogTarget};

/// Examples for the end of the help text.
pub const EXAMPLES: &str = "\
  enjamb proxy --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379
                                              log the messages between a client and a server
  enjamb proxy --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379 --quiet --record traffic.pcapng
                                              record them, for `enjamb replay traffic.pcapng`";

/// The arguments of `enjamb proxy`.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct Arguments {
    /// The address to which clients connect: HOST:PORT. With port 0 the system chooses a port,
    /// which is printed as the first line on standard error. May be given more than once.
    #[arg(long, short, required = true, value_name = "HOST:PORT", value_parser = address)]
    pub listen: Vec<String>,

    /// The server: HOST:PORT.
    #[arg(long, short, value_name = "HOST:PORT", value_parser = server_address)]
    pub upstream: String,

    /// The protocol of the connections: a name, `auto`, or a framing spec such as "u32be max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    pub protocol: String,

    /// Write records to this file, or to standard output with `-`. A log that enjamb wrote is
    /// replaced; another file is not.
    #[arg(long, default_value = "-", value_name = "FILE")]
    pub log: PathBuf,

    /// The format of the records. [default: text, but jsonl to a FILE.jsonl]
    #[arg(long, short, value_enum)]
    pub format: Option<OutputFormat>,

    /// Write no records, only statistics, to standard error.
    #[arg(long, short, conflicts_with_all = ["log", "format"])]
    pub quiet: bool,

    /// Record the traffic as a capture, for `enjamb replay` and Wireshark. A recording that enjamb
    /// wrote is replaced; another file is not.
    #[arg(long, value_name = "FILE.pcapng")]
    pub record: Option<PathBuf>,

    /// Serve metrics for Prometheus at http://HOST:PORT/metrics, and the state of the proxy at
    /// http://HOST:PORT/health.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub metrics: Option<String>,

    /// Let --log and --record replace any file.
    #[arg(long)]
    pub force: bool,

    /// Allow --listen on every address of this machine (`0.0.0.0` and `[::]`), so that other
    /// machines can connect.
    #[arg(long)]
    pub wide: bool,

    /// The number of connections that may be open at a time. Further clients wait.
    #[arg(long, value_name = "N", default_value_t = Options::default().max_connections)]
    pub max_connections: NonZeroUsize,

    /// The time that each address of the server may take to accept a connection: `10s`, `250ms`,
    /// `2m`, or a number of seconds.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub connect_timeout: Duration,

    /// Reset connections after this time without a byte from either side. [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub idle_timeout: Option<Duration>,

    /// The time without a byte after which TCP checks that a peer still exists. `never`: no check.
    #[arg(long, value_name = "TIME|never", default_value = "1m", value_parser = TimeLimit::parse)]
    pub keep_alive: TimeLimit,

    /// The time that open connections may continue after a signal to end. A second signal ends them
    /// at once.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub drain: Duration,

    /// The time that one call of a protocol handler may take. After that its connection is relayed
    /// without being parsed. `never`: no limit. It concerns only protocols that are not built in.
    #[arg(long, value_name = "TIME|never", default_value = "5s", value_parser = TimeLimit::parse)]
    pub handler_timeout: TimeLimit,

    /// The name of the program in its messages. `None`: the name by which it was started, and
    /// `proxy`.
    #[arg(skip)]
    pub program: Option<String>,
}

/// The format of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum OutputFormat {
    /// One line per record, for people.
    Text,
    /// One JSON object per line, for programs.
    Jsonl,
}

/// A time, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// The time is limited.
    After(Duration),
    /// The time is not limited.
    Never,
}

impl TimeLimit {
    fn parse(text: &str) -> Result<Self, DurationError> {
        if text == "never" { Ok(Self::Never) } else { parse_duration(text).map(Self::After) }
    }

    fn limit(self) -> Option<Duration> {
        match self {
            Self::After(limit) => Some(limit),
            Self::Never => None,
        }
    }
}

impl Arguments {
    /// Returns the configuration that the arguments describe.
    ///
    /// # Errors
    /// The arguments do not make sense. The text explains it to the user.
    pub fn configuration(&self, registry: &Registry) -> Result<Configuration, String> {
        let protocol = registry.resolve(&self.protocol).map_err(|error| format!("--protocol: {error}"))?;
        if self.record.as_ref() == Some(&self.log) {
            return Err("--record and --log are the same file".to_owned());
        }
        if self.force && self.record.is_none() && (self.quiet || self.log.as_os_str() == "-") {
            return Err("--force is for --log FILE and --record: there is no file to replace".to_owned());
        }
        let mut configuration = Configuration::new(self.upstream.clone(), protocol);
        configuration.program = self.program();
        configuration.listen.clone_from(&self.listen);
        configuration.log = match (self.quiet, self.log.as_os_str() == "-") {
            (true, _) => LogTarget::Nowhere,
            (false, true) => LogTarget::Stdout,
            (false, false) => LogTarget::File(self.log.clone()),
        };
        configuration.format = self.format(&configuration.log);
        configuration.record.clone_from(&self.record);
        configuration.metrics.clone_from(&self.metrics);
        configuration.force = self.force;
        configuration.wide = self.wide;
        configuration.handler_timeout = self.handler_timeout.limit();
        let options = &mut configuration.options;
        options.max_connections = self.max_connections;
        options.connect_timeout = self.connect_timeout;
        options.idle_timeout = self.idle_timeout;
        options.keep_alive = self.keep_alive.limit();
        options.drain = self.drain;
        Ok(configuration)
    }

    /// Returns the name of the program in its messages.
    pub(crate) fn program(&self) -> String {
        let started_as = || {
            let path = std::env::args_os().next()?;
            Path::new(&path).file_name().map(|name| format!("{} proxy", name.to_string_lossy()))
        };
        self.program.clone().or_else(started_as).unwrap_or_else(|| "enjamb proxy".to_owned())
    }

    fn format(&self, log: &LogTarget) -> Format {
        let is_jsonl = |file: &Path| file.extension().is_some_and(|extension| extension == "jsonl");
        match (self.format, log) {
            (Some(OutputFormat::Jsonl), _) => Format::JsonLines,
            (None, LogTarget::File(file)) if is_jsonl(file) => Format::JsonLines,
            (_, LogTarget::Stdout) => Format::Text { colour: is_coloured() },
            _ => Format::Text { colour: false },
        }
    }
}

/// Returns whether standard output is a terminal whose user has not disabled colours
/// (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
