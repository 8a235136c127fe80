//! The configuration of a proxy.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use enjamb_faults::Fault;
use enjamb_monitor::{Filter, Format};
use enjamb_net::relay::{ForwardRule, Options};
use enjamb_protocols::{Protocol, Registry};

use crate::route_tls::RouteTls;

/// The time that one call of a handler may take, by default.
pub(crate) const HANDLER_TIMEOUT: Duration = Duration::from_secs(5);

/// The configuration of a proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Configuration {
    /// The name of the program, with which its notices begin. `enjamb proxy` by default.
    pub program: String,
    /// Whether notices about the proxy itself are printed to standard error. They are by default.
    /// Errors of a connection are records of the log in any case.
    pub prints_notices: bool,
    /// The routes that are relayed from the beginning.
    pub routes: Vec<Route>,
    /// The protocols that routes may name.
    pub registry: Registry,
    /// The destination of records. Standard output by default.
    pub log: LogTarget,
    /// The format of the records. Text without colours by default.
    pub format: Format,
    /// The records that the log has. All by default. The expression cannot name attributes.
    pub filter: Option<Filter>,
    /// The capture file in which the traffic is recorded. None by default.
    pub record: Option<PathBuf>,
    /// The address of the pages `/metrics` and `/health`, `HOST:PORT`. None by default.
    pub metrics: Option<String>,
    /// The address of the HTTP API, `HOST:PORT`, which changes routes and faults. None by default.
    pub api: Option<String>,
    /// The seed of everything random in faults. 0 by default.
    pub seed: u64,
    /// When the files of the log and of the recording are rotated. Never by default.
    pub rotation: Rotation,
    /// Whether the log and the recording may replace any file. By default they replace only files
    /// that enjamb wrote.
    pub force: bool,
    /// Whether the proxy may listen on every address of this machine, as `0.0.0.0` and `[::]` mean.
    /// It may not by default.
    pub wide: bool,
    /// The time that one call of a handler may take before its connection is no longer parsed.
    /// `None`: no limit. 5 seconds by default. It concerns only protocols that are not built in.
    pub handler_timeout: Option<Duration>,
    /// The mode of the files of Unix sockets on which the proxy listens. `0o600` by default.
    pub unix_mode: u32,
    /// One of so many connections is parsed, counted and recorded; the others are only relayed. 1
    /// by default: all are.
    pub sample: NonZeroU64,
    /// Whether a connection is reset when a message of it is malformed. Not by default. It needs
    /// protocols that are built in.
    pub strict: bool,
    /// The time that both TLS handshakes of a connection may take together. 10 seconds by default.
    pub tls_timeout: Duration,
    /// The limits of the relay.
    pub options: Options,
}

impl Configuration {
    /// Creates the configuration of a proxy with these routes. It knows the built-in protocols.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        Self {
            program: "enjamb proxy".to_owned(),
            prints_notices: true,
            routes,
            registry: Registry::builtin(),
            log: LogTarget::Stdout,
            format: Format::Text { colour: false },
            filter: None,
            record: None,
            metrics: None,
            api: None,
            seed: 0,
            rotation: Rotation::default(),
            force: false,
            wide: false,
            handler_timeout: Some(HANDLER_TIMEOUT),
            unix_mode: 0o600,
            sample: NonZeroU64::MIN,
            strict: false,
            tls_timeout: Duration::from_secs(10),
            options: Options::default(),
        }
    }
}

/// A route: addresses to which clients connect, and the server behind them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route {
    /// Its name, which the API and the messages of the proxy use.
    pub name: String,
    /// The addresses to which clients connect: `HOST:PORT` or `unix:PATH`, at least one. With port
    /// 0 the system chooses one.
    pub listen: Vec<String>,
    /// The server: `HOST:PORT` or `unix:PATH`. Empty if clients name it.
    pub upstream: String,
    /// The servers that clients may name with SOCKS5 or an HTTP `CONNECT`. If there is a rule,
    /// [`upstream`](Self::upstream) is not used. None by default.
    pub allow: Vec<ForwardRule>,
    /// The protocol of the connections.
    pub protocol: Arc<Protocol>,
    /// The faults that are applied on purpose, in this order. None by default.
    pub faults: Vec<Fault>,
    /// The TLS of clients and of the server. None by default: bytes pass as they are.
    pub tls: Option<RouteTls>,
    /// Whether it accepts connections. It does by default.
    pub enabled: bool,
}

impl Route {
    /// Creates a route without faults.
    pub fn new(
        name: impl Into<String>,
        listen: impl IntoIterator<Item = impl Into<String>>,
        upstream: impl Into<String>,
        protocol: impl Into<Arc<Protocol>>,
    ) -> Self {
        Self {
            name: name.into(),
            listen: listen.into_iter().map(Into::into).collect(),
            upstream: upstream.into(),
            allow: Vec::new(),
            protocol: protocol.into(),
            faults: Vec::new(),
            tls: None,
            enabled: true,
        }
    }
}

impl Route {
    /// Returns the server for people.
    pub(crate) fn server_text(&self) -> String {
        if self.allow.is_empty() { self.upstream.clone() } else { "the servers that clients name".to_owned() }
    }
}

/// When files are rotated, and how many old ones are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// A file that has this many bytes is rotated. `None`: no file is, for its size.
    pub size: Option<NonZeroU64>,
    /// A file is rotated after this time. `None`: no file is, for its age.
    pub every: Option<Duration>,
    /// The number of old files that are kept of the log, and of the recording. `None`: all.
    pub keep: Option<NonZeroUsize>,
}

impl Rotation {
    /// Returns whether files are ever rotated.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.size.is_some() || self.every.is_some()
    }
}

/// The destination of records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogTarget {
    /// No destination: records are only counted.
    Nowhere,
    /// Standard output.
    Stdout,
    /// This file. A log that enjamb wrote is replaced; another file is only with
    /// [`Configuration::force`].
    File(PathBuf),
}
