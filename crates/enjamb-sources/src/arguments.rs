//! Command line arguments that several tools share.
//!
//! [`ProtocolArguments`] choose protocols. [`ReassemblyArguments`] are the limits of reassembly.
//! [`size`], [`size_within`], [`duration`]
//! and [`duration_within`] are parsers for clap, so that every flag uses the syntax of
//! [`enjamb::units`]. [`address`] and [`server_address`] are parsers of `HOST:PORT`.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, ValueEnum};
use enjamb::units::{format_duration, format_size, parse_duration, parse_size};
use enjamb_capture::{Options, Overlap};
use enjamb_protocols::Registry;

use crate::protocol_choice::ProtocolChoice;

/// The protocol of the connections.
#[derive(Args, Clone, Debug)]
pub struct ProtocolArguments {
    /// The protocol of the connections: a name (the command `protocols` lists them), `auto`, which
    /// detects it from the first bytes of each connection, or a framing spec such as "u32be
    /// max=1M".
    #[arg(long, short, default_value = "auto", value_name = "NAME|SPEC")]
    pub protocol: String,
}

/// A port, and the protocol of the connections to servers on it: `7000=redis`, or `7000` without a
/// protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortArgument {
    /// The port.
    pub port: u16,
    /// The name or spec behind the equals sign.
    pub protocol: Option<String>,
}

impl ProtocolArguments {
    /// Returns the protocol of each connection. `ports` have their own protocols.
    ///
    /// # Errors
    /// The option that names no protocol, and the reason.
    pub fn choice(&self, registry: &Registry, ports: &[PortArgument]) -> Result<ProtocolChoice, String> {
        let choice = ProtocolChoice::new(registry, &self.protocol).map_err(|error| format!("--protocol: {error}"))?;
        ports.iter().try_fold(choice, |choice, argument| match &argument.protocol {
            Some(name) => {
                choice.on_port(argument.port, name).map_err(|error| format!("--port {}={name}: {error}", argument.port))
            }
            None => Ok(choice),
        })
    }
}

/// Parses a port, and the protocol of it if there is one: `7000`, `7000=redis`.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn port(text: &str) -> Result<PortArgument, String> {
    let (port, protocol) = text.split_once('=').map_or((text, None), |(port, name)| (port, Some(name.to_owned())));
    match port.trim().parse() {
        Ok(0) | Err(_) => Err(format!("\"{port}\" is not a port from 1 to 65535, as in 7000=redis")),
        Ok(port) => Ok(PortArgument { port, protocol }),
    }
}

/// Parses a port and its protocol: `7000=redis`.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn port_with_protocol(text: &str) -> Result<PortArgument, String> {
    let argument = port(text)?;
    match &argument.protocol {
        Some(_) => Ok(argument),
        None => Err(format!("a protocol is missing, as in {text}=redis")),
    }
}

/// The limits of memory and of waiting, and the choice between copies that differ.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reassembly")]
pub struct ReassemblyArguments {
    /// The copy that counts when bytes were captured twice and the copies differ.
    #[arg(long, value_enum, default_value_t = OverlapPolicy::First)]
    overlap: OverlapPolicy,

    /// The maximum number of bytes that all connections together may hold while they wait for
    /// missing bytes, such as 512k, 64M or 1G. The connection that exceeds this stops waiting,
    /// which is counted.
    #[arg(long, value_parser = size, default_value = "256M", value_name = "SIZE")]
    max_held: usize,

    /// The maximum number of bytes that one direction of one connection may hold while it waits for
    /// missing bytes.
    #[arg(long, value_parser = size, default_value = "64M", value_name = "SIZE")]
    max_held_per_stream: usize,

    /// The maximum number of connections that are followed at a time. A further one replaces the
    /// connection that was silent for longest.
    #[arg(long, default_value_t = Options::default().connections, value_name = "COUNT")]
    max_connections: usize,

    /// The number of packets of a connection to wait for bytes that were acknowledged but not yet
    /// captured. After that the bytes are a gap.
    #[arg(long, default_value_t = Options::default().patience, value_name = "PACKETS")]
    patience: u32,

    /// The number of packets to wait where only one direction of the connection was captured, so
    /// that there are no acknowledgements.
    #[arg(long, default_value_t = Options::default().patience_one_sided, value_name = "PACKETS")]
    patience_one_sided: u32,

    /// The time to wait for missing bytes, in time of the capture: 90, 90s, 250ms, 2m. A bare
    /// number is seconds.
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "TIME")]
    patience_time: Duration,
}

/// The copy of a byte that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OverlapPolicy {
    /// The copy that was captured first, as RFC 9293 requires.
    First,
    /// The last copy that was captured before its acknowledgement.
    Last,
}

impl ReassemblyArguments {
    /// Returns the limits for [`enjamb_capture`].
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            overlap: match self.overlap {
                OverlapPolicy::First => Overlap::First,
                OverlapPolicy::Last => Overlap::Last,
            },
            patience: self.patience,
            patience_one_sided: self.patience_one_sided,
            patience_time: self.patience_time,
            held_per_stream: self.max_held_per_stream,
            held_in_all: self.max_held,
            connections: self.max_connections,
        }
    }
}

/// Parses a size in bytes that fits into memory: `65536`, `512k`, `64M`, `1G`.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn size(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    usize::try_from(bytes).map_err(|_| "the size is too large for this machine".to_owned())
}

/// Parses a size in bytes within `limits`.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn size_within(text: &str, limits: &RangeInclusive<usize>) -> Result<usize, String> {
    let bytes = size(text)?;
    if limits.contains(&bytes) {
        return Ok(bytes);
    }
    let [least, most] = [*limits.start(), *limits.end()].map(|bytes| format_size(bytes as u64));
    Err(format!("expected a size from {least} to {most}"))
}

/// Parses a duration: `90` (seconds), `5s`, `250ms`, `2m`, `1h`.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// Parses a duration within `limits`.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn duration_within(text: &str, limits: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = duration(text)?;
    if limits.contains(&duration) {
        return Ok(duration);
    }
    Err(format!("expected a duration from {} to {}", format_duration(*limits.start()), format_duration(*limits.end())))
}

/// Parses the address of a server: `HOST:PORT`, with an IPv6 address in brackets.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn address(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT, such as 127.0.0.1:6379")?;
    let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match unbracketed.unwrap_or(host) {
        "" => return Err("the host is missing: expected HOST:PORT, such as 127.0.0.1:6379".to_owned()),
        inside if unbracketed.is_some() && inside.parse::<std::net::Ipv6Addr>().is_err() => {
            return Err("an IPv6 address is expected in the brackets, as in [::1]:6379".to_owned());
        }
        host if unbracketed.is_none() && host.contains(':') => {
            return Err("an IPv6 address is written in brackets, as in [::1]:6379".to_owned());
        }
        _ => {}
    }
    match port.parse::<u16>() {
        Ok(_) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err("the port is a number from 0 to 65535".to_owned()),
    }
}

/// Parses the address of a server to connect to: [`address`] with a port that is not 0.
///
/// # Errors
/// The reason, as a phrase for people.
pub fn server_address(text: &str) -> Result<String, String> {
    let address = address(text)?;
    match address.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte == b'0') => Err("nothing listens on port 0".to_owned()),
        _ => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn options(arguments: &[&str]) -> Options {
        let command = ReassemblyArguments::augment_args(clap::Command::new("replay"));
        let matches = command.get_matches_from([&["replay"], arguments].concat());
        ReassemblyArguments::from_arg_matches(&matches).expect("valid arguments").options()
    }

    #[test]
    fn without_arguments_the_limits_are_those_of_the_library() {
        assert_eq!(options(&[]), Options::default());
    }

    #[test]
    fn limits_have_units() {
        let options = options(&["--max-held", "3K", "--max-held-per-stream", "2M", "--patience-time", "250ms"]);
        assert_eq!((options.held_in_all, options.held_per_stream), (3 << 10, 2 << 20));
        assert_eq!(options.patience_time, Duration::from_millis(250));
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:1", "localhost:65535", "[::1]:80", "a.b-c_d:007"] {
            assert_eq!(server_address(text), Ok(text.to_owned()));
        }
        for text in
            ["", "x", ":1", "x:", "x:65536", "x:-1", "x:+1", "x:http", "::1", "::1:80", "[::1]", "[]:1", "[x]:1"]
        {
            assert!(address(text).is_err(), "{text}");
        }
        assert!(address("x:0").is_ok() && server_address("x:0").is_err());
    }

    #[test]
    fn a_value_outside_its_limits_is_refused_with_the_limits() {
        let limits = Duration::from_millis(10)..=Duration::from_secs(86_400);
        assert_eq!(duration_within("20", &limits), Ok(Duration::from_secs(20)));
        assert_eq!(duration_within("5ms", &limits), Err("expected a duration from 10ms to 24h".to_owned()));
        assert_eq!(size_within("64M", &(0..=64 << 20)), Ok(64 << 20));
        assert_eq!(size_within("65M", &(1..=64 << 20)), Err("expected a size from 1 to 64M".to_owned()));
        assert!(size("x").is_err() && duration("x").is_err());
    }
}
