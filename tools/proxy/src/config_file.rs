//! The configuration file: several proxies, and the options of the command.
//!
//! ```toml
//! log = "messages.jsonl"
//! api = "127.0.0.1:8474"
//!
//! [[proxy]]
//! name = "cache"
//! listen = "127.0.0.1:7000"
//! upstream = "127.0.0.1:6379"
//! protocol = "redis"
//! faults = ["latency,side=server,latency=100ms"]
//! ```
//!
//! An option has the name of the flag, with `_` for `-`, and its meaning. The command line is
//! stronger.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use enjamb::units::parse_duration;
use enjamb_faults::Fault;
use enjamb_net::relay::ForwardRule;
use enjamb_protocols::Registry;
use serde::Deserialize;

use crate::configuration::Route;
use crate::endpoints::{listen_endpoint, server_endpoint};
use crate::starttls::StartTls;
use crate::tls_options::TlsOptions;

/// The maximum length of a file.
const FILE_MAX: u64 = 1 << 20;

/// The content of a file, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    pub(crate) log: Option<PathBuf>,
    pub(crate) format: Option<String>,
    pub(crate) quiet: Option<bool>,
    pub(crate) filter: Option<String>,
    pub(crate) record: Option<PathBuf>,
    pub(crate) metrics: Option<String>,
    pub(crate) api: Option<String>,
    pub(crate) seed: Option<u64>,
    pub(crate) rotate_size: Option<String>,
    pub(crate) rotate_every: Option<String>,
    pub(crate) rotate_keep: Option<NonZeroUsize>,
    pub(crate) wide: Option<bool>,
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) connect_timeout: Option<String>,
    pub(crate) idle_timeout: Option<String>,
    pub(crate) keep_alive: Option<String>,
    pub(crate) drain: Option<String>,
    pub(crate) accept_proxy_protocol: Option<bool>,
    pub(crate) send_proxy_protocol: Option<String>,
    pub(crate) handler_timeout: Option<String>,
    pub(crate) tls_timeout: Option<String>,
    pub(crate) unix_mode: Option<String>,
    pub(crate) sample: Option<NonZeroU64>,
    pub(crate) strict: Option<bool>,
    #[serde(default)]
    proxy: Vec<ProxyTable>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyTable {
    name: String,
    listen: Addresses,
    upstream: Option<String>,
    #[serde(default)]
    forward: bool,
    #[serde(default)]
    allow: Vec<String>,
    protocol: Option<String>,
    enabled: Option<bool>,
    #[serde(default)]
    faults: Vec<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_ca: Option<PathBuf>,
    #[serde(default)]
    upstream_tls: bool,
    upstream_ca: Option<PathBuf>,
    upstream_name: Option<String>,
    upstream_cert: Option<PathBuf>,
    upstream_key: Option<PathBuf>,
    #[serde(default)]
    upstream_insecure: bool,
    #[serde(default)]
    alpn: Vec<String>,
    starttls: Option<StartTls>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is not TOML with these names. The text has the place.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
        if metadata.len() > FILE_MAX {
            return Err(failed(&"a configuration has at most 1 MiB"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        toml::from_str(&text).map_err(|error| failed(&error.to_string().trim_end()))
    }

    /// Returns the routes.
    ///
    /// # Errors
    /// One makes no sense. The text names it.
    pub(crate) fn routes(&self, registry: &Registry) -> Result<Vec<Route>, String> {
        let mut routes: Vec<Route> = Vec::with_capacity(self.proxy.len());
        for (at, table) in self.proxy.iter().enumerate() {
            let place =
                if table.name.is_empty() { format!("proxy {}", at + 1) } else { format!("proxy {}", table.name) };
            let route = table.route(registry).map_err(|error| format!("{place}: {error}"))?;
            if routes.iter().any(|other| other.name == route.name) {
                return Err(format!("{place}: another one has this name"));
            }
            routes.push(route);
        }
        Ok(routes)
    }
}

impl ProxyTable {
    fn route(&self, registry: &Registry) -> Result<Route, String> {
        if self.name.is_empty() {
            return Err("the name is empty".to_owned());
        }
        let listen = match &self.listen {
            Addresses::One(address) => vec![address.clone()],
            Addresses::Several(addresses) => addresses.clone(),
        };
        if listen.is_empty() {
            return Err("listen: there is no address".to_owned());
        }
        for text in &listen {
            listen_endpoint(text).map_err(|error| format!("listen: {text}: {error}"))?;
        }
        let upstream = match (&self.upstream, self.forward) {
            (Some(text), false) => server_endpoint(text).map_err(|error| format!("upstream: {text}: {error}"))?,
            (None, true) if self.allow.is_empty() => return Err("forward needs allow: a list of HOST:PORT".to_owned()),
            (None, true) => String::new(),
            (Some(_), true) => return Err("upstream and forward exclude each other".to_owned()),
            (None, false) => return Err("there is neither upstream nor forward".to_owned()),
        };
        if !self.forward && !self.allow.is_empty() {
            return Err("allow needs forward".to_owned());
        }
        let rule = |text: &String| text.parse::<ForwardRule>().map_err(|error| format!("allow: {text}: {error}"));
        let allow = self.allow.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        let protocol = self.protocol.as_deref().unwrap_or("auto");
        let protocol = registry.resolve(protocol).map_err(|error| format!("protocol: {error}"))?;
        let mut route = Route::new(self.name.clone(), listen, upstream, protocol);
        route.allow = allow;
        route.enabled = self.enabled.unwrap_or(true);
        route.faults = parse_faults(&self.faults)?;
        route.tls = self.tls().read("", "_")?;
        Ok(route)
    }

    fn tls(&self) -> TlsOptions {
        TlsOptions {
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            tls_ca: self.tls_ca.clone(),
            upstream_tls: self.upstream_tls,
            upstream_ca: self.upstream_ca.clone(),
            upstream_name: self.upstream_name.clone(),
            upstream_cert: self.upstream_cert.clone(),
            upstream_key: self.upstream_key.clone(),
            upstream_insecure: self.upstream_insecure,
            alpn: self.alpn.clone(),
            starttls: self.starttls,
        }
    }
}

/// Parses faults in the form of the command line.
pub(crate) fn parse_faults(texts: &[String]) -> Result<Vec<Fault>, String> {
    let mut faults: Vec<Fault> = Vec::new();
    for text in texts {
        for fault in Fault::parse(text).map_err(|error| format!("fault {text}: {error}"))? {
            if faults.iter().any(|other| other.name == fault.name) {
                return Err(format!("fault {text}: another one has the name {}; give this one a name=", fault.name));
            }
            faults.push(fault);
        }
    }
    Ok(faults)
}

/// Parses an option that is a time.
pub(crate) fn time(name: &str, text: Option<&str>) -> Result<Option<Duration>, String> {
    text.map(|text| parse_duration(text).map_err(|error| format!("{name}: {text}: {error}"))).transpose()
}

#[cfg(test)]
mod tests {
    use enjamb_fuzz::driver::{Inputs, Mutator, search};
    use enjamb_fuzz::{Form, Target};

    use super::*;

    fn parse(text: &str) -> Result<Vec<Route>, String> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| error.to_string())?;
        file.routes(&Registry::builtin())
    }

    const PROXY: &str = "[[proxy]]\nname = \"a\"\nlisten = \"127.0.0.1:0\"\nupstream = \"127.0.0.1:6379\"\n";

    #[test]
    fn a_file_has_several_proxies_with_their_faults() {
        let second = PROXY.replace("\"a\"", "\"b\"").replace("\"127.0.0.1:0\"", "[\"127.0.0.1:0\", \"[::1]:0\"]");
        let routes =
            parse(&format!("{PROXY}faults = [\"drop\", \"recut,side=server,name=c\"]\n{second}protocol = \"redis\"\n"))
                .unwrap();
        let names: Vec<_> = routes[0].faults.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(names, ["drop_upstream", "drop_downstream", "c"]);
        assert_eq!((routes[1].listen.len(), routes[1].protocol.name()), (2, "redis"));

        let forward = "forward = true\nallow = [\"*.test:443\", \"10.0.0.0/8:*\"]";
        let text = PROXY.replace("upstream = \"127.0.0.1:6379\"", forward).replace("127.0.0.1:0", "unix:/run/x");
        let routes = parse(&text).unwrap();
        assert_eq!((routes[0].listen[0].as_str(), routes[0].allow.len()), ("unix:/run/x", 2));
    }

    #[test]
    fn an_error_names_its_place_and_the_way_out() {
        for (text, part) in [
            (format!("{PROXY}forward = true\n"), "upstream and forward exclude each other"),
            (format!("{PROXY}allow = [\"*:*\"]\n"), "allow needs forward"),
            (PROXY.replace("upstream = \"127.0.0.1:6379\"", "forward = true"), "forward needs allow"),
            (
                PROXY.replace("upstream = \"127.0.0.1:6379\"", "forward = true\nallow = [\"host\"]"),
                "allow: host: expected",
            ),
            (PROXY.replace("upstream = \"127.0.0.1:6379\"", ""), "neither upstream nor forward"),
            (PROXY.replace("127.0.0.1:0", "unix:"), "listen: unix:: the path is missing"),
            (format!("{PROXY}port = 1\n"), "unknown field `port`"),
            (PROXY.replace(":6379", ""), "proxy a: upstream"),
            (PROXY.replace("127.0.0.1:0", "127.0.0.1"), "proxy a: listen: 127.0.0.1: expected HOST:PORT"),
            (format!("{PROXY}{PROXY}"), "another one has this name"),
            (format!("{PROXY}faults = [\"lag\"]\n"), "proxy a: fault lag: there is no fault"),
            (format!("{PROXY}faults = [\"drop\", \"drop\"]\n"), "give this one a name="),
            (format!("{PROXY}protocol = \"no such\"\n"), "proxy a: protocol:"),
            ("[[proxy]]\nname = \"a\"\n".to_owned(), "missing field `listen`"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    /// The configuration as a fuzz target, for the driver of `enjamb-fuzz`.
    const TARGET: Target = Target {
        name: "configuration",
        property: "a text is a configuration whose routes are complete, or an error with a text",
        form: Form::Text,
        run: check,
        dictionary: "\"[[proxy]]\"\n\"name = \"\n\"listen = \"\n\"upstream = \"\n\"forward = true\"\n\"allow = [\"\n\
                     \"protocol = \"\n\"enabled = false\"\n\"faults = [\"\n\"unix:\"\n\"*:*\"\n\"[::1]:0\"\n\"\\\"\"\n\"\\x0a\"\n",
        parsers: &[],
    };

    fn check(data: &[u8]) {
        // Options of TLS read files of any path.
        let Some(text) = std::str::from_utf8(data).ok().filter(|text| !text.contains("tls_") && !text.contains("_c"))
        else {
            return;
        };
        match parse(text) {
            Ok(routes) => {
                for (at, route) in routes.iter().enumerate() {
                    assert!(!route.name.is_empty() && !route.listen.is_empty(), "a route without a name or an address");
                    assert!(
                        route.upstream.is_empty() != route.allow.is_empty(),
                        "a route to nowhere, or to two places"
                    );
                    assert!(routes[..at].iter().all(|other| other.name != route.name), "two routes of one name");
                    for fault in &route.faults {
                        fault.check().unwrap();
                    }
                }
            }
            Err(error) => assert!(!error.is_empty(), "an error without a text"),
        }
    }

    #[test]
    fn every_text_is_a_configuration_or_an_error() {
        let all = "faults = [\"drop\", \"recut,side=server,name=c\", \"latency,latency=5ms\"]\nprotocol = \"redis\"\n";
        let forward = "forward = true\nallow = [\"*.test:443\", \"10.0.0.0/8:*\"]";
        let seeds = [
            format!("log = \"x\"\n{PROXY}{all}"),
            format!(
                "{PROXY}{}",
                PROXY.replace("\"a\"", "\"b\"").replace("\"127.0.0.1:0\"", "[\"127.0.0.1:0\", \"unix:x\"]")
            ),
            PROXY.replace("upstream = \"127.0.0.1:6379\"", forward),
        ];
        assert!(seeds.iter().all(|seed| parse(seed).is_ok()));
        let seeds = seeds.map(String::into_bytes).to_vec();
        let inputs = Inputs::new(&TARGET, seeds, Mutator::Structured, 1);
        if let Some(finding) = search(inputs, 5000, &check) {
            panic!("{}\n{}", finding.message, finding.input.escape_ascii());
        }
    }
}
