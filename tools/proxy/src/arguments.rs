//! The command line.

use std::io::IsTerminal;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use enjamb::units::{DurationError, parse_duration, parse_size};
use enjamb_monitor::{Filter, Format};
use enjamb_net::relay::{ForwardRule, ProxyProtocol};
use enjamb_protocols::Registry;
use enjamb_sources::arguments::address;

use crate::authority::ProxyCommand;
use crate::config_file::{ConfigFile, parse_faults, time};
use crate::configuration::{Configuration, LogTarget, Rotation, Route};
use crate::endpoints::{listen_endpoint, server_endpoint};
use crate::tls_options::TlsOptions;

/// The shortest time after which files are rotated.
const ROTATION_MIN: Duration = Duration::from_secs(1);

/// Examples for the end of the help text.
pub const EXAMPLES: &str = "\
  enjamb proxy --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379
                                              log the messages between a client and a server
  enjamb proxy --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379 --quiet --record traffic.pcapng
                                              record them, for `enjamb replay traffic.pcapng`
  enjamb proxy --listen 127.0.0.1:7000 --upstream 127.0.0.1:6379 --fault latency,latency=100ms,jitter=20ms
                                              see what the client does when the network is slow";

/// The arguments of `enjamb proxy`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[non_exhaustive]
pub struct Arguments {
    /// A command beside the relay.
    #[command(subcommand)]
    pub command: Option<ProxyCommand>,

    /// The address to which clients connect: HOST:PORT, or unix:PATH. With port 0 the system
    /// chooses a port, which is printed as the first line on standard error. May be given more than
    /// once.
    #[arg(
        long,
        short,
        required_unless_present_any = ["config", "api"],
        value_name = "HOST:PORT",
        value_parser = listen_endpoint
    )]
    pub listen: Vec<String>,

    /// The server: HOST:PORT, or unix:PATH.
    #[arg(
        long,
        short,
        required_unless_present_any = ["config", "api", "forward"],
        requires = "listen",
        value_name = "HOST:PORT",
        value_parser = server_endpoint
    )]
    pub upstream: Option<String>,

    /// Let clients name their server, with SOCKS5 or an HTTP CONNECT, as far as --allow allows it.
    #[arg(long, requires = "listen", requires = "allow", conflicts_with = "upstream")]
    pub forward: bool,

    /// A server that clients may name: HOST:PORT. The host is a name, an address, a range such as
    /// 10.0.0.0/8, *.example.com, or *; the port a number, a range such as 8000-8999, or *. May be
    /// given more than once.
    #[arg(long, requires = "forward", value_name = "HOST:PORT")]
    pub allow: Vec<ForwardRule>,

    /// The mode of the file of a Unix socket to listen on, in octal. [default: 600]
    #[arg(long, value_name = "MODE", value_parser = parse_mode)]
    pub unix_mode: Option<u32>,

    /// The protocol of the connections: a name, `auto`, or a framing spec such as "u32be max=1M".
    /// [default: auto]
    #[arg(long, short, requires = "listen", value_name = "NAME|SPEC")]
    pub protocol: Option<String>,

    /// Apply a fault on purpose: TYPE[,NAME=VALUE]..., such as `latency,side=server,latency=100ms`,
    /// or `drop,side=client,every=10`. May be given more than once. `enjamb proxy --list-faults`
    /// describes all types.
    #[arg(long = "fault", requires = "listen", value_name = "FAULT")]
    pub faults: Vec<String>,

    /// The seed of everything random in faults. [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Print all types of faults with their attributes.
    #[arg(long, exclusive = true)]
    pub list_faults: bool,

    /// Read proxies and options from this file, in TOML. Options of the command line are stronger.
    /// SIGHUP reads the proxies again.
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["listen", "upstream", "protocol", "faults"])]
    pub config: Option<PathBuf>,

    /// Check the file of --config, and start nothing.
    #[arg(long, requires = "config")]
    pub check: bool,

    /// Serve an HTTP API at this address, which changes proxies and faults while they run: that of
    /// Toxiproxy. It also has the pages of --metrics.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub api: Option<String>,

    /// Write records to this file, or to standard output with `-`. A log that enjamb wrote is
    /// replaced; another file is not. [default: -]
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// The format of the records. [default: text, but jsonl to a FILE.jsonl]
    #[arg(long, short, value_enum)]
    pub format: Option<OutputFormat>,

    /// Write no records, only statistics, to standard error.
    #[arg(long, short, conflicts_with_all = ["log", "format"])]
    pub quiet: bool,

    /// Write only records for which this expression is true, such as `latency_us > 100ms`.
    /// Everything is counted and recorded.
    #[arg(long, conflicts_with = "quiet", value_name = "EXPRESSION")]
    pub filter: Option<String>,

    /// Log, count and record only one of N connections. The others are relayed.
    #[arg(long, value_name = "N")]
    pub sample: Option<NonZeroU64>,

    /// Reset a connection when a message of it is malformed. The message itself may have been
    /// passed on already.
    #[arg(long)]
    pub strict: bool,

    /// Record the traffic as a capture, for `enjamb replay` and Wireshark. A recording that enjamb
    /// wrote is replaced; another file is not.
    #[arg(long, value_name = "FILE.pcapng")]
    pub record: Option<PathBuf>,

    /// Serve metrics for Prometheus at http://HOST:PORT/metrics, and the state of the proxy at
    /// http://HOST:PORT/health.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub metrics: Option<String>,

    /// Give a file of --log or --record another name when it has this size, and continue in a new
    /// one: `100M`. The name gets the time.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub rotate_size: Option<u64>,

    /// Do the same after this time: `24h`.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub rotate_every: Option<Duration>,

    /// Keep so many old files of each, and remove older ones. [default: all]
    #[arg(long, value_name = "N")]
    pub rotate_keep: Option<NonZeroUsize>,

    /// Let --log and --record replace any file.
    #[arg(long)]
    pub force: bool,

    /// Allow --listen, --api and --metrics on every address of this machine (`0.0.0.0` and `[::]`),
    /// so that other machines can connect.
    #[arg(long)]
    pub wide: bool,

    /// The number of connections that may be open at a time on one proxy. Further clients wait.
    /// [default: 4096]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<NonZeroUsize>,

    /// The time that each address of the server may take to accept a connection: `10s`, `250ms`,
    /// `2m`, or a number of seconds. [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub connect_timeout: Option<Duration>,

    /// Reset connections after this time without a byte from either side. [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub idle_timeout: Option<Duration>,

    /// The time without a byte after which TCP checks that a peer still exists. `never`: no check.
    /// [default: 1m]
    #[arg(long, value_name = "TIME|never", value_parser = TimeLimit::parse)]
    pub keep_alive: Option<TimeLimit>,

    /// The time that open connections may continue after a signal to end. A second signal ends them
    /// at once. [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub drain: Option<Duration>,

    /// Expect a header of the PROXY protocol, version 1 or 2, from each client. Its addresses are
    /// logged and recorded. A client without one is reset.
    #[arg(long)]
    pub accept_proxy_protocol: bool,

    /// Send a header of the PROXY protocol to the server, with the address of the client.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub send_proxy_protocol: Option<ProxyVersion>,

    /// The options of TLS.
    #[command(flatten)]
    pub tls: TlsOptions,

    /// The time that both TLS handshakes of a connection may take together. [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "TLS")]
    pub tls_timeout: Option<Duration>,

    /// The time that one call of a protocol handler may take. After that its connection is relayed
    /// without being parsed. `never`: no limit. It concerns only protocols that are not built in.
    /// [default: 5s]
    #[arg(long, value_name = "TIME|never", value_parser = TimeLimit::parse)]
    pub handler_timeout: Option<TimeLimit>,

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

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// The binary form.
    V2,
}

impl From<ProxyVersion> for ProxyProtocol {
    fn from(version: ProxyVersion) -> Self {
        match version {
            ProxyVersion::V1 => Self::V1,
            ProxyVersion::V2 => Self::V2,
        }
    }
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
    /// The arguments do not make sense, or the file of `--config` cannot be read. The text explains
    /// it to the user.
    pub fn configuration(&self, registry: &Registry) -> Result<Configuration, String> {
        let file = self.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
        let in_file = |error: String| match &self.config {
            Some(path) => format!("{}: {error}", path.display()),
            None => error,
        };
        let mut configuration = Configuration::new(self.routes(&file, registry)?);
        configuration.registry = registry.clone();
        configuration.program = self.program();
        let log = self.log.clone().or(file.log.clone()).unwrap_or_else(|| PathBuf::from("-"));
        let is_quiet = self.quiet || self.log.is_none() && file.quiet == Some(true);
        configuration.log = match (is_quiet, log.as_os_str() == "-") {
            (true, _) => LogTarget::Nowhere,
            (false, true) => LogTarget::Stdout,
            (false, false) => LogTarget::File(log.clone()),
        };
        let format = match (self.format, file.format.as_deref()) {
            (None, Some(text)) => Some(
                OutputFormat::from_str(text, false)
                    .map_err(|_| in_file(format!("format: {text}: there are text and jsonl")))?,
            ),
            (format, _) => format,
        };
        configuration.format = output_format(format, &configuration.log);
        let filter = self.filter.as_deref().or(file.filter.as_deref());
        configuration.filter =
            filter.map(|text| Filter::parse(text).map_err(|error| format!("--filter: {error}"))).transpose()?;
        configuration.record = self.record.clone().or(file.record.clone());
        if configuration.record.as_ref() == Some(&log) {
            return Err("--record and --log are the same file".to_owned());
        }
        if self.force && configuration.record.is_none() && !matches!(configuration.log, LogTarget::File(_)) {
            return Err("--force is for --log FILE and --record: there is no file to replace".to_owned());
        }
        let address_of = |name: &str, given: &Option<String>, written: &Option<String>| match (given, written) {
            (None, Some(text)) => address(text).map(Some).map_err(|error| in_file(format!("{name}: {text}: {error}"))),
            (given, _) => Ok(given.clone()),
        };
        configuration.metrics = address_of("metrics", &self.metrics, &file.metrics)?;
        configuration.api = address_of("api", &self.api, &file.api)?;
        configuration.seed = self.seed.or(file.seed).unwrap_or(0);
        configuration.rotation = self.rotation(&file).map_err(in_file)?;
        if configuration.rotation.is_on()
            && configuration.record.is_none()
            && !matches!(configuration.log, LogTarget::File(_))
        {
            return Err("--rotate-size and --rotate-every are for --log FILE and --record: there is no file".to_owned());
        }
        configuration.force = self.force;
        configuration.strict = self.strict || file.strict == Some(true);
        configuration.sample = self.sample.or(file.sample).unwrap_or(configuration.sample);
        let mode = file
            .unix_mode
            .as_deref()
            .map(|text| parse_mode(text).map_err(|error| in_file(format!("unix_mode: {text}: {error}"))));
        if let Some(mode) = self.unix_mode.map_or(mode.transpose()?, Some) {
            configuration.unix_mode = mode;
        }
        configuration.wide = self.wide || file.wide == Some(true);
        let limit_of = |name: &str, given: Option<TimeLimit>, written: &Option<String>| match (given, written) {
            (None, Some(text)) => {
                TimeLimit::parse(text).map(Some).map_err(|error| in_file(format!("{name}: {text}: {error}")))
            }
            (given, _) => Ok(given),
        };
        if let Some(limit) = limit_of("handler_timeout", self.handler_timeout, &file.handler_timeout)? {
            configuration.handler_timeout = limit.limit();
        }
        if let Some(time) = self
            .tls_timeout
            .map_or(time("tls_timeout", file.tls_timeout.as_deref()), |given| Ok(Some(given)))
            .map_err(in_file)?
        {
            configuration.tls_timeout = time;
        }
        let options = &mut configuration.options;
        if let Some(limit) = limit_of("keep_alive", self.keep_alive, &file.keep_alive)? {
            options.keep_alive = limit.limit();
        }
        let time_of = |name: &str, given: Option<Duration>, written: &Option<String>| match given {
            Some(given) => Ok(Some(given)),
            None => time(name, written.as_deref()).map_err(in_file),
        };
        options.max_connections = self.max_connections.or(file.max_connections).unwrap_or(options.max_connections);
        options.idle_timeout = time_of("idle_timeout", self.idle_timeout, &file.idle_timeout)?;
        if let Some(time) = time_of("connect_timeout", self.connect_timeout, &file.connect_timeout)? {
            options.connect_timeout = time;
        }
        options.accept_proxy_protocol = self.accept_proxy_protocol || file.accept_proxy_protocol == Some(true);
        options.send_proxy_protocol = match (self.send_proxy_protocol, file.send_proxy_protocol.as_deref()) {
            (None, Some(text)) => {
                let version = ProxyVersion::from_str(text, false);
                Some(version.map_err(|_| in_file(format!("send_proxy_protocol: {text}: there are v1 and v2")))?.into())
            }
            (version, _) => version.map(Into::into),
        };
        if let Some(time) = time_of("drain", self.drain, &file.drain)? {
            options.drain = time;
        }
        Ok(configuration)
    }

    fn rotation(&self, file: &ConfigFile) -> Result<Rotation, String> {
        let written = file
            .rotate_size
            .as_deref()
            .map(|text| parse_size(text).map_err(|error| format!("rotate_size: {text}: {error}")));
        let size = self.rotate_size.map_or(written.transpose()?, Some);
        let every = self.rotate_every.map_or(time("rotate_every", file.rotate_every.as_deref())?, Some);
        if every.is_some_and(|every| every < ROTATION_MIN) {
            return Err("rotate_every is at least 1s".to_owned());
        }
        let size = size.map(|size| NonZeroU64::new(size).ok_or("rotate_size is not 0")).transpose()?;
        Ok(Rotation { size, every, keep: self.rotate_keep.or(file.rotate_keep) })
    }

    /// Returns the routes of the file, or the one of the command line.
    fn routes(&self, file: &ConfigFile, registry: &Registry) -> Result<Vec<Route>, String> {
        if let Some(path) = &self.config {
            if self.tls != TlsOptions::default() {
                return Err("the options of TLS belong to the proxies of the file".to_owned());
            }
            return file.routes(registry).map_err(|error| format!("{}: {error}", path.display()));
        }
        if self.listen.is_empty() {
            return Ok(Vec::new());
        }
        let upstream = match &self.upstream {
            Some(upstream) => upstream.as_str(),
            None if self.forward => "",
            None => return Err("--listen needs --upstream, or --forward with --allow".to_owned()),
        };
        let protocol = self.protocol.as_deref().unwrap_or("auto");
        let protocol = registry.resolve(protocol).map_err(|error| format!("--protocol: {error}"))?;
        let mut route = Route::new("default", &self.listen, upstream, protocol);
        route.faults = parse_faults(&self.faults).map_err(|error| format!("--{error}"))?;
        route.tls = self.tls.read("--", "-")?;
        route.allow.clone_from(&self.allow);
        Ok(vec![route])
    }

    /// Reads the routes of the file of `--config` again.
    pub(crate) fn read_routes(&self, registry: &Registry) -> Result<Vec<Route>, String> {
        let file = self.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
        self.routes(&file, registry)
    }

    /// Returns the name of the program in its messages.
    pub(crate) fn program(&self) -> String {
        let started_as = || {
            let path = std::env::args_os().next()?;
            Path::new(&path).file_name().map(|name| format!("{} proxy", name.to_string_lossy()))
        };
        self.program.clone().or_else(started_as).unwrap_or_else(|| "enjamb proxy".to_owned())
    }
}

/// Parses the mode of a file.
fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("a mode is three octal digits, such as 660".to_owned()),
    }
}

fn output_format(format: Option<OutputFormat>, log: &LogTarget) -> Format {
    let is_jsonl = |file: &Path| file.extension().is_some_and(|extension| extension == "jsonl");
    match (format, log) {
        (Some(OutputFormat::Jsonl), _) => Format::JsonLines,
        (None, LogTarget::File(file)) if is_jsonl(file) => Format::JsonLines,
        (_, LogTarget::Stdout) => Format::Text { colour: is_coloured() },
        _ => Format::Text { colour: false },
    }
}

/// Returns whether standard output is a terminal whose user has not disabled colours
/// (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
